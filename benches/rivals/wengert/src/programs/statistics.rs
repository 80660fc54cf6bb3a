//! Likelihoods, prices, similarities.
use super::all;
use wengert::Engine;
use wengert::prelude::*;

pub fn gaussian_process<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [log_lengths, log_scale, log_noise, x, y, unit] = all(arrays);
    let x = g.eval(x / log_lengths.exp());
    let distances = g.sum_axes((g.unsqueeze(x, 1) - g.unsqueeze(x, 0)).square(), &[2]);
    let k = g.eval((2.0 * log_scale - 0.5 * distances).exp() + log_noise.exp() * unit);
    let factor = g.cholesky(k).unwrap();
    let z = g.solve_triangular(factor, y, true).unwrap();
    g.eval(0.5 * g.sum(z.square()) + g.sum(g.diag(factor, 0).log()))
}

pub fn normal_cholesky<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [mean, a, x, unit] = all(arrays);
    let factor = g.cholesky(g.matmul(a, g.t(a)) + unit).unwrap();
    let z = g.solve_triangular(factor, x - mean, true).unwrap();
    g.eval(0.5 * g.sum(z.square()) + g.sum(g.diag(factor, 0).log()))
}

pub fn mixture<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [logits, means, log_widths, x] = all(arrays);
    let z = g.eval((g.unsqueeze(x, 1) - means) * (-log_widths).exp());
    let widths = g.sum_axes(log_widths, &[1]);
    let parts = g.eval(g.log_softmax(logits, 0) - widths - 0.5 * g.sum_axes(z.square(), &[2]));
    g.neg(g.mean(g.logsumexp_axes(parts, &[1])))
}

pub fn negative_binomial<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [log_mean, log_r, k] = all(arrays);
    let r = g.exp(log_r);
    let total = g.logaddexp(log_r, log_mean);
    let counts = (k + r).lgamma() - r.lgamma() - (k + 1.0).lgamma();
    g.neg(g.mean(counts + r * (log_r - total) + k * (log_mean - total)))
}

pub fn black_scholes<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [spot, strike, time, volatility] = all(arrays);
    let width = g.eval(volatility * time.sqrt());
    let d1 = g.eval(((spot / strike).log() + (0.02 + 0.5 * volatility * volatility) * time) / width);
    g.mean(spot * d1.ndtr() - strike * (-0.02 * time).exp() * (d1 - width).ndtr())
}

pub fn factorisation<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [u, v, ratings] = all(arrays);
    let error = g.mean((g.matmul(u, g.t(v)) - ratings).square());
    g.eval(error + 1e-4 * (g.sum(u.square()) + g.sum(v.square())))
}

pub fn cosines<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [a, b] = all(arrays);
    let squares = g.eval(g.sum_axes(a * a, &[1]) * g.sum_axes(b * b, &[1]));
    g.mean((g.sum_axes(a * b, &[1]) / squares.sqrt()).square())
}
