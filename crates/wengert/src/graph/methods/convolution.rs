//! Convolutions and pools.

use smallvec::SmallVec;

use crate::expr::Expr;
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// Records an op on two arguments and a bias, if there is one.
    #[track_caller]
    fn with_bias(&self, op: Op, x: impl Expr, w: impl Expr, bias: Option<Var>) -> Var {
        let mut args: SmallVec<[Var; 3]> = SmallVec::new();
        args.extend([self.arg(x), self.arg(w)]);
        args.extend(bias);
        self.must(&op, &args)
    }

    /// Cross-correlation along one axis (the kernel is not flipped), plus a bias for each channel.
    ///
    /// x `[N, Ci, L]`, w `[Co, Ci / groups, K]`, bias `[Co] -> [N, Co, Lo]` with
    /// `Lo = floor((L + 2 padding - dilation (K - 1) - 1) / stride) + 1`. Cotangents: `x_bar` is the transposed convolution
    /// of `y_bar` with w, `w_bar` correlates x with `y_bar`. O(N Co Lo Ci K / groups).
    ///
    /// # Panics
    /// If channels or groups do not fit, the kernel is longer than the padded input, or a stride or dilation is 0; or if a
    /// handle belongs to another graph or to a rewound part of this one.
    #[track_caller]
    pub fn conv1d(
        &self,
        x: impl Expr,
        w: impl Expr,
        bias: impl Into<Option<Var>>,
        options: ConvOptions<1>,
    ) -> Var {
        self.enter();
        self.with_bias(Conv::from(options).into(), x, w, bias.into())
    }

    /// Cross-correlation of images (the kernel is not flipped), plus a bias for each channel.
    ///
    /// x `[N, Ci, H, W]`, w `[Co, Ci / groups, Kh, Kw]`, bias `[Co] -> [N, Co, Ho, Wo]`, lengths as for [`Graph::conv1d`].
    /// Cotangents: `x_bar` is the transposed convolution of `y_bar` with w, `w_bar` correlates x with `y_bar`.
    /// O(N Co Ho Wo Ci Kh Kw / groups).
    ///
    /// # Panics
    /// As [`Graph::conv1d`].
    ///
    /// # Examples
    /// ```
    /// use ndarray::{Array4, array};
    /// use wengert::op::ConvOptions;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.constant(Array4::from_shape_fn((1, 1, 3, 3), |(_, _, i, j)| (3 * i + j) as f64));
    /// let w = g.leaf(Array4::ones((1, 1, 2, 2)));
    /// let y = g.conv2d(x, w, None, ConvOptions::default());
    /// assert_eq!(g.value(y), array![[[[8.0, 12.0], [20.0, 24.0]]]].into_dyn());
    /// let loss = g.sum(y);
    /// g.backward(loss)?;
    /// assert_eq!(g.grad(w).unwrap(), array![[[[8.0, 12.0], [20.0, 24.0]]]].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn conv2d(
        &self,
        x: impl Expr,
        w: impl Expr,
        bias: impl Into<Option<Var>>,
        options: ConvOptions<2>,
    ) -> Var {
        self.enter();
        self.with_bias(Conv::from(options).into(), x, w, bias.into())
    }

    /// The adjoint of [`Graph::conv1d`] in its first argument, plus a bias for each channel.
    ///
    /// x `[N, Ci, L]`, w `[Ci, Co / groups, K]`, bias `[Co] -> [N, Co, Lo]` with
    /// `Lo = (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1`. Cotangents: `x_bar` is the convolution of
    /// `y_bar` with w, `w_bar` correlates `y_bar` with x. O(N Ci L Co K / groups).
    ///
    /// # Panics
    /// If channels or groups do not fit, the padding leaves nothing, a stride or dilation is 0, or the output padding is
    /// not less than the larger of the two; or if a handle belongs to another graph or to a rewound part of this one.
    #[track_caller]
    pub fn conv_transpose1d(
        &self,
        x: impl Expr,
        w: impl Expr,
        bias: impl Into<Option<Var>>,
        options: ConvTransposeOptions<1>,
    ) -> Var {
        self.enter();
        self.with_bias(ConvTranspose::from(options).into(), x, w, bias.into())
    }

    /// The adjoint of [`Graph::conv2d`] in its first argument, plus a bias for each channel.
    ///
    /// x `[N, Ci, H, W]`, w `[Ci, Co / groups, Kh, Kw]`, bias `[Co] -> [N, Co, Ho, Wo]`; all else as
    /// [`Graph::conv_transpose1d`].
    ///
    /// # Panics
    /// As [`Graph::conv_transpose1d`].
    ///
    /// # Examples
    /// ```
    /// use ndarray::{Array4, array};
    /// use wengert::op::ConvTransposeOptions;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![[[[1.0, 2.0]]]]);
    /// let w = g.constant(Array4::ones((1, 1, 1, 2)));
    /// let y = g.conv_transpose2d(x, w, None, ConvTransposeOptions::default());
    /// assert_eq!(g.value(y), array![[[[1.0, 3.0, 2.0]]]].into_dyn());
    /// let loss = g.sum(y);
    /// g.backward(loss)?;
    /// assert_eq!(g.grad(x).unwrap(), array![[[[2.0, 2.0]]]].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn conv_transpose2d(
        &self,
        x: impl Expr,
        w: impl Expr,
        bias: impl Into<Option<Var>>,
        options: ConvTransposeOptions<2>,
    ) -> Var {
        self.enter();
        self.with_bias(ConvTranspose::from(options).into(), x, w, bias.into())
    }

    /// Largest entry of each window of length `kernel`.
    ///
    /// `[N, C, L] -> [N, C, Lo]`, lengths as for [`Graph::conv1d`]. Cotangent: that of each window goes to its largest entry,
    /// on ties the first one; a NaN is larger than everything. O(N C Lo kernel).
    ///
    /// # Panics
    /// If a window is longer than the padded input, the padding is more than half a window, or a length is 0; or if `x`
    /// belongs to another graph or to a rewound part of this one.
    #[track_caller]
    pub fn max_pool1d(&self, x: impl Expr, kernel: [usize; 1], options: MaxPoolOptions<1>) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&options.op(kernel).into(), &[x])
    }

    /// Largest entry of each window of size `kernel`.
    ///
    /// `[N, C, H, W] -> [N, C, Ho, Wo]`; all else as [`Graph::max_pool1d`], "first" in row-major order.
    ///
    /// # Panics
    /// As [`Graph::max_pool1d`].
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::op::MaxPoolOptions;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![[[[1.0, 5.0], [5.0, 2.0]]]]);
    /// let y = g.max_pool2d(x, [2, 2], MaxPoolOptions::default());
    /// assert_eq!(g.item(y), 5.0);
    /// g.backward(y)?;
    /// assert_eq!(g.grad(x).unwrap(), array![[[[0.0, 1.0], [0.0, 0.0]]]].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn max_pool2d(&self, x: impl Expr, kernel: [usize; 2], options: MaxPoolOptions<2>) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&options.op(kernel).into(), &[x])
    }

    /// Mean of each window of length `kernel`.
    ///
    /// `[N, C, L] -> [N, C, Lo]`; all else as [`Graph::avg_pool2d`].
    ///
    /// # Panics
    /// As [`Graph::max_pool1d`].
    #[track_caller]
    pub fn avg_pool1d(&self, x: impl Expr, kernel: [usize; 1], options: AvgPoolOptions<1>) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&options.op(kernel).into(), &[x])
    }

    /// Mean of each window of size `kernel`.
    ///
    /// `[N, C, H, W] -> [N, C, Ho, Wo]`, lengths as for [`Graph::conv1d`]. Cotangent: that of each window is shared equally
    /// among its entries. O(N C Ho Wo Kh Kw).
    ///
    /// # Panics
    /// As [`Graph::max_pool1d`].
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::op::AvgPoolOptions;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![[[[1.0, 5.0], [4.0, 2.0]]]]);
    /// let y = g.avg_pool2d(x, [2, 2], AvgPoolOptions::default());
    /// assert_eq!(g.item(y), 3.0);
    /// g.backward(y)?;
    /// assert_eq!(g.grad(x).unwrap(), array![[[[0.25, 0.25], [0.25, 0.25]]]].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn avg_pool2d(&self, x: impl Expr, kernel: [usize; 2], options: AvgPoolOptions<2>) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&options.op(kernel).into(), &[x])
    }
}
