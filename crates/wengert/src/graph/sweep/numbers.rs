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
        let cell = &mut self.lane[node.slot as usize];
        let sum = *cell + value;
        *cell = if cell.is_absent() { value } else { sum };
        self.low = self.low.min(id);
    }

    /// Asks for the nodes and numbers that the sweep will come to: code that works on many numbers at a time reads what
    /// is that far down long before.
    #[inline(always)]
    pub(super) fn fetch(&self, tape: &Tape<T>, memory: &Memory<T>, id: usize, node: &Node) {
        if let Some(nodes) = id.checked_sub(AHEAD).and_then(|to| tape.nodes.get(to - STEP.min(to)..to)) {
            prefetch(nodes);
        }
        if node.is_lane()
            && let Some(to) = (node.slot as usize).checked_sub(AHEAD)
        {
            let from = to - STEP.min(to);
            prefetch(&self.lane[from..to]);
            memory.lane.prefetch(from, to);
        }
    }

    /// Ops on single numbers, one behind the other, from `from` down to the first node that is something else, which is
    /// returned; `None` where the sweep ends before.
    pub(super) fn run_numbers(&mut self, tape: &Tape<T>, memory: &Memory<T>, from: usize) -> Option<usize> {
        let (nodes, floor) = (&tape.nodes[..], self.floor);
        let mut id = from;
        while nodes[id].is_number_op() {
            let node = &nodes[id];
            if id.is_multiple_of(STEP) {
                self.fetch(tape, memory, id, node);
            }
            let y_bar = self.lane[node.slot as usize];
            if node.is_differentiable() && !y_bar.is_absent() {
                if node.is_retained() {
                    self.keep(id, Held::One(y_bar));
                }
                self.lane[node.slot as usize] = T::ABSENT;
                each_partial(tape, memory, node, |id, parent, partial| {
                    self.add_one(id, parent, y_bar * partial);
                });
            }
            if id <= self.low.max(floor) {
                return None;
            }
            id -= 1;
        }
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

/// Calls `f(id, parent, partial)` for each argument of an elementwise op on numbers that is differentiated.
#[inline(always)]
pub(super) fn each_partial<T: Functions>(
    tape: &Tape<T>,
    memory: &Memory<T>,
    node: &Node,
    mut f: impl FnMut(usize, &Node, T),
) {
    let number = |n: &Node| Number::<T, SCALAR>(memory.lane.get(n.slot as usize));
    let a = &tape.nodes[node.a as usize];
    let y = number(node);
    match node.kind {
        Kind::Unary(op) => f(node.a as usize, a, unary_partial(op, number(a), y).0),
        Kind::Tuned(op) => {
            let partial = tuned_partial(op, tape.params[node.b as usize], number(a), y).0;
            f(node.a as usize, a, partial);
        }
        Kind::Binary(op) => {
            let b = &tape.nodes[node.b as usize];
            let (x, other) = (number(a), number(b));
            if a.is_differentiable() {
                f(node.a as usize, a, partial(op, 0, x, other, y).0);
            }
            if b.is_differentiable() {
                f(node.b as usize, b, partial(op, 1, x, other, y).0);
            }
        }
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

/// The partial of a row; the commonest ops are looked at first, in place.
#[inline(always)]
fn partial<T: Functions>(
    op: Binary,
    k: usize,
    a: Number<T, SCALAR>,
    b: Number<T, SCALAR>,
    y: Number<T, SCALAR>,
) -> Number<T, SCALAR> {
    match (op, k) {
        (Binary::Add, _) => binary_partial(Binary::Add, 0, a, b, y),
        (Binary::Mul, 0) => binary_partial(Binary::Mul, 0, a, b, y),
        (Binary::Mul, _) => binary_partial(Binary::Mul, 1, a, b, y),
        (op, k) => other_partial(op, k, a, b, y),
    }
}

#[inline(never)]
fn other_partial<T: Functions>(
    op: Binary,
    k: usize,
    a: Number<T, SCALAR>,
    b: Number<T, SCALAR>,
    y: Number<T, SCALAR>,
) -> Number<T, SCALAR> {
    binary_partial(op, k, a, b, y)
}
