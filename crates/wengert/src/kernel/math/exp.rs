//! Exponentials: `x = n ln 2 + r`, a polynomial in `r`, and a scaling by `2^n` in two steps.

use super::format::{Format, LOWER};
use super::pair::Pair;
use super::polynomial;

/// The exponential in parts: `e^x = 2^n e^r`.
#[derive(Clone, Copy)]
pub struct Reduced<F> {
    /// n + [`Format::ROUND`].
    pub n: F,
    /// In +- ln(2) / 2.
    pub r: Pair<F>,
}

impl<F: Exponential> Reduced<F> {
    #[inline(always)]
    fn exp<const FMA: bool>(self) -> F {
        let (first, second) = self.n.factors();
        (self.r.hi + F::exp_rest::<FMA>(self.r)).fma::<FMA>(first, first) * second
    }
}

pub trait Exponential: Format {
    /// From here on `exp` underflows to zero, and up to here it overflows; also with one or two factors of 2.
    const EXP_RANGE: (Self, Self);
    /// From here on `exp_neg_square` underflows to zero.
    const EXP_NEG_SQUARE_BOUND: Self;

    /// `(e^r - 1 - r - r^2 / 2) / r^3` for r in +- ln(2) / 2: a minimax fit.
    fn exp_tail<const FMA: bool>(r: Self) -> Self;

    /// Reduces `x + low`; `x` in `EXP_RANGE`.
    #[inline(always)]
    fn reduce<const FMA: bool>(x: Self, low: Self) -> Reduced<Self> {
        let n = x.fma::<FMA>(Self::LOG2_E.0, Self::ROUND);
        let count = n - Self::ROUND;
        let rough = (-count).fma::<FMA>(Self::LN2.0, x);
        Reduced { n, r: Pair::fast_sum(rough, (-count).fma::<FMA>(Self::LN2.1, low)) }
    }

    /// `n` + [`Format::ROUND`] and `e^r - 1` for `e^x = 2^n e^r`; `x` in `EXP_RANGE`.
    #[inline(always)]
    fn near_expm1<const FMA: bool>(x: Self) -> (Self, Self) {
        Self::near_expm1_rounded::<FMA>(x, Self::ROUND)
    }

    /// `n + round` and `e^r - 1`.
    #[inline(always)]
    fn near_expm1_rounded<const FMA: bool>(x: Self, round: Self) -> (Self, Self) {
        let n = x.fma::<FMA>(Self::LOG2_E.0, round);
        let count = n - round;
        let r = (-count).fma::<FMA>(Self::LN2.1, (-count).fma::<FMA>(Self::LN2.0, x));
        let half = r.fma::<FMA>(Self::exp_tail::<FMA>(r), Self::of(0.5));
        (n, (r * r).fma::<FMA>(half, r))
    }

    /// `e^r - 1 - r.hi`.
    #[inline(always)]
    fn exp_rest<const FMA: bool>(r: Pair<Self>) -> Self {
        let Pair { hi, lo } = r;
        let half_square = hi.fma::<FMA>(Self::exp_tail::<FMA>(hi), Self::of(0.5));
        (hi * hi).fma::<FMA>(half_square, hi.fma::<FMA>(lo, lo))
    }

    /// `e^r` as a pair.
    #[inline(always)]
    fn exp_pair<const FMA: bool>(r: Pair<Self>) -> Pair<Self> {
        Pair::fast_sum(Self::of(1.0), r.hi).plus_small(Self::exp_rest::<FMA>(r))
    }

    /// `(e^x - 1) / 4` for `x` in the upper half of `EXP_RANGE` and down to -50. A quarter never overflows.
    #[inline(always)]
    fn quarter_expm1<const FMA: bool>(x: Self) -> Pair<Self> {
        let Reduced { n, r } = Self::reduce::<FMA>(x, Self::of(0.0));
        let scale = (n - Self::of(2.0)).power_of_two();
        Pair::fast_sum(scale - Self::of(0.25), scale * r.hi).plus_small(scale * Self::exp_rest::<FMA>(r))
    }

    #[inline(always)]
    fn exp<const FMA: bool>(self) -> Self {
        let (n, p) = Self::near_expm1::<FMA>(self.at_least(Self::EXP_RANGE.0).at_most(Self::EXP_RANGE.1));
        let (first, second) = n.factors();
        p.fma::<FMA>(first, first) * second
    }

    /// `2^(n + 64)` and `e^r - 1` for `e^x = 2^n e^r`, `x` up to 20; the power is 0 where `e^x` rounds to that: no underflow on the way
    /// there. Whatever is made of these of one `x` in one loop shares them.
    #[inline(always)]
    fn low_parts<const FMA: bool>(self) -> (Self, Self) {
        let x = self.at_least(Self::EXP_RANGE.0);
        let (n, p) = Self::near_expm1_rounded::<FMA>(x, Self::ROUND_HIGH);
        (if x <= Self::EXP_RANGE.0 { Self::of(0.0) } else { n.high_power_of_two() }, p)
    }

    /// `e^x` for `x` up to 20. Without a bound above, one power of two does, as long as it is a normal number.
    #[inline(always)]
    fn exp_low<const FMA: bool>(self) -> Self {
        let (scale, p) = self.low_parts::<FMA>();
        p.fma::<FMA>(scale, scale) * Self::of(LOWER)
    }

    /// `e^x` of a pair.
    #[inline(always)]
    fn exp_of<const FMA: bool>(x: Pair<Self>) -> Self {
        let hi = x.hi.at_least(Self::EXP_RANGE.0).at_most(Self::EXP_RANGE.1);
        let low = if x.hi == hi { x.lo } else { Self::of(0.0) };
        Self::reduce::<FMA>(hi, low).exp::<FMA>()
    }

    #[inline(always)]
    fn exp2<const FMA: bool>(self) -> Self {
        Self::exp2_of::<FMA>(Pair { hi: self, lo: Self::of(0.0) })
    }

    /// `2^x` of a pair.
    #[inline(always)]
    fn exp2_of<const FMA: bool>(x: Pair<Self>) -> Self {
        let limit = Self::EXP_RANGE.1 * Self::of(1.5);
        let whole = x.hi.at_least(Self::of(-1.0) * limit - Self::of(20.0)).at_most(limit);
        let low = if x.hi == whole { x.lo } else { Self::of(0.0) };
        let (n, ln_2) = (whole + Self::ROUND, Self::of(std::f64::consts::LN_2));
        let r = Pair::fast_sum((whole - (n - Self::ROUND)) * ln_2, low * ln_2);
        Reduced { n, r }.exp::<FMA>()
    }

    #[inline(always)]
    fn expm1<const FMA: bool>(self) -> Self {
        let x = self.at_least(Self::of(-40.0)).at_most(Self::EXP_RANGE.1);
        let value = Self::of(4.0) * Self::quarter_expm1::<FMA>(x).rounded();
        if self.abs() < Self::TINY { self } else { value }
    }

    #[inline(always)]
    fn exp_neg_square<const FMA: bool>(self) -> Self {
        Self::reduce_neg_square::<FMA>(self).exp::<FMA>()
    }

    #[inline(always)]
    fn exp_neg_half_square<const FMA: bool>(self) -> Self {
        let a = self.abs().at_most(Self::of(std::f64::consts::SQRT_2) * Self::EXP_NEG_SQUARE_BOUND);
        Self::reduce_neg_product::<FMA>(a, Self::of(0.5) * a).exp::<FMA>()
    }

    /// Reduces `-x^2`.
    #[inline(always)]
    fn reduce_neg_square<const FMA: bool>(x: Self) -> Reduced<Self> {
        let a = x.abs().at_most(Self::EXP_NEG_SQUARE_BOUND);
        Self::reduce_neg_product::<FMA>(a, a)
    }

    /// Reduces `-a b`, whose lower half matters once the product is large.
    #[inline(always)]
    fn reduce_neg_product<const FMA: bool>(a: Self, b: Self) -> Reduced<Self> {
        let product = Pair::product::<FMA>(a, b);
        Self::reduce::<FMA>(-product.hi, -product.lo)
    }
}

impl Exponential for f64 {
    const EXP_RANGE: (f64, f64) = (-747.0, 710.5);
    const EXP_NEG_SQUARE_BOUND: f64 = 27.4;

    #[inline(always)]
    fn exp_tail<const FMA: bool>(r: f64) -> f64 {
        polynomial!(
            FMA,
            r,
            0.16666666666666677,
            0.041666666666619924,
            0.008333333333321155,
            0.001388888892064279,
            0.00019841269887667894,
            2.480151605440753e-05,
            2.7557242787252854e-06,
            2.7622389277057393e-07,
            2.5109403313661696e-08
        )
    }
}

impl Exponential for f32 {
    const EXP_RANGE: (f32, f32) = (-106.0, 89.5);
    const EXP_NEG_SQUARE_BOUND: f32 = 10.3;

    #[inline(always)]
    fn exp_tail<const FMA: bool>(r: f32) -> f32 {
        polynomial!(FMA, r, 0.16666545, 0.0416664146, 0.00836646184, 0.00139393297)
    }
}
