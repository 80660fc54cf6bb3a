//! Products of matrices and vectors.

use smallvec::SmallVec;

use crate::expr::Expr;
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// Matrix product, as `numpy.matmul`: of matrices, of a matrix and a vector, of stacks of matrices that broadcast.
    ///
    /// `[.., m, k] x [.., k, n] -> [.., m, n]`; a vector is a row on the left, a column on the right, and its axis of
    /// length 1 is dropped again. Cotangents: `a_bar = y_bar b^T`, `b_bar = a^T y_bar`. O(batch m n k).
    ///
    /// Transposed, sliced and broadcast operands are multiplied where they lie, without a copy.
    ///
    /// # Panics
    /// If inner dimensions or batches do not fit, an argument is a number, or a handle belongs to another graph or to a
    /// rewound part of this one.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let a = g.leaf(array![[1.0, 2.0], [3.0, 4.0]]);
    /// let x = g.leaf(array![5.0, 6.0]);
    /// let y = g.matmul(a, x);
    /// g.backward_with(y, array![1.0, 10.0])?;
    /// assert_eq!(g.value(y), array![17.0, 39.0].into_dyn());
    /// assert_eq!(g.grad(a).unwrap(), array![[5.0, 6.0], [50.0, 60.0]].into_dyn());
    /// assert_eq!(g.grad(x).unwrap(), array![31.0, 42.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn matmul(&self, a: impl Expr, b: impl Expr) -> Var {
        self.enter();
        let args = [self.arg(a), self.arg(b)];
        self.must(&MatMul {}.into(), &args)
    }

    /// Inner product of two vectors.
    ///
    /// `[n] x [n] -> []`. Cotangents: `a_bar = y_bar b`, `b_bar = y_bar a`. O(n).
    ///
    /// # Panics
    /// If an argument has not exactly one axis, lengths differ, or a handle belongs to another graph or to a rewound part
    /// of this one.
    #[track_caller]
    pub fn dot(&self, a: impl Expr, b: impl Expr) -> Var {
        self.enter();
        let args = [self.arg(a), self.arg(b)];
        self.must(&Dot {}.into(), &args)
    }

    /// Outer product of two vectors.
    ///
    /// `[m] x [n] -> [m, n]`. Cotangents: `a_bar = y_bar b`, `b_bar = y_bar^T a`. O(m n).
    ///
    /// # Panics
    /// If an argument has not exactly one axis, or a handle belongs to another graph or to a rewound part of this one.
    #[track_caller]
    pub fn outer(&self, a: impl Expr, b: impl Expr) -> Var {
        self.enter();
        let args = [self.arg(a), self.arg(b)];
        self.must(&Outer {}.into(), &args)
    }

    /// Affine map `x w^T + b`, the layer of a neural network; `b` may be left out.
    ///
    /// `[.., in] x [out, in] x [out] -> [.., out]`. Cotangents: `x_bar = y_bar w`, `w_bar = y_bar^T x`, `b_bar = y_bar`,
    /// the last two summed over the leading axes. O(rows in out).
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
    /// let x = g.constant(array![[1.0, 2.0], [3.0, 4.0]]);
    /// let w = g.leaf(array![[1.0, -1.0]]);
    /// let b = g.leaf(array![0.5]);
    /// let y = g.linear(x, w, Some(b));
    /// g.backward_with(y, array![[1.0], [1.0]])?;
    /// assert_eq!(g.value(y), array![[-0.5], [-0.5]].into_dyn());
    /// assert_eq!(g.grad(w).unwrap(), array![[4.0, 6.0]].into_dyn());
    /// assert_eq!(g.grad(b).unwrap(), array![2.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn linear(&self, x: impl Expr, w: impl Expr, b: Option<Var>) -> Var {
        self.enter();
        let mut args: SmallVec<[Var; 3]> = SmallVec::from_slice(&[self.arg(x), self.arg(w)]);
        args.extend(b);
        self.must(&Linear {}.into(), &args)
    }

    /// Einstein summation, as `numpy.einsum`: products of operands whose axes are named by letters, summed over the
    /// letters that the result does not name.
    ///
    /// `"ij,jk->ik"` is a matrix product, `"ii->i"` a diagonal, `"...ij->...ji"` a transpose. Without `->` the result has
    /// the letters that occur once, in alphabetical order. Axes of length 1 broadcast; axes under an ellipsis that an
    /// explicit result leaves out are summed. Recorded as diagonals, sums and matrix products, two operands at a time.
    ///
    /// # Panics
    /// If the equation is malformed or does not fit the operands, or a handle belongs to another graph or to a rewound
    /// part of this one.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, 2.0]);
    /// let a = g.constant(array![[2.0, 1.0], [1.0, 3.0]]);
    /// let form = g.einsum("i,ij,j->", &[x, a, x]);
    /// g.backward(form)?;
    /// assert_eq!(g.item(form), 18.0);
    /// assert_eq!(g.grad(x).unwrap(), array![8.0, 14.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn einsum(&self, equation: &str, operands: &[Var]) -> Var {
        self.enter();
        self.must(&Einsum { equation: equation.as_bytes().into() }.into(), operands)
    }
}
