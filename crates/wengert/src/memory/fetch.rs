//! Hints to the caches.

/// Asks for memory that will be read or written soon, into the first-level cache.
#[inline]
pub fn prefetch<A>(memory: &[A]) {
    prefetch_at(memory.as_ptr(), memory.len());
}

/// As [`prefetch`], `len` elements from a place on that need not be anybody's: a hint reads nothing.
#[inline]
pub fn prefetch_at<A>(first: *const A, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for start in (0..len).step_by(64 / size_of::<A>().max(1)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint never faults; SSE is part of the target.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(start).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (first, len);
}
