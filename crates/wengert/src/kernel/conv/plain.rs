//! The cotangent products as plain loops over valid taps only: what runs when an operand is not finite.
//!
//! The fast kernels multiply zeros that the definition does not contain (margins, gaps between rows); an infinity or
//! NaN there would spread to results that it has no part in.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::Geometry;
use crate::kernel::real::Real;
use crate::kernel::threads;

/// Whether no element is infinite or NaN. One pass, vectorised.
pub fn all_finite<T: Real>(x: &[T]) -> bool {
    let finite = |x: &[T]| x.chunks(64).all(|x| x.iter().fold(true, |finite, x| finite & x.is_finite()));
    if !threads::pays(x.len()) {
        return finite(x);
    }
    let all = AtomicBool::new(true);
    threads::each(x.chunks(threads::PIECE), |x| _ = all.fetch_and(finite(x), Relaxed));
    all.into_inner()
}

/// Calls `visit(x position, w position, y position)` for every product of the convolution.
fn for_each_product(geometry: &Geometry, mut visit: impl FnMut(usize, usize, usize)) {
    let &Geometry { input, kernel, stride, padding, dilation, .. } = geometry;
    let output = geometry.output();
    let (from, to) = (geometry.in_channels / geometry.groups, geometry.out_channels / geometry.groups);
    let source = |axis: usize, o: usize, k: usize| {
        let u = o * stride[axis] + k * dilation[axis];
        u.checked_sub(padding[axis]).filter(|&u| u < input[axis])
    };
    for image in 0..geometry.batch {
        for channel in 0..geometry.out_channels {
            let y = (image * geometry.out_channels + channel) * output[0] * output[1];
            for c in 0..from {
                let x = (image * geometry.in_channels + channel / to * from + c) * input[0] * input[1];
                for k in 0..kernel[0] * kernel[1] {
                    let w = (channel * from + c) * kernel[0] * kernel[1] + k;
                    for o in 0..output[0] * output[1] {
                        let row = source(0, o / output[1], k / kernel[1]);
                        let column = source(1, o % output[1], k % kernel[1]);
                        if let (Some(row), Some(column)) = (row, column) {
                            visit(x + row * input[1] + column, w, y + o);
                        }
                    }
                }
            }
        }
    }
}

/// What results are added to: zero, unless `accumulate`, and the bias of each plane's channel.
pub fn start<T: Real>(out: &mut [T], plane: usize, bias: Option<&[T]>, accumulate: bool) {
    if !accumulate {
        out.fill(T::zero());
    }
    if let Some(bias) = bias {
        for (out, &bias) in out.chunks_exact_mut(plane).zip(bias.iter().cycle()) {
            out.iter_mut().for_each(|out| *out += bias);
        }
    }
}

/// See [`input_cotangent`](super::input_cotangent).
pub fn input_cotangent<T: Real>(
    geometry: &Geometry,
    y_bar: &[T],
    w: &[T],
    bias: Option<&[T]>,
    accumulate: bool,
    x_bar: &mut [T],
) {
    start(x_bar, geometry.input[0] * geometry.input[1], bias, accumulate);
    for_each_product(geometry, |i, j, k| x_bar[i] += w[j] * y_bar[k]);
}

/// See [`weight_cotangent`](super::weight_cotangent).
pub fn weight_cotangent<T: Real>(
    geometry: &Geometry,
    x: &[T],
    y_bar: &[T],
    accumulate: bool,
    w_bar: &mut [T],
) {
    if !accumulate {
        w_bar.fill(T::zero());
    }
    for_each_product(geometry, |i, j, k| w_bar[j] += x[i] * y_bar[k]);
}
