//! The mean over windows: rows are added up first, then the columns of the sum. Windows as wide as the plane, as those of
//! a global mean, are runs of elements and are reduced as such.

use super::{Windows, Workspace};
use crate::kernel::real::Real;
use crate::kernel::rows::{sum_slice, vectorised};
use crate::kernel::scratch::{self, Scratch, room};
use crate::kernel::threads::{each, units};

/// Mean over each window.
///
/// x `[planes, H, W] ->` y `[planes, Ho, Wo]`. With `count_padding` the padded zeros count in the divisor; without, a
/// window of nothing but padding yields 0.
///
/// # Panics
/// If a slice has not the length that the geometry says.
pub fn average_pool<T: Real>(windows: &Windows, count_padding: bool, x: &[T], y: &mut [T]) {
    let (plane, out) = windows.check(x, y);
    if out == 0 || plane == 0 {
        return y.fill(T::zero());
    }
    match units(windows.planes, plane) {
        Some(count) => each(x.chunks(count * plane).zip(y.chunks_mut(count * out)), |(x, y)| {
            average_planes(windows, count_padding, x, y);
        }),
        None => average_planes(windows, count_padding, x, y),
    }
}

fn average_planes<T: Real>(windows: &Windows, count_padding: bool, x: &[T], y: &mut [T]) {
    with_rows(windows, |sums, counts| {
        vectorised!(average_pool_kernel::<T>; T: Real; windows: &'a Windows, count_padding: bool, x: &'a [T], y: &'a mut [T], sums: &'a mut [T], counts: &'a mut [T]);
    });
}

#[inline(always)]
fn average_pool_kernel<T: Real>(
    windows: &Windows,
    count_padding: bool,
    x: &[T],
    y: &mut [T],
    sums: &mut [T],
    counts: &mut [T],
) {
    let ([size, input], [height, width]) = (windows.input, windows.output());
    if let Some(len) = run(windows) {
        for (x, y) in x.chunks_exact(size * input).zip(y.chunks_exact_mut(height)) {
            for (row, y) in y.iter_mut().enumerate() {
                *y = sum_slice(&x[row * windows.stride[0] * input..][..len]) / T::of(len as f64);
            }
        }
        return;
    }
    count(windows, count_padding, counts);
    for (x, y) in x.chunks_exact(size * input).zip(y.chunks_exact_mut(height * width)) {
        for (row, y) in y.chunks_exact_mut(width).enumerate().take(height) {
            sums.fill(T::zero());
            let rows = rows(windows, row);
            for i in rows.clone() {
                sums.iter_mut().zip(&x[i * input..]).for_each(|(sum, x)| *sum += *x);
            }
            y.fill(T::zero());
            for j in 0..windows.kernel[1] {
                let (first, end, start) = windows.range(1, j);
                let (y, sums) = (&mut y[first..end], &sums[start.min(input)..]);
                match windows.stride[1] {
                    1 => y.iter_mut().zip(sums).for_each(|(y, sum)| *y += *sum),
                    stride => y.iter_mut().zip(sums.iter().step_by(stride)).for_each(|(y, sum)| *y += *sum),
                }
            }
            let rows: T = divided_rows(windows, count_padding, rows.count());
            y.iter_mut().zip(&*counts).for_each(|(y, columns)| *y /= rows * *columns);
        }
    }
}

/// Adjoint of [`average_pool`]: each cotangent is shared among its window's elements.
///
/// y_bar `[planes, Ho, Wo] ->` x_bar `[planes, H, W]`; with `accumulate` it is added to `x_bar`.
///
/// # Panics
/// If a slice has not the length that the geometry says.
pub fn average_pool_cotangent<T: Real>(
    windows: &Windows,
    count_padding: bool,
    y_bar: &[T],
    accumulate: bool,
    x_bar: &mut [T],
) {
    let (plane, out) = windows.check(x_bar, y_bar);
    if out == 0 || plane == 0 {
        return if !accumulate {
            x_bar.fill(T::zero())
        };
    }
    let planes = |y_bar: &[T], x_bar: &mut [T]| {
        share_planes(windows, count_padding, y_bar, accumulate, x_bar);
    };
    match units(windows.planes, plane) {
        Some(count) => {
            each(y_bar.chunks(count * out).zip(x_bar.chunks_mut(count * plane)), |(y_bar, x_bar)| {
                planes(y_bar, x_bar);
            })
        }
        None => planes(y_bar, x_bar),
    }
}

fn share_planes<T: Real>(
    windows: &Windows,
    count_padding: bool,
    y_bar: &[T],
    accumulate: bool,
    x_bar: &mut [T],
) {
    with_rows(windows, |sums, counts| {
        vectorised!(average_pool_cotangent_kernel::<T>; T: Real; windows: &'a Windows, count_padding: bool, y_bar: &'a [T], accumulate: bool, x_bar: &'a mut [T], sums: &'a mut [T], counts: &'a mut [T]);
    });
}

#[inline(always)]
fn average_pool_cotangent_kernel<T: Real>(
    windows: &Windows,
    count_padding: bool,
    y_bar: &[T],
    accumulate: bool,
    x_bar: &mut [T],
    sums: &mut [T],
    counts: &mut [T],
) {
    let ([size, input], [height, width]) = (windows.input, windows.output());
    let run = run(windows);
    let (counts, shares) = counts.split_at_mut(width);
    count(windows, count_padding, counts);
    for (x_bar, y_bar) in x_bar.chunks_exact_mut(size * input).zip(y_bar.chunks_exact(height * width)) {
        if !accumulate {
            x_bar.fill(T::zero());
        }
        if let Some(len) = run {
            for (row, y_bar) in y_bar.iter().enumerate() {
                let share = *y_bar / T::of(len as f64);
                x_bar[row * windows.stride[0] * input..][..len].iter_mut().for_each(|x_bar| *x_bar += share);
            }
            continue;
        }
        for (row, y_bar) in y_bar.chunks_exact(width).enumerate().take(height) {
            let rows = rows(windows, row);
            let divided: T = divided_rows(windows, count_padding, rows.clone().count());
            for ((share, y_bar), columns) in shares.iter_mut().zip(y_bar).zip(&*counts) {
                *share = *y_bar / (divided * *columns);
            }
            sums.fill(T::zero());
            for j in 0..windows.kernel[1] {
                let (first, end, start) = windows.range(1, j);
                let (shares, sums) = (&shares[first..end], &mut sums[start.min(input)..]);
                match windows.stride[1] {
                    1 => sums.iter_mut().zip(shares).for_each(|(sum, share)| *sum += *share),
                    stride => {
                        sums.iter_mut().step_by(stride).zip(shares).for_each(|(sum, share)| *sum += *share);
                    }
                }
            }
            for i in rows {
                x_bar[i * input..].iter_mut().zip(&*sums).for_each(|(x_bar, sum)| *x_bar += *sum);
            }
        }
    }
}

/// Calls `f` with room for a row of a plane and for two rows of its result.
fn with_rows<T: Real>(windows: &Windows, f: impl FnOnce(&mut [T], &mut [T])) {
    scratch::with(|Scratch { pool: Workspace { plane: sums, best: counts, .. }, .. }| {
        f(room(sums, windows.input[1]), room(counts, 2 * windows.output()[1]));
    });
}

/// Elements of a window, if all windows are as wide as the plane and their elements lie one behind the other.
#[inline(always)]
fn run(windows: &Windows) -> Option<usize> {
    let Windows { input, kernel, padding, dilation, .. } = *windows;
    let whole = kernel[1] == input[1] && padding == [0, 0] && dilation == [1, 1];
    whole.then_some(kernel[0] * kernel[1])
}

/// The rows of a plane that the windows of a row of the result see.
#[inline(always)]
fn rows(windows: &Windows, row: usize) -> impl Iterator<Item = usize> + Clone {
    (0..windows.kernel[0]).filter_map(move |i| windows.position(0, row, i))
}

/// By how many rows the sum over a window is divided that sees so many; one of nothing but padding is 0 however it is divided.
#[inline(always)]
fn divided_rows<T: Real>(windows: &Windows, count_padding: bool, seen: usize) -> T {
    T::of(if count_padding { windows.kernel[0] } else { seen.max(1) } as f64)
}

/// By how many columns the sum over the window is divided, for each window of a row.
#[inline(always)]
fn count<T: Real>(windows: &Windows, count_padding: bool, counts: &mut [T]) {
    counts.fill(if count_padding { T::of(windows.kernel[1] as f64) } else { T::zero() });
    if !count_padding {
        for j in 0..windows.kernel[1] {
            let (first, end, _) = windows.range(1, j);
            counts[first..end].iter_mut().for_each(|count| *count += T::one());
        }
        counts.iter_mut().for_each(|count| *count = count.max(T::one()));
    }
}
