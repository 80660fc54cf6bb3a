//! [`Real`]: the two element types, and the concrete code behind each.

use std::iter::Sum;

use ndarray::NdFloat;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// The element type of a graph: `f64` or `f32`. Sealed: kernels are compiled for these two, in this crate.
pub trait Real: NdFloat + Sum + Default + std::fmt::LowerExp + sealed::Sealed {
    /// The value nearest to `x`.
    fn of(x: f64) -> Self;
    /// Exact for both types.
    fn as_f64(self) -> f64;
}

impl Real for f64 {
    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn as_f64(self) -> f64 {
        self
    }
}

impl Real for f32 {
    #[inline(always)]
    fn of(x: f64) -> Self {
        x as f32
    }
    #[inline(always)]
    fn as_f64(self) -> f64 {
        f64::from(self)
    }
}
