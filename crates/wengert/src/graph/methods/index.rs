//! Elements picked by arrays of indices, which are nodes of their own ([`Graph::indices`]).

use crate::expr::Expr;
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// The parts of `x` at the positions `index` along an axis.
    ///
    /// `[.., n, ..], [m] -> [.., m, ..]`. Cotangent: `y_bar` added up where its parts came from. O(len).
    ///
    /// # Panics
    /// If an index is negative or beyond the axis, `index` has not one axis, or `x` has no such axis.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, 2.0, 3.0]);
    /// let index = g.indices([2, 0, 2]);
    /// let y = g.index_select(x, index, 0);
    /// assert_eq!(g.value(y), array![3.0, 1.0, 3.0].into_dyn());
    /// g.backward_with(y, [1.0, 2.0, 4.0])?;
    /// assert_eq!(g.grad(x).unwrap(), array![2.0, 0.0, 5.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn index_select(&self, x: impl Expr, index: Var, axis: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&IndexSelect { axis }.into(), &[x, index])
    }

    /// One element of `x` for each index: `y[i][j] = x[index[i][j]][j]` for axis 0, and so on.
    ///
    /// The result has the shape of `index`, which may be shorter than `x` along the other axes. Cotangent: `y_bar` added
    /// up where its elements came from.
    ///
    /// # Panics
    /// If an index is negative or beyond the axis, or the shapes do not fit.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let scores = g.leaf(array![[1.0, 2.0], [3.0, 4.0]]);
    /// let class = g.indices(array![[1], [0]]);
    /// let y = g.gather(scores, class, 1);
    /// assert_eq!(g.value(y), array![[2.0], [3.0]].into_dyn());
    /// let total = g.sum(y);
    /// g.backward(total)?;
    /// assert_eq!(g.grad(scores).unwrap(), array![[0.0, 1.0], [1.0, 0.0]].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn gather(&self, x: impl Expr, index: Var, axis: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Gather { axis }.into(), &[x, index])
    }

    /// `x` with `y[index[i][j]][j] += src[i][j]` for axis 0, and so on; what meets in one place adds up.
    ///
    /// Cotangents: `x_bar = y_bar`, `src_bar = gather(y_bar, index)`.
    ///
    /// # Panics
    /// If an index is negative or beyond the axis, or the shapes do not fit.
    #[track_caller]
    pub fn scatter_add(&self, x: impl Expr, index: Var, src: impl Expr, axis: isize) -> Var {
        self.enter();
        let (x, src) = (self.arg(x), self.arg(src));
        self.must(&ScatterAdd { axis }.into(), &[x, index, src])
    }

    /// The rows of a table that the indices name.
    ///
    /// `[v, d], [..] -> [.., d]`. Cotangent: rows that were taken several times add up. O(len).
    ///
    /// # Panics
    /// If an index is negative or beyond the table, or the table is no matrix.
    #[track_caller]
    pub fn embedding(&self, table: impl Expr, index: Var) -> Var {
        self.enter();
        let table = self.arg(table);
        self.must(&Embedding {}.into(), &[table, index])
    }
}
