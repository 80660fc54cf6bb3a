//! Formulas that take up others.
//!
//! The program of a formula and those of the deferred arrays that it reads become one, which is run, forwards and in reverse, as if it had
//! been written so. Which arrays these are is seen when it runs: what has been computed meanwhile is read from memory.
//!
//! Invariants: what is taken up has the shape of the formula. No cotangent comes to what stands behind `no_grad`. What a group of totals has
//! taken up stays so until the group is swept, since the sweep is past it.

use smallvec::SmallVec;

use crate::graph::tape::{Kind, Marks, Memory, Tape};
use crate::graph::totals::Arguments;
use crate::kernel::functions::Functions;
use crate::kernel::program::{FEW, Joint, LONGEST, Program, Scratch, Slot, Step};
use crate::op::{Params, Tuned};
use crate::shape::same;

/// Leaves of a formula with all that it takes up.
const LEAVES: usize = FEW;

/// Steps that are computed again for each formula that reads their result, rather than written to memory and read.
const AGAIN: usize = 2;

/// Nodes of arrays that formulas take up.
pub type Taken = SmallVec<[u32; 64]>;

/// What is computed with some formulas: what they take up, what they read from memory, and the steps of all.
#[derive(Default)]
pub struct Reach {
    pub taken: Taken,
    pub arguments: Arguments,
    pub steps: usize,
    /// What is taken up whether it waits or not.
    known: Taken,
}

/// The program of a formula, with all that it takes up, and the nodes that are its leaves.
// Made for one run, on the stack: a box would be an allocation.
#[allow(clippy::large_enum_variant)]
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
    taken: SmallVec<[(u32, u16); 64]>,
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

/// The step that leaves its argument as it is: what a total of a deferred array is made of.
pub fn unchanged() -> (Step, Params) {
    (Step::Tuned(Tuned::Scale, Slot::Leaf(0), 0), [1.0, 0.0])
}

fn is_unchanged(program: &Program<'_>) -> bool {
    let (step, [factor, _]) = unchanged();
    *program.steps == [step] && program.numbers[0] == factor
}

impl<T: Functions> Tape<T> {
    /// Whether node `id` is an array that an elementwise op or formula computes. (A formula that is joined has other elements than its result.)
    pub fn is_elementwise(&self, id: usize) -> bool {
        let node = &self.nodes[id];
        let computes = match node.kind {
            Kind::Formula => self.formula_at(id as u32).total.is_none(),
            kind => matches!(kind, Kind::Unary(_) | Kind::Tuned(_) | Kind::Binary(_)),
        };
        computes && !node.is_lane()
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

    /// What is computed with the formulas at nodes `ids`, which have taken up the arrays `known` before.
    pub fn reach(&self, ids: &[u32], known: &[u32]) -> Reach {
        let mut reach = Reach { known: known.into(), ..Reach::default() };
        ids.iter().for_each(|&id| self.extend(&mut reach, id));
        reach
    }

    fn extend(&self, reach: &mut Reach, id: u32) {
        self.with_part(id, |program, arguments| {
            reach.steps += program.steps.len();
            arguments.iter().for_each(|&id| self.extend_to(reach, id));
        });
    }

    fn extend_to(&self, reach: &mut Reach, id: u32) {
        let is_taken = self.is_deferred(id) || reach.known.contains(&id);
        match is_taken {
            true if reach.taken.contains(&id) => {}
            true => {
                reach.taken.push(id);
                self.extend(reach, id);
            }
            false if reach.arguments.contains(&id) => {}
            false => reach.arguments.push(id),
        }
    }

    /// Makes nodes `ids` arguments of an elementwise node to come, of `steps` steps and the layout `layout`. Those that are deferred will be
    /// taken up if that node `may` and they fit; others are computed.
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
        if !ids.iter().any(|&id| self.is_deferred(id as u32)) {
            return;
        }
        let mut all = Reach { steps, ..Reach::default() };
        let mut apart: SmallVec<[usize; 64]> = SmallVec::new();
        for (k, &id) in ids.iter().enumerate() {
            if ids[..k].contains(&id) {
                continue;
            }
            let (taken, arguments, steps) = (all.taken.len(), all.arguments.len(), all.steps);
            self.extend_to(&mut all, id as u32);
            if !self.is_deferred(id as u32) {
                continue;
            }
            let alike = same(self.shape(id), &self.layouts.get(layout).layout.shape);
            let is_cut = |&id: &u32| self.nodes[id as usize].is_cut();
            let passes = !marks.differentiable || !all.taken[taken..].iter().any(is_cut);
            if may && alike && passes && all.steps <= LONGEST && all.arguments.len() <= LEAVES {
                self.count_reader(id);
                continue;
            }
            all.taken.truncate(taken);
            all.arguments.truncate(arguments);
            all.arguments.push(id as u32);
            all.steps = steps;
            apart.push(id);
        }
        self.settle(memory, scratch, &apart);
    }

    /// Computes what the formulas at nodes `ids`, which are about to run, would take up and others read as well; and `functions` too, unless
    /// a sweep or a total over everything runs, which is the end of them: for whoever reads them later they would be computed again.
    #[inline(always)]
    pub fn share(&mut self, memory: &Memory<T>, scratch: &mut Scratch<T>, ids: &[u32], functions: bool) {
        if self.waits() {
            self.share_waiting(memory, scratch, ids, functions);
        }
    }

    #[inline(never)]
    fn share_waiting(&mut self, memory: &Memory<T>, scratch: &mut Scratch<T>, ids: &[u32], functions: bool) {
        let Reach { taken, .. } = self.reach(ids, &[]);
        let apart = self.shared(&taken, functions, |of| self.count_reading(ids, of));
        self.settle(memory, scratch, &apart);
    }

    /// The same for a formula to come, with functions, that has these arguments.
    #[inline(never)]
    pub fn share_arguments(&mut self, memory: &Memory<T>, scratch: &mut Scratch<T>, arguments: &[u32]) {
        let mut reach = Reach::default();
        arguments.iter().for_each(|&id| self.extend_to(&mut reach, id));
        let apart = self.shared(&reach.taken, true, |of| usize::from(arguments.contains(&of)));
        self.settle(memory, scratch, &apart);
    }

    /// Those of the arrays `taken` that are better computed first; so many of the formulas that take them up read one themselves.
    fn shared(
        &self,
        taken: &[u32],
        functions: bool,
        reading: impl Fn(u32) -> usize,
    ) -> SmallVec<[usize; 64]> {
        let is_shared =
            |id: u32| self.readers(id) > self.count_reading(taken, id) + reading(id) && !self.is_cheap(id);
        let is_function =
            |id: u32| self.with_part(id, |program, _| !program.steps.iter().all(|step| step.is_arithmetic()));
        let mut apart = SmallVec::new();
        for &id in taken {
            if is_shared(id) || (functions && is_function(id)) {
                apart.push(id as usize);
            }
        }
        apart
    }

    /// How many of the formulas at nodes `ids` read node `of`.
    fn count_reading(&self, ids: &[u32], of: u32) -> usize {
        ids.iter().filter(|&&id| self.with_part(id, |_, arguments| arguments.contains(&of))).count()
    }

    /// Whether the array at node `id` is sooner computed again than read: a few steps on arrays of its shape. (Cotangents of others are sums.)
    fn is_cheap(&self, id: u32) -> bool {
        let (reach, shape) = (self.reach(&[id], &[]), self.shape(id as usize));
        let is_alike = |&id: &u32| self.nodes[id as usize].is_lane() || same(self.shape(id as usize), shape);
        reach.steps <= AGAIN && reach.arguments.iter().all(is_alike)
    }

    /// A program on these arguments, with all that it takes up.
    #[inline(always)]
    pub fn whole<'t>(&self, program: Program<'t>, arguments: &'t [u32]) -> Whole<'t> {
        match self.waits() && arguments.iter().any(|&id| self.is_deferred(id)) {
            false => Whole::Alone(program, arguments),
            true => self.with_taken(program, arguments),
        }
    }

    #[inline(never)]
    fn with_taken(&self, program: Program<'_>, arguments: &[u32]) -> Whole<'static> {
        let mut joining = Joining::default();
        self.add_part(&mut joining, &program, arguments, &[], true);
        Whole::Joint(joining.joint, joining.arguments)
    }

    /// The programs of the totals in `group` as one, with all that they take up, the arrays `known` in any case.
    pub fn join(&self, group: &[u32], known: &[u32]) -> Whole<'static> {
        let mut joining = Joining::default();
        for &id in group {
            self.add_part(&mut joining, &self.program(self.formula_at(id)), self.leaves_at(id), known, true);
        }
        Whole::Joint(joining.joint, joining.arguments)
    }

    /// Adds a program behind those of what it takes up; returns the step that is its value.
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
            slots.push(match (done, self.is_deferred(id) || known.contains(&id)) {
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
            // What nothing else reads was added just now, behind the results before.
            [Slot::Step(step)] if is_result && is_unchanged(program) && self.readers(arguments[0]) == 1 => {
                to.joint.add_result(step);
                step
            }
            _ => to.joint.add(program, &slots, is_result),
        }
    }
}
