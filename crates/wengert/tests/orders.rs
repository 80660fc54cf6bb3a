//! Derivatives of every order, recorded on the tape.

use ndarray::array;
use wengert::prelude::*;

#[test]
fn third_derivatives_of_a_scalar_formula() {
    let g = Graph::new();
    let x = g.leaf(0.7);
    let y = g.eval((2.0 * x).sin() * x.tanh() + x.powi(4));
    let mut derivative = y;
    for _ in 0..3 {
        derivative = g.gradient(derivative, &[x]).unwrap()[0];
    }
    use num_dual::{DualNum, third_derivative};
    let (_, _, _, want) = third_derivative(|x| (x * 2.0).sin() * x.tanh() + x.powi(4), 0.7);
    assert!((g.item(derivative) - want).abs() < 1e-12, "{} {want}", g.item(derivative));
}

#[test]
fn array_gradients_broadcast_back() {
    let mut g = Graph::new();
    let x = g.leaf(array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let row = g.leaf(array![0.1, 0.2, 0.3]);
    let column = g.leaf(array![[2.0], [3.0]]);
    let y = g.sum((x * row).exp() / column);
    g.backward(y).unwrap();
    assert_eq!(g.grad(row).unwrap().shape(), [3]);
    let want: f64 = (0..2)
        .map(|i| {
            let (x, c) = ((1 + 3 * i) as f64, (2 + i) as f64);
            x * (0.1 * x).exp() / c
        })
        .sum();
    assert!((g.grad(row).unwrap()[0] - want).abs() < 1e-14);
    assert_eq!(g.grad(column).unwrap().shape(), [2, 1]);
    let recorded = g.gradient(y, &[x, row, column]).unwrap();
    for (v, leaf) in recorded.iter().zip([x, row, column]) {
        let difference = &g.value(*v) - &g.grad(leaf).unwrap();
        assert!(difference.iter().all(|d: &f64| d.abs() < 1e-14));
    }
}

#[test]
fn tangents_agree_with_gradients() {
    let g = Graph::new();
    let x = g.leaf(array![0.3, -0.4]);
    let y = g.eval(x.sin() * x.exp());
    let x_dot = g.constant(array![1.0, 2.0]);
    let y_dot = g.tangent(y, &[(x, x_dot)]).unwrap();
    for (k, (x, d)) in [(0.3f64, 1.0), (-0.4, 2.0)].into_iter().enumerate() {
        assert!((g.value(y_dot)[k] - d * x.exp() * (x.sin() + x.cos())).abs() < 1e-14);
    }
}

#[test]
fn a_long_chain_differentiates_on_a_small_stack() {
    let run = || {
        let mut g = Graph::new();
        let x = g.leaf(0.5);
        let mut y = x;
        for _ in 0..10_000_000 {
            y = g.sin(y);
        }
        g.backward(y).unwrap();
        assert!(g.grad(x).unwrap()[[]] > 0.0);
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap();
}
