//! Polynomials, written from the constant up.

/// `c[0] + c[1] u + c[2] u^2 + ...` by Horner's rule.
#[inline]
pub(crate) fn horner(c: &[f64], u: f64) -> f64 {
    c.iter().rev().fold(0.0, |sum, &ck| sum * u + ck)
}
