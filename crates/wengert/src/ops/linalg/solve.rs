//! General systems by LU, and the transposed ones of their derivatives.

use std::slice::ChunksExactMut;

use ndarray::ArrayViewD;

use super::triangular::difference;
use super::*;
use crate::kernel::gemm::{Strided, StridedMut, gemm};
use crate::kernel::linalg;
use crate::kernel::scratch::{self, Scratch, dense, room};
use crate::memory::Dense;
use crate::op::{Op, Solve, SolveTransposed};

/// The solution, and for the derivative the factors and row exchanges of every matrix.
fn infer(args: &[Arg<'_>]) -> Result<Specs, Refusal> {
    let shapes = expect(args, &[Dtype::Real; 2])?;
    let solution = System::new(shapes[0], shapes[1])?.shape();
    let (batch, n) = known_square(shapes[0]);
    let factors = [Spec::real(shapes[0].into()), Spec::index(joined(batch, &[n]))];
    Ok([Spec::real(solution)].into_iter().chain(factors).collect())
}

/// Row exchanges as kernels take them.
fn exchanges<'a>(pivots: &ArrayViewD<'_, i64>, held: &'a mut Vec<usize>) -> &'a [usize] {
    held.clear();
    held.extend(pivots.iter().map(|&p| p as usize));
    held
}

/// Factors every matrix of `x` into `factors` and `pivots`; the first singular one is refused if `strict`.
pub(super) fn factor<T: Functions>(
    x: &Input<'_, T>,
    factors: &mut [T],
    pivots: &mut [i64],
    strict: bool,
) -> Result<(), Refusal> {
    let (batch, n) = known_square(x.shape());
    x.operand().copy_to(factors);
    let stacks = factors.chunks_exact_mut((n * n).max(1)).zip(pivots.chunks_exact_mut(n.max(1)));
    each_matrix([count(batch), n], stacks, |i, (factors, pivots), work| {
        let exchanged = room(&mut work.pivots, n);
        let done = linalg::lu(factors, n, exchanged, &mut work.work, threads(n));
        if let (Err(failed), true) = (done, strict) {
            return Err(singular(batch, i, failed.pivot));
        }
        pivots.iter_mut().zip(exchanged).for_each(|(to, from)| *to = *from as i64);
        Ok(())
    })
}

fn forward<T: Functions>(
    transposed: bool,
    x: &[Input<'_, T>],
    y: &mut [Output<'_, T>],
) -> Result<(), Refusal> {
    let [solution, factors, pivots] = y else { unreachable!("three results") };
    let mut pivots = pivots.index();
    let row_exchanges = pivots.as_slice_mut().expect("results lie row-major without gaps");
    factor(&x[0], factors.slice(), row_exchanges, true)?;
    let (a, b) = (x[0].shape(), x[1].shape());
    let system = System::new(a, b)?;
    let (n, len, lead) = (system.n, system.len(), system.lead(b));
    scratch::with(|Scratch { linalg: work, dense: [copy, ..], .. }| {
        let b = dense(x[1].real(), copy);
        let pivots = exchanges(&pivots.view(), &mut work.pivots);
        let factors = &*factors.slice();
        let outs = solution.slice().chunks_exact_mut(len.max(1));
        each_matrix([count(&system.batch), n], outs, |i, out, _: &mut linalg::Workspace<T>| {
            let at = source(&system.batch, &a[..a.len() - 2], i);
            out.copy_from_slice(&b[source(&system.batch, lead, i) * len..][..len]);
            let (factors, pivots) = (&factors[at * n * n..][..n * n], &pivots[at * n..][..n]);
            linalg::solve_factored(factors, n, pivots, transposed, out, system.cols, threads(n));
            Ok(())
        })
    })
}

/// `b_bar` solves the transposed system for `x_bar`; `a_bar = -b_bar x^T`, or its transpose for a transposed system.
fn vjp<'r>(transposed: bool, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
    let Some(x_bar) = y_bar[0] else { return Cotangents::from_elem(None, 2) };
    let (a, x) = (call.args[0], call.results[0]);
    let system = System::known(&a.shape(), &call.args[1].shape());
    let adjoint: Op = if transposed { Solve {}.into() } else { SolveTransposed {}.into() };
    let b_bar = a.apply(adjoint, &[system.columns(x_bar)]);
    let a_bar = call.needs[0].then(|| {
        let x = system.columns(x);
        -(if transposed { x.matmul(b_bar.t()) } else { b_bar.matmul(x.t()) })
    });
    [a_bar, call.needs[1].then(|| b_bar.reshape(&system.shape()))].into_iter().collect()
}

/// `x_dot = a^-1 (b_dot - a_dot x)`.
fn jvp<'r>(transposed: bool, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
    let (a, x) = (call.args[0], call.results[0]);
    let system = System::known(&a.shape(), &call.args[1].shape());
    let moved = x_dot[0].map(|a_dot| if transposed { a_dot.t() } else { a_dot }.matmul(system.columns(x)));
    let side = difference(x_dot[1].map(|b_dot| system.columns(b_dot)), moved)?;
    let op: Op = if transposed { SolveTransposed {}.into() } else { Solve {}.into() };
    Some(Terms::from_elem(a.apply(op, &[side]).reshape(&system.shape()), 1))
}

/// With the factors of the forward: no second elimination.
fn vjp_kernel<T: Functions>(
    transposed: bool,
    x: &[Input<'_, T>],
    y: &[Input<'_, T>],
    y_bar: &[Option<Dense<'_, T>>],
    x_bar: &mut [Option<Cotangent<'_, T>>],
) -> bool {
    let (a, b) = (x[0].shape(), x[1].shape());
    let system = System::known(a, b);
    let (n, len) = (system.n, system.len());
    let own = a[..a.len() - 2] == system.batch[..] && system.lead(b) == &system.batch[..];
    let (Some(y_bar), true) = (&y_bar[0], own && len > 0) else { return false };
    let (solution, factors, pivots) = (y[0].real(), y[1].real(), y[2].index());
    let (solution, factors, y_bar) = (elements(&solution), elements(&factors), y_bar.slice());
    scratch::with(|Scratch { linalg: work, .. }: &mut Scratch<T>| {
        let pivots = exchanges(&pivots, &mut work.pivots);
        let [a_bar, b_out] = x_bar else { unreachable!("a system has two arguments") };
        let mut a_bars =
            a_bar.as_mut().map(|bar| (bar.accumulate, bar.slice().chunks_exact_mut((n * n).max(1))));
        let mut b_bars = b_out.as_mut().map(|bar| (bar.accumulate, bar.slice().chunks_exact_mut(len)));
        let stacks = (0..count(&system.batch)).map(|_| (next(&mut a_bars), next(&mut b_bars)));
        each_matrix([count(&system.batch), n], stacks, |i, (a_bar, b_out), work| {
            let b_bar = room(&mut work.matrices[0], len);
            b_bar.copy_from_slice(&y_bar[i * len..][..len]);
            let (factors, pivots) = (&factors[i * n * n..][..n * n], &pivots[i * n..][..n]);
            linalg::solve_factored(factors, n, pivots, !transposed, b_bar, system.cols, threads(n));
            if let Some((accumulate, out)) = a_bar {
                let beta = if accumulate { T::one() } else { T::zero() };
                let out = StridedMut::rows(out, n);
                let x = &solution[i * len..][..len];
                let (left, right) = if transposed { (x, &*b_bar) } else { (&*b_bar, x) };
                let (left, right) = (Strided::rows(left, system.cols), Strided::rows(right, system.cols).t());
                gemm([n, n, system.cols], -T::one(), left, right, beta, out, threads(n));
            }
            if let Some((accumulate, out)) = b_out {
                put(out, b_bar, accumulate);
            }
            Ok(())
        })
        .is_ok()
    })
}

/// Whether to add, and a cotangent's next matrix.
fn next<'a, T>(bar: &mut Option<(bool, ChunksExactMut<'a, T>)>) -> Option<(bool, &'a mut [T])> {
    bar.as_mut().map(|(accumulate, matrices)| (*accumulate, matrices.next().expect("one a system")))
}

macro_rules! systems {
    ($($Op:ident $transposed:literal)*) => { $(impl Rule for $Op {
        fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> { infer(args) }
        fn visible(&self) -> usize { 1 }
        fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> { vjp($transposed, call, y_bar) }
        fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> { jvp($transposed, call, x_dot) }
    }

    impl<T: Functions> Kernels<T> for $Op {
        fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> { forward($transposed, x, y) }
        fn vjp_kernel(&self, Adjoint { x, y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool { vjp_kernel($transposed, x, y, y_bar, x_bar) }
    })* };
}
systems! { Solve false SolveTransposed true }
