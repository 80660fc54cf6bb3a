//! Elementwise ops and formulas in a sweep of several cotangents: a partial is computed once, and multiplied for each.

use smallvec::SmallVec;

use super::{MOST, Strands};
use crate::broadcast::{TILE, Target};
use crate::graph::formula::Leaves;
use crate::graph::layouts::Entry;
use crate::graph::sweep::Sweep;
use crate::graph::sweep::numbers::{each_partial, each_weight};
use crate::graph::taking::Whole;
use crate::graph::tape::{Kind, Memory, Node, Tape};
use crate::kernel::elementwise::{Map, map_vjp, zip_vjp};
use crate::kernel::functions::Functions;
use crate::kernel::operand::Operand;
use crate::kernel::program::{FEW, Into, Seed};
use crate::kernel::scatter::{pairwise_sum, scatter_add};
use crate::memory::Loan;
use crate::memory::Pool;
use crate::op::Binary;
use crate::shape::Layout;

/// Tiles to compute in.
pub(super) struct Spare<T> {
    ones: [T; TILE],
    partial: [T; TILE],
    product: [T; TILE],
    arguments: [[T; TILE]; 2],
}

impl<T: Functions> Spare<T> {
    fn new() -> Box<Self> {
        let zeros = [T::zero(); TILE];
        Box::new(Spare { ones: [T::one(); TILE], partial: zeros, product: zeros, arguments: [zeros; 2] })
    }
}

/// Computes `n` partials from the given one on into `partial`.
trait Partial<T>: Fn(usize, usize, &mut Spare<T>) {}
impl<T, F: Fn(usize, usize, &mut Spare<T>)> Partial<T> for F {}

impl<T: Functions> Strands<T> {
    /// The elementwise nodes from `from` down to the next one that has cotangents and is left to the caller: a structured
    /// op, or the total of a formula.
    pub fn run_down(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        sweep: &mut Sweep<T>,
        from: usize,
    ) -> Option<usize> {
        let mut id = from;
        loop {
            let node = tape.nodes[id];
            if node.is_differentiable() && self.visit(tape, memory, sweep, id, &node) {
                return Some(id);
            }
            if id <= self.low.max(self.floor) {
                return None;
            }
            id -= 1;
        }
    }

    /// Handles node `id`; `true` if it is left to the caller.
    #[inline(always)]
    fn visit(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        sweep: &mut Sweep<T>,
        id: usize,
        node: &Node,
    ) -> bool {
        match node.kind {
            Kind::Call => return tape.results_of(id).any(|r| self.is_present(&tape.nodes[r])),
            Kind::Leaf | Kind::Constant => return false,
            Kind::Projection => {
                if self.is_present(node) {
                    self.low = self.low.min(node.a as usize);
                }
                return false;
            }
            Kind::Formula if node.is_lane() && tape.formulas[node.a as usize].weights.is_none() => {
                return self.is_present(node);
            }
            _ => {}
        }
        if !node.is_lane() {
            if let Some(y_bar) = self.arrays[node.slot as usize].take() {
                self.visit_array(tape, memory, sweep, id, node, y_bar.slice(self.count * tape.entry(id).len));
                sweep.pool.give_back(y_bar);
            }
        } else if let Some(bar) = self.take_number(node) {
            match node.kind {
                Kind::Formula => {
                    each_weight(tape, node, |leaf, weight| self.add_number(leaf, weight, &bar));
                }
                _ => each_partial(tape, memory, id, node, |parent, partial| {
                    self.add_number(parent, partial, &bar);
                }),
            }
        }
        false
    }

    /// An elementwise op, or a formula, on arrays.
    #[inline(never)]
    fn visit_array(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        sweep: &mut Sweep<T>,
        id: usize,
        node: &Node,
        y_bar: &[T],
    ) {
        let (shape, len) = (tape.shape(id), tape.entry(id).len);
        let y = memory.slab.slice::<T>(tape.arrays[node.slot as usize].place, len);
        let map = match node.kind {
            Kind::Unary(op) => Map::Unary(op),
            Kind::Tuned(op) => Map::Tuned(op, tape.params[node.b as usize]),
            Kind::Binary(op) => return self.visit_zip(tape, memory, &mut sweep.pool, op, id, y, y_bar),
            _ => return self.visit_formula(tape, memory, sweep, id, node, y_bar),
        };
        let x = tape.operand(memory, node.a as usize, shape);
        self.spread(tape, &mut sweep.pool, node.a as usize, shape, y_bar, |start, n, spare| {
            let Spare { ones, partial, arguments: [buffer, _], .. } = spare;
            let x = x.load(start, &mut buffer[..n]);
            map_vjp(map, x, &y[start..][..n], &ones[..n], &mut partial[..n], false);
        });
    }

    fn visit_zip(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        pool: &mut Pool,
        op: Binary,
        id: usize,
        y: &[T],
        y_bar: &[T],
    ) {
        let (node, shape) = (tape.nodes[id], tape.shape(id));
        let parents = [node.a as usize, node.b as usize];
        let [a, b] = parents.map(|p| tape.operand(memory, p, shape));
        for (k, &parent) in parents.iter().enumerate() {
            if !tape.nodes[parent].is_differentiable() {
                continue;
            }
            self.spread(tape, pool, parent, shape, y_bar, |start, n, spare| {
                let Spare { ones, partial, arguments: [of_a, of_b], .. } = spare;
                let ab = [a.load(start, &mut of_a[..n]), b.load(start, &mut of_b[..n])];
                zip_vjp(op, k, ab, &y[start..][..n], &ones[..n], &mut partial[..n], false);
            });
        }
    }

    /// A formula's partials are its cotangents from ones.
    fn visit_formula(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        sweep: &mut Sweep<T>,
        id: usize,
        node: &Node,
        y_bar: &[T],
    ) {
        let formula = tape.formulas[node.a as usize];
        let Entry { len, layout: Layout { shape, .. }, .. } = tape.layouts.get(formula.layout);
        let (len, joined) = (*len, tape.entry(id).len);
        let repeated = formula.kept.zip(formula.total).map(|(kept, total)| {
            let mut all = sweep.pool.lend::<T>(self.count * len);
            let walk = tape.repeated(&formula, kept);
            for k in 0..self.count {
                let all = &mut all.slice_mut::<T>(self.count * len)[k * len..][..len];
                let bar = Operand { data: &y_bar[k * joined..][..joined], first: 0, walk: walk.clone() };
                bar.copy_to(all);
                total.scale_all(all, len / joined.max(1));
            }
            all
        });
        let y_bar = repeated.as_ref().map_or(y_bar, |all| all.slice::<T>(self.count * len));
        let parents = tape.formula_parents(node.a);
        let mut loans: SmallVec<[Option<Loan>; FEW]> = SmallVec::new();
        for &parent in parents {
            loans.push(tape.nodes[parent as usize].is_differentiable().then(|| sweep.pool.lend::<T>(len)));
        }
        let mut into: SmallVec<[Into<'_, T>; FEW]> = SmallVec::new();
        for loan in &mut loans {
            into.push(loan.as_mut().map_or(Into::Nowhere, |loan| {
                let out = loan.slice_mut::<T>(len);
                // A leaf that only flat steps read is not written to.
                out.fill(T::zero());
                Into::Same { out, held: false }
            }));
        }
        let whole = Whole::Alone(tape.program(&formula), parents);
        let mut leaves = Leaves::new();
        tape.formula_leaves(memory, parents, &formula, &mut leaves);
        tape.run(&formula, &whole, &leaves).reverse(
            &mut sweep.scratch,
            &[Seed::Each(T::one())],
            &mut into,
            &mut [],
            0,
            &mut [],
        );
        drop(into);
        for (&parent, loan) in parents.iter().zip(loans) {
            let Some(loan) = loan else { continue };
            let partials = loan.slice::<T>(len);
            self.spread(tape, &mut sweep.pool, parent as usize, shape, y_bar, |start, n, spare| {
                spare.partial[..n].copy_from_slice(&partials[start..][..n]);
            });
            sweep.pool.give_back(loan);
        }
        repeated.into_iter().for_each(|all| sweep.pool.give_back(all));
    }

    /// Adds `y_bar` times a partial to the cotangents of node `id`, summed back from shape `result`.
    fn spread(
        &mut self,
        tape: &Tape<T>,
        pool: &mut Pool,
        id: usize,
        result: &[usize],
        y_bar: &[T],
        partial: impl Partial<T>,
    ) {
        let (node, own) = (tape.nodes[id], tape.entry(id).len);
        let len: usize = result.iter().product();
        if node.is_lane() {
            let mut bars = [T::zero(); MOST];
            self.reduce(len, y_bar, partial, |k, _, tile| bars[k] += pairwise_sum(tile));
            return self.add_number(id, T::one(), &self.padded(&bars[..self.count]));
        }
        let (mut loan, held) = self.buffer(pool, id, &node, own);
        let out = loan.slice_mut::<T>(self.count * own);
        match Target::new(tape.shape(id), result) {
            Target::Same => self.multiply(len, y_bar, partial, out, held),
            target => {
                if !held {
                    out.fill(T::zero());
                }
                self.reduce(len, y_bar, partial, |k, start, tile| match &target {
                    Target::Repeated(walk) => scatter_add(&mut out[k * own..][..own], walk, start, tile),
                    _ => out[k] += pairwise_sum(tile),
                });
            }
        }
        self.store(&node, loan);
    }

    /// Hands every tile of every strand's product to `add(strand, start, tile)`.
    fn reduce(
        &mut self,
        len: usize,
        y_bar: &[T],
        partial: impl Partial<T>,
        mut add: impl FnMut(usize, usize, &[T]),
    ) {
        let spare = self.spare.get_or_insert_with(Spare::new);
        for start in (0..len).step_by(TILE) {
            let n = TILE.min(len - start);
            partial(start, n, spare);
            for k in 0..self.count {
                let Spare { partial, product, .. } = &mut **spare;
                scale(&y_bar[k * len + start..][..n], &partial[..n], &mut product[..n], false);
                add(k, start, &product[..n]);
            }
        }
    }

    /// Writes, or adds, every strand's product to `out`.
    fn multiply(&mut self, len: usize, y_bar: &[T], partial: impl Partial<T>, out: &mut [T], held: bool) {
        let spare = self.spare.get_or_insert_with(Spare::new);
        for start in (0..len).step_by(TILE) {
            let n = TILE.min(len - start);
            partial(start, n, spare);
            for from in (start..self.count * len).step_by(len) {
                scale(&y_bar[from..][..n], &spare.partial[..n], &mut out[from..][..n], held);
            }
        }
    }
}

/// `out = g p`, or `out += g p`.
fn scale<T: Functions>(g: &[T], p: &[T], out: &mut [T], accumulate: bool) {
    zip_vjp(Binary::Mul, 0, [p, p], p, g, out, accumulate);
}
