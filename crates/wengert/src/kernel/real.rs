//! [`Real`]: the two element types.

use std::iter::Sum;

use ndarray::NdFloat;

use crate::memory::Plain;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// The element type of a graph: `f64` or `f32`. Sealed: kernels are compiled for these two, in this crate.
pub trait Real: NdFloat + Sum + Default + std::fmt::LowerExp + Plain + sealed::Sealed {
    /// Marks "no cotangent has arrived": a signalling NaN, which no arithmetic results in, whatever NaNs it is given.
    #[doc(hidden)]
    const ABSENT: Self;
    /// The value nearest to `x`.
    fn of(x: f64) -> Self;
    /// Exact for both types.
    fn as_f64(self) -> f64;
    #[doc(hidden)]
    fn is_absent(self) -> bool;
    /// Itself, or where absent -0, which leaves as it is whatever it is added to. Without a branch.
    #[doc(hidden)]
    fn or_nothing(self) -> Self;
}

impl Real for f64 {
    const ABSENT: Self = f64::from_bits(0x7ff0_5eed_ab5e_17ed);
    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn as_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn is_absent(self) -> bool {
        self.to_bits() == Self::ABSENT.to_bits()
    }
    #[inline(always)]
    fn or_nothing(self) -> Self {
        let bits = self.to_bits();
        let nothing = (-0.0 as Self).to_bits();
        Self::from_bits(if bits == Self::ABSENT.to_bits() { nothing } else { bits })
    }
}

impl Real for f32 {
    const ABSENT: Self = f32::from_bits(0x7f95_ab5e);
    #[inline(always)]
    fn of(x: f64) -> Self {
        x as f32
    }
    #[inline(always)]
    fn as_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn is_absent(self) -> bool {
        self.to_bits() == Self::ABSENT.to_bits()
    }
    #[inline(always)]
    fn or_nothing(self) -> Self {
        let bits = self.to_bits();
        let nothing = (-0.0 as Self).to_bits();
        Self::from_bits(if bits == Self::ABSENT.to_bits() { nothing } else { bits })
    }
}
