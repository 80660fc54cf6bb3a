//! Hurwitz zeta: `sum_k (q + k)^-s`.
//!
//! Terms are added (with compensation) until `q + k` is large enough for Euler and Maclaurin's formula, or
//! until the rest is negligible. Powers of `q + k` make up for the rounding of the sum, which a large `s`
//! would amplify.
//!
//! # References
//! DLMF 25.11.1, 25.11.28; Euler-Maclaurin: DLMF 2.10.1.

use super::dd::two_sum;

/// `B_2j / (2j)!`, j = 1..
pub(super) const EULER_MACLAURIN: [f64; 12] = [
    1.0 / 12.0,
    -1.0 / 720.0,
    1.0 / 30_240.0,
    -1.0 / 1_209_600.0,
    1.0 / 47_900_160.0,
    -5.284_190_138_687_493e-10,
    1.338_253_653_068_467_9e-11,
    -3.389_680_296_322_582_7e-13,
    8.586_062_056_277_844e-15,
    -2.174_868_698_558_062e-16,
    5.509_002_828_360_229_5e-18,
    -1.395_446_468_581_252_3e-19,
];

/// Hurwitz zeta function `sum_{k >= 0} (q + k)^-s` for real `s > 1`.
///
/// `s = 1` gives +inf and `s < 1` NaN. `q > 0`; for `q <= 0` the sum runs on through the negative terms where
/// `s` is an integer (infinite at the poles) and is NaN otherwise. Error at most 2.0 ulp for `q > 0`.
pub(crate) fn zeta(s: f64, q: f64) -> f64 {
    if s.is_nan() || q.is_nan() || s < 1.0 {
        f64::NAN
    } else if s == 1.0 {
        f64::INFINITY
    } else if q > 0.0 {
        hurwitz(s, q)
    } else if q == q.floor() {
        f64::INFINITY
    } else if s == s.floor() && s < 9e15 {
        bilateral(s, q)
    } else {
        f64::NAN
    }
}

/// `zeta(s, q)` for `s > 1`, `q > 0`.
pub(crate) fn hurwitz(s: f64, q: f64) -> f64 {
    if q.is_infinite() || s.is_infinite() {
        return q.powf(-s);
    }
    if q > 1.0 && q.powf(-s) < 1e-290 {
        // The first terms would be subnormal, though the sum, about q^(1-s) / (s - 1), need not be.
        return q.powf(1.0 - s) * (hurwitz_scaled(s, q) / q);
    }
    sum(s, q, |hi, lo| {
        let p = hi.powf(-s);
        if lo == 0.0 { p } else { p - p * (s * lo / hi) }
    })
}

/// `q^s zeta(s, q)`, which neither overflows nor underflows with `q^-s`.
pub(crate) fn hurwitz_scaled(s: f64, q: f64) -> f64 {
    sum(s, q, |hi, lo| (-s * (((hi - q) + lo) / q).ln_1p()).exp())
}

/// The sum, for `power(hi, lo)` proportional to `(hi + lo)^-s`.
fn sum(s: f64, q: f64, power: impl Fn(f64, f64) -> f64) -> f64 {
    let first = power(q, 0.0);
    if first.is_infinite() || s > 1e15 {
        return first;
    }
    let enough = s + 10.0;
    let (mut total, mut small) = (0.0, 0.0);
    let mut k = 0.0;
    let mut at = two_sum(q, k);
    let mut term = first;
    while at.hi < enough {
        let next = two_sum(total, term);
        (total, small) = (next.hi, small + next.lo);
        k += 1.0;
        at = two_sum(q, k);
        term = power(at.hi, at.lo);
        if term * (1.0 + at.hi / (s - 1.0)) < 1e-18 * total {
            return total + small;
        }
    }
    let a = at.hi;
    let r = 1.0 / (a * a);
    // The coefficient of B_2j carries s (s + 1) ... (s + 2j - 2) / a^(2j - 1).
    let mut factor = s / a;
    let mut series = 0.0;
    for (j, b) in EULER_MACLAURIN.iter().enumerate() {
        let j = 2.0 * j as f64;
        series += b * factor;
        factor *= (s + j + 1.0) * (s + j + 2.0) * r;
    }
    // `term` already allows for at.lo; only the integral's extra factor `a` is left.
    let integral = (a + at.lo) / (s - 1.0);
    let next = two_sum(total, term * integral);
    next.hi + (term * (0.5 + series) + (small + next.lo))
}

/// `sum_{k >= 0} (q + k)^-s` for negative non-integer `q` and integer `s >= 2`.
pub(crate) fn bilateral(s: f64, q: f64) -> f64 {
    let r = q.round();
    // Distance to the nearest pole, exact. Right of the poles the sum is an ordinary zeta, left of them a
    // finite one.
    let d = q - r;
    let (right, left, count) = if d > 0.0 { (d, 1.0 - d, -r) } else { (1.0 + d, -d, 1.0 - r) };
    let left = hurwitz(s, left) - hurwitz(s, left + count);
    if s % 2.0 == 0.0 { hurwitz(s, right) + left } else { hurwitz(s, right) - left }
}
