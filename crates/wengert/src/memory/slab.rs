//! [`Slab`]: arrays one behind the other, taken back by rewinding.

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::ptr::NonNull;

use ndarray::{ArrayViewD, Axis, IxDyn, ShapeBuilder};

use super::room::{ALIGN, Room, RoomMark};
use crate::shape::Layout;

/// Address-stable memory for arrays.
pub struct Slab {
    room: UnsafeCell<Room>,
    at: Cell<RoomMark>,
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

/// Memory nobody has seen yet, to be written later, if it has not been taken back by then.
pub struct Reserved {
    place: Place,
    bytes: usize,
}

impl Slab {
    pub fn new() -> Self {
        Slab { room: UnsafeCell::default(), at: Cell::default() }
    }

    /// `len` elements of `A`, zero or old numbers.
    #[inline]
    pub fn take<A>(&self, len: usize) -> Fresh<'_> {
        let bytes = (len * size_of::<A>()).next_multiple_of(ALIGN);
        let mut at = self.at.get();
        // SAFETY: nobody else holds a reference to the room: it never leaves this file.
        let start = unsafe { &mut *self.room.get() }.take(&mut at, bytes);
        self.at.set(at);
        Fresh { place: Place(start), bytes, owner: PhantomData }
    }

    /// As [`Slab::take`], for a value that may never be asked for.
    pub fn reserve<A>(&self, len: usize) -> Reserved {
        let Fresh { place, bytes, .. } = self.take::<A>(len);
        Reserved { place, bytes }
    }

    /// What was reserved in this slab, and not taken back since, to be written.
    pub fn open(&self, Reserved { place, bytes }: Reserved) -> Fresh<'_> {
        Fresh { place, bytes, owner: PhantomData }
    }

    pub fn mark(&self) -> RoomMark {
        self.at.get()
    }

    /// Takes back everything handed out since `mark`. Either nobody has a handle of it yet, or the caller ends their validity
    /// and holds the graph exclusively.
    pub fn retract(&self, mark: RoomMark) {
        debug_assert!(mark <= self.at.get());
        // SAFETY: as in `take`.
        unsafe { &mut *self.room.get() }.leave(self.at.get());
        self.at.set(mark);
    }

    /// The array of `layout` at `place`, to be looked at in one way or another for as long as the slab is shared.
    pub fn locate<'a, A>(&'a self, place: Place, layout: &'a Layout) -> Located<'a, A> {
        Located { place, layout, elements: PhantomData }
    }

    /// The array of `layout` at `place`, for as long as the slab is shared.
    pub fn view<A>(&self, place: Place, layout: &Layout) -> ArrayViewD<'_, A> {
        view(place, layout)
    }

    /// The memory from the lowest to the highest element of the array of `layout` at `place`, and the index of the first.
    pub fn span<A>(&self, place: Place, layout: &Layout) -> (&[A], usize) {
        span(place, layout)
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

    /// Bytes that are handed out or were once.
    pub fn bytes(&self) -> usize {
        // SAFETY: as in `take`.
        unsafe { &*self.room.get() }.bytes(self.at.get())
    }
}

/// An array of values where it lies. A kernel that takes strides needs no more; a view is made where one is asked for.
pub struct Located<'a, A> {
    place: Place,
    layout: &'a Layout,
    elements: PhantomData<&'a [A]>,
}

// SAFETY: as a shared slice of the elements, which nothing writes to for `'a`.
unsafe impl<A: Sync> Sync for Located<'_, A> {}

impl<'a, A> Located<'a, A> {
    pub fn shape(&self) -> &'a [usize] {
        &self.layout.shape
    }

    pub fn layout(&self) -> &'a Layout {
        self.layout
    }

    pub fn view(&self) -> ArrayViewD<'a, A> {
        view(self.place, self.layout)
    }

    /// The memory from the lowest to the highest element, and the index of the first.
    pub fn span(&self) -> (&'a [A], usize) {
        span(self.place, self.layout)
    }
}

impl Reserved {
    pub fn place(&self) -> Place {
        self.place
    }
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

/// The memory from the lowest to the highest element of the array of `layout` at `place`, and the index of the first. The
/// caller's signature ties `'a` to the owner of the memory.
fn span<'a, A>(place: Place, layout: &Layout) -> (&'a [A], usize) {
    let Some((low, high)) = layout.extent() else { return (&[], 0) };
    // SAFETY: layouts describe elements within the memory handed out for `place`, and nothing writes there while the owner
    // is shared.
    let data = unsafe {
        let lowest = place.0.as_ptr().cast::<A>().offset(low);
        std::slice::from_raw_parts(lowest, (high - low) as usize + 1)
    };
    (data, low.unsigned_abs())
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
