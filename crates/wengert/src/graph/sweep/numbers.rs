//! Single numbers in a sweep: no buffers, no kernels, a few loads and a multiplication each.

use super::{Held, Sweep};
use crate::graph::tape::{Kind, Memory, Node, Tape};
use crate::kernel::functions::Functions;
use crate::kernel::level::SCALAR;
use crate::kernel::number::Number;
use crate::memory::prefetch;
use crate::op::Binary;
use crate::words::{binary_partial, tuned_partial, unary_partial};

/// How many nodes ahead of the sweep memory is asked for.
const AHEAD: usize = 1024;
/// How often it is asked for.
pub(super) const STEP: usize = AHEAD / 64;

impl<T: Functions> Sweep<T> {
    /// Adds to the cotangent of a node in the lane.
    #[inline(always)]
    pub fn add_one(&mut self, id: usize, node: &Node, value: T) {
        add_to(&mut self.lane[node.slot as usize], value);
        self.low = self.low.min(id);
    }

    /// Asks for the nodes and numbers that the sweep will come to.
    #[inline(always)]
    pub(super) fn fetch(&self, tape: &Tape<T>, memory: &Memory<T>, id: usize, node: &Node) {
        fetch(tape, memory, &self.lane, id, node);
    }

    /// Ops on single numbers, one behind the other, from `from` down to the first node that is something else, which is
    /// returned; `None` where the sweep ends before.
    #[inline(never)]
    pub(super) fn run_numbers(&mut self, tape: &Tape<T>, memory: &Memory<T>, from: usize) -> Option<usize> {
        let (nodes, bars) = (&tape.nodes[..], &mut self.lane[..]);
        let (mut id, mut low) = (from, self.low);
        while nodes[id].is_number_op() {
            let node = &nodes[id];
            if id.is_multiple_of(STEP) {
                fetch(tape, memory, bars, id, node);
            }
            let y_bar = std::mem::replace(&mut bars[node.slot as usize], T::ABSENT);
            if node.is_differentiable() && !y_bar.is_absent() {
                if node.is_retained() {
                    self.found.push((id as u32, Held::One(y_bar)));
                }
                each_partial(tape, memory, node, |id, parent, partial| {
                    add_to(&mut bars[parent.slot as usize], y_bar * partial);
                    low = low.min(id);
                });
            }
            if id <= low.max(self.floor) {
                self.low = low;
                return None;
            }
            id -= 1;
        }
        self.low = low;
        Some(id)
    }

    /// The row of a formula of numbers: to each leaf its partial.
    #[inline(always)]
    pub(super) fn visit_statement(&mut self, tape: &Tape<T>, id: usize, node: &Node) {
        let cell = &mut self.lane[node.slot as usize];
        if cell.is_absent() {
            return;
        }
        let y_bar = std::mem::replace(cell, T::ABSENT);
        if node.is_retained() {
            self.keep(id, Held::One(y_bar));
        }
        each_weight(tape, node, |id, parent, weight| self.add_one(id, parent, y_bar * weight));
    }
}

#[inline(always)]
fn add_to<T: Functions>(cell: &mut T, value: T) {
    let sum = *cell + value;
    *cell = if cell.is_absent() { value } else { sum };
}

/// Asks for the nodes, numbers and cotangents that the sweep will come to: code that works on many numbers at a time reads
/// what is that far down long before.
#[inline(never)]
fn fetch<T: Functions>(tape: &Tape<T>, memory: &Memory<T>, bars: &[T], id: usize, node: &Node) {
    if let Some(nodes) = id.checked_sub(AHEAD).and_then(|to| tape.nodes.get(to - STEP.min(to)..to)) {
        prefetch(nodes);
    }
    if node.is_lane()
        && let Some(to) = (node.slot as usize).checked_sub(AHEAD)
    {
        let from = to - STEP.min(to);
        prefetch(&bars[from..to]);
        memory.lane.prefetch(from, to);
    }
}

/// Calls `f(id, parent, partial)` for each argument of an elementwise op on numbers that is differentiated.
#[inline(always)]
pub(super) fn each_partial<T: Functions>(
    tape: &Tape<T>,
    memory: &Memory<T>,
    node: &Node,
    mut f: impl FnMut(usize, &Node, T),
) {
    let (a, nodes) = (node.a as usize, &tape.nodes[..]);
    let Kind::Binary(op) = node.kind else {
        return f(a, &nodes[a], map_partial(tape, memory, node));
    };
    let b = node.b as usize;
    let (na, nb) = (&nodes[a], &nodes[b]);
    let numbers = [number(memory, na), number(memory, nb), number(memory, node)];
    // The commonest ops are looked at first, in place; what a partial does not read is not looked up.
    let [to_a, to_b] = match op {
        Binary::Add => zip_partials(Binary::Add, numbers),
        Binary::Sub => zip_partials(Binary::Sub, numbers),
        Binary::Mul => zip_partials(Binary::Mul, numbers),
        op => other_partials(op, numbers, [na, nb]),
    };
    if na.is_differentiable() {
        f(a, na, to_a.0);
    }
    if nb.is_differentiable() {
        f(b, nb, to_b.0);
    }
}

#[inline(always)]
fn number<T: Functions>(memory: &Memory<T>, node: &Node) -> Number<T, SCALAR> {
    Number(memory.lane.get(node.slot as usize))
}

/// The partials of a binary op on `a` and `b`, of result `y`.
#[inline(always)]
fn zip_partials<T: Functions>(op: Binary, [a, b, y]: [Number<T, SCALAR>; 3]) -> [Number<T, SCALAR>; 2] {
    [binary_partial(op, 0, a, b, y), binary_partial(op, 1, a, b, y)]
}

#[inline(never)]
fn other_partials<T: Functions>(
    op: Binary,
    [a, b, y]: [Number<T, SCALAR>; 3],
    parents: [&Node; 2],
) -> [Number<T, SCALAR>; 2] {
    let mut partials = [Number(T::zero()); 2];
    for (k, partial) in partials.iter_mut().enumerate().filter(|(k, _)| parents[*k].is_differentiable()) {
        *partial = binary_partial(op, k, a, b, y);
    }
    partials
}

#[inline(never)]
fn map_partial<T: Functions>(tape: &Tape<T>, memory: &Memory<T>, node: &Node) -> T {
    let (x, y) = (number(memory, &tape.nodes[node.a as usize]), number(memory, node));
    match node.kind {
        Kind::Unary(op) => unary_partial(op, x, y).0,
        Kind::Tuned(op) => tuned_partial(op, tape.params[node.b as usize], x, y).0,
        _ => unreachable!("structured ops are left to the caller"),
    }
}

/// Calls `f(id, leaf, partial)` for each leaf of a formula of numbers that is differentiated: its row.
#[inline(always)]
pub(super) fn each_weight<T: Functions>(tape: &Tape<T>, node: &Node, mut f: impl FnMut(usize, &Node, T)) {
    let formula = &tape.formulas[node.a as usize];
    let (first, len) = formula.leaves;
    let weights = &tape.weights[formula.weights.expect("a row") as usize..][..len as usize];
    for (&parent, &weight) in tape.parents[first as usize..][..len as usize].iter().zip(weights) {
        let node = &tape.nodes[parent as usize];
        if node.is_differentiable() {
            f(parent as usize, node, weight);
        }
    }
}
