//! Layouts of arrays, interned: equal ids mean equal layouts, and arrays of one shape share an entry, as long as it is one of the
//! recent ones.

use crate::hash::mix;
use crate::shape::Layout;

/// Arrays of one element and at most this many axes have their value in the lane.
pub const LANE_RANKS: usize = 8;
const CACHE: usize = 64;

pub struct Layouts {
    all: Vec<Entry>,
    recent: [u32; CACHE],
    /// Recent row-major ones, by their shapes.
    row_major: [u32; CACHE],
}

pub struct Entry {
    pub layout: Layout,
    pub len: usize,
    pub contiguous: bool,
}

impl Layouts {
    /// Entry `k < LANE_RANKS` is the layout of `k` axes of length 1.
    pub fn new() -> Self {
        let mut layouts = Layouts { all: Vec::new(), recent: [0; CACHE], row_major: [0; CACHE] };
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
        let shape = hash_of(&layout.shape);
        let home = layout.strides.iter().fold(shape, |hash, &step| mix(hash, step as u64)) as usize % CACHE;
        let recent = self.recent[home] as usize;
        if self.all.get(recent).is_some_and(|known| known.layout == layout) {
            return recent as u32;
        }
        self.push(layout);
        self.recent[home] = self.all.len() as u32 - 1;
        self.recent[home]
    }

    /// The row-major layout of `shape`, which is not made where it is one of the recent ones.
    pub fn row_major(&mut self, shape: &[usize]) -> u32 {
        let home = hash_of(shape) as usize % CACHE;
        let recent = self.row_major[home];
        let known = self.all.get(recent as usize).map(|known| &known.layout);
        if known.is_some_and(|layout| layout.shape[..] == *shape && layout.is_row_major()) {
            return recent;
        }
        self.row_major[home] = self.intern(Layout::contiguous(shape));
        self.row_major[home]
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn truncate(&mut self, len: usize) {
        self.all.truncate(len);
    }
}

fn hash_of(shape: &[usize]) -> u64 {
    shape.iter().fold(shape.len() as u64, |hash, &n| mix(hash, n as u64))
}

#[cfg(test)]
mod tests {
    use smallvec::SmallVec;

    use super::*;
    use crate::shape::Shape;

    #[test]
    fn row_major_layouts_are_those_made_for_their_shapes() {
        let mut layouts = Layouts::new();
        let shapes: [&[usize]; 6] = [&[2, 3], &[3, 2], &[4, 1, 5], &[0, 3], &[6], &[2, 0]];
        for _ in 0..2 {
            // As many entries as are left, and others in their places.
            layouts.truncate(LANE_RANKS);
            for shape in shapes {
                let id = layouts.row_major(shape);
                assert_eq!(layouts.get(id).layout, Layout::contiguous(shape));
                assert_eq!((layouts.row_major(shape), layouts.intern(Layout::contiguous(shape))), (id, id));
            }
            layouts.truncate(LANE_RANKS);
            // An axis of length 1 with a step of its own: contiguous, not row-major as it is made.
            let odd = Layout { shape: Shape::from_slice(&[2, 1]), strides: SmallVec::from_slice(&[1, 7]) };
            assert!(odd.is_contiguous() && !odd.is_row_major());
            let id = layouts.intern(odd);
            assert_ne!(layouts.row_major(&[2, 1]), id);
        }
    }
}
