//! Elements put in place of others, and indices as rows of zeros and a one.

use super::check;
use super::gather::fit;
use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::op::{Gather, OneHot, Scatter};
use crate::ops::moving::{moved, pour};
use crate::rule::*;
use crate::shape::{Shape, axis};
use crate::term::Term;

impl Rule for Scatter {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
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
        let (table, index, src) = (x[0].real(), x[1].index(), x[2].real());
        let along = axis(self.axis, table.ndim())?;
        check(&index, table.shape()[along], along)?;
        let mut taken = ndarray::ArrayD::from_elem(table.raw_dim(), false);
        let mut y = y[0].real();
        pour(y.view_mut(), table, false);
        for ((mut at, &i), &value) in index.indexed_iter().zip(&src) {
            at[along] = i as usize;
            if std::mem::replace(&mut taken[&at], true) {
                let rule = format!("index {i} is named twice in a lane of axis {along}; scatter_add adds up");
                return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
            }
            y[&at] = value;
        }
        Ok(())
    }
}

impl Rule for OneHot {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
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
