//! Elements put in place of others, and indices as rows of zeros and a one.

use ndarray::{ArrayD, Axis, Zip};

use super::check;
use super::gather::{beside, fit, pick};
use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::op::{Gather, OneHot, Scatter};
use crate::ops::moving::{moved, pour};
use crate::rule::*;
use crate::shape::{Shape, axis};
use crate::term::Term;

impl Rule for Scatter {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real, Dtype::Index, Dtype::Real])?;
        fit(shapes[0], shapes[1], self.axis)?;
        if shapes[1] != shapes[2] {
            let rule = "the indices must have the shape of what is put";
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        one(shapes[0].into())
    }

    /// `y_bar` where nothing was put, and from where something was.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (index, y_bar) = (call.args[1], y_bar[0].expect("one result"));
        let kept = || {
            let zeros = y_bar.full(&index.shape(), 0.0);
            y_bar.apply(self.clone(), &[index, zeros])
        };
        let put = || y_bar.apply(Gather { axis: self.axis }, &[index]);
        [call.needs[0].then(kept), None, call.needs[2].then(put)].into_iter().collect()
    }

    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for Scatter {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (table, index) = (x[0].real(), x[1].index());
        let along = axis(self.axis, table.ndim())?;
        check(&index, table.shape()[along], along)?;
        pour(y[0].real(), table, false);
        let (mut y, src) = (beside(y[0].real(), index.shape(), along), x[2].real());
        let (mut taken, mut twice) = (ArrayD::from_elem(y.raw_dim(), false), None);
        let lanes = Zip::from(y.lanes_mut(Axis(along))).and(taken.lanes_mut(Axis(along)));
        lanes.and(index.lanes(Axis(along))).and(src.lanes(Axis(along))).for_each(
            |mut y, mut taken, index, src| {
                Zip::from(index).and(src).for_each(|&i, &value| {
                    if std::mem::replace(&mut taken[i as usize], true) {
                        twice = twice.or(Some(i));
                    }
                    y[i as usize] = value;
                });
            },
        );
        match twice {
            None => Ok(()),
            Some(i) => {
                let rule = format!("index {i} is named twice in a lane of axis {along}; scatter_add adds up");
                Err(Refusal::new(ErrorKind::InvalidAttribute, rule))
            }
        }
    }

    fn vjp_kernel(&self, Adjoint { x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let Some(y_bar) = &y_bar[0] else { return false };
        if x_bar[0].as_ref().is_some_and(|x_bar| x_bar.accumulate) {
            return false;
        }
        let (index, along) =
            (x[1].index(), axis(self.axis, y_bar.shape().len()).expect("has passed `infer`"));
        if let Some(x_bar) = &mut x_bar[0] {
            pour(x_bar.array.view_mut(), y_bar.view(), false);
            let mut covered = beside(x_bar.array.view_mut(), index.shape(), along);
            let lanes = Zip::from(covered.lanes_mut(Axis(along))).and(index.lanes(Axis(along)));
            lanes.for_each(|mut covered, index| index.iter().for_each(|&i| covered[i as usize] = T::zero()));
        }
        if let Some(put) = &mut x_bar[2] {
            pick(y_bar.view(), &index, along, put.array.view_mut(), put.accumulate);
        }
        true
    }
}

impl Rule for OneHot {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let mut shape = Shape::from_slice(expect(args, &[Dtype::Index])?[0]);
        shape.push(self.classes);
        moved(shape, Dtype::Real)
    }

    fn is_differentiable(&self) -> bool {
        false
    }
}

impl<T: Functions> Kernels<T> for OneHot {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let index = x[0].index();
        check(&index, self.classes, index.ndim())?;
        y[0].slice().fill(T::zero());
        let rows = y[0].slice().chunks_exact_mut(self.classes.max(1));
        rows.zip(&index).for_each(|(row, &i)| row[i as usize] = T::one());
        Ok(())
    }
}
