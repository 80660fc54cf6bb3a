//! Hints to the caches.

/// Asks for memory that will be read or written at once, into the first-level cache.
#[inline]
pub fn prefetch<A>(memory: &[A]) {
    ask::<true, A>(memory.as_ptr(), memory.len());
}

/// Asks for memory that will be read or written soon, into the second-level cache: `len` elements from a place on that need not be anybody's,
/// since a hint reads nothing.
#[inline]
pub fn prefetch_soon<A>(first: *const A, len: usize) {
    ask::<false, A>(first, len);
}

#[inline(always)]
fn ask<const AT_ONCE: bool, A>(first: *const A, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for start in (0..len).step_by(64 / size_of::<A>().max(1)) {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        let line = first.wrapping_add(start).cast();
        // SAFETY: a hint never faults; SSE is part of the target.
        unsafe { if AT_ONCE { _mm_prefetch::<_MM_HINT_T0>(line) } else { _mm_prefetch::<_MM_HINT_T1>(line) } }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (first, len);
}
