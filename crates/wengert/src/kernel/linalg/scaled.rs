//! Products of many factors that neither overflow nor underflow on the way.

use crate::kernel::real::Real;

/// `mantissa 2^exponent`, with the mantissa in `[1, 2)` unless it is 0 or not finite.
#[derive(Clone, Copy, Debug)]
pub struct Product<T> {
    mantissa: T,
    exponent: i64,
}

impl<T: Real> Product<T> {
    /// The empty product.
    pub fn one() -> Self {
        Product { mantissa: T::one(), exponent: 0 }
    }

    /// Multiplies by `x`, rounding once.
    pub fn times(&mut self, x: T) {
        let (x, e) = split(x);
        let (mantissa, carry) = split(self.mantissa * x);
        *self = Product { mantissa, exponent: self.exponent + e + carry };
    }

    /// The product, infinite or 0 where it is out of range.
    pub fn value(self) -> T {
        // In parts, since 2^exponent alone may be out of range where the product is not.
        let (mut value, mut left) = (self.mantissa, self.exponent);
        while left != 0 && value != T::zero() && value.is_finite() {
            let step = left.clamp(-100, 100);
            value *= T::of((step as f64).exp2());
            left -= step;
        }
        value
    }
}

/// `x` as a number of size in `[1, 2)` and a power of two; `(x, 0)` for 0, infinities and NaN.
fn split<T: Real>(x: T) -> (T, i64) {
    let wide = x.as_f64();
    if wide == 0.0 || !wide.is_finite() {
        return (x, 0);
    }
    let (wide, lifted) = if wide.is_normal() { (wide, 0) } else { (wide * 2f64.powi(64), 64) };
    let bits = wide.to_bits();
    let mantissa = f64::from_bits(bits & !(0x7ff << 52) | 1023 << 52);
    (T::of(mantissa), ((bits >> 52) & 0x7ff) as i64 - 1023 - lifted)
}
