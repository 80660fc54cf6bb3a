//! Softmax and its logarithm along the middle of row-major `[outer, n, inner]`: columns side by side, in the order of
//! memory, with one partial result a column.

use num_traits::Float;

use crate::kernel::functions::Functions;
use crate::kernel::level::{self, Kernel};
use crate::kernel::threads;

/// Columns that are worked on together: their partial results stay in the first-level cache, and rows are read in runs that
/// are long enough to be fetched ahead.
const TOGETHER: usize = 512;
/// Elements that stay in the second-level cache from their largest to their sum.
const NEAR: usize = 1 << 15;

/// Softmax of each column.
pub fn softmax<T: Functions>(x: &[T], n: usize, inner: usize, y: &mut [T]) {
    forward(x, n, inner, y, false);
}

/// Logarithm of softmax of each column.
pub fn log_softmax<T: Functions>(x: &[T], n: usize, inner: usize, y: &mut [T]) {
    forward(x, n, inner, y, true);
}

fn forward<T: Functions>(x: &[T], n: usize, inner: usize, y: &mut [T], log: bool) {
    let len = (n * inner).max(1);
    match threads::units(y.len() / len, len) {
        Some(count) => {
            let pieces = x.chunks(count * len).zip(y.chunks_mut(count * len));
            threads::each(pieces, |(x, y)| level::run_apart(Forward { x, n, inner, y, log }));
        }
        None => level::run_apart(Forward { x, n, inner, y, log }),
    }
}

struct Forward<'a, T> {
    x: &'a [T],
    n: usize,
    inner: usize,
    y: &'a mut [T],
    log: bool,
}

impl<T: Functions> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let Forward { x, n, inner, y, log } = self;
        let len = (n * inner).max(1);
        let mut rooms = [[T::zero(); TOGETHER]; 3];
        for (x, y) in x.chunks_exact(len).zip(y.chunks_exact_mut(len)) {
            for first in (0..inner).step_by(TOGETHER) {
                let width = TOGETHER.min(inner - first);
                let rooms = rooms.each_mut().map(|room| &mut room[..width]);
                forward_columns::<T, MODE>(x, inner, first, y, rooms, log);
            }
        }
    }
}

/// Softmax of some columns of a matrix with `inner` of them, or its logarithm. There is room for three numbers of each, and
/// as many columns as that is long.
///
/// For the logarithm, which no exponential is kept for, sums are taken of some rows after the other, and made smaller where
/// those behind have a larger element: one pass over memory instead of two.
///
/// How many they are must not be known when this is compiled: loops over exponentials come out as straight-line code then,
/// which takes twice as long.
#[inline(always)]
pub(super) fn forward_columns<T: Functions, const MODE: u8>(
    x: &[T],
    inner: usize,
    first: usize,
    y: &mut [T],
    [most, by, sums]: [&mut [T]; 3],
    log: bool,
) {
    let width = most.len();
    let rows = if log { (NEAR / width.max(1)).max(1) } else { x.len() / inner };
    most.fill(T::neg_infinity());
    sums.fill(T::zero());
    let near = (rows * inner).max(1);
    // Where there is nothing but -infinity so far: of each of those the exponential is 0, not NaN.
    let finite = |most: T| if most == T::neg_infinity() { T::zero() } else { most };
    for (k, (x, y)) in x.chunks(near).zip(y.chunks_mut(near)).enumerate() {
        for x in x.chunks_exact(inner) {
            let places = most.iter_mut().zip(&x[first..][..width]);
            // A choice between `x` and what stands there would become a masked store, which takes ten times as long with AVX2.
            places.for_each(|(most, &x)| *most = Float::max(*most, x));
        }
        if k > 0 {
            let places = sums.iter_mut().zip(by.iter().zip(&*most));
            places.for_each(|(sum, (&by, &most))| {
                // Above 0 only where there is no sum yet.
                let less = Float::min(by - finite(most), T::zero());
                *sum *= Functions::exp_low::<MODE>(less);
            });
        }
        by.iter_mut().zip(&*most).for_each(|(by, &most)| *by = finite(most));
        for (x, y) in x.chunks_exact(inner).zip(y.chunks_exact_mut(inner)) {
            let read = x[first..][..width].iter().zip(&*by);
            let places = sums.iter_mut().zip(&mut y[first..][..width]).zip(read);
            places.for_each(|((sum, y), (&x, &by))| {
                let share = Functions::exp_low::<MODE>(x - by);
                *sum += share;
                if !log {
                    *y = share;
                }
            });
        }
    }
    for sum in &mut *sums {
        *sum = if log { Functions::log::<MODE>(*sum) } else { T::one() / *sum };
    }
    for (x, y) in x.chunks_exact(inner).zip(y.chunks_exact_mut(inner)) {
        let places = y[first..][..width].iter_mut().zip(&x[first..][..width]).zip(most.iter().zip(&*sums));
        places.for_each(|((y, &x), (&most, &sum))| *y = if log { (x - most) - sum } else { *y * sum });
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

struct Backward<'a, T> {
    y: &'a [T],
    y_bar: &'a [T],
    n: usize,
    inner: usize,
    accumulate: bool,
    x_bar: &'a mut [T],
    log: bool,
}

impl<T: Functions> Kernel for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let Backward { y, y_bar, n, inner, accumulate, x_bar, log } = self;
        let len = (n * inner).max(1);
        let mut room = [T::zero(); TOGETHER];
        for (k, x_bar) in x_bar.chunks_exact_mut(len).enumerate() {
            let values = [&y[k * len..][..len], &y_bar[k * len..][..len]];
            for first in (0..inner).step_by(TOGETHER) {
                let room = &mut room[..TOGETHER.min(inner - first)];
                backward_columns::<T, MODE>(values, inner, first, accumulate, x_bar, room, log);
            }
        }
    }
}

/// The reverse of [`forward_columns`], with room for one number of each column.
#[inline(always)]
pub(super) fn backward_columns<T: Functions, const MODE: u8>(
    [y, y_bar]: [&[T]; 2],
    inner: usize,
    first: usize,
    accumulate: bool,
    x_bar: &mut [T],
    sums: &mut [T],
    log: bool,
) {
    let width = sums.len();
    sums.fill(T::zero());
    for (y, y_bar) in y.chunks_exact(inner).zip(y_bar.chunks_exact(inner)) {
        let places = sums.iter_mut().zip(y[first..][..width].iter().zip(&y_bar[first..][..width]));
        places.for_each(|(sum, (&y, &y_bar))| *sum += if log { y_bar } else { y * y_bar });
    }
    let rows = y.chunks_exact(inner).zip(y_bar.chunks_exact(inner));
    for ((y, y_bar), x_bar) in rows.zip(x_bar.chunks_exact_mut(inner)) {
        let read = y[first..][..width].iter().zip(&y_bar[first..][..width]).zip(&*sums);
        x_bar[first..][..width].iter_mut().zip(read).for_each(|(x_bar, ((&y, &y_bar), &sum))| {
            let own = match log {
                true => y_bar - Functions::exp_low::<MODE>(y) * sum,
                false => y * (y_bar - sum),
            };
            *x_bar = if accumulate { *x_bar + own } else { own };
        });
    }
}
