//! Softmax and its logarithm along an axis.

use crate::error::Refusal;
use crate::kernel::functions::Functions;
use crate::kernel::rows::{columns, softmax};
use crate::kernel::scratch::{self, Scratch, dense, room};
use crate::kernel::threads;
use crate::memory::Dense;
use crate::op::{LogSoftmax, Softmax};
use crate::rule::*;
use crate::shape::axis;
use crate::term::Term;
use crate::words::UnaryWords;

/// The lengths `(n, inner)` of `[outer, n, inner]` with the axis in the middle.
fn around(shape: &[usize], along: isize) -> (usize, usize) {
    let at = axis(along, shape.len()).expect("the axis has passed `infer`");
    (shape[at], shape[at + 1..].iter().product())
}

fn infer(args: &[Arg<'_>], along: isize) -> Result<Specs, Refusal> {
    let shape = expect(args, &[Dtype::Real])?[0];
    axis(along, shape.len())?;
    one(shape.into())
}

/// The sum along the axis, which is kept.
fn sum(x: Term<'_>, along: isize) -> Term<'_> {
    x.sum(&[axis(along, x.ndim()).expect("the axis has passed `infer`")], true)
}

/// Rows or columns as they lie; of arrays with gaps, and transposed ones, in a copy.
fn forward<T: Functions>(
    x: &[Input<'_, T>],
    y: &mut [Output<'_, T>],
    along: isize,
    rows: fn(&[T], usize, &mut [T]),
    columns: fn(&[T], usize, usize, &mut [T]),
) -> Result<(), Refusal> {
    let x = x[0].real();
    let (n, inner) = around(x.shape(), along);
    scratch::with(|Scratch { dense: [copy, ..], .. }| {
        let x = dense(x, copy);
        match inner {
            1 => rows(x, n, y[0].slice()),
            _ => columns(x, n, inner, y[0].slice()),
        }
    });
    Ok(())
}

type Rows<T> = fn(&[T], &[T], usize, bool, &mut [T]);
type Columns<T> = fn([&[T]; 2], usize, usize, bool, &mut [T]);

fn vjp_kernel<T: Functions>(
    along: isize,
    y: &[Input<'_, T>],
    y_bar: &[Option<Dense<'_, T>>],
    x_bar: &mut [Option<Cotangent<'_, T>>],
    (rows, columns): (Rows<T>, Columns<T>),
) -> bool {
    let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
    let y = y[0].real();
    let (Some(values), y_bar) = (y.as_slice(), y_bar.slice()) else { return false };
    let ((n, inner), accumulate) = (around(y.shape(), along), x_bar.accumulate);
    match inner {
        1 => rows(values, y_bar, n, accumulate, x_bar.slice()),
        _ => columns([values, y_bar], n, inner, accumulate, x_bar.slice()),
    }
    true
}

/// Elements of rows whose cotangents are kept while they are overwritten.
const KEPT: usize = 4096;

/// As [`vjp_kernel`] with the result's cotangent overwritten, some rows at a time.
fn vjp_over<T: Functions>(along: isize, y: &Input<'_, T>, bar: &mut [T], rows: Rows<T>) -> bool {
    let y = y.real();
    let (n, inner) = around(y.shape(), along);
    let Some(values) = y.as_slice().filter(|_| inner == 1 && n > 0) else { return false };
    let some = (KEPT / n).max(1) * n;
    let pieces = values.chunks(some).zip(bar.chunks_mut(some));
    threads::each_if(threads::pays(values.len()), pieces, |(values, bar)| {
        scratch::with(|Scratch { dense: [copy, ..], .. }| {
            let kept = room(copy, bar.len());
            kept.copy_from_slice(bar);
            rows(values, kept, n, false, bar);
        });
    });
    true
}

impl Rule for Softmax {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        infer(args, self.axis)
    }
    /// `x_bar = y (y_bar - sum y y_bar)`
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (y, y_bar) = (call.results[0], y_bar[0].expect("one result"));
        Cotangents::from_elem(Some(y * (y_bar - sum(y * y_bar, self.axis))), 1)
    }
    /// The same: the derivative is symmetric.
    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let (y, x_dot) = (call.results[0], x_dot[0]?);
        Some(Terms::from_elem(y * (x_dot - sum(y * x_dot, self.axis)), 1))
    }
}

impl<T: Functions> Kernels<T> for Softmax {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        forward(x, y, self.axis, softmax::softmax, columns::softmax)
    }
    fn vjp_kernel(&self, Adjoint { y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        vjp_kernel(self.axis, y, y_bar, x_bar, (softmax::softmax_cotangent, columns::softmax_cotangent))
    }
    fn vjp_over(&self, y: &Input<'_, T>, bar: &mut [T]) -> bool {
        vjp_over(self.axis, y, bar, softmax::softmax_cotangent)
    }
}

impl Rule for LogSoftmax {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        infer(args, self.axis)
    }
    /// `x_bar = y_bar - e^y sum y_bar`
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (y, y_bar) = (call.results[0], y_bar[0].expect("one result"));
        Cotangents::from_elem(Some(y_bar - y.exp() * sum(y_bar, self.axis)), 1)
    }
    /// `y_dot = x_dot - sum e^y x_dot`
    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let (y, x_dot) = (call.results[0], x_dot[0]?);
        Some(Terms::from_elem(x_dot - sum(y.exp() * x_dot, self.axis), 1))
    }
}

impl<T: Functions> Kernels<T> for LogSoftmax {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        forward(x, y, self.axis, softmax::log_softmax, columns::log_softmax)
    }
    fn vjp_kernel(&self, Adjoint { y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let kernels =
            (softmax::log_softmax_cotangent as Rows<T>, columns::log_softmax_cotangent as Columns<T>);
        vjp_kernel(self.axis, y, y_bar, x_bar, kernels)
    }
    fn vjp_over(&self, y: &Input<'_, T>, bar: &mut [T]) -> bool {
        vjp_over(self.axis, y, bar, softmax::log_softmax_cotangent)
    }
}

#[cfg(test)]
mod tests;
