//! Normalisations, attention and recurrent cells.

use smallvec::SmallVec;

use crate::expr::Expr;
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::shape::Shape;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// Records a normalisation of `x`; a bias without a weight is added behind.
    #[track_caller]
    fn normalised(&self, op: Op, x: impl Expr, weight: Option<Var>, bias: Option<Var>) -> Var {
        let x = self.arg(x);
        match (weight, bias) {
            (Some(weight), Some(bias)) => self.must(&op, &[x, weight, bias]),
            (Some(weight), None) => self.must(&op, &[x, weight]),
            (None, None) => self.must(&op, &[x]),
            (None, Some(_)) => {
                let rule = "a bias needs a weight";
                let refusal = crate::error::Refusal::new(crate::error::ErrorKind::InvalidAttribute, rule);
                panic!("{}", self.error(refusal, op.name(), &[x]))
            }
        }
    }

    /// Normalisation over the trailing axes: `(x - mean) / sqrt(variance + eps) weight + bias`, the variance biased.
    ///
    /// x `[.., normalized_shape]`, weight and bias `[normalized_shape] -> [.., normalized_shape]`. Cotangent, with the
    /// normalised z, its deviation d and `z_bar = y_bar weight`: `x_bar = (z_bar - mean(z_bar) - z mean(z_bar z)) / d`.
    /// O(len), one pass each way.
    ///
    /// # Panics
    /// If the trailing axes, weight or bias have not `normalized_shape`, a bias comes without a weight, or `eps` is
    /// negative; or if a handle belongs to another graph or to a rewound part of this one.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![[-1.0, 1.0], [3.0, 7.0]]);
    /// let y = g.layer_norm(x, &[2], None, None, 0.0);
    /// assert_eq!(g.value(y), array![[-1.0, 1.0], [-1.0, 1.0]].into_dyn());
    /// g.backward_with(y, array![[1.0, 0.0], [1.0, 0.0]])?;
    /// // Two numbers have no freedom left under normalisation.
    /// assert_eq!(g.grad(x).unwrap(), array![[0.0, 0.0], [0.0, 0.0]].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn layer_norm(
        &self,
        x: impl Expr,
        normalized_shape: &[usize],
        weight: impl Into<Option<Var>>,
        bias: impl Into<Option<Var>>,
        eps: f64,
    ) -> Var {
        self.enter();
        let op = LayerNorm { normalized_shape: Shape::from_slice(normalized_shape), eps };
        self.normalised(op.into(), x, weight.into(), bias.into())
    }

    /// Division by the root mean square over the trailing axes: `x / sqrt(mean(x^2) + eps) weight`.
    ///
    /// x `[.., normalized_shape]`, weight `[normalized_shape] -> [.., normalized_shape]`. Cotangent as for
    /// [`Graph::layer_norm`] without the term `mean(z_bar)`. O(len), one pass each way.
    ///
    /// # Panics
    /// As [`Graph::layer_norm`].
    #[track_caller]
    pub fn rms_norm(
        &self,
        x: impl Expr,
        normalized_shape: &[usize],
        weight: impl Into<Option<Var>>,
        eps: f64,
    ) -> Var {
        self.enter();
        let op = RmsNorm { normalized_shape: Shape::from_slice(normalized_shape), eps };
        self.normalised(op.into(), x, weight.into(), None)
    }

    /// Normalisation of each channel by its statistics over the batch and all later axes, as in training.
    ///
    /// x `[N, C, ..]`, weight and bias `[C] -> [N, C, ..]`. The variance is biased. Running averages are no part of it:
    /// take `mean` and `var` over all axes but 1 for those. O(len).
    ///
    /// # Panics
    /// If `x` has fewer than 2 axes, weight or bias are not `[C]`, a bias comes without a weight, or `eps` is negative; or
    /// if a handle belongs to another graph or to a rewound part of this one.
    #[track_caller]
    pub fn batch_norm(
        &self,
        x: impl Expr,
        weight: impl Into<Option<Var>>,
        bias: impl Into<Option<Var>>,
        eps: f64,
    ) -> Var {
        self.enter();
        self.normalised(BatchNorm { eps }.into(), x, weight.into(), bias.into())
    }

    /// Normalisation of equal groups of channels, each over its channels and all later axes.
    ///
    /// x `[N, C, ..]`, weight and bias `[C] -> [N, C, ..]`. The variance is biased. O(len).
    ///
    /// # Panics
    /// As [`Graph::batch_norm`], and if `num_groups` does not divide the channels.
    #[track_caller]
    pub fn group_norm(
        &self,
        x: impl Expr,
        num_groups: usize,
        weight: impl Into<Option<Var>>,
        bias: impl Into<Option<Var>>,
        eps: f64,
    ) -> Var {
        self.enter();
        self.normalised(GroupNorm { num_groups, eps }.into(), x, weight.into(), bias.into())
    }

    /// Normalisation of each channel of each sample over all later axes.
    ///
    /// x `[N, C, ..]`, weight and bias `[C] -> [N, C, ..]`. The variance is biased. O(len).
    ///
    /// # Panics
    /// As [`Graph::batch_norm`].
    #[track_caller]
    pub fn instance_norm(
        &self,
        x: impl Expr,
        weight: impl Into<Option<Var>>,
        bias: impl Into<Option<Var>>,
        eps: f64,
    ) -> Var {
        self.enter();
        let x = self.term_of("instance_norm", x);
        let num_groups = x.shape().get(1).copied().unwrap_or(1);
        self.normalised(GroupNorm { num_groups, eps }.into(), x.var(), weight.into(), bias.into())
    }

    /// Attention: `softmax(q k^T scale + mask) v`, the scale `1 / sqrt(E)` unless given.
    ///
    /// q `[.., L, E]`, k `[.., S, E]`, v `[.., S, Ev] -> [.., L, Ev]`; leading axes broadcast. The mask broadcasts to
    /// `[.., L, S]`: a bool one says which keys a query sees, a real one is added to the scores. `is_causal` lets query i see
    /// keys `j <= i`. A query that no key is visible to yields 0. O(L S (E + Ev)) and memory for the scores.
    ///
    /// # Panics
    /// If lengths do not fit or the mask is larger than the scores; or if a handle belongs to another graph or to a
    /// rewound part of this one.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::op::Attention;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let (q, k) = (g.constant(array![[0.0]]), g.constant(array![[1.0], [2.0]]));
    /// let v = g.leaf(array![[1.0], [5.0]]);
    /// let y = g.scaled_dot_product_attention(q, k, v, None, Attention::default());
    /// assert_eq!(g.item(y), 3.0);
    /// g.backward(y)?;
    /// assert_eq!(g.grad(v).unwrap(), array![[0.5], [0.5]].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn scaled_dot_product_attention(
        &self,
        q: impl Expr,
        k: impl Expr,
        v: impl Expr,
        mask: impl Into<Option<Var>>,
        options: Attention,
    ) -> Var {
        self.enter();
        let mut args: SmallVec<[Var; 4]> = SmallVec::new();
        args.extend([self.arg(q), self.arg(k), self.arg(v)]);
        args.extend(mask.into());
        self.must(&options.into(), &args)
    }

    /// One step of an LSTM: the next state `(h', c')`.
    ///
    /// x `[N, I]`, state h and c `[N, H]`, w_ih `[4H, I]`, w_hh `[4H, H]`, biases `[4H]`. The gates are in the order i, f, g, o:
    /// `c' = sigmoid(f) c + sigmoid(i) tanh(g)` and `h' = sigmoid(o) tanh(c')`.
    ///
    /// # Panics
    /// If shapes do not fit, or a handle belongs to another graph or to a rewound part of this one.
    #[track_caller]
    pub fn lstm_cell(
        &self,
        x: impl Expr,
        (h, c): (Var, Var),
        w_ih: Var,
        w_hh: Var,
        biases: Option<(Var, Var)>,
    ) -> (Var, Var) {
        self.enter();
        let mut args: SmallVec<[Var; 7]> = SmallVec::new();
        args.extend([self.arg(x), h, c, w_ih, w_hh]);
        args.extend(biases.into_iter().flat_map(|(b_ih, b_hh)| [b_ih, b_hh]));
        match self.record(&LstmCell {}.into(), &args) {
            Ok(state) => (state[0], state[1]),
            Err(error) => panic!("{error}"),
        }
    }

    /// One step of a GRU: the next state `h'`.
    ///
    /// x `[N, I]`, state h `[N, H]`, w_ih `[3H, I]`, w_hh `[3H, H]`, biases `[3H] -> [N, H]`. The gates are in the order r, z, n:
    /// `n = tanh(W_in x + b_in + sigmoid(r) (W_hn h + b_hn))` and `h' = (1 - sigmoid(z)) n + sigmoid(z) h`.
    ///
    /// # Panics
    /// If shapes do not fit, or a handle belongs to another graph or to a rewound part of this one.
    #[track_caller]
    pub fn gru_cell(&self, x: impl Expr, h: Var, w_ih: Var, w_hh: Var, biases: Option<(Var, Var)>) -> Var {
        self.enter();
        let mut args: SmallVec<[Var; 6]> = SmallVec::new();
        args.extend([self.arg(x), h, w_ih, w_hh]);
        args.extend(biases.into_iter().flat_map(|(b_ih, b_hh)| [b_ih, b_hh]));
        self.must(&GruCell {}.into(), &args)
    }

    /// One step of a plain recurrent network: the next state `tanh(x w_ih^T + b_ih + h w_hh^T + b_hh)`.
    ///
    /// x `[N, I]`, state h `[N, H]`, w_ih `[H, I]`, w_hh `[H, H]`, biases `[H] -> [N, H]`.
    ///
    /// # Panics
    /// If shapes do not fit, or a handle belongs to another graph or to a rewound part of this one.
    #[track_caller]
    pub fn rnn_cell(&self, x: impl Expr, h: Var, w_ih: Var, w_hh: Var, biases: Option<(Var, Var)>) -> Var {
        self.enter();
        let mut args: SmallVec<[Var; 6]> = SmallVec::new();
        args.extend([self.arg(x), h, w_ih, w_hh]);
        args.extend(biases.into_iter().flat_map(|(b_ih, b_hh)| [b_ih, b_hh]));
        self.must(&RnnCell {}.into(), &args)
    }
}
