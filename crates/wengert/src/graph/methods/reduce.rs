//! Reductions, running sums and products, softmax.

use crate::expr::Expr;
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// Sum of all elements.
    ///
    /// `[..] -> []`. Cotangent: `x_bar = y_bar` everywhere. O(len), in blocks that are joined with compensation.
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
        self.reduce(x, Sum::default().into())
    }

    /// Records a reduction, joined with the formula it reduces where it is a sum of one.
    #[track_caller]
    pub(super) fn reduce(&self, x: impl Expr, op: Op) -> Var {
        if let Some(total) = self.total(x, &op) {
            return total;
        }
        let x = self.arg(x);
        self.must(&op, &[x])
    }

    /// Sum over `axes`, which are removed; negative ones count from the end.
    ///
    /// `[.., n, ..] -> [.., ..]`. Cotangent: `x_bar = y_bar` repeated along `axes`. O(len).
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn sum_axes(&self, x: impl Expr, axes: &[isize]) -> Var {
        self.enter();
        self.reduce(x, Sum { axes: Some(axes.into()), keepdims: false }.into())
    }

    /// As [`Graph::sum_axes`]; the axes stay, with length 1.
    #[track_caller]
    pub fn sum_keepdims(&self, x: impl Expr, axes: &[isize]) -> Var {
        self.enter();
        self.reduce(x, Sum { axes: Some(axes.into()), keepdims: true }.into())
    }
}

/// The three spellings of a reduction: over everything, over axes, over axes that stay with length 1.
macro_rules! reductions {
    ($($(#[$doc:meta])* $all:ident $some:ident $kept:ident $Op:ident;)*) => { #[allow(clippy::needless_update)] impl<T: Engine> Graph<T> { $(
        $(#[$doc])*
        #[track_caller]
        pub fn $all(&self, x: impl Expr) -> Var {
            self.enter();
            self.reduce(x, $Op::default().into())
        }

        #[doc = concat!("As [`Graph::", stringify!($all), "`] over `axes` only, which are removed.")]
        ///
        /// `[.., n, ..] -> [.., ..]`. Negative axes count from the end.
        ///
        /// # Panics
        /// If an axis is out of range or named twice.
        #[track_caller]
        pub fn $some(&self, x: impl Expr, axes: &[isize]) -> Var {
            self.enter();
            self.reduce(x, $Op { axes: Some(axes.into()), ..$Op::default() }.into())
        }

        #[doc = concat!("As [`Graph::", stringify!($some), "`]; the axes stay, with length 1.")]
        #[track_caller]
        pub fn $kept(&self, x: impl Expr, axes: &[isize]) -> Var {
            self.enter();
            self.reduce(x, $Op { axes: Some(axes.into()), keepdims: true, ..$Op::default() }.into())
        }
    )* } };
}

reductions! {
    /// Mean of all elements; NaN over nothing.
    ///
    /// `[..] -> []`. Cotangent: `x_bar = y_bar / len` everywhere. O(len).
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, 2.0, 6.0, 7.0]);
    /// let y = g.mean(x);
    /// g.backward(y)?;
    /// assert_eq!(g.item(y), 4.0);
    /// assert_eq!(g.grad(x).unwrap(), array![0.25, 0.25, 0.25, 0.25].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    mean mean_axes mean_keepdims Mean;
    /// Product of all elements; 1 over nothing.
    ///
    /// `[..] -> []`. Cotangent: `y_bar` times the product of the other elements, right also where some are 0. O(len).
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![2.0, 0.0, 3.0]);
    /// let y = g.prod(x);
    /// g.backward(y)?;
    /// assert_eq!(g.item(y), 0.0);
    /// assert_eq!(g.grad(x).unwrap(), array![0.0, 6.0, 0.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    prod prod_axes prod_keepdims Prod;
    /// Largest element; NaN if there is one.
    ///
    /// `[..] -> []`. Cotangent: `y_bar`, shared evenly by the elements equal to the result. O(len).
    ///
    /// # Panics
    /// If there are no elements.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, 3.0, 3.0]);
    /// let y = g.max(x);
    /// g.backward(y)?;
    /// assert_eq!(g.item(y), 3.0);
    /// assert_eq!(g.grad(x).unwrap(), array![0.0, 0.5, 0.5].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    max max_axes max_keepdims Max;
    /// Smallest element; NaN if there is one.
    ///
    /// `[..] -> []`. Cotangent: `y_bar`, shared evenly by the elements equal to the result. O(len).
    ///
    /// # Panics
    /// If there are no elements.
    min min_axes min_keepdims Min;
    /// Variance of all elements, with divisor `len - 1`: NaN for fewer than two.
    ///
    /// `[..] -> []`. Cotangent: `x_bar = 2 y_bar (x - mean) / (len - 1)`. O(len), in several passes that keep all digits.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, 2.0, 3.0]);
    /// let y = g.var(x);
    /// g.backward(y)?;
    /// assert_eq!(g.item(y), 1.0);
    /// assert_eq!(g.grad(x).unwrap(), array![-1.0, 0.0, 1.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    var var_axes var_keepdims Variance;
    /// Standard deviation of all elements, with divisor `len - 1`: NaN for fewer than two.
    ///
    /// `[..] -> []`. Cotangent: `x_bar = y_bar (x - mean) / ((len - 1) y)`, and 0 where `y` is 0. O(len).
    std std_axes std_keepdims Std;
    /// Euclidean norm of all elements together, without overflow.
    ///
    /// `[..] -> []`. Cotangent: `x_bar = y_bar x / y`, and 0 where `y` is 0. O(len).
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, -5.0, 3.0, 1.0]);
    /// let y = g.norm(x);
    /// g.backward(y)?;
    /// assert_eq!(g.item(y), 6.0);
    /// for (x_bar, x) in g.grad(x).unwrap().iter().zip([1.0, -5.0, 3.0, 1.0]) {
    ///     assert!((x_bar - x / 6.0).abs() < 1e-15);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    norm norm_axes norm_keepdims Norm;
    /// `log(sum(e^x))` over all elements, without overflow; -infinity over nothing.
    ///
    /// `[..] -> []`. Cotangent: `x_bar = y_bar e^(x - y)`, the softmax. O(len).
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1000.0, 1000.0]);
    /// let y = g.logsumexp(x);
    /// g.backward(y)?;
    /// assert_eq!(g.item(y), 1000.0 + 2f64.ln());
    /// assert!(g.grad(x).unwrap().iter().all(|share| (share - 0.5).abs() < 1e-12));
    /// # Ok(())
    /// # }
    /// ```
    logsumexp logsumexp_axes logsumexp_keepdims LogSumExp;
}

impl<T: Engine> Graph<T> {
    /// Variance over `axes` with divisor `n - correction` for lanes of `n` elements; the axes stay with `keepdims`.
    ///
    /// `[.., n, ..] -> [.., ..]`. Cotangent: `x_bar = 2 y_bar (x - mean) / (n - correction)`. O(len).
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn var_with(&self, x: impl Expr, axes: &[isize], correction: f64, keepdims: bool) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Variance { axes: Some(axes.into()), keepdims, correction }.into(), &[x])
    }

    /// The root of [`Graph::var_with`]; its gradient is 0 where it is 0.
    ///
    /// # Panics
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn std_with(&self, x: impl Expr, axes: &[isize], correction: f64, keepdims: bool) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Std { axes: Some(axes.into()), keepdims, correction }.into(), &[x])
    }

    /// The norm `(sum |x|^p)^(1/p)` over `axes` together, without overflow; the axes stay with `keepdims`.
    ///
    /// `[.., n, ..] -> [.., ..]`. `p = inf` takes the largest `|x|`, `p = -inf` the smallest, `p = 0` counts the elements
    /// other than 0. Cotangent: `x_bar = y_bar sign(x) (|x| / y)^(p - 1)`; ties at an infinite `p` share evenly, and a lane
    /// of zeros gets 0. O(len).
    ///
    /// # Panics
    /// If an axis is out of range or named twice, `p` is NaN, or `p` is infinite or negative and there are no elements.
    #[track_caller]
    pub fn norm_with(&self, x: impl Expr, p: f64, axes: &[isize], keepdims: bool) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Norm { axes: Some(axes.into()), keepdims, p }.into(), &[x])
    }

    /// Position of the largest element in row-major order, the first of ties; a NaN counts as largest.
    ///
    /// `[..] -> []`, of dtype i64. No gradient passes.
    ///
    /// # Panics
    /// If there are no elements.
    #[track_caller]
    pub fn argmax(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&ArgMax::default().into(), &[x])
    }

    /// Position of the largest element along `axis`, which is removed; the first of ties, or a NaN.
    ///
    /// `[.., n, ..] -> [.., ..]`, of dtype i64. No gradient passes.
    ///
    /// # Panics
    /// If `axis` is out of range or has length 0.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let x = g.leaf(array![[1.0, 5.0, 2.0], [7.0, 0.0, 7.0]]);
    /// let y = g.argmax_axis(x, -1);
    /// assert_eq!(g.value_i64(y), array![1, 0].into_dyn());
    /// assert!(!g.is_differentiable(y));
    /// ```
    #[track_caller]
    pub fn argmax_axis(&self, x: impl Expr, axis: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&ArgMax { axis: Some(axis), keepdims: false }.into(), &[x])
    }

    /// Position of the smallest element in row-major order, the first of ties; a NaN counts as smallest.
    ///
    /// `[..] -> []`, of dtype i64. No gradient passes.
    ///
    /// # Panics
    /// If there are no elements.
    #[track_caller]
    pub fn argmin(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&ArgMin::default().into(), &[x])
    }

    /// Position of the smallest element along `axis`, which is removed; the first of ties, or a NaN.
    ///
    /// `[.., n, ..] -> [.., ..]`, of dtype i64. No gradient passes.
    ///
    /// # Panics
    /// If `axis` is out of range or has length 0.
    #[track_caller]
    pub fn argmin_axis(&self, x: impl Expr, axis: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&ArgMin { axis: Some(axis), keepdims: false }.into(), &[x])
    }
}
