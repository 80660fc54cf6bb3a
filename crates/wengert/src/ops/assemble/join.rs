//! Several arrays joined into one, and one taken apart into several.

use ndarray::{ArrayViewD, ArrayViewMutD, Axis, Slice as Range};

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::op::{Concat, Select, Split, Stack};
use crate::ops::moving::{assign, moved, pour, single};
use crate::rule::*;
use crate::shape::{Shape, axis};
use crate::term::Term;

/// The first of the arguments, which must be of one type.
fn alike<'a>(args: &[Arg<'a>]) -> Result<Arg<'a>, Refusal> {
    let Some(first) = args.first() else {
        return Err(Refusal::new(ErrorKind::InvalidAttribute, "takes at least 1 argument, 0 given"));
    };
    match args.iter().position(|arg| arg.dtype != first.dtype) {
        Some(k) => Err(dtype_refusal(k, first.dtype, args[k].dtype)),
        None => Ok(*first),
    }
}

impl Rule for Concat {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let first = alike(args)?;
        let ndim = first.shape.len();
        if ndim == 0 {
            let rule = "arrays without axes have no axis to be joined along; stack them";
            return Err(Refusal::new(ErrorKind::RankMismatch, rule));
        }
        let along = axis(self.axis, ndim)?;
        let mut shape = Shape::from_slice(first.shape);
        for (k, arg) in args.iter().enumerate().skip(1) {
            if arg.shape.len() != ndim {
                let rule = format!("argument {k} has {} axes, argument 0 has {ndim}", arg.shape.len());
                return Err(Refusal::new(ErrorKind::RankMismatch, rule));
            }
            if let Some(other) = (0..ndim).find(|&a| a != along && arg.shape[a] != shape[a]) {
                let rule = format!(
                    "axis {other} has lengths {} and {}, and only axis {along} may differ",
                    shape[other], arg.shape[other]
                );
                return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
            }
            shape[along] = shape[along].saturating_add(arg.shape[along]);
        }
        moved(shape, first.dtype)
    }

    /// Each argument's part of `y_bar`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let y_bar = y_bar[0].expect("one result");
        let along = axis(self.axis, y_bar.ndim()).expect("has passed `infer`");
        let mut start = 0;
        let part = |(x, needed): (&Term<'r>, &bool)| {
            let from = start;
            start += x.shape()[along];
            needed.then(|| y_bar.slice(along, from, start))
        };
        call.args.iter().zip(call.needs).map(part).collect()
    }

    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for Concat {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        match &mut y[0] {
            Output::Real(y) => concat(x.iter().map(Input::real), y.view_mut(), self.axis),
            Output::Index(y) => concat(x.iter().map(Input::index), y.view_mut(), self.axis),
            Output::Mask(y) => concat(x.iter().map(Input::mask), y.view_mut(), self.axis),
        }
    }

    /// The vjp for cotangents with `lead` axes in front.
    fn vjp_kernel(&self, Adjoint { lead, x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let Some(y_bar) = &y_bar[0] else { return false };
        let along = axis(self.axis, y_bar.shape().len()).expect("has passed `infer`");
        let (y_bar, mut start) = (y_bar.view(), 0);
        for (x, x_bar) in x.iter().zip(x_bar) {
            let stop = start + x.real().len_of(Axis(along));
            if let Some(x_bar) = x_bar {
                let part = y_bar.slice_axis(Axis(lead.len() + along), Range::from(start..stop));
                pour(x_bar.array.view_mut(), part, x_bar.accumulate);
            }
            start = stop;
        }
        true
    }

    fn takes_lead(&self) -> bool {
        true
    }
}

fn concat<'x, A: Copy + 'x>(
    xs: impl Iterator<Item = ArrayViewD<'x, A>>,
    mut y: ArrayViewMutD<'_, A>,
    along: isize,
) -> Result<(), Refusal> {
    let along = Axis(axis(along, y.ndim())?);
    let mut start = 0;
    for x in xs {
        let stop = start + x.len_of(along);
        assign(y.slice_axis_mut(along, Range::from(start..stop)), x);
        start = stop;
    }
    Ok(())
}

impl Rule for Stack {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let first = alike(args)?;
        if let Some(k) = args.iter().position(|arg| arg.shape != first.shape) {
            let rule =
                format!("arguments 0 and {k} differ in shape, and only arrays of one shape can be stacked");
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        let mut shape = Shape::from_slice(first.shape);
        shape.insert(axis(self.axis, shape.len() + 1)?, args.len());
        moved(shape, first.dtype)
    }

    /// Each argument's part of `y_bar`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let y_bar = y_bar[0].expect("one result");
        let part = |k| y_bar.apply(Select { axis: self.axis, index: k as isize }, &[]);
        call.needs.iter().enumerate().map(|(k, needed)| needed.then(|| part(k))).collect()
    }

    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for Stack {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        match &mut y[0] {
            Output::Real(y) => stack(x.iter().map(Input::real), y.view_mut(), self.axis),
            Output::Index(y) => stack(x.iter().map(Input::index), y.view_mut(), self.axis),
            Output::Mask(y) => stack(x.iter().map(Input::mask), y.view_mut(), self.axis),
        }
    }

    /// The vjp for cotangents with `lead` axes in front.
    fn vjp_kernel(&self, Adjoint { lead, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let Some(y_bar) = &y_bar[0] else { return false };
        let along = Axis(lead.len() + axis(self.axis, y_bar.shape().len()).expect("has passed `infer`"));
        let y_bar = y_bar.view();
        for (k, x_bar) in x_bar.iter_mut().enumerate() {
            if let Some(x_bar) = x_bar {
                pour(x_bar.array.view_mut(), y_bar.index_axis(along, k), x_bar.accumulate);
            }
        }
        true
    }

    fn takes_lead(&self) -> bool {
        true
    }
}

fn stack<'x, A: Copy + 'x>(
    xs: impl Iterator<Item = ArrayViewD<'x, A>>,
    mut y: ArrayViewMutD<'_, A>,
    along: isize,
) -> Result<(), Refusal> {
    let along = Axis(axis(along, y.ndim())?);
    xs.enumerate().for_each(|(k, x)| assign(y.index_axis_mut(along, k), x));
    Ok(())
}

impl Rule for Split {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let (shape, dtype) = single(args)?;
        let along = axis(self.axis, shape.len())?;
        if self.sizes.is_empty() {
            return Err(Refusal::new(ErrorKind::InvalidAttribute, "a split has at least one piece"));
        }
        let total = self.sizes.iter().try_fold(0usize, |sum, &n| sum.checked_add(n));
        if total != Some(shape[along]) {
            let rule = format!(
                "the pieces {:?} do not add up to length {} of axis {along}",
                &self.sizes[..],
                shape[along]
            );
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        let piece = |&n: &usize| {
            let mut shape = Shape::from_slice(shape);
            shape[along] = n;
            Spec { shape, dtype }
        };
        Ok(self.sizes.iter().map(piece).collect())
    }

    /// A slice for each piece: a view that costs nothing.
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        let along = axis(self.axis, args[0].ndim()).expect("has passed `infer`");
        let mut start = 0;
        let piece = |&n: &usize| {
            let from = start;
            start += n;
            args[0].slice(along, from, start)
        };
        Some(self.sizes.iter().map(piece).collect())
    }
}

impl<T: Functions> Kernels<T> for Split {}
