//! Triangles, diagonals and traces of matrices.

use std::ops::Range;

use ndarray::{ArrayBase, Axis, Ix2, IxDyn, RawData, Slice as Along};

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::memory::Dense;
use crate::op::{Diag, DiagInto, Trace, Tril, Triu};
use crate::ops::moving::{moved, pour, pour_back};
use crate::rule::*;
use crate::shape::{Layout, Shape};
use crate::term::Term;

/// What a triangle keeps of row `i`, of length `n`.
trait Triangle {
    fn kept(&self, i: usize, n: usize) -> Range<usize>;
}

fn clip(at: isize, n: usize) -> usize {
    at.clamp(0, n as isize) as usize
}

impl Triangle for Tril {
    fn kept(&self, i: usize, n: usize) -> Range<usize> {
        0..clip((i as isize).saturating_add(self.k).saturating_add(1), n)
    }
}

impl Triangle for Triu {
    fn kept(&self, i: usize, n: usize) -> Range<usize> {
        clip((i as isize).saturating_add(self.k), n)..n
    }
}

fn matrices(args: &[Arg<'_>]) -> Result<Specs, Refusal> {
    let shape = expect(args, &[Dtype::Real])?[0];
    if shape.len() < 2 {
        let rule = format!("takes matrices, and the argument has {} axes", shape.len());
        return Err(Refusal::new(ErrorKind::RankMismatch, rule));
    }
    one(shape.into())
}

/// Calls `f` with the offset and the kept part of every row of the matrices of `shape`.
fn rows(triangle: &impl Triangle, shape: &[usize], mut f: impl FnMut(usize, Range<usize>)) {
    let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    let count: usize = shape[..shape.len() - 1].iter().product();
    (0..count).for_each(|row| f(row * n, triangle.kept(row % m, n)));
}

fn keep_triangle<T: Functions>(triangle: &impl Triangle, x: &Input<'_, T>, y: &mut Output<'_, T>) {
    let x = x.real();
    pour(y.real(), x.view(), false);
    let (n, y) = (x.shape()[x.ndim() - 1], y.slice());
    // Overwritten, not multiplied: 0 stands there also where the argument is infinite or NaN.
    rows(triangle, x.shape(), |at, kept| {
        y[at..at + kept.start].fill(T::zero());
        y[at + kept.end..at + n].fill(T::zero());
    });
}

fn triangle_back<T: Functions>(
    triangle: &impl Triangle,
    y_bar: &[Option<Dense<'_, T>>],
    x_bar: &mut [Option<Cotangent<'_, T>>],
) -> bool {
    let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
    let (from, accumulate) = (y_bar.slice(), x_bar.accumulate);
    let to = x_bar.slice();
    if !accumulate {
        to.fill(T::zero());
    }
    rows(triangle, y_bar.shape(), |at, kept| {
        let (to, from) = (&mut to[at..][kept.clone()], &from[at..][kept]);
        to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
    });
    true
}

macro_rules! triangles {
    ($($Op:ident)*) => { $(impl Rule for $Op {
        fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
            matrices(args)
        }
        fn vjp<'r>(&self, _call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
            Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.apply(self.clone(), &[])), 1)
        }
        fn is_linear(&self) -> bool {
            true
        }
    }

    impl<T: Functions> Kernels<T> for $Op {
        fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
            keep_triangle(self, &x[0], &mut y[0]);
            Ok(())
        }
        fn vjp_kernel(&self, Adjoint { y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
            triangle_back(self, y_bar, x_bar)
        }
    })* };
}
triangles! { Tril Triu }

/// Diagonal `k` of a matrix of `shape`: where it starts (row, column), and its length; none beyond the corners.
fn diagonal(shape: &[usize], k: isize) -> (usize, usize, usize) {
    let away = k.unsigned_abs();
    let (row, column) = if k < 0 { (away, 0) } else { (0, away) };
    if row >= shape[0] || column >= shape[1] {
        return (0, 0, 0);
    }
    (row, column, (shape[0] - row).min(shape[1] - column))
}

/// Diagonal `k` of a matrix.
fn diagonal_of<S: RawData>(x: ArrayBase<S, IxDyn>, k: isize) -> ArrayBase<S, IxDyn> {
    let (row, column, len) = diagonal(x.shape(), k);
    let mut x = x.into_dimensionality::<Ix2>().expect("a matrix");
    x.slice_axis_inplace(Axis(0), Along::from(row..row + len));
    x.slice_axis_inplace(Axis(1), Along::from(column..column + len));
    x.into_diag().into_dyn()
}

impl Rule for Diag {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        match expect(args, &[Dtype::Real])?[0] {
            [n] => {
                let side = n.saturating_add(self.k.unsigned_abs());
                moved([side, side].into_iter().collect(), Dtype::Real)
            }
            matrix @ [_, _] => one(Shape::from_elem(diagonal(matrix, self.k).2, 1)),
            shape => {
                let rule = format!("takes a vector or a matrix, and the argument has {} axes", shape.len());
                Err(Refusal::new(ErrorKind::RankMismatch, rule))
            }
        }
    }
    fn view(&self, x: &Layout) -> Option<(Layout, isize)> {
        let &[down, right] = &x.strides[..] else { return None };
        let (row, column, len) = diagonal(&x.shape, self.k);
        let layout = Layout {
            shape: Shape::from_elem(len, 1),
            strides: std::iter::once(down.saturating_add(right)).collect(),
        };
        let offset = row as isize * down + column as isize * right;
        crate::ops::moving::viewed(layout, offset)
    }
    /// A vector becomes a matrix.
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        let side = args[0].shape()[0] + self.k.unsigned_abs();
        let into = DiagInto { shape: Shape::from_elem(side, 2), k: self.k };
        Some(Terms::from_elem(args[0].apply(into, &[]), 1))
    }
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let into = DiagInto { shape: call.args[0].shape(), k: self.k };
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.apply(into, &[])), 1)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for Diag {
    fn vjp_kernel(&self, Adjoint { y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        pour_back(self, y_bar, x_bar)
    }
}

impl Rule for DiagInto {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let x = expect(args, &[Dtype::Real])?[0];
        let specs = moved(self.shape.clone(), Dtype::Real)?;
        let fits = matches!((x, &self.shape[..]), (&[n], shape @ &[_, _]) if diagonal(shape, self.k).2 == n);
        if !fits {
            let rule = format!("the argument does not fill diagonal {} of {:?}", self.k, &self.shape[..]);
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        Ok(specs)
    }
    fn vjp<'r>(&self, _call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.apply(Diag { k: self.k }, &[])), 1)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for DiagInto {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        y[0].slice().fill(T::zero());
        pour(diagonal_of(y[0].real(), self.k), x[0].real(), false);
        Ok(())
    }
    fn vjp_kernel(&self, Adjoint { y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
        pour(x_bar.array.view_mut(), diagonal_of(y_bar.view(), self.k), x_bar.accumulate);
        true
    }
}

impl Rule for Trace {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        match expect(args, &[Dtype::Real])?[0] {
            [_, _] => one(Shape::new()),
            shape => {
                let rule = format!("takes a matrix, and the argument has {} axes", shape.len());
                Err(Refusal::new(ErrorKind::RankMismatch, rule))
            }
        }
    }
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        Some(Terms::from_elem(args[0].apply(Diag { k: 0 }, &[]).sum_all(), 1))
    }
}

impl<T: Functions> Kernels<T> for Trace {}
