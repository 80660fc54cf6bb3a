//! An axis that is not last: columns of `[outer, n, inner]` are turned into rows, a few at a time.
//!
//! Every kernel of [`rows`](super) serves such an axis through this one adaptor, at the price of a copy of each
//! operand that stays in cache.

use crate::kernel::real::Real;

/// Columns turned at a time: a cache line of `f32`.
const COLUMNS: usize = 16;

/// Runs `kernel(rows of the inputs, rows of the result)` on the columns of `[outer, n, inner]` arrays.
///
/// An input or result may have its own `n` (1 for a reduced one): `inputs` and `out` are pairs (slice, n). The result's
/// old contents are passed in, for kernels that add. `buffer` is reused memory.
pub fn along_axis<T: Real, const INPUTS: usize>(
    outer: usize,
    inner: usize,
    inputs: [(&[T], usize); INPUTS],
    out: (&mut [T], usize),
    buffer: &mut Vec<T>,
    mut kernel: impl FnMut([&[T]; INPUTS], &mut [T]),
) {
    let (out, out_n) = out;
    assert_eq!(out.len(), outer * out_n * inner);
    assert!(inputs.iter().all(|(x, n)| x.len() == outer * n * inner));
    let total: usize = inputs.iter().map(|(_, n)| n).sum();
    buffer.clear();
    buffer.resize(COLUMNS * (total + out_n), T::zero());
    for o in 0..outer {
        for first in (0..inner).step_by(COLUMNS) {
            let columns = COLUMNS.min(inner - first);
            let (result, mut rest) = buffer.split_at_mut(columns * out_n);
            let rows = inputs.map(|(x, n)| {
                let (rows, tail) = std::mem::take(&mut rest).split_at_mut(columns * n);
                rest = tail;
                gather(&x[o * n * inner..], n, inner, first, rows);
                &*rows
            });
            gather(&out[o * out_n * inner..], out_n, inner, first, result);
            kernel(rows, result);
            scatter(result, out_n, inner, first, &mut out[o * out_n * inner..]);
        }
    }
}

/// Columns `first ..` of `[n, inner]` as rows of length n.
fn gather<T: Copy>(x: &[T], n: usize, inner: usize, first: usize, rows: &mut [T]) {
    let columns = rows.len() / n.max(1);
    for i in 0..n {
        for (j, &x) in x[i * inner + first..][..columns].iter().enumerate() {
            rows[j * n + i] = x;
        }
    }
}

/// The reverse of [`gather`].
fn scatter<T: Copy>(rows: &[T], n: usize, inner: usize, first: usize, out: &mut [T]) {
    let columns = rows.len() / n.max(1);
    for i in 0..n {
        for (j, out) in out[i * inner + first..][..columns].iter_mut().enumerate() {
            *out = rows[j * n + i];
        }
    }
}
