//! [`Pool`]: buffers for cotangents, lent and returned during a sweep.

use std::ptr::NonNull;

use ndarray::{ArrayViewD, IxDyn};

use super::room::{ALIGN, Room, RoomMark};
use super::slab::Place;

/// How many classes are looked through for a buffer that is free: up to four times what is asked for.
const LARGER: usize = 9;

/// Buffers of a few size classes, kept when they come back.
#[derive(Default)]
pub struct Pool {
    free: Vec<Vec<NonNull<u8>>>,
    room: Room,
    at: RoomMark,
}

// SAFETY: the buffers are owned by the pool alone.
unsafe impl Send for Pool {}

/// A buffer lent by a pool, to be returned with `Pool::give_back`; dropped, it is not lent again.
pub struct Loan {
    start: NonNull<u8>,
    class: usize,
}

// SAFETY: a loan is the only way to its buffer.
unsafe impl Send for Loan {}

impl Pool {
    /// A buffer for `len` elements of `A`, holding old numbers.
    #[inline(always)]
    pub fn lend<A>(&mut self, len: usize) -> Loan {
        let class = class_of(len * size_of::<A>());
        match self.free.get_mut(class).and_then(Vec::pop) {
            Some(start) => Loan { start, class },
            None => self.lend_another(class),
        }
    }

    #[cold]
    fn lend_another(&mut self, class: usize) -> Loan {
        if self.free.len() <= class {
            self.free.resize_with(class + 1, Vec::new);
        }
        let mut larger = self.free.iter_mut().enumerate().skip(class).take(LARGER);
        let free = larger.find_map(|(class, free)| Some(Loan { start: free.pop()?, class }));
        free.unwrap_or_else(|| Loan { start: self.room.take(&mut self.at, class_bytes(class)), class })
    }

    #[inline(always)]
    pub fn give_back(&mut self, loan: Loan) {
        self.free[loan.class].push(loan.start);
    }

    /// Bytes that are lent or were once.
    pub fn bytes(&self) -> usize {
        self.room.bytes(self.at)
    }
}

impl Loan {
    #[inline(always)]
    pub fn slice<A: super::slab::Plain>(&self, len: usize) -> &[A] {
        assert!(len * size_of::<A>() <= class_bytes(self.class));
        // SAFETY: the buffer holds that many elements, the loan is the only way to it, and its pool lives (invariant 4 of
        // this folder).
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), len) }
    }

    #[inline(always)]
    pub fn slice_mut<A: super::slab::Plain>(&mut self, len: usize) -> &mut [A] {
        assert!(len * size_of::<A>() <= class_bytes(self.class));
        // SAFETY: as above, exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), len) }
    }

    pub fn view<A: super::slab::Plain>(&self, shape: &[usize]) -> ArrayViewD<'_, A> {
        let slice = self.slice(shape.iter().product());
        ArrayViewD::from_shape(IxDyn(shape), slice).expect("as many elements as the shape says")
    }

    /// Where the buffer lies, to be read as the value of a temporary node while the loan is held.
    pub fn place(&self) -> Place {
        Place::of(self.start)
    }
}

/// Four classes to each doubling, so that at most a fifth of a buffer lies idle.
#[inline]
fn class_of(bytes: usize) -> usize {
    let lines = bytes.div_ceil(ALIGN).max(1);
    let log = lines.ilog2() as usize;
    if log < 2 {
        return lines - 1;
    }
    // In quarters of the power of two below, rounded up; by a shift, since a division would cost more than all the rest.
    let quarters = (lines - (1 << log) + (1 << (log - 2)) - 1) >> (log - 2);
    4 * log + quarters
}

#[inline]
fn class_bytes(class: usize) -> usize {
    if class < 3 {
        return (class + 1) * ALIGN;
    }
    let (log, step) = (class / 4, class % 4);
    ((1 << log) + step * (1 << log) / 4).max(1) * ALIGN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_they_are_asked_for() {
        for bytes in (0..5000).chain([1 << 20, (1 << 20) + 1, 4_000_000, 12_345_678]) {
            let room = class_bytes(class_of(bytes));
            assert!(room >= bytes && room <= 64 + bytes + bytes / 4, "{bytes}: {room}");
        }
    }

    #[test]
    fn buffers_come_back() {
        let mut pool = Pool::default();
        let a = pool.lend::<f64>(100);
        let place = a.place();
        pool.give_back(a);
        assert_eq!(pool.lend::<f64>(99).place(), place);
    }

    #[test]
    fn a_larger_buffer_serves_before_new_memory_does() {
        let mut pool = Pool::default();
        let large = pool.lend::<f64>(4000);
        let place = large.place();
        pool.give_back(large);
        let owned = pool.bytes();
        let small = pool.lend::<f64>(1000);
        assert_eq!((small.place(), pool.bytes()), (place, owned));
        pool.give_back(small);
        assert_eq!(pool.lend::<f64>(4000).place(), place);
        assert_ne!(pool.lend::<f64>(10).place(), place, "a number does not take the room of an array");
    }
}
