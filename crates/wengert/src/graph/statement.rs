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
        if E::FLAT {
            return None;
        }
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
            kept: None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Expr;

    type Case = (fn(&Graph, Var, Var) -> Var, fn(f64, f64) -> [f64; 2]);

    /// Formulas of one form that differ in an op, in the place of one, or in where a number stands: derivatives of both
    /// orders, each from its own program, whichever was met before.
    #[test]
    fn programs_are_told_apart_by_type() {
        // The gradient's entry by x and its derivative by y.
        let cases: [Case; 9] = [
            (|g, x, y| g.eval(x * y + x), |_, y| [y + 1.0, 1.0]),
            (|g, x, y| g.eval(x * y - x), |_, y| [y - 1.0, 1.0]),
            (|g, x, y| g.eval(x / y + x), |_, y| [1.0 / y + 1.0, -1.0 / (y * y)]),
            (|g, x, y| g.eval((x + y) * x), |x, y| [2.0 * x + y, 1.0]),
            (|g, x, y| g.eval(x * (x - y)), |x, y| [2.0 * x - y, -1.0]),
            (
                |g, x, y| g.eval((x * y).sin()),
                |x, y| [y * (x * y).cos(), (x * y).cos() - x * y * (x * y).sin()],
            ),
            (|g, x, y| g.eval((x * y).exp()), |x, y| [y * (x * y).exp(), (1.0 + x * y) * (x * y).exp()]),
            (|g, x, y| g.eval((x - 3.0) * y), |_, y| [y, 1.0]),
            (|g, x, y| g.eval((3.0 - x) * y), |_, y| [-y, -1.0]),
        ];
        let mut g = Graph::new();
        let (x, y) = (g.leaf(0.7), g.leaf(1.3));
        for (record, want) in cases.iter().chain(&cases).chain(cases.iter().rev()) {
            let z = record(&g, x, y);
            g.zero_grad();
            g.backward(z).unwrap();
            let z_x = g.gradient(z, &[x]).unwrap()[0];
            let z_xy = g.gradient(g.eval(z_x + 0.0 * y), &[y]).unwrap()[0];
            let [first, second] = want(0.7, 1.3);
            for (have, want) in
                [(g.grad(x).unwrap().sum(), first), (g.item(z_x), first), (g.item(z_xy), second)]
            {
                assert!((have - want).abs() <= 4e-16 * want.abs().max(1.0), "{have} {want}");
            }
        }
    }

    #[test]
    fn a_formula_shows_its_ops() {
        let g = Graph::new();
        let x = g.leaf(1.0);
        let shown = format!("{:?}", (2.0 * x.sin()).powi(3));
        assert_eq!(
            shown.replace(&format!("{x:?}"), "x"),
            "Formula(powi(Formula(mul(2.0, Formula(sin(x)))), [3.0, 0.0]))"
        );
    }
}
