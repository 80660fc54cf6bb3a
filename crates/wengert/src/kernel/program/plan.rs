//! What a run does with each strip of elements, decided once for all of them.
//!
//! Forwards, a tile is free again after the last step that reads it. In reverse, only values that some partial reads are
//! computed and kept, until the sweep has passed them; a step whose value is computed anyway and whose partial has a
//! function in common with it computes both at once, and keeps the partial; a cotangent that a partial of 1 hands on unchanged is
//! not copied, but has two names. A product that one sum alone reads is computed with that sum, one that the total alone reads
//! with the total, and a product's two cotangents with each other: a pass over tiles costs what it reads and writes.

use super::{Program, Slot, Step};
use crate::kernel::muladd::Join;
use crate::kernel::reads::Reads;
use crate::op::Binary;

/// Where a value of this strip is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Nowhere,
    Tile(u16),
    /// The result, in memory from its forward pass.
    Given,
}

/// Where a cotangent of this strip is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// That of a result.
    Seed(u16),
    Tile(u16),
}

/// Where a contribution goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    Tile(u16),
    Leaf(u16),
}

/// A step's partial to an argument.
#[derive(Clone, Copy, Debug)]
pub enum Partial {
    /// To be evaluated.
    Of { step: u16, position: u8 },
    /// To both factors of a product of one thing by itself.
    Square { step: u16 },
    /// Computed with the value.
    Tile(u16),
}

#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Computes a step; into the result's memory, if it has no tile. One of its arguments may be a product that has not been
    /// computed yet.
    Value { step: u16, product: Option<u16>, to: Option<u16> },
    /// Computes a step and its partial.
    Joint { step: u16, to: u16, partial: u16 },
    /// Adds the elements of a step to the total of that result: their products, if it has not been computed.
    Total { step: u16, result: u16, factors: Option<[Slot; 2]> },
    /// Copies a cotangent that has a second name, before something is added to it.
    Copy { from: Bar, to: u16 },
    /// Writes, or adds, what a step's cotangent contributes to an argument.
    Pull { by: Partial, bar: Bar, to: To, add: bool },
    /// Adds the cotangent of a leaf that has one contribution alone, a cotangent as it is, to where it belongs.
    Give { leaf: u16, bar: Bar },
    /// As `Pull`, for both factors of a product.
    PullBoth { factors: [Slot; 2], bar: Bar, to: [To; 2], add: [bool; 2] },
}

/// Whether a formula's elements are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    No,
    /// As they are.
    Values,
    /// As they are, or as products.
    Products,
}

/// What is wanted of a leaf's cotangent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    Nothing,
    /// Written to memory.
    Written,
    /// Added to what memory holds.
    Added,
    /// Written to a tile, to be added up where it belongs.
    Apart,
    /// It takes the place of the result's, once that has been read.
    Over,
}

#[derive(Default)]
pub struct Plan {
    pub acts: Vec<Act>,
    /// Where the value of each step lies.
    pub places: Vec<Value>,
    /// How many tiles there are.
    pub tiles: usize,
    /// Leaves whose values are read.
    pub leaves: u64,
    /// Leaves that a contribution reaches.
    pub reached: u64,
    /// Those whose cotangent is added where it belongs by an act.
    pub given: u64,
    /// Leaves that one step alone reads, once.
    single: u64,
    /// The cotangent that takes the place of the result's.
    pub heir: Option<Bar>,
    free: Vec<u16>,
    /// How many names the cotangent in a tile has.
    names: Vec<u8>,
    bars: Vec<Option<Bar>>,
    /// Where the partial of a step lies that was computed with its value.
    partials: Vec<Option<u16>>,
}

impl Plan {
    fn clear(&mut self, steps: usize) {
        self.acts.clear();
        self.places.clear();
        self.places.resize(steps, Value::Nowhere);
        self.bars.clear();
        // One for each step, and the heir's.
        self.bars.resize(steps + 1, None);
        self.partials.clear();
        self.partials.resize(steps, None);
        self.free.clear();
        self.names.clear();
        (self.tiles, self.leaves, self.reached, self.given, self.heir) = (0, 0, 0, 0, None);
    }

    fn tile(&mut self) -> u16 {
        self.free.pop().unwrap_or_else(|| {
            self.tiles += 1;
            self.names.push(0);
            self.tiles as u16 - 1
        })
    }

    /// Computes the result, or the totals of the results if these are all that is wanted.
    pub fn forward(&mut self, program: &Program<'_>, sum: Sum) {
        self.clear(program.steps.len());
        let totals = if sum == Sum::No { 0 } else { program.results };
        self.values(program, u64::MAX >> (64 - program.steps.len()), 0, 0, totals, sum);
    }

    /// Computes the steps in `needed`, those in `joint` with their partials, and the totals of those in `totals`; those in `kept` stay.
    fn values(&mut self, program: &Program<'_>, needed: u64, kept: u64, joint: u64, totals: u64, sum: Sum) {
        let steps = program.steps;
        let computed = |k: &usize| needed >> k & 1 == 1;
        let mut readers = [0u8; super::LONGEST];
        for slot in (0..steps.len()).filter(computed).flat_map(|k| steps[k].slots()) {
            match slot {
                Slot::Step(j) => readers[j as usize] += 1,
                Slot::Leaf(l) => self.leaves |= 1 << l,
            }
        }
        let waiting = waiting(steps, needed, kept, &readers);
        for k in (0..steps.len()).filter(computed).filter(|k| waiting >> k & 1 == 0) {
            let (total, stays) = (totals >> k & 1 == 1, kept >> k & 1 == 1);
            // The partials of a product read its factors alone, so its value is never kept.
            let factors = steps[k].factors().filter(|_| total && sum == Sum::Products);
            debug_assert!(factors.is_none() || (kept | joint) >> k & 1 == 0);
            let passes = factors.is_some() && readers[k] == 0;
            let written = program.results >> k & 1 == 1 && !total && !stays && joint >> k & 1 == 0;
            let to = (!passes && !written).then(|| self.tile());
            self.places[k] = to.map_or(Value::Nowhere, Value::Tile);
            let product = arguments(steps, k) & waiting;
            match to {
                None if passes => {}
                Some(to) if joint >> k & 1 == 1 => {
                    let partial = self.tile();
                    self.partials[k] = Some(partial);
                    self.acts.push(Act::Joint { step: k as u16, to, partial });
                }
                to => {
                    let product = (product != 0).then(|| product.trailing_zeros() as u16);
                    self.acts.push(Act::Value { step: k as u16, product, to });
                }
            }
            if total {
                let result = program.result(k).expect("totals are of results");
                self.acts.push(Act::Total { step: k as u16, result, factors: factors.filter(|_| passes) });
            }
            if readers[k] == 0 && !stays {
                self.release(self.places[k]);
            }
            let factors = (0..steps.len()).filter(|j| product >> j & 1 == 1).flat_map(|j| steps[j].slots());
            for slot in steps[k].slots().chain(factors) {
                if let Slot::Step(j) = slot {
                    readers[j as usize] -= 1;
                    if readers[j as usize] == 0 && kept >> j & 1 == 0 {
                        self.release(self.places[j as usize]);
                    }
                }
            }
        }
    }

    fn release(&mut self, place: Value) {
        if let Value::Tile(tile) = place {
            self.free.push(tile);
        }
    }

    /// Computes the cotangents of the leaves, and the totals of those results that `totals` says, bit by bit. With `given` the result is in memory already.
    pub fn reverse(&mut self, program: &Program<'_>, wants: &[Want], totals: u64, given: bool) {
        let Program { steps, numbers, results, .. } = *program;
        let is_total = |k: &usize| program.result(*k).is_some_and(|result| totals >> result & 1 == 1);
        let totals = (0..steps.len()).filter(is_total).fold(0, |all, k| all | 1u64 << k);
        self.clear(steps.len());
        let active = active(steps, results, wants);
        let mut needed = reads(steps, numbers, wants, active, 0).0;
        if given {
            needed &= !results;
        }
        needed |= totals;
        for k in (0..steps.len()).rev() {
            needed |= if needed >> k & 1 == 1 { arguments(steps, k) } else { 0 };
        }
        let joins = |&(k, _): &(usize, usize)| steps[k].joins();
        let joint = pulls(steps, wants, active).filter(joins).fold(0, |all, (k, _)| all | 1 << k) & needed;
        let (kept, leaves) = reads(steps, numbers, wants, active, joint);
        self.leaves = leaves;
        self.values(program, needed, kept, joint, totals, Sum::Products);
        self.single = single(steps);
        for k in (0..steps.len()).rev() {
            if let Some(result) = program.result(k) {
                debug_assert!(self.bars[k].is_none(), "nothing else reads a result");
                self.bars[k] = Some(Bar::Seed(result));
                if given {
                    self.places[k] = Value::Given;
                }
            }
            if let (Some(bar), true) = (self.bars[k], active >> k & 1 == 1) {
                self.pull(steps, numbers, wants, active, k, bar);
                self.drop_name(bar);
            }
            self.free.extend(self.partials[k]);
            if kept >> k & 1 == 1 {
                self.release(self.places[k]);
            }
        }
        self.heir = self.bars[steps.len()];
    }

    /// The contributions of step `k`, whose cotangent is `bar`.
    fn pull(&mut self, steps: &[Step], numbers: &[f64], wants: &[Want], active: u64, k: usize, bar: Bar) {
        let mut goes = [None; 2];
        for position in 0..2 {
            let Some(slot) = steps[k].slot(position) else { break };
            let unchanged = || steps[k].reads(position, numbers).one;
            goes[position] = match slot {
                Slot::Step(j) if active >> j & 1 == 0 => None,
                Slot::Step(j) => self.bar_of(j as usize, bar, unchanged),
                Slot::Leaf(l)
                    if wants[l as usize] == Want::Apart && self.single >> l & 1 == 1 && unchanged() =>
                {
                    self.reached |= 1 << l;
                    self.given |= 1 << l;
                    self.acts.push(Act::Give { leaf: l, bar });
                    None
                }
                Slot::Leaf(l) => {
                    let (again, want) = (self.reached >> l & 1 == 1, wants[l as usize]);
                    self.reached |= u64::from(want != Want::Nothing) << l;
                    match want {
                        Want::Nothing => None,
                        Want::Added => Some((To::Leaf(l), true)),
                        Want::Written | Want::Apart => Some((To::Leaf(l), again)),
                        Want::Over => self.bar_of(steps.len(), bar, unchanged),
                    }
                }
            };
        }
        if let ([Some((a_bar, add_a)), Some((b_bar, add_b))], Step::Binary(Binary::Mul, a, b)) =
            (goes, steps[k])
            && a_bar != b_bar
        {
            let (to, add) = ([a_bar, b_bar], [add_a, add_b]);
            return self.acts.push(Act::PullBoth { factors: [a, b], bar, to, add });
        }
        if let ([Some((to, add)), Some((again, true))], Step::Binary(Binary::Mul, a, b)) = (goes, steps[k])
            && (a, to) == (b, again)
        {
            return self.acts.push(Act::Pull { by: Partial::Square { step: k as u16 }, bar, to, add });
        }
        for (position, goes) in goes.into_iter().enumerate() {
            let Some((to, add)) = goes else { continue };
            let by = Partial::Of { step: k as u16, position: position as u8 };
            self.acts.push(Act::Pull { by: self.partials[k].map_or(by, Partial::Tile), bar, to, add });
        }
    }

    /// Where a contribution to the `j`-th cotangent goes, and whether it is added; nowhere where that is `bar` itself.
    fn bar_of(&mut self, j: usize, bar: Bar, unchanged: impl Fn() -> bool) -> Option<(To, bool)> {
        match self.bars[j] {
            None if unchanged() => {
                self.bars[j] = Some(bar);
                self.add_name(bar);
                None
            }
            None => {
                let tile = self.tile();
                self.names[tile as usize] = 1;
                self.bars[j] = Some(Bar::Tile(tile));
                Some((To::Tile(tile), false))
            }
            Some(held) => Some((To::Tile(self.own(held, j)), true)),
        }
    }

    /// The tile of a cotangent that something will be added to: its own, or a copy if it has a second name.
    fn own(&mut self, bar: Bar, step: usize) -> u16 {
        if let Bar::Tile(tile) = bar
            && self.names[tile as usize] == 1
        {
            return tile;
        }
        let tile = self.tile();
        self.names[tile as usize] = 1;
        self.acts.push(Act::Copy { from: bar, to: tile });
        self.drop_name(bar);
        self.bars[step] = Some(Bar::Tile(tile));
        tile
    }

    fn add_name(&mut self, bar: Bar) {
        if let Bar::Tile(tile) = bar {
            self.names[tile as usize] += 1;
        }
    }

    fn drop_name(&mut self, bar: Bar) {
        if let Bar::Tile(tile) = bar {
            self.names[tile as usize] -= 1;
            if self.names[tile as usize] == 0 {
                self.free.push(tile);
            }
        }
    }
}

/// The products that are computed with the one sum that reads them: those whose factors are there for as long, one for a sum.
fn waiting(steps: &[Step], needed: u64, kept: u64, readers: &[u8]) -> u64 {
    let mut waiting = 0u64;
    let once = |k: &usize| needed & !kept & 1 << k != 0 && readers[*k] == 1;
    for k in (0..steps.len()).filter(once).filter(|k| matches!(steps[*k], Step::Binary(Binary::Mul, ..))) {
        let reads = |r: &usize| needed >> r & 1 == 1 && arguments(steps, *r) >> k & 1 == 1;
        let Some(reader) = (k + 1..steps.len()).find(reads) else { continue };
        let lasting = reader == k + 1 || arguments(steps, k) & !kept == 0;
        if lasting && join(steps[reader], k).is_some() && arguments(steps, reader) & waiting == 0 {
            waiting |= 1 << k;
        }
    }
    waiting
}

/// The leaves that are read once.
fn single(steps: &[Step]) -> u64 {
    let (mut seen, mut again) = (0u64, 0u64);
    for slot in steps.iter().flat_map(|step| step.slots()) {
        if let Slot::Leaf(l) = slot {
            again |= seen & 1 << l;
            seen |= 1 << l;
        }
    }
    seen & !again
}

/// How a step takes up the product at step `k`, if that is one of its arguments: the way, and the other argument.
pub fn join(step: Step, k: usize) -> Option<(Join, Slot)> {
    let (Step::Binary(op, a, b), product) = (step, Slot::Step(k as u16)) else { return None };
    let other = if a == product { b } else { a };
    let join = match op {
        Binary::Add => Join::Plus,
        Binary::Sub if a == product => Join::Minus,
        Binary::Sub => Join::From,
        _ => return None,
    };
    (other != product && [a, b].contains(&product)).then_some((join, other))
}

/// Which steps lead to a wanted leaf.
fn active(steps: &[Step], results: u64, wants: &[Want]) -> u64 {
    let mut active = 0u64;
    for (k, step) in steps.iter().enumerate() {
        let leads = step.slots().any(|slot| match slot {
            Slot::Leaf(l) => wants[l as usize] != Want::Nothing,
            Slot::Step(j) => active >> j & 1 == 1,
        });
        active |= u64::from(leads && !step.is_flat()) << k;
    }
    // A cotangent reaches a step only through steps that lead on themselves.
    let mut reached = results;
    for k in (0..steps.len()).rev().filter(|k| active >> k & 1 == 1) {
        if reached >> k & 1 == 1 {
            reached |= arguments(steps, k);
        }
    }
    active & reached
}

/// The steps that step `k` reads.
fn arguments(steps: &[Step], k: usize) -> u64 {
    steps[k].slots().fold(0, |all, slot| match slot {
        Slot::Step(j) => all | 1 << j,
        Slot::Leaf(_) => all,
    })
}

/// The steps and the leaves that partials read, but for those of the steps in `joint`.
fn reads(steps: &[Step], numbers: &[f64], wants: &[Want], active: u64, joint: u64) -> (u64, u64) {
    let (mut kept, mut leaves) = (0u64, 0u64);
    for (k, position) in pulls(steps, wants, active).filter(|(k, _)| joint >> k & 1 == 0) {
        let Reads { a, b, y, .. } = steps[k].reads(position, numbers);
        for slot in [a.then(|| steps[k].slot(0)), b.then(|| steps[k].slot(1))].into_iter().flatten().flatten()
        {
            match slot {
                Slot::Step(j) => kept |= 1 << j,
                Slot::Leaf(l) => leaves |= 1 << l,
            }
        }
        kept |= u64::from(y) << k;
    }
    (kept, leaves)
}

/// The partials that are evaluated, as step and position.
fn pulls(steps: &[Step], wants: &[Want], active: u64) -> impl Iterator<Item = (usize, usize)> {
    let pairs = (0..steps.len()).flat_map(|k| [(k, 0), (k, 1)]);
    pairs.filter(move |&(k, position)| {
        active >> k & 1 == 1
            && match steps[k].slot(position) {
                Some(Slot::Step(j)) => active >> j & 1 == 1,
                Some(Slot::Leaf(l)) => wants[l as usize] != Want::Nothing,
                None => false,
            }
    })
}
