//! Equal eigenvalues and singular values: which derivatives exist there, and a refusal for those that do not.
//!
//! Vectors of equal values turn freely within their space, and their derivative divides by the gaps between values. A
//! loss that does not change as they turn pulls back with those quotients left out; its cotangents show that at the
//! point in question. One that reads values *and* vectors may be a function such as `v h(w) v^T`, whose quotients have
//! limits that its cotangents do not show: it passes only where nothing of the space is read but its sum.

use super::*;

/// A relative difference that counts as rounding.
fn rounding<T: Functions>(n: usize) -> T {
    T::of(64.0 * n as f64) * T::epsilon()
}

/// The largest difference of values that counts as none.
pub(super) fn lost_gap<T: Functions>(x: &[T]) -> T {
    let most = x.iter().fold(T::zero(), |most, x| most.max(x.abs()));
    T::of(x.len() as f64) * T::epsilon() * most
}

fn numbers<T: Functions>(x: Term<'_, T>) -> Vec<T> {
    x.tape().value_of(x.var()).iter().copied().collect()
}

/// The numbers `i < j` of two values of matrix `at`.
struct Pair {
    at: usize,
    i: usize,
    j: usize,
}

/// The pairs of values with a lost difference (`sign` -1) or sum (`sign` 1).
fn lost<T: Functions>(x: Term<'_, T>, sign: f64) -> Vec<Pair> {
    let (x, n) = (numbers(x), x.shape().last().copied().unwrap_or(0));
    let mut pairs = Vec::new();
    for (at, row) in x.chunks_exact(n.max(1)).enumerate() {
        let least = lost_gap(row);
        for j in 1..n {
            let is_lost = |i: &usize| (row[j] + T::of(sign) * row[*i]).abs() <= least;
            pairs.extend((0..j).filter(is_lost).map(|i| Pair { at, i, j }));
        }
    }
    pairs
}

/// The columns of every matrix of a stack.
struct Columns<T> {
    x: Vec<T>,
    rows: usize,
    cols: usize,
}

impl<T: Functions> Columns<T> {
    fn of(x: Term<'_, T>) -> Self {
        let shape = x.shape();
        Columns { x: numbers(x), rows: shape[shape.len() - 2], cols: shape[shape.len() - 1] }
    }

    /// Of the transposed matrices.
    fn of_transposed(x: Term<'_, T>) -> Self {
        let shape = x.shape();
        let (rows, cols) = (shape[shape.len() - 1], shape[shape.len() - 2]);
        let mut view = x.tape().value_of(x.var());
        view.swap_axes(shape.len() - 2, shape.len() - 1);
        Columns { x: view.iter().copied().collect(), rows, cols }
    }

    fn column(&self, at: usize, j: usize) -> impl Iterator<Item = T> + '_ {
        self.x[at * self.rows * self.cols..][..self.rows * self.cols]
            .iter()
            .skip(j)
            .step_by(self.cols)
            .copied()
    }

    /// Column `i` of this times column `j` of `other`.
    fn product(&self, at: usize, i: usize, other: &Self, j: usize) -> T {
        self.column(at, i).zip(other.column(at, j)).map(|(a, b)| a * b).sum()
    }

    /// Column `i` of `left` times this matrix times column `j` of `right`.
    fn between(&self, at: usize, left: &Self, i: usize, right: &Self, j: usize) -> T {
        let row = |r: usize| &self.x[(at * self.rows + r) * self.cols..][..self.cols];
        let product = |r: usize| row(r).iter().zip(right.column(at, j)).map(|(&a, b)| a * b).sum::<T>();
        left.column(at, i).enumerate().map(|(r, l)| l * product(r)).sum()
    }

    fn norm(&self, at: usize) -> T {
        let len = self.rows * self.cols;
        self.x[at * len..][..len].iter().map(|&x| x * x).sum::<T>().sqrt()
    }
}

fn refusal<T: Functions>(values: Term<'_, T>, what: &str, pair: &Pair) -> Refusal {
    let shape = values.shape();
    let rule = format!(
        "{} has equal {what} (numbers {} and {}), and what is differentiated tells their vectors apart, or may: \
         there is no derivative to be sure of",
        named(&shape[..shape.len() - 1], pair.at),
        pair.i,
        pair.j
    );
    Refusal::new(ErrorKind::NotDifferentiable, rule)
}

/// Whether the cotangents of the values in a pair differ by more than rounding.
fn differ<T: Functions>(bars: &[T], n: usize, pair: &Pair) -> bool {
    let row = &bars[pair.at * n..][..n];
    let most = row.iter().fold(T::zero(), |most, x| most.max(x.abs()));
    (row[pair.i] - row[pair.j]).abs() > rounding::<T>(n) * most
}

/// Of a pair of eigenvectors, `v^T v_bar` must be symmetric; with a cotangent of the values, diagonal and even.
pub(super) fn check_eigenvectors<T: Functions>(
    w: Term<'_, T>,
    v: Term<'_, T>,
    w_bar: Option<Term<'_, T>>,
    v_bar: Option<Term<'_, T>>,
) -> Result<(), Refusal> {
    let (Some(v_bar), pairs) = (v_bar, lost(w, -1.0)) else { return Ok(()) };
    if pairs.is_empty() {
        return Ok(());
    }
    let (v, v_bar, w_bar) = (Columns::of(v), Columns::of(v_bar), w_bar.map(numbers));
    for pair in &pairs {
        let &Pair { at, i, j } = pair;
        let most = rounding::<T>(v.cols) * v_bar.norm(at);
        let (ij, ji) = (v.product(at, i, &v_bar, j), v.product(at, j, &v_bar, i));
        let told_apart = match &w_bar {
            None => (ij - ji).abs() > most,
            Some(w_bar) => ij.abs().max(ji.abs()) > most || differ(w_bar, v.cols, pair),
        };
        if told_apart {
            return Err(refusal(w, "eigenvalues", pair));
        }
    }
    Ok(())
}

/// Along `a_dot`, equal eigenvalues must stay equal or keep their vectors: `v^T a_dot v` is diagonal for them.
pub(super) fn check_eigenvector_tangents<T: Functions>(
    w: Term<'_, T>,
    v: Term<'_, T>,
    a_dot: Term<'_, T>,
) -> Result<(), Refusal> {
    let pairs = lost(w, -1.0);
    if pairs.is_empty() {
        return Ok(());
    }
    let (v, a_dot) = (Columns::of(v), Columns::of(a_dot));
    for pair in &pairs {
        let &Pair { at, i, j } = pair;
        let both = a_dot.between(at, &v, i, &v, j) + a_dot.between(at, &v, j, &v, i);
        if both.abs() > rounding::<T>(v.cols) * a_dot.norm(at) {
            return Err(refusal(w, "eigenvalues", pair));
        }
    }
    Ok(())
}

/// As [`check_eigenvectors`] for pairs of singular vectors, which turn together where singular values are equal, and
/// each on its own where both are 0.
pub(super) fn check_singular_vectors<T: Functions>(
    [u, s, vt]: [Term<'_, T>; 3],
    [u_bar, s_bar, vt_bar]: [Option<Term<'_, T>>; 3],
) -> Result<(), Refusal> {
    let (equal, zero) = (lost(s, -1.0), lost(s, 1.0));
    if (u_bar.is_none() && vt_bar.is_none()) || (equal.is_empty() && zero.is_empty()) {
        return Ok(());
    }
    let n = s.shape()[s.ndim() - 1];
    let sides = [
        u_bar.map(|u_bar| (Columns::of(u), Columns::of(u_bar))),
        vt_bar.map(|vt_bar| (Columns::of_transposed(vt), Columns::of_transposed(vt_bar))),
    ];
    let s_bar = s_bar.map(numbers);
    // Entries (i, j) and (j, i) of `u^T u_bar` and `v^T v_bar`, and what is rounding in them.
    let entries = |&Pair { at, i, j }: &Pair| {
        let of = |side: &Option<(Columns<T>, Columns<T>)>| {
            side.as_ref().map_or([T::zero(); 3], |(x, bar)| {
                [x.product(at, i, bar, j), x.product(at, j, bar, i), rounding::<T>(n) * bar.norm(at)]
            })
        };
        [of(&sides[0]), of(&sides[1])]
    };
    for pair in &equal {
        let [u, v] = entries(pair);
        let (ij, ji, most) = (u[0] + v[0], u[1] + v[1], u[2] + v[2]);
        let told_apart = match &s_bar {
            None => (ij - ji).abs() > most,
            Some(s_bar) => ij.abs().max(ji.abs()) > most || differ(s_bar, n, pair),
        };
        if told_apart {
            return Err(refusal(s, "singular values", pair));
        }
    }
    for pair in &zero {
        let [u, v] = entries(pair);
        if ((u[0] - u[1]) - (v[0] - v[1])).abs() > u[2] + v[2] {
            return Err(refusal(s, "singular values", pair));
        }
    }
    Ok(())
}

/// Along `a_dot`, entries (i, j) and (j, i) of `u^T a_dot v` must cancel where singular values are equal, and vanish
/// where both are 0.
pub(super) fn check_singular_vector_tangents<T: Functions>(
    [u, s, vt]: [Term<'_, T>; 3],
    a_dot: Term<'_, T>,
) -> Result<(), Refusal> {
    let pairs = [-1.0, 1.0].map(|sign| lost(s, sign));
    if pairs.iter().all(Vec::is_empty) {
        return Ok(());
    }
    let (u, v, a_dot) = (Columns::of(u), Columns::of_transposed(vt), Columns::of(a_dot));
    for (pairs, sign) in pairs.iter().zip([1.0, -1.0]) {
        for pair in pairs {
            let &Pair { at, i, j } = pair;
            let both = a_dot.between(at, &u, i, &v, j) + T::of(sign) * a_dot.between(at, &u, j, &v, i);
            if both.abs() > rounding::<T>(v.cols) * a_dot.norm(at) {
                return Err(refusal(s, "singular values", pair));
            }
        }
    }
    Ok(())
}
