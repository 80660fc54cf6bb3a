//! A run cut into blocks, and the joining of what they add up.

use std::ops::Range;
use std::slice::ChunksMut;

use smallvec::SmallVec;

use super::FEW;
use super::plan::To;
use super::run::{Into, Seed};
use super::tiles::Tile;
use crate::kernel::functions::Functions;
use crate::kernel::walk::{Walk, add};

/// One block's work.
pub(super) struct Job<'j, T> {
    pub range: Range<usize>,
    pub seed: Option<Seed<'j, T>>,
    /// The result, if it is wanted.
    pub result: &'j mut [T],
    pub outs: SmallVec<[Out<'j, T>; FEW]>,
}

impl<T> Job<'_, T> {
    /// The arrays that are written where they lie, but for one that lies over the result's cotangent.
    pub fn written(&self) -> impl Iterator<Item = &[T]> {
        let outs = self.outs.iter().filter_map(|out| match out {
            Out::Same(out) => Some(&out[..]),
            _ => None,
        });
        outs.chain((!self.result.is_empty()).then_some(&self.result[..]))
    }
}

/// Where a block's part of a leaf's cotangent goes.
pub(super) enum Out<'j, T> {
    Nowhere,
    Same(&'j mut [T]),
    Repeated(&'j mut [T], &'j Walk),
    Over(&'j mut [T]),
}

impl<'j, T> Out<'j, T> {
    /// The cotangent of the block's result, if it lies here.
    pub fn over(&mut self) -> Option<&'j mut [T]> {
        match std::mem::replace(self, Out::Nowhere) {
            Out::Over(bar) => Some(bar),
            out => {
                *self = out;
                None
            }
        }
    }
}

/// Where a contribution is written, taken out so that everything else can be read.
pub(super) enum Target<'j, T> {
    Tile(Box<Tile<T>>),
    Array(&'j mut [T]),
}

impl<'j, T> Target<'j, T> {
    pub fn take(
        to: To,
        tiles: &mut [Option<Box<Tile<T>>>],
        leaf_bars: &mut [Option<Box<Tile<T>>>],
        outs: &mut [Out<'j, T>],
    ) -> Self {
        let tile = match to {
            To::Tile(t) => &mut tiles[t as usize],
            To::Leaf(l) => match std::mem::replace(&mut outs[l as usize], Out::Nowhere) {
                Out::Same(out) => return Target::Array(out),
                out => {
                    outs[l as usize] = out;
                    &mut leaf_bars[l as usize]
                }
            },
        };
        Target::Tile(tile.take().expect("no tile is its own argument"))
    }

    /// The elements `range` of the block.
    pub fn slice(&mut self, range: &Range<usize>) -> &mut [T] {
        match self {
            Target::Tile(tile) => &mut tile.0[..range.len()],
            Target::Array(out) => &mut out[range.clone()],
        }
    }

    pub fn put(
        self,
        to: To,
        tiles: &mut [Option<Box<Tile<T>>>],
        leaf_bars: &mut [Option<Box<Tile<T>>>],
        outs: &mut [Out<'j, T>],
    ) {
        match (self, to) {
            (Target::Array(out), To::Leaf(l)) => outs[l as usize] = Out::Same(out),
            (Target::Tile(tile), To::Leaf(l)) => leaf_bars[l as usize] = Some(tile),
            (Target::Tile(tile), To::Tile(t)) => tiles[t as usize] = Some(tile),
            (Target::Array(_), To::Tile(_)) => unreachable!("taken from there"),
        }
    }
}

/// What is left to hand out to blocks.
pub(super) struct Cut<'c, T> {
    step: usize,
    len: usize,
    seed: Option<Seed<'c, T>>,
    result: ChunksMut<'c, T>,
    leaves: SmallVec<[Rest<'c, T>; FEW]>,
}

/// What is left of a leaf's cotangent.
enum Rest<'c, T> {
    Nowhere,
    Same(ChunksMut<'c, T>),
    Over(ChunksMut<'c, T>),
    /// All of it, and where elements belong.
    Repeated(&'c mut [T], &'c Walk),
}

impl<'c, T: Functions> Cut<'c, T> {
    pub fn new(
        step: usize,
        len: usize,
        seed: Option<Seed<'c, T>>,
        result: &'c mut [T],
        into: &'c mut [Into<'_, T>],
    ) -> Self {
        let leaves = into.iter_mut().map(|into| match into {
            Into::Nowhere => Rest::Nowhere,
            Into::Same { out, .. } => Rest::Same(out.chunks_mut(step)),
            Into::Over { bar } => Rest::Over(bar.chunks_mut(step)),
            Into::Repeated { out, walk } => Rest::Repeated(out, walk),
        });
        let leaves = leaves.collect();
        Cut { step, len, seed, result: result.chunks_mut(step), leaves }
    }

    /// The work on block `k`, to be asked for in order; repeated leaves are added up in `part`.
    pub fn job<'j>(&mut self, k: usize, mut part: &'j mut [T]) -> Job<'j, T>
    where
        'c: 'j,
    {
        let outs = self.leaves.iter_mut().map(|leaf| match leaf {
            Rest::Nowhere => Out::Nowhere,
            Rest::Same(chunks) => Out::Same(chunks.next().expect("a chunk a block")),
            Rest::Over(chunks) => Out::Over(chunks.next().expect("a chunk a block")),
            Rest::Repeated(out, walk) => {
                Out::Repeated(part.split_off_mut(..out.len()).expect("room for every leaf"), walk)
            }
        });
        let range = k * self.step..self.len.min((k + 1) * self.step);
        Job { range, seed: self.seed, result: self.result.next().unwrap_or_default(), outs: outs.collect() }
    }

    /// Adds what a block has added up.
    pub fn join(&mut self, mut part: &[T]) {
        for leaf in &mut self.leaves {
            if let Rest::Repeated(out, _) = leaf {
                add(out, part.split_off(..out.len()).expect("room for every leaf"));
            }
        }
    }
}

/// A sum of many terms by halves, without knowing how many will come.
#[derive(Default)]
pub(super) struct Tally<T> {
    /// Sums of 1, 2, 4, .. terms, where the count has that bit.
    partial: SmallVec<[T; 32]>,
    count: usize,
}

impl<T: Functions> Tally<T> {
    pub fn add(&mut self, term: T) {
        let mut sum = term;
        for _ in 0..self.count.trailing_ones() {
            sum = self.partial.pop().expect("one for each bit") + sum;
        }
        self.partial.push(sum);
        self.count += 1;
    }

    pub fn total(&self) -> T {
        self.partial.iter().rev().fold(T::zero(), |sum, p| sum + *p)
    }
}
