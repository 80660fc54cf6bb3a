//! [`Few`]: a list on the stack, which in code compiled for one expression is a set of registers.

use std::mem::MaybeUninit;

/// At most `N` elements.
pub struct Few<A, const N: usize> {
    all: [MaybeUninit<A>; N],
    len: usize,
}

impl<A: Copy, const N: usize> Few<A, N> {
    #[inline(always)]
    pub fn new() -> Self {
        Few { all: [MaybeUninit::uninit(); N], len: 0 }
    }

    /// # Panics
    /// If there are `N` elements.
    #[inline(always)]
    pub fn push(&mut self, value: A) {
        self.all[self.len] = MaybeUninit::new(value);
        self.len += 1;
    }

    #[inline(always)]
    pub fn slice(&self) -> &[A] {
        // SAFETY: the first `len` elements were written by `push`.
        unsafe { std::slice::from_raw_parts(self.all.as_ptr().cast(), self.len) }
    }
}
