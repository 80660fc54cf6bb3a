//! The primitive functions of the elementwise table, for both element types.

use crate::kernel::real::Real;

/// Primitive functions; `FMA` says whether the machine has a fused multiply-add.
#[allow(missing_docs)]
pub trait Functions: Real {
    fn exp<const FMA: bool>(self) -> Self {
        num_traits::Float::exp(self)
    }
    fn exp2<const FMA: bool>(self) -> Self {
        num_traits::Float::exp2(self)
    }
    fn expm1<const FMA: bool>(self) -> Self {
        num_traits::Float::exp_m1(self)
    }
    fn log<const FMA: bool>(self) -> Self {
        num_traits::Float::ln(self)
    }
    fn log2<const FMA: bool>(self) -> Self {
        num_traits::Float::log2(self)
    }
    fn log10<const FMA: bool>(self) -> Self {
        num_traits::Float::log10(self)
    }
    fn log1p<const FMA: bool>(self) -> Self {
        num_traits::Float::ln_1p(self)
    }
    fn cbrt<const FMA: bool>(self) -> Self {
        num_traits::Float::cbrt(self)
    }
    fn sin<const FMA: bool>(self) -> Self {
        num_traits::Float::sin(self)
    }
    fn cos<const FMA: bool>(self) -> Self {
        num_traits::Float::cos(self)
    }
    fn tan<const FMA: bool>(self) -> Self {
        num_traits::Float::tan(self)
    }
    fn asin<const FMA: bool>(self) -> Self {
        num_traits::Float::asin(self)
    }
    fn acos<const FMA: bool>(self) -> Self {
        num_traits::Float::acos(self)
    }
    fn atan<const FMA: bool>(self) -> Self {
        num_traits::Float::atan(self)
    }
    fn sinh<const FMA: bool>(self) -> Self {
        num_traits::Float::sinh(self)
    }
    fn cosh<const FMA: bool>(self) -> Self {
        num_traits::Float::cosh(self)
    }
    fn tanh<const FMA: bool>(self) -> Self {
        num_traits::Float::tanh(self)
    }
    fn sech<const FMA: bool>(self) -> Self {
        let e = num_traits::Float::exp(-num_traits::Float::abs(self));
        (e + e) / (Self::one() + e * e)
    }
    fn asinh<const FMA: bool>(self) -> Self {
        num_traits::Float::asinh(self)
    }
    fn acosh<const FMA: bool>(self) -> Self {
        num_traits::Float::acosh(self)
    }
    fn atanh<const FMA: bool>(self) -> Self {
        num_traits::Float::atanh(self)
    }
    fn sigmoid<const FMA: bool>(self) -> Self {
        Self::one() / (Self::one() + num_traits::Float::exp(-self))
    }
    fn log_sigmoid<const FMA: bool>(self) -> Self {
        -<Self as Functions>::softplus::<FMA>(-self)
    }
    fn softplus<const FMA: bool>(self) -> Self {
        let tail = num_traits::Float::ln_1p(num_traits::Float::exp(-num_traits::Float::abs(self)));
        num_traits::Float::max(self, Self::zero()) + tail
    }
    fn gaussian<const FMA: bool>(self) -> Self {
        num_traits::Float::exp(-self * self)
    }
    fn erf<const FMA: bool>(self) -> Self {
        self
    }
    fn erfc<const FMA: bool>(self) -> Self {
        self
    }
    fn ndtr<const FMA: bool>(self) -> Self {
        self
    }
    fn lgamma<const FMA: bool>(self) -> Self {
        self
    }
    fn digamma<const FMA: bool>(self) -> Self {
        self
    }
    fn polygamma<const FMA: bool>(self, _n: f64) -> Self {
        self
    }
    fn pow<const FMA: bool>(self, other: Self) -> Self {
        num_traits::Float::powf(self, other)
    }
    fn powi_whole<const FMA: bool>(self, n: f64) -> Self {
        num_traits::Float::powi(self, n as i32)
    }
    fn atan2<const FMA: bool>(self, other: Self) -> Self {
        num_traits::Float::atan2(self, other)
    }
    fn hypot<const FMA: bool>(self, other: Self) -> Self {
        num_traits::Float::hypot(self, other)
    }
    fn round_half_even(self) -> Self;
}

impl Functions for f64 {
    fn round_half_even(self) -> Self {
        self.round_ties_even()
    }
}
impl Functions for f32 {
    fn round_half_even(self) -> Self {
        self.round_ties_even()
    }
}
