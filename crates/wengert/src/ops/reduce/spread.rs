//! Variance, standard deviation and `logsumexp`.

use super::{count, forward, keep, only, over, reduction};
use crate::error::Refusal;
use crate::kernel::functions::Functions;
use crate::kernel::reduce::{self, Contribution, Deviation, Reduction};
use crate::kernel::scratch::{self, Scratch};
use crate::memory::Dense;
use crate::op::{LogSumExp, Mean, Std, Variance};
use crate::rule::*;
use crate::shape::Axes;
use crate::term::Term;
use crate::words::{UnaryWords, Words, select};

/// A number beside `x`.
pub(super) fn lit(x: Term<'_>, value: f64) -> Term<'_> {
    Words::lit(x, value)
}

/// `count - correction`, and no less than 0: too few elements are divided by 0.
fn divisor(n: usize, correction: f64) -> f64 {
    (n as f64 - correction).max(0.0)
}

/// `(x - mean x) / (count - correction)`: half of the derivative of the variance.
fn deviation<'r>(x: Term<'r>, named: &Option<Axes>, correction: f64) -> Term<'r> {
    let shape = x.shape();
    let n = count(&shape, &over(named, shape.len()));
    let centred = x - x.apply(Mean { axes: named.clone(), keepdims: true }, &[]);
    centred / lit(x, divisor(n, correction))
}

/// How many elements of the one argument are reduced together.
fn elements<T: Functions>(x: &[Input<'_, T>], named: &Option<Axes>) -> usize {
    let x = x[0].real();
    count(x.shape(), &over(named, x.ndim()))
}

/// The mean of `n` elements.
fn mean(n: usize) -> reduce::Sum {
    reduce::Sum { divisor: n as f64 }
}

fn checked(
    args: &[Arg<'_>],
    named: &Option<Axes>,
    keepdims: bool,
    correction: f64,
) -> Result<Specs, Refusal> {
    let result = reduction(args, named, keepdims)?.1;
    if correction.is_nan() {
        let rule = "the correction must be a number, not NaN";
        return Err(Refusal::new(crate::error::ErrorKind::InvalidAttribute, rule));
    }
    one(result)
}

impl Rule for Variance {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        checked(args, &self.axes, self.keepdims, self.correction)
    }
    /// `x_bar = 2 y_bar (x - mean) / (n - correction)`
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let x = call.args[0];
        let y_bar = keep(y_bar[0].expect("one result"), x, &self.axes);
        only(lit(x, 2.0) * y_bar * deviation(x, &self.axes, self.correction))
    }
}

impl<T: Functions> Kernels<T> for Variance {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let how = |n| reduce::Variance { divisor: divisor(n, self.correction), root: false };
        forward(x, y, &self.axes, how)
    }
    fn vjp_kernel(&self, Adjoint { x, y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let divisor = T::of(divisor(elements(x, &self.axes), self.correction));
        let from = |mean, _, y_bar: T| [mean, T::of(2.0) * y_bar / divisor];
        lanes_kernel(&self.axes, x, y, y_bar, x_bar, mean, from, Deviation)
    }
}

impl Rule for Std {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        checked(args, &self.axes, self.keepdims, self.correction)
    }
    /// `x_bar = y_bar (x - mean) / ((n - correction) y)`, and 0 where the deviation `y` is 0.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let x = call.args[0];
        let y = keep(call.results[0], x, &self.axes);
        let y_bar = keep(y_bar[0].expect("one result"), x, &self.axes);
        only(divide_or_zero(y_bar, y) * deviation(x, &self.axes, self.correction))
    }
}

impl<T: Functions> Kernels<T> for Std {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let how = |n| reduce::Variance { divisor: divisor(n, self.correction), root: true };
        forward(x, y, &self.axes, how)
    }
    fn vjp_kernel(&self, Adjoint { x, y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let divisor = T::of(divisor(elements(x, &self.axes), self.correction));
        let from = |mean, y: T, y_bar: T| [mean, if y == T::zero() { y } else { y_bar / y / divisor }];
        lanes_kernel(&self.axes, x, y, y_bar, x_bar, mean, from, Deviation)
    }
}

/// `a / b`, and 0 where `b` is 0: no infinity arises there, at no order.
pub(super) fn divide_or_zero<'r>(a: Term<'r>, b: Term<'r>) -> Term<'r> {
    let flat = b.eq(lit(b, 0.0));
    select(flat, lit(a, 0.0), a / select(flat, lit(b, 1.0), b))
}

impl Rule for LogSumExp {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one(reduction(args, &self.axes, self.keepdims)?.1)
    }
    /// `x_bar = y_bar e^(x - y)`: the softmax.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let x = call.args[0];
        let y = keep(call.results[0], x, &self.axes);
        let y_bar = keep(y_bar[0].expect("one result"), x, &self.axes);
        only(y_bar * (x - y).exp())
    }
}

impl<T: Functions> Kernels<T> for LogSumExp {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        forward(x, y, &self.axes, |_| reduce::LogSumExp)
    }
    fn vjp_kernel(&self, Adjoint { x, y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        spread_kernel(&self.axes, x, y, y_bar, x_bar, reduce::ExpShare)
    }
}

/// Contributions of each element in place; `false` where the arrays do not lie row-major.
pub(super) fn spread_kernel<T: Functions>(
    named: &Option<Axes>,
    x: &[Input<'_, T>],
    y: &[Input<'_, T>],
    y_bar: &[Option<Dense<'_, T>>],
    x_bar: &mut [Option<Cotangent<'_, T>>],
    value: impl Contribution<T>,
) -> bool {
    let (Some(slices), Some(x_bar)) = (row_major(x, y, y_bar), &mut x_bar[0]) else { return false };
    let (x, accumulate) = (x[0].real(), x_bar.accumulate);
    reduce::spread(x.shape(), &over(named, x.ndim()), slices, x_bar.slice(), accumulate, value)
}

/// The lanes, what they were reduced to, and its cotangent, where all lie row-major.
pub(super) fn row_major<'a, T: Functions>(
    x: &'a [Input<'_, T>],
    y: &'a [Input<'_, T>],
    y_bar: &'a [Option<Dense<'_, T>>],
) -> Option<[&'a [T]; 3]> {
    Some([x[0].real().to_slice()?, y[0].real().to_slice()?, y_bar[0].as_ref()?.slice()])
}

/// Contributions of each element in place from two numbers a lane, which `from` makes of what `find` reduces the lane to, its
/// result and that one's cotangent. `false` where the arrays do not lie row-major.
pub(super) fn lanes_kernel<T: Functions, R: Reduction<T>>(
    named: &Option<Axes>,
    x: &[Input<'_, T>],
    y: &[Input<'_, T>],
    y_bar: &[Option<Dense<'_, T>>],
    x_bar: &mut [Option<Cotangent<'_, T>>],
    find: impl FnOnce(usize) -> R,
    from: impl Fn(T, T, T) -> [T; 2],
    value: impl Contribution<T>,
) -> bool {
    let (Some([values, y, y_bar]), Some(x_bar)) = (row_major(x, y, y_bar), &mut x_bar[0]) else {
        return false;
    };
    let x = x[0].real();
    let (accumulate, over) = (x_bar.accumulate, over(named, x.ndim()));
    scratch::with(|Scratch { dense: [found, shares, ..], .. }| {
        found.resize(y.len(), T::zero());
        reduce::reduce(&x, &over, found, find(count(x.shape(), &over)));
        shares.resize(y.len(), T::zero());
        for ((found, share), (&y, &y_bar)) in found.iter_mut().zip(&mut *shares).zip(y.iter().zip(y_bar)) {
            [*found, *share] = from(*found, y, y_bar);
        }
        reduce::spread(x.shape(), &over, [values, found, shares], x_bar.slice(), accumulate, value)
    })
}
