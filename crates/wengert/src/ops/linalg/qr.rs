//! The QR decomposition.

use super::degenerate::check_columns;
use super::*;
use crate::kernel::linalg::{self, Workspace};
use crate::kernel::scratch::{self, Scratch, dense};
use crate::op::{Concat, Qr, TriangularSolve};

impl Rule for Qr {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let (batch, [m, n]) = matrices(expect(args, &[Dtype::Real])?[0])?;
        let k = m.min(n);
        Ok([[m, k], [k, n]].map(|rest| Spec::real(joined(batch, &rest))).into_iter().collect())
    }

    /// The first columns must be independent.
    fn check_vjp(&self, call: &Call<'_, '_>, _y_bar: &[Option<Term<'_>>]) -> Result<(), Refusal> {
        check_columns(call.args[0], call.results[1])
    }

    /// A wide matrix is `[x y]` with `x = q u` square and `r = [u q^T y]`: `y_bar = q v_bar`, and what `y` adds to `q_bar`
    /// is `y v_bar^T`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (a, q, r, q_bar, r_bar) = (call.args[0], call.results[0], call.results[1], y_bar[0], y_bar[1]);
        if q_bar.is_none() && r_bar.is_none() {
            return Cotangents::from_elem(None, 1);
        }
        let (axis, shape) = (a.ndim() - 1, a.shape());
        let (m, n) = (shape[axis - 1], shape[axis]);
        if m >= n {
            return Cotangents::from_elem(tall(q, r, q_bar, r_bar), 1);
        }
        let Some(r_bar) = r_bar else {
            let left = tall(q, r.slice(axis, 0, m), q_bar, None).expect("one cotangent is there");
            let none = left.full(&joined(&shape[..axis], &[n - m]), 0.0);
            return Cotangents::from_elem(Some(beside(left, none)), 1);
        };
        let (right, v_bar) = (a.slice(axis, m, n), r_bar.slice(axis, m, n));
        let from_right = right.matmul(v_bar.t());
        let q_bar = q_bar.map_or(from_right, |q_bar| q_bar + from_right);
        let left = tall(q, r.slice(axis, 0, m), Some(q_bar), Some(r_bar.slice(axis, 0, m)));
        Cotangents::from_elem(left.map(|left| beside(left, q.matmul(v_bar))), 1)
    }
}

impl<T: Functions> Kernels<T> for Qr {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let [q, r] = y else { unreachable!("two results") };
        let x = x[0].real();
        let shape = Shape::from_slice(x.shape());
        let (batch, [m, n]) = matrices(&shape)?;
        let k = m.min(n);
        scratch::with(|Scratch { dense: [copy, ..], .. }| {
            let chunks = |len: usize| len.max(1);
            let results =
                q.slice().chunks_exact_mut(chunks(m * k)).zip(r.slice().chunks_exact_mut(chunks(k * n)));
            let stacks = dense(x, copy).chunks_exact(chunks(m * n)).zip(results);
            each_matrix([count(batch), m.max(n)], stacks, |_, (a, (q, r)), Workspace { work, .. }| {
                linalg::qr(a, m, n, q, r, work, threads(m.max(n)));
                Ok(())
            })
        })
    }
}

fn beside<'r>(left: Term<'r>, right: Term<'r>) -> Term<'r> {
    left.apply(Concat { axis: -1 }, &[right])
}

/// `a_bar = (q_bar + q c) r^-T`, where `c` is the lower triangle of `r r_bar^T - q_bar^T q` mirrored to the upper one.
///
/// Reference: S. Walter, L. Lehmann, Algorithmic differentiation of linear algebra functions (2010).
fn tall<'r>(q: Term<'r>, r: Term<'r>, q_bar: Option<Term<'r>>, r_bar: Option<Term<'r>>) -> Option<Term<'r>> {
    let from_r = r_bar.map(|r_bar| r.matmul(r_bar.t()));
    let from_q = q_bar.map(|q_bar| q_bar.t().matmul(q));
    let inner = super::triangular::difference(from_r, from_q)?;
    let mirrored = tril(inner, 0) + tril(inner, -1).t();
    let sum = q.matmul(mirrored);
    let sum = q_bar.map_or(sum, |q_bar| q_bar + sum);
    let upper = TriangularSolve { lower: false, transpose: false, unit_diagonal: false };
    Some(r.apply(upper, &[sum.t()]).t())
}
