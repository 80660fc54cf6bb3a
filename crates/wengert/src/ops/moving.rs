//! What the ops that only move elements share: they take elements of every type, and the adjoint of a view is one thing.

use ndarray::{ArrayViewD, ArrayViewMutD, Axis, Ix2, IxDyn, ShapeBuilder, Zip};
use smallvec::SmallVec;

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::operand::{Operand, add};
use crate::kernel::scatter::scatter_from;
use crate::kernel::walk::Walk;
use crate::memory::Dense;
use crate::rule::{Arg, Cotangent, Dtype, Rule, Spec, Specs, expect};
use crate::shape::{Layout, Shape, outermost_first};
use crate::term::Term;

/// Shape and type of the one argument of an op that takes every type.
pub fn single<'a>(args: &[Arg<'a>]) -> Result<(&'a [usize], Dtype), Refusal> {
    match args {
        [x] => Ok((x.shape, x.dtype)),
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

/// Elements from which a copy in the order of memory pays for finding that order.
const ORDERED: usize = 64;

/// Elements of rows that are too short to be gone through by themselves.
const SHORT: usize = 8;

/// Overwrites `to` by `from`, or adds to it.
pub fn pour<T: Functions>(mut to: ArrayViewMutD<'_, T>, mut from: ArrayViewD<'_, T>, accumulate: bool) {
    if to.len() >= ORDERED && !to.is_standard_layout() && gapless(to.shape(), to.strides()) {
        let mut order: SmallVec<[usize; 6]> = (0..to.ndim()).collect();
        outermost_first(&mut order, to.strides());
        (to, from) = (to.permuted_axes(&order[..]), from.permuted_axes(&order[..]));
    }
    let by_runs = |&step: &isize| step.abs() == 1;
    if (from.strides().last().is_some_and(by_runs) || gapless(from.shape(), from.strides()))
        && let Some(to) = to.as_slice_mut()
    {
        let from = Operand::viewed(&from);
        return if accumulate { from.add_to(to) } else { from.copy_to(to) };
    }
    match accumulate {
        true => by_rows(to, from, &add, |to, from| *to += *from),
        false => assign(to, from),
    }
}

/// Overwrites `to` by `from`, of whatever strides.
pub fn assign<A: Copy>(to: ArrayViewMutD<'_, A>, from: ArrayViewD<'_, A>) {
    by_rows(to, from, &|to, from| to.copy_from_slice(from), |to, from| *to = *from);
}

/// Goes through both in the order of `to`'s memory, by rows that lie so in both, as long as they can be; where there are
/// none, element by element.
fn by_rows<A>(
    mut to: ArrayViewMutD<'_, A>,
    mut from: ArrayViewD<'_, A>,
    row: &dyn Fn(&mut [A], &[A]),
    each: impl FnMut(&mut A, &A),
) {
    if to.len() >= ORDERED {
        (to, from) = merged(to, from);
    }
    let long = to.shape().last().is_some_and(|&n| n >= SHORT);
    if long && [to.strides(), from.strides()].iter().all(|steps| steps.last() == Some(&1)) {
        return rows(to, from, row);
    }
    lengthwise(&mut to, &mut from);
    Zip::from(to).and(from).for_each(each);
}

/// The same pairs in the order of `to`'s memory, with as few axes as they need.
fn merged<'a, 'b, A>(
    to: ArrayViewMutD<'a, A>,
    from: ArrayViewD<'b, A>,
) -> (ArrayViewMutD<'a, A>, ArrayViewD<'b, A>) {
    let steps: SmallVec<[isize; 6]> = to.strides().iter().map(|step| step.abs()).collect();
    let mut order: SmallVec<[usize; 6]> = (0..to.ndim()).filter(|&k| to.shape()[k] > 1).collect();
    outermost_first(&mut order, &steps);
    order.extend((0..to.ndim()).filter(|&k| to.shape()[k] == 1));
    let (mut to, mut from) = (to.permuted_axes(&order[..]), from.permuted_axes(&order[..]));
    for k in (0..to.ndim()).rev() {
        let goes_on = |steps: &[isize]| steps[k] == to.shape()[k + 1] as isize * steps[k + 1];
        if k + 1 < to.ndim() && goes_on(to.strides()) && goes_on(from.strides()) {
            to.merge_axes(Axis(k), Axis(k + 1));
            from.merge_axes(Axis(k), Axis(k + 1));
        }
        if to.shape()[k] == 1 {
            (to, from) = (to.index_axis_move(Axis(k), 0), from.index_axis_move(Axis(k), 0));
        }
    }
    (to, from)
}

/// Calls `f` with the rows of both, which lie without gaps.
fn rows<A>(mut to: ArrayViewMutD<'_, A>, mut from: ArrayViewD<'_, A>, f: &dyn Fn(&mut [A], &[A])) {
    if to.ndim() > 2 {
        return to.outer_iter_mut().zip(from.outer_iter()).for_each(|(to, from)| rows(to, from, f));
    }
    if to.ndim() == 1 {
        (to, from) = (to.insert_axis(Axis(0)), from.insert_axis(Axis(0)));
    }
    let (to, from) = (to.into_dimensionality::<Ix2>(), from.into_dimensionality::<Ix2>());
    let (mut to, from) = (to.expect("rows"), from.expect("rows"));
    for (mut to, from) in to.rows_mut().into_iter().zip(from.rows()) {
        f(to.as_slice_mut().expect("no gaps"), from.as_slice().expect("no gaps"));
    }
}

/// Puts the longest axis last where the last one is short: a loop over few elements costs more than the elements.
fn lengthwise<A>(to: &mut ArrayViewMutD<'_, A>, from: &mut ArrayViewD<'_, A>) {
    let longest = (0..to.ndim()).max_by_key(|&k| to.shape()[k]);
    if let (Some(longest), Some(&last)) = (longest, to.shape().last())
        && last < SHORT
    {
        let end = to.ndim() - 1;
        to.swap_axes(longest, end);
        from.swap_axes(longest, end);
    }
}

/// Whether elements with no negative steps fill the memory they span.
fn gapless(shape: &[usize], strides: &[isize]) -> bool {
    let last = |(&n, &step): (&usize, &isize)| if n > 1 { (n as isize - 1) * step } else { 0 };
    let span: isize = shape.iter().zip(strides).map(last).sum();
    strides.iter().all(|step| *step >= 0) && span + 1 == shape.iter().product::<usize>() as isize
}

/// The vjp kernel of an op with a view: the cotangents go to the elements that the view shows, each once at most.
pub fn pour_back<T: Functions>(
    rule: &dyn Rule,
    y_bar: &[Option<Dense<'_, T>>],
    x_bar: &mut [Option<Cotangent<'_, T>>],
) -> bool {
    let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
    let shown = rule.view(&Layout::contiguous(x_bar.array.shape()));
    let (layout, offset) = shown.expect("arrays without gaps can be viewed");
    let (values, accumulate, data) = (y_bar.slice(), x_bar.accumulate, x_bar.slice());
    let walk = Walk::new(&layout.shape, &layout.strides);
    if walk.is_contiguous() {
        let (before, rest) = data.split_at_mut(offset as usize);
        let (part, behind) = rest.split_at_mut(values.len());
        if accumulate {
            add(part, values);
        } else {
            before.fill(T::zero());
            part.copy_from_slice(values);
            behind.fill(T::zero());
        }
        return true;
    }
    let whole = values.len() == data.len();
    let forwards = layout.strides.iter().all(|step| *step >= 0);
    let by_runs = forwards && (values.len() < ORDERED || walk.nearest().is_none());
    if !accumulate && (by_runs || !whole) {
        data.fill(T::zero());
    }
    if by_runs {
        scatter_from(offset, data, &walk, 0, values);
        return true;
    }
    // The same pairs with every axis forwards in memory.
    let (mut from, first) = (y_bar.view(), offset + layout.extent().unwrap_or_default().0);
    let turned = layout.strides.iter().enumerate().filter(|(_, step)| **step < 0);
    turned.for_each(|(k, _)| from.invert_axis(Axis(k)));
    let steps: Shape = layout.strides.iter().map(|step| step.unsigned_abs()).collect();
    let to = IxDyn(&layout.shape).strides(IxDyn(&steps));
    let to = ArrayViewMutD::from_shape(to, &mut data[first as usize..]).expect("within the array");
    pour(to, from, accumulate || !whole);
    true
}

/// An op whose result shows elements of its argument, each once at most: what there is to say about it. The rest of its
/// rule is the same for all of them, see [`moving_rules`].
pub trait Moving {
    /// The lengths of the result.
    fn lengths(&self, x: &[usize]) -> Result<Shape, Refusal>;

    /// The result as a view of the argument; without one the elements are copied in row-major order.
    fn layout(&self, x: &Layout) -> Option<(Layout, isize)>;

    /// As `Rule::keeps_order`; an op that does not says what becomes of cotangents.
    fn keeps_order(&self) -> bool {
        true
    }

    /// The cotangent of an argument of shape `x`.
    fn adjoint<'r>(&self, x: &[usize], y_bar: Term<'r>) -> Term<'r> {
        y_bar.reshape(x)
    }
}

/// The rules of ops that are [`Moving`].
macro_rules! moving_rules {
    ($($Op:ident)*) => { $(impl Rule for $Op {
        fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
            let (shape, dtype) = single(args)?;
            moved(self.lengths(shape)?, dtype)
        }
        fn view(&self, x: &Layout) -> Option<(Layout, isize)> {
            self.layout(x)
        }
        fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
            let shape = call.args[0].shape();
            Cotangents::from_elem(y_bar[0].map(|y_bar| self.adjoint(&shape, y_bar)), 1)
        }
        fn keeps_order(&self) -> bool {
            Moving::keeps_order(self)
        }
        fn is_linear(&self) -> bool {
            true
        }
    }

    impl<T: Functions> Kernels<T> for $Op {
        fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
            every_dtype!(&x[0], &mut y[0], |x, y| crate::kernel::operand::Operand::located(x).copy_to(y.slice()));
            Ok(())
        }
        fn vjp_kernel(&self, Adjoint { y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
            crate::ops::moving::pour_back(self, y_bar, x_bar)
        }
    })* };
}
pub(super) use moving_rules;

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
