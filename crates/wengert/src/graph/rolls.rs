//! Circular shifts that wait.
//!
//! Invariant: nothing reads the memory of one that waits. An op that takes it settles it first; its own rule is linear, and reads no result.
//!
//! A long array with an axis gone round lies in two runs, or two a row, of another one. Formulas read, and add cotangents to, these; a copy
//! is made, in memory that was reserved for it, when somebody asks for the value, or before it changes.

use smallvec::SmallVec;

use crate::graph::structured::Vars;
use crate::graph::tape::{Array, Memory, Operation, Stored, Tape};
use crate::graph::totals::LONG;
use crate::graph::{Engine, Graph};
use crate::kernel::functions::Functions;
use crate::kernel::operand::Operand;
use crate::kernel::walk::{Rolled, Walk};
use crate::memory::Reserved;
use crate::op::Op;
use crate::rule::{Dtype, Rule};

/// Elements of the axis that is gone round, with all within it, from which its runs are worth reading where they lie.
const RUN: usize = 64;

/// An array that waits: another one with an axis gone round.
pub struct Waiting {
    id: u32,
    source: u32,
    rolled: Rolled,
    room: Reserved,
}

impl Waiting {
    /// The node whose value it is.
    pub fn id(&self) -> usize {
        self.id as usize
    }
}

impl<T: Functions> Tape<T> {
    fn waiting(&self, id: usize) -> usize {
        self.rolls.binary_search_by_key(&id, Waiting::id).expect("is listed while it waits")
    }

    /// The value of node `id`, or where its elements lie if it is an array that waits, as an operand that is read as if broadcast to `shape`.
    #[inline(always)]
    pub fn leaf<'m>(&self, memory: &'m Memory<T>, id: usize, shape: &[usize]) -> Operand<'m, T> {
        let node = &self.nodes[id];
        match node.is_pending() && !node.is_lane() {
            false => self.operand(memory, id, shape),
            true => self.rolled_operand(memory, id, shape),
        }
    }

    #[cold]
    fn rolled_operand<'m>(&self, memory: &'m Memory<T>, id: usize, shape: &[usize]) -> Operand<'m, T> {
        let Waiting { source, rolled, .. } = &self.rolls[self.waiting(id)];
        let (source, layout) = (*source as usize, &self.entry(id).layout);
        let x = self.operand(memory, source, self.shape(source));
        debug_assert!(x.walk.is_contiguous());
        Operand { walk: Walk::broadcast(layout, *rolled, shape), ..x }
    }

    /// Makes the copy that the array at node `id` has been waiting for.
    pub fn put_rolled(&mut self, memory: &Memory<T>, id: usize) {
        let entry = self.entry(id);
        let (x, len) = (self.rolled_operand(memory, id, &entry.layout.shape), entry.len);
        let Waiting { room, .. } = self.rolls.remove(self.waiting(id));
        x.copy_to(memory.slab.open(room).slice(len));
        self.nodes[id].set_pending(false);
    }
}

impl<T: Engine> Graph<T> {
    /// Records `op` of the array at node `id` as one that waits, if it is such.
    pub(super) fn record_rolled(&self, op: &Op, rule: &dyn Rule, id: usize) -> Option<Vars> {
        let mut tape = self.tape.borrow_mut();
        let (node, entry) = (tape.nodes[id], tape.entry(id));
        if node.dtype() != Dtype::Real || node.is_lane() || entry.len < LONG || !entry.contiguous {
            return None;
        }
        let shape = entry.layout.shape.clone();
        let rolled = rule.rolled(&shape)?;
        if shape[rolled.axis..].iter().product::<usize>() < RUN {
            return None;
        }
        let room = self.memory.slab.reserve::<T>(entry.len);
        let array = Array { place: room.place(), layout: tape.layouts.row_major(&shape), root: 0 };
        let marks = self.marks(node.is_differentiable());
        let (op, stored) = (Operation::Op(op.clone()), [Stored::Array(array, Dtype::Real)]);
        let vars: SmallVec<_> = tape.push_call(&self.memory, op, &[id], &stored, true, marks, self.at.get());
        let own = vars[0].id;
        tape.rolls.push(Waiting { id: own as u32, source: id as u32, rolled, room });
        tape.set_pending(own);
        Some(vars)
    }
}
