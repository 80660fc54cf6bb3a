//! Ops of the user's own.

use ndarray::{ArrayD, ArrayViewD};

use crate::error::Refusal;
use crate::graph::Graph;
use crate::kernel::functions::Functions;
use crate::shape::Shape;
use crate::var::Var;

/// An op on real arrays that is not ours.
///
/// The forward computes on bare arrays; the vjp is written in recorded ops, so that derivatives of every order follow.
pub trait Custom<T: Functions>: Send + Sync + 'static {
    /// The name in errors and pictures.
    fn name(&self) -> &'static str;

    /// The shape of the result for arguments of these shapes, or why they do not fit.
    fn shape(&self, args: &[Shape]) -> Result<Shape, Refusal>;

    /// The result.
    fn forward(&self, x: &[ArrayViewD<'_, T>]) -> ArrayD<T>;

    /// The cotangent of each argument from that of the result, recorded on `g`.
    ///
    /// `x` are the arguments, `y` is the result, `y_bar` its cotangent. `None`: no cotangent.
    fn vjp(&self, g: &Graph<T>, x: &[Var], y: Var, y_bar: Var) -> Result<Vec<Option<Var>>, Refusal>;
}
