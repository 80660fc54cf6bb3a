//! Axes and pieces under the names that NumPy and PyTorch users look for: short formulas of the ops of `shape` and
//! `assemble`. Views wherever those are.

use smallvec::SmallVec;

use crate::error::{ErrorKind, Refusal};
use crate::expr::Expr;
use crate::graph::{Engine, Graph};

use crate::op::*;
use crate::shape::{self, Shape};
use crate::term::Term;
use crate::var::Var;

fn concat<'r>(xs: &[Term<'r>], axis: isize) -> Term<'r> {
    xs[0].apply(Concat { axis }, &xs[1..])
}

impl<T: Engine> Graph<T> {
    /// A node of its own with the value and the cotangent of `x`. A view.
    #[track_caller]
    pub fn identity(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.term_of("identity", x);
        x.permute(&(0..x.ndim()).collect::<Shape>()).var()
    }

    /// The elements in row-major order along one axis, by NumPy's name for [`Graph::flatten`].
    #[track_caller]
    pub fn ravel(&self, x: impl Expr) -> Var {
        self.reshape(x, &[-1])
    }

    /// A new axis of length 1, by NumPy's name for [`Graph::unsqueeze`]. A view.
    #[track_caller]
    pub fn expand_dims(&self, x: impl Expr, axis: isize) -> Var {
        self.unsqueeze(x, axis)
    }

    /// `x` with axes of length 1 in front, so that it has at least `ndim`. A view.
    #[track_caller]
    pub fn atleast_nd(&self, x: impl Expr, ndim: usize) -> Var {
        self.enter();
        let x = self.term_of("atleast_nd", x);
        (x.ndim()..ndim).fold(x, |x, _| x.unsqueeze(0)).var()
    }

    /// Axes `from` moved to the places `to`; the others keep their order. A view.
    ///
    /// # Panics
    /// If not as many places are named as axes, or one is out of range or named twice.
    ///
    /// # Examples
    /// ```
    /// use ndarray::Array3;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let x = g.leaf(Array3::ones((2, 3, 4)));
    /// assert_eq!(g.shape(g.moveaxis(x, &[0], &[-1])).to_vec(), [3, 4, 2]);
    /// ```
    #[track_caller]
    pub fn moveaxis(&self, x: impl Expr, from: &[isize], to: &[isize]) -> Var {
        self.enter();
        let x = self.term_of("moveaxis", x);
        let order = || {
            let ndim = x.ndim();
            if from.len() != to.len() {
                let rule = format!("{} axes are named, and {} places", from.len(), to.len());
                return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
            }
            let (mut rest, _) = (shape::axes(None, ndim)?, shape::axes(Some(to), ndim)?);
            let moved = shape::axes(Some(from), ndim)?;
            rest.retain(|k| !moved.contains(k));
            let mut places: SmallVec<[(usize, usize); 4]> = SmallVec::new();
            for (&from, &to) in from.iter().zip(to) {
                places.push((shape::axis(to, ndim)?, shape::axis(from, ndim)?));
            }
            places.sort_unstable();
            places.iter().for_each(|&(to, from)| rest.insert(to, from));
            Ok(rest)
        };
        x.permute(&self.admit("moveaxis", &[x], order())).var()
    }

    /// At most `chunks` consecutive pieces of one length along `axis`, the last of which may be shorter, as `torch.chunk`.
    ///
    /// # Panics
    /// If `chunks` is 0, or `axis` is out of range.
    #[track_caller]
    pub fn chunk(&self, x: impl Expr, chunks: usize, axis: isize) -> SmallVec<[Var; 4]> {
        self.enter();
        let x = self.term_of("chunk", x);
        let n = self.pieces_of("chunk", x, chunks, axis);
        let each = n.div_ceil(chunks).max(1);
        let sizes: Shape = (0..n.div_ceil(each).max(1)).map(|k| each.min(n - k * each)).collect();
        self.split(x.var(), &sizes, axis)
    }

    /// `pieces` consecutive pieces along `axis`, whose lengths differ by 1 at most, the longer ones first, as
    /// `numpy.array_split`. For pieces of given lengths see [`Graph::split`].
    ///
    /// # Panics
    /// If `pieces` is 0, or `axis` is out of range.
    #[track_caller]
    pub fn array_split(&self, x: impl Expr, pieces: usize, axis: isize) -> SmallVec<[Var; 4]> {
        self.enter();
        let x = self.term_of("array_split", x);
        let n = self.pieces_of("array_split", x, pieces, axis);
        let sizes: Shape = (0..pieces).map(|k| n / pieces + usize::from(k < n % pieces)).collect();
        self.split(x.var(), &sizes, axis)
    }

    /// The length of an axis that is to be taken apart.
    #[track_caller]
    fn pieces_of(&self, op: &'static str, x: Term<'_>, pieces: usize, axis: isize) -> usize {
        let check = shape::axis(axis, x.ndim()).and_then(|along| match pieces {
            0 => Err(Refusal::new(ErrorKind::InvalidAttribute, "there must be one piece at least")),
            _ => Ok(x.shape()[along]),
        });
        self.admit(op, &[x], check)
    }

    /// Coordinates of a grid: from vectors, arrays of the grid's shape of which each repeats its vector along the other axes.
    ///
    /// `[n0], [n1], .. -> [n0, n1, ..]` each; for [`Indexing::Xy`] `[n1, n0, ..]`. Cotangents: sums over the other axes.
    ///
    /// # Panics
    /// If one of `xs` has not one axis.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::op::Indexing;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let (x, y) = (g.leaf(array![1.0, 2.0]), g.leaf(array![3.0, 4.0, 5.0]));
    /// let grids = g.meshgrid(&[x, y], Indexing::Ij);
    /// assert_eq!(g.value(grids[0]), array![[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]].into_dyn());
    /// ```
    #[track_caller]
    pub fn meshgrid(&self, xs: &[Var], indexing: Indexing) -> Vec<Var> {
        self.enter();
        let mut terms = Vec::new();
        for &x in xs {
            let x = self.term_of("meshgrid", x);
            let check = match x.ndim() {
                1 => Ok(()),
                n => {
                    Err(Refusal::new(ErrorKind::RankMismatch, format!("takes vectors, and one has {n} axes")))
                }
            };
            self.admit("meshgrid", &[x], check);
            terms.push(x);
        }
        let swap = |k: usize| if indexing == Indexing::Xy && xs.len() > 1 && k < 2 { 1 - k } else { k };
        let lengths: Shape = (0..xs.len()).map(|k| terms[swap(k)].shape()[0]).collect();
        let grid = |(k, x): (usize, Term<'_>)| {
            let mut along = Shape::from_elem(1, xs.len());
            along[swap(k)] = x.shape()[0];
            x.reshape(&along).apply(BroadcastTo { shape: lengths.clone() }, &[]).var()
        };
        terms.into_iter().enumerate().map(grid).collect()
    }

    /// The diagonal `j - i = offset` of two axes (`i` along `axis0`, `j` along `axis1`) as a new last axis. A view.
    ///
    /// Cotangent: [`Graph::diag_embed`] of `y_bar`, with zeros where the diagonal does not reach.
    ///
    /// # Panics
    /// If an axis is out of range, or both are one.
    #[track_caller]
    pub fn diagonal(&self, x: impl Expr, offset: isize, axis0: isize, axis1: isize) -> Var {
        self.enter();
        let x = self.term_of("diagonal", x);
        let [axis0, axis1] = self.two_axes("diagonal", x, axis0, axis1, x.ndim());
        let skip = [offset.min(0).unsigned_abs(), offset.max(0).unsigned_abs()];
        let left = |axis: usize, skip: usize| x.shape()[axis].saturating_sub(skip);
        let n = left(axis0, skip[0]).min(left(axis1, skip[1]));
        let start = |k: usize| if n == 0 { 0 } else { skip[k] };
        let x = x.slice(axis0, start(0), start(0) + n).slice(axis1, start(1), start(1) + n);
        x.apply(Diagonal { axis0, axis1 }, &[]).var()
    }

    /// Square matrices in two new axes of the result, with the last axis of `x` on the diagonal `j - i = offset`, 0 elsewhere.
    ///
    /// `[.., n] -> [.., n + |offset|, n + |offset|]`, the new axes at `axis0` and `axis1`. Cotangent: that diagonal of `y_bar`.
    ///
    /// # Panics
    /// If `x` is a number, an axis is out of range, or both are one.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let x = g.leaf(array![1.0, 2.0]);
    /// let y = g.diag_embed(x, 1, -2, -1);
    /// assert_eq!(g.value(y), array![[0.0, 1.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]].into_dyn());
    /// assert_eq!(g.value(g.diagonal(y, 1, 0, 1)), g.value(x));
    /// ```
    #[track_caller]
    pub fn diag_embed(&self, x: impl Expr, offset: isize, axis0: isize, axis1: isize) -> Var {
        self.enter();
        let x = self.term_of("diag_embed", x);
        let [axis0, axis1] = self.two_axes("diag_embed", x, axis0, axis1, x.ndim() + 1);
        let matrices = x.apply(DiagonalInto { axis0, axis1 }, &[]);
        if offset == 0 {
            return matrices.var();
        }
        let mut widths: SmallVec<[(isize, isize); 4]> = SmallVec::from_elem((0, 0), matrices.ndim());
        let away = offset.saturating_abs();
        (widths[axis0], widths[axis1]) =
            if offset > 0 { ((0, away), (away, 0)) } else { ((away, 0), (0, away)) };
        matrices.apply(Pad { widths, mode: PadMode::Constant, value: 0.0 }, &[]).var()
    }

    #[track_caller]
    fn two_axes(&self, op: &'static str, x: Term<'_>, a: isize, b: isize, ndim: usize) -> [usize; 2] {
        let both = || {
            shape::axes(Some(&[a, b]), ndim)?;
            Ok([shape::axis(a, ndim)?, shape::axis(b, ndim)?])
        };
        self.admit(op, &[x], both())
    }

    /// `k` quarter turns of the plane of two axes, from the first towards the second, as `numpy.rot90`. A view.
    ///
    /// # Panics
    /// If an axis is out of range, or both are one.
    #[track_caller]
    pub fn rot90(&self, x: impl Expr, k: isize, axis0: isize, axis1: isize) -> Var {
        self.enter();
        let x = self.term_of("rot90", x);
        let [a, b] = self.two_axes("rot90", x, axis0, axis1, x.ndim()).map(|axis| axis as isize);
        let swapped = || x.apply(Transpose { axis0: a, axis1: b }, &[]);
        let (x, reversed) = match k.rem_euclid(4) {
            0 => (x, &[][..]),
            1 => (swapped(), &[a][..]),
            2 => (x, &[a, b][..]),
            _ => (swapped(), &[b][..]),
        };
        x.apply(Flip { axes: reversed.into() }, &[]).var()
    }

    /// Arrays side by side: along axis 1, or along axis 0 where they have only that; numbers count as vectors of one.
    ///
    /// # Panics
    /// If there are no arrays, or they differ in another axis.
    #[track_caller]
    pub fn hstack(&self, xs: &[Var]) -> Var {
        self.enter();
        self.joined("hstack", xs, 1)
    }

    /// Arrays one below the other: along axis 0; vectors count as rows, numbers as rows of one.
    ///
    /// # Panics
    /// If there are no arrays, or they differ in another axis.
    #[track_caller]
    pub fn vstack(&self, xs: &[Var]) -> Var {
        self.enter();
        self.joined("vstack", xs, 2)
    }

    /// Arrays of `least` axes or more (filled up in front), joined along axis 0, or 1 for `hstack` of matrices.
    #[track_caller]
    fn joined(&self, op: &'static str, xs: &[Var], least: usize) -> Var {
        let mut terms: SmallVec<[Term<'_>; 4]> = SmallVec::new();
        for &x in xs {
            let x = self.term_of(op, x);
            terms.push((x.ndim()..least).fold(x, |x, _| x.unsqueeze(0)));
        }
        let check = match terms.is_empty() {
            true => Err(Refusal::new(ErrorKind::InvalidAttribute, "takes at least 1 argument, 0 given")),
            false => Ok(()),
        };
        self.admit(op, &[], check);
        let axis = if least == 1 && terms[0].ndim() > 1 { 1 } else { 0 };
        concat(&terms, axis).var()
    }
}
