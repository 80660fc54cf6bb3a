//! `avg_pool1d`, `avg_pool2d` and their adjoint.

use super::max_pool::windows;
use super::window::{check_rank, joined, lengths, spatial};
use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::pool::{Windows, average_pool, average_pool_cotangent};
use crate::kernel::scratch::{self, Scratch, dense};
use crate::op::{AvgPool, AvgPoolAdjoint};
use crate::ops::moving::moved;
use crate::rule::*;
use crate::shape::Axes;
use crate::term::Term;

impl AvgPool {
    fn windows(&self, x: &[usize]) -> Result<Windows, Refusal> {
        windows(x, self.rank, &self.kernel, &self.stride, &self.padding, &Axes::new())
    }
}

impl AvgPoolAdjoint {
    fn pool(&self) -> AvgPool {
        let AvgPoolAdjoint { rank, kernel, stride, padding, count_include_pad, .. } = self.clone();
        AvgPool { rank, kernel, stride, padding, count_include_pad }
    }

    /// The windows on planes of `size`, of which y `[N, C, ..]` must be the results.
    fn windows(&self, y: &[usize]) -> Result<Windows, Refusal> {
        check_rank(self.rank)?;
        let mismatch = || {
            let rule = format!("{y:?} are not the results of planes of {:?}", &self.size[..]);
            Refusal::new(ErrorKind::ShapeMismatch, rule)
        };
        if y.len() != self.rank + 2 || self.size.len() != self.rank {
            return Err(mismatch());
        }
        let windows = self.pool().windows(&joined(y[0], y[1], lengths(&self.size, self.rank), self.rank))?;
        if windows.output() == lengths(y, self.rank) { Ok(windows) } else { Err(mismatch()) }
    }
}

impl Rule for AvgPool {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let x = expect(args, &[Dtype::Real])?[0];
        let windows = self.windows(x)?;
        one(joined(x[0], x[1], windows.output(), self.rank))
    }

    /// The cotangent of each window, shared equally among its entries.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let size = spatial(lengths(&call.args[0].shape(), self.rank), self.rank);
        let AvgPool { rank, kernel, stride, padding, count_include_pad } = self.clone();
        let adjoint = AvgPoolAdjoint { rank, size, kernel, stride, padding, count_include_pad };
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.apply(adjoint, &[])), 1)
    }

    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for AvgPool {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let x = x[0].real();
        let windows = self.windows(x.shape())?;
        scratch::with(|Scratch { dense: [a, ..], .. }| {
            average_pool(&windows, self.count_include_pad, dense(x, a), y[0].slice());
        });
        Ok(())
    }

    fn vjp_kernel(&self, Adjoint { x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (Some(y_bar), Some(bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
        let Ok(windows) = self.windows(x[0].shape()) else { return false };
        let accumulate = bar.accumulate;
        average_pool_cotangent(&windows, self.count_include_pad, y_bar.slice(), accumulate, bar.slice());
        true
    }
}

impl Rule for AvgPoolAdjoint {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let y = expect(args, &[Dtype::Real])?[0];
        moved(self.size.iter().copied().collect(), Dtype::Real)?;
        let windows = self.windows(y)?;
        one(joined(y[0], y[1], windows.input, self.rank))
    }

    fn vjp<'r>(&self, _call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.apply(self.pool(), &[])), 1)
    }

    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for AvgPoolAdjoint {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let y_bar = x[0].real();
        let windows = self.windows(y_bar.shape())?;
        scratch::with(|Scratch { dense: [a, ..], .. }| {
            average_pool_cotangent(&windows, self.count_include_pad, dense(y_bar, a), false, y[0].slice());
        });
        Ok(())
    }
}
