use ndarray::{Array3, ArrayD};

use crate::ErrorKind;
use crate::op::*;
use crate::prelude::*;

fn sample() -> ArrayD<f64> {
    Array3::from_shape_fn((3, 5, 37), |(i, j, k)| ((i * 185 + j * 37 + k) as f64 * 12.9898).sin() * 3.0)
        .into_dyn()
}

/// Each result against the definition, its cotangents in place against the recorded ones, also where they are added up.
fn check(axis: isize, transposed: bool) {
    let mut g = Graph::new();
    let leaf = g.leaf(sample());
    let x = match transposed {
        true => g.try_apply(&Permute { axes: [1, 2, 0].into_iter().collect() }.into(), &[leaf]).unwrap()[0],
        false => leaf,
    };
    let (y, log) = (g.softmax(x, axis), g.log_softmax(x, axis));
    let want = {
        let e = g.eval(x.exp());
        g.eval(e / g.sum_keepdims(e, &[axis]))
    };
    for ((y, log), want) in g.value(y).iter().zip(g.value(log)).zip(g.value(want)) {
        assert!((y - want).abs() < 1e-15 && (log - want.ln()).abs() < 1e-13);
    }
    let c = g.constant(g.value(x).mapv(f64::cos));
    let total = g.sum(y * c + log * y);
    g.backward(total).unwrap();
    let plain = g.sum(want * c + want.log() * want);
    for y in [total, plain] {
        let recorded = g.gradient(y, &[leaf]).unwrap()[0];
        for (a, b) in g.grad(leaf).unwrap().iter().zip(g.value(recorded)) {
            assert!((a - b).abs() < 1e-13, "{a} {b}");
        }
    }
    let x_dot = g.constant(sample().mapv(|x| x * 0.5 - 1.0));
    let [forward, reference] = [total, plain].map(|y| g.tangent(y, &[(leaf, x_dot)]).unwrap());
    assert!((g.item(forward) - g.item(reference)).abs() < 1e-12);
    let second = |y: Var| {
        let d = g.gradient(y, &[leaf]).unwrap()[0];
        g.gradient(g.sum(d * x_dot), &[leaf]).unwrap()[0]
    };
    for (a, b) in g.value(second(total)).iter().zip(g.value(second(plain))) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }
}

#[test]
fn rows_and_columns_agree_with_the_definition() {
    for axis in [0, 1, 2, -1] {
        check(axis, false);
        check(axis, true);
    }
}

#[test]
fn infinities_give_what_the_field_expects() {
    let inf = f64::INFINITY;
    for inner in [1, 2] {
        let g = Graph::new();
        let column = |x: [f64; 3]| {
            let x = Array3::from_shape_fn((1, 3, inner), |(_, k, _)| x[k]);
            let x = g.leaf(x);
            let (y, log) = (g.softmax(x, 1), g.log_softmax(x, 1));
            [y, log].map(|y| (0..3).map(|k| g.value(y)[[0, k, inner - 1]]).collect::<Vec<_>>())
        };
        let [y, log] = column([-inf, 0.0, 0.0]);
        assert_eq!((y, log[0]), (vec![0.0, 0.5, 0.5], -inf));
        let [y, log] = column([1e308, 1.0, -1e308]);
        assert_eq!((y, log), (vec![1.0, 0.0, 0.0], vec![0.0, -1e308, -inf]));
        for x in [[-inf; 3], [inf, 0.0, 0.0], [f64::NAN, 0.0, 0.0]] {
            assert!(column(x).iter().all(|y| y[0].is_nan()));
        }
    }
}

#[test]
fn an_axis_that_is_not_there_is_refused() {
    let g = Graph::new();
    let x = g.leaf(sample());
    let refused = g.try_apply(&Softmax { axis: 3 }.into(), &[x]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AxisOutOfRange);
    let empty = g.leaf(Array3::zeros((2, 0, 3)));
    assert_eq!(g.value(g.softmax(empty, 1)).len(), 0);
}
