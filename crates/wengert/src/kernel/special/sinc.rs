//! The normalised sinc and its derivatives of every order.
//!
//! With `f(t) = sin(t) / t`, `sinc(x) = f(pi x)` and `sinc^(k)(x) = pi^k f^(k)(pi x)`. Far out `(t f)^(k) =
//! sin^(k)` gives `f^(k) = (sin^(k)(t) - k f^(k-1)) / t`; nearer than that the power series, in
//! double-double, since its terms cancel.

use std::f64::consts::PI;

use super::dd::{Dd, two_prod};
use super::poly::horner;
use super::trig::sin_cos_pi;

const PI_LO: f64 = 1.2246467991473532e-16;

/// `sin(pi x) / (pi x)`, 1 at 0 and exactly 0 at the other integers.
///
/// Every `x`. Error at most 2.5 ulp, next to the zeros too.
pub(crate) fn sinc(x: f64) -> f64 {
    if x.is_infinite() {
        0.0
    } else if x == 0.0 {
        1.0
    } else if x.abs() < 1e-9 {
        1.0 - x * x * (PI * PI / 6.0)
    } else {
        over_pi(sin_cos_pi(x).0, x)
    }
}

/// `s / (pi x)`: pi x rounded twice would cost most of the error of sinc.
fn over_pi(s: f64, x: f64) -> f64 {
    // At the integers, which all large numbers are.
    if s == 0.0 {
        return 0.0;
    }
    let t = two_prod(PI, x);
    let q = s / t.hi;
    q - q * ((t.lo + PI_LO * x) / t.hi)
}

/// `k`-th derivative of [`sinc`], `k <= 30`.
///
/// Every `x`. Error at most 3.5 ulp, in ulps of the result or, next to its irrational
/// zeros, of `pi^k / (1 + k + pi |x|)`.
pub(crate) fn sinc_derivative(k: u32, x: f64) -> f64 {
    if k == 0 {
        return sinc(x);
    }
    if x.is_infinite() {
        return 0.0;
    }
    if k == 1 {
        return slope(x);
    }
    if x.abs() * PI < f64::from(k).max(10.0) {
        return near(k, x);
    }
    let (s, c) = sin_cos_pi(x);
    let t = PI * x;
    let cycle = [s, c, -s, -c];
    let f = (1..=k).fold(s / t, |f, j| (cycle[(j % 4) as usize] - f64::from(j) * f) / t);
    f * PI.powi(k as i32)
}

/// The first derivative: a polynomial up to 3/4, from where little cancels in `(cos(pi x) - sinc(x)) / x`.
fn slope(x: f64) -> f64 {
    if x.abs() < 0.75 {
        return x * horner(&SLOPE, x * x);
    }
    let (s, c) = sin_cos_pi(x);
    (c - over_pi(s, x)) / x
}

/// `pi^k sum_m (-1)^m t^(2m-k) / ((2m-k)! (2m+1))` over `2m >= k`.
fn near(k: u32, x: f64) -> f64 {
    let pi = Dd { hi: PI, lo: PI_LO };
    let t = pi * Dd::from(x);
    let odd = k % 2;
    let mut m = k.div_ceil(2);
    // (-1)^m t^(2m-k) / (2m-k)!
    let mut power = if odd == 1 { t } else { Dd::from(1.0) };
    if m % 2 == 1 {
        power = -power;
    }
    let square = -(t * t);
    let mut sum = Dd::from(0.0);
    loop {
        let part = power / Dd::from(f64::from(2 * m + 1));
        sum = sum + part;
        m += 1;
        let n = f64::from(2 * m - k);
        power = power * square / Dd::from(n * (n - 1.0));
        if part.hi.abs() <= 1e-19 * sum.hi.abs() && n > t.hi.abs() || power.hi == 0.0 {
            break;
        }
    }
    (0..k).fold(sum, |product, _| product * pi).round()
}

/// `(-1)^m 2m pi^2m / (2m + 1)!`, m = 1..
const SLOPE: [f64; 13] = [
    -3.289868133696453,
    3.2469697011334144,
    -1.1445109447325053,
    0.2091827825412384,
    -0.023460810354558236,
    0.001781145516372852,
    -9.766223126318933e-05,
    4.049947846619244e-06,
    -1.3148481279991994e-07,
    3.4330769499642866e-09,
    -7.365893777096947e-11,
    1.3217901389162318e-12,
    -2.013201508080888e-14,
];
