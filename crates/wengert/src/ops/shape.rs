//! Ops that only lay the axes of an array anew: strided views wherever one serves, of elements of every type.

use super::moving::{Moving, every_dtype, moved, moving_rules, single, viewed};
use crate::broadcast::{Target, unbroadcast_into};
use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::operand::Operand;
use crate::kernel::walk::Walk;
use crate::op::{BroadcastTo, Permute, Reshape, Squeeze, Transpose, Unsqueeze};
use crate::rule::*;
use crate::shape::{Layout, Shape, axes, axis};
use crate::term::Term;

fn permuted(x: &Layout, order: &[usize]) -> Layout {
    let shape = order.iter().map(|&k| x.shape[k]).collect();
    Layout { shape, strides: order.iter().map(|&k| x.strides[k]).collect() }
}

moving_rules! { Permute Transpose Reshape Squeeze Unsqueeze }

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

impl Moving for Permute {
    fn lengths(&self, x: &[usize]) -> Result<Shape, Refusal> {
        Ok(self.order(x.len())?.iter().map(|&k| x[k]).collect())
    }
    fn layout(&self, x: &Layout) -> Option<(Layout, isize)> {
        Some((permuted(x, &self.order(x.ndim()).ok()?), 0))
    }
    fn keeps_order(&self) -> bool {
        false
    }
    fn adjoint<'r>(&self, x: &[usize], y_bar: Term<'r>) -> Term<'r> {
        let order = self.order(x.len()).expect("axes have passed `infer`");
        let mut inverse = order.clone();
        order.iter().enumerate().for_each(|(k, &from)| inverse[from] = k);
        y_bar.permute(&inverse)
    }
}

impl Transpose {
    fn order(&self, ndim: usize) -> Result<Shape, Refusal> {
        let mut order: Shape = (0..ndim).collect();
        order.swap(axis(self.axis0, ndim)?, axis(self.axis1, ndim)?);
        Ok(order)
    }
}

impl Moving for Transpose {
    fn lengths(&self, x: &[usize]) -> Result<Shape, Refusal> {
        Ok(self.order(x.len())?.iter().map(|&k| x[k]).collect())
    }
    fn layout(&self, x: &Layout) -> Option<(Layout, isize)> {
        Some((permuted(x, &self.order(x.ndim()).ok()?), 0))
    }
    fn keeps_order(&self) -> bool {
        false
    }
    fn adjoint<'r>(&self, _x: &[usize], y_bar: Term<'r>) -> Term<'r> {
        y_bar.apply(self.clone(), &[])
    }
}

impl Reshape {
    /// The lengths for `len` elements, with -1 worked out.
    fn of_len(&self, len: usize) -> Result<Shape, Refusal> {
        let open = self.shape.iter().filter(|&&n| n == -1).count();
        if open > 1 || self.shape.iter().any(|&n| n < -1) {
            let rule = format!("the shape {:?} has an entry below -1, or more than one -1", &self.shape[..]);
            return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
        }
        let given = || self.shape.iter().filter(|&&n| n >= 0).map(|&n| n as usize);
        // Lengths whose product overflows fit no array, but in company of a 0.
        let known = if given().any(|n| n == 0) { Some(0) } else { given().try_fold(1, usize::checked_mul) };
        let open_length = match known {
            Some(known) if open == 0 && known == len => 0,
            Some(known) if open == 1 && known > 0 && len.is_multiple_of(known) => len / known,
            _ => {
                let rule = format!("{len} elements do not fill the shape {:?}", &self.shape[..]);
                return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
            }
        };
        Ok(self.shape.iter().map(|&n| if n == -1 { open_length } else { n as usize }).collect())
    }
}

impl Moving for Reshape {
    fn lengths(&self, x: &[usize]) -> Result<Shape, Refusal> {
        self.of_len(x.iter().product())
    }
    fn layout(&self, x: &Layout) -> Option<(Layout, isize)> {
        let shape = self.of_len(x.len()).ok()?;
        x.is_contiguous().then(|| (Layout::contiguous(&shape), 0))
    }
}

impl Rule for BroadcastTo {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let (shape, dtype) = single(args)?;
        let lead = self.shape.len().wrapping_sub(shape.len());
        let fits = shape.len() <= self.shape.len()
            && shape.iter().zip(&self.shape[lead..]).all(|(&have, &want)| have == want || have == 1);
        if !fits {
            let rule = format!("{shape:?} does not broadcast to {:?}", &self.shape[..]);
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        moved(self.shape.clone(), dtype)
    }
    fn view(&self, x: &Layout) -> Option<(Layout, isize)> {
        Some((Layout { shape: self.shape.clone(), strides: x.broadcast_strides(&self.shape) }, 0))
    }
    /// The cotangent as it is: whoever called sums it back to the argument's shape.
    fn vjp<'r>(&self, _call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        Cotangents::from_elem(y_bar[0], 1)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for BroadcastTo {
    fn vjp_kernel(&self, Adjoint { y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
        let data = y_bar.slice();
        let target = Target::new(x_bar.array.shape(), y_bar.shape());
        let operand = Operand { data, first: 0, walk: Walk::new(&[data.len()], &[1]) };
        let accumulate = x_bar.accumulate;
        unbroadcast_into(&operand, data.len(), &target, x_bar.slice(), accumulate);
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

impl Moving for Squeeze {
    fn lengths(&self, x: &[usize]) -> Result<Shape, Refusal> {
        let dropped = self.dropped(x)?;
        Ok((0..x.len()).filter(|k| !dropped.contains(k)).map(|k| x[k]).collect())
    }
    fn layout(&self, x: &Layout) -> Option<(Layout, isize)> {
        let dropped = self.dropped(&x.shape).ok()?;
        let kept: Shape = (0..x.ndim()).filter(|k| !dropped.contains(k)).collect();
        Some((permuted(x, &kept), 0))
    }
}

impl Moving for Unsqueeze {
    fn lengths(&self, x: &[usize]) -> Result<Shape, Refusal> {
        let mut longer = Shape::from_slice(x);
        longer.insert(axis(self.axis, x.len() + 1)?, 1);
        Ok(longer)
    }
    fn layout(&self, x: &Layout) -> Option<(Layout, isize)> {
        let at = axis(self.axis, x.ndim() + 1).ok()?;
        let mut layout = x.clone();
        layout.shape.insert(at, 1);
        layout.strides.insert(at, 0);
        viewed(layout, 0)
    }
}
