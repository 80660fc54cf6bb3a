//! Convolutions and pools, 1-d and 2-d.
//!
//! A convolution is one of three faces of the form `<y, conv(x, w)>`, linear in each of x, w and y: fix two of them and
//! the third's coefficients are [`Conv`](crate::op::Conv), [`ConvTranspose`](crate::op::ConvTranspose) or
//! [`ConvWeight`](crate::op::ConvWeight). The derivative of each face is the other two, so the three are closed and
//! every order follows. Pools close in pairs: mean and its adjoint, the scatter and the gather of positions.
//!
//! Kernels are 2-d; a 1-d op is one of height 1. Their memory is the thread's `kernel::scratch`.

mod avg_pool;
mod correlate;
mod max_pool;
#[cfg(test)]
mod tests;
mod transpose;
mod weight;
mod window;

use crate::op::Op;
use crate::rule::{Call, Terms};
use crate::shape::Shape;
use crate::term::Term;

/// The tangent of an op that is linear in each of its first two arguments and adds the third to the channels.
fn bilinear_jvp<'r>(op: Op, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
    let (a, b) = (call.args[0], call.args[1]);
    let parts = [
        x_dot[0].map(|a_dot| a_dot.apply(op.clone(), &[b])),
        x_dot[1].map(|b_dot| a.apply(op, &[b_dot])),
        x_dot.get(2).copied().flatten().map(|bias| over_channels(bias, a.ndim())),
    ];
    let sum = parts.into_iter().flatten().reduce(|sum, part| sum + part)?;
    Some(Terms::from_elem(sum, 1))
}

/// `[C]` laid along axis 1 of an array of `ndim` axes.
fn over_channels(bias: Term<'_>, ndim: usize) -> Term<'_> {
    let mut shape: Shape = Shape::from_elem(1, ndim - 1);
    shape[0] = bias.shape()[0];
    bias.reshape(&shape)
}

/// `[N, C, ..] -> [C]`: the cotangent of a bias.
fn sum_to_channels(y_bar: Term<'_>) -> Term<'_> {
    let axes: Shape = (0..y_bar.ndim()).filter(|&k| k != 1).collect();
    y_bar.sum(&axes, false)
}
