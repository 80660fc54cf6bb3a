//! Ranges, single positions and reversed axes: views, and the op that is adjoint to taking a range.

use ndarray::{ArrayBase, Axis, IxDyn, RawData, Slice as Range};

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::op::{Flip, Select, Slice, SliceInto};
use crate::ops::moving::{Moving, every_dtype, moved, moving_rules, pour, single, viewed};
use crate::rule::*;
use crate::shape::{Layout, Shape, axes, axis};
use crate::term::Term;

/// Positions `start, start + step, ..` along an axis, `count` of them.
pub(super) struct Positions {
    pub(super) axis: usize,
    start: usize,
    pub(super) count: usize,
    step: usize,
}

impl Positions {
    /// One behind the last position.
    fn stop(&self) -> usize {
        match self.count {
            0 => self.start,
            n => self.start + (n - 1) * self.step + 1,
        }
    }

    pub(super) fn of<S: RawData>(&self, mut x: ArrayBase<S, IxDyn>) -> ArrayBase<S, IxDyn> {
        let range = Range::new(self.start as isize, Some(self.stop() as isize), self.step as isize);
        x.slice_axis_inplace(Axis(self.axis), range);
        x
    }
}

moving_rules! { Slice Select Flip }

impl Slice {
    /// The positions that Python's slicing names: ends count from the back where negative, and are clipped.
    pub(super) fn positions(&self, shape: &[usize]) -> Result<Positions, Refusal> {
        let axis = axis(self.axis, shape.len())?;
        if self.step < 1 {
            let rule = format!("the step must be at least 1, not {}", self.step);
            return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
        }
        let n = shape[axis] as isize;
        let clip = |end: isize| if end < 0 { end.saturating_add(n).max(0) } else { end.min(n) } as usize;
        let (start, stop) = (self.start.map_or(0, clip), self.stop.map_or(n as usize, clip));
        let step = self.step as usize;
        Ok(Positions { axis, start, count: stop.saturating_sub(start).div_ceil(step), step })
    }
}

impl Moving for Slice {
    fn lengths(&self, x: &[usize]) -> Result<Shape, Refusal> {
        let along = self.positions(x)?;
        let mut shape = Shape::from_slice(x);
        shape[along.axis] = along.count;
        Ok(shape)
    }
    fn layout(&self, x: &Layout) -> Option<(Layout, isize)> {
        let along = self.positions(&x.shape).ok()?;
        let mut layout = x.clone();
        let offset = along.start as isize * x.strides[along.axis];
        layout.shape[along.axis] = along.count;
        if along.count > 1 {
            layout.strides[along.axis] *= self.step;
        }
        viewed(layout, offset)
    }
    fn keeps_order(&self) -> bool {
        false
    }
    fn adjoint<'r>(&self, x: &[usize], y_bar: Term<'r>) -> Term<'r> {
        let Positions { axis, start, step, .. } = self.positions(x).expect("has passed `infer`");
        y_bar.apply(SliceInto { shape: x.into(), axis, start, step }, &[])
    }
}

impl SliceInto {
    fn positions(&self, count: usize) -> Positions {
        Positions { axis: self.axis, start: self.start, count, step: self.step }
    }
}

impl Rule for SliceInto {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let x = expect(args, &[Dtype::Real])?[0];
        let ndim = self.shape.len();
        axis(isize::try_from(self.axis).unwrap_or(isize::MAX), ndim)?;
        if self.step == 0 {
            return Err(Refusal::new(ErrorKind::InvalidAttribute, "the step must be at least 1"));
        }
        let others_agree = x.len() == ndim && (0..ndim).all(|k| k == self.axis || x[k] == self.shape[k]);
        let reach = |count: usize| (count - 1).checked_mul(self.step)?.checked_add(self.start);
        let room = self.shape[self.axis];
        if !others_agree || (x[self.axis] > 0 && reach(x[self.axis]).is_none_or(|last| last >= room)) {
            let rule = format!(
                "the argument does not fit into {:?} from position {} along axis {} in steps of {}",
                &self.shape[..],
                self.start,
                self.axis,
                self.step
            );
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        moved(self.shape.clone(), Dtype::Real)
    }
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let stop = self.positions(call.args[0].shape()[self.axis]).stop();
        let (start, stop) = (Some(self.start as isize), Some(stop as isize));
        let slice = Slice { axis: self.axis as isize, start, stop, step: self.step as isize };
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.apply(slice, &[])), 1)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for SliceInto {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        y[0].slice().fill(T::zero());
        let (x, y) = (x[0].real(), y[0].real());
        if !x.is_empty() {
            pour(self.positions(x.shape()[self.axis]).of(y), x, false);
        }
        Ok(())
    }
}

impl Select {
    /// Axis and position, counted from the front.
    fn position(&self, shape: &[usize]) -> Result<(usize, usize), Refusal> {
        let axis = axis(self.axis, shape.len())?;
        let n = shape[axis] as isize;
        if !(-n..n).contains(&self.index) {
            let rule = format!("index {} is out of range for axis {axis} of length {n}", self.index);
            return Err(Refusal::new(ErrorKind::IndexOutOfRange, rule));
        }
        Ok((axis, self.index.rem_euclid(n) as usize))
    }
}

impl Moving for Select {
    fn lengths(&self, x: &[usize]) -> Result<Shape, Refusal> {
        let mut left = Shape::from_slice(x);
        left.remove(self.position(x)?.0);
        Ok(left)
    }
    fn layout(&self, x: &Layout) -> Option<(Layout, isize)> {
        let (axis, index) = self.position(&x.shape).ok()?;
        let mut layout = x.clone();
        layout.shape.remove(axis);
        let stride = layout.strides.remove(axis);
        viewed(layout, index as isize * stride)
    }
    fn keeps_order(&self) -> bool {
        false
    }
    fn adjoint<'r>(&self, x: &[usize], y_bar: Term<'r>) -> Term<'r> {
        let (axis, start) = self.position(x).expect("has passed `infer`");
        let into = SliceInto { shape: x.into(), axis, start, step: 1 };
        y_bar.unsqueeze(axis).apply(into, &[])
    }
}

impl Moving for Flip {
    fn lengths(&self, x: &[usize]) -> Result<Shape, Refusal> {
        axes(Some(&self.axes), x.len())?;
        Ok(x.into())
    }
    fn layout(&self, x: &Layout) -> Option<(Layout, isize)> {
        let mut layout = x.clone();
        let mut offset = 0;
        for k in axes(Some(&self.axes), x.ndim()).ok()? {
            offset += (x.shape[k] as isize - 1) * x.strides[k];
            layout.strides[k] = -x.strides[k];
        }
        viewed(layout, offset)
    }
    fn keeps_order(&self) -> bool {
        false
    }
    fn adjoint<'r>(&self, _x: &[usize], y_bar: Term<'r>) -> Term<'r> {
        y_bar.apply(self.clone(), &[])
    }
}
