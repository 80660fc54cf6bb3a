//! Arrays that wait to be computed.
//!
//! A long result of an elementwise op or formula is *deferred*: it gets its memory when it is recorded, and its value later. A formula that
//! reads it [takes it up](crate::graph::taking): it is computed tile by tile as a part of that one, both ways, and memory never sees it. A
//! circular shift waits as well: formulas read it in the two runs, or two a row, that it lies in, and add cotangents to these. Whoever else
//! asks for such an array has it computed into its memory, as has whoever is about to overwrite an input of it. Values have the same bits
//! either way; gradients may be added up in another order.
//!
//! Invariant: nobody reads the memory of an array that waits.

use smallvec::SmallVec;

use crate::graph::formula::Leaves;
use crate::graph::structured::Vars;
use crate::graph::tape::{Array, Kind, Marks, Memory, Operation, Stored, Tape};
use crate::graph::totals::LONG;
use crate::graph::{Engine, Graph};
use crate::kernel::functions::Functions;
use crate::kernel::operand::Operand;
use crate::kernel::program::{Run, Scratch};
use crate::kernel::walk::{Rolled, Walk};
use crate::memory::Reserved;
use crate::op::Op;
use crate::rule::{Dtype, Rule};
use crate::var::Var;

/// Elements of an elementwise result from which it waits: shorter ones stay in the nearest cache.
pub const DEFERRED: usize = 1 << 12;

/// Elements of the axis that is gone round, with all within it, from which its runs are worth reading where they lie.
const RUN: usize = 64;

/// An array that waits.
pub struct Waiting {
    id: u32,
    room: Reserved,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// Another array with an axis gone round.
    Rolled { source: u32, rolled: Rolled },
    /// The result of an elementwise op or formula, and how many formulas read it, those forgotten since included.
    Elementwise { readers: usize },
}

impl Waiting {
    /// The node whose value it is.
    pub fn id(&self) -> usize {
        self.id as usize
    }
}

impl<T: Functions> Tape<T> {
    fn listed(&self, id: usize) -> usize {
        self.waiting.binary_search_by_key(&id, Waiting::id).expect("is listed while it waits")
    }

    /// Whether node `id` is an elementwise result that waits.
    #[inline(always)]
    pub fn is_deferred(&self, id: u32) -> bool {
        let node = &self.nodes[id as usize];
        node.is_pending() && !node.is_lane() && node.kind != Kind::Call
    }

    /// Whether node `id` is an elementwise result that waits or has been computed since.
    pub fn was_deferred(&self, id: usize) -> bool {
        let is_flat =
            || self.with_part(id as u32, |program, _| program.steps.iter().any(|step| step.is_flat()));
        self.is_elementwise(id) && self.entry(id).len >= DEFERRED && !is_flat()
    }

    /// Whether any array waits.
    #[inline(always)]
    pub fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many formulas read the deferred array at node `id`; none of one that has been computed.
    pub fn readers(&self, id: u32) -> usize {
        let at = self.waiting.binary_search_by_key(&(id as usize), Waiting::id);
        match at.map(|at| self.waiting[at].what) {
            Ok(What::Elementwise { readers }) => readers,
            _ => 0,
        }
    }

    /// Notes that one formula more reads the deferred array at node `id`.
    pub fn count_reader(&mut self, id: usize) {
        let at = self.listed(id);
        if let What::Elementwise { readers } = &mut self.waiting[at].what {
            *readers += 1;
        }
    }

    /// Makes the array at node `id`, which was recorded last, wait in the memory that was reserved for it.
    fn set_waiting(&mut self, id: usize, room: Reserved, what: What) {
        self.waiting.push(Waiting { id: id as u32, room, what });
        self.set_pending(id);
    }

    /// The value of node `id`, or where its elements lie if it is a shift that waits, as an operand that is read as if broadcast to `shape`.
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
        let What::Rolled { source, rolled } = self.waiting[self.listed(id)].what else {
            unreachable!("a deferred array is taken up, or computed before it is read")
        };
        let (source, layout) = (source as usize, &self.entry(id).layout);
        let x = self.operand(memory, source, self.shape(source));
        debug_assert!(x.walk.is_contiguous());
        Operand { walk: Walk::broadcast(layout, rolled, shape), ..x }
    }

    /// Computes the array that waits at node `id`.
    pub fn put_waiting(&mut self, memory: &Memory<T>, scratch: &mut Scratch<T>, id: usize) {
        let entry = self.entry(id);
        let (at, len, shape) = (self.listed(id), entry.len, &entry.layout.shape);
        match self.waiting[at].what {
            What::Rolled { .. } => {
                let x = self.rolled_operand(memory, id, shape);
                x.copy_to(memory.slab.open(self.waiting.remove(at).room).slice(len));
            }
            What::Elementwise { .. } => {
                self.share(memory, scratch, &[id as u32], true);
                let room = self.waiting.remove(self.listed(id)).room;
                self.with_part(id as u32, |program, arguments| {
                    let whole = self.whole(program, arguments);
                    let mut leaves = Leaves::new();
                    self.leaves(memory, whole.arguments(), self.shape(id), &mut leaves);
                    let run = Run { program: whole.program(), leaves: &leaves, len };
                    run.forward(scratch, memory.slab.open(room).slice(len));
                });
            }
        }
        self.nodes[id].set_pending(false);
    }

    /// All arrays that wait.
    pub fn all_waiting(&self) -> SmallVec<[usize; 16]> {
        self.waiting.iter().map(Waiting::id).collect()
    }

    /// The first array that waits behind node `after` and reads the input at node `input`, by itself.
    pub fn next_reader(&self, input: usize, after: usize) -> Option<usize> {
        let lies_there = |&id: &u32| {
            let node = &self.nodes[id as usize];
            id as usize == input
                || (!node.is_lane() && self.arrays[node.slot as usize].root as usize == input + 1)
        };
        let reads = |waiting: &&Waiting| match waiting.what {
            What::Rolled { source, .. } => lies_there(&source),
            What::Elementwise { .. } => {
                self.with_part(waiting.id, |_, arguments| arguments.iter().any(lies_there))
            }
        };
        let from = self.waiting.partition_point(|waiting| waiting.id() <= after);
        self.waiting[from..].iter().find(reads).map(Waiting::id)
    }
}

impl<T: Engine> Graph<T> {
    /// Appends the node of an elementwise result that waits.
    pub(super) fn push_waiting(
        &self,
        tape: &mut Tape<T>,
        kind: Kind,
        parents: [u32; 2],
        layout: u32,
        marks: Marks,
    ) -> Var {
        let room = self.memory.slab.reserve::<T>(tape.layouts.get(layout).len);
        let array = Array { place: room.place(), layout, root: 0 };
        let v =
            tape.push(&self.memory, kind, parents, Stored::Array(array, Dtype::Real), marks, self.at.get());
        tape.set_waiting(v.id, room, What::Elementwise { readers: 0 });
        v
    }

    /// Records `op` of the array at node `id` as one that waits, if it is a circular shift that does.
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
        tape.set_waiting(vars[0].id, room, What::Rolled { source: id as u32, rolled });
        Some(vars)
    }
}
