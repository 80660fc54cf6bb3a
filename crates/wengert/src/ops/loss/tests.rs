use ndarray::{ArrayD, IxDyn, array};

use crate::error::ErrorKind;
use crate::graph::{ClassOptions, Graph};
use crate::op::*;
use crate::var::Var;

/// Numbers without a pattern in -1..1.
fn numbers(shape: &[usize], seed: usize) -> ArrayD<f64> {
    let len: usize = shape.iter().product();
    let at = |i: usize| ((i * 7 + seed * 13 + 3) as f64 * 0.618_034).fract() * 2.0 - 1.0;
    ArrayD::from_shape_vec(IxDyn(shape), (0..len).map(at).collect()).unwrap()
}

fn pair_losses() -> Vec<Op> {
    let mut ops = Vec::new();
    for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
        ops.extend([
            Op::from(MseLoss { reduction }),
            L1Loss { reduction }.into(),
            HuberLoss { reduction, delta: 0.3 }.into(),
            SmoothL1Loss { reduction, beta: 0.4 }.into(),
            BceLoss { reduction }.into(),
            BceWithLogits { reduction }.into(),
            KlDiv { reduction, log_target: false }.into(),
            KlDiv { reduction, log_target: true }.into(),
        ]);
    }
    ops
}

/// The direct kernels against the recorded rules, and these against central differences, over more than a tile.
fn check(g: &mut Graph<f64>, op: &Op, args: &[Var], xs: &[Var]) {
    let y = g.try_apply(op, args).unwrap()[0];
    let y_bar = numbers(&g.shape(y), 5);
    g.zero_grad();
    g.backward_with(y, y_bar.clone()).unwrap();
    let y_bar = g.constant(y_bar);
    let recorded = g.gradient_with(y, y_bar, xs).unwrap();
    for (&x, &bar) in xs.iter().zip(&recorded) {
        let (swept, recorded) = (g.grad(x).unwrap(), g.value(bar));
        let off = (&swept - &recorded).iter().fold(0.0, |m: f64, d| m.max(d.abs()));
        assert!(off <= 1e-14, "{}: kernel and recorded rule differ by {off:e}", op.name());
    }
    let (x, bar) = (xs[0], recorded[0]);
    let (value, slope) = (g.value(x).to_owned(), g.value(bar).to_owned());
    let direction = numbers(value.shape(), 9);
    let along = |g: &mut Graph<f64>, step: f64| {
        g.set_value(x, &value + &(&direction * step)).unwrap();
        let y = g.try_apply(op, args).unwrap()[0];
        (&g.value(y) * &g.value(y_bar)).sum()
    };
    let step = 1e-6;
    let difference = (along(g, step) - along(g, -step)) / (2.0 * step);
    let want = (&slope * &direction).sum();
    assert!((difference - want).abs() < 1e-6 * (1.0 + want.abs()), "{}: {difference} and {want}", op.name());
    g.set_value(x, value).unwrap();
}

#[test]
fn pairs_by_kernel_record_and_difference() {
    for op in pair_losses() {
        for shape in [&[][..], &[3], &[2, 3], &[3, 700]] {
            let mut g = Graph::new();
            let p = g.leaf(numbers(shape, 1) * 0.4 + 0.5);
            let t = g.leaf(numbers(shape, 2) * 0.4 + 0.5);
            check(&mut g, &op, &[p, t], &[p, t]);
        }
    }
}

#[test]
fn pairs_of_views_are_read_in_order() {
    for op in pair_losses() {
        let mut g = Graph::new();
        let p = g.leaf(numbers(&[60, 40], 1) * 0.4 + 0.5);
        let t = g.constant(numbers(&[40, 60], 2) * 0.4 + 0.5);
        let turned = g.try_apply(&Transpose::default().into(), &[p]).unwrap()[0];
        let y = g.try_apply(&op, &[turned, t]).unwrap()[0];
        let y_bar = numbers(&g.shape(y), 3);
        g.backward_with(y, y_bar.clone()).unwrap();
        let copy = g.leaf(g.value(turned).to_owned());
        let z = g.try_apply(&op, &[copy, t]).unwrap()[0];
        g.backward_with(z, y_bar).unwrap();
        let off = (&g.value(y) - &g.value(z)).iter().fold(0.0, |m: f64, d| m.max(d.abs()));
        assert!(off < 1e-14, "{}", op.name());
        assert_eq!(g.grad(p).unwrap().t(), g.grad(copy).unwrap(), "{}", op.name());
    }
}

#[test]
fn classes_by_kernel_record_and_difference() {
    let shapes: [(&[usize], &[usize]); 4] =
        [(&[5], &[]), (&[6, 40], &[6]), (&[3, 5, 70], &[3, 70]), (&[2, 3, 2, 2], &[2, 2, 2])];
    for (shape, rows) in shapes {
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            for (label_smoothing, weighted) in [(0.0, false), (0.2, false), (0.0, true), (0.2, true)] {
                let mut g = Graph::new();
                let classes = shape[if shape.len() == 1 { 0 } else { 1 }];
                let x = g.leaf(numbers(shape, 1) * 3.0);
                let len = rows.iter().product();
                let targets = (0..len).map(|i: usize| if i % 5 == 4 { -7 } else { (i * 3 % classes) as i64 });
                let targets = g.indices(ArrayD::from_shape_vec(IxDyn(rows), targets.collect()).unwrap());
                let w = g.leaf(numbers(&[classes], 4) * 0.5 + 1.0);
                let args = if weighted { vec![x, targets, w] } else { vec![x, targets] };
                let xs = if weighted { vec![x, w] } else { vec![x] };
                let entropy = CrossEntropy { reduction, label_smoothing, ignore_index: -7 };
                check(&mut g, &entropy.clone().into(), &args, &xs);
                check(&mut g, &NllLoss { reduction, ignore_index: -7 }.into(), &args, &xs);
                if weighted {
                    // The weight alone: its cotangent through the divisor of a mean is part of it.
                    check(&mut g, &entropy.clone().into(), &args, &[w, x]);
                    // Without a cotangent for the weight the kernel serves.
                    let fixed = g.constant(g.value(w).to_owned());
                    check(&mut g, &entropy.clone().into(), &[x, targets, fixed], &[x]);
                }
            }
        }
    }
}

/// Small losses next to large logits keep their digits, ignored rows their zeros.
#[test]
fn classes_at_the_extremes() {
    let mut g = Graph::new();
    let x = g.leaf(array![[1e6, 1e6 - 20.0], [f64::NAN, f64::NAN]]);
    let targets = g.indices(array![0, -100]);
    let loss = g.cross_entropy(x, targets);
    g.backward(loss).unwrap();
    assert!((g.item(loss) / (-20f64).exp().ln_1p() - 1.0).abs() < 1e-7, "{}", g.item(loss));
    assert_eq!(g.grad(x).unwrap().as_slice().unwrap()[2..], [0.0, 0.0]);
    let nobody = g.indices(array![-100, -100]);
    let loss = g.cross_entropy(x, nobody);
    assert!(g.item(loss).is_nan());
    g.zero_grad();
    g.backward(loss).unwrap();
    assert_eq!(g.grad(x).unwrap(), array![[0.0, 0.0], [0.0, 0.0]].into_dyn());
}

#[test]
fn what_is_refused() {
    let g = Graph::new();
    let (x, y) = (g.leaf(array![[0.5, 0.5]]), g.leaf(array![0.5, 0.5]));
    let kind = |op: Op, args: &[Var]| g.try_apply(&op, args).unwrap_err().kind();
    assert_eq!(kind(MseLoss::default().into(), &[x, y]), ErrorKind::ShapeMismatch);
    assert_eq!(
        kind(HuberLoss { delta: 0.0, ..Default::default() }.into(), &[x, x]),
        ErrorKind::InvalidAttribute
    );
    let batch = Reduction::BatchMean;
    assert_eq!(kind(MseLoss { reduction: batch }.into(), &[x, x]), ErrorKind::InvalidAttribute);
    let number = g.leaf(0.5);
    let kl = KlDiv { reduction: batch, log_target: false };
    assert_eq!(kind(kl.into(), &[number, number]), ErrorKind::RankMismatch);
    let wide = g.leaf(ArrayD::zeros(IxDyn(&[3, 2])));
    assert_eq!(kind(BceWithLogits::default().into(), &[x, x, wide]), ErrorKind::ShapeMismatch);
    let entropy = || Op::from(CrossEntropy::default());
    let of = |t: &[i64]| g.indices(t);
    assert_eq!(kind(entropy(), &[x, of(&[2])]), ErrorKind::IndexOutOfRange);
    assert_eq!(kind(entropy(), &[x, of(&[-1])]), ErrorKind::IndexOutOfRange);
    assert_eq!(kind(entropy(), &[x, of(&[0, 1])]), ErrorKind::ShapeMismatch);
    assert_eq!(kind(entropy(), &[x, y]), ErrorKind::DtypeMismatch);
    assert_eq!(kind(entropy(), &[number, of(&[0])]), ErrorKind::RankMismatch);
    let smooth = CrossEntropy { label_smoothing: 1.5, ..Default::default() };
    assert_eq!(kind(smooth.into(), &[x, of(&[0])]), ErrorKind::InvalidAttribute);
}

#[test]
fn nothing_to_join() {
    let mut g = Graph::new();
    let x = g.leaf(ArrayD::zeros(IxDyn(&[0, 3])));
    let t = g.indices(ArrayD::zeros(IxDyn(&[0])));
    let sum = ClassOptions { reduction: Reduction::Sum, ..Default::default() };
    let y = g.cross_entropy_with(x, t, sum);
    assert_eq!(g.item(y), 0.0);
    g.backward(y).unwrap();
    let loss = g.mse_loss(x, x);
    assert!(g.item(loss).is_nan());
}

/// Then the derivatives of every order are as empty as the argument.
#[test]
fn without_classes_every_target_is_the_ignored_one() {
    let mut g = Graph::new();
    let reduction = Reduction::Sum;
    let (x, w) = (g.leaf(numbers(&[2, 0, 3], 1)), g.leaf(numbers(&[0], 2)));
    let target = g.indices(ArrayD::from_elem(IxDyn(&[2, 3]), 4));
    let ops: [Op; 2] = [
        CrossEntropy { reduction, label_smoothing: 0.1, ignore_index: 4 }.into(),
        NllLoss { reduction, ignore_index: 4 }.into(),
    ];
    for op in ops {
        check(&mut g, &op, &[x, target], &[x]);
        check(&mut g, &op, &[x, target, w], &[x, w]);
    }
}
