//! `max_pool1d` and `max_pool2d`, and the scatter and gather of positions that its derivatives are.

use super::window::{Window, check_axes, joined, lengths, pair, spatial};
use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::pool::{Windows, gather_positions, max_pool, max_pool_cotangent};
use crate::kernel::scratch::{self, Scratch, dense};
use crate::op::{MaxPool, PoolGather, PoolScatter};
use crate::ops::moving::moved;
use crate::rule::*;
use crate::shape::{Axes, Shape};
use crate::term::Term;

/// The windows of a pool on x `[N, C, ..]`.
pub(super) fn windows(
    x: &[usize],
    rank: usize,
    kernel: &Axes,
    stride: &Axes,
    padding: &Axes,
    dilation: &Axes,
) -> Result<Windows, Refusal> {
    check_axes("the input", x, rank)?;
    if kernel.is_empty() {
        return Err(Refusal::new(ErrorKind::InvalidAttribute, "the kernel's lengths are missing"));
    }
    let size = pair("kernel", kernel, rank, 1, [1, 1])?;
    let stride = if stride.is_empty() { kernel } else { stride };
    let window = Window::new(rank, size, stride, padding, dilation)?;
    for axis in 0..2 {
        if window.padding[axis] > window.reach(axis) / 2 {
            // A window of nothing but padding has neither a maximum nor a mean.
            let (padding, reach) = (window.padding[axis], window.reach(axis));
            let rule = format!("padding {padding} is more than half of the kernel's length {reach}");
            return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
        }
    }
    let input = lengths(x, rank);
    if input.contains(&0) {
        let rule = "the input has a spatial axis of length 0: windows of nothing but padding";
        return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
    }
    let Window { kernel, stride, padding, dilation } = window.fitted(input)?;
    if input[0].checked_mul(input[1]).is_none_or(|plane| plane > i32::MAX as usize) {
        return Err(Refusal::new(ErrorKind::ShapeMismatch, "a plane has 2^31 elements or more"));
    }
    Ok(Windows { planes: x[0] * x[1], input, kernel, stride, padding, dilation })
}

impl MaxPool {
    fn windows(&self, x: &[usize]) -> Result<Windows, Refusal> {
        windows(x, self.rank, &self.kernel, &self.stride, &self.padding, &self.dilation)
    }
}

impl Rule for MaxPool {
    /// The maxima, and hidden, their positions in their planes.
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let x = expect(args, &[Dtype::Real])?[0];
        let windows = self.windows(x)?;
        let shape = joined(x[0], x[1], windows.output(), self.rank);
        Ok([Spec::real(shape.clone()), Spec::index(shape)].into_iter().collect())
    }

    fn visible(&self) -> usize {
        1
    }

    /// The cotangent of each window goes to the entry that won.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let size = spatial(lengths(&call.args[0].shape(), self.rank), self.rank);
        let y_bar = y_bar[0].expect("one visible result");
        Cotangents::from_elem(Some(y_bar.apply(PoolScatter { size }, &[call.results[1]])), 1)
    }

    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        Some(Terms::from_elem(x_dot[0]?.apply(PoolGather {}, &[call.results[1]]), 1))
    }
}

impl<T: Functions> Kernels<T> for MaxPool {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let x = x[0].real();
        let windows = self.windows(x.shape())?;
        let [y, positions] = y else { unreachable!("`infer` promised two results") };
        let mut positions = positions.index();
        let positions = positions.as_slice_mut().expect("results lie row-major without gaps");
        scratch::with(|Scratch { pool: work, dense: [a, ..], .. }| {
            max_pool(&windows, dense(x, a), work, y.slice(), positions);
        });
        Ok(())
    }

    fn vjp_kernel(&self, Adjoint { x, y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (positions, x) = (y[1].index(), x[0].real());
        let (Some(y_bar), Some(bar), Some(positions)) = (&y_bar[0], &mut x_bar[0], positions.as_slice())
        else {
            return false;
        };
        let (planes, accumulate) = (x.shape()[0] * x.shape()[1], bar.accumulate);
        max_pool_cotangent(planes, y_bar.slice(), positions, accumulate, bar.slice());
        true
    }
}

/// Refuses arrays that are not `[N, C, ..]` with 1 or 2 spatial axes.
fn rank_of(what: &str, shape: &[usize]) -> Result<usize, Refusal> {
    let rank = shape.len().clamp(3, 4) - 2;
    check_axes(what, shape, rank).map(|()| rank)
}

/// The positions in row-major order, each -1 or within its plane.
fn checked<'a>(
    positions: &'a ndarray::ArrayViewD<'_, i64>,
    plane: usize,
    room: &'a mut Vec<i64>,
) -> Result<&'a [i64], Refusal> {
    if let Some(&bad) = positions.iter().find(|&&p| p < -1 || p >= plane as i64) {
        let rule = format!("position {bad} is outside of a plane of {plane}");
        return Err(Refusal::new(ErrorKind::IndexOutOfRange, rule));
    }
    Ok(match positions.as_slice() {
        Some(slice) => slice,
        None => {
            room.extend(positions);
            room
        }
    })
}

impl Rule for PoolScatter {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real, Dtype::Index])?;
        let rank = rank_of("the first argument", shapes[0])?;
        if shapes[0] != shapes[1] || self.size.len() != rank {
            let rule = format!("values, positions and planes of {:?} do not fit", &self.size[..]);
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        moved(shapes[0][..2].iter().chain(&self.size).copied().collect(), Dtype::Real)
    }

    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let bar = y_bar[0].map(|y_bar| y_bar.apply(PoolGather {}, &[call.args[1]]));
        [bar, None].into_iter().collect()
    }

    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for PoolScatter {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (values, positions) = (x[0].real(), x[1].index());
        let mut room = Vec::new();
        let positions = checked(&positions, self.size.iter().product(), &mut room)?;
        let planes = values.shape()[0] * values.shape()[1];
        scratch::with(|Scratch { dense: [a, ..], .. }| {
            max_pool_cotangent(planes, dense(values, a), positions, false, y[0].slice());
        });
        Ok(())
    }
}

impl Rule for PoolGather {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real, Dtype::Index])?;
        rank_of("the first argument", shapes[0])?;
        if shapes[1].len() != shapes[0].len() || shapes[0][..2] != shapes[1][..2] {
            return Err(Refusal::new(ErrorKind::ShapeMismatch, "values and positions have different planes"));
        }
        one(Shape::from_slice(shapes[1]))
    }

    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let size = call.args[0].shape()[2..].iter().copied().collect();
        let bar = y_bar[0].map(|y_bar| y_bar.apply(PoolScatter { size }, &[call.args[1]]));
        [bar, None].into_iter().collect()
    }

    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for PoolGather {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (values, positions) = (x[0].real(), x[1].index());
        let mut room = Vec::new();
        let positions = checked(&positions, values.shape()[2..].iter().product(), &mut room)?;
        let planes = values.shape()[0] * values.shape()[1];
        scratch::with(|Scratch { dense: [a, ..], .. }| {
            gather_positions(planes, dense(values, a), positions, y[0].slice());
        });
        Ok(())
    }
}
