//! [`Lane`]: values of one element, packed, address-stable.

use std::cell::{Cell, UnsafeCell};
use std::ptr::NonNull;

use super::room::{release, zeroed};
use super::slab::Place;

const SHIFT: usize = 13;
const MASK: usize = (1 << SHIFT) - 1;

/// Values of one element each, addressed by index.
pub struct Lane<T> {
    chunks: UnsafeCell<Vec<NonNull<T>>>,
    len: Cell<usize>,
}

// SAFETY: the chunks are owned by the lane alone.
unsafe impl<T: Send> Send for Lane<T> {}

impl<T: Copy> Lane<T> {
    pub fn new() -> Self {
        Lane { chunks: UnsafeCell::new(Vec::new()), len: Cell::new(0) }
    }

    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// The value at `index`, which is that of a node.
    #[inline(always)]
    pub fn get(&self, index: usize) -> T {
        debug_assert!(index < self.len());
        // SAFETY: `index` was returned by `push`, so its chunk exists (chunks are never given back); the list of chunks
        // never leaves this file.
        unsafe { *(&*self.chunks.get()).get_unchecked(index >> SHIFT).as_ptr().add(index & MASK) }
    }

    /// Asks for the values `from..to`, as far as they lie in one chunk.
    #[inline(always)]
    pub fn prefetch(&self, from: usize, to: usize) {
        debug_assert!(from <= to && to <= self.len());
        let to = to.min((from | MASK) + 1);
        // SAFETY: as in `get`, for a stretch of one chunk.
        let values = unsafe {
            let start = (&*self.chunks.get())[from >> SHIFT].as_ptr().add(from & MASK);
            std::slice::from_raw_parts(start, to - from)
        };
        super::prefetch(values);
    }

    /// Appends a value; its index.
    #[inline(always)]
    pub fn push(&self, value: T) -> usize {
        let index = self.len.get();
        // SAFETY: nobody else holds a reference to the list of chunks.
        let chunks = unsafe { &mut *self.chunks.get() };
        if index >> SHIFT == chunks.len() {
            grow(chunks);
        }
        // SAFETY: the cell lies within its chunk, and no view reaches beyond `len`.
        unsafe { *chunks[index >> SHIFT].as_ptr().add(index & MASK) = value };
        self.len.set(index + 1);
        index
    }

    /// Writes the number that was pending at `index`; nobody has seen the cell, whose readers ask for it first.
    pub fn fill_in(&self, index: usize, value: T) {
        assert!(index < self.len());
        // SAFETY: as in `get`; a view of a pending cell is made only after this.
        unsafe { *(&*self.chunks.get())[index >> SHIFT].as_ptr().add(index & MASK) = value };
    }

    /// Takes back everything from `len` on; shared for recordings that failed and have no handle.
    pub fn truncate(&self, len: usize) {
        debug_assert!(len <= self.len());
        self.len.set(len);
    }

    /// Where the value at `index` lies.
    pub fn place(&self, index: usize) -> Place {
        debug_assert!(index < self.len());
        // SAFETY: as in `get`.
        Place::of(unsafe { (&*self.chunks.get())[index >> SHIFT].add(index & MASK) })
    }

    /// Bytes owned, used or not.
    pub fn bytes(&self) -> usize {
        // SAFETY: as in `push`.
        unsafe { &*self.chunks.get() }.len() * (size_of::<T>() << SHIFT)
    }
}

#[cold]
fn grow<T>(chunks: &mut Vec<NonNull<T>>) {
    chunks.push(zeroed(size_of::<T>() << SHIFT).cast());
}

impl<T> Drop for Lane<T> {
    fn drop(&mut self) {
        for chunk in self.chunks.get_mut() {
            // SAFETY: from `grow`, and dropped with its owner.
            unsafe { release(chunk.cast(), size_of::<T>() << SHIFT) };
        }
    }
}
