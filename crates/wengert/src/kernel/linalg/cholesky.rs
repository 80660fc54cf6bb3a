//! Cholesky factorisation.
//!
//! Works on the transposed factor, `A = U^T U`: in row-major order every step then runs along rows.

use std::fmt;

use super::transpose::{lower_to_upper, upper_to_lower};
use crate::kernel::gemm::{Gemm, Threads, Triangle, gemm_within, solve_within, spot};

/// A matrix is not positive definite: the leading minor that ends at `pivot` (from 0) is not, or holds a NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPositiveDefinite {
    /// Index of the first pivot that is not positive.
    pub pivot: usize,
}

impl fmt::Display for NotPositiveDefinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the matrix is not positive definite: pivot {} is not positive", self.pivot)
    }
}

impl std::error::Error for NotPositiveDefinite {}

/// Rows whose factor is found entry by entry.
const TILE: usize = 8;
/// Up to this size rows are done a tile at a time; above, by halves.
const SMALL: usize = 48;

/// Lower triangular `l` with `l l^T = a`, zeros above its diagonal.
///
/// `a: [n, n]`, of which the lower triangle is read; `l: [n, n]`. O(n^3 / 3). No workspace.
///
/// # Errors
/// With the first pivot that is not positive; `l` then holds unspecified values.
pub fn cholesky<T: Gemm>(
    a: &[T],
    n: usize,
    l: &mut [T],
    threads: Threads,
) -> Result<(), NotPositiveDefinite> {
    assert!(a.len() == n * n && l.len() == n * n, "cholesky: slices are not n by n");
    lower_to_upper(a, n, l);
    factor(l, n, 0, n, threads).map_err(|pivot| NotPositiveDefinite { pivot })?;
    upper_to_lower(l, n);
    Ok(())
}

/// Factors the diagonal block of `n` rows from `at`, upper triangle, in place.
fn factor<T: Gemm>(u: &mut [T], width: usize, at: usize, n: usize, threads: Threads) -> Result<(), usize> {
    if n <= SMALL {
        return factor_rows(u, width, at, n);
    }
    let first = (n / 2).next_multiple_of(TILE);
    let (mid, rest) = (at + first, n - first);
    factor(u, width, at, first, threads)?;
    let corner = spot(at, at).t().here();
    solve_within(u, width, first, rest, Triangle::LOWER, corner, spot(at, mid), threads);
    subtract_gram(u, width, (at, mid), first, (mid, rest), threads);
    factor(u, width, mid, rest, threads)
}

/// `C -= W^T W` on and above the diagonal of the block of `n` rows from `at`; `W` is `k` rows from `(row, col)`.
fn subtract_gram<T: Gemm>(
    u: &mut [T],
    width: usize,
    (row, col): (usize, usize),
    k: usize,
    (at, n): (usize, usize),
    threads: Threads,
) {
    let minus = |u: &mut [T], c0: usize, m: usize, c1: usize, n: usize| {
        let (a, b) = (spot(row, col + c0).t().here(), spot(row, col + c1).here());
        gemm_within(u, width, [m, n, k], -T::one(), a, b, T::one(), spot(at + c0, at + c1), threads);
    };
    if n <= SMALL {
        return minus(u, 0, n, 0, n);
    }
    let first = (n / 2).next_multiple_of(TILE);
    subtract_gram(u, width, (row, col), k, (at, first), threads);
    minus(u, 0, first, first, n - first);
    subtract_gram(u, width, (row, col + first), k, (at + first, n - first), threads);
}

/// [`factor`] a tile of rows at a time: subtract what the rows above give, factor the corner, solve along the rows.
fn factor_rows<T: Gemm>(u: &mut [T], width: usize, at: usize, n: usize) -> Result<(), usize> {
    for done in (0..n).step_by(TILE) {
        let (rows, row) = (TILE.min(n - done), at + done);
        let right = n - done;
        if done > 0 {
            let (a, b, c) = (spot(at, row).t().here(), spot(at, row).here(), spot(row, row));
            gemm_within(u, width, [rows, right, done], -T::one(), a, b, T::one(), c, Threads::ONE);
        }
        factor_corner(u, width, row, rows)?;
        if right > rows {
            let (corner, b) = (spot(row, row).t().here(), spot(row, row + rows));
            solve_within(u, width, rows, right - rows, Triangle::LOWER, corner, b, Threads::ONE);
        }
    }
    Ok(())
}

fn factor_corner<T: Gemm>(u: &mut [T], width: usize, at: usize, n: usize) -> Result<(), usize> {
    let mut c = [[T::zero(); TILE]; TILE];
    for i in 0..n {
        c[i][i..n].copy_from_slice(&u[(at + i) * width + at + i..][..n - i]);
    }
    for i in 0..n {
        let pivot = c[i][i];
        if pivot.partial_cmp(&T::zero()) != Some(std::cmp::Ordering::Greater) {
            return Err(at + i);
        }
        let root = pivot.sqrt();
        let inverse = T::one() / root;
        c[i][i] = root;
        for j in i + 1..n {
            c[i][j] *= inverse;
        }
        for k in i + 1..n {
            let x = c[i][k];
            for j in 0..TILE {
                c[k][j] -= x * c[i][j];
            }
        }
    }
    for i in 0..n {
        u[(at + i) * width + at + i..][..n - i].copy_from_slice(&c[i][i..n]);
    }
    Ok(())
}
