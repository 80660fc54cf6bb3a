//! Formulas of numbers: value and partials are computed where the formula is written, and recorded as one row.
//!
//! Every op yields its value and its partials at once; a second pass multiplies them down to the leaves. The program of
//! the formula, which derivatives of higher order need, is found by the formula's type and ops: it is lowered once.

use std::any::TypeId;

use super::{Formula, Map, Tune, Zip};
use crate::kernel::functions::Functions;
use crate::kernel::number::{binary_row, unary_row};
use crate::kernel::program::LONGEST;
use crate::op::{Binary, Unary};
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
    fn sign(self, signature: &mut Signature);
    /// The numbers of the program, in its order.
    fn numbers(self, give: &mut impl FnMut(f64));
}

/// What tells formulas of one type apart: their ops. Handles and numbers are no part of it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    of: TypeId,
    /// Eight to a word: registers, where an array of bytes would be memory.
    ops: [u64; WORDS],
    len: usize,
}

const WORDS: usize = LONGEST.div_ceil(8);

impl Signature {
    #[inline(always)]
    pub(crate) fn new<E: Statement>(x: E) -> Self {
        let mut signature = Signature { of: TypeId::of::<E>(), ops: [0; WORDS], len: 0 };
        x.sign(&mut signature);
        signature
    }

    #[inline(always)]
    fn push(&mut self, op: u8) {
        self.ops[self.len / 8] |= u64::from(op) << (self.len % 8 * 8);
        self.len += 1;
    }

    /// A few bits that tell most of a program's formulas apart.
    #[inline(always)]
    pub(crate) fn hash(&self) -> usize {
        let mix = |h: u64, word: &u64| (h ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (self.ops.iter().fold(self.len as u64, mix) >> 32) as usize
    }

    #[inline(always)]
    pub(crate) fn same(&self, other: &Signature) -> bool {
        self.of == other.of && self.len == other.len && self.ops.iter().zip(&other.ops).all(|(a, b)| a == b)
    }
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
    fn sign(self, _signature: &mut Signature) {}
    #[inline(always)]
    fn numbers(self, _give: &mut impl FnMut(f64)) {}
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
        fn sign(self, _signature: &mut Signature) {}
        #[inline(always)]
        fn numbers(self, _give: &mut impl FnMut(f64)) {}
    })* };
}
numbers! { f64 f32 i32 }

impl<X: Statement> Statement for Formula<Map<X>> {
    type Kept<T: Functions> = (X::Kept<T>, T);
    #[inline(always)]
    fn value<T: Functions>(self, read: &impl Fn(Var) -> T) -> (T, Self::Kept<T>) {
        let (x, kept) = self.0.x.value(read);
        let (y, slope) = match self.0.op {
            Unary::Neg => unary_row(Unary::Neg, x),
            Unary::Square => unary_row(Unary::Square, x),
            op => T::unary_row(op, x),
        };
        (y, (kept, slope))
    }
    #[inline(always)]
    fn pull<T: Functions>(self, (kept, slope): Self::Kept<T>, bar: T, give: &mut impl FnMut(Var, T)) {
        self.0.x.pull(kept, bar * slope, give);
    }
    #[inline(always)]
    fn sign(self, signature: &mut Signature) {
        self.0.x.sign(signature);
        signature.push(self.0.op as u8);
    }
    #[inline(always)]
    fn numbers(self, give: &mut impl FnMut(f64)) {
        self.0.x.numbers(give);
    }
}

impl<X: Statement> Statement for Formula<Tune<X>> {
    type Kept<T: Functions> = (X::Kept<T>, T);
    #[inline(always)]
    fn value<T: Functions>(self, read: &impl Fn(Var) -> T) -> (T, Self::Kept<T>) {
        let (x, kept) = self.0.x.value(read);
        let (y, slope) = T::tuned_row(self.0.op, self.0.p, x);
        (y, (kept, slope))
    }
    #[inline(always)]
    fn pull<T: Functions>(self, (kept, slope): Self::Kept<T>, bar: T, give: &mut impl FnMut(Var, T)) {
        self.0.x.pull(kept, bar * slope, give);
    }
    #[inline(always)]
    fn sign(self, signature: &mut Signature) {
        self.0.x.sign(signature);
        signature.push(self.0.op as u8);
    }
    #[inline(always)]
    fn numbers(self, give: &mut impl FnMut(f64)) {
        self.0.x.numbers(give);
        self.0.p.into_iter().for_each(give);
    }
}

impl<A: Statement, B: Statement> Statement for Formula<Zip<A, B>> {
    type Kept<T: Functions> = (A::Kept<T>, B::Kept<T>, [T; 2]);
    #[inline(always)]
    fn value<T: Functions>(self, read: &impl Fn(Var) -> T) -> (T, Self::Kept<T>) {
        let (a, kept_a) = self.0.a.value(read);
        let (b, kept_b) = self.0.b.value(read);
        let (y, slopes) = match self.0.op {
            Binary::Add => binary_row(Binary::Add, a, b),
            Binary::Sub => binary_row(Binary::Sub, a, b),
            Binary::Mul => binary_row(Binary::Mul, a, b),
            Binary::Div => binary_row(Binary::Div, a, b),
            op => T::binary_row(op, a, b),
        };
        (y, (kept_a, kept_b, slopes))
    }
    #[inline(always)]
    fn pull<T: Functions>(self, (a, b, slopes): Self::Kept<T>, bar: T, give: &mut impl FnMut(Var, T)) {
        self.0.a.pull(a, bar * slopes[0], give);
        self.0.b.pull(b, bar * slopes[1], give);
    }
    #[inline(always)]
    fn sign(self, signature: &mut Signature) {
        self.0.a.sign(signature);
        self.0.b.sign(signature);
        signature.push(self.0.op as u8);
    }
    #[inline(always)]
    fn numbers(self, give: &mut impl FnMut(f64)) {
        self.0.a.numbers(give);
        self.0.b.numbers(give);
        let tuned = match (self.0.a.number(), self.0.b.number()) {
            (None, Some(c)) => self.0.op.number_right(c).map(|(_, c)| c),
            (Some(c), None) => self.0.op.number_left().map(|_| c),
            _ => None,
        };
        if let Some(c) = tuned {
            [c, 0.0].into_iter().for_each(give);
        }
    }
}
