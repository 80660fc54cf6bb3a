//! Cotangents of factorisations on bare numbers, where that saves the copies of a recorded derivative.

use super::transpose::transpose_square;
use crate::kernel::gemm::{Gemm, Strided, StridedMut, Threads, Triangle, gemm, solve_triangular};

/// The cotangent of `a` in `l = cholesky(a)`, symmetric: `sym(l^-T Phi(l^T l_bar) l^-1)`, where `Phi` keeps the lower
/// triangle and halves its diagonal.
///
/// `l, l_bar, out: [n, n]`; what `l_bar` holds above the diagonal does not count. O(3 n^3).
///
/// # References
/// I. Murray, Differentiation of the Cholesky decomposition, arXiv:1602.07527 (2016).
pub fn cholesky_adjoint<T: Gemm>(l: &[T], l_bar: &[T], n: usize, out: &mut [T], threads: Threads) {
    let (half, lt) = (T::of(0.5), Strided::rows(l, n).t());
    gemm([n; 3], T::one(), lt, Strided::rows(l_bar, n), T::zero(), StridedMut::rows(out, n), threads);
    for (i, row) in out.chunks_exact_mut(n.max(1)).enumerate() {
        row[i] *= half;
        row[i + 1..].fill(T::zero());
    }
    solve_triangular(n, n, Triangle::UPPER, lt, StridedMut::rows(out, n), threads);
    transpose_square(out, n);
    solve_triangular(n, n, Triangle::UPPER, lt, StridedMut::rows(out, n), threads);
    for i in 0..n {
        for j in 0..i {
            let mean = half * (out[i * n + j] + out[j * n + i]);
            (out[i * n + j], out[j * n + i]) = (mean, mean);
        }
    }
}

/// The cotangent of `a` in `y = a^-1`: `-y^T y_bar y^T`, added to `out` where `accumulate`. O(4 n^3).
///
/// `y, y_bar, out, scratch: [n, n]`.
pub fn inverse_adjoint<T: Gemm>(
    y: &[T],
    y_bar: &[T],
    n: usize,
    out: &mut [T],
    accumulate: bool,
    scratch: &mut [T],
    threads: Threads,
) {
    let yt = Strided::rows(y, n).t();
    let beta = if accumulate { T::one() } else { T::zero() };
    gemm([n; 3], T::one(), yt, Strided::rows(y_bar, n), T::zero(), StridedMut::rows(scratch, n), threads);
    gemm([n; 3], -T::one(), Strided::rows(scratch, n), yt, beta, StridedMut::rows(out, n), threads);
}
