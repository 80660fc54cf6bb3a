use ndarray::{ArrayD, Dimension, IxDyn};

use crate::error::ErrorKind;
use crate::expr::Expr;
use crate::graph::Graph;
use crate::op::{BroadcastTo, Diagonal, Dot, Linear, MatMul, Op, Outer, Transpose};
use crate::var::Var;

fn numbers(shape: &[usize], seed: usize) -> ArrayD<f64> {
    let mut state = seed as u64 + 1;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1 << 24) as f64 - 0.5
    })
}

fn close(have: &ArrayD<f64>, want: &ArrayD<f64>, what: &str) {
    assert_eq!(have.shape(), want.shape(), "{what}");
    let worst = have.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-12, "{what}: off by {worst}");
}

/// `a b` for one pair of a batch by plain loops over broadcast indices.
fn plain(a: &ArrayD<f64>, b: &ArrayD<f64>) -> ArrayD<f64> {
    let (row, column) = (a.ndim() == 1, b.ndim() == 1);
    let a = if row { a.clone().insert_axis(ndarray::Axis(0)) } else { a.clone() };
    let b = if column { b.clone().insert_axis(ndarray::Axis(1)) } else { b.clone() };
    let (la, lb) = (a.ndim() - 2, b.ndim() - 2);
    let batch = crate::shape::broadcast([&a.shape()[..la], &b.shape()[..lb]]).unwrap();
    let (m, k, n) = (a.shape()[la], a.shape()[la + 1], b.shape()[lb + 1]);
    let wide =
        |x: &ArrayD<f64>, r, c| x.broadcast(IxDyn(&[&batch[..], &[r, c]].concat())).unwrap().to_owned();
    let (a, b) = (wide(&a, m, k), wide(&b, k, n));
    let mut y = ArrayD::zeros(IxDyn(&[&batch[..], &[m, n]].concat()));
    for (at, y) in y.indexed_iter_mut() {
        let mut at = at.slice().to_vec();
        let (j, i) = (at.pop().unwrap(), at.pop().unwrap());
        let element = |x: &ArrayD<f64>, r, c| x[IxDyn(&[&at[..], &[r, c]].concat())];
        *y = (0..k).map(|l| element(&a, i, l) * element(&b, l, j)).sum();
    }
    let lead = batch.len();
    let y = if column { y.index_axis_move(ndarray::Axis(lead + 1), 0) } else { y };
    if row { y.index_axis_move(ndarray::Axis(lead), 0) } else { y }
}

const SHAPES: &[(&[usize], &[usize])] = &[
    (&[3], &[3]),
    (&[2, 3], &[3]),
    (&[3], &[3, 4]),
    (&[2, 3], &[3, 4]),
    (&[5, 2, 3], &[3, 4]),
    (&[5, 2, 3], &[3]),
    (&[3], &[5, 3, 4]),
    (&[2, 3], &[5, 3, 4]),
    (&[5, 2, 3], &[5, 3, 4]),
    (&[2, 1, 2, 3], &[5, 3, 4]),
    (&[2, 5, 1, 3], &[2, 1, 3, 4]),
    (&[2, 0], &[0, 4]),
    (&[0, 2, 3], &[3, 4]),
    (&[0, 3], &[3]),
    (&[2, 3], &[0, 3, 4]),
    (&[1], &[1]),
];

/// The in-place kernel, the recorded rule and the identity `<y_bar, a_dot b> = <a_bar, a_dot>` on every pair of shapes.
#[test]
fn values_and_both_sweeps_agree() {
    for (k, &(sa, sb)) in SHAPES.iter().enumerate() {
        let mut g = Graph::new();
        let (x, y) = (numbers(sa, k), numbers(sb, k + 50));
        let (a, b) = (g.leaf(x.clone()), g.leaf(y.clone()));
        let c = g.matmul(a, b);
        close(&g.value(c).to_owned(), &plain(&x, &y), &format!("{sa:?} {sb:?}"));
        let seed = numbers(&g.shape(c), k + 100);
        let y_bar = g.constant(seed.clone());
        let recorded = g.gradient_with(c, y_bar, &[a, b]).unwrap();
        let recorded = [g.value(recorded[0]).to_owned(), g.value(recorded[1]).to_owned()];
        for round in 1..3 {
            g.backward_with(c, seed.clone()).unwrap();
            for (v, want) in [a, b].into_iter().zip(&recorded) {
                close(&g.grad(v).unwrap().to_owned(), &(want * f64::from(round)), &format!("{sa:?} {sb:?}"));
            }
        }
        for (v, direction, bar) in [(a, numbers(sa, 7), &recorded[0]), (b, numbers(sb, 8), &recorded[1])] {
            let along = g.constant(direction.clone());
            let c_dot = g.tangent(c, &[(v, along)]).unwrap();
            let (left, right) = ((&g.value(c_dot) * &seed).sum(), (bar * &direction).sum());
            assert!((left - right).abs() < 1e-12, "{sa:?} {sb:?}: {left} {right}");
        }
    }
}

/// A strided operand gives what its copy gives, forward and backward.
#[test]
fn views_multiply_where_they_lie() {
    let view = |g: &Graph<f64>, x: Var, op: Op| g.try_apply(&op, &[x]).unwrap()[0];
    let copy = |g: &Graph<f64>, x: Var| g.eval(x * 1.0);
    let base = numbers(&[4, 4, 6], 3);
    let transpose: Op = Transpose { axis0: 0, axis1: 2 }.into();
    let wide: Op = BroadcastTo { shape: [2, 4, 4, 6].into_iter().collect() }.into();
    let gaps: Op = Diagonal { axis0: 0, axis1: 1 }.into();
    for op in [transpose, wide, gaps] {
        let mut results = Vec::new();
        for copied in [false, true] {
            let mut g = Graph::new();
            let x = g.leaf(base.clone());
            let a = view(&g, x, op.clone());
            let a = if copied { copy(&g, a) } else { a };
            let shape = g.shape(a);
            let w = g.leaf(numbers(&[*shape.last().unwrap(), 5], 9));
            let y = g.matmul(a, w);
            let y = g.sum(y.tanh());
            g.backward(y).unwrap();
            results.push((g.item(y), g.grad(x).unwrap().to_owned(), g.grad(w).unwrap().to_owned()));
        }
        assert!((results[0].0 - results[1].0).abs() < 1e-12);
        close(&results[0].1, &results[1].1, "leaf");
        close(&results[0].2, &results[1].2, "weight");
    }
}

#[test]
fn linear_is_a_product_and_a_sum() {
    for x_shape in [&[4, 3][..], &[2, 5, 3], &[3], &[0, 3]] {
        let mut g = Graph::new();
        let (x, w, b) = (g.leaf(numbers(x_shape, 1)), g.leaf(numbers(&[2, 3], 2)), g.leaf(numbers(&[2], 3)));
        let y = g.linear(x, w, Some(b));
        let wt = g.try_apply(&Transpose::default().into(), &[w]).unwrap()[0];
        let parts = g.eval(g.matmul(x, wt) + b);
        close(&g.value(y).to_owned(), &g.value(parts).to_owned(), "value");
        let (loss, other) = (g.sum(y.sin()), g.sum(parts.sin()));
        let recorded = g.gradient(loss, &[x, w, b]).unwrap();
        g.backward(loss).unwrap();
        let have = [x, w, b].map(|v| g.grad(v).unwrap().to_owned());
        g.zero_grad();
        g.backward(other).unwrap();
        for (k, v) in [x, w, b].into_iter().enumerate() {
            close(&have[k], &g.grad(v).unwrap().to_owned(), "gradient");
            close(&have[k], &g.value(recorded[k]).to_owned(), "recorded gradient");
        }
        let plain = g.linear(x, w, None);
        assert_eq!(g.shape(plain), g.shape(y));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let g = Graph::<f64>::new();
    let refused = |op: Op, shapes: &[&[usize]]| {
        let args: Vec<Var> = shapes.iter().map(|s| g.leaf(ArrayD::zeros(IxDyn(s)))).collect();
        let error = g.try_apply(&op, &args).unwrap_err();
        (error.kind(), error.to_string())
    };
    let (kind, text) = refused(MatMul {}.into(), &[&[8, 3], &[4, 5]]);
    assert_eq!(kind, ErrorKind::ShapeMismatch);
    assert!(text.starts_with("matmul: [8, 3] x [4, 5]: inner dimensions 3 and 4 differ"), "{text}");
    let kind = |op: Op, shapes: &[&[usize]]| refused(op, shapes).0;
    assert_eq!(kind(MatMul {}.into(), &[&[], &[3]]), ErrorKind::RankMismatch);
    assert_eq!(kind(MatMul {}.into(), &[&[2, 2, 3], &[3, 3, 2]]), ErrorKind::ShapeMismatch);
    assert_eq!(kind(Dot {}.into(), &[&[2, 2], &[2, 2]]), ErrorKind::RankMismatch);
    assert_eq!(kind(Dot {}.into(), &[&[2], &[3]]), ErrorKind::ShapeMismatch);
    assert_eq!(kind(Outer {}.into(), &[&[2, 2], &[2]]), ErrorKind::RankMismatch);
    assert_eq!(kind(Linear {}.into(), &[&[2, 3], &[4, 2]]), ErrorKind::ShapeMismatch);
    assert_eq!(kind(Linear {}.into(), &[&[], &[4, 2]]), ErrorKind::RankMismatch);
    assert_eq!(kind(Linear {}.into(), &[&[2, 3], &[4, 3], &[3]]), ErrorKind::ShapeMismatch);
    assert_eq!(kind(Linear {}.into(), &[&[2, 3], &[4, 3], &[1, 4]]), ErrorKind::RankMismatch);
    assert_eq!(kind(MatMul {}.into(), &[&[2, 3]]), ErrorKind::InvalidAttribute);
}
