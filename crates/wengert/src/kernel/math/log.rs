//! Logarithms: `x = 2^k (1 + f)`, then `log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2))` with `s = f / (2 + f)`.
//!
//! The form is that of fdlibm's `e_log.c`; the coefficients of R are our own fit.

use super::format::Format;
use super::pair::Pair;
use super::polynomial;

pub trait Logarithm: Format {
    /// `(log(1 + f) / s - 2) / s^2` as a function of `z = s^2`, `s = f / (2 + f)`, |f| < 0.42: a minimax fit.
    fn log_tail<const FMA: bool>(z: Self) -> Self;

    /// `log(1 + f)` for 1 + f in [sqrt(1/2), sqrt(2)].
    #[inline(always)]
    fn log_near_one<const FMA: bool>(f: Self) -> Pair<Self> {
        let s = f / (Self::of(2.0) + f);
        let z = s * s;
        let half_square = Pair::product::<FMA>(Self::of(0.5) * f, f);
        let rest = s * z.fma::<FMA>(Self::log_tail::<FMA>(z), half_square.hi);
        Pair::fast_sum(f, -half_square.hi).plus_small(rest - half_square.lo)
    }

    /// The same, as `T`, for |s| up to 1/3; its last coefficient is chosen so that `log 2` comes out exactly.
    fn log1p_tail<const FMA: bool>(z: Self) -> Self;

    /// `plus + log(1 + x)` for x in [0, 1] and plus >= 0. With `s = x / (2 + x)` the logarithm is `2 s + s^3 T(s^2)`, and
    /// `2 s = x - s x`.
    #[inline(always)]
    fn log1p_unit<const FMA: bool>(x: Self, plus: Self) -> Self {
        let half = Self::of(0.5);
        let bottom = Pair::fast_sum(Self::of(2.0), x);
        // Below, it is x to the last digit, and squares would underflow.
        let tiny = x < Self::TINY;
        let s = if tiny { Self::of(0.0) } else { x / bottom.hi };
        let z = s * s;
        let rest = (-z).fma::<FMA>(Self::log1p_tail::<FMA>(z), x);
        // What the quotient lacks, by 1 / (2 + x) = (1 - s) / 2.
        let miss = (-s).fma::<FMA>(bottom.lo, minus_product::<Self, FMA>(x, s, bottom.hi));
        let low = if tiny { Self::of(0.0) } else { miss * (-half).fma::<FMA>(s, half) };
        let sum = Pair::fast_sum(plus.at_least(x), plus.at_most(x));
        sum.hi + minus_product::<Self, FMA>((-low).fma::<FMA>(rest, sum.lo), s, rest)
    }

    /// `(k, f)` with `self` = 2^k (1 + f), for a positive finite number, subnormal or not.
    #[inline(always)]
    fn log_split(self) -> (Self, Self) {
        let small = self < Self::MIN_NORMAL;
        // Selected constants: of selected results both would be computed.
        let (k, m) = (self * if small { Self::RAISE.0 } else { Self::of(1.0) }).split();
        let k = k - if small { Self::RAISE.1 } else { Self::of(0.0) };
        (k, m - Self::of(1.0))
    }

    /// `(k, log(1 + f))` of these.
    #[inline(always)]
    fn log_parts<const FMA: bool>(self) -> (Self, Pair<Self>) {
        let (k, f) = self.log_split();
        (k, Self::log_near_one::<FMA>(f))
    }

    /// `value` where a logarithm of `self` is finite; the limits and NaN elsewhere.
    #[inline(always)]
    fn log_special(self, value: Self) -> Self {
        let edge = if self == Self::of(0.0) { -Self::INFINITY } else { Self::NAN };
        let value = if self > Self::of(0.0) { value } else { edge };
        if self == Self::INFINITY { self } else { value }
    }

    #[inline(always)]
    fn log<const FMA: bool>(self) -> Self {
        let (k, f) = self.log_split();
        if !FMA {
            return self.log_special(join::<Self, FMA>(k, Self::LN2, Self::log_near_one::<FMA>(f)));
        }
        // `log_near_one`, its large part left in the last multiply-add.
        let s = f / (Self::of(2.0) + f);
        let (z, half) = (s * s, Self::of(0.5) * f);
        let sum = Pair::fast_sum(k * Self::LN2.0, f);
        let rest = k.fma::<FMA>(Self::LN2.1, sum.lo);
        let rest = s.fma::<FMA>(z.fma::<FMA>(Self::log_tail::<FMA>(z), half * f), rest);
        self.log_special(sum.hi + (-half).fma::<FMA>(f, rest))
    }

    #[inline(always)]
    fn log2<const FMA: bool>(self) -> Self {
        let (k, m) = self.log_parts::<FMA>();
        let m = m.times::<FMA>(Pair { hi: Self::LOG2_E.0, lo: Self::LOG2_E.1 });
        self.log_special(join::<Self, FMA>(k, (Self::of(1.0), Self::of(0.0)), m))
    }

    #[inline(always)]
    fn log10<const FMA: bool>(self) -> Self {
        let (k, m) = self.log_parts::<FMA>();
        let m = m.times::<FMA>(Pair { hi: Self::LOG10_E.0, lo: Self::LOG10_E.1 });
        self.log_special(join::<Self, FMA>(k, Self::LOG10_2, m))
    }

    /// `log(1 + x)` for a pair `x > -1`, plus `doublings * ln 2`. Finite arguments only.
    #[inline(always)]
    fn log1p_pair<const FMA: bool>(x: Pair<Self>, doublings: Self) -> Self {
        let u = Pair::sum(Self::of(1.0), x.hi);
        let (k, m) = u.hi.split();
        let near = k == Self::of(0.0);
        let f = if near { x.hi } else { m - Self::of(1.0) };
        let scale = (Self::ROUND - k.at_most(Self::POWER_BOUND)).power_of_two();
        let low = if near { x.lo } else { (u.lo + x.lo) * scale };
        // 1 / (1 + f) to three terms: `low` is at most half a unit in the last place of 1 + f.
        let low = low * (-f).fma::<FMA>(Self::of(1.0) - f, Self::of(1.0));
        let log = Self::log_near_one::<FMA>(f).plus_small(low);
        join::<Self, FMA>(k + doublings, Self::LN2, log)
    }

    #[inline(always)]
    fn log1p<const FMA: bool>(self) -> Self {
        let value = Self::log1p_pair::<FMA>(Pair { hi: self, lo: Self::of(0.0) }, Self::of(0.0));
        let value = (self + Self::of(1.0)).log_special(value);
        let value = if self == Self::of(-1.0) { -Self::INFINITY } else { value };
        if self.abs() < Self::TINY { self } else { value }
    }
}

/// `c - a b`, the product to twice the digits.
#[inline(always)]
fn minus_product<F: Format, const FMA: bool>(c: F, a: F, b: F) -> F {
    if FMA {
        return (-a).fma::<FMA>(b, c);
    }
    let product = Pair::product::<FMA>(a, b);
    (c - product.lo) - product.hi
}

/// `k (unit.0 + unit.1) + m`, rounded once but for the last digits.
#[inline(always)]
fn join<F: Format, const FMA: bool>(k: F, unit: (F, F), m: Pair<F>) -> F {
    let sum = Pair::fast_sum(k * unit.0, m.hi);
    sum.hi + (sum.lo + k.fma::<FMA>(unit.1, m.lo))
}

impl Logarithm for f64 {
    #[inline(always)]
    fn log_tail<const FMA: bool>(z: f64) -> f64 {
        polynomial!(
            FMA,
            z,
            0.6666666666666735,
            0.39999999999408875,
            0.28571428743896704,
            0.22222198396006923,
            0.18183574661832336,
            0.15313758560120774,
            0.14799132443656218
        )
    }

    #[inline(always)]
    fn log1p_tail<const FMA: bool>(z: f64) -> f64 {
        polynomial!(
            FMA,
            z,
            0.6666666666666651,
            0.4000000000009682,
            0.2857142855439785,
            0.2222222361026344,
            0.18181755344439512,
            0.1538633743872071,
            0.13303673835524446,
            0.1208617316417007,
            0.08421773886201216,
            0.16875665
        )
    }
}

impl Logarithm for f32 {
    #[inline(always)]
    fn log_tail<const FMA: bool>(z: f32) -> f32 {
        polynomial!(FMA, z, 0.666667759, 0.399775892, 0.298705608)
    }

    #[inline(always)]
    fn log1p_tail<const FMA: bool>(z: f32) -> f32 {
        polynomial!(FMA, z, 0.666666746, 0.399989814, 0.286143571, 0.214526206, 0.242141455)
    }
}
