//! Running sums and products along an axis.
//!
//! Products go through a linear recurrence, whose derivative is one again: derivatives of every order follow without a
//! division by a factor, which may be 0.

use ndarray::{ArrayViewD, CowArray, IxDyn};

use crate::error::Refusal;
use crate::kernel::functions::Functions;
use crate::kernel::level::SCALAR;
use crate::kernel::number::{Number, binary_primal};
use crate::kernel::reduce::scan;
use crate::kernel::scratch::{self, Scratch};
use crate::op::{Binary, Concat, CumProd, CumSum, LogCumSumExp, Recurrence};
use crate::ops::moving::assign;
use crate::rule::*;
use crate::shape::axis;
use crate::term::Term;
use crate::words::{UnaryWords, Words, select};

/// The lengths `(n, inner)` of `[outer, n, inner]` with `axis` in the middle.
fn around(shape: &[usize], axis: usize) -> (usize, usize) {
    (shape[axis], shape[axis + 1..].iter().product())
}

fn infer(args: &[Arg<'_>], along: isize) -> Result<Specs, Refusal> {
    let shape = expect(args, &[Dtype::Real])?[0];
    axis(along, shape.len())?;
    one(shape.into())
}

/// `x` copied to `y`, where a scan then runs in place: `y_k = f(x_k, y_{k-1})`.
fn forward<T: Functions>(
    x: &[Input<'_, T>],
    y: &mut [Output<'_, T>],
    along: isize,
    reverse: bool,
    join: impl Fn(T, T) -> T + Copy + Sync,
) -> Result<(), Refusal> {
    let x = x[0].real();
    let (n, inner) = around(x.shape(), axis(along, x.ndim())?);
    assign(y[0].real(), x);
    scan::running(y[0].slice(), n, inner, reverse, join);
    Ok(())
}

impl Rule for CumSum {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        infer(args, self.axis)
    }
    /// The running sum of `y_bar` from the other end.
    fn vjp<'r>(&self, _call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let op = CumSum { axis: self.axis, reverse: !self.reverse };
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.apply(op, &[])), 1)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for CumSum {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        forward(x, y, self.axis, self.reverse, |a, b| a + b)
    }
}

impl CumProd {
    /// The products of the elements before each one.
    fn before<'r>(&self, x: Term<'r>) -> Term<'r> {
        x.apply(self.recurrence(x, false, 1.0), &[])
    }
    fn recurrence(&self, x: Term<'_>, reverse: bool, first: f64) -> Recurrence {
        let axis = axis(self.axis, x.ndim()).expect("the axis has passed `infer`");
        Recurrence { axis, reverse, first }
    }
}

impl Rule for CumProd {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        infer(args, self.axis)
    }
    /// `x_bar_k = p_k s_k` with the products `p` of the elements before, and `s_k = y_bar_k + x_{k+1} s_{k+1}`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (x, y_bar) = (call.args[0], y_bar[0].expect("one result"));
        let behind = x.apply(self.recurrence(x, true, 0.0), &[x * y_bar]);
        Cotangents::from_elem(Some(self.before(x) * (y_bar + behind)), 1)
    }
    /// `y_dot_k = p_k x_dot_k + x_k y_dot_{k-1}`
    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let x = call.args[0];
        let own = self.before(x) * x_dot[0]?;
        let previous = x.apply(self.recurrence(x, false, 0.0), &[own]);
        Some(Terms::from_elem(own + x * previous, 1))
    }
}

impl<T: Functions> Kernels<T> for CumProd {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        forward(x, y, self.axis, false, |a, b| a * b)
    }
    fn vjp_kernel(&self, Adjoint { x, y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
        let (x, y, accumulate) = (x[0].real(), y[0].real(), x_bar.accumulate);
        let (Some(values), Some(y)) = (x.as_slice(), y.as_slice()) else { return false };
        let size = around(x.shape(), axis(self.axis, x.ndim()).expect("the axis has passed `infer`"));
        scratch::with(|Scratch { dense: [room, ..], .. }| {
            scan::product_back([values, y, y_bar.slice()], size, x_bar.slice(), accumulate, room);
        });
        true
    }
}

impl LogCumSumExp {
    /// `e^(a - b)` for `a <= b`, 1 also where both are infinite.
    fn share<'r>(a: Term<'r>, b: Term<'r>) -> Term<'r> {
        select(a.eq(b), a.lit(0.0), a - b).exp()
    }

    /// `e^(y_k - y_{k+1})` at each `k` (1 at the last one): how the weights of what came before shrink.
    fn shrinking<'r>(&self, y: Term<'r>) -> Term<'r> {
        let along = axis(self.axis, y.ndim()).expect("the axis has passed `infer`");
        let n = y.shape()[along];
        let (last, rest) = (y.slice(along, n.saturating_sub(1), n), y.slice(along, 1.min(n), n));
        LogCumSumExp::share(y, rest.apply(Concat { axis: self.axis }, &[last]))
    }

    fn recurrence(&self, x: Term<'_>, reverse: bool) -> Recurrence {
        let axis = axis(self.axis, x.ndim()).expect("the axis has passed `infer`");
        Recurrence { axis, reverse, first: 0.0 }
    }
}

impl Rule for LogCumSumExp {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        infer(args, self.axis)
    }
    /// `x_bar_k = e^(x_k - y_k) s_k` with `s_k = y_bar_k + e^(y_k - y_{k+1}) s_{k+1}`: no exponent is positive.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (x, y, y_bar) = (call.args[0], call.results[0], y_bar[0].expect("one result"));
        let shrinking = self.shrinking(y);
        let y_bar = y_bar.broadcast_to(&y.shape());
        let behind = shrinking.apply(self.recurrence(x, true), &[y_bar]);
        Cotangents::from_elem(Some(LogCumSumExp::share(x, y) * (y_bar + shrinking * behind)), 1)
    }
    /// `y_dot_k = e^(x_k - y_k) x_dot_k + e^(y_{k-1} - y_k) y_dot_{k-1}`
    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let (x, y) = (call.args[0], call.results[0]);
        let own = LogCumSumExp::share(x, y) * x_dot[0]?;
        let shrinking = self.shrinking(y);
        let before = shrinking.apply(self.recurrence(x, false), &[shrinking * own]);
        Some(Terms::from_elem(own + before, 1))
    }
}

impl<T: Functions> Kernels<T> for LogCumSumExp {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let join = |a: T, b: T| binary_primal(Binary::LogAddExp, Number::<T, SCALAR>(a), Number(b)).0;
        forward(x, y, self.axis, false, join)
    }
}

impl Rule for Recurrence {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect_optional(args, &[Dtype::Real; 2], 1)?;
        axis(isize::try_from(self.axis).unwrap_or(isize::MAX), shapes[0].len())?;
        if shapes.iter().any(|shape| *shape != shapes[0]) {
            let rule = "both arguments of a recurrence must have one shape";
            return Err(Refusal::new(crate::error::ErrorKind::ShapeMismatch, rule));
        }
        one(shapes[0].into())
    }

    /// With `w` the recurrence from the other end over `a` and `e_bar`: `a_bar = w e`, `b_bar = w`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, e_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (a, e, e_bar) = (call.args[0], call.results[0], e_bar[0].expect("one result"));
        let back = Recurrence { axis: self.axis, reverse: !self.reverse, first: 0.0 };
        let w = a.apply(back, &[e_bar.broadcast_to(&a.shape())]);
        let mut cotangents = Cotangents::from_elem(call.needs[0].then(|| w * e), 1);
        if call.args.len() == 2 {
            cotangents.push(Some(w));
        }
        cotangents
    }

    /// `e_dot_{k+1} = a_k e_dot_k + (a_dot_k e_k + b_dot_k)`
    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let (a, e) = (call.args[0], call.results[0]);
        let from_a = x_dot[0].map(|a_dot| a_dot * e);
        let from_b = x_dot.get(1).copied().flatten();
        let source = match (from_a, from_b) {
            (Some(a), Some(b)) => a + b,
            (a, b) => a.or(b)?,
        };
        let same = Recurrence { first: 0.0, ..self.clone() };
        Some(Terms::from_elem(a.apply(same, &[source]), 1))
    }
}

impl<T: Functions> Kernels<T> for Recurrence {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let views: [Option<ArrayViewD<'_, T>>; 2] = [0, 1].map(|k| x.get(k).map(Input::real));
        let rows: [Option<CowArray<'_, T, IxDyn>>; 2] =
            [0, 1].map(|k| views[k].as_ref().map(|x| x.as_standard_layout()));
        let [a, b] = [0, 1].map(|k| rows[k].as_ref().and_then(|x| x.as_slice()));
        let (n, inner) = around(x[0].shape(), self.axis);
        let a = a.expect("given, and in standard layout");
        scan::recurrence(a, b, n, inner, self.reverse, T::of(self.first), y[0].slice());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
