//! The kernels of the `gemm` crates, at the level in use.
//!
//! The crates choose the best level of the machine. Where a lower one is forced, their blocking is run with the kernels
//! of that one.

use gemm_common::Parallelism::None as Alone;
use gemm_common::gemm::gemm_basic_generic;
use gemm_common::simd::{MixedSimd, Scalar};

use crate::kernel::level::{Level, lowered};

/// First element, row stride, column stride.
type At<P> = (P, isize, isize);

macro_rules! library {
    ($T:ident, $gemm:ident) => {
        /// `c = beta c + alpha a b`, `c` not read where `beta` is 0.
        ///
        /// # Safety
        /// The strides reach valid elements for the sizes given; `c` overlaps neither itself, `a` nor `b`.
        pub unsafe fn $T([m, n, k]: [usize; 3], c: At<*mut $T>, a: At<*const $T>, b: At<*const $T>, alpha: $T, beta: $T) {
            // The crate names our `beta` alpha and our `alpha` beta.
            macro_rules! at_level {
                ($Simd:ty, $level:ident, $lanes:expr) => {{
                    use $gemm::microkernel::$level::$T::{H_M, H_N, H_UKR, MR_DIV_N, NR, UKR};
                    let simd = <$Simd as MixedSimd<$T, $T, $T, $T>>::try_new().expect("the level in use");
                    // SAFETY: the caller's promise is the crate's requirement.
                    unsafe {
                        gemm_basic_generic::<_, $T, { $lanes }, { MR_DIV_N * $lanes }, NR, MR_DIV_N, H_M, H_N>(
                            simd, m, n, k, c.0, c.2, c.1, beta != 0.0, a.0, a.2, a.1, b.0, b.2, b.1, beta, alpha,
                            false, false, false, |x, y, z| x * y + z, &UKR, &H_UKR, false, Alone,
                        )
                    }
                }};
            }
            match lowered() {
                // SAFETY: as above.
                None => unsafe {
                    $gemm::gemm::$T::get_gemm_fn()(
                        m, n, k, c.0, c.2, c.1, beta != 0.0, a.0, a.2, a.1, b.0, b.2, b.1, beta, alpha, false, false,
                        false, Alone,
                    )
                },
                #[cfg(target_arch = "x86_64")]
                Some(Level::Avx2(_)) => at_level!(gemm_common::simd::V3, fma, 32 / size_of::<$T>()),
                Some(_) => at_level!(Scalar, scalar, 1),
            }
        }
    };
}
library!(f32, gemm_f32);
library!(f64, gemm_f64);
