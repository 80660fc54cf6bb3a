//! Results that keep the axis they run along: running sums and products, differences, softmax.

use crate::expr::Expr;
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// Running sum along `axis`.
    ///
    /// `[..] -> [..]`. Cotangent: the running sum of `y_bar` from the end. O(len).
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
    /// let x = g.leaf(array![1.0, 2.0, 3.0]);
    /// let y = g.cumsum(x, 0);
    /// g.backward_with(y, array![1.0, 10.0, 100.0])?;
    /// assert_eq!(g.value(y), array![1.0, 3.0, 6.0].into_dyn());
    /// assert_eq!(g.grad(x).unwrap(), array![111.0, 110.0, 100.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn cumsum(&self, x: impl Expr, axis: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&CumSum { axis, reverse: false }.into(), &[x])
    }

    /// Running product along `axis`.
    ///
    /// `[..] -> [..]`. Its gradient is right at every order also where elements are 0. O(len).
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
    /// let x = g.leaf(array![2.0, 0.0, 3.0]);
    /// let y = g.cumprod(x, 0);
    /// g.backward_with(y, array![1.0, 1.0, 1.0])?;
    /// assert_eq!(g.value(y), array![2.0, 0.0, 0.0].into_dyn());
    /// assert_eq!(g.grad(x).unwrap(), array![1.0, 8.0, 0.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn cumprod(&self, x: impl Expr, axis: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&CumProd { axis }.into(), &[x])
    }

    /// Running `log(sum(exp(x)))` along `axis`, without overflow.
    ///
    /// `[..] -> [..]`. Cotangent: `x_bar_k = sum_{j >= k} y_bar_j e^(x_k - y_j)`, summed so that no exponent is positive.
    /// O(len).
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
    /// let x = g.leaf(array![f64::NEG_INFINITY, 900.0, 900.0]);
    /// let y = g.logcumsumexp(x, 0);
    /// assert_eq!(g.value(y), array![f64::NEG_INFINITY, 900.0, 900.0 + 2f64.ln()].into_dyn());
    /// g.backward_with(y, array![0.0, 0.0, 1.0])?;
    /// assert!((g.grad(x).unwrap()[2] - 0.5).abs() < 1e-13);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn logcumsumexp(&self, x: impl Expr, axis: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&LogCumSumExp { axis }.into(), &[x])
    }

    /// The `n`-th differences of neighbours along `axis`, as `numpy.diff`.
    ///
    /// `[.., m, ..] -> [.., m - n, ..]`, none left where `n >= m`. O(n len).
    ///
    /// # Panics
    /// If `axis` is out of range.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let x = g.leaf(array![1.0, 4.0, 9.0, 16.0]);
    /// assert_eq!(g.value(g.diff(x, 2, 0)), array![2.0, 2.0].into_dyn());
    /// ```
    #[track_caller]
    pub fn diff(&self, x: impl Expr, n: usize, axis: isize) -> Var {
        self.enter();
        let mut x = self.term_of("diff", x);
        let along = self.admit("diff", &[x], crate::shape::axis(axis, x.ndim()));
        let len = x.shape()[along];
        for len in (len.saturating_sub(n)..len).rev() {
            x = x.slice(along, 1, len + 1) - x.slice(along, 0, len);
        }
        x.var()
    }

    /// `e^x / sum e^x` along `axis`, without overflow.
    ///
    /// `[..] -> [..]`. Cotangent: `x_bar = y (y_bar - sum y y_bar)`. O(len).
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
    /// let x = g.leaf(array![1000.0, 1000.0]);
    /// let y = g.softmax(x, -1);
    /// g.backward_with(y, array![1.0, 0.0])?;
    /// assert_eq!(g.value(y), array![0.5, 0.5].into_dyn());
    /// assert_eq!(g.grad(x).unwrap(), array![0.25, -0.25].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn softmax(&self, x: impl Expr, axis: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Softmax { axis }.into(), &[x])
    }

    /// `x - logsumexp(x)` along `axis`: the logarithm of softmax, accurate also where that is tiny.
    ///
    /// `[..] -> [..]`. Cotangent: `x_bar = y_bar - e^y sum y_bar`. O(len).
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
    /// let x = g.leaf(array![0.0, 1000.0]);
    /// let y = g.log_softmax(x, -1);
    /// g.backward_with(y, array![1.0, 0.0])?;
    /// assert_eq!(g.value(y), array![-1000.0, 0.0].into_dyn());
    /// assert_eq!(g.grad(x).unwrap(), array![1.0, -1.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn log_softmax(&self, x: impl Expr, axis: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&LogSoftmax { axis }.into(), &[x])
    }
}
