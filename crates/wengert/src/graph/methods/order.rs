//! Values by their order: sorting, the largest ones, medians, running extremes. Derivatives go to where values come from.

use crate::error::{ErrorKind, Refusal};
use crate::expr::Expr;
use crate::graph::{Engine, Graph};

use crate::op::*;
use crate::shape;
use crate::var::Var;
use crate::words::Words;

impl<T: Engine> Graph<T> {
    /// The values along `axis` in ascending (or descending) order, and the positions they come from.
    ///
    /// `[..] -> [..], [..]`, the positions of dtype i64. Ties keep their order, a NaN counts as larger than everything.
    /// Cotangent: `y_bar` put back where its values come from. O(len log n).
    ///
    /// # Panics
    /// If `axis` is out of range.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![3.0, 1.0, 2.0]);
    /// let (sorted, from) = g.sort(x, 0, false);
    /// assert_eq!(g.value(sorted), array![1.0, 2.0, 3.0].into_dyn());
    /// assert_eq!(g.value_i64(from), array![1, 2, 0].into_dyn());
    /// g.backward_with(sorted, array![10.0, 20.0, 30.0])?;
    /// assert_eq!(g.grad(x).unwrap(), array![30.0, 10.0, 20.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn sort(&self, x: impl Expr, axis: isize, descending: bool) -> (Var, Var) {
        self.enter();
        let x = self.arg(x);
        self.pair(Sort { axis, descending }.into(), x)
    }

    /// The positions that the values along `axis` come from in [`Graph::sort`]. No gradient passes.
    ///
    /// # Panics
    /// If `axis` is out of range.
    #[track_caller]
    pub fn argsort(&self, x: impl Expr, axis: isize, descending: bool) -> Var {
        self.sort(x, axis, descending).1
    }

    /// The `k` largest (or smallest) values along `axis`, the outermost first, and the positions they come from.
    ///
    /// `[.., n, ..] -> [.., k, ..], [.., k, ..]`. Of ties the first ones are taken; a NaN counts as larger than everything.
    /// Cotangent: `y_bar` put back where its values come from. O(len + k log k) for each lane.
    ///
    /// # Panics
    /// If `axis` is out of range, or shorter than `k`.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let x = g.leaf(array![[3.0, 9.0, 4.0], [8.0, 1.0, 8.0]]);
    /// let (largest, from) = g.topk(x, 2, -1, true);
    /// assert_eq!(g.value(largest), array![[9.0, 4.0], [8.0, 8.0]].into_dyn());
    /// assert_eq!(g.value_i64(from), array![[1, 2], [0, 2]].into_dyn());
    /// ```
    #[track_caller]
    pub fn topk(&self, x: impl Expr, k: usize, axis: isize, largest: bool) -> (Var, Var) {
        self.enter();
        let x = self.arg(x);
        self.pair(TopK { k, axis, largest }.into(), x)
    }

    /// The median of all elements: see [`Graph::median_axis`].
    ///
    /// # Panics
    /// If there are no elements.
    #[track_caller]
    pub fn median(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.term_of("median", x);
        let flat = x.reshape(&[x.shape().iter().product()]);
        self.quantile_of("median", flat.var(), 0.5, 0)
    }

    /// The median along `axis`, which is removed: as in NumPy the mean of the two middle values where their number is even.
    ///
    /// `[.., n, ..] -> [.., ..]`. Cotangent: `y_bar` to the middle value, or half to each of two. A NaN in a lane is its
    /// median. O(len).
    ///
    /// # Panics
    /// If `axis` is out of range, or has length 0.
    #[track_caller]
    pub fn median_axis(&self, x: impl Expr, axis: isize) -> Var {
        self.enter();
        self.quantile_of("median", x, 0.5, axis)
    }

    /// The `q`-quantile along `axis`, which is removed; linear between the two nearest values, as in NumPy.
    ///
    /// `[.., n, ..] -> [.., ..]`. Cotangent: `y_bar` shared by those two as they share the value. A NaN in a lane is its
    /// quantile. O(len).
    ///
    /// # Panics
    /// If `q` is not within 0..=1, or `axis` is out of range or has length 0.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![4.0, 1.0, 3.0]);
    /// let y = g.quantile(x, 0.75, 0);
    /// g.backward(y)?;
    /// assert_eq!(g.item(y), 3.5);
    /// assert_eq!(g.grad(x).unwrap(), array![0.5, 0.0, 0.5].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn quantile(&self, x: impl Expr, q: f64, axis: isize) -> Var {
        self.enter();
        self.quantile_of("quantile", x, q, axis)
    }

    #[track_caller]
    fn quantile_of(&self, op: &'static str, x: impl Expr, q: f64, axis: isize) -> Var {
        let x = self.term_of(op, x);
        let check = || {
            let along = shape::axis(axis, x.ndim())?;
            match (x.shape()[along], (0.0..=1.0).contains(&q)) {
                (_, false) => {
                    let rule = format!("the quantile must be within 0..=1, and is {q}");
                    Err(Refusal::new(ErrorKind::InvalidAttribute, rule))
                }
                (0, _) => Err(Refusal::new(ErrorKind::EmptyReduction, format!("axis {along} has length 0"))),
                (n, _) => Ok((along as isize, n)),
            }
        };
        let (axis, n) = self.admit(op, &[x], check());
        let at = q * (n - 1) as f64;
        let (low, share) = (at.floor() as usize, at.fract());
        let ranks = if share > 0.0 { &[low, low + 1][..] } else { &[low] };
        let values = x.apply(OrderStatistics { ranks: ranks.into(), axis }, &[]);
        let value = |index| values.apply(Select { axis, index }, &[]);
        let mixed = match share > 0.0 {
            true => value(0) * x.lit(1.0 - share) + value(1) * x.lit(share),
            false => value(0),
        };
        mixed.var()
    }

    /// The largest value so far along `axis`, and its position.
    ///
    /// `[..] -> [..], [..]`. Of ties the last one counts, as in PyTorch; from a NaN on everything is that. Cotangent: `y_bar`
    /// added up where its values come from. O(len).
    ///
    /// # Panics
    /// If `axis` is out of range.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![2.0, 1.0, 2.0, 5.0]);
    /// let (y, at) = g.cummax(x, 0);
    /// assert_eq!(g.value(y), array![2.0, 2.0, 2.0, 5.0].into_dyn());
    /// assert_eq!(g.value_i64(at), array![0, 0, 2, 3].into_dyn());
    /// g.backward_with(y, array![1.0, 1.0, 1.0, 1.0])?;
    /// assert_eq!(g.grad(x).unwrap(), array![2.0, 0.0, 1.0, 1.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn cummax(&self, x: impl Expr, axis: isize) -> (Var, Var) {
        self.enter();
        let x = self.arg(x);
        self.pair(CumMax { axis }.into(), x)
    }

    /// The smallest value so far along `axis`, and its position: as [`Graph::cummax`].
    ///
    /// # Panics
    /// If `axis` is out of range.
    #[track_caller]
    pub fn cummin(&self, x: impl Expr, axis: isize) -> (Var, Var) {
        self.enter();
        let x = self.arg(x);
        self.pair(CumMin { axis }.into(), x)
    }
}
