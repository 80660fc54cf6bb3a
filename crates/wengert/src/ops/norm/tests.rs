use ndarray::{ArrayD, Axis};

use crate::op::*;
use crate::ops::testing::{check_derivatives, random};
use crate::{ErrorKind, Graph, Var};

#[test]
fn norms_have_derivatives_of_every_order() {
    check_derivatives(&[&[3, 5], &[5], &[5]], &|g, v| g.layer_norm(v[0], &[5], v[1], v[2], 0.01));
    check_derivatives(&[&[2, 2, 3], &[2, 3]], &|g, v| g.layer_norm(v[0], &[2, 3], v[1], None, 0.01));
    check_derivatives(&[&[4]], &|g, v| g.layer_norm(v[0], &[4], None, None, 0.01));
    check_derivatives(&[&[3, 5], &[5]], &|g, v| g.rms_norm(v[0], &[5], v[1], 0.01));
    check_derivatives(&[&[2, 5]], &|g, v| g.rms_norm(v[0], &[5], None, 0.01));
    check_derivatives(&[&[4, 3, 2], &[3], &[3]], &|g, v| g.batch_norm(v[0], v[1], v[2], 0.01));
    check_derivatives(&[&[4, 3]], &|g, v| g.batch_norm(v[0], None, None, 0.01));
    check_derivatives(&[&[2, 4, 3], &[4], &[4]], &|g, v| g.group_norm(v[0], 2, v[1], v[2], 0.01));
    check_derivatives(&[&[2, 2, 16], &[2], &[2]], &|g, v| g.batch_norm(v[0], v[1], v[2], 0.01));
    check_derivatives(&[&[2, 4, 2, 8], &[4], &[4]], &|g, v| g.group_norm(v[0], 2, v[1], v[2], 0.01));
    check_derivatives(&[&[1, 2, 17]], &|g, v| g.group_norm(v[0], 2, None, None, 0.01));
    check_derivatives(&[&[0, 2, 16], &[2], &[2]], &|g, v| g.batch_norm(v[0], v[1], v[2], 0.01));
    check_derivatives(&[&[0, 4, 3], &[4], &[4]], &|g, v| g.group_norm(v[0], 2, v[1], v[2], 0.01));
    check_derivatives(&[&[2, 0], &[0]], &|g, v| g.rms_norm(v[0], &[0], v[1], 0.01));
}

/// `(x - mean) / sqrt(biased variance + eps)` over all of `x`.
fn normalised(x: ArrayD<f64>, eps: f64) -> ArrayD<f64> {
    let n = x.len() as f64;
    let centred = &x - x.sum() / n;
    let variance = centred.mapv(|d| d * d).sum() / n;
    centred / (variance + eps).sqrt()
}

#[test]
fn statistics_run_over_the_right_axes() {
    // Short runs of a channel and long ones, more images than are summed at a time, more columns than that.
    for shape in [[3, 4, 2], [3, 4, 19], [300, 4, 1], [130, 26, 3]] {
        check_statistics(&shape);
    }
}

fn check_statistics(shape: &[usize]) {
    let x = random(1, shape);
    let g = Graph::new();
    let v = g.constant(x.clone());
    let close = |y: Var, want: &ArrayD<f64>| {
        assert!(g.value(y).iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-13));
    };
    let mut want = x.clone();
    for c in 0..shape[1] {
        let z = normalised(x.index_axis(Axis(1), c).to_owned(), 0.1);
        want.index_axis_mut(Axis(1), c).assign(&z);
    }
    close(g.batch_norm(v, None, None, 0.1), &want);
    for (mut want, x) in want.outer_iter_mut().zip(x.outer_iter()) {
        for group in [0..shape[1] / 2, shape[1] / 2..shape[1]] {
            let part = ndarray::Slice::from(group);
            let z = normalised(x.slice_axis(Axis(0), part).to_owned(), 0.1);
            want.slice_axis_mut(Axis(0), part).assign(&z);
        }
    }
    close(g.group_norm(v, 2, None, None, 0.1), &want);
    for (mut want, x) in want.outer_iter_mut().zip(x.outer_iter()) {
        want.assign(&normalised(x.to_owned(), 0.1));
    }
    close(g.layer_norm(v, &shape[1..], None, None, 0.1), &want);
}

#[test]
fn moments_do_not_cancel_far_from_zero() {
    for shape in [[8, 2, 3], [8, 2, 64]] {
        let g = Graph::new();
        let near = random(1, &shape).mapv(|x| (x * 1024.0).round() / 1024.0);
        let [near, far] = [g.constant(near.clone()), g.constant(near + 1e6)];
        let (want, have) = (g.batch_norm(near, None, None, 0.1), g.batch_norm(far, None, None, 0.1));
        let apart = g.value(have).iter().zip(g.value(want)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart < 1e-9, "{shape:?}: {apart}");
    }
}

#[test]
fn transposed_arguments_are_read_as_they_lie() {
    let x = random(1, &[3, 4]);
    let g = Graph::new();
    let turned = g.constant(x.t().as_standard_layout().into_owned());
    let turned = g.try_apply(&Transpose::default().into(), &[turned]).unwrap()[0];
    let (y, want) = (g.layer_norm(turned, &[4], None, None, 0.1), g.constant(x));
    let want = g.layer_norm(want, &[4], None, None, 0.1);
    assert_eq!(g.value(y), g.value(want));
}

#[test]
fn what_does_not_fit_is_refused() {
    use ErrorKind::{InvalidAttribute, RankMismatch, ShapeMismatch};
    let layer = |shape: &[usize], eps| LayerNorm { normalized_shape: shape.into(), eps };
    let x: &[usize] = &[2, 3];
    let cases: Vec<(Op, Vec<&[usize]>, ErrorKind)> = vec![
        (layer(&[2], 1e-5).into(), vec![x], ShapeMismatch),
        (layer(&[], 1e-5).into(), vec![x], RankMismatch),
        (layer(&[1, 2, 3], 1e-5).into(), vec![x], RankMismatch),
        (layer(&[3], -1.0).into(), vec![x], InvalidAttribute),
        (layer(&[3], 1e-5).into(), vec![x, &[2]], ShapeMismatch),
        (layer(&[3], 1e-5).into(), vec![x, &[3], &[1]], ShapeMismatch),
        (GroupNorm { num_groups: 2, eps: 0.1 }.into(), vec![x], InvalidAttribute),
        (GroupNorm { num_groups: 0, eps: 0.1 }.into(), vec![x], InvalidAttribute),
        (GroupNorm { num_groups: usize::MAX, eps: 0.1 }.into(), vec![&[3, 0]], InvalidAttribute),
        (BatchNorm { eps: 0.1 }.into(), vec![&[2]], RankMismatch),
        (BatchNorm { eps: 0.1 }.into(), vec![x, &[2]], ShapeMismatch),
    ];
    for (op, shapes, kind) in cases {
        let g = Graph::new();
        let args: Vec<Var> = shapes.iter().map(|shape| g.leaf(random(1, shape))).collect();
        let error = g.try_apply(&op, &args).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}
