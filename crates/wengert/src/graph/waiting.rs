//! Arrays that wait to be computed.
//!
//! A long result of an elementwise op or formula gets its memory when it is recorded, and its value later. The first formula that reads it
//! takes it up: it is computed tile by tile as a part of that one, both ways, and memory never sees it. For whoever else reads it, or before
//! an input of it changes, it is computed into that memory. A circular shift waits as well: formulas read it in the two runs, or two
//! a row, that it lies in, and add cotangents to these.
//!
//! Invariants: nobody reads the memory of an array that waits. Whatever takes it up has its shape. No value is computed twice on the way
//! forwards but for somebody who asks for it later, or where it is cheaper than memory: what several formulas read that do not become one is
//! computed before the first of them.

use smallvec::SmallVec;

use crate::graph::formula::Leaves;
use crate::graph::structured::Vars;
use crate::graph::tape::{Array, Kind, Marks, Memory, Operation, Stored, Tape};
use crate::graph::totals::{Arguments, LONG};
use crate::graph::{Engine, Graph};
use crate::kernel::functions::Functions;
use crate::kernel::operand::Operand;
use crate::kernel::program::{FEW, Joint, LONGEST, Program, Run, Scratch, Slot, Step};
use crate::kernel::walk::{Rolled, Walk};
use crate::memory::Reserved;
use crate::op::{Op, Params, Tuned};
use crate::rule::{Dtype, Rule};
use crate::shape::same;
use crate::var::Var;

/// Elements of the axis that is gone round, with all within it, from which its runs are worth reading where they lie.
const RUN: usize = 64;

/// Steps, and leaves, of a formula with all that it takes up.
const STEPS: usize = LONGEST;
const LEAVES: usize = FEW;

/// Steps that are computed again for each formula that reads their result, rather than written to memory and read.
const AGAIN: usize = 2;

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
    /// The result of an elementwise op or formula, and how many others read it.
    Elementwise { readers: u32 },
}

/// What is computed with some formulas: the arrays that they take up, and what they read from memory.
#[derive(Default)]
pub struct Reach {
    pub taken: Taken,
    pub arguments: Arguments,
    pub steps: usize,
    known: Taken,
}

/// Nodes of arrays that formulas take up.
pub type Taken = SmallVec<[u32; FEW]>;

/// The program of a formula and the nodes that are its leaves, with all that it takes up.
pub enum Whole<'t> {
    Alone(Program<'t>, &'t [u32]),
    Joint(Joint, Arguments),
}

impl Whole<'_> {
    pub fn program(&self) -> Program<'_> {
        match self {
            Whole::Alone(program, _) => *program,
            Whole::Joint(joint, _) => joint.program(),
        }
    }

    pub fn arguments(&self) -> &[u32] {
        match self {
            Whole::Alone(_, arguments) => arguments,
            Whole::Joint(_, arguments) => arguments,
        }
    }
}

/// Formulas that become one.
#[derive(Default)]
struct Joining {
    joint: Joint,
    arguments: Arguments,
    /// The arrays taken up, and the steps that are their values.
    taken: SmallVec<[(u32, u16); FEW]>,
}

impl Joining {
    fn argument(&mut self, id: u32) -> Slot {
        let known = self.arguments.iter().position(|known| *known == id);
        Slot::Leaf(known.unwrap_or_else(|| {
            self.arguments.push(id);
            self.arguments.len() - 1
        }) as u16)
    }
}

impl Waiting {
    /// The node whose value it is.
    pub fn id(&self) -> usize {
        self.id as usize
    }
}

/// The step that leaves its argument as it is: what a total of an array that waits is made of.
pub fn unchanged() -> (Step, Params) {
    (Step::Tuned(Tuned::Scale, Slot::Leaf(0), 0), [1.0, 0.0])
}

fn is_unchanged(program: &Program<'_>) -> bool {
    let (step, numbers) = unchanged();
    *program.steps == [step] && program.numbers[..1] == numbers[..1]
}

impl<T: Functions> Tape<T> {
    fn listed(&self, id: usize) -> usize {
        self.waiting.binary_search_by_key(&id, Waiting::id).expect("is listed while it waits")
    }

    /// Whether a formula that reads node `id` takes it up, if it is the one that does.
    pub fn is_taken_up(&self, id: u32) -> bool {
        let node = &self.nodes[id as usize];
        node.is_pending() && !node.is_lane() && node.kind != Kind::Call
    }

    /// Whether anything waits that is an array.
    #[inline(always)]
    pub fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many read the elementwise result at node `id`, if that waits.
    fn readers(&self, id: u32) -> u32 {
        let at = self.waiting.binary_search_by_key(&(id as usize), Waiting::id);
        match at.map(|at| self.waiting[at].what) {
            Ok(What::Elementwise { readers }) => readers,
            _ => 0,
        }
    }

    /// What is computed with the formulas at nodes `ids`, which have taken up the arrays `known` already.
    pub fn reach(&self, ids: &[u32], known: &[u32]) -> Reach {
        let mut reach = Reach { known: known.into(), ..Reach::default() };
        ids.iter().for_each(|&id| self.extend_reach(&mut reach, id));
        reach
    }

    fn extend_reach(&self, reach: &mut Reach, id: u32) {
        self.with_part(id, |program, arguments| {
            reach.steps += program.steps.len();
            arguments.iter().for_each(|&id| self.reach_argument(reach, id));
        });
    }

    fn reach_argument(&self, reach: &mut Reach, id: u32) {
        let is_taken = self.is_taken_up(id) || reach.known.contains(&id);
        let list = if is_taken { &mut reach.taken[..] } else { &mut reach.arguments[..] };
        if !list.contains(&id) {
            match is_taken {
                true => {
                    reach.taken.push(id);
                    self.extend_reach(reach, id);
                }
                false => reach.arguments.push(id),
            }
        }
    }

    /// Makes nodes `ids` arguments of an elementwise node to come, of `steps` steps and the layout `layout`: those that wait will be taken
    /// up where that can be, and where it `may`; others are computed.
    pub fn take_up(
        &mut self,
        memory: &Memory<T>,
        scratch: &mut Scratch<T>,
        ids: &[usize],
        layout: u32,
        steps: usize,
        marks: Marks,
        may: bool,
    ) {
        if !ids.iter().any(|&id| self.is_taken_up(id as u32)) {
            return;
        }
        let mut all = Reach { steps, ..Reach::default() };
        let mut apart: SmallVec<[usize; FEW]> = SmallVec::new();
        for (_, &id) in ids.iter().enumerate().filter(|(k, id)| !ids[..*k].contains(id)) {
            let before = (all.taken.len(), all.arguments.len(), all.steps);
            self.reach_argument(&mut all, id as u32);
            if !self.is_taken_up(id as u32) {
                continue;
            }
            let alike = same(self.shape(id), &self.layouts.get(layout).layout.shape);
            // Of what was recorded under `no_grad`, no cotangent must come to the arguments.
            let cut = marks.differentiable && self.nodes[id].is_cut();
            if may && alike && !cut && all.steps <= STEPS && all.arguments.len() <= LEAVES {
                let at = self.listed(id);
                if let What::Elementwise { readers } = &mut self.waiting[at].what {
                    *readers += 1;
                }
                continue;
            }
            (all.taken.truncate(before.0), all.arguments.truncate(before.1));
            all.steps = before.2;
            all.arguments.push(id as u32);
            apart.push(id);
        }
        self.settle(memory, scratch, &apart);
    }

    /// Before the formulas at nodes `ids` run: computes what they would take up but others read as well, and under `all` functions too, which
    /// are not to be computed again for whoever will read them.
    #[inline(always)]
    pub fn share(&mut self, memory: &Memory<T>, scratch: &mut Scratch<T>, ids: &[u32], functions: bool) {
        if self.waits() {
            self.share_waiting(memory, scratch, ids, functions);
        }
    }

    #[inline(never)]
    fn share_waiting(&mut self, memory: &Memory<T>, scratch: &mut Scratch<T>, ids: &[u32], functions: bool) {
        let takes = |id: u32| self.with_part(id, |_, own| own.iter().any(|&id| self.is_taken_up(id)));
        if !ids.iter().any(|&id| takes(id)) {
            return;
        }
        let Reach { taken, .. } = self.reach(ids, &[]);
        let within = |of: u32| {
            let reads = |id: u32| u32::from(self.with_part(id, |_, own| own.contains(&of)));
            let apart = ids.iter().filter(|id| !taken.contains(id));
            taken.iter().chain(apart).map(|&id| reads(id)).sum::<u32>()
        };
        let is_shared = |id: u32| self.readers(id) > within(id) && !self.is_cheap(id);
        let is_function =
            |id: u32| self.with_part(id, |program, _| !program.steps.iter().all(|step| step.is_arithmetic()));
        let shared = taken.iter().filter(|&&id| is_shared(id) || (functions && is_function(id)));
        let shared: SmallVec<[usize; FEW]> = shared.map(|&id| id as usize).collect();
        self.settle(memory, scratch, &shared);
    }

    /// Whether the array at node `id` is sooner computed again than read: a few ops on arrays of its shape, since the cotangents of broadcast
    /// ones are sums.
    fn is_cheap(&self, id: u32) -> bool {
        let reach = self.reach(&[id], &[]);
        let shape = self.shape(id as usize);
        let is_like = |&id: &u32| self.nodes[id as usize].is_lane() || same(self.shape(id as usize), shape);
        reach.steps <= AGAIN && reach.arguments.iter().all(is_like)
    }

    /// Makes the array at node `id`, which was recorded last, wait in the memory that was reserved for it.
    fn set_waiting(&mut self, id: usize, room: Reserved, what: What) {
        self.waiting.push(Waiting { id: id as u32, room, what });
        self.set_pending(id);
    }

    /// What the elementwise op or formula at node `id` computes, and from which nodes.
    #[inline(always)]
    pub fn with_part<R>(&self, id: u32, f: impl FnOnce(Program<'_>, &[u32]) -> R) -> R {
        let node = self.nodes[id as usize];
        let (x, second) = (Slot::Leaf(0), if node.a == node.b { Slot::Leaf(0) } else { Slot::Leaf(1) });
        let parents = [node.a, node.b];
        let (step, numbers) = match node.kind {
            Kind::Unary(op) => (Step::Unary(op, x), Params::default()),
            Kind::Tuned(op) => (Step::Tuned(op, x, 0), self.params[node.b as usize]),
            Kind::Binary(op) => (Step::Binary(op, x, second), Params::default()),
            Kind::Formula => return f(self.program(self.formula_at(id)), self.leaves_at(id)),
            _ => unreachable!("not elementwise"),
        };
        let count = if step.slot(1) == Some(Slot::Leaf(1)) { 2 } else { 1 };
        f(Program::new(&[step], &numbers), &parents[..count])
    }

    /// The program of a formula with all that it takes up.
    #[inline(always)]
    pub fn whole<'t>(&self, program: Program<'t>, arguments: &'t [u32]) -> Whole<'t> {
        match self.waits() && arguments.iter().any(|&id| self.is_taken_up(id)) {
            false => Whole::Alone(program, arguments),
            true => self.join_waiting(program, arguments),
        }
    }

    #[inline(never)]
    fn join_waiting<'t>(&self, program: Program<'t>, arguments: &'t [u32]) -> Whole<'t> {
        let mut joining = Joining::default();
        self.add_part(&mut joining, &program, arguments, &[], true);
        Whole::Joint(joining.joint, joining.arguments)
    }

    /// The programs of the totals in `group` as one, with all that they take up, which are these and the arrays `known`.
    pub fn join(&self, group: &[u32], known: &[u32]) -> Whole<'_> {
        let mut joining = Joining::default();
        for &id in group {
            self.add_part(&mut joining, &self.program(self.formula_at(id)), self.leaves_at(id), known, true);
        }
        Whole::Joint(joining.joint, joining.arguments)
    }

    /// Adds a program behind the arrays that it takes up; returns the step that is its value.
    fn add_part(
        &self,
        to: &mut Joining,
        program: &Program<'_>,
        arguments: &[u32],
        known: &[u32],
        is_result: bool,
    ) -> u16 {
        let mut slots: SmallVec<[Slot; FEW]> = SmallVec::new();
        for &id in arguments {
            let done = to.taken.iter().find(|(taken, _)| *taken == id).map(|(_, step)| *step);
            slots.push(match (done, self.is_taken_up(id) || known.contains(&id)) {
                (Some(step), _) => Slot::Step(step),
                (None, false) => to.argument(id),
                (None, true) => {
                    let step = self.with_part(id, |part, own| self.add_part(to, &part, own, known, false));
                    to.taken.push((id, step));
                    Slot::Step(step)
                }
            });
        }
        match slots[..] {
            // A result is read by nobody else, and comes behind the results before.
            [Slot::Step(step)]
                if is_unchanged(program) && (!is_result || self.readers(arguments[0]) == 1) =>
            {
                if is_result {
                    to.joint.add_result(step);
                }
                step
            }
            _ => to.joint.add(program, &slots, is_result),
        }
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
            unreachable!("what is taken up is no leaf")
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

    /// The elementwise results that wait.
    pub fn elementwise_waiting(&self) -> SmallVec<[usize; 16]> {
        self.waiting.iter().map(Waiting::id).filter(|&id| self.is_taken_up(id as u32)).collect()
    }

    /// The arrays that wait and whose value would be another one if that of the input at node `input` were.
    pub fn waiting_for(&self, input: usize) -> SmallVec<[usize; 16]> {
        let mut found: SmallVec<[usize; 16]> = SmallVec::new();
        for id in self.waiting.iter().map(Waiting::id) {
            let reads = |id: usize| {
                let node = &self.nodes[id];
                let lies_in =
                    || !node.is_lane() && self.arrays[node.slot as usize].root as usize == input + 1;
                id == input || lies_in() || found.contains(&id)
            };
            if self.parents_of(id).into_iter().any(reads) {
                found.push(id);
            }
        }
        found
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
