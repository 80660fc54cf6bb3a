//! `backward`: the arena walked in reverse insertion order, cotangents in buffers that are lent and returned.
//!
//! Invariant: between sweeps every cell of `lane` is [`Real::ABSENT`](crate::Real) and every entry of `arrays` is empty.
//! Gradients are committed only when a sweep has come to its end: one that fails leaves them as they were.

mod arrays;
mod numbers;
mod strands;

use std::ops::Range;

use crate::broadcast::{Target, unbroadcast_into};
use crate::graph::tape::{Kind, Memory, Node, Tape};
use crate::graph::totals_sweep::Waiting;
use crate::kernel::functions::Functions;
use crate::kernel::operand::{Operand, add};
use crate::kernel::program::Scratch;
use crate::kernel::walk::Walk;
use crate::memory::{Loan, Pool};
use crate::rule::Dtype;
use crate::shape::Layout;

pub use strands::{MOST, Strands};

/// A gradient that is kept.
pub enum Held<T> {
    One(T),
    Array(Loan),
}

/// Cotangents under way, and the gradients kept.
pub struct Sweep<T: Functions> {
    lane: Vec<T>,
    arrays: Vec<Option<Loan>>,
    pub pool: Pool,
    /// Gradients of inputs, by their index among the inputs.
    inputs: Vec<Option<Held<T>>>,
    /// Gradients of intermediates under `retain_grad`, by node, ascending.
    retained: Vec<(u32, Held<T>)>,
    /// Gradients of retained intermediates that this sweep has found.
    found: Vec<(u32, Held<T>)>,
    /// Leaves that this sweep has reached.
    reached: Vec<u32>,
    /// The smallest node that a contribution has gone to.
    pub low: usize,
    /// Tiles for formulas.
    pub scratch: Scratch<T>,
    /// The smallest node that may be visited: what lies below it waits for its turn. With `usize::MAX` one node is swept by
    /// itself, and what it hands to its arguments is waited for there.
    pub floor: usize,
    /// Totals that wait to be swept together.
    pub waiting: Waiting,
    /// A sweep is under way, or one ended by unwinding.
    dirty: bool,
}

impl<T: Functions> Sweep<T> {
    pub fn new() -> Self {
        Sweep {
            lane: Vec::new(),
            arrays: Vec::new(),
            pool: Pool::default(),
            inputs: Vec::new(),
            retained: Vec::new(),
            found: Vec::new(),
            reached: Vec::new(),
            low: 0,
            scratch: Scratch::default(),
            floor: 0,
            waiting: Waiting::default(),
            dirty: false,
        }
    }

    pub fn of_input(&self, index: u32) -> Option<&Held<T>> {
        self.inputs.get(index as usize)?.as_ref()
    }

    pub fn take_input(&mut self, index: u32) -> Held<T> {
        self.inputs[index as usize].take().expect("checked by the caller")
    }

    pub fn put_input(&mut self, index: u32, held: Held<T>) {
        self.inputs[index as usize] = Some(held);
    }

    pub fn of_retained(&self, id: usize) -> Option<&Held<T>> {
        let at = self.retained.binary_search_by_key(&(id as u32), |(node, _)| *node).ok()?;
        Some(&self.retained[at].1)
    }

    /// Forgets all gradients.
    pub fn forget(&mut self) {
        for held in self.inputs.iter_mut().filter_map(Option::take) {
            give_back(&mut self.pool, held);
        }
        self.inputs.clear();
        for (_, held) in self.retained.drain(..) {
            give_back(&mut self.pool, held);
        }
    }

    /// Forgets the gradients of what was recorded behind the first `nodes` nodes and `inputs` inputs.
    pub fn rewind(&mut self, nodes: usize, inputs: usize) {
        while self.inputs.len() > inputs {
            if let Some(Some(held)) = self.inputs.pop() {
                give_back(&mut self.pool, held);
            }
        }
        while self.retained.last().is_some_and(|(node, _)| *node as usize >= nodes) {
            if let Some((_, held)) = self.retained.pop() {
                give_back(&mut self.pool, held);
            }
        }
    }

    /// Bytes of cotangents and gradients taken from the system so far.
    pub fn bytes(&self) -> usize {
        self.pool.bytes() + self.lane.capacity() * size_of::<T>()
    }

    /// Begins a sweep over so many nodes and arrays.
    pub fn open(&mut self, nodes: usize, arrays: usize) {
        if self.dirty {
            self.abandon();
        }
        self.make_room(nodes, arrays);
        self.dirty = true;
        self.low = usize::MAX;
        self.floor = 0;
    }

    /// Makes room for the cotangents of so many nodes and arrays.
    pub fn make_room(&mut self, nodes: usize, arrays: usize) {
        if self.lane.len() < nodes {
            self.lane.resize(nodes, T::ABSENT);
        }
        if self.arrays.len() < arrays {
            self.arrays.resize_with(arrays, || None);
        }
    }

    /// Drops all cotangents under way.
    pub fn abandon(&mut self) {
        self.drop_between(0..self.lane.len(), 0..self.arrays.len());
        self.waiting = Waiting::default();
        self.reached.clear();
        while let Some((_, held)) = self.found.pop() {
            give_back(&mut self.pool, held);
        }
        self.dirty = false;
    }

    /// Drops what a part of the tape has left.
    pub fn forget_part(&mut self, nodes: Range<usize>, arrays: Range<usize>) {
        self.reached.retain(|&id| (id as usize) < nodes.start);
        self.drop_between(nodes, arrays);
    }

    fn drop_between(&mut self, nodes: Range<usize>, arrays: Range<usize>) {
        let nodes = nodes.start.min(self.lane.len())..nodes.end.min(self.lane.len());
        self.lane[nodes].fill(T::ABSENT);
        let arrays = arrays.start.min(self.arrays.len())..arrays.end.min(self.arrays.len());
        for loan in self.arrays[arrays].iter_mut().filter_map(Option::take) {
            self.pool.give_back(loan);
        }
    }

    /// The buffer of an array's cotangent, and whether it holds one already.
    #[inline(always)]
    pub fn buffer(&mut self, id: usize, node: &Node, len: usize) -> (Loan, bool) {
        self.low = self.low.min(id);
        match self.arrays[node.slot as usize].take() {
            Some(loan) => (loan, true),
            None => (self.pool.lend::<T>(len), false),
        }
    }

    /// Whether node `node` is an array that is differentiated and has no cotangent yet: one that fits may become its own.
    pub fn may_inherit(&self, node: &Node) -> bool {
        node.is_differentiable() && !node.is_lane() && self.arrays[node.slot as usize].is_none()
    }

    /// Makes a buffer the cotangent of node `id`, which may inherit it.
    pub fn inherit(&mut self, id: usize, node: &Node, loan: Loan) {
        self.low = self.low.min(id);
        self.store(node, loan);
    }

    pub fn store(&mut self, node: &Node, loan: Loan) {
        self.arrays[node.slot as usize] = Some(loan);
    }

    /// The cotangent of node `id` becomes that of its argument, or is added to it: the same elements in the same order.
    pub fn hand_back(&mut self, tape: &Tape<T>, id: usize, node: &Node) {
        let parent = tape.call_parents(node.a)[0] as usize;
        let target = tape.nodes[parent];
        let Some(loan) = self.take(node) else { return };
        let len = tape.entry(id).len;
        if node.is_retained() {
            self.keep_copy(len, id, &loan);
        }
        if target.is_lane() {
            self.add_one(parent, loan.slice::<T>(1)[0]);
            return self.pool.give_back(loan);
        }
        self.low = self.low.min(parent);
        match &mut self.arrays[target.slot as usize] {
            Some(held) => {
                add(held.slice_mut::<T>(len), loan.slice(len));
                self.pool.give_back(loan);
            }
            free => *free = Some(loan),
        }
    }

    /// Adds an array, of any strides, to the cotangent of node `id`, summed back from `result`.
    pub fn add_array(&mut self, tape: &Tape<T>, id: usize, value: &Operand<'_, T>, result: &[usize]) {
        let node = tape.nodes[id];
        let len = result.iter().product();
        if node.is_lane() {
            let mut sum = [T::zero()];
            unbroadcast_into(value, len, &Target::One, &mut sum, false);
            return self.add_one(id, sum[0]);
        }
        let own = tape.entry(id).len;
        let (mut loan, held) = self.buffer(id, &node, own);
        unbroadcast_into(value, len, &Target::new(tape.shape(id), result), loan.slice_mut(own), held);
        self.store(&node, loan);
    }

    /// Adds a lent cotangent of `shape` to that of node `id`.
    pub fn add_loan(&mut self, tape: &Tape<T>, id: usize, value: &Loan, shape: &[usize]) {
        let layout = Layout::contiguous(shape);
        let walk = Walk::new(shape, &layout.strides);
        let data = value.slice(layout.len());
        self.add_array(tape, id, &Operand { data, first: 0, walk }, shape);
    }

    /// The elementwise nodes from `from` down to the next structured one that has a cotangent, which is returned.
    pub fn run_down(&mut self, tape: &mut Tape<T>, memory: &Memory<T>, from: usize) -> Option<usize> {
        let mut id = from;
        loop {
            let node = tape.nodes[id];
            if node.is_number_op() {
                id = self.run_numbers(tape, memory, id)?;
                continue;
            }
            if id.is_multiple_of(numbers::STEP) {
                numbers::fetch(tape, memory, &self.lane, id);
            }
            if node.is_differentiable() && self.visit(tape, memory, id, &node) {
                return Some(id);
            }
            if id <= self.low.max(self.floor) {
                return None;
            }
            id -= 1;
        }
    }

    /// Handles node `id`; `true` if it is a structured op with a cotangent, which is left to the caller.
    #[inline(always)]
    fn visit(&mut self, tape: &mut Tape<T>, memory: &Memory<T>, id: usize, node: &Node) -> bool {
        match node.kind {
            Kind::Call => return tape.results_of(id).any(|r| self.is_present(&tape.nodes[r])),
            Kind::Leaf => {
                if self.is_present(node) {
                    self.reached.push(id as u32);
                }
                return false;
            }
            Kind::Constant => return false,
            Kind::Formula if node.is_lane() && tape.formulas[node.a as usize].weights.is_some() => {
                self.visit_statement(tape, id, node);
                return false;
            }
            Kind::Formula => {
                self.visit_formula(tape, memory, id, node);
                return false;
            }
            Kind::Projection => {
                // The cotangent stays where it is until the op itself is reached, which must not be missed.
                if self.is_present(node) {
                    self.low = self.low.min(node.a as usize);
                }
                return false;
            }
            _ => {}
        }
        // Ops on numbers have a loop of their own.
        if let Some(y_bar) = self.arrays[node.slot as usize].take() {
            if node.is_retained() {
                self.keep_copy(tape.entry(id).len, id, &y_bar);
            }
            tape.settle(memory, &mut self.scratch, &[id]);
            tape.share(memory, &mut self.scratch, &[id as u32], false);
            self.visit_array(tape, memory, id, node, y_bar);
        }
        false
    }

    pub fn is_present(&self, node: &Node) -> bool {
        match node.is_lane() {
            true => !self.lane[node.slot as usize].is_absent(),
            false => {
                node.has_value() && node.dtype() == Dtype::Real && self.arrays[node.slot as usize].is_some()
            }
        }
    }

    /// Takes the cotangent of a node out, as a buffer.
    pub fn take(&mut self, node: &Node) -> Option<Loan> {
        if !self.is_present(node) {
            return None;
        }
        if !node.is_lane() {
            return self.arrays[node.slot as usize].take();
        }
        let mut loan = self.pool.lend::<T>(1);
        loan.slice_mut::<T>(1)[0] = std::mem::replace(&mut self.lane[node.slot as usize], T::ABSENT);
        Some(loan)
    }

    /// Keeps a copy of the cotangent of an array, or of a number in a buffer.
    pub fn keep_copy(&mut self, len: usize, id: usize, y_bar: &Loan) {
        let mut copy = self.pool.lend::<T>(len);
        copy.slice_mut::<T>(len).copy_from_slice(y_bar.slice(len));
        self.keep(id, Held::Array(copy));
    }

    /// Notes the gradient of a retained intermediate.
    fn keep(&mut self, id: usize, held: Held<T>) {
        self.found.push((id as u32, held));
    }

    /// Ends a sweep that went through: the cotangents of leaves become (or join) their gradients.
    pub fn commit(&mut self, tape: &Tape<T>) {
        let reached = std::mem::take(&mut self.reached);
        for &id in &reached {
            let node = tape.nodes[id as usize];
            let new = match node.is_lane() {
                true => Held::One(std::mem::replace(&mut self.lane[node.slot as usize], T::ABSENT)),
                false => Held::Array(self.arrays[node.slot as usize].take().expect("was reached")),
            };
            let index = node.a as usize;
            if self.inputs.len() <= index {
                self.inputs.resize_with(index + 1, || None);
            }
            match &mut self.inputs[index] {
                Some(old) => merge(&mut self.pool, old, new, tape.entry(id as usize).len),
                none => *none = Some(new),
            }
        }
        self.reached = reached;
        self.reached.clear();
        while let Some((id, new)) = self.found.pop() {
            match self.retained.binary_search_by_key(&id, |(node, _)| *node) {
                Ok(at) => merge(&mut self.pool, &mut self.retained[at].1, new, tape.entry(id as usize).len),
                Err(at) => self.retained.insert(at, (id, new)),
            }
        }
        self.dirty = false;
    }
}

fn give_back<T>(pool: &mut Pool, held: Held<T>) {
    if let Held::Array(loan) = held {
        pool.give_back(loan);
    }
}

/// Adds `new` to `old`. Both are of one node, so both are numbers or arrays of `len` elements.
fn merge<T: Functions>(pool: &mut Pool, old: &mut Held<T>, new: Held<T>, len: usize) {
    match (old, new) {
        (Held::One(old), Held::One(new)) => *old += new,
        (Held::Array(old), Held::Array(new)) => {
            add(old.slice_mut::<T>(len), new.slice(len));
            pool.give_back(new);
        }
        _ => unreachable!("a node does not change its kind"),
    }
}
