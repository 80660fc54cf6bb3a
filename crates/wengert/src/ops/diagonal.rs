//! The diagonal of two axes as a view, and its adjoint: what a repeated index of an einsum means.

use ndarray::Axis;

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::op::{Diagonal, DiagonalInto};
use crate::ops::moving::{assign, pour_back};
use crate::rule::*;
use crate::shape::{Layout, Shape};
use crate::term::Term;

/// Both axes, the later one first: the order in which they can be removed one after the other.
fn descending(axis0: usize, axis1: usize, ndim: usize) -> Result<[usize; 2], Refusal> {
    let (low, high) = (axis0.min(axis1), axis0.max(axis1));
    if high >= ndim {
        let rule = format!("axis {high} is out of range for {ndim} axes");
        return Err(Refusal::new(ErrorKind::AxisOutOfRange, rule));
    }
    if low == high {
        return Err(Refusal::new(ErrorKind::DuplicateAxis, format!("axis {low} is named twice")));
    }
    Ok([high, low])
}

impl Rule for Diagonal {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let mut shape = Shape::from_slice(expect(args, &[Dtype::Real])?[0]);
        let lengths = descending(self.axis0, self.axis1, shape.len())?.map(|axis| shape.remove(axis));
        if lengths[0] != lengths[1] {
            let rule = format!("the axes of a diagonal have lengths {} and {}", lengths[1], lengths[0]);
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        shape.push(lengths[0]);
        one(shape)
    }
    fn view(&self, x: &Layout) -> Option<(Layout, isize)> {
        let mut layout = x.clone();
        let axes = descending(self.axis0, self.axis1, x.ndim()).ok()?;
        let lengths = axes.map(|axis| layout.shape.remove(axis));
        let step = axes.map(|axis| layout.strides.remove(axis)).iter().sum();
        layout.shape.push(lengths[0]);
        layout.strides.push(step);
        Some((layout, 0))
    }
    fn vjp<'r>(&self, _call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let adjoint = DiagonalInto { axis0: self.axis0, axis1: self.axis1 };
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.apply(adjoint, &[])), 1)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for Diagonal {
    fn vjp_kernel(&self, Adjoint { y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        pour_back(self, y_bar, x_bar)
    }
}

impl Rule for DiagonalInto {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let mut shape = Shape::from_slice(expect(args, &[Dtype::Real])?[0]);
        let Some(n) = shape.pop() else {
            return Err(Refusal::new(ErrorKind::RankMismatch, "a number has no axis to lay on a diagonal"));
        };
        let [high, low] = descending(self.axis0, self.axis1, shape.len() + 2)?;
        shape.insert(low, n);
        shape.insert(high, n);
        one(shape)
    }
    fn vjp<'r>(&self, _call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let adjoint = Diagonal { axis0: self.axis0, axis1: self.axis1 };
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.apply(adjoint, &[])), 1)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for DiagonalInto {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (x, mut y) = (x[0].real(), y[0].real());
        let [high, low] = descending(self.axis0, self.axis1, y.ndim())?;
        y.fill(T::zero());
        for (i, x) in x.axis_iter(Axis(x.ndim() - 1)).enumerate() {
            let mut plane = y.index_axis_mut(Axis(high), i);
            assign(plane.index_axis_mut(Axis(low), i), x);
        }
        Ok(())
    }
}
