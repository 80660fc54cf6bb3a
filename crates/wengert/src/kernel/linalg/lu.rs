//! LU factorisation with partial pivoting, and what follows from it: solutions, inverse, determinant.

use std::fmt;

use super::triangular::triangular_inverse;
use crate::kernel::gemm::{
    Gemm, Strided, StridedMut, Threads, Triangle, gemm_within, solve_triangular, solve_within, spot,
};
use crate::kernel::real::Real;
use crate::kernel::rows::vectorised;

/// A matrix is exactly singular to working precision: elimination met a zero at `pivot` (from 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Singular {
    /// Index of the first pivot that is zero.
    pub pivot: usize,
}

impl fmt::Display for Singular {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the matrix is singular: pivot {} is zero", self.pivot)
    }
}

impl std::error::Error for Singular {}

/// Columns that are eliminated in a packed copy, where they are contiguous.
const PANEL: usize = 8;

/// Replaces `a` by its factors: `L` below the diagonal (ones on it are implied), `U` on and above it.
///
/// `a: [n, n]`, `pivots: [n]`: row `i` was exchanged with row `pivots[i] >= i`, in that order. `work` grows to
/// `8 n`. O(2 n^3 / 3).
///
/// # Errors
/// With the first pivot that is exactly zero; the factorisation is complete all the same (`U` has that zero),
/// so that a determinant can be read from it.
pub fn lu<T: Gemm>(
    a: &mut [T],
    n: usize,
    pivots: &mut [usize],
    work: &mut Vec<T>,
    threads: Threads,
) -> Result<(), Singular> {
    assert!(a.len() == n * n && pivots.len() == n, "lu: slices are not n by n and n");
    if work.len() < PANEL * n {
        work.resize(PANEL * n, T::zero());
    }
    eliminate(a, n, 0, n, pivots, work, threads);
    match (0..n).find(|&i| a[i * n + i] == T::zero()) {
        Some(pivot) => Err(Singular { pivot }),
        None => Ok(()),
    }
}

/// Factors columns `at .. at + cols` from row `at` down, exchanging whole rows.
fn eliminate<T: Gemm>(
    a: &mut [T],
    n: usize,
    at: usize,
    cols: usize,
    pivots: &mut [usize],
    work: &mut [T],
    threads: Threads,
) {
    if cols <= PANEL {
        return panel(a, n, at, cols, pivots, work);
    }
    let first = (cols / 2).next_multiple_of(PANEL);
    let (mid, rest) = (at + first, cols - first);
    eliminate(a, n, at, first, pivots, work, threads);
    let (corner, right) = (spot(at, at).here(), spot(at, mid));
    solve_within(a, n, first, rest, Triangle::UNIT_LOWER, corner, right, threads);
    let (l, below) = (spot(mid, at).here(), spot(mid, mid));
    gemm_within(a, n, [n - mid, rest, first], -T::one(), l, right.here(), T::one(), below, threads);
    eliminate(a, n, mid, rest, pivots, work, threads);
}

/// [`eliminate`] for a few columns, in a transposed copy.
fn panel<T: Gemm>(a: &mut [T], n: usize, at: usize, cols: usize, pivots: &mut [usize], work: &mut [T]) {
    let rows = n - at;
    let copy = &mut work[..cols * rows];
    for i in 0..rows {
        for (j, &x) in a[(at + i) * n + at..][..cols].iter().enumerate() {
            copy[j * rows + i] = x;
        }
    }
    let found = &mut pivots[at..at + cols];
    vectorised!(eliminate_columns::<T>; T: Real; copy: &'a mut [T], rows: usize, cols: usize, found: &'a mut [usize]);
    for (j, pivot) in pivots[at..at + cols].iter_mut().enumerate() {
        *pivot += at;
        swap_rows(a, n, at + j, *pivot);
    }
    for i in 0..rows {
        for (j, x) in a[(at + i) * n + at..][..cols].iter_mut().enumerate() {
            *x = copy[j * rows + i];
        }
    }
}

/// Gaussian elimination of a column-major `[rows, cols]` panel.
#[inline(always)]
fn eliminate_columns<T: Real>(copy: &mut [T], rows: usize, cols: usize, pivots: &mut [usize]) {
    for j in 0..cols {
        let (left, right) = copy.split_at_mut((j + 1) * rows);
        let column = &mut left[j * rows..];
        let best = largest(&column[j..]) + j;
        pivots[j] = best;
        if best != j {
            (0..=j).for_each(|q| left.swap(q * rows + j, q * rows + best));
            (0..cols - j - 1).for_each(|q| right.swap(q * rows + j, q * rows + best));
        }
        let column = &mut left[j * rows..];
        let pivot = column[j];
        if pivot != T::zero() {
            let inverse = T::one() / pivot;
            if inverse.is_finite() {
                column[j + 1..].iter_mut().for_each(|x| *x *= inverse);
            } else {
                column[j + 1..].iter_mut().for_each(|x| *x /= pivot);
            }
        }
        for other in right.chunks_exact_mut(rows) {
            let factor = other[j];
            for (x, &l) in other[j + 1..].iter_mut().zip(&column[j + 1..]) {
                *x -= factor * l;
            }
        }
    }
}

/// Index of the first entry of largest absolute value (a NaN counts as larger than anything).
#[inline(always)]
fn largest<T: Real>(x: &[T]) -> usize {
    let size = |x: T| if x.is_nan() { T::infinity() } else { x.abs() };
    if x.len() < 16 {
        let larger = |best: usize, i: usize| if size(x[i]) > size(x[best]) { i } else { best };
        return (0..x.len()).fold(0, larger);
    }
    let mut most = [T::zero(); 16];
    let chunks = x.chunks_exact(16);
    let tail = chunks.remainder().iter().fold(T::zero(), |m, &x| if size(x) > m { size(x) } else { m });
    for chunk in chunks {
        for (m, &x) in most.iter_mut().zip(chunk) {
            let s = size(x);
            *m = if s > *m { s } else { *m };
        }
    }
    let top = most.into_iter().fold(tail, |m, x| if x > m { x } else { m });
    x.iter().position(|&x| size(x) == top).unwrap_or(0)
}

fn swap_rows<T: Real>(a: &mut [T], width: usize, i: usize, j: usize) {
    let (i, j) = (i.min(j), i.max(j));
    if i != j {
        let (top, bottom) = a.split_at_mut(j * width);
        top[i * width..][..width].swap_with_slice(&mut bottom[..width]);
    }
}

/// Solves `a x = b`, or `a^T x = b`, in place of `b`, from the result of [`lu`]. `b: [n, cols]`.
pub fn solve_factored<T: Gemm>(
    factors: &[T],
    n: usize,
    pivots: &[usize],
    transposed: bool,
    b: &mut [T],
    cols: usize,
    threads: Threads,
) {
    let exchange = |b: &mut [T], (i, &p): (usize, &usize)| swap_rows(b, cols, i, p);
    let l = Strided::rows(factors, n);
    let steps = if transposed {
        [(Triangle::LOWER, l.t()), (Triangle::UNIT_UPPER, l.t())]
    } else {
        pivots.iter().enumerate().for_each(|x| exchange(b, x));
        [(Triangle::UNIT_LOWER, l), (Triangle::UPPER, l)]
    };
    for (shape, l) in steps {
        solve_triangular(n, cols, shape, l, StridedMut::rows(b, cols), threads);
    }
    if transposed {
        pivots.iter().enumerate().rev().for_each(|x| exchange(b, x));
    }
}

/// The inverse from the result of [`lu`]: `out = U^-1 L^-1 P`. `out: [n, n]`. O(4 n^3 / 3).
pub fn inverse<T: Gemm>(factors: &[T], n: usize, pivots: &[usize], out: &mut [T], threads: Threads) {
    let l = Strided::rows(factors, n);
    triangular_inverse(l, n, Triangle::UNIT_LOWER, out, threads);
    solve_triangular(n, n, Triangle::UPPER, l, StridedMut::rows(out, n), threads);
    // Columns are exchanged in one pass over each row.
    for row in out.chunks_exact_mut(n.max(1)) {
        pivots.iter().enumerate().rev().for_each(|(i, &p)| row.swap(i, p));
    }
}

/// The determinant from the result of [`lu`], without overflow on the way. 1 for `n = 0`.
pub fn determinant<T: Real>(factors: &[T], n: usize, pivots: &[usize]) -> T {
    let mut product = super::scaled::Product::one();
    for i in 0..n {
        product.times(factors[i * n + i]);
        if pivots[i] != i {
            product.times(-T::one());
        }
    }
    product.value()
}

/// Sign (1, -1, 0 or NaN) and logarithm of the absolute value of the determinant, from the result of [`lu`].
pub fn log_determinant<T: Real>(factors: &[T], n: usize, pivots: &[usize]) -> (T, T) {
    let (mut sign, mut sum) = (T::one(), T::zero());
    for i in 0..n {
        let x = factors[i * n + i];
        let negative = (x < T::zero()) != (pivots[i] != i);
        sign = if x == T::zero() || x.is_nan() || sign.is_nan() {
            if x == T::zero() { sign * T::zero() } else { T::nan() }
        } else if negative {
            -sign
        } else {
            sign
        };
        sum += x.abs().ln();
    }
    (sign, sum)
}
