//! Masks: questions asked of numbers, functions of masks, and numbers counted or replaced by them. No gradient passes
//! through a mask.

use crate::expr::{Expr, Operand};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::rule::Record;
use crate::shape::Axes;
use crate::var::Var;

macro_rules! logical_methods {
    ($($name:ident $Kind:ident $what:literal)*) => {
        impl<T: Engine> Graph<T> { $(
            #[doc = concat!("The mask \"", $what, "\" of two masks that broadcast; no gradient.")]
            #[track_caller]
            pub fn $name(&self, a: Var, b: Var) -> Var {
                self.enter();
                self.must(&Logical { kind: LogicalKind::$Kind }.into(), &[a, b])
            }
        )* }
    };
}
logical_methods! { logical_and And "both" logical_or Or "one or both" logical_xor Xor "one, not both" }

impl<T: Engine> Graph<T> {
    /// The contrary of a mask; no gradient.
    #[track_caller]
    pub fn logical_not(&self, a: Var) -> Var {
        self.enter();
        self.must(&Logical { kind: LogicalKind::Not }.into(), &[a])
    }

    /// The mask "is no number"; no gradient.
    #[track_caller]
    pub fn isnan(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Op::Compare(Compare::Ne), &[x, x])
    }

    /// The mask "is infinite", of either sign; no gradient.
    #[track_caller]
    pub fn isinf(&self, x: impl Expr) -> Var {
        self.enter();
        let (x, infinity) = (self.arg(x), self.filled(&[], f64::INFINITY));
        let size = self.must(&Op::Unary(Unary::Abs), &[x]);
        self.must(&Op::Compare(Compare::Eq), &[size, infinity])
    }

    /// The mask "is neither infinite nor NaN"; no gradient.
    #[track_caller]
    pub fn isfinite(&self, x: impl Expr) -> Var {
        self.enter();
        let (x, infinity) = (self.arg(x), self.filled(&[], f64::INFINITY));
        let size = self.must(&Op::Unary(Unary::Abs), &[x]);
        self.must(&Op::Compare(Compare::Lt), &[size, infinity])
    }

    /// `x` with `value`, a number or a node of one element, where `mask` holds; all broadcast. What is replaced gets the
    /// cotangent 0.
    ///
    /// # Panics
    /// If shapes do not fit, or a handle belongs to another graph or to a rewound part of this one.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, 2.0]);
    /// let y = g.masked_fill(x, g.gt(x, 1.5), -1.0);
    /// g.backward_with(y, array![1.0, 1.0])?;
    /// assert_eq!(g.value(y), array![1.0, -1.0].into_dyn());
    /// assert_eq!(g.grad(x).unwrap(), array![1.0, 0.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn masked_fill(&self, x: impl Expr, mask: Var, value: impl Operand) -> Var {
        self.enter();
        let args = [mask, self.arg(value), self.arg(x)];
        self.must(&Where {}.into(), &args)
    }

    /// `x` with NaN and the infinities replaced by numbers; what is replaced gets the cotangent 0.
    #[track_caller]
    pub fn nan_to_num(&self, x: impl Expr, nan: f64, posinf: f64, neginf: f64) -> Var {
        self.enter();
        let x = self.arg(x);
        let replaced = |from: Var, compare: Compare, to: Var, by: f64| {
            let mask = self.must(&Op::Compare(compare), &[from, to]);
            self.must(&Where {}.into(), &[mask, self.filled(&[], by), from])
        };
        let y = replaced(x, Compare::Eq, self.filled(&[], f64::INFINITY), posinf);
        let y = replaced(y, Compare::Eq, self.filled(&[], f64::NEG_INFINITY), neginf);
        let mask = self.must(&Op::Compare(Compare::Ne), &[x, x]);
        self.must(&Where {}.into(), &[mask, self.filled(&[], nan), y])
    }

    /// How often `mask` holds (or fails) over axes.
    fn count(&self, mask: Var, holds: bool, axes: Option<&[isize]>) -> Var {
        let [yes, no] = [1.0, 0.0].map(|value| self.filled(&[], value));
        let ones = self.must(&Where {}.into(), &if holds { [mask, yes, no] } else { [mask, no, yes] });
        self.must(&Sum { axes: axes.map(Axes::from), keepdims: false }.into(), &[ones])
    }

    fn any_of(&self, mask: Var, axes: Option<&[isize]>) -> Var {
        let count = self.count(mask, true, axes);
        self.must(&Op::Compare(Compare::Gt), &[count, self.filled(&[], 0.0)])
    }

    fn all_of(&self, mask: Var, axes: Option<&[isize]>) -> Var {
        let count = self.count(mask, false, axes);
        self.must(&Op::Compare(Compare::Eq), &[count, self.filled(&[], 0.0)])
    }

    fn count_nonzero_of(&self, x: Var, axes: Option<&[isize]>) -> Var {
        let mask = self.must(&Op::Compare(Compare::Ne), &[x, self.filled(&[], 0.0)]);
        self.count(mask, true, axes)
    }

    /// `x` with 0 for NaN, summed; and the mask of what is a number.
    fn nansum_of(&self, x: Var, axes: Option<&[isize]>) -> (Var, Var) {
        let numbers = self.must(&Op::Compare(Compare::Eq), &[x, x]);
        let held = self.must(&Where {}.into(), &[numbers, x, self.filled(&[], 0.0)]);
        (self.must(&Sum { axes: axes.map(Axes::from), keepdims: false }.into(), &[held]), numbers)
    }

    fn nanmean_of(&self, x: Var, axes: Option<&[isize]>) -> Var {
        let (sum, numbers) = self.nansum_of(x, axes);
        let count = self.count(numbers, true, axes);
        self.must(&Op::Binary(Binary::Div), &[sum, count])
    }

    /// Whether the mask holds somewhere: a mask of one element, false over nothing.
    #[track_caller]
    pub fn any(&self, mask: Var) -> Var {
        self.enter();
        self.any_of(mask, None)
    }

    /// As [`Graph::any`] over `axes` only, which are removed.
    #[track_caller]
    pub fn any_axes(&self, mask: Var, axes: &[isize]) -> Var {
        self.enter();
        self.any_of(mask, Some(axes))
    }

    /// Whether the mask holds everywhere: a mask of one element, true over nothing.
    #[track_caller]
    pub fn all(&self, mask: Var) -> Var {
        self.enter();
        self.all_of(mask, None)
    }

    /// As [`Graph::all`] over `axes` only, which are removed.
    #[track_caller]
    pub fn all_axes(&self, mask: Var, axes: &[isize]) -> Var {
        self.enter();
        self.all_of(mask, Some(axes))
    }

    /// How many elements are not 0 (NaN is not), as a real number without gradient.
    #[track_caller]
    pub fn count_nonzero(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.arg(x);
        self.count_nonzero_of(x, None)
    }

    /// As [`Graph::count_nonzero`] over `axes` only, which are removed.
    #[track_caller]
    pub fn count_nonzero_axes(&self, x: impl Expr, axes: &[isize]) -> Var {
        self.enter();
        let x = self.arg(x);
        self.count_nonzero_of(x, Some(axes))
    }

    /// Sum of the elements that are not NaN; the others get the cotangent 0.
    #[track_caller]
    pub fn nansum(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.arg(x);
        self.nansum_of(x, None).0
    }

    /// As [`Graph::nansum`] over `axes` only, which are removed.
    #[track_caller]
    pub fn nansum_axes(&self, x: impl Expr, axes: &[isize]) -> Var {
        self.enter();
        let x = self.arg(x);
        self.nansum_of(x, Some(axes)).0
    }

    /// Mean of the elements that are not NaN, NaN where there are none; NaN elements get the cotangent 0.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, f64::NAN, 3.0]);
    /// let y = g.nanmean(x);
    /// g.backward(y)?;
    /// assert_eq!(g.item(y), 2.0);
    /// assert_eq!(g.grad(x).unwrap(), array![0.5, 0.0, 0.5].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn nanmean(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.arg(x);
        self.nanmean_of(x, None)
    }

    /// As [`Graph::nanmean`] over `axes` only, which are removed.
    #[track_caller]
    pub fn nanmean_axes(&self, x: impl Expr, axes: &[isize]) -> Var {
        self.enter();
        let x = self.arg(x);
        self.nanmean_of(x, Some(axes))
    }

    /// The mean of `x` over axes, weighted: `sum(x w) / sum(w)`, the weights broadcast to `x`.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or an axis is out of range.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let x = g.constant(array![[1.0, 2.0], [3.0, 6.0]]);
    /// let y = g.average(x, g.constant(array![3.0, 1.0]), &[1]);
    /// assert_eq!(g.value(y), array![1.25, 3.75].into_dyn());
    /// ```
    #[track_caller]
    pub fn average(&self, x: impl Expr, weights: impl Expr, axes: &[isize]) -> Var {
        self.enter();
        let (x, weights) = (self.arg(x), self.arg(weights));
        let weighted = self.must(&Op::Binary(Binary::Mul), &[x, weights]);
        let weights = self.must(&BroadcastTo { shape: self.shape_of(weighted) }.into(), &[weights]);
        let sum: Op = Sum { axes: Some(axes.into()), keepdims: false }.into();
        let (top, bottom) = (self.must(&sum, &[weighted]), self.must(&sum, &[weights]));
        self.must(&Op::Binary(Binary::Div), &[top, bottom])
    }
}
