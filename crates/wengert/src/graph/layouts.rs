//! Layouts of arrays, interned: arrays of one shape share one entry, and equal ids mean equal layouts.

use crate::shape::Layout;

/// Arrays of one element and at most this many axes have their value in the lane.
pub const LANE_RANKS: usize = 8;
const CACHE: usize = 64;

pub struct Layouts {
    all: Vec<Entry>,
    recent: [u32; CACHE],
}

pub struct Entry {
    pub layout: Layout,
    pub len: usize,
    pub contiguous: bool,
}

impl Layouts {
    /// Entry `k < LANE_RANKS` is the layout of `k` axes of length 1.
    pub fn new() -> Self {
        let mut layouts = Layouts { all: Vec::new(), recent: [0; CACHE] };
        (0..LANE_RANKS).for_each(|rank| layouts.push(Layout::contiguous(&[1; LANE_RANKS][..rank])));
        layouts
    }

    fn push(&mut self, layout: Layout) {
        let (len, contiguous) = (layout.len(), layout.is_contiguous());
        self.all.push(Entry { layout, len, contiguous });
    }

    #[inline]
    pub fn get(&self, id: u32) -> &Entry {
        &self.all[id as usize]
    }

    pub fn intern(&mut self, layout: Layout) -> u32 {
        let mix = |h: usize, v: usize| (h ^ v).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
        let sizes = layout.shape.iter().copied().chain(layout.strides.iter().map(|&s| s as usize));
        let home = sizes.fold(layout.ndim(), mix) % CACHE;
        let recent = self.recent[home] as usize;
        if self.all.get(recent).is_some_and(|known| known.layout == layout) {
            return recent as u32;
        }
        self.push(layout);
        self.recent[home] = self.all.len() as u32 - 1;
        self.recent[home]
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn truncate(&mut self, len: usize) {
        self.all.truncate(len);
    }
}
