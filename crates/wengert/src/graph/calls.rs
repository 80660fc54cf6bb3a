//! Structured ops in a sweep: by their own kernels, or by their rules recorded behind the tape, read off and forgotten.

use ndarray::ArrayViewD;
use smallvec::SmallVec;

use crate::error::{Error, ErrorKind, Refusal, Result};
use crate::graph::Graph;
use crate::graph::tape::Operation;
use crate::kernel::functions::Functions;
use crate::memory::Loan;
use crate::ops;
use crate::rule::{self, Cotangent, Input};
use crate::shape::Shape;
use crate::term::Term;
use crate::var::Var;

impl<T: Functions> Graph<T> {
    /// Propagates the cotangents of the structured op at node `id` to its arguments.
    pub(super) fn sweep_call(&mut self, id: usize) -> Result<()> {
        let tape = self.tape.get_mut();
        let node = tape.nodes[id];
        let operation = tape.calls[node.a as usize].op.clone();
        let parents: SmallVec<[usize; 4]> = tape.call_parents(node.a).iter().map(|&p| p as usize).collect();
        let results: SmallVec<[usize; 4]> = tape.results_of(id).collect();
        let needs: SmallVec<[bool; 4]> = parents.iter().map(|&p| tape.nodes[p].is_differentiable()).collect();
        let mut y_bars: SmallVec<[Option<Loan>; 4]> = SmallVec::new();
        for &result in &results {
            let node = tape.nodes[result];
            let y_bar = self.sweep.take(&node);
            if let Some(y_bar) = y_bar.as_ref().filter(|_| node.is_retained()) {
                self.sweep.keep_copy(tape.entry(result).len, result, y_bar);
            }
            y_bars.push(y_bar);
        }
        let shapes: SmallVec<[Shape; 4]> = results.iter().map(|&r| tape.shape(r).clone()).collect();
        let done = match &operation {
            Operation::Op(op) if !repeats(&parents) => {
                let rule = ops::rule::<T>(op);
                self.sweep_kernel(rule, &parents, &results, &needs, &y_bars, &shapes)
            }
            _ => false,
        };
        let outcome = if done {
            Ok(())
        } else {
            self.sweep_recorded(&operation, id, &parents, &results, &needs, &y_bars, &shapes)
        };
        y_bars.into_iter().flatten().for_each(|loan| self.sweep.pool.give_back(loan));
        outcome
    }

    /// The direct kernel of a rule, where it has one.
    fn sweep_kernel(
        &mut self,
        rule: &dyn rule::Rule<T>,
        parents: &[usize],
        results: &[usize],
        needs: &[bool],
        y_bars: &[Option<Loan>],
        shapes: &[Shape],
    ) -> bool {
        let (tape, memory, sweep) = (&*self.tape.get_mut(), &self.memory, &mut self.sweep);
        let x: SmallVec<[Input<'_, T>; 4]> = parents.iter().map(|&p| tape.input(memory, p)).collect();
        let y: SmallVec<[Input<'_, T>; 4]> = results.iter().map(|&r| tape.input(memory, r)).collect();
        let views: SmallVec<[Option<ArrayViewD<'_, T>>; 4]> =
            y_bars.iter().zip(shapes).map(|(loan, shape)| loan.as_ref().map(|l| l.view(shape))).collect();
        let mut loans: SmallVec<[Option<(Loan, bool)>; 4]> = SmallVec::new();
        for (&parent, &needed) in parents.iter().zip(needs) {
            let node = tape.nodes[parent];
            let len = tape.entry(parent).len;
            loans.push(match needed {
                false => None,
                true if node.is_lane() => Some((sweep.pool.lend::<T>(1), false)),
                true => Some(sweep.buffer(parent, &node, len)),
            });
        }
        let done = {
            let mut x_bar: SmallVec<[Option<Cotangent<'_, T>>; 4]> = SmallVec::new();
            for (slot, &parent) in loans.iter_mut().zip(parents) {
                x_bar.push(slot.as_mut().map(|(loan, held)| Cotangent {
                    array: loan.view_mut(tape.shape(parent)),
                    accumulate: *held,
                }));
            }
            rule.vjp_kernel(&x, &y, &views, &mut x_bar)
        };
        for (slot, &parent) in loans.into_iter().zip(parents) {
            let node = tape.nodes[parent];
            match slot {
                Some((loan, _)) if node.is_lane() => {
                    if done {
                        sweep.add_one(parent, &node, loan.slice::<T>(1)[0]);
                    }
                    sweep.pool.give_back(loan);
                }
                Some((loan, held)) if done || held => sweep.store(&node, loan),
                Some((loan, _)) => sweep.pool.give_back(loan),
                None => {}
            }
        }
        done
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
        let to = self.tape.borrow().lengths(&self.memory);
        let at = self.at.replace(self.tape.borrow().line(id));
        let cotangents = self.no_grad(|g| {
            let y_bars: SmallVec<[Option<Var>; 4]> = y_bars
                .iter()
                .zip(shapes)
                .map(|(loan, shape)| loan.as_ref().map(|loan| g.lend_node(loan, shape)))
                .collect();
            g.record_vjp(operation, parents, results, needs, &y_bars)
        });
        self.at.set(at);
        let cotangents = cotangents?;
        let tape = self.tape.get_mut();
        for (&parent, cotangent) in parents.iter().zip(&cotangents) {
            if let Some(v) = cotangent.filter(|_| tape.nodes[parent].is_differentiable()) {
                let shape = tape.shape(v.id).clone();
                let value = tape.operand(&self.memory, v.id, &shape);
                self.sweep.add_array(tape, parent, &value, &shape);
            }
        }
        tape.truncate(&self.memory, &to);
        Ok(())
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
    ) -> Result<SmallVec<[Option<Var>; 4]>, Error> {
        let handles = |ids: &[usize]| -> SmallVec<[Var; 4]> {
            let tape = self.tape.borrow();
            ids.iter().map(|&id| tape.handle(id)).collect()
        };
        let (args, ys) = (handles(parents), handles(results));
        match operation {
            Operation::Op(op) => {
                let terms = |vars: &[Var]| -> SmallVec<[Term<'_, T>; 4]> {
                    vars.iter().map(|&v| Term::new(self, v)).collect()
                };
                let (args, results) = (terms(&args), terms(&ys));
                let y_bar: SmallVec<[Option<Term<'_, T>>; 4]> =
                    y_bars.iter().map(|v| v.map(|v| Term::new(self, v))).collect();
                let call = rule::Call { args: &args, results: &results, needs };
                let cotangents = ops::rule::<T>(op).vjp(&call, &y_bar);
                Ok(cotangents.into_iter().map(|term| term.map(Term::var)).collect())
            }
            Operation::Custom(op) => {
                let y_bar = y_bars[0].expect("one result, reached");
                let refused = |refusal| self.error(refusal, op.name(), &args);
                let cotangents = op.vjp(self, &args, ys[0], y_bar).map_err(refused)?;
                if cotangents.len() != args.len() {
                    let rule =
                        format!("vjp gave {} cotangents for {} arguments", cotangents.len(), args.len());
                    return Err(refused(Refusal::new(ErrorKind::CustomOp, rule)));
                }
                for (&arg, &cotangent) in args.iter().zip(&cotangents) {
                    let (Some(v), want) = (cotangent, self.shape(arg)) else { continue };
                    if self.shape(v) != want {
                        let rule = format!(
                            "vjp gave a cotangent of {:?} for an argument of {want:?}",
                            self.shape(v)
                        );
                        return Err(refused(Refusal::new(ErrorKind::CustomOp, rule)));
                    }
                }
                Ok(cotangents.into_iter().collect())
            }
        }
    }
}

fn repeats(ids: &[usize]) -> bool {
    ids.iter().enumerate().any(|(k, id)| ids[..k].contains(id))
}
