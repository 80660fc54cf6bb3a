//! The sweep through a formula.

use smallvec::SmallVec;

use crate::broadcast::TILE;
use crate::graph::layouts::Entry;
use crate::graph::sweep::Sweep;
use crate::graph::tape::{Kind, Memory, Node, Tape};
use crate::kernel::elementwise::{Map, map_vjp, zip_vjp};
use crate::kernel::functions::Functions;
use crate::kernel::program::{FEW, Into, Seed};
use crate::kernel::threads::{self, PIECE};
use crate::kernel::walk::{Operand, Walk};
use crate::memory::Loan;
use crate::shape::{Layout, reduced};

impl<T: Functions> Sweep<T> {
    /// Whether `argument` is a formula of arrays, or an op on arrays that lie alike, that node `id`, recorded right behind
    /// it, is the last to contribute to, and the first.
    pub fn is_next(&self, tape: &Tape<T>, id: usize, argument: usize) -> bool {
        let node = tape.nodes[argument];
        argument + 1 == id
            && argument >= self.floor
            && !node.is_lane()
            && !node.is_retained()
            && match node.kind {
                Kind::Formula => true,
                Kind::Unary(_) | Kind::Tuned(_) => tape.alike(&tape.nodes[node.a as usize], &node).is_some(),
                Kind::Binary(_) => {
                    [node.a, node.b].iter().all(|&p| tape.alike(&tape.nodes[p as usize], &node).is_some())
                }
                _ => false,
            }
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
            Kind::Formula => self.run_formula(tape, memory, id - 1, &repeated),
            _ => self.run_op(tape, memory, id - 1, &repeated),
        }
        self.pool.give_back(y_bar);
    }

    /// The cotangents of an elementwise op's arguments, which lie as its result does.
    fn run_op(&mut self, tape: &Tape<T>, memory: &Memory<T>, id: usize, y_bar: &Operand<'_, T>) {
        let (node, len) = (tape.nodes[id], tape.entry(id).len);
        let values = |id: usize| memory.slab.slice::<T>(tape.arrays[tape.nodes[id].slot as usize].place, len);
        let (a, y) = (values(node.a as usize), values(id));
        let op = match node.kind {
            Kind::Unary(op) => Ok(Map::Unary(op)),
            Kind::Tuned(op) => Ok(Map::Tuned(op, tape.params[node.b as usize])),
            Kind::Binary(op) => Err((op, values(node.b as usize))),
            _ => unreachable!("`is_next` lets elementwise ops through"),
        };
        let parents = [node.a as usize, node.b as usize];
        for (k, &parent) in parents[..if op.is_ok() { 1 } else { 2 }].iter().enumerate() {
            let node = tape.nodes[parent];
            if !node.is_differentiable() {
                continue;
            }
            let (mut loan, held) = self.buffer(parent, &node, len);
            in_tiles(loan.slice_mut::<T>(len), |start, out| {
                let (range, mut room) = (start..start + out.len(), [T::zero(); TILE]);
                let (a, y) = (&a[range.clone()], &y[range.clone()]);
                let y_bar = y_bar.load(start, &mut room[..out.len()]);
                match op {
                    Ok(op) => map_vjp(op, a, y, y_bar, out, held),
                    Err((op, b)) => zip_vjp(op, k, [a, &b[range]], y, y_bar, out, held),
                }
            });
            self.store(&node, loan);
        }
    }

    /// The sweep through a formula that has a cotangent.
    pub fn visit_formula(&mut self, tape: &mut Tape<T>, memory: &Memory<T>, id: usize, node: &Node) {
        let Some(y_bar) = self.take(node) else { return };
        let formula = tape.formulas[node.a as usize];
        let len = if formula.total.is_some() { 1 } else { tape.layouts.get(formula.layout).len };
        if node.is_retained() {
            self.keep_copy(len, id, &y_bar);
        }
        let data = y_bar.slice::<T>(len);
        self.run_formula(tape, memory, id, &Operand { data, first: 0, walk: Walk::flat(len) });
        self.pool.give_back(y_bar);
    }

    /// One pass over the tiles of a formula: the cotangents of its arguments, and its total if that is still pending.
    #[inline(never)]
    fn run_formula(&mut self, tape: &mut Tape<T>, memory: &Memory<T>, id: usize, y_bar: &Operand<'_, T>) {
        let node = tape.nodes[id];
        let formula = tape.formulas[node.a as usize];
        let Entry { len, layout: Layout { shape, .. }, .. } = tape.layouts.get(formula.layout);
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
            Some(total) => Seed::Each(total.scale(y_bar.data[0], *len)),
            None => {
                let y = memory.slab.slice::<T>(tape.arrays[node.slot as usize].place, *len);
                Seed::Array { y_bar, y }
            }
        };
        let run = tape.run(&formula, &leaves);
        let (sum, reached) = run.reverse(&mut self.scratch, seed, &mut into, node.is_pending());
        drop((into, leaves));
        for (k, loan) in loans.into_iter().enumerate() {
            let parent = tape.formula_parents(node.a)[k] as usize;
            let node = tape.nodes[parent];
            match loan {
                Some((loan, held)) if held || reached >> k & 1 == 1 => self.store(&node, loan),
                Some((loan, _)) => self.pool.give_back(loan),
                None if reached >> k & 1 == 1 => self.add_one(parent, &node, ones[k]),
                None => {}
            }
        }
        if node.is_pending() {
            tape.put_total(memory, id, sum);
        }
    }
}

/// Calls `f` with each tile of `out` and where it starts, on several threads where that pays.
fn in_tiles<T: Functions>(out: &mut [T], f: impl Fn(usize, &mut [T]) + Sync) {
    let tiles = |start: usize, out: &mut [T]| {
        out.chunks_mut(TILE).enumerate().for_each(|(k, out)| f(start + k * TILE, out));
    };
    match threads::pays(out.len()) {
        true => threads::each(out.chunks_mut(PIECE).enumerate(), |(k, out)| tiles(k * PIECE, out)),
        false => tiles(0, out),
    }
}
