//! Every op of the engine under [`check_function`]; an op without samples fails the test.

mod samples;

use ndarray::{ArrayD, Axis, IxDyn, Slice};

use super::function::check_function;
use crate::graph::{Graph, Source};
use crate::op::{Binary, Op};
use crate::var::Var;
use samples::{Sample, Value, samples};

/// How a real argument lies in memory, or where it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    Plain,
    Transposed,
    Strided,
    Reversed,
}

/// What of a sample is differentiated.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wanted {
    All,
    Only(usize),
    /// Argument `.1` is argument `.0`.
    Repeated(usize, usize),
}

/// The leaf through which an argument of this value is seen, so that it lies as asked.
fn leaf(value: &ArrayD<f64>, lie: Lie) -> ArrayD<f64> {
    match lie {
        Lie::Plain => value.clone(),
        Lie::Transposed => value.t().as_standard_layout().into_owned(),
        Lie::Reversed => {
            let mut value = value.clone();
            (0..value.ndim()).for_each(|k| value.invert_axis(Axis(k)));
            value.as_standard_layout().into_owned()
        }
        Lie::Strided if value.ndim() == 0 => value.clone(),
        Lie::Strided => {
            let last = value.ndim() - 1;
            let mut shape = value.shape().to_vec();
            shape[last] *= 2;
            let mut wide = ArrayD::from_elem(IxDyn(&shape), 0.5);
            wide.slice_axis_mut(Axis(last), Slice::new(0, None, 2)).assign(value);
            wide
        }
    }
}

/// The argument, from its leaf.
fn lying(g: &Graph, x: Var, lie: Lie) -> Var {
    let axes: Vec<isize> = (0..g.ndim(x) as isize).collect();
    match lie {
        Lie::Plain => x,
        Lie::Transposed => g.permute(x, &axes.into_iter().rev().collect::<Vec<_>>()),
        Lie::Reversed => g.flip(x, &axes),
        Lie::Strided if axes.is_empty() => x,
        Lie::Strided => g.slice_step(x, -1, .., 2),
    }
}

fn apply(g: &Graph, sample: &Sample, x: &[Var], lie: Lie, wanted: Wanted) -> Vec<Var> {
    let mut leaves = x.iter();
    let mut args = Vec::new();
    for (k, value) in sample.args.iter().enumerate() {
        args.push(match value {
            Value::Real(value) => match wanted {
                Wanted::Repeated(first, second) if k == second => args[first],
                Wanted::Only(one) if k != one => lying(g, g.constant(leaf(value, lie)), lie),
                _ if sample.constant.contains(&k) => lying(g, g.constant(leaf(value, lie)), lie),
                _ => lying(g, *leaves.next().expect("a leaf for each argument"), lie),
            },
            Value::Index(value) => g.indices(value),
            Value::Mask(value) => g.mask(value),
        });
    }
    if sample.symmetric {
        args[0] = g.eval(0.5 * (args[0] + g.transpose(args[0], -2, -1)));
    }
    let results = g.try_apply(&sample.op, &args).unwrap_or_else(|error| panic!("{error}"));
    match sample.sign_free {
        true => results.iter().map(|&y| g.square(y)).collect(),
        false => results.to_vec(),
    }
}

/// Whether equal arguments are a kink.
fn kinks_where_equal(op: &Op) -> bool {
    matches!(
        op,
        Op::Binary(
            Binary::Maximum
                | Binary::Minimum
                | Binary::Fmax
                | Binary::Fmin
                | Binary::Remainder
                | Binary::Fmod
                | Binary::FloorDivide
        ) | Op::L1Loss(_)
            | Op::HuberLoss(_)
            | Op::SmoothL1Loss(_)
    )
}

fn check(sample: &Sample, lie: Lie, wanted: Wanted, failures: &mut Vec<String>) {
    let tracked = |k: usize| match wanted {
        Wanted::All => true,
        Wanted::Only(one) => k == one,
        Wanted::Repeated(_, second) => k != second,
    };
    let leaves: Vec<ArrayD<f64>> = sample
        .args
        .iter()
        .enumerate()
        .filter_map(|(k, value)| match value {
            Value::Real(value) if tracked(k) && !sample.constant.contains(&k) => Some(leaf(value, lie)),
            _ => None,
        })
        .collect();
    let inputs: Vec<&dyn Source<f64>> = leaves.iter().map(|x| x as &dyn Source<f64>).collect();
    let repeated = matches!(wanted, Wanted::Repeated(..));
    let step = if repeated && kinks_where_equal(&sample.op) { 0.0 } else { sample.step };
    let run = || check_function(|g, x| apply(g, sample, x, lie, wanted), &inputs, step);
    let what = format!("{} ({lie:?}, {wanted:?}) {:?}", sample.op.name(), sample);
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
        Ok(Ok(check)) if check.holds() => {}
        Ok(Ok(check)) => failures.push(format!("{what}\n    {check}")),
        Ok(Err(error)) => failures.push(format!("{what}\n    {error}")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            failures.push(format!("{what}\n    panicked: {}", text.unwrap_or_default()));
        }
    }
}

fn walk(op: &Op, failures: &mut Vec<String>) {
    assert!(!samples(op).is_empty(), "{} has no samples", op.name());
    for sample in samples(op) {
        let same = std::mem::discriminant(&sample.op) == std::mem::discriminant(op);
        assert!(same, "a sample of {} for {}", sample.op.name(), op.name());
        let is_free = |k: &usize| matches!(sample.args[*k], Value::Real(_)) && !sample.constant.contains(k);
        let reals: Vec<usize> = (0..sample.args.len()).filter(is_free).collect();
        check(&sample, Lie::Plain, Wanted::All, failures);
        for lie in [Lie::Transposed, Lie::Strided, Lie::Reversed] {
            check(&sample, lie, Wanted::All, failures);
        }
        for &k in reals.iter().filter(|_| reals.len() > 1) {
            check(&sample, Lie::Plain, Wanted::Only(k), failures);
        }
        for (at, &a) in reals.iter().enumerate() {
            for &b in &reals[at + 1..] {
                if sample.args[a].shape() == sample.args[b].shape() && sample.may_repeat {
                    check(&sample, Lie::Plain, Wanted::Repeated(a, b), failures);
                }
            }
        }
    }
}

fn walk_all(ops: impl IntoIterator<Item = Op>) {
    let mut failures = Vec::new();
    for op in ops {
        walk(&op, &mut failures);
    }
    assert!(failures.is_empty(), "{} checks fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_elementwise_op_keeps_the_laws() {
    walk_all(
        Op::every()
            .into_iter()
            .filter(|op| matches!(op, Op::Unary(_) | Op::Tuned(..) | Op::Binary(_) | Op::Compare(_))),
    );
}

#[test]
fn every_structured_op_keeps_the_laws() {
    walk_all(
        Op::every()
            .into_iter()
            .filter(|op| !matches!(op, Op::Unary(_) | Op::Tuned(..) | Op::Binary(_) | Op::Compare(_))),
    );
}

/// A rule that is wrong on purpose must be found: the check itself is under test here.
#[test]
fn a_wrong_rule_is_found() {
    use crate::op::ScaleGradient;
    let wrong = Sample::new(ScaleGradient { factor: 1.001 }, vec![samples::real(&[3])]);
    let mut failures = Vec::new();
    check(&wrong, Lie::Plain, Wanted::All, &mut failures);
    assert!(failures[0].contains("tangent against differences"), "{failures:?}");
}
