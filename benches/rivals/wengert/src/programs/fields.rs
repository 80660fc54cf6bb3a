//! Functions of neighbours, fields on grids, bodies.
use super::all;
use wengert::Engine;
use wengert::prelude::*;

pub fn rosenbrock<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x] = all(arrays);
    let (a, b) = (g.slice(x, 0, ..-1), g.slice(x, 0, 1..));
    g.sum(100.0 * (b - a * a).square() + (1.0 - a).square())
}

pub fn heat<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [mut u, conductivity, target] = all(arrays);
    for _ in 0..50 {
        u = g.eval(u + conductivity * (g.roll(u, &[1], &[0]) + g.roll(u, &[-1], &[0]) - 2.0 * u));
    }
    g.mean((u - target).square())
}

/// The four neighbours on a torus.
fn neighbours<T: Engine>(g: &Graph<T>, u: Var) -> [Var; 4] {
    [(1, 0), (-1, 0), (1, 1), (-1, 1)].map(|(shift, axis)| g.roll(u, &[shift], &[axis]))
}

pub fn heat_plane<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [mut u, target] = all(arrays);
    for _ in 0..10 {
        let [a, b, c, d] = neighbours(g, u);
        u = g.eval(u + 0.1 * (a + b + c + d - 4.0 * u));
    }
    g.mean((u - target).square())
}

pub fn laplacian<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [u] = all(arrays);
    let [a, b, c, d] = neighbours(g, u);
    g.mean((a + b + c + d - 4.0 * u).square())
}

pub fn total_variation<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x, noisy] = all(arrays);
    let roughness = g.eval(g.sum(g.diff(x, 1, 0).abs()) + g.sum(g.diff(x, 1, 1).abs()));
    g.eval(0.1 * roughness + g.sum((x - noisy).square()))
}

pub fn pair_potential<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x] = all(arrays);
    let distances = g.sum_axes((g.unsqueeze(x, 1) - g.unsqueeze(x, 0)).square(), &[2]);
    let closeness = g.eval((1.0 + distances).powi(-3));
    g.sum(closeness * closeness - closeness)
}
