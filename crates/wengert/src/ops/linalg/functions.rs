//! Functions of matrices that are made of other ops: exponential, powers, pseudoinverse, Kronecker product.

use super::degenerate::check_full_rank;
use super::*;
use crate::kernel::gemm::{Strided, StridedMut, gemm};
use crate::kernel::linalg::{self, Workspace};
use crate::kernel::scratch::{self, Scratch, dense, room};
use crate::op::{Concat, Expm, Kron, Lstsq, MatrixPower, Pinv};
use crate::words::TunedWords;

impl Rule for Expm {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one_square(args)?;
        one(Shape::from_slice(args[0].shape))
    }

    /// The upper right block of `exp([a^T y_bar; 0 a^T])`: the derivative of the exponential at `a^T` along `y_bar`.
    ///
    /// Reference: N. J. Higham, Functions of Matrices, SIAM (2008), section 10.6.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        Cotangents::from_elem(y_bar[0].map(|y_bar| slope(call.args[0].t(), y_bar)), 1)
    }

    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        Some(Terms::from_elem(slope(call.args[0], x_dot[0]?), 1))
    }
}

impl<T: Functions> Kernels<T> for Expm {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let x = x[0].real();
        let n = known_square(x.shape()).1;
        let size = (n * n).max(1);
        scratch::with(|Scratch { linalg: Workspace { work, .. }, dense: [copy, ..], .. }| {
            let stacks = dense(x, copy).chunks_exact(size).zip(y[0].slice().chunks_exact_mut(size));
            stacks.for_each(|(a, out)| linalg::exponential(a, n, out, work, threads(n)));
        });
        Ok(())
    }
}

/// The derivative of the exponential at `a` along `e`.
fn slope<'r>(a: Term<'r>, e: Term<'r>) -> Term<'r> {
    let (shape, last) = (a.shape(), a.ndim() - 1);
    let n = shape[last];
    let above = a.apply(Concat { axis: -1 }, &[e]);
    let below = a.full(&shape, 0.0).apply(Concat { axis: -1 }, &[a]);
    let whole = above.apply(Concat { axis: -2 }, &[below]).apply(Expm {}, &[]);
    whole.slice(last - 1, 0, n).slice(last, n, 2 * n)
}

impl Rule for MatrixPower {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one_square(args)?;
        one(Shape::from_slice(args[0].shape))
    }

    /// By repeated squaring.
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        let a = args[0];
        let (mut square, mut left, mut power) = (a, self.n, None::<Term<'r>>);
        while left > 0 {
            if left & 1 == 1 {
                power = Some(power.map_or(square, |power| power.matmul(square)));
            }
            left >>= 1;
            if left > 0 {
                square = square.matmul(square);
            }
        }
        // A function of `a` still, whose derivative is 0.
        let identity = || triu(tril(a.powi([0.0; 2]), 0), 0);
        Some(Terms::from_elem(power.unwrap_or_else(identity), 1))
    }
}

impl<T: Functions> Kernels<T> for MatrixPower {}

impl Pinv {
    /// `out = v diag(1 / s) u^T` over the singular values that count.
    fn invert<T: Functions>(
        &self,
        a: &[T],
        [m, n]: [usize; 2],
        out: &mut [T],
        held: &mut Workspace<T>,
    ) -> Option<()> {
        let k = m.min(n);
        let [u, vt, s] = &mut held.matrices;
        let (u, vt, s) = (room(u, m * k), room(vt, k * n), room(s, k));
        linalg::svd(a, m, n, u, s, vt, &mut held.svd, threads(m.max(n))).ok()?;
        let rtol = self.rtol.map_or(T::epsilon() * T::of(m.max(n) as f64), T::of);
        let least = rtol * s.first().copied().unwrap_or(T::zero());
        for (row, &s) in vt.chunks_exact_mut(n.max(1)).zip(&*s) {
            row.iter_mut().for_each(|x| *x = if s > least { *x / s } else { T::zero() });
        }
        let (v, ut) = (Strided::rows(vt, n).t(), Strided::rows(u, k).t());
        gemm([n, m, k], T::one(), v, ut, T::zero(), StridedMut::rows(out, m), threads(m.max(n)));
        Some(())
    }
}

impl Rule for Pinv {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let (batch, [m, n]) = matrices(expect(args, &[Dtype::Real])?[0])?;
        if self.rtol.is_some_and(|rtol| rtol.is_nan() || rtol < 0.0) {
            return Err(Refusal::new(ErrorKind::InvalidAttribute, "rtol must not be negative"));
        }
        one(joined(batch, &[n, m]))
    }

    /// Where `rtol` is given, the rank is what it says; else it must be full.
    fn check_vjp(&self, call: &Call<'_, '_>, _y_bar: &[Option<Term<'_>>]) -> Result<(), Refusal> {
        if self.rtol.is_some() { Ok(()) } else { check_full_rank(call.args[0], call.results[0]) }
    }

    /// `a_bar = -p^T g p^T + (1 - a p) g^T p p^T + p^T p g^T (1 - p a)` for `p = pinv(a)`, `g = y_bar`, where the rank stays.
    ///
    /// Reference: G. H. Golub, V. Pereyra, SIAM J. Numer. Anal. 10 (1973).
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (a, p) = (call.args[0], call.results[0]);
        let bar = y_bar[0].map(|g| {
            let left = g.t().matmul(p.matmul(p.t()));
            let right = p.t().matmul(p).matmul(g.t());
            left - a.matmul(p.matmul(left)) + right
                - right.matmul(p).matmul(a)
                - p.t().matmul(g).matmul(p.t())
        });
        Cotangents::from_elem(bar, 1)
    }
}

impl<T: Functions> Kernels<T> for Pinv {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let x = x[0].real();
        let size = matrices(x.shape())?.1;
        let len = (size[0] * size[1]).max(1);
        scratch::with(|Scratch { linalg: work, dense: [copy, ..], .. }| {
            for (a, out) in dense(x, copy).chunks_exact(len).zip(y[0].slice().chunks_exact_mut(len)) {
                if self.invert(a, size, out, work).is_none() {
                    out.fill(T::nan());
                }
            }
        });
        Ok(())
    }
}

impl Rule for Lstsq {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real; 2])?;
        let inverse = Rule::infer(&Pinv { rtol: self.rtol }, &args[..1])?.remove(0).shape;
        let (_, [m, n]) = matrices(shapes[0])?;
        let (lead, rows, cols) = match shapes[1] {
            [] => return Err(Refusal::new(ErrorKind::RankMismatch, "the right side must not be a number")),
            [rows] => (&shapes[1][..0], *rows, &[][..]),
            [lead @ .., rows, cols] => (lead, *rows, std::slice::from_ref(cols)),
        };
        if rows != m {
            let rule = format!("the matrix has {m} rows, the right side {rows}");
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        let batch = broadcast([&inverse[..inverse.len() - 2], lead])?;
        one(batch.iter().chain([&n]).chain(cols).copied().collect())
    }

    /// `pinv(a) b`.
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        let inverse = args[0].apply(Pinv { rtol: self.rtol }, &[]);
        Some(Terms::from_elem(inverse.matmul(args[1]), 1))
    }
}

impl<T: Functions> Kernels<T> for Lstsq {}

impl Rule for Kron {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real; 2])?;
        let ((lead_a, a), (lead_b, b)) = (matrices(shapes[0])?, matrices(shapes[1])?);
        let mut shape = broadcast([lead_a, lead_b])?;
        shape.extend([a[0] * b[0], a[1] * b[1]]);
        one(shape)
    }

    /// `y[p i + k, q j + l] = a[i, j] b[k, l]`.
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        let (a, b) = (args[0], args[1]);
        let (at_a, at_b) = (a.ndim() - 2, b.ndim() - 2);
        let a = a.unsqueeze(at_a + 1).unsqueeze(at_a + 3);
        let b = b.unsqueeze(at_b).unsqueeze(at_b + 2);
        let product = a * b;
        let shape = product.shape();
        let [batch @ .., m, p, n, q] = &shape[..] else { unreachable!("four axes at least") };
        Some(Terms::from_elem(product.reshape(&joined(batch, &[m * p, n * q])), 1))
    }
}

impl<T: Functions> Kernels<T> for Kron {}
