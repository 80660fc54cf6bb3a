//! The hash that small caches are looked up by: a few instructions for each number.

/// The hash of what `hash` is that of, and of one number more.
#[inline]
pub fn mix(hash: u64, number: u64) -> u64 {
    (hash ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23)
}
