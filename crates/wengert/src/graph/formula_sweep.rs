//! The sweep through a formula.

use smallvec::SmallVec;

use crate::graph::formula::Leaves;
use crate::graph::layouts::Entry;
use crate::graph::sweep::Sweep;
use crate::graph::tape::{Kind, Memory, Node, Tape};
use crate::kernel::functions::Functions;
use crate::kernel::program::{FEW, Into, Run, Seed, Slot, Step};
use crate::kernel::walk::{Operand, Walk};
use crate::memory::Loan;
use crate::op::Params;
use crate::shape::{Layout, reduced};

/// The cotangent of a formula's result.
pub enum Bar<'a, T> {
    /// In a buffer that is the sweep's to hand on.
    Own(Loan),
    /// Read where it lies.
    Lent(&'a Operand<'a, T>),
    /// Every element has this one.
    Each(T),
}

impl<T: Functions> Sweep<T> {
    /// Whether `argument` is a formula of arrays, or one of its ops, that node `id`, recorded right behind it, is the last to
    /// contribute to, and the first.
    pub fn is_next(&self, tape: &Tape<T>, id: usize, argument: usize) -> bool {
        let node = tape.nodes[argument];
        argument + 1 == id
            && argument >= self.floor
            && matches!(node.kind, Kind::Formula | Kind::Unary(_) | Kind::Tuned(_) | Kind::Binary(_))
            && !node.is_lane()
            && !node.is_retained()
            && !self.is_present(&node)
    }

    /// The sweep through a sum or mean over axes and the node before it at once: that one reads the cotangent repeated,
    /// which is written nowhere.
    pub fn visit_reduced(
        &mut self,
        tape: &mut Tape<T>,
        memory: &Memory<T>,
        id: usize,
        over: &[usize],
        divisor: f64,
    ) {
        let node = tape.nodes[id];
        let Some(mut y_bar) = self.take(&node) else { return };
        let len = tape.entry(id).len;
        if node.is_retained() {
            self.keep_copy(len, id, &y_bar);
        }
        let data = y_bar.slice_mut::<T>(len);
        if divisor != 1.0 {
            data.iter_mut().for_each(|y_bar| *y_bar /= T::of(divisor));
        }
        let shape = tape.shape(id - 1);
        let kept = Layout::contiguous(&reduced(shape, over, true));
        let walk = Walk::new(shape, &kept.broadcast_strides(shape));
        let repeated = Operand { data, first: 0, walk };
        match tape.nodes[id - 1].kind {
            Kind::Formula => self.run_formula(tape, memory, id - 1, Bar::Lent(&repeated)),
            _ => self.run_op(tape, memory, id - 1, Bar::Lent(&repeated)),
        }
        self.pool.give_back(y_bar);
    }

    /// An op as the formula of one step that it is.
    pub fn run_op(&mut self, tape: &Tape<T>, memory: &Memory<T>, id: usize, y_bar: Bar<'_, T>) {
        let (node, entry) = (tape.nodes[id], tape.entry(id));
        let second = if node.a == node.b { Slot::Leaf(0) } else { Slot::Leaf(1) };
        let (step, numbers) = match node.kind {
            Kind::Unary(op) => (Step::Unary(op, Slot::Leaf(0)), Params::default()),
            Kind::Tuned(op) => (Step::Tuned(op, Slot::Leaf(0), 0), tape.params[node.b as usize]),
            Kind::Binary(op) => (Step::Binary(op, Slot::Leaf(0), second), Params::default()),
            _ => unreachable!("`is_next` lets formulas and their ops through"),
        };
        let parents = [node.a, node.b];
        let parents = &parents[..if step.slot(1) == Some(Slot::Leaf(1)) { 2 } else { 1 }];
        let shape = &entry.layout.shape;
        let leaves: SmallVec<[Operand<'_, T>; 2]> =
            parents.iter().map(|&parent| tape.operand(memory, parent as usize, shape)).collect();
        let run = Run { steps: &[step], numbers: &numbers, leaves: &leaves, len: entry.len };
        let y = memory.slab.slice::<T>(tape.arrays[node.slot as usize].place, entry.len);
        self.run_reverse(tape, parents, shape, &run, y_bar, y, false);
    }

    /// The sweep through a formula that has a cotangent.
    pub fn visit_formula(&mut self, tape: &mut Tape<T>, memory: &Memory<T>, id: usize, node: &Node) {
        let Some(y_bar) = self.take(node) else { return };
        let formula = tape.formulas[node.a as usize];
        let len = if formula.total.is_some() { 1 } else { tape.layouts.get(formula.layout).len };
        if node.is_retained() {
            self.keep_copy(len, id, &y_bar);
        }
        match formula.total {
            Some(total) => {
                let each = total.scale(y_bar.slice::<T>(1)[0], tape.layouts.get(formula.layout).len);
                self.run_formula(tape, memory, id, Bar::Each(each));
                self.pool.give_back(y_bar);
            }
            None => self.run_formula(tape, memory, id, Bar::Own(y_bar)),
        }
    }

    /// The cotangents of a formula's arguments, and its total if that is still pending.
    #[inline(never)]
    fn run_formula(&mut self, tape: &mut Tape<T>, memory: &Memory<T>, id: usize, y_bar: Bar<'_, T>) {
        let node = tape.nodes[id];
        let formula = tape.formulas[node.a as usize];
        let Entry { len, layout: Layout { shape, .. }, .. } = tape.layouts.get(formula.layout);
        let mut leaves = Leaves::new();
        tape.formula_leaves(memory, &formula, &mut leaves);
        let y = match formula.total {
            Some(_) => &[][..],
            None => memory.slab.slice::<T>(tape.arrays[node.slot as usize].place, *len),
        };
        let run = tape.run(&formula, &leaves);
        let sum =
            self.run_reverse(tape, tape.formula_parents(node.a), shape, &run, y_bar, y, node.is_pending());
        if node.is_pending() {
            tape.put_total(memory, id, sum);
        }
    }

    /// One pass over tiles: the cotangents of the `parents`, which are the leaves of `run`, and the total that `total` asks for.
    /// The first of them of the result's shape that has no cotangent yet takes over the buffer of the result's.
    fn run_reverse(
        &mut self,
        tape: &Tape<T>,
        parents: &[u32],
        shape: &[usize],
        run: &Run<'_, T>,
        mut y_bar: Bar<'_, T>,
        y: &[T],
        total: bool,
    ) -> T {
        let heir = match &y_bar {
            Bar::Own(_) => parents.iter().position(|&parent| {
                self.may_inherit(&tape.nodes[parent as usize]) && tape.shape(parent as usize)[..] == *shape
            }),
            _ => None,
        };
        let mut ones: SmallVec<[T; FEW]> = SmallVec::from_elem(T::zero(), parents.len());
        let mut loans: SmallVec<[Option<(Loan, bool)>; FEW]> = SmallVec::new();
        for (k, &parent) in parents.iter().enumerate() {
            let node = tape.nodes[parent as usize];
            let array = node.is_differentiable() && !node.is_lane() && heir != Some(k);
            loans.push(array.then(|| self.buffer(parent as usize, &node, tape.entry(parent as usize).len)));
        }
        let flat;
        let (mut over, seed) = match &mut y_bar {
            Bar::Own(loan) if heir.is_some() => (Some(loan.slice_mut::<T>(run.len)), Seed::Under { y }),
            Bar::Own(loan) => {
                flat = Operand { data: loan.slice::<T>(run.len), first: 0, walk: Walk::flat(run.len) };
                (None, Seed::Array { y_bar: &flat, y })
            }
            Bar::Lent(y_bar) => (None, Seed::Array { y_bar, y }),
            Bar::Each(y_bar) => (None, Seed::Each(*y_bar)),
        };
        let mut into: SmallVec<[Into<'_, T>; FEW]> = SmallVec::new();
        for (k, ((&parent, loan), one)) in parents.iter().zip(&mut loans).zip(&mut ones).enumerate() {
            let (node, own) = (tape.nodes[parent as usize], tape.entry(parent as usize));
            let walk = || Walk::new(shape, &Layout::contiguous(&own.layout.shape).broadcast_strides(shape));
            into.push(match loan {
                None if heir == Some(k) => Into::Over { bar: over.take().expect("one heir") },
                None if !node.is_differentiable() => Into::Nowhere,
                None => Into::Repeated { out: std::slice::from_mut(one), walk: walk() },
                Some((loan, held)) => {
                    let out = loan.slice_mut::<T>(own.len);
                    if own.layout.shape[..] == *shape {
                        Into::Same { out, held: *held }
                    } else {
                        if !*held {
                            out.fill(T::zero());
                        }
                        Into::Repeated { out, walk: walk() }
                    }
                }
            });
        }
        let (sum, reached) = run.reverse(&mut self.scratch, seed, &mut into, total);
        drop(into);
        let reached = |k: usize| reached >> k & 1 == 1;
        for ((loan, &parent), (k, one)) in loans.into_iter().zip(parents).zip(ones.into_iter().enumerate()) {
            let node = tape.nodes[parent as usize];
            match loan {
                Some((loan, held)) if held || reached(k) => self.store(&node, loan),
                Some((loan, _)) => self.pool.give_back(loan),
                None if reached(k) && heir != Some(k) => self.add_one(parent as usize, one),
                None => {}
            }
        }
        if let Bar::Own(loan) = y_bar {
            match heir.filter(|k| reached(*k)) {
                Some(k) => self.inherit(parents[k] as usize, &tape.nodes[parents[k] as usize], loan),
                None => self.pool.give_back(loan),
            }
        }
        sum
    }
}
