//! Logarithms of probability densities and masses: elementwise, broadcast, nothing summed but the event axis of a vector.
//!
//! The parameters are those of SciPy where no other are named. Outside of its support a density is 0, its logarithm minus
//! infinity, and no gradient passes. Parameters that make no distribution (a scale below 0) give NaN. Each argument is
//! differentiable, whole numbers through the continuous formula.

use std::f64::consts::{LN_2, PI};

use crate::error::{ErrorKind, Refusal};
use crate::expr::{Expr, Operand};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::rule::Record;
use crate::shape::{Axes, Shape, broadcast};
use crate::var::Var;

/// `log(2 pi) / 2`
const HALF_LN_TAU: f64 = 0.918_938_533_204_672_741_780_329_736_405_6;

/// Where a density is not 0: what the unsupported numbers are replaced by before anything is computed from them.
struct Support {
    mask: Var,
    inside: Var,
}

impl<T: Engine> Graph<T> {
    /// `x` where every comparison with a number holds; `instead` elsewhere.
    fn supported(&self, x: Var, rules: &[(Compare, Var)], instead: f64) -> Support {
        let masks = rules.iter().map(|&(compare, bound)| self.must(&Op::Compare(compare), &[x, bound]));
        let both = |a, b| self.must(&Logical { kind: LogicalKind::And }.into(), &[a, b]);
        let mask = masks.reduce(both).expect("a support has a rule");
        Support { mask, inside: self.must(&Where {}.into(), &[mask, x, self.filled(&[], instead)]) }
    }

    /// Whole numbers from 0 on.
    fn whole(&self, k: Var) -> Support {
        let floor = self.must(&Op::Unary(Unary::Floor), &[k]);
        self.supported(k, &[(Compare::Ge, self.filled(&[], 0.0)), (Compare::Eq, floor)], 0.0)
    }

    fn outside_is_zero(&self, mask: Var, log_density: Var) -> Var {
        self.must(&Where {}.into(), &[mask, log_density, self.filled(&[], f64::NEG_INFINITY)])
    }

    /// Log density of the normal distribution of mean `mean` and standard deviation `sd`.
    ///
    /// # Panics
    /// If shapes do not fit, or a handle belongs to another graph or to a rewound part of this one.
    ///
    /// # Examples
    /// ```
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let mean = g.leaf(1.0);
    /// let y = g.normal_logpdf(3.0, mean, 2.0);
    /// g.backward(y)?;
    /// assert!((g.item(y) + 0.5 + (2.0 * (2.0 * std::f64::consts::PI).sqrt()).ln()).abs() < 1e-15);
    /// assert_eq!(g.grad(mean).unwrap()[[]], 0.5);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn normal_logpdf(&self, x: impl Operand, mean: impl Operand, sd: impl Operand) -> Var {
        self.enter();
        let (x, mean, sd) = (self.arg(x), self.arg(mean), self.arg(sd));
        self.arg(-0.5 * ((x - mean) / sd).square() - sd.log() - HALF_LN_TAU)
    }

    /// Log density of `e^z` with `z` normal of mean `mean` and standard deviation `sd`; support `x > 0`.
    #[track_caller]
    pub fn lognormal_logpdf(&self, x: impl Operand, mean: impl Operand, sd: impl Operand) -> Var {
        self.enter();
        let (x, mean, sd) = (self.arg(x), self.arg(mean), self.arg(sd));
        let Support { mask, inside } = self.supported(x, &[(Compare::Gt, self.filled(&[], 0.0))], 1.0);
        let log = self.arg(inside.log());
        let y = self.arg(-0.5 * ((log - mean) / sd).square() - log - sd.log() - HALF_LN_TAU);
        self.outside_is_zero(mask, y)
    }

    /// Log density of the exponential distribution of rate `rate`; support `x >= 0`.
    #[track_caller]
    pub fn exponential_logpdf(&self, x: impl Operand, rate: impl Operand) -> Var {
        self.enter();
        let (x, rate) = (self.arg(x), self.arg(rate));
        let Support { mask, inside } = self.supported(x, &[(Compare::Ge, self.filled(&[], 0.0))], 1.0);
        let y = self.arg(rate.log() - rate * inside);
        self.outside_is_zero(mask, y)
    }

    /// Log density of the Laplace distribution: `-|x - location| / scale - log(2 scale)`; at the kink the gradient is 0.
    #[track_caller]
    pub fn laplace_logpdf(&self, x: impl Operand, location: impl Operand, scale: impl Operand) -> Var {
        self.enter();
        let (x, location, scale) = (self.arg(x), self.arg(location), self.arg(scale));
        self.arg(-((x - location).abs() / scale) - scale.log() - LN_2)
    }

    /// Log density of the Cauchy distribution, without overflow far out.
    #[track_caller]
    pub fn cauchy_logpdf(&self, x: impl Operand, location: impl Operand, scale: impl Operand) -> Var {
        self.enter();
        let (x, location, scale) = (self.arg(x), self.arg(location), self.arg(scale));
        self.arg(scale.log() - 2.0 * (x - location).hypot(scale).log() - PI.ln())
    }

    /// Log density of Student's t distribution with `df` degrees of freedom, shifted and scaled.
    #[track_caller]
    pub fn student_t_logpdf(
        &self,
        x: impl Operand,
        df: impl Operand,
        location: impl Operand,
        scale: impl Operand,
    ) -> Var {
        self.enter();
        let (x, df, location, scale) = (self.arg(x), self.arg(df), self.arg(location), self.arg(scale));
        let constant = self.arg((0.5 * df).betaln(self.filled(&[], 0.5)) + 0.5 * df.log() + scale.log());
        let z = self.arg((x - location) / scale);
        self.arg(-0.5 * (df + 1.0) * (z * z / df).log1p() - constant)
    }

    /// Log density of the gamma distribution of shape `shape` and rate `rate`; support `x >= 0`.
    #[track_caller]
    pub fn gamma_logpdf(&self, x: impl Operand, shape: impl Operand, rate: impl Operand) -> Var {
        self.enter();
        let (x, shape, rate) = (self.arg(x), self.arg(shape), self.arg(rate));
        let Support { mask, inside } = self.supported(x, &[(Compare::Ge, self.filled(&[], 0.0))], 1.0);
        let y = self.arg((shape - 1.0).xlogy(inside) + shape * rate.log() - rate * inside - shape.lgamma());
        self.outside_is_zero(mask, y)
    }

    /// Log density of the beta distribution; support `0 <= x <= 1`.
    #[track_caller]
    pub fn beta_logpdf(&self, x: impl Operand, a: impl Operand, b: impl Operand) -> Var {
        self.enter();
        let (x, a, b) = (self.arg(x), self.arg(a), self.arg(b));
        let rules = [(Compare::Ge, self.filled(&[], 0.0)), (Compare::Le, self.filled(&[], 1.0))];
        let Support { mask, inside } = self.supported(x, &rules, 0.5);
        let y = self.arg((a - 1.0).xlogy(inside) + (b - 1.0).xlog1py(-inside) - a.betaln(b));
        self.outside_is_zero(mask, y)
    }

    /// Log density of the Dirichlet distribution along the last axis; support: no entry below 0.
    ///
    /// `[.., n] x [.., n] -> [..]`. That the entries of `x` sum to 1 is taken for granted.
    #[track_caller]
    pub fn dirichlet_logpdf(&self, x: impl Operand, concentration: impl Operand) -> Var {
        self.enter();
        let (x, a) = (self.arg(x), self.arg(concentration));
        let last = |v: Var| self.must(&Sum { axes: Some([-1][..].into()), keepdims: false }.into(), &[v]);
        let Support { mask, inside } = self.supported(x, &[(Compare::Ge, self.filled(&[], 0.0))], 0.5);
        let each = self.arg((a - 1.0).xlogy(inside) - a.lgamma());
        let y = self.arg(last(self.outside_is_zero(mask, each)) + last(a).lgamma());
        let supported = self.must(&Op::Compare(Compare::Ne), &[y, self.filled(&[], f64::NEG_INFINITY)]);
        self.outside_is_zero(supported, y)
    }

    /// Log mass of an outcome of 0 or 1 with the log odds `logits`: `y log sigmoid(x) + (1 - y) log sigmoid(-x)`.
    ///
    /// Outcomes between 0 and 1 weigh the two, as in binary cross entropy.
    #[track_caller]
    pub fn bernoulli_logits_logpmf(&self, outcome: impl Operand, logits: impl Operand) -> Var {
        self.enter();
        let (outcome, logits) = (self.arg(outcome), self.arg(logits));
        self.arg(outcome * logits.logsigmoid() + (1.0 - outcome) * (-logits).logsigmoid())
    }

    /// Log mass of classes with unnormalised log probabilities along the last axis: `log_softmax(logits)[outcome]`.
    ///
    /// `outcome` `[..]` from [`Graph::indices`], logits `[.., C] -> [..]`.
    ///
    /// # Panics
    /// If the shapes do not fit or an outcome is no class.
    #[track_caller]
    pub fn categorical_logits_logpmf(&self, outcome: Var, logits: impl Expr) -> Var {
        self.enter();
        let logits = self.arg(logits);
        let ndim = self.shape_of_arg("categorical_logits_logpmf", logits).len() as isize;
        let logits = match ndim {
            0..=2 => logits,
            _ => {
                let axes: Axes = [0, ndim - 1].into_iter().chain(1..ndim - 1).collect();
                self.must(&Permute { axes }.into(), &[logits])
            }
        };
        let op = CrossEntropy { reduction: Reduction::None, ignore_index: i64::MIN, ..Default::default() };
        let loss = self.must(&op.into(), &[logits, outcome]);
        self.arg(-loss)
    }

    /// Log mass of the Poisson distribution of rate `rate` at `k`; support: whole `k >= 0`.
    #[track_caller]
    pub fn poisson_logpmf(&self, k: impl Operand, rate: impl Operand) -> Var {
        self.enter();
        let (k, rate) = (self.arg(k), self.arg(rate));
        let Support { mask, inside } = self.whole(k);
        let y = self.arg(inside.xlogy(rate) - rate - (inside + 1.0).lgamma());
        self.outside_is_zero(mask, y)
    }

    /// Log mass of `k` successes of probability `p` in `n` trials; support: whole `k` from 0 to `n`.
    #[track_caller]
    pub fn binomial_logpmf(&self, k: impl Operand, n: impl Operand, p: impl Operand) -> Var {
        self.enter();
        let (k, n, p) = (self.arg(k), self.arg(n), self.arg(p));
        let floor = self.must(&Op::Unary(Unary::Floor), &[k]);
        let rules = [(Compare::Ge, self.filled(&[], 0.0)), (Compare::Eq, floor), (Compare::Le, n)];
        let Support { mask, inside: k } = self.supported(k, &rules, 0.0);
        let rest = self.arg(n - k);
        let choices = self.arg(-((n + 1.0).log() + (rest + 1.0).betaln(k + 1.0)));
        let y = self.arg(choices + k.xlogy(p) + rest.xlog1py(-p));
        self.outside_is_zero(mask, y)
    }

    /// Log mass of `k` failures of probability `1 - p` before success `n`, for real `n > 0`; support: whole `k >= 0`.
    #[track_caller]
    pub fn negbinomial_logpmf(&self, k: impl Operand, n: impl Operand, p: impl Operand) -> Var {
        self.enter();
        let (k, n, p) = (self.arg(k), self.arg(n), self.arg(p));
        let Support { mask, inside: k } = self.whole(k);
        let choices = self.arg(-((n + k).log() + n.betaln(k + 1.0)));
        let y = self.arg(choices + n * p.log() + k.xlog1py(-p));
        self.outside_is_zero(mask, y)
    }

    /// Log density of the multivariate normal distribution with the covariance `L L^T`, from its lower Cholesky factor.
    ///
    /// x and mean `[.., n]`, L `[n, n]` or `[.., n, n] -> [..]`; leading axes broadcast. O(n^2) a point.
    ///
    /// # Panics
    /// If shapes do not fit, or a handle belongs to another graph or to a rewound part of this one.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let l = g.leaf(array![[2.0, 0.0], [1.0, 0.5]]);
    /// let y = g.mvnormal_chol_logpdf(g.leaf(array![2.0, 1.0]), 0.0, l);
    /// assert!((g.item(y) + 0.5 + (2.0 * std::f64::consts::PI).ln()).abs() < 1e-15);
    /// ```
    #[track_caller]
    pub fn mvnormal_chol_logpdf(&self, x: impl Operand, mean: impl Operand, chol: impl Operand) -> Var {
        self.enter();
        let name = "mvnormal_chol_logpdf";
        let (x, mean, chol) = (self.arg(x), self.arg(mean), self.arg(chol));
        let apart = self.arg(x - mean);
        let (lengths, factor) = (self.shape_of_arg(name, apart), self.shape_of_arg(name, chol));
        let (Some((&n, lead)), true) = (lengths.split_last(), factor.len() >= 2) else {
            let rule = "needs a vector and a matrix";
            panic!("{}", self.error(Refusal::new(ErrorKind::RankMismatch, rule), name, &[apart, chol]));
        };
        let sum = |v: Var, axes: &[isize]| {
            self.must(&Sum { axes: Some(axes.into()), keepdims: false }.into(), &[v])
        };
        let solve = |a: Var, b: Var| self.must(&TriangularSolve::default().into(), &[a, b]);
        let diagonal = Diagonal { axis0: factor.len() - 2, axis1: factor.len() - 1 };
        let distance = match factor.len() {
            // One factor for all points: they are its columns.
            2 => {
                let rows = Axes::from_slice(&[lead.iter().product::<usize>() as isize, n as isize]);
                let rows = self.must(&Reshape { shape: rows }.into(), &[apart]);
                let columns = self.must(&Transpose { axis0: 0, axis1: 1 }.into(), &[rows]);
                let z = solve(chol, columns);
                let squares = sum(self.arg(z * z), &[0]);
                self.must(&Reshape { shape: lead.iter().map(|&l| l as isize).collect() }.into(), &[squares])
            }
            _ => {
                let common = match broadcast([lead, &factor[..factor.len() - 2]]) {
                    Ok(common) => common,
                    Err(refusal) => panic!("{}", self.error(refusal, name, &[apart, chol])),
                };
                let to = |v: Var, tail: [usize; 2]| {
                    let shape: Shape = common.iter().copied().chain(tail).collect();
                    self.must(&BroadcastTo { shape }.into(), &[v])
                };
                let column = self.must(&Unsqueeze { axis: -1 }.into(), &[apart]);
                let z =
                    solve(to(chol, [factor[factor.len() - 2], factor[factor.len() - 1]]), to(column, [n, 1]));
                sum(self.arg(z * z), &[-2, -1])
            }
        };
        let scales = self.must(&diagonal.into(), &[chol]);
        let volume = sum(self.arg(scales.log()), &[-1]);
        self.arg(-0.5 * distance - volume - n as f64 * HALF_LN_TAU)
    }
}
