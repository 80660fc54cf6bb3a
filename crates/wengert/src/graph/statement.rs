//! Recording of formulas of numbers.

use std::any::TypeId;

use crate::expr::{Lowering, Operand};
use crate::graph::formula::Formula;
use crate::graph::node::Seen;
use crate::graph::tape::{Kind, Marks, Stored, Tape};
use crate::graph::{Engine, Graph};
use crate::kernel::program::LONGEST;
use crate::memory::Few;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// Records a formula of numbers, its value and the partial to each leaf; `None` where it is something else.
    #[inline(always)]
    pub(super) fn record_statement<E: Operand>(&self, x: E) -> Option<Var> {
        let mut tape = self.tape.borrow_mut();
        let mut seen = Seen::NONE;
        x.leaves(&mut |v| seen.add(tape.glance(v)));
        if !seen.are_numbers() {
            return None;
        }
        let program = tape.programs.of_statement::<E>().unwrap_or_else(|| learn(&mut tape, x))?;
        let lane = &self.memory.lane;
        let (y, kept) = x.value(&|v: Var| lane.get(v.id));
        let (mut leaves, mut row) = (Few::<u32, { LONGEST + 1 }>::new(), Few::<T, { LONGEST + 1 }>::new());
        x.pull(kept, T::one(), &mut |v, weight| {
            leaves.push(v.id as u32);
            row.push(weight);
        });
        let tape = &mut *tape;
        let Tape { parents, weights, numbers, formulas, .. } = tape;
        let index = formulas.len() as u32;
        formulas.push(Formula {
            program,
            leaves: (parents.len() as u32, leaves.slice().len() as u32),
            numbers: numbers.len() as u32,
            layout: u32::from(seen.rank()),
            total: None,
            weights: Some(weights.len() as u32),
        });
        parents.extend_from_slice(leaves.slice());
        weights.extend_from_slice(row.slice());
        x.numbers(&mut |number| numbers.push(number));
        let stored = Stored::Lane { value: y, rank: seen.rank() };
        let marks =
            Marks { reaches: [seen.all_differentiable(); 2], ..self.marks(seen.any_differentiable()) };
        Some(tape.push(&self.memory, Kind::Formula, [index, 0], stored, marks, self.at.get()))
    }
}

/// Lowers a formula of numbers and keeps its program.
#[cold]
#[inline(never)]
fn learn<T: Engine, E: Operand>(tape: &mut Tape<T>, x: E) -> Option<u32> {
    let mut program = Lowering { apart: true, ..Lowering::default() };
    x.lower(&mut program);
    tape.programs.learn_statement(TypeId::of::<E>(), E::HASH, &program)
}
