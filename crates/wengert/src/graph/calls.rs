//! Structured ops in a sweep: by their own kernels, or by their rules recorded behind the tape, read off and forgotten.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use smallvec::SmallVec;

use crate::error::{Error, Result};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::tape::Operation;
use crate::memory::{Dense, DenseMut, Loan};
use crate::ops;
use crate::rule::{self, Adjoint, Cotangent, Input};
use crate::shape::Shape;
use crate::term::Term;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// Propagates the cotangents of the structured op at node `id` to its arguments.
    pub(crate) fn sweep_call(&mut self, id: usize) -> Result<()> {
        let tape = self.tape.get_mut();
        let node = tape.nodes[id];
        let call = &tape.calls[node.a as usize];
        if let Operation::Op(op) = &call.op {
            let rule = ops::rule(op);
            if rule.keeps_order() {
                self.sweep.hand_back(tape, id, &node);
                return Ok(());
            }
            let argument = tape.call_parents(node.a)[0] as usize;
            if self.sweep.is_next(tape, id, argument)
                && let Some((axes, divisor)) = rule.repeats(tape.shape(argument))
            {
                self.sweep.visit_reduced(tape, &self.memory, id, &axes, divisor);
                return Ok(());
            }
            if self.sweep.visit_over(tape, &self.memory, id, argument, ops::kernels(op)) {
                return Ok(());
            }
        }
        let mut y_bars: SmallVec<[Option<Loan>; 8]> = SmallVec::new();
        for result in tape.results_of(id) {
            let node = tape.nodes[result];
            let y_bar = self.sweep.take(&node);
            if let Some(y_bar) = y_bar.as_ref().filter(|_| node.is_retained()) {
                self.sweep.keep_copy(tape.entry(result).len, result, y_bar);
            }
            y_bars.push(y_bar);
        }
        let outcome = match self.sweep_kernel(id, &y_bars) {
            true => Ok(()),
            false => self.sweep_by_rule(id, &y_bars),
        };
        y_bars.into_iter().flatten().for_each(|loan| self.sweep.pool.give_back(loan));
        outcome
    }

    /// The direct kernel of a call's rule, where it has one and no argument is given twice.
    fn sweep_kernel(&mut self, id: usize, y_bars: &[Option<Loan>]) -> bool {
        let (tape, memory, sweep) = (&*self.tape.get_mut(), &self.memory, &mut self.sweep);
        let call = tape.nodes[id].a;
        let Operation::Op(op) = &tape.calls[call as usize].op else { return false };
        let parents = tape.call_parents(call);
        if repeats(parents) {
            return false;
        }
        let parents = || parents.iter().map(|&parent| parent as usize);
        let mut loans: SmallVec<[Option<(Loan, bool)>; 8]> = SmallVec::new();
        for parent in parents() {
            let node = &tape.nodes[parent];
            loans.push(match node.is_differentiable() {
                false => None,
                true if node.is_lane() => Some((sweep.pool.lend::<T>(1), false)),
                true => Some(sweep.buffer(parent, node, tape.entry(parent).len)),
            });
        }
        let done = {
            // Filled where they are: what `collect` returns is moved, some 800 bytes each.
            let (mut x, mut y) = (SmallVec::<[Input<'_, T>; 8]>::new(), SmallVec::<[Input<'_, T>; 8]>::new());
            let mut y_bar: SmallVec<[Option<Dense<'_, T>>; 8]> = SmallVec::new();
            let mut x_bar: SmallVec<[Option<Cotangent<'_, T>>; 8]> = SmallVec::new();
            for (result, loan) in tape.results_of(id).zip(y_bars) {
                y.push(tape.input(memory, result));
                let entry = tape.entry(result);
                y_bar.push(
                    loan.as_ref().map(|loan| Dense::new(loan.slice(entry.len), &[], &entry.layout.shape)),
                );
            }
            for (slot, parent) in loans.iter_mut().zip(parents()) {
                x.push(tape.input(memory, parent));
                let entry = tape.entry(parent);
                x_bar.push(slot.as_mut().map(|(loan, held)| Cotangent {
                    array: DenseMut::new(loan.slice_mut(entry.len), &[], &entry.layout.shape),
                    accumulate: *held,
                }));
            }
            ops::kernels(op).vjp_kernel(Adjoint { lead: &[], x: &x, y: &y, y_bar: &y_bar, x_bar: &mut x_bar })
        };
        for (slot, parent) in loans.into_iter().zip(parents()) {
            let node = &tape.nodes[parent];
            match slot {
                Some((loan, _)) if node.is_lane() => {
                    if done {
                        sweep.add_one(parent, loan.slice::<T>(1)[0]);
                    }
                    sweep.pool.give_back(loan);
                }
                Some((loan, held)) if done || held => sweep.store(node, loan),
                Some((loan, _)) => sweep.pool.give_back(loan),
                None => {}
            }
        }
        done
    }

    /// What has no kernel: a part of the program recorded again, or a rule.
    #[inline(never)]
    fn sweep_by_rule(&mut self, id: usize, y_bars: &[Option<Loan>]) -> Result<()> {
        let tape = self.tape.get_mut();
        let (parents, results) = (tape.parents_of(id), tape.results_of(id));
        let needs: SmallVec<[bool; 8]> =
            parents.iter().map(|&parent| tape.nodes[parent].is_differentiable()).collect();
        let shapes: SmallVec<[Shape; 8]> = results.clone().map(|r| tape.shape(r).clone()).collect();
        let operation = tape.calls[tape.nodes[id].a as usize].op.clone();
        match &operation {
            Operation::Checkpoint(part) => {
                let y_bar = y_bars[0].as_ref().expect("one result, reached");
                self.sweep_checkpoint(&**part, id, &parents, |g, again, first| {
                    g.sweep_part(again, first, y_bar, &shapes[0])
                })
            }
            _ => {
                let results: SmallVec<[usize; 8]> = results.collect();
                self.sweep_recorded(&operation, id, &parents, &results, &needs, y_bars, &shapes)
            }
        }
    }

    /// The vjp of an op, recorded behind the tape without gradients, read off and forgotten.
    fn sweep_recorded(
        &mut self,
        operation: &Operation<T>,
        id: usize,
        parents: &[usize],
        results: &[usize],
        needs: &[bool],
        y_bars: &[Option<Loan>],
        shapes: &[Shape],
    ) -> Result<()> {
        // Our own rules leak no handle, so only a user's op needs stamps that end with the sweep.
        let to = match operation {
            Operation::Op(_) => self.with_tape(|tape| tape.lengths(&self.memory)),
            _ => self.begin_part(),
        };
        let at = self.at.replace(self.tape.borrow().line(id));
        let recorded = catch_unwind(AssertUnwindSafe(|| {
            self.no_grad(|g| {
                let y_bars: SmallVec<[Option<Var>; 8]> = y_bars
                    .iter()
                    .zip(shapes)
                    .map(|(loan, shape)| loan.as_ref().map(|loan| g.lend_node(loan, shape)))
                    .collect();
                g.record_vjp(operation, parents, results, needs, &y_bars)
            })
        }));
        self.at.set(at);
        let tape = self.tape.get_mut();
        if let Ok(Ok(cotangents)) = &recorded {
            for (&parent, cotangent) in parents.iter().zip(cotangents) {
                if let Some(v) = cotangent.filter(|_| tape.nodes[parent].is_differentiable()) {
                    if tape.is_deferred(v.id as u32) {
                        tape.settle(&self.memory, self.scratch.get_mut(), &[v.id]);
                    }
                    let shape = tape.shape(v.id).clone();
                    let value = tape.leaf(&self.memory, v.id, &shape);
                    self.sweep.add_array(tape, parent, &value, &shape);
                }
            }
        }
        match operation {
            Operation::Op(_) => tape.truncate(&self.memory, &to),
            _ => self.end_part(&to),
        }
        recorded.unwrap_or_else(|payload| resume_unwind(payload)).map(|_| ())
    }

    /// A lent cotangent as a constant node.
    fn lend_node(&self, loan: &Loan, shape: &[usize]) -> Var {
        if crate::graph::tape::in_lane(shape) {
            return self.push_number(loan.slice::<T>(1)[0], shape.len() as u16);
        }
        self.push_alias(loan.place(), shape)
    }

    /// The cotangents of an op's arguments, recorded; errors carry the op's line.
    pub(crate) fn record_vjp(
        &self,
        operation: &Operation<T>,
        parents: &[usize],
        results: &[usize],
        needs: &[bool],
        y_bars: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 8]>, Error> {
        let handles = |ids: &[usize]| -> SmallVec<[Var; 8]> {
            let tape = self.tape.borrow();
            ids.iter().map(|&id| tape.handle(id)).collect()
        };
        let (args, ys) = (handles(parents), handles(results));
        match operation {
            Operation::Op(op) => {
                let terms = |vars: &[Var]| -> SmallVec<[Term<'_>; 8]> {
                    vars.iter().map(|&v| Term::new(self, v)).collect()
                };
                let (args, results) = (terms(&args), terms(&ys));
                let y_bar: SmallVec<[Option<Term<'_>>; 8]> =
                    y_bars.iter().map(|v| v.map(|v| Term::new(self, v))).collect();
                let (call, rule) = (rule::Call { args: &args, results: &results, needs }, ops::rule(op));
                rule.check_vjp(&call, &y_bar).map_err(|r| self.error(r, op.name(), &handles(parents)))?;
                let cotangents = rule.vjp(&call, &y_bar);
                Ok(cotangents.into_iter().map(|term| term.map(Term::var)).collect())
            }
            Operation::Custom(op) => {
                self.custom_vjp(&**op, &args, ys[0], y_bars[0].expect("one result, reached"))
            }
            Operation::Checkpoint(part) => {
                self.checkpoint_vjp(&**part, &args, needs, ys[0], y_bars[0].expect("one result, reached"))
            }
        }
    }
}

fn repeats(ids: &[u32]) -> bool {
    ids.iter().enumerate().any(|(k, id)| ids[..k].contains(id))
}
