//! Gates: ops that pass values on as they are and have derivatives of their own choosing.

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::op::{ScaleGradient, StraightThrough};
use crate::ops::moving::assign;
use crate::rule::*;
use crate::shape::Layout;
use crate::term::Term;
use crate::words::Words;

impl Rule for StraightThrough {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real; 2])?;
        if shapes[0] != shapes[1] {
            let rule = "the value and what its gradient goes to must have one shape";
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        one(shapes[0].into())
    }

    fn vjp<'r>(&self, _call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        [None, y_bar[0]].into_iter().collect()
    }

    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let y_dot = x_dot[1].unwrap_or_else(|| call.args[1].full(&call.args[1].shape(), 0.0));
        Some(Terms::from_elem(y_dot, 1))
    }
}

impl<T: Functions> Kernels<T> for StraightThrough {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        assign(y[0].real(), x[0].real());
        Ok(())
    }
}

impl Rule for ScaleGradient {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one(expect(args, &[Dtype::Real])?[0].into())
    }

    fn view(&self, x: &Layout) -> Option<(Layout, isize)> {
        Some((x.clone(), 0))
    }

    fn vjp<'r>(&self, _call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar * y_bar.lit(self.factor)), 1)
    }

    fn jvp<'r>(&self, _call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        x_dot[0].map(|x_dot| Terms::from_elem(x_dot * x_dot.lit(self.factor), 1))
    }
}

impl<T: Functions> Kernels<T> for ScaleGradient {}
