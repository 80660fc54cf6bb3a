//! A run cut into blocks, and the joining of what they add up.

use std::ops::Range;
use std::slice::ChunksMut;

use smallvec::SmallVec;

use super::FEW;
use super::plan::To;
use super::run::{Into, Place, Seed};
use super::tiles::{PANEL, Tile};
use crate::kernel::functions::Functions;
use crate::kernel::operand::add;
use crate::kernel::scatter::{scatter_from, scatter_products};

/// Strips of a block, at most; [`PANEL`] where leaves are turned.
const STRIPS: usize = 32;
/// Steps of arithmetic from which several threads pay, and a block need not be larger.
pub(super) const THREADED: usize = 1 << 19;

/// Strips of a block of a program that takes so many steps of arithmetic for an element: a power of two, so that totals of blocks are joined
/// as strips would be.
pub(super) fn strips<T>(turned: bool, work: usize) -> usize {
    if turned {
        return PANEL;
    }
    let mut strips = STRIPS;
    while strips > 1 && strips * Tile::<T>::LEN * work > THREADED {
        strips /= 2;
    }
    strips
}

/// Elements of a block, about `least`, but so many that what is added up apart for each is few beside them; where they are
/// `free`, whole periods, which lie behind one another.
pub(super) fn block_len<T>(least: usize, free: bool, into: &[Into<'_, T>]) -> usize {
    let walks = into.iter().filter_map(|into| match into {
        Into::Added(Place { walk, .. }) => Some((walk.period(), walk)),
        _ => None,
    });
    let apart =
        walks.clone().filter(|(period, _)| *period > least).map(|(_, walk)| walk.span(0..least).len());
    let len = least.max((4 * apart.max().unwrap_or(0)).next_power_of_two());
    let period = walks.map(|(period, _)| period).filter(|period| free && *period <= len).max().unwrap_or(1);
    len / period * period
}

/// One block's work.
pub(super) struct Job<'j, T> {
    pub range: Range<usize>,
    /// The cotangents of the results; none where their values are wanted.
    pub seeds: &'j [Seed<'j, T>],
    /// The result, if it is wanted.
    pub result: &'j mut [T],
    pub outs: SmallVec<[Out<'j, T>; FEW]>,
    pub added: SmallVec<[Piece<'j, T>; FEW]>,
}

/// What a block adds to: a part of an array, or zeros in its place.
pub(super) struct Piece<'j, T> {
    data: &'j mut [T],
    /// Where in the array it begins.
    start: usize,
}

impl<'j, T> Job<'j, T> {
    #[inline(always)]
    pub fn new(range: Range<usize>, seeds: &'j [Seed<'j, T>], result: &'j mut [T]) -> Self {
        Job { range, seeds, result, outs: SmallVec::new(), added: SmallVec::new() }
    }

    /// Takes up all of the work, where it is: returned, a job would be moved.
    #[inline(always)]
    pub fn take_all(&mut self, into: &'j mut [Into<'_, T>], added: &'j mut [&mut [T]]) {
        for into in into {
            self.outs.push(match into {
                Into::Nowhere => Out::Nowhere,
                Into::Same { out, .. } => Out::Same(out),
                Into::Added(place) => Out::Added(place),
                Into::Over { bar } => Out::Over(bar),
            });
        }
        added.iter_mut().for_each(|data| self.added.push(Piece { data, start: 0 }));
    }
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
    Added(&'j Place),
    Over(&'j mut [T]),
}

impl<T: Functions> Out<'_, T> {
    /// Adds elements `from..` to where they belong, if they are to be added to something.
    pub fn add(&self, added: &mut [Piece<'_, T>], from: usize, values: &[T]) {
        if let Out::Added(Place { to, first, walk }) = self {
            let Piece { data, start } = &mut added[*to];
            scatter_from(*first as isize - *start as isize, data, walk, from, values);
        }
    }

    /// The same of products, where [`sums_products`](crate::kernel::scatter::sums_products) says so.
    pub fn add_products(&self, added: &mut [Piece<'_, T>], from: usize, factors: [&[T]; 2]) {
        if let Out::Added(Place { to, first, walk }) = self {
            let Piece { data, start } = &mut added[*to];
            scatter_products(*first as isize - *start as isize, data, walk, from, factors);
        }
    }
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

    #[inline(always)]
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
    seeds: &'c [Seed<'c, T>],
    result: ChunksMut<'c, T>,
    leaves: SmallVec<[Rest<'c, T>; FEW]>,
    added: SmallVec<[Sum<'c, T>; FEW]>,
}

/// What is left of a leaf's cotangent.
enum Rest<'c, T> {
    Nowhere,
    Same(ChunksMut<'c, T>),
    Over(ChunksMut<'c, T>),
    Added(&'c Place),
}

/// An array that is added to.
struct Sum<'c, T> {
    /// What has not been handed out, and where it begins.
    rest: &'c mut [T],
    start: usize,
    /// Whether what a block adds to lies behind what the one before it did: it is handed out itself.
    parts: bool,
}

impl<'c, T: Functions> Cut<'c, T> {
    pub fn new(
        step: usize,
        len: usize,
        seeds: &'c [Seed<'c, T>],
        result: &'c mut [T],
        into: &'c mut [Into<'_, T>],
        added: &'c mut [&mut [T]],
    ) -> Self {
        let mut sums: SmallVec<[Sum<'c, T>; FEW]> =
            added.iter_mut().map(|rest| Sum { rest, start: 0, parts: true }).collect();
        let mut leaves: SmallVec<[Rest<'c, T>; FEW]> = SmallVec::new();
        let mut taken = 0u64;
        for into in into.iter_mut() {
            leaves.push(match into {
                Into::Nowhere => Rest::Nowhere,
                Into::Same { out, .. } => Rest::Same(out.chunks_mut(step)),
                Into::Over { bar } => Rest::Over(bar.chunks_mut(step)),
                Into::Added(place) => {
                    sums[place.to].parts &=
                        step.is_multiple_of(place.walk.period()) && taken >> place.to & 1 == 0;
                    taken |= 1 << place.to;
                    Rest::Added(place)
                }
            });
        }
        Cut { step, len, seeds, result: result.chunks_mut(step), leaves, added: sums }
    }

    fn range(&self, k: usize) -> Range<usize> {
        k * self.step..self.len.min((k + 1) * self.step)
    }

    /// Where in the `to`-th of the arrays that are added to block `k` adds.
    fn span(&self, k: usize, to: usize) -> Range<usize> {
        let spans = self.leaves.iter().filter_map(|leaf| match leaf {
            Rest::Added(Place { to: own, first, walk }) if *own == to => {
                let span = walk.span(self.range(k));
                Some(first + span.start..first + span.end)
            }
            _ => None,
        });
        spans.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or_default()
    }

    /// How many elements block `k` adds up apart.
    pub fn apart(&self, k: usize) -> usize {
        let joined = (0..self.added.len()).filter(|&to| !self.added[to].parts);
        joined.map(|to| self.span(k, to).len()).sum()
    }

    /// The work on block `k`, to be asked for in order; what it adds up apart goes to `part`.
    pub fn job<'j>(&mut self, k: usize, mut part: &'j mut [T]) -> Job<'j, T>
    where
        'c: 'j,
    {
        let mut job = Job::new(self.range(k), self.seeds, self.result.next().unwrap_or_default());
        for to in 0..self.added.len() {
            let span = self.span(k, to);
            let Sum { rest, start, parts } = &mut self.added[to];
            job.added.push(match parts {
                true => {
                    let (first, len) = (*start, span.end - *start);
                    *start = span.end;
                    Piece { data: rest.split_off_mut(..len).expect("within the array"), start: first }
                }
                false => {
                    let data = part.split_off_mut(..span.len()).expect("room for every array");
                    Piece { data, start: span.start }
                }
            });
        }
        job.outs.extend(self.leaves.iter_mut().map(|leaf| match leaf {
            Rest::Nowhere => Out::Nowhere,
            Rest::Same(chunks) => Out::Same(chunks.next().expect("a chunk a block")),
            Rest::Over(chunks) => Out::Over(chunks.next().expect("a chunk a block")),
            Rest::Added(place) => Out::Added(place),
        }));
        job
    }

    /// Adds what block `k` has added up apart.
    pub fn join(&mut self, k: usize, mut part: &[T]) {
        for to in 0..self.added.len() {
            if !self.added[to].parts {
                let span = self.span(k, to);
                let own = part.split_off(..span.len()).expect("room for every array");
                add(&mut self.added[to].rest[span], own);
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
