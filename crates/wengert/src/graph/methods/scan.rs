//! Results that keep the axis they run along: running sums and products, softmax.

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
