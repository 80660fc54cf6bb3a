//! Singular value decomposition by one-sided Jacobi rotations on the triangular factor.
//!
//! Jacobi finds small singular values to high relative accuracy wherever the columns' scales alone make the
//! matrix ill-conditioned; bidiagonalisation would lose them. Rows of like size have nothing to lose: they are pulled apart
//! by eigenvectors first, and rotated to full accuracy then.
//!
//! # References
//! Z. Drmac, K. Veselic, New fast and accurate Jacobi SVD algorithm, SIAM J. Matrix Anal. Appl. 29 (2008).

use super::eigen::{NotConverged, eigh};
use super::qr::qr;
use super::sort;
use super::transpose::transpose;
use super::vectors::{add_scaled, carve, dot, length, norm, power_of_two_below, rotate, two_rows};
use crate::kernel::gemm::{Gemm, Strided, StridedMut, Threads, gemm};
use crate::kernel::real::Real;
use crate::kernel::rows::vectorised;

/// Sweeps over all pairs of rows allowed; 2 to 9 are usual.
const SWEEPS: usize = 60;
/// Rows from which [`pull_apart`] pays.
const MANY: usize = 16;
/// Rows this much shorter than the longest are left to the rotations: a product with all rows would lose their digits.
const RANGE: f64 = 64.0;

/// Reduced decomposition: `u diag(s) vt = a`, `s` descending and not negative, `u` and `vt` orthonormal.
///
/// `a: [m, n]`, `u: [m, k]`, `s: [k]`, `vt: [k, n]` with `k = min(m, n)`. Vectors are orthonormal for zero
/// singular values too. Signs are unspecified. `work` grows to about `3 m n + 4 k^2`. O(m n k + 30 k^3).
///
/// # Errors
/// If an entry is not finite, or (never seen) the iteration does not converge.
pub fn svd<T: Gemm>(
    a: &[T],
    m: usize,
    n: usize,
    u: &mut [T],
    s: &mut [T],
    vt: &mut [T],
    work: &mut Vec<T>,
    threads: Threads,
) -> Result<(), NotConverged> {
    let k = m.min(n);
    assert!(
        a.len() == m * n && u.len() == m * k && s.len() == k && vt.len() == k * n,
        "svd: slices do not fit"
    );
    if a.iter().any(|x| !x.is_finite()) {
        return Err(NotConverged);
    }
    if k == 0 {
        return Ok(());
    }
    if m >= n {
        return tall(a, m, n, u, s, vt, work, threads);
    }
    // a^T = u' s vt', so u = vt'^T and vt = u'^T.
    let [at, ut, v] = [n * m, n * m, m * m].map(|len| vec![T::zero(); len]);
    let (mut at, mut ut, mut v) = (at, ut, v);
    transpose(a, m, n, &mut at);
    tall(&at, n, m, &mut ut, s, &mut v, work, threads)?;
    transpose(&ut, n, m, vt);
    transpose(&v, m, m, u);
    Ok(())
}

fn tall<T: Gemm>(
    a: &[T],
    m: usize,
    n: usize,
    u: &mut [T],
    s: &mut [T],
    vt: &mut [T],
    work: &mut Vec<T>,
    threads: Threads,
) -> Result<(), NotConverged> {
    // Columns by descending size: a cheap stand-in for pivoting, which is what makes few sweeps enough.
    let scale = power_of_two_below(a);
    let mut order: Vec<usize> = (0..n).collect();
    let mut size = vec![T::zero(); n];
    for row in a.chunks_exact(n) {
        row.iter().zip(&mut size).for_each(|(&x, size)| *size += (x / scale) * (x / scale));
    }
    sort(&mut order, &|i, j| size[j].partial_cmp(&size[i]));
    let mut own = Vec::new();
    let [sorted, q, r, turn] = carve(work, [m * n, m * n, n * n, n * n]);
    for (row, out) in a.chunks_exact(n).zip(sorted.chunks_exact_mut(n)) {
        order.iter().zip(out).for_each(|(&j, out)| *out = row[j] / scale);
    }
    qr(sorted, m, n, q, r, &mut own, threads);
    turn.fill(T::zero());
    (0..n).for_each(|i| turn[i * n + i] = T::one());
    pull_apart(r, turn, n, &mut own, threads)?;
    turn_rows(r, turn, n, &mut size)?;
    for i in 0..n {
        size[i] = norm(&r[i * n..][..n]);
    }
    let mut rank: Vec<usize> = (0..n).collect();
    sort(&mut rank, &|i, j| size[j].partial_cmp(&size[i]));
    // u = q turn^T, its columns and the rows of vt in the order of the singular values.
    let sorted_turn = &mut own;
    sorted_turn.clear();
    rank.iter().for_each(|&i| sorted_turn.extend_from_slice(&turn[i * n..][..n]));
    let t = Strided::rows(sorted_turn, n).t();
    gemm([m, n, n], T::one(), Strided::rows(q, n), t, T::zero(), StridedMut::rows(u, n), threads);
    for (i, &from) in rank.iter().enumerate() {
        s[i] = size[from] * scale;
        let row = &r[from * n..][..n];
        if size[from] < nothing() {
            s[i] = T::zero();
            complete(vt, n, i, &order);
            continue;
        }
        for (&x, &j) in row.iter().zip(&order) {
            vt[i * n + j] = x / size[from];
        }
    }
    Ok(())
}

/// Makes the leading rows of `r`, as far as they are of like size, nearly orthogonal to each other by the eigenvectors of
/// their products: most rotations are left nothing to do. `turn`, the identity so far, follows.
fn pull_apart<T: Gemm>(
    r: &mut [T],
    turn: &mut [T],
    n: usize,
    work: &mut Vec<T>,
    threads: Threads,
) -> Result<(), NotConverged> {
    let sizes = r.chunks_exact(n).map(norm);
    let least = sizes.clone().fold(T::zero(), T::max) / T::of(RANGE);
    let k = sizes.take_while(|&size| size >= least).count();
    if k < MANY {
        return Ok(());
    }
    let mut results = vec![T::zero(); k + 2 * k * k + k * n];
    let [values, gram, vectors, turned] = carve(&mut results, [k, k * k, k * k, k * n]);
    let rows = Strided::rows(&r[..k * n], n);
    gemm([k, k, n], T::one(), rows, rows.t(), T::zero(), StridedMut::rows(gram, k), threads);
    eigh(gram, k, values, vectors, work, threads)?;
    // The vector of the largest value first.
    let back = Strided { data: vectors, offset: k - 1, row_stride: -1, col_stride: k as isize };
    gemm([k, n, k], T::one(), back, rows, T::zero(), StridedMut::rows(turned, n), threads);
    r[..k * n].copy_from_slice(turned);
    for (i, row) in turn.chunks_exact_mut(n).take(k).enumerate() {
        (0..k).for_each(|j| row[j] = vectors[j * k + k - 1 - i]);
    }
    Ok(())
}

/// Singular values below this count as 0.
fn nothing<T: Real>() -> T {
    T::min_positive_value() / T::epsilon()
}

/// [`jacobi`] at the level in use.
fn turn_rows<T: Real>(r: &mut [T], turn: &mut [T], n: usize, squares: &mut [T]) -> Result<(), NotConverged> {
    vectorised!(jacobi::<T>; T: Real; r: &'a mut [T], turn: &'a mut [T], n: usize, squares: &'a mut [T] => Result<(), NotConverged>)
}

/// Rotates rows of `r` until they are orthogonal to each other, and those of `turn` along. `squares` is room for the rows'
/// squared lengths, which follow the rotations.
#[inline(always)]
fn jacobi<T: Real>(r: &mut [T], turn: &mut [T], n: usize, squares: &mut [T]) -> Result<(), NotConverged> {
    let tolerance = T::epsilon() * T::of((n as f64).sqrt());
    for _ in 0..SWEEPS {
        let mut calm = true;
        for q in 0..n {
            squares[q] = dot(&r[q * n..][..n], &r[q * n..][..n]);
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
            }
            let mut pp = best.1;
            for q in p + 1..n {
                let (x, y) = two_rows(r, n, p, q);
                let (pq, qq) = (dot(x, y), squares[q]);
                // A square that underflows says nothing; a row of denormals has no direction to turn.
                let size = if qq < T::min_positive_value() { norm(y) } else { qq.sqrt() };
                if size < nothing::<T>() || pq.abs() <= tolerance * (pp.sqrt() * size) || pq == T::zero() {
                    continue;
                }
                calm = false;
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
        if calm {
            return Ok(());
        }
    }
    Err(NotConverged)
}

/// Row `i` of `vt`: a unit vector orthogonal to the rows before it.
fn complete<T: Real>(vt: &mut [T], n: usize, i: usize, order: &[usize]) {
    let (done, row) = vt.split_at_mut(i * n);
    let row = &mut row[..n];
    // Some axis keeps at least (n - i) / n of its square outside the rows' span.
    for &axis in order.iter().rev() {
        row.fill(T::zero());
        row[axis] = T::one();
        for _ in 0..2 {
            for v in done.chunks_exact(n) {
                add_scaled(row, -dot(row, v), v);
            }
        }
        let length = norm(row);
        if length * length * T::of(2.0 * n as f64) >= T::one() {
            row.iter_mut().for_each(|x| *x /= length);
            return;
        }
    }
}
