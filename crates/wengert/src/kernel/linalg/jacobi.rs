//! Rows of a matrix made orthogonal to each other by rotations: one pair after the other, or all small ones at once.
//!
//! The rows' products are computed together, and a pair is looked at only where they say that it is not orthogonal, or
//! where one of its rows has been turned since. Where many pairs are nearly orthogonal, the sum of their rotations' angles
//! as a skew matrix `X` is one rotation `exp(X)`, applied by products; what it leaves is of second order.
//!
//! Both are relative to the lengths of the two rows in question, so that short rows keep their digits beside long ones:
//! an angle between rows of lengths `a < b` is about `a / b` of the cosine between them.

use super::eigen::NotConverged;
use super::vectors::{dot, length, norm, rotate, two_rows};
use crate::kernel::gemm::{Gemm, Strided, StridedMut, Threads, gemm};
use crate::kernel::real::Real;
use crate::kernel::rows::vectorised;

/// Rounds allowed; 2 to 9 are usual.
const ROUNDS: usize = 60;
/// Rows from which products of all pairs pay.
pub const MANY: usize = 16;
/// Rows of a block of [`products`].
const BLOCK: usize = 96;
/// Up to one pair in so many rows is turned by itself; more are turned together.
const SINGLE: usize = 8;
/// The name of a row that is not what its products were computed from.
const TURNED: usize = usize::MAX;

/// Singular values below this count as 0.
pub fn nothing<T: Real>() -> T {
    T::min_positive_value() / T::epsilon()
}

/// The lower triangle of `rows rows^T`, its blocks on the diagonal whole; `rows: [count, n]`, `out: [count, count]`.
pub fn products<T: Gemm>(rows: &[T], [count, n]: [usize; 2], out: &mut [T], threads: Threads) {
    for from in (0..count).step_by(BLOCK) {
        let some = BLOCK.min(count - from);
        let all = Strided::rows(rows, n);
        let out = StridedMut::rows(out, count).at(from, 0);
        gemm([some, from + some, n], T::one(), all.at(from, 0), all.t(), T::zero(), out, threads);
    }
}

/// Rotates rows of `r` until they are orthogonal to each other, and those of `turn` along; all `[n, n]`, as is each of `room`.
/// `squares` and `names` are room for a number of each row.
pub fn orthogonalise<T: Gemm>(
    r: &mut [T],
    turn: &mut [T],
    n: usize,
    room: [&mut [T]; 3],
    squares: &mut [T],
    names: &mut [usize],
    threads: Threads,
) -> Result<(), NotConverged> {
    let [gram, angles, spare] = room;
    names.fill(TURNED);
    // Pairs that were left when they were last turned together.
    let mut before = usize::MAX;
    for _ in 0..ROUNDS {
        let known = names.iter().filter(|&&name| name != TURNED).count();
        // Where most products are those of the last round, the others cost less than all.
        if n >= MANY && 4 * known < 3 * n {
            products(r, [n, n], gram, threads);
            let found = survey(gram, n, angles, squares);
            if found.pairs == 0 && !found.doubtful {
                return Ok(());
            }
            if found.pairs > n / SINGLE && found.small && found.pairs <= before / 2 {
                before = found.pairs;
                turn_together(r, turn, n, angles, gram, spare, found.widest, threads);
                continue;
            }
            names.iter_mut().enumerate().for_each(|(i, name)| *name = i);
        }
        if sweep(r, turn, n, gram, squares, names) {
            return Ok(());
        }
    }
    Err(NotConverged)
}

/// What [`survey`] finds.
struct Found<T> {
    /// Pairs that are not orthogonal.
    pairs: usize,
    /// Whether most of them have a small angle.
    small: bool,
    /// The largest sum of a row's angles.
    widest: T,
    /// Whether the square of a row underflows, so that its products say nothing.
    doubtful: bool,
}

/// The cosine up to which rows count as orthogonal.
fn tolerance<T: Real>(n: usize) -> T {
    T::epsilon() * T::of((n as f64).sqrt())
}

/// Looks at the products of all pairs; the angles that would make them 0, one pair at a time, go to the skew `angles`, those
/// that are not small as 0. `lengths` is room for those of the rows.
fn survey<T: Real>(gram: &[T], n: usize, angles: &mut [T], lengths: &mut [T]) -> Found<T> {
    // exp(X) is cut off behind the square: what that leaves of orthogonality is X^4 / 4.
    let most = T::epsilon().sqrt().sqrt();
    let tolerance = tolerance::<T>(n);
    let (mut pairs, mut large, mut doubtful) = (0, 0, false);
    angles.fill(T::zero());
    for i in 0..n {
        let ii = gram[i * n + i];
        doubtful |= ii < T::min_positive_value();
        lengths[i] = ii.sqrt();
        let bound = tolerance * lengths[i];
        for (j, (&ij, &length)) in gram[i * n..].iter().zip(&lengths[..i]).enumerate() {
            if ij.abs() <= bound * length {
                continue;
            }
            let jj = gram[j * n + j];
            if ii.min(jj) < T::min_positive_value() {
                continue;
            }
            pairs += 1;
            let angle = ij / (ii - jj);
            // Not for equal lengths either.
            if angle.abs() <= most {
                (angles[i * n + j], angles[j * n + i]) = (angle, -angle);
            } else {
                large += 1;
            }
        }
    }
    let sums = angles.chunks_exact(n).map(|row| row.iter().fold(T::zero(), |sum, x| sum + x.abs()));
    let widest = sums.fold(T::zero(), T::max);
    Found { pairs, small: 4 * large <= pairs && widest <= most, widest, doubtful }
}

/// Applies `exp(angles)` to the rows of `r` and of `turn`.
fn turn_together<T: Gemm>(
    r: &mut [T],
    turn: &mut [T],
    n: usize,
    angles: &mut [T],
    gram: &mut [T],
    spare: &mut [T],
    widest: T,
    threads: Threads,
) {
    let size = [n, n, n];
    if widest * widest > T::epsilon() * T::of(0.5) {
        let x = Strided::rows(angles, n);
        gemm(size, T::of(0.5), x, x, T::zero(), StridedMut::rows(gram, n), threads);
        angles.iter_mut().zip(&*gram).for_each(|(x, &square)| *x += square);
    }
    for rows in [r, turn] {
        spare.copy_from_slice(rows);
        let (x, old) = (Strided::rows(angles, n), Strided::rows(spare, n));
        gemm(size, T::one(), x, old, T::one(), StridedMut::rows(rows, n), threads);
    }
}

/// [`sweep_rows`] at the level in use.
fn sweep<T: Real>(
    r: &mut [T],
    turn: &mut [T],
    n: usize,
    gram: &[T],
    squares: &mut [T],
    names: &mut [usize],
) -> bool {
    vectorised!(sweep_rows::<T>; T: Real; r: &'a mut [T], turn: &'a mut [T], n: usize, gram: &'a [T], squares: &'a mut [T], names: &'a mut [usize] => bool)
}

/// Rotates each pair once where it is not orthogonal; whether all were. `names[i]` is the row of `gram` that belongs to row
/// `i`; `squares` is room for the rows' squared lengths, which follow the rotations.
#[inline(always)]
fn sweep_rows<T: Real>(
    r: &mut [T],
    turn: &mut [T],
    n: usize,
    gram: &[T],
    squares: &mut [T],
    names: &mut [usize],
) -> bool {
    let tolerance = tolerance::<T>(n);
    let mut calm = true;
    for q in 0..n {
        squares[q] = dot(&r[q * n..][..n], &r[q * n..][..n]);
        // A square that underflows says nothing.
        if squares[q] < T::min_positive_value() {
            names[q] = TURNED;
        }
    }
    for p in 0..n {
        // The largest of the remaining rows first.
        let mut best = (p, T::zero());
        for q in p..n {
            if squares[q] > best.1 {
                best = (q, squares[q]);
            }
        }
        if best.0 != p {
            let (x, y) = two_rows(r, n, p, best.0);
            x.swap_with_slice(y);
            let (x, y) = two_rows(turn, n, p, best.0);
            x.swap_with_slice(y);
            squares.swap(p, best.0);
            names.swap(p, best.0);
        }
        let mut pp = best.1;
        for q in p + 1..n {
            let (x, y) = two_rows(r, n, p, q);
            let known = names[p] != TURNED && names[q] != TURNED;
            let pq =
                if known { gram[names[p].max(names[q]) * n + names[p].min(names[q])] } else { dot(x, y) };
            let qq = squares[q];
            // A row of denormals has no direction to turn.
            let size = if qq < T::min_positive_value() { norm(y) } else { qq.sqrt() };
            if size < nothing::<T>() || pq.abs() <= tolerance * (pp.sqrt() * size) || pq == T::zero() {
                continue;
            }
            calm = false;
            (names[p], names[q]) = (TURNED, TURNED);
            let zeta = (qq - pp) / (T::of(2.0) * pq);
            let t = T::one().copysign(zeta) / (zeta.abs() + length(zeta, T::one()));
            let c = T::one() / (T::one() + t * t).sqrt();
            rotate(x, y, c, c * t);
            pp -= t * pq;
            // Where that cancels it is summed anew.
            let left = qq + t * pq;
            squares[q] = if left > T::of(0.1) * qq { left } else { dot(y, y) };
            let (x, y) = two_rows(turn, n, p, q);
            rotate(x, y, c, c * t);
        }
    }
    calm
}
