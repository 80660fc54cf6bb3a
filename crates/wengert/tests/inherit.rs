//! A cotangent's buffer may go on to an argument of its op: long and short arrays against the same program in numbers, in which
//! nothing has a buffer.

use ndarray::{Array1, Array2, Axis};
use wengert::prelude::*;

const ROWS: usize = 3;

/// A program with arguments that have a cotangent already and such that have none, alone and beside each other. Returns the
/// result and two values from its middle.
fn program(g: &Graph, x: Var, y: Var, r: Var) -> (Var, [Var; 2]) {
    let s = g.eval(x + y);
    let d = g.eval(s - x);
    let p = g.eval(d * s);
    let q = g.eval(p + r);
    let t = g.tanh(q);
    let f = g.eval(t * s + q.exp() * 0.1 + y);
    let h = g.eval(r - f);
    let u = g.neg(h);
    let v = g.eval(u + (u * t - x) + u);
    (g.eval(v / (x * x + 2.0)), [s, u])
}

#[test]
fn long_arrays_have_the_gradients_of_numbers() {
    for columns in [1, 5, 2731, 40_000] {
        let at = |seed: f64| {
            Array2::from_shape_fn((ROWS, columns), |(i, j)| (seed * (i * columns + j + 1) as f64).sin())
        };
        let (x, y, weight) = (at(0.7), at(1.3), at(2.1));
        let r = Array1::from_shape_fn(columns, |j| (0.9 * j as f64).cos());
        let mut g = Graph::new();
        let (vx, vy, vr) = (g.leaf(&x), g.leaf(&y), g.leaf(&r));
        let (result, middle) = program(&g, vx, vy, vr);
        middle.iter().for_each(|v| g.retain_grad(*v));
        let loss = g.sum(result * g.constant(&weight));
        g.backward(loss).unwrap();

        let (mut wanted, mut of_r) =
            (vec![Array2::zeros((ROWS, columns)); 4], Array2::zeros((ROWS, columns)));
        for ((i, j), w) in weight.indexed_iter() {
            let mut g = Graph::new();
            let [vx, vy, vr] = [x[[i, j]], y[[i, j]], r[j]].map(|v| g.leaf(v));
            let (result, middle) = program(&g, vx, vy, vr);
            middle.iter().for_each(|v| g.retain_grad(*v));
            let loss = g.eval(result * *w);
            g.backward(loss).unwrap();
            for (wanted, v) in wanted.iter_mut().zip([vx, vy, middle[0], middle[1]]) {
                wanted[[i, j]] = g.grad(v).unwrap().sum();
            }
            of_r[[i, j]] = g.grad(vr).unwrap().sum();
        }
        for (wanted, v) in wanted.iter().zip([vx, vy, middle[0], middle[1]]) {
            let worst = (&g.grad(v).unwrap() - wanted).fold(0.0_f64, |worst, d| worst.max(d.abs()));
            assert!(worst < 1e-13, "{columns} columns: {worst:e} apart");
        }
        let worst =
            (&g.grad(vr).unwrap() - &of_r.sum_axis(Axis(0))).fold(0.0_f64, |worst, d| worst.max(d.abs()));
        assert!(worst < 1e-13, "{columns} columns, repeated argument: {worst:e} apart");
    }
}

#[test]
fn rows_whose_cotangents_are_overwritten_have_the_gradients_of_their_formulas() {
    type Op = fn(&Graph, Var) -> Var;
    let ops: [(Op, bool); 2] = [(|g, x| g.softmax(x, -1), false), (|g, x| g.log_softmax(x, -1), true)];
    for (rows, n) in [(3001, 3), (90_001, 3), (2700, 100), (55, 5000), (1, 300_000)] {
        let x = Array2::from_shape_fn((rows, n), |(i, j)| (0.7 * (i * n + j) as f64).sin());
        let w = Array2::from_shape_fn((rows, n), |(i, j)| (1.1 * (i * n + j) as f64).cos());
        for (op, log) in ops {
            // A result whose gradient is kept keeps its cotangent as well.
            let [kept, overwritten] = [true, false].map(|kept| {
                let mut g = Graph::new();
                let v = g.leaf(&x);
                let y = op(&g, v);
                if kept {
                    g.retain_grad(y);
                }
                let loss = g.sum(y * g.constant(&w));
                g.backward(loss).unwrap();
                g.grad(v).unwrap().to_owned()
            });
            assert_eq!(kept, overwritten, "{rows} rows of {n}");
            for ((row, weights), bars) in x.outer_iter().zip(w.outer_iter()).zip(overwritten.outer_iter()) {
                let total = row.mapv(f64::exp).sum();
                let y = row.mapv(|x| x.exp() / total);
                let want = match log {
                    true => &weights - &(&y * weights.sum()),
                    false => &y * &(&weights - (&y * &weights).sum()),
                };
                let apart = (&bars - &want).fold(0.0_f64, |worst, d| worst.max(d.abs()));
                assert!(apart < 1e-11, "{rows} rows of {n}: {apart:e} apart");
            }
        }
    }
}
