//! The error function, its complement, and the normal distribution:
//! `erfc a = e^(-a^2) P(q) / (1 + 2 a)`, `q = (a - K) / (a + K)`.
//!
//! M. M. Shepherd and J. G. Laframboise, Mathematics of Computation 36 (1981): (1 + 2 a) e^(a^2) erfc a is smooth and
//! near 1 on the whole half-line. The polynomials are our own fits.

use super::exp::{Exponential, Reduced};
use super::format::Format;
use super::pair::Pair;
use super::polynomial;

pub trait ErrorFunction: Exponential {
    /// `erf` of this and more is 1.
    const ERF_BOUND: f64;

    /// `erf(a) / a - 1` as a function of `z = a^2`, up to `SEAM`.
    fn erf_near<const FMA: bool>(z: Self) -> Self;

    /// `(1 + 2 a) e^(a^2) erfc a - 1.125` from `SEAM` on, as a function of `q`.
    fn erfc_scaled<const FMA: bool>(q: Self) -> Self;

    /// `e^-s erfc(a) / e^(-a^2)` for `a >= SEAM`, in parts: a value and 2^n + `ROUND`; -s is what `reduced` was made of.
    #[inline(always)]
    fn complement<const FMA: bool>(a: Self, reduced: Reduced<Self>) -> (Self, Self) {
        let q = (a - Self::of(K)) / (a + Self::of(K));
        let p = Pair::fast_sum(Self::of(1.125), Self::erfc_scaled::<FMA>(q));
        let top = Self::exp_pair::<FMA>(reduced.r).times::<FMA>(p);
        (top.over::<FMA>(Pair::sum(Self::of(1.0), a + a)).rounded(), reduced.n)
    }

    /// Far from 0 it is 1 less the complement, which is a third of it at most and brings as little of its own error: plain numbers
    /// will do. The exponential is that of the partial.
    #[inline(always)]
    fn erf<const FMA: bool>(self) -> Self {
        let a = self.abs();
        let bounded = a.at_most(Self::of(Self::ERF_BOUND));
        let (sum, scale) = (bounded + Self::of(K), bounded.fma::<FMA>(Self::of(2.0), Self::of(1.0)));
        let inverse = Self::of(1.0) / (sum * scale);
        let p = Self::of(1.125) + Self::erfc_scaled::<FMA>((bounded - Self::of(K)) * (scale * inverse));
        let far = (-self.exp_neg_square::<FMA>()).fma::<FMA>(p * (sum * inverse), Self::of(1.0));
        let near = Self::erf_near::<FMA>(a * a).fma::<FMA>(a, a);
        (if a < Self::of(SEAM) { near } else { far }).copysign(self)
    }

    #[inline(always)]
    fn erfc<const FMA: bool>(self) -> Self {
        let a = self.abs().at_most(Self::EXP_NEG_SQUARE_BOUND);
        let (value, n) = Self::complement::<FMA>(a, Self::reduce_neg_square::<FMA>(a));
        let (first, second) = n.factors();
        let value = value * first * second;
        let value = if self < Self::of(0.0) { Self::of(2.0) - value } else { value };
        let close = Pair::fast_sum(Self::of(1.0), -self);
        let close = close.hi + (-self).fma::<FMA>(Self::erf_near::<FMA>(self * self), close.lo);
        if self.abs() < Self::of(SEAM) { close } else { value }
    }

    /// `erfc(-x / sqrt 2) / 2`, the square in the exponent to twice the digits.
    #[inline(always)]
    fn ndtr<const FMA: bool>(self) -> Self {
        let (half, root) = (Self::of(0.5), Self::of(std::f64::consts::FRAC_1_SQRT_2));
        let x = self.abs().at_most(Self::of(std::f64::consts::SQRT_2) * Self::EXP_NEG_SQUARE_BOUND);
        let (value, n) = Self::complement::<FMA>(x * root, Self::reduce_neg_product::<FMA>(x, half * x));
        let (first, second) = n.factors();
        let value = half * value * first * second;
        let value = if self > Self::of(0.0) { Self::of(1.0) - value } else { value };
        let s = self * root;
        let linear = Pair::product::<FMA>(self, half * root);
        let low = self.fma::<FMA>(half * Self::FRAC_1_SQRT_2_LOW, linear.lo);
        let close = Pair::fast_sum(half, linear.hi);
        let close = close.hi + linear.hi.fma::<FMA>(Self::erf_near::<FMA>(s * s), close.lo + low);
        if s.abs() < Self::of(SEAM) { close } else { value }
    }

    /// `sqrt(1/2)` minus its nearest value.
    const FRAC_1_SQRT_2_LOW: Self;
}

/// From here on `complement`, below it `erf_near`.
const SEAM: f64 = 0.84;
const K: f64 = 3.5;

impl ErrorFunction for f64 {
    const ERF_BOUND: f64 = 6.0;
    const FRAC_1_SQRT_2_LOW: f64 = -4.833646656726457e-17;

    #[inline(always)]
    fn erf_near<const FMA: bool>(z: f64) -> f64 {
        polynomial!(
            FMA,
            z,
            0.12837916709551256,
            -0.3761263890318331,
            0.1128379167093085,
            -0.026866170639917756,
            0.005223977567990423,
            -0.000854832332521405,
            0.0001205518425544955,
            -1.4921796019935563e-05,
            1.6397560297904768e-06,
            -1.5686383279769444e-07,
            1.064445947989244e-08
        )
    }

    #[inline(always)]
    fn erfc_scaled<const FMA: bool>(q: f64) -> f64 {
        // Halves side by side.
        let low = polynomial!(
            FMA,
            q,
            0.11734924487115438,
            -0.1400091801376193,
            -0.010555596332215828,
            0.09751909515324111,
            -0.11508959816034212,
            0.08798315382548423,
            -0.04882332582425252,
            0.019099330932497653,
            -0.004215019954190898,
            -0.00030226779115355196,
            0.0005643847677869517,
            -0.00012151286916584745
        );
        let high = polynomial!(
            FMA,
            q,
            -4.278389926502055e-05,
            2.4262382460230426e-05,
            2.3334567484020044e-06,
            -3.817346371646567e-06,
            -5.449454034213456e-08,
            6.038691939049188e-07,
            4.799495049959018e-09,
            -9.562802320218706e-08,
            -8.37459186951727e-09,
            1.1185793659916975e-08,
            2.7205510707879823e-09
        );
        let fourth = (q * q) * (q * q);
        high.fma::<FMA>(fourth * fourth * fourth, low)
    }
}

impl ErrorFunction for f32 {
    const ERF_BOUND: f64 = 4.0;
    const FRAC_1_SQRT_2_LOW: f32 = 1.2101617485882343e-08;

    #[inline(always)]
    fn erf_near<const FMA: bool>(z: f32) -> f32 {
        polynomial!(
            FMA,
            z,
            0.128379161,
            -0.376125748,
            0.112827491,
            -0.0268037567,
            0.00505298519,
            -0.00063255016
        )
    }

    #[inline(always)]
    fn erfc_scaled<const FMA: bool>(q: f32) -> f32 {
        polynomial!(
            FMA,
            q,
            0.117349246,
            -0.140009235,
            -0.0105558369,
            0.0975219966,
            -0.115082796,
            0.0879416578,
            -0.0488958906,
            0.0193224793,
            -0.00388120771,
            -0.000732096067
        )
    }
}
