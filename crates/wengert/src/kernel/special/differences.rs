//! Differences that would cancel if they were taken as such.

use std::f64::consts::FRAC_2_SQRT_PI;

use super::erf::{erfcx, erfcx_slope};
use super::poly::horner;
use super::zeta::EULER_MACLAURIN;

/// `x - tanh(x)`, about `x^3 / 3` near 0.
///
/// Every `x`; odd. Error at most 2.5 ulp. Below 1 it is `(x cosh x - sinh x) / cosh x`, by the power series of the
/// numerator, whose terms have one sign.
pub(crate) fn tanhshrink(x: f64) -> f64 {
    if x.abs() < 1.0 {
        // 2k / (2k + 1)!, k = 1..
        const SERIES: [f64; 9] = [
            1.0 / 3.0,
            1.0 / 30.0,
            1.0 / 840.0,
            1.0 / 45_360.0,
            1.0 / 3_991_680.0,
            1.0 / 518_918_400.0,
            1.0 / 93_405_312_000.0,
            1.0 / 22_230_464_256_000.0,
            1.0 / 6_758_061_133_824_000.0,
        ];
        x * x * x * horner(&SERIES, x * x) / x.cosh()
    } else {
        x - x.tanh()
    }
}

/// `digamma(a + b) - digamma(a)` for `a > 0`, `b >= 0`: positive, and accurate where `b` is lost in `a + b`.
///
/// NaN for negative arguments, infinite at `a = 0`. Error at most 1.5 ulp.
///
/// # References
/// DLMF 5.5.2 (a sum of positive terms up to 12), 5.11.2 (its differences term by term, through `expm1`).
pub(crate) fn digamma_gap(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() || a < 0.0 || b < 0.0 {
        return f64::NAN;
    }
    if a == 0.0 || b.is_infinite() {
        return if a.is_infinite() || b == 0.0 { f64::NAN } else { f64::INFINITY };
    }
    let (mut a, mut steps) = (a, [0.0; 12]);
    for step in &mut steps {
        if a >= 12.0 {
            break;
        }
        *step = (b / (a + b)) / a;
        a += 1.0;
    }
    let log = (b / a).ln_1p();
    // (1 - (a / (a + b))^2k) a^-2k B_2k / 2k.
    let (mut sum, mut power) = (0.0, 1.0);
    for (k, c) in
        [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32760.0, 1.0 / 12.0]
            .iter()
            .enumerate()
    {
        power /= a * a;
        sum -= c * power * (-2.0 * (k + 1) as f64 * log).exp_m1();
    }
    let tail = log + (0.5 * (b / (a + b)) / a + sum);
    steps.iter().rev().fold(tail, |sum, step| sum + step)
}

/// `polygamma(n, a + b) - polygamma(n, a)` for `a > 0`, `b >= 0`: accurate where `b` is lost in `a + b`.
///
/// NaN for negative arguments. Error at most 4.0 ulp for `n <= 4`.
///
/// # References
/// DLMF 5.15.5 (a sum of terms of one sign), 5.15.8 (the differences of its powers, through `expm1`).
pub(crate) fn polygamma_gap(n: u32, a: f64, b: f64) -> f64 {
    if n == 0 || a.is_nan() || b.is_nan() || a < 0.0 || b < 0.0 {
        return digamma_gap(a, b);
    }
    let order = f64::from(n);
    // z^-m - (z + b)^-m.
    let fall = |z: f64, m: f64| -z.powf(-m) * (-m * (b / z).ln_1p()).exp_m1();
    let (mut z, mut steps) = (a, 0.0);
    let enough = 12.0 + order;
    let least = if a < enough { (enough - a).ceil() } else { 0.0 };
    z += least;
    let factorial = (1..n).map(f64::from).product::<f64>();
    // (n - 1)! z^-n + n! z^-(n+1) / 2 + B_2k (2k + n - 1)! / (2k)! z^-(2k+n).
    let (mut tail, mut rising) = (0.0, factorial);
    for (k, c) in (1u32..).zip(&EULER_MACLAURIN[..9]) {
        let m = f64::from(2 * k) + order;
        rising *= (m - 1.0) * (m - 2.0).max(1.0);
        tail += c * rising * fall(z, m);
    }
    let half = 0.5 * order * factorial * fall(z, order + 1.0);
    let tail = factorial * fall(z, order) + (half + tail);
    let mut k = least;
    while k > 0.0 {
        k -= 1.0;
        steps += fall(a + k, order + 1.0);
    }
    let size = tail + order * factorial * steps;
    if n.is_multiple_of(2) { size } else { -size }
}

/// `k`-th derivative of [`erfcx`]: `(-2)^k k! e^(x^2) i^k erfc(x)`, with the repeated integrals of erfc.
///
/// Every `x`. Error at most 2.5 ulp up to the third derivative; below 1/2 further orders can cost a few bits each.
///
/// # References
/// DLMF 7.18.7 (the recurrence, run upwards below 1/2 and as a continued fraction from there).
pub(crate) fn erfcx_derivative(k: u32, x: f64) -> f64 {
    if k == 0 || x.is_nan() {
        return erfcx(x);
    }
    if k == 1 {
        return erfcx_slope(x);
    }
    if x < 0.5 {
        // (-2)^j j! E_j with E_j = e^(x^2) i^j erfc(x): f_(j+1) = 2 x f_j + 2 j f_(j-1).
        let (mut before, mut f) = (-FRAC_2_SQRT_PI, erfcx(x));
        for j in 0..k {
            let weight = if j == 0 { 1.0 } else { 2.0 * f64::from(j) };
            (before, f) = (f, 2.0 * x * f + weight * before);
        }
        return f;
    }
    // E_j / E_(j-1) = 1 / (2 x + 2 (j + 1) E_(j+1) / E_j).
    let depth = k + 30 + (250.0 / (x * x)) as u32;
    let (mut ratio, mut value) = (0.0, FRAC_2_SQRT_PI);
    for j in (0..=depth).rev() {
        let order = f64::from(j);
        ratio = 1.0 / (2.0 * x + 2.0 * (order + 1.0) * ratio);
        if j <= k {
            value *= if j == 0 { ratio } else { -2.0 * order * ratio };
        }
    }
    value
}
