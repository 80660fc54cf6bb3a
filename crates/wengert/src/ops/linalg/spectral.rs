//! Eigenvalues of symmetric matrices and singular values, with their vectors.
//!
//! The derivative of vectors divides by the gaps between values. A gap lost in rounding counts as infinite, which is right
//! for what does not tell the vectors of equal values apart (a projector on their space); `degenerate` refuses the rest.

use super::degenerate::*;
use super::*;
use crate::kernel::linalg::{self, Workspace};
use crate::kernel::scratch::{self, Scratch, dense};
use crate::op::{Concat, DiagonalInto, Eigh, InverseGaps, Svd};

impl Rule for Eigh {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let (batch, n) = one_square(args)?;
        Ok([Spec::real(joined(batch, &[n])), Spec::real(Shape::from_slice(args[0].shape))]
            .into_iter()
            .collect())
    }

    fn check_vjp(&self, call: &Call<'_, '_>, y_bar: &[Option<Term<'_>>]) -> Result<(), Refusal> {
        check_eigenvectors(call.results[0], call.results[1], y_bar[0], y_bar[1])
    }

    fn check_jvp(
        &self,
        call: &Call<'_, '_>,
        x_dot: &[Option<Term<'_>>],
        wanted: &[bool],
    ) -> Result<(), Refusal> {
        match x_dot[0].filter(|_| wanted[1]) {
            Some(a_dot) => check_eigenvector_tangents(call.results[0], call.results[1], a_dot),
            None => Ok(()),
        }
    }

    /// `a_bar = sym(v (diag(w_bar) + f * (v^T v_bar)) v^T)` with `f_ij = 1 / (w_j - w_i)`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (w, v) = (call.results[0], call.results[1]);
        let turned = y_bar[1].map(|v_bar| v.t().matmul(v_bar) * inverse(w, false));
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

impl<T: Functions> Kernels<T> for Eigh {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let [values, vectors] = y else { unreachable!("two results") };
        let x = x[0].real();
        let shape = Shape::from_slice(x.shape());
        let (batch, n) = known_square(&shape);
        scratch::with(|Scratch { dense: [copy, ..], .. }| {
            let size = (n * n).max(1);
            let results =
                values.slice().chunks_exact_mut(n.max(1)).zip(vectors.slice().chunks_exact_mut(size));
            let stacks = dense(x, copy).chunks_exact(size).zip(results);
            each_matrix([count(batch), n], stacks, |i, (a, (values, vectors)), Workspace { work, .. }| {
                linalg::eigh(a, n, values, vectors, work, threads(n)).map_err(|_| not_converged(batch, i))
            })
        })
    }
}

/// `1 / (x_j - x_i)`, or `1 / (x_j + x_i)`.
fn inverse<'r>(x: Term<'r>, sums: bool) -> Term<'r> {
    x.apply(InverseGaps { sums }, &[])
}

/// `1 / x`, 0 where `x` is lost in rounding.
fn reciprocal<'r>(x: Term<'r>) -> Term<'r> {
    let (axis, shape) = (x.ndim() - 1, x.shape());
    let n = shape[axis];
    let zero = x.full(&joined(&shape[..axis], &[1]), 0.0);
    let sums = inverse(x.apply(Concat { axis: -1 }, &[zero]), true);
    sums.slice(axis, 0, n).slice(axis + 1, n, n + 1).reshape(&shape)
}

/// The last axis on the diagonals of matrices.
fn diagonal<'r>(x: Term<'r>) -> Term<'r> {
    let axis0 = x.ndim() - 1;
    x.apply(DiagonalInto { axis0, axis1: axis0 + 1 }, &[])
}

impl Rule for InverseGaps {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shape = expect(args, &[Dtype::Real])?[0];
        match shape.last() {
            Some(&n) => one(joined(shape, &[n])),
            None => Err(Refusal::new(ErrorKind::RankMismatch, "a number has no pairs")),
        }
    }

    /// `x_bar = sum_j (y_bar y^2)_ij - sum_i (y_bar y^2)_ij`, for sums `-sum_j - sum_i`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (x, y) = (call.args[0], call.results[0]);
        let bar = y_bar[0].map(|y_bar| {
            let (weight, axis) = (y_bar * y * y, x.ndim() - 1);
            let (from_i, from_j) = (weight.sum(&[axis + 1], false), weight.sum(&[axis], false));
            if self.sums { -(from_i + from_j) } else { from_i - from_j }
        });
        Cotangents::from_elem(bar, 1)
    }
}

impl<T: Functions> Kernels<T> for InverseGaps {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let x = x[0].real();
        let n = *x.shape().last().expect("an axis at least");
        scratch::with(|Scratch { dense: [copy, ..], .. }| {
            let rows = dense(x, copy).chunks_exact(n.max(1));
            for (x, out) in rows.zip(y[0].slice().chunks_exact_mut((n * n).max(1))) {
                let lost = lost_gap(x, T::epsilon().as_f64());
                for (k, out) in out.iter_mut().enumerate() {
                    let (i, j) = (k / n, k % n);
                    let gap = if self.sums { x[j] + x[i] } else { x[j] - x[i] };
                    *out = if i == j || gap.abs().as_f64() <= lost { T::zero() } else { T::one() / gap };
                }
            }
        });
        Ok(())
    }
}

impl Rule for Svd {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let (batch, [m, n]) = matrices(expect(args, &[Dtype::Real])?[0])?;
        let k = m.min(n);
        let shapes = [&[m, k][..], &[k], &[k, n]].map(|rest| Spec::real(joined(batch, rest)));
        Ok(shapes.into_iter().collect())
    }

    fn check_vjp(&self, call: &Call<'_, '_>, y_bar: &[Option<Term<'_>>]) -> Result<(), Refusal> {
        check_singular_vectors([0, 1, 2].map(|k| call.results[k]), [0, 1, 2].map(|k| y_bar[k]))
    }

    fn check_jvp(
        &self,
        call: &Call<'_, '_>,
        x_dot: &[Option<Term<'_>>],
        wanted: &[bool],
    ) -> Result<(), Refusal> {
        match x_dot[0].filter(|_| wanted[0] || wanted[2]) {
            Some(a_dot) => check_singular_vector_tangents([0, 1, 2].map(|k| call.results[k]), a_dot),
            None => Ok(()),
        }
    }

    /// `a_bar = u (diag(s_bar) + (p + q) / (s_j - s_i) + (p - q) / (s_j + s_i)) v^T` with the halves of the skew parts
    /// `p = (u^T u_bar - u_bar^T u) / 2` and `q = (v^T v_bar - v_bar^T v) / 2`, and for a matrix that is not square
    /// `(1 - u u^T) u_bar s^-1 v^T` or `u s^-1 v_bar^T (1 - v v^T)`. Gaps and sums apart: what turns `u` and `v` together
    /// has no first quotient, and a right second one at equal singular values.
    ///
    /// Reference: J. Townsend, Differentiating the singular value decomposition (2016).
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let [u, s, vt] = [0, 1, 2].map(|k| call.results[k]);
        let (m, n) = (u.shape()[u.ndim() - 2], vt.shape()[vt.ndim() - 1]);
        let [u_bar, s_bar, vt_bar] = [0, 1, 2].map(|k| y_bar[k]);
        let skew = |x: Term<'r>| (x - x.t()) * x.lit(0.5);
        let p = u_bar.map(|u_bar| skew(u.t().matmul(u_bar)));
        let q = vt_bar.map(|vt_bar| skew(vt.matmul(vt_bar.t())));
        let quotients = match (p, q) {
            (Some(p), Some(q)) => Some((p + q) * inverse(s, false) + (p - q) * inverse(s, true)),
            (Some(p), None) => Some(p * (inverse(s, false) + inverse(s, true))),
            (None, Some(q)) => Some(q * (inverse(s, false) - inverse(s, true))),
            (None, None) => None,
        };
        let parts = [quotients, s_bar.map(diagonal)];
        let Some(core) = parts.into_iter().flatten().reduce(|a, b| a + b) else {
            return Cotangents::from_elem(None, 1);
        };
        let bar = match (u_bar, vt_bar) {
            (Some(u_bar), _) if m > n => {
                let outside = u_bar * over_columns(reciprocal(s));
                (u.matmul(core) + outside - u.matmul(u.t().matmul(outside))).matmul(vt)
            }
            (_, Some(vt_bar)) if n > m => {
                let outside = vt_bar * over_rows(reciprocal(s));
                u.matmul(core.matmul(vt) + outside - outside.matmul(vt.t()).matmul(vt))
            }
            _ => u.matmul(core).matmul(vt),
        };
        Cotangents::from_elem(Some(bar), 1)
    }
}

impl<T: Functions> Kernels<T> for Svd {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let [u, s, vt] = y else { unreachable!("three results") };
        let x = x[0].real();
        let shape = Shape::from_slice(x.shape());
        let (batch, [m, n]) = matrices(&shape)?;
        let k = m.min(n);
        scratch::with(|Scratch { dense: [copy, ..], .. }| {
            let chunks = |len: usize| len.max(1);
            let results =
                u.slice().chunks_exact_mut(chunks(m * k)).zip(s.slice().chunks_exact_mut(chunks(k)));
            let results = results.zip(vt.slice().chunks_exact_mut(chunks(k * n)));
            let stacks = dense(x, copy).chunks_exact(chunks(m * n)).zip(results);
            each_matrix([count(batch), m.max(n)], stacks, |i, (a, ((u, s), vt)), Workspace { svd, .. }| {
                linalg::svd(a, m, n, u, s, vt, svd, threads(m.max(n))).map_err(|_| not_converged(batch, i))
            })
        })
    }
}
