//! `backward`: the arena walked in reverse insertion order.

use smallvec::SmallVec;

use crate::error::{ErrorKind, Refusal, Result};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::tape::{Kind, Operation, Tape};
use crate::graph::values::Source;
use crate::ops;
use crate::rule::Dtype;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// The gradient of the one-element `y` with respect to every leaf, added to what the leaves have.
    ///
    /// Walks the arena from `y` in reverse insertion order; only what leads to a differentiable leaf costs anything. The
    /// graph is not consumed: `backward` may be called again, from other roots, or with a cotangent.
    ///
    /// # Errors
    /// If `y` has not exactly one element, depends on no differentiable leaf (or was recorded under `no_grad`), is no
    /// handle of this graph, or needs a value that was overwritten after it was recorded. Gradients are then as before.
    #[track_caller]
    pub fn backward(&mut self, y: Var) -> Result<()> {
        self.enter();
        let id = self.check_root("backward", y)?;
        if self.tape.get_mut().entry(id).len != 1 {
            let rule = "the root must be a scalar (exactly one element); give a cotangent with backward_with, or reduce it first";
            return Err(self.error(Refusal::new(ErrorKind::NonScalarBackward, rule), "backward", &[y]));
        }
        T::sweep(self, "backward", y, id, &mut |seed| seed.fill(T::one()))
    }

    /// As [`Graph::backward`] for a `y` of any shape, with its cotangent: the gradient of `sum(y * y_bar)`.
    ///
    /// # Errors
    /// As [`Graph::backward`], and if `y_bar` has not the shape of `y`.
    #[track_caller]
    pub fn backward_with(&mut self, y: Var, y_bar: impl Source<T>) -> Result<()> {
        self.enter();
        let id = self.check_root("backward_with", y)?;
        let (want, have) = (self.tape.get_mut().shape(id).clone(), y_bar.shape());
        if want != have {
            let rule = format!("the cotangent has shape {:?}, the root {:?}", &have[..], &want[..]);
            return Err(self.error(Refusal::new(ErrorKind::ShapeMismatch, rule), "backward_with", &[y]));
        }
        T::sweep(self, "backward_with", y, id, &mut |seed| {
            y_bar.write(seed);
            // The one NaN that a cotangent may not be.
            seed.iter_mut().filter(|seed| seed.is_absent()).for_each(|seed| *seed = T::nan());
        })
    }

    /// The id of a node that can be differentiated.
    pub(crate) fn check_root(&self, what: &'static str, y: Var) -> Result<usize> {
        T::root(self, what, y)
    }

    pub(super) fn root_here(&self, what: &'static str, y: Var) -> Result<usize> {
        let tape = self.tape.borrow();
        let id = tape.resolve(y).map_err(|refusal| tape.error(refusal, what, &[], self.at.get()))?;
        let node = tape.nodes[id];
        if node.is_differentiable() {
            return Ok(id);
        }
        let rule = if node.is_cut() {
            let at = tape.line(id);
            format!(
                "`{}` was recorded under no_grad at {}:{}, so no gradient passes",
                tape.op_name(id),
                at.file(),
                at.line()
            )
        } else {
            format!("the result of `{}` depends on no differentiable leaf", tape.op_name(id))
        };
        Err(tape.error(Refusal::new(ErrorKind::NoGradientPath, rule), what, &[y], self.at.get()))
    }

    pub(super) fn sweep_here(
        &mut self,
        what: &'static str,
        y: Var,
        id: usize,
        seed: &mut dyn FnMut(&mut [T]),
    ) -> Result<()> {
        self.check_unmodified(what, y, id)?;
        let tape = self.tape.get_mut();
        self.sweep.open(tape.nodes.len(), tape.arrays.len());
        let node = tape.nodes[id];
        if node.is_lane() {
            let mut one = [T::zero()];
            seed(&mut one);
            self.sweep.add_one(id, one[0]);
        } else {
            let len = tape.entry(id).len;
            let (mut loan, _) = self.sweep.buffer(id, &node, len);
            seed(loan.slice_mut(len));
            self.sweep.store(&node, loan);
        }
        if let Err(error) = self.sweep_down(id, 0) {
            self.sweep.abandon();
            return Err(error);
        }
        self.sweep.commit(self.tape.get_mut());
        Ok(())
    }

    /// Propagates the cotangents of nodes from `from` down to `floor`.
    pub(crate) fn sweep_down(&mut self, mut from: usize, floor: usize) -> Result<()> {
        let above = std::mem::replace(&mut self.sweep.floor, floor);
        while let Some(call) = self.sweep.run_down(self.tape.get_mut(), &self.memory, from) {
            self.sweep_call(call)?;
            if call <= self.sweep.low.max(floor) {
                break;
            }
            from = call - 1;
        }
        self.sweep.floor = above;
        Ok(())
    }

    /// Refuses a sweep from node `root` that would read an overwritten value, before anything is touched.
    pub(crate) fn check_unmodified(&self, what: &'static str, y: Var, root: usize) -> Result<()> {
        let tape = self.tape.borrow();
        let modified = tape.inputs.iter().map(|i| i.modified as usize).max().unwrap_or(0);
        let readers =
            tape.inputs.iter().filter(|i| i.modified > 0).map(|i| i.node as usize).min().unwrap_or(modified);
        if tape.nodes[readers.min(root)..modified.min(root + 1)]
            .iter()
            .all(|n| matches!(n.kind, Kind::Leaf | Kind::Constant))
        {
            return Ok(());
        }
        let mut needed = vec![false; root + 1];
        needed[root] = true;
        for id in (0..=root).rev() {
            if !needed[id] || !tape.nodes[id].is_differentiable() {
                continue;
            }
            let parents = tape.parents_of(id);
            if id < modified
                && let Some(refusal) = tape.modified(id, &self.reads(&tape, id, &parents))
            {
                return Err(tape.error(refusal, what, &[y], self.at.get()));
            }
            parents.iter().for_each(|&p| needed[p] = true);
        }
        Ok(())
    }

    /// The nodes whose values the derivative of node `id` reads.
    fn reads(&self, tape: &Tape<T>, id: usize, parents: &[usize]) -> SmallVec<[usize; 4]> {
        use crate::op::{Binary, Tuned, Unary};
        let node = tape.nodes[id];
        match node.kind {
            Kind::Unary(Unary::Neg) | Kind::Binary(Binary::Add | Binary::Sub) | Kind::Projection => {
                SmallVec::new()
            }
            Kind::Tuned(Tuned::Shift | Tuned::Scale | Tuned::SubFrom | Tuned::DivBy) => SmallVec::new(),
            Kind::Binary(Binary::Mul) => {
                let needs = |k: usize| tape.nodes[parents[1 - k]].is_differentiable();
                (0..2).filter(|&k| needs(k)).map(|k| parents[k]).collect()
            }
            Kind::Formula => {
                let all = || parents.iter().enumerate();
                let reaches = |(l, &p): (usize, &usize)| u64::from(tape.nodes[p].is_differentiable()) << l;
                let read = tape.program(tape.formula_at(id as u32)).reads_for(all().map(reaches).sum());
                all().filter(|(l, _)| read >> l & 1 == 1).map(|(_, &p)| p).collect()
            }
            Kind::Call => match &tape.calls[node.a as usize].op {
                Operation::Op(op) if ops::rule(op).is_linear() => {
                    parents.iter().copied().filter(|&p| tape.nodes[p].dtype() != Dtype::Real).collect()
                }
                _ => parents.into(),
            },
            _ => parents.into(),
        }
    }
}
