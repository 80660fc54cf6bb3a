//! In steady state a step touches no memory for the first time: page faults cost more than the arithmetic of large arrays.
#![cfg(all(target_os = "linux", feature = "rayon"))]

use ndarray::{Array1, ArrayD};
use wengert::prelude::*;

/// Minor and major page faults of this thread so far.
fn faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    // The name in parentheses may hold spaces; behind it faults are fields 8 and 10, counted from 0 at the state.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[7].parse::<u64>().unwrap() + fields[9].parse::<u64>().unwrap()
}

/// Steps that are counted; a system that takes a page away now and then is not the engine's affair.
const STEPS: u64 = 10;

/// Page faults of these steps, on one thread, after some to warm up.
fn in_steady_state(
    build: impl Fn(&Graph) -> Vec<Var> + Sync,
    step: impl Fn(&Graph, &[Var]) -> Var + Sync,
) -> u64 {
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    alone.install(|| {
        let mut g = Graph::new();
        let params = build(&g);
        let base = g.mark();
        let mut before = 0;
        for k in 0..5 + STEPS {
            if k == 5 {
                before = faults();
            }
            let loss = step(&g, &params);
            g.backward(loss).unwrap();
            g.update(&params, |w, dw| w.scaled_add(-1e-3, &dw)).unwrap();
            g.zero_grad();
            g.rewind(base);
        }
        faults() - before
    })
}

#[test]
fn a_formula_of_large_arrays() {
    let build = |g: &Graph| (0..3).map(|k| g.leaf(Array1::from_elem(300_000, 0.1 * f64::from(k)))).collect();
    let found = in_steady_state(build, |g, p| {
        g.mean((p[0] * p[1] + p[2]).tanh().square() * p[0].sigmoid() + (-p[0] * p[0]).exp())
    });
    assert!(found < STEPS, "{found} page faults in {STEPS} steps");
}

#[test]
fn large_products() {
    let shapes: [[usize; 2]; 3] = [[200, 300], [300, 260], [260, 10]];
    let build = move |g: &Graph| shapes.map(|shape| g.leaf(ArrayD::from_elem(&shape[..], 0.02))).to_vec();
    let found = in_steady_state(build, |g, p| g.mean(g.matmul(g.tanh(g.matmul(p[0], p[1])), p[2]).square()));
    assert!(found < STEPS, "{found} page faults in {STEPS} steps");
}

#[test]
fn convolutions_and_rows() {
    let shapes: [&[usize]; 3] = [&[16, 3, 24, 24], &[8, 3, 3, 3], &[11]];
    let build = move |g: &Graph| shapes.map(|shape| g.leaf(ArrayD::from_elem(shape, 0.02))).to_vec();
    let found = in_steady_state(build, |g, p| {
        let h = g.relu(g.conv2d(p[0], p[1], None, Default::default()));
        let h = g.max_pool2d(h, [2, 2], Default::default());
        let h = g.softmax(g.layer_norm(h, &[11], p[2], None, 1e-5), -1);
        g.mean(g.sum_axes(h, &[0, 2]).square())
    });
    assert!(found < STEPS, "{found} page faults in {STEPS} steps");
}

/// What a dropped graph touched serves the next one.
#[test]
fn a_new_graph_for_every_step() {
    let values = Array1::from_elem(100_000, 0.1);
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let found = alone.install(|| {
        let mut before = 0;
        for k in 0..5 + STEPS {
            if k == 5 {
                before = faults();
            }
            let mut g = Graph::new();
            let x = g.leaf(values.view());
            let loss = g.sum(g.square(g.tanh(x)));
            g.backward(loss).unwrap();
            assert!(g.grad(x).unwrap()[0] > 0.0);
        }
        faults() - before
    });
    // Tables of a few pages come and go; the arrays take two hundred for each of values, cotangents and gradients.
    assert!(found < 5 * STEPS, "{found} page faults in {STEPS} steps");
}
