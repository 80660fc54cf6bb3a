//! The sweep through totals: sums and means of formulas, over everything or over axes.
//!
//! Totals that read the same long arrays are swept together, in one pass over these. One of them waits, with its cotangent where it is,
//! until the sweep has come to the one that was recorded before it: all that contributes to either has been visited then.

use smallvec::SmallVec;

use crate::graph::formula::Leaves;
use crate::graph::formula_sweep::Bar;
use crate::graph::sweep::Sweep;
use crate::graph::taking::{Reach, Taken};
use crate::graph::tape::{Memory, Node, Tape};
use crate::graph::totals::{Group, LONG, NEAR};
use crate::kernel::functions::Functions;
use crate::kernel::operand::Operand;
use crate::kernel::program::RESULTS;
use crate::memory::Loan;

/// Totals that wait for another one.
#[derive(Default)]
pub struct Waiting {
    group: Group,
    /// The arrays that they take up, whatever becomes of these meanwhile: the sweep is past them.
    taken: Taken,
    /// The one that they wait for, if there are any.
    meeting: usize,
}

impl<T: Functions> Sweep<T> {
    /// The sweep through the total at node `id`, or the wait for another one.
    pub fn visit_total(&mut self, tape: &mut Tape<T>, memory: &Memory<T>, id: usize, node: &Node) {
        let (is_present, meeting) = (self.is_present(node), self.waiting.meeting);
        if !is_present && meeting != id {
            return;
        }
        let alone = match meeting {
            0 => tape.layouts.get(tape.formula_at(id as u32).layout).len < LONG,
            meeting if meeting == id => false,
            meeting => match self.waiting.joins(tape, meeting, id) {
                Some(reach) => {
                    self.waiting.group.insert(0, id as u32);
                    self.waiting.taken = reach.taken;
                    return;
                }
                None => true,
            },
        };
        if alone {
            return self.run_total(tape, memory, id);
        }
        let Waiting { mut group, taken, .. } = std::mem::take(&mut self.waiting);
        if is_present {
            group.insert(0, id as u32);
        }
        let reach = tape.reach(&group, &taken);
        match self.next_alike(tape, &group, &reach, id) {
            Some(meeting) => {
                self.low = self.low.min(meeting);
                self.waiting = Waiting { group, taken: reach.taken, meeting };
            }
            None if group.len() == 1 && taken.is_empty() => self.run_total(tape, memory, group[0] as usize),
            None => self.run_totals(tape, memory, &group, &taken),
        }
    }

    /// A total for the `group`, the first of which stands at `id`, to wait for: recorded not long before, and alike. None of what they
    /// read comes between.
    fn next_alike(&self, tape: &Tape<T>, group: &[u32], reach: &Reach, id: usize) -> Option<usize> {
        let least = reach.arguments.iter().map(|&id| id as usize + 1).max()?.max(self.floor);
        let may = |id: &usize| tape.nodes[*id].is_differentiable() && tape.is_total(*id as u32);
        let near = least.max(id.saturating_sub(NEAR))..id;
        near.rev().filter(may).find(|&next| tape.is_alike(group, reach, next as u32))
    }

    /// The cotangents of the arguments of totals over the same elements, and those totals that are still pending.
    fn run_totals(&mut self, tape: &mut Tape<T>, memory: &Memory<T>, group: &[u32], taken: &[u32]) {
        let mut loans: SmallVec<[Loan; RESULTS]> = SmallVec::new();
        group.iter().for_each(|&id| loans.push(self.take_scaled(tape, id)));
        let mut repeated: SmallVec<[Option<Operand<'_, T>>; RESULTS]> = SmallVec::new();
        group.iter().zip(&loans).for_each(|(&id, loan)| repeated.push(as_read(tape, id, loan)));
        let mut bars: SmallVec<[Bar<'_, T>; RESULTS]> = SmallVec::new();
        repeated.iter().zip(&loans).for_each(|(repeated, loan)| bars.push(bar(repeated, loan)));
        let (whole, formula) = (tape.join(group, taken), tape.formula_at(group[0]));
        let mut leaves = Leaves::new();
        tape.formula_leaves(memory, whole.arguments(), formula, &mut leaves);
        let run = tape.run(formula, &whole, &leaves);
        let shape = &tape.layouts.get(formula.layout).layout.shape;
        let pending = |(k, &id): (usize, &u32)| u64::from(tape.nodes[id as usize].is_pending()) << k;
        let totals = group.iter().enumerate().map(pending).sum();
        let mut sums: SmallVec<[T; RESULTS]> = SmallVec::from_elem(T::zero(), group.len());
        self.run_reverse(tape, whole.arguments(), shape, &run, &mut bars, None, totals, &mut sums);
        drop(bars);
        drop(repeated);
        loans.into_iter().for_each(|loan| self.pool.give_back(loan));
        for (&id, sum) in group.iter().zip(sums) {
            if tape.nodes[id as usize].is_pending() {
                tape.put_total(memory, id as usize, sum);
            }
        }
    }

    /// The same of one total, without lists: most totals are short.
    fn run_total(&mut self, tape: &mut Tape<T>, memory: &Memory<T>, id: usize) {
        tape.share(memory, &mut self.scratch, &[id as u32], false);
        let loan = self.take_scaled(tape, id as u32);
        let repeated = as_read(tape, id as u32, &loan);
        let formula = tape.formula_at(id as u32);
        let whole = tape.whole_of(formula);
        let mut leaves = Leaves::new();
        tape.formula_leaves(memory, whole.arguments(), formula, &mut leaves);
        let (run, pending) = (tape.run(formula, &whole, &leaves), tape.nodes[id].is_pending());
        let (mut bars, mut sum) = ([bar(&repeated, &loan)], [T::zero()]);
        let shape = &tape.layouts.get(formula.layout).layout.shape;
        self.run_reverse(tape, whole.arguments(), shape, &run, &mut bars, None, pending.into(), &mut sum);
        self.pool.give_back(loan);
        if pending {
            tape.put_total(memory, id, sum[0]);
        }
    }

    /// Takes out the cotangent of the total at node `id`, as that of each element that contributes to it.
    #[inline(always)]
    fn take_scaled(&mut self, tape: &Tape<T>, id: u32) -> Loan {
        let (node, formula) = (tape.nodes[id as usize], tape.formula_at(id));
        let mut y_bar = self.take(&node).expect("has a cotangent");
        let (len, all) = (tape.entry(id as usize).len, tape.layouts.get(formula.layout).len);
        if node.is_retained() {
            self.keep_copy(len, id as usize, &y_bar);
        }
        let total = formula.total.expect("a total");
        total.scale_all(y_bar.slice_mut::<T>(len), all / len.max(1));
        y_bar
    }
}

/// The cotangent of the total at node `id` as the elements read it, where it is an array.
#[inline(always)]
fn as_read<'l, T: Functions>(tape: &Tape<T>, id: u32, loan: &'l Loan) -> Option<Operand<'l, T>> {
    let formula = tape.formula_at(id);
    let kept = formula.kept?;
    let data = loan.slice::<T>(tape.entry(id as usize).len);
    Some(Operand { data, first: 0, walk: tape.repeated(formula, kept) })
}

#[inline(always)]
fn bar<'r, T: Functions>(repeated: &'r Option<Operand<'r, T>>, loan: &Loan) -> Bar<'r, T> {
    repeated.as_ref().map_or_else(|| Bar::Each(loan.slice::<T>(1)[0]), Bar::Lent)
}

impl Waiting {
    /// What these totals reach together with the one at node `id`, if that can wait with them for the one at node `meeting`.
    fn joins<T: Functions>(&self, tape: &Tape<T>, meeting: usize, id: usize) -> Option<Reach> {
        let all: Group = self.group.iter().copied().chain([meeting as u32]).collect();
        // What a checkpoint has recorded again stands behind all of them.
        let may =
            (id as u32) < self.group[0] && tape.is_alike(&all, &tape.reach(&all, &self.taken), id as u32);
        let with: Group = [id as u32].into_iter().chain(self.group.iter().copied()).collect();
        let reach = may.then(|| tape.reach(&with, &self.taken))?;
        reach.arguments.iter().all(|&id| (id as usize) < meeting).then_some(reach)
    }
}
