//! Products of many factors that neither overflow nor underflow on the way.

use crate::kernel::real::Real;

/// `mantissa 2^exponent`, with the mantissa kept near 1.
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

    /// Multiplies by `x`.
    pub fn times(&mut self, x: T) {
        let mut x = x;
        // Two steps, so that a subnormal or huge factor cannot leave the range.
        for _ in 0..2 {
            let m = self.mantissa * x;
            let e = exponent(m);
            self.mantissa = m * T::of((-e as f64).exp2());
            self.exponent += e;
            x = T::one();
        }
    }

    /// The product, rounded once more only where it is subnormal.
    pub fn value(self) -> T {
        // In parts: 2^exponent alone may be out of range where the product is not.
        let mut value = self.mantissa;
        let mut left = self.exponent.clamp(-20_000, 20_000);
        while left != 0 {
            let step = left.clamp(-60, 60);
            value *= T::of((step as f64).exp2());
            left -= step;
            if value == T::zero() || !value.is_finite() {
                break;
            }
        }
        value
    }
}

/// The power of two just below `|x|`, bounded so that dividing by it is exact; 0 for 0, infinity and NaN.
fn exponent<T: Real>(x: T) -> i64 {
    if x == T::zero() || !x.is_finite() {
        return 0;
    }
    let bits = x.as_f64().to_bits();
    (((bits >> 52) & 0x7ff) as i64 - 1023).clamp(-100, 100)
}
