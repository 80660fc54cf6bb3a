//! Hints to the caches.

/// Asks for memory that will be read or written at once, into the first-level cache.
#[inline]
pub fn prefetch<A>(memory: &[A]) {
    #[cfg(target_arch = "x86_64")]
    fetch::<{ std::arch::x86_64::_MM_HINT_T0 }, A>(memory);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = memory;
}

/// Asks for memory that will be read or written soon, into the second-level cache.
#[inline]
pub fn prefetch_soon<A>(memory: &[A]) {
    #[cfg(target_arch = "x86_64")]
    fetch::<{ std::arch::x86_64::_MM_HINT_T1 }, A>(memory);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = memory;
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn fetch<const HINT: i32, A>(memory: &[A]) {
    for line in memory.chunks(64 / size_of::<A>().max(1)) {
        // SAFETY: a hint reads nothing and never faults; SSE is part of the target.
        unsafe { std::arch::x86_64::_mm_prefetch::<HINT>(line.as_ptr().cast()) };
    }
}
