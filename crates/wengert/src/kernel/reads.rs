//! What a partial of the elementwise table reads, found by evaluating the partial itself on markers.
//!
//! Invariant: there is no list to keep in step with the table; a row that changes its partial changes what it reads.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::op::table::{tuned_table, unary_table};
use crate::op::{Binary, Params, Tuned, Unary};
use crate::words::{
    BinaryWords, TunedWords, UnaryWords, Words, binary_partial, tuned_partial, unary_partial,
};

/// What a partial reads of its op's arguments `a`, `b` and result `y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reads {
    pub a: bool,
    pub b: bool,
    pub y: bool,
    /// The partial is the literal 1: the cotangent goes on as it is.
    pub one: bool,
}

impl Reads {
    pub fn unary(op: Unary) -> Reads {
        Reads::of(unary_partial(op, Marker::A, Marker::Y))
    }

    pub fn tuned(op: Tuned, p: Params) -> Reads {
        Reads::of(tuned_partial(op, p, Marker::A, Marker::Y))
    }

    /// The partial to argument `k`.
    pub fn binary(op: Binary, k: usize) -> Reads {
        Reads::of(binary_partial(op, k, Marker::A, Marker::B, Marker::Y))
    }

    fn of(partial: Marker) -> Reads {
        let has = |marker: Marker| partial.reads & marker.reads != 0;
        Reads { a: has(Marker::A), b: has(Marker::B), y: has(Marker::Y), one: partial.literal == Some(1.0) }
    }
}

/// Stands for a number and remembers what it was made of.
#[derive(Clone, Copy)]
struct Marker {
    reads: u8,
    literal: Option<f64>,
}

impl Marker {
    const A: Marker = Marker { reads: 1, literal: None };
    const B: Marker = Marker { reads: 2, ..Marker::A };
    const Y: Marker = Marker { reads: 4, ..Marker::A };

    fn with(self, other: Marker) -> Marker {
        Marker { reads: self.reads | other.reads, literal: None }
    }

    fn mask(self, other: Marker) -> u8 {
        self.reads | other.reads
    }

    fn passed(self) -> Marker {
        Marker { literal: None, ..self }
    }
}

macro_rules! arithmetic {
    ($($Op:ident $op:ident)*) => { $(impl $Op for Marker {
        type Output = Marker;
        fn $op(self, other: Marker) -> Marker { self.with(other) }
    })* };
}
arithmetic!(Add add Sub sub Mul mul Div div);

impl Neg for Marker {
    type Output = Marker;
    fn neg(self) -> Marker {
        self.passed()
    }
}

macro_rules! unary_markers {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        impl UnaryWords for Marker { $(fn $name(self) -> Marker { self.passed() })* }
    };
}
macro_rules! tuned_markers {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        impl TunedWords for Marker { $(fn $name(self, _: Params) -> Marker { self.passed() })* }
    };
}
unary_table!(unary_markers);
tuned_table!(tuned_markers);

macro_rules! binary_markers {
    ($($name:ident)*) => {
        impl BinaryWords for Marker {
            $(fn $name(self, other: Marker) -> Marker { self.with(other) })*
            fn polygamma_gap(self, other: Marker, _: u32) -> Marker { self.with(other) }
        }
    };
}
binary_markers!(pow hypot sigmoid_gap sigmoid2_gap digamma_gap log_digamma_gap gammainc_dx gammainc_da);

impl Words for Marker {
    type Mask = u8;
    const RECORDED: bool = false;
    fn lit(self, value: f64) -> Marker {
        Marker { reads: 0, literal: Some(value) }
    }
    fn lt(self, other: Marker) -> u8 {
        self.mask(other)
    }
    fn le(self, other: Marker) -> u8 {
        self.mask(other)
    }
    fn gt(self, other: Marker) -> u8 {
        self.mask(other)
    }
    fn ge(self, other: Marker) -> u8 {
        self.mask(other)
    }
    fn eq(self, other: Marker) -> u8 {
        self.mask(other)
    }
    fn select(mask: u8, yes: Marker, no: Marker) -> Marker {
        Marker { reads: mask | yes.reads | no.reads, literal: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partials_tell_what_they_read() {
        let none = Reads { a: false, b: false, y: false, one: false };
        assert_eq!(Reads::binary(Binary::Add, 1), Reads { one: true, ..none });
        assert_eq!(Reads::binary(Binary::Sub, 1), none);
        assert_eq!(Reads::binary(Binary::Mul, 0), Reads { b: true, ..none });
        assert_eq!(Reads::binary(Binary::Div, 1), Reads { b: true, y: true, ..none });
        assert_eq!(Reads::unary(Unary::Exp), Reads { y: true, ..none });
        assert_eq!(Reads::unary(Unary::Sin), Reads { a: true, ..none });
        assert_eq!(Reads::unary(Unary::Relu), Reads { a: true, ..none });
        assert_eq!(Reads::tuned(Tuned::Shift, [3.0, 0.0]), Reads { one: true, ..none });
        assert_eq!(Reads::tuned(Tuned::Powi, [0.0, 0.0]), none);
    }
}
