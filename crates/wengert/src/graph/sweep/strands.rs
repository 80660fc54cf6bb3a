//! [`Strands`]: several cotangents of a node in one sweep. The arena is walked once, and a partial is computed once for all.
//!
//! Strand by strand the numbers are those of a sweep of its own: which nodes have a cotangent depends on the tape alone,
//! so they have one in all strands or in none.

use std::ops::Range;

use smallvec::SmallVec;

use super::Sweep;
use super::numbers::{each_partial, each_weight};
use crate::broadcast::{TILE, Target};
use crate::graph::tape::{Kind, Memory, Node, Tape};
use crate::kernel::elementwise::{Map, map_vjp, zip_vjp};
use crate::kernel::functions::Functions;
use crate::kernel::program::{FEW, Into, Seed};
use crate::kernel::threads::{self, PIECE};
use crate::kernel::walk::{Walk, pairwise_sum, scatter_add};
use crate::memory::{Loan, Pool};
use crate::op::{Binary, Tuned};
use crate::rule::Dtype;
use crate::shape::Layout;

/// Strands of one sweep.
pub const MOST: usize = 16;
/// Numbers that one vector instruction is hoped to serve.
const WIDE: usize = 4;

/// The cotangents of a number, padded.
type Cell<T> = SmallVec<[[T; WIDE]; MOST / WIDE]>;

/// Cotangents under way: those of a number lie side by side, those of an array one behind the other.
pub struct Strands<T> {
    count: usize,
    numbers: Vec<[T; WIDE]>,
    present: Vec<bool>,
    arrays: Vec<Option<Loan>>,
    /// The smallest node that a contribution has gone to.
    pub low: usize,
    spare: Box<Spare<T>>,
}

/// Tiles to compute in.
struct Spare<T> {
    ones: [T; TILE],
    partial: [T; TILE],
    product: [T; TILE],
    arguments: [[T; TILE]; 2],
}

impl<T: Functions> Spare<T> {
    fn new() -> Box<Self> {
        let zeros = [T::zero(); TILE];
        Box::new(Spare { ones: [T::one(); TILE], partial: zeros, product: zeros, arguments: [zeros; 2] })
    }
}

/// Computes `n` partials from the given one on into `partial`.
trait Partial<T>: Fn(usize, usize, &mut Spare<T>) + Sync {}
impl<T, F: Fn(usize, usize, &mut Spare<T>) + Sync> Partial<T> for F {}

impl<T: Functions> Strands<T> {
    /// `count` strands over nodes with these many values.
    pub fn new(count: usize, lane: usize, arrays: usize) -> Self {
        let cells = lane * count.div_ceil(WIDE);
        Strands {
            count,
            numbers: vec![[T::zero(); WIDE]; cells],
            present: vec![false; lane],
            arrays: std::iter::repeat_with(|| None).take(arrays).collect(),
            low: usize::MAX,
            spare: Spare::new(),
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Begins a sweep of `count` strands, not more than there have been.
    pub fn open(&mut self, count: usize) {
        debug_assert!(self.present.iter().all(|present| !present));
        (self.count, self.low) = (count, usize::MAX);
    }

    /// Returns what is left.
    pub fn close(&mut self, pool: &mut Pool) {
        self.present.fill(false);
        self.arrays.iter_mut().filter_map(Option::take).for_each(|loan| pool.give_back(loan));
    }

    pub fn is_present(&self, node: &Node) -> bool {
        match node.is_lane() {
            true => self.present[node.slot as usize],
            false => {
                node.has_value() && node.dtype() == Dtype::Real && self.arrays[node.slot as usize].is_some()
            }
        }
    }

    /// Where the cotangents of a number are.
    #[inline(always)]
    fn cell(&self, node: &Node) -> Range<usize> {
        let chunks = self.count.div_ceil(WIDE);
        let first = node.slot as usize * chunks;
        first..first + chunks
    }

    fn take_number(&mut self, node: &Node) -> Option<Cell<T>> {
        let present = std::mem::replace(&mut self.present[node.slot as usize], false);
        present.then(|| Cell::from_slice(&self.numbers[self.cell(node)]))
    }

    /// Adds `weight` times the cotangents `bar` of a number to those of number `id`.
    #[inline(always)]
    fn add_number(&mut self, id: usize, node: &Node, weight: T, bar: &[[T; WIDE]]) {
        self.low = self.low.min(id);
        let held = std::mem::replace(&mut self.present[node.slot as usize], true);
        let cell = self.cell(node);
        for (cell, bar) in self.numbers[cell].iter_mut().zip(bar) {
            for (cell, bar) in cell.iter_mut().zip(bar) {
                let new = *bar * weight;
                *cell = if held { *cell + new } else { new };
            }
        }
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
            return self.add_number(id, &node, T::one(), &self.padded(bars));
        }
        let (mut loan, held) = self.buffer(pool, id, &node, len);
        let out = loan.slice_mut::<T>(self.count * len);
        match held {
            true => out.iter_mut().zip(bars).for_each(|(out, bar)| *out += *bar),
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
            return self.add_number(id, &node, T::one(), &self.padded(&sums));
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
            return self.add_number(id, &node, T::one(), &self.padded(&bars[..self.count]));
        }
        let (mut loan, held) = self.buffer(pool, id, &node, len);
        let out = loan.slice_mut::<T>(self.count * len);
        if !held {
            out.fill(T::zero());
        }
        out[k * len..][..len].iter_mut().zip(bar).for_each(|(out, bar)| *out += *bar);
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
        let count = self.count;
        if !self.is_present(&node) {
            return None;
        }
        match node.is_lane() {
            true => Some(&self.numbers[self.cell(&node)].as_flattened()[..count]),
            false => self.arrays[node.slot as usize].as_ref().map(|loan| loan.slice::<T>(count * len)),
        }
    }

    /// The elementwise nodes from `from` down to the next one that has cotangents and is left to the caller: a structured
    /// op, or the total of a formula.
    pub fn run_down(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        sweep: &mut Sweep<T>,
        from: usize,
    ) -> Option<usize> {
        let mut id = from;
        loop {
            let node = tape.nodes[id];
            if node.is_differentiable() && self.visit(tape, memory, sweep, id, &node) {
                return Some(id);
            }
            if id <= self.low {
                return None;
            }
            id -= 1;
        }
    }

    /// Handles node `id`; `true` if it is left to the caller.
    #[inline(always)]
    fn visit(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        sweep: &mut Sweep<T>,
        id: usize,
        node: &Node,
    ) -> bool {
        match node.kind {
            Kind::Call => return tape.results_of(id).any(|r| self.is_present(&tape.nodes[r])),
            Kind::Leaf | Kind::Constant => return false,
            Kind::Projection => {
                if self.is_present(node) {
                    self.low = self.low.min(node.a as usize);
                }
                return false;
            }
            Kind::Formula if node.is_lane() && tape.formulas[node.a as usize].weights.is_none() => {
                return self.present[node.slot as usize];
            }
            _ => {}
        }
        if !node.is_lane() {
            if let Some(y_bar) = self.arrays[node.slot as usize].take() {
                self.visit_array(tape, memory, sweep, id, node, y_bar.slice(self.count * tape.entry(id).len));
                sweep.pool.give_back(y_bar);
            }
        } else if let Some(bar) = self.take_number(node) {
            match node.kind {
                Kind::Formula => {
                    each_weight(tape, node, |id, leaf, weight| self.add_number(id, leaf, weight, &bar));
                }
                _ => each_partial(tape, memory, node, |id, parent, partial| {
                    self.add_number(id, parent, partial, &bar);
                }),
            }
        }
        false
    }

    /// An elementwise op, or a formula, on arrays.
    #[inline(never)]
    fn visit_array(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        sweep: &mut Sweep<T>,
        id: usize,
        node: &Node,
        y_bar: &[T],
    ) {
        let (shape, len) = (tape.shape(id), tape.entry(id).len);
        let y = memory.slab.slice::<T>(tape.arrays[node.slot as usize].place, len);
        let map = match node.kind {
            Kind::Unary(op) => Map::Unary(op),
            Kind::Tuned(op) => Map::Tuned(op, tape.params[node.b as usize]),
            Kind::Binary(op) => return self.visit_zip(tape, memory, &mut sweep.pool, op, id, y, y_bar),
            _ => return self.visit_formula(tape, memory, sweep, id, node, y_bar),
        };
        let x = tape.operand(memory, node.a as usize, shape);
        self.spread(tape, &mut sweep.pool, node.a as usize, shape, y_bar, |start, n, spare| {
            let Spare { ones, partial, arguments: [buffer, _], .. } = spare;
            let x = x.load(start, &mut buffer[..n]);
            map_vjp(map, x, &y[start..][..n], &ones[..n], &mut partial[..n], false);
        });
    }

    fn visit_zip(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        pool: &mut Pool,
        op: Binary,
        id: usize,
        y: &[T],
        y_bar: &[T],
    ) {
        let (node, shape) = (tape.nodes[id], tape.shape(id));
        let parents = [node.a as usize, node.b as usize];
        let [a, b] = parents.map(|p| tape.operand(memory, p, shape));
        for (k, &parent) in parents.iter().enumerate() {
            if !tape.nodes[parent].is_differentiable() {
                continue;
            }
            self.spread(tape, pool, parent, shape, y_bar, |start, n, spare| {
                let Spare { ones, partial, arguments: [of_a, of_b], .. } = spare;
                let ab = [a.load(start, &mut of_a[..n]), b.load(start, &mut of_b[..n])];
                zip_vjp(op, k, ab, &y[start..][..n], &ones[..n], &mut partial[..n], false);
            });
        }
    }

    /// A formula's partials are its cotangents from ones.
    fn visit_formula(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        sweep: &mut Sweep<T>,
        id: usize,
        node: &Node,
        y_bar: &[T],
    ) {
        let formula = tape.formulas[node.a as usize];
        let (shape, len) = (tape.shape(id), tape.entry(id).len);
        let parents = tape.formula_parents(node.a);
        let mut loans: SmallVec<[Option<Loan>; FEW]> = SmallVec::new();
        for &parent in parents {
            loans.push(tape.nodes[parent as usize].is_differentiable().then(|| sweep.pool.lend::<T>(len)));
        }
        let mut into: SmallVec<[Into<'_, T>; FEW]> = SmallVec::new();
        for loan in &mut loans {
            into.push(loan.as_mut().map_or(Into::Nowhere, |loan| {
                let out = loan.slice_mut::<T>(len);
                // A leaf that only flat steps read is not written to.
                out.fill(T::zero());
                Into::Same { out, held: false }
            }));
        }
        let leaves = tape.formula_leaves(memory, &formula);
        tape.run(&formula, &leaves).reverse(&mut sweep.scratch, Seed::Each(T::one()), &mut into, false);
        drop(into);
        for (&parent, loan) in parents.iter().zip(loans) {
            let Some(loan) = loan else { continue };
            let partials = loan.slice::<T>(len);
            self.spread(tape, &mut sweep.pool, parent as usize, shape, y_bar, |start, n, spare| {
                spare.partial[..n].copy_from_slice(&partials[start..][..n]);
            });
            sweep.pool.give_back(loan);
        }
    }

    /// Adds `y_bar` times a partial to the cotangents of node `id`, summed back from shape `result`.
    fn spread(
        &mut self,
        tape: &Tape<T>,
        pool: &mut Pool,
        id: usize,
        result: &[usize],
        y_bar: &[T],
        partial: impl Partial<T>,
    ) {
        let (node, own) = (tape.nodes[id], tape.entry(id).len);
        let len: usize = result.iter().product();
        if node.is_lane() {
            let mut bars = [T::zero(); MOST];
            self.reduce(len, y_bar, partial, |k, _, tile| bars[k] += pairwise_sum(tile));
            return self.add_number(id, &node, T::one(), &self.padded(&bars[..self.count]));
        }
        let (mut loan, held) = self.buffer(pool, id, &node, own);
        let out = loan.slice_mut::<T>(self.count * own);
        match Target::new(tape.shape(id), result) {
            Target::Same if len == 0 => {}
            Target::Same => self.multiply(len, y_bar, partial, out, held),
            target => {
                if !held {
                    out.fill(T::zero());
                }
                self.reduce(len, y_bar, partial, |k, start, tile| match &target {
                    Target::Repeated(walk) => scatter_add(&mut out[k * own..][..own], walk, start, tile),
                    _ => out[k] += pairwise_sum(tile),
                });
            }
        }
        self.store(&node, loan);
    }

    /// Hands every tile of every strand's product to `add(strand, start, tile)`.
    fn reduce(
        &mut self,
        len: usize,
        y_bar: &[T],
        partial: impl Partial<T>,
        mut add: impl FnMut(usize, usize, &[T]),
    ) {
        for start in (0..len).step_by(TILE) {
            let n = TILE.min(len - start);
            partial(start, n, &mut self.spare);
            for k in 0..self.count {
                let Spare { partial, product, .. } = &mut *self.spare;
                scale(&y_bar[k * len + start..][..n], &partial[..n], &mut product[..n], false);
                add(k, start, &product[..n]);
            }
        }
    }

    /// Writes, or adds, every strand's product to `out`.
    fn multiply(&mut self, len: usize, y_bar: &[T], partial: impl Partial<T>, out: &mut [T], held: bool) {
        let piece = |from: usize, outs: &mut [&mut [T]], spare: &mut Spare<T>| {
            let room = outs[0].len();
            for start in (0..room).step_by(TILE) {
                let n = TILE.min(room - start);
                partial(from + start, n, spare);
                for (k, out) in outs.iter_mut().enumerate() {
                    let y_bar = &y_bar[k * len + from + start..][..n];
                    scale(y_bar, &spare.partial[..n], &mut out[start..][..n], held);
                }
            }
        };
        let mut outs: SmallVec<[&mut [T]; MOST]> = out.chunks_mut(len).collect();
        if !threads::pays(len) {
            return piece(0, &mut outs, &mut self.spare);
        }
        let mut pieces: SmallVec<[_; MOST]> = outs.into_iter().map(|out| out.chunks_mut(PIECE)).collect();
        let jobs = (0..len).step_by(PIECE).map(move |from| {
            let outs: SmallVec<[&mut [T]; MOST]> = pieces.iter_mut().filter_map(Iterator::next).collect();
            (from, outs)
        });
        threads::each(jobs, |(from, mut outs)| piece(from, &mut outs, &mut Spare::new()));
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
                self.add_number(parent, &node, gradient_of[0], &bar);
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

/// `out = g p`, or `out += g p`.
fn scale<T: Functions>(g: &[T], p: &[T], out: &mut [T], accumulate: bool) {
    zip_vjp(Binary::Mul, 0, [p, p], p, g, out, accumulate);
}
