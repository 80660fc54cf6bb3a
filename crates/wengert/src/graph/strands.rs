//! Sweeps of several cotangents: structured ops and checkpoints.

use smallvec::SmallVec;

use crate::error::Result;
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::checkpoint::Part;
use crate::graph::sweep::Strands;
use crate::graph::tape::{Kind, Operation};
use crate::memory::{Dense, DenseMut, Loan};
use crate::ops;
use crate::rule::{Adjoint, Cotangent, Input, Kernels};
use crate::shape::Layout;

/// Elements of an argument from which an op that only moves elements is swept strand by strand, though its result is a
/// number: its gradient is mostly zeros.
const SPARSE: usize = 64;

impl<T: Engine> Graph<T> {
    /// Propagates the cotangents of nodes from `from` down to `floor`.
    pub(super) fn sweep_strands(
        &mut self,
        strands: &mut Strands<T>,
        mut from: usize,
        floor: usize,
    ) -> Result<()> {
        // Rows of a Jacobian have a cotangent of every node, and kernels read them in memory.
        let tape = self.tape.get_mut();
        tape.settle(&self.memory, self.scratch.get_mut(), &tape.all_waiting());
        let above = std::mem::replace(&mut strands.floor, floor);
        while let Some(left) = strands.run_down(self.tape.get_mut(), &self.memory, &mut self.sweep, from) {
            match self.node(left).kind {
                Kind::Call => self.sweep_call_of_strands(strands, left)?,
                _ => self.sweep_number(strands, left, false)?,
            }
            if left <= strands.low.max(floor) {
                break;
            }
            from = left - 1;
        }
        strands.floor = above;
        Ok(())
    }

    /// Sweeps through the checkpoint at node `id`, whose part is recorded again once for all strands.
    fn sweep_checkpoint_of_strands(
        &mut self,
        strands: &mut Strands<T>,
        part: &Part<T>,
        id: usize,
        parents: &[usize],
    ) -> Result<()> {
        let (from, low) = (self.with_tape(|tape| tape.lengths(&self.memory)), strands.low);
        let outcome = self.sweep_checkpoint(part, id, parents, |g, again, first| {
            let tape = g.tape.get_mut();
            let bars = strands.take(&mut g.sweep.pool, &tape.nodes[id]);
            let Some(bars) = bars.filter(|_| tape.nodes[again].is_differentiable()) else { return Ok(()) };
            let (nodes, arrays) = (tape.nodes.len(), tape.arrays.len());
            g.sweep.make_room(nodes, arrays);
            strands.make_room(nodes, arrays);
            strands.low = usize::MAX;
            strands.put(tape, &mut g.sweep.pool, again, bars);
            if again < first { Ok(()) } else { g.sweep_strands(strands, again, first) }
        });
        strands.low = strands.low.min(low);
        strands.drop_from(&mut self.sweep.pool, from.nodes, from.arrays);
        outcome
    }

    /// The op at node `id`, whose result is a number: its gradient is found once, and every strand takes its multiple.
    fn sweep_number(&mut self, strands: &mut Strands<T>, id: usize, call: bool) -> Result<()> {
        let tape = self.tape.get_mut();
        let node = tape.nodes[id];
        let parents = distinct(&tape.parents_of(id));
        self.sweep.add_one(id, T::one());
        match call {
            true => self.sweep_call(id)?,
            false => self.sweep.visit_formula(tape, &self.memory, id, &node),
        }
        strands.gather(self.tape.get_mut(), &mut self.sweep, &node, &parents);
        Ok(())
    }

    /// Propagates the cotangents of the structured op at node `id`.
    fn sweep_call_of_strands(&mut self, strands: &mut Strands<T>, id: usize) -> Result<()> {
        let tape = self.tape.get_mut();
        let node = tape.nodes[id];
        let parents = tape.parents_of(id);
        let operation = tape.calls[node.a as usize].op.clone();
        if let Operation::Checkpoint(part) = &operation {
            return self.sweep_checkpoint_of_strands(strands, &**part, id, &parents);
        }
        if let Operation::Op(op) = &operation {
            let pool = &mut self.sweep.pool;
            let rule = ops::rule(op);
            let apart = distinct(&parents).len() == parents.len();
            if rule.keeps_order() {
                if let Some(y_bar) = strands.take(pool, &node) {
                    strands.put(tape, pool, parents[0], y_bar);
                }
                return Ok(());
            }
            if rule.is_linear() && parents.len() == 1 {
                let x = Layout::contiguous(tape.shape(parents[0]));
                if let Some((layout, first)) =
                    rule.view(&x).filter(|(layout, _)| layout.strides.iter().all(|&s| s >= 0))
                {
                    if let Some(y_bar) = strands.take(pool, &node) {
                        strands.add_view(
                            tape,
                            pool,
                            parents[0],
                            y_bar.slice(strands.count() * layout.len()),
                            &layout,
                            first,
                        );
                        pool.give_back(y_bar);
                    }
                    return Ok(());
                }
            }
            let sparse = rule.is_linear() && parents.iter().any(|&p| tape.entry(p).len > SPARSE);
            if node.is_lane() && !sparse && self.sweep_number(strands, id, true).is_ok() {
                return Ok(());
            }
            if apart && self.sweep_kernel_of_strands(strands, ops::kernels(op), id, &parents) {
                return Ok(());
            }
        }
        self.sweep_each(strands, id, &distinct(&parents))
    }

    /// The direct kernel of a rule, where it has one: for all strands together, or for one after the other.
    fn sweep_kernel_of_strands(
        &mut self,
        strands: &mut Strands<T>,
        kernels: &dyn Kernels<T>,
        id: usize,
        parents: &[usize],
    ) -> bool {
        let (tape, memory, sweep) = (&*self.tape.get_mut(), &self.memory, &mut self.sweep);
        let (count, results) = (strands.count(), tape.results_of(id));
        let mut y_bars: SmallVec<[Option<Loan>; 8]> = SmallVec::new();
        for result in results.clone() {
            y_bars.push(strands.take(&mut sweep.pool, &tape.nodes[result]));
        }
        let mut x_bars: SmallVec<[Option<(Loan, bool)>; 8]> = SmallVec::new();
        for &parent in parents {
            let (node, len) = (tape.nodes[parent], tape.entry(parent).len);
            x_bars.push(node.is_differentiable().then(|| match node.is_lane() {
                true => (sweep.pool.lend::<T>(count), false),
                false => strands.buffer(&mut sweep.pool, parent, &node, len),
            }));
        }
        // All strands, or the `k`-th.
        let mut run = |k: Option<usize>| {
            let part = |len: usize| k.map_or(0..count * len, |k| k * len..(k + 1) * len);
            let all = [count];
            let lead = if k.is_none() { &all[..] } else { &[] };
            let x: SmallVec<[Input<'_, T>; 8]> = parents.iter().map(|&p| tape.input(memory, p)).collect();
            let y: SmallVec<[Input<'_, T>; 8]> = results.clone().map(|r| tape.input(memory, r)).collect();
            let y_bar: SmallVec<[Option<Dense<'_, T>>; 8]> = y_bars
                .iter()
                .zip(results.clone())
                .map(|(loan, id)| {
                    let len = tape.entry(id).len;
                    let slice = &loan.as_ref()?.slice::<T>(count * len)[part(len)];
                    Some(Dense::new(slice, lead, tape.shape(id)))
                })
                .collect();
            let mut x_bar: SmallVec<[Option<Cotangent<'_, T>>; 8]> = SmallVec::new();
            for (loan, &id) in x_bars.iter_mut().zip(parents) {
                let len = tape.entry(id).len;
                x_bar.push(loan.as_mut().map(|(loan, held)| {
                    let slice = &mut loan.slice_mut::<T>(count * len)[part(len)];
                    Cotangent { array: DenseMut::new(slice, lead, tape.shape(id)), accumulate: *held }
                }));
            }
            kernels.vjp_kernel(Adjoint { lead, x: &x, y: &y, y_bar: &y_bar, x_bar: &mut x_bar })
        };
        let done = (kernels.takes_lead() && run(None)) || (0..count).all(|k| run(Some(k)));
        for (slot, &parent) in x_bars.into_iter().zip(parents) {
            let node = tape.nodes[parent];
            match slot {
                Some((loan, _)) if node.is_lane() => {
                    if done {
                        strands.add(tape, &mut sweep.pool, parent, loan.slice(count));
                    }
                    sweep.pool.give_back(loan);
                }
                Some((loan, held)) if done || held => strands.store(&node, loan),
                Some((loan, _)) => sweep.pool.give_back(loan),
                None => {}
            }
        }
        for (slot, result) in y_bars.into_iter().zip(results) {
            match slot {
                Some(loan) if done => sweep.pool.give_back(loan),
                Some(loan) => strands.put(tape, &mut sweep.pool, result, loan),
                None => {}
            }
        }
        done
    }

    /// The op at node `id` swept for one strand after the other.
    fn sweep_each(&mut self, strands: &mut Strands<T>, id: usize, parents: &[usize]) -> Result<()> {
        let tape = self.tape.get_mut();
        let mut y_bars: SmallVec<[(usize, Loan); 8]> = SmallVec::new();
        for result in tape.results_of(id) {
            y_bars
                .extend(strands.take(&mut self.sweep.pool, &tape.nodes[result]).map(|y_bar| (result, y_bar)));
        }
        for k in 0..strands.count() {
            let tape = self.tape.get_mut();
            for (result, y_bar) in &y_bars {
                let (node, len) = (tape.nodes[*result], tape.entry(*result).len);
                let y_bar = &y_bar.slice::<T>(strands.count() * len)[k * len..][..len];
                if node.is_lane() {
                    self.sweep.add_one(*result, y_bar[0]);
                } else {
                    let (mut loan, _) = self.sweep.buffer(*result, &node, len);
                    loan.slice_mut::<T>(len).copy_from_slice(y_bar);
                    self.sweep.store(&node, loan);
                }
            }
            self.sweep_call(id)?;
            let tape = self.tape.get_mut();
            for &parent in parents {
                if let Some(bar) = self.sweep.take(&tape.nodes[parent]) {
                    let len = tape.entry(parent).len;
                    strands.add_strand(tape, &mut self.sweep.pool, parent, k, bar.slice(len));
                    self.sweep.pool.give_back(bar);
                }
            }
        }
        y_bars.into_iter().for_each(|(_, loan)| self.sweep.pool.give_back(loan));
        Ok(())
    }
}

/// The nodes, each once.
fn distinct(ids: &[usize]) -> SmallVec<[usize; 8]> {
    let mut found = SmallVec::new();
    for id in ids {
        if !found.contains(id) {
            found.push(*id);
        }
    }
    found
}
