//! Formulas of numbers: value and partials are computed where the formula is written, and recorded as one row.
//!
//! Every op yields its value and its partials at once; a second pass multiplies them down to the leaves. The formula's type
//! says its ops: by it the program is found, which derivatives of higher order need and which is lowered once.

use super::{Formula, Map, Tune, Zip};
use crate::kernel::functions::Functions;
use crate::kernel::number::{binary_row, tuned_row, unary_row};
use crate::op::{Binary, Tuned, Unary};
use crate::var::Var;

/// What a formula of numbers can do besides being recorded op by op.
#[doc(hidden)]
pub trait Statement: Copy + 'static {
    /// The partials of the ops on the way.
    type Kept<T: Functions>: Copy;
    /// The value of a part that is a number of its own.
    fn number(self) -> Option<f64> {
        None
    }
    fn value<T: Functions>(self, read: &impl Fn(Var) -> T) -> (T, Self::Kept<T>);
    /// Gives each leaf, from left to right, its share of `bar`.
    fn pull<T: Functions>(self, kept: Self::Kept<T>, bar: T, give: &mut impl FnMut(Var, T));
    /// The numbers of the program, in its order.
    fn numbers(self, give: &mut impl FnMut(f64));
    /// A few bits that tell most of a program's formulas apart.
    const HASH: usize;
    /// Whether an op on the way lets no gradient through: which leaves one reaches is asked op by op then.
    const FLAT: bool = false;
}

/// The row of an op: of the commonest in place, where the compiler sees what is constant, of others out of the way.
macro_rules! row {
    ($row:ident, $op:expr, $Ops:ident: $($Op:ident)*; $args:tt) => {
        match $op {
            $($Ops::$Op => row!(@ $row, $args, $Ops::$Op),)*
            op => row!(@ T::$row, $args, op),
        }
    };
    (@ $row:path, ($($arg:ident),*), $op:path) => { $row($op, $($arg),*) };
}

const fn mixed(hash: usize, op: u8) -> usize {
    hash.wrapping_mul(31).wrapping_add(op as usize)
}

impl Statement for Var {
    type Kept<T: Functions> = ();
    #[inline(always)]
    fn value<T: Functions>(self, read: &impl Fn(Var) -> T) -> (T, ()) {
        (read(self), ())
    }
    #[inline(always)]
    fn pull<T: Functions>(self, _kept: (), bar: T, give: &mut impl FnMut(Var, T)) {
        give(self, bar);
    }
    #[inline(always)]
    fn numbers(self, _give: &mut impl FnMut(f64)) {}
    const HASH: usize = 1;
}

macro_rules! numbers {
    ($($N:ty)*) => { $(impl Statement for $N {
        type Kept<T: Functions> = ();
        #[inline(always)]
        fn number(self) -> Option<f64> { Some(f64::from(self)) }
        #[inline(always)]
        fn value<T: Functions>(self, _read: &impl Fn(Var) -> T) -> (T, ()) { (T::of(f64::from(self)), ()) }
        #[inline(always)]
        fn pull<T: Functions>(self, _kept: (), _bar: T, _give: &mut impl FnMut(Var, T)) {}
        #[inline(always)]
        fn numbers(self, _give: &mut impl FnMut(f64)) {}
        const HASH: usize = 2;
    })* };
}
numbers! { f64 f32 i32 }

/// What the op says that it ends with.
impl<E: Statement> Statement for Formula<E> {
    type Kept<T: Functions> = E::Kept<T>;
    #[inline(always)]
    fn number(self) -> Option<f64> {
        self.0.number()
    }
    #[inline(always)]
    fn value<T: Functions>(self, read: &impl Fn(Var) -> T) -> (T, Self::Kept<T>) {
        self.0.value(read)
    }
    #[inline(always)]
    fn pull<T: Functions>(self, kept: Self::Kept<T>, bar: T, give: &mut impl FnMut(Var, T)) {
        self.0.pull(kept, bar, give);
    }
    #[inline(always)]
    fn numbers(self, give: &mut impl FnMut(f64)) {
        self.0.numbers(give);
    }
    const HASH: usize = E::HASH;
    const FLAT: bool = E::FLAT;
}

impl<const OP: u8, X: Statement> Statement for Map<OP, X> {
    type Kept<T: Functions> = (X::Kept<T>, T);
    #[inline(always)]
    fn value<T: Functions>(self, read: &impl Fn(Var) -> T) -> (T, Self::Kept<T>) {
        let (x, kept) = self.x.value(read);
        let (y, slope) =
            row!(unary_row, Map::<OP, X>::OP, Unary: Neg Exp Log Sin Cos Sqrt Square Reciprocal; (x));
        (y, (kept, slope))
    }
    #[inline(always)]
    fn pull<T: Functions>(self, (kept, slope): Self::Kept<T>, bar: T, give: &mut impl FnMut(Var, T)) {
        self.x.pull(kept, bar * slope, give);
    }
    #[inline(always)]
    fn numbers(self, give: &mut impl FnMut(f64)) {
        self.x.numbers(give);
    }
    const HASH: usize = mixed(X::HASH, OP);
    const FLAT: bool = Map::<OP, X>::OP.is_flat() || X::FLAT;
}

impl<const OP: u8, X: Statement> Statement for Tune<OP, X> {
    type Kept<T: Functions> = (X::Kept<T>, T);
    #[inline(always)]
    fn value<T: Functions>(self, read: &impl Fn(Var) -> T) -> (T, Self::Kept<T>) {
        let (x, kept) = self.x.value(read);
        let (p, op) = (self.p, Tune::<OP, X>::OP);
        let (y, slope) = row!(tuned_row, op, Tuned: Shift Scale SubFrom DivBy DivInto; (p, x));
        (y, (kept, slope))
    }
    #[inline(always)]
    fn pull<T: Functions>(self, (kept, slope): Self::Kept<T>, bar: T, give: &mut impl FnMut(Var, T)) {
        self.x.pull(kept, bar * slope, give);
    }
    #[inline(always)]
    fn numbers(self, give: &mut impl FnMut(f64)) {
        self.x.numbers(give);
        self.p.into_iter().for_each(give);
    }
    const HASH: usize = mixed(X::HASH, OP);
    const FLAT: bool = X::FLAT;
}

impl<const OP: u8, A: Statement, B: Statement> Statement for Zip<OP, A, B> {
    type Kept<T: Functions> = (A::Kept<T>, B::Kept<T>, [T; 2]);
    #[inline(always)]
    fn value<T: Functions>(self, read: &impl Fn(Var) -> T) -> (T, Self::Kept<T>) {
        let (a, kept_a) = self.a.value(read);
        let (b, kept_b) = self.b.value(read);
        let (y, slopes) = row!(binary_row, Zip::<OP, A, B>::OP, Binary: Add Sub Mul Div; (a, b));
        (y, (kept_a, kept_b, slopes))
    }
    #[inline(always)]
    fn pull<T: Functions>(self, (a, b, slopes): Self::Kept<T>, bar: T, give: &mut impl FnMut(Var, T)) {
        self.a.pull(a, bar * slopes[0], give);
        self.b.pull(b, bar * slopes[1], give);
    }
    #[inline(always)]
    fn numbers(self, give: &mut impl FnMut(f64)) {
        self.a.numbers(give);
        self.b.numbers(give);
        let tuned = match (self.a.number(), self.b.number()) {
            (None, Some(c)) => Zip::<OP, A, B>::OP.number_right(c).map(|(_, c)| c),
            (Some(c), None) => Zip::<OP, A, B>::OP.number_left().map(|_| c),
            _ => None,
        };
        if let Some(c) = tuned {
            [c, 0.0].into_iter().for_each(give);
        }
    }
    const HASH: usize = mixed(mixed(A::HASH, OP), B::HASH as u8);
    const FLAT: bool = A::FLAT || B::FLAT;
}
