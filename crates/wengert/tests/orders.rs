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

#[test]
fn fused_formulas_have_the_bits_of_their_ops() {
    let mut g = Graph::new();
    let x = g.leaf(ndarray::Array2::from_shape_fn((37, 41), |(i, j)| ((i * 41 + j) as f64 * 0.37).sin()));
    let row = g.leaf(ndarray::Array1::from_shape_fn(41, |j| 0.1 * j as f64));
    let s = g.leaf(0.3);
    let fused = g.sum((x * row + s).tanh().square() * x.sigmoid() + (-x.square()).exp());
    g.backward(fused).unwrap();
    let from_fused = [x, row, s].map(|v| g.grad(v).unwrap().to_owned());
    g.zero_grad();
    let m = g.eval(x * row);
    let m = g.eval(m + s);
    let (t, q) = (g.tanh(m), g.square(x));
    let (t, q) = (g.square(t), g.eval(-q));
    let (p, e) = (g.sigmoid(x), g.exp(q));
    let p = g.eval(t * p);
    let y = g.eval(p + e);
    let single = g.sum(y);
    g.backward(single).unwrap();
    assert!((g.item(single) - g.item(fused)).abs() < 1e-10);
    for (v, fused) in [x, row, s].into_iter().zip(&from_fused) {
        let single = g.grad(v).unwrap();
        assert!(single.iter().zip(fused).all(|(a, b)| (a - b).abs() <= 1e-12 * a.abs().max(1.0)));
    }
    let recorded = g.gradient(fused, &[x, row, s]).unwrap();
    for (v, fused) in recorded.into_iter().zip(&from_fused) {
        assert!(g.value(v).iter().zip(fused).all(|(a, b)| (a - b).abs() <= 1e-12 * a.abs().max(1.0)));
    }
}

#[test]
fn a_pending_sum_cannot_be_told_from_an_eager_one() {
    let mut g = Graph::new();
    let x = g.leaf(array![0.5, -0.3, 1.25]);
    let asked = g.sum((x * x).exp());
    let value = g.item(asked);
    let swept = g.sum((x * x).exp());
    g.backward(swept).unwrap();
    assert_eq!(g.item(swept).to_bits(), value.to_bits());
    let late = g.sum((x * x).exp());
    g.set_value(x, array![1.0, 2.0, 3.0]).unwrap();
    assert_eq!(g.item(late).to_bits(), value.to_bits());
}

#[test]
fn arguments_that_depend_on_each_other_each_have_their_share() {
    let mut g = Graph::new();
    let a = g.leaf(array![0.5, -1.0, 2.0]);
    let b = g.eval(a.sin());
    let c = g.eval(a * b + b.exp() * a);
    let y = g.sum(c * b - a * c);
    g.backward(y).unwrap();
    let recorded = g.gradient(y, &[a]).unwrap()[0];
    assert!((&g.value(recorded) - &g.grad(a).unwrap()).iter().all(|d| d.abs() < 1e-13));
    let a_dot = g.constant(array![1.0, 10.0, 100.0]);
    let y_dot = g.tangent(y, &[(a, a_dot)]).unwrap();
    let want = (&g.grad(a).unwrap() * &g.value(a_dot)).sum();
    assert!((g.item(y_dot) - want).abs() < 1e-11 * want.abs());
}

/// What is recorded under no_grad is a constant, but its value is the derivative all the same.
#[test]
fn derivatives_under_no_grad_have_their_values() {
    let g = Graph::new();
    let x = g.leaf(array![0.5, -1.0, 2.0]);
    let y = g.sum((x.sin() * x).exp() + g.softmax(x, 0) * x);
    let x_dot = g.constant(array![1.0, 2.0, -1.0]);
    let (dy, y_dot) = (g.gradient(y, &[x]).unwrap()[0], g.tangent(y, &[(x, x_dot)]).unwrap());
    let (dy0, y_dot0) =
        g.no_grad(|g| (g.gradient(y, &[x]).unwrap()[0], g.tangent(y, &[(x, x_dot)]).unwrap()));
    assert_eq!((g.value(dy), g.item(y_dot)), (g.value(dy0), g.item(y_dot0)));
    assert!(g.is_differentiable(dy) && g.is_differentiable(y_dot));
    assert!(!g.is_differentiable(dy0) && !g.is_differentiable(y_dot0));
}

/// `sum(tanh(a x) exp(-x^2))`, three times to `a` and three times to `x`, as one fused node.
#[test]
fn third_derivatives_of_an_array_formula() {
    use num_dual::{DualNum, third_derivative};
    let g = Graph::new();
    let values = [0.3, -0.7, 1.1, 0.05];
    let (x, a) = (g.leaf(values), g.leaf(0.6));
    let y = g.eval((a * x).tanh() * (-x * x).exp());
    let mut by_a = g.sum(y);
    for _ in 0..3 {
        by_a = g.gradient(by_a, &[a]).unwrap()[0];
    }
    let want: f64 =
        values.iter().map(|&x| third_derivative(|a| (a * x).tanh() * (-x * x).exp(), 0.6).3).sum();
    assert!((g.item(by_a) - want).abs() < 1e-13, "{} {want}", g.item(by_a));
    let mut by_x = y;
    for _ in 0..3 {
        by_x = g.gradient(g.sum(by_x), &[x]).unwrap()[0];
    }
    for (&have, x) in g.value(by_x).iter().zip(values) {
        let (_, _, _, want) = third_derivative(|x| (x * 0.6).tanh() * (-x * x).exp(), x);
        assert!((have - want).abs() < 1e-12, "{have} {want}");
    }
}

/// The sweep takes a sum over axes and the formula before it in one pass, unless somebody else needs the cotangent.
#[test]
fn sums_over_axes_of_formulas() {
    type Program = fn(&mut Graph, Var, Var) -> Var;
    let programs: [(&str, Program); 8] = [
        ("sum", |g, x, r| g.sum(g.sum_axes((x * r).sin(), &[0]).square())),
        ("inner", |g, x, r| g.sum(g.sum_axes((x * r).sin(), &[2]).square())),
        ("several", |g, x, r| g.sum(g.sum_axes((x - r).square() * x, &[0, 2]).exp())),
        ("mean", |g, x, r| g.sum(g.mean_axes((x * r).tanh() + x, &[1]).square())),
        ("all axes", |g, x, r| g.eval(g.sum_axes((x * r).sin(), &[0, 1, 2]).square() * 2.0)),
        ("used before", |g, x, r| {
            let y = g.eval((x * r).sin());
            let s = g.sum_axes(y, &[1]);
            g.sum(g.sum_axes(y * y, &[1]) * s.square())
        }),
        ("used between", |g, x, r| {
            let y = g.eval((x * r).sin());
            let z = g.exp(y);
            let both = g.sum(g.sum_axes(y, &[1]).square()) + g.sum(z);
            g.eval(both)
        }),
        ("kept", |g, x, r| {
            let y = g.eval((x * r).sin());
            g.retain_grad(y);
            g.sum(g.sum_axes(y, &[1]).square())
        }),
    ];
    for (name, program) in programs {
        let mut g = Graph::new();
        let x = g.leaf(ndarray::Array::from_shape_fn((7, 40, 5), |(i, j, k)| {
            ((i * 31 + j * 17 + k * 7) as f64 * 0.37).sin()
        }));
        let r = g.leaf(array![0.3, -0.8, 1.1, 0.4, 2.0]);
        let y = program(&mut g, x, r);
        g.backward(y).unwrap();
        let recorded = g.gradient(y, &[x, r]).unwrap();
        for (leaf, recorded) in [x, r].into_iter().zip(recorded) {
            let largest = |x: ndarray::ArrayD<f64>| x.iter().fold(0f64, |m, d| m.max(d.abs()));
            let off = largest(&g.value(recorded) - &g.grad(leaf).unwrap());
            let size = largest(g.value(recorded).to_owned());
            assert!(off < 1e-13 * size, "{name}: sweep and recorded rule differ by {off:e} of {size:e}");
        }
    }
}

/// Where only flat ops read an input no gradient arrives, in formulas as op by op; above all not what memory held before.
#[test]
fn inputs_behind_flat_ops_have_no_gradient() {
    let mut g = Graph::new();
    let (x, y, z) = (g.leaf(array![1.5, 2.5, -0.5]), g.leaf(array![3.0, 4.0, 5.0]), g.leaf(2.5));
    let base = g.mark();
    for _ in 0..3 {
        let warm = g.sum((x * y).exp() * z);
        g.backward(warm).unwrap();
        g.zero_grad();
        g.rewind(base);
        let loss = g.sum(x.floor() * y + z.round());
        g.backward(loss).unwrap();
        assert_eq!(g.grad(y).unwrap(), array![1.0, 2.0, -1.0].into_dyn());
        assert!(g.grad(x).is_none() && g.grad(z).is_none());
        g.zero_grad();
        g.rewind(base);
    }
}
