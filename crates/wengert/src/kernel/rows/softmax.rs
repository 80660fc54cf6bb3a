//! Softmax and its relatives, each with its cotangent product. Every one is free of overflow.

use super::{check, few, maximum, piece, sum_of, sum_slice, vectorised};
use crate::kernel::functions::Functions;
use crate::kernel::lanes::{change, put};
use crate::kernel::threads;

/// Softmax of each row: `y = e^x / sum e^x`.
///
/// `[rows, n] -> [rows, n]`. A row of nothing but -infinity, or with +infinity or NaN, gives NaN.
pub fn softmax<T: Functions>(x: &[T], n: usize, y: &mut [T]) {
    check(n, x, y);
    if let Some(piece) = piece(x.len(), n) {
        return threads::each(x.chunks(piece).zip(y.chunks_mut(piece)), |(x, y)| softmax_rows(x, n, y));
    }
    softmax_rows(x, n, y);
}

fn softmax_rows<T: Functions>(x: &[T], n: usize, y: &mut [T]) {
    vectorised!(softmax_kernel::<T, MODE>; T: Functions; x: &'a [T], n: usize, y: &'a mut [T]);
}

#[inline(always)]
fn softmax_kernel<T: Functions, const MODE: u8>(x: &[T], n: usize, y: &mut [T]) {
    if few::are_few(n) {
        return few::softmax::<T, MODE>(x, n, y, false);
    }
    for (x, y) in x.chunks_exact(n.max(1)).zip(y.chunks_exact_mut(n.max(1))) {
        let largest = maximum(x);
        put(y, [x], false, |[x]| Functions::exp_low::<MODE>(x - largest));
        let scale = T::one() / sum_slice(y);
        change(y, [], |y, []| y * scale);
    }
}

/// Cotangent of softmax from its result: `x_bar = y (y_bar - sum y_bar y)`; with `accumulate` added to `x_bar`.
pub fn softmax_cotangent<T: Functions>(y: &[T], y_bar: &[T], n: usize, accumulate: bool, x_bar: &mut [T]) {
    check(n, y, y_bar);
    check(n, y, x_bar);
    if let Some(piece) = piece(y.len(), n) {
        let pieces = y.chunks(piece).zip(y_bar.chunks(piece)).zip(x_bar.chunks_mut(piece));
        return threads::each(pieces, |((y, y_bar), x_bar)| {
            softmax_cotangent_rows(y, y_bar, n, accumulate, x_bar);
        });
    }
    softmax_cotangent_rows(y, y_bar, n, accumulate, x_bar);
}

fn softmax_cotangent_rows<T: Functions>(y: &[T], y_bar: &[T], n: usize, accumulate: bool, x_bar: &mut [T]) {
    vectorised!(softmax_cotangent_kernel::<T, MODE>; T: Functions; y: &'a [T], y_bar: &'a [T], n: usize, accumulate: bool, x_bar: &'a mut [T]);
}

#[inline(always)]
fn softmax_cotangent_kernel<T: Functions, const MODE: u8>(
    y: &[T],
    y_bar: &[T],
    n: usize,
    accumulate: bool,
    x_bar: &mut [T],
) {
    if few::are_few(n) {
        return few::softmax_cotangent::<T, MODE>([y, y_bar], n, accumulate, x_bar, false);
    }
    let cotangents = y_bar.chunks_exact(n.max(1)).zip(x_bar.chunks_exact_mut(n.max(1)));
    for (y, (y_bar, x_bar)) in y.chunks_exact(n.max(1)).zip(cotangents) {
        let mean = sum_of([y, y_bar], |[y, y_bar]| y * y_bar);
        put(x_bar, [y, y_bar], accumulate, |[y, y_bar]| y * (y_bar - mean));
    }
}

/// Logarithm of softmax of each row: `y = x - logsumexp(x)`.
///
/// `[rows, n] -> [rows, n]`. NaN where [`softmax`] gives NaN.
pub fn log_softmax<T: Functions>(x: &[T], n: usize, y: &mut [T]) {
    check(n, x, y);
    if let Some(piece) = piece(x.len(), n) {
        return threads::each(x.chunks(piece).zip(y.chunks_mut(piece)), |(x, y)| log_softmax_rows(x, n, y));
    }
    log_softmax_rows(x, n, y);
}

fn log_softmax_rows<T: Functions>(x: &[T], n: usize, y: &mut [T]) {
    vectorised!(log_softmax_kernel::<T, MODE>; T: Functions; x: &'a [T], n: usize, y: &'a mut [T]);
}

#[inline(always)]
fn log_softmax_kernel<T: Functions, const MODE: u8>(x: &[T], n: usize, y: &mut [T]) {
    if few::are_few(n) {
        return few::softmax::<T, MODE>(x, n, y, true);
    }
    for (x, y) in x.chunks_exact(n.max(1)).zip(y.chunks_exact_mut(n.max(1))) {
        let largest = maximum(x);
        let log = Functions::log::<MODE>(sum_of([x], |[x]| Functions::exp_low::<MODE>(x - largest)));
        put(y, [x], false, |[x]| (x - largest) - log);
    }
}

/// Cotangent of log_softmax from its result: `x_bar = y_bar - e^y sum y_bar`; with `accumulate` added to `x_bar`.
pub fn log_softmax_cotangent<T: Functions>(
    y: &[T],
    y_bar: &[T],
    n: usize,
    accumulate: bool,
    x_bar: &mut [T],
) {
    check(n, y, y_bar);
    check(n, y, x_bar);
    if let Some(piece) = piece(y.len(), n) {
        let pieces = y.chunks(piece).zip(y_bar.chunks(piece)).zip(x_bar.chunks_mut(piece));
        return threads::each(pieces, |((y, y_bar), x_bar)| {
            log_softmax_cotangent_rows(y, y_bar, n, accumulate, x_bar);
        });
    }
    log_softmax_cotangent_rows(y, y_bar, n, accumulate, x_bar);
}

fn log_softmax_cotangent_rows<T: Functions>(
    y: &[T],
    y_bar: &[T],
    n: usize,
    accumulate: bool,
    x_bar: &mut [T],
) {
    vectorised!(log_softmax_cotangent_kernel::<T, MODE>; T: Functions; y: &'a [T], y_bar: &'a [T], n: usize, accumulate: bool, x_bar: &'a mut [T]);
}

#[inline(always)]
fn log_softmax_cotangent_kernel<T: Functions, const MODE: u8>(
    y: &[T],
    y_bar: &[T],
    n: usize,
    accumulate: bool,
    x_bar: &mut [T],
) {
    if few::are_few(n) {
        return few::softmax_cotangent::<T, MODE>([y, y_bar], n, accumulate, x_bar, true);
    }
    let cotangents = y_bar.chunks_exact(n.max(1)).zip(x_bar.chunks_exact_mut(n.max(1)));
    for (y, (y_bar, x_bar)) in y.chunks_exact(n.max(1)).zip(cotangents) {
        let sum = sum_slice(y_bar);
        put(x_bar, [y, y_bar], accumulate, |[y, y_bar]| y_bar - Functions::exp_low::<MODE>(y) * sum);
    }
}
