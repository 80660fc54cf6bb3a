//! Hyperbolic functions, the logistic function and their inverses, all from one `exp` or `log1p` each.

use super::exp::{Exponential, Reduced};
use super::format::LOWER;
use super::log::Logarithm;
use super::pair::Pair;

pub trait Hyperbolic: Exponential + Logarithm {
    #[inline(always)]
    fn tanh<const FMA: bool>(self) -> Self {
        // With u = 2^n: 1 - e^-2|x| = 1 - u - u (e^r - 1), and 1 + e^-2|x| likewise.
        let (scale, p) = (-(self + self).abs()).low_parts::<FMA>();
        let (one, unit) = (Self::of(1.0), scale * Self::of(LOWER));
        let (top, bottom) = ((-unit).fma::<FMA>(p, one - unit), unit.fma::<FMA>(p, one + unit));
        (top / bottom).copysign(self)
    }

    /// With `g = e^2|x|`, `2 / (1 + g)` times `1 + tanh|x|`, all scaled by a power of two to stay near 1.
    #[inline(always)]
    fn tanh_prime<const FMA: bool>(self) -> Self {
        let one = Self::of(1.0);
        let (n, p) = Self::near_expm1::<FMA>((self.abs() + self.abs()).at_most(-Self::EXP_RANGE.0));
        let count = n - Self::ROUND;
        let unit = (Self::ROUND - count.at_most(Self::POWER_BOUND)).power_of_two();
        let whole = Pair::fast_sum(one, unit);
        let cosine = Pair::fast_sum(whole.hi, p).plus_small(whole.lo);
        let inverse = one / cosine.hi;
        let rest = if FMA {
            (-inverse).fma::<FMA>(cosine.hi, one)
        } else {
            let back = Pair::product::<FMA>(inverse, cosine.hi);
            (one - back.hi) - back.lo
        };
        let rest = (-inverse).fma::<FMA>(cosine.lo, rest);
        let ratio = (one - unit + p) * inverse;
        // Inverse and ratio both are off by the part `rest`.
        let value = inverse.fma::<FMA>(rest.fma::<FMA>(one + ratio + ratio, ratio), inverse);
        let (first, second) = (Self::ROUND - count + one).factors();
        value * first * second
    }

    #[inline(always)]
    fn sinh<const FMA: bool>(self) -> Self {
        let quarter = Self::quarter_expm1::<FMA>(self.abs().at_most(Self::EXP_RANGE.1)).normalised();
        let second = quarter.hi / quarter.hi.fma::<FMA>(Self::of(4.0), Self::of(1.0));
        let value = Self::of(2.0) * (quarter.hi + (quarter.lo + second));
        if self.abs() < Self::TINY { self } else { value.copysign(self) }
    }

    #[inline(always)]
    fn cosh<const FMA: bool>(self) -> Self {
        let Reduced { n, r } = Self::reduce::<FMA>(self.abs().at_most(Self::EXP_RANGE.1), Self::of(0.0));
        let quarter = Self::exp_pair::<FMA>(r).rounded() * (n - Self::of(2.0)).power_of_two();
        Self::of(2.0) * (quarter + Self::of(0.0625) / quarter)
    }

    #[inline(always)]
    fn sech<const FMA: bool>(self) -> Self {
        // e^-|x| in parts, 2^n times a pair.
        let Reduced { n, r } = Self::reduce::<FMA>((-self.abs()).at_least(Self::EXP_RANGE.0), Self::of(0.0));
        let mantissa = Self::exp_pair::<FMA>(r);
        let (first, second) = n.factors();
        let e = mantissa.rounded() * first * second;
        let (first, second) = (n + Self::of(1.0)).factors();
        let ratio = mantissa.over::<FMA>(Pair::fast_sum(Self::of(1.0), e * e));
        ratio.rounded() * first * second
    }

    #[inline(always)]
    fn sigmoid<const FMA: bool>(self) -> Self {
        self.sigmoid_by::<FMA>((-self.abs()).exp_low::<FMA>())
    }

    /// The logistic function by `e^-|x|`, of `x` the sign alone.
    #[inline(always)]
    fn sigmoid_by<const FMA: bool>(self, e: Self) -> Self {
        let ratio = e / (Self::of(1.0) + e);
        let top = if self < Self::of(0.0) { e } else { Self::of(1.0) };
        // top / (1 + e), and the error of the quotient counts little where it is small.
        (-top).fma::<FMA>(ratio, top)
    }

    #[inline(always)]
    fn softplus<const FMA: bool>(self) -> Self {
        self.softplus_by::<FMA>((-self.abs()).exp_low::<FMA>())
    }

    /// `log(1 + e^x)` by `e^-|x|`.
    #[inline(always)]
    fn softplus_by<const FMA: bool>(self, e: Self) -> Self {
        let value = Self::log1p_unit::<FMA>(e, self.at_least(Self::of(0.0)));
        if self == Self::INFINITY { self } else { value }
    }

    #[inline(always)]
    fn log_sigmoid<const FMA: bool>(self) -> Self {
        -(-self).softplus::<FMA>()
    }

    #[inline(always)]
    fn asinh<const FMA: bool>(self) -> Self {
        let a = self.abs();
        let huge = a > Self::HUGE;
        let square = a * a;
        let second = square / (Self::of(1.0) + (Self::of(1.0) + square).sqrt());
        let second = if huge { Self::of(0.0) } else { second };
        let doublings = if huge { Self::of(1.0) } else { Self::of(0.0) };
        let value = Self::log1p_pair::<FMA>(Pair::sum(a, second), doublings).copysign(self);
        let value = if a == Self::INFINITY { self } else { value };
        if a < Self::TINY || self.is_nan() { self } else { value }
    }

    #[inline(always)]
    fn acosh<const FMA: bool>(self) -> Self {
        let t = self - Self::of(1.0);
        let huge = t > Self::HUGE;
        let root = if huge { Self::of(0.0) } else { t.fma::<FMA>(t, Self::of(2.0) * t).sqrt() };
        let doublings = if huge { Self::of(1.0) } else { Self::of(0.0) };
        let value = Self::log1p_pair::<FMA>(Pair::sum(t, root), doublings);
        let value = if self == Self::INFINITY { self } else { value };
        if self >= Self::of(1.0) { value } else { Self::NAN }
    }

    #[inline(always)]
    fn atanh<const FMA: bool>(self) -> Self {
        let a = self.abs();
        let one = Self::of(1.0);
        let top = Pair { hi: a + a, lo: Self::of(0.0) };
        let ratio = top.over::<FMA>(Pair::fast_sum(one, -a));
        let value = Self::of(0.5) * Self::log1p_pair::<FMA>(ratio, Self::of(0.0));
        let edge = if a == one { Self::INFINITY } else { Self::NAN };
        let value = if a < one { value } else { edge };
        if a < Self::TINY { self } else { value.copysign(self) }
    }
}

impl Hyperbolic for f64 {}
impl Hyperbolic for f32 {}
