//! Operations along the last axis of a contiguous `[rows, n]` array, one pass over memory each way: a row stays in
//! cache between its reductions and its results.
//!
//! Loops are plain and vectorise under run-time dispatch ([`lanes`]).

pub mod channels;
pub mod columns;
mod few;
pub mod norm;
pub mod softmax;
#[cfg(test)]
mod tests;

use crate::kernel::lanes;
use crate::kernel::real::Real;
use crate::kernel::reduce::bundle::Total;
use crate::kernel::threads;
pub use few::are_few;

/// Elements summed side by side before such sums are added up.
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
        crate::kernel::level::run_apart(Call { $($name),+ })
    }};
}
pub(in crate::kernel) use vectorised;

/// The largest element, NaN ignored; -infinity if there is none.
#[inline(always)]
fn maximum<T: Real>(x: &[T]) -> T {
    lanes::fold([x], T::neg_infinity(), |[x]| x, |best, x| if x > best { x } else { best })
}

/// The sum of `term` over slices of one length: of blocks, and of what the sum of those lost in rounding.
#[inline(always)]
fn sum_of<T: Real, const N: usize>(from: [&[T]; N], term: impl Fn([T; N]) -> T + Copy) -> T {
    let len = from[0].len();
    let (mut total, mut first) = (Total::zero(), 0);
    // One place that folds, for rows of a block as for longer ones: it is the whole kernel again wherever it stands.
    loop {
        let mut block = from;
        for x in &mut block {
            *x = &x[first..len.min(first + BLOCK)];
        }
        let sum = lanes::fold(block, T::zero(), term, |a, b| a + b);
        if len <= BLOCK {
            return sum;
        }
        total.add(sum);
        first += BLOCK;
        if first >= len {
            return total.value();
        }
    }
}

/// Sum of a slice, as that of [`sum_of`].
#[inline(always)]
pub fn sum_slice<T: Real>(x: &[T]) -> T {
    sum_of([x], |[x]| x)
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
