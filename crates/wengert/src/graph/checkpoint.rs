//! Checkpoints: a part of the tape that keeps its result only, and is recorded again when its derivative is wanted.
//!
//! A sweep replays the part behind the tape, walks it in its own reverse order and forgets it; `gradient` and `tangent`
//! replay it on the tape itself, where it stays, so that derivatives of every order follow.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};
use smallvec::SmallVec;

use crate::error::{ErrorKind, Refusal, Result};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::tape::{Lengths, Operation};
use crate::memory::Loan;
use crate::rule::Dtype;
use crate::shape::Shape;
use crate::var::Var;

/// What a checkpoint records, and records again.
pub type Part<T> = dyn Fn(&Graph<T>, &[Var]) -> Var + Send + Sync;

const NAME: &str = "checkpoint";

fn refusal(rule: impl Into<String>) -> Refusal {
    Refusal::new(ErrorKind::CustomOp, rule)
}

impl<T: Engine> Graph<T> {
    /// Begins a part of the tape that is forgotten with [`Graph::end_part`]; its handles end then.
    pub(crate) fn begin_part(&self) -> Lengths {
        let mut tape = self.tape.borrow_mut();
        let to = tape.lengths(&self.memory);
        tape.segments.begin_temporary(to.nodes);
        to
    }

    pub(crate) fn end_part(&self, to: &Lengths) {
        let mut tape = self.tape.borrow_mut();
        tape.segments.end_temporary();
        tape.truncate(&self.memory, to);
    }

    /// Runs `f` on a part of the tape that is forgotten when it returns or unwinds.
    fn temporarily<R>(&self, f: impl FnOnce(&Self) -> R) -> R {
        let (to, at) = (self.begin_part(), self.at.get());
        let result = catch_unwind(AssertUnwindSafe(|| f(self)));
        self.end_part(&to);
        self.at.set(at);
        result.unwrap_or_else(|payload| resume_unwind(payload))
    }

    pub(crate) fn record_checkpoint(&self, part: Arc<Part<T>>, args: &[Var]) -> Result<Var, Refusal> {
        T::checkpoint(self, part, args)
    }

    pub(super) fn checkpoint_here(&self, part: Arc<Part<T>>, args: &[Var]) -> Result<Var, Refusal> {
        let ids = self.resolve_all(args)?;
        let value: ArrayD<T> = self.temporarily(|g| {
            let first = g.node_count();
            let y = part(g, args);
            g.check_part(y, first, &ids)?;
            Ok::<_, Refusal>(g.value_of(y).to_owned())
        })?;
        Ok(self.push_value(Operation::Checkpoint(part), &ids, &value)[0])
    }

    /// Whether what a part recorded from node `first` on depends on `inputs` alone, and `y` is a result to go on with.
    pub(crate) fn check_part(&self, y: Var, first: usize, inputs: &[usize]) -> Result<(), Refusal> {
        let id = self.resolve_all(&[y]).map_err(|r| refusal(format!("its result: {}", r.rule)))?[0];
        if self.node(id).dtype() != Dtype::Real {
            return Err(refusal("its result is no array of real numbers"));
        }
        self.with_tape(|tape| {
            let outside = |p: usize| p < first && !inputs.contains(&p) && tape.nodes[p].is_differentiable();
            let read = (first..tape.nodes.len()).flat_map(|id| tape.parents_of(id));
            match read.chain([id]).find(|&p| outside(p)) {
                None => Ok(()),
                Some(p) => {
                    let at = tape.line(p);
                    let (op, file, line) = (tape.op_name(p), at.file(), at.line());
                    Err(refusal(format!(
                        "it reads %{p}, the `{op}` of {file}:{line}, which is not among its inputs: \
                         pass it as one, or no gradient would reach it"
                    )))
                }
            }
        })
    }

    /// Records the part of a checkpoint again; its value must be what it was.
    fn record_again(&self, part: &Part<T>, args: &[Var], y: Var) -> Result<Var> {
        let (at, first) = (self.at.get(), self.node_count());
        let again = self.with_grad(|g| part(g, args));
        self.at.set(at);
        let refused = |refusal| self.error(refusal, NAME, args);
        let ids = self.resolve_all(args).map_err(refused)?;
        self.check_part(again, first, &ids).map_err(refused)?;
        if !agree(&self.value_of(again), &self.value_of(y)) {
            let rule = "recorded again it gave another value: what it draws or reads must be the same each time \
                        (seed a generator within it)";
            return Err(refused(refusal(rule)));
        }
        Ok(again)
    }

    /// The cotangents of a checkpoint's arguments, recorded: the replay stays on the tape.
    pub(crate) fn checkpoint_vjp(
        &self,
        part: &Part<T>,
        args: &[Var],
        needs: &[bool],
        y: Var,
        y_bar: Var,
    ) -> Result<SmallVec<[Option<Var>; 8]>> {
        let first = self.node_count();
        let again = self.record_again(part, args, y)?;
        let mut given = SmallVec::from_elem(None, args.len());
        if let Some(k) = args.iter().position(|&x| x == again) {
            given[k] = Some(y_bar);
        } else if self.node(again.id).is_differentiable() {
            // An argument that is named twice has its cotangent at its first place.
            let wanted: SmallVec<[usize; 8]> =
                (0..args.len()).filter(|&k| needs[k] && !args[..k].contains(&args[k])).collect();
            let ids: SmallVec<[usize; 8]> = wanted.iter().map(|&k| args[k].id).collect();
            let found = self.gradient_within(first, again, y_bar, &ids)?;
            wanted.iter().zip(found).for_each(|(&k, bar)| given[k] = Some(bar));
        }
        Ok(given)
    }

    /// The tangent of a checkpoint's result, recorded: the replay stays on the tape.
    pub(crate) fn checkpoint_jvp(
        &self,
        part: &Part<T>,
        args: &[Var],
        y: Var,
        x_dot: &[Option<Var>],
    ) -> Result<Option<Var>> {
        let first = self.node_count();
        let again = self.record_again(part, args, y)?;
        if let Some(k) = args.iter().position(|&x| x == again) {
            return Ok(x_dot[k]);
        }
        let along: SmallVec<[(Var, Var); 4]> =
            args.iter().zip(x_dot).filter_map(|(&x, x_dot)| Some((x, (*x_dot)?))).collect();
        self.tangent_within(first, again, &along).map(Some)
    }

    /// Goes through the checkpoint at node `id`: its part is recorded behind the tape, from a first node to its result,
    /// which `sweep(g, result, first)` sweeps, and forgotten.
    pub(crate) fn sweep_checkpoint(
        &mut self,
        part: &Part<T>,
        id: usize,
        parents: &[usize],
        sweep: impl FnOnce(&mut Self, usize, usize) -> Result<()>,
    ) -> Result<()> {
        let to = self.begin_part();
        let at = self.at.replace(self.with_tape(|tape| tape.line(id)));
        let low = self.sweep.low;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let handles = self.with_tape(|tape| -> (SmallVec<[Var; 8]>, Var) {
                (parents.iter().map(|&p| tape.handle(p)).collect(), tape.handle(id))
            });
            let again = self.record_again(part, &handles.0, handles.1)?;
            sweep(self, again.id, to.nodes)
        }));
        let end = self.with_tape(|tape| tape.lengths(&self.memory));
        self.sweep.forget_part(to.nodes..end.nodes, to.arrays..end.arrays);
        self.sweep.low = self.sweep.low.min(low);
        self.end_part(&to);
        self.at.set(at);
        outcome.unwrap_or_else(|payload| resume_unwind(payload))
    }

    /// Propagates `y_bar` from node `id` down to node `first`.
    pub(crate) fn sweep_part(&mut self, id: usize, first: usize, y_bar: &Loan, shape: &Shape) -> Result<()> {
        let tape = self.tape.get_mut();
        if !tape.nodes[id].is_differentiable() {
            return Ok(());
        }
        self.sweep.make_room(tape.nodes.len(), tape.arrays.len());
        self.sweep.low = usize::MAX;
        self.sweep.add_loan(tape, id, y_bar, shape);
        if id < first {
            return Ok(());
        }
        self.sweep_down(id, first)
    }
}

/// Whether a part gave the same value again; a generator that has moved on shows in the leading digits.
fn agree<T: Engine>(a: &ArrayViewD<'_, T>, b: &ArrayViewD<'_, T>) -> bool {
    let tolerance = T::epsilon().sqrt();
    let close = |a: T, b: T| {
        a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * a.abs().max(b.abs())
    };
    a.shape() == b.shape() && a.iter().zip(b).all(|(&a, &b)| close(a, b))
}
