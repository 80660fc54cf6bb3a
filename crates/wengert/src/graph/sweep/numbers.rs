//! Single numbers in a sweep: no buffers, no kernels, a few loads and a multiplication each.

use super::{Held, Sweep};
use crate::graph::tape::{Kind, Memory, Node, Tape};
use crate::kernel::functions::Functions;
use crate::kernel::level::SCALAR;
use crate::kernel::number::Number;
use crate::memory::prefetch;
use crate::op::{Binary, Unary};
use crate::words::{binary_partial, tuned_partial, unary_partial};

/// How many nodes ahead of the sweep memory is asked for.
const AHEAD: usize = 1024;
/// How often it is asked for.
pub(super) const STEP: usize = AHEAD / 64;

impl<T: Functions> Sweep<T> {
    /// Adds to the cotangent of a node in the lane.
    #[inline(always)]
    pub fn add_one(&mut self, id: usize, value: T) {
        add_to(&mut self.lane[id], value);
        self.low = self.low.min(id);
    }

    /// Ops on single numbers, one behind the other, from `from` down to the first node that is something else, which is
    /// returned; `None` where the sweep ends before.
    #[inline(never)]
    pub(super) fn run_numbers(&mut self, tape: &Tape<T>, memory: &Memory<T>, from: usize) -> Option<usize> {
        let (nodes, bars, floor) = (&tape.nodes[..], &mut self.lane[..], self.floor);
        let (mut id, mut low) = (from, self.low);
        while nodes[id].is_number_op() {
            let node = &nodes[id];
            if id.is_multiple_of(STEP) {
                fetch(tape, memory, bars, id);
            }
            let y_bar = std::mem::replace(&mut bars[id], T::ABSENT);
            if node.is_differentiable() && !y_bar.is_absent() {
                if node.is_retained() {
                    self.found.push((id as u32, Held::One(y_bar)));
                }
                each_partial(tape, memory, id, node, |parent, partial| {
                    add_to(&mut bars[parent], y_bar * partial);
                    low = low.min(parent);
                });
            }
            if id <= low.max(floor) {
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
        let y_bar = std::mem::replace(&mut self.lane[id], T::ABSENT);
        if y_bar.is_absent() {
            return;
        }
        if node.is_retained() {
            self.keep(id, Held::One(y_bar));
        }
        let (bars, mut low) = (&mut self.lane[..], self.low);
        each_weight(tape, node, |leaf, weight| {
            add_to(&mut bars[leaf], y_bar * weight);
            low = low.min(leaf);
        });
        self.low = low;
    }
}

#[inline(always)]
fn add_to<T: Functions>(cell: &mut T, value: T) {
    *cell = cell.or_nothing() + value;
}

/// Asks for the nodes, numbers and cotangents that the sweep will come to: code that works on many numbers at a time reads
/// what is that far down long before.
#[inline(never)]
pub(super) fn fetch<T: Functions>(tape: &Tape<T>, memory: &Memory<T>, bars: &[T], id: usize) {
    if let Some(to) = id.checked_sub(AHEAD) {
        let from = to - STEP.min(to);
        prefetch(&tape.nodes[from..to]);
        prefetch(&bars[from..to]);
        memory.lane.prefetch(from, to);
    }
}

/// Calls `f(parent, partial)` for each argument of the elementwise op on numbers at node `id` that is differentiated.
#[inline(always)]
pub(super) fn each_partial<T: Functions>(
    tape: &Tape<T>,
    memory: &Memory<T>,
    id: usize,
    node: &Node,
    mut f: impl FnMut(usize, T),
) {
    let a = node.a as usize;
    // The commonest ops are looked at first, in place; what a partial does not read is not looked up.
    let op = match node.kind {
        Kind::Binary(op) => op,
        Kind::Unary(Unary::Exp) => return f(a, map_partial(Unary::Exp, memory, [a, id])),
        Kind::Unary(Unary::Sin) => return f(a, map_partial(Unary::Sin, memory, [a, id])),
        Kind::Unary(Unary::Square) => return f(a, map_partial(Unary::Square, memory, [a, id])),
        _ => return f(a, other_map_partial(tape, memory, id)),
    };
    let (b, reaches) = (node.b as usize, node.reaches());
    let [to_a, to_b] = match op {
        Binary::Add => zip_partials(Binary::Add, memory, [a, b, id]),
        Binary::Sub => zip_partials(Binary::Sub, memory, [a, b, id]),
        Binary::Mul => zip_partials(Binary::Mul, memory, [a, b, id]),
        op => other_partials(op, memory, [a, b, id], reaches),
    };
    if reaches[0] {
        f(a, to_a);
    }
    if reaches[1] {
        f(b, to_b);
    }
}

/// The partials of a binary op at node `y` to nodes `a` and `b`.
#[inline(always)]
fn zip_partials<T: Functions>(op: Binary, memory: &Memory<T>, [a, b, y]: [usize; 3]) -> [T; 2] {
    let (a, b, y) = (number(memory, a), number(memory, b), number(memory, y));
    [binary_partial(op, 0, a, b, y).0, binary_partial(op, 1, a, b, y).0]
}

#[inline(never)]
fn other_partials<T: Functions>(
    op: Binary,
    memory: &Memory<T>,
    [a, b, y]: [usize; 3],
    reaches: [bool; 2],
) -> [T; 2] {
    let (a, b, y) = (number(memory, a), number(memory, b), number(memory, y));
    let partial = |k: usize| if reaches[k] { binary_partial(op, k, a, b, y).0 } else { T::zero() };
    [partial(0), partial(1)]
}

#[inline(always)]
fn number<T: Functions>(memory: &Memory<T>, id: usize) -> Number<T, SCALAR> {
    Number(memory.lane.get(id))
}

/// The partial of an op at node `y` to node `x`.
#[inline(always)]
fn map_partial<T: Functions>(op: Unary, memory: &Memory<T>, [x, y]: [usize; 2]) -> T {
    unary_partial(op, number(memory, x), number(memory, y)).0
}

#[inline(never)]
fn other_map_partial<T: Functions>(tape: &Tape<T>, memory: &Memory<T>, id: usize) -> T {
    let node = &tape.nodes[id];
    let (x, y) = (number(memory, node.a as usize), number(memory, id));
    match node.kind {
        Kind::Unary(op) => unary_partial(op, x, y).0,
        Kind::Tuned(op) => tuned_partial(op, tape.params[node.b as usize], x, y).0,
        _ => unreachable!("structured ops are left to the caller"),
    }
}

/// Calls `f(leaf, partial)` for each leaf of a formula of numbers that is differentiated: its row.
#[inline(always)]
pub(super) fn each_weight<T: Functions>(tape: &Tape<T>, node: &Node, mut f: impl FnMut(usize, T)) {
    let formula = &tape.formulas[node.a as usize];
    let (first, len) = (formula.leaves.0 as usize, formula.leaves.1 as usize);
    let first_weight = formula.weights.expect("a row") as usize;
    // As far ahead as `fetch` looks, at some five leaves a formula.
    prefetch(&tape.weights[first_weight.saturating_sub(AHEAD)..][..len]);
    prefetch(&tape.parents[first.saturating_sub(AHEAD)..][..len]);
    let weights = &tape.weights[first_weight..][..len];
    for (&leaf, &weight) in tape.parents[first..][..len].iter().zip(weights) {
        if node.reaches()[0] || tape.nodes[leaf as usize].is_differentiable() {
            f(leaf as usize, weight);
        }
    }
}
