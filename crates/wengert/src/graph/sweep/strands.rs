//! [`Strands`]: several cotangents of a node in one sweep. The arena is walked once, and a partial is computed once for all.
//!
//! Strand by strand the numbers are those of a sweep of its own: which nodes have a cotangent depends on the tape alone,
//! so they have one in all strands or in none.

mod visit;

use smallvec::SmallVec;

use super::Sweep;
use crate::graph::tape::{Node, Tape};
use crate::kernel::elementwise::{Map, map_vjp};
use crate::kernel::functions::Functions;
use crate::kernel::operand::add;
use crate::kernel::scatter::{pairwise_sum, scatter_add};
use crate::kernel::walk::Walk;
use crate::memory::{Loan, Pool};
use crate::op::Tuned;
use crate::rule::Dtype;
use crate::shape::Layout;
use visit::Spare;

/// Strands of one sweep.
pub const MOST: usize = 32;
/// Numbers that one vector instruction is hoped to serve.
const WIDE: usize = 4;

/// Marks a number that has no cotangents.
const NONE: u32 = u32::MAX;

/// The cotangents of a number, padded.
type Cell<T> = SmallVec<[[T; WIDE]; MOST / WIDE]>;

/// Cotangents under way: those of a number lie side by side, those of an array one behind the other.
pub struct Strands<T> {
    count: usize,
    /// Which cell each number has, or [`NONE`].
    places: Vec<u32>,
    /// A cell is used again once its number has been visited, so that the cells alive stay in cache.
    cells: Vec<[T; WIDE]>,
    /// Elements of `cells` that one takes.
    stride: usize,
    free: Vec<u32>,
    arrays: Vec<Option<Loan>>,
    /// The smallest node that a contribution has gone to.
    pub low: usize,
    /// The smallest node that may be visited.
    pub floor: usize,
    /// Made when an array is reached.
    spare: Option<Box<Spare<T>>>,
}

impl<T: Functions> Strands<T> {
    /// `count` strands over so many nodes and arrays.
    pub fn new(count: usize, nodes: usize, arrays: usize) -> Self {
        Strands {
            count,
            places: vec![NONE; nodes],
            cells: Vec::new(),
            stride: count.div_ceil(WIDE),
            free: Vec::new(),
            arrays: std::iter::repeat_with(|| None).take(arrays).collect(),
            low: usize::MAX,
            floor: 0,
            spare: None,
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Begins a sweep of `count` strands, not more than there have been.
    pub fn open(&mut self, count: usize) {
        debug_assert!(count.div_ceil(WIDE) <= self.stride);
        (self.count, self.low, self.floor) = (count, usize::MAX, 0);
    }

    /// Makes room for the cotangents of so many nodes and arrays.
    pub fn make_room(&mut self, nodes: usize, arrays: usize) {
        self.places.resize(nodes.max(self.places.len()), NONE);
        self.arrays.resize_with(arrays.max(self.arrays.len()), || None);
    }

    /// Drops the cotangents of nodes and arrays from these on.
    pub fn drop_from(&mut self, pool: &mut Pool, nodes: usize, arrays: usize) {
        for place in
            self.places.get_mut(nodes..).unwrap_or_default().iter_mut().filter(|place| **place != NONE)
        {
            self.free.push(std::mem::replace(place, NONE));
        }
        for loan in self.arrays.get_mut(arrays..).unwrap_or_default().iter_mut().filter_map(Option::take) {
            pool.give_back(loan);
        }
    }

    pub fn is_present(&self, node: &Node) -> bool {
        match node.is_lane() {
            true => self.places[node.slot as usize] != NONE,
            false => {
                node.has_value() && node.dtype() == Dtype::Real && self.arrays[node.slot as usize].is_some()
            }
        }
    }

    /// The cotangents in a cell.
    #[inline(always)]
    fn cell(&mut self, place: u32) -> &mut [[T; WIDE]] {
        &mut self.cells[place as usize * self.stride..][..self.count.div_ceil(WIDE)]
    }

    #[inline(always)]
    fn take_number(&mut self, node: &Node) -> Option<Cell<T>> {
        let place = std::mem::replace(&mut self.places[node.slot as usize], NONE);
        (place != NONE).then(|| {
            self.free.push(place);
            Cell::from_slice(self.cell(place))
        })
    }

    /// Adds `weight` times the cotangents `bar` of a number to those of number `id`.
    #[inline(always)]
    fn add_number(&mut self, id: usize, weight: T, bar: &[[T; WIDE]]) {
        self.low = self.low.min(id);
        let place = self.places[id];
        if place != NONE {
            for (cell, bar) in self.cell(place).iter_mut().zip(bar) {
                (0..WIDE).for_each(|k| cell[k] += bar[k] * weight);
            }
            return;
        }
        let place = self.free.pop().unwrap_or_else(|| self.grow());
        self.places[id] = place;
        for (cell, bar) in self.cell(place).iter_mut().zip(bar) {
            (0..WIDE).for_each(|k| cell[k] = bar[k] * weight);
        }
    }

    #[cold]
    fn grow(&mut self) -> u32 {
        self.cells.resize(self.cells.len() + self.stride, [T::zero(); WIDE]);
        (self.cells.len() / self.stride) as u32 - 1
    }

    /// The buffer of an array's cotangents, and whether it holds them already.
    pub fn buffer(&mut self, pool: &mut Pool, id: usize, node: &Node, len: usize) -> (Loan, bool) {
        self.low = self.low.min(id);
        match self.arrays[node.slot as usize].take() {
            Some(loan) => (loan, true),
            None => (pool.lend::<T>(self.count * len), false),
        }
    }

    pub fn store(&mut self, node: &Node, loan: Loan) {
        self.arrays[node.slot as usize] = Some(loan);
    }

    /// Takes the cotangents of a node out, one behind the other.
    pub fn take(&mut self, pool: &mut Pool, node: &Node) -> Option<Loan> {
        if !self.is_present(node) {
            return None;
        }
        if !node.is_lane() {
            return self.arrays[node.slot as usize].take();
        }
        let cell = self.take_number(node)?;
        let mut loan = pool.lend::<T>(self.count);
        loan.slice_mut::<T>(self.count).copy_from_slice(&cell.as_flattened()[..self.count]);
        Some(loan)
    }

    /// Adds cotangents that lie one behind the other to those of node `id`.
    pub fn add(&mut self, tape: &Tape<T>, pool: &mut Pool, id: usize, bars: &[T]) {
        let (node, len) = (tape.nodes[id], tape.entry(id).len);
        if node.is_lane() {
            return self.add_number(id, T::one(), &self.padded(bars));
        }
        let (mut loan, held) = self.buffer(pool, id, &node, len);
        let out = loan.slice_mut::<T>(self.count * len);
        match held {
            true => add(out, bars),
            false => out.copy_from_slice(bars),
        }
        self.store(&node, loan);
    }

    /// As [`Strands::add`]; the buffer becomes the node's, or is returned.
    pub fn put(&mut self, tape: &Tape<T>, pool: &mut Pool, id: usize, bars: Loan) {
        let (node, len) = (tape.nodes[id], tape.entry(id).len);
        if !node.is_lane() && !self.is_present(&node) {
            self.low = self.low.min(id);
            return self.store(&node, bars);
        }
        self.add(tape, pool, id, bars.slice(self.count * len));
        pool.give_back(bars);
    }

    /// Adds the cotangents of a view of node `id`, which shows the elements of `layout` from the one at `first` on.
    pub fn add_view(
        &mut self,
        tape: &Tape<T>,
        pool: &mut Pool,
        id: usize,
        bars: &[T],
        layout: &Layout,
        first: isize,
    ) {
        let (node, own, len) = (tape.nodes[id], tape.entry(id).len, layout.len());
        let walk = Walk::new(&layout.shape, &layout.strides);
        if node.is_lane() {
            let sums: SmallVec<[T; MOST]> =
                (0..self.count).map(|k| pairwise_sum(&bars[k * len..][..len])).collect();
            return self.add_number(id, T::one(), &self.padded(&sums));
        }
        let (mut loan, held) = self.buffer(pool, id, &node, own);
        let out = loan.slice_mut::<T>(self.count * own);
        if !held {
            out.fill(T::zero());
        }
        for k in 0..self.count {
            scatter_add(&mut out[k * own..][..own][first as usize..], &walk, 0, &bars[k * len..][..len]);
        }
        self.store(&node, loan);
    }

    /// Adds the cotangent of node `id` in strand `k` alone.
    pub fn add_strand(&mut self, tape: &Tape<T>, pool: &mut Pool, id: usize, k: usize, bar: &[T]) {
        let (node, len) = (tape.nodes[id], tape.entry(id).len);
        if node.is_lane() {
            let mut bars = [T::zero(); MOST];
            bars[k] = bar[0];
            return self.add_number(id, T::one(), &self.padded(&bars[..self.count]));
        }
        let (mut loan, held) = self.buffer(pool, id, &node, len);
        let out = loan.slice_mut::<T>(self.count * len);
        if !held {
            out.fill(T::zero());
        }
        add(&mut out[k * len..][..len], bar);
        self.store(&node, loan);
    }

    /// The cotangents of a number as its cell holds them.
    fn padded(&self, bars: &[T]) -> Cell<T> {
        let mut cell = Cell::from_elem([T::zero(); WIDE], self.count.div_ceil(WIDE));
        cell.as_flattened_mut()[..bars.len()].copy_from_slice(bars);
        cell
    }

    /// The cotangents of leaf `id`, if they have arrived.
    pub fn of_leaf(&self, tape: &Tape<T>, id: usize) -> Option<&[T]> {
        let (node, len) = (tape.nodes[id], tape.entry(id).len);
        if !node.is_lane() {
            return self.arrays[node.slot as usize].as_ref().map(|loan| loan.slice::<T>(self.count * len));
        }
        let place = Some(self.places[node.slot as usize]).filter(|place| *place != NONE)?;
        Some(&self.cells.as_flattened()[place as usize * self.stride * WIDE..][..self.count])
    }

    /// The cotangents of a number, left in `sweep` as those of a strand of cotangent 1: each strand has its multiple.
    pub fn gather(&mut self, tape: &Tape<T>, sweep: &mut Sweep<T>, node: &Node, parents: &[usize]) {
        let Some(bar) = self.take_number(node) else { return };
        for &parent in parents {
            let node = tape.nodes[parent];
            let Some(gradient) = sweep.take(&node) else { continue };
            let len = tape.entry(parent).len;
            let gradient_of = gradient.slice::<T>(len);
            if node.is_lane() {
                self.add_number(parent, gradient_of[0], &bar);
            } else {
                let (mut loan, held) = self.buffer(&mut sweep.pool, parent, &node, len);
                let outs = loan.slice_mut::<T>(self.count * len).chunks_mut(len.max(1));
                for (out, bar) in outs.zip(bar.as_flattened()) {
                    let by = Map::Tuned(Tuned::Scale, [bar.as_f64(), 0.0]);
                    map_vjp(by, gradient_of, gradient_of, gradient_of, out, held);
                }
                self.store(&node, loan);
            }
            sweep.pool.give_back(gradient);
        }
    }
}
