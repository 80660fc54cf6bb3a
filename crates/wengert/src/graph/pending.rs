//! Values that wait to be computed: numbers, and [arrays](crate::graph::waiting).
//!
//! A total waits until somebody asks for its number, or until a sweep needs the same elements anyway; what is made of it by ops whose
//! partials do not read it, such as a weighted sum of losses, waits with it. Totals that are asked for together and read the same arrays are
//! computed in one pass. Nobody can tell: the bits are the same, and an input is overwritten only after what reads it has been computed.

use smallvec::SmallVec;

use crate::graph::formula::Leaves;
use crate::graph::record::{map_scalar, zip_scalar};
use crate::graph::tape::{Kind, Memory, Tape};
use crate::graph::totals::{Group, NEAR};
use crate::graph::{Engine, Graph};
use crate::kernel::elementwise::Map;
use crate::kernel::functions::Functions;
use crate::kernel::program::{RESULTS, Scratch};

/// Ids of nodes, ascending.
type Listed = SmallVec<[u32; 16]>;

impl<T: Functions> Tape<T> {
    /// Makes sure that the values at nodes `ids` have been computed.
    #[inline]
    pub fn settle(&mut self, memory: &Memory<T>, scratch: &mut Scratch<T>, ids: &[usize]) {
        if ids.iter().any(|&id| self.nodes[id].is_pending()) {
            self.settle_pending(memory, scratch, ids);
        }
    }

    /// The same for those of the nodes that are numbers: a formula reads arrays that wait where their elements lie.
    #[inline]
    pub fn settle_numbers(&mut self, memory: &Memory<T>, scratch: &mut Scratch<T>, ids: &[usize]) {
        let waits = |id: usize| self.nodes[id].is_pending() && self.nodes[id].is_lane();
        if ids.iter().any(|&id| waits(id)) {
            let ids: SmallVec<[usize; 16]> = ids.iter().copied().filter(|&id| waits(id)).collect();
            self.settle_pending(memory, scratch, &ids);
        }
    }

    #[inline(never)]
    fn settle_pending(&mut self, memory: &Memory<T>, scratch: &mut Scratch<T>, ids: &[usize]) {
        let needed = self.needed(ids);
        let mut totals: Listed = needed.iter().copied().filter(|&id| self.is_total(id)).collect();
        while let Some(first) = totals.pop() {
            let mut group = Group::from_slice(&[first]);
            for k in (totals.len().saturating_sub(NEAR)..totals.len()).rev() {
                if self.is_alike(&group, &self.reach(&group, &[]), totals[k]) {
                    group.insert(0, totals.remove(k));
                }
            }
            self.share(memory, scratch, &group, false);
            self.sum_up(memory, scratch, &group);
        }
        for id in needed.into_iter().map(|id| id as usize) {
            let node = self.nodes[id];
            if !node.is_lane() {
                // A total before it may have had it computed.
                if node.is_pending() {
                    self.put_waiting(memory, scratch, id);
                }
                continue;
            }
            let [a, b] = [node.a, node.b].map(|id| id as usize);
            let value = match node.kind {
                Kind::Unary(op) => map_scalar(Map::Unary(op), memory.lane.get(a)),
                Kind::Tuned(op) => map_scalar(Map::Tuned(op, self.params[b]), memory.lane.get(a)),
                Kind::Binary(op) => zip_scalar(op, memory.lane.get(a), memory.lane.get(b)),
                _ => continue,
            };
            memory.lane.put(id, value);
            self.nodes[id].set_pending(false);
        }
    }

    /// Those of nodes `ids` that are pending, and the pending ones they are made of, in the order they were recorded in.
    fn needed(&self, ids: &[usize]) -> Listed {
        let is_pending = |id: &usize| self.nodes[*id].is_pending();
        let place = |id: usize| self.pending.binary_search(&(id as u32)).expect("is listed while it waits");
        let mut found = Listed::new();
        let Some(last) = ids.iter().copied().filter(is_pending).max() else { return found };
        let last = place(last);
        // Marks of what is listed, from the last one that is needed backwards.
        let mut marks: SmallVec<[bool; 64]> = SmallVec::new();
        let need = |id: usize, marks: &mut SmallVec<[bool; 64]>| {
            let at = last - place(id);
            marks.resize(marks.len().max(at + 1), false);
            marks[at] = true;
        };
        ids.iter().copied().filter(is_pending).for_each(|id| need(id, &mut marks));
        let mut at = 0;
        while at < marks.len() {
            if marks[at] {
                let id = self.pending[last - at];
                found.push(id);
                // What a total or an array reads was computed when that was recorded, or is taken up.
                if !self.is_total(id) && self.nodes[id as usize].is_lane() {
                    let parents = self.parents_of(id as usize);
                    parents.into_iter().filter(is_pending).for_each(|id| need(id, &mut marks));
                }
            }
            at += 1;
        }
        found.reverse();
        found
    }

    /// Computes totals that are alike.
    fn sum_up(&mut self, memory: &Memory<T>, scratch: &mut Scratch<T>, group: &[u32]) {
        let mut sums: SmallVec<[T; RESULTS]> = SmallVec::from_elem(T::zero(), group.len());
        let (formula, mut leaves) = (self.formula_at(group[0]), Leaves::new());
        let whole = match group {
            [_] => self.whole_of(formula),
            _ => self.join(group, &[]),
        };
        self.formula_leaves(memory, whole.arguments(), formula, &mut leaves);
        self.run(formula, &whole, &leaves).sums(scratch, &mut sums);
        group.iter().zip(sums).for_each(|(&id, sum)| self.put_total(memory, id as usize, sum));
    }

    /// Stores the sum that a pending node was waiting for.
    pub fn put_total(&mut self, memory: &Memory<T>, id: usize, sum: T) {
        let formula = self.formula_at(id as u32);
        let len = self.layouts.get(formula.layout).len;
        let total = formula.total.expect("only totals wait for sums");
        memory.lane.put(id, total.scale(sum, len));
        self.nodes[id].set_pending(false);
    }

    /// Makes node `id`, which was recorded last, wait to be computed.
    pub fn set_pending(&mut self, id: usize) {
        self.nodes[id].set_pending(true);
        self.pending.push(id as u32);
    }
}

impl<T: Engine> Graph<T> {
    /// Makes sure that the value at node `id` has been computed.
    #[inline]
    pub(crate) fn settle(&self, id: usize) {
        if self.tape.borrow().nodes[id].is_pending() {
            T::settle(self, &[id]);
        }
    }

    pub(super) fn settle_here(&self, ids: &[usize]) {
        self.tape.borrow_mut().settle(&self.memory, &mut self.scratch.borrow_mut(), ids);
    }

    /// Computes everything pending that reads the input at node `input`, before that changes, and all numbers.
    pub(crate) fn settle_readers(&mut self, input: usize) {
        T::settle_readers(self, input);
    }

    pub(super) fn settle_readers_here(&mut self, input: usize) {
        let tape = self.tape.get_mut();
        let scratch = self.scratch.get_mut();
        let mut reader = input;
        while let Some(next) = tape.next_reader(input, reader) {
            tape.settle(&self.memory, scratch, &[next]);
            reader = next;
        }
        let waits = |id: &usize| tape.nodes[*id].is_pending() && tape.nodes[*id].is_lane();
        let ids: SmallVec<[usize; 16]> = tape.pending.iter().map(|&id| id as usize).filter(waits).collect();
        tape.settle(&self.memory, scratch, &ids);
        let Tape { pending, nodes, .. } = tape;
        pending.retain(|id| nodes[*id as usize].is_pending());
    }
}
