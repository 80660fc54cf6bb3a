//! What each loss of pairs is: its formula and the two partials, in words.
//!
//! The formulas are small `Copy` structs beside the ops' attributes, so that kernels take them by value.

use crate::error::{ErrorKind, Refusal};
use crate::kernel::loss::Pointwise;
use crate::op::*;
use crate::ops::loss::pair::{PairLoss, no_batch_mean, refuse};
use crate::words::{Words, select};

macro_rules! formulas {
    ($($(#[$doc:meta])* $Op:ident $Formula:ident { $($field:ident: $ty:ty),* };)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $Formula { reduction: Reduction, $($field: $ty,)* }

        impl $Op {
            pub(super) fn formula(&self) -> $Formula {
                $Formula { reduction: self.reduction, $($field: self.$field,)* }
            }
        }
    )* };
}
formulas! {
    /// `(a - b)^2`
    MseLoss Mse {};
    /// `|a - b|`
    L1Loss L1 {};
    /// `d^2 / 2` up to `delta`, `delta (|d| - delta / 2)` beyond
    HuberLoss Huber { delta: f64 };
    /// `d^2 / (2 beta)` below `beta`, `|d| - beta / 2` from there
    SmoothL1Loss SmoothL1 { beta: f64 };
    /// `-(b log a + (1 - b) log(1 - a))`
    BceLoss Bce {};
    /// The same of `sigmoid(a)`
    BceWithLogits BceLogits {};
    /// `b (log b - a)`
    KlDiv Kl { log_target: bool };
}

/// The partial by `b` of a function of `a - b`.
#[inline(always)]
fn signed<N: Words>(k: usize, slope: N) -> N {
    if k == 0 { slope } else { -slope }
}

impl Pointwise for Mse {
    #[inline(always)]
    fn primal<N: Words>(self, a: N, b: N, _: N) -> N {
        (a - b) * (a - b)
    }
    #[inline(always)]
    fn partial<N: Words>(self, k: usize, a: N, b: N, _: N) -> N {
        a.lit(2.0) * if k == 0 { a - b } else { b - a }
    }
}
impl PairLoss for Mse {
    fn reduction(&self) -> Reduction {
        self.reduction
    }
    fn check(&self) -> Result<(), Refusal> {
        no_batch_mean(self.reduction)
    }
}

/// Where the two are equal the partials are 0.
impl Pointwise for L1 {
    #[inline(always)]
    fn primal<N: Words>(self, a: N, b: N, _: N) -> N {
        (a - b).abs()
    }
    #[inline(always)]
    fn partial<N: Words>(self, k: usize, a: N, b: N, _: N) -> N {
        signed(k, (a - b).sign())
    }
}
impl PairLoss for L1 {
    fn reduction(&self) -> Reduction {
        self.reduction
    }
    fn check(&self) -> Result<(), Refusal> {
        no_batch_mean(self.reduction)
    }
}

impl Pointwise for Huber {
    #[inline(always)]
    fn primal<N: Words>(self, a: N, b: N, _: N) -> N {
        let (d, delta) = ((a - b).abs(), a.lit(self.delta));
        select(d.le(delta), d.lit(0.5) * d * d, delta * (d - d.lit(0.5 * self.delta)))
    }
    #[inline(always)]
    fn partial<N: Words>(self, k: usize, a: N, b: N, _: N) -> N {
        signed(k, (a - b).clamp([-self.delta, self.delta]))
    }
}
impl PairLoss for Huber {
    fn reduction(&self) -> Reduction {
        self.reduction
    }
    fn check(&self) -> Result<(), Refusal> {
        no_batch_mean(self.reduction)?;
        match self.delta > 0.0 {
            true => Ok(()),
            false => {
                refuse(ErrorKind::InvalidAttribute, format!("`delta` must be positive, not {}", self.delta))
            }
        }
    }
}

/// With `beta = 0` this is the loss of [`L1`].
impl Pointwise for SmoothL1 {
    #[inline(always)]
    fn primal<N: Words>(self, a: N, b: N, _: N) -> N {
        let d = (a - b).abs();
        if self.beta == 0.0 {
            return d;
        }
        let quadratic = d.lit(0.5) * d * (d / d.lit(self.beta));
        select(d.lt(d.lit(self.beta)), quadratic, d - d.lit(0.5 * self.beta))
    }
    #[inline(always)]
    fn partial<N: Words>(self, k: usize, a: N, b: N, _: N) -> N {
        let d = a - b;
        if self.beta == 0.0 {
            return signed(k, d.sign());
        }
        signed(k, (d / d.lit(self.beta)).clamp([-1.0, 1.0]))
    }
}
impl PairLoss for SmoothL1 {
    fn reduction(&self) -> Reduction {
        self.reduction
    }
    fn check(&self) -> Result<(), Refusal> {
        no_batch_mean(self.reduction)?;
        match self.beta >= 0.0 {
            true => Ok(()),
            false => refuse(
                ErrorKind::InvalidAttribute,
                format!("`beta` must not be negative, but is {}", self.beta),
            ),
        }
    }
}

/// Logarithms are held at -100 or above, and the partial by `a` divides by 1e-12 or more: finite at 0 and 1.
impl Pointwise for Bce {
    #[inline(always)]
    fn primal<N: Words>(self, a: N, b: N, _: N) -> N {
        let [yes, no] = held_logs(a);
        -(b * yes + (b.lit(1.0) - b) * no)
    }
    #[inline(always)]
    fn partial<N: Words>(self, k: usize, a: N, b: N, _: N) -> N {
        if k == 0 {
            return (a - b) / (a * (a.lit(1.0) - a)).clamp([1e-12, f64::INFINITY]);
        }
        let [yes, no] = held_logs(a);
        no - yes
    }
}
impl PairLoss for Bce {
    fn reduction(&self) -> Reduction {
        self.reduction
    }
    fn check(&self) -> Result<(), Refusal> {
        no_batch_mean(self.reduction)
    }
}

#[inline(always)]
fn held_logs<N: Words>(a: N) -> [N; 2] {
    [a.log().clamp([-100.0, f64::INFINITY]), (-a).log1p().clamp([-100.0, f64::INFINITY])]
}

/// `w b softplus(-a) + (1 - b) softplus(a)`: terms of one sign for targets in 0..1, so nothing cancels.
impl Pointwise for BceLogits {
    #[inline(always)]
    fn primal<N: Words>(self, a: N, b: N, w: N) -> N {
        // log(1 + e^-|a|)
        let rest = -a.abs().logsigmoid();
        w * b * (rest + (-a).relu()) + (a.lit(1.0) - b) * (rest + a.relu())
    }
    #[inline(always)]
    fn partial<N: Words>(self, k: usize, a: N, b: N, w: N) -> N {
        match k {
            0 => (a.lit(1.0) - b) * a.sigmoid() - w * b * (-a).sigmoid(),
            1 => (-a).logsigmoid() - w * a.logsigmoid(),
            _ => -(b * a.logsigmoid()),
        }
    }
}
impl PairLoss for BceLogits {
    fn reduction(&self) -> Reduction {
        self.reduction
    }
    fn is_weighted(&self) -> bool {
        true
    }
    fn check(&self) -> Result<(), Refusal> {
        no_batch_mean(self.reduction)
    }
}

/// 0 where the target is 0; the partial by the target is NaN there (its logarithm is infinite).
impl Pointwise for Kl {
    #[inline(always)]
    fn primal<N: Words>(self, a: N, b: N, _: N) -> N {
        match self.log_target {
            true => b.exp() * (b - a),
            false => select(b.eq(b.lit(0.0)), b.lit(0.0), b * (b.log() - a)),
        }
    }
    #[inline(always)]
    #[allow(clippy::eq_op)]
    fn partial<N: Words>(self, k: usize, a: N, b: N, _: N) -> N {
        match (self.log_target, k) {
            (true, 0) => -b.exp(),
            (true, _) => b.exp() * (b - a + b.lit(1.0)),
            (false, 0) => -b,
            // `b / b` is 1, and NaN at 0.
            (false, _) => b.log() + b / b - a,
        }
    }
}
impl PairLoss for Kl {
    fn reduction(&self) -> Reduction {
        self.reduction
    }
}
