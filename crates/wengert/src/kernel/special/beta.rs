//! Logarithm of the beta function.

use super::dd::{Dd, two_sum};
use super::digamma::digamma;
use super::lgamma::lgamma;
use super::rgamma::{log_gamma, rgamma_briefly};

/// `ln B(a, b) = ln Gamma(a) + ln Gamma(b) - ln Gamma(a + b)`, without the cancellation of that sum.
///
/// `a, b >= 0`; infinite where one is 0, -inf where one is infinite, NaN for negative ones. Error at most 1.0
/// ulp, and next to `B = 1` (irrational points) at most as much in ulps of 1.
///
/// Up to `a + b = 10` it is the logarithm of `Gamma(a) Gamma(b) / Gamma(a + b)` in double-double, up to 1e12 the sum;
/// beyond, Stirling's series leaves `log1p(a / b)` (DLMF 5.11.1).
pub(crate) fn betaln(a: f64, b: f64) -> f64 {
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    if a.is_nan() || b.is_nan() || a < 0.0 {
        f64::NAN
    } else if a == 0.0 {
        if b.is_infinite() { f64::NAN } else { f64::INFINITY }
    } else if b.is_infinite() {
        f64::NEG_INFINITY
    } else if a > 1e-100 && a + b < 10.0 {
        let sum = two_sum(a, b);
        // 1 / Gamma at a sum that is no f64, to first order in what it lacks.
        let lacks = if sum.lo == 0.0 { 0.0 } else { sum.lo * digamma(sum.hi) };
        let ratio = rgamma_briefly(sum.hi) / (rgamma_briefly(a) * rgamma_briefly(b));
        (ratio.ln_briefly() - Dd::from(lacks)).round()
    } else if b < 1e12 {
        log_beta(a, b).round()
    } else if a < 10.0 {
        // ln Gamma(b) - ln Gamma(a + b) to first order in a / b.
        lgamma(a) - a * b.ln() - a * (a - 1.0) / b * 0.5
    } else {
        let h = a / b;
        let stirling = super::lgamma::stirling(a);
        (0.918_938_533_204_672_8 - 0.5 * b.ln() + stirling) + (a - 0.5) * (h / (1.0 + h)).ln() - b * h.ln_1p()
    }
}

/// `ln B(a, b)` in double-double for `0 < a, b`: absolute error about 1e-18 or 1e-31 of the terms.
pub(crate) fn log_beta(a: f64, b: f64) -> Dd {
    log_gamma(Dd::from(a)) + log_gamma(Dd::from(b)) - log_gamma(two_sum(a, b))
}
