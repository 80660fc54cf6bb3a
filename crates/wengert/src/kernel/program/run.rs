//! Carrying out a plan: strip after strip within a block, block after block or side by side.
//!
//! Invariant: the blocks depend on sizes alone. The total is a sum by halves over strips, whoever adds them; what a
//! block adds to the cotangent of a repeated leaf is summed apart and joined in the order of the blocks. So the
//! result is the same bits on any number of threads.

use smallvec::SmallVec;

use super::cut::{Cut, Job, Out, THREADED, Tally, Target, block_len, strips};
use super::plan::{Act, Bar, Partial, Plan, Sum, Value, Want, join};
use super::plans::Goal;
use super::tiles::{PANEL, Scratch, Tile, Tiles};
use super::{FEW, Program, RESULTS, Slot, Step, params};
use crate::kernel::elementwise::{Map, map_forward, map_joint, map_vjp, zip_forward, zip_vjp};
use crate::kernel::functions::Functions;
use crate::kernel::muladd::{multiply_join, multiply_vjp};
use crate::kernel::operand::Operand;
use crate::kernel::scatter::{pairwise_dot, pairwise_sum, sums_products};
use crate::kernel::threads;
use crate::kernel::walk::Walk;
use crate::memory::prefetch_at;
use crate::op::{Binary, Unary};

/// Bytes of all arrays together, and acts, from which it pays to ask for the next strip, some of it with every act: a shorter wait, or one
/// that the machine foresees, costs less than the asking, and all at once would queue for memory.
const FAR: usize = 1 << 22;
const BUSY: usize = 4;
/// Acts from which it is asked for into the first-level cache: with fewer it comes too fast, and drives out the strips in use.
const SLOW: usize = 12;
/// Bytes of a line of memory.
const LINE: usize = 64;
/// Where the cotangent of a leaf goes.
pub enum Into<'a, T> {
    /// It is not wanted.
    Nowhere,
    /// A leaf of the result's shape: written (or added) in place.
    Same { out: &'a mut [T], held: bool },
    /// A leaf that is repeated, or a view: added where its elements belong.
    Added(Place),
    /// A leaf of the result's shape: the buffer holds the result's cotangent, of which its own takes the place.
    Over { bar: &'a mut [T] },
}

/// Where elements belong: in the `to`-th of the arrays that are added to, from place `first` on.
pub struct Place {
    pub to: usize,
    pub first: usize,
    pub walk: Walk,
}

/// The cotangent of a result.
#[derive(Clone, Copy)]
pub enum Seed<'a, T> {
    /// The cotangent of each element, and the values, if they are in memory.
    Array { y_bar: &'a Operand<'a, T>, y: Option<&'a [T]> },
    /// The value of each element; the cotangent lies where a leaf's will ([`Into::Over`]).
    Under { y: &'a [T] },
    /// The formula was summed: every element has this one.
    Each(T),
}

/// What there is to run: a program, and its arguments broadcast to `len` elements.
pub struct Run<'a, T> {
    pub program: Program<'a>,
    pub leaves: &'a [Operand<'a, T>],
    pub len: usize,
}

impl<T: Functions> Run<'_, T> {
    /// Writes the formula's value.
    pub fn forward(&self, scratch: &mut Scratch<T>, out: &mut [T]) {
        let Scratch { plans, tiles, .. } = scratch;
        let plan = plans.of(&self.program, Goal::Values(Sum::No));
        self.drive(plan, tiles, &[], out, &mut [], &mut [], &mut Vec::new(), &mut []);
    }

    /// Writes the sum of each result's elements to one of `sums`, added in the order that [`Run::reverse`] adds them, too.
    pub fn sums(&self, scratch: &mut Scratch<T>, sums: &mut [T]) {
        let Scratch { plans, tiles, .. } = scratch;
        let plan = plans.of(&self.program, Goal::Values(Sum::Products));
        self.drive(plan, tiles, &[], &mut [], &mut [], &mut [], &mut Vec::new(), sums);
    }

    /// Adds the elements of each result to where `walk` has them in one of `out`.
    pub fn sum_over(&self, scratch: &mut Scratch<T>, walk: &Walk, out: &mut [&mut [T]]) {
        let Scratch { plans, tiles, partial } = scratch;
        let sum = if sums_products(walk) { Sum::Products } else { Sum::Values };
        let plan = plans.of(&self.program, Goal::Values(sum));
        let mut into: SmallVec<[Into<'_, T>; RESULTS]> = SmallVec::new();
        (0..out.len()).for_each(|to| into.push(Into::Added(Place { to, first: 0, walk: walk.clone() })));
        self.drive(plan, tiles, &[], &mut [], &mut into, out, partial, &mut []);
    }

    /// Adds the cotangents of the leaves, from those of the results, in one pass, those of repeated leaves and views to `added`, which
    /// was cleared or holds a cotangent; writes the sums of the elements of those results that `totals` says, bit by bit, to `sums`, which
    /// has a place for each result. Returns which leaves were reached: nothing is written to those that only flat steps read.
    pub fn reverse(
        &self,
        scratch: &mut Scratch<T>,
        seeds: &[Seed<'_, T>],
        into: &mut [Into<'_, T>],
        added: &mut [&mut [T]],
        totals: u64,
        sums: &mut [T],
    ) -> u64 {
        let Scratch { plans, tiles, partial } = scratch;
        let mut wants = SmallVec::new();
        into.iter().for_each(|into| wants.push(into.want()));
        debug_assert_eq!(seeds.len(), self.program.results.count_ones() as usize);
        let given = !matches!(seeds[0], Seed::Each(_) | Seed::Array { y: None, .. });
        let plan = plans.of(&self.program, Goal::Cotangents { wants, totals, given });
        let sums = if totals == 0 { &mut [] } else { sums };
        self.drive(plan, tiles, seeds, &mut [], into, added, partial, sums);
        plan.reached
    }

    /// Runs all blocks; writes the totals to `sums`. Without cotangents as `seeds`, what is there to go `into` is the sums of the values.
    fn drive(
        &self,
        plan: &Plan,
        tiles: &mut Tiles<T>,
        seeds: &[Seed<'_, T>],
        result: &mut [T],
        into: &mut [Into<'_, T>],
        added: &mut [&mut [T]],
        partial: &mut Vec<T>,
        sums: &mut [T],
    ) {
        let turned = self.leaves.iter().any(|leaf| leaf.walk.turned().is_some());
        // Totals are joined as those of strips would be, whoever asks for them.
        let free = !into.is_empty() && !seeds.iter().any(|seed| matches!(seed, Seed::Each(_)));
        let work = self.work();
        let step = block_len(strips::<T>(turned, work) * Tile::<T>::LEN, free, into);
        let blocks = self.len.div_ceil(step);
        if blocks <= 1 {
            let mut job = Job::new(0..self.len, seeds, result);
            job.take_all(into, added);
            return self.block(plan, tiles, &mut job, sums);
        }
        let mut cut = Cut::new(step, self.len, seeds, result, into, added);
        let count = sums.len();
        let mut tallies: SmallVec<[Tally<T>; RESULTS]> = SmallVec::new();
        sums.iter().for_each(|_| tallies.push(Tally::default()));
        if self.len.saturating_mul(work) < THREADED || threads::available() == 1 {
            for k in 0..blocks {
                partial.clear();
                partial.resize(cut.apart(k), T::zero());
                self.block(plan, tiles, &mut cut.job(k, partial), sums);
                tallies.iter_mut().zip(&*sums).for_each(|(tally, sum)| tally.add(*sum));
                cut.join(k, partial);
            }
            return tallies.iter().zip(sums).for_each(|(tally, sum)| *sum = tally.total());
        }
        partial.clear();
        partial.resize((0..blocks).map(|k| cut.apart(k)).sum(), T::zero());
        // One at least for each block, so that there is something to hand out.
        let each = count.max(1);
        let mut all = vec![T::zero(); blocks * each];
        let mut parts = &mut partial[..];
        let jobs: Vec<_> = (0..blocks)
            .map(|k| {
                let own = cut.apart(k);
                cut.job(k, parts.split_off_mut(..own).expect("one a block"))
            })
            .collect();
        threads::each(jobs.into_iter().zip(all.chunks_mut(each)), |(mut job, own)| {
            self.block(plan, &mut Tiles::default(), &mut job, &mut own[..count]);
        });
        for own in all.chunks(each) {
            tallies.iter_mut().zip(own).for_each(|(tally, sum)| tally.add(*sum));
        }
        tallies.iter().zip(sums).for_each(|(tally, sum)| *sum = tally.total());
        let mut parts = &partial[..];
        (0..blocks).for_each(|k| cut.join(k, parts.split_off(..cut.apart(k)).expect("one a block")));
    }

    /// What an element takes, in steps of arithmetic; of a short run, which is one block anyway, it is not asked.
    fn work(&self) -> usize {
        if self.len <= Tile::<T>::LEN { 1 } else { self.program.steps.iter().map(|step| step.work()).sum() }
    }

    /// Carries out the plan for the elements of one block; writes the totals to `sums`.
    fn block(&self, plan: &Plan, tiles: &mut Tiles<T>, job: &mut Job<'_, T>, sums: &mut [T]) {
        tiles.reserve(plan.tiles, self.leaves.len(), job.seeds.len());
        let Tiles { steps: tiles, leaves: loaded, leaf_bars, seeds: constants, panels } = tiles;
        let constants = &mut constants[..job.seeds.len().max(1)];
        let (panels, seed_panels) = panels.split_at_mut(self.leaves.len());
        for (seed, constant) in job.seeds.iter().zip(&mut *constants) {
            if let Seed::Each(value) = seed {
                constant.0.fill(*value);
            }
        }
        let mut over = job.outs.iter_mut().find_map(Out::over);
        // Where the arrays that are read or written in place begin, if the next strip of each is asked for.
        let mut ahead: SmallVec<[*const T; FEW]> = SmallVec::new();
        let (slow, most) = (plan.acts.len() >= SLOW, self.leaves.len() + job.outs.len() + 2);
        if plan.acts.len() >= BUSY && most * self.len * size_of::<T>() >= FAR {
            let reads = self.read(job).map(|x| x.data[x.first + job.range.start..].as_ptr());
            let written = job.written().map(<[T]>::as_ptr).chain(over.as_ref().map(|over| over.as_ptr()));
            ahead.extend(reads.chain(written));
            if ahead.len() * self.len * size_of::<T>() < FAR {
                ahead.clear();
            }
        }
        let written = job.outs.iter().filter(|out| !matches!(out, Out::Nowhere)).count();
        let pieces = plan.tiles + self.leaves.len() + written + job.seeds.len();
        let strip_len = Tile::<T>::strip(pieces + usize::from(!job.result.is_empty()));
        let share = (strip_len / plan.acts.len().max(1)).next_multiple_of(LINE / size_of::<T>());
        let mut tallies: SmallVec<[Tally<T>; RESULTS]> = SmallVec::new();
        sums.iter().for_each(|_| tallies.push(Tally::default()));
        for from in job.range.clone().step_by(strip_len) {
            let left = job.range.end - from;
            let strip = Strip { from, local: from - job.range.start, n: strip_len.min(left), left };
            let (n, here) = (strip.n, strip.local..strip.local + strip.n);
            let mut leaves: SmallVec<[&[T]; FEW]> = SmallVec::new();
            self.load(plan, &strip, loaded, panels, &mut leaves);
            let mut bars: SmallVec<[&[T]; RESULTS]> = SmallVec::new();
            for (k, (constant, panel)) in constants.iter_mut().zip(&mut *seed_panels).enumerate() {
                bars.push(match job.seeds.get(k) {
                    Some(Seed::Under { .. }) => {
                        &over.as_ref().expect("one leaf lies over the result")[here.clone()]
                    }
                    Some(Seed::Array { y_bar, .. }) if strip.local == 0 || !y_bar.walk.is_uniform() => {
                        strip.load(y_bar, &mut constant.0[..n], panel)
                    }
                    _ => &constant.0[..n],
                });
            }
            // What stands where nothing is read.
            let any = bars[0];
            let mut next = here.end..here.end + strip_len;
            for act in &plan.acts {
                let some = share.min(next.len());
                ahead.iter().for_each(|array| prefetch_at(array.wrapping_add(next.start), some, slow));
                next.start += some;
                match *act {
                    Act::Value { step, product, to } => {
                        let mut own =
                            to.map(|to| tiles[to as usize].take().expect("no tile is its own argument"));
                        let out = match &mut own {
                            Some(tile) => &mut tile.0[..n],
                            None => &mut job.result[here.clone()],
                        };
                        self.value(step, product, |slot| read(slot, plan, &leaves, tiles, any), out);
                        to.into_iter().for_each(|to| tiles[to as usize] = own.take());
                    }
                    Act::Joint { step, to, partial } => {
                        let [mut y, mut slope] = [to, partial]
                            .map(|t| tiles[t as usize].take().expect("no tile is its own argument"));
                        let find = |slot| read(slot, plan, &leaves, tiles, any);
                        self.joint(step, find, &mut y.0[..n], &mut slope.0[..n]);
                        (tiles[to as usize], tiles[partial as usize]) = (Some(y), Some(slope));
                    }
                    Act::Total { step, result, factors } => {
                        let find = |slot| read(slot, plan, &leaves, tiles, any);
                        let result = result as usize;
                        match (job.outs.get(result).filter(|_| job.seeds.is_empty()), factors) {
                            (Some(out), None) => out.add(&mut job.added, from, find(Slot::Step(step))),
                            (Some(out), Some(of)) => out.add_products(&mut job.added, from, of.map(find)),
                            // As of shorter strips, whatever else is in use.
                            (None, None) => {
                                let values = find(Slot::Step(step)).chunks(Tile::<T>::LEN);
                                values.for_each(|values| tallies[result].add(pairwise_sum(values)));
                            }
                            (None, Some(of)) => {
                                let [a, b] = of.map(|of| find(of).chunks(Tile::<T>::LEN));
                                a.zip(b).for_each(|(a, b)| tallies[result].add(pairwise_dot([a, b])));
                            }
                        }
                    }
                    Act::Copy { from, to } => {
                        let mut own = tiles[to as usize].take().expect("a copy has a tile of its own");
                        own.0[..n].copy_from_slice(bar(from, tiles, &bars));
                        tiles[to as usize] = Some(own);
                    }
                    Act::Pull { by, bar: from, to, add } => {
                        let mut target = Target::take(to, tiles, leaf_bars, &mut job.outs);
                        let (g, out) = (bar(from, tiles, &bars), target.slice(&here));
                        let given = match job.seeds[0] {
                            Seed::Array { y: Some(y), .. } | Seed::Under { y } => {
                                &y[strip.from..strip.from + n]
                            }
                            _ => any,
                        };
                        let find = |slot| match slot {
                            Slot::Step(k) if plan.places[k as usize] == Value::Given => given,
                            slot => read(slot, plan, &leaves, tiles, g),
                        };
                        match by {
                            Partial::Of { step, position } => self.pull(step, position, find, g, out, add),
                            Partial::Square { step } => {
                                let x = find(self.program.steps[step as usize].slot(0).expect("a product"));
                                map_vjp(Map::Unary(Unary::Square), x, x, g, out, add);
                            }
                            Partial::Tile(t) => {
                                let slope =
                                    &tiles[t as usize].as_ref().expect("computed with the value").0[..n];
                                zip_vjp(Binary::Mul, 0, [slope, slope], slope, g, out, add);
                            }
                        }
                        target.put(to, tiles, leaf_bars, &mut job.outs);
                    }
                    Act::Give { leaf, bar: from } => {
                        let g = bar(from, tiles, &bars);
                        job.outs[leaf as usize].add(&mut job.added, strip.from, g);
                    }
                    Act::PullBoth { factors: [a, b], bar: from, to: [to_a, to_b], add } => {
                        let mut a_bar = Target::take(to_a, tiles, leaf_bars, &mut job.outs);
                        let mut b_bar = Target::take(to_b, tiles, leaf_bars, &mut job.outs);
                        let g = bar(from, tiles, &bars);
                        let find = |slot| read(slot, plan, &leaves, tiles, g);
                        multiply_vjp([find(a), find(b)], g, [a_bar.slice(&here), b_bar.slice(&here)], add);
                        a_bar.put(to_a, tiles, leaf_bars, &mut job.outs);
                        b_bar.put(to_b, tiles, leaf_bars, &mut job.outs);
                    }
                }
            }
            for (l, out) in job.outs.iter().enumerate().filter(|(l, _)| plan.reached >> l & 1 == 1) {
                if let Some(tile) = leaf_bars[l].as_ref().filter(|_| plan.given >> l & 1 == 0) {
                    out.add(&mut job.added, from, &tile.0[..n]);
                }
            }
            drop(bars);
            if let (Some(over), Some(Bar::Tile(t))) = (&mut over, plan.heir) {
                over[here].copy_from_slice(tile_of(tiles, t, n));
            }
        }
        tallies.iter().zip(sums).for_each(|(tally, sum)| *sum = tally.total());
    }

    /// The arrays that are read where they lie.
    fn read<'j>(&'j self, job: &'j Job<'_, T>) -> impl Iterator<Item = &'j Operand<'j, T>> {
        let bars = job.seeds.iter().filter_map(|seed| match seed {
            Seed::Array { y_bar, .. } => Some(*y_bar),
            _ => None,
        });
        self.leaves.iter().chain(bars).filter(|x| x.walk.is_contiguous())
    }

    /// Lists the values of the leaves that the plan reads; one number for all elements is written once a block.
    fn load<'s>(
        &'s self,
        plan: &Plan,
        strip: &Strip,
        tiles: &'s mut [Box<Tile<T>>],
        panels: &'s mut [Vec<T>],
        loaded: &mut SmallVec<[&'s [T]; FEW]>,
    ) {
        for (l, (leaf, (tile, panel))) in self.leaves.iter().zip(tiles.iter_mut().zip(panels)).enumerate() {
            loaded.push(match plan.leaves >> l & 1 == 1 {
                false => &[],
                true if strip.local > 0 && leaf.walk.is_uniform() => &tile.0[..strip.n],
                true => strip.load(leaf, &mut tile.0[..strip.n], panel),
            });
        }
    }

    fn value<'s>(&self, step: u16, product: Option<u16>, find: impl Fn(Slot) -> &'s [T], out: &mut [T]) {
        if let Some(product) = product {
            let Step::Binary(_, a, b) = self.program.steps[product as usize] else {
                unreachable!("products alone wait for a sum")
            };
            let (join, other) =
                join(self.program.steps[step as usize], product as usize).expect("a sum takes it up");
            return multiply_join(join, [find(a), find(b)], find(other), out);
        }
        match self.op(step) {
            Applied::Map(op, a) => map_forward(op, find(a), out),
            Applied::Zip(op, a, b) => zip_forward(op, find(a), find(b), out),
        }
    }

    fn joint<'s>(&self, step: u16, find: impl Fn(Slot) -> &'s [T], y: &mut [T], slope: &mut [T]) {
        match self.op(step) {
            Applied::Map(op, a) => map_joint(op, find(a), y, slope),
            Applied::Zip(..) => unreachable!("steps of one argument alone are joint"),
        }
    }

    fn pull<'s>(
        &self,
        step: u16,
        position: u8,
        find: impl Fn(Slot) -> &'s [T],
        g: &[T],
        out: &mut [T],
        add: bool,
    ) {
        let y = find(Slot::Step(step));
        match self.op(step) {
            Applied::Map(op, a) => map_vjp(op, find(a), y, g, out, add),
            Applied::Zip(op, a, b) => zip_vjp(op, position as usize, [find(a), find(b)], y, g, out, add),
        }
    }

    /// A step with its attributes.
    fn op(&self, step: u16) -> Applied {
        match self.program.steps[step as usize] {
            Step::Unary(op, a) => Applied::Map(Map::Unary(op), a),
            Step::Tuned(op, a, at) => Applied::Map(Map::Tuned(op, params(self.program.numbers, at)), a),
            Step::Binary(op, a, b) => Applied::Zip(op, a, b),
        }
    }
}

enum Applied {
    Map(Map, Slot),
    Zip(Binary, Slot, Slot),
}

/// Some elements that are worked on at once.
struct Strip {
    from: usize,
    /// `from`, counted from the start of the block.
    local: usize,
    n: usize,
    /// Elements of the block from here on.
    left: usize,
}

impl Strip {
    /// The elements of an array; `panel` is kept from one strip of a block to the next.
    #[inline(always)]
    fn load<'s, T: Functions>(
        &self,
        x: &'s Operand<'_, T>,
        tile: &'s mut [T],
        panel: &'s mut Vec<T>,
    ) -> &'s [T] {
        if x.walk.turned().is_none() {
            return x.load(self.from, tile);
        }
        let len = PANEL * Tile::<T>::LEN;
        let at = self.local % len;
        if at == 0 {
            panel.resize(len, T::zero());
            x.load(self.from, &mut panel[..len.min(self.left)]);
        }
        &panel[at..][..self.n]
    }
}

/// The value in a slot, or `any` numbers where no partial reads it and it was not computed.
fn read<'s, T>(
    slot: Slot,
    plan: &Plan,
    leaves: &[&'s [T]],
    tiles: &'s [Option<Box<Tile<T>>>],
    any: &'s [T],
) -> &'s [T] {
    let place = match slot {
        Slot::Leaf(l) if leaves[l as usize].is_empty() => return any,
        Slot::Leaf(l) => return leaves[l as usize],
        Slot::Step(k) => plan.places[k as usize],
    };
    match place {
        Value::Tile(t) => tiles[t as usize].as_ref().map_or(any, |tile| &tile.0[..any.len()]),
        Value::Given | Value::Nowhere => any,
    }
}

#[inline(always)]
fn bar<'s, T>(bar: Bar, tiles: &'s [Option<Box<Tile<T>>>], seeds: &[&'s [T]]) -> &'s [T] {
    match bar {
        Bar::Seed(result) => seeds[result as usize],
        Bar::Tile(t) => tile_of(tiles, t, seeds[0].len()),
    }
}

#[inline(always)]
fn tile_of<T>(tiles: &[Option<Box<Tile<T>>>], t: u16, n: usize) -> &[T] {
    &tiles[t as usize].as_ref().expect("a cotangent under way").0[..n]
}

impl<T: Functions> Into<'_, T> {
    fn want(&self) -> Want {
        match self {
            Into::Nowhere => Want::Nothing,
            Into::Same { held: true, .. } => Want::Added,
            Into::Same { held: false, .. } => Want::Written,
            Into::Added(_) => Want::Apart,
            Into::Over { .. } => Want::Over,
        }
    }
}
