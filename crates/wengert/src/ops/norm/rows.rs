//! `layer_norm` and `rms_norm`, over trailing axes.
//!
//! With the mean m of a row (0 for RMS norm) and `r = 1 / sqrt(mean((x - m)^2) + eps)`, both are `y = z w + b` with
//! `z = (x - m) r`. Recorded derivatives compute m and r anew from x ([`Statistics`]); the fused kernels use those that the
//! forward has kept.

use super::{Statistics, check_eps, check_scale, cotangents};
use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::rows::norm::{Moments, norm, norm_cotangent};
use crate::kernel::scratch::{self, Scratch, dense};
use crate::op::{LayerNorm, RmsNorm};
use crate::rule::*;
use crate::term::Term;

/// What the two ops share.
struct Rows<'a> {
    /// The lengths of a row's axes.
    row: &'a [usize],
    eps: f64,
    centred: bool,
}

impl Rows<'_> {
    /// y, and hidden, the mean (layer norm only) and the reciprocal deviation of each row.
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes =
            expect_optional(args, if self.centred { &[Dtype::Real; 3] } else { &[Dtype::Real; 2] }, 1)?;
        let x = shapes[0];
        check_eps(self.eps)?;
        if self.row.is_empty() || self.row.len() > x.len() {
            let rule = format!("normalized_shape {:?} names no trailing axes of {} axes", self.row, x.len());
            return Err(Refusal::new(ErrorKind::RankMismatch, rule));
        }
        let (outer, row) = x.split_at(x.len() - self.row.len());
        if row != self.row {
            let rule = format!("the trailing axes are {row:?}, normalized_shape is {:?}", self.row);
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        check_scale("weight", shapes.get(1), row)?;
        check_scale("bias", shapes.get(2), row)?;
        let moments = if self.centred { 2 } else { 1 };
        let hidden = std::iter::repeat_n(Spec::real(outer.into()), moments);
        Ok(std::iter::once(Spec::real(x.into())).chain(hidden).collect())
    }

    fn forward<T: Functions>(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) {
        let n = self.row.iter().product();
        let Some((y, moments)) = y.split_first_mut() else { unreachable!("`infer` promised results") };
        let Some((scale, mean)) = moments.split_last_mut() else { unreachable!("`infer` promised moments") };
        let mean = mean.first_mut().map_or(&mut [][..], Output::slice);
        scratch::with(|Scratch { dense: [a, b, c], .. }| {
            let weight = x.get(1).map(|weight| dense(weight.real(), b));
            let bias = x.get(2).map(|bias| dense(bias.real(), c));
            let moments = Moments { mean, scale: scale.slice() };
            norm(dense(x[0].real(), a), n, T::of(self.eps), weight, bias, y.slice(), moments);
        });
    }

    fn statistics(&self, ndim: usize) -> Statistics {
        let axes = (ndim - self.row.len()..ndim).collect();
        Statistics { axes, n: self.row.iter().product(), eps: self.eps, centred: self.centred }
    }

    /// `x_bar = J (y_bar w)`, `w_bar = y_bar z` and `b_bar = y_bar`, summed over the rows by whoever called.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: Term<'r>) -> Cotangents<'r> {
        let over = self.statistics(call.args[0].ndim());
        let moments = over.normalised(call.args[0]);
        let weighted = call.args.get(1).map_or(y_bar, |&w| y_bar * w);
        let bars = [over.project(moments, weighted), y_bar * moments.0, y_bar];
        bars.into_iter().zip(call.needs).map(|(bar, &needed)| needed.then_some(bar)).collect()
    }

    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let over = self.statistics(call.args[0].ndim());
        let moments = over.normalised(call.args[0]);
        let dot = |k: usize| x_dot.get(k).copied().flatten();
        let through = |x_dot| {
            let z_dot = over.project(moments, x_dot);
            call.args.get(1).map_or(z_dot, |&w| z_dot * w)
        };
        let parts = [dot(0).map(through), dot(1).map(|w_dot| moments.0 * w_dot), dot(2)];
        let sum = parts.into_iter().flatten().reduce(|sum, part| sum + part)?;
        Some(Terms::from_elem(sum, 1))
    }

    fn vjp_kernel<T: Functions>(
        &self,
        x: &[Input<'_, T>],
        y: &[Input<'_, T>],
        y_bar: &[T],
        x_bar: &mut [Option<Cotangent<'_, T>>],
    ) -> bool {
        let (mean, scale) = (self.centred.then(|| y[1].real()), y[y.len() - 1].real());
        let (Some(mean), Some(scale)) =
            (mean.as_ref().map_or(Some(&[][..]), |m| m.as_slice()), scale.as_slice())
        else {
            return false;
        };
        let out = cotangents(x_bar);
        scratch::with(|Scratch { dense: [a, b, ..], .. }| {
            let weight = x.get(1).map(|weight| dense(weight.real(), b));
            let n = self.row.iter().product();
            norm_cotangent(dense(x[0].real(), a), n, mean, scale, weight, y_bar, out);
        });
        true
    }
}

impl LayerNorm {
    fn rows(&self) -> Rows<'_> {
        Rows { row: &self.normalized_shape, eps: self.eps, centred: true }
    }
}

impl RmsNorm {
    fn rows(&self) -> Rows<'_> {
        Rows { row: &self.normalized_shape, eps: self.eps, centred: false }
    }
}

macro_rules! row_norms {
    ($($Op:ident)*) => { $(impl Rule for $Op {
        fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
            self.rows().infer(args)
        }
        fn visible(&self) -> usize {
            1
        }
        fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
            self.rows().vjp(call, y_bar[0].expect("one visible result"))
        }
        fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
            self.rows().jvp(call, x_dot)
        }
    }

    impl<T: Functions> Kernels<T> for $Op {
        fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
            self.rows().forward(x, y);
            Ok(())
        }
        fn vjp_kernel(&self, Adjoint { x, y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
            y_bar[0].as_ref().is_some_and(|y_bar| self.rows().vjp_kernel(x, y, y_bar.slice(), x_bar))
        }
    })* };
}
row_norms! { LayerNorm RmsNorm }
