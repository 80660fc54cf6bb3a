//! [`Lane`]: values of one element, at the index of their node.

use std::cell::UnsafeCell;
use std::ptr::NonNull;

use super::room::{release, zeroed};
use super::slab::Place;

const SHIFT: usize = 13;
const MASK: usize = (1 << SHIFT) - 1;

/// Values of one element each, addressed by the index of their node: a value is found without looking at its node.
pub struct Lane<T> {
    chunks: UnsafeCell<Vec<NonNull<T>>>,
}

// SAFETY: the chunks are owned by the lane alone.
unsafe impl<T: Send> Send for Lane<T> {}

impl<T: Copy> Lane<T> {
    pub fn new() -> Self {
        Lane { chunks: UnsafeCell::default() }
    }

    /// The value at `index`, which is that of a node.
    #[inline(always)]
    pub fn get(&self, index: usize) -> T {
        debug_assert!(index < self.capacity());
        // SAFETY: the node's value was put there, so its chunk exists; the list of chunks never leaves this file.
        unsafe { *(&*self.chunks.get()).get_unchecked(index >> SHIFT).as_ptr().add(index & MASK) }
    }

    /// Asks for the values `from..to`, as far as they lie in one chunk.
    #[inline(always)]
    pub fn prefetch(&self, from: usize, to: usize) {
        debug_assert!(from <= to);
        let to = to.min((from | MASK) + 1);
        // SAFETY: as in `get`, for a stretch of one chunk.
        if let Some(chunk) = unsafe { &*self.chunks.get() }.get(from >> SHIFT) {
            super::prefetch(unsafe {
                std::slice::from_raw_parts(chunk.as_ptr().add(from & MASK), to - from)
            });
        }
    }

    /// Writes the value of a new node, or the one that was pending; nobody has seen the cell, or they would have asked
    /// for the value before.
    #[inline(always)]
    pub fn put(&self, index: usize, value: T) {
        if !self.try_put(index, value) {
            // SAFETY: nobody else holds a reference to the list of chunks.
            grow(unsafe { &mut *self.chunks.get() }, index >> SHIFT);
            let put = self.try_put(index, value);
            debug_assert!(put);
        }
    }

    /// As [`Lane::put`], `false` where there is no room yet.
    #[inline(always)]
    #[must_use]
    pub fn try_put(&self, index: usize, value: T) -> bool {
        // SAFETY: nobody else holds a reference to the list of chunks.
        let Some(chunk) = unsafe { &*self.chunks.get() }.get(index >> SHIFT) else { return false };
        // SAFETY: the cell lies within its chunk, and no view reaches it.
        unsafe { *chunk.as_ptr().add(index & MASK) = value };
        true
    }

    /// Where the value at `index` lies.
    pub fn place(&self, index: usize) -> Place {
        debug_assert!(index < self.capacity());
        // SAFETY: as in `get`.
        Place::of(unsafe { (&*self.chunks.get())[index >> SHIFT].add(index & MASK) })
    }

    /// For how many values there is room.
    fn capacity(&self) -> usize {
        // SAFETY: as in `put`.
        unsafe { &*self.chunks.get() }.len() << SHIFT
    }

    /// Bytes owned, used or not.
    pub fn bytes(&self) -> usize {
        self.capacity() * size_of::<T>()
    }
}

#[cold]
fn grow<T>(chunks: &mut Vec<NonNull<T>>, chunk: usize) {
    chunks.resize_with(chunk + 1, || zeroed(size_of::<T>() << SHIFT).cast());
}

impl<T> Drop for Lane<T> {
    fn drop(&mut self) {
        for chunk in self.chunks.get_mut() {
            // SAFETY: from `grow`, and dropped with its owner.
            unsafe { release(chunk.cast(), size_of::<T>() << SHIFT) };
        }
    }
}
