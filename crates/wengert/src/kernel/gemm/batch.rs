//! Batches of products, operands broadcast by a batch stride of 0.

use std::ops::Range;

use super::raw::Gemm;
use super::{Strided, StridedMut, Threads, gemm, tiny};

/// A stack of matrices to read: matrix `i` starts `i stride` after the first. A stride of 0 broadcasts.
#[derive(Clone, Copy, Debug)]
pub struct Batched<'a, T> {
    /// The first matrix.
    pub first: Strided<'a, T>,
    /// Step from one matrix to the next.
    pub stride: usize,
}

impl<'a, T> Batched<'a, T> {
    /// Matrix `i`.
    pub(super) fn at(&self, i: usize) -> Strided<'a, T> {
        let Batched { first: Strided { data, offset, row_stride, col_stride }, stride } = *self;
        Strided { data, offset: offset + i * stride, row_stride, col_stride }
    }
}

/// A stack of matrices to write. With a stride of 0 all products land in one matrix, added up in order.
#[derive(Debug)]
pub struct BatchedMut<'a, T> {
    /// The first matrix.
    pub first: StridedMut<'a, T>,
    /// Step from one matrix to the next.
    pub stride: usize,
}

/// Multiply-adds of a whole batch from which threads pay.
const THREADED: usize = 1 << 20;

/// `c_i = beta c_i + alpha a_i b_i` for every `i < count`.
///
/// With `c.stride == 0` the results are summed: `c = beta c + alpha sum_i a_i b_i`, in order of `i`.
/// Threads take whole products, so results do not depend on their number. O(count m n k).
///
/// # Panics
/// If an operand reaches outside its slice, or elements of some `c_i` overlap.
pub fn gemm_batched<T: Gemm>(
    count: usize,
    size: [usize; 3],
    alpha: T,
    a: Batched<'_, T>,
    b: Batched<'_, T>,
    beta: T,
    c: BatchedMut<'_, T>,
    threads: Threads,
) {
    let [m, n, k] = size;
    let steps = |stride: usize, len: usize, step: isize| stride as isize == len as isize * step;
    if count == 0 {
        return;
    }
    if b.stride == 0 && steps(a.stride, m, a.first.row_stride) && steps(c.stride, m, c.first.row_stride) {
        return gemm([count * m, n, k], alpha, a.first, b.first, beta, c.first, threads);
    }
    if c.stride == 0 && steps(a.stride, k, a.first.col_stride) && steps(b.stride, k, b.first.row_stride) {
        return gemm([m, n, count * k], alpha, a.first, b.first, beta, c.first, threads);
    }
    let StridedMut { data, offset, row_stride, col_stride } = c.first;
    let c_stride = c.stride;
    let tiny = c_stride > 0 && alpha != T::zero() && tiny::serves(count, size);
    let one = |i: usize, c: &mut [T], offset: usize, threads: Threads| {
        let beta = if i > 0 && c_stride == 0 { T::one() } else { beta };
        let c = StridedMut { data: c, offset, row_stride, col_stride };
        gemm(size, alpha, a.at(i), b.at(i), beta, c, threads);
    };
    // Products `some`, the first of which is written at `offset`.
    let several = |some: Range<usize>, c: &mut [T], offset: usize, threads: Threads| {
        if tiny {
            let [a, b] = [a, b].map(|x| Batched { first: x.at(some.start), ..x });
            let c = StridedMut { data: c, offset, row_stride, col_stride };
            return tiny::multiply(some.len(), size, alpha, a, b, beta, c, c_stride);
        }
        some.clone().for_each(|i| one(i, c, offset + (i - some.start) * c_stride, threads));
    };
    #[cfg(feature = "rayon")]
    {
        let work = m.saturating_mul(n).saturating_mul(k);
        let apart = extent([m, n], [row_stride, col_stride]).is_some_and(|x| x <= c_stride);
        if threads.0 > 1 && apart && work < 2 * THREADED && work.saturating_mul(count) >= THREADED {
            let each = count.div_ceil(threads.0);
            let parts = data[offset..].chunks_mut(each * c_stride).take(threads.0).enumerate();
            return crate::kernel::threads::each(parts, |(part, c)| {
                let from = part * each;
                several(from..count.min(from + each), c, 0, Threads::ONE);
            });
        }
    }
    several(0..count, data, offset, threads);
}

/// Elements from the first to the last of a matrix, where no stride is negative.
#[cfg(feature = "rayon")]
fn extent(size: [usize; 2], stride: [isize; 2]) -> Option<usize> {
    let mut last = 0;
    for (len, step) in size.into_iter().zip(stride) {
        last += usize::try_from(step).ok()? * len.checked_sub(1)?;
    }
    Some(last + 1)
}
