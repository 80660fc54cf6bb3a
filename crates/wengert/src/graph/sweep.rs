//! `backward`: the arena walked in reverse insertion order, cotangents in buffers that are lent and returned.
//!
//! Invariant: between sweeps every cell of `lane` is [`Real::ABSENT`](crate::Real) and every entry of `arrays` is empty.
//! Gradients are committed only when a sweep has come to its end: one that fails leaves them as they were.

use ndarray::ArrayViewD;
use smallvec::SmallVec;

use crate::broadcast::{TILE, Target, unbroadcast_into};
use crate::error::{Error, ErrorKind, Refusal, Result};
use crate::graph::Graph;
use crate::graph::layouts::Entry;
use crate::graph::tape::{Kind, Memory, Node, Operation, Tape};
use crate::graph::values::Source;
use crate::kernel::elementwise::{Map, map_vjp, zip_vjp};
use crate::kernel::functions::Functions;
use crate::kernel::level::SCALAR;
use crate::kernel::number::Number;
use crate::kernel::program::{Into, Scratch, Seed};
use crate::kernel::walk::{Operand, Walk, pairwise_sum, scatter_add};
use crate::memory::{Loan, Pool};
use crate::op::Binary;
use crate::ops;
use crate::rule::{self, Cotangent, Dtype, Input};
use crate::shape::{Layout, Shape};
use crate::term::Term;
use crate::var::Var;
use crate::words::{binary_partial, tuned_partial, unary_partial};

/// A gradient that is kept.
pub enum Held<T> {
    One(T),
    Array(Loan),
}

/// Cotangents under way, and the gradients kept.
pub struct Sweep<T: Functions> {
    lane: Vec<T>,
    arrays: Vec<Option<Loan>>,
    pool: Pool,
    /// Gradients of inputs, by their index among the inputs.
    inputs: Vec<Option<Held<T>>>,
    /// Gradients of intermediates under `retain_grad`, by node, ascending.
    retained: Vec<(u32, Held<T>)>,
    /// Leaves and retained nodes that this sweep has reached.
    reached: Vec<u32>,
    /// The smallest node that a contribution has gone to.
    low: usize,
    /// Tiles for formulas.
    scratch: Scratch<T>,
    /// A sweep is under way, or one ended by unwinding.
    dirty: bool,
}

impl<T: Functions> Sweep<T> {
    pub fn new() -> Self {
        Sweep {
            lane: Vec::new(),
            arrays: Vec::new(),
            pool: Pool::default(),
            inputs: Vec::new(),
            retained: Vec::new(),
            reached: Vec::new(),
            low: 0,
            scratch: Scratch::default(),
            dirty: false,
        }
    }

    pub fn of_input(&self, index: u32) -> Option<&Held<T>> {
        self.inputs.get(index as usize)?.as_ref()
    }

    pub fn take_input(&mut self, index: u32) -> Held<T> {
        self.inputs[index as usize].take().expect("checked by the caller")
    }

    pub fn put_input(&mut self, index: u32, held: Held<T>) {
        self.inputs[index as usize] = Some(held);
    }

    pub fn of_retained(&self, id: usize) -> Option<&Held<T>> {
        let at = self.retained.binary_search_by_key(&(id as u32), |(node, _)| *node).ok()?;
        Some(&self.retained[at].1)
    }

    /// Forgets all gradients.
    pub fn forget(&mut self) {
        for held in self.inputs.iter_mut().filter_map(Option::take) {
            give_back(&mut self.pool, held);
        }
        self.inputs.clear();
        for (_, held) in self.retained.drain(..) {
            give_back(&mut self.pool, held);
        }
    }

    /// Forgets the gradients of what was recorded behind the first `nodes` nodes and `inputs` inputs.
    pub fn rewind(&mut self, nodes: usize, inputs: usize) {
        while self.inputs.len() > inputs {
            if let Some(Some(held)) = self.inputs.pop() {
                give_back(&mut self.pool, held);
            }
        }
        while self.retained.last().is_some_and(|(node, _)| *node as usize >= nodes) {
            if let Some((_, held)) = self.retained.pop() {
                give_back(&mut self.pool, held);
            }
        }
    }

    /// Bytes of cotangents and gradients taken from the system so far.
    pub fn bytes(&self) -> usize {
        self.pool.bytes() + self.lane.capacity() * size_of::<T>()
    }

    /// Makes room for the cotangents of nodes with these many values.
    fn open(&mut self, lane: usize, arrays: usize) {
        if self.dirty {
            self.abandon();
        }
        if self.lane.len() < lane {
            self.lane.resize(lane, T::ABSENT);
        }
        if self.arrays.len() < arrays {
            self.arrays.resize_with(arrays, || None);
        }
        self.dirty = true;
        self.low = usize::MAX;
    }

    /// Drops all cotangents under way.
    fn abandon(&mut self) {
        self.lane.fill(T::ABSENT);
        for slot in &mut self.arrays {
            if let Some(loan) = slot.take() {
                self.pool.give_back(loan);
            }
        }
        self.reached.clear();
        self.dirty = false;
    }

    /// Adds to the cotangent of a node in the lane.
    #[inline(always)]
    fn add_one(&mut self, id: usize, node: &Node, value: T) {
        let cell = &mut self.lane[node.slot as usize];
        let sum = *cell + value;
        *cell = if cell.is_absent() { value } else { sum };
        self.low = self.low.min(id);
    }

    /// The buffer of an array's cotangent, and whether it holds one already.
    fn buffer(&mut self, id: usize, node: &Node, len: usize) -> (Loan, bool) {
        self.low = self.low.min(id);
        match self.arrays[node.slot as usize].take() {
            Some(loan) => (loan, true),
            None => (self.pool.lend::<T>(len), false),
        }
    }

    fn store(&mut self, node: &Node, loan: Loan) {
        self.arrays[node.slot as usize] = Some(loan);
    }

    /// Adds the tiles that `tile(start, buffer, accumulate)` writes to the cotangent of node `id`, summed back from
    /// shape `result`.
    fn add_tiles(
        &mut self,
        tape: &Tape<T>,
        id: usize,
        result: &[usize],
        mut tile: impl FnMut(usize, &mut [T], bool),
    ) {
        let node = tape.nodes[id];
        let own = tape.entry(id).len;
        let target = match node.is_lane() {
            true => Target::One,
            false => Target::new(tape.shape(id), result),
        };
        let mut one = [T::zero()];
        let mut array = (!node.is_lane()).then(|| self.buffer(id, &node, own));
        let (out, held) = match &mut array {
            Some((loan, held)) => (loan.slice_mut::<T>(own), *held),
            None => (&mut one[..], false),
        };
        if let Target::Same = target {
            for start in (0..own).step_by(TILE) {
                let end = (start + TILE).min(own);
                tile(start, &mut out[start..end], held);
            }
        } else {
            if !held {
                out.fill(T::zero());
            }
            let len: usize = result.iter().product();
            let mut buffer = [T::zero(); TILE];
            for start in (0..len).step_by(TILE) {
                let buffer = &mut buffer[..TILE.min(len - start)];
                tile(start, buffer, false);
                match &target {
                    Target::Repeated(walk) => scatter_add(out, walk, start, buffer),
                    _ => out[0] += pairwise_sum(buffer),
                }
            }
        }
        match array {
            Some((loan, _)) => self.store(&node, loan),
            None => self.add_one(id, &node, one[0]),
        }
    }

    /// Adds an array, of any strides, to the cotangent of node `id`, summed back from `result`.
    fn add_array(&mut self, tape: &Tape<T>, id: usize, value: &Operand<'_, T>, result: &[usize]) {
        let node = tape.nodes[id];
        let len = result.iter().product();
        if node.is_lane() {
            let mut sum = [T::zero()];
            unbroadcast_into(value, len, &Target::One, &mut sum, false);
            return self.add_one(id, &node, sum[0]);
        }
        let own = tape.entry(id).len;
        let (mut loan, held) = self.buffer(id, &node, own);
        unbroadcast_into(value, len, &Target::new(tape.shape(id), result), loan.slice_mut(own), held);
        self.store(&node, loan);
    }

    /// The elementwise nodes from `from` down to the next structured one that has a cotangent, which is returned.
    fn run_down(&mut self, tape: &mut Tape<T>, memory: &Memory<T>, from: usize) -> Option<usize> {
        let mut id = from;
        loop {
            let node = tape.nodes[id];
            if node.is_differentiable() && self.visit(tape, memory, id, &node) {
                return Some(id);
            }
            if id <= self.low {
                return None;
            }
            id -= 1;
        }
    }

    /// Handles node `id`; `true` if it is a structured op with a cotangent, which is left to the caller.
    #[inline(always)]
    fn visit(&mut self, tape: &mut Tape<T>, memory: &Memory<T>, id: usize, node: &Node) -> bool {
        match node.kind {
            Kind::Call => return tape.results_of(id).any(|r| self.is_present(&tape.nodes[r])),
            Kind::Leaf => {
                if self.is_present(node) {
                    self.reached.push(id as u32);
                }
                return false;
            }
            Kind::Constant => return false,
            Kind::Formula => {
                self.visit_formula(tape, memory, id, node);
                return false;
            }
            Kind::Projection => {
                // The cotangent stays where it is until the op itself is reached, which must not be missed.
                if self.is_present(node) {
                    self.low = self.low.min(node.a as usize);
                }
                return false;
            }
            _ => {}
        }
        if node.is_lane() {
            let cell = &mut self.lane[node.slot as usize];
            if cell.is_absent() {
                return false;
            }
            let y_bar = std::mem::replace(cell, T::ABSENT);
            if node.is_retained() {
                self.keep(id, Held::One(y_bar));
            }
            self.visit_one(tape, memory, node, y_bar);
        } else if let Some(y_bar) = self.arrays[node.slot as usize].take() {
            if node.is_retained() {
                self.keep_copy(tape.entry(id).len, id, &y_bar);
            }
            self.visit_array(tape, memory, id, node, &y_bar);
            self.pool.give_back(y_bar);
        }
        false
    }

    fn is_present(&self, node: &Node) -> bool {
        match node.is_lane() {
            true => !self.lane[node.slot as usize].is_absent(),
            false => {
                node.has_value() && node.dtype() == Dtype::Real && self.arrays[node.slot as usize].is_some()
            }
        }
    }

    #[inline(always)]
    fn visit_one(&mut self, tape: &Tape<T>, memory: &Memory<T>, node: &Node, y_bar: T) {
        let number = |n: &Node| Number::<T, SCALAR>(memory.lane.get(n.slot as usize));
        let a = &tape.nodes[node.a as usize];
        let y = number(node);
        match node.kind {
            Kind::Unary(op) => {
                let partial = unary_partial(op, number(a), y).0;
                self.add_one(node.a as usize, a, y_bar * partial);
            }
            Kind::Tuned(op) => {
                let partial = tuned_partial(op, tape.params[node.b as usize], number(a), y).0;
                self.add_one(node.a as usize, a, y_bar * partial);
            }
            Kind::Binary(op) => {
                let b = &tape.nodes[node.b as usize];
                if a.is_differentiable() {
                    let partial = binary_partial(op, 0, number(a), number(b), y).0;
                    self.add_one(node.a as usize, a, y_bar * partial);
                }
                if b.is_differentiable() {
                    let partial = binary_partial(op, 1, number(a), number(b), y).0;
                    self.add_one(node.b as usize, b, y_bar * partial);
                }
            }
            _ => unreachable!("structured ops are left to the caller"),
        }
    }

    fn visit_array(&mut self, tape: &Tape<T>, memory: &Memory<T>, id: usize, node: &Node, y_bar: &Loan) {
        let len = tape.entry(id).len;
        let y_bar = y_bar.slice::<T>(len);
        let y = memory.slab.slice::<T>(tape.arrays[node.slot as usize].place, len);
        match node.kind {
            Kind::Unary(op) => self.visit_map(tape, memory, Map::Unary(op), node.a as usize, id, y, y_bar),
            Kind::Tuned(op) => {
                let op = Map::Tuned(op, tape.params[node.b as usize]);
                self.visit_map(tape, memory, op, node.a as usize, id, y, y_bar);
            }
            Kind::Binary(op) => self.visit_zip(tape, memory, op, id, y, y_bar),
            _ => unreachable!("structured ops are left to the caller"),
        }
    }

    /// One pass over the tiles of a formula: the cotangents of its arguments, and its total if that is still pending.
    #[inline(never)]
    fn visit_formula(&mut self, tape: &mut Tape<T>, memory: &Memory<T>, id: usize, node: &Node) {
        let Some(y_bar) = self.take(node) else { return };
        let formula = tape.formulas[node.a as usize];
        let Entry { len, layout: Layout { shape, .. }, .. } = tape.layouts.get(formula.layout);
        let result_len = if formula.total.is_some() { 1 } else { *len };
        if node.is_retained() {
            self.keep_copy(result_len, id, &y_bar);
        }
        let parents = tape.formula_parents(node.a);
        let mut ones: SmallVec<[T; 8]> = SmallVec::from_elem(T::zero(), parents.len());
        let mut loans: SmallVec<[Option<(Loan, bool)>; 8]> = SmallVec::new();
        for &parent in parents {
            let node = tape.nodes[parent as usize];
            let array = node.is_differentiable() && !node.is_lane();
            loans.push(array.then(|| self.buffer(parent as usize, &node, tape.entry(parent as usize).len)));
        }
        let mut into: SmallVec<[Into<'_, T>; 8]> = SmallVec::new();
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
            None => Seed::Array(y_bar.slice::<T>(*len)),
        };
        let sum = tape.run(&formula, &leaves).reverse(&mut self.scratch, seed, &mut into);
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

    fn visit_map(
        &mut self,
        tape: &Tape<T>,
        memory: &Memory<T>,
        op: Map,
        parent: usize,
        id: usize,
        y: &[T],
        y_bar: &[T],
    ) {
        let node = tape.nodes[parent];
        let array = tape.arrays[node.slot as usize];
        if tape.layouts.get(array.layout).contiguous {
            let x = memory.slab.slice::<T>(array.place, y.len());
            let (mut loan, held) = self.buffer(parent, &node, y.len());
            map_vjp(op, x, y, y_bar, loan.slice_mut(y.len()), held);
            return self.store(&node, loan);
        }
        let shape = tape.shape(id);
        let x = tape.operand(memory, parent, shape);
        let mut spare = [T::zero(); TILE];
        self.add_tiles(tape, parent, shape, |start, out, accumulate| {
            let range = start..start + out.len();
            let x = x.load(start, &mut spare[..out.len()]);
            map_vjp(op, x, &y[range.clone()], &y_bar[range], out, accumulate);
        });
    }

    fn visit_zip(&mut self, tape: &Tape<T>, memory: &Memory<T>, op: Binary, id: usize, y: &[T], y_bar: &[T]) {
        let node = tape.nodes[id];
        let parents = [node.a as usize, node.b as usize];
        let [na, nb] = parents.map(|p| tape.nodes[p]);
        if let Some((a, b, _, len)) = tape.alike(&na, &nb) {
            let ab = [memory.slab.slice::<T>(a, len), memory.slab.slice::<T>(b, len)];
            for (k, (parent, node)) in parents.into_iter().zip([na, nb]).enumerate() {
                if node.is_differentiable() {
                    let (mut loan, held) = self.buffer(parent, &node, len);
                    zip_vjp(op, k, ab, y, y_bar, loan.slice_mut(len), held);
                    self.store(&node, loan);
                }
            }
            return;
        }
        let shape = tape.shape(id);
        let [a, b] = parents.map(|p| tape.operand(memory, p, shape));
        let mut spare = [[T::zero(); TILE]; 2];
        for (k, &parent) in parents.iter().enumerate() {
            if !tape.nodes[parent].is_differentiable() {
                continue;
            }
            let [spare_a, spare_b] = &mut spare;
            self.add_tiles(tape, parent, shape, |start, out, accumulate| {
                let (n, range) = (out.len(), start..start + out.len());
                let ab = [a.load(start, &mut spare_a[..n]), b.load(start, &mut spare_b[..n])];
                zip_vjp(op, k, ab, &y[range.clone()], &y_bar[range], out, accumulate);
            });
        }
    }

    /// Keeps a copy of the cotangent of an array, or of a number in a buffer.
    fn keep_copy(&mut self, len: usize, id: usize, y_bar: &Loan) {
        let mut copy = self.pool.lend::<T>(len);
        copy.slice_mut::<T>(len).copy_from_slice(y_bar.slice(len));
        self.keep(id, Held::Array(copy));
    }

    /// Adds to the gradient of a retained intermediate.
    fn keep(&mut self, id: usize, held: Held<T>) {
        match self.retained.binary_search_by_key(&(id as u32), |(node, _)| *node) {
            Ok(at) => merge(&mut self.pool, &mut self.retained[at].1, held),
            Err(at) => self.retained.insert(at, (id as u32, held)),
        }
    }

    /// Ends a sweep that went through: the cotangents of leaves become (or join) their gradients.
    fn commit(&mut self, tape: &Tape<T>) {
        let reached = std::mem::take(&mut self.reached);
        for &id in &reached {
            let node = tape.nodes[id as usize];
            let new = match node.is_lane() {
                true => Held::One(std::mem::replace(&mut self.lane[node.slot as usize], T::ABSENT)),
                false => Held::Array(self.arrays[node.slot as usize].take().expect("was reached")),
            };
            let index = node.a as usize;
            if self.inputs.len() <= index {
                self.inputs.resize_with(index + 1, || None);
            }
            match &mut self.inputs[index] {
                Some(old) => merge(&mut self.pool, old, new),
                none => *none = Some(new),
            }
        }
        self.reached = reached;
        self.reached.clear();
        self.dirty = false;
    }
}

fn give_back<T>(pool: &mut Pool, held: Held<T>) {
    if let Held::Array(loan) = held {
        pool.give_back(loan);
    }
}

/// Adds `new` to `old`. Both are of one node, so both are numbers or arrays of one length.
fn merge<T: Functions>(pool: &mut Pool, old: &mut Held<T>, new: Held<T>) {
    match (old, new) {
        (Held::One(old), Held::One(new)) => *old += new,
        (Held::Array(old), Held::Array(new)) => {
            let len = new.capacity::<T>();
            old.slice_mut::<T>(len).iter_mut().zip(new.slice::<T>(len)).for_each(|(o, n)| *o += *n);
            pool.give_back(new);
        }
        _ => unreachable!("a node does not change its kind"),
    }
}

impl<T: Functions> Graph<T> {
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
            let rule = "the root must have exactly one element; give a cotangent with backward_with, or reduce it first";
            return Err(self.error(Refusal::new(ErrorKind::NonScalarBackward, rule), "backward", &[y]));
        }
        self.sweep_from("backward", y, id, |seed| seed.fill(T::one()))
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
        self.sweep_from("backward_with", y, id, |seed| y_bar.write(seed))
    }

    /// The id of a node that can be differentiated.
    pub(crate) fn check_root(&self, what: &'static str, y: Var) -> Result<usize> {
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

    fn sweep_from(
        &mut self,
        what: &'static str,
        y: Var,
        id: usize,
        seed: impl FnOnce(&mut [T]),
    ) -> Result<()> {
        self.check_unmodified(what, y, id)?;
        let tape = self.tape.get_mut();
        self.sweep.open(self.memory.lane.len(), tape.arrays.len());
        let node = tape.nodes[id];
        if node.is_lane() {
            let mut one = [T::zero()];
            seed(&mut one);
            self.sweep.add_one(id, &node, one[0]);
        } else {
            let len = tape.entry(id).len;
            let (mut loan, _) = self.sweep.buffer(id, &node, len);
            seed(loan.slice_mut(len));
            self.sweep.store(&node, loan);
        }
        let mut from = id;
        while let Some(call) = self.sweep.run_down(self.tape.get_mut(), &self.memory, from) {
            if let Err(error) = self.sweep_call(call) {
                self.sweep.abandon();
                return Err(error);
            }
            if call <= self.sweep.low {
                break;
            }
            from = call - 1;
        }
        self.sweep.commit(self.tape.get_mut());
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
            Kind::Formula => parents.into(),
            Kind::Tuned(Tuned::Shift | Tuned::Scale | Tuned::SubFrom | Tuned::DivBy) => SmallVec::new(),
            Kind::Binary(Binary::Mul) => {
                let needs = |k: usize| tape.nodes[parents[1 - k]].is_differentiable();
                (0..2).filter(|&k| needs(k)).map(|k| parents[k]).collect()
            }
            Kind::Call => match &tape.calls[node.a as usize].op {
                Operation::Op(op) if ops::rule::<T>(op).is_linear() => {
                    parents.iter().copied().filter(|&p| tape.nodes[p].dtype() != Dtype::Real).collect()
                }
                _ => parents.into(),
            },
            _ => parents.into(),
        }
    }

    /// Propagates the cotangents of the structured op at node `id` to its arguments.
    fn sweep_call(&mut self, id: usize) -> Result<()> {
        let tape = self.tape.get_mut();
        let node = tape.nodes[id];
        let operation = tape.calls[node.a as usize].op.clone();
        let parents: SmallVec<[usize; 4]> = tape.call_parents(node.a).iter().map(|&p| p as usize).collect();
        let results: SmallVec<[usize; 4]> = tape.results_of(id).collect();
        let needs: SmallVec<[bool; 4]> = parents.iter().map(|&p| tape.nodes[p].is_differentiable()).collect();
        let mut y_bars: SmallVec<[Option<Loan>; 4]> = SmallVec::new();
        for &result in &results {
            let node = tape.nodes[result];
            let y_bar = self.sweep.take(&node);
            if let Some(y_bar) = y_bar.as_ref().filter(|_| node.is_retained()) {
                self.sweep.keep_copy(tape.entry(result).len, result, y_bar);
            }
            y_bars.push(y_bar);
        }
        let shapes: SmallVec<[Shape; 4]> = results.iter().map(|&r| tape.shape(r).clone()).collect();
        let done = match &operation {
            Operation::Op(op) if !repeats(&parents) => {
                let rule = ops::rule::<T>(op);
                self.sweep_kernel(rule, &parents, &results, &needs, &y_bars, &shapes)
            }
            _ => false,
        };
        let outcome = if done {
            Ok(())
        } else {
            self.sweep_recorded(&operation, id, &parents, &results, &needs, &y_bars, &shapes)
        };
        y_bars.into_iter().flatten().for_each(|loan| self.sweep.pool.give_back(loan));
        outcome
    }

    /// The direct kernel of a rule, where it has one.
    fn sweep_kernel(
        &mut self,
        rule: &dyn rule::Rule<T>,
        parents: &[usize],
        results: &[usize],
        needs: &[bool],
        y_bars: &[Option<Loan>],
        shapes: &[Shape],
    ) -> bool {
        let (tape, memory, sweep) = (&*self.tape.get_mut(), &self.memory, &mut self.sweep);
        let x: SmallVec<[Input<'_, T>; 4]> = parents.iter().map(|&p| tape.input(memory, p)).collect();
        let y: SmallVec<[Input<'_, T>; 4]> = results.iter().map(|&r| tape.input(memory, r)).collect();
        let views: SmallVec<[Option<ArrayViewD<'_, T>>; 4]> =
            y_bars.iter().zip(shapes).map(|(loan, shape)| loan.as_ref().map(|l| l.view(shape))).collect();
        let mut loans: SmallVec<[Option<(Loan, bool)>; 4]> = SmallVec::new();
        for (&parent, &needed) in parents.iter().zip(needs) {
            let node = tape.nodes[parent];
            let len = tape.entry(parent).len;
            loans.push(match needed {
                false => None,
                true if node.is_lane() => Some((sweep.pool.lend::<T>(1), false)),
                true => Some(sweep.buffer(parent, &node, len)),
            });
        }
        let done = {
            let mut x_bar: SmallVec<[Option<Cotangent<'_, T>>; 4]> = SmallVec::new();
            for (slot, &parent) in loans.iter_mut().zip(parents) {
                x_bar.push(slot.as_mut().map(|(loan, held)| Cotangent {
                    array: loan.view_mut(tape.shape(parent)),
                    accumulate: *held,
                }));
            }
            rule.vjp_kernel(&x, &y, &views, &mut x_bar)
        };
        for (slot, &parent) in loans.into_iter().zip(parents) {
            let node = tape.nodes[parent];
            match slot {
                Some((loan, _)) if node.is_lane() => {
                    if done {
                        sweep.add_one(parent, &node, loan.slice::<T>(1)[0]);
                    }
                    sweep.pool.give_back(loan);
                }
                Some((loan, held)) if done || held => sweep.store(&node, loan),
                Some((loan, _)) => sweep.pool.give_back(loan),
                None => {}
            }
        }
        done
    }

    /// The vjp of an op, recorded behind the tape without gradients, read off and forgotten.
    fn sweep_recorded(
        &mut self,
        operation: &Operation<T>,
        id: usize,
        parents: &[usize],
        results: &[usize],
        needs: &[bool],
        y_bars: &[Option<Loan>],
        shapes: &[Shape],
    ) -> Result<()> {
        let to = self.tape.borrow().lengths(&self.memory);
        let at = self.at.replace(self.tape.borrow().line(id));
        let cotangents = self.no_grad(|g| {
            let y_bars: SmallVec<[Option<Var>; 4]> = y_bars
                .iter()
                .zip(shapes)
                .map(|(loan, shape)| loan.as_ref().map(|loan| g.lend_node(loan, shape)))
                .collect();
            g.record_vjp(operation, parents, results, needs, &y_bars)
        });
        self.at.set(at);
        let cotangents = cotangents?;
        let tape = self.tape.get_mut();
        for (&parent, cotangent) in parents.iter().zip(&cotangents) {
            if let Some(v) = cotangent.filter(|_| tape.nodes[parent].is_differentiable()) {
                let shape = tape.shape(v.id).clone();
                let value = tape.operand(&self.memory, v.id, &shape);
                self.sweep.add_array(tape, parent, &value, &shape);
            }
        }
        tape.truncate(&self.memory, &to);
        Ok(())
    }

    /// A lent cotangent as a constant node.
    fn lend_node(&self, loan: &Loan, shape: &[usize]) -> Var {
        if crate::graph::tape::in_lane(shape) {
            return self.push_number(loan.slice::<T>(1)[0], shape.len() as u16);
        }
        self.push_alias(loan.place(), shape)
    }

    /// The cotangents of an op's arguments, recorded; errors carry the op's line.
    pub(crate) fn record_vjp(
        &self,
        operation: &Operation<T>,
        parents: &[usize],
        results: &[usize],
        needs: &[bool],
        y_bars: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 4]>, Error> {
        let handles = |ids: &[usize]| -> SmallVec<[Var; 4]> {
            let tape = self.tape.borrow();
            ids.iter().map(|&id| tape.handle(id)).collect()
        };
        let (args, ys) = (handles(parents), handles(results));
        match operation {
            Operation::Op(op) => {
                let terms = |vars: &[Var]| -> SmallVec<[Term<'_, T>; 4]> {
                    vars.iter().map(|&v| Term::new(self, v)).collect()
                };
                let (args, results) = (terms(&args), terms(&ys));
                let y_bar: SmallVec<[Option<Term<'_, T>>; 4]> =
                    y_bars.iter().map(|v| v.map(|v| Term::new(self, v))).collect();
                let call = rule::Call { args: &args, results: &results, needs };
                let cotangents = ops::rule::<T>(op).vjp(&call, &y_bar);
                Ok(cotangents.into_iter().map(|term| term.map(Term::var)).collect())
            }
            Operation::Custom(op) => {
                let y_bar = y_bars[0].expect("one result, reached");
                let refused = |refusal| self.error(refusal, op.name(), &args);
                let cotangents = op.vjp(self, &args, ys[0], y_bar).map_err(refused)?;
                if cotangents.len() != args.len() {
                    let rule =
                        format!("vjp gave {} cotangents for {} arguments", cotangents.len(), args.len());
                    return Err(refused(Refusal::new(ErrorKind::CustomOp, rule)));
                }
                for (&arg, &cotangent) in args.iter().zip(&cotangents) {
                    let (Some(v), want) = (cotangent, self.shape(arg)) else { continue };
                    if self.shape(v) != want {
                        let rule = format!(
                            "vjp gave a cotangent of {:?} for an argument of {want:?}",
                            self.shape(v)
                        );
                        return Err(refused(Refusal::new(ErrorKind::CustomOp, rule)));
                    }
                }
                Ok(cotangents.into_iter().collect())
            }
        }
    }
}

impl<T: Functions> Sweep<T> {
    /// Takes the cotangent of a node out, as a buffer.
    fn take(&mut self, node: &Node) -> Option<Loan> {
        if !self.is_present(node) {
            return None;
        }
        if !node.is_lane() {
            return self.arrays[node.slot as usize].take();
        }
        let mut loan = self.pool.lend::<T>(1);
        loan.slice_mut::<T>(1)[0] = std::mem::replace(&mut self.lane[node.slot as usize], T::ABSENT);
        Some(loan)
    }
}

fn repeats(ids: &[usize]) -> bool {
    ids.iter().enumerate().any(|(k, id)| ids[..k].contains(id))
}
