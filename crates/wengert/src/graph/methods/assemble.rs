//! Arrays joined, padded, shifted and repeated, and the parts of matrices.

use crate::expr::Expr;
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// Arrays joined along an axis that they have.
    ///
    /// `[.., n1, ..], [.., n2, ..], .. -> [.., n1 + n2 + .., ..]`. Cotangents: each argument's part of `y_bar`. O(len).
    ///
    /// # Panics
    /// If there are no arrays, or they differ in another axis.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let (x, y) = (g.leaf(array![1.0, 2.0]), g.leaf(array![3.0]));
    /// let z = g.concat(&[x, y, x], 0);
    /// assert_eq!(g.value(z), array![1.0, 2.0, 3.0, 1.0, 2.0].into_dyn());
    /// g.backward_with(z, array![1.0, 2.0, 4.0, 8.0, 16.0])?;
    /// assert_eq!(g.grad(x).unwrap(), array![9.0, 18.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn concat(&self, xs: &[Var], axis: isize) -> Var {
        self.enter();
        self.must(&Concat { axis }.into(), xs)
    }

    /// Arrays of one shape joined along a new axis.
    ///
    /// `k` arrays `[.., ..] -> [.., k, ..]`. Cotangents: each argument's part of `y_bar`. O(len).
    ///
    /// # Panics
    /// If there are no arrays, or their shapes differ.
    #[track_caller]
    pub fn stack(&self, xs: &[Var], axis: isize) -> Var {
        self.enter();
        self.must(&Stack { axis }.into(), xs)
    }

    /// `x` with `value` around it: `widths[k]` are the numbers of elements in front of and behind axis `k`.
    ///
    /// Cotangent: the part of `y_bar` where `x` is. O(len).
    ///
    /// # Panics
    /// If there is not one pair for each axis, or a width is negative.
    #[track_caller]
    pub fn pad(&self, x: impl Expr, widths: &[(isize, isize)], value: f64) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Pad { widths: widths.into(), mode: PadMode::Constant, value }.into(), &[x])
    }

    /// `x` continued at its ends as `mode` says: see [`Graph::pad`].
    ///
    /// # Panics
    /// As [`Graph::pad`], and if there is no element to be continued.
    #[track_caller]
    pub fn pad_with(&self, x: impl Expr, widths: &[(isize, isize)], mode: PadMode) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Pad { widths: widths.into(), mode, value: 0.0 }.into(), &[x])
    }

    /// Axes reversed. A view.
    #[track_caller]
    pub fn flip(&self, x: impl Expr, axes: &[isize]) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Flip { axes: axes.into() }.into(), &[x])
    }

    /// Circular shifts along axes: the entry at `i` goes to `i + shift`. O(len) for each axis.
    ///
    /// # Panics
    /// If there is not one shift for each of `axes`, or `x` has not those axes.
    #[track_caller]
    pub fn roll(&self, x: impl Expr, shifts: &[isize], axes: &[isize]) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Roll { shifts: shifts.into(), axes: axes.into() }.into(), &[x])
    }

    /// The lower triangle of each matrix, entries with `j - i <= k`; 0 above.
    ///
    /// `[.., m, n] -> [.., m, n]`. Cotangent: the same triangle of `y_bar`. O(len).
    ///
    /// # Panics
    /// If `x` has fewer than two axes.
    #[track_caller]
    pub fn tril(&self, x: impl Expr, k: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Tril { k }.into(), &[x])
    }

    /// The upper triangle of each matrix, entries with `j - i >= k`; 0 below. As [`Graph::tril`].
    #[track_caller]
    pub fn triu(&self, x: impl Expr, k: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Triu { k }.into(), &[x])
    }

    /// The square matrix with a vector on diagonal `k`, or the diagonal `k` of a matrix (a view).
    ///
    /// `[n] -> [n + |k|, n + |k|]` or `[m, n] -> [length]`. Each is the other's adjoint.
    ///
    /// # Panics
    /// If `x` is neither a vector nor a matrix.
    #[track_caller]
    pub fn diag(&self, x: impl Expr, k: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Diag { k }.into(), &[x])
    }

    /// The sum of the main diagonal of a matrix.
    ///
    /// `[m, n] -> []`. Cotangent: `y_bar` on the diagonal. O(min(m, n)).
    ///
    /// # Panics
    /// If `x` is no matrix.
    #[track_caller]
    pub fn trace(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Trace {}.into(), &[x])
    }

    /// The whole array repeated `reps[k]` times along axis `k`, as `numpy.tile`; of `x` and `reps` the shorter counts as
    /// preceded by ones.
    ///
    /// Cotangent: the sum of `y_bar` over the repetitions. O(len).
    #[track_caller]
    pub fn tile(&self, x: impl Expr, reps: &[usize]) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Tile { reps: reps.into() }.into(), &[x])
    }

    /// Each entry along an axis repeated next to itself, as `numpy.repeat`.
    ///
    /// `[.., n, ..] -> [.., n * repeats, ..]`. Cotangent: the sum of `y_bar` over the repetitions. O(len).
    #[track_caller]
    pub fn repeat_interleave(&self, x: impl Expr, repeats: usize, axis: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&RepeatInterleave { repeats, axis }.into(), &[x])
    }
}
