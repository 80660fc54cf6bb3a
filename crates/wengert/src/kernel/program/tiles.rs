//! The memory of a run: tiles that are kept between runs.

use super::plans::Plans;
use crate::kernel::functions::Functions;

/// Bytes of a tile in use: a dozen tiles fit the first-level cache.
const BYTES: usize = 4096;
/// Bytes of all that is in use at a time up to which strips are longer.
const NEAR: usize = 32 << 10;
/// Elements of a tile, of which a strip uses what it needs.
const ROOM: usize = 2 * BYTES / size_of::<f32>();

/// Strips for which an array is read at once that is not read along its lines of memory: so many rows of it that each line
/// is used while it is near.
pub const PANEL: usize = 64;

/// Some elements of a value or a cotangent, aligned for the widest vectors: [`Tile::LEN`], or more where there are few tiles.
#[repr(align(64))]
pub struct Tile<T>(pub [T; ROOM]);

impl<T> Tile<T> {
    /// Elements in use.
    pub const LEN: usize = BYTES / size_of::<T>();

    /// Elements of a strip for which so many arrays and tiles are in use: [`Tile::LEN`], or that times 2, 4, .. where they are few.
    pub(super) fn strip(pieces: usize) -> usize {
        let mut len = Self::LEN;
        while 2 * len <= ROOM && 2 * len * size_of::<T>() * pieces <= NEAR {
            len *= 2;
        }
        len
    }
}

/// Plans and the tiles to carry them out with.
#[derive(Default)]
pub struct Scratch<T> {
    pub(super) plans: Plans,
    pub(super) tiles: Tiles<T>,
    /// What one block adds to the cotangents of repeated leaves.
    pub(super) partial: Vec<T>,
}

impl<T: Functions> Scratch<T> {
    /// Two tiles to load arguments to.
    pub fn pair(&mut self) -> [&mut [T]; 2] {
        self.tiles.reserve(0, 2, 0);
        let [a, b, ..] = &mut self.tiles.leaves[..] else { unreachable!("reserved") };
        [a, b].map(|tile| &mut tile.0[..Tile::<T>::LEN])
    }
}

/// The tiles of one thread. One that is being written is taken out, so that the others can be read.
#[derive(Default)]
pub struct Tiles<T> {
    pub(super) steps: Vec<Option<Box<Tile<T>>>>,
    pub(super) leaves: Vec<Box<Tile<T>>>,
    pub(super) leaf_bars: Vec<Option<Box<Tile<T>>>>,
    /// Cotangents of results.
    pub(super) seeds: Vec<Box<Tile<T>>>,
    /// Elements of turned leaves, and behind them of turned cotangents of results, for [`PANEL`] strips.
    pub(super) panels: Vec<Vec<T>>,
}

fn blank<T: Functions>() -> Box<Tile<T>> {
    Box::new(Tile([T::zero(); ROOM]))
}

impl<T: Functions> Tiles<T> {
    pub(super) fn reserve(&mut self, steps: usize, leaves: usize, seeds: usize) {
        if self.steps.len() < steps {
            self.steps.resize_with(steps, || Some(blank()));
        }
        if self.leaves.len() < leaves {
            self.leaves.resize_with(leaves, blank);
            self.leaf_bars.resize_with(leaves, || Some(blank()));
        }
        // One at least, which stands where nothing is read.
        let seeds = seeds.max(1);
        if self.seeds.len() < seeds {
            self.seeds.resize_with(seeds, blank);
        }
        if self.panels.len() < leaves + seeds {
            self.panels.resize_with(leaves + seeds, Vec::new);
        }
    }
}
