//! Arrays repeated as a whole (`tile`) and entry by entry (`repeat_interleave`): broadcasting between the axes.

use ndarray::{ArrayViewD, ArrayViewMutD};
use smallvec::SmallVec;

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::scatter::scatter_add;
use crate::kernel::walk::Walk;
use crate::memory::Dense;
use crate::op::{RepeatInterleave, Tile};
use crate::ops::moving::{every_dtype, moved, single};
use crate::rule::*;
use crate::shape::{Shape, axis};
use crate::term::Term;

/// The axes of the argument with those along which it is repeated in between: the result, before it is reshaped.
#[derive(Default)]
struct Woven {
    lengths: SmallVec<[usize; 8]>,
    repeated: SmallVec<[bool; 8]>,
}

impl Woven {
    fn push(&mut self, length: usize, repeated: bool) {
        self.lengths.push(length);
        self.repeated.push(repeated);
    }

    /// The way through a row-major argument in the result's order. Runs have stride 1 or 0.
    fn walk(&self) -> Walk {
        let mut strides: SmallVec<[isize; 8]> = SmallVec::from_elem(0, self.lengths.len());
        let mut stride = 1;
        for k in (0..strides.len()).rev().filter(|&k| !self.repeated[k]) {
            strides[k] = stride;
            stride *= self.lengths[k] as isize;
        }
        Walk::new(&self.lengths, &strides)
    }

    fn copy<A: Copy>(&self, x: ArrayViewD<'_, A>, mut y: ArrayViewMutD<'_, A>) {
        let x = x.as_standard_layout();
        let x = x.as_slice().expect("standard layout");
        let y = y.as_slice_mut().expect("results lie row-major without gaps");
        self.walk().runs(0, y.len(), |offset, step, range| {
            let (y, from) = (&mut y[range], offset as usize);
            match step {
                0 => y.fill(x[from]),
                _ => y.copy_from_slice(&x[from..][..y.len()]),
            }
        });
    }

    /// The sum over repetitions.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let over: Shape = (0..self.lengths.len()).filter(|&k| self.repeated[k]).collect();
        let back =
            |y_bar: Term<'r>| y_bar.reshape(&self.lengths).sum(&over, false).reshape(&call.args[0].shape());
        Cotangents::from_elem(y_bar[0].map(back), 1)
    }

    fn vjp_kernel<T: Functions>(
        &self,
        y_bar: &[Option<Dense<'_, T>>],
        x_bar: &mut [Option<Cotangent<'_, T>>],
    ) -> bool {
        let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
        if !x_bar.accumulate {
            x_bar.slice().fill(T::zero());
        }
        scatter_add(x_bar.slice(), &self.walk(), 0, y_bar.slice());
        true
    }
}

impl Tile {
    /// For each axis of the result how often it is repeated, and the argument's length (1 where it has no such axis).
    fn pairs(&self, shape: &[usize]) -> impl Iterator<Item = (usize, usize)> {
        let ndim = shape.len().max(self.reps.len());
        let padded = move |values: &[usize], k: usize| match (k + values.len()).checked_sub(ndim) {
            Some(k) => values[k],
            None => 1,
        };
        (0..ndim).map(move |k| (padded(&self.reps, k), padded(shape, k)))
    }

    fn woven(&self, shape: &[usize]) -> Woven {
        let mut woven = Woven::default();
        for (times, length) in self.pairs(shape) {
            woven.push(times, true);
            woven.push(length, false);
        }
        woven
    }
}

impl Rule for Tile {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let (shape, dtype) = single(args)?;
        // Derivatives take times and lengths apart, which must be countable, too.
        moved(self.pairs(shape).flat_map(|(times, length)| [times, length]).collect(), dtype)?;
        moved(self.pairs(shape).map(|(times, length)| times.saturating_mul(length)).collect(), dtype)
    }
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        self.woven(&call.args[0].shape()).vjp(call, y_bar)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for Tile {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        every_dtype!(&x[0], &mut y[0], |x, y| self.woven(x.shape()).copy(x.view(), y.view_mut()));
        Ok(())
    }
    fn vjp_kernel(&self, Adjoint { x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        self.woven(x[0].shape()).vjp_kernel(y_bar, x_bar)
    }
}

impl RepeatInterleave {
    fn woven(&self, shape: &[usize]) -> Result<Woven, Refusal> {
        let along = axis(self.axis, shape.len())?;
        let mut woven = Woven::default();
        for (k, &length) in shape.iter().enumerate() {
            woven.push(length, false);
            if k == along {
                woven.push(self.repeats, true);
            }
        }
        Ok(woven)
    }
}

impl Rule for RepeatInterleave {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let (shape, dtype) = single(args)?;
        let along = axis(self.axis, shape.len())?;
        let mut longer = Shape::from_slice(shape);
        longer[along] = longer[along].checked_mul(self.repeats).ok_or_else(|| {
            Refusal::new(ErrorKind::InvalidAttribute, format!("{} repeats are too many", self.repeats))
        })?;
        // Derivatives take repeats and lengths apart, which must be countable, too.
        let mut apart = Shape::from_slice(shape);
        apart.insert(along + 1, self.repeats);
        moved(apart, dtype)?;
        moved(longer, dtype)
    }
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        self.woven(&call.args[0].shape()).expect("has passed `infer`").vjp(call, y_bar)
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for RepeatInterleave {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        every_dtype!(&x[0], &mut y[0], |x, y| self.woven(x.shape())?.copy(x.view(), y.view_mut()));
        Ok(())
    }
    fn vjp_kernel(&self, Adjoint { x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        self.woven(x[0].shape()).expect("has passed `infer`").vjp_kernel(y_bar, x_bar)
    }
}
