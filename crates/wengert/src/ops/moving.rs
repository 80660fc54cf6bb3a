//! What the ops that only move elements share: they take elements of every type, and the adjoint of a view is one thing.

use ndarray::{ArrayViewD, ArrayViewMutD, Zip};
use smallvec::SmallVec;

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::rule::{Arg, Cotangent, Dtype, Spec, Specs, expect};
use crate::shape::{Layout, Shape};

/// Shape and type of the one argument of an op that takes every type.
pub fn single(args: &[Arg]) -> Result<(&[usize], Dtype), Refusal> {
    match args {
        [x] => Ok((&x.shape, x.dtype)),
        _ => expect(args, &[Dtype::Real]).map(|_| unreachable!("one argument is matched above")),
    }
}

/// One result of type `dtype`, refused where its elements could not even be counted.
pub fn moved(shape: Shape, dtype: Dtype) -> Result<Specs, Refusal> {
    let bytes = shape.iter().filter(|&&n| n > 0).try_fold(8usize, |bytes, &n| bytes.checked_mul(n));
    if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
        let rule = format!("the result of shape {:?} has more elements than memory can hold", &shape[..]);
        return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
    }
    Ok(SmallVec::from_elem(Spec { shape, dtype }, 1))
}

/// A view as rules return it. One without elements starts at the start: its true start may lie behind the array.
pub fn viewed(layout: Layout, offset: isize) -> Option<(Layout, isize)> {
    match layout.len() {
        0 => Some((Layout::contiguous(&layout.shape), 0)),
        _ => Some((layout, offset)),
    }
}

/// Overwrites `to` by `from`, or adds to it.
pub fn pour<T: Functions>(to: ArrayViewMutD<'_, T>, from: ArrayViewD<'_, T>, accumulate: bool) {
    match accumulate {
        true => Zip::from(to).and(from).for_each(|to, from| *to += *from),
        false => Zip::from(to).and(from).for_each(|to, from| *to = *from),
    }
}

/// The vjp kernel of a view: `part` finds in the argument's cotangent the elements that the result shows, in the
/// result's shape; `whole` says that those are all of them.
pub fn pour_back<T: Functions>(
    y_bar: &[Option<ArrayViewD<'_, T>>],
    x_bar: &mut [Option<Cotangent<'_, T>>],
    whole: bool,
    part: impl for<'a> FnOnce(ArrayViewMutD<'a, T>) -> ArrayViewMutD<'a, T>,
) -> bool {
    let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
    if !whole && !x_bar.accumulate {
        x_bar.array.fill(T::zero());
    }
    pour(part(x_bar.array.view_mut()), y_bar.view(), x_bar.accumulate || !whole);
    true
}

/// Runs a body on argument and result of an op that treats every type of elements alike.
macro_rules! every_dtype {
    ($x:expr, $y:expr, |$a:ident, $b:ident| $body:expr) => {
        match ($x, $y) {
            (Input::Real($a), Output::Real($b)) => $body,
            (Input::Index($a), Output::Index($b)) => $body,
            (Input::Mask($a), Output::Mask($b)) => $body,
            _ => unreachable!("`infer` gives the result the argument's type"),
        }
    };
}
pub(super) use every_dtype;

#[cfg(test)]
mod tests;
