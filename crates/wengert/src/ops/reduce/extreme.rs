//! The largest and smallest elements, and where they stand.

use super::spread::{lanes_kernel, lit};
use super::{forward, keep, not_empty, only, reduction};
use crate::error::Refusal;
use crate::kernel::functions::Functions;
use crate::kernel::reduce::{Extreme, Tied, Ties, position};
use crate::op::{ArgMax, ArgMin, Max, Min};
use crate::rule::*;
use crate::shape::{Axes, Shape, axes};
use crate::term::Term;
use crate::words::{Words, select};

/// For each element its share of the lane's cotangent: elements equal to the lane's result `y` share evenly. NaN where
/// the result is.
pub(super) fn shares<'r>(x: Term<'r>, y: Term<'r>, named: &Option<Axes>) -> Term<'r> {
    let ties = select(x.eq(y), lit(x, 1.0), lit(x, 0.0));
    let over = super::over(named, x.ndim());
    ties / ties.sum(&over, true)
}

macro_rules! extremes {
    ($($Op:ident $Arg:ident)*) => { $(
        impl Rule for $Op {
            fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
                let (over, result) = reduction(args, &self.axes, self.keepdims)?;
                not_empty(&args[0].shape, &over)?;
                one(result)
            }
            /// `x_bar = y_bar`, shared evenly by the elements that are the result.
            fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
                let x = call.args[0];
                let y = keep(call.results[0], x, &self.axes);
                let y_bar = keep(y_bar[0].expect("one result"), x, &self.axes);
                only(shares(x, y, &self.axes) * y_bar)
            }
        }

        impl<T: Functions> Kernels<T> for $Op {
            fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
                forward(x, y, &self.axes, |_| Extreme::$Op)
            }
            fn vjp_kernel(&self, Adjoint { x, y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
                let from = |ties, y, y_bar| [y, T::one() / ties * y_bar];
                lanes_kernel(&self.axes, x, y, y_bar, x_bar, |_| Ties(Extreme::$Op), from, Tied)
            }
        }

        impl Rule for $Arg {
            fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
                let (over, result) = reduction(args, &named(self.axis), self.keepdims)?;
                not_empty(&args[0].shape, &over)?;
                Ok(Specs::from_elem(Spec::index(result), 1))
            }
            fn is_differentiable(&self) -> bool {
                false
            }
        }

        impl<T: Functions> Kernels<T> for $Arg {
            fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
                let (x, mut y) = (x[0].real(), y[0].index());
                let over: Shape = axes(named(self.axis).as_deref(), x.ndim())?;
                position(&x, &over, y.iter_mut(), Extreme::$Op);
                Ok(())
            }
        }
    )* };
}
extremes! { Max ArgMax Min ArgMin }

fn named(axis: Option<isize>) -> Option<Axes> {
    axis.map(|axis| Axes::from_elem(axis, 1))
}
