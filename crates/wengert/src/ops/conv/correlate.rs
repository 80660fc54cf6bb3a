//! `conv1d` and `conv2d`.

use super::window::{Window, check_axes, joined, lengths, spatial};
use super::{bilinear_jvp, sum_to_channels};
use crate::error::{ErrorKind, Refusal};
use crate::kernel::conv::{self, Geometry};
use crate::kernel::functions::Functions;
use crate::kernel::scratch::{self, Scratch, dense};
use crate::op::{Conv, ConvTranspose, ConvWeight};
use crate::rule::*;
use crate::shape::Axes;
use crate::term::{Term, signed};

impl Conv {
    /// The geometry of x `[N, Ci, ..]` and w `[Co, Ci / groups, ..]`.
    pub(super) fn geometry(&self, x: &[usize], w: &[usize]) -> Result<Geometry, Refusal> {
        check_axes("the input", x, self.rank)?;
        check_axes("the weight", w, self.rank)?;
        let (input, kernel) = (lengths(x, self.rank), lengths(w, self.rank));
        let window = Window::new(self.rank, kernel, &self.stride, &self.padding, &self.dilation)?;
        check_groups(self.groups, "output", w[0])?;
        if w[1].checked_mul(self.groups) != Some(x[1]) {
            let rule = match self.groups {
                1 => format!("the input has {} channels, the weight takes {}", x[1], w[1]),
                n => format!(
                    "the input has {} channels, the weight takes {} in each of {n} groups",
                    x[1], w[1]
                ),
            };
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        Ok(geometry(window.fitted(input)?, [x[0], x[1], w[0]], self.groups, input))
    }

    /// The op that is linear in the cotangent of this one's result, yielding its argument's; and the one for its weight.
    pub(super) fn adjoints(&self, geometry: &Geometry) -> (ConvTranspose, ConvWeight) {
        let Conv { rank, stride, padding, dilation, groups } = self.clone();
        let attributes = (stride.clone(), padding.clone(), dilation.clone());
        let weight =
            ConvWeight { rank, kernel: spatial(geometry.kernel, rank), stride, padding, dilation, groups };
        let (stride, padding, dilation) = attributes;
        let output_padding = output_padding(geometry, rank);
        (ConvTranspose { rank, stride, padding, dilation, output_padding, groups }, weight)
    }
}

pub(super) fn geometry(
    window: Window,
    [batch, in_channels, out_channels]: [usize; 3],
    groups: usize,
    input: [usize; 2],
) -> Geometry {
    let Window { kernel, stride, padding, dilation } = window;
    Geometry { batch, in_channels, out_channels, groups, input, kernel, stride, padding, dilation }
}

/// Refuses groups that do not divide the channels.
pub(super) fn check_groups(groups: usize, which: &str, channels: usize) -> Result<(), Refusal> {
    if groups == 0 {
        return Err(Refusal::new(ErrorKind::InvalidAttribute, "groups must be at least 1"));
    }
    if !channels.is_multiple_of(groups) {
        let rule = format!("{channels} {which} channels do not divide into {groups} groups");
        return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
    }
    Ok(())
}

/// Refuses a bias that is not `[channels]`.
pub(super) fn check_bias(bias: Option<&&[usize]>, channels: usize) -> Result<(), Refusal> {
    match bias {
        Some(&bias) if bias != [channels] => {
            let rule = format!("the bias must have shape [{channels}], not {bias:?}");
            Err(Refusal::new(ErrorKind::ShapeMismatch, rule))
        }
        _ => Ok(()),
    }
}

/// The rows and columns of the padded input behind the last window, which a transposed convolution has to be told.
fn output_padding(geometry: &Geometry, rank: usize) -> Axes {
    let output = geometry.output();
    let left = [0, 1].map(|axis| {
        let reach = geometry.dilation[axis] * (geometry.kernel[axis] - 1) + 1;
        geometry.input[axis] + 2 * geometry.padding[axis] - reach - (output[axis] - 1) * geometry.stride[axis]
    });
    signed(&spatial(left, rank))
}

const REAL: [Dtype; 3] = [Dtype::Real; 3];

/// The image of the shape of `x` that the transposed convolution makes of `y`. Where it has no elements there is none.
pub(super) fn image_of<'r>(x: Term<'r>, y: Term<'r>, transpose: ConvTranspose, w: Term<'r>) -> Term<'r> {
    let shape = x.shape();
    if shape.contains(&0) { x.full(&shape, 0.0) } else { y.apply(transpose, &[w]) }
}

impl Rule for Conv {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect_optional(args, &REAL, 2)?;
        let geometry = self.geometry(shapes[0], shapes[1])?;
        check_bias(shapes.get(2), geometry.out_channels)?;
        one(joined(geometry.batch, geometry.out_channels, geometry.output(), self.rank))
    }

    /// `x_bar = conv_transpose(y_bar, w)`, `w_bar = conv_weight(x, y_bar)`, `b_bar` the sums over all but the channels.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (x, w, y_bar) = (call.args[0], call.args[1], y_bar[0].expect("one result"));
        let geometry = self.geometry(&x.shape(), &w.shape()).expect("the arguments have passed `infer`");
        let (transpose, weight) = self.adjoints(&geometry);
        let mut bars = Cotangents::new();
        bars.push(call.needs[0].then(|| image_of(x, y_bar, transpose, w)));
        bars.push(call.needs[1].then(|| x.apply(weight, &[y_bar])));
        bars.extend(call.needs.get(2).map(|needed| needed.then(|| sum_to_channels(y_bar))));
        bars
    }

    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        bilinear_jvp(self.clone().into(), call, x_dot)
    }
}

impl<T: Functions> Kernels<T> for Conv {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (image, w) = (x[0].real(), x[1].real());
        let geometry = self.geometry(image.shape(), w.shape())?;
        scratch::with(|Scratch { conv: work, dense: [a, b, c], .. }| {
            let bias = x.get(2).map(|bias| dense(bias.real(), c));
            conv::forward(&geometry, dense(image, a), dense(w, b), bias, false, work, y[0].slice());
        });
        Ok(())
    }

    fn vjp_kernel(&self, Adjoint { x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (image, w) = (x[0].real(), x[1].real());
        let (Some(y_bar), Ok(geometry)) = (&y_bar[0], self.geometry(image.shape(), w.shape())) else {
            return false;
        };
        let [height, width] = geometry.output();
        scratch::with(|Scratch { conv: work, dense: [a, b, ..], .. }| {
            let y_bar = y_bar.slice();
            if let Some(bar) = &mut x_bar[0] {
                let accumulate = bar.accumulate;
                conv::input_cotangent(&geometry, y_bar, dense(w, b), None, accumulate, work, bar.slice());
            }
            if let Some(bar) = &mut x_bar[1] {
                let accumulate = bar.accumulate;
                conv::weight_cotangent(&geometry, dense(image, a), y_bar, accumulate, work, bar.slice());
            }
            if let Some(Some(bar)) = x_bar.get_mut(2) {
                let accumulate = bar.accumulate;
                conv::bias_cotangent(y_bar, height * width, accumulate, bar.slice());
            }
        });
        true
    }
}
