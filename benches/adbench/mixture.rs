//! The log posterior of a Gaussian mixture whose precisions have a Wishart prior.

use std::f64::consts::PI;

use ndarray::{Array1, Array2, ArrayD, Axis, concatenate, s};
use wengert::prelude::*;

use super::{Draw, Objective};

/// `n` points in `d` dimensions, `k` components; `q` is the logarithm of a factor's diagonal, `l` what is below it.
pub struct Mixture {
    d: usize,
    k: usize,
    n: usize,
    gamma: f64,
    m: usize,
    alpha: Array1<f64>,
    mu: Array2<f64>,
    ql: Array2<f64>,
    x: Array2<f64>,
}

impl Mixture {
    pub fn new(d: usize, k: usize, n: usize, (gamma, m): (f64, usize), seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let alpha = Array1::from_shape_simple_fn(k, || draw.normal());
        let mu = Array2::from_shape_simple_fn((k, d), || draw.uniform());
        let ql = Array2::from_shape_fn((k, d + d * (d - 1) / 2), |(_, j)| {
            draw.normal() * if j < d { 0.25 } else { 1.0 / (d as f64).sqrt() }
        });
        let x = Array2::from_shape_simple_fn((n, d), || draw.normal());
        Mixture { d, k, n, gamma, m, alpha, mu, ql, x }
    }

    /// Where in `exp q | l | 0` the elements of the triangular factor stand.
    fn places(&self) -> Vec<i64> {
        let d = self.d;
        let mut places = vec![(d + d * (d - 1) / 2) as i64; d * d];
        let mut next = d as i64;
        for column in 0..d {
            places[column * (d + 1)] = column as i64;
            for row in column + 1..d {
                places[row * d + column] = next;
                next += 1;
            }
        }
        places
    }

    /// What does not depend on the parameters.
    fn constant(&self) -> f64 {
        let (d, n) = (self.d as f64, self.n as f64);
        let degrees = d + self.m as f64 + 1.0;
        let log_gamma_d = d * (d - 1.0) / 4.0 * PI.ln()
            + (0..self.d).map(|j| log_gamma(self.d + self.m + 1 - j)).sum::<f64>();
        let c = degrees * d * (self.gamma.ln() - 0.5 * 2f64.ln()) - log_gamma_d;
        self.k as f64 * c - 0.5 * n * d * (2.0 * PI).ln()
    }
}

/// `log Gamma(twice / 2)`.
fn log_gamma(twice: usize) -> f64 {
    let start = if twice.is_multiple_of(2) { 0.0 } else { 0.5 * PI.ln() };
    (2 - twice % 2..twice).step_by(2).fold(start, |sum, t| sum + (t as f64 / 2.0).ln())
}

impl Objective for Mixture {
    fn parameters(&self) -> Vec<ArrayD<f64>> {
        vec![self.alpha.clone().into_dyn(), self.mu.clone().into_dyn(), self.ql.clone().into_dyn()]
    }

    fn constants(&self, g: &Graph) -> Vec<Var> {
        let zero = Array2::<f64>::zeros((self.k, 1));
        vec![g.constant(self.x.t()), g.indices(self.places()), g.constant(zero)]
    }

    /// The points lie along the last axis, where they are many.
    fn record(&self, g: &Graph, params: &[Var], data: &[Var]) -> Var {
        let (&[alpha, mu, ql], &[x, places, zero]) = (params, data) else { unreachable!("as recorded") };
        let (d, k) = (self.d as isize, self.k as isize);
        let (q, l) = (g.slice(ql, 1, ..d), g.slice(ql, 1, d..));
        let diagonal = g.exp(q);
        let parts = g.concat(&[diagonal, l, zero], 1);
        let factors = g.reshape(g.index_select(parts, places, 1), &[k, d, d]);
        let centres = g.matmul(factors, g.unsqueeze(mu, -1));
        let distance = g.sum_axes((g.matmul(factors, x) - centres).square(), &[1]);
        let weight = g.unsqueeze(alpha + g.sum_axes(q, &[1]), -1);
        let evidence = g.logsumexp_axes(weight - 0.5 * distance, &[0]);
        let likelihood = g.eval(g.sum(evidence) - g.logsumexp(alpha) * self.n as f64);
        let precisions = g.eval(g.sum(diagonal.square()) + g.sum(l.square()));
        let prior = g.eval(precisions * (0.5 * self.gamma * self.gamma) - g.sum(q) * self.m as f64);
        g.eval(likelihood - prior + self.constant())
    }

    fn plain(&self) -> f64 {
        let d = self.d;
        let l = self.ql.slice(s![.., d..]);
        let diagonal = self.ql.slice(s![.., ..d]).mapv(f64::exp);
        let log_det = self.ql.slice(s![.., ..d]).sum_axis(Axis(1));
        let (diagonal, l) = (diagonal.as_standard_layout(), l.as_standard_layout());
        let (mut centred, mut mapped) = (vec![0.0; d], vec![0.0; d]);
        let mut terms = vec![0.0; self.k];
        let mut sum = 0.0;
        for x in self.x.rows() {
            let x = x.to_slice().expect("rows lie together");
            for (k, term) in terms.iter_mut().enumerate() {
                let mu = self.mu.row(k);
                let (diagonal, l) = (diagonal.row(k), l.row(k));
                let (mu, mut below) = (mu.as_slice().expect("a row"), l.as_slice().expect("a row"));
                let diagonal = diagonal.as_slice().expect("a row");
                for j in 0..d {
                    centred[j] = x[j] - mu[j];
                    mapped[j] = diagonal[j] * centred[j];
                }
                for j in 0..d {
                    let (column, rest) = below.split_at(d - 1 - j);
                    let scale = centred[j];
                    mapped[j + 1..].iter_mut().zip(column).for_each(|(y, l)| *y += l * scale);
                    below = rest;
                }
                *term = self.alpha[k] + log_det[k] - 0.5 * mapped.iter().map(|y| y * y).sum::<f64>();
            }
            sum += log_sum_exp(&terms);
        }
        let alpha = self.alpha.as_slice().expect("together");
        let squares = |a: &Array2<f64>| a.iter().map(|v| v * v).sum::<f64>();
        let all = concatenate![Axis(1), diagonal, l];
        let prior = 0.5 * self.gamma * self.gamma * squares(&all) - self.m as f64 * log_det.sum();
        sum - self.n as f64 * log_sum_exp(alpha) - prior + self.constant()
    }
}

fn log_sum_exp(terms: &[f64]) -> f64 {
    let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + terms.iter().map(|t| (t - top).exp()).sum::<f64>().ln()
}
