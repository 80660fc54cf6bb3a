//! `batch_norm` and `group_norm`: layer norms of the channels' numbers.

use super::{check_eps, check_scale};
use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::op::{BatchNorm, GroupNorm, LayerNorm};
use crate::rule::*;
use crate::shape::Shape;
use crate::term::Term;

/// Checks what both ops want: x `[N, C, ..]`, weight and bias `[C]`.
fn infer(args: &[Arg], eps: f64) -> Result<&[usize], Refusal> {
    let shapes = expect_optional(args, &[Dtype::Real; 3], 1)?;
    let x = shapes[0];
    check_eps(eps)?;
    if x.len() < 2 {
        let rule = format!("the argument needs axes for batch and channels, and has {} axes", x.len());
        return Err(Refusal::new(ErrorKind::RankMismatch, rule));
    }
    check_scale("weight", shapes.get(1), &x[1..2])?;
    check_scale("bias", shapes.get(2), &x[1..2])?;
    Ok(x)
}

/// `x` normalised over its last axis.
fn normalise(x: Term<'_>, eps: f64) -> Term<'_> {
    let normalized_shape = x.shape().last().copied().into_iter().collect();
    x.apply(LayerNorm { normalized_shape, eps }, &[])
}

/// `z weight + bias`, both along axis 1.
fn scaled<'r>(z: Term<'r>, scales: &[Term<'r>]) -> Terms<'r> {
    let mut shape: Shape = Shape::from_elem(1, z.ndim() - 1);
    shape[0] = z.shape()[1];
    let y = scales.first().map_or(z, |weight| z * weight.reshape(&shape));
    let y = scales.get(1).map_or(y, |bias| y + bias.reshape(&shape));
    Terms::from_elem(y, 1)
}

impl Rule for BatchNorm {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
        one(infer(args, self.eps)?.into())
    }

    /// Channels first, and all the rest of a channel in one row.
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        let x = args[0];
        let mut order: Shape = (0..x.ndim()).collect();
        order.swap(0, 1);
        let first = x.permute(&order);
        let shape = first.shape();
        let rows = first.reshape(&[shape[0], shape[1..].iter().product()]);
        let z = normalise(rows, self.eps).reshape(&shape).permute(&order);
        Some(scaled(z, &args[1..]))
    }
}

impl<T: Functions> Kernels<T> for BatchNorm {}

impl Rule for GroupNorm {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
        let x = infer(args, self.eps)?;
        if !(1..=x[1].max(1)).contains(&self.num_groups) || !x[1].is_multiple_of(self.num_groups) {
            let rule = format!("{} channels do not divide into {} groups", x[1], self.num_groups);
            return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
        }
        one(x.into())
    }

    /// Each group of an example in one row.
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        let shape = args[0].shape();
        let row = shape[1] / self.num_groups * shape[2..].iter().product::<usize>();
        let rows = args[0].reshape(&[shape[0] * self.num_groups, row]);
        Some(scaled(normalise(rows, self.eps).reshape(&shape), &args[1..]))
    }
}

impl<T: Functions> Kernels<T> for GroupNorm {}
