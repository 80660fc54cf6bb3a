//! Reductions over axes.

use crate::error::Refusal;
use crate::kernel::functions::Functions;
use crate::kernel::walk::pairwise_sum;
use crate::op::Sum;
use crate::rule::*;
use crate::shape::{Axes, Shape, axes, reduced};
use crate::term::Term;

/// The axes (ascending) and the shape of the result of a reduction of one real argument.
pub(super) fn reduction(
    args: &[Arg],
    named: &Option<Axes>,
    keepdims: bool,
) -> Result<(Shape, Shape), Refusal> {
    let shape = expect(args, &[Dtype::Real])?[0];
    let over = axes(named.as_deref(), shape.len())?;
    let result = reduced(shape, &over, keepdims);
    Ok((over, result))
}

/// `term`, of a reduction's result, with axes of length 1 where `x` was reduced.
pub(super) fn keep<'r, T: Functions>(term: Term<'r, T>, x: Term<'r, T>, named: &Option<Axes>) -> Term<'r, T> {
    let shape = x.shape();
    let over = axes(named.as_deref(), shape.len()).expect("axes have passed `infer`");
    term.reshape(&reduced(&shape, &over, true))
}

impl<T: Functions> Rule<T> for Sum {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
        one(reduction(args, &self.axes, self.keepdims)?.1)
    }

    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let x = x[0].real();
        let over = axes(self.axes.as_deref(), x.ndim())?;
        for_lanes(&x, &over, y[0].slice(), |lane| pairwise_sum(lane));
        Ok(())
    }

    /// `x_bar = y_bar`, repeated along the axes that were summed.
    fn vjp<'r>(&self, call: &Call<'_, 'r, T>, y_bar: &[Option<Term<'r, T>>]) -> Cotangents<'r, T> {
        let x = call.args[0];
        let y_bar = keep(y_bar[0].expect("one result"), x, &self.axes);
        Cotangents::from_elem(Some(y_bar.broadcast_to(&x.shape())), 1)
    }

    fn is_linear(&self) -> bool {
        true
    }
}

/// Calls `f` on the elements that are reduced together (in row-major order) for each element of the result.
pub(super) fn for_lanes<T: Functions>(
    x: &ndarray::ArrayViewD<'_, T>,
    over: &[usize],
    out: &mut [T],
    mut f: impl FnMut(&[T]) -> T,
) {
    let kept: Shape = (0..x.ndim()).filter(|k| !over.contains(k)).collect();
    let order: Shape = kept.iter().chain(over).copied().collect();
    let len: usize = over.iter().map(|&k| x.shape()[k]).product();
    let permuted = x.view().permuted_axes(&order[..]);
    if let (Some(slice), true) = (permuted.as_slice(), len > 0) {
        return out.iter_mut().zip(slice.chunks_exact(len)).for_each(|(o, lane)| *o = f(lane));
    }
    let mut elements = permuted.iter();
    let mut lane = Vec::with_capacity(len);
    for o in out {
        lane.clear();
        lane.extend(elements.by_ref().take(len).copied());
        *o = f(&lane);
    }
}

super::pending::pending! { Mean Prod Max Min Variance Std Norm LogSumExp ArgMax ArgMin }
