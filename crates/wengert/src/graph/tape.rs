//! [`Tape`]: the Wengert list. Nodes are small and plain; whatever does not fit stands in tables beside them.
//!
//! Invariants: parents have smaller ids than their children; nothing recorded before a mark points above it; a real value
//! of one element (and few axes) lies in the lane, every other value in the slab.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::{Error, ErrorKind, Refusal};
use crate::graph::checkpoint::Part;
use crate::graph::custom::Custom;
use crate::graph::formula::{Formula, Total};
use crate::graph::layouts::{Entry, LANE_RANKS, Layouts};
use crate::graph::lines::{At, Lines};
use crate::graph::node::Where;
pub use crate::graph::node::{Kind, Marks, NO_INPUT, Node};
use crate::graph::programs::Programs;
use crate::graph::segments::Segments;
use crate::graph::waiting::Waiting;
use crate::kernel::functions::Functions;
use crate::kernel::operand::Operand;
use crate::kernel::program::Step;
use crate::kernel::walk::Walk;
use crate::memory::{Lane, Place, RoomMark, Slab};
use crate::op::{Op, Params};
use crate::rule::{Dtype, Input};
use crate::shape::{Layout, Shape, same};
use crate::var::Var;

/// Where an array lies. `root`: 0, or one more than the leaf or constant whose buffer this is a view of.
#[derive(Clone, Copy, Debug)]
pub struct Array {
    pub place: Place,
    pub layout: u32,
    pub root: u32,
}

/// A value that is about to become a node's.
#[derive(Clone, Copy, Debug)]
pub enum Stored<T> {
    /// A number, as an array of `rank` axes of length 1.
    Lane {
        value: T,
        rank: u16,
    },
    Array(Array, Dtype),
    /// An op of several results has its values in the projections behind it.
    Nowhere,
}

/// One application of a structured op.
pub struct Call<T: Functions> {
    pub op: Operation<T>,
    parents: (u32, u32),
    /// How many results, if these are projections.
    pub results: u32,
}

/// A structured op of ours or of the user's.
pub enum Operation<T: Functions> {
    Op(Op),
    Custom(Arc<dyn Custom<T>>),
    /// A part of the tape that is recorded again when its derivative is wanted.
    Checkpoint(Arc<Part<T>>),
}

impl<T: Functions> Operation<T> {
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Op(op) => op.name(),
            Operation::Custom(op) => op.name(),
            Operation::Checkpoint(_) => "checkpoint",
        }
    }
}

impl<T: Functions> Clone for Operation<T> {
    fn clone(&self) -> Self {
        match self {
            Operation::Op(op) => Operation::Op(op.clone()),
            Operation::Custom(op) => Operation::Custom(op.clone()),
            Operation::Checkpoint(part) => Operation::Checkpoint(part.clone()),
        }
    }
}

/// When the value of an input was last overwritten.
#[derive(Clone, Copy)]
pub struct Source {
    pub node: u32,
    /// Nodes below this id were recorded before the value was overwritten.
    pub modified: u32,
    pub modified_line: u32,
}

/// A state of the tape to return to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lengths {
    pub nodes: usize,
    pub arrays: usize,
    layouts: usize,
    calls: usize,
    formulas: usize,
    numbers: usize,
    parents: usize,
    weights: usize,
    params: usize,
    pub inputs: usize,
    slab: RoomMark,
}

pub struct Tape<T: Functions> {
    pub nodes: Vec<Node>,
    pub arrays: Vec<Array>,
    pub layouts: Layouts,
    pub calls: Vec<Call<T>>,
    pub formulas: Vec<Formula>,
    /// The numbers in formulas.
    pub numbers: Vec<f64>,
    pub programs: Programs,
    /// The values that had not been computed when they were recorded, ascending.
    pub pending: Vec<u32>,
    /// Those of them that are arrays.
    pub waiting: Vec<Waiting>,
    pub parents: Vec<u32>,
    /// The partials of formulas of numbers.
    pub weights: Vec<T>,
    pub params: Vec<Params>,
    pub inputs: Vec<Source>,
    pub lines: Lines,
    pub segments: Segments,
}

impl<T: Functions> Tape<T> {
    pub fn new() -> Self {
        Tape {
            nodes: Vec::new(),
            arrays: Vec::new(),
            layouts: Layouts::new(),
            calls: Vec::new(),
            formulas: Vec::new(),
            numbers: Vec::new(),
            programs: Programs::default(),
            pending: Vec::new(),
            waiting: Vec::new(),
            parents: Vec::new(),
            weights: Vec::new(),
            params: Vec::new(),
            inputs: Vec::new(),
            lines: Lines::new(),
            segments: Segments::new(),
        }
    }

    /// The index of `v`'s node, or why `v` is no handle of this tape.
    #[inline(always)]
    pub fn resolve(&self, v: Var) -> Result<usize, Refusal> {
        if self.segments.holds(v, self.nodes.len()) { Ok(v.id) } else { Err(self.bad_handle(v)) }
    }

    /// The node of `v`, if it is a handle of this tape.
    #[inline(always)]
    pub fn glance(&self, v: Var) -> Option<&Node> {
        self.nodes.get(v.id).filter(|_| self.segments.holds(v, self.nodes.len()))
    }

    /// Whether `v` is differentiable, if it is a handle of this tape and of a number of no axes whose value is known.
    #[inline(always)]
    pub fn number(&self, v: Var) -> Option<bool> {
        let node = self.glance(v)?;
        node.is_plain_number().then_some(node.is_differentiable())
    }

    #[cold]
    fn bad_handle(&self, v: Var) -> Refusal {
        self.segments.refusal(&format!("the handle {v:?}"), v.id, v.stamp)
    }

    /// The handle of node `id`.
    pub fn handle(&self, id: usize) -> Var {
        Var { id, stamp: self.segments.stamp_of(id) }
    }

    /// Appends a node.
    #[inline(always)]
    pub fn push(
        &mut self,
        memory: &Memory<T>,
        kind: Kind,
        [a, b]: [u32; 2],
        stored: Stored<T>,
        marks: Marks,
        at: At,
    ) -> Var {
        let line = self.lines.intern(at);
        let id = self.nodes.len();
        let (slot, place) = match stored {
            Stored::Lane { value, rank } => {
                memory.lane.put(id, value);
                (id as u32, Where::Lane(rank))
            }
            Stored::Array(array, dtype) => {
                self.arrays.push(array);
                (self.arrays.len() as u32 - 1, Where::Array(dtype))
            }
            Stored::Nowhere => (u32::MAX, Where::Nowhere),
        };
        assert!(
            id < u32::MAX as usize,
            "a graph holds at most 2^32 - 1 nodes: rewind it, or split the computation"
        );
        self.nodes.push(Node::new(kind, a, b, slot, line, place, marks));
        Var { id, stamp: self.segments.current() }
    }

    /// Appends the node (or nodes) of a structured op.
    pub fn push_call(
        &mut self,
        memory: &Memory<T>,
        op: Operation<T>,
        parents: &[usize],
        stored: &[Stored<T>],
        single: bool,
        marks: Marks,
        at: At,
    ) -> SmallVec<[Var; 6]> {
        let first = self.parents.len() as u32;
        self.parents.extend(parents.iter().map(|&p| p as u32));
        let call = self.calls.len() as u32;
        let results = if single { 0 } else { stored.len() as u32 };
        self.calls.push(Call { op, parents: (first, parents.len() as u32), results });
        let of_result = |s: &Stored<T>| match s {
            Stored::Array(_, Dtype::Index | Dtype::Mask) => Marks { differentiable: false, ..marks },
            _ => marks,
        };
        if single {
            let mut vars = SmallVec::new();
            vars.push(self.push(memory, Kind::Call, [call, 0], stored[0], of_result(&stored[0]), at));
            return vars;
        }
        let node = self.push(memory, Kind::Call, [call, 0], Stored::Nowhere, marks, at).id as u32;
        let project = |(k, s): (usize, &Stored<T>)| {
            self.push(memory, Kind::Projection, [node, k as u32], *s, of_result(s), at)
        };
        stored.iter().enumerate().map(project).collect()
    }

    /// The ids of the arguments of a call.
    pub fn call_parents(&self, call: u32) -> &[u32] {
        let (first, len) = self.calls[call as usize].parents;
        &self.parents[first as usize..][..len as usize]
    }

    /// The ids of the arguments of a formula.
    pub fn formula_parents(&self, formula: u32) -> &[u32] {
        self.arguments(&self.formulas[formula as usize])
    }

    /// The ids of what a formula reads.
    pub fn arguments(&self, formula: &Formula) -> &[u32] {
        let (first, len) = formula.leaves;
        &self.parents[first as usize..][..len as usize]
    }

    /// The parents of a node, as ids.
    pub fn parents_of(&self, id: usize) -> SmallVec<[usize; 4]> {
        let node = self.nodes[id];
        match node.kind {
            Kind::Leaf | Kind::Constant => SmallVec::new(),
            Kind::Unary(_) | Kind::Tuned(_) | Kind::Projection => SmallVec::from_slice(&[node.a as usize]),
            Kind::Binary(_) => SmallVec::from_slice(&[node.a as usize, node.b as usize]),
            Kind::Call => self.call_parents(node.a).iter().map(|&p| p as usize).collect(),
            Kind::Formula => self.formula_parents(node.a).iter().map(|&p| p as usize).collect(),
        }
    }

    /// The results of the op at node `id`: itself, or its projections.
    pub fn results_of(&self, id: usize) -> std::ops::Range<usize> {
        let node = self.nodes[id];
        match node.kind {
            Kind::Call if !node.has_value() => id + 1..id + 1 + self.calls[node.a as usize].results as usize,
            _ => id..id + 1,
        }
    }

    pub fn entry(&self, id: usize) -> &Entry {
        let node = &self.nodes[id];
        let layout =
            if node.is_lane() { u32::from(node.lane_rank()) } else { self.arrays[node.slot as usize].layout };
        self.layouts.get(layout)
    }

    pub fn shape(&self, id: usize) -> &Shape {
        &self.entry(id).layout.shape
    }

    /// The shape of a node, or of a number where it has no value of its own.
    pub fn shape_or_empty(&self, id: usize) -> Shape {
        if self.nodes[id].has_value() { self.shape(id).clone() } else { Shape::new() }
    }

    pub fn op_name(&self, id: usize) -> &'static str {
        let node = self.nodes[id];
        match node.kind {
            Kind::Leaf => "leaf",
            Kind::Constant => "constant",
            Kind::Unary(op) => op.name(),
            Kind::Tuned(op) => op.name(),
            Kind::Binary(op) => op.name(),
            Kind::Call => self.calls[node.a as usize].op.name(),
            Kind::Formula => self.formulas[node.a as usize].total.map_or("formula", Total::name),
            Kind::Projection => self.op_name(node.a as usize),
        }
    }

    /// The structured op of ours at node `id`, if it is one.
    pub fn op(&self, id: usize) -> Option<&Op> {
        let node = self.nodes[id];
        match &self.calls.get(node.a as usize).filter(|_| matches!(node.kind, Kind::Call))?.op {
            Operation::Op(op) => Some(op),
            _ => None,
        }
    }

    /// The steps of the formula at node `id`, if it is one.
    pub fn steps(&self, id: usize) -> Option<&[Step]> {
        let node = self.nodes[id];
        let formula = self.formulas.get(node.a as usize).filter(|_| matches!(node.kind, Kind::Formula))?;
        Some(self.programs.get(formula.program))
    }

    pub fn line(&self, id: usize) -> At {
        self.lines.get(self.nodes[id].line)
    }

    /// A real node whose value is known as an operand that is read as if broadcast to `shape`.
    pub fn operand<'m>(&self, memory: &'m Memory<T>, id: usize, shape: &[usize]) -> Operand<'m, T> {
        let node = self.nodes[id];
        debug_assert!(!node.is_pending(), "has no value yet");
        let entry = self.entry(id);
        let place = self.place(memory, &node);
        if entry.contiguous && same(&entry.layout.shape, shape) {
            let data = memory.slab.slice(place, entry.len);
            return Operand { data, first: 0, walk: Walk::flat(entry.len) };
        }
        let (data, first) = memory.span(place, &entry.layout);
        let walk = Walk::new(shape, &entry.layout.broadcast_strides(shape));
        Operand { data, first, walk }
    }

    /// The value of a node, for kernels.
    pub fn input<'m>(&'m self, memory: &'m Memory<T>, id: usize) -> Input<'m, T> {
        let node = self.nodes[id];
        // (The sweep through a shift that waits is given its result, which no linear op reads.)
        debug_assert!(!node.is_pending() || node.kind == Kind::Call, "has no value yet");
        let (place, layout) = (self.place(memory, &node), &self.entry(id).layout);
        match node.dtype() {
            Dtype::Real => Input::Real(memory.slab.locate(place, layout)),
            Dtype::Index => Input::Index(memory.slab.locate(place, layout)),
            Dtype::Mask => Input::Mask(memory.slab.locate(place, layout)),
        }
    }

    pub fn place(&self, memory: &Memory<T>, node: &Node) -> Place {
        if node.is_lane() {
            memory.lane.place(node.slot as usize)
        } else {
            self.arrays[node.slot as usize].place
        }
    }

    /// Where two arrays of one layout without gaps lie, that layout, and their length. (Those that wait lie nowhere yet.)
    #[inline(always)]
    pub fn alike(&self, a: &Node, b: &Node) -> Option<(Place, Place, u32, usize)> {
        if a.is_lane() || b.is_lane() || a.is_pending() || b.is_pending() {
            return None;
        }
        let (a, b) = (self.arrays[a.slot as usize], self.arrays[b.slot as usize]);
        let entry = self.layouts.get(a.layout);
        (a.layout == b.layout && entry.contiguous).then_some((a.place, b.place, a.layout, entry.len))
    }

    /// The input whose buffer node `id` reads, if any.
    pub fn source_of(&self, id: usize) -> Option<&Source> {
        let node = self.nodes[id];
        let root = match node.kind {
            Kind::Leaf | Kind::Constant => id,
            _ if node.is_lane() || !node.has_value() => return None,
            _ => (self.arrays[node.slot as usize].root as usize).checked_sub(1)?,
        };
        let root = self.nodes[root];
        match root.kind {
            Kind::Leaf | Kind::Constant if root.a != NO_INPUT => Some(&self.inputs[root.a as usize]),
            _ => None,
        }
    }

    pub fn lengths(&self, memory: &Memory<T>) -> Lengths {
        Lengths {
            nodes: self.nodes.len(),
            arrays: self.arrays.len(),
            layouts: self.layouts.len(),
            calls: self.calls.len(),
            formulas: self.formulas.len(),
            numbers: self.numbers.len(),
            parents: self.parents.len(),
            weights: self.weights.len(),
            params: self.params.len(),
            inputs: self.inputs.len(),
            slab: memory.slab.mark(),
        }
    }

    /// Forgets everything recorded since `to`; nobody may hold a handle of it, or the caller ends their validity. Nobody holds
    /// a view of it either: user code that runs within a recording is `'static` and is lent the graph for that call alone.
    pub fn truncate(&mut self, memory: &Memory<T>, to: &Lengths) {
        self.nodes.truncate(to.nodes);
        self.arrays.truncate(to.arrays);
        self.layouts.truncate(to.layouts);
        self.calls.truncate(to.calls);
        self.formulas.truncate(to.formulas);
        self.numbers.truncate(to.numbers);
        // The list is emptied in between where an input is overwritten, so its length says nothing.
        let kept = self.pending.partition_point(|&id| (id as usize) < to.nodes);
        self.pending.truncate(kept);
        self.waiting.truncate(self.waiting.partition_point(|waiting| waiting.id() < to.nodes));
        self.parents.truncate(to.parents);
        self.weights.truncate(to.weights);
        self.params.truncate(to.params);
        self.inputs.truncate(to.inputs);
        memory.slab.retract(to.slab);
        for input in &mut self.inputs {
            input.modified = input.modified.min(to.nodes as u32);
        }
    }

    /// The error of `op` on nodes `args`.
    pub fn error(&self, refusal: Refusal, op: &'static str, args: &[Var], at: At) -> Error {
        let shapes = args.iter().filter(|v| self.segments.holds(**v, self.nodes.len()));
        let shapes: SmallVec<[Shape; 4]> = shapes.map(|v| self.shape(v.id).clone()).collect();
        Error::new(refusal, op, shapes, Some(at))
    }

    /// Whether an input's value was overwritten after node `id` had read it; `reads` lists the nodes whose values it reads.
    pub fn modified(&self, id: usize, reads: &[usize]) -> Option<Refusal> {
        let source =
            reads.iter().filter_map(|&p| self.source_of(p)).find(|source| (id as u32) < source.modified)?;
        let (made, read, written) =
            (self.line(source.node as usize), self.line(id), self.lines.get(source.modified_line));
        let rule = format!(
            "the value recorded at {}:{} and read by `{}` at {}:{} was overwritten at {}:{}; record anew after changing a value",
            made.file(),
            made.line(),
            self.op_name(id),
            read.file(),
            read.line(),
            written.file(),
            written.line()
        );
        Some(Refusal::new(ErrorKind::ModifiedValue, rule))
    }
}

/// The memory of all values of a graph.
pub struct Memory<T: Functions> {
    pub lane: Lane<T>,
    pub slab: Slab,
}

impl<T: Functions> Memory<T> {
    pub fn new() -> Self {
        Memory { lane: Lane::new(), slab: Slab::new() }
    }

    /// Memory that holds every element of the array of `layout` at `place`, and the index of the first one in it.
    pub fn span(&self, place: Place, layout: &Layout) -> (&[T], usize) {
        self.slab.span(place, layout)
    }
}

/// Whether a real value of this shape lies in the lane.
pub fn in_lane(shape: &[usize]) -> bool {
    shape.len() < LANE_RANKS && shape.iter().all(|&n| n == 1)
}
