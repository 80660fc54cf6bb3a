//! The Cholesky factor and what is best computed through it.

use super::degenerate::numbers;
use super::triangular::check_diagonals;
use super::*;
use crate::kernel::linalg;
use crate::kernel::scratch::{self, Scratch, dense, room};
use crate::op::{Cholesky, CholeskySolve, InverseTransposed, LogDetSpd, TriangularSolve};

/// Factors every matrix of `x`.
fn factor<T: Functions>(x: &Input<'_, T>, out: &mut [T]) -> Result<(), Refusal> {
    let x = x.real();
    let shape = Shape::from_slice(x.shape());
    let (batch, n) = known_square(&shape);
    scratch::with(|Scratch { dense: [copy, ..], .. }| {
        let size = (n * n).max(1);
        let pairs = dense(x, copy).chunks_exact(size).zip(out.chunks_exact_mut(size));
        each_matrix([count(batch), n], pairs, |i, (a, l), _: &mut linalg::Workspace<T>| {
            linalg::cholesky(a, n, l, threads(n)).map_err(|failed| {
                let rule = format!(
                    "{} is not positive definite: pivot {} is not positive",
                    named(batch, i),
                    failed.pivot
                );
                Refusal::new(ErrorKind::NotPositiveDefinite, rule)
            })
        })
    })
}

/// `l^-T x`.
fn solve_transposed<'r>(l: Term<'r>, x: Term<'r>) -> Term<'r> {
    l.apply(TriangularSolve { lower: true, transpose: true, unit_diagonal: false }, &[x])
}

/// The lower triangle with its diagonal halved.
fn half_lower<'r>(x: Term<'r>) -> Term<'r> {
    (tril(x, 0) + tril(x, -1)) * x.lit(0.5)
}

impl Rule for Cholesky {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one_square(args)?;
        one(Shape::from_slice(args[0].shape))
    }

    /// `a_bar = sym(l^-T Phi(l^T l_bar) l^-1)`, `Phi` the lower triangle with its diagonal halved.
    ///
    /// Reference: I. Murray, Differentiation of the Cholesky decomposition, arXiv:1602.07527 (2016).
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (l, l_bar) = (call.results[0], y_bar[0].expect("one result"));
        let left = solve_transposed(l, half_lower(l.t().matmul(l_bar)));
        Cotangents::from_elem(Some(symmetric(solve_transposed(l, left.t()))), 1)
    }

    /// `l_dot = l Phi(l^-1 sym(a_dot) l^-T)`.
    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let (l, lower) = (call.results[0], TriangularSolve::default());
        let left = l.apply(lower.clone(), &[symmetric(x_dot[0]?)]);
        let whole = l.apply(lower, &[left.t()]);
        Some(Terms::from_elem(l.matmul(half_lower(whole)), 1))
    }
}

impl<T: Functions> Kernels<T> for Cholesky {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        factor(&x[0], y[0].slice())
    }

    fn vjp_kernel(&self, Adjoint { y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (l, Some(l_bar), Some(x_bar)) = (y[0].real(), &y_bar[0], &mut x_bar[0]) else { return false };
        let n = known_square(l.shape()).1;
        let (l, l_bar, accumulate) = (elements(&l), l_bar.slice(), x_bar.accumulate);
        let size = (n * n).max(1);
        let stacks = l.chunks_exact(size).zip(l_bar.chunks_exact(size));
        let stacks = stacks.zip(x_bar.slice().chunks_exact_mut(size));
        each_matrix([l.len() / size, n], stacks, |_, ((l, l_bar), out), work| {
            if !accumulate {
                linalg::cholesky_adjoint(l, l_bar, n, out, threads(n));
                return Ok(());
            }
            let whole = room(&mut work.matrices[0], n * n);
            linalg::cholesky_adjoint(l, l_bar, n, whole, threads(n));
            put(out, whole, true);
            Ok(())
        })
        .is_ok()
    }
}

impl Rule for LogDetSpd {
    /// The factor is kept for the derivative.
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let (batch, _) = one_square(args)?;
        Ok([Spec::real(batch.into()), Spec::real(Shape::from_slice(args[0].shape))].into_iter().collect())
    }

    fn visible(&self) -> usize {
        1
    }

    /// `a_bar = y_bar a^-1`, symmetric.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let bar = y_bar[0]
            .map(|y_bar| over_matrices(y_bar) * symmetric(call.args[0].apply(InverseTransposed {}, &[])));
        Cotangents::from_elem(bar, 1)
    }
}

impl<T: Functions> Kernels<T> for LogDetSpd {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let [value, l] = y else { unreachable!("two results") };
        factor(&x[0], l.slice())?;
        let n = known_square(l.real().shape()).1;
        let l = l.slice();
        for (i, value) in value.slice().iter_mut().enumerate() {
            let diagonal = (0..n).map(|k| l[i * n * n + k * (n + 1)].ln());
            *value = T::of(2.0) * diagonal.sum::<T>();
        }
        Ok(())
    }

    fn vjp_kernel(&self, Adjoint { y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        use crate::kernel::gemm::{Strided, StridedMut, Triangle, gemm};
        let (l, Some(y_bar), Some(x_bar)) = (y[1].real(), &y_bar[0], &mut x_bar[0]) else { return false };
        let n = known_square(l.shape()).1;
        let beta = if x_bar.accumulate { T::one() } else { T::zero() };
        let (l, size) = (elements(&l), (n * n).max(1));
        let stacks = l.chunks_exact(size).zip(y_bar.slice()).zip(x_bar.slice().chunks_exact_mut(size));
        each_matrix([l.len() / size, n], stacks, |_, ((l, &y_bar), out), work| {
            let inverse = room(&mut work.matrices[0], n * n);
            linalg::triangular_inverse(Strided::rows(l, n), n, Triangle::LOWER, inverse, threads(n));
            let inverse = Strided::rows(inverse, n);
            gemm([n; 3], y_bar, inverse.t(), inverse, beta, StridedMut::rows(out, n), threads(n));
            Ok(())
        })
        .is_ok()
    }
}

impl Rule for CholeskySolve {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real; 2])?;
        one(System::new(shapes[1], shapes[0])?.shape())
    }

    fn check(&self, args: &[Term<'_>]) -> Result<(), Refusal> {
        check_diagonals(&numbers(args[1]), &args[1].shape())
    }

    /// `x = l^-T l^-1 b`.
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        let (b, l) = (args[0], args[1]);
        let system = System::known(&l.shape(), &b.shape());
        let half = l.apply(TriangularSolve::default(), &[system.columns(b)]);
        Some(Terms::from_elem(solve_transposed(l, half).reshape(&system.shape()), 1))
    }
}

impl<T: Functions> Kernels<T> for CholeskySolve {}
