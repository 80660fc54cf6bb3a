//! QR factorisation by Householder reflectors.

use super::reflect::{PANEL, Panel, accumulate, factor_panel, workspace};
use super::transpose::transpose;
use super::vectors::carve;
use crate::kernel::gemm::{Gemm, Threads};
use crate::kernel::real::Real;
use crate::kernel::rows::vectorised;

/// Reduced factors: `q r = a`, columns of `q` orthonormal, `r` upper triangular (trapezoidal where `m < n`).
///
/// `a: [m, n]`, `q: [m, k]`, `r: [k, n]` with `k = min(m, n)`. Signs as in LAPACK: the diagonal of `r` may be
/// negative. `work` grows to about `m n + m k + 32 (2 m + n)`. O(4 m n k - 4 k^3 / 3).
pub fn qr<T: Gemm>(
    a: &[T],
    m: usize,
    n: usize,
    q: &mut [T],
    r: &mut [T],
    work: &mut Vec<T>,
    threads: Threads,
) {
    let k = m.min(n);
    assert!(a.len() == m * n && q.len() == m * k && r.len() == k * n, "qr: slices do not fit m and n");
    if k == 0 {
        return;
    }
    let [columns, qt, tau, space] = carve(work, [n * m, k * m, k, workspace(m, n.max(k))]);
    transpose(a, m, n, columns);
    triangularise(columns, m, n, tau, space, threads);
    triangle(columns, m, n, r);
    accumulate(columns, m, k, 0, tau, qt, k, space, threads);
    transpose(qt, k, m, q);
}

/// Makes the matrix whose columns are the rows of `columns` triangular; reflectors stay below the diagonal, where they are
/// rows of a store. `columns: [n, m]`, `tau: [min(m, n)]`, `space` as much as [`workspace`] of `m` and `max(m, n)`.
pub fn triangularise<T: Gemm>(
    columns: &mut [T],
    m: usize,
    n: usize,
    tau: &mut [T],
    space: &mut [T],
    threads: Threads,
) {
    let k = m.min(n);
    for from in (0..k).step_by(PANEL) {
        let count = PANEL.min(k - from);
        factor(columns, m, from, count, tau);
        let next = from + count;
        if next < n {
            // The store and what is changed are rows of one matrix.
            let (store, rest) = columns.split_at_mut(next * m);
            let mut panel = Panel::new(store, m, from, count, 0, tau, space);
            panel.apply(rest, m, 0, n - next, false, threads);
        }
    }
}

/// The triangular factor `r: [min(m, n), n]` in what [`triangularise`] has left.
pub fn triangle<T: Real>(columns: &[T], m: usize, n: usize, r: &mut [T]) {
    for (i, row) in r.chunks_exact_mut(n).enumerate() {
        for (j, x) in row.iter_mut().enumerate() {
            *x = if i <= j { columns[j * m + i] } else { T::zero() };
        }
    }
}

/// [`factor_panel`] at the level in use.
fn factor<T: Real>(a: &mut [T], width: usize, from: usize, count: usize, tau: &mut [T]) {
    vectorised!(factor_panel::<T>; T: Real; a: &'a mut [T], width: usize, from: usize, count: usize, tau: &'a mut [T]);
}
