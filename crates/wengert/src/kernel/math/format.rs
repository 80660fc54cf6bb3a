//! [`Format`]: what the algorithms need to know about the layout of `f32` and `f64`.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// 2^600 and its inverse, to step out of the way of overflow and underflow without rounding.
pub const UP: f64 = f64::from_bits((1023 + 600) << 52);
pub const DOWN: f64 = f64::from_bits((1023 - 600) << 52);
/// 2^-64.
pub const LOWER: f64 = f64::from_bits((1023 - 64) << 52);

/// A binary floating-point format: its constants, and the few operations on bits that the algorithms use.
pub trait Format:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// Where subnormals begin.
    const MIN_NORMAL: Self;
    const INFINITY: Self;
    const NAN: Self;
    /// `x + O(x^2)` rounds to `x` below this, and no product with it is lost to underflow above.
    const TINY: Self;
    /// `1 + x` rounds to `x` above this, and the square of what is below does not overflow.
    const HUGE: Self;
    /// Adding this rounds to an integer n, and leaves n + twice the exponent bias in the low bits.
    const ROUND: Self;
    /// Adding this rounds to an integer n, and leaves n + 64 + the exponent bias in the low bits.
    const ROUND_HIGH: Self;
    /// 2^-n is normal for n up to here; past it, 2^-n is lost beside 1.
    const POWER_BOUND: Self;
    /// ln 2 in two parts; the product of the first with any exponent is exact.
    const LN2: (Self, Self);
    /// 1 / ln 2 in two parts.
    const LOG2_E: (Self, Self);
    /// 1 / ln 10 in two parts.
    const LOG10_E: (Self, Self);
    /// log10 2 in two parts; the product of the first with any exponent is exact.
    const LOG10_2: (Self, Self);
    /// A power of two that makes every subnormal normal, and its exponent.
    const RAISE: (Self, Self);

    /// The value nearest to the literal `x`.
    fn of(x: f64) -> Self;
    /// `self * b + c`, fused or in two roundings.
    fn fma<const FMA: bool>(self, b: Self, c: Self) -> Self;
    fn sqrt(self) -> Self;
    fn abs(self) -> Self;
    fn copysign(self, sign: Self) -> Self;
    fn is_nan(self) -> bool;
    /// The upper half of the significand: products of such halves are exact.
    fn upper(self) -> Self;
    /// 2^n in two factors, neither of which over- or underflows, for `self` = n + [`ROUND`](Self::ROUND). The first is 0
    /// where 2^n is at most an eighth of the least subnormal number: an underflow takes a hundred times as long as a product.
    fn factors(self) -> (Self, Self);
    /// 2^n for `self` = n + [`ROUND`](Self::ROUND); n must be the exponent of a normal number.
    fn power_of_two(self) -> Self;
    /// 2^(n + 64) for `self` = n + [`ROUND_HIGH`](Self::ROUND_HIGH); n + 64 must be the exponent of a normal number.
    fn high_power_of_two(self) -> Self;
    /// `(k, m)` with `self` = 2^k m and m in [sqrt(1/2), sqrt(2)), for a positive normal number.
    fn split(self) -> (Self, Self);

    /// `self`, or `bound` if that is less. NaN stays.
    #[inline(always)]
    fn at_most(self, bound: Self) -> Self {
        if self > bound { bound } else { self }
    }
    /// `self`, or `bound` if that is greater. NaN stays.
    #[inline(always)]
    fn at_least(self, bound: Self) -> Self {
        if self < bound { bound } else { self }
    }
}

macro_rules! format {
    ($t:ident, $bits:ident, fraction: $fraction:literal, bias: $bias:literal, $($constant:tt)*) => {
        impl Format for $t {
            $($constant)*
            const INFINITY: Self = $t::INFINITY;
            const NAN: Self = $t::NAN;
            const MIN_NORMAL: Self = $t::MIN_POSITIVE;
            const ROUND: Self = 1.5 * ((1 as $bits) << $fraction) as $t + 2.0 * $bias as $t;
            const ROUND_HIGH: Self = 1.5 * ((1 as $bits) << $fraction) as $t + 64.0 + $bias as $t;

            #[inline(always)]
            fn of(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn fma<const FMA: bool>(self, b: Self, c: Self) -> Self {
                if FMA { self.mul_add(b, c) } else { self * b + c }
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                $t::copysign(self, sign)
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                $t::is_nan(self)
            }
            #[inline(always)]
            fn upper(self) -> Self {
                $t::from_bits(self.to_bits() & ($bits::MAX << ($fraction / 2 + 1)))
            }
            #[inline(always)]
            fn factors(self) -> (Self, Self) {
                let biased = self.to_bits();
                let half = biased >> 1;
                let first = $t::from_bits(half << $fraction);
                let lost = self <= Self::ROUND - ($bias + $fraction + 2) as $t;
                let first = if lost { 0.0 } else { first };
                (first, $t::from_bits(biased.wrapping_sub(half) << $fraction))
            }
            #[inline(always)]
            fn power_of_two(self) -> Self {
                $t::from_bits(self.to_bits().wrapping_sub($bias) << $fraction)
            }
            #[inline(always)]
            fn high_power_of_two(self) -> Self {
                $t::from_bits(self.to_bits() << $fraction)
            }
            #[inline(always)]
            fn split(self) -> (Self, Self) {
                let one = (1.0 as $t).to_bits();
                let root = std::$t::consts::FRAC_1_SQRT_2.to_bits();
                let shifted = self.to_bits().wrapping_add(one - root);
                let magic = ((1 as $bits) << $fraction) as $t;
                let k = $t::from_bits((shifted >> $fraction) | magic.to_bits()) - (magic + $bias as $t);
                let m = $t::from_bits((shifted & (((1 as $bits) << $fraction) - 1)) + root);
                (k, m)
            }
        }
    };
}

format! {
    f64, u64, fraction: 52, bias: 1023,
    const TINY: f64 = 5.551115123125783e-17; // 2^-54
    const HUGE: f64 = 1152921504606846976.0; // 2^60
    const POWER_BOUND: f64 = 1000.0;
    const LN2: (f64, f64) = (0.6931471805598903, 5.497923018708371e-14);
    const LOG2_E: (f64, f64) = (std::f64::consts::LOG2_E, 2.0355273740931033e-17);
    const LOG10_E: (f64, f64) = (std::f64::consts::LOG10_E, 1.098319650216765e-17);
    const LOG10_2: (f64, f64) = (0.301029995663952832, 2.8363394551044964e-14);
    const RAISE: (f64, f64) = (18014398509481984.0, 54.0);
}

format! {
    f32, u32, fraction: 23, bias: 127,
    const TINY: f32 = 2.98023224e-8; // 2^-25
    const HUGE: f32 = 1073741824.0; // 2^30
    const POWER_BOUND: f32 = 120.0;
    const LN2: (f32, f32) = (0.693145751953, 1.428606765e-6);
    const LOG2_E: (f32, f32) = (std::f32::consts::LOG2_E, 1.925963034e-8);
    const LOG10_E: (f32, f32) = (std::f32::consts::LOG10_E, -1.010304995e-8);
    const LOG10_2: (f32, f32) = (0.301025390625, 4.605039067e-6);
    const RAISE: (f32, f32) = (33554432.0, 25.0);
}
