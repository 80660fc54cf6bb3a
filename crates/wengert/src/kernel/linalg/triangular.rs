//! Inverse of a triangular matrix.

use crate::kernel::gemm::{Gemm, Place, Strided, Threads, Triangle, gemm_within, solve_within, spot};

/// Up to this size rows are found one at a time.
const SMALL: usize = 16;

/// The inverse of the triangle of `a` that `shape` names, zeros in the other triangle of `out`.
///
/// `a: [n, n]` with any strides, `out: [n, n]`. A zero on the diagonal gives infinities and NaN. O(n^3 / 2).
/// No workspace.
pub fn triangular_inverse<T: Gemm>(
    a: Strided<'_, T>,
    n: usize,
    shape: Triangle,
    out: &mut [T],
    threads: Threads,
) {
    assert!(out.len() == n * n, "triangular_inverse: result is not n by n");
    out.fill(T::zero());
    invert(a, n, shape, out, 0, n, threads);
}

fn invert<T: Gemm>(
    a: Strided<'_, T>,
    width: usize,
    shape: Triangle,
    x: &mut [T],
    at: usize,
    n: usize,
    threads: Threads,
) {
    if n <= SMALL {
        return invert_small(a.at(at, at), width, shape, x, at, n);
    }
    // [A 0; B C]^-1 = [A^-1 0; -C^-1 B A^-1, C^-1], and its mirror image for upper triangles.
    let first = (n / 2).next_multiple_of(8).min(n - 1);
    let mid = at + first;
    invert(a, width, shape, x, at, first, threads);
    invert(a, width, shape, x, mid, n - first, threads);
    let (top, bottom) = ((at, first), (mid, n - first));
    let ((from, m), (to, k)) = if shape.lower { (bottom, top) } else { (top, bottom) };
    let block = spot(from, to);
    let b = Place::Other(a.at(from, to));
    gemm_within(x, width, [m, k, k], -T::one(), b, spot(to, to).here(), T::zero(), block, threads);
    solve_within(x, width, m, k, shape, Place::Other(a.at(from, from)), block, threads);
}

fn invert_small<T: Gemm>(
    a: Strided<'_, T>,
    width: usize,
    shape: Triangle,
    out: &mut [T],
    at: usize,
    n: usize,
) {
    let turn = |i: usize| if shape.lower { i } else { n - 1 - i };
    let entry = |i: usize, j: usize| a.data[a.at(turn(i), turn(j)).offset];
    let mut x = [[T::zero(); SMALL]; SMALL];
    for i in 0..n {
        let scale = if shape.unit { T::one() } else { T::one() / entry(i, i) };
        let mut row = [T::zero(); SMALL];
        for p in 0..i {
            let l = entry(i, p);
            for j in 0..=p {
                row[j] -= l * x[p][j];
            }
        }
        row[i] = T::one();
        for j in 0..=i {
            x[i][j] = row[j] * scale;
            out[(at + turn(i)) * width + at + turn(j)] = x[i][j];
        }
    }
}
