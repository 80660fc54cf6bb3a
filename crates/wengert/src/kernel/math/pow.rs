//! `x^y = e^(y log x)` with the logarithm to about 70 bits.

use super::exp::{Exponential, Reduced};
use super::format::Format;
use super::log::Logarithm;
use super::pair::Pair;
use super::polynomial;

/// `log m` for m in [sqrt(1/2), sqrt(2)), as `2 atanh(s)`, `s = (m - 1) / (m + 1)`: two terms in pairs.
#[inline(always)]
fn log_extended<const FMA: bool>(m: f64) -> Pair<f64> {
    let top = Pair { hi: m - 1.0, lo: 0.0 };
    let s = top.over::<FMA>(Pair::sum(m, 1.0));
    let z = s.times::<FMA>(s);
    let tail = polynomial!(
        FMA,
        z.hi,
        0.3999999999999998,
        0.2857142857144385,
        0.22222222217785875,
        0.18181818844597283,
        0.15384558380705932,
        0.13336266536634578,
        0.11675736122277604,
        0.11982147042775335
    );
    let c = Pair::fast_sum(0.6666666666666666, z.hi * tail).plus_small(3.700743415417188e-17);
    let cubic = s.times::<FMA>(z).times::<FMA>(c);
    Pair::fast_sum(2.0 * s.hi, cubic.hi).plus_small(2.0 * s.lo + cubic.lo)
}

/// `e^(y log |x|)`; `EXTENDED` for a result that is good to the last digit of an `f64`.
#[inline(always)]
fn magnitude<const FMA: bool, const EXTENDED: bool>(x: f64, y: f64) -> f64 {
    let a = x.abs();
    let small = a < f64::MIN_POSITIVE;
    let (k, m) = if small { a * f64::RAISE.0 } else { a }.split();
    let k = if small { k - f64::RAISE.1 } else { k };
    let log_m = if EXTENDED { log_extended::<FMA>(m) } else { f64::log_near_one::<FMA>(m - 1.0) };
    let sum = Pair::fast_sum(k * f64::LN2.0, log_m.hi);
    let log = Pair::fast_sum(sum.hi, sum.lo + k.fma::<FMA>(f64::LN2.1, log_m.lo));
    let log_hi = if a == 0.0 { f64::NEG_INFINITY } else { log.hi };
    let log_hi = if a == f64::INFINITY { a } else { log_hi };

    let exponent = Pair::product::<FMA>(y, log_hi);
    let low = y.fma::<FMA>(log.lo, exponent.lo);
    let far = exponent.hi.abs() > 800.0;
    let low = if far { 0.0 } else { low };
    let hi = exponent.hi.at_least(f64::EXP_RANGE.0).at_most(f64::EXP_RANGE.1);
    let Reduced { n, r } = f64::reduce::<FMA>(hi, low);
    let (first, second) = n.factors();
    (1.0 + (r.hi + f64::exp_rest::<FMA>(r))) * first * second
}

/// True for every integer, infinities included.
#[inline(always)]
fn is_integer(a: f64) -> bool {
    const SHIFT: f64 = (1u64 << 52) as f64;
    a >= SHIFT || (a + SHIFT) - SHIFT == a
}

#[inline(always)]
fn pow<const FMA: bool, const EXTENDED: bool>(x: f64, y: f64) -> f64 {
    let value = magnitude::<FMA, EXTENDED>(x, y);
    let integer = is_integer(y.abs());
    let odd = integer & !is_integer(0.5 * y.abs());
    let value = if odd { value.copysign(x) } else { value };
    let root_of_negative = (x < 0.0) & (x > f64::NEG_INFINITY) & !integer;
    let value = if root_of_negative | (x.is_nan()) { f64::NAN } else { value };
    let one = (y == 0.0) | (x == 1.0) | ((x == -1.0) & (y.abs() == f64::INFINITY));
    if one { 1.0 } else { value }
}

pub trait Power: Format {
    fn pow<const FMA: bool>(self, exponent: Self) -> Self;
}

impl Power for f64 {
    #[inline(always)]
    fn pow<const FMA: bool>(self, exponent: f64) -> f64 {
        pow::<FMA, true>(self, exponent)
    }
}

impl Power for f32 {
    #[inline(always)]
    fn pow<const FMA: bool>(self, exponent: f32) -> f32 {
        pow::<FMA, false>(f64::from(self), f64::from(exponent)) as f32
    }
}
