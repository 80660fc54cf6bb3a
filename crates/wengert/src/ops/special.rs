//! Special functions that not every argument has a derivative by: what is not known is refused, never guessed.

use ndarray::Zip;

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::op::{BetaInc, BetaIncDx, GammaIncDa, PolygammaGap, Zeta};
use crate::rule::*;
use crate::shape::broadcast;
use crate::term::Term;
use crate::words::{BinaryWords, TunedWords, UnaryWords, Words};

fn infer(args: &[Arg<'_>], count: usize) -> Result<Specs, Refusal> {
    one(broadcast(expect(args, &[Dtype::Real; 3][..count])?)?)
}

fn forward2<T: Functions>(
    x: &[Input<'_, T>],
    y: &mut [Output<'_, T>],
    f: &dyn Fn(T, T) -> T,
) -> Result<(), Refusal> {
    let (a, b, mut y) = (x[0].real(), x[1].real(), y[0].real());
    Zip::from(&mut y).and_broadcast(&a).and_broadcast(&b).for_each(|y, &a, &b| *y = f(a, b));
    Ok(())
}

fn forward3<T: Functions>(
    x: &[Input<'_, T>],
    y: &mut [Output<'_, T>],
    f: &dyn Fn(T, T, T) -> T,
) -> Result<(), Refusal> {
    let (a, b, c, mut y) = (x[0].real(), x[1].real(), x[2].real(), y[0].real());
    let zip = Zip::from(&mut y).and_broadcast(&a).and_broadcast(&b).and_broadcast(&c);
    zip.for_each(|y, &a, &b, &c| *y = f(a, b, c));
    Ok(())
}

/// Refuses derivatives by arguments for which none is known.
fn constant(needs: &[bool], rule: &str) -> Result<(), Refusal> {
    if needs.contains(&true) { Err(Refusal::new(ErrorKind::NotDifferentiable, rule)) } else { Ok(()) }
}

/// The cotangents of wanted arguments from their partials.
fn cotangents<'r>(
    call: &Call<'_, 'r>,
    y_bar: &[Option<Term<'r>>],
    partial: impl Fn(usize) -> Term<'r>,
) -> Cotangents<'r> {
    let y_bar = y_bar[0].expect("one result");
    call.needs.iter().enumerate().map(|(k, &needed)| needed.then(|| y_bar * partial(k))).collect()
}

impl Rule for GammaIncDa {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        infer(args, 2)
    }
    /// By `x` it is the derivative of the density by `a`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (a, x) = (call.args[0], call.args[1]);
        cotangents(call, y_bar, |_| a.gammainc_dx(x) * a.log_digamma_gap(x))
    }
    fn check_vjp(&self, call: &Call<'_, '_>, _y_bar: &[Option<Term<'_>>]) -> Result<(), Refusal> {
        constant(
            &call.needs[..1],
            "the incomplete gamma function has no second derivative by its order; detach it",
        )
    }
}

impl<T: Functions> Kernels<T> for GammaIncDa {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        forward2(x, y, &T::gammainc_da)
    }
}

impl Rule for PolygammaGap {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        infer(args, 2)
    }
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (a, b, next) = (call.args[0], call.args[1], self.n + 1);
        cotangents(call, y_bar, |k| match k {
            0 => a.polygamma_gap(b, next),
            _ => (a + b).polygamma([f64::from(next), 0.0]),
        })
    }
}

impl<T: Functions> Kernels<T> for PolygammaGap {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        forward2(x, y, &|a, b| a.polygamma_gap(b, self.n))
    }
}

impl Rule for BetaInc {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        infer(args, 3)
    }
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        cotangents(call, y_bar, |_| call.args[0].apply(BetaIncDx {}, &call.args[1..]))
    }
    fn check_vjp(&self, call: &Call<'_, '_>, _y_bar: &[Option<Term<'_>>]) -> Result<(), Refusal> {
        let rule =
            "the incomplete beta function has a derivative by its last argument only; detach the others";
        constant(&call.needs[..2], rule)
    }
}

impl<T: Functions> Kernels<T> for BetaInc {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        forward3(x, y, &T::betainc)
    }
}

impl Rule for BetaIncDx {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        infer(args, 3)
    }
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (a, b, x, y) = (call.args[0], call.args[1], call.args[2], call.results[0]);
        let one = x.lit(1.0);
        cotangents(call, y_bar, |k| match k {
            0 => y * (x.log() + a.digamma_gap(b)),
            1 => y * ((-x).log1p() + b.digamma_gap(a)),
            _ => y * ((a - one) / x - (b - one) / (one - x)),
        })
    }
}

impl<T: Functions> Kernels<T> for BetaIncDx {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        forward3(x, y, &T::betainc_dx)
    }
}

impl Rule for Zeta {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        infer(args, 2)
    }
    /// `-s zeta(s + 1, q)`
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (s, q) = (call.args[0], call.args[1]);
        cotangents(call, y_bar, |_| -(s * (s + s.lit(1.0)).apply(Zeta {}, &[q])))
    }
    fn check_vjp(&self, call: &Call<'_, '_>, _y_bar: &[Option<Term<'_>>]) -> Result<(), Refusal> {
        constant(&call.needs[..1], "zeta has a derivative by its last argument only; detach the exponent")
    }
}

impl<T: Functions> Kernels<T> for Zeta {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        forward2(x, y, &T::zeta)
    }
}
