//! The inverse, and the transposed inverse that derivatives of determinants are made of.

use super::*;
use crate::kernel::linalg::{self, Workspace};
use crate::kernel::scratch::{self, Scratch, dense, room};
use crate::op::{Inverse, InverseTransposed};

/// Inverts every matrix of `x`; the first singular one is refused if `strict`.
fn invert<T: Functions>(x: &Input<'_, T>, out: &mut [T], strict: bool) -> Result<(), Refusal> {
    let x = x.real();
    let shape = Shape::from_slice(x.shape());
    let (batch, n) = known_square(&shape);
    scratch::with(|Scratch { dense: [copy, ..], .. }| {
        let size = (n * n).max(1);
        let pairs = dense(x, copy).chunks_exact(size).zip(out.chunks_exact_mut(size));
        each_matrix([count(batch), n], pairs, |i, (a, out), Workspace { matrices, work, pivots, .. }| {
            let (factors, pivots) = (room(&mut matrices[0], n * n), room(pivots, n));
            factors.copy_from_slice(a);
            if let (Err(failed), true) = (linalg::lu(factors, n, pivots, work, threads(n)), strict) {
                return Err(singular(batch, i, failed.pivot));
            }
            linalg::inverse(factors, n, pivots, out, threads(n));
            Ok(())
        })
    })
}

impl Rule for Inverse {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one_square(args)?;
        one(Shape::from_slice(args[0].shape))
    }

    /// `a_bar = -y^T y_bar y^T`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let y_t = call.results[0].t();
        Cotangents::from_elem(y_bar[0].map(|y_bar| -y_t.matmul(y_bar).matmul(y_t)), 1)
    }

    /// `y_dot = -y a_dot y`.
    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let y = call.results[0];
        Some(Terms::from_elem(-y.matmul(x_dot[0]?).matmul(y), 1))
    }
}

impl<T: Functions> Kernels<T> for Inverse {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        invert(&x[0], y[0].slice(), true)
    }

    fn vjp_kernel(&self, Adjoint { y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (y, Some(y_bar), Some(x_bar)) = (y[0].real(), &y_bar[0], &mut x_bar[0]) else { return false };
        let n = known_square(y.shape()).1;
        let (y, y_bar, accumulate) = (elements(&y), y_bar.slice(), x_bar.accumulate);
        let size = (n * n).max(1);
        let stacks = y.chunks_exact(size).zip(y_bar.chunks_exact(size));
        let stacks = stacks.zip(x_bar.slice().chunks_exact_mut(size));
        each_matrix([y.len() / size, n], stacks, |_, ((y, y_bar), out), work| {
            let between = room(&mut work.matrices[0], n * n);
            linalg::inverse_adjoint(y, y_bar, n, out, accumulate, between, threads(n));
            Ok(())
        })
        .is_ok()
    }
}

impl Rule for InverseTransposed {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one_square(args)?;
        one(Shape::from_slice(args[0].shape))
    }

    /// `a_bar = -y y_bar^T y`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let y = call.results[0];
        Cotangents::from_elem(y_bar[0].map(|y_bar| -y.matmul(y_bar.t()).matmul(y)), 1)
    }

    /// `y_dot = -y a_dot^T y`.
    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        Some(self.vjp(call, x_dot).into_iter().flatten().collect())
    }
}

impl<T: Functions> Kernels<T> for InverseTransposed {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let n = known_square(x[0].shape()).1;
        invert(&x[0], y[0].slice(), false)?;
        y[0].slice().chunks_exact_mut((n * n).max(1)).for_each(|y| linalg::transpose_square(y, n));
        Ok(())
    }
}
