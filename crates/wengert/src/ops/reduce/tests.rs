//! Gradients in place, recorded and by central differences; second derivatives of products with zeros; refusals.

use ndarray::{Array1, ArrayD, ArrayViewD, array};

use crate::ErrorKind;
use crate::op::*;
use crate::prelude::*;
use crate::shape::Axes;

fn sample(shape: &[usize]) -> ArrayD<f64> {
    let mut k = 0.0f64;
    ArrayD::from_shape_fn(shape, |_| {
        k += 1.0;
        (k * 12.9898).sin() * 1.5
    })
}

/// Every differentiable reduction over `axes`.
fn every(axes: Option<Axes>, keepdims: bool) -> Vec<Op> {
    let a = || axes.clone();
    let mut ops = vec![
        Sum { axes: a(), keepdims }.into(),
        Mean { axes: a(), keepdims }.into(),
        Prod { axes: a(), keepdims }.into(),
        Max { axes: a(), keepdims }.into(),
        Min { axes: a(), keepdims }.into(),
        Variance { axes: a(), keepdims, correction: 0.0 }.into(),
        Std { axes: a(), keepdims, correction: 0.5 }.into(),
        LogSumExp { axes: a(), keepdims }.into(),
    ];
    for p in [2.0, 1.0, 3.0, 1.5, 0.5, -1.0, f64::INFINITY, f64::NEG_INFINITY] {
        ops.push(Norm { axes: a(), keepdims, p }.into());
    }
    ops
}

/// `sum(c * op(x))` with weights `c` that differ.
fn objective(g: &Graph<f64>, op: &Op, x: Var) -> Var {
    let y = g.try_apply(op, &[x]).unwrap()[0];
    let c = g.constant(sample(&g.shape(y)).mapv(|c| c + 2.0));
    g.sum(y * c)
}

fn agree(what: &str, a: &ArrayViewD<'_, f64>, b: &ArrayViewD<'_, f64>, tolerance: f64) {
    assert_eq!(a.shape(), b.shape(), "{what}");
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{what}: {a} {b}");
    }
}

#[test]
fn gradients_agree_with_differences() {
    for axes in [None, Some(&[0][..]), Some(&[1]), Some(&[-1]), Some(&[0, 2]), Some(&[2, 1])] {
        for op in every(axes.map(Axes::from_slice), axes.is_some_and(|a| a.len() == 1)) {
            // A transposed view, so that lanes lie every way, and the leaf itself, so that cotangents are added up.
            let both = |g: &Graph<f64>, x: Var| {
                let t =
                    g.try_apply(&Permute { axes: [2, 0, 1].into_iter().collect() }.into(), &[x]).unwrap()[0];
                g.eval(objective(g, &op, x) + objective(g, &op, t) * 0.5)
            };
            let value = sample(&[2, 3, 4]);
            let mut g = Graph::new();
            let x = g.leaf(value.clone());
            let y = both(&g, x);
            g.backward(y).unwrap();
            let swept = g.grad(x).unwrap().to_owned();
            let recorded = g.gradient(y, &[x]).unwrap()[0];
            agree(op.name(), &swept.view(), &g.value(recorded), 1e-12);
            let at = |x: ArrayD<f64>| {
                let g = Graph::new();
                let x = g.leaf(x);
                g.item(both(&g, x))
            };
            for index in [[0, 0, 0], [1, 2, 3], [0, 1, 2]] {
                let moved = |by: f64| {
                    let mut x = value.clone();
                    x[index] += by;
                    at(x)
                };
                let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                assert!(
                    (slope - swept[index]).abs() < 1e-6 * (1.0 + slope.abs()),
                    "{op:?}: {slope} {}",
                    swept[index]
                );
            }
        }
    }
}

#[test]
fn tangents_agree_with_gradients() {
    for op in every(Some([1].into_iter().collect()), false) {
        let g = Graph::new();
        let x = g.leaf(sample(&[3, 5]));
        let x_dot = g.constant(sample(&[3, 5]).mapv(f64::cos));
        let y = objective(&g, &op, x);
        let forward = g.tangent(y, &[(x, x_dot)]).unwrap();
        let gradient = g.gradient(y, &[x]).unwrap()[0];
        let reverse = g.sum(gradient * x_dot);
        assert!((g.item(forward) - g.item(reverse)).abs() < 1e-11, "{op:?}");
    }
}

#[test]
fn second_derivatives_agree_with_differences_of_the_first() {
    for op in every(Some([0].into_iter().collect()), false) {
        let gradient = |x: ArrayD<f64>| {
            let g = Graph::new();
            let x = g.leaf(x);
            let d = g.gradient(objective(&g, &op, x), &[x]).unwrap()[0];
            g.value(d).to_owned()
        };
        let (value, v) = (sample(&[4, 2]), sample(&[4, 2]).mapv(f64::cos));
        let slope = (gradient(&value + &(&v * 1e-6)) - gradient(&value - &(&v * 1e-6))) / 2e-6;
        let g = Graph::new();
        let (x, v) = (g.leaf(value), g.constant(v));
        let d = g.gradient(objective(&g, &op, x), &[x]).unwrap()[0];
        let along = g.sum(d * v);
        let second = match g.is_differentiable(along) {
            true => g.value(g.gradient(along, &[x]).unwrap()[0]).to_owned(),
            false => ArrayD::zeros(&[4, 2][..]),
        };
        agree(&format!("{op:?}"), &second.view(), &slope.view(), 2e-6);
    }
}

#[test]
fn products_with_zeros_are_right_at_order_two_and_three() {
    for x in [[2.0, 0.0, 3.0, 5.0], [0.0, 2.0, 0.0, 3.0], [0.0, 0.0, 0.0, 7.0], [1.0, 2.0, 3.0, 4.0]] {
        let without =
            |skip: &[usize]| -> f64 { (0..4).filter(|k| !skip.contains(k)).map(|k| x[k]).product() };
        let g = Graph::new();
        let leaf = g.leaf(Array1::from_vec(x.to_vec()));
        let first = g.gradient(g.prod(leaf), &[leaf]).unwrap()[0];
        let pick = |v: Var, k: usize| {
            let unit = g.constant(Array1::from_shape_fn(4, |i| f64::from(u8::from(i == k))));
            g.sum(v * unit)
        };
        for i in 0..4 {
            assert_eq!(g.value(first)[i], without(&[i]));
            let second = g.gradient(pick(first, i), &[leaf]).unwrap()[0];
            for j in 0..4 {
                assert_eq!(g.value(second)[j], if i == j { 0.0 } else { without(&[i, j]) }, "{x:?} {i} {j}");
                let third = g.gradient(pick(second, j), &[leaf]).unwrap()[0];
                for k in 0..4 {
                    let distinct = i != j && j != k && i != k;
                    assert_eq!(g.value(third)[k], if distinct { without(&[i, j, k]) } else { 0.0 });
                }
            }
        }
    }
}

#[test]
fn refusals_say_why() {
    let g = Graph::new();
    let (x, empty) = (g.leaf(sample(&[2, 3])), g.leaf(ArrayD::zeros(&[2, 0][..])));
    let kind = |op: Op, x| g.try_apply(&op, &[x]).unwrap_err().kind();
    let axes = |a: &[isize]| Some(Axes::from_slice(a));
    assert_eq!(kind(Max { axes: axes(&[1]), keepdims: false }.into(), empty), ErrorKind::EmptyReduction);
    assert_eq!(kind(ArgMin::default().into(), empty), ErrorKind::EmptyReduction);
    assert_eq!(kind(Norm { p: f64::INFINITY, ..Norm::default() }.into(), empty), ErrorKind::EmptyReduction);
    assert_eq!(kind(Norm { p: f64::NAN, ..Norm::default() }.into(), x), ErrorKind::InvalidAttribute);
    assert_eq!(kind(Mean { axes: axes(&[2]), keepdims: false }.into(), x), ErrorKind::AxisOutOfRange);
    assert_eq!(kind(Prod { axes: axes(&[0, -2]), keepdims: false }.into(), x), ErrorKind::DuplicateAxis);
    let indices = g.indices(array![1i64, 2]);
    assert_eq!(kind(Std::default().into(), indices), ErrorKind::DtypeMismatch);
    assert_eq!(g.value(g.max_axes(empty, &[0])).len(), 0);
    assert!(g.item(g.mean(empty)).is_nan());
    assert_eq!((g.item(g.sum(empty)), g.item(g.prod(empty)), g.item(g.norm(empty))), (0.0, 1.0, 0.0));
}

#[test]
fn conventions_at_kinks() {
    let gradient = |op: Op, x: [f64; 4]| {
        let mut g = Graph::new();
        let x = g.leaf(Array1::from_vec(x.to_vec()));
        let y = g.try_apply(&op, &[x]).unwrap()[0];
        g.backward(y).unwrap();
        g.grad(x).unwrap().to_owned().into_raw_vec_and_offset().0
    };
    let zeros = [0.0; 4];
    for p in [2.0, 1.0, 3.0, 1.5, 0.5, 0.0, -2.0, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(gradient(Norm { p, ..Norm::default() }.into(), zeros), zeros, "{p}");
    }
    assert_eq!(gradient(Std::default().into(), [0.1; 4]), zeros);
    assert_eq!(gradient(Max::default().into(), [2.0, 1.0, 2.0, 0.0]), [0.5, 0.0, 0.5, 0.0]);
    let least = Norm { p: f64::NEG_INFINITY, ..Norm::default() };
    assert_eq!(gradient(least.into(), [3.0, -1.0, 1.0, 2.0]), [0.0, -0.5, 0.5, 0.0]);
}

#[test]
fn products_with_zeros_or_out_of_range_have_the_products_of_the_others() {
    let x = array![[1e-200, 2.0, 0.0], [1e-200, 3.0, 5.0], [1e200, 4.0, 7.0]];
    let others = array![[1.0, 12.0, 35.0], [1.0, 8.0, 0.0], [0.0, 6.0, 0.0]];
    for (x, others, axis) in [(x.clone(), others.clone(), 0), (x.reversed_axes(), others.reversed_axes(), 1)]
    {
        let mut g = Graph::new();
        let x = g.leaf(x);
        let y = g.prod_axes(x, &[axis]);
        g.backward(g.sum(y)).unwrap();
        agree("prod", &g.grad(x).unwrap(), &others.into_dyn().view(), 1e-15);
    }
}
