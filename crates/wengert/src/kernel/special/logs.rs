//! Stable forms of expressions with a logarithm in them, values at the edges included.

use std::f64::consts::LN_2;

/// `x ln y`, 0 for `x = 0` whatever `y` (unless NaN). Error at most 1.0 ulp.
pub(crate) fn xlogy(x: f64, y: f64) -> f64 {
    if x == 0.0 && !y.is_nan() { 0.0 } else { x * y.ln() }
}

/// `x ln(1 + y)`, 0 for `x = 0` whatever `y` (unless NaN). Error at most 1.5 ulp.
pub(crate) fn xlog1py(x: f64, y: f64) -> f64 {
    if x == 0.0 && !y.is_nan() { 0.0 } else { x * y.ln_1p() }
}

/// `ln(1 - e^-x)` for `x >= 0`; -inf at 0, NaN below. Error at most 1.5 ulp.
///
/// # References
/// M. Maechler, Accurately computing log(1 - exp(-|a|)) (2012): the switch at ln 2.
pub(crate) fn log1mexp(x: f64) -> f64 {
    if x <= LN_2 { (-(-x).exp_m1()).ln() } else { (-(-x).exp()).ln_1p() }
}

/// `ln(e^a + e^b)` without overflow; infinities of one sign included.
///
/// Error at most 1.5 ulp of the larger of the result and `max(a, b)` (the sum vanishes on a curve).
pub(crate) fn logaddexp(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if a == b { a + LN_2 } else { high + (low - high).exp().ln_1p() }
}

/// `ln(e^a - e^b)` for `a >= b`, -inf where they are equal, NaN for `a < b`.
///
/// Error at most 1.0 ulp of `max(|a|, |b|) (1 + 1 / (e^(a - b) - 1))`: the rounding of `a - b`, carried
/// through.
pub(crate) fn logsubexp(a: f64, b: f64) -> f64 {
    if a == b { f64::NEG_INFINITY } else { a + log1mexp(a - b) }
}
