//! Arcus functions: one polynomial each, after the argument has been brought near zero.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use super::format::{DOWN, Format, UP};
use super::pair::Pair;
use super::polynomial;

/// What pi lacks as an `f64`.
const PI_LOW: f64 = 1.2246467991473532e-16;
/// tan(pi / 8)
const TAN_EIGHTH: f64 = 0.41421356237309503;

pub trait InverseTrigonometric: Format {
    fn asin<const FMA: bool>(self) -> Self;
    fn acos<const FMA: bool>(self) -> Self;
    fn atan<const FMA: bool>(self) -> Self;
    fn atan2<const FMA: bool>(self, x: Self) -> Self;
}

/// `(t, u)` with `asin t = t + u`: t is |x| up to 1/2; above it the half-angle form, sqrt((1 - |x|) / 2).
#[inline(always)]
fn half_angle<const FMA: bool>(x: f64, tail: impl Fn(f64) -> f64) -> (f64, f64) {
    let a = x.abs();
    let half = 0.5 - 0.5 * a;
    let outer = a > 0.5;
    let z = if outer { half } else { a * a };
    let t = if outer { half.sqrt() } else { a };
    (t, t * z * tail(z))
}

#[inline(always)]
fn asin<const FMA: bool>(x: f64, tail: impl Fn(f64) -> f64) -> f64 {
    let (t, u) = half_angle::<FMA>(x, tail);
    let outer = Pair::fast_sum(FRAC_PI_2, -2.0 * t);
    let outer = outer.hi + (outer.lo + (0.5 * PI_LOW - 2.0 * u));
    if x.abs() > 0.5 { outer } else { t + u }.copysign(x)
}

#[inline(always)]
fn acos<const FMA: bool>(x: f64, tail: impl Fn(f64) -> f64) -> f64 {
    let (t, u) = half_angle::<FMA>(x, tail);
    let (t, u) = if x < 0.0 { (-t, -u) } else { (t, u) };
    let inner = Pair::fast_sum(FRAC_PI_2, -t);
    let inner = inner.hi + (inner.lo + (0.5 * PI_LOW - u));
    let outer = if x < 0.0 { (PI + 2.0 * t) + (PI_LOW + 2.0 * u) } else { 2.0 * (t + u) };
    if x.abs() > 0.5 { outer } else { inner }
}

#[inline(always)]
fn asin_tail<const FMA: bool>(z: f64) -> f64 {
    polynomial!(
        FMA,
        z,
        0.16666666666665375,
        0.07500000000344974,
        0.04464285682181137,
        0.030381959403025145,
        0.022371751741135166,
        0.01735979882161561,
        0.013884317053590377,
        0.012175174263659456,
        0.006502464410271651,
        0.019597368336222065,
        -0.01633164930393004,
        0.03198522236603048
    )
}

#[inline(always)]
fn asin_tail_f32<const FMA: bool>(z: f64) -> f64 {
    polynomial!(
        FMA,
        z,
        0.1666675410224866,
        0.07495233939040438,
        0.04547817675544898,
        0.024141846405661926,
        0.04222902285628715
    )
}

#[inline(always)]
fn atan_tail<const FMA: bool>(z: f64) -> f64 {
    polynomial!(
        FMA,
        z,
        -0.333333333333332,
        0.19999999999953794,
        -0.14285714280214898,
        0.1111111078421517,
        -0.09090897774144922,
        0.07692060405158649,
        -0.06663105008169773,
        0.058478874209222,
        -0.05039256726932324,
        0.038062366471547766,
        -0.017903779793174417
    )
}

#[inline(always)]
fn atan_tail_f32<const FMA: bool>(z: f64) -> f64 {
    polynomial!(
        FMA,
        z,
        -0.3333331561388149,
        0.19998492944806934,
        -0.1424387022343774,
        0.10595917306431724,
        -0.06082764267521665
    )
}

/// The angle of the point (x, y), for `y >= 0`; `left` tells -0 from 0 in `x`. In the first octant it is that of
/// the quotient; past pi/8 the quotient is taken after a turn by -pi/4.
#[inline(always)]
fn angle<const FMA: bool>(y: f64, x: f64, left: bool, tail: impl Fn(f64) -> f64) -> f64 {
    let across = x.abs();
    let swapped = y > across;
    let (a, b) = if swapped { (across, y) } else { (y, across) };
    // Out of the way of overflow, and of underflow in what `over` has left, unless the quotient is 0 anyhow.
    let scale = if (a < 1e-250) & (b < 1e100) { UP } else { 1.0 };
    let scale = if b > 1e300 { DOWN } else { scale };
    let both_infinite = a == f64::INFINITY;
    let a = if both_infinite { 1.0 } else { a * scale };
    let b = if both_infinite { 1.0 } else { b * scale };
    let b = if b == 0.0 { 1.0 } else { b };
    let turned = a > TAN_EIGHTH * b;
    let top = Pair::select(turned, Pair::sum(a, -b), Pair { hi: a, lo: 0.0 });
    let bottom = Pair::select(turned, Pair::fast_sum(b, a), Pair { hi: b, lo: 0.0 });
    let t = top.over::<FMA>(bottom);
    let t = if b == f64::INFINITY { Pair { hi: 0.0, lo: 0.0 } } else { t };
    let z = t.hi * t.hi;
    let low = (t.hi * z).fma::<FMA>(tail(z), t.lo);
    // angle = base + sign * (t + low), base = multiple of pi/4
    let base = if turned { FRAC_PI_4 } else { 0.0 };
    let base = if swapped { FRAC_PI_2 - base } else { base };
    let base = if left { PI - base } else { base };
    let flip = swapped != left;
    let (hi, low) = if flip { (-t.hi, -low) } else { (t.hi, low) };
    let sum = Pair::fast_sum(base, hi);
    sum.hi + (sum.lo + (base * (PI_LOW / PI) + low))
}

impl InverseTrigonometric for f64 {
    #[inline(always)]
    fn asin<const FMA: bool>(self) -> f64 {
        asin::<FMA>(self, asin_tail::<FMA>)
    }
    #[inline(always)]
    fn acos<const FMA: bool>(self) -> f64 {
        acos::<FMA>(self, asin_tail::<FMA>)
    }
    #[inline(always)]
    fn atan<const FMA: bool>(self) -> f64 {
        let value = angle::<FMA>(self.abs(), 1.0, false, atan_tail::<FMA>);
        if self.abs() < f64::TINY { self } else { value.copysign(self) }
    }
    #[inline(always)]
    fn atan2<const FMA: bool>(self, x: f64) -> f64 {
        let value = angle::<FMA>(self.abs(), x, x.is_sign_negative(), atan_tail::<FMA>);
        if self.is_nan() || x.is_nan() { f64::NAN } else { value.copysign(self) }
    }
}

impl InverseTrigonometric for f32 {
    #[inline(always)]
    fn asin<const FMA: bool>(self) -> f32 {
        asin::<FMA>(f64::from(self), asin_tail_f32::<FMA>) as f32
    }
    #[inline(always)]
    fn acos<const FMA: bool>(self) -> f32 {
        acos::<FMA>(f64::from(self), asin_tail_f32::<FMA>) as f32
    }
    #[inline(always)]
    fn atan<const FMA: bool>(self) -> f32 {
        InverseTrigonometric::atan2::<FMA>(self, 1.0)
    }
    #[inline(always)]
    fn atan2<const FMA: bool>(self, x: f32) -> f32 {
        // As `angle`, but no product or quotient of two f32 leaves the range of f64.
        let (y, across) = (f64::from(self.abs()), f64::from(x.abs()));
        let (left, swapped) = (x.is_sign_negative(), y > across);
        let (a, b) = if swapped { (across, y) } else { (y, across) };
        let both_infinite = a == f64::INFINITY;
        let a = if both_infinite { 1.0 } else { a };
        let b = if both_infinite || b == 0.0 { 1.0 } else { b };
        let turned = a > TAN_EIGHTH * b;
        let t = if turned { a - b } else { a } / if turned { a + b } else { b };
        let z = t * t;
        let t = (t * z).fma::<FMA>(atan_tail_f32::<FMA>(z), t);
        let value = t + if turned { FRAC_PI_4 } else { 0.0 };
        let value = if swapped { FRAC_PI_2 - value } else { value };
        let value = if left { PI - value } else { value } as f32;
        if self.is_nan() || x.is_nan() { f32::NAN } else { value.copysign(self) }
    }
}
