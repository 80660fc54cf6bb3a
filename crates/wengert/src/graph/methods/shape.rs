//! Axes laid anew and parts taken: views, which take no memory for values and cost the same for any size.

use std::ops::{Bound, RangeBounds};

use smallvec::SmallVec;

use crate::error::{ErrorKind, Refusal};
use crate::expr::Expr;
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::var::Var;

/// A range as Python's slicing has it. `..=-1` goes to the end: nothing lies behind the last position.
fn ends(range: impl RangeBounds<isize>) -> (Option<isize>, Option<isize>) {
    let start = match range.start_bound() {
        Bound::Included(&at) => Some(at),
        Bound::Excluded(&at) => at.checked_add(1),
        Bound::Unbounded => None,
    };
    let stop = match range.end_bound() {
        Bound::Included(-1) | Bound::Unbounded => None,
        Bound::Included(&at) => at.checked_add(1),
        Bound::Excluded(&at) => Some(at),
    };
    (start, stop)
}

impl<T: Engine> Graph<T> {
    /// The elements in row-major order with another shape; one entry may be -1 and is worked out.
    ///
    /// A view where `x` lies without gaps, else a copy. Cotangent: `x_bar = y_bar` with the shape of `x`. Indices and
    /// masks can be reshaped, too.
    ///
    /// # Panics
    /// If the element counts differ, or more than one entry is negative.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, 2.0, 3.0, 4.0]);
    /// let y = g.reshape(x * x, &[2, -1]);
    /// assert_eq!(g.value(y), array![[1.0, 4.0], [9.0, 16.0]].into_dyn());
    /// g.backward_with(y, array![[1.0, 0.0], [0.0, 1.0]])?;
    /// assert_eq!(g.grad(x).unwrap(), array![2.0, 0.0, 0.0, 8.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn reshape(&self, x: impl Expr, shape: &[isize]) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Reshape { shape: shape.into() }.into(), &[x])
    }

    /// The elements in row-major order along one axis.
    #[track_caller]
    pub fn flatten(&self, x: impl Expr) -> Var {
        self.reshape(x, &[-1])
    }

    /// The axes in another order: axis `k` of the result is axis `axes[k]` of `x`. A view.
    ///
    /// # Panics
    /// If `axes` does not name every axis of `x` once.
    #[track_caller]
    pub fn permute(&self, x: impl Expr, axes: &[isize]) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Permute { axes: axes.into() }.into(), &[x])
    }

    /// Two axes swapped. A view.
    ///
    /// # Panics
    /// If `x` has not both axes.
    #[track_caller]
    pub fn transpose(&self, x: impl Expr, axis0: isize, axis1: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Transpose { axis0, axis1 }.into(), &[x])
    }

    /// Two axes swapped, by NumPy's name for [`Graph::transpose`].
    #[track_caller]
    pub fn swapaxes(&self, x: impl Expr, axis0: isize, axis1: isize) -> Var {
        self.transpose(x, axis0, axis1)
    }

    /// The last two axes swapped: each matrix transposed. A view.
    ///
    /// `[.., m, n] -> [.., n, m]`. Cotangent: `x_bar = y_bar` transposed.
    ///
    /// # Panics
    /// If `x` has fewer than two axes.
    #[track_caller]
    pub fn t(&self, x: impl Expr) -> Var {
        self.transpose(x, -2, -1)
    }

    /// `x` repeated along new leading axes and along axes of length 1. A view.
    ///
    /// Cotangent: `x_bar = y_bar` summed over what was repeated.
    ///
    /// # Panics
    /// If `x` does not broadcast to `shape`.
    #[track_caller]
    pub fn broadcast_to(&self, x: impl Expr, shape: &[usize]) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&BroadcastTo { shape: shape.into() }.into(), &[x])
    }

    /// Every axis of length 1 dropped. A view.
    #[track_caller]
    pub fn squeeze(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Squeeze { axes: None }.into(), &[x])
    }

    /// Axes of length 1 dropped. A view.
    ///
    /// # Panics
    /// If one of `axes` has another length.
    #[track_caller]
    pub fn squeeze_axes(&self, x: impl Expr, axes: &[isize]) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Squeeze { axes: Some(axes.into()) }.into(), &[x])
    }

    /// A new axis of length 1 in front of `axis` (behind the last one for -1). A view.
    #[track_caller]
    pub fn unsqueeze(&self, x: impl Expr, axis: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Unsqueeze { axis }.into(), &[x])
    }

    /// A range along an axis, as Python slices: negative ends count from the back, ends beyond the axis are clipped.
    ///
    /// `[.., n, ..] -> [.., m, ..]`, a view. Cotangent: `x_bar = y_bar` in the range, 0 elsewhere. Clippy takes a literal
    /// `1..-1` for an empty range: cut the ends one after the other (`1..`, then `..-1`), or use [`Graph::narrow`].
    ///
    /// # Panics
    /// If `x` has no such axis.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, 2.0, 4.0, 8.0]);
    /// let differences = g.eval(g.slice(x, 0, 1..) - g.slice(x, 0, ..-1));
    /// assert_eq!(g.value(differences), array![1.0, 2.0, 4.0].into_dyn());
    /// let y = g.sum(differences);
    /// g.backward(y)?;
    /// assert_eq!(g.grad(x).unwrap(), array![-1.0, 0.0, 0.0, 1.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn slice(&self, x: impl Expr, axis: isize, range: impl RangeBounds<isize>) -> Var {
        self.slice_step(x, axis, range, 1)
    }

    /// Every `step`-th position of a range along an axis: see [`Graph::slice`].
    ///
    /// # Panics
    /// If `step < 1` ([`Graph::flip`] reverses), or `x` has no such axis.
    #[track_caller]
    pub fn slice_step(&self, x: impl Expr, axis: isize, range: impl RangeBounds<isize>, step: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        let (start, stop) = ends(range);
        self.must(&Slice { axis, start, stop, step }.into(), &[x])
    }

    /// `len` positions from `start` on along an axis; unlike [`Graph::slice`] it never takes fewer.
    ///
    /// # Panics
    /// If the range leaves the axis, or `x` has no such axis.
    #[track_caller]
    pub fn narrow(&self, x: impl Expr, axis: isize, start: usize, len: usize) -> Var {
        self.enter();
        let x = self.arg(x);
        let stop = start.saturating_add(len);
        if let Ok(ids) = self.resolve_all(&[x])
            && let shape = self.with_tape(|tape| tape.shape(ids[0]).clone())
            && let Ok(k) = crate::shape::axis(axis, shape.len())
            && stop > shape[k]
        {
            let rule = format!("positions {start}..{stop} leave axis {k} of length {}", shape[k]);
            panic!("{}", self.error(Refusal::new(ErrorKind::IndexOutOfRange, rule), "narrow", &[x]));
        }
        let slice = Slice { axis, start: Some(start as isize), stop: Some(stop as isize), step: 1 };
        self.must(&slice.into(), &[x])
    }

    /// The part at one position along an axis, which is dropped; a negative position counts from the end. A view.
    ///
    /// `[.., n, ..] -> [.., ..]`. Cotangent: `x_bar = y_bar` at the position, 0 elsewhere.
    ///
    /// # Panics
    /// If `x` has no such axis or position.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![2.0, 3.0]);
    /// let y = g.eval(g.select(x, 0, 0) * g.select(x, 0, -1));
    /// g.backward(y)?;
    /// assert_eq!(g.item(y), 6.0);
    /// assert_eq!(g.grad(x).unwrap(), array![3.0, 2.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn select(&self, x: impl Expr, axis: isize, index: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Select { axis, index }.into(), &[x])
    }

    /// Consecutive pieces of these sizes along an axis. Views.
    ///
    /// # Panics
    /// If the sizes do not add up to the length of the axis, or there are none.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let x = g.leaf(array![1.0, 2.0, 3.0]);
    /// let pieces = g.split(x, &[1, 2], 0);
    /// assert_eq!(g.value(pieces[1]), array![2.0, 3.0].into_dyn());
    /// ```
    #[track_caller]
    pub fn split(&self, x: impl Expr, sizes: &[usize], axis: isize) -> SmallVec<[Var; 4]> {
        self.enter();
        let x = self.arg(x);
        match self.record(&Split { sizes: sizes.into(), axis }.into(), &[x]) {
            Ok(pieces) => pieces.into_iter().collect(),
            Err(error) => panic!("{error}"),
        }
    }
}
