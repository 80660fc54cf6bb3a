//! Singular value decomposition by one-sided Jacobi rotations on the triangular factor.
//!
//! Jacobi finds small singular values to high relative accuracy wherever the columns' scales alone make the
//! matrix ill-conditioned; bidiagonalisation would lose them. The rows are pulled apart by eigenvectors of their products
//! first, and rotated to full accuracy then.
//!
//! # References
//! Z. Drmac, K. Veselic, New fast and accurate Jacobi SVD algorithm, SIAM J. Matrix Anal. Appl. 29 (2008).

use super::eigen::{NotConverged, eigh};
use super::jacobi::{MANY, nothing, orthogonalise, products};
use super::qr::{triangle, triangularise};
use super::reflect::{apply, workspace};
use super::sort;
use super::transpose::transpose;
use super::vectors::{add_scaled, carve, dot, norm, power_of_two_below};
use crate::kernel::gemm::{Gemm, Strided, StridedMut, Threads, gemm};
use crate::kernel::real::Real;
use crate::kernel::scratch::room;

/// The power of epsilon that the lengths of rows may differ by to be pulled apart together, see [`pull_apart`].
const RANGE: f64 = 0.375;

/// Memory that is reused from call to call.
#[derive(Debug, Default)]
pub struct Held<T> {
    /// Of the decomposition of a matrix that is not wide.
    tall: Vec<T>,
    /// A wide one's transpose and results.
    wide: Vec<T>,
    /// Of the factorisations within.
    work: Vec<T>,
    /// Orders of rows.
    order: Vec<usize>,
}

/// Reduced decomposition: `u diag(s) vt = a`, `s` descending and not negative, `u` and `vt` orthonormal.
///
/// `a: [m, n]`, `u: [m, k]`, `s: [k]`, `vt: [k, n]` with `k = min(m, n)`. Vectors are orthonormal for zero
/// singular values too. Signs are unspecified. What is held grows to about `4 m n + 12 k^2`. O(4 m n k + 14 k^3).
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
    held: &mut Held<T>,
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
        return tall(a, m, n, u, s, vt, held, threads);
    }
    // a^T = u' s vt', so u = vt'^T and vt = u'^T.
    let mut wide = std::mem::take(&mut held.wide);
    let [at, ut, v] = carve(&mut wide, [n * m, n * m, m * m]);
    transpose(a, m, n, at);
    let done = tall(at, n, m, ut, s, v, held, threads);
    transpose(ut, n, m, vt);
    transpose(v, m, m, u);
    held.wide = wide;
    done
}

fn tall<T: Gemm>(
    a: &[T],
    m: usize,
    n: usize,
    u: &mut [T],
    s: &mut [T],
    vt: &mut [T],
    held: &mut Held<T>,
    threads: Threads,
) -> Result<(), NotConverged> {
    let Held { tall, work, order, .. } = held;
    let [sorted, columns, r, turn, gram, angles, spare, size, tau] =
        carve(tall, [m * n, m * n, n * n, n * n, n * n, n * n, n * n, n, n]);
    let (order, names) = room(order, 2 * n).split_at_mut(n);
    // Columns by descending size: a cheap stand-in for pivoting, which is what makes few sweeps enough.
    let scale = power_of_two_below(a);
    size.fill(T::zero());
    for row in a.chunks_exact(n) {
        row.iter().zip(&mut *size).for_each(|(&x, size)| *size += (x / scale) * (x / scale));
    }
    order.iter_mut().enumerate().for_each(|(j, at)| *at = j);
    sort(order, &|i, j| size[j].partial_cmp(&size[i]));
    for (row, out) in a.chunks_exact(n).zip(sorted.chunks_exact_mut(n)) {
        order.iter().zip(out).for_each(|(&j, out)| *out = row[j] / scale);
    }
    transpose(sorted, m, n, columns);
    let [space] = carve(work, [workspace(m, n)]);
    triangularise(columns, m, n, tau, space, threads);
    triangle(columns, m, n, r);
    turn.fill(T::zero());
    (0..n).for_each(|i| turn[i * n + i] = T::one());
    pull_apart(r, turn, n, [gram, angles, spare], size, work, threads)?;
    orthogonalise(r, turn, n, [gram, angles, spare], size, names, threads)?;
    for i in 0..n {
        size[i] = norm(&r[i * n..][..n]);
    }
    let rank = names;
    rank.iter_mut().enumerate().for_each(|(i, at)| *at = i);
    sort(rank, &|i, j| size[j].partial_cmp(&size[i]));
    // u = q turn^T, its columns and the rows of vt in the order of the singular values.
    let ut = sorted;
    for (&i, row) in rank.iter().zip(ut.chunks_exact_mut(m)) {
        row[..n].copy_from_slice(&turn[i * n..][..n]);
        row[n..].fill(T::zero());
    }
    let [space] = carve(work, [workspace(m, n)]);
    apply(columns, m, n, 0, tau, ut, n, space, threads);
    transpose(ut, n, m, u);
    for (i, &from) in rank.iter().enumerate() {
        s[i] = size[from] * scale;
        let row = &r[from * n..][..n];
        if size[from] < nothing() {
            s[i] = T::zero();
            complete(vt, n, i, order);
            continue;
        }
        for (&x, &j) in row.iter().zip(&*order) {
            vt[i * n + j] = x / size[from];
        }
    }
    Ok(())
}

/// Makes the leading rows of `r`, as far as their lengths allow, nearly orthogonal to each other by the eigenvectors of
/// their products: most rotations are left nothing to do. `turn`, the identity so far, follows. `room` holds matrices as
/// large as `r`, `values` a number for each row.
///
/// Short rows keep their digits beside long ones. That the vectors are orthonormal only to `eps` changes each singular
/// value by `eps` of itself, since they are a factor in front of `r`; and what a new row of length `a` has of an old one of
/// length `b > a` is about `a / b` with an error of `eps`, so that the sum rounds as `eps (a + eps b)`. What is left between
/// rows of lengths `a` and `c` is a cosine of about `eps b^2 / (a c)`, `b` the longest, which must be small: hence the limit.
fn pull_apart<T: Gemm>(
    r: &mut [T],
    turn: &mut [T],
    n: usize,
    room: [&mut [T]; 3],
    values: &mut [T],
    work: &mut Vec<T>,
    threads: Threads,
) -> Result<(), NotConverged> {
    let sizes = r.chunks_exact(n).map(norm);
    let least = sizes.clone().fold(T::zero(), T::max) * T::epsilon().powf(T::of(RANGE));
    let k = sizes.take_while(|&size| size >= least).count();
    if k < MANY {
        return Ok(());
    }
    let [gram, vectors, turned] = room;
    let (gram, vectors, turned) = (&mut gram[..k * k], &mut vectors[..k * k], &mut turned[..k * n]);
    products(&r[..k * n], [k, n], gram, threads);
    eigh(gram, k, &mut values[..k], vectors, work, threads)?;
    // The vector of the largest value first.
    let back = Strided { data: vectors, offset: k - 1, row_stride: -1, col_stride: k as isize };
    let rows = Strided::rows(&r[..k * n], n);
    gemm([k, n, k], T::one(), back, rows, T::zero(), StridedMut::rows(turned, n), threads);
    r[..k * n].copy_from_slice(turned);
    for (i, row) in turn.chunks_exact_mut(n).take(k).enumerate() {
        (0..k).for_each(|j| row[j] = vectors[j * k + k - 1 - i]);
    }
    Ok(())
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
