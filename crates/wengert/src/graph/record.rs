//! Recording of elementwise ops: a lane for single numbers, tiles for arrays.

use crate::error::{Refusal, Result};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::layouts::Entry;
use crate::graph::node::Where;
use crate::graph::tape::{Array, Kind, Marks, Node, Stored, Tape};
use crate::graph::waiting::DEFERRED;
use crate::kernel::elementwise::{Map, map_forward, zip_forward};
use crate::kernel::functions::Functions;
use crate::kernel::level::SCALAR;
use crate::kernel::number::{Number, binary_primal, tuned_primal, unary_primal};
use crate::kernel::reads::Reads;
use crate::memory::Place;
use crate::op::{Binary, Unary};
use crate::rule::{Dtype, dtype_refusal};
use crate::shape;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// Records `f(x)`, at the line being served.
    pub(super) fn map_here(&self, op: Map, x: Var) -> Result<Var> {
        self.record_map(op, x).map_err(|refusal| self.error(refusal, op.name(), &[x]))
    }

    /// Records `f(a, b)`, broadcast, at the line being served.
    pub(super) fn zip_here(&self, op: Binary, a: Var, b: Var) -> Result<Var> {
        self.record_zip(op, a, b).map_err(|refusal| self.error(refusal, op.name(), &[a, b]))
    }

    /// Records `f(x)` of a plain number, or leaves it to [`Engine::map`]. It is compiled where it is written, so it is small:
    /// in code of numbers a call costs as much as the op. A debug build would compile it slow, and leaves all to the engine.
    #[inline(always)]
    pub(crate) fn quick_map(&self, op: Unary, x: Var) -> Option<Var> {
        use Unary::*;
        if cfg!(debug_assertions) || !matches!(op, Neg | Exp | Log | Sin | Cos | Sqrt | Square) {
            return None;
        }
        let mut tape = self.tape.try_borrow_mut().ok()?;
        let differentiable = tape.number(x)?;
        let value = map_scalar(Map::Unary(op), self.memory.lane.get(x.id));
        let (parents, marks) = ([x.id as u32, 0], self.marks(differentiable));
        self.push_at_hand(&mut tape, Kind::Unary(op), parents, value, marks)
    }

    /// Records `f(a, b)` of two plain numbers, or leaves it to [`Engine::zip`]; as [`Graph::quick_map`].
    #[inline(always)]
    pub(crate) fn quick_zip(&self, op: Binary, a: Var, b: Var) -> Option<Var> {
        use Binary::*;
        if cfg!(debug_assertions) || !matches!(op, Add | Sub | Mul | Div) {
            return None;
        }
        let mut tape = self.tape.try_borrow_mut().ok()?;
        let reaches = [tape.number(a)?, tape.number(b)?];
        let lane = &self.memory.lane;
        let (x, y) = (Number::<T, SCALAR>(lane.get(a.id)), Number(lane.get(b.id)));
        let value = binary_primal(op, x, y).0;
        let (parents, marks) = ([a.id as u32, b.id as u32], self.marks_of(reaches));
        self.push_at_hand(&mut tape, Kind::Binary(op), parents, value, marks)
    }

    /// Appends the node of a number where there is room for it at hand: code without a call keeps in registers what it
    /// works with.
    #[inline(always)]
    fn push_at_hand(
        &self,
        tape: &mut Tape<T>,
        kind: Kind,
        [a, b]: [u32; 2],
        value: T,
        marks: Marks,
    ) -> Option<Var> {
        let (id, line) = (tape.nodes.len(), tape.lines.recent(self.at.get())?);
        if id >= u32::MAX as usize || !self.memory.lane.try_put(id, value) {
            return None;
        }
        // Asked again, so that the compiler sees that `push` need not grow.
        if tape.nodes.len() == tape.nodes.capacity() {
            return None;
        }
        tape.nodes.push(Node::new(kind, a, b, id as u32, line, Where::Lane(0), marks));
        Some(Var { id, stamp: tape.segments.current() })
    }

    /// Records `f(x)`.
    #[inline(always)]
    pub(crate) fn record_map(&self, op: Map, x: Var) -> Result<Var, Refusal> {
        let mut tape = self.tape.borrow_mut();
        let tape = &mut *tape;
        let id = tape.resolve(x)?;
        let node = tape.nodes[id];
        let read = (node.is_pending() && node.is_lane()).then(|| op.reads());
        let waits = read.is_some_and(|read| !read.a && !read.y);
        if node.is_pending() && node.is_lane() && !waits {
            tape.settle(&self.memory, &mut self.scratch.borrow_mut(), &[id]);
        }
        let (kind, b) = match op {
            Map::Unary(op) => (Kind::Unary(op), 0),
            Map::Tuned(op, p) => {
                tape.params.push(p);
                (Kind::Tuned(op), tape.params.len() as u32 - 1)
            }
        };
        let marks = self.marks(!op.is_flat() && node.is_differentiable());
        if node.is_lane() {
            let value = (!waits).then(|| map_scalar(op, self.memory.lane.get(id)));
            return Ok(self.push_number_op(tape, kind, [id as u32, b], value, node.lane_rank(), marks));
        }
        self.map_array(tape, op, kind, [id as u32, b], marks)
    }

    /// Records `f(a, b)`, broadcast.
    #[inline(always)]
    pub(crate) fn record_zip(&self, op: Binary, a: Var, b: Var) -> Result<Var, Refusal> {
        let mut tape = self.tape.borrow_mut();
        let tape = &mut *tape;
        let (ia, ib) = (tape.resolve(a)?, tape.resolve(b)?);
        let (na, nb) = (tape.nodes[ia], tape.nodes[ib]);
        let pending = na.is_pending() || nb.is_pending();
        let waits = pending && na.is_lane() && nb.is_lane() && {
            let reaches = [na.is_differentiable(), nb.is_differentiable()];
            let read = |position: usize| {
                let read = Reads::binary(op, position);
                read.a && na.is_pending() || read.b && nb.is_pending() || read.y
            };
            !(0..2).any(|position| reaches[position] && read(position))
        };
        if pending && !waits {
            tape.settle_numbers(&self.memory, &mut self.scratch.borrow_mut(), &[ia, ib]);
        }
        let marks = self.marks_of([na.is_differentiable(), nb.is_differentiable()]);
        let parents = [ia as u32, ib as u32];
        if na.is_lane() && nb.is_lane() {
            let lane = &self.memory.lane;
            let value = (!waits).then(|| zip_scalar(op, lane.get(ia), lane.get(ib)));
            let rank = na.lane_rank().max(nb.lane_rank());
            return Ok(self.push_number_op(tape, Kind::Binary(op), parents, value, rank, marks));
        }
        self.zip_arrays(tape, op, parents, marks)
    }

    /// Appends the node of a number; without a value it waits for that.
    #[inline(always)]
    fn push_number_op(
        &self,
        tape: &mut Tape<T>,
        kind: Kind,
        parents: [u32; 2],
        value: Option<T>,
        rank: u16,
        marks: Marks,
    ) -> Var {
        let stored = Stored::Lane { value: value.unwrap_or(T::zero()), rank };
        let v = tape.push(&self.memory, kind, parents, stored, marks, self.at.get());
        if value.is_none() {
            tape.set_pending(v.id);
        }
        v
    }

    /// Computes `f` of the array at node `a`, and appends the node.
    #[inline(never)]
    fn map_array(
        &self,
        tape: &mut Tape<T>,
        op: Map,
        kind: Kind,
        [a, b]: [u32; 2],
        marks: Marks,
    ) -> Result<Var, Refusal> {
        let id = a as usize;
        let node = &tape.nodes[id];
        if node.dtype() != Dtype::Real {
            return Err(dtype_refusal(0, Dtype::Real, node.dtype()));
        }
        let Array { place, layout: own, .. } = tape.arrays[node.slot as usize];
        let Entry { len, contiguous, .. } = *tape.layouts.get(own);
        let layout = if contiguous { own } else { tape.layouts.row_major(&tape.shape(id).clone()) };
        if len >= DEFERRED {
            let (scratch, may) = (&mut self.scratch.borrow_mut(), !op.is_flat());
            tape.take_up(&self.memory, scratch, &[id], layout, 1, marks, may);
            if may {
                return Ok(self.push_waiting(tape, kind, [a, b], layout, marks));
            }
            tape.settle(&self.memory, scratch, &[id]);
        }
        let mut fresh = self.memory.slab.take::<T>(len);
        let out = fresh.slice::<T>(len);
        if contiguous {
            map_forward(op, self.memory.slab.slice(place, len), out);
        } else {
            let x = tape.operand(&self.memory, id, tape.shape(id));
            let mut scratch = self.scratch.borrow_mut();
            let [tile, _] = scratch.pair();
            let most = tile.len();
            for (k, out) in out.chunks_mut(most).enumerate() {
                map_forward(op, x.load(k * most, &mut tile[..out.len()]), out);
            }
        }
        Ok(self.push_array_of(tape, kind, [a, b], fresh.place(), layout, marks))
    }

    /// Computes `f` of nodes `a` and `b`, of which one is an array, and appends the node.
    #[inline(never)]
    fn zip_arrays(
        &self,
        tape: &mut Tape<T>,
        op: Binary,
        parents: [u32; 2],
        marks: Marks,
    ) -> Result<Var, Refusal> {
        let ids = parents.map(|id| id as usize);
        let (a, b) = (&tape.nodes[ids[0]], &tape.nodes[ids[1]]);
        for (k, node) in [a, b].into_iter().enumerate() {
            if node.dtype() != Dtype::Real {
                return Err(dtype_refusal(k, Dtype::Real, node.dtype()));
            }
        }
        let slab = &self.memory.slab;
        let alike = tape.alike(a, b);
        if let Some((a, b, layout, len)) = alike.filter(|(_, _, _, len)| *len < DEFERRED) {
            let mut fresh = slab.take::<T>(len);
            zip_forward(op, slab.slice(a, len), slab.slice(b, len), fresh.slice::<T>(len));
            return Ok(self.push_array_of(tape, Kind::Binary(op), parents, fresh.place(), layout, marks));
        }
        let shape = shape::broadcast(ids.map(|id| &tape.shape(id)[..]))?;
        let layout = tape.layouts.row_major(&shape);
        let len = tape.layouts.get(layout).len;
        if len >= DEFERRED {
            let scratch = &mut self.scratch.borrow_mut();
            tape.take_up(&self.memory, scratch, &ids, layout, 1, marks, true);
            return Ok(self.push_waiting(tape, Kind::Binary(op), parents, layout, marks));
        }
        // A long array is shorter where it is broadcast to no elements.
        tape.settle(&self.memory, &mut self.scratch.borrow_mut(), &ids);
        let mut fresh = slab.take::<T>(len);
        let out = fresh.slice::<T>(len);
        let [a, b] = ids.map(|id| tape.operand(&self.memory, id, &shape));
        let mut scratch = self.scratch.borrow_mut();
        let [tile_a, tile_b] = scratch.pair();
        let most = tile_a.len();
        for (k, out) in out.chunks_mut(most).enumerate() {
            let a = a.load(k * most, &mut tile_a[..out.len()]);
            let b = b.load(k * most, &mut tile_b[..out.len()]);
            zip_forward(op, a, b, out);
        }
        Ok(self.push_array_of(tape, Kind::Binary(op), parents, fresh.place(), layout, marks))
    }

    /// Appends the node of an array where it was computed: returned from there, what describes it would be written in parts and
    /// read as one, and the machine waits for that.
    #[inline(always)]
    fn push_array_of(
        &self,
        tape: &mut Tape<T>,
        kind: Kind,
        parents: [u32; 2],
        place: Place,
        layout: u32,
        marks: Marks,
    ) -> Var {
        let stored = Stored::Array(Array { place, layout, root: 0 }, Dtype::Real);
        tape.push(&self.memory, kind, parents, stored, marks, self.at.get())
    }

    /// What a node inherits whose arguments are (not) differentiable.
    #[inline(always)]
    pub(crate) fn marks(&self, differentiable: bool) -> Marks {
        let closed = self.no_grad.get() > 0;
        Marks {
            differentiable: differentiable && !closed,
            cut: differentiable && closed,
            reaches: [false; 2],
        }
    }

    /// What a binary op inherits whose arguments are (not) differentiable.
    #[inline(always)]
    fn marks_of(&self, reaches: [bool; 2]) -> Marks {
        Marks { reaches, ..self.marks(reaches[0] || reaches[1]) }
    }
}

/// One number through an elementwise op.
#[inline(always)]
pub(crate) fn map_scalar<T: Functions>(op: Map, x: T) -> T {
    match op {
        Map::Unary(op) => unary_primal(op, Number::<T, SCALAR>(x)).0,
        Map::Tuned(op, p) => tuned_primal(op, p, Number::<T, SCALAR>(x)).0,
    }
}

/// Two numbers through an elementwise op.
#[inline(always)]
pub(crate) fn zip_scalar<T: Functions>(op: Binary, a: T, b: T) -> T {
    let (a, b) = (Number::<T, SCALAR>(a), Number(b));
    // The commonest ops in place, the others out of the way.
    match op {
        Binary::Add => binary_primal(Binary::Add, a, b).0,
        Binary::Mul => binary_primal(Binary::Mul, a, b).0,
        op => other_zip(op, a, b).0,
    }
}

#[inline(never)]
fn other_zip<T: Functions>(op: Binary, a: Number<T, SCALAR>, b: Number<T, SCALAR>) -> Number<T, SCALAR> {
    binary_primal(op, a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any piece of memory that values and nodes are put in, first on a new graph, then where there is room.
    #[test]
    fn long_tapes_of_numbers() {
        let mut g = Graph::new();
        let (x, one) = (g.leaf(0.5), g.constant(1.0));
        let base = g.mark();
        for _ in 0..2 {
            let mut y = x;
            for _ in 0..10_000 {
                y = g.eval(x + y);
                y = g.eval(y * one);
            }
            assert_eq!((g.item(y), g.node_count()), (5000.5, 20_002));
            g.zero_grad();
            g.backward(y).unwrap();
            assert_eq!(g.grad(x).unwrap().sum(), 10_001.0);
            g.rewind(base);
        }
    }
}
