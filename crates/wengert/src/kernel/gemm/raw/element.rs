//! [`Gemm`]: what a product needs of `f32` and `f64`.

use std::cell::RefCell;

use pulp::{MemMask, Simd};

use crate::kernel::real::Real;

/// [`Real`] with the vector words that a product needs.
pub trait Gemm: Real {
    /// A vector register of this type.
    type V<S: Simd>: Copy;
    /// Which lanes of a register a partial load or store touches.
    type Mask<S: Simd>: Copy;
    /// Lanes in a register.
    fn lanes<S: Simd>() -> usize;
    /// `x` in every lane.
    fn splat<S: Simd>(s: S, x: Self) -> Self::V<S>;
    /// `a b + c`, fused where the machine can.
    fn v_mul_add<S: Simd>(s: S, a: Self::V<S>, b: Self::V<S>, c: Self::V<S>) -> Self::V<S>;
    /// `a b`.
    fn v_mul<S: Simd>(s: S, a: Self::V<S>, b: Self::V<S>) -> Self::V<S>;
    /// `a / b`.
    fn v_div<S: Simd>(s: S, a: Self::V<S>, b: Self::V<S>) -> Self::V<S>;
    /// Sum of the lanes.
    fn v_sum<S: Simd>(s: S, a: Self::V<S>) -> Self;
    /// The first `len` lanes.
    fn mask<S: Simd>(s: S, len: usize) -> Self::Mask<S>;
    /// Lanes outside the mask read as 0.
    ///
    /// # Safety
    /// Lanes of the mask are readable at `p`.
    unsafe fn load_masked<S: Simd>(s: S, mask: Self::Mask<S>, p: *const Self) -> Self::V<S>;
    /// Writes the lanes of the mask.
    ///
    /// # Safety
    /// Lanes of the mask are writable at `p`.
    unsafe fn store_masked<S: Simd>(s: S, mask: Self::Mask<S>, p: *mut Self, x: Self::V<S>);
    /// Runs `f` with a scratch vector of this thread, kept between calls.
    fn with_scratch<R>(f: impl FnOnce(&mut Vec<Self>) -> R) -> R;
}

macro_rules! element {
    ($t:ident, $v:ident, $m:ident, $lanes:ident, $splat:ident, $fma:ident, $mul:ident, $div:ident, $sum:ident,
     $between:ident, $int:ident, $load:ident, $store:ident) => {
        #[rustfmt::skip]
        impl Gemm for $t {
            type V<S: Simd> = S::$v;
            type Mask<S: Simd> = S::$m;
            #[inline(always)] fn lanes<S: Simd>() -> usize { S::$lanes }
            #[inline(always)] fn splat<S: Simd>(s: S, x: Self) -> S::$v { s.$splat(x) }
            #[inline(always)] fn v_mul_add<S: Simd>(s: S, a: S::$v, b: S::$v, c: S::$v) -> S::$v { s.$fma(a, b, c) }
            #[inline(always)] fn v_mul<S: Simd>(s: S, a: S::$v, b: S::$v) -> S::$v { s.$mul(a, b) }
            #[inline(always)] fn v_div<S: Simd>(s: S, a: S::$v, b: S::$v) -> S::$v { s.$div(a, b) }
            #[inline(always)] fn v_sum<S: Simd>(s: S, a: S::$v) -> Self { s.$sum(a) }
            #[inline(always)] fn mask<S: Simd>(s: S, len: usize) -> Self::Mask<S> { s.$between(0, len as $int).mask() }
            // SAFETY (both): passed on to the caller in the trait's own words. The mask `pulp` makes would call a function for
            // each load and store; a mask alone is an instruction.
            #[inline(always)] unsafe fn load_masked<S: Simd>(s: S, m: Self::Mask<S>, p: *const $t) -> S::$v { unsafe { s.$load(MemMask::new(m), p) } }
            #[inline(always)] unsafe fn store_masked<S: Simd>(s: S, m: Self::Mask<S>, p: *mut $t, x: S::$v) { unsafe { s.$store(MemMask::new(m), p, x) } }
            fn with_scratch<R>(f: impl FnOnce(&mut Vec<Self>) -> R) -> R {
                thread_local!(static SCRATCH: RefCell<Vec<Vec<$t>>> = const { RefCell::new(Vec::new()) });
                // Taken, not borrowed: a nested call gets a vector of its own.
                let mut held = SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default();
                let result = f(&mut held);
                SCRATCH.with_borrow_mut(|free| free.push(held));
                result
            }
        }
    };
}

element!(
    f32,
    f32s,
    m32s,
    F32_LANES,
    splat_f32s,
    mul_add_e_f32s,
    mul_f32s,
    div_f32s,
    reduce_sum_f32s,
    mask_between_m32s,
    u32,
    mask_load_ptr_f32s,
    mask_store_ptr_f32s
);
element!(
    f64,
    f64s,
    m64s,
    F64_LANES,
    splat_f64s,
    mul_add_e_f64s,
    mul_f64s,
    div_f64s,
    reduce_sum_f64s,
    mask_between_m64s,
    u64,
    mask_load_ptr_f64s,
    mask_store_ptr_f64s
);
