//! Eigenvalues and eigenvectors of a symmetric matrix: tridiagonal form, cut into parts, then implicit QL.

use std::fmt;

use super::conquer::{NUMBERS, PLACES, Room, conquer};
use super::reflect::{accumulate, apply, workspace};
use super::sort;
use super::transpose::transpose;
use super::tridiagonal::{self, tridiagonalise};
use super::vectors::{carve, length, power_of_two_below, two_rows};
use crate::kernel::gemm::{Gemm, Threads};
use crate::kernel::real::Real;
use crate::kernel::rows::vectorised;

/// An iteration did not converge, or the matrix holds a NaN or an infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotConverged;

impl fmt::Display for NotConverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the iteration did not converge (is every entry finite?)")
    }
}

impl std::error::Error for NotConverged {}

/// QL steps allowed for one eigenvalue; 2 are usual.
const STEPS: usize = 60;
/// Columns of the eigenvector rows that a sequence of rotations runs over at once: a few vectors that stay in registers.
const STRIP: usize = 32;
/// Columns of a strip where there are not even so many.
const NARROW: usize = 8;
/// A cache line, where the first row begins.
const LINE: usize = 64;
/// Rows up to which a matrix is not cut in two.
const WHOLE: usize = 48;
/// Rows up to which a part of one is not cut any more: as many as a strip has columns.
const LEAF: usize = STRIP;

/// `a = vectors diag(values) vectors^T`, values ascending, vectors orthonormal in columns.
///
/// `a: [n, n]`, of which the lower triangle is read; `values: [n]`, `vectors: [n, n]`. Signs of vectors are
/// unspecified. `work` grows to about `4 n^2 + 128 n`. O(5 n^3).
///
/// # Errors
/// If an entry is not finite, or (never seen) the iteration does not converge.
pub fn eigh<T: Gemm>(
    a: &[T],
    n: usize,
    values: &mut [T],
    vectors: &mut [T],
    work: &mut Vec<T>,
    threads: Threads,
) -> Result<(), NotConverged> {
    assert!(a.len() == n * n && vectors.len() == n * n && values.len() == n, "eigh: slices do not fit n");
    if n == 0 {
        return Ok(());
    }
    let width = n.next_multiple_of(if n < STRIP { NARROW } else { STRIP });
    let [full, store, rows, padded, leaf, off, tau, pair, space] = carve(
        work,
        [
            n * n,
            n * n,
            n * n,
            n * width + LINE,
            LEAF * LEAF + LINE,
            n,
            n,
            NUMBERS * n,
            workspace(n, n).max(tridiagonal::workspace(n)),
        ],
    );
    let scale = power_of_two_below(a);
    for i in 0..n {
        for j in 0..=i {
            let x = a[i * n + j] / scale;
            if !x.is_finite() {
                return Err(NotConverged);
            }
            full[j * n + i] = x;
        }
    }
    tridiagonalise(full, n, values, off, store, tau, space, threads);
    let count = n.saturating_sub(2);
    let mut order: Vec<usize> = vec![0; PLACES * n];
    if n <= WHOLE {
        accumulate(store, n, count, 1, tau, rows, n, space, threads);
        rotate_rows(values, off, rows, n, aligned(padded, n * width), width, pair)?;
    } else {
        rows.fill(T::zero());
        let leaf = aligned(leaf, LEAF * LEAF);
        let mut turns = [T::zero(); 2 * LEAF];
        let mut small = |d: &mut [T], e: &mut [T], z: &mut [T], low: usize| {
            let size = d.len();
            (0..size).for_each(|i| z[(low + i) * n + low + i] = T::one());
            let z = &mut z[low * n + low..];
            rotate_rows(d, e, z, n, &mut leaf[..size * LEAF], LEAF, &mut turns)
        };
        let mut room = Room { rows: full, weights: padded, numbers: pair, places: &mut order };
        conquer(values, off, rows, n, 0, LEAF, &mut small, &mut room, threads)?;
        apply(store, n, count, 1, tau, rows, n, space, threads);
    }
    let order = &mut order[..n];
    order.iter_mut().enumerate().for_each(|(i, at)| *at = i);
    sort(order, &|i, j| values[i].partial_cmp(&values[j]));
    off.copy_from_slice(values);
    for ((value, row), &from) in values.iter_mut().zip(full.chunks_exact_mut(n)).zip(&*order) {
        *value = off[from] * scale;
        row.copy_from_slice(&rows[from * n..][..n]);
    }
    transpose(full, n, n, vectors);
    Ok(())
}

/// The first `len` elements from the next cache line on.
fn aligned<T>(held: &mut [T], len: usize) -> &mut [T] {
    let skip = held.as_ptr().align_offset(LINE).min(LINE);
    &mut held[skip..][..len]
}

/// [`implicit_ql`] on rows of `d.len()` columns `n` apart, by way of `padded`, whose rows are `width` long.
fn rotate_rows<T: Real>(
    d: &mut [T],
    e: &mut [T],
    rows: &mut [T],
    n: usize,
    padded: &mut [T],
    width: usize,
    turns: &mut [T],
) -> Result<(), NotConverged> {
    let size = d.len();
    for (row, padded) in rows.chunks_mut(n).zip(padded.chunks_exact_mut(width)) {
        padded[..size].copy_from_slice(&row[..size]);
        padded[size..].fill(T::zero());
    }
    implicit_ql(d, e, padded, turns)?;
    for (row, padded) in rows.chunks_mut(n).zip(padded.chunks_exact(width)) {
        row[..size].copy_from_slice(&padded[..size]);
    }
    Ok(())
}

/// Diagonalises a tridiagonal matrix that is part of one with a largest entry near 1, rotating the rows of `z` along.
/// `e[i]` couples `i` and `i + 1`; pairs of value and row come in any order.
fn implicit_ql<T: Real>(d: &mut [T], e: &mut [T], z: &mut [T], turns: &mut [T]) -> Result<(), NotConverged> {
    let n = d.len();
    e[n - 1] = T::zero();
    // QL finds values from the top: where those there are the large ones, the small ones would be lost again and again.
    if d[0].abs() > d[n - 1].abs() {
        d.reverse();
        e[..n - 1].reverse();
        let width = z.len() / n;
        for i in 0..n / 2 {
            let (x, y) = two_rows(z, width, i, n - 1 - i);
            x.swap_with_slice(y);
        }
    }
    let most = d.iter().chain(&*e).fold(T::zero(), |most, x| most.max(x.abs()));
    for l in 0..n {
        let mut steps = 0;
        loop {
            // Below the first nothing has digits to compare. Noise beside a large value may stay above it: in the end it counts
            // beside that value.
            let least =
                if steps < STEPS / 2 { T::min_positive_value() / T::epsilon() } else { T::epsilon() * most };
            let small =
                |m: &usize| e[*m].abs() <= (T::epsilon() * (d[*m].abs() + d[*m + 1].abs())).max(least);
            let m = (l..n - 1).find(small).unwrap_or(n - 1);
            if m == l {
                break;
            }
            steps += 1;
            if steps > STEPS {
                return Err(NotConverged);
            }
            let low = ql_step(d, e, l, m, turns);
            turn(z, z.len() / n, low, m, turns);
        }
    }
    Ok(())
}

/// [`turn_rows`] at the level in use.
fn turn<T: Real>(z: &mut [T], width: usize, low: usize, high: usize, turns: &[T]) {
    vectorised!(turn_rows::<T>; T: Real; z: &'a mut [T], width: usize, low: usize, high: usize, turns: &'a [T]);
}

/// One implicit step on the block `l ..= m`; rotation of rows `i`, `i + 1` goes to `turns[2 i ..]` for `low <= i < m`.
fn ql_step<T: Real>(d: &mut [T], e: &mut [T], l: usize, m: usize, turns: &mut [T]) -> usize {
    let two = T::of(2.0);
    let mut g = (d[l + 1] - d[l]) / (two * e[l]);
    let mut r = length(g, T::one());
    g = d[m] - d[l] + e[l] / (g + r.copysign(g));
    let (mut s, mut c, mut p) = (T::one(), T::one(), T::zero());
    for i in (l..m).rev() {
        let (f, b) = (s * e[i], c * e[i]);
        r = length(f, g);
        e[i + 1] = r;
        if r == T::zero() {
            d[i + 1] -= p;
            e[m] = T::zero();
            return i + 1;
        }
        (s, c) = (f / r, g / r);
        g = d[i + 1] - p;
        r = (d[i] - g) * s + two * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        (turns[2 * i], turns[2 * i + 1]) = (c, s);
    }
    d[l] -= p;
    e[l] = g;
    e[m] = T::zero();
    l
}

#[inline(always)]
fn turn_rows<T: Real>(z: &mut [T], width: usize, low: usize, high: usize, turns: &[T]) {
    if width < STRIP {
        for from in (0..width).step_by(NARROW) {
            turn_strip::<T, NARROW>(z, width, from, low, high, turns);
        }
        return;
    }
    for from in (0..width).step_by(STRIP) {
        turn_strip::<T, STRIP>(z, width, from, low, high, turns);
    }
}

/// The rotations of a few columns: the row that one leaves for the next is not stored in between.
#[inline(always)]
fn turn_strip<T: Real, const W: usize>(
    z: &mut [T],
    width: usize,
    from: usize,
    low: usize,
    high: usize,
    turns: &[T],
) {
    let columns = |row: usize| row * width + from..row * width + from + W;
    let mut below: [T; W] = z[columns(high)].try_into().expect("a strip of columns");
    for i in (low..high).rev() {
        let (c, s) = (turns[2 * i], turns[2 * i + 1]);
        let row: [T; W] = z[columns(i)].try_into().expect("a strip of columns");
        let out: &mut [T; W] = (&mut z[columns(i + 1)]).try_into().expect("a strip of columns");
        for k in 0..W {
            out[k] = s * row[k] + c * below[k];
            below[k] = c * row[k] - s * below[k];
        }
    }
    z[columns(low)].copy_from_slice(&below);
}
