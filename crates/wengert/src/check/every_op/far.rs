//! Second derivatives far out in the tails, where a step fits no two functions alike: the recorded partial's gradient against
//! differences of the partial, at steps of several sizes.

use super::samples::{attributes, far_out};
use crate::graph::Graph;
use crate::op::{Binary, Op, Tuned, Unary};
use crate::var::Var;

/// Partial and second derivative of `op` by argument `k`; `None` where the op has no derivative by it.
fn derivatives(op: &Op, args: &[f64], k: usize) -> Option<[f64; 2]> {
    let g = Graph::new();
    let arg = |(j, &x): (usize, &f64)| if j == k { g.leaf(x) } else { g.constant(x) };
    let x: Vec<Var> = args.iter().enumerate().map(arg).collect();
    let y = g.try_apply(op, &x).expect("numbers")[0];
    if !g.is_differentiable(y) {
        return None;
    }
    let slope = g.gradient(y, &[x[k]]).ok()?[0];
    let second = match g.is_differentiable(slope) {
        true => g.item(g.gradient(slope, &[x[k]]).ok()?[0]),
        false => 0.0,
    };
    Some([g.item(slope), second])
}

fn check(op: &Op, args: &[f64], k: usize, failures: &mut Vec<String>) {
    let Some([slope, second]) = derivatives(op, args, k) else { return };
    let x = args[k];
    let at = |x: f64| {
        let mut args = args.to_vec();
        args[k] = x;
        derivatives(op, &args, k).map_or(f64::NAN, |[slope, _]| slope)
    };
    let mut differences = Vec::new();
    for h in [1e-3, 1e-3 * x.abs(), 1e-3 / x.abs(), 1e-3 / (1.0 + x.abs()), 1e-3 * (1.0 - x.abs()).abs()] {
        // Neither across 0 nor across 1, where domains end and kinks lie.
        if h > 0.05 * x.abs().min((1.0 - x.abs()).abs()) {
            continue;
        }
        let points = [x - 2.0 * h, x - h, x + h, x + 2.0 * h];
        let [a, b, c, d] = points.map(at);
        let difference = (a - 8.0 * b + 8.0 * c - d) / (12.0 * h);
        // What cannot be told from rounding, of the partial or of the point, is no evidence.
        let largest = [a, b, c, d].iter().fold(0f64, |m, s| m.max(s.abs()));
        let noise = 64.0 * f64::EPSILON * (largest / h + second.abs() * x.abs() / h);
        if difference.is_finite()
            && largest > 1e-290
            && (difference == 0.0 || noise < 1e-4 * difference.abs())
        {
            differences.push((difference, noise));
        }
    }
    let agree = |&(d, noise): &(f64, f64)| (second - d).abs() <= 1e-5 * second.abs().max(d.abs()) + noise;
    let lost = slope.is_finite() && second.is_nan();
    if lost || !differences.is_empty() && !differences.iter().any(agree) {
        failures.push(format!("{op:?} by argument {k} at {args:?}: {second:e}, differences {differences:?}"));
    }
}

#[test]
fn second_derivatives_hold_far_out() {
    let mut failures = Vec::new();
    for &op in Unary::ALL {
        far_out(op.domain()).iter().for_each(|&x| check(&Op::Unary(op), &[x], 0, &mut failures));
    }
    for &op in Tuned::ALL {
        for &p in attributes(op) {
            far_out(op.domain()).iter().for_each(|&x| check(&Op::Tuned(op, p), &[x], 0, &mut failures));
        }
    }
    for &op in Binary::ALL {
        for args in [[30.0, 1.7], [30.0, 2.2], [1e-9, 2.0], [2.0, 40.0], [700.0, 1.7], [1e-6, 0.7]] {
            (0..2).for_each(|k| check(&Op::Binary(op), &args, k, &mut failures));
        }
    }
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
}
