//! Reductions over axes: the linear ones here, the others in files of their own.
//!
//! Forwards are `kernel::reduce`. Derivatives are recorded with the reduced axes kept at length 1, so that a lane's result
//! broadcasts against the lane.

mod extreme;
mod norm;
mod prod;
mod spread;
#[cfg(test)]
mod tests;

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::reduce::{self, Reduction, reduce};
use crate::memory::Dense;
use crate::op::{Mean, Sum};
use crate::rule::*;
use crate::shape::{Axes, Shape, axes, reduced};
use crate::term::Term;

/// The axes (ascending) and the shape of the result of a reduction of one real argument.
fn reduction(args: &[Arg<'_>], named: &Option<Axes>, keepdims: bool) -> Result<(Shape, Shape), Refusal> {
    let shape = expect(args, &[Dtype::Real])?[0];
    let over = axes(named.as_deref(), shape.len())?;
    let result = reduced(shape, &over, keepdims);
    Ok((over, result))
}

/// The axes of a reduction that has passed `infer`.
fn over(named: &Option<Axes>, ndim: usize) -> Shape {
    axes(named.as_deref(), ndim).expect("axes have passed `infer`")
}

/// How many elements are reduced together.
fn count(shape: &[usize], over: &[usize]) -> usize {
    over.iter().map(|&k| shape[k]).product()
}

/// Refuses lanes without elements.
fn not_empty(shape: &[usize], over: &[usize]) -> Result<(), Refusal> {
    match count(shape, over) {
        0 => Err(Refusal::new(
            ErrorKind::EmptyReduction,
            "nothing to reduce: it has no value over no elements",
        )),
        _ => Ok(()),
    }
}

/// A forward by `kernel::reduce`; `how` knows the number of elements in a lane.
fn forward<T: Functions, R: Reduction<T>>(
    x: &[Input<'_, T>],
    y: &mut [Output<'_, T>],
    named: &Option<Axes>,
    how: impl FnOnce(usize) -> R,
) -> Result<(), Refusal> {
    let x = x[0].real();
    let over = axes(named.as_deref(), x.ndim())?;
    reduce(&x, &over, y[0].slice(), how(count(x.shape(), &over)));
    Ok(())
}

/// `term`, of a reduction's result, with axes of length 1 where `x` was reduced.
fn keep<'r>(term: Term<'r>, x: Term<'r>, named: &Option<Axes>) -> Term<'r> {
    let shape = x.shape();
    term.reshape(&reduced(&shape, &over(named, shape.len()), true))
}

/// The only cotangent there is.
fn only<'r>(x_bar: Term<'r>) -> Cotangents<'r> {
    Cotangents::from_elem(Some(x_bar), 1)
}

/// What a rule says that its cotangent [repeats](Rule::repeats), in place.
fn repeat_kernel<T: Functions>(
    rule: &impl Rule,
    y_bar: &[Option<Dense<'_, T>>],
    x_bar: &mut [Option<Cotangent<'_, T>>],
) -> bool {
    let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
    let (shape, accumulate) = (x_bar.array.shape(), x_bar.accumulate);
    match rule.repeats(shape) {
        Some((over, divisor)) => {
            reduce::repeat(shape, &over, y_bar.slice(), divisor, x_bar.slice(), accumulate)
        }
        None => false,
    }
}

impl Rule for Sum {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one(reduction(args, &self.axes, self.keepdims)?.1)
    }
    /// `x_bar = y_bar`, repeated along the axes that were summed.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let x = call.args[0];
        let y_bar = keep(y_bar[0].expect("one result"), x, &self.axes);
        only(y_bar.broadcast_to(&x.shape()))
    }
    fn repeats(&self, x: &[usize]) -> Option<(Shape, f64)> {
        Some((over(&self.axes, x.len()), 1.0))
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for Sum {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        forward(x, y, &self.axes, |_| reduce::Sum { divisor: 1.0 })
    }
    fn vjp_kernel(&self, Adjoint { y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        repeat_kernel(self, y_bar, x_bar)
    }
}

impl Rule for Mean {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one(reduction(args, &self.axes, self.keepdims)?.1)
    }
    /// `x_bar = y_bar / n`, repeated along the axes.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let x = call.args[0];
        let shape = x.shape();
        let y_bar = keep(y_bar[0].expect("one result"), x, &self.axes);
        let n = count(&shape, &over(&self.axes, shape.len())) as f64;
        only((y_bar / spread::lit(x, n)).broadcast_to(&shape))
    }
    fn repeats(&self, x: &[usize]) -> Option<(Shape, f64)> {
        let over = over(&self.axes, x.len());
        let n = count(x, &over);
        Some((over, n as f64))
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for Mean {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        forward(x, y, &self.axes, |n| reduce::Sum { divisor: n as f64 })
    }
    fn vjp_kernel(&self, Adjoint { y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        repeat_kernel(self, y_bar, x_bar)
    }
}
