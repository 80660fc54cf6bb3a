//! `batch_norm` and `group_norm`, over the numbers of a channel or of a group of channels.

use super::{Statistics, check_eps, check_scale, cotangents};
use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::rows::channels::{self, Channels, norm, norm_cotangent};
use crate::kernel::rows::norm::Moments;
use crate::kernel::scratch::{self, Scratch, dense};
use crate::op::{BatchNorm, GroupNorm, LayerNorm};
use crate::rule::*;
use crate::shape::Shape;
use crate::term::Term;

/// What the two ops share: `groups` as in [`Channels`].
struct Groups {
    groups: Option<usize>,
    eps: f64,
}

impl Groups {
    /// y, and hidden, the mean and the reciprocal deviation of each group.
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect_optional(args, &[Dtype::Real; 3], 1)?;
        let x = shapes[0];
        check_eps(self.eps)?;
        if x.len() < 2 {
            let rule = format!("the argument needs axes for batch and channels, and has {} axes", x.len());
            return Err(Refusal::new(ErrorKind::RankMismatch, rule));
        }
        check_scale("weight", shapes.get(1), &x[1..2])?;
        check_scale("bias", shapes.get(2), &x[1..2])?;
        let moments = Spec::real(Shape::from_elem(self.channels(x).moments(), 1));
        Ok(Specs::from_iter([Spec::real(x.into()), moments.clone(), moments]))
    }

    fn channels(&self, x: &[usize]) -> Channels {
        Channels { shape: [x[0], x[1], x[2..].iter().product()], groups: self.groups }
    }

    /// The shape `[outer, groups, inner]` in which each group is what one index of the middle leaves, and its statistics.
    fn statistics(&self, x: &[usize]) -> ([usize; 3], Statistics) {
        let of = self.channels(x);
        let shape = if self.groups.is_none() { of.shape } else { [1, of.moments(), of.count()] };
        let axes = [0, 2].into_iter().collect();
        (shape, Statistics { axes, n: of.count(), eps: self.eps, centred: true })
    }

    fn forward<T: Functions>(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) {
        let [y, mean, scale] = y else { unreachable!("`infer` promised three results") };
        scratch::with(|Scratch { dense: [a, b, c], norm: room, .. }| {
            let weight = x.get(1).map(|weight| dense(weight.real(), b));
            let bias = x.get(2).map(|bias| dense(bias.real(), c));
            let of = self.channels(x[0].shape());
            let moments = Moments { mean: mean.slice(), scale: scale.slice() };
            norm(dense(x[0].real(), a), of, T::of(self.eps), [weight, bias], y.slice(), moments, room);
        });
    }

    /// `x_bar = J (y_bar w)`, `w_bar = y_bar z` and `b_bar = y_bar`, summed over all axes but that of the channels.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: Term<'r>) -> Cotangents<'r> {
        let shape = y_bar.shape();
        let (folded, over) = self.statistics(&shape);
        let moments = over.normalised(call.args[0].reshape(&folded));
        let weighted = call.args.get(1).map_or(y_bar, |&w| y_bar * beside(w, &shape));
        let of_channel = |bar: Term<'r>| {
            let axes: Shape = (0..shape.len()).filter(|&axis| axis != 1).collect();
            bar.sum(&axes, false)
        };
        let bar = |k| match k {
            0 => over.project(moments, weighted.reshape(&folded)).reshape(&shape),
            1 => of_channel(y_bar * moments.0.reshape(&shape)),
            _ => of_channel(y_bar),
        };
        call.needs.iter().enumerate().map(|(k, &needed)| needed.then(|| bar(k))).collect()
    }

    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let shape = call.args[0].shape();
        let (folded, over) = self.statistics(&shape);
        let moments = over.normalised(call.args[0].reshape(&folded));
        let dot = |k: usize| x_dot.get(k).copied().flatten();
        let through = |x_dot: Term<'r>| {
            let z_dot = over.project(moments, x_dot.reshape(&folded)).reshape(&shape);
            call.args.get(1).map_or(z_dot, |&w| z_dot * beside(w, &shape))
        };
        let by_weight = |w_dot| moments.0.reshape(&shape) * beside(w_dot, &shape);
        let shift = |b_dot| beside(b_dot, &shape).broadcast_to(&shape);
        let parts = [dot(0).map(through), dot(1).map(by_weight), dot(2).map(shift)];
        let sum = parts.into_iter().flatten().reduce(|sum, part| sum + part)?;
        Some(Terms::from_elem(sum, 1))
    }

    fn vjp_kernel<T: Functions>(&self, Adjoint { x, y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (mean, scale) = (y[1].real(), y[2].real());
        let (Some(y_bar), Some(mean), Some(scale)) = (&y_bar[0], mean.as_slice(), scale.as_slice()) else {
            return false;
        };
        let out = cotangents(x_bar);
        scratch::with(|Scratch { dense: [a, b, ..], norm: room, .. }| {
            let weight = x.get(1).map(|weight| dense(weight.real(), b));
            let of = self.channels(y_bar.shape());
            let (x, y_bar) = (dense(x[0].real(), a), y_bar.slice());
            norm_cotangent(x, of, [mean, scale], weight, y_bar, out, room);
        });
        true
    }
}

/// A weight or bias `[C]` as it broadcasts beside x.
fn beside<'r>(w: Term<'r>, x: &[usize]) -> Term<'r> {
    let mut shape: Shape = Shape::from_elem(1, x.len() - 1);
    shape[0] = x[1];
    w.reshape(&shape)
}

impl BatchNorm {
    fn groups(&self) -> Groups {
        Groups { groups: None, eps: self.eps }
    }
}

impl GroupNorm {
    fn groups(&self) -> Groups {
        Groups { groups: Some(self.num_groups), eps: self.eps }
    }
}

impl GroupNorm {
    fn check_groups(&self, args: &[Arg<'_>]) -> Result<(), Refusal> {
        let Some(&channels) = args.first().and_then(|x| x.shape.get(1)) else { return Ok(()) };
        if (1..=channels.max(1)).contains(&self.num_groups) && channels.is_multiple_of(self.num_groups) {
            return Ok(());
        }
        let rule = format!("{channels} channels do not divide into {} groups", self.num_groups);
        Err(Refusal::new(ErrorKind::InvalidAttribute, rule))
    }
}

macro_rules! channel_norms {
    ($($Op:ident { $($own:tt)* })*) => { $(impl Rule for $Op {
        $($own)*
        fn visible(&self) -> usize {
            1
        }
        fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
            self.groups().vjp(call, y_bar[0].expect("one visible result"))
        }
        fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
            self.groups().jvp(call, x_dot)
        }
    }

    impl<T: Functions> Kernels<T> for $Op {
        fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
            self.groups().forward(x, y);
            Ok(())
        }
        fn vjp_kernel(&self, call: Adjoint<'_, '_, T>) -> bool {
            self.groups().vjp_kernel(call)
        }
    })* };
}
channel_norms! {
    BatchNorm {
        fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
            self.groups().infer(args)
        }
    }
    GroupNorm {
        fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
            self.check_groups(args)?;
            self.groups().infer(args)
        }

        /// Where a channel of an example has few numbers: each group in one row, a layer norm.
        fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
            let shape = args[0].shape();
            let of = self.groups().channels(&shape);
            if of.shape[2] >= channels::RUN {
                return None;
            }
            let layer = LayerNorm { normalized_shape: [of.count()].into_iter().collect(), eps: self.eps };
            let z = args[0].reshape(&[of.moments(), of.count()]).apply(layer, &[]).reshape(&shape);
            let y = args.get(1).map_or(z, |&weight| z * beside(weight, &shape));
            let y = args.get(2).map_or(y, |&bias| y + beside(bias, &shape));
            Some(Terms::from_elem(y, 1))
        }
    }
}
