//! `conv_weight`: the weight's cotangent of a convolution, as an op; recorded by derivatives only.

use super::bilinear_jvp;
use super::correlate::{check_groups, geometry, image_of};
use super::window::{Window, check_axes, check_rank, joined, lengths};
use crate::error::{ErrorKind, Refusal};
use crate::kernel::conv::{self, Geometry};
use crate::kernel::functions::Functions;
use crate::kernel::scratch::{self, Scratch, dense};
use crate::op::{Conv, ConvWeight};
use crate::rule::*;
use crate::term::Term;

impl ConvWeight {
    fn geometry(&self, x: &[usize], y: &[usize]) -> Result<Geometry, Refusal> {
        check_axes("the input", x, self.rank)?;
        check_axes("the result", y, self.rank)?;
        if self.kernel.len() != self.rank {
            let rule = format!("kernel has {} entries for {} spatial axes", self.kernel.len(), self.rank);
            return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
        }
        let (input, kernel) = (lengths(x, self.rank), lengths(&self.kernel, self.rank));
        let window = Window::new(self.rank, kernel, &self.stride, &self.padding, &self.dilation)?;
        check_groups(self.groups, "input", x[1])?;
        check_groups(self.groups, "output", y[1])?;
        let geometry = geometry(window.fitted(input)?, [x[0], x[1], y[1]], self.groups, input);
        let (want, have) = ((x[0], geometry.output()), (y[0], lengths(y, self.rank)));
        if want != have {
            let rule = format!("{have:?} (batch, lengths) are not those of the results, {want:?}");
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        Ok(geometry)
    }

    fn conv(&self) -> Conv {
        let ConvWeight { rank, stride, padding, dilation, groups, .. } = self.clone();
        Conv { rank, stride, padding, dilation, groups }
    }
}

impl Rule for ConvWeight {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        check_rank(self.rank)?;
        let shapes = expect(args, &[Dtype::Real; 2])?;
        let geometry = self.geometry(shapes[0], shapes[1])?;
        let channels = [geometry.out_channels, geometry.in_channels / self.groups];
        one(joined(channels[0], channels[1], geometry.kernel, self.rank))
    }

    /// With the cotangent u of the weight: `x_bar = conv_transpose(y, u)` and `y_bar = conv(x, u)`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, u: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (x, y, u) = (call.args[0], call.args[1], u[0].expect("one result"));
        let geometry = self.geometry(&x.shape(), &y.shape()).expect("the arguments have passed `infer`");
        let conv = self.conv();
        let (transpose, _) = conv.adjoints(&geometry);
        let x_bar = call.needs[0].then(|| image_of(x, y, transpose, u));
        let y_bar = call.needs[1].then(|| x.apply(conv, &[u]));
        [x_bar, y_bar].into_iter().collect()
    }

    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        bilinear_jvp(self.clone().into(), call, x_dot)
    }
}

impl<T: Functions> Kernels<T> for ConvWeight {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (image, y_bar) = (x[0].real(), x[1].real());
        let geometry = self.geometry(image.shape(), y_bar.shape())?;
        scratch::with(|Scratch { conv: work, dense: [a, b, _], .. }| {
            conv::weight_cotangent(&geometry, dense(image, a), dense(y_bar, b), false, work, y[0].slice());
        });
        Ok(())
    }
}
