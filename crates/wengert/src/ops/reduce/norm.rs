//! Vector norms.

use super::extreme::shares;
use super::spread::{divide_or_zero, lit, row_major, spread_kernel};
use super::{keep, not_empty, only, over, reduction};
use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::reduce;
use crate::kernel::scratch::{self, Scratch, room};
use crate::memory::Dense;
use crate::op::Norm;
use crate::rule::*;
use crate::shape::Axes;
use crate::term::Term;
use crate::words::{TunedWords, UnaryWords, Words, select};

impl Rule for Norm {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let (over, result) = reduction(args, &self.axes, self.keepdims)?;
        if self.p.is_nan() {
            return Err(Refusal::new(ErrorKind::InvalidAttribute, "the order p of a norm must not be NaN"));
        }
        if self.p.is_infinite() || self.p < 0.0 {
            not_empty(args[0].shape, &over)?;
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
        self.p == 2.0
            && (scaled_kernel(&self.axes, x, y, y_bar, x_bar)
                || spread_kernel(&self.axes, x, y, y_bar, x_bar, reduce::Direction))
    }
}

/// The cotangent of a Euclidean norm as `x (y_bar / y)`: a division for each lane, not for each element. `false` where such a
/// quotient has left the normal numbers, or arrays do not lie row-major.
fn scaled_kernel<T: Functions>(
    named: &Option<Axes>,
    x: &[Input<'_, T>],
    y: &[Input<'_, T>],
    y_bar: &[Option<Dense<'_, T>>],
    x_bar: &mut [Option<Cotangent<'_, T>>],
) -> bool {
    let (Some([values, y, y_bar]), Some(x_bar)) = (row_major(x, y, y_bar), &mut x_bar[0]) else {
        return false;
    };
    let (x, accumulate, zero) = (x[0].real(), x_bar.accumulate, T::zero());
    scratch::with(|Scratch { dense: [means, shares, ..], .. }| {
        let (means, shares) = (room(means, y.len()), room(shares, y.len()));
        means.fill(zero);
        let mut fits = true;
        for (share, (&y, &y_bar)) in shares.iter_mut().zip(y.iter().zip(y_bar)) {
            *share = if y == zero { zero } else { y_bar / y };
            fits &= share.is_normal() || y == zero || y_bar == zero;
        }
        let from = [values, means, shares];
        let over = over(named, x.ndim());
        fits && reduce::spread(x.shape(), &over, from, x_bar.slice(), accumulate, reduce::Deviation)
    })
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
