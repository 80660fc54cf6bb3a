//! Formulas: `x * y + x.powi(2)` on plain handles builds a lazy, `Copy` expression; `g.eval` (or any op that takes one)
//! records it.
//!
//! One definition gives both spellings: the methods here and the graph's methods come from the same table. A formula is
//! a value like an iterator adaptor: it computes nothing until it is recorded, and recording it twice computes it twice,
//! so a name that is used in several formulas deserves an `eval` of its own.

mod statement;

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::kernel::functions::Functions;
use crate::kernel::program::{Slot, Step};
use crate::op::table::unary_table;
use crate::op::{Binary, Params, Tuned, Unary};
use crate::var::Var;

pub use statement::{Signature, Statement};

/// What a formula is recorded on.
#[doc(hidden)]
pub trait Recorder<T: Functions> {
    fn unary(&self, op: Unary, x: Var) -> Var;
    fn tuned(&self, op: Tuned, p: Params, x: Var) -> Var;
    fn binary(&self, op: Binary, a: Var, b: Var) -> Var;
    fn number(&self, value: f64) -> Var;
}

macro_rules! unary_methods {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        macro_rules! with_unary_methods {
            () => { $($(#[$doc])* fn $name(self) -> Formula<Map<Self>> { Formula(Map { op: Unary::$Variant, x: self }) })* };
        }
    };
}
unary_table!(unary_methods);

/// A handle, or a formula of handles and numbers: what ops take as an argument.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no argument of an op",
    label = "expected a `Var` or a formula of `Var`s",
    note = "record arrays with g.leaf(..) or g.constant(..) first"
)]
#[must_use = "a formula is lazy: record it with g.eval(..)"]
pub trait Expr: Operand {
    /// `self` to the whole power `n`.
    fn powi(self, n: i32) -> Formula<Tune<Self>> {
        tune(Tuned::Powi, [f64::from(n), 0.0], self)
    }
    /// `self` to a constant power.
    fn powf(self, p: f64) -> Formula<Tune<Self>> {
        tune(Tuned::Powf, [p, 0.0], self)
    }
    /// `self` to the power `other`.
    fn pow<B: Operand>(self, other: B) -> Formula<Zip<Self, B>> {
        zip(Binary::Pow, self, other)
    }
    /// The larger of the two; a tie gives half of the cotangent to each side.
    fn maximum<B: Operand>(self, other: B) -> Formula<Zip<Self, B>> {
        zip(Binary::Maximum, self, other)
    }
    /// The smaller of the two; a tie gives half of the cotangent to each side.
    fn minimum<B: Operand>(self, other: B) -> Formula<Zip<Self, B>> {
        zip(Binary::Minimum, self, other)
    }
    /// The angle of the point with ordinate `self` and abscissa `other`.
    fn atan2<B: Operand>(self, other: B) -> Formula<Zip<Self, B>> {
        zip(Binary::Atan2, self, other)
    }
    /// `sqrt(self^2 + other^2)` without overflow.
    fn hypot<B: Operand>(self, other: B) -> Formula<Zip<Self, B>> {
        zip(Binary::Hypot, self, other)
    }
    /// `log(e^self + e^other)` without overflow.
    fn logaddexp<B: Operand>(self, other: B) -> Formula<Zip<Self, B>> {
        zip(Binary::LogAddExp, self, other)
    }
    /// `self` held between two bounds; the gradient is 1 strictly between them and 0 elsewhere.
    fn clamp(self, lo: f64, hi: f64) -> Formula<Tune<Self>> {
        tune(Tuned::Clamp, [lo, hi], self)
    }
    /// `self` where positive, `slope * self` elsewhere.
    fn leaky_relu(self, slope: f64) -> Formula<Tune<Self>> {
        tune(Tuned::LeakyRelu, [slope, 0.0], self)
    }
    /// `self` where positive, `alpha * (e^self - 1)` elsewhere.
    fn elu(self, alpha: f64) -> Formula<Tune<Self>> {
        tune(Tuned::Elu, [alpha, 0.0], self)
    }
    /// `log(1 + e^self)`.
    fn softplus(self) -> Formula<Tune<Self>> {
        tune(Tuned::Softplus, [1.0, 20.0], self)
    }
    /// `self` times the normal distribution function of `self`.
    fn gelu(self) -> Formula<Tune<Self>> {
        tune(Tuned::Gelu, [0.0, 0.0], self)
    }
    /// The approximation of [`Expr::gelu`] by tanh.
    fn gelu_tanh(self) -> Formula<Tune<Self>> {
        tune(Tuned::Gelu, [1.0, 0.0], self)
    }
    /// The derivative of order `n` of `digamma`.
    fn polygamma(self, n: u32) -> Formula<Tune<Self>> {
        tune(Tuned::Polygamma, [f64::from(n), 0.0], self)
    }
    with_unary_methods!();
}

/// What stands on either side of an operator: a handle, a formula or a number.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand in a formula",
    label = "expected a `Var`, a formula, or a number (`f64`, `f32`, `i32`)"
)]
pub trait Operand: Statement {
    /// Records what has to be recorded.
    #[doc(hidden)]
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Recorded;
    /// Writes the steps of a program.
    #[doc(hidden)]
    fn lower(self, program: &mut Lowering) -> Piece;
    /// Whether one of the handles satisfies `f`.
    #[doc(hidden)]
    fn any(self, f: &impl Fn(Var) -> bool) -> bool;
    /// How many ops.
    #[doc(hidden)]
    const OPS: usize;
}

/// A recorded operand: numbers are not recorded on their own.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Recorded {
    Node(Var),
    Number(f64),
}

/// A formula: see [`Expr`].
#[derive(Clone, Copy, Debug)]
#[must_use = "a formula is lazy: record it with g.eval(..)"]
pub struct Formula<E>(E);

/// `op(x)`
#[derive(Clone, Copy, Debug)]
pub struct Map<X> {
    op: Unary,
    x: X,
}

/// `op(x)` with attributes
#[derive(Clone, Copy, Debug)]
pub struct Tune<X> {
    op: Tuned,
    p: Params,
    x: X,
}

/// `op(a, b)`
#[derive(Clone, Copy, Debug)]
pub struct Zip<A, B> {
    op: Binary,
    a: A,
    b: B,
}

fn tune<X>(op: Tuned, p: Params, x: X) -> Formula<Tune<X>> {
    Formula(Tune { op, p, x })
}

fn zip<A, B>(op: Binary, a: A, b: B) -> Formula<Zip<A, B>> {
    Formula(Zip { op, a, b })
}

impl Operand for Var {
    #[inline(always)]
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, _tape: &R) -> Recorded {
        Recorded::Node(self)
    }
    fn lower(self, program: &mut Lowering) -> Piece {
        program.leaf(self)
    }
    #[inline(always)]
    fn any(self, f: &impl Fn(Var) -> bool) -> bool {
        f(self)
    }
    const OPS: usize = 0;
}
impl Expr for Var {}

macro_rules! numbers {
    ($($N:ty)*) => { $(impl Operand for $N {
        #[inline(always)]
        fn record<T: Functions, R: Recorder<T> + ?Sized>(self, _tape: &R) -> Recorded { Recorded::Number(f64::from(self)) }
        fn lower(self, _program: &mut Lowering) -> Piece { Piece::Number(f64::from(self)) }
        #[inline(always)]
        fn any(self, _f: &impl Fn(Var) -> bool) -> bool { false }
        const OPS: usize = 0;
    })* };
}
numbers! { f64 f32 i32 }

impl Recorded {
    #[inline(always)]
    fn var<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Var {
        match self {
            Recorded::Node(v) => v,
            Recorded::Number(value) => tape.number(value),
        }
    }
}

/// Records an expression as a node.
#[inline(always)]
pub(crate) fn record<T: Functions, R: Recorder<T> + ?Sized>(tape: &R, x: impl Operand) -> Var {
    x.record(tape).var(tape)
}

impl<X: Operand> Operand for Formula<Map<X>> {
    #[inline(always)]
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Recorded {
        let x = record(tape, self.0.x);
        Recorded::Node(tape.unary(self.0.op, x))
    }
    fn lower(self, program: &mut Lowering) -> Piece {
        let x = self.0.x.lower(program);
        program.unary(self.0.op, x)
    }
    #[inline(always)]
    fn any(self, f: &impl Fn(Var) -> bool) -> bool {
        self.0.x.any(f)
    }
    const OPS: usize = X::OPS + 1;
}

impl<X: Operand> Operand for Formula<Tune<X>> {
    #[inline(always)]
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Recorded {
        let x = record(tape, self.0.x);
        Recorded::Node(tape.tuned(self.0.op, self.0.p, x))
    }
    fn lower(self, program: &mut Lowering) -> Piece {
        let x = self.0.x.lower(program);
        program.tuned(self.0.op, self.0.p, x)
    }
    #[inline(always)]
    fn any(self, f: &impl Fn(Var) -> bool) -> bool {
        self.0.x.any(f)
    }
    const OPS: usize = X::OPS + 1;
}

impl<A: Operand, B: Operand> Operand for Formula<Zip<A, B>> {
    #[inline(always)]
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Recorded {
        let (a, b) = (self.0.a.record(tape), self.0.b.record(tape));
        Recorded::Node(match (self.0.op.with_number(a, b), a, b) {
            (Some((op, c, x)), ..) => tape.tuned(op, [c, 0.0], x),
            (None, a, b) => tape.binary(self.0.op, a.var(tape), b.var(tape)),
        })
    }
    fn lower(self, program: &mut Lowering) -> Piece {
        let (a, b) = (self.0.a.lower(program), self.0.b.lower(program));
        program.binary(self.0.op, a, b)
    }
    #[inline(always)]
    fn any(self, f: &impl Fn(Var) -> bool) -> bool {
        self.0.a.any(f) || self.0.b.any(f)
    }
    const OPS: usize = A::OPS + B::OPS + 1;
}

impl Binary {
    /// The op of one argument that this one is where the other is a number.
    #[inline(always)]
    fn with_number(self, a: Recorded, b: Recorded) -> Option<(Tuned, f64, Var)> {
        match (a, b) {
            (Recorded::Node(x), Recorded::Number(c)) => self.number_right(c).map(|(op, c)| (op, c, x)),
            (Recorded::Number(c), Recorded::Node(x)) => self.number_left().map(|op| (op, c, x)),
            _ => None,
        }
    }

    #[inline(always)]
    fn number_right(self, c: f64) -> Option<(Tuned, f64)> {
        match self {
            Binary::Add => Some((Tuned::Shift, c)),
            Binary::Sub => Some((Tuned::Shift, -c)),
            Binary::Mul => Some((Tuned::Scale, c)),
            Binary::Div => Some((Tuned::DivBy, c)),
            Binary::Pow => Some((Tuned::Powf, c)),
            _ => None,
        }
    }

    #[inline(always)]
    fn number_left(self) -> Option<Tuned> {
        match self {
            Binary::Add => Some(Tuned::Shift),
            Binary::Sub => Some(Tuned::SubFrom),
            Binary::Mul => Some(Tuned::Scale),
            Binary::Div => Some(Tuned::DivInto),
            _ => None,
        }
    }
}

/// A program under construction. Equal steps are written once.
#[doc(hidden)]
#[derive(Default)]
pub struct Lowering {
    pub(crate) steps: Vec<Step>,
    pub(crate) leaves: Vec<Var>,
    pub(crate) numbers: Vec<f64>,
    /// A handle that comes up twice is two leaves: the program is that of every formula of the type.
    pub(crate) apart: bool,
    /// A number met an op that has no form for it, so that it has to be recorded as a constant.
    pub(crate) refused: bool,
}

/// A part of a program under construction.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Piece {
    Slot(Slot),
    Number(f64),
}

impl Lowering {
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.leaves.clear();
        self.numbers.clear();
        self.refused = false;
        self.apart = false;
    }

    fn leaf(&mut self, v: Var) -> Piece {
        let known = self.leaves.iter().position(|l| *l == v && !self.apart);
        Piece::Slot(Slot::Leaf(known.unwrap_or_else(|| {
            self.leaves.push(v);
            self.leaves.len() - 1
        }) as u16))
    }

    fn step(&mut self, step: Step) -> Piece {
        let known = self.steps.iter().position(|s| *s == step);
        Piece::Slot(Slot::Step(known.unwrap_or_else(|| {
            self.steps.push(step);
            self.steps.len() - 1
        }) as u16))
    }

    /// The slot of a part; a bare number where a program has no place for one spoils it.
    fn slot(&mut self, x: Piece) -> Slot {
        match x {
            Piece::Slot(slot) => slot,
            Piece::Number(_) => {
                self.refused = true;
                Slot::Leaf(0)
            }
        }
    }

    fn unary(&mut self, op: Unary, x: Piece) -> Piece {
        let x = self.slot(x);
        self.step(Step::Unary(op, x))
    }

    fn tuned(&mut self, op: Tuned, p: Params, x: Piece) -> Piece {
        let x = self.slot(x);
        let same = |s: &Step| matches!(*s, Step::Tuned(o, a, at) if o == op && a == x && self.numbers[at as usize..][..2] == p);
        if let Some(known) = self.steps.iter().position(same) {
            return Piece::Slot(Slot::Step(known as u16));
        }
        self.numbers.extend(p);
        self.step(Step::Tuned(op, x, self.numbers.len() as u16 - 2))
    }

    fn binary(&mut self, op: Binary, a: Piece, b: Piece) -> Piece {
        match (a, b) {
            (Piece::Slot(x), Piece::Number(c)) => match op.number_right(c) {
                Some((op, c)) => return self.tuned(op, [c, 0.0], Piece::Slot(x)),
                None => self.refused = true,
            },
            (Piece::Number(c), Piece::Slot(x)) => match op.number_left() {
                Some(op) => return self.tuned(op, [c, 0.0], Piece::Slot(x)),
                None => self.refused = true,
            },
            _ => {}
        }
        let (a, b) = (self.slot(a), self.slot(b));
        self.step(Step::Binary(op, a, b))
    }
}

impl<E: Copy> Expr for Formula<E> where Formula<E>: Operand {}

macro_rules! operators {
    ($($Op:ident $op:ident)*) => { $(
        impl<B: Operand> $Op<B> for Var {
            type Output = Formula<Zip<Var, B>>;
            fn $op(self, other: B) -> Self::Output { zip(Binary::$Op, self, other) }
        }
        impl<E, B: Operand> $Op<B> for Formula<E> {
            type Output = Formula<Zip<Formula<E>, B>>;
            fn $op(self, other: B) -> Self::Output { zip(Binary::$Op, self, other) }
        }
        number_on_the_left!($Op $op f64);
        number_on_the_left!($Op $op i32);
    )* };
}
macro_rules! number_on_the_left {
    ($Op:ident $op:ident $N:ty) => {
        impl $Op<Var> for $N {
            type Output = Formula<Zip<$N, Var>>;
            fn $op(self, other: Var) -> Self::Output {
                zip(Binary::$Op, self, other)
            }
        }
        impl<E> $Op<Formula<E>> for $N {
            type Output = Formula<Zip<$N, Formula<E>>>;
            fn $op(self, other: Formula<E>) -> Self::Output {
                zip(Binary::$Op, self, other)
            }
        }
    };
}
operators! { Add add Sub sub Mul mul Div div }

impl Neg for Var {
    type Output = Formula<Map<Var>>;
    fn neg(self) -> Self::Output {
        Formula(Map { op: Unary::Neg, x: self })
    }
}
impl<E> Neg for Formula<E> {
    type Output = Formula<Map<Formula<E>>>;
    fn neg(self) -> Self::Output {
        Formula(Map { op: Unary::Neg, x: self })
    }
}
