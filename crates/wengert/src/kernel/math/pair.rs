//! [`Pair`]: a number as an unevaluated sum, about twice the digits of the format.
//!
//! The error-free sums and products are those of Dekker and Knuth (Muller et al., Handbook of Floating-Point
//! Arithmetic, chapter 4). Only what the functions here need: no general double-word arithmetic.

use super::format::Format;

/// `hi + lo`.
#[derive(Clone, Copy)]
pub struct Pair<F> {
    pub hi: F,
    pub lo: F,
}

impl<F: Format> Pair<F> {
    /// `a + b` without error, if `a` is zero or not below `b` in exponent.
    #[inline(always)]
    pub fn fast_sum(a: F, b: F) -> Self {
        let hi = a + b;
        Self { hi, lo: (a - hi) + b }
    }

    /// `a + b` without error.
    #[inline(always)]
    pub fn sum(a: F, b: F) -> Self {
        let hi = a + b;
        let b_part = hi - a;
        Self { hi, lo: (a - (hi - b_part)) + (b - b_part) }
    }

    /// `a * b` without error.
    #[inline(always)]
    pub fn product<const FMA: bool>(a: F, b: F) -> Self {
        let hi = a * b;
        if FMA {
            return Self { hi, lo: a.fma::<FMA>(b, -hi) };
        }
        let (a1, b1) = (a.upper(), b.upper());
        let (a2, b2) = (a - a1, b - b1);
        Self { hi, lo: a2 * b2 - (((hi - a1 * b1) - a2 * b1) - a1 * b2) }
    }

    /// `self + c`, added to `lo`. Such a pair may be summed, scaled, or divided; a divisor must be normalised first.
    #[inline(always)]
    pub fn plus_small(self, c: F) -> Self {
        Self { hi: self.hi, lo: self.lo + c }
    }

    #[inline(always)]
    pub fn times<const FMA: bool>(self, other: Self) -> Self {
        let p = Self::product::<FMA>(self.hi, other.hi);
        p.plus_small(self.hi.fma::<FMA>(other.lo, self.lo * other.hi))
    }

    /// `self / other`, from one division.
    #[inline(always)]
    pub fn over<const FMA: bool>(self, other: Self) -> Self {
        let inverse = F::of(1.0) / other.hi;
        let hi = self.hi * inverse;
        let back = Self::product::<FMA>(hi, other.hi);
        let rest = ((self.hi - back.hi) - back.lo) + (-hi).fma::<FMA>(other.lo, self.lo);
        Self { hi, lo: rest * inverse }
    }

    /// The same number, `lo` within half a unit of the last place of `hi`.
    #[inline(always)]
    pub fn normalised(self) -> Self {
        Self::fast_sum(self.hi, self.lo)
    }

    #[inline(always)]
    pub fn rounded(self) -> F {
        self.hi + self.lo
    }

    #[inline(always)]
    pub fn negated(self) -> Self {
        Self { hi: -self.hi, lo: -self.lo }
    }

    #[inline(always)]
    pub fn select(condition: bool, a: Self, b: Self) -> Self {
        Self { hi: if condition { a.hi } else { b.hi }, lo: if condition { a.lo } else { b.lo } }
    }
}
