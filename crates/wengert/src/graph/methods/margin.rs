//! Losses that are formulas of other ops: likelihoods, margins, angles. Semantics and defaults of PyTorch; at every kink
//! the gradient is 0.

use crate::error::{ErrorKind, Refusal};
use crate::expr::{Expr, Operand};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::rule::Record;
use crate::shape::broadcast;
use crate::term::Term;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// The elements of a loss joined.
    #[track_caller]
    fn reduced(&self, op: &'static str, each: impl Expr, reduction: Reduction) -> Var {
        match reduction {
            Reduction::Mean => self.reduce(each, Mean::default().into()),
            Reduction::Sum => self.reduce(each, Sum::default().into()),
            Reduction::None => self.arg(each),
            Reduction::BatchMean => {
                let rule = "this loss has no reduction `batchmean`";
                panic!("{}", self.error(Refusal::new(ErrorKind::InvalidAttribute, rule), op, &[]))
            }
        }
    }

    /// `value` where `target` compares so with `side`, 0 elsewhere.
    fn where_target(&self, target: Var, compare: Compare, side: f64, value: Var) -> Var {
        let mask = self.must(&Op::Compare(compare), &[target, self.filled(&[], side)]);
        self.must(&Where {}.into(), &[mask, value, self.filled(&[], 0.0)])
    }

    /// `(log v + (prediction - target)^2 / v) / 2` with `v = max(variance, eps)`, the negative log likelihood of a normal
    /// distribution without its constant. The cotangent passes to `variance` as if it were not held.
    #[track_caller]
    pub fn gaussian_nll_loss(
        &self,
        prediction: impl Expr,
        target: impl Operand,
        variance: impl Operand,
        eps: f64,
        reduction: Reduction,
    ) -> Var {
        self.enter();
        let (x, target, variance) = (self.arg(prediction), self.arg(target), self.arg(variance));
        let held = self.arg(variance.clamp(eps, f64::INFINITY));
        let v = self.must(&StraightThrough {}.into(), &[held, variance]);
        self.reduced("gaussian_nll_loss", 0.5 * (v.log() + (x - target).square() / v), reduction)
    }

    /// `e^x - target x` of a logarithmic rate, the negative log likelihood of a Poisson distribution without its constant.
    #[track_caller]
    pub fn poisson_nll_loss(&self, log_rate: impl Expr, target: impl Operand, reduction: Reduction) -> Var {
        self.enter();
        let (x, target) = (self.arg(log_rate), self.arg(target));
        self.reduced("poisson_nll_loss", x.exp() - target * x, reduction)
    }

    /// As [`Graph::poisson_nll_loss`] of the rate itself: `rate - target log(rate + eps)`.
    #[track_caller]
    pub fn poisson_nll_loss_of_rate(
        &self,
        rate: impl Expr,
        target: impl Operand,
        eps: f64,
        reduction: Reduction,
    ) -> Var {
        self.enter();
        let (x, target) = (self.arg(rate), self.arg(target));
        self.reduced("poisson_nll_loss", x - target * (x + eps).log(), reduction)
    }

    /// `x` where the target is 1, `max(0, margin - x)` where it is -1.
    #[track_caller]
    pub fn hinge_embedding_loss(
        &self,
        x: impl Expr,
        target: impl Operand,
        margin: f64,
        reduction: Reduction,
    ) -> Var {
        self.enter();
        let (x, target) = (self.arg(x), self.arg(target));
        let apart = self.arg((margin - x).relu());
        let near = self.where_target(target, Compare::Ne, -1.0, x);
        let far = self.where_target(target, Compare::Ne, 1.0, apart);
        self.reduced("hinge_embedding_loss", near + far, reduction)
    }

    /// `log(1 + e^(-target x))` for targets 1 and -1, without overflow.
    #[track_caller]
    pub fn soft_margin_loss(&self, x: impl Expr, target: impl Operand, reduction: Reduction) -> Var {
        self.enter();
        let (x, target) = (self.arg(x), self.arg(target));
        self.reduced("soft_margin_loss", -(target * x).logsigmoid(), reduction)
    }

    /// `max(0, margin - target (a - b))`: which of the two should be larger, by a target of 1 or -1.
    #[track_caller]
    pub fn margin_ranking_loss(
        &self,
        a: impl Expr,
        b: impl Expr,
        target: impl Operand,
        margin: f64,
        reduction: Reduction,
    ) -> Var {
        self.enter();
        let (a, b, target) = (self.arg(a), self.arg(b), self.arg(target));
        self.reduced("margin_ranking_loss", (margin - target * (a - b)).relu(), reduction)
    }

    /// Cosine of the angle between `a` and `b` along `axis`, each divided by its norm or by `eps` where that is larger.
    ///
    /// `[.., n, ..] x [.., n, ..] -> [.., ..]`; broadcast.
    ///
    /// # Panics
    /// If shapes do not fit or `axis` is out of range.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let (a, b) = (g.leaf(array![2.0, 0.0]), g.constant(array![3.0, 4.0]));
    /// let y = g.cosine_similarity(a, b, -1, 1e-8);
    /// g.backward(y)?;
    /// assert!((g.item(y) - 0.6).abs() < 1e-15);
    /// assert!((&g.grad(a).unwrap() - &array![0.0, 0.4].into_dyn()).iter().all(|d| d.abs() < 1e-15));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn cosine_similarity(&self, a: impl Expr, b: impl Expr, axis: isize, eps: f64) -> Var {
        self.enter();
        let (a, b) = (self.arg(a), self.arg(b));
        self.cosine(a, b, axis, eps)
    }

    fn cosine(&self, a: Var, b: Var, axis: isize, eps: f64) -> Var {
        let op = "cosine_similarity";
        let shapes = [a, b].map(|v| self.shape_of_arg(op, v));
        let shape = match broadcast([&shapes[0][..], &shapes[1][..]]) {
            Ok(shape) => shape,
            Err(refusal) => panic!("{}", self.error(refusal, op, &[a, b])),
        };
        let [a, b] = [a, b].map(|v| Term::new(self, v).broadcast_to(&shape).var());
        let [m, n] = [a, b].map(|v| self.held_norm(v, 2.0, axis, eps));
        // Of a unit vector no product overflows, and the sum is at most the other one's norm.
        let product = self.reduce(a * (b / n), Sum { axes: Some([axis][..].into()), keepdims: true }.into());
        let cosine = self.arg(product / m);
        self.must(&Squeeze { axes: Some([axis][..].into()) }.into(), &[cosine])
    }

    /// `1 - cos` where the target is 1, `max(0, cos - margin)` where it is -1, with the cosines along the last axis.
    #[track_caller]
    pub fn cosine_embedding_loss(
        &self,
        a: impl Expr,
        b: impl Expr,
        target: impl Operand,
        margin: f64,
        reduction: Reduction,
    ) -> Var {
        self.enter();
        let (a, b, target) = (self.arg(a), self.arg(b), self.arg(target));
        let cos = self.cosine(a, b, -1, 1e-8);
        let (near, far) = (self.arg(1.0 - cos), self.arg((cos - margin).relu()));
        let near = self.where_target(target, Compare::Eq, 1.0, near);
        let far = self.where_target(target, Compare::Eq, -1.0, far);
        self.reduced("cosine_embedding_loss", near + far, reduction)
    }

    /// `max(0, margin + |anchor - positive| - |anchor - negative|)` with 2-norms along the last axis.
    ///
    /// As in PyTorch, 1e-6 is added to each difference, so that the norms have a gradient where rows coincide.
    #[track_caller]
    pub fn triplet_margin_loss(
        &self,
        anchor: impl Expr,
        positive: impl Expr,
        negative: impl Expr,
        margin: f64,
        reduction: Reduction,
    ) -> Var {
        self.enter();
        let (anchor, positive, negative) = (self.arg(anchor), self.arg(positive), self.arg(negative));
        let distance = |other: Var| {
            let apart = self.arg(anchor - other + 1e-6);
            self.must(&Norm { axes: Some([-1][..].into()), keepdims: false, p: 2.0 }.into(), &[apart])
        };
        let (near, far) = (distance(positive), distance(negative));
        self.reduced("triplet_margin_loss", (margin + near - far).relu(), reduction)
    }
}
