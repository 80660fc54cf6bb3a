//! Eigenvalues of symmetric matrices and singular values, with their vectors.
//!
//! Vectors of equal values turn freely within their space, and their derivative divides by the gaps between values. A gap
//! lost in rounding counts as infinite: what depends on a whole space (a projector) has its right gradient, what depends
//! on single vectors inside of it has none to be right.

use super::*;
use crate::kernel::linalg::{self, Workspace};
use crate::kernel::scratch::{self, Scratch, dense};
use crate::op::{DiagonalInto, Eigh, InverseGaps, Svd};

impl<T: Functions> Rule<T> for Eigh {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
        let (batch, n) = one_square(args)?;
        Ok([Spec::real(joined(batch, &[n])), Spec::real(args[0].shape.clone())].into_iter().collect())
    }

    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let [values, vectors] = y else { unreachable!("two results") };
        let x = x[0].real();
        let shape = Shape::from_slice(x.shape());
        let (batch, n) = known_square(&shape);
        scratch::with(|Scratch { linalg: Workspace { work, .. }, dense: [copy, ..], .. }| {
            let stack = dense(x, copy);
            for i in 0..count(batch) {
                let at = i * n * n..(i + 1) * n * n;
                let values = &mut values.slice()[i * n..][..n];
                linalg::eigh(&stack[at.clone()], n, values, &mut vectors.slice()[at], work, threads(n))
                    .map_err(|_| not_converged(batch, i))?;
            }
            Ok(())
        })
    }

    /// `a_bar = sym(v (diag(w_bar) + f * (v^T v_bar)) v^T)` with `f_ij = 1 / (w_j - w_i)`.
    fn vjp<'r>(&self, call: &Call<'_, 'r, T>, y_bar: &[Option<Term<'r, T>>]) -> Cotangents<'r, T> {
        let (w, v) = (call.results[0], call.results[1]);
        let turned = y_bar[1].map(|v_bar| v.t().matmul(v_bar) * gaps(w, false));
        let bar = match (turned, y_bar[0]) {
            (None, None) => None,
            (None, Some(w_bar)) => Some((v * over_columns(w_bar)).matmul(v.t())),
            (Some(inner), w_bar) => {
                let inner = w_bar.map_or(inner, |w_bar| inner + diagonal(w_bar));
                Some(symmetric(v.matmul(inner).matmul(v.t())))
            }
        };
        Cotangents::from_elem(bar, 1)
    }
}

fn gaps<'r, T: Functions>(x: Term<'r, T>, squares: bool) -> Term<'r, T> {
    x.apply(InverseGaps { squares }, &[])
}

/// The last axis on the diagonals of matrices.
fn diagonal<'r, T: Functions>(x: Term<'r, T>) -> Term<'r, T> {
    let axis0 = x.ndim() - 1;
    x.apply(DiagonalInto { axis0, axis1: axis0 + 1 }, &[])
}

impl<T: Functions> Rule<T> for InverseGaps {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
        let shape = expect(args, &[Dtype::Real])?[0];
        match shape.last() {
            Some(&n) => one(joined(shape, &[n])),
            None => Err(Refusal::new(ErrorKind::RankMismatch, "a number has no pairs")),
        }
    }

    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let x = x[0].real();
        let n = *x.shape().last().expect("an axis at least");
        scratch::with(|Scratch { dense: [copy, ..], .. }| {
            let rows = dense(x, copy).chunks_exact(n.max(1));
            for (x, out) in rows.zip(y[0].slice().chunks_exact_mut((n * n).max(1))) {
                let most = x.iter().fold(T::zero(), |m, x| m.max(x.abs()));
                let lost = T::of(n as f64) * T::epsilon() * most;
                for (k, out) in out.iter_mut().enumerate() {
                    let (low, high) = (x[k / n], x[k % n]);
                    let gap = high - low;
                    let scale = if self.squares { high + low } else { T::one() };
                    *out = if gap.abs() <= lost { T::zero() } else { T::one() / (gap * scale) };
                }
            }
        });
        Ok(())
    }

    /// `x_bar = sum_j (y_bar y^2)_ij - sum_i (y_bar y^2)_ij`, times `2 x` for squares.
    fn vjp<'r>(&self, call: &Call<'_, 'r, T>, y_bar: &[Option<Term<'r, T>>]) -> Cotangents<'r, T> {
        let (x, y) = (call.args[0], call.results[0]);
        let bar = y_bar[0].map(|y_bar| {
            let (weight, axis) = (y_bar * y * y, x.ndim() - 1);
            let bar = weight.sum(&[axis + 1], false) - weight.sum(&[axis], false);
            if self.squares { bar * x * x.lit(2.0) } else { bar }
        });
        Cotangents::from_elem(bar, 1)
    }
}

impl<T: Functions> Rule<T> for Svd {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
        let (batch, [m, n]) = matrices(expect(args, &[Dtype::Real])?[0])?;
        let k = m.min(n);
        let shapes = [&[m, k][..], &[k], &[k, n]].map(|rest| Spec::real(joined(batch, rest)));
        Ok(shapes.into_iter().collect())
    }

    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let [u, s, vt] = y else { unreachable!("three results") };
        let x = x[0].real();
        let shape = Shape::from_slice(x.shape());
        let (batch, [m, n]) = matrices(&shape)?;
        let k = m.min(n);
        scratch::with(|Scratch { linalg: Workspace { work, .. }, dense: [copy, ..], .. }| {
            let stack = dense(x, copy);
            for i in 0..count(batch) {
                let a = &stack[i * m * n..][..m * n];
                let (u, vt) = (&mut u.slice()[i * m * k..][..m * k], &mut vt.slice()[i * k * n..][..k * n]);
                linalg::svd(a, m, n, u, &mut s.slice()[i * k..][..k], vt, work, threads(m.max(n)))
                    .map_err(|_| not_converged(batch, i))?;
            }
            Ok(())
        })
    }

    /// With `skew(x) = x - x^T`, `f_ij = 1 / (s_j^2 - s_i^2)`:
    /// `a_bar = u (diag(s_bar) + f * skew(u^T u_bar) s + s f * skew(v^T v_bar)) v^T`, and for a matrix that is not square
    /// `(1 - u u^T) u_bar s^-1 v^T` or `u s^-1 v_bar^T (1 - v v^T)`.
    ///
    /// Reference: J. Townsend, Differentiating the singular value decomposition (2016).
    fn vjp<'r>(&self, call: &Call<'_, 'r, T>, y_bar: &[Option<Term<'r, T>>]) -> Cotangents<'r, T> {
        let [u, s, vt] = [0, 1, 2].map(|k| call.results[k]);
        let (m, n) = (u.shape()[u.ndim() - 2], vt.shape()[vt.ndim() - 1]);
        let [u_bar, s_bar, vt_bar] = [0, 1, 2].map(|k| y_bar[k]);
        let skew = |x: Term<'r, T>| x - x.t();
        let parts = [
            u_bar.map(|u_bar| skew(u.t().matmul(u_bar)) * gaps(s, true) * over_columns(s)),
            vt_bar.map(|vt_bar| skew(vt.matmul(vt_bar.t())) * gaps(s, true) * over_rows(s)),
            s_bar.map(diagonal),
        ];
        let Some(core) = parts.into_iter().flatten().reduce(|a, b| a + b) else {
            return Cotangents::from_elem(None, 1);
        };
        let bar = match (u_bar, vt_bar) {
            (Some(u_bar), _) if m > n => {
                let outside = u_bar / over_columns(s);
                (u.matmul(core) + outside - u.matmul(u.t().matmul(outside))).matmul(vt)
            }
            (_, Some(vt_bar)) if n > m => {
                let outside = vt_bar / over_rows(s);
                u.matmul(core.matmul(vt) + outside - outside.matmul(vt.t()).matmul(vt))
            }
            _ => u.matmul(core).matmul(vt),
        };
        Cotangents::from_elem(Some(bar), 1)
    }
}
