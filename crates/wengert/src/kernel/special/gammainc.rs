//! Regularised incomplete gamma functions `P(a, x)`, `Q(a, x) = 1 - P`, and both partials of P.
//!
//! Large `a` near `x`: Temme's expansion. Else, for `x < a`, the power series of P; Q of small `x` from `1 -
//! x^a / Gamma(1 + a)` through `expm1`; and for larger `x` Legendre's continued fraction of Q, summed from
//! its far end. The common factor `x^a e^-x / Gamma(1 + a)` is one exponential of a double-double exponent.
//! `dP/da` is the same series and fraction differentiated term by term.
//!
//! # References
//! DLMF 8.7.1, 8.9.2, 8.11.4; W. Gautschi, ACM TOMS 5 (1979).

use super::dd::{Dd, two_sum};
use super::digamma::log_minus_digamma;
use super::lgamma::lgamma1p;
use super::rgamma::log_gamma;
use super::temme::{Temme, applies};

/// Lower regularised incomplete gamma function `P(a, x)`.
///
/// `a, x >= 0`, NaN outside; `P(0, x) = 1`. Error at most 3.5 ulp.
pub(crate) fn gammainc(a: f64, x: f64) -> f64 {
    p_q(a, x).0
}

/// Upper regularised incomplete gamma function `Q(a, x)`.
///
/// `a, x >= 0`, NaN outside; `Q(0, x) = 0`. Error at most 2.5 ulp.
pub(crate) fn gammaincc(a: f64, x: f64) -> f64 {
    p_q(a, x).1
}

/// `dP(a, x) / da`, never positive.
///
/// `a, x > 0`; 0 at `x = 0` and at `x = inf`. Error at most 3.5 ulp.
pub(crate) fn gammainc_da(a: f64, x: f64) -> f64 {
    if !(a > 0.0 && x >= 0.0) {
        return f64::NAN;
    }
    if x == 0.0 || x.is_infinite() || a.is_infinite() {
        return if a.is_infinite() && x.is_infinite() { f64::NAN } else { 0.0 };
    }
    if applies(a, x) {
        return Temme::at(a, x).p_da();
    }
    let front = front(a, x);
    if front == 0.0 {
        return 0.0;
    }
    let log = log_minus_digamma1p(a, x);
    if x < a + 1.0 {
        let (sum, sum_da) = exact_series(a, x);
        front * (log * sum + sum_da).round()
    } else {
        let (f, f_da) = fraction(a, x);
        // Q = front a / f, and a (ln x - digamma(a)) = a (ln x - digamma(a + 1)) + 1.
        let sum = Dd::from(a) * (log - Dd::from(f_da) / Dd::from(f)) + Dd::from(1.0);
        -front / f * sum.round()
    }
}

/// `ln x - digamma(a)`, `a > 0`, `x >= 0`, NaN outside. Error at most 1.0 ulp, or 1e-17 next to the root.
pub(crate) fn log_digamma_gap(a: f64, x: f64) -> f64 {
    if !(a > 0.0 && x >= 0.0) {
        f64::NAN
    } else if x == 0.0 || x.is_infinite() || !(1e-290..1e290).contains(&a) {
        x.ln() - if a < 1.0 { -1.0 / a } else { a.ln() }
    } else {
        (log_minus_digamma1p(a, x) + Dd::from(1.0) / Dd::from(a)).round()
    }
}

/// `ln x - digamma(a + 1)`, whose terms are nearly equal for x next to a: absolute error about 1e-17.
fn log_minus_digamma1p(a: f64, x: f64) -> Dd {
    let (mut z, mut steps, one) = (two_sum(a, 1.0), Dd::from(0.0), Dd::from(1.0));
    while z.hi < 10.0 {
        steps = steps + one / z;
        z = z + one;
    }
    Dd::from(x).ln() - z.ln() + steps + Dd::from(log_minus_digamma(z.hi))
}

/// `dP(a, x) / dx = x^(a-1) e^-x / Gamma(a)`, the density of the gamma distribution.
///
/// `a > 0`, `x >= 0`, NaN outside. Error at most 3.0 ulp.
pub(crate) fn gammainc_dx(a: f64, x: f64) -> f64 {
    if !(a > 0.0 && a.is_finite() && x >= 0.0) {
        f64::NAN
    } else if x == 0.0 {
        if a < 1.0 {
            f64::INFINITY
        } else if a == 1.0 {
            1.0
        } else {
            0.0
        }
    } else if applies(a, x) {
        Temme::at(a, x).p_dx_times_x() / x
    } else if a > 1e5 || x > 1e9 {
        0.0
    } else {
        (two_sum(a, -1.0) * Dd::from(x).ln() - Dd::from(x) - log_gamma(Dd::from(a))).exp()
    }
}

fn p_q(a: f64, x: f64) -> (f64, f64) {
    if !(a >= 0.0 && x >= 0.0) || (a == 0.0 && x == 0.0) || (a.is_infinite() && x.is_infinite()) {
        return (f64::NAN, f64::NAN);
    }
    if x == 0.0 || a.is_infinite() {
        return (0.0, 1.0);
    }
    if a == 0.0 || x.is_infinite() {
        return (1.0, 0.0);
    }
    if applies(a, x) {
        return Temme::at(a, x).p_q();
    }
    if x < 0.9 && a < x + 0.5 {
        let q = small(a, x);
        if q < 0.9 {
            return (1.0 - q, q);
        }
    }
    if x < a.max(0.9) {
        let p = front(a, x) * series(a, x);
        (p, 1.0 - p)
    } else {
        let front = front(a, x);
        let q = if front == 0.0 { 0.0 } else { front * a / fraction(a, x).0 };
        (1.0 - q, q)
    }
}

/// `x^a e^-x / Gamma(a + 1)`.
fn front(a: f64, x: f64) -> f64 {
    if a > 1e5 || x > 1e9 {
        // Outside Temme's region the exponent is far below -745 here.
        return 0.0;
    }
    (Dd::from(a) * Dd::from(x).ln() - Dd::from(x) - log_gamma(two_sum(a, 1.0))).exp()
}

/// How many terms of [`series`] count.
fn terms(a: f64, x: f64) -> f64 {
    let mut count = 0.0;
    let mut term = 1.0;
    while term > 1e-18 {
        count += 1.0;
        term *= x / (a + count);
    }
    count
}

/// `sum_n x^n / ((a + 1) ... (a + n))`, from the far end.
fn series(a: f64, x: f64) -> f64 {
    let (mut count, mut sum) = (terms(a, x), 1.0);
    while count > 0.0 {
        sum = 1.0 + x / (a + count) * sum;
        count -= 1.0;
    }
    sum
}

/// [`series`] and its derivative in `a`, which take from each other in `dP/da`.
fn exact_series(a: f64, x: f64) -> (Dd, Dd) {
    let (mut count, x, one) = (terms(a, x), Dd::from(x), Dd::from(1.0));
    let (mut sum, mut sum_da) = (one, Dd::from(0.0));
    while count > 0.0 {
        let factor = one / two_sum(a, count);
        let ratio = x * factor;
        sum_da = ratio * (sum_da - sum * factor);
        sum = one + ratio * sum;
        count -= 1.0;
    }
    (sum, sum_da)
}

/// `x + 1 - a - (1 (1 - a)) / (x + 3 - a - (2 (2 - a)) / (...))` and its derivative in `a`, from the far end.
fn fraction(a: f64, x: f64) -> (f64, f64) {
    let mut count = 16.0;
    let mut last = (f64::NAN, f64::NAN);
    loop {
        let mut k = count;
        let mut f = x - a + (2.0 * k + 1.0);
        let mut f_da = -1.0;
        while k > 0.0 {
            let top = k * (k - a) / f;
            f_da = -1.0 + (k + top * f_da) / f;
            k -= 1.0;
            f = x - a + (2.0 * k + 1.0) - top;
        }
        let near = |new: f64, old: f64| (new - old).abs() <= 4e-16 * new.abs();
        if (near(f, last.0) && near(f_da, last.1)) || count > 1e5 {
            return (f, f_da);
        }
        last = (f, f_da);
        count *= 2.0;
    }
}

/// Q for `x` near or below 1, where `1 - P` would cancel: `-expm1(L) - e^L a sum_{n>=1} (-x)^n / ((a + n)
/// n!)`, `e^L = x^a / Gamma(1 + a)`.
fn small(a: f64, x: f64) -> f64 {
    let log = a * x.ln() - lgamma1p(a);
    let sum = (1..22).rev().fold(0.0, |sum, n| {
        let n = f64::from(n);
        // Nested as (-x / n) (1 / (a + n) + ...): each level supplies one more factor of (-x)^n / n!.
        -x / n * (1.0 / (a + n) + sum)
    });
    -log.exp_m1() - log.exp() * a * sum
}
