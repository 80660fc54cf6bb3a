//! Recording of formulas of numbers.

use crate::expr::{Lowering, Operand, Signature};
use crate::graph::formula::Formula;
use crate::graph::tape::{Kind, Marks, Stored, Tape};
use crate::graph::{Engine, Graph};
use crate::kernel::program::LONGEST;
use crate::memory::Few;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// Records a formula of numbers: its value, and the partial to each leaf.
    #[inline(never)]
    #[track_caller]
    pub(super) fn record_statement<E: Operand>(&self, x: E) -> Var {
        let mut tape = self.tape.borrow_mut();
        let tape = &mut *tape;
        let signature = Signature::new(x);
        let known = tape.programs.of_statement(&signature);
        let Some(program) = known.unwrap_or_else(|| {
            let mut program = Lowering { apart: true, ..Lowering::default() };
            x.lower(&mut program);
            tape.programs.learn_statement(&signature, &program)
        }) else {
            return crate::expr::record(self, x);
        };
        let lane = &self.memory.lane;
        let Tape { nodes, parents, weights, numbers, .. } = tape;
        let (y, kept) = x.value(&|v: Var| lane.get(v.id));
        let (first, first_weight) = (parents.len() as u32, weights.len() as u32);
        let first_number = numbers.len() as u32;
        let (mut rank, mut any, mut all) = (0, false, true);
        let (mut leaves, mut row) = (Few::<u32, { LONGEST + 1 }>::new(), Few::<T, { LONGEST + 1 }>::new());
        x.pull(kept, T::one(), &mut |v, weight| {
            let node = &nodes[v.id];
            rank = rank.max(node.lane_rank());
            any |= node.is_differentiable();
            all &= node.is_differentiable();
            leaves.push(v.id as u32);
            row.push(weight);
        });
        parents.extend_from_slice(leaves.slice());
        weights.extend_from_slice(row.slice());
        x.numbers(&mut |number| numbers.push(number));
        let leaves = (first, parents.len() as u32 - first);
        tape.formulas.push(Formula {
            program,
            leaves,
            numbers: first_number,
            layout: u32::from(rank),
            total: None,
            weights: Some(first_weight),
        });
        let stored = Stored::Lane { value: y, rank };
        let index = tape.formulas.len() as u32 - 1;
        let marks = Marks { reaches: [all; 2], ..self.marks(any) };
        tape.push(&self.memory, Kind::Formula, [index, 0], stored, marks, self.at.get())
    }
}
