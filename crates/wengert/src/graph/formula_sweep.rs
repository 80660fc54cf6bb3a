//! The sweep through a formula.

use smallvec::SmallVec;

use crate::graph::layouts::Entry;
use crate::graph::sweep::Sweep;
use crate::graph::tape::{Memory, Node, Tape};
use crate::kernel::functions::Functions;
use crate::kernel::program::{FEW, Into, Seed};
use crate::kernel::walk::Walk;
use crate::memory::Loan;
use crate::shape::Layout;

impl<T: Functions> Sweep<T> {
    /// One pass over the tiles of a formula: the cotangents of its arguments, and its total if that is still pending.
    #[inline(never)]
    pub fn visit_formula(&mut self, tape: &mut Tape<T>, memory: &Memory<T>, id: usize, node: &Node) {
        let Some(y_bar) = self.take(node) else { return };
        let formula = tape.formulas[node.a as usize];
        let Entry { len, layout: Layout { shape, .. }, .. } = tape.layouts.get(formula.layout);
        let result_len = if formula.total.is_some() { 1 } else { *len };
        if node.is_retained() {
            self.keep_copy(result_len, id, &y_bar);
        }
        let parents = tape.formula_parents(node.a);
        let mut ones: SmallVec<[T; FEW]> = SmallVec::from_elem(T::zero(), parents.len());
        let mut loans: SmallVec<[Option<(Loan, bool)>; FEW]> = SmallVec::new();
        for &parent in parents {
            let node = tape.nodes[parent as usize];
            let array = node.is_differentiable() && !node.is_lane();
            loans.push(array.then(|| self.buffer(parent as usize, &node, tape.entry(parent as usize).len)));
        }
        let mut into: SmallVec<[Into<'_, T>; FEW]> = SmallVec::new();
        for ((&parent, loan), one) in parents.iter().zip(&mut loans).zip(&mut ones) {
            let (node, own) = (tape.nodes[parent as usize], tape.entry(parent as usize));
            let walk = || Walk::new(shape, &Layout::contiguous(&own.layout.shape).broadcast_strides(shape));
            into.push(match loan {
                None if !node.is_differentiable() => Into::Nowhere,
                None => Into::Repeated { out: std::slice::from_mut(one), walk: walk() },
                Some((loan, held)) => {
                    let out = loan.slice_mut::<T>(own.len);
                    if own.layout.shape == *shape {
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
        let leaves = tape.formula_leaves(memory, &formula);
        let seed = match formula.total {
            Some(total) => Seed::Each(total.scale(y_bar.slice::<T>(1)[0], *len)),
            None => {
                let y = memory.slab.slice::<T>(tape.arrays[node.slot as usize].place, *len);
                Seed::Array { y_bar: y_bar.slice::<T>(*len), y }
            }
        };
        let sum = tape.run(&formula, &leaves).reverse(&mut self.scratch, seed, &mut into, node.is_pending());
        drop((into, leaves));
        for (k, loan) in loans.into_iter().enumerate() {
            let parent = tape.formula_parents(node.a)[k] as usize;
            let node = tape.nodes[parent];
            match loan {
                Some((loan, _)) => self.store(&node, loan),
                None if node.is_differentiable() => self.add_one(parent, &node, ones[k]),
                None => {}
            }
        }
        if node.is_pending() {
            tape.put_total(memory, id, sum);
        }
        self.pool.give_back(y_bar);
    }
}
