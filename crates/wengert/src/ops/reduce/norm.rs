//! Vector norms.

use super::extreme::shares;
use super::spread::{divide_or_zero, lit, spread_kernel};
use super::{keep, not_empty, only, over, reduction};
use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::reduce;
use crate::op::Norm;
use crate::rule::*;
use crate::term::Term;
use crate::words::{TunedWords, UnaryWords, Words, select};

impl Rule for Norm {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
        let (over, result) = reduction(args, &self.axes, self.keepdims)?;
        if self.p.is_nan() {
            return Err(Refusal::new(ErrorKind::InvalidAttribute, "the order p of a norm must not be NaN"));
        }
        if self.p.is_infinite() || self.p < 0.0 {
            not_empty(&args[0].shape, &over)?;
        }
        one(result)
    }

    /// `x_bar = y_bar sign(x) (|x| / y)^(p - 1)`, and 0 for lanes of zeros.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let x = call.args[0];
        let y = keep(call.results[0], x, &self.axes);
        let y_bar = keep(y_bar[0].expect("one result"), x, &self.axes);
        only(match self.p {
            0.0 => x.full(&x.shape(), 0.0),
            1.0 => y_bar * x.sign(),
            2.0 => divide_or_zero(x, y) * y_bar,
            p if p.is_infinite() => shares(x.abs(), y, &self.axes) * x.sign() * y_bar,
            p => self.power(x, divide_or_zero(x.abs(), y), p) * y_bar,
        })
    }
}

impl<T: Functions> Kernels<T> for Norm {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let x = x[0].real();
        reduce::norm(&x, &over(&self.axes, x.ndim()), self.p, y[0].slice());
        Ok(())
    }

    fn vjp_kernel(&self, Adjoint { x, y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        self.p == 2.0 && spread_kernel(&self.axes, x, y, y_bar, x_bar, reduce::Direction)
    }
}

impl Norm {
    /// `sign(x) ratio^(p - 1)`. Below `p = 2` a power of 0 or its derivative is infinite: a ratio of 0 contributes nothing.
    fn power<'r>(&self, x: Term<'r>, ratio: Term<'r>, p: f64) -> Term<'r> {
        let exponent = [p - 1.0, 0.0];
        if p >= 2.0 {
            return x.sign() * ratio.powf(exponent);
        }
        let flat = ratio.eq(lit(ratio, 0.0));
        let power = select(flat, lit(ratio, 1.0), ratio).powf(exponent);
        x.sign() * select(flat, lit(ratio, 0.0), power)
    }
}
