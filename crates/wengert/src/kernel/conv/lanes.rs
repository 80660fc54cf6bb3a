//! [`Lanes`]: one SIMD register of `f32` or `f64`, so that the tiles are written once for both.

use pulp::Simd;

use crate::kernel::gemm::Gemm;

/// An element type with its register under every instruction set.
pub trait Lanes: Gemm {
    /// A register of this type.
    type Register<S: Simd>: Copy;
    /// Elements in a register.
    fn count<S: Simd>(simd: S) -> usize;
    /// All lanes equal to `x`.
    fn broadcast<S: Simd>(simd: S, x: Self) -> Self::Register<S>;
    /// The first register of `x`, which is at least that long.
    fn load<S: Simd>(simd: S, x: &[Self]) -> Self::Register<S>;
    /// `x` as registers; its length is a multiple of theirs.
    fn registers<S: Simd>(simd: S, x: &[Self]) -> &[Self::Register<S>];
    /// Writes a register to the front of `out`.
    fn store<S: Simd>(simd: S, out: &mut [Self], x: Self::Register<S>);
    /// `a * b + c`, fused where the hardware fuses.
    fn fused<S: Simd>(
        simd: S,
        a: Self::Register<S>,
        b: Self::Register<S>,
        c: Self::Register<S>,
    ) -> Self::Register<S>;
    /// Sum of the lanes.
    fn total<S: Simd>(simd: S, x: Self::Register<S>) -> Self;
}

macro_rules! lanes {
    ($t:ty, $register:ident, $count:ident, $splat:ident, $cast:ident, $cast_mut:ident, $fma:ident, $sum:ident) => {
        impl Lanes for $t {
            type Register<S: Simd> = S::$register;
            #[inline(always)]
            fn count<S: Simd>(_: S) -> usize {
                S::$count
            }
            #[inline(always)]
            fn broadcast<S: Simd>(simd: S, x: $t) -> S::$register {
                simd.$splat(x)
            }
            #[inline(always)]
            fn load<S: Simd>(_: S, x: &[$t]) -> S::$register {
                S::$cast(&x[..S::$count]).0[0]
            }
            #[inline(always)]
            fn registers<S: Simd>(_: S, x: &[$t]) -> &[S::$register] {
                S::$cast(x).0
            }
            #[inline(always)]
            fn store<S: Simd>(_: S, out: &mut [$t], x: S::$register) {
                S::$cast_mut(&mut out[..S::$count]).0[0] = x;
            }
            #[inline(always)]
            fn fused<S: Simd>(simd: S, a: S::$register, b: S::$register, c: S::$register) -> S::$register {
                simd.$fma(a, b, c)
            }
            #[inline(always)]
            fn total<S: Simd>(simd: S, x: S::$register) -> $t {
                simd.$sum(x)
            }
        }
    };
}

lanes!(f32, f32s, F32_LANES, splat_f32s, as_simd_f32s, as_mut_simd_f32s, mul_add_e_f32s, reduce_sum_f32s);
lanes!(f64, f64s, F64_LANES, splat_f64s, as_simd_f64s, as_mut_simd_f64s, mul_add_e_f64s, reduce_sum_f64s);
