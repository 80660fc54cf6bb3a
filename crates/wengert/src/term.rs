//! [`Term`]: a recorded value that rules compute with as if it were a number.

use std::ops::{Add, Div, Mul, Neg, Sub};

use smallvec::SmallVec;

use crate::kernel::level::SCALAR;
use crate::kernel::number::{Number, binary_primal, tuned_primal, unary_primal};
use crate::op::table::{tuned_table, unary_table};
use crate::op::*;
use crate::rule::{Dtype, Record};
use crate::shape::{Axes, Shape};
use crate::var::Var;
use crate::words::*;

/// A node of the tape, or a literal that has not been recorded (and mostly never will).
#[derive(Clone, Copy)]
pub struct Term<'r> {
    tape: &'r dyn Record,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Node(Var),
    Literal(f64),
}

type Plain = Number<f64, SCALAR>;

impl<'r> Term<'r> {
    pub fn new(tape: &'r dyn Record, v: Var) -> Self {
        Term { tape, kind: Kind::Node(v) }
    }

    pub fn tape(self) -> &'r dyn Record {
        self.tape
    }

    fn literal(self, value: f64) -> Self {
        Term { tape: self.tape, kind: Kind::Literal(value) }
    }

    /// The node, recorded as a 0-d constant if this is a literal.
    pub fn var(self) -> Var {
        match self.kind {
            Kind::Node(v) => v,
            Kind::Literal(value) => self.tape.filled(&[], value),
        }
    }

    pub fn shape(self) -> Shape {
        match self.kind {
            Kind::Node(v) => self.tape.shape_of(v),
            Kind::Literal(_) => Shape::new(),
        }
    }

    pub fn dtype(self) -> Dtype {
        match self.kind {
            Kind::Node(v) => self.tape.dtype_of(v),
            Kind::Literal(_) => Dtype::Real,
        }
    }

    pub fn ndim(self) -> usize {
        self.shape().len()
    }

    /// Records an op of one result on this and further arguments.
    pub fn apply(self, op: impl Into<Op>, rest: &[Self]) -> Self {
        self.record(&op.into(), rest)
    }

    fn record(self, op: &Op, rest: &[Self]) -> Self {
        let mut vars: SmallVec<[Var; 4]> = SmallVec::with_capacity(1 + rest.len());
        vars.push(self.var());
        vars.extend(rest.iter().map(|t| t.var()));
        Term::new(self.tape, self.tape.apply(op, &vars)[0])
    }

    /// A constant of one value on the same tape.
    pub fn full(self, shape: &[usize], value: f64) -> Self {
        Term::new(self.tape, self.tape.filled(shape, value))
    }

    pub fn sum(self, axes: &[usize], keepdims: bool) -> Self {
        self.apply(Sum { axes: Some(signed(axes)), keepdims }, &[])
    }

    pub fn sum_all(self) -> Self {
        self.apply(Sum::default(), &[])
    }

    pub fn broadcast_to(self, shape: &[usize]) -> Self {
        if let Kind::Literal(value) = self.kind {
            return self.full(shape, value);
        }
        if &self.shape()[..] == shape {
            return self;
        }
        self.apply(BroadcastTo { shape: shape.into() }, &[])
    }

    pub fn reshape(self, shape: &[usize]) -> Self {
        if &self.shape()[..] == shape {
            return self;
        }
        self.apply(Reshape { shape: signed(shape) }, &[])
    }

    pub fn permute(self, axes: &[usize]) -> Self {
        self.apply(Permute { axes: signed(axes) }, &[])
    }

    /// The last two axes swapped.
    pub fn t(self) -> Self {
        self.apply(Transpose { axis0: -2, axis1: -1 }, &[])
    }

    pub fn unsqueeze(self, axis: usize) -> Self {
        self.apply(Unsqueeze { axis: axis as isize }, &[])
    }

    pub fn matmul(self, other: Self) -> Self {
        self.apply(MatMul {}, &[other])
    }

    pub fn slice(self, axis: usize, start: usize, stop: usize) -> Self {
        let (start, stop) = (Some(start as isize), Some(stop as isize));
        self.apply(Slice { axis: axis as isize, start, stop, step: 1 }, &[])
    }

    pub fn detach(self) -> Self {
        self.apply(Detach {}, &[])
    }

    fn unary(self, op: Unary) -> Self {
        match self.kind {
            Kind::Literal(x) => self.literal(unary_primal(op, Plain::from(x)).0),
            Kind::Node(_) => self.apply(Op::Unary(op), &[]),
        }
    }

    fn tuned(self, op: Tuned, p: Params) -> Self {
        match self.kind {
            Kind::Literal(x) => self.literal(tuned_primal(op, p, Plain::from(x)).0),
            Kind::Node(_) => self.apply(Op::Tuned(op, p), &[]),
        }
    }

    fn binary(self, op: Binary, other: Self) -> Self {
        match (self.kind, other.kind) {
            (Kind::Literal(a), Kind::Literal(b)) => {
                self.literal(binary_primal(op, Plain::from(a), Plain::from(b)).0)
            }
            _ => self.apply(Op::Binary(op), &[other]),
        }
    }

    fn compare(self, op: Compare, other: Self) -> Self {
        self.apply(Op::Compare(op), &[other])
    }
}

impl From<f64> for Plain {
    fn from(x: f64) -> Self {
        Number(x)
    }
}

/// Axes or lengths as attributes hold them.
pub fn signed(values: &[usize]) -> Axes {
    values.iter().map(|&v| v as isize).collect()
}

impl Add for Term<'_> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        match (self.kind, other.kind) {
            (Kind::Node(_), Kind::Literal(0.0)) => self,
            (Kind::Literal(0.0), Kind::Node(_)) => other,
            (Kind::Node(_), Kind::Literal(c)) => self.tuned(Tuned::Shift, [c, 0.0]),
            (Kind::Literal(c), Kind::Node(_)) => other.tuned(Tuned::Shift, [c, 0.0]),
            _ => self.binary(Binary::Add, other),
        }
    }
}

impl Sub for Term<'_> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        match (self.kind, other.kind) {
            (Kind::Node(_), Kind::Literal(0.0)) => self,
            (Kind::Node(_), Kind::Literal(c)) => self.tuned(Tuned::Shift, [-c, 0.0]),
            (Kind::Literal(c), Kind::Node(_)) => other.tuned(Tuned::SubFrom, [c, 0.0]),
            _ => self.binary(Binary::Sub, other),
        }
    }
}

impl Mul for Term<'_> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        match (self.kind, other.kind) {
            (Kind::Node(_), Kind::Literal(1.0)) => self,
            (Kind::Literal(1.0), Kind::Node(_)) => other,
            (Kind::Node(_), Kind::Literal(-1.0)) => -self,
            (Kind::Literal(-1.0), Kind::Node(_)) => -other,
            (Kind::Node(_), Kind::Literal(c)) => self.tuned(Tuned::Scale, [c, 0.0]),
            (Kind::Literal(c), Kind::Node(_)) => other.tuned(Tuned::Scale, [c, 0.0]),
            _ => self.binary(Binary::Mul, other),
        }
    }
}

impl Div for Term<'_> {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        match (self.kind, other.kind) {
            (Kind::Node(_), Kind::Literal(1.0)) => self,
            (Kind::Literal(1.0), Kind::Node(_)) => other.reciprocal(),
            (Kind::Node(_), Kind::Literal(c)) => self.tuned(Tuned::DivBy, [c, 0.0]),
            (Kind::Literal(c), Kind::Node(_)) => other.tuned(Tuned::DivInto, [c, 0.0]),
            _ => self.binary(Binary::Div, other),
        }
    }
}

impl Neg for Term<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        self.unary(Unary::Neg)
    }
}

macro_rules! unary_terms {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        impl UnaryWords for Term<'_> { $(fn $name(self) -> Self { self.unary(Unary::$Variant) })* }
    };
}
macro_rules! tuned_terms {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        impl TunedWords for Term<'_> {
            $(fn $name(self, p: Params) -> Self { self.tuned(Tuned::$Variant, p) })*
        }
    };
}
unary_table!(unary_terms);
tuned_table!(tuned_terms);

impl BinaryWords for Term<'_> {
    fn pow(self, other: Self) -> Self {
        self.binary(Binary::Pow, other)
    }
    fn hypot(self, other: Self) -> Self {
        self.binary(Binary::Hypot, other)
    }
    fn sigmoid_gap(self, other: Self) -> Self {
        self.binary(Binary::SigmoidGap, other)
    }
    fn sigmoid2_gap(self, other: Self) -> Self {
        self.binary(Binary::Sigmoid2Gap, other)
    }
    fn log_digamma_gap(self, other: Self) -> Self {
        self.binary(Binary::LogDigammaGap, other)
    }
    fn polygamma_gap(self, other: Self, n: u32) -> Self {
        self.apply(PolygammaGap { n }, &[other])
    }
    fn digamma_gap(self, other: Self) -> Self {
        self.binary(Binary::DigammaGap, other)
    }
    fn gammainc_dx(self, other: Self) -> Self {
        self.binary(Binary::GammaIncDx, other)
    }
    fn gammainc_da(self, other: Self) -> Self {
        self.apply(GammaIncDa {}, &[other])
    }
}

impl Words for Term<'_> {
    type Mask = Self;
    const RECORDED: bool = true;
    fn lit(self, value: f64) -> Self {
        self.literal(value)
    }
    fn lt(self, other: Self) -> Self {
        self.compare(Compare::Lt, other)
    }
    fn le(self, other: Self) -> Self {
        self.compare(Compare::Le, other)
    }
    fn gt(self, other: Self) -> Self {
        self.compare(Compare::Gt, other)
    }
    fn ge(self, other: Self) -> Self {
        self.compare(Compare::Ge, other)
    }
    fn eq(self, other: Self) -> Self {
        self.compare(Compare::Eq, other)
    }
    fn select(mask: Self, yes: Self, no: Self) -> Self {
        mask.apply(Where {}, &[yes, no])
    }
}
