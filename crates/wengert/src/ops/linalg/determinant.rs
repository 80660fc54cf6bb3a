//! Determinants. The gradient of `det` is the cofactor matrix, which exists for singular matrices too.

use super::solve::factor;
use super::*;
use crate::kernel::linalg::{self, Workspace};
use crate::kernel::scratch::{self, Scratch, dense, room};
use crate::op::{Cofactor, CofactorTangent, Det, InverseTransposed, SlogDet};

impl Rule for Det {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one(one_square(args)?.0.into())
    }

    /// `a_bar = y_bar cofactor(a)`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let bar = y_bar[0].map(|y_bar| over_matrices(y_bar) * call.args[0].apply(Cofactor {}, &[]));
        Cotangents::from_elem(bar, 1)
    }
}

impl<T: Functions> Kernels<T> for Det {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let x = x[0].real();
        let n = known_square(x.shape()).1;
        scratch::with(
            |Scratch { linalg: Workspace { matrices, work, pivots, .. }, dense: [copy, ..], .. }| {
                let stack = dense(x, copy);
                for (i, y) in y[0].slice().iter_mut().enumerate() {
                    let (factors, pivots) = (room(&mut matrices[0], n * n), room(pivots, n));
                    factors.copy_from_slice(&stack[i * n * n..][..n * n]);
                    // A zero pivot is a determinant of zero, not a failure.
                    let _ = linalg::lu(factors, n, pivots, work, threads(n));
                    *y = linalg::determinant(factors, n, pivots);
                }
            },
        );
        Ok(())
    }
}

impl Rule for Cofactor {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one_square(args)?;
        one(Shape::from_slice(args[0].shape))
    }

    /// The second derivative of the determinant is symmetric, so the tangent along `y_bar` is the cotangent.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        Cotangents::from_elem(y_bar[0].map(|y_bar| call.args[0].apply(CofactorTangent {}, &[y_bar])), 1)
    }

    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        Some(Terms::from_elem(call.args[0].apply(CofactorTangent {}, &[x_dot[0]?]), 1))
    }
}

impl<T: Functions> Kernels<T> for Cofactor {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let x = x[0].real();
        let n = known_square(x.shape()).1;
        scratch::with(|Scratch { dense: [copy, ..], .. }| {
            let size = (n * n).max(1);
            for (a, out) in dense(x, copy).chunks_exact(size).zip(y[0].slice().chunks_exact_mut(size)) {
                if linalg::cofactor(a, n, out, threads(n)).is_err() {
                    out.fill(T::nan());
                }
            }
        });
        Ok(())
    }
}

impl Rule for CofactorTangent {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real; 2])?;
        square(shapes[0])?;
        if shapes[0] != shapes[1] {
            let rule = "the direction must have the shape of the matrices";
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        one(shapes[0].into())
    }

    /// In the direction the op is its own adjoint. In the matrix, where that is invertible, with `c = cofactor(a)`:
    /// `<y_bar, y> = (<e, c> <y_bar, c> - <y_bar, c e^T c>) / det a`, differentiated through `c` and `det a`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (a, e, y_bar) = (call.args[0], call.args[1], y_bar[0].expect("one result"));
        let a_bar = call.needs[0].then(|| {
            let (c, det) = (a.apply(Cofactor {}, &[]), over_matrices(a.apply(Det {}, &[])));
            let last = [a.ndim() - 2, a.ndim() - 1];
            let inner = |x: Term<'r>, y: Term<'r>| (x * y).sum(&last, true);
            let c_bar = inner(e, c) * y_bar + inner(y_bar, c) * e
                - y_bar.matmul(c.t()).matmul(e)
                - e.matmul(c.t()).matmul(y_bar);
            let value = inner(y_bar, call.results[0]);
            (a.apply(CofactorTangent {}, &[c_bar]) - value * c) / det
        });
        let e_bar = call.needs[1].then(|| a.apply(CofactorTangent {}, &[y_bar]));
        [a_bar, e_bar].into_iter().collect()
    }
}

impl<T: Functions> Kernels<T> for CofactorTangent {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (a, e) = (x[0].real(), x[1].real());
        let n = known_square(a.shape()).1;
        let size = (n * n).max(1);
        scratch::with(|Scratch { dense: [room_a, room_e, _], .. }| {
            let pairs = dense(a, room_a).chunks_exact(size).zip(dense(e, room_e).chunks_exact(size));
            for ((a, e), out) in pairs.zip(y[0].slice().chunks_exact_mut(size)) {
                if linalg::cofactor_tangent(a, e, n, out, threads(n)).is_err() {
                    out.fill(T::nan());
                }
            }
        });
        Ok(())
    }
}

impl Rule for SlogDet {
    /// Factors and row exchanges are kept for the derivative.
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let (batch, n) = one_square(args)?;
        let scalar = || Spec::real(batch.into());
        let factors = Spec::real(Shape::from_slice(args[0].shape));
        Ok([scalar(), scalar(), factors, Spec::index(joined(batch, &[n]))].into_iter().collect())
    }

    fn visible(&self) -> usize {
        2
    }

    /// The sign is flat; `a_bar = y_bar a^-T` from the logarithm.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let bar = y_bar[1].map(|y_bar| over_matrices(y_bar) * call.args[0].apply(InverseTransposed {}, &[]));
        Cotangents::from_elem(bar, 1)
    }
}

impl<T: Functions> Kernels<T> for SlogDet {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let [sign, log, factors, pivots] = y else { unreachable!("four results") };
        let mut pivots = pivots.index();
        let pivots = pivots.as_slice_mut().expect("results lie row-major without gaps");
        factor(&x[0], factors.slice(), pivots, false)?;
        let n = known_square(x[0].shape()).1;
        scratch::with(|Scratch::<T> { linalg: work, .. }| {
            for (i, (sign, log)) in sign.slice().iter_mut().zip(log.slice()).enumerate() {
                let exchanged = room(&mut work.pivots, n);
                exchanged.iter_mut().zip(&pivots[i * n..]).for_each(|(to, from)| *to = *from as usize);
                let factors = &factors.slice()[i * n * n..][..n * n];
                (*sign, *log) = linalg::log_determinant(factors, n, exchanged);
            }
        });
        Ok(())
    }

    fn vjp_kernel(&self, Adjoint { y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (Some(y_bar), Some(x_bar)) = (&y_bar[1], &mut x_bar[0]) else { return false };
        let (factors, pivots) = (y[2].real(), y[3].index());
        let n = known_square(factors.shape()).1;
        let (factors, accumulate) = (elements(&factors), x_bar.accumulate);
        let pivots = pivots.as_slice().expect("results lie row-major without gaps");
        scratch::with(|Scratch { linalg: work, .. }| {
            for (i, &y_bar) in y_bar.slice().iter().enumerate() {
                let at = i * n * n..(i + 1) * n * n;
                let (inverse, exchanged) = (room(&mut work.matrices[0], n * n), room(&mut work.pivots, n));
                exchanged.iter_mut().zip(&pivots[i * n..]).for_each(|(to, from)| *to = *from as usize);
                linalg::inverse(&factors[at.clone()], n, exchanged, inverse, threads(n));
                linalg::transpose_square(inverse, n);
                inverse.iter_mut().for_each(|x| *x *= y_bar);
                put(&mut x_bar.slice()[at], inverse, accumulate);
            }
        });
        true
    }
}
