//! Losses: the mean over elements by the short names, other reductions through the ops' structs.

use crate::error::{ErrorKind, Refusal};
use crate::expr::Expr;
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::var::Var;

/// Extras of [`Graph::cross_entropy_with`] and [`Graph::nll_loss_with`].
///
/// # Examples
/// ```
/// use wengert::graph::ClassOptions;
/// use wengert::op::Reduction;
/// let options = ClassOptions { label_smoothing: 0.1, reduction: Reduction::Sum, ..Default::default() };
/// assert_eq!(options.ignore_index, -100);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ClassOptions {
    /// A number for each class, `[C]`.
    pub weight: Option<Var>,
    /// How rows are joined; the mean divides by the sum of the weights of the targets.
    pub reduction: Reduction,
    /// How much of each target is spread over all classes (`cross_entropy` only).
    pub label_smoothing: f64,
    /// Rows with this target count nowhere.
    pub ignore_index: i64,
}

impl Default for ClassOptions {
    fn default() -> Self {
        ClassOptions { weight: None, reduction: Reduction::Mean, label_smoothing: 0.0, ignore_index: -100 }
    }
}

impl<T: Engine> Graph<T> {
    #[track_caller]
    fn loss(&self, op: impl Into<Op>, args: &[Var]) -> Var {
        self.must(&op.into(), args)
    }

    /// Mean of `(prediction - target)^2`.
    ///
    /// `[..] x [..] -> []`. Cotangent: `2 (prediction - target) / len`, and its negative to the target. O(len), one pass.
    ///
    /// # Panics
    /// If the shapes differ, or a handle belongs to another graph or to a rewound part of this one.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let p = g.leaf(array![1.0, 4.0]);
    /// let t = g.constant(array![2.0, 2.0]);
    /// let loss = g.mse_loss(p, t);
    /// g.backward(loss)?;
    /// assert_eq!(g.item(loss), 2.5);
    /// assert_eq!(g.grad(p).unwrap(), array![-1.0, 2.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn mse_loss(&self, prediction: impl Expr, target: impl Expr) -> Var {
        self.enter();
        let args = [self.arg(prediction), self.arg(target)];
        self.loss(MseLoss::default(), &args)
    }

    /// [`Graph::mse_loss`] with another reduction.
    #[track_caller]
    pub fn mse_loss_with(&self, prediction: impl Expr, target: impl Expr, reduction: Reduction) -> Var {
        self.enter();
        let args = [self.arg(prediction), self.arg(target)];
        self.loss(MseLoss { reduction }, &args)
    }

    /// Mean of `|prediction - target|`. Where the two are equal the gradient is 0.
    ///
    /// `[..] x [..] -> []`. O(len).
    ///
    /// # Panics
    /// As [`Graph::mse_loss`].
    #[track_caller]
    pub fn l1_loss(&self, prediction: impl Expr, target: impl Expr) -> Var {
        self.enter();
        let args = [self.arg(prediction), self.arg(target)];
        self.loss(L1Loss::default(), &args)
    }

    /// [`Graph::l1_loss`] with another reduction.
    #[track_caller]
    pub fn l1_loss_with(&self, prediction: impl Expr, target: impl Expr, reduction: Reduction) -> Var {
        self.enter();
        let args = [self.arg(prediction), self.arg(target)];
        self.loss(L1Loss { reduction }, &args)
    }

    /// Mean of `d^2 / 2` where `|d| <= delta`, of `delta (|d| - delta / 2)` beyond, `d` the difference.
    ///
    /// `[..] x [..] -> []`. O(len).
    ///
    /// # Panics
    /// As [`Graph::mse_loss`], and if `delta` is not positive.
    #[track_caller]
    pub fn huber_loss(&self, prediction: impl Expr, target: impl Expr, delta: f64) -> Var {
        self.huber_loss_with(prediction, target, delta, Reduction::Mean)
    }

    /// [`Graph::huber_loss`] with another reduction.
    #[track_caller]
    pub fn huber_loss_with(
        &self,
        prediction: impl Expr,
        target: impl Expr,
        delta: f64,
        reduction: Reduction,
    ) -> Var {
        self.enter();
        let args = [self.arg(prediction), self.arg(target)];
        self.loss(HuberLoss { reduction, delta }, &args)
    }

    /// Mean of `d^2 / (2 beta)` where `|d| < beta`, of `|d| - beta / 2` from there, `d` the difference.
    ///
    /// `[..] x [..] -> []`. O(len).
    ///
    /// # Panics
    /// As [`Graph::mse_loss`], and if `beta` is negative.
    #[track_caller]
    pub fn smooth_l1_loss(&self, prediction: impl Expr, target: impl Expr, beta: f64) -> Var {
        self.smooth_l1_loss_with(prediction, target, beta, Reduction::Mean)
    }

    /// [`Graph::smooth_l1_loss`] with another reduction.
    #[track_caller]
    pub fn smooth_l1_loss_with(
        &self,
        prediction: impl Expr,
        target: impl Expr,
        beta: f64,
        reduction: Reduction,
    ) -> Var {
        self.enter();
        let args = [self.arg(prediction), self.arg(target)];
        self.loss(SmoothL1Loss { reduction, beta }, &args)
    }

    /// Mean binary cross entropy of probabilities: of `-(y log p + (1 - y) log(1 - p))`.
    ///
    /// `[..] x [..] -> []`. Each logarithm is held at -100 or above, and the cotangent `(p - y) / (p (1 - p))` divides
    /// by 1e-12 or more, so that both are finite at 0 and 1. Of logits take [`Graph::bce_with_logits`].
    ///
    /// # Panics
    /// As [`Graph::mse_loss`].
    #[track_caller]
    pub fn bce_loss(&self, p: impl Expr, y: impl Expr) -> Var {
        self.bce_loss_with(p, y, Reduction::Mean)
    }

    /// [`Graph::bce_loss`] with another reduction.
    #[track_caller]
    pub fn bce_loss_with(&self, p: impl Expr, y: impl Expr, reduction: Reduction) -> Var {
        self.enter();
        let args = [self.arg(p), self.arg(y)];
        self.loss(BceLoss { reduction }, &args)
    }

    /// Mean binary cross entropy of logits: of `-(y log sigmoid(x) + (1 - y) log(1 - sigmoid(x)))`, without overflow.
    ///
    /// `[..] x [..] -> []`. Cotangent: `(sigmoid(x) - y) / len`. O(len), one pass.
    ///
    /// # Panics
    /// As [`Graph::mse_loss`].
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![0.0, 1000.0]);
    /// let y = g.constant(array![1.0, 1.0]);
    /// let loss = g.bce_with_logits(x, y);
    /// g.backward(loss)?;
    /// assert!((g.item(loss) - 2f64.ln() / 2.0).abs() < 1e-15);
    /// assert_eq!(g.grad(x).unwrap(), array![-0.25, 0.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn bce_with_logits(&self, x: impl Expr, y: impl Expr) -> Var {
        self.bce_with_logits_with(x, y, None, Reduction::Mean)
    }

    /// [`Graph::bce_with_logits`] with a weight of the positive term, which broadcasts to `x`, and another reduction.
    #[track_caller]
    pub fn bce_with_logits_with(
        &self,
        x: impl Expr,
        y: impl Expr,
        pos_weight: Option<Var>,
        reduction: Reduction,
    ) -> Var {
        self.enter();
        let op = BceWithLogits { reduction };
        let (x, y) = (self.arg(x), self.arg(y));
        match pos_weight {
            Some(weight) => self.loss(op, &[x, y, weight]),
            None => self.loss(op, &[x, y]),
        }
    }

    /// Kullback-Leibler divergence of log probabilities: `p (log p - logq)`, 0 where `p = 0`, summed and divided by the
    /// length of axis 0.
    ///
    /// `[N, ..] x [N, ..] -> []`. The cotangent of `p` is NaN where `p = 0`. O(len).
    ///
    /// # Panics
    /// As [`Graph::mse_loss`], and if there is no axis 0.
    #[track_caller]
    pub fn kl_div(&self, logq: impl Expr, p: impl Expr) -> Var {
        self.kl_div_with(logq, p, Reduction::BatchMean, false)
    }

    /// [`Graph::kl_div`] with another reduction; with `log_target` the second argument is `log p`.
    #[track_caller]
    pub fn kl_div_with(&self, logq: impl Expr, p: impl Expr, reduction: Reduction, log_target: bool) -> Var {
        self.enter();
        let args = [self.arg(logq), self.arg(p)];
        self.loss(KlDiv { reduction, log_target }, &args)
    }

    /// Mean over rows of `-log_softmax(logits)[target]`.
    ///
    /// `[N, C, ..] x [N, ..] -> []` (or `[C] x []`), `targets` from [`Graph::indices`]. Cotangent:
    /// `(softmax(logits) - onehot) / rows`. O(len), no temporary of the size of the logits.
    ///
    /// # Panics
    /// If the shapes do not fit or a target is no class; see also [`Graph::mse_loss`].
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let logits = g.leaf(array![[0.0, 0.0], [0.0, 3f64.ln()]]);
    /// let targets = g.indices(array![0, 1]);
    /// let loss = g.cross_entropy(logits, targets);
    /// g.backward(loss)?;
    /// assert!((g.item(loss) - (2f64.ln() + (4.0 / 3f64).ln()) / 2.0).abs() < 1e-15);
    /// let want = array![[-0.25, 0.25], [0.125, -0.125]].into_dyn();
    /// assert!((&g.grad(logits).unwrap() - &want).iter().all(|d| d.abs() < 1e-15));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn cross_entropy(&self, logits: impl Expr, targets: Var) -> Var {
        self.cross_entropy_with(logits, targets, ClassOptions::default())
    }

    /// [`Graph::cross_entropy`] with class weights, another reduction, label smoothing or an ignored target.
    #[track_caller]
    pub fn cross_entropy_with(&self, logits: impl Expr, targets: Var, options: ClassOptions) -> Var {
        self.enter();
        let ClassOptions { weight, reduction, label_smoothing, ignore_index } = options;
        let op = CrossEntropy { reduction, label_smoothing, ignore_index };
        let logits = self.arg(logits);
        match weight {
            Some(weight) => self.loss(op, &[logits, targets, weight]),
            None => self.loss(op, &[logits, targets]),
        }
    }

    /// Mean over rows of `-logp[target]`, for log probabilities as [`Graph::log_softmax`] gives them.
    ///
    /// `[N, C, ..] x [N, ..] -> []` (or `[C] x []`). O(rows).
    ///
    /// # Panics
    /// As [`Graph::cross_entropy`].
    #[track_caller]
    pub fn nll_loss(&self, logp: impl Expr, targets: Var) -> Var {
        self.nll_loss_with(logp, targets, ClassOptions::default())
    }

    /// [`Graph::nll_loss`] with class weights, another reduction or an ignored target.
    ///
    /// # Panics
    /// As [`Graph::cross_entropy`], and if label smoothing is asked for, which only `cross_entropy` has.
    #[track_caller]
    pub fn nll_loss_with(&self, logp: impl Expr, targets: Var, options: ClassOptions) -> Var {
        self.enter();
        let ClassOptions { weight, reduction, label_smoothing, ignore_index } = options;
        if label_smoothing != 0.0 {
            let rule = "label smoothing needs the logits: see cross_entropy";
            let refusal = Refusal::new(ErrorKind::InvalidAttribute, rule);
            panic!("{}", self.error(refusal, "nll_loss", &[targets]));
        }
        let op = NllLoss { reduction, ignore_index };
        let logp = self.arg(logp);
        match weight {
            Some(weight) => self.loss(op, &[logp, targets, weight]),
            None => self.loss(op, &[logp, targets]),
        }
    }
}
