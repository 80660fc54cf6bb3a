//! Fused formulas: a small program of elementwise instructions, run tile by tile, forwards and in reverse.
//!
//! Everything an instruction reads or writes is a tile in the first-level cache; memory is touched once for each operand
//! and each cotangent. The instructions are the rows of the elementwise table through the same kernels as single ops, so a
//! fused formula has the very bits of its ops one by one.

use smallvec::SmallVec;

use crate::kernel::elementwise::{Map, map_forward, map_vjp, zip_forward, zip_vjp};
use crate::kernel::functions::Functions;
use crate::kernel::walk::{Operand, Walk, pairwise_sum, scatter_add};
use crate::op::{Binary, Params, Tuned, Unary};

/// Elements of a tile.
pub const STRIP: usize = 512;
/// Instructions of the longest program.
pub const LONGEST: usize = 48;

/// Where an instruction finds an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Leaf(u16),
    Step(u16),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    Unary(Unary, Slot),
    /// The attributes are the numbers at this index and the next; they are no part of the program.
    Tuned(Tuned, Slot, u16),
    Binary(Binary, Slot, Slot),
}

impl Step {
    pub fn name(self) -> &'static str {
        match self {
            Step::Unary(op, _) => op.name(),
            Step::Tuned(op, ..) => op.name(),
            Step::Binary(op, ..) => op.name(),
        }
    }

    /// The argument at `position`, 0 or 1.
    pub fn slot(self, position: usize) -> Option<Slot> {
        match (self, position) {
            (Step::Unary(_, a) | Step::Tuned(_, a, _) | Step::Binary(_, a, _), 0) => Some(a),
            (Step::Binary(_, _, b), 1) => Some(b),
            _ => None,
        }
    }

    pub fn slots(self) -> impl Iterator<Item = Slot> {
        (0..2).filter_map(move |position| self.slot(position))
    }
}

/// The attributes of a tuned step.
pub fn params(numbers: &[f64], at: u16) -> Params {
    [numbers[at as usize], numbers[at as usize + 1]]
}

/// Tiles of a run, kept between runs.
#[derive(Default)]
pub struct Scratch<T> {
    values: Vec<T>,
    bars: Vec<T>,
    leaves: Vec<T>,
    leaf_bars: Vec<T>,
}

impl<T: Functions> Scratch<T> {
    fn reserve(&mut self, steps: usize, leaves: usize) {
        for (tiles, count) in [
            (&mut self.values, steps),
            (&mut self.bars, steps),
            (&mut self.leaves, leaves),
            (&mut self.leaf_bars, leaves),
        ] {
            if tiles.len() < count * STRIP {
                tiles.resize(count * STRIP, T::zero());
            }
        }
    }
}

/// Where the cotangent of a leaf goes.
pub enum Into<'a, T> {
    /// It is not wanted.
    Nowhere,
    /// A leaf of the result's shape: written (or added) in place.
    Same { out: &'a mut [T], held: bool },
    /// A repeated leaf: added where its elements belong; the buffer was cleared or holds a cotangent.
    Repeated { out: &'a mut [T], walk: Walk },
}

/// One formula to run: its steps, the numbers in it, and its arguments broadcast to `len` elements.
pub struct Run<'a, T> {
    pub steps: &'a [Step],
    pub numbers: &'a [f64],
    pub leaves: &'a [Operand<'a, T>],
    pub len: usize,
}

impl<T: Functions> Run<'_, T> {
    /// Writes the formula's value.
    pub fn forward(&self, scratch: &mut Scratch<T>, out: &mut [T]) {
        scratch.reserve(self.steps.len(), self.leaves.len());
        for start in (0..self.len).step_by(STRIP) {
            let n = STRIP.min(self.len - start);
            let leaves = self.load(start, n, &mut scratch.leaves);
            self.values(&leaves, n, &mut scratch.values, Some(&mut out[start..start + n]));
        }
    }

    /// The sum of the formula's elements, in the order that [`Run::reverse`] adds them, too.
    pub fn sum(&self, scratch: &mut Scratch<T>) -> T {
        scratch.reserve(self.steps.len(), self.leaves.len());
        let mut sum = Tally::default();
        for start in (0..self.len).step_by(STRIP) {
            let n = STRIP.min(self.len - start);
            let leaves = self.load(start, n, &mut scratch.leaves);
            self.values(&leaves, n, &mut scratch.values, None);
            sum.add(pairwise_sum(&scratch.values[(self.steps.len() - 1) * STRIP..][..n]));
        }
        sum.total()
    }

    /// Adds the cotangents of the leaves, from that of the result, in one pass; returns the sum of the elements.
    pub fn reverse(&self, scratch: &mut Scratch<T>, y_bar: Seed<'_, T>, into: &mut [Into<'_, T>]) -> T {
        scratch.reserve(self.steps.len(), self.leaves.len());
        let last = self.steps.len() - 1;
        let active = self.active(into);
        let mut sum = Tally::default();
        for start in (0..self.len).step_by(STRIP) {
            let n = STRIP.min(self.len - start);
            let leaves = self.load(start, n, &mut scratch.leaves);
            self.values(&leaves, n, &mut scratch.values, None);
            if let Seed::Each(value) = y_bar {
                sum.add(pairwise_sum(&scratch.values[last * STRIP..][..n]));
                scratch.bars[last * STRIP..][..n].fill(value);
            } else if let Seed::Array(y_bar) = y_bar {
                scratch.bars[last * STRIP..][..n].copy_from_slice(&y_bar[start..start + n]);
            }
            self.bars(
                &leaves,
                start,
                n,
                &scratch.values,
                &mut scratch.bars,
                &mut scratch.leaf_bars,
                into,
                active,
            );
        }
        sum.total()
    }

    fn load<'s>(&'s self, start: usize, n: usize, tiles: &'s mut [T]) -> SmallVec<[&'s [T]; 8]> {
        self.leaves
            .iter()
            .zip(tiles.chunks_exact_mut(STRIP))
            .map(|(leaf, tile)| leaf.load(start, &mut tile[..n]))
            .collect()
    }

    /// Computes all steps of a tile; the last one into `out`, if given.
    fn values(&self, leaves: &[&[T]], n: usize, values: &mut [T], mut out: Option<&mut [T]>) {
        let last = self.steps.len() - 1;
        for (k, step) in self.steps.iter().enumerate() {
            let (done, rest) = values.split_at_mut(k * STRIP);
            let y = match &mut out {
                Some(out) if k == last => &mut **out,
                _ => &mut rest[..n],
            };
            let find = |slot| tile(slot, leaves, done, n);
            match *step {
                Step::Unary(op, a) => map_forward(Map::Unary(op), find(a), y),
                Step::Tuned(op, a, at) => map_forward(Map::Tuned(op, params(self.numbers, at)), find(a), y),
                Step::Binary(op, a, b) => zip_forward(op, find(a), find(b), y),
            }
        }
    }

    /// Which steps lead to a wanted leaf.
    fn active(&self, into: &[Into<'_, T>]) -> u64 {
        let mut active = 0u64;
        for (k, step) in self.steps.iter().enumerate() {
            let flat = matches!(step, Step::Unary(op, _) if op.is_flat());
            let leads = step.slots().any(|slot| match slot {
                Slot::Leaf(l) => !matches!(into[l as usize], Into::Nowhere),
                Slot::Step(j) => active >> j & 1 == 1,
            });
            active |= u64::from(leads && !flat) << k;
        }
        active
    }

    /// Propagates the cotangents of one tile from the last step down to the leaves.
    #[allow(clippy::too_many_arguments)]
    fn bars(
        &self,
        leaves: &[&[T]],
        start: usize,
        n: usize,
        values: &[T],
        bars: &mut [T],
        leaf_bars: &mut [T],
        into: &mut [Into<'_, T>],
        active: u64,
    ) {
        let (mut seen, mut leaf_seen) = (1u64 << (self.steps.len() - 1), 0u64);
        for (k, step) in self.steps.iter().enumerate().rev() {
            if active >> k & seen >> k & 1 == 0 {
                continue;
            }
            let (below, own) = bars.split_at_mut(k * STRIP);
            let (y, y_bar) = (&values[k * STRIP..][..n], &own[..n]);
            let find = |slot| tile(slot, leaves, values, n);
            for position in 0..2 {
                let Some(slot) = step.slot(position) else { break };
                let (out, accumulate) = match slot {
                    Slot::Step(j) if active >> j & 1 == 0 => continue,
                    Slot::Step(j) => {
                        let held = seen >> j & 1 == 1;
                        seen |= 1 << j;
                        (&mut below[j as usize * STRIP..][..n], held)
                    }
                    Slot::Leaf(l) => {
                        let again = leaf_seen >> l & 1 == 1;
                        leaf_seen |= 1 << l;
                        match &mut into[l as usize] {
                            Into::Nowhere => continue,
                            Into::Same { out, held } => (&mut out[start..start + n], *held || again),
                            Into::Repeated { .. } => (&mut leaf_bars[l as usize * STRIP..][..n], again),
                        }
                    }
                };
                match *step {
                    Step::Unary(op, a) => map_vjp(Map::Unary(op), find(a), y, y_bar, out, accumulate),
                    Step::Tuned(op, a, at) => {
                        map_vjp(Map::Tuned(op, params(self.numbers, at)), find(a), y, y_bar, out, accumulate);
                    }
                    Step::Binary(op, a, b) => {
                        zip_vjp(op, position, [find(a), find(b)], y, y_bar, out, accumulate)
                    }
                }
            }
        }
        for (l, into) in into.iter_mut().enumerate().filter(|(l, _)| leaf_seen >> l & 1 == 1) {
            if let Into::Repeated { out, walk } = into {
                scatter_add(out, walk, start, &leaf_bars[l * STRIP..][..n]);
            }
        }
    }
}

/// The cotangent of a formula's result.
#[derive(Clone, Copy)]
pub enum Seed<'a, T> {
    Array(&'a [T]),
    /// The formula was summed: every element has this one.
    Each(T),
}

fn tile<'s, T>(slot: Slot, leaves: &[&'s [T]], steps: &'s [T], n: usize) -> &'s [T] {
    match slot {
        Slot::Leaf(l) => leaves[l as usize],
        Slot::Step(k) => &steps[k as usize * STRIP..][..n],
    }
}

/// A sum of many terms by halves, without knowing how many will come.
#[derive(Default)]
struct Tally<T> {
    /// Sums of 1, 2, 4, .. terms, where the count has that bit.
    partial: SmallVec<[T; 32]>,
    count: usize,
}

impl<T: Functions> Tally<T> {
    fn add(&mut self, term: T) {
        let mut sum = term;
        for _ in 0..self.count.trailing_ones() {
            sum = self.partial.pop().expect("one for each bit") + sum;
        }
        self.partial.push(sum);
        self.count += 1;
    }

    fn total(&self) -> T {
        self.partial.iter().rev().fold(T::zero(), |sum, p| sum + *p)
    }
}
