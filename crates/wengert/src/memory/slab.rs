//! [`Slab`]: chunks of bytes, handed out front to back and reset by rewinding.

use std::alloc::{Layout as Bytes, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::ptr::NonNull;

use ndarray::{ArrayViewD, Axis, IxDyn, ShapeBuilder};

use crate::shape::Layout;

/// Every array starts on a cache line, which is also the widest vector.
pub const ALIGN: usize = 64;
const FIRST_CHUNK: usize = 64 << 10;
const LARGEST_STEP: usize = 32 << 20;

/// Address-stable memory for arrays.
pub struct Slab {
    chunks: UnsafeCell<Vec<Chunk>>,
    /// Chunk in use, and bytes used of it.
    at: Cell<SlabMark>,
}

struct Chunk {
    start: NonNull<u8>,
    bytes: usize,
}

/// A state of a slab to return to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlabMark {
    chunk: usize,
    used: usize,
}

/// The address of an array's first element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(NonNull<u8>);

// SAFETY: a place is only followed together with a reference to the owner of its memory.
unsafe impl Send for Place {}

/// Memory nobody has seen yet: written once, then read through its place.
pub struct Fresh<'a> {
    place: Place,
    bytes: usize,
    owner: PhantomData<&'a Slab>,
}

// SAFETY: the chunks are owned by the slab alone.
unsafe impl Send for Slab {}

impl Slab {
    pub fn new() -> Self {
        Slab { chunks: UnsafeCell::new(Vec::new()), at: Cell::new(SlabMark::default()) }
    }

    /// `len` elements of `A`, zero or old numbers. A new chunk is taken from the system only when no old one is left.
    pub fn take<A>(&self, len: usize) -> Fresh<'_> {
        let bytes = (len * size_of::<A>()).next_multiple_of(ALIGN);
        let mut at = self.at.get();
        // SAFETY: nobody else holds a reference to the list of chunks: it never leaves this file.
        let chunks = unsafe { &mut *self.chunks.get() };
        while at.chunk < chunks.len() && at.used + bytes > chunks[at.chunk].bytes {
            at = SlabMark { chunk: at.chunk + 1, used: 0 };
        }
        if at.chunk == chunks.len() {
            let last = chunks.last().map_or(FIRST_CHUNK / 2, |c| c.bytes);
            chunks.push(Chunk::new((2 * last).min(LARGEST_STEP).max(bytes)));
        }
        // SAFETY: `used + bytes` lies within the chunk, as was just made sure.
        let start = unsafe { chunks[at.chunk].start.add(at.used) };
        self.at.set(SlabMark { used: at.used + bytes, ..at });
        Fresh { place: Place(start), bytes, owner: PhantomData }
    }

    pub fn mark(&self) -> SlabMark {
        self.at.get()
    }

    /// Takes back everything handed out since `mark`. Either nobody has a handle of it yet, or the caller ends their validity
    /// and holds the graph exclusively.
    pub fn retract(&self, mark: SlabMark) {
        debug_assert!(mark <= self.at.get());
        self.at.set(mark);
    }

    /// The array of `layout` at `place`, for as long as the slab is shared.
    pub fn view<A>(&self, place: Place, layout: &Layout) -> ArrayViewD<'_, A> {
        view(place, layout)
    }

    /// The memory from the lowest to the highest element of the array of `layout` at `place`, and the index of the first.
    pub fn span<A>(&self, place: Place, layout: &Layout) -> (&[A], usize) {
        if layout.len() == 0 {
            return (&[], 0);
        }
        let (low, high) = layout.extent();
        // SAFETY: layouts describe elements within the memory handed out for `place`, which nothing writes to while the
        // slab is shared.
        let data = unsafe {
            std::slice::from_raw_parts(place.0.as_ptr().cast::<A>().offset(low), (high - low) as usize + 1)
        };
        (data, low.unsigned_abs())
    }

    /// `len` elements one behind the other from `place` on.
    #[inline(always)]
    pub fn slice<A>(&self, place: Place, len: usize) -> &[A] {
        // SAFETY: as in `span`, for an array without gaps.
        unsafe { std::slice::from_raw_parts(place.0.as_ptr().cast(), len) }
    }

    /// The elements at `place` for writing; the exclusive reference says that no view is alive.
    pub fn write<A>(&mut self, place: Place, len: usize) -> &mut [A] {
        // SAFETY: `place` with `len` elements was handed out by this slab (invariant of the tape's arrays).
        unsafe { std::slice::from_raw_parts_mut(place.0.as_ptr().cast(), len) }
    }

    /// Bytes owned, used or not.
    pub fn bytes(&self) -> usize {
        // SAFETY: as in `take`.
        unsafe { &*self.chunks.get() }.iter().map(|c| c.bytes).sum()
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        for chunk in self.chunks.get_mut() {
            // SAFETY: from `Chunk::new`, and dropped with its owner.
            unsafe { release(chunk.start, chunk.bytes) };
        }
    }
}

impl Chunk {
    fn new(bytes: usize) -> Self {
        Chunk { start: zeroed(bytes), bytes }
    }
}

/// What is asked of the system beyond `bytes`: room to align the start, and for the address of the whole before it.
fn with_room(bytes: usize) -> Bytes {
    let layout =
        bytes.checked_add(ALIGN).and_then(|all| Bytes::from_size_align(all, size_of::<usize>()).ok());
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

impl<'a> Fresh<'a> {
    pub fn place(&self) -> Place {
        self.place
    }

    /// The elements, to be written. Masks are cleared first: old bytes need not be valid `bool`s.
    pub fn slice<A: Plain>(&mut self, len: usize) -> &'a mut [A] {
        assert!(len * size_of::<A>() <= self.bytes);
        if A::CLEAR {
            // SAFETY: the piece holds `bytes` bytes and nobody else has seen it.
            unsafe { self.place.0.as_ptr().write_bytes(0, len * size_of::<A>()) };
        }
        // SAFETY: as above; every bit pattern is a valid number, and masks were cleared.
        unsafe { std::slice::from_raw_parts_mut(self.place.0.as_ptr().cast(), len) }
    }
}

/// The memory from the lowest to the highest element of a value's view, gaps included, and the index of the first.
///
/// Only for views of values (invariant 3 of this folder); every other view may have a writer in its gaps.
pub fn span_of<'a, A: Plain>(view: &ArrayViewD<'a, A>) -> (&'a [A], usize) {
    if view.is_empty() {
        return (&[], 0);
    }
    let (mut low, mut high) = (0, 0);
    for (&n, &s) in view.shape().iter().zip(view.strides()) {
        let reach = s * (n as isize - 1);
        low += reach.min(0);
        high += reach.max(0);
    }
    // SAFETY: both ends are elements of the view, so all between lies in one array; nobody writes to the array of a value
    // while it is viewed (invariant 1 of this folder), and all of it holds numbers.
    let data = unsafe { std::slice::from_raw_parts(view.as_ptr().offset(low), (high - low) as usize + 1) };
    (data, low.unsigned_abs())
}

/// Element types of arrays.
pub trait Plain: Copy {
    /// Whether only some bit patterns are valid.
    const CLEAR: bool = false;
}
impl Plain for f32 {}
impl Plain for f64 {}
impl Plain for i64 {}
impl Plain for bool {
    const CLEAR: bool = true;
}

impl Place {
    /// The place of the element `offset` (in elements of `A`) away, within the same array.
    pub fn offset<A>(self, offset: isize) -> Self {
        // SAFETY: the offset of a view's first element lies within the viewed array.
        Place(unsafe { self.0.offset(offset * size_of::<A>() as isize) })
    }

    pub(super) fn of<A>(start: NonNull<A>) -> Self {
        Place(start.cast())
    }
}

/// The array of `layout` at `place`. The caller's signature ties `'a` to the owner of the memory.
pub(super) fn view<'a, A>(place: Place, layout: &Layout) -> ArrayViewD<'a, A> {
    if layout.len() == 0 {
        // ndarray wants strides of 0 here: with others an owned copy is refused.
        return ArrayViewD::from_shape(IxDyn(&layout.shape), &[]).expect("no elements for an empty shape");
    }
    let mut start = place.0.as_ptr().cast::<A>();
    let mut strides: smallvec::SmallVec<[usize; 4]> = smallvec::SmallVec::new();
    for (&n, &s) in layout.shape.iter().zip(&layout.strides) {
        if s < 0 && n > 0 {
            // SAFETY: the far end of the axis lies within the array.
            start = unsafe { start.offset(s * (n as isize - 1)) };
        }
        strides.push(s.unsigned_abs());
    }
    let shape = IxDyn(&layout.shape).strides(IxDyn(&strides));
    // SAFETY: layouts describe elements within the memory handed out for `place` (invariant of the tape's arrays), and
    // nothing writes there while the owner is shared.
    let mut view = unsafe { ArrayViewD::from_shape_ptr(shape, start) };
    for (k, &s) in layout.strides.iter().enumerate() {
        if s < 0 {
            view.invert_axis(Axis(k));
        }
    }
    view
}
