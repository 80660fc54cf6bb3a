//! Products of arrays as formulas of the matrix product.

use smallvec::SmallVec;

use crate::error::{ErrorKind, Refusal};
use crate::expr::Expr;
use crate::graph::{Engine, Graph};

use crate::op::Select;
use crate::shape::{self, Shape, broadcast};
use crate::term::Term;
use crate::var::Var;
use crate::words::Words;

fn mismatch<R>(rule: String) -> Result<R, Refusal> {
    Err(Refusal::new(ErrorKind::ShapeMismatch, rule))
}

/// The axes `named`, in the order they are named in, and the others.
fn parted(named: &[isize], ndim: usize) -> Result<(Shape, Shape), Refusal> {
    let sorted = shape::axes(Some(named), ndim)?;
    let named = named.iter().map(|&k| shape::axis(k, ndim)).collect::<Result<Shape, _>>()?;
    Ok((named, (0..ndim).filter(|k| !sorted.contains(k)).collect()))
}

fn lengths(x: Term<'_>, axes: &[usize]) -> Shape {
    axes.iter().map(|&k| x.shape()[k]).collect()
}

fn joined(a: &[usize], b: &[usize]) -> Shape {
    a.iter().chain(b).copied().collect()
}

/// Where to part each chain `i..=j` of matrices with `sizes[k]` rows (and the last columns), for the fewest multiplications.
///
/// Reference: T. H. Cormen et al., Introduction to Algorithms, section 15.2.
fn best_splits(sizes: &[usize]) -> Vec<Vec<usize>> {
    let n = sizes.len() - 1;
    let (mut cost, mut split) = (vec![vec![0f64; n]; n], vec![vec![0; n]; n]);
    for (i, j) in (1..n).flat_map(|len| (0..n - len).map(move |i| (i, i + len))) {
        cost[i][j] = f64::INFINITY;
        for k in i..j {
            let product = [i, k + 1, j + 1].iter().map(|&s| sizes[s] as f64).product::<f64>();
            let all = cost[i][k] + cost[k + 1][j] + product;
            if all < cost[i][j] {
                (cost[i][j], split[i][j]) = (all, k);
            }
        }
    }
    split
}

fn chained<'r>(xs: &[Term<'r>], split: &[Vec<usize>], i: usize, j: usize) -> Term<'r> {
    if i == j {
        return xs[i];
    }
    let k = split[i][j];
    chained(xs, split, i, k).matmul(chained(xs, split, k + 1, j))
}

impl<T: Engine> Graph<T> {
    /// The product of two arrays summed over pairs of axes: `axes_x[k]` of `x` with `axes_y[k]` of `y`, as `numpy.tensordot`.
    ///
    /// The result has the other axes of `x`, then those of `y`. One matrix product.
    ///
    /// # Panics
    /// If not as many axes are named of both, one is out of range or named twice, or lengths differ.
    ///
    /// # Examples
    /// ```
    /// use ndarray::Array3;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let (x, y) = (g.leaf(Array3::ones((2, 3, 4))), g.leaf(Array3::ones((4, 5, 2))));
    /// let z = g.tensordot(x, y, &[0, 2], &[2, 0]);
    /// assert_eq!(g.shape(z).to_vec(), [3, 5]);
    /// assert_eq!(g.value(z)[[0, 0]], 8.0);
    /// ```
    #[track_caller]
    pub fn tensordot(&self, x: impl Expr, y: impl Expr, axes_x: &[isize], axes_y: &[isize]) -> Var {
        self.enter();
        let (x, y) = (self.term_of("tensordot", x), self.term_of("tensordot", y));
        let check = || {
            let ((over_x, free_x), (over_y, free_y)) = (parted(axes_x, x.ndim())?, parted(axes_y, y.ndim())?);
            if over_x.len() != over_y.len() {
                let rule =
                    format!("{} axes are named of one and {} of the other", over_x.len(), over_y.len());
                return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
            }
            match over_x.iter().zip(&over_y).find(|&(&a, &b)| x.shape()[a] != y.shape()[b]) {
                Some((&a, &b)) => mismatch(format!(
                    "axis {a} has length {}, and axis {b} of the other {}",
                    x.shape()[a],
                    y.shape()[b]
                )),
                None => Ok((over_x, free_x, over_y, free_y)),
            }
        };
        let (over_x, free_x, over_y, free_y) = self.admit("tensordot", &[x, y], check());
        let (rows, columns, inner) = (lengths(x, &free_x), lengths(y, &free_y), lengths(x, &over_x));
        let [m, n, k] = [&rows, &columns, &inner].map(|shape| shape.iter().product::<usize>());
        let left = x.permute(&joined(&free_x, &over_x)).reshape(&[m, k]);
        let right = y.permute(&joined(&over_y, &free_y)).reshape(&[k, n]);
        left.matmul(right).reshape(&joined(&rows, &columns)).var()
    }

    /// The product of a chain of matrices in the order that takes the fewest multiplications; the first and the last may be
    /// vectors, as in `numpy.linalg.multi_dot`.
    ///
    /// # Panics
    /// If there are no arrays, one has other than two axes (the ends: one or two), or inner lengths differ.
    #[track_caller]
    pub fn multi_dot(&self, xs: &[Var]) -> Var {
        self.enter();
        let mut terms: SmallVec<[Term<'_>; 8]> = SmallVec::new();
        for &x in xs {
            terms.push(self.term_of("multi_dot", x));
        }
        let is_end = |k: usize| k == 0 || k + 1 == terms.len();
        let check =
            match terms.iter().enumerate().find(|(k, x)| x.ndim() != 2 && !(is_end(*k) && x.ndim() == 1)) {
                _ if terms.is_empty() => {
                    Err(Refusal::new(ErrorKind::InvalidAttribute, "takes at least 1 argument, 0 given"))
                }
                Some((k, x)) => {
                    let rule = format!("argument {k} is no matrix, and has {} axes", x.ndim());
                    Err(Refusal::new(ErrorKind::RankMismatch, rule))
                }
                None => Ok(()),
            };
        self.admit("multi_dot", &terms, check);
        let last = terms.len() - 1;
        let sides = |k: usize| match &terms[k].shape()[..] {
            &[n] if k == 0 && last > 0 => [1, n],
            &[n] => [n, 1],
            shape => [shape[0], shape[1]],
        };
        let inner = (0..last).find(|&k| sides(k)[1] != sides(k + 1)[0]);
        let check = inner.map_or(Ok(()), |k| {
            mismatch(format!(
                "arguments {k} and {} have inner lengths {} and {}",
                k + 1,
                sides(k)[1],
                sides(k + 1)[0]
            ))
        });
        self.admit("multi_dot", &terms, check);
        let sizes: Vec<usize> = (0..=last).map(|k| sides(k)[0]).chain([sides(last)[1]]).collect();
        chained(&terms, &best_splits(&sizes), 0, last).var()
    }

    /// `beta c + alpha a b`; `c` broadcasts to the product.
    ///
    /// `[.., m, n] + [.., m, k] x [.., k, n] -> [.., m, n]`. Derivatives as of [`Graph::matmul`].
    ///
    /// # Panics
    /// If `a` and `b` do not multiply, or `c` does not broadcast to the product.
    #[track_caller]
    pub fn addmm(&self, c: impl Expr, a: impl Expr, b: impl Expr, beta: f64, alpha: f64) -> Var {
        self.enter();
        let (c, a, b) = (self.term_of("addmm", c), self.term_of("addmm", a), self.term_of("addmm", b));
        let product = a.matmul(b);
        let check = match broadcast([&c.shape()[..], &product.shape()]) {
            Ok(shape) if shape == product.shape() => Ok(()),
            _ => mismatch(format!(
                "what is added does not broadcast to the product {:?}",
                &product.shape()[..]
            )),
        };
        self.admit("addmm", &[c, a, b], check);
        (c * c.lit(beta) + product * c.lit(alpha)).var()
    }

    /// The quadratic form `x^T A x`.
    ///
    /// `[.., n] x [.., n, n] -> [..]`, batches broadcast. Cotangents: `x_bar = y_bar (A + A^T) x`, `a_bar = y_bar x x^T`.
    ///
    /// # Panics
    /// If `A` is not square, or shapes do not fit.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, 2.0]);
    /// let y = g.quad_form(x, g.constant(array![[2.0, 1.0], [1.0, 3.0]]));
    /// g.backward(y)?;
    /// assert_eq!(g.item(y), 18.0);
    /// assert_eq!(g.grad(x).unwrap(), array![8.0, 14.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn quad_form(&self, x: impl Expr, a: impl Expr) -> Var {
        self.enter();
        let (x, a) = (self.term_of("quad_form", x), self.term_of("quad_form", a));
        let check = match (&x.shape()[..], &a.shape()[..]) {
            ([lead_x @ .., n], [lead_a @ .., rows, columns]) => match (rows == columns, rows == n) {
                (true, true) => broadcast([lead_x, lead_a]).map(drop),
                (true, _) => mismatch(format!("the vectors have length {n}, the matrices {rows} rows")),
                _ => {
                    let rule =
                        format!("needs square matrices; the last two axes have lengths {rows} and {columns}");
                    Err(Refusal::new(ErrorKind::NotSquare, rule))
                }
            },
            _ => Err(Refusal::new(ErrorKind::RankMismatch, "takes vectors and matrices")),
        };
        self.admit("quad_form", &[x, a], check);
        let column = x.unsqueeze(x.ndim());
        let product = x.unsqueeze(x.ndim() - 1).matmul(a.matmul(column));
        let batch = product.shape();
        product.reshape(&batch[..batch.len() - 2]).var()
    }

    /// The cross product of vectors of length 3 along `axis` (of the broadcast arrays).
    ///
    /// `[.., 3, ..] x [.., 3, ..] -> [.., 3, ..]`. Cotangents: `a_bar = b x y_bar`, `b_bar = y_bar x a`.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the axis has not length 3 in both.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let (a, b) = (g.leaf(array![1.0, 0.0, 0.0]), g.leaf(array![0.0, 1.0, 0.0]));
    /// assert_eq!(g.value(g.cross(a, b, -1)), array![0.0, 0.0, 1.0].into_dyn());
    /// ```
    #[track_caller]
    pub fn cross(&self, a: impl Expr, b: impl Expr, axis: isize) -> Var {
        self.enter();
        let (a, b) = (self.term_of("cross", a), self.term_of("cross", b));
        let check = || {
            let all = broadcast([&a.shape()[..], &b.shape()])?;
            let along = shape::axis(axis, all.len())?;
            let length = |x: Term<'_>| (along + x.ndim()).checked_sub(all.len()).map(|k| x.shape()[k]);
            match (length(a), length(b)) {
                (Some(3), Some(3)) => Ok((along, along as isize - all.len() as isize)),
                _ => mismatch(format!("axis {along} must have length 3 in both")),
            }
        };
        let (along, axis) = self.admit("cross", &[a, b], check());
        let [a, b] = [a, b].map(|x| [0, 1, 2].map(|index| x.apply(Select { axis, index }, &[]).var()));
        let parts = [(1, 2), (2, 0), (0, 1)].map(|(i, j)| self.arg(a[i] * b[j] - a[j] * b[i]));
        self.stack(&parts, along as isize)
    }
}
