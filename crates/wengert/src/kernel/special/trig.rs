//! Sine, cosine and cotangent of `pi x`, with the reduction done on `x` itself, where it is exact.

use std::f64::consts::PI;

use super::dd::two_prod;

const PI_LO: f64 = 1.2246467991473532e-16;

/// `(n mod 4, z)` with `x = n / 2 + z`, `|z| <= 1/4`, nothing rounded.
fn reduce(x: f64) -> (i32, f64) {
    if x.abs() >= 9_007_199_254_740_992.0 {
        return (0, 0.0);
    }
    let n = (2.0 * x).round();
    (n.rem_euclid(4.0) as i32, x - 0.5 * n)
}

fn sin_cos_near_zero(z: f64) -> (f64, f64) {
    let t = two_prod(PI, z);
    let lo = t.lo + z * PI_LO;
    let (s, c) = t.hi.sin_cos();
    (s + c * lo, c - s * lo)
}

/// `(sin(pi x), cos(pi x))`, each within 1 ulp; integers and half-integers give exact 0 and +-1.
///
/// Finite `x`; NaN otherwise.
pub(crate) fn sin_cos_pi(x: f64) -> (f64, f64) {
    if !x.is_finite() {
        return (f64::NAN, f64::NAN);
    }
    let (n, z) = reduce(x);
    let (s, c) = sin_cos_near_zero(z);
    match n {
        0 => (s, c),
        1 => (c, -s),
        2 => (-s, -c),
        _ => (-c, s),
    }
}

/// `pi cot(pi x)`, within 3 ulp; infinite at the integers.
pub(crate) fn pi_cot_pi(x: f64) -> f64 {
    let (s, c) = sin_cos_pi(x);
    PI * (c / s)
}
