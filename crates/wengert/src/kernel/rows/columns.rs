//! Softmax and its logarithm along the middle of row-major `[outer, n, inner]`: columns side by side, in the order of
//! memory, with one partial result a column on the stack.

use crate::kernel::functions::Functions;
use crate::kernel::level::{self, Kernel};
use crate::kernel::threads;
use crate::kernel::tile::WIDTH;

/// Softmax of each column, in place.
pub fn softmax<T: Functions>(n: usize, inner: usize, y: &mut [T]) {
    forward(n, inner, y, false);
}

/// Logarithm of softmax of each column, in place.
pub fn log_softmax<T: Functions>(n: usize, inner: usize, y: &mut [T]) {
    forward(n, inner, y, true);
}

fn forward<T: Functions>(n: usize, inner: usize, y: &mut [T], log: bool) {
    let len = (n * inner).max(1);
    match threads::units(y.len() / len, len) {
        Some(count) => {
            threads::each(y.chunks_mut(count * len), |y| level::run_apart(Forward { n, inner, y, log }));
        }
        None => level::run_apart(Forward { n, inner, y, log }),
    }
}

pub(super) struct Forward<'a, T> {
    pub(super) n: usize,
    pub(super) inner: usize,
    pub(super) y: &'a mut [T],
    pub(super) log: bool,
}

impl<T: Functions> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let Forward { n, inner, y, log } = self;
        for block in y.chunks_exact_mut((n * inner).max(1)) {
            for first in (0..inner).step_by(WIDTH) {
                let width = WIDTH.min(inner - first);
                let mut most = [T::neg_infinity(); WIDTH];
                for row in block.chunks_exact(inner) {
                    let places = most.iter_mut().zip(&row[first..][..width]);
                    places.for_each(|(most, &x)| *most = if x > *most { x } else { *most });
                }
                let mut sums = [T::zero(); WIDTH];
                for row in block.chunks_exact_mut(inner) {
                    let places = sums.iter_mut().zip(&most).zip(&mut row[first..][..width]);
                    places.for_each(|((sum, &most), y)| {
                        let apart = *y - most;
                        let exp = Functions::exp::<MODE>(apart);
                        *sum += exp;
                        *y = if log { apart } else { exp };
                    });
                }
                for sum in &mut sums {
                    *sum = if log { Functions::log::<MODE>(*sum) } else { T::one() / *sum };
                }
                for row in block.chunks_exact_mut(inner) {
                    let places = row[first..][..width].iter_mut().zip(&sums);
                    places.for_each(|(y, &sum)| *y = if log { *y - sum } else { *y * sum });
                }
            }
        }
    }
}

/// Cotangent of [`softmax`] from its result: `x_bar = y (y_bar - sum y_bar y)`; with `accumulate` added to `x_bar`.
pub fn softmax_cotangent<T: Functions>(
    values: [&[T]; 2],
    n: usize,
    inner: usize,
    accumulate: bool,
    x_bar: &mut [T],
) {
    backward(values, n, inner, accumulate, x_bar, false);
}

/// Cotangent of [`log_softmax`] from its result: `x_bar = y_bar - e^y sum y_bar`; with `accumulate` added to `x_bar`.
pub fn log_softmax_cotangent<T: Functions>(
    values: [&[T]; 2],
    n: usize,
    inner: usize,
    accumulate: bool,
    x_bar: &mut [T],
) {
    backward(values, n, inner, accumulate, x_bar, true);
}

fn backward<T: Functions>(
    [y, y_bar]: [&[T]; 2],
    n: usize,
    inner: usize,
    accumulate: bool,
    x_bar: &mut [T],
    log: bool,
) {
    let len = (n * inner).max(1);
    match threads::units(y.len() / len, len) {
        Some(count) => {
            let read = y.chunks(count * len).zip(y_bar.chunks(count * len));
            threads::each(read.zip(x_bar.chunks_mut(count * len)), |((y, y_bar), x_bar)| {
                level::run_apart(Backward { y, y_bar, n, inner, accumulate, x_bar, log });
            });
        }
        None => level::run_apart(Backward { y, y_bar, n, inner, accumulate, x_bar, log }),
    }
}

pub(super) struct Backward<'a, T> {
    pub(super) y: &'a [T],
    pub(super) y_bar: &'a [T],
    pub(super) n: usize,
    pub(super) inner: usize,
    pub(super) accumulate: bool,
    pub(super) x_bar: &'a mut [T],
    pub(super) log: bool,
}

impl<T: Functions> Kernel for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let Backward { y, y_bar, n, inner, accumulate, x_bar, log } = self;
        let len = (n * inner).max(1);
        for (k, x_bar) in x_bar.chunks_exact_mut(len).enumerate() {
            let (y, y_bar) = (&y[k * len..][..len], &y_bar[k * len..][..len]);
            for first in (0..inner).step_by(WIDTH) {
                let width = WIDTH.min(inner - first);
                let mut sums = [T::zero(); WIDTH];
                for (y, y_bar) in y.chunks_exact(inner).zip(y_bar.chunks_exact(inner)) {
                    let places = sums.iter_mut().zip(y[first..][..width].iter().zip(&y_bar[first..]));
                    places.for_each(|(sum, (&y, &y_bar))| *sum += if log { y_bar } else { y * y_bar });
                }
                for (row, x_bar) in x_bar.chunks_exact_mut(inner).enumerate() {
                    let at = row * inner + first;
                    let places = x_bar[first..][..width].iter_mut().zip(y[at..].iter().zip(&y_bar[at..]));
                    places.zip(&sums).for_each(|((x_bar, (&y, &y_bar)), &sum)| {
                        let own = match log {
                            true => y_bar - Functions::exp::<MODE>(y) * sum,
                            false => y * (y_bar - sum),
                        };
                        *x_bar = if accumulate { *x_bar + own } else { own };
                    });
                }
            }
        }
    }
}
