//! Fused formulas: a small program of elementwise instructions, run tile by tile, forwards and in reverse.
//!
//! Everything an instruction reads or writes is a tile in the first-level cache; memory is touched once for each operand
//! and each cotangent. The instructions are the rows of the elementwise table through the same kernels as single ops, so a
//! fused formula has the very bits of its ops one by one (but for steps that are numbers, which by themselves are computed
//! by functions of numbers, to the same bounds).
//!
//! A run is planned once ([`plan`]): which values are needed at all, in which tiles they lie, and which cotangents
//! are another's under a second name. Then the plan is carried out for block after block of the elements ([`run`]).

mod cut;
mod joint;
mod plan;
mod plans;
mod run;
#[cfg(test)]
mod tests;
mod tiles;

pub use joint::Joint;
pub use run::{Into, Place, Run, Seed};
pub use tiles::Scratch;

use plan::{Plan, Want};

use crate::kernel::elementwise::Map;
use crate::kernel::reads::Reads;
use crate::op::{Binary, Params, Tuned, Unary};

/// Instructions of the longest program.
pub const LONGEST: usize = 48;
/// Results of a program that need no memory of their own to be listed, and as many as one is given.
pub const RESULTS: usize = 4;
/// Leaves of a formula that need no memory of their own to be listed.
pub const FEW: usize = 12;

/// Where an instruction finds an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Leaf(u16),
    Step(u16),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    Unary(Unary, Slot),
    /// The attributes are the numbers at this index and the next; they are no part of the program.
    Tuned(Tuned, Slot, u16),
    Binary(Binary, Slot, Slot),
}

/// Instructions with what belongs to them.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// The number that these steps have among the programs of the graph whose scratch is used, if they are one of them.
    pub number: Option<u32>,
    pub steps: &'a [Step],
    pub numbers: &'a [f64],
    /// The steps whose values are results, bit by bit: the last one, or one for each of several formulas that are run together.
    pub results: u64,
}

impl<'a> Program<'a> {
    /// A program with the value of its last step as result.
    pub fn new(steps: &'a [Step], numbers: &'a [f64]) -> Self {
        Program { number: None, steps, numbers, results: 1 << (steps.len() - 1) }
    }

    /// The leaves whose values are read for the cotangents of those that `wanted` says, bit by bit, by whatever way.
    pub fn reads_for(&self, wanted: u64) -> u64 {
        let want = |l: usize| if wanted >> l & 1 == 1 { Want::Written } else { Want::Nothing };
        let mut plan = Plan::default();
        plan.reverse(self, &std::array::from_fn::<_, { u64::BITS as usize }, _>(want), 0, false);
        plan.leaves
    }

    /// The place of step `k` among the results, if it is one.
    fn result(&self, k: usize) -> Option<u16> {
        let one = 1u64 << k;
        (self.results & one != 0).then(|| (self.results & (one - 1)).count_ones() as u16)
    }
}

impl Step {
    /// A number that no other step has.
    pub fn code(self) -> u64 {
        let slot = |s: Slot| match s {
            Slot::Leaf(k) => 2 * u64::from(k),
            Slot::Step(k) => 2 * u64::from(k) + 1,
        };
        let (kind, op, a, b) = match self {
            Step::Unary(op, a) => (0, op as u64, a, 0),
            Step::Tuned(op, a, at) => (1, op as u64, a, u64::from(at)),
            Step::Binary(op, a, b) => (2, op as u64, a, slot(b)),
        };
        // 2 bits, 8 bits (ops are bytes), 17 and 17 bits.
        kind | op << 2 | slot(a) << 10 | b << 27
    }

    pub fn name(self) -> &'static str {
        match self {
            Step::Unary(op, _) => op.name(),
            Step::Tuned(op, ..) => op.name(),
            Step::Binary(op, ..) => op.name(),
        }
    }

    /// The argument at `position`, 0 or 1.
    pub fn slot(self, position: usize) -> Option<Slot> {
        match (self, position) {
            (Step::Unary(_, a) | Step::Tuned(_, a, _) | Step::Binary(_, a, _), 0) => Some(a),
            (Step::Binary(_, _, b), 1) => Some(b),
            _ => None,
        }
    }

    /// What the partial to the argument at `position` reads.
    fn reads(self, position: usize, numbers: &[f64]) -> Reads {
        match self {
            Step::Unary(op, _) => Reads::unary(op),
            Step::Tuned(op, _, at) => Reads::tuned(op, params(numbers, at)),
            Step::Binary(op, ..) => Reads::binary(op, position),
        }
    }

    /// Whether the value and the partial are computed at once where both are wanted.
    fn joins(self) -> bool {
        match self {
            Step::Unary(op, _) => Map::Unary(op).joins(),
            Step::Tuned(op, ..) => Map::Tuned(op, [0.0; 2]).joins(),
            Step::Binary(..) => false,
        }
    }

    /// The factors, if this is a product.
    fn factors(self) -> Option<[Slot; 2]> {
        match self {
            Step::Binary(Binary::Mul, a, b) => Some([a, b]),
            Step::Unary(Unary::Square, a) => Some([a, a]),
            _ => None,
        }
    }

    pub fn is_flat(self) -> bool {
        matches!(self, Step::Unary(op, _) if op.is_flat())
    }

    /// Whether this takes a few instructions, so that it is done again sooner than its result is fetched from far away.
    pub fn is_arithmetic(self) -> bool {
        match self {
            Step::Unary(op, _) => {
                op.is_flat() || {
                    use Unary::*;
                    matches!(op, Neg | Abs | Square | Sqrt | Reciprocal | Relu)
                }
            }
            Step::Tuned(op, ..) => {
                use Tuned::*;
                matches!(op, Shift | Scale | SubFrom | DivBy | DivInto | Clamp | LeakyRelu | Threshold)
            }
            Step::Binary(op, ..) => {
                use Binary::*;
                matches!(op, Add | Sub | Mul | Div | Maximum | Minimum | Fmax | Fmin | Copysign | Heaviside)
            }
        }
    }

    /// Whether this is computed one number at a time.
    fn is_special(self) -> bool {
        match self {
            Step::Unary(op, _) => {
                use Unary::*;
                matches!(op, Erfcx | Erfinv | Ndtri | LogNdtr | Lgamma | Digamma | I0 | I1 | I0e | I1e)
            }
            Step::Tuned(op, ..) => {
                use Tuned::*;
                matches!(op, Polygamma | SincDerivative | ErfcxDerivative | Iv | IveDerivative)
            }
            Step::Binary(op, ..) => {
                use Binary::*;
                matches!(op, Betaln | DigammaGap | LogDigammaGap | GammaInc | GammaIncC | GammaIncDx)
            }
        }
    }

    /// What this takes, in steps of arithmetic, about.
    fn work(self) -> usize {
        match () {
            () if self.is_arithmetic() => 1,
            () if self.is_special() => 64,
            () => 8,
        }
    }

    pub fn slots(self) -> impl Iterator<Item = Slot> {
        (0..2).filter_map(move |position| self.slot(position))
    }
}

/// The flat step that keeps cotangents from a leaf, where none comes through.
pub fn stopped(steps: &[Step], leaf: u16) -> Option<Step> {
    let (mut live, mut flat) = (0u64, None);
    for (k, step) in steps.iter().enumerate() {
        let reads = step.slots().any(|slot| match slot {
            Slot::Leaf(l) => l == leaf,
            Slot::Step(j) => live >> j & 1 == 1,
        });
        match reads && step.is_flat() {
            true => flat = flat.or(Some(*step)),
            false => live |= u64::from(reads) << k,
        }
    }
    flat.filter(|_| live >> (steps.len() - 1) & 1 == 0)
}

/// The attributes of a tuned step.
pub fn params(numbers: &[f64], at: u16) -> Params {
    [numbers[at as usize], numbers[at as usize + 1]]
}
