//! The standard normal distribution: probability, its logarithm, its inverse.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use super::dd::two_prod;
use super::erf::{erf, erfc, erfcx};
use super::erfinv::erfcinv;

/// `sqrt(1/2)` minus its nearest `f64`.
const FRAC_1_SQRT_2_LO: f64 = -4.833646656726457e-17;

/// Probability that a standard normal variable is below `x`: `erfc(-x / sqrt 2) / 2`.
///
/// Every `x`, relative accuracy in the lower tail. Error at most 3.5 ulp.
pub(crate) fn ndtr(x: f64) -> f64 {
    if x < -1.0 {
        if x < -39.0 {
            return 0.0;
        }
        let square = two_prod(x, x);
        let half = 0.5 * square.hi;
        let shift = if half > 600.0 { 100.0 } else { 0.0 };
        let e = (shift - half).exp();
        (e - e * 0.5 * square.lo) * (0.5 * erfcx(-x * FRAC_1_SQRT_2)) * (-shift).exp()
    } else if x < 1.0 {
        0.5 + 0.5 * erf(x * FRAC_1_SQRT_2)
    } else {
        1.0 - 0.5 * erfc(x * FRAC_1_SQRT_2)
    }
}

/// `ln ndtr(x)`, about `-x^2 / 2` in the lower tail and `-ndtr(-x)` in the upper one.
///
/// Every `x`. Error at most 3.5 ulp.
pub(crate) fn log_ndtr(x: f64) -> f64 {
    if x < -1.0 {
        if x < -1e150 {
            return -0.5 * x * x;
        }
        let square = two_prod(x, x);
        -0.5 * square.hi - (0.5 * square.lo - (0.5 * erfcx(-x * FRAC_1_SQRT_2)).ln())
    } else if x < 0.0 {
        ndtr(x).ln()
    } else {
        (-ndtr(-x)).ln_1p()
    }
}

/// The `x` with `ndtr(x) = p`: quantile of the standard normal distribution.
///
/// `p` in [0, 1], infinite at the ends, NaN outside. Error at most 3.5 ulp.
pub(crate) fn ndtri(p: f64) -> f64 {
    let y = -erfcinv(2.0 * p);
    // sqrt 2 to twice the precision costs one multiplication: sqrt 2 = 2 sqrt(1/2).
    if y.is_finite() { y * SQRT_2 + y * (2.0 * FRAC_1_SQRT_2_LO) } else { y }
}
