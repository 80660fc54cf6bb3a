//! [`Node`]: what the tape is a list of, in 20 bytes.

use crate::op::{Binary, Tuned, Unary};
use crate::rule::Dtype;

/// `a` of a constant whose value nobody can overwrite.
pub const NO_INPUT: u32 = u32::MAX;

/// What a node computes; `a` and `b` of the node say from what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A differentiable input; `a` is its index among the inputs.
    Leaf,
    /// An input that is not differentiated; `a` is its index among the inputs, or [`NO_INPUT`] for one made by a rule.
    Constant,
    /// An elementwise op of node `a`.
    Unary(Unary),
    /// An elementwise op of node `a` with attributes `params[b]`.
    Tuned(Tuned),
    /// An elementwise op of nodes `a` and `b`.
    Binary(Binary),
    /// Several elementwise ops as one: `formulas[a]`.
    Formula,
    /// A structured op: `calls[a]`.
    Call,
    /// Result `b` of the op at node `a`.
    Projection,
}

#[derive(Clone, Copy, Debug)]
pub struct Node {
    pub a: u32,
    pub b: u32,
    /// Where the value is: in the lane that of the node itself, otherwise an index into `arrays`.
    pub slot: u32,
    pub line: u32,
    pub kind: Kind,
    flags: u16,
}

const _: () = assert!(size_of::<Node>() == 20);

const RANK: u16 = 0b111;
const LANE: u16 = 1 << 3;
const DIFFERENTIABLE: u16 = 1 << 4;
const RETAINED: u16 = 1 << 5;
const NO_GRAD: u16 = 1 << 6;
const INDEX: u16 = 1 << 7;
const MASK: u16 = 1 << 8;
const NO_VALUE: u16 = 1 << 9;
const PENDING: u16 = 1 << 10;
const REACHES_A: u16 = 1 << 11;
const REACHES_B: u16 = 1 << 12;

/// Where a node's value is.
#[derive(Clone, Copy, Debug)]
pub enum Where {
    /// In the lane, as an array of this many axes of length 1.
    Lane(u16),
    Array(Dtype),
    Nowhere,
}

impl Node {
    #[inline(always)]
    pub fn new(kind: Kind, a: u32, b: u32, slot: u32, line: u32, place: Where, marks: Marks) -> Self {
        let place = match place {
            Where::Lane(rank) => LANE | rank,
            Where::Array(Dtype::Real) => 0,
            Where::Array(Dtype::Index) => INDEX,
            Where::Array(Dtype::Mask) => MASK,
            Where::Nowhere => NO_VALUE,
        };
        let flags = place
            | if marks.differentiable { DIFFERENTIABLE } else { 0 }
            | if marks.cut { NO_GRAD } else { 0 }
            | if marks.reaches[0] { REACHES_A } else { 0 }
            | if marks.reaches[1] { REACHES_B } else { 0 };
        Node { a, b, slot, line, kind, flags }
    }
    #[inline(always)]
    pub fn is_lane(&self) -> bool {
        self.flags & LANE != 0
    }
    #[inline(always)]
    pub fn is_differentiable(&self) -> bool {
        self.flags & DIFFERENTIABLE != 0
    }
    /// Whether the nodes `a` and `b` of a binary op are differentiable; of a formula of numbers, whether all leaves are.
    #[inline(always)]
    pub fn reaches(&self) -> [bool; 2] {
        [self.flags & REACHES_A != 0, self.flags & REACHES_B != 0]
    }
    pub fn set_differentiable(&mut self) {
        self.flags |= DIFFERENTIABLE;
    }
    #[inline(always)]
    pub fn is_retained(&self) -> bool {
        self.flags & RETAINED != 0
    }
    pub fn set_retained(&mut self) {
        self.flags |= RETAINED;
    }
    /// Recorded under `no_grad`, from something differentiable.
    pub fn is_cut(&self) -> bool {
        self.flags & NO_GRAD != 0
    }
    /// Whether the value has not been computed yet.
    #[inline(always)]
    pub fn is_pending(&self) -> bool {
        self.flags & PENDING != 0
    }
    pub fn set_pending(&mut self, pending: bool) {
        self.flags = if pending { self.flags | PENDING } else { self.flags & !PENDING };
    }
    /// Whether this is a number of no axes whose value is known.
    #[inline(always)]
    pub fn is_plain_number(&self) -> bool {
        self.flags & (LANE | RANK | PENDING) == LANE
    }
    /// Whether this is an elementwise op whose result is one number.
    #[inline(always)]
    pub fn is_number_op(&self) -> bool {
        self.is_lane() && matches!(self.kind, Kind::Unary(_) | Kind::Tuned(_) | Kind::Binary(_))
    }
    /// Whether the node has a value of its own (an op of several results has not).
    #[inline(always)]
    pub fn has_value(&self) -> bool {
        self.flags & NO_VALUE == 0
    }
    #[inline(always)]
    pub fn dtype(&self) -> Dtype {
        match self.flags & (INDEX | MASK) {
            0 => Dtype::Real,
            INDEX => Dtype::Index,
            _ => Dtype::Mask,
        }
    }
    #[inline(always)]
    pub fn lane_rank(&self) -> u16 {
        self.flags & RANK
    }
}

/// What the arguments of a formula have in common.
pub struct Seen {
    all: u16,
    any: u16,
    rank: u16,
}

impl Seen {
    pub const NONE: Seen = Seen { all: u16::MAX, any: 0, rank: 0 };

    /// Adds an argument that is a handle of such a node, or of none.
    #[inline(always)]
    pub fn add(&mut self, node: Option<&Node>) {
        let flags = node.map_or(0, |node| node.flags);
        self.all &= flags;
        self.any |= flags;
        self.rank = self.rank.max(flags & RANK);
    }
    /// Whether all are numbers whose values are known.
    #[inline(always)]
    pub fn are_numbers(&self) -> bool {
        self.all & LANE != 0 && self.any & PENDING == 0
    }
    #[inline(always)]
    pub fn any_differentiable(&self) -> bool {
        self.any & DIFFERENTIABLE != 0
    }
    #[inline(always)]
    pub fn all_differentiable(&self) -> bool {
        self.all & DIFFERENTIABLE != 0
    }
    /// The largest number of axes.
    #[inline(always)]
    pub fn rank(&self) -> u16 {
        self.rank
    }
}

/// What a node inherits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks {
    pub differentiable: bool,
    /// Would be differentiable, were it not for `no_grad`.
    pub cut: bool,
    /// Which arguments of a binary op are differentiable, or whether all leaves of a formula of numbers are.
    pub reaches: [bool; 2],
}
