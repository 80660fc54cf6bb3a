//! A part of an array replaced, in a copy.

use ndarray::{ArrayBase, IxDyn, RawData};

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::op::SliceAssign;
use crate::ops::moving::pour;
use crate::rule::*;
use crate::shape::{Shape, broadcast};
use crate::term::Term;

impl SliceAssign {
    /// The shape of the part of an array of `shape`.
    fn part_of(&self, shape: &[usize]) -> Result<Shape, Refusal> {
        let mut shape = Shape::from_slice(shape);
        for slice in &self.slices {
            let along = slice.positions(&shape)?;
            shape[along.axis] = along.count;
        }
        Ok(shape)
    }

    fn part<S: RawData>(&self, x: ArrayBase<S, IxDyn>) -> Result<ArrayBase<S, IxDyn>, Refusal> {
        self.slices.iter().try_fold(x, |x, slice| Ok(slice.positions(x.shape())?.of(x)))
    }
}

impl Rule for SliceAssign {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real; 2])?;
        let part = self.part_of(shapes[0])?;
        if broadcast([&part[..], shapes[1]])? != part {
            let rule = format!("{:?} does not broadcast to the part {:?}", shapes[1], &part[..]);
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        one(shapes[0].into())
    }

    /// `y_bar` outside of the part, and in it.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let y_bar = y_bar[0].expect("one result");
        let outside = || y_bar.apply(self.clone(), &[y_bar.full(&[], 0.0)]);
        let inside = || self.slices.iter().fold(y_bar, |y_bar, slice| y_bar.apply(slice.clone(), &[]));
        [call.needs[0].then(outside), call.needs[1].then(inside)].into_iter().collect()
    }

    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for SliceAssign {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        pour(y[0].real(), x[0].real(), false);
        let part = self.part(y[0].real())?;
        let shape = part.raw_dim();
        let given = x[1].real();
        let given = given.broadcast(shape).expect("shapes have passed `infer`");
        if !part.is_empty() {
            pour(part, given, false);
        }
        Ok(())
    }
}
