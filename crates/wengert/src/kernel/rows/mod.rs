//! Operations along the last axis of a contiguous `[rows, n]` array, one pass over memory each way: a row stays in
//! cache between its reductions and its results.
//!
//! Loops are plain and vectorise under run-time dispatch; reductions keep [`LANES`] partial results, because a sum in
//! one variable may not be reordered by the compiler. An axis that is not last goes through [`strided`].

#![allow(dead_code)]

pub mod channels;
pub mod columns;
mod few;
pub mod norm;
pub mod softmax;
pub mod strided;
#[cfg(test)]
mod tests;

use crate::kernel::real::Real;
use crate::kernel::threads;

/// Partial results of a reduction.
const LANES: usize = 16;
/// Elements summed lane by lane before sums are combined pairwise.
const BLOCK: usize = 1024;

/// Calls a kernel compiled for the instruction set of the running machine:
/// `vectorised!(kernel::<T, MODE>; T: Bound; x: &'a [T], n: usize)` is `kernel::<T, MODE>(x, n)` with variables `x`, `n`; a
/// type behind it, as in `=> T`, is that of the result.
///
/// The kernel has to be an `#[inline(always)]` function. It is named here, not passed as a value: a function passed as a
/// generic `FnOnce` is called through a shim that is not inlined and so compiled for the baseline instruction set,
/// silently.
macro_rules! vectorised {
    ($kernel:path; $real:ident: $bound:path; $($name:ident: $type:ty),+) => {
        vectorised!($kernel; $real: $bound; $($name: $type),+ => ())
    };
    ($kernel:path; $real:ident: $bound:path; $($name:ident: $type:ty),+ => $out:ty) => {{
        struct Call<'a, $real> {
            $($name: $type,)+
        }
        impl<'a, $real: $bound> crate::kernel::level::Kernel for Call<'a, $real> {
            type Output = $out;
            #[inline(always)]
            fn call<const MODE: u8>(self) -> Self::Output {
                $kernel($(self.$name),+)
            }
        }
        crate::kernel::level::run(Call { $($name),+ })
    }};
}
pub(in crate::kernel) use vectorised;

/// `combine` over `x` and as many `start`s as there are lanes; `combine` has to commute.
#[inline(always)]
fn fold<T: Real>(x: &[T], start: T, combine: impl Fn(T, T) -> T + Copy) -> T {
    let mut lanes = [start; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = combine(lanes[i], chunk[i]);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = combine(*lane, x);
    }
    combine_lanes(lanes, combine)
}

#[inline(always)]
fn combine_lanes<T: Real>(mut lanes: [T; LANES], combine: impl Fn(T, T) -> T) -> T {
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            lanes[i] = combine(lanes[i], lanes[i + width]);
        }
    }
    lanes[0]
}

/// The largest element, NaN ignored; -infinity if there is none.
#[inline(always)]
fn maximum<T: Real>(x: &[T]) -> T {
    fold(x, T::neg_infinity(), |best, x| if x > best { x } else { best })
}

/// `sum of term(x[i])`.
#[inline(always)]
fn sum_of<T: Real>(x: &[T], term: impl Fn(T) -> T + Copy) -> T {
    sum_of_three(x, x, x, |x, _, _| term(x))
}

/// `sum of term(x[i], y[i])`.
#[inline(always)]
fn sum_of_two<T: Real>(x: &[T], y: &[T], term: impl Fn(T, T) -> T + Copy) -> T {
    sum_of_three(x, y, y, |x, y, _| term(x, y))
}

/// `sum of term(x[i], y[i], z[i])` for slices of one length, pairwise: the error grows with the logarithm of it.
#[inline(always)]
fn sum_of_three<T: Real>(x: &[T], y: &[T], z: &[T], term: impl Fn(T, T, T) -> T + Copy) -> T {
    if x.len() <= BLOCK {
        return sum_of_block(x, y, z, term);
    }
    // Like a binary counter: position i holds the sum of 2^i blocks of those not yet combined.
    let mut pending = [T::zero(); 48];
    let mut depth = 0;
    for i in 0..x.len().div_ceil(BLOCK) {
        let (start, end) = (i * BLOCK, x.len().min((i + 1) * BLOCK));
        let mut total = sum_of_block(&x[start..end], &y[start..end], &z[start..end], term);
        for _ in 0..(i + 1).trailing_zeros() {
            depth -= 1;
            total += pending[depth];
        }
        pending[depth] = total;
        depth += 1;
    }
    pending[..depth].iter().rev().fold(T::zero(), |sum, &x| sum + x)
}

#[inline(always)]
fn sum_of_block<T: Real>(x: &[T], y: &[T], z: &[T], term: impl Fn(T, T, T) -> T + Copy) -> T {
    let mut lanes = [T::zero(); LANES];
    let (xs, x_rest) = x.as_chunks::<LANES>();
    let (ys, y_rest) = y.as_chunks::<LANES>();
    let (zs, z_rest) = z.as_chunks::<LANES>();
    for (x, (y, z)) in xs.iter().zip(ys.iter().zip(zs)) {
        for i in 0..LANES {
            lanes[i] += term(x[i], y[i], z[i]);
        }
    }
    for (lane, (&x, (&y, &z))) in lanes.iter_mut().zip(x_rest.iter().zip(y_rest.iter().zip(z_rest))) {
        *lane += term(x, y, z);
    }
    combine_lanes(lanes, |a, b| a + b)
}

/// Sum of a slice, pairwise.
#[inline(always)]
pub fn sum_slice<T: Real>(x: &[T]) -> T {
    sum_of(x, |x| x)
}

/// Sum of each row: `[rows, n] -> [rows]`, pairwise; with `accumulate` added to `out`.
pub fn sum_rows<T: Real>(x: &[T], n: usize, accumulate: bool, out: &mut [T]) {
    assert_eq!(x.len(), n * out.len());
    vectorised!(sum_rows_kernel::<T>; T: Real; x: &'a [T], n: usize, accumulate: bool, out: &'a mut [T]);
}

#[inline(always)]
fn sum_rows_kernel<T: Real>(x: &[T], n: usize, accumulate: bool, out: &mut [T]) {
    for (i, out) in out.iter_mut().enumerate() {
        let sum = sum_slice(&x[i * n..][..n]);
        *out = if accumulate { *out + sum } else { sum };
    }
}

/// Elements of the rows of a piece of work, if `[rows, n]` arrays of this length are worth sharing among threads.
fn piece(len: usize, n: usize) -> Option<usize> {
    threads::units(len / n.max(1), n).map(|rows| rows * n)
}

/// Panics unless `x` and `y` are `[rows, n]` of the same length.
fn check<T>(n: usize, x: &[T], y: &[T]) {
    assert_eq!(x.len(), y.len());
    assert!(if n == 0 { x.is_empty() } else { x.len().is_multiple_of(n) });
}
