//! Double-double numbers: the unevaluated sum of two `f64`, about 106 bits.
//!
//! They serve where an exponent of hundreds must be good to 1e-17 (`x^a e^-x / Gamma(a)`) and where a result
//! vanishes between two large terms (lgamma near its negative zeros). Products are split by Dekker's method,
//! so no fused multiply-add is needed; operands stay below 2^996. Infinities and NaN are the callers'
//! business.
//!
//! # References
//! T. J. Dekker, A floating-point technique for extending the available precision, Numer. Math. 18 (1971).

use std::ops::{Add, Div, Mul, Neg, Sub};

/// `hi + lo`, with `|lo| <= ulp(hi) / 2`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dd {
    pub(crate) hi: f64,
    pub(crate) lo: f64,
}

const LN_2: Dd = Dd { hi: std::f64::consts::LN_2, lo: 2.3190468138462996e-17 };

/// `1 / (2 j + 1)`
const ODD: [Dd; 21] = {
    let mut odd = [Dd { hi: 1.0, lo: 0.0 }; 21];
    let mut j = 1;
    while j < odd.len() {
        odd[j] = Dd::reciprocal((2 * j + 1) as f64);
        j += 1;
    }
    odd
};

/// `a + b` exactly.
#[inline]
pub(crate) fn two_sum(a: f64, b: f64) -> Dd {
    let hi = a + b;
    let b_part = hi - a;
    Dd { hi, lo: (a - (hi - b_part)) + (b - b_part) }
}

/// As [`two_sum`], for `|a| >= |b|`.
#[inline]
fn fast_two_sum(a: f64, b: f64) -> Dd {
    let hi = a + b;
    Dd { hi, lo: b - (hi - a) }
}

#[inline]
const fn halves(a: f64) -> (f64, f64) {
    let t = 134_217_729.0 * a;
    let high = t - (t - a);
    (high, a - high)
}

/// `a * b` exactly, short of overflow and underflow.
#[inline]
pub(crate) const fn two_prod(a: f64, b: f64) -> Dd {
    let hi = a * b;
    let (a1, a2) = halves(a);
    let (b1, b2) = halves(b);
    Dd { hi, lo: ((a1 * b1 - hi) + a1 * b2 + a2 * b1) + a2 * b2 }
}

/// `x * 2^n`, in steps that neither overflow nor round before the last.
pub(crate) fn ldexp(x: f64, n: i32) -> f64 {
    let (mut x, mut n) = (x, n);
    while n.abs() > 1000 {
        let step = n.clamp(-1000, 1000);
        x *= power_of_two(step);
        n -= step;
    }
    x * power_of_two(n)
}

fn power_of_two(n: i32) -> f64 {
    f64::from_bits(((1023 + n) as u64) << 52)
}

impl Dd {
    /// `1 / n` for a small integer.
    const fn reciprocal(n: f64) -> Dd {
        let hi = 1.0 / n;
        let p = two_prod(hi, n);
        Dd { hi, lo: ((1.0 - p.hi) - p.lo) / n }
    }

    pub(crate) fn abs(self) -> Dd {
        if self.hi < 0.0 { -self } else { self }
    }

    /// Rounded to the nearest `f64`.
    pub(crate) fn round(self) -> f64 {
        self.hi + self.lo
    }

    /// `e^self`, within 1 ulp.
    pub(crate) fn exp(self) -> f64 {
        let e = self.hi.exp();
        if e == 0.0 || e.is_infinite() { e } else { e + e * self.lo }
    }

    /// The product with a number.
    #[inline]
    pub(crate) fn times(self, y: f64) -> Dd {
        let p = two_prod(self.hi, y);
        fast_two_sum(p.hi, p.lo + self.lo * y)
    }

    /// Natural logarithm of a positive number, to about 2^-100, relative even next to 1.
    pub(crate) fn ln(self) -> Dd {
        self.ln_to::<10>()
    }

    /// As [`Dd::ln`], to about 2^-65.
    pub(crate) fn ln_briefly(self) -> Dd {
        self.ln_to::<3>()
    }

    /// `2 atanh((m - 1) / (m + 1))` for the significand m in [sqrt(1/2), sqrt 2], with `EXACT` terms in double-double.
    fn ln_to<const EXACT: usize>(self) -> Dd {
        let (subnormal, offset) = if self.hi < 1e-290 { (1.0 / power_of_two(-200), -200) } else { (1.0, 0) };
        let hi = self.hi * subnormal;
        let mut k = ((hi.to_bits() >> 52) as i32) - 1023;
        if ldexp(hi, -k) > std::f64::consts::SQRT_2 {
            k += 1;
        }
        let m = Dd { hi: ldexp(hi, -k), lo: ldexp(self.lo * subnormal, -k) };
        let one = Dd::from(1.0);
        let s = (m - one) / (m + one);
        let s2 = s * s;
        let (exact, rest) = ODD.split_at(EXACT);
        let rest = rest.iter().rev().fold(0.0, |sum, term| sum * s2.hi + term.hi);
        let series = exact.iter().rev().fold(Dd::from(rest), |sum, term| sum * s2 + *term);
        let twice = Dd { hi: 2.0 * s.hi, lo: 2.0 * s.lo };
        twice * series + LN_2 * Dd::from(f64::from(k + offset))
    }

    /// `self - ln(1 + self)` for `|self| < 0.05`, without cancellation: `x^2 (1/2 - x/3 + x^2/4 - ...)`.
    pub(crate) fn minus_log1p(self) -> Dd {
        let x = -self;
        let series = (2..26).rev().fold(Dd::from(0.0), |sum, j| sum * x + Dd::reciprocal(f64::from(j)));
        x * x * series
    }
}

impl From<f64> for Dd {
    fn from(hi: f64) -> Dd {
        Dd { hi, lo: 0.0 }
    }
}

impl Neg for Dd {
    type Output = Dd;
    fn neg(self) -> Dd {
        Dd { hi: -self.hi, lo: -self.lo }
    }
}

impl Add for Dd {
    type Output = Dd;
    fn add(self, y: Dd) -> Dd {
        let s = two_sum(self.hi, y.hi);
        let t = two_sum(self.lo, y.lo);
        let s = fast_two_sum(s.hi, s.lo + t.hi);
        fast_two_sum(s.hi, s.lo + t.lo)
    }
}

impl Sub for Dd {
    type Output = Dd;
    fn sub(self, y: Dd) -> Dd {
        self + -y
    }
}

impl Mul for Dd {
    type Output = Dd;
    fn mul(self, y: Dd) -> Dd {
        let p = two_prod(self.hi, y.hi);
        fast_two_sum(p.hi, p.lo + (self.hi * y.lo + self.lo * y.hi))
    }
}

impl Div for Dd {
    type Output = Dd;
    fn div(self, y: Dd) -> Dd {
        let q1 = self.hi / y.hi;
        let r = self - y * Dd::from(q1);
        let q2 = r.hi / y.hi;
        let r = r - y * Dd::from(q2);
        fast_two_sum(q1, q2) + Dd::from(r.hi / y.hi)
    }
}
