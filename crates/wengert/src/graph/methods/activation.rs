//! Ops that are formulas of others: interpolation, activations, special functions of three arguments.

use crate::error::{ErrorKind, Refusal};
use crate::expr::{Expr, Operand};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::shape::{self, Shape};
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// The shape of an argument, which a handle that is none of this graph is refused for.
    pub(super) fn shape_of_arg(&self, op: &'static str, x: Var) -> Shape {
        match self.resolve_all(&[x]) {
            Ok(ids) => self.with_tape(|tape| tape.shape(ids[0]).clone()),
            Err(refusal) => panic!("{}", self.error(refusal, op, &[])),
        }
    }

    /// An axis of `x` counted from the front, and its length.
    pub(super) fn axis_of_arg(&self, op: &'static str, x: Var, axis: isize) -> (usize, usize) {
        let lengths = self.shape_of_arg(op, x);
        match shape::axis(axis, lengths.len()) {
            Ok(axis) => (axis, lengths[axis]),
            Err(refusal) => panic!("{}", self.error(refusal, op, &[x])),
        }
    }

    /// `(1 - w) a + w b`: exact at both ends; all three broadcast.
    #[track_caller]
    pub fn lerp(&self, a: impl Operand, b: impl Operand, w: impl Operand) -> Var {
        self.enter();
        let (a, b, w) = (self.arg(a), self.arg(b), self.arg(w));
        self.arg((1.0 - w) * a + w * b)
    }

    /// `x + value a b`; all broadcast.
    #[track_caller]
    pub fn addcmul(&self, x: impl Operand, a: impl Operand, b: impl Operand, value: f64) -> Var {
        self.enter();
        let (x, a, b) = (self.arg(x), self.arg(a), self.arg(b));
        self.arg(x + value * (a * b))
    }

    /// `logit` of `x` held between `eps` and `1 - eps`; at the bounds and outside the gradient is 0.
    #[track_caller]
    pub fn logit_with(&self, x: impl Expr, eps: f64) -> Var {
        self.enter();
        let x = self.arg(x);
        self.arg(x.clamp(eps, 1.0 - eps).logit())
    }

    /// Hurwitz zeta function `sum_k (q + k)^-s`, `s > 1`; broadcast. Only `q` may be differentiated.
    ///
    /// # Examples
    /// ```
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let q = g.leaf(1.0);
    /// let y = g.zeta(2.0, q);
    /// g.backward(y)?;
    /// assert!((g.item(y) - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-15);
    /// assert!((g.grad(q).unwrap()[[]] + 2.0 * 1.202_056_903_159_594_3).abs() < 1e-15);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn zeta(&self, s: impl Operand, q: impl Operand) -> Var {
        self.enter();
        let args = [self.arg(s), self.arg(q)];
        self.must(&Zeta {}.into(), &args)
    }

    /// Regularised incomplete beta function of `x` in [0, 1], `a, b > 0`; broadcast. Only `x` may be differentiated.
    #[track_caller]
    pub fn betainc(&self, a: impl Operand, b: impl Operand, x: impl Operand) -> Var {
        self.enter();
        let args = [self.arg(a), self.arg(b), self.arg(x)];
        self.must(&BetaInc {}.into(), &args)
    }

    /// `min(max(x + 3, 0), 6) / 6`; at the kinks the gradient is 0.
    #[track_caller]
    pub fn hardsigmoid(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.arg(x);
        self.arg((x + 3.0).clamp(0.0, 6.0) / 6.0)
    }

    /// `x hardsigmoid(x)`; at the kinks -3 and 3 the gradient is that of the outer side, 0 and 1.
    #[track_caller]
    pub fn hardswish(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.arg(x);
        self.arg(x * ((x + 3.0).clamp(0.0, 6.0) / 6.0))
    }

    /// The first half along `axis` times the sigmoid of the second half.
    ///
    /// `[.., 2n, ..] -> [.., n, ..]`.
    ///
    /// # Panics
    /// If `axis` is out of range or of odd length.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![3.0, 0.0]);
    /// let y = g.glu(x, 0);
    /// g.backward_with(y, array![1.0])?;
    /// assert_eq!(g.value(y), array![1.5].into_dyn());
    /// assert_eq!(g.grad(x).unwrap(), array![0.5, 0.75].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn glu(&self, x: impl Expr, axis: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        let (axis, len) = self.axis_of_arg("glu", x, axis);
        if len % 2 == 1 {
            let refusal = Refusal::new(
                ErrorKind::ShapeMismatch,
                format!("axis {axis} of odd length {len} has no halves"),
            );
            panic!("{}", self.error(refusal, "glu", &[x]));
        }
        let half = |start: usize| {
            let (start, stop) = (Some(start as isize), Some((start + len / 2) as isize));
            self.must(&Slice { axis: axis as isize, start, stop, step: 1 }.into(), &[x])
        };
        self.arg(half(0) * half(len / 2).sigmoid())
    }

    /// `softmax(-x)` along `axis`.
    #[track_caller]
    pub fn softmin(&self, x: impl Expr, axis: isize) -> Var {
        self.enter();
        let x = self.arg(x);
        let minus = self.arg(-x);
        self.must(&Softmax { axis }.into(), &[minus])
    }

    /// `x` divided by its p-norm along `axis`, or by `eps` where the norm is smaller.
    ///
    /// # Panics
    /// If `axis` is out of range, or `x` belongs to another graph or to a rewound part of this one.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let x = g.leaf(array![[3.0, 4.0], [0.0, 0.0]]);
    /// let y = g.normalize(x, 2.0, -1, 1e-12);
    /// assert_eq!(g.value(y), array![[0.6, 0.8], [0.0, 0.0]].into_dyn());
    /// ```
    #[track_caller]
    pub fn normalize(&self, x: impl Expr, p: f64, axis: isize, eps: f64) -> Var {
        self.enter();
        let x = self.arg(x);
        let norm = self.held_norm(x, p, axis, eps);
        self.arg(x / norm)
    }

    /// The p-norm along an axis that stays, `eps` at least.
    pub(super) fn held_norm(&self, x: Var, p: f64, axis: isize, eps: f64) -> Var {
        let norm = self.must(&Norm { axes: Some([axis][..].into()), keepdims: true, p }.into(), &[x]);
        self.arg(norm.clamp(eps, f64::INFINITY))
    }
}
