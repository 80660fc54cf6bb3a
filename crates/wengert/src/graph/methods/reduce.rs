//! Reductions.

use crate::expr::Expr;
use crate::graph::Graph;
use crate::graph::formula::Total;
use crate::kernel::functions::Functions;
use crate::op::*;
use crate::var::Var;

impl<T: Functions> Graph<T> {
    /// Sum of all elements.
    ///
    /// `[..] -> []`. Cotangent: `x_bar = y_bar` everywhere. O(len), summed pairwise.
    ///
    /// # Panics
    /// If `x` belongs to another graph or to a rewound part of this one.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, 2.0, 3.0]);
    /// let y = g.sum(x * x);
    /// g.backward(y)?;
    /// assert_eq!(g.item(y), 14.0);
    /// assert_eq!(g.grad(x).unwrap(), array![2.0, 4.0, 6.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn sum(&self, x: impl Expr) -> Var {
        self.enter();
        if let Some(total) = self.total(x, Total::Sum) {
            return total;
        }
        let x = self.arg(x);
        self.must(&Sum::default().into(), &[x])
    }

    /// Sum over `axes`, which are removed; negative ones count from the end.
    #[track_caller]
    pub fn sum_axes(&self, x: impl Expr, axes: &[isize]) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Sum { axes: Some(axes.into()), keepdims: false }.into(), &[x])
    }
}
