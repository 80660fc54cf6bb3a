//! Formulas: `x * y + x.powi(2)` on plain handles builds a lazy, `Copy` expression; `g.eval` (or any op that takes one)
//! records it.
//!
//! One definition gives both spellings: the methods here and the graph's methods come from the same table. A formula is
//! a value like an iterator adaptor: it computes nothing until it is recorded, and recording it twice computes it twice,
//! so a name that is used in several formulas deserves an `eval` of its own.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::kernel::functions::Functions;
use crate::op::table::unary_table;
use crate::op::{Binary, Op, Params, Tuned, Unary};
use crate::var::Var;

/// What a formula is recorded on.
#[doc(hidden)]
pub trait Recorder<T: Functions> {
    fn record_formula_op(&self, op: &Op, args: &[Var]) -> Var;
    fn record_number(&self, value: f64) -> Var;
    fn check_handle(&self, v: Var) -> Var;
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
pub trait Operand: Copy {
    /// Records what has to be recorded.
    #[doc(hidden)]
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Recorded;
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
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Recorded {
        Recorded::Node(tape.check_handle(self))
    }
}
impl Expr for Var {}

macro_rules! numbers {
    ($($N:ty)*) => { $(impl Operand for $N {
        fn record<T: Functions, R: Recorder<T> + ?Sized>(self, _tape: &R) -> Recorded { Recorded::Number(f64::from(self)) }
    })* };
}
numbers! { f64 f32 i32 }

impl Recorded {
    fn var<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Var {
        match self {
            Recorded::Node(v) => v,
            Recorded::Number(value) => tape.record_number(value),
        }
    }
}

/// Records an expression as a node.
pub(crate) fn record<T: Functions, R: Recorder<T> + ?Sized>(tape: &R, x: impl Operand) -> Var {
    x.record(tape).var(tape)
}

impl<X: Operand> Operand for Formula<Map<X>> {
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Recorded {
        let x = record(tape, self.0.x);
        Recorded::Node(tape.record_formula_op(&Op::Unary(self.0.op), &[x]))
    }
}

impl<X: Operand> Operand for Formula<Tune<X>> {
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Recorded {
        let x = record(tape, self.0.x);
        Recorded::Node(tape.record_formula_op(&Op::Tuned(self.0.op, self.0.p), &[x]))
    }
}

impl<A: Operand, B: Operand> Operand for Formula<Zip<A, B>> {
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Recorded {
        let (a, b) = (self.0.a.record(tape), self.0.b.record(tape));
        Recorded::Node(match (self.0.op.with_number(a, b), a, b) {
            (Some((op, c, x)), ..) => tape.record_formula_op(&Op::Tuned(op, [c, 0.0]), &[x]),
            (None, a, b) => tape.record_formula_op(&Op::Binary(self.0.op), &[a.var(tape), b.var(tape)]),
        })
    }
}

impl Binary {
    /// The op of one argument that this one is where the other is a number.
    fn with_number(self, a: Recorded, b: Recorded) -> Option<(Tuned, f64, Var)> {
        use Recorded::{Node, Number};
        match (self, a, b) {
            (Binary::Add, Node(x), Number(c)) | (Binary::Add, Number(c), Node(x)) => {
                Some((Tuned::Shift, c, x))
            }
            (Binary::Sub, Node(x), Number(c)) => Some((Tuned::Shift, -c, x)),
            (Binary::Sub, Number(c), Node(x)) => Some((Tuned::SubFrom, c, x)),
            (Binary::Mul, Node(x), Number(c)) | (Binary::Mul, Number(c), Node(x)) => {
                Some((Tuned::Scale, c, x))
            }
            (Binary::Div, Node(x), Number(c)) => Some((Tuned::DivBy, c, x)),
            (Binary::Div, Number(c), Node(x)) => Some((Tuned::DivInto, c, x)),
            (Binary::Pow, Node(x), Number(c)) => Some((Tuned::Powf, c, x)),
            _ => None,
        }
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
