//! Hints to the caches.

/// Asks for memory that will be read or written soon, into the first-level cache.
#[inline]
pub fn prefetch<A>(memory: &[A]) {
    #[cfg(target_arch = "x86_64")]
    for line in memory.chunks(64 / size_of::<A>().max(1)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint reads nothing and never faults; SSE is part of the target.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = memory;
}
