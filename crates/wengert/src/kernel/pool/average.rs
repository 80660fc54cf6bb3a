//! The mean over windows.

use super::Windows;
use crate::kernel::real::Real;
use crate::kernel::rows::vectorised;
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
    if out == 0 {
        return;
    }
    match units(windows.planes, plane) {
        Some(count) => each(x.chunks(count * plane).zip(y.chunks_mut(count * out)), |(x, y)| {
            average_planes(windows, count_padding, x, y);
        }),
        None => average_planes(windows, count_padding, x, y),
    }
}

fn average_planes<T: Real>(windows: &Windows, count_padding: bool, x: &[T], y: &mut [T]) {
    vectorised!(average_pool_kernel::<T>; T: Real; windows: &'a Windows, count_padding: bool, x: &'a [T], y: &'a mut [T]);
}

#[inline(always)]
fn average_pool_kernel<T: Real>(windows: &Windows, count_padding: bool, x: &[T], y: &mut [T]) {
    let (plane, [height, width]) = (windows.input[0] * windows.input[1], windows.output());
    let out = height * width;
    for (x, y) in x.chunks_exact(plane.max(1)).zip(y.chunks_exact_mut(out)) {
        for (row, y) in y.chunks_exact_mut(width).enumerate().take(height) {
            y.fill(T::zero());
            for_each_run(windows, row, |start, stride, first, end| {
                let run = x[start..].iter().step_by(stride);
                y[first..end].iter_mut().zip(run).for_each(|(y, &x)| *y += x);
            });
            for (column, y) in y.iter_mut().enumerate() {
                *y /= divisor(windows, count_padding, row, column);
            }
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
        if !accumulate {
            x_bar.fill(T::zero());
        }
        share_planes(windows, count_padding, y_bar, x_bar);
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

fn share_planes<T: Real>(windows: &Windows, count_padding: bool, y_bar: &[T], x_bar: &mut [T]) {
    vectorised!(average_pool_cotangent_kernel::<T>; T: Real; windows: &'a Windows, count_padding: bool, y_bar: &'a [T], x_bar: &'a mut [T]);
}

#[inline(always)]
fn average_pool_cotangent_kernel<T: Real>(
    windows: &Windows,
    count_padding: bool,
    y_bar: &[T],
    x_bar: &mut [T],
) {
    let (plane, [height, width]) = (windows.input[0] * windows.input[1], windows.output());
    let out = height * width;
    let constant_divisor = count_padding || windows.padding == [0, 0];
    let constant = T::of((windows.kernel[0] * windows.kernel[1]) as f64);
    for (x_bar, y_bar) in x_bar.chunks_exact_mut(plane).zip(y_bar.chunks_exact(out)) {
        for (row, y_bar) in y_bar.chunks_exact(width).enumerate().take(height) {
            for_each_run(windows, row, |start, stride, first, end| {
                let run = x_bar[start..].iter_mut().step_by(stride);
                for (n, (x_bar, &y_bar)) in run.zip(&y_bar[first..end]).enumerate() {
                    let column = first + n;
                    *x_bar += y_bar
                        / if constant_divisor { constant } else { divisor(windows, false, row, column) };
                }
            });
        }
    }
}

/// Calls `visit(start in the plane, stride, first window, end)` for each tap of the windows of a row.
#[inline(always)]
fn for_each_run(windows: &Windows, row: usize, mut visit: impl FnMut(usize, usize, usize, usize)) {
    for i in 0..windows.kernel[0] {
        let Some(i) = windows.position(0, row, i) else { continue };
        for j in 0..windows.kernel[1] {
            let (first, end, j) = windows.range(1, j);
            if first < end {
                visit(i * windows.input[1] + j, windows.stride[1], first, end);
            }
        }
    }
}

/// What the sum over a window is divided by.
#[inline(always)]
fn divisor<T: Real>(windows: &Windows, count_padding: bool, row: usize, column: usize) -> T {
    if count_padding || windows.padding == [0, 0] {
        return T::of((windows.kernel[0] * windows.kernel[1]) as f64);
    }
    let taps =
        |axis, o| (0..windows.kernel[axis]).filter(|&k| windows.position(axis, o, k).is_some()).count();
    T::of((taps(0, row) * taps(1, column)).max(1) as f64)
}
