//! `conv_transpose1d` and `conv_transpose2d`: the argument's cotangent of a convolution, as an op.

use smallvec::SmallVec;

use super::correlate::{check_bias, check_groups, geometry};
use super::window::{Window, check_axes, joined, lengths, pair, spatial};
use super::{bilinear_jvp, sum_to_channels};
use crate::error::{ErrorKind, Refusal};
use crate::kernel::conv::{self, Geometry};
use crate::kernel::functions::Functions;
use crate::kernel::scratch::{self, Scratch, dense};
use crate::op::{Conv, ConvTranspose, ConvWeight, Pad};
use crate::rule::*;
use crate::term::{Term, signed};

impl ConvTranspose {
    fn window(&self, kernel: [usize; 2]) -> Result<Window, Refusal> {
        Window::new(self.rank, kernel, &self.stride, &self.padding, &self.dilation)
    }

    /// Rows and columns added behind the result.
    fn output_padding(&self, window: &Window) -> Result<[usize; 2], Refusal> {
        let added = pair("output_padding", &self.output_padding, self.rank, 0, [0, 0])?;
        for axis in 0..2 {
            let limit = window.stride[axis].max(window.dilation[axis]);
            if added[axis] >= limit {
                let rule = format!(
                    "output_padding {} must be less than the larger of stride and dilation, {limit}",
                    added[axis]
                );
                return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
            }
        }
        Ok(added)
    }

    /// The geometry of the convolution whose argument has the size of this one's result: x `[N, Ci, ..]` is the cotangent
    /// of its result, w `[Ci, Co / groups, ..]` its weight.
    fn geometry(&self, x: &[usize], w: &[usize]) -> Result<Geometry, Refusal> {
        check_axes("the input", x, self.rank)?;
        check_axes("the weight", w, self.rank)?;
        let window = self.window(lengths(w, self.rank))?;
        check_groups(self.groups, "input", x[1])?;
        if x[1] != w[0] {
            let rule = format!("the input has {} channels, the weight takes {}", x[1], w[0]);
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        let (from, added) = (lengths(x, self.rank), self.output_padding(&window)?);
        let mut size = [0; 2];
        for axis in 0..2 {
            let steps = from[axis].checked_sub(1).and_then(|n| n.checked_mul(window.stride[axis]));
            let steps = steps.ok_or_else(|| {
                let rule = format!("an input of length {} has no transposed convolution", from[axis]);
                Refusal::new(ErrorKind::ShapeMismatch, rule)
            })?;
            let (full, padding) = (steps + window.reach(axis) + added[axis], window.padding[axis]);
            size[axis] = full.checked_sub(2 * padding).filter(|&left| left > 0).ok_or_else(|| {
                let rule = format!("padding {padding} on both sides of {full} leaves nothing");
                Refusal::new(ErrorKind::ShapeMismatch, rule)
            })?;
        }
        let results = w[1].checked_mul(self.groups).ok_or_else(|| {
            let rule = format!("{} groups of {} channels are too many", self.groups, w[1]);
            Refusal::new(ErrorKind::InvalidAttribute, rule)
        })?;
        let channels = [x[0], results, w[0]];
        Ok(geometry(window.fitted(size)?, channels, self.groups, size))
    }

    /// An output padding in steps of the stride, and what is left of it: the steps are as many zeros behind the argument.
    fn steps_and_rest(&self, kernel: [usize; 2]) -> Result<[[usize; 2]; 2], Refusal> {
        let window = self.window(kernel)?;
        let added = self.output_padding(&window)?;
        Ok([
            [0, 1].map(|axis| added[axis] / window.stride[axis]),
            [0, 1].map(|axis| added[axis] % window.stride[axis]),
        ])
    }
}

const REAL: [Dtype; 3] = [Dtype::Real; 3];

impl Rule for ConvTranspose {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect_optional(args, &REAL, 2)?;
        let geometry = self.geometry(shapes[0], shapes[1])?;
        check_bias(shapes.get(2), geometry.in_channels)?;
        one(joined(geometry.batch, geometry.in_channels, geometry.input, self.rank))
    }

    /// Only where the output padding reaches a stride, which takes a dilation beyond it.
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        let kernel = lengths(&args[1].shape(), self.rank);
        let [steps, rest] = self.steps_and_rest(kernel).ok()?;
        if steps == [0, 0] {
            return None;
        }
        let inner = ConvTranspose { output_padding: signed(&spatial(rest, self.rank)), ..self.clone() };
        let mut widths: SmallVec<[(isize, isize); 4]> = SmallVec::from_elem((0, 0), 2);
        widths.extend(spatial(steps, self.rank).into_iter().map(|n| (0, n as isize)));
        let y = args[0].apply(Pad { widths, ..Pad::default() }, &[]).apply(inner, &args[1..]);
        Some(Terms::from_elem(y, 1))
    }

    /// `x_bar = conv(y_bar, w)`, `w_bar = conv_weight(y_bar, x)`, `b_bar` the sums over all but the channels.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (x, w, y_bar) = (call.args[0], call.args[1], y_bar[0].expect("one result"));
        let ConvTranspose { rank, stride, padding, dilation, groups, .. } = self.clone();
        let conv = Conv {
            rank,
            stride: stride.clone(),
            padding: padding.clone(),
            dilation: dilation.clone(),
            groups,
        };
        let kernel = spatial(lengths(&w.shape(), rank), rank);
        let weight = ConvWeight { rank, kernel, stride, padding, dilation, groups };
        let mut bars = Cotangents::new();
        bars.push(call.needs[0].then(|| y_bar.apply(conv, &[w])));
        bars.push(call.needs[1].then(|| y_bar.apply(weight, &[x])));
        bars.extend(call.needs.get(2).map(|needed| needed.then(|| sum_to_channels(y_bar))));
        bars
    }

    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        bilinear_jvp(self.clone().into(), call, x_dot)
    }
}

impl<T: Functions> Kernels<T> for ConvTranspose {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (image, w) = (x[0].real(), x[1].real());
        let geometry = self.geometry(image.shape(), w.shape())?;
        scratch::with(|Scratch { conv: work, dense: [a, b, c], .. }| {
            let bias = x.get(2).map(|bias| dense(bias.real(), c));
            conv::input_cotangent(&geometry, dense(image, a), dense(w, b), bias, false, work, y[0].slice());
        });
        Ok(())
    }

    fn vjp_kernel(&self, Adjoint { x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (image, w) = (x[0].real(), x[1].real());
        let (Some(y_bar), Ok(geometry)) = (&y_bar[0], self.geometry(image.shape(), w.shape())) else {
            return false;
        };
        let [height, width] = geometry.input;
        scratch::with(|Scratch { conv: work, dense: [a, b, ..], .. }| {
            let y_bar = y_bar.slice();
            if let Some(bar) = &mut x_bar[0] {
                let accumulate = bar.accumulate;
                conv::forward(&geometry, y_bar, dense(w, b), None, accumulate, work, bar.slice());
            }
            if let Some(bar) = &mut x_bar[1] {
                let accumulate = bar.accumulate;
                conv::weight_cotangent(&geometry, y_bar, dense(image, a), accumulate, work, bar.slice());
            }
            if let Some(Some(bar)) = x_bar.get_mut(2) {
                let accumulate = bar.accumulate;
                conv::bias_cotangent(y_bar, height * width, accumulate, bar.slice());
            }
        });
        true
    }
}
