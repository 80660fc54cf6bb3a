//! Hints to the caches.

/// Asks for memory that will be read or written at once, into the first-level cache.
#[inline]
pub fn prefetch<A>(memory: &[A]) {
    prefetch_at(memory.as_ptr(), memory.len(), true);
}

/// As [`prefetch`], `len` elements from a place on that need not be anybody's: a hint reads nothing. Into the second-level cache, unless
/// they are needed `at_once`.
#[inline]
pub fn prefetch_at<A>(first: *const A, len: usize, at_once: bool) {
    #[cfg(target_arch = "x86_64")]
    for start in (0..len).step_by(64 / size_of::<A>().max(1)) {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        let line = first.wrapping_add(start).cast();
        // SAFETY: a hint never faults; SSE is part of the target.
        unsafe { if at_once { _mm_prefetch::<_MM_HINT_T0>(line) } else { _mm_prefetch::<_MM_HINT_T1>(line) } }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (first, len, at_once);
}
