//! Recurrent networks, filters and differential equations: many small steps.
use super::all;
use std::array::from_fn;
use wengert::Engine;
use wengert::prelude::*;

/// The entries of `x` along its first axis.
fn steps<T: Engine>(g: &Graph<T>, x: Var) -> impl Iterator<Item = Var> {
    (0..g.shape(x)[0] as isize).map(move |t| g.select(x, 0, t))
}

pub fn gru<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [w_x, w_h, b_x, b_h, x, mut h] = all(arrays);
    for x_t in steps(g, x) {
        let [xr, xz, xn] = all(&g.chunk(g.matmul(x_t, w_x) + b_x, 3, 1));
        let [hr, hz, hn] = all(&g.chunk(g.matmul(h, w_h) + b_h, 3, 1));
        let z = g.sigmoid(xz + hz);
        let n = g.tanh(xn + (xr + hr).sigmoid() * hn);
        h = g.eval((1.0 - z) * n + z * h);
    }
    g.mean(h.square())
}

pub fn lstm<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [w_x, w_h, b, x, mut h] = all(arrays);
    let mut c = h;
    for x_t in steps(g, x) {
        let [i, f, n, o] = all(&g.chunk(g.matmul(x_t, w_x) + b + g.matmul(h, w_h), 4, 1));
        c = g.eval(f.sigmoid() * c + i.sigmoid() * n.tanh());
        h = g.eval(o.sigmoid() * c.tanh());
    }
    g.mean(h.square())
}

pub fn rnn<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [w_x, w_h, b, x, start] = all(arrays);
    let h = steps(g, x).fold(start, |h, x_t| g.tanh(g.matmul(x_t, w_x) + b + g.matmul(h, w_h)));
    g.mean(h.square())
}

pub fn forward_algorithm<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [start, transitions, evidence] = all(arrays);
    let moves = g.log_softmax(transitions, 1);
    let mut evidence = steps(g, evidence);
    let first = evidence.next().expect("a first step");
    let mut a = g.eval(g.log_softmax(start, 0) + first);
    for e in evidence {
        a = g.eval(g.logsumexp_axes(g.unsqueeze(a, 1) + moves, &[0]) + e);
    }
    g.neg(g.logsumexp(a))
}

pub fn kalman<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [drift, observe, q, r, y, mut mean, unit] = all(arrays);
    let (transition, mut covariance, mut loss) = (g.eval(unit + drift), unit, g.zeros(&[]));
    let (noise, blur) = (g.diag(q.exp(), 0), g.diag(r.exp(), 0));
    for y_t in steps(g, y) {
        mean = g.matmul(transition, mean);
        covariance = g.eval(g.matmul(g.matmul(transition, covariance), g.t(transition)) + noise);
        let seen = g.matmul(observe, covariance);
        let s = g.eval(g.matmul(seen, g.t(observe)) + blur);
        let off = g.eval(y_t - g.matmul(observe, mean));
        let gain = g.t(g.solve(s, seen).unwrap());
        let (_, log_determinant) = g.slogdet(s);
        loss = g.eval(loss + g.dot(off, g.solve(s, off).unwrap()) + log_determinant);
        mean = g.eval(mean + g.matmul(gain, off));
        covariance = g.eval(covariance - g.matmul(gain, seen));
    }
    loss
}

pub fn runge_kutta<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [w1, b1, w2, b2, mut x] = all(arrays);
    let f = |x: Var| g.eval(g.matmul(g.tanh(g.matmul(x, w1) + b1), w2) + b2);
    for _ in 0..10 {
        let k1 = f(x);
        let k2 = f(g.eval(x + 0.05 * k1));
        let k3 = f(g.eval(x + 0.05 * k2));
        let k4 = f(g.eval(x + 0.1 * k3));
        x = g.eval(x + 0.1 / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4));
    }
    g.mean(x.square())
}

pub fn growth<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [mut x, rate, capacity] = all(arrays);
    for _ in 0..200 {
        x = g.eval(x + 0.01 * (rate * x * (1.0 - x / capacity)));
    }
    g.mean(x.square())
}

pub fn lorenz<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x, y, z, sigma, rho, beta] = all(arrays);
    let f =
        |[x, y, z]: [Var; 3]| [g.eval(sigma * (y - x)), g.eval(x * (rho - z) - y), g.eval(x * y - beta * z)];
    let ahead = |s: [Var; 3], k: [Var; 3], h: f64| from_fn(|i| g.eval(s[i] + h * k[i]));
    let mut s = [x, y, z];
    for _ in 0..50 {
        let k1 = f(s);
        let k2 = f(ahead(s, k1, 0.005));
        let k3 = f(ahead(s, k2, 0.005));
        let k4 = f(ahead(s, k3, 0.01));
        s = from_fn(|i| g.eval(s[i] + 0.01 / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i])));
    }
    g.eval(s[0] * s[0] + s[1] * s[1] + s[2])
}
