//! Arguments for every op: regular, 0-d, empty, broadcast, near kinks, at kinks, and far out.

mod linear;
mod network;
mod structured;

use std::fmt;

use ndarray::{ArrayD, IxDyn};

use crate::op::{Binary, Logical, LogicalKind, Op, Params, Tuned, Unary};

#[derive(Clone)]
pub(super) enum Value {
    Real(ArrayD<f64>),
    Index(ArrayD<i64>),
    Mask(ArrayD<bool>),
}

impl Value {
    pub(super) fn shape(&self) -> &[usize] {
        match self {
            Value::Real(x) => x.shape(),
            Value::Index(x) => x.shape(),
            Value::Mask(x) => x.shape(),
        }
    }
}

/// An op on arguments.
#[derive(Clone)]
pub(super) struct Sample {
    pub op: Op,
    pub args: Vec<Value>,
    /// Of differences; 0 at kinks and far out, where they say nothing.
    pub step: f64,
    /// Argument 0 goes through `(x + x^T) / 2` where it is square.
    pub symmetric: bool,
    /// The signs of the results are not determined: their squares are tested.
    pub sign_free: bool,
    /// Arguments of one shape may be the same.
    pub may_repeat: bool,
    /// Terms cancel beyond the digits of `f32`.
    pub cancels: bool,
    /// Arguments that are not differentiated, since the op refuses that (at some order).
    pub constant: &'static [usize],
}

impl Sample {
    pub(super) fn new(op: impl Into<Op>, args: Vec<Value>) -> Self {
        let op = op.into();
        Sample {
            op,
            args,
            step: 5e-4,
            symmetric: false,
            sign_free: false,
            may_repeat: true,
            cancels: false,
            constant: &[],
        }
    }
    /// Without differences.
    pub(super) fn rough(self) -> Self {
        Sample { step: 0.0, ..self }
    }
    pub(super) fn is_symmetric(&self) -> bool {
        let square = |shape: &[usize]| shape.len() > 1 && shape[shape.len() - 2] == shape[shape.len() - 1];
        self.symmetric && square(self.args[0].shape())
    }
    fn symmetric(self) -> Self {
        Sample { symmetric: true, ..self }
    }
    fn sign_free(self) -> Self {
        Sample { sign_free: true, ..self }
    }
    pub(super) fn constant(self, constant: &'static [usize]) -> Self {
        Sample { constant, ..self }
    }
    fn distinct(self) -> Self {
        Sample { may_repeat: false, ..self }
    }
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of", self.op)?;
        for value in &self.args {
            match value {
                Value::Real(x) if x.len() == 1 => write!(f, " {x}")?,
                _ => write!(f, " {:?}", value.shape())?,
            }
        }
        Ok(())
    }
}

/// Numbers between `lo` and `hi`, no two alike, in no order.
pub(super) fn within(lo: f64, hi: f64, shape: &[usize]) -> Value {
    let len = shape.iter().product::<usize>();
    let step = [7, 5, 3, 2, 1].into_iter().find(|s| len % s != 0 || len < 2).unwrap_or(1);
    let nth = |k: usize| lo + (hi - lo) * (((k * step + 1) % len.max(1)) as f64 + 0.37) / len.max(1) as f64;
    Value::Real(
        ArrayD::from_shape_vec(IxDyn(shape), (0..len).map(nth).collect()).expect("as many as the shape says"),
    )
}

/// Numbers of both signs, none at 0.
pub(super) fn real(shape: &[usize]) -> Value {
    within(-1.3, 1.5, shape)
}

fn number(x: f64) -> Value {
    Value::Real(ArrayD::from_elem(IxDyn(&[]), x))
}

fn numbers(x: &[f64]) -> Value {
    Value::Real(ArrayD::from_shape_vec(IxDyn(&[x.len()]), x.to_vec()).expect("one axis"))
}

fn array(shape: &[usize], x: &[f64]) -> Value {
    Value::Real(ArrayD::from_shape_vec(IxDyn(shape), x.to_vec()).expect("as many as the shape says"))
}

fn index(shape: &[usize], x: &[i64]) -> Value {
    Value::Index(ArrayD::from_shape_vec(IxDyn(shape), x.to_vec()).expect("as many as the shape says"))
}

fn mask(shape: &[usize], x: &[bool]) -> Value {
    Value::Mask(ArrayD::from_shape_vec(IxDyn(shape), x.to_vec()).expect("as many as the shape says"))
}

/// The samples of `op`, whatever its attributes.
pub(super) fn samples(op: &Op) -> Vec<Sample> {
    match op {
        Op::Unary(op) => unary(*op),
        Op::Tuned(op, _) => tuned(*op),
        Op::Binary(op) => binary(*op),
        Op::Compare(_) => {
            vec![
                Sample::new(op.clone(), vec![real(&[2, 3]), real(&[3])]),
                Sample::new(op.clone(), vec![real(&[]), real(&[0])]),
            ]
        }
        _ => [structured::samples, linear::samples, network::samples, special]
            .iter()
            .find_map(|family| family(op))
            .unwrap_or_else(|| panic!("{} has no samples: add some beside those of its family", op.name())),
    }
}

/// Functions of masks, and special functions that not every argument has a derivative by.
fn special(op: &Op) -> Option<Vec<Sample>> {
    let shapes: [[&[usize]; 3]; 4] =
        [[&[], &[], &[]], [&[4], &[4], &[4]], [&[2, 1], &[3], &[]], [&[0, 3], &[3], &[1]]];
    let all = |lo: [f64; 3], hi: [f64; 3], count: usize, constant: &'static [usize]| {
        let one = |shapes: &[&[usize]; 3]| {
            let args = (0..count).map(|k| within(lo[k], hi[k], shapes[k])).collect();
            Sample::new(op.clone(), args).distinct().constant(constant)
        };
        Some(shapes.iter().map(one).collect())
    };
    match op {
        Op::Logical(_) => {
            let (a, b) = (|| mask(&[2, 1], &[true, false]), || mask(&[2], &[true, false]));
            let of = |kind| Op::from(Logical { kind });
            let two = [LogicalKind::And, LogicalKind::Or, LogicalKind::Xor];
            let two = two.map(|kind| Sample::new(of(kind), vec![a(), b()]));
            Some(two.into_iter().chain([Sample::new(of(LogicalKind::Not), vec![a()])]).collect())
        }
        Op::GammaIncDa(_) => all([0.3, 0.3, 0.0], [5.0, 5.0, 0.0], 2, &[0]),
        Op::PolygammaGap(_) => all([0.4, 0.3, 0.0], [4.0, 3.0, 0.0], 2, &[]),
        Op::BetaInc(_) => all([0.6, 0.7, 0.1], [4.0, 3.0, 0.9], 3, &[0, 1]),
        Op::BetaIncDx(_) => all([0.6, 0.7, 0.1], [4.0, 3.0, 0.9], 3, &[]),
        Op::Zeta(_) => all([1.3, 0.4, 0.0], [4.0, 3.0, 0.0], 2, &[0]),
        _ => None,
    }
}

/// Numbers far out in the tails of a domain.
pub(super) fn far_out((lo, hi): (f64, f64)) -> &'static [f64] {
    match (lo, hi) {
        (lo, hi) if lo > -1.0 && hi < 1.0 => &[-0.999_999, 0.999_999, 1e-9],
        (lo, _) if lo > 1.0 => &[1.000_001, 1e6, 1e150],
        (lo, _) if lo > 0.0 => &[1e-9, 1e-3, 40.0, 1e6],
        _ => &[-40.0, -20.5, -6.0, 1e-9, 6.0, 20.5, 40.0, 300.0],
    }
}

/// Where an op with these attributes may have a kink or a jump.
fn kinks(p: Params) -> Vec<f64> {
    let [a, b] = p;
    [0.0, 0.5, 1.0, 3.0, 6.0, a, b, b / a]
        .into_iter()
        .flat_map(|k| [k, -k])
        .filter(|k| k.is_finite())
        .collect()
}

/// One argument of many shapes within a domain; single numbers at and on both sides of kinks, and far out.
fn of_one(op: Op, (lo, hi): (f64, f64)) -> Vec<Sample> {
    let mut all: Vec<Sample> = [&[][..], &[1], &[5], &[2, 3], &[2, 1, 3], &[0], &[2, 0, 3]]
        .into_iter()
        .map(|shape| Sample::new(op.clone(), vec![within(lo, hi, shape)]))
        .collect();
    // More than one tile, with a remainder.
    all.push(Sample::new(op.clone(), vec![within(lo, hi, &[1031])]).rough());
    let p = if let Op::Tuned(_, p) = op { p } else { [0.0; 2] };
    let kinks = kinks(p);
    for &k in kinks.iter().filter(|k| lo + 0.01 < **k && **k < hi - 0.01) {
        let apart = |x: &f64| kinks.iter().all(|k| (x - k).abs() > 0.0025);
        let sides: Vec<f64> = [-0.01, -0.004, -0.003, 0.003, 0.004, 0.01].map(|by| k + by).into();
        let sides: Vec<f64> = sides.into_iter().filter(apart).collect();
        all.push(Sample::new(op.clone(), vec![numbers(&sides)]));
        all.push(Sample::new(op.clone(), vec![number(k)]).rough());
    }
    all.extend(far_out((lo, hi)).iter().map(|&x| Sample::new(op.clone(), vec![number(x)]).rough()));
    all
}

fn unary(op: Unary) -> Vec<Sample> {
    of_one(Op::Unary(op), op.domain())
}

/// Attributes to test an op with.
pub(super) fn attributes(op: Tuned) -> &'static [Params] {
    match op {
        Tuned::Shift | Tuned::Scale | Tuned::SubFrom | Tuned::DivBy | Tuned::DivInto => {
            &[[1.7, 0.0], [-0.3, 0.0]]
        }
        Tuned::Powi => &[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [-2.0, 0.0]],
        Tuned::Powf => &[[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [2.3, 0.0], [-1.5, 0.0]],
        Tuned::LeakyRelu => &[[0.01, 0.0], [0.3, 0.0]],
        Tuned::Elu => &[[1.0, 0.0], [0.4, 0.0]],
        Tuned::Softplus => &[[1.0, 20.0], [2.0, 3.1]],
        Tuned::ExpOver | Tuned::SigmoidScaled => &[[0.7, 0.0]],
        Tuned::Clamp => &[[-0.5, 0.75], [f64::NEG_INFINITY, 0.75]],
        Tuned::Celu => &[[1.0, 0.0], [0.4, 0.0]],
        Tuned::Hardshrink | Tuned::Softshrink => &[[0.5, 0.0], [0.0, 0.0]],
        Tuned::Threshold => &[[0.5, 0.2], [-0.25, -1.0]],
        Tuned::SincDerivative | Tuned::ErfcxDerivative => &[[0.0, 0.0], [1.0, 0.0], [4.0, 0.0]],
        Tuned::Iv => &[[0.0, 0.0], [1.0, 0.0], [4.0, 0.0]],
        Tuned::IveDerivative => &[[0.0, 1.0], [1.0, 2.0], [4.0, 1.0]],
        Tuned::Polygamma => &[[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]],
    }
}

fn tuned(op: Tuned) -> Vec<Sample> {
    attributes(op).iter().flat_map(|&p| of_one(Op::Tuned(op, p), op.domain())).collect()
}

/// Two arguments, broadcast both ways; ties and zeros at the end.
fn binary(op: Binary) -> Vec<Sample> {
    let [(alo, ahi), (blo, bhi)] = op.domain();
    let shapes: [[&[usize]; 2]; 9] = [
        [&[], &[]],
        [&[4], &[4]],
        [&[2, 3], &[2, 3]],
        [&[2, 3], &[3]],
        [&[2, 1], &[1, 3]],
        [&[], &[2, 3]],
        [&[1, 1, 2], &[3, 1]],
        [&[0], &[1]],
        [&[0, 3], &[2, 1, 1]],
    ];
    let domain_repeats = (alo, ahi) == (blo, bhi);
    let sample = |a, b| {
        let sample = Sample::new(Op::Binary(op), vec![a, b]).constant(match op {
            Binary::GammaInc | Binary::GammaIncC => &[0],
            _ => &[],
        });
        if domain_repeats { sample } else { sample.distinct() }
    };
    let mut all: Vec<Sample> =
        shapes.iter().map(|[a, b]| sample(within(alo, ahi, a), within(blo + 0.05, bhi - 0.03, b))).collect();
    let ties = [[0.0, 0.0], [1.0, 1.0], [2.0, 1.0], [1e-9, 2.0], [30.0, 1.0], [30.0, 2.0]];
    // On both sides of a tie.
    let near = |at: f64, by: f64| sample(number(at), number(at + by)).distinct();
    all.extend([0.7, 1.0].into_iter().flat_map(|at| [-0.004, -0.003, 0.003, 0.004].map(|by| near(at, by))));
    all.extend(ties.into_iter().map(|[a, b]| {
        // Next to an order of 0: `y' (log(x) - digamma(a)) - y digamma'(a)`.
        let cancels = op == Binary::GammaIncDx && a < 1e-3;
        Sample { cancels, ..sample(number(a), number(b)).rough().distinct() }
    }));
    all
}
