//! Programs that record a node with every call, by methods of the graph or by functions that return a node, where
//! one formula could stand: as they are translated from other libraries.
use super::all;
use wengert::Engine;
use wengert::prelude::*;

pub fn mse_ops<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x, t] = all(arrays);
    let d = g.sub(x, t);
    g.mean(g.square(d))
}

pub fn w3_ops<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x, a, b] = all(arrays);
    let z = g.add(g.mul(x, a), b);
    let gate = g.mul(g.square(g.tanh(z)), g.sigmoid(x));
    let bump = g.exp(g.mul(g.neg(x), x));
    g.mean(g.add(gate, bump))
}

pub fn huber_ops<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let distance = |x: Var, t: Var| g.abs(g.sub(x, t));
    let parabola = |d: Var| g.mul(0.5, g.square(d));
    let line = |d: Var| g.mul(0.7, d);
    let [x, t] = all(arrays);
    let size = distance(x, t);
    let near = g.minimum(size, 0.7);
    g.mean(g.add(parabola(near), line(g.sub(size, near))))
}

pub fn mlp_ops<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let linear = |x: Var, w: Var, b: Var| g.add(g.matmul(x, w), b);
    let [w1, b1, w2, b2, w3, b3, x, t] = all(arrays);
    let h = g.relu(linear(x, w1, b1));
    let h = g.relu(linear(h, w2, b2));
    g.mean(g.square(g.sub(linear(h, w3, b3), t)))
}

pub fn diffs<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x] = all(arrays);
    let (down, along) = (g.diff(x, 1, 0), g.diff(x, 1, 1));
    let squares = g.add(g.mean(g.square(down)), g.mean(g.square(along)));
    g.add(squares, g.add(g.mean(g.abs(down)), g.mean(g.abs(along))))
}

pub fn residual_ops<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let layer = |x: Var, a: Var, b: Var| g.tanh(g.add(g.mul(a, x), b));
    let [mut x, a, b] = all(arrays);
    for _ in 0..6 {
        x = g.add(x, layer(x, a, b));
    }
    g.mean(g.square(x))
}

pub fn scan_ops<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [mut x, a] = all(arrays);
    for _ in 0..20 {
        x = g.eval(x + 0.1 * (a * x * (1.0 - x)));
    }
    g.mean(x)
}
