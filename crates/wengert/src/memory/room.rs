//! [`Room`]: memory handed out front to back, in pieces that never move.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::ptr::NonNull;

/// Every piece starts on a cache line, which is also the widest vector.
pub const ALIGN: usize = 64;

/// What a small graph takes.
const FIRST: usize = 16 << 10;

/// What is reserved beyond. From 32 MiB on allocators ask the system for pages of their own: such a page takes memory from the
/// first write to it on, none when it was never written to, and all of them go back when the graph does, whatever else the
/// program has allocated since.
const RESERVED: usize = if usize::BITS >= 64 { 64 << 20 } else { 1 << 20 };

/// From this size on, arrays of equal lengths are set apart by so much, so that they do not begin at equal addresses modulo a
/// page: a load behind a store to such an address waits for it.
const LARGE: usize = 16 << 10;
const APART: usize = 5 * ALIGN;

/// How many reserved chunks a thread keeps of the graphs it dropped: a program that makes a new graph for every step would
/// otherwise spend a third of its time on new pages.
const SPARE: usize = 2;

thread_local! {
    static SPARES: RefCell<Vec<Chunk>> = const { RefCell::new(Vec::new()) };
}

/// Chunks of memory, the first of which are full.
#[derive(Default)]
pub struct Room {
    chunks: Vec<Chunk>,
}

// SAFETY: the chunks are owned by the room alone.
unsafe impl Send for Room {}

struct Chunk {
    start: NonNull<u8>,
    bytes: usize,
    /// The most that was handed out of it when it was left.
    used: usize,
}

/// How far a room is handed out: the chunk in use, and bytes used of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoomMark {
    chunk: usize,
    used: usize,
}

impl Room {
    /// `bytes` (a multiple of [`ALIGN`]) from `at` on, which is advanced: zero or old numbers.
    #[inline]
    pub fn take(&mut self, at: &mut RoomMark, bytes: usize) -> NonNull<u8> {
        debug_assert!(bytes.is_multiple_of(ALIGN));
        let bytes = if bytes < LARGE { bytes } else { bytes + APART };
        if self.chunks.get(at.chunk).is_none_or(|chunk| at.used + bytes > chunk.bytes) {
            self.move_on(at, bytes);
        }
        // SAFETY: `used + bytes` lies within the chunk, as was just made sure.
        let start = unsafe { self.chunks[at.chunk].start.add(at.used) };
        at.used += bytes;
        start
    }

    /// Goes on to a chunk with `bytes` free. A new one is taken from the system only when no old one is left.
    #[cold]
    fn move_on(&mut self, at: &mut RoomMark, bytes: usize) {
        while let Some(chunk) = self.chunks.get(at.chunk)
            && at.used + bytes > chunk.bytes
        {
            self.leave(*at);
            *at = RoomMark { chunk: at.chunk + 1, used: 0 };
        }
        if at.chunk == self.chunks.len() {
            let small = at.chunk == 0 && bytes <= FIRST;
            self.chunks.push(Chunk::spare(bytes).unwrap_or_else(|| match small {
                true => Chunk::new(FIRST),
                false => Chunk::new(RESERVED.max(bytes)),
            }));
        }
    }

    /// Notes how far a chunk was used, before what follows `at` is handed out from somewhere else.
    pub fn leave(&mut self, at: RoomMark) {
        if let Some(chunk) = self.chunks.get_mut(at.chunk) {
            chunk.used = chunk.used.max(at.used);
        }
    }

    /// Bytes that are handed out up to `at`, or were once.
    pub fn bytes(&self, at: RoomMark) -> usize {
        let here = self.chunks.get(at.chunk).map_or(0, |chunk| at.used.saturating_sub(chunk.used));
        here + self.chunks.iter().map(|chunk| chunk.used).sum::<usize>()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // A thread that ends has nowhere to keep them any more.
        let _ = SPARES.try_with(|spares| {
            let mut spares = spares.borrow_mut();
            let reserved = self.chunks.drain(..).filter(|chunk| chunk.bytes == RESERVED);
            let room = SPARE - spares.len();
            spares.extend(reserved.take(room));
        });
    }
}

impl Chunk {
    fn new(bytes: usize) -> Self {
        Chunk { start: zeroed(bytes), bytes, used: 0 }
    }

    /// A chunk that a dropped graph left, if `bytes` fit.
    fn spare(bytes: usize) -> Option<Self> {
        if bytes > RESERVED {
            return None;
        }
        let mut spare = SPARES.try_with(|spares| spares.borrow_mut().pop()).ok()??;
        spare.used = 0;
        Some(spare)
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: from `zeroed` with the same size; pieces are used only as long as their owner lives.
        unsafe { release(self.start, self.bytes) };
    }
}

/// What is asked of the system beyond `bytes`: room to align the start, and for the address of the whole before it.
fn with_room(bytes: usize) -> Layout {
    let layout =
        bytes.checked_add(ALIGN).and_then(|all| Layout::from_size_align(all, size_of::<usize>()).ok());
    layout.expect("an array smaller than the address space")
}

/// Zeroed memory, so that what is read before it is written is a number, not undefined. It is aligned here: asked for so
/// much alignment, the standard library clears memory itself, and what nobody ever used would be in memory too.
pub(super) fn zeroed(bytes: usize) -> NonNull<u8> {
    let layout = with_room(bytes);
    // SAFETY: not 0 bytes. The address after `all` that is a multiple of `ALIGN` is at least a word and at most `ALIGN` away,
    // as `all` is aligned to words itself.
    unsafe {
        let Some(all) = NonNull::new(alloc_zeroed(layout)) else { handle_alloc_error(layout) };
        let start = all.add(ALIGN - all.as_ptr().addr() % ALIGN);
        start.cast::<NonNull<u8>>().sub(1).write(all);
        start
    }
}

/// Gives memory back to the system.
///
/// # Safety
/// `start` is from `zeroed(bytes)`, and nobody uses it any more.
pub(super) unsafe fn release(start: NonNull<u8>, bytes: usize) {
    // SAFETY: `zeroed` has put the address before `start`.
    unsafe { dealloc(start.cast::<NonNull<u8>>().sub(1).read().as_ptr(), with_room(bytes)) };
}
