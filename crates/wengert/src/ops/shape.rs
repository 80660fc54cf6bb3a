//! Ops that only move elements about: strided views wherever one serves.

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::op::{BroadcastTo, Permute, Reshape, Squeeze, Transpose, Unsqueeze};
use crate::rule::*;
use crate::shape::{Layout, Shape, axes, axis};
use crate::term::Term;

fn real(args: &[Arg]) -> Result<&[usize], Refusal> {
    Ok(expect(args, &[Dtype::Real])?[0])
}

fn swapped(ndim: usize, a: usize, b: usize) -> Shape {
    let mut order: Shape = (0..ndim).collect();
    order.swap(a, b);
    order
}

fn permuted(x: &Layout, order: &[usize]) -> Layout {
    let shape = order.iter().map(|&k| x.shape[k]).collect();
    Layout { shape, strides: order.iter().map(|&k| x.strides[k]).collect() }
}

impl Permute {
    fn order(&self, ndim: usize) -> Result<Shape, Refusal> {
        if self.axes.len() != ndim {
            let rule = format!("{} axes are named, the argument has {ndim}", self.axes.len());
            return Err(Refusal::new(ErrorKind::RankMismatch, rule));
        }
        axes(Some(&self.axes), ndim)?;
        self.axes.iter().map(|&a| axis(a, ndim)).collect()
    }
}

impl<T: Functions> Rule<T> for Permute {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
        let shape = real(args)?;
        one(self.order(shape.len())?.iter().map(|&k| shape[k]).collect())
    }
    fn view(&self, x: &Layout) -> Option<(Layout, isize)> {
        Some((permuted(x, &self.order(x.ndim()).ok()?), 0))
    }
    fn vjp<'r>(&self, call: &Call<'_, 'r, T>, y_bar: &[Option<Term<'r, T>>]) -> Cotangents<'r, T> {
        let order = self.order(call.args[0].ndim()).expect("axes have passed `infer`");
        let mut inverse = order.clone();
        order.iter().enumerate().for_each(|(k, &from)| inverse[from] = k);
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.permute(&inverse)), 1)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Rule<T> for Transpose {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
        let shape = real(args)?;
        let (a, b) = (axis(self.axis0, shape.len())?, axis(self.axis1, shape.len())?);
        one(swapped(shape.len(), a, b).iter().map(|&k| shape[k]).collect())
    }
    fn view(&self, x: &Layout) -> Option<(Layout, isize)> {
        let (a, b) = (axis(self.axis0, x.ndim()).ok()?, axis(self.axis1, x.ndim()).ok()?);
        Some((permuted(x, &swapped(x.ndim(), a, b)), 0))
    }
    fn vjp<'r>(&self, _call: &Call<'_, 'r, T>, y_bar: &[Option<Term<'r, T>>]) -> Cotangents<'r, T> {
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.apply(self.clone(), &[])), 1)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl Reshape {
    /// The lengths for `len` elements, with -1 worked out.
    fn lengths(&self, len: usize) -> Result<Shape, Refusal> {
        let open = self.shape.iter().filter(|&&n| n == -1).count();
        if open > 1 || self.shape.iter().any(|&n| n < -1) {
            let rule = format!("the shape {:?} has an entry below -1, or more than one -1", &self.shape[..]);
            return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
        }
        let known: usize = self.shape.iter().filter(|&&n| n >= 0).map(|&n| n as usize).product();
        let fits = if open == 0 { known == len } else { known > 0 && len.is_multiple_of(known) };
        if !fits {
            let rule = format!("{len} elements do not fill the shape {:?}", &self.shape[..]);
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        Ok(self.shape.iter().map(|&n| if n == -1 { len / known } else { n as usize }).collect())
    }
}

impl<T: Functions> Rule<T> for Reshape {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
        one(self.lengths(real(args)?.iter().product())?)
    }
    fn view(&self, x: &Layout) -> Option<(Layout, isize)> {
        let shape = self.lengths(x.len()).ok()?;
        x.is_contiguous().then(|| (Layout::contiguous(&shape), 0))
    }
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        y[0].slice().iter_mut().zip(x[0].real()).for_each(|(y, x)| *y = *x);
        Ok(())
    }
    fn vjp<'r>(&self, call: &Call<'_, 'r, T>, y_bar: &[Option<Term<'r, T>>]) -> Cotangents<'r, T> {
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.reshape(&call.args[0].shape())), 1)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Rule<T> for BroadcastTo {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
        let shape = real(args)?;
        let lead = self.shape.len().wrapping_sub(shape.len());
        let fits = shape.len() <= self.shape.len()
            && shape.iter().zip(&self.shape[lead..]).all(|(&have, &want)| have == want || have == 1);
        if !fits {
            let rule = format!("{shape:?} does not broadcast to {:?}", &self.shape[..]);
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        one(self.shape.clone())
    }
    fn view(&self, x: &Layout) -> Option<(Layout, isize)> {
        Some((Layout { shape: self.shape.clone(), strides: x.broadcast_strides(&self.shape) }, 0))
    }
    /// The cotangent as it is: whoever called sums it back to the argument's shape.
    fn vjp<'r>(&self, _call: &Call<'_, 'r, T>, y_bar: &[Option<Term<'r, T>>]) -> Cotangents<'r, T> {
        Cotangents::from_elem(y_bar[0], 1)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl Squeeze {
    fn dropped(&self, shape: &[usize]) -> Result<Shape, Refusal> {
        let Some(named) = &self.axes else {
            return Ok((0..shape.len()).filter(|&k| shape[k] == 1).collect());
        };
        let named = axes(Some(named), shape.len())?;
        match named.iter().find(|&&k| shape[k] != 1) {
            Some(k) => {
                let rule =
                    format!("axis {k} has length {}, and only axes of length 1 can be dropped", shape[*k]);
                Err(Refusal::new(ErrorKind::ShapeMismatch, rule))
            }
            None => Ok(named),
        }
    }
}

impl<T: Functions> Rule<T> for Squeeze {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
        let shape = real(args)?;
        let dropped = self.dropped(shape)?;
        one((0..shape.len()).filter(|k| !dropped.contains(k)).map(|k| shape[k]).collect())
    }
    fn view(&self, x: &Layout) -> Option<(Layout, isize)> {
        let dropped = self.dropped(&x.shape).ok()?;
        let kept: Shape = (0..x.ndim()).filter(|k| !dropped.contains(k)).collect();
        Some((permuted(x, &kept), 0))
    }
    fn vjp<'r>(&self, call: &Call<'_, 'r, T>, y_bar: &[Option<Term<'r, T>>]) -> Cotangents<'r, T> {
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.reshape(&call.args[0].shape())), 1)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Rule<T> for Unsqueeze {
    fn infer(&self, args: &[Arg]) -> Result<Specs, Refusal> {
        let mut shape = Shape::from_slice(real(args)?);
        shape.insert(axis(self.axis, shape.len() + 1)?, 1);
        one(shape)
    }
    fn view(&self, x: &Layout) -> Option<(Layout, isize)> {
        let at = axis(self.axis, x.ndim() + 1).ok()?;
        let mut layout = x.clone();
        layout.shape.insert(at, 1);
        layout.strides.insert(at, 0);
        Some((layout, 0))
    }
    fn vjp<'r>(&self, call: &Call<'_, 'r, T>, y_bar: &[Option<Term<'r, T>>]) -> Cotangents<'r, T> {
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.reshape(&call.args[0].shape())), 1)
    }
    fn is_linear(&self) -> bool {
        true
    }
}
