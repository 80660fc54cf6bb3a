//! Elementwise ops on arrays.
//!
//! The buffer of the result's cotangent goes on to an argument that has none yet: where the partial is 1 as it is, in long arrays
//! tile by tile.

use super::Sweep;
use crate::broadcast::TILE;
use crate::graph::formula_sweep::Bar;
use crate::graph::tape::{Kind, Memory, Node, Tape};
use crate::kernel::elementwise::{Map, map_vjp, zip_vjp};
use crate::kernel::functions::Functions;
use crate::kernel::muladd::multiply_vjp;
use crate::kernel::reads::Reads;
use crate::kernel::threads;
use crate::memory::Loan;
use crate::op::Binary;
use crate::rule::Kernels;

/// Elements from which a cotangent is overwritten tile by tile: a second buffer would be fetched from further away.
const LONG: usize = 1 << 13;
/// Bytes from which a kernel of rows overwrites a cotangent: it has to set each row aside first, which costs more in cache.
const FAR: usize = 1 << 21;

impl<T: Functions> Sweep<T> {
    /// Propagates the cotangent `y_bar` of the array at node `id`.
    pub(super) fn visit_array(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        id: usize,
        node: &Node,
        y_bar: Loan,
    ) {
        match node.kind {
            Kind::Unary(op) => self.visit_map(tape, memory, Map::Unary(op), id, node, y_bar),
            Kind::Tuned(op) => {
                let op = Map::Tuned(op, tape.params[node.b as usize]);
                self.visit_map(tape, memory, op, id, node, y_bar);
            }
            Kind::Binary(op) => self.visit_zip(tape, memory, op, id, node, y_bar),
            _ => unreachable!("structured ops are left to the caller"),
        }
    }

    /// The sweep through an op whose kernel overwrites the cotangent of a long array, where its argument has none; `false`
    /// where that is not so.
    pub fn visit_over(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        id: usize,
        argument: usize,
        kernels: &dyn Kernels<T>,
    ) -> bool {
        let (node, target) = (tape.nodes[id], &tape.nodes[argument]);
        let lies_alone = node.has_value() && !node.is_lane() && !node.is_retained();
        if !lies_alone || tape.entry(id).len * size_of::<T>() < FAR || !self.may_inherit(target) {
            return false;
        }
        let Some(mut bar) = self.arrays[node.slot as usize].take() else { return false };
        let len = tape.entry(id).len;
        let done = kernels.vjp_over(&tape.input(memory, id), bar.slice_mut(len));
        match done {
            true => self.inherit(argument, target, bar),
            false => self.store(&node, bar),
        }
        done
    }

    fn visit_map(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        op: Map,
        id: usize,
        node: &Node,
        mut y_bar: Loan,
    ) {
        let parent = node.a as usize;
        let argument = &tape.nodes[parent];
        let Some((x, y, _, len)) = tape.alike(argument, node) else {
            return self.run_part(tape, memory, id, Bar::Own(y_bar));
        };
        let [x, y] = [x, y].map(|place| memory.slab.slice::<T>(place, len));
        if len >= LONG && self.may_inherit(argument) {
            overwrite(y_bar.slice_mut(len), |at, g, out| {
                map_vjp(op, &x[at..][..g.len()], &y[at..][..g.len()], g, out, false);
            });
            return self.inherit(parent, argument, y_bar);
        }
        let (mut loan, held) = self.buffer(parent, argument, len);
        map_vjp(op, x, y, y_bar.slice(len), loan.slice_mut(len), held);
        self.store(argument, loan);
        self.pool.give_back(y_bar);
    }

    fn visit_zip(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        op: Binary,
        id: usize,
        node: &Node,
        mut y_bar: Loan,
    ) {
        let parents = [node.a as usize, node.b as usize];
        let arguments = parents.map(|p| &tape.nodes[p]);
        let Some((a, b, _, len)) = tape.alike(arguments[0], arguments[1]) else {
            return self.run_part(tape, memory, id, Bar::Own(y_bar));
        };
        let ab = [a, b].map(|place| memory.slab.slice::<T>(place, len));
        let y = memory.slab.slice::<T>(tape.arrays[node.slot as usize].place, len);
        // The one that inherits comes last.
        let heir = (0..2)
            .filter(|&k| parents[0] != parents[1] && self.may_inherit(arguments[k]))
            .map(|k| (k, Reads::binary(op, k).one))
            .find(|&(_, unchanged)| unchanged || len >= LONG);
        let others = (0..2).filter(|&k| heir.is_none_or(|(heir, _)| heir != k));
        let wanted = |k: usize| arguments[k].is_differentiable();
        if op == Binary::Mul && heir.is_none() && parents[0] != parents[1] && wanted(0) && wanted(1) {
            let (mut a_bar, a_held) = self.buffer(parents[0], arguments[0], len);
            let (mut b_bar, b_held) = self.buffer(parents[1], arguments[1], len);
            let bars = [a_bar.slice_mut(len), b_bar.slice_mut(len)];
            multiply_vjp(ab, y_bar.slice(len), bars, [a_held, b_held]);
            self.store(arguments[0], a_bar);
            self.store(arguments[1], b_bar);
            return self.pool.give_back(y_bar);
        }
        for k in others.filter(|&k| wanted(k)) {
            let (mut loan, held) = self.buffer(parents[k], arguments[k], len);
            zip_vjp(op, k, ab, y, y_bar.slice(len), loan.slice_mut(len), held);
            self.store(arguments[k], loan);
        }
        let Some((k, unchanged)) = heir else { return self.pool.give_back(y_bar) };
        if !unchanged {
            overwrite(y_bar.slice_mut(len), |at, g, out| {
                let ab = ab.map(|x| &x[at..][..g.len()]);
                zip_vjp(op, k, ab, &y[at..][..g.len()], g, out, false);
            });
        }
        self.inherit(parents[k], arguments[k], y_bar);
    }
}

/// Replaces a cotangent by what `f(start, tile, out)` makes of it.
fn overwrite<T: Functions>(bar: &mut [T], f: impl Fn(usize, &[T], &mut [T]) + Sync) {
    threads::pieces(bar, |start, piece| {
        let mut tile = [T::zero(); TILE];
        for (k, out) in piece.chunks_mut(TILE).enumerate() {
            let g = &mut tile[..out.len()];
            g.copy_from_slice(out);
            f(start + k * TILE, g, out);
        }
    });
}
