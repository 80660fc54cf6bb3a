//! Every op of the engine under [`laws`], in both types, on its samples and on what is made of them; an op without samples
//! fails the test.

mod classes;
mod far;
mod rows;
mod samples;

use ndarray::{ArrayD, Axis, IxDyn, Slice};

use super::function::{Derivatives, FunctionCheck, laws};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Engine, Graph};
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
    /// Equal along the first axis, which is broadcast.
    Equal,
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
        Lie::Strided | Lie::Equal if value.ndim() == 0 => value.clone(),
        Lie::Equal => value.slice_axis(Axis(0), Slice::from(..value.len_of(Axis(0)).min(1))).to_owned(),
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
fn lying<T: Engine>(g: &Graph<T>, x: Var, lie: Lie, shape: &[usize]) -> Var {
    let axes: Vec<isize> = (0..g.ndim(x) as isize).collect();
    match lie {
        Lie::Plain => x,
        Lie::Transposed => g.permute(x, &axes.into_iter().rev().collect::<Vec<_>>()),
        Lie::Reversed => g.flip(x, &axes),
        Lie::Strided if axes.is_empty() => x,
        Lie::Strided => g.slice_step(x, -1, .., 2),
        Lie::Equal => g.broadcast_to(x, shape),
    }
}

fn apply<T: Engine>(g: &Graph<T>, sample: &Sample, x: &[Var], lie: Lie, wanted: Wanted) -> Result<Vec<Var>> {
    let mut leaves = x.iter();
    let mut args = Vec::new();
    let constant = |value| lying(g, g.constant(leaf(value, lie).mapv(T::of)), lie, value.shape());
    for (k, value) in sample.args.iter().enumerate() {
        args.push(match value {
            Value::Real(value) => match wanted {
                Wanted::Repeated(first, second) if k == second => args[first],
                Wanted::Only(one) if k != one => constant(value),
                _ if sample.constant.contains(&k) => constant(value),
                _ => lying(g, *leaves.next().expect("a leaf for each argument"), lie, value.shape()),
            },
            Value::Index(value) => g.indices(value),
            Value::Mask(value) => g.mask(value),
        });
    }
    if sample.is_symmetric() {
        args[0] = g.eval(0.5 * (args[0] + g.transpose(args[0], -2, -1)));
    }
    let before = g.node_count();
    let results = g.try_apply(&sample.op, &args).inspect_err(|_| assert_eq!(g.node_count(), before))?;
    Ok(match sample.sign_free {
        true => results.iter().map(|&y| g.square(y)).collect(),
        false => results.to_vec(),
    })
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

/// What one run has found, or why the op refuses the sample.
type Found = Result<(FunctionCheck, Derivatives)>;

fn run<T: Engine>(sample: &Sample, lie: Lie, wanted: Wanted) -> Found {
    let tracked = |k: usize| match wanted {
        Wanted::All => true,
        Wanted::Only(one) => k == one,
        Wanted::Repeated(_, second) => k != second,
    };
    let leaves: Vec<ArrayD<T>> = sample
        .args
        .iter()
        .enumerate()
        .filter_map(|(k, value)| match value {
            Value::Real(value) if tracked(k) && !sample.constant.contains(&k) => {
                Some(leaf(value, lie).mapv(T::of))
            }
            _ => None,
        })
        .collect();
    let repeated = matches!(wanted, Wanted::Repeated(..));
    let step = if repeated && kinks_where_equal(&sample.op) { 0.0 } else { sample.step };
    let g = Graph::default();
    let x: Vec<Var> = leaves.iter().map(|x| g.leaf(x)).collect();
    apply::<T>(&g, sample, &x, lie, wanted)?;
    laws(|g, x| apply(g, sample, x, lie, wanted).unwrap_or_else(|e| panic!("{e}")), leaves, step)
}

/// The same in `f32`, held against `f64` on the same numbers.
fn run_f32(sample: &Sample, wanted: Wanted) -> Result<FunctionCheck> {
    let Some(sample) = sample.in_f32().filter(|sample| !sample.cancels) else {
        return Ok(FunctionCheck::default());
    };
    let wider = run::<f64>(&sample, Lie::Plain, wanted)?.1;
    if !wider.fit_f32() {
        return Ok(FunctionCheck::default());
    }
    let (mut check, found) = run::<f32>(&sample, Lie::Plain, wanted)?;
    check.failures.extend(found.against_wider(&wider).failures);
    Ok(check)
}

/// Collects what fails, by law, by refusal or by panic.
struct Walk {
    failures: Vec<String>,
}

impl Walk {
    fn expect(&mut self, what: &dyn Fn() -> String, run: impl FnOnce() -> Result<FunctionCheck>) {
        let text = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
            Ok(Ok(check)) if check.holds() => return,
            Ok(Ok(check)) => check.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                format!("panicked: {}", text.unwrap_or_default())
            }
        };
        self.failures.push(format!("{}\n    {text}", what()));
    }

    fn sample(&mut self, sample: &Sample) {
        let is_free = |k: &usize| matches!(sample.args[*k], Value::Real(_)) && !sample.constant.contains(k);
        let reals: Vec<usize> = (0..sample.args.len()).filter(is_free).collect();
        let mut ways = vec![Wanted::All];
        ways.extend(reals.iter().filter(|_| reals.len() > 1).map(|&k| Wanted::Only(k)));
        for (at, &a) in reals.iter().enumerate() {
            let alike = |b: &&usize| sample.may_repeat && sample.args[a].shape() == sample.args[**b].shape();
            ways.extend(reals[at + 1..].iter().filter(alike).map(|&b| Wanted::Repeated(a, b)));
        }
        let mut plain = Derivatives::default();
        for wanted in ways {
            self.expect(&|| format!("{sample:?} ({wanted:?})"), || {
                let (check, found) = run::<f64>(sample, Lie::Plain, wanted)?;
                if wanted == Wanted::All {
                    plain = found;
                }
                Ok(check)
            });
            self.expect(&|| format!("{sample:?} ({wanted:?}, f32)"), || run_f32(sample, wanted));
        }
        for lie in [Lie::Transposed, Lie::Strided, Lie::Reversed] {
            self.expect(&|| format!("{sample:?} ({lie:?})"), || {
                let (mut check, found) = run::<f64>(sample, lie, Wanted::All)?;
                check.failures.extend(found.against_alike(&plain).failures);
                Ok(check)
            });
        }
        for sample in sample.degenerate() {
            self.taken_or_refused(&sample, Lie::Plain);
        }
        // Vectors of a singular matrix are not determined.
        if !sample.sign_free {
            self.taken_or_refused(&sample.equal(), Lie::Equal);
        }
    }

    /// The laws hold in both types, or the op refuses the arguments, or their derivatives, by a rule in words.
    fn taken_or_refused(&mut self, sample: &Sample, lie: Lie) {
        // Least squares are the pseudoinverse times the right side.
        let inner = if matches!(sample.op, Op::Lstsq(_)) { "pinv" } else { sample.op.name() };
        let refused = |error: Error| match error.kind() {
            ErrorKind::CustomOp | ErrorKind::ForeignHandle | ErrorKind::StaleHandle => Err(error),
            _ if error.rule().is_empty() || ![sample.op.name(), inner].contains(&error.op()) => Err(error),
            _ => Ok(FunctionCheck::default()),
        };
        self.expect(&|| format!("{sample:?} ({lie:?}, made)"), || {
            run::<f64>(sample, lie, Wanted::All).map(|(check, _)| check).or_else(refused)
        });
        self.expect(&|| format!("{sample:?} (made, f32)"), || run_f32(sample, Wanted::All).or_else(refused));
    }

    fn op(&mut self, op: &Op) {
        assert!(!samples(op).is_empty(), "{} has no samples", op.name());
        for sample in samples(op) {
            let same = std::mem::discriminant(&sample.op) == std::mem::discriminant(op);
            assert!(same, "a sample of {} for {}", sample.op.name(), op.name());
            self.sample(&sample);
        }
    }
}

fn walk_all(ops: impl IntoIterator<Item = Op>) {
    let mut walk = Walk { failures: Vec::new() };
    ops.into_iter().for_each(|op| walk.op(&op));
    let failures = walk.failures;
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
    let (check, _) = run::<f64>(&wrong, Lie::Plain, Wanted::All).unwrap();
    assert!(check.to_string().contains("tangent against differences"), "{check}");
}
