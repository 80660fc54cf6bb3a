//! Triangular systems.

use super::*;
use crate::kernel::gemm::{Strided, StridedMut, Triangle, gemm, solve_triangular};
use crate::kernel::linalg::Workspace;
use crate::kernel::scratch::{self, Scratch, dense, room};
use crate::op::TriangularSolve;

impl TriangularSolve {
    /// The system with the transposed matrix.
    fn adjoint(&self) -> Self {
        TriangularSolve { transpose: !self.transpose, ..self.clone() }
    }

    /// The entries of a matrix that are read.
    fn triangle<'r>(&self, x: Term<'r>) -> Term<'r> {
        let inset = isize::from(self.unit_diagonal);
        if self.lower { tril(x, -inset) } else { triu(x, inset) }
    }

    fn is_read(&self, i: usize, j: usize) -> bool {
        if i == j { !self.unit_diagonal } else { (i > j) == self.lower }
    }

    /// Solves in place of the columns `b`.
    fn solve<T: Functions>(&self, a: &[T], n: usize, b: &mut [T], cols: usize) {
        let (a, b) = (Strided::rows(a, n), StridedMut::rows(b, cols));
        let a = if self.transpose { a.t() } else { a };
        let shape = Triangle { lower: self.lower != self.transpose, unit: self.unit_diagonal };
        solve_triangular(n, cols, shape, a, b, threads(n));
    }

    /// `b_bar` into `out`, `-b_bar x^T` into the named triangle of `a_bar`.
    fn adjoint_kernel<T: Functions>(
        &self,
        [a, x, x_bar]: [&[T]; 3],
        [n, cols]: [usize; 2],
        b_bar: &mut [T],
        a_bar: Option<(&mut [T], bool)>,
        whole: &mut [T],
    ) {
        b_bar.copy_from_slice(x_bar);
        self.adjoint().solve(a, n, b_bar, cols);
        let Some((a_bar, accumulate)) = a_bar else { return };
        let (left, right) = if self.transpose { (x, &*b_bar) } else { (&*b_bar, x) };
        let (left, right) = (Strided::rows(left, cols), Strided::rows(right, cols).t());
        gemm([n, n, cols], -T::one(), left, right, T::zero(), StridedMut::rows(whole, n), threads(n));
        for i in 0..n {
            for j in 0..n {
                let entry = if self.is_read(i, j) { whole[i * n + j] } else { T::zero() };
                let out = &mut a_bar[i * n + j];
                *out = if accumulate { *out + entry } else { entry };
            }
        }
    }
}

impl Rule for TriangularSolve {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real; 2])?;
        one(System::new(shapes[0], shapes[1])?.shape())
    }

    /// `b_bar = a^-T x_bar`, `a_bar = -b_bar x^T` in the triangle that is read (transposed for a transposed system).
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (a, x, x_bar) = (call.args[0], call.results[0], y_bar[0].expect("one result"));
        let system = System::known(&a.shape(), &call.args[1].shape());
        let b_bar = a.apply(self.adjoint(), &[system.columns(x_bar)]);
        let a_bar = call.needs[0].then(|| {
            let x = system.columns(x);
            let product = if self.transpose { x.matmul(b_bar.t()) } else { b_bar.matmul(x.t()) };
            -self.triangle(product)
        });
        [a_bar, call.needs[1].then(|| b_bar.reshape(&system.shape()))].into_iter().collect()
    }

    /// `x_dot = a^-1 (b_dot - a_dot x)`.
    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let (a, x) = (call.args[0], call.results[0]);
        let system = System::known(&a.shape(), &call.args[1].shape());
        let moved = x_dot[0].map(|a_dot| {
            let a_dot = self.triangle(a_dot);
            if self.transpose { a_dot.t() } else { a_dot }.matmul(system.columns(x))
        });
        let side = difference(x_dot[1].map(|b_dot| system.columns(b_dot)), moved)?;
        Some(Terms::from_elem(a.apply(self.clone(), &[side]).reshape(&system.shape()), 1))
    }
}

impl<T: Functions> Kernels<T> for TriangularSolve {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (a, b) = (x[0].real(), x[1].real());
        let (shape_a, shape_b) = (Shape::from_slice(a.shape()), Shape::from_slice(b.shape()));
        let system = System::new(&shape_a, &shape_b)?;
        let (n, len, lead) = (system.n, system.len(), system.lead(&shape_b));
        scratch::with(|Scratch { dense: [room_a, room_b, _], .. }| {
            let (a, b) = (dense(a, room_a), dense(b, room_b));
            if !self.unit_diagonal {
                check_diagonals(a, &shape_a)?;
            }
            let outs = y[0].slice().chunks_exact_mut(len.max(1));
            each_matrix([count(&system.batch), n], outs, |i, out, _: &mut Workspace<T>| {
                let at = source(&system.batch, &shape_a[..shape_a.len() - 2], i);
                out.copy_from_slice(&b[source(&system.batch, lead, i) * len..][..len]);
                self.solve(&a[at * n * n..][..n * n], n, out, system.cols);
                Ok(())
            })
        })
    }

    fn vjp_kernel(&self, Adjoint { x, y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (a, solution) = (x[0].real(), y[0].real());
        let system = System::known(a.shape(), x[1].shape());
        let (n, len) = (system.n, system.len());
        let alone = system.batch.is_empty() && n > 0 && len > 0;
        let (Some(y_bar), true) = (&y_bar[0], alone) else { return false };
        scratch::with(|Scratch { linalg: work, dense: [copy, ..], .. }| {
            let [b_bar, whole, _] = &mut work.matrices;
            let b_bar = room(b_bar, len);
            let (bar_a, bar_b) = x_bar.split_at_mut(1);
            let bar_a = bar_a[0].as_mut().map(|bar| {
                let accumulate = bar.accumulate;
                (bar.slice(), accumulate)
            });
            let known = [dense(a, copy), elements(&solution), y_bar.slice()];
            self.adjoint_kernel(known, [n, system.cols], b_bar, bar_a, room(whole, n * n));
            if let Some(bar) = &mut bar_b[0] {
                let accumulate = bar.accumulate;
                put(bar.slice(), b_bar, accumulate);
            }
        });
        true
    }
}

/// Refuses a zero on the diagonal of the matrices of `shape` with elements `a` in row-major order.
pub(super) fn check_diagonals<T: Functions>(a: &[T], shape: &[usize]) -> Result<(), Refusal> {
    let (batch, [m, n]) = matrices(shape)?;
    for (at, a) in a.chunks_exact((m * n).max(1)).enumerate() {
        if let Some(k) = (0..m.min(n)).find(|k| a[k * (n + 1)] == T::zero()) {
            let rule = format!("{} is singular: entry {k} of its diagonal is zero", named(batch, at));
            return Err(Refusal::new(ErrorKind::SingularMatrix, rule));
        }
    }
    Ok(())
}

/// `a - b` of what there is.
pub(super) fn difference<'r>(a: Option<Term<'r>>, b: Option<Term<'r>>) -> Option<Term<'r>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a - b),
        (a, b) => a.or(b.map(|b| -b)),
    }
}
