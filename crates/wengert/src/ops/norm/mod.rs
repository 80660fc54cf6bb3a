//! Normalisations.
//!
//! Each is one op with a direct kernel each way: layer norm and RMS norm on rows, batch and group norm on channels. All
//! share one Jacobian, [`Statistics`].

mod channels;
mod rows;
#[cfg(test)]
mod tests;

use crate::error::{ErrorKind, Refusal};
use crate::kernel::real::Real;
use crate::kernel::rows::norm;
use crate::rule::Cotangent;
use crate::shape::Shape;
use crate::term::Term;
use crate::words::{UnaryWords, Words};

/// What z, x less its mean over its deviation, is taken over.
///
/// The Jacobian of z is symmetric, `r (1 - 11^T/n - z z^T/n)` with `r = 1 / sqrt(mean((x - m)^2) + eps)`, and without the
/// middle term for RMS norm, so that one function, [`Statistics::project`], is the vjp and the jvp alike. Recorded, it
/// computes m and r anew from x: the second derivative passes through them.
struct Statistics {
    axes: Shape,
    /// The product of their lengths.
    n: usize,
    eps: f64,
    /// Whether there is a mean to subtract.
    centred: bool,
}

impl Statistics {
    /// z and r, recorded.
    fn normalised<'r>(&self, x: Term<'r>) -> (Term<'r>, Term<'r>) {
        let centred = if self.centred { x - self.mean(x) } else { x };
        let r = (self.mean(centred.square()) + x.lit(self.eps)).rsqrt();
        (centred * r, r)
    }

    /// The mean, its axes kept.
    fn mean<'r>(&self, x: Term<'r>) -> Term<'r> {
        x.sum(&self.axes, true) / x.lit(self.n as f64)
    }

    /// The Jacobian of z times `u`.
    fn project<'r>(&self, (z, r): (Term<'r>, Term<'r>), u: Term<'r>) -> Term<'r> {
        let rest = u - z * self.mean(u * z);
        r * if self.centred { rest - self.mean(u) } else { rest }
    }
}

/// Where the cotangents of x, weight and bias go. The kernels add to the latter two, which start from zero.
fn cotangents<'a, T: Real>(x_bar: &'a mut [Option<Cotangent<'_, T>>]) -> norm::Cotangents<'a, T> {
    let accumulate = x_bar[0].as_ref().is_some_and(|bar| bar.accumulate);
    let mut slices = x_bar.iter_mut().enumerate().map(|(k, bar)| {
        let bar = bar.as_mut()?;
        if k > 0 && !bar.accumulate {
            bar.slice().fill(T::zero());
        }
        Some(bar.slice())
    });
    let mut next = || slices.next().flatten();
    norm::Cotangents { x: next(), accumulate, weight: next(), bias: next() }
}

/// Refuses an `eps` that would not keep a denominator positive.
fn check_eps(eps: f64) -> Result<(), Refusal> {
    if eps >= 0.0 && eps.is_finite() {
        return Ok(());
    }
    Err(Refusal::new(ErrorKind::InvalidAttribute, format!("eps must be 0 or positive and finite, not {eps}")))
}

/// Refuses a weight or bias that has not the `want`ed shape.
fn check_scale(which: &str, have: Option<&&[usize]>, want: &[usize]) -> Result<(), Refusal> {
    match have {
        Some(&have) if have != want => {
            let rule = format!("the {which} must have shape {want:?}, not {have:?}");
            Err(Refusal::new(ErrorKind::ShapeMismatch, rule))
        }
        _ => Ok(()),
    }
}
