//! Matrices without full rank, equal eigenvalues and singular values: which derivatives exist there, and a refusal for those that do not.
//!
//! Vectors of equal values turn freely within their space, and their derivative divides by the gaps between values. A
//! loss that does not change as they turn pulls back with those quotients left out; its cotangents show that at the
//! point in question. One that reads values *and* vectors may be a function such as `v h(w) v^T`, whose quotients have
//! limits that its cotangents do not show: it passes only where nothing of the space is read but its sum.

use super::*;

/// A relative difference that counts as rounding.
fn rounding(x: Term<'_>, n: usize) -> f64 {
    64.0 * n as f64 * x.tape().epsilon()
}

/// The largest difference of values that counts as none.
pub(super) fn lost_gap<T: Functions>(x: &[T], epsilon: f64) -> f64 {
    let most = x.iter().fold(T::zero(), |most, x| most.max(x.abs()));
    x.len() as f64 * epsilon * most.as_f64()
}

/// The elements in row-major order.
pub(super) fn numbers(x: Term<'_>) -> Vec<f64> {
    let x = x.tape().numbers_of(x.var());
    match x.is_standard_layout() {
        true => x.into_raw_vec_and_offset().0,
        false => x.iter().copied().collect(),
    }
}

/// The numbers `i < j` of two values of matrix `at`.
struct Pair {
    at: usize,
    i: usize,
    j: usize,
}

/// The pairs of values with a lost difference (`sign` -1) or sum (`sign` 1).
fn lost(x: Term<'_>, sign: f64) -> Vec<Pair> {
    let (x, epsilon, n) = (numbers(x), x.tape().epsilon(), x.shape().last().copied().unwrap_or(0));
    let mut pairs = Vec::new();
    for (at, row) in x.chunks_exact(n.max(1)).enumerate() {
        let least = lost_gap(row, epsilon);
        for j in 1..n {
            let is_lost = |i: &usize| (row[j] + sign * row[*i]).abs() <= least;
            pairs.extend((0..j).filter(is_lost).map(|i| Pair { at, i, j }));
        }
    }
    pairs
}

/// The columns of every matrix of a stack.
struct Columns {
    x: Vec<f64>,
    rows: usize,
    cols: usize,
}

impl Columns {
    fn of(x: Term<'_>) -> Self {
        let shape = x.shape();
        Columns { x: numbers(x), rows: shape[shape.len() - 2], cols: shape[shape.len() - 1] }
    }

    /// Of the transposed matrices.
    fn of_transposed(x: Term<'_>) -> Self {
        let shape = x.shape();
        let (rows, cols) = (shape[shape.len() - 1], shape[shape.len() - 2]);
        let mut stack = x.tape().numbers_of(x.var());
        stack.swap_axes(shape.len() - 2, shape.len() - 1);
        Columns { x: stack.iter().copied().collect(), rows, cols }
    }

    fn column(&self, at: usize, j: usize) -> impl Iterator<Item = f64> + '_ {
        self.x[at * self.rows * self.cols..][..self.rows * self.cols]
            .iter()
            .skip(j)
            .step_by(self.cols)
            .copied()
    }

    /// Column `i` of this times column `j` of `other`.
    fn product(&self, at: usize, i: usize, other: &Self, j: usize) -> f64 {
        self.column(at, i).zip(other.column(at, j)).map(|(a, b)| a * b).sum()
    }

    /// Column `i` of `left` times this matrix times column `j` of `right`.
    fn between(&self, at: usize, left: &Self, i: usize, right: &Self, j: usize) -> f64 {
        let row = |r: usize| &self.x[(at * self.rows + r) * self.cols..][..self.cols];
        let product = |r: usize| row(r).iter().zip(right.column(at, j)).map(|(&a, b)| a * b).sum::<f64>();
        left.column(at, i).enumerate().map(|(r, l)| l * product(r)).sum()
    }

    /// How much of a vector lies outside of the space of these columns.
    fn outside(&self, at: usize, x: &[f64]) -> f64 {
        let mut left = x.to_vec();
        for j in 0..self.cols {
            let along = self.column(at, j).zip(x).map(|(c, &x)| c * x).sum::<f64>();
            self.column(at, j).zip(&mut left).for_each(|(c, left)| *left -= c * along);
        }
        left.iter().map(|&x| x * x).sum::<f64>().sqrt()
    }

    fn norm(&self, at: usize) -> f64 {
        let len = self.rows * self.cols;
        self.x[at * len..][..len].iter().map(|&x| x * x).sum::<f64>().sqrt()
    }
}

/// The singular values of each matrix that count as 0, as [`InverseGaps`](crate::op::InverseGaps) of `[s, 0]` counts.
fn vanished(s: Term<'_>) -> Vec<(usize, usize)> {
    let (s, epsilon, n) = (numbers(s), s.tape().epsilon(), s.shape().last().copied().unwrap_or(0));
    let rows = s.chunks_exact(n.max(1)).enumerate();
    let of = |(at, row): (usize, &[f64])| {
        let least = lost_gap(row, epsilon) * ((n + 1) as f64 / n as f64);
        let gone: Vec<_> = (0..n).filter(|&j| row[j] <= least).map(|j| (at, j)).collect();
        gone
    };
    rows.flat_map(of).collect()
}

fn vanished_refusal(s: Term<'_>, at: usize, j: usize) -> Refusal {
    let shape = s.shape();
    let rule = format!(
        "{} has singular value number {j} equal to 0, and what is differentiated reads it with vectors, or may: there is \
         no derivative to be sure of",
        named(&shape[..shape.len() - 1], at)
    );
    Refusal::new(ErrorKind::NotDifferentiable, rule)
}

/// Where a matrix is not square, vectors of the longer side turn out of their space at the rate of one over their singular
/// value: those of a value 0 must not be read.
fn check_vanished(s: Term<'_>, s_bar: Option<&[f64]>, long: &(Columns, Columns)) -> Result<(), Refusal> {
    let n = s.shape()[s.ndim() - 1];
    for (at, j) in vanished(s) {
        let (x, bar) = long;
        let column: Vec<f64> = bar.column(at, j).collect();
        let reads_value = s_bar.is_some_and(|s_bar| s_bar[at * n + j] != 0.0);
        if reads_value || x.outside(at, &column) > rounding(s, n) * bar.norm(at) {
            return Err(vanished_refusal(s, at, j));
        }
    }
    Ok(())
}

fn refusal(values: Term<'_>, what: &str, pair: &Pair) -> Refusal {
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
fn differ(bars: &[f64], n: usize, pair: &Pair, rounding: f64) -> bool {
    let row = &bars[pair.at * n..][..n];
    let most = row.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    (row[pair.i] - row[pair.j]).abs() > rounding * most
}

/// Of a pair of eigenvectors, `v^T v_bar` must be symmetric; with a cotangent of the values, diagonal and even.
pub(super) fn check_eigenvectors(
    w: Term<'_>,
    v: Term<'_>,
    w_bar: Option<Term<'_>>,
    v_bar: Option<Term<'_>>,
) -> Result<(), Refusal> {
    let (Some(v_bar), pairs) = (v_bar, lost(w, -1.0)) else { return Ok(()) };
    if pairs.is_empty() {
        return Ok(());
    }
    let (v, v_bar, w_bar) = (Columns::of(v), Columns::of(v_bar), w_bar.map(numbers));
    for pair in &pairs {
        let &Pair { at, i, j } = pair;
        let most = rounding(w, v.cols) * v_bar.norm(at);
        let (ij, ji) = (v.product(at, i, &v_bar, j), v.product(at, j, &v_bar, i));
        let told_apart = match &w_bar {
            None => (ij - ji).abs() > most,
            Some(w_bar) => ij.abs().max(ji.abs()) > most || differ(w_bar, v.cols, pair, rounding(w, v.cols)),
        };
        if told_apart {
            return Err(refusal(w, "eigenvalues", pair));
        }
    }
    Ok(())
}

/// The columns of `a = q r` that `r` is square for must be independent: of each, more than rounding must be left on the
/// diagonal of `r`.
pub(super) fn check_columns(a: Term<'_>, r: Term<'_>) -> Result<(), Refusal> {
    let shape = a.shape();
    let len = shape[shape.len() - 2].max(shape[shape.len() - 1]);
    let (r, epsilon) = (Columns::of(r), r.tape().epsilon());
    for at in 0..r.x.len() / (r.rows * r.cols).max(1) {
        let rows = || r.x[at * r.rows * r.cols..].chunks_exact(r.cols).take(r.rows);
        let mut squares = vec![0.0; r.cols];
        for row in rows() {
            squares.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * x);
        }
        for (j, row) in rows().enumerate() {
            if row[j].abs() <= len as f64 * epsilon * squares[j].sqrt() {
                let matrix = named(&shape[..shape.len() - 2], at);
                let rule = format!(
                    "{matrix} is singular: up to rounding, its column {j} is a sum of those before it"
                );
                return Err(Refusal::new(ErrorKind::SingularMatrix, rule));
            }
        }
    }
    Ok(())
}

/// The rank of `a` with pseudoinverse `p`, the trace of `p a`, must be full: next to any other matrix are some of higher rank,
/// and there `p` has a jump.
pub(super) fn check_full_rank(a: Term<'_>, p: Term<'_>) -> Result<(), Refusal> {
    let (shape, a, p) = (a.shape(), Columns::of(a), Columns::of_transposed(p));
    let full = a.rows.min(a.cols);
    for at in 0..a.x.len() / (a.rows * a.cols).max(1) {
        let rank: f64 = (0..a.cols).map(|j| a.product(at, j, &p, j)).sum();
        if rank < (full as f64 - 0.5) {
            let matrix = named(&shape[..shape.len() - 2], at);
            let rule = format!("{matrix} has rank {rank:.0}, not {full}: its pseudoinverse has a jump there");
            return Err(Refusal::new(ErrorKind::NotDifferentiable, rule));
        }
    }
    Ok(())
}

/// Along `a_dot`, equal eigenvalues must stay equal or keep their vectors: `v^T a_dot v` is diagonal for them.
pub(super) fn check_eigenvector_tangents(w: Term<'_>, v: Term<'_>, a_dot: Term<'_>) -> Result<(), Refusal> {
    let pairs = lost(w, -1.0);
    if pairs.is_empty() {
        return Ok(());
    }
    let (v, a_dot) = (Columns::of(v), Columns::of(a_dot));
    for pair in &pairs {
        let &Pair { at, i, j } = pair;
        let both = a_dot.between(at, &v, i, &v, j) + a_dot.between(at, &v, j, &v, i);
        if both.abs() > rounding(w, v.cols) * a_dot.norm(at) {
            return Err(refusal(w, "eigenvalues", pair));
        }
    }
    Ok(())
}

/// As [`check_eigenvectors`] for pairs of singular vectors, which turn together where singular values are equal, and
/// each on its own where both are 0.
pub(super) fn check_singular_vectors(
    [u, s, vt]: [Term<'_>; 3],
    [u_bar, s_bar, vt_bar]: [Option<Term<'_>>; 3],
) -> Result<(), Refusal> {
    let (equal, zero, gone) = (lost(s, -1.0), lost(s, 1.0), vanished(s));
    if (u_bar.is_none() && vt_bar.is_none()) || (equal.is_empty() && zero.is_empty() && gone.is_empty()) {
        return Ok(());
    }
    let n = s.shape()[s.ndim() - 1];
    let sides = [
        u_bar.map(|u_bar| (Columns::of(u), Columns::of(u_bar))),
        vt_bar.map(|vt_bar| (Columns::of_transposed(vt), Columns::of_transposed(vt_bar))),
    ];
    let s_bar = s_bar.map(numbers);
    let square = u.shape()[u.ndim() - 2] == vt.shape()[vt.ndim() - 1];
    if let (Some(long), false) = (&sides[long_side(u, vt)], square) {
        check_vanished(s, s_bar.as_deref(), long)?;
    }
    // Entries (i, j) and (j, i) of `u^T u_bar` and `v^T v_bar`, and what is rounding in them.
    let entries = |&Pair { at, i, j }: &Pair| {
        let of = |side: &Option<(Columns, Columns)>| {
            side.as_ref().map_or([0.0; 3], |(x, bar)| {
                [x.product(at, i, bar, j), x.product(at, j, bar, i), rounding(s, n) * bar.norm(at)]
            })
        };
        [of(&sides[0]), of(&sides[1])]
    };
    for pair in &equal {
        let [u, v] = entries(pair);
        let (ij, ji, most) = (u[0] + v[0], u[1] + v[1], u[2] + v[2]);
        let told_apart = match &s_bar {
            None => (ij - ji).abs() > most,
            Some(s_bar) => ij.abs().max(ji.abs()) > most || differ(s_bar, n, pair, rounding(s, n)),
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

/// Which of `u` (0) and `v` (1) has more rows than the other.
fn long_side(u: Term<'_>, vt: Term<'_>) -> usize {
    usize::from(u.shape()[u.ndim() - 2] < vt.shape()[vt.ndim() - 1])
}

/// Along `a_dot`, entries (i, j) and (j, i) of `u^T a_dot v` must cancel where singular values are equal, and vanish
/// where both are 0.
pub(super) fn check_singular_vector_tangents(
    [u, s, vt]: [Term<'_>; 3],
    a_dot: Term<'_>,
) -> Result<(), Refusal> {
    let (pairs, gone, side) = ([-1.0, 1.0].map(|sign| lost(s, sign)), vanished(s), long_side(u, vt));
    if pairs.iter().all(Vec::is_empty) && gone.is_empty() {
        return Ok(());
    }
    let (u, v) = (Columns::of(u), Columns::of_transposed(vt));
    // Towards the longer side.
    let (long, short, moved) =
        if side == 0 { (&u, &v, Columns::of_transposed(a_dot)) } else { (&v, &u, Columns::of(a_dot)) };
    for (at, j) in gone.into_iter().filter(|_| u.rows != v.rows) {
        let column: Vec<f64> = (0..long.rows).map(|r| short.product(at, j, &moved, r)).collect();
        if long.outside(at, &column) > rounding(s, v.cols) * moved.norm(at) {
            return Err(vanished_refusal(s, at, j));
        }
    }
    let a_dot = Columns::of(a_dot);
    for (pairs, sign) in pairs.iter().zip([1.0, -1.0]) {
        for pair in pairs {
            let &Pair { at, i, j } = pair;
            let both = a_dot.between(at, &u, i, &v, j) + sign * a_dot.between(at, &u, j, &v, i);
            if both.abs() > rounding(s, v.cols) * a_dot.norm(at) {
                return Err(refusal(s, "singular values", pair));
            }
        }
    }
    Ok(())
}
