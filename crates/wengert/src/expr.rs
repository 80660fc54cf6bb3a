//! Formulas: `x * y + x.powi(2)` on plain handles builds a lazy, `Copy` expression; `g.eval` (or any op that takes one)
//! records it.
//!
//! One definition gives both spellings: the methods here and the graph's methods come from the same table. A formula is
//! a value like an iterator adaptor: it computes nothing until it is recorded, and recording it twice computes it twice,
//! so a name that is used in several formulas deserves an `eval` of its own.

mod lowering;
mod statement;

use std::fmt::{self, Debug, Formatter};
use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::kernel::functions::Functions;
use crate::op::table::unary_table;
use crate::op::{Binary, Params, Tuned, Unary};
use crate::var::Var;

pub use lowering::{Lowering, Piece};
pub use statement::Statement;

/// What a formula is recorded on.
#[doc(hidden)]
pub trait Recorder<T: Functions> {
    #[track_caller]
    fn unary<const OP: u8>(&self, x: Var) -> Var;
    #[track_caller]
    fn tuned(&self, op: Tuned, p: Params, x: Var) -> Var;
    #[track_caller]
    fn binary<const OP: u8>(&self, a: Var, b: Var) -> Var;
    fn number(&self, value: f64) -> Var;
}

macro_rules! unary_methods {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        macro_rules! with_unary_methods {
            () => { $($(#[$doc])* fn $name(self) -> Formula<Map<{ Unary::$Variant as u8 }, Self>> { Formula(Map { x: self }) })* };
        }
    };
}
unary_table!(unary_methods);

macro_rules! tuned_methods {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) $Variant:ident [$p0:expr, $p1:expr];)*) => { $(
        $(#[$doc])*
        fn $name(self $(, $arg: $ty)*) -> Formula<Tune<{ Tuned::$Variant as u8 }, Self>> { tune([$p0, $p1], self) }
    )* };
}
macro_rules! binary_methods {
    ($($(#[$doc:meta])* $name:ident $Variant:ident;)*) => { $(
        $(#[$doc])*
        fn $name<B: Operand>(self, other: B) -> Formula<Zip<{ Binary::$Variant as u8 }, Self, B>> { zip(self, other) }
    )* };
}

/// A handle, or a formula of handles and numbers: what ops take as an argument.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no argument of an op",
    label = "expected a `Var` or a formula of `Var`s",
    note = "record arrays with g.leaf(..) or g.constant(..) first"
)]
#[must_use = "a formula is lazy: record it with g.eval(..)"]
pub trait Expr: Operand {
    /// `self` as a formula, which has the operators: for helpers that take any expression. See [`Formula`].
    fn formula(self) -> Formula<Self> {
        Formula(self)
    }
    tuned_methods! {
        /// `self` to the whole power `n`.
        powi(n: i32) Powi [f64::from(n), 0.0];
        /// `self` to a constant power.
        powf(p: f64) Powf [p, 0.0];
        /// `self` held between two bounds; the gradient is 1 strictly between them and 0 elsewhere.
        clamp(lo: f64, hi: f64) Clamp [lo, hi];
        /// `self` where positive, `slope * self` elsewhere.
        leaky_relu(slope: f64) LeakyRelu [slope, 0.0];
        /// `self` where positive, `alpha * (e^self - 1)` elsewhere.
        elu(alpha: f64) Elu [alpha, 0.0];
        /// `self` where positive, `alpha * (e^(self / alpha) - 1)` elsewhere.
        celu(alpha: f64) Celu [alpha, 0.0];
        /// `self` where `|self| > lambda`, 0 elsewhere.
        hardshrink(lambda: f64) Hardshrink [lambda, 0.0];
        /// `self` drawn towards 0 by `lambda`, 0 where `|self| <= lambda`.
        softshrink(lambda: f64) Softshrink [lambda, 0.0];
        /// `self` where above `bound`, `value` elsewhere.
        threshold(bound: f64, value: f64) Threshold [bound, value];
        /// `log(1 + e^self)`.
        softplus() Softplus [1.0, 20.0];
        /// The derivative of order `n` of `digamma`.
        polygamma(n: u32) Polygamma [f64::from(n), 0.0];
    }
    binary_methods! {
        /// `self` to the power `other`.
        pow Pow;
        /// The larger of the two; a tie gives half of the cotangent to each side.
        maximum Maximum;
        /// The smaller of the two; a tie gives half of the cotangent to each side.
        minimum Minimum;
        /// As [`Expr::maximum`], but the other one where one is NaN.
        fmax Fmax;
        /// As [`Expr::minimum`], but the other one where one is NaN.
        fmin Fmin;
        /// `self - other floor(self / other)`, of the sign of `other`.
        remainder Remainder;
        /// `self - other trunc(self / other)`, of the sign of `self`.
        fmod Fmod;
        /// `floor(self / other)`; the gradient is 0.
        floor_divide FloorDivide;
        /// `|self|` with the sign of `other`.
        copysign Copysign;
        /// `self` where positive, `slope self` elsewhere.
        prelu Prelu;
        /// The angle of the point with ordinate `self` and abscissa `other`.
        atan2 Atan2;
        /// `sqrt(self^2 + other^2)` without overflow.
        hypot Hypot;
        /// `log(e^self + e^other)` without overflow.
        logaddexp LogAddExp;
        /// `log2(2^self + 2^other)` without overflow.
        logaddexp2 LogAddExp2;
        /// `self log(other)`, 0 where `self = 0`.
        xlogy Xlogy;
        /// `self log(1 + other)`, 0 where `self = 0`.
        xlog1py Xlog1py;
        /// Logarithm of the beta function.
        betaln Betaln;
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
    #[track_caller]
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Recorded;
    /// Writes the steps of a program.
    #[doc(hidden)]
    fn lower(self, program: &mut Lowering) -> Piece;
    /// Gives each handle, from left to right.
    #[doc(hidden)]
    fn leaves(self, give: &mut impl FnMut(Var));
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

/// A formula: see [`Expr`]. `Formula<impl Expr>` is what a helper returns that writes a part of one.
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// # fn main() -> wengert::Result<()> {
/// /// `x sigmoid(slope x)`
/// fn swish(x: impl Expr, slope: f64) -> Formula<impl Expr> {
///     let x = x.formula();
///     x * (slope * x).sigmoid()
/// }
///
/// let mut g = Graph::new();
/// let x = g.leaf(array![0.0, 4.0]);
/// let y = g.sum(3.0 * swish(x, 1.0) - swish(x * x, 0.0));
/// g.backward(y)?;
/// assert_eq!(g.grad(x).unwrap()[0], 1.5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a formula is lazy: record it with g.eval(..)"]
pub struct Formula<E>(E);

/// `op(x)`. Ops are numbered as in their tables: a number in a type costs nothing, where a type for each op would be a
/// hundred more to compile.
#[derive(Clone, Copy)]
pub struct Map<const OP: u8, X> {
    x: X,
}

/// `op(x)` with attributes
#[derive(Clone, Copy)]
pub struct Tune<const OP: u8, X> {
    p: Params,
    x: X,
}

/// `op(a, b)`
#[derive(Clone, Copy)]
pub struct Zip<const OP: u8, A, B> {
    a: A,
    b: B,
}

impl<const OP: u8, X> Map<OP, X> {
    const OP: Unary = Unary::ALL[OP as usize];
}
impl<const OP: u8, X> Tune<OP, X> {
    const OP: Tuned = Tuned::ALL[OP as usize];
}
impl<const OP: u8, A, B> Zip<OP, A, B> {
    const OP: Binary = Binary::ALL[OP as usize];
}

impl<const OP: u8, X: Debug> Debug for Map<OP, X> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple(Self::OP.name()).field(&self.x).finish()
    }
}
impl<const OP: u8, X: Debug> Debug for Tune<OP, X> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple(Self::OP.name()).field(&self.x).field(&self.p).finish()
    }
}
impl<const OP: u8, A: Debug, B: Debug> Debug for Zip<OP, A, B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple(Self::OP.name()).field(&self.a).field(&self.b).finish()
    }
}

/// `op(x)` as a formula.
pub(crate) fn tune<const OP: u8, X>(p: Params, x: X) -> Formula<Tune<OP, X>> {
    Formula(Tune { p, x })
}

/// `op(a, b)` as a formula.
pub(crate) fn zip<const OP: u8, A, B>(a: A, b: B) -> Formula<Zip<OP, A, B>> {
    Formula(Zip { a, b })
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
    fn leaves(self, give: &mut impl FnMut(Var)) {
        give(self);
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
        fn leaves(self, _give: &mut impl FnMut(Var)) {}
        const OPS: usize = 0;
    })* };
}
numbers! { f64 f32 i32 }

impl Recorded {
    #[inline(always)]
    #[track_caller]
    fn var<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Var {
        match self {
            Recorded::Node(v) => v,
            Recorded::Number(value) => tape.number(value),
        }
    }
}

/// Records an expression as a node.
#[inline(always)]
#[track_caller]
pub(crate) fn record<T: Functions, R: Recorder<T> + ?Sized>(tape: &R, x: impl Operand) -> Var {
    x.record(tape).var(tape)
}

/// What the op says that it ends with.
impl<E: Expr> Operand for Formula<E> {
    #[inline(always)]
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Recorded {
        self.0.record(tape)
    }
    fn lower(self, program: &mut Lowering) -> Piece {
        self.0.lower(program)
    }
    #[inline(always)]
    fn leaves(self, give: &mut impl FnMut(Var)) {
        self.0.leaves(give);
    }
    const OPS: usize = E::OPS;
}

impl<const OP: u8, X: Operand> Operand for Map<OP, X> {
    #[inline(always)]
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Recorded {
        let x = record(tape, self.x);
        Recorded::Node(tape.unary::<OP>(x))
    }
    fn lower(self, program: &mut Lowering) -> Piece {
        let x = self.x.lower(program);
        program.unary(Map::<OP, X>::OP, x)
    }
    #[inline(always)]
    fn leaves(self, give: &mut impl FnMut(Var)) {
        self.x.leaves(give);
    }
    const OPS: usize = X::OPS + 1;
}

impl<const OP: u8, X: Operand> Operand for Tune<OP, X> {
    #[inline(always)]
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Recorded {
        let x = record(tape, self.x);
        Recorded::Node(tape.tuned(Tune::<OP, X>::OP, self.p, x))
    }
    fn lower(self, program: &mut Lowering) -> Piece {
        let x = self.x.lower(program);
        program.tuned(Tune::<OP, X>::OP, self.p, x)
    }
    #[inline(always)]
    fn leaves(self, give: &mut impl FnMut(Var)) {
        self.x.leaves(give);
    }
    const OPS: usize = X::OPS + 1;
}

impl<const OP: u8, A: Operand, B: Operand> Operand for Zip<OP, A, B> {
    #[inline(always)]
    fn record<T: Functions, R: Recorder<T> + ?Sized>(self, tape: &R) -> Recorded {
        let (a, b) = (self.a.record(tape), self.b.record(tape));
        Recorded::Node(match (Zip::<OP, A, B>::OP.with_number(a, b), a, b) {
            (Some((op, c, x)), ..) => tape.tuned(op, [c, 0.0], x),
            (None, a, b) => tape.binary::<OP>(a.var(tape), b.var(tape)),
        })
    }
    fn lower(self, program: &mut Lowering) -> Piece {
        let (a, b) = (self.a.lower(program), self.b.lower(program));
        program.binary(Zip::<OP, A, B>::OP, a, b)
    }
    #[inline(always)]
    fn leaves(self, give: &mut impl FnMut(Var)) {
        self.a.leaves(give);
        self.b.leaves(give);
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

impl<const OP: u8, X: Operand> Expr for Map<OP, X> {}
impl<const OP: u8, X: Operand> Expr for Tune<OP, X> {}
impl<const OP: u8, A: Operand, B: Operand> Expr for Zip<OP, A, B> {}
impl<E: Expr> Expr for Formula<E> {}

macro_rules! operators {
    ($($Op:ident $op:ident)*) => { $(
        impl<B: Operand> $Op<B> for Var {
            type Output = Formula<Zip<{ Binary::$Op as u8 }, Var, B>>;
            fn $op(self, other: B) -> Self::Output { zip(self, other) }
        }
        impl<E, B: Operand> $Op<B> for Formula<E> {
            type Output = Formula<Zip<{ Binary::$Op as u8 }, Formula<E>, B>>;
            fn $op(self, other: B) -> Self::Output { zip(self, other) }
        }
        number_on_the_left!($Op $op f64);
        number_on_the_left!($Op $op i32);
    )* };
}
macro_rules! number_on_the_left {
    ($Op:ident $op:ident $N:ty) => {
        impl $Op<Var> for $N {
            type Output = Formula<Zip<{ Binary::$Op as u8 }, $N, Var>>;
            fn $op(self, other: Var) -> Self::Output {
                zip(self, other)
            }
        }
        impl<E> $Op<Formula<E>> for $N {
            type Output = Formula<Zip<{ Binary::$Op as u8 }, $N, Formula<E>>>;
            fn $op(self, other: Formula<E>) -> Self::Output {
                zip(self, other)
            }
        }
    };
}
operators! { Add add Sub sub Mul mul Div div }

impl Neg for Var {
    type Output = Formula<Map<{ Unary::Neg as u8 }, Var>>;
    fn neg(self) -> Self::Output {
        Formula(Map { x: self })
    }
}
impl<E> Neg for Formula<E> {
    type Output = Formula<Map<{ Unary::Neg as u8 }, Formula<E>>>;
    fn neg(self) -> Self::Output {
        Formula(Map { x: self })
    }
}
