use ndarray::{Array1, Array2};

use crate::op::*;
use crate::prelude::*;

#[test]
fn running_products_with_zeros_are_right_at_order_two() {
    for x in [[2.0, 0.0, 3.0, 5.0], [0.0, 2.0, 0.0, 3.0], [0.0, 0.0, 0.0, 7.0], [1.0, 2.0, 3.0, 4.0]] {
        let g = Graph::new();
        let leaf = g.leaf(Array1::from_vec(x.to_vec()));
        let weights = [3.0, -1.0, 2.0, 0.5];
        let y = g.sum(g.cumprod(leaf, 0) * g.constant(Array1::from_vec(weights.to_vec())));
        // The sum over prefixes of their products without the factors `skip`.
        let naive = |skip: &[usize]| -> f64 {
            let last = *skip.iter().max().unwrap();
            let product = |n: usize| -> f64 { (0..=n).filter(|k| !skip.contains(k)).map(|k| x[k]).product() };
            (last..4).map(|n| weights[n] * product(n)).sum()
        };
        let first = g.gradient(y, &[leaf]).unwrap()[0];
        for i in 0..4 {
            assert_eq!(g.value(first)[i], naive(&[i]));
            let unit = g.constant(Array1::from_shape_fn(4, |k| f64::from(u8::from(i == k))));
            let second = g.gradient(g.sum(first * unit), &[leaf]).unwrap()[0];
            for j in (0..4).filter(|&j| j != i) {
                assert_eq!(g.value(second)[j], naive(&[i, j]), "{x:?} {i} {j}");
            }
            assert_eq!(g.value(second)[i], 0.0);
        }
    }
}

#[test]
fn scans_run_along_any_axis_of_any_layout() {
    let matrix = Array2::from_shape_fn((3, 4), |(i, j)| 0.5 + (i * 5 + j * 3) as f64 * 0.25);
    for axis in 0..2 {
        let mut g = Graph::new();
        let x = g.leaf(matrix.clone());
        let t = g.try_apply(&Transpose::default().into(), &[x]).unwrap()[0];
        let (sums, products) = (g.cumsum(t, axis), g.cumprod(t, axis));
        let at = |i: usize, j: usize, k: usize| if axis == 0 { matrix[[j, k]] } else { matrix[[k, i]] };
        for i in 0..4 {
            for j in 0..3 {
                let last = if axis == 0 { i } else { j };
                let sum: f64 = (0..=last).map(|k| at(i, j, k)).sum();
                let product: f64 = (0..=last).map(|k| at(i, j, k)).product();
                assert!((g.value(sums)[[i, j]] - sum).abs() < 1e-12);
                assert!((g.value(products)[[i, j]] - product).abs() < 1e-12 * product);
            }
        }
        let y = g.sum(sums * products);
        g.backward(y).unwrap();
        let recorded = g.gradient(y, &[x]).unwrap()[0];
        assert_eq!(g.grad(x).unwrap(), g.value(recorded));
        let x_dot = g.constant(matrix.mapv(f64::sin));
        let (forward, reverse) = (g.tangent(y, &[(x, x_dot)]).unwrap(), g.sum(recorded * x_dot));
        assert!((g.item(forward) / g.item(reverse) - 1.0).abs() < 1e-13);
    }
}

#[test]
fn a_recurrence_differentiates_in_both_arguments() {
    for reverse in [false, true] {
        let value = |a: &[f64; 4], b: &[f64; 4]| {
            let g = Graph::new();
            let a = g.leaf(Array1::from_vec(a.to_vec()));
            let b = g.leaf(Array1::from_vec(b.to_vec()));
            let op = Recurrence { axis: 0, reverse, first: 0.7 };
            let e = g.try_apply(&op.into(), &[a, b]).unwrap()[0];
            let y = g.sum(e * e);
            let d = g.gradient(y, &[a, b]).unwrap();
            let seconds = g.gradient(g.sum(d[0] * d[1]), &[a]).unwrap()[0];
            let all = [d[0], d[1], seconds].map(|v| g.value(v).to_owned());
            (g.item(y), all)
        };
        let (a, b) = ([0.4, -1.2, 0.9, 2.0], [1.0, 0.3, -0.6, 0.2]);
        let (_, [a_bar, b_bar, second]) = value(&a, &b);
        for k in 0..4 {
            let moved = |by: f64| {
                let (mut a2, mut b2) = (a, b);
                (a2[k], b2[k]) = (a[k] + by, b[k] + by);
                (value(&a2, &b), value(&a, &b2))
            };
            let (up, down) = (moved(1e-6), moved(-1e-6));
            assert!(((up.0.0 - down.0.0) / 2e-6 - a_bar[k]).abs() < 1e-8);
            assert!(((up.1.0 - down.1.0) / 2e-6 - b_bar[k]).abs() < 1e-8);
            let product = |(_, [a_bar, b_bar, _]): &(f64, [ndarray::ArrayD<f64>; 3])| (a_bar * b_bar).sum();
            let slope = (product(&up.0) - product(&down.0)) / 2e-6;
            assert!((slope - second[k]).abs() < 1e-8 * (1.0 + slope.abs()), "{slope} {}", second[k]);
        }
    }
}

#[test]
fn a_recurrence_along_no_axis_is_refused() {
    let g = Graph::new();
    let x = g.leaf(ndarray::array![1.0, 2.0]);
    let op = Recurrence { axis: usize::MAX, reverse: false, first: 0.0 };
    let error = g.try_apply(&op.into(), &[x]).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::AxisOutOfRange);
}
