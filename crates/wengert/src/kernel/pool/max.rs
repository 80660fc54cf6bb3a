//! The maximum over windows, with the position of each.

use super::Windows;
use crate::kernel::real::Real;

/// Maximum over each window, and its flat position within the plane.
///
/// x `[planes, H, W] ->` y and positions `[planes, Ho, Wo]`. The first maximum in row-major order of the window wins;
/// a NaN wins over everything, the last one of several. A window of nothing but padding yields -infinity at -1.
///
/// # Panics
/// If a slice has not the length that the geometry says, or a plane has 2^31 elements or more.
pub fn max_pool<T: Real>(windows: &Windows, x: &[T], y: &mut [T], positions: &mut [i32]) {
    let (plane, out) = windows.check(x, y);
    assert_eq!(positions.len(), y.len());
    assert!(i32::try_from(plane).is_ok());
    if out == 0 {
        return;
    }
    let [height, width] = windows.output();
    let halves = windows.kernel == [2, 2]
        && windows.stride == [2, 2]
        && windows.padding == [0, 0]
        && windows.dilation == [1, 1];
    pulp::Arch::new().dispatch(|| {
        let results = y.chunks_exact_mut(out).zip(positions.chunks_exact_mut(out));
        for (x, (y, positions)) in x.chunks_exact(plane.max(1)).zip(results) {
            let rows = y.chunks_exact_mut(width).zip(positions.chunks_exact_mut(width));
            for (row, (y, positions)) in rows.enumerate().take(height) {
                if halves {
                    row_of_halves(x, windows.input[1], row, y, positions);
                } else {
                    row_of_windows(windows, x, row, y, positions);
                }
            }
        }
    });
}

/// Whether `x` replaces the maximum so far.
#[inline(always)]
fn wins<T: Real>(x: T, best: T) -> bool {
    (x > best) | x.is_nan()
}

#[inline(always)]
fn row_of_halves<T: Real>(x: &[T], width: usize, row: usize, y: &mut [T], positions: &mut [i32]) {
    let start = 2 * row * width;
    let (above, _) = x[start..][..width].as_chunks::<2>();
    let (below, _) = x[start + width..][..width].as_chunks::<2>();
    let (start, width) = (start as i32, width as i32);
    let results = y.iter_mut().zip(positions.iter_mut());
    for (j, ((y, position), (above, below))) in results.zip(above.iter().zip(below)).enumerate() {
        let (mut best, mut at) = (above[0], 0);
        for (x, place) in [(above[1], 1), (below[0], width), (below[1], width + 1)] {
            let wins = wins(x, best);
            best = if wins { x } else { best };
            at = if wins { place } else { at };
        }
        *y = best;
        *position = start + 2 * j as i32 + at;
    }
}

#[inline(always)]
fn row_of_windows<T: Real>(windows: &Windows, x: &[T], row: usize, y: &mut [T], positions: &mut [i32]) {
    y.fill(T::neg_infinity());
    positions.fill(-1);
    let (width, stride) = (windows.input[1], windows.stride[1]);
    for i in 0..windows.kernel[0] {
        let Some(i) = windows.position(0, row, i) else { continue };
        for j in 0..windows.kernel[1] {
            let (first, end, j) = windows.range(1, j);
            let start = i * width + j;
            let results = y[first..end].iter_mut().zip(&mut positions[first..end]);
            if first == end {
                continue;
            }
            for (n, ((y, position), &x)) in results.zip(x[start..].iter().step_by(stride)).enumerate() {
                let wins = wins(x, *y) | (*position < 0);
                *y = if wins { x } else { *y };
                *position = if wins { (start + n * stride) as i32 } else { *position };
            }
        }
    }
}

/// Adjoint of [`max_pool`]: each cotangent goes to the position that won.
///
/// y_bar and positions `[planes, Ho, Wo] ->` x_bar `[planes, H, W]`; with `accumulate` it is added to `x_bar`.
///
/// # Panics
/// If a slice has not the length that the geometry says, or a position lies outside its plane.
pub fn max_pool_cotangent<T: Real>(
    windows: &Windows,
    y_bar: &[T],
    positions: &[i32],
    accumulate: bool,
    x_bar: &mut [T],
) {
    let (plane, out) = windows.check(x_bar, y_bar);
    assert_eq!(positions.len(), y_bar.len());
    if !accumulate {
        x_bar.fill(T::zero());
    }
    if out == 0 || plane == 0 {
        return;
    }
    let cotangents = y_bar.chunks_exact(out).zip(positions.chunks_exact(out));
    for (x_bar, (y_bar, positions)) in x_bar.chunks_exact_mut(plane).zip(cotangents) {
        for (&y_bar, &position) in y_bar.iter().zip(positions) {
            if position >= 0 {
                x_bar[position as usize] += y_bar;
            }
        }
    }
}
