//! Blocks of networks, recorded as the ops that they consist of.

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::op::{Attention, GruCell, Linear, LstmCell, RnnCell, Softmax, Tril, Where};
use crate::rule::*;
use crate::shape::{Shape, broadcast};
use crate::term::Term;
use crate::words::{UnaryWords, Words};

fn mismatch(rule: String) -> Refusal {
    Refusal::new(ErrorKind::ShapeMismatch, rule)
}

impl Attention {
    /// The shapes of the scores `[.., L, S]` and of the result `[.., L, Ev]`.
    fn shapes(shapes: &[&[usize]]) -> Result<(Shape, Shape), Refusal> {
        for (name, shape) in ["q", "k", "v"].iter().zip(shapes) {
            if shape.len() < 2 {
                let rule = format!("{name} must have 2 axes or more, not {}", shape.len());
                return Err(Refusal::new(ErrorKind::RankMismatch, rule));
            }
        }
        let split = |k: usize| {
            let (batch, matrix) = shapes[k].split_at(shapes[k].len() - 2);
            (batch, matrix[0], matrix[1])
        };
        let ((q, queries, width), (k, keys, key_width), (v, values, value_width)) =
            (split(0), split(1), split(2));
        if width != key_width {
            return Err(mismatch(format!("queries have length {width}, keys {key_width}")));
        }
        if keys != values {
            return Err(mismatch(format!("there are {keys} keys and {values} values")));
        }
        let mut scores = broadcast([q, k])?;
        let mut result = broadcast([&scores[..], v])?;
        scores.extend([queries, keys]);
        result.extend([queries, value_width]);
        Ok((scores, result))
    }
}

/// Where query i may see key j <= i: `[queries, keys]`.
fn causal<'r>(x: Term<'r>, queries: usize, keys: usize) -> Term<'r> {
    x.full(&[queries, keys], 1.0).apply(Tril { k: 0 }, &[]).gt(x.lit(0.0))
}

impl Rule for Attention {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        // The mask may be a bool one or a real one.
        let mask = args.get(3).map_or(Dtype::Mask, |mask| match mask.dtype {
            Dtype::Real => Dtype::Real,
            _ => Dtype::Mask,
        });
        let shapes = expect_optional(args, &[Dtype::Real, Dtype::Real, Dtype::Real, mask], 3)?;
        let (scores, result) = Attention::shapes(&shapes)?;
        if let Some(&mask) = shapes.get(3)
            && broadcast([&scores[..], mask])? != scores
        {
            return Err(mismatch(format!(
                "the mask {mask:?} does not broadcast to the scores {:?}",
                &scores[..]
            )));
        }
        one(result)
    }

    /// Masked scores are minus infinity. A query that sees no key at all yields 0, not 0 / 0.
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        let (q, k, v, mask) = (args[0], args[1], args[2], args.get(3).copied());
        let (queries, width) = (q.shape()[q.ndim() - 2], q.shape()[q.ndim() - 1]);
        let scale = self.scale.unwrap_or(1.0 / (width as f64).sqrt());
        let mut scores = (q * q.lit(scale)).matmul(k.t());
        if let Some(added) = mask.filter(|mask| mask.dtype() == Dtype::Real) {
            scores = scores + added;
        }
        let excludes = mask.filter(|mask| mask.dtype() == Dtype::Mask);
        let causal = self.is_causal.then(|| causal(q, queries, k.shape()[k.ndim() - 2]));
        let (never, zero) = (q.lit(f64::NEG_INFINITY), q.lit(0.0));
        for mask in [excludes, causal].into_iter().flatten() {
            scores = mask.apply(Where {}, &[scores, never]);
        }
        let mut weights = scores.apply(Softmax { axis: -1 }, &[]);
        if excludes.is_some() {
            for mask in [excludes, causal].into_iter().flatten() {
                weights = mask.apply(Where {}, &[weights, zero]);
            }
        }
        Some(Terms::from_elem(weights.matmul(v), 1))
    }
}

impl<T: Functions> Kernels<T> for Attention {}

/// Checks a recurrent cell of `gates` gates: x `[N, I]`, states `[N, H]`, w_ih `[gates H, I]`, w_hh `[gates H, H]`, biases
/// `[gates H]`. Returns `[N, H]`.
fn cell(args: &[Arg<'_>], states: usize, gates: usize) -> Result<Shape, Refusal> {
    let most = states + 5;
    let shapes = expect_optional(args, &[Dtype::Real; 7][..most], states + 3)?;
    for (k, shape) in shapes.iter().enumerate() {
        let want = if k < states + 3 { 2 } else { 1 };
        if shape.len() != want {
            let rule = format!("argument {k} must have {want} axes, not {}", shape.len());
            return Err(Refusal::new(ErrorKind::RankMismatch, rule));
        }
    }
    let (x, state) = (shapes[0], shapes[1]);
    let (inputs, hidden) = (x[1], state[1]);
    let rows = gates * hidden;
    let check = |k: usize, name: &str, want: &[usize]| match shapes.get(k) {
        Some(&have) if have != want => {
            Err(mismatch(format!("{name} must have shape {want:?}, not {have:?}")))
        }
        _ => Ok(()),
    };
    for k in 1..=states {
        check(k, "the state", &[x[0], hidden])?;
    }
    check(states + 1, "w_ih", &[rows, inputs])?;
    check(states + 2, "w_hh", &[rows, hidden])?;
    check(states + 3, "b_ih", &[rows])?;
    check(states + 4, "b_hh", &[rows])?;
    Ok(state.into())
}

/// `x w_ih^T + b_ih` and `h w_hh^T + b_hh`; `weights` are w_ih, w_hh and as many biases as there are.
fn products<'r>(x: Term<'r>, h: Term<'r>, weights: &[Term<'r>]) -> [Term<'r>; 2] {
    [(x, 0), (h, 1)].map(|(x, k)| match weights.get(k + 2) {
        Some(&bias) => x.apply(Linear {}, &[weights[k], bias]),
        None => x.apply(Linear {}, &[weights[k]]),
    })
}

/// Gate `k` of `[N, gates H]`.
fn gate(products: Term<'_>, k: usize, hidden: usize) -> Term<'_> {
    products.slice(1, k * hidden, (k + 1) * hidden)
}

impl Rule for LstmCell {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let state = Spec::real(cell(args, 2, 4)?);
        Ok([state.clone(), state].into_iter().collect())
    }

    /// `c' = f c + i g` and `h' = o tanh(c')`, the gates in the order i, f, g, o.
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        let (x, h, c) = (args[0], args[1], args[2]);
        let [from_x, from_h] = products(x, h, &args[3..]);
        let all = from_x + from_h;
        let gate = |k| gate(all, k, h.shape()[1]);
        let (i, f, g, o) = (gate(0).sigmoid(), gate(1).sigmoid(), gate(2).tanh(), gate(3).sigmoid());
        let next = f * c + i * g;
        Some([o * next.tanh(), next].into_iter().collect())
    }
}

impl<T: Functions> Kernels<T> for LstmCell {}

impl Rule for GruCell {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one(cell(args, 1, 3)?)
    }

    /// `h' = (1 - z) n + z h` with `n = tanh(W_in x + b_in + r (W_hn h + b_hn))`, the gates in the order r, z, n.
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        let (x, h) = (args[0], args[1]);
        let [from_x, from_h] = products(x, h, &args[2..]);
        let hidden = h.shape()[1];
        let gates = |k| [gate(from_x, k, hidden), gate(from_h, k, hidden)];
        let [r, z] = [0, 1].map(|k| {
            let [a, b] = gates(k);
            (a + b).sigmoid()
        });
        let [a, b] = gates(2);
        let n = (a + r * b).tanh();
        Some(Terms::from_elem(n + z * (h - n), 1))
    }
}

impl<T: Functions> Kernels<T> for GruCell {}

impl Rule for RnnCell {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one(cell(args, 1, 1)?)
    }

    /// `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`
    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        let [from_x, from_h] = products(args[0], args[1], &args[2..]);
        Some(Terms::from_elem((from_x + from_h).tanh(), 1))
    }
}

impl<T: Functions> Kernels<T> for RnnCell {}

#[cfg(test)]
mod tests;
