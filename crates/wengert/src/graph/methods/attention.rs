//! Attention with several heads, rotary positions, dropout.

use ndarray::{Array2, ArrayD, IxDyn};
use rand::Rng;
use smallvec::SmallVec;

use crate::error::{ErrorKind, Refusal};
use crate::expr::Expr;
use crate::graph::{Engine, Graph};

use crate::op::*;
use crate::shape::Shape;
use crate::term::Term;
use crate::var::Var;

/// The projections of [`Graph::multi_head_attention`], as [`Graph::linear`] takes them.
#[derive(Clone, Copy, Debug)]
pub struct HeadWeights {
    /// Weight `[D, E]` and bias `[D]` for queries.
    pub query: (Var, Option<Var>),
    /// Weight `[D, Ek]` and bias `[D]` for keys.
    pub key: (Var, Option<Var>),
    /// Weight `[D, Ev]` and bias `[D]` for values.
    pub value: (Var, Option<Var>),
    /// Weight `[O, D]` and bias `[O]` for the result.
    pub output: (Var, Option<Var>),
}

impl<T: Engine> Graph<T> {
    #[track_caller]
    fn projected(&self, x: Term<'_>, (weight, bias): (Var, Option<Var>)) -> Term<'_> {
        Term::new(self, self.linear(x.var(), weight, bias))
    }

    /// Attention in `heads` parts of the projected width: each attends for itself, the parts are joined and projected.
    ///
    /// q `[.., L, E]`, k `[.., S, Ek]`, v `[.., S, Ev] -> [.., L, O]`. The mask, one for all heads, is as for
    /// [`Graph::scaled_dot_product_attention`] and broadcasts to `[.., L, S]`; `is_causal` lets query i see keys `j <= i`.
    ///
    /// # Panics
    /// If shapes do not fit, or `heads` does not divide the projected width; or if a handle belongs to another graph or to
    /// a rewound part of this one.
    #[track_caller]
    pub fn multi_head_attention(
        &self,
        q: impl Expr,
        k: impl Expr,
        v: impl Expr,
        weights: &HeadWeights,
        heads: usize,
        mask: impl Into<Option<Var>>,
        is_causal: bool,
    ) -> Var {
        const NAME: &str = "multi_head_attention";
        self.enter();
        let args = [self.term_of(NAME, q), self.term_of(NAME, k), self.term_of(NAME, v)];
        let check = match args.iter().find(|x| x.ndim() < 2) {
            Some(x) => {
                let rule = format!("takes arrays of 2 axes or more, not {}", x.ndim());
                Err(Refusal::new(ErrorKind::RankMismatch, rule))
            }
            None => Ok(()),
        };
        self.admit(NAME, &args, check);
        let projected = [
            self.projected(args[0], weights.query),
            self.projected(args[1], weights.key),
            self.projected(args[2], weights.value),
        ];
        let width = |x: Term<'_>| x.shape()[x.ndim() - 1];
        let check = match projected.iter().find(|x| heads == 0 || width(**x) % heads != 0) {
            Some(x) => {
                let rule = format!("{heads} heads do not divide the width {}", width(*x));
                Err(Refusal::new(ErrorKind::InvalidAttribute, rule))
            }
            None => Ok(()),
        };
        self.admit(NAME, &args, check);
        let [q, k, v] = projected.map(|x| {
            let mut shape = x.shape();
            let last = shape.len() - 1;
            shape[last] /= heads;
            shape.insert(last, heads);
            x.reshape(&shape).apply(Transpose { axis0: -3, axis1: -2 }, &[])
        });
        let mut rest: SmallVec<[Term<'_>; 3]> = SmallVec::from_slice(&[k, v]);
        if let Some(mask) = mask.into() {
            let mask = self.term_of(NAME, mask);
            rest.push(if mask.ndim() > 2 { mask.unsqueeze(mask.ndim() - 2) } else { mask });
        }
        let parts = q.apply(Attention { is_causal, scale: None }, &rest);
        let parts = parts.apply(Transpose { axis0: -3, axis1: -2 }, &[]);
        let mut shape = parts.shape();
        let part = shape.pop().expect("heads and their widths");
        *shape.last_mut().expect("heads and their widths") *= part;
        self.projected(parts.reshape(&shape), weights.output).var()
    }

    /// Rotary positions: at position `p = offset + l` the pair `(x[2 i], x[2 i + 1])` is turned by `p base^(-2 i / D)`.
    ///
    /// `[.., L, D] -> [.., L, D]`. Products of a query and a key then depend on their distance only. Cotangent: turned back.
    /// The usual `base` is 10000.
    ///
    /// # Panics
    /// If `x` has fewer than two axes, the last one has odd length, or `base` is not positive.
    ///
    /// # References
    /// J. Su et al., RoFormer, arXiv:2104.09864 (2021), section 3.2.
    #[track_caller]
    pub fn rope(&self, x: impl Expr, offset: usize, base: f64) -> Var {
        self.enter();
        let x = self.term_of("rope", x);
        let shape = x.shape();
        let check = match shape[..] {
            [.., _, width] if width % 2 != 0 => Err(Refusal::new(
                ErrorKind::ShapeMismatch,
                format!("the last axis has the odd length {width}"),
            )),
            [.., length, width] if base > 0.0 => Ok((length, width / 2)),
            [_, _, ..] => Err(Refusal::new(
                ErrorKind::InvalidAttribute,
                format!("the base must be positive, not {base}"),
            )),
            _ => {
                let rule = format!("takes arrays of 2 axes or more, not {}", shape.len());
                Err(Refusal::new(ErrorKind::RankMismatch, rule))
            }
        };
        let (length, pairs) = self.admit("rope", &[x], check);
        let speeds: Vec<f64> = (0..pairs).map(|i| base.powf(-(i as f64) / pairs as f64)).collect();
        let turns =
            Array2::from_shape_fn((length, pairs), |(p, i)| ((offset + p) as f64 * speeds[i]).sin_cos());
        let [sin, cos] = [turns.map(|turn| T::of(turn.0)), turns.map(|turn| T::of(turn.1))]
            .map(|turns| Term::new(self, self.push_array(&turns.into_dyn())));
        let mut split: Shape = shape.clone();
        *split.last_mut().expect("two axes at least") = pairs;
        split.push(2);
        let halves = x.reshape(&split);
        let [a, b] = [0, 1].map(|index| halves.apply(Select { axis: -1, index }, &[]));
        let turned = (a * cos - b * sin).apply(Stack { axis: -1 }, &[a * sin + b * cos]);
        turned.reshape(&shape).var()
    }

    /// Each element 0 with probability `p`, else divided by `1 - p`, so that the mean stays.
    ///
    /// `[..] -> [..]`. Cotangent: `y_bar` through the same mask, which is a constant of the graph. One number is drawn for each
    /// element in row-major order. A checkpoint records its part again: make the generator from a seed within it.
    ///
    /// # Panics
    /// If `p` is not within 0..=1.
    ///
    /// # Examples
    /// ```
    /// use ndarray::Array1;
    /// use rand::{SeedableRng, rngs::SmallRng};
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(Array1::ones(1000));
    /// let y = g.checkpoint(&[x], |g, x| g.sum(g.dropout(x[0], 0.25, &mut SmallRng::seed_from_u64(1))))?;
    /// g.backward(y)?;
    /// assert!((g.item(y) - 1000.0).abs() < 50.0);
    /// assert!((g.grad(x).unwrap().sum() - g.item(y)).abs() < 1e-9);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn dropout(&self, x: impl Expr, p: f64, rng: &mut impl Rng) -> Var {
        self.enter();
        let x = self.term_of("dropout", x);
        let check = match (0.0..=1.0).contains(&p) {
            true => Ok(()),
            false => {
                let rule = format!("the probability must be within 0..=1, and is {p}");
                Err(Refusal::new(ErrorKind::InvalidAttribute, rule))
            }
        };
        self.admit("dropout", &[x], check);
        let kept = T::of(1.0 / (1.0 - p));
        let mut draw = || if super::create::uniform(rng) < p { T::zero() } else { kept };
        let mask = ArrayD::from_shape_simple_fn(IxDyn(&x.shape()), &mut draw);
        (x * Term::new(self, self.push_array(&mask))).var()
    }
}
