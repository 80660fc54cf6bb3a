//! Elements put in place, and elements picked by a mask: what array languages write as an assignment, in a copy.

use ndarray::{ArrayD, IxDyn, aview1};

use crate::error::{ErrorKind, Refusal};
use crate::expr::Expr;
use crate::graph::{Engine, Graph};

use crate::op::*;
use crate::rule::{Dtype, Record, dtype_refusal};
use crate::shape::broadcast;
use crate::term::Term;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// `x` with `y` in the part that `slices` cut one after the other; `y` broadcasts to it. `x` itself stays as it is.
    ///
    /// Cotangents: `x_bar = y_bar` outside of the part and 0 in it, that of `y` is the part of `y_bar`. O(len).
    ///
    /// # Panics
    /// If `x` has not those axes, a step is less than 1, or `y` does not broadcast to the part.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::op::Slice;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let (x, y) = (g.leaf(array![1.0, 2.0, 3.0, 4.0]), g.leaf(9.0));
    /// let even = Slice { step: 2, ..Slice::default() };
    /// let z = g.slice_assign(x, &[even], y);
    /// assert_eq!(g.value(z), array![9.0, 2.0, 9.0, 4.0].into_dyn());
    /// g.backward_with(z, array![1.0, 10.0, 100.0, 1000.0])?;
    /// assert_eq!(g.grad(x).unwrap(), array![0.0, 10.0, 0.0, 1000.0].into_dyn());
    /// assert_eq!(g.grad(y).unwrap()[[]], 101.0);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn slice_assign(&self, x: impl Expr, slices: &[Slice], y: impl Expr) -> Var {
        self.enter();
        let args = [self.arg(x), self.arg(y)];
        self.must(&SliceAssign { slices: slices.into() }.into(), &args)
    }

    /// `x` with `y[index[i][j]][j] = src[i][j]` for axis 0, and so on.
    ///
    /// Cotangents: `x_bar = y_bar` where nothing was put and 0 elsewhere, `src_bar = gather(y_bar, index)`. O(len).
    ///
    /// # Panics
    /// If an index is negative, beyond the axis, or named twice in a lane ([`Graph::scatter_add`] adds up), or the shapes
    /// do not fit.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let (x, src) = (g.leaf(array![1.0, 2.0, 3.0]), g.leaf(array![7.0, 8.0]));
    /// let y = g.scatter(x, g.indices([2, 0]), src, 0);
    /// assert_eq!(g.value(y), array![8.0, 2.0, 7.0].into_dyn());
    /// ```
    #[track_caller]
    pub fn scatter(&self, x: impl Expr, index: Var, src: impl Expr, axis: isize) -> Var {
        self.enter();
        let (x, src) = (self.arg(x), self.arg(src));
        self.must(&Scatter { axis }.into(), &[x, index, src])
    }

    /// `x` with slice `k` of `src` along an axis added at position `index[k]`; what meets in one place adds up.
    ///
    /// `[.., n, ..], [m], [.., m, ..] -> [.., n, ..]`. Cotangents: `x_bar = y_bar`, `src_bar = index_select(y_bar, index)`.
    ///
    /// # Panics
    /// If an index is negative or beyond the axis, or the shapes do not fit.
    #[track_caller]
    pub fn index_add(&self, x: impl Expr, index: Var, src: impl Expr, axis: isize) -> Var {
        self.enter();
        let (x, src) = (self.term_of("index_add", x), self.term_of("index_add", src));
        let along = self.admit("index_add", &[x, src], crate::shape::axis(axis, x.ndim()));
        let index = self.term_of("index_add", index);
        let fits = match (x.shape(), src.shape()) {
            (a, b) if a.len() == b.len() && (0..a.len()).all(|k| k == along || a[k] == b[k]) => Ok(()),
            _ => {
                let rule =
                    format!("what is added may differ from the array in the length of axis {along} only");
                Err(Refusal::new(ErrorKind::ShapeMismatch, rule))
            }
        };
        self.admit("index_add", &[x, index, src], fits);
        let added = src.apply(IndexAdd { axis: along, len: x.shape()[along] }, &[index]);
        (x + added).var()
    }

    /// The sums of the slices of `x` along axis 0 that bear the same number, 0 for a number that none bears.
    ///
    /// `[m, ..], [m] -> [segments, ..]`. Cotangent: each slice gets that of its sum. O(len).
    ///
    /// # Panics
    /// If a number is negative or not less than `segments`, or there is not one for each slice.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let x = g.leaf(array![1.0, 2.0, 3.0]);
    /// let y = g.segment_sum(x, g.indices([1, 0, 1]), 3);
    /// assert_eq!(g.value(y), array![2.0, 4.0, 0.0].into_dyn());
    /// ```
    #[track_caller]
    pub fn segment_sum(&self, x: impl Expr, ids: Var, segments: usize) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&IndexAdd { axis: 0, len: segments }.into(), &[x, ids])
    }

    /// 1 at each index along a new last axis, 0 elsewhere. No gradient passes.
    ///
    /// `[..] -> [.., classes]`. O(len).
    ///
    /// # Panics
    /// If an index is negative or not less than `classes`.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::<f64>::new();
    /// let y = g.one_hot(g.indices([2, 0]), 3);
    /// assert_eq!(g.value(y), array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]].into_dyn());
    /// ```
    #[track_caller]
    pub fn one_hot(&self, index: Var, classes: usize) -> Var {
        self.enter();
        self.must(&OneHot { classes }.into(), &[index])
    }

    /// The elements where the mask holds, in row-major order along one axis; `x` and the mask broadcast.
    ///
    /// The length is that at the time of recording: a mask that is overwritten afterwards has no say. Cotangent: `y_bar` put
    /// back. O(len).
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![3.0, -1.0, 2.0]);
    /// let positive = g.gt(x, 0.0);
    /// let y = g.masked_select(x, positive);
    /// g.backward_with(y, array![1.0, 2.0])?;
    /// assert_eq!(g.value(y), array![3.0, 2.0].into_dyn());
    /// assert_eq!(g.grad(x).unwrap(), array![1.0, 0.0, 2.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn masked_select(&self, x: impl Expr, mask: Var) -> Var {
        self.enter();
        let (x, mask) = (self.term_of("masked_select", x), self.term_of("masked_select", mask));
        let fit = || match mask.dtype() {
            Dtype::Mask => broadcast([&x.shape()[..], &mask.shape()]),
            other => Err(dtype_refusal(1, Dtype::Mask, other)),
        };
        let shape = self.admit("masked_select", &[x, mask], fit());
        let mask: ArrayD<bool> = self.value_bool(mask.var()).to_owned();
        let mask = mask.broadcast(IxDyn(&shape)).expect("shapes broadcast");
        let positions = mask.iter().enumerate().filter(|(_, held)| **held).map(|(k, _)| k as i64);
        self.picked(x.broadcast_to(&shape), &positions.collect::<Vec<_>>()).var()
    }

    /// The elements at these positions of the row-major order, along one axis.
    fn picked<'r>(&'r self, x: Term<'r>, positions: &[i64]) -> Term<'r> {
        let index = Term::new(self, self.indices_of(aview1(positions).into_dyn()));
        x.reshape(&[x.shape().iter().product()]).apply(IndexSelect { axis: 0 }, &[index])
    }

    /// The elements at positions of the row-major order, in the shape of `index`, as `numpy.take`.
    ///
    /// Cotangent: `y_bar` added up where its elements came from. O(len).
    ///
    /// # Panics
    /// If an index is negative or not less than the number of elements.
    #[track_caller]
    pub fn take(&self, x: impl Expr, index: Var) -> Var {
        self.enter();
        let (x, index) = (self.term_of("take", x), self.term_of("take", index));
        let flat = |x: Term<'_>| x.shape().iter().product::<usize>();
        let (x, shape) = (x.reshape(&[flat(x)]), index.shape());
        x.apply(IndexSelect { axis: 0 }, &[index.reshape(&[flat(index)])]).reshape(&shape).var()
    }

    /// One element for each index along `axis`, by NumPy's name for [`Graph::gather`].
    ///
    /// # Panics
    /// As [`Graph::gather`].
    #[track_caller]
    pub fn take_along_axis(&self, x: impl Expr, index: Var, axis: isize) -> Var {
        self.gather(x, index, axis)
    }
}
