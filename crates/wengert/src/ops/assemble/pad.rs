//! Padding and circular shifts.

use ndarray::{ArrayBase, Axis, IxDyn, RawData, Slice as Range};

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::operand::{Operand, add};
use crate::op::{IndexSelect, Pad, PadMode, Roll};
use crate::ops::moving::{every_dtype, moved, pour, single};
use crate::rule::*;
use crate::shape::{Shape, axis, zeros};
use crate::term::Term;

impl Pad {
    /// The part of the padded array that is the argument.
    fn middle<S: RawData>(&self, mut y: ArrayBase<S, IxDyn>) -> ArrayBase<S, IxDyn> {
        for (k, &(before, after)) in self.widths.iter().enumerate() {
            let stop = y.shape()[k] as isize - after;
            y.slice_axis_inplace(Axis(k), Range::new(before, Some(stop), 1));
        }
        y
    }

    /// Which positions of an axis of length `n` the padded axis shows.
    fn source(&self, n: usize, (before, after): (isize, isize)) -> Vec<i64> {
        let last = n as isize - 1;
        let fold = |at: isize| match self.mode {
            PadMode::Reflect if last > 0 => last - (at.rem_euclid(2 * last) - last).abs(),
            PadMode::Wrap => at.rem_euclid(last + 1),
            _ => at.clamp(0, last),
        };
        (-before..n as isize + after).map(|at| fold(at) as i64).collect()
    }
}

impl Rule for Pad {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shape = expect(args, &[Dtype::Real])?[0];
        let invalid = |rule: String| Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
        if self.widths.len() != shape.len() {
            return invalid(format!(
                "{} pairs of widths are given for {} axes",
                self.widths.len(),
                shape.len()
            ));
        }
        let mut padded = Shape::new();
        for (k, (&n, &(before, after))) in shape.iter().zip(&self.widths).enumerate() {
            if before < 0 || after < 0 {
                return invalid(format!("axis {k} has the negative width {}", before.min(after)));
            }
            if n == 0 && before.max(after) > 0 && self.mode != PadMode::Constant {
                return invalid(format!("axis {k} has no element to be continued"));
            }
            padded.push(n.saturating_add(before as usize).saturating_add(after as usize));
        }
        moved(padded, Dtype::Real)
    }

    /// The modes that repeat elements pick them, axis by axis.
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        if self.mode == PadMode::Constant {
            return None;
        }
        let mut x = args[0].permute(&(0..args[0].ndim()).collect::<Shape>());
        for (k, &width) in self.widths.iter().enumerate().filter(|(_, w)| **w != (0, 0)) {
            let source = self.source(x.shape()[k], width);
            let index = Term::new(x.tape(), x.tape().indices_of(ndarray::aview1(&source).into_dyn()));
            x = x.apply(IndexSelect { axis: k as isize }, &[index]);
        }
        Some(Terms::from_elem(x, 1))
    }

    /// The middle of `y_bar`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let shape = call.args[0].shape();
        let cut = |y_bar: Term<'r>, k: usize| match self.widths[k] {
            (0, 0) => y_bar,
            (before, _) => y_bar.slice(k, before as usize, before as usize + shape[k]),
        };
        Cotangents::from_elem(y_bar[0].map(|y_bar| (0..shape.len()).fold(y_bar, cut)), 1)
    }

    fn jvp<'r>(&self, _call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let zeros = Pad { value: 0.0, ..self.clone() };
        Some(Terms::from_elem(x_dot[0]?.apply(zeros, &[]), 1))
    }

    /// Around zeros it is; around another constant only affine.
    fn is_linear(&self) -> bool {
        self.value == 0.0
    }
}

impl<T: Functions> Kernels<T> for Pad {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        y[0].slice().fill(T::of(self.value));
        pour(self.middle(y[0].real()), x[0].real(), false);
        Ok(())
    }

    fn vjp_kernel(&self, Adjoint { y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
        pour(x_bar.array.view_mut(), self.middle(y_bar.view()), x_bar.accumulate);
        true
    }
}

impl Rule for Roll {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let (shape, dtype) = single(args)?;
        if self.shifts.len() != self.axes.len() {
            let rule = format!("{} shifts are given for {} axes", self.shifts.len(), self.axes.len());
            return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
        }
        self.axes.iter().try_for_each(|&a| axis(a, shape.len()).map(drop))?;
        moved(shape.into(), dtype)
    }

    fn rolled(&self, x: &[usize]) -> Option<Rolled> {
        let turns = self.turns(x);
        let mut moving = turns.iter().zip(x).enumerate().filter(|(_, (turn, _))| **turn != 0);
        let (axis, (turn, n)) = moving.next()?;
        moving.next().is_none().then_some(Rolled { axis, by: n - turn })
    }

    /// The same by the opposite shifts.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let turns = self.turns(&call.args[0].shape());
        let shifts = turns.iter().map(|&turn| -(turn as isize)).collect();
        let back = Roll { shifts, axes: (0..turns.len() as isize).collect() };
        Cotangents::from_elem(y_bar[0].map(|y_bar| y_bar.apply(back, &[])), 1)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl Roll {
    /// How many elements of each axis come from its end to its beginning.
    fn turns(&self, shape: &[usize]) -> Shape {
        let mut turns: Shape = zeros(shape.len());
        for (&shift, &named) in self.shifts.iter().zip(&self.axes) {
            let k = axis(named, shape.len()).expect("has passed `infer`");
            let n = shape[k].max(1);
            turns[k] = (turns[k] + shift.rem_euclid(n as isize) as usize) % n;
        }
        turns
    }
}

/// Calls `f` with each run of `from`, an array of this shape, and the place in `to` that it goes to when the axes are turned.
fn turned<A>(to: &mut [A], from: &[A], shape: &[usize], turns: &[usize], f: &mut dyn FnMut(&mut [A], &[A])) {
    if to.is_empty() || turns.iter().all(|turn| *turn == 0) {
        return f(to, from);
    }
    let within = to.len() / shape[0];
    let (front, behind) = to.split_at_mut(turns[0] * within);
    let (begin, end) = from.split_at(behind.len());
    for (to, from) in [(front, end), (behind, begin)] {
        match turns[1..].iter().all(|turn| *turn == 0) {
            true => f(to, from),
            false => (to.chunks_exact_mut(within).zip(from.chunks_exact(within)))
                .for_each(|(to, from)| turned(to, from, &shape[1..], &turns[1..], f)),
        }
    }
}

/// Turns the axes of an array where it lies.
fn turn<A>(x: &mut [A], shape: &[usize], turns: &[usize]) {
    for (k, turn) in turns.iter().enumerate().filter(|(_, turn)| **turn != 0) {
        let within: usize = shape[k + 1..].iter().product();
        x.chunks_exact_mut((shape[k] * within).max(1)).for_each(|x| x.rotate_right(turn * within));
    }
}

impl<T: Functions> Kernels<T> for Roll {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let shape = x[0].shape();
        let turns = self.turns(shape);
        every_dtype!(&x[0], &mut y[0], |x, y| {
            let (x, y) = (Operand::located(x), y.slice());
            if x.walk.is_contiguous() {
                let from = &x.data[x.first..][..y.len()];
                turned(y, from, shape, &turns, &mut |to, from| to.copy_from_slice(from));
            } else {
                x.copy_to(y);
                turn(y, shape, &turns);
            }
        });
        Ok(())
    }
    fn vjp_kernel(&self, Adjoint { y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
        let shape = y_bar.shape();
        let mut turns = self.turns(shape);
        let lengths = turns.iter_mut().zip(shape);
        lengths.filter(|(turn, _)| **turn != 0).for_each(|(turn, n)| *turn = n - *turn);
        let put: &mut dyn FnMut(&mut [T], &[T]) = match x_bar.accumulate {
            true => &mut |to, from| add(to, from),
            false => &mut |to, from| to.copy_from_slice(from),
        };
        turned(x_bar.slice(), y_bar.slice(), shape, &turns, put);
        true
    }
}
