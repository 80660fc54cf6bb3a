//! Formulas of several ops as one node: one pass over memory each way, and none of their own for a sum that is only
//! differentiated.
//!
//! A formula keeps the id of its program, so that `gradient` and `tangent` can record its ops one by one, and any order
//! works. A sum (or mean) of a formula over all elements stays *pending*: its number is computed when somebody asks for it,
//! or on the way of the sweep that needs the same tiles. Nobody can tell: the bits are the same, and an input is
//! overwritten only after what reads it has been computed.

use smallvec::SmallVec;

use crate::error::{Error, Refusal};
use crate::expr::{Expr, Lowering, Recorder};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::shorter::{numbers_in, shorter_in};
use crate::graph::taking::{Whole, unchanged};
use crate::graph::tape::{Array, Kind, Memory, Stored, Tape, in_lane};
use crate::graph::waiting::DEFERRED;
use crate::kernel::elementwise::Map;
use crate::kernel::functions::Functions;
use crate::kernel::operand::Operand;
use crate::kernel::program::{FEW, LONGEST, Program, Run, Scratch, Slot, Step, params, stopped};
use crate::kernel::walk::Walk;
use crate::op::{Binary, Mean, Op, Params, Sum, Tuned, Unary};
use crate::ops;
use crate::rule::{Arg, Dtype, Record};
use crate::shape::{Axes, Layout, Shape, broadcast, reduced, same};
use crate::term::Term;
use crate::var::Var;

/// One use of a program.
#[derive(Clone, Copy, Debug)]
pub struct Formula {
    pub program: u32,
    /// First and count among `parents`.
    pub leaves: (u32, u32),
    /// First of its numbers.
    pub numbers: u32,
    /// The layout of the elementwise result, which a total sums up.
    pub layout: u32,
    pub total: Option<Total>,
    /// Where a total goes over some axes only: the result's layout with these axes at length 1.
    pub kept: Option<u32>,
    /// A formula of numbers: the first of its partials among `weights`, one a leaf.
    pub weights: Option<u32>,
}

/// How the elements of a formula are joined, to one number or along axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    Sum,
    Mean,
}

impl Total {
    /// The total that an op over everything is.
    pub fn of(op: &Op) -> Option<Total> {
        match op {
            Op::Sum(_) => Some(Total::Sum),
            Op::Mean(_) => Some(Total::Mean),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Total::Sum => "sum",
            Total::Mean => "mean",
        }
    }

    /// What one of `len` elements that are joined contributes, times `y_bar`.
    pub fn scale<T: Functions>(self, y_bar: T, len: usize) -> T {
        match self {
            Total::Sum => y_bar,
            Total::Mean => y_bar / T::of(len as f64),
        }
    }

    /// Makes results, or cotangents, of sums of `len` elements.
    pub fn scale_all<T: Functions>(self, sums: &mut [T], len: usize) {
        if self == Total::Mean {
            sums.iter_mut().for_each(|sum| *sum = self.scale(*sum, len));
        }
    }
}

/// The arguments of a formula.
pub type Leaves<'m, T> = SmallVec<[Operand<'m, T>; FEW]>;

impl<T: Functions> Tape<T> {
    /// Adds arguments as a formula reads them to `leaves`. (Returned they would be moved, over a kilobyte.)
    pub fn formula_leaves<'m>(
        &self,
        memory: &'m Memory<T>,
        ids: &[u32],
        formula: &Formula,
        leaves: &mut Leaves<'m, T>,
    ) {
        self.leaves(memory, ids, &self.layouts.get(formula.layout).layout.shape, leaves);
    }

    /// The same of nodes that are read as if broadcast to `shape`.
    pub fn leaves<'m>(
        &self,
        memory: &'m Memory<T>,
        ids: &[u32],
        shape: &[usize],
        leaves: &mut Leaves<'m, T>,
    ) {
        ids.iter().for_each(|&id| leaves.push(self.leaf(memory, id as usize, shape)));
    }

    /// The program `whole` of a formula with its arguments, ready to run.
    pub fn run<'a>(
        &self,
        formula: &Formula,
        whole: &'a Whole<'_>,
        leaves: &'a [Operand<'a, T>],
    ) -> Run<'a, T> {
        Run { program: whole.program(), leaves, len: self.layouts.get(formula.layout).len }
    }

    /// What a formula computes with all that it takes up.
    #[inline(always)]
    pub fn whole_of(&self, formula: &Formula) -> Whole<'_> {
        self.whole(self.program(formula), self.arguments(formula))
    }

    /// What a formula computes.
    pub fn program(&self, formula: &Formula) -> Program<'_> {
        let steps = self.programs.get(formula.program);
        let program = Program::new(steps, &self.numbers[formula.numbers as usize..]);
        Program { number: Some(formula.program), ..program }
    }

    /// The elements of an array with the layout `kept`, as those of the formula that is joined to it read it.
    pub fn repeated(&self, formula: &Formula, kept: u32) -> Walk {
        let shape = &self.layouts.get(formula.layout).layout.shape;
        Walk::new(shape, &self.layouts.get(kept).layout.broadcast_strides(shape))
    }
}

/// Records every op by a call, which costs a user's crate little to compile.
struct OneByOne<'g, T: Engine>(&'g Graph<T>);

impl<T: Engine> OneByOne<'_, T> {
    #[inline(never)]
    #[track_caller]
    fn map(&self, f: Map, x: Var) -> Var {
        T::map(self.0, f, x).unwrap_or_else(|error| panic!("{error}"))
    }

    #[inline(never)]
    #[track_caller]
    fn zip(&self, f: Binary, a: Var, b: Var) -> Var {
        T::zip(self.0, f, a, b).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl<T: Engine> Recorder<T> for OneByOne<'_, T> {
    fn unary<const OP: u8>(&self, x: Var) -> Var {
        self.map(Map::Unary(const { Unary::ALL[OP as usize] }), x)
    }
    fn tuned(&self, op: Tuned, p: Params, x: Var) -> Var {
        self.map(Map::Tuned(op, p), x)
    }
    fn binary<const OP: u8>(&self, a: Var, b: Var) -> Var {
        self.zip(const { Binary::ALL[OP as usize] }, a, b)
    }
    fn number(&self, value: f64) -> Var {
        self.0.filled(&[], value)
    }
}

impl<T: Engine> Graph<T> {
    /// Records an argument: a handle as it is, numbers as one row of partials, arrays as one node, else op by op.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn arg<E: crate::expr::Operand>(&self, x: E) -> Var {
        if E::OPS > 1 { self.record_several(x) } else { crate::expr::record(self, x) }
    }

    #[inline(never)]
    #[track_caller]
    fn record_several<E: crate::expr::Operand>(&self, x: E) -> Var {
        if E::OPS > LONGEST {
            return self.record_one_by_one(x);
        }
        match self.record_statement(x) {
            Some(y) => y,
            None if self.has_array(x) => self.record_formula(x, None),
            None => self.record_one_by_one(x),
        }
    }

    /// Records op by op; whatever is wrong with a handle, the op that takes it will say.
    #[inline(never)]
    #[track_caller]
    fn record_one_by_one(&self, x: impl crate::expr::Operand) -> Var {
        crate::expr::record(&OneByOne(self), x)
    }

    /// Records a formula with the sum or mean of its elements that `op` is, or `None` where `op` is something else or `x` no
    /// formula of arrays.
    #[track_caller]
    pub(crate) fn total(&self, x: impl Expr, op: &Op) -> Option<Var> {
        let joins = Total::of(op).is_some()
            && (self.fuses(x) || (self.has_array(x) && single(x)) || self.was_deferred(x));
        joins.then(|| self.record_formula(x, Some(op)))
    }

    #[inline(always)]
    fn fuses<E: crate::expr::Operand>(&self, x: E) -> bool {
        E::OPS > 1 && E::OPS <= LONGEST && self.has_array(x)
    }

    /// Whether `x` is the handle of an array that was deferred, whether it has been computed meanwhile or not: its totals have the same bits.
    fn was_deferred<E: crate::expr::Operand>(&self, x: E) -> bool {
        let mut was = false;
        if E::OPS == 0 {
            let tape = self.tape.borrow();
            x.leaves(&mut |v: Var| was = tape.glance(v).is_some() && tape.was_deferred(v.id));
        }
        was
    }

    fn has_array(&self, x: impl crate::expr::Operand) -> bool {
        let tape = self.tape.borrow();
        let mut any = false;
        x.leaves(&mut |v: Var| any |= tape.glance(v).is_some_and(|node| !node.is_lane()));
        any
    }

    /// A program to be written, in memory that an earlier one has used.
    pub(super) fn blank(&self) -> Lowering {
        let mut program = self.lowerings.borrow_mut().pop().unwrap_or_default();
        program.clear();
        program
    }

    #[track_caller]
    fn record_formula(&self, x: impl crate::expr::Operand, total: Option<&Op>) -> Var {
        let mut program = self.blank();
        x.lower(&mut program);
        if program.steps.is_empty() {
            let (step, numbers) = unchanged();
            program.steps.push(step);
            program.numbers.extend(numbers);
        }
        let recorded = match program.refused {
            true => Ok(None),
            false => T::formula(self, &program, total),
        };
        self.lowerings.borrow_mut().push(program);
        match recorded {
            Ok(Some(v)) => v,
            Ok(None) => {
                let x = self.record_one_by_one(x);
                total.map_or(x, |op| self.must(op, &[x]))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Records a program as one node; `None` where a leaf is nothing to compute with, which the op that takes it will say.
    pub(super) fn push_formula(&self, program: &Lowering, total: Option<&Op>) -> Result<Option<Var>, Error> {
        let at = self.at.get();
        let mut borrowed = self.tape.borrow_mut();
        let tape = &mut *borrowed;
        let mut ids: SmallVec<[usize; FEW]> = SmallVec::new();
        for &v in &program.leaves {
            match tape.resolve(v) {
                Ok(id) if tape.nodes[id].dtype() == Dtype::Real => ids.push(id),
                _ => return Ok(None),
            }
        }
        let (layout, shorter) = tape.formula_layout(program, &ids, at)?;
        let joined = total.map(|op| tape.joined(op, layout, at)).transpose()?;
        if joined.as_ref().is_some_and(|joined| joined.kept.is_none() && !in_lane(&joined.shape)) {
            return Ok(None);
        }
        if shorter != 0 {
            drop(borrowed);
            return self.push_shortened(program, shorter, total);
        }
        let flat = program.steps.iter().any(|step| step.is_flat());
        let reaches = |(l, &id): (usize, &usize)| {
            tape.nodes[id].is_differentiable() && !(flat && stopped(&program.steps, l as u16).is_some())
        };
        let differentiable = ids.iter().enumerate().any(reaches);
        let first = tape.parents.len() as u32;
        tape.parents.extend(ids.iter().map(|&id| id as u32));
        let formula = Formula {
            program: tape.programs.intern(&program.steps),
            leaves: (first, ids.len() as u32),
            numbers: tape.numbers.len() as u32,
            layout,
            total: total.and_then(Total::of),
            kept: joined.as_ref().and_then(|joined| joined.kept),
            weights: None,
        };
        tape.numbers.extend_from_slice(&program.numbers);
        let marks = self.marks(differentiable);
        let may_wait = tape.layouts.get(layout).len >= DEFERRED;
        let scratch = &mut self.scratch.borrow_mut();
        match may_wait {
            true => {
                tape.settle_numbers(&self.memory, scratch, &ids);
                tape.take_up(&self.memory, scratch, &ids, layout, program.steps.len(), marks, !flat);
            }
            // A long array is shorter where it is broadcast to no elements.
            false => tape.settle(&self.memory, scratch, &ids),
        }
        tape.formulas.push(formula);
        let index = tape.formulas.len() as u32 - 1;
        if may_wait && joined.is_none() && !flat {
            return Ok(Some(self.push_waiting(tape, Kind::Formula, [index, 0], layout, marks)));
        }
        if let Some(joined) = joined.as_ref().filter(|joined| joined.kept.is_none()) {
            let stored = Stored::Lane { value: T::zero(), rank: joined.shape.len() as u16 };
            let v = tape.push(&self.memory, Kind::Formula, [index, 0], stored, marks, at);
            tape.set_pending(v.id);
            return Ok(Some(v));
        }
        let layout = joined.map_or(layout, |joined| tape.layouts.row_major(&joined.shape));
        let len = tape.layouts.get(layout).len;
        let mut fresh = self.memory.slab.take::<T>(len);
        if tape.waits() {
            let arguments: SmallVec<[u32; FEW]> = tape.arguments(&formula).into();
            tape.share_arguments(&self.memory, scratch, &arguments);
        }
        self.compute_formula(tape, scratch, &formula, fresh.slice(len));
        let stored = Stored::Array(Array { place: fresh.place(), layout, root: 0 }, Dtype::Real);
        Ok(Some(tape.push(&self.memory, Kind::Formula, [index, 0], stored, marks, at)))
    }

    /// Computes the array that a formula comes to.
    fn compute_formula(&self, tape: &Tape<T>, scratch: &mut Scratch<T>, formula: &Formula, out: &mut [T]) {
        let whole = tape.whole_of(formula);
        let mut leaves = Leaves::new();
        tape.formula_leaves(&self.memory, whole.arguments(), formula, &mut leaves);
        let run = tape.run(formula, &whole, &leaves);
        match (formula.total, formula.kept) {
            (Some(total), Some(kept)) => {
                out.fill(T::zero());
                run.sum_over(scratch, &tape.repeated(formula, kept), &mut [&mut out[..]]);
                total.scale_all(out, run.len / out.len().max(1));
            }
            _ => run.forward(scratch, out),
        }
    }

    /// The steps of the formula at node `id`, recorded one by one: the handle of each step's result.
    pub(crate) fn steps_of(&self, id: usize) -> SmallVec<[Var; 16]> {
        let (steps, numbers, leaves) = self.with_tape(|tape| {
            let formula = tape.formulas[tape.nodes[id].a as usize];
            let steps: SmallVec<[Step; 16]> = tape.programs.get(formula.program).into();
            let numbers: SmallVec<[f64; 16]> = tape.numbers[formula.numbers as usize..].into();
            let leaves: SmallVec<[Var; FEW]> =
                tape.formula_parents(tape.nodes[id].a).iter().map(|&l| tape.handle(l as usize)).collect();
            (steps, numbers, leaves)
        });
        self.record_steps(&steps, &numbers, &leaves)
    }

    /// Records steps one by one: the handle of each step's result.
    pub(super) fn record_steps(
        &self,
        steps: &[Step],
        numbers: &[f64],
        leaves: &[Var],
    ) -> SmallVec<[Var; 16]> {
        let mut done: SmallVec<[Var; 16]> = SmallVec::new();
        for step in steps {
            let find = |slot: Slot| match slot {
                Slot::Leaf(l) => leaves[l as usize],
                Slot::Step(k) => done[k as usize],
            };
            let v = match *step {
                Step::Unary(op, a) => self.apply(&Op::Unary(op), &[find(a)])[0],
                Step::Tuned(op, a, at) => self.apply(&Op::Tuned(op, params(numbers, at)), &[find(a)])[0],
                Step::Binary(op, a, b) => self.apply(&Op::Binary(op), &[find(a), find(b)])[0],
            };
            done.push(v);
        }
        done
    }

    /// The last step of the formula at node `id`, recorded anew, and its total if it has one: an equal of the node that
    /// ops by ops lead to.
    pub(crate) fn unfolded(&self, id: usize) -> Term<'_> {
        let steps = self.steps_of(id);
        let last = Term::new(self, steps[steps.len() - 1]);
        let (total, axes, shape) = self.with_tape(|tape| {
            let formula = &tape.formulas[tape.nodes[id].a as usize];
            (formula.total, tape.joined_axes(formula), tape.shape(id).clone())
        });
        let keepdims = !shape.is_empty();
        let joined = match total {
            None => return last,
            Some(Total::Sum) => last.apply(Sum { axes, keepdims }, &[]),
            Some(Total::Mean) => last.apply(Mean { axes, keepdims }, &[]),
        };
        joined.reshape(&shape)
    }
}

fn single<E: Expr>(_: E) -> bool {
    E::OPS == 1
}

/// What the elements of a formula are joined to.
struct Joined {
    shape: Shape,
    /// The layout of the result with the axes that it lacks at length 1, if it is more than one number.
    kept: Option<u32>,
}

impl<T: Functions> Tape<T> {
    /// What the sum or mean `op` makes of a formula of layout `layout`.
    fn joined(&mut self, op: &Op, layout: u32, at: crate::graph::lines::At) -> Result<Joined, Error> {
        if let Op::Sum(Sum { axes: None, keepdims: false }) | Op::Mean(Mean { axes: None, keepdims: false }) =
            op
        {
            return Ok(Joined { shape: Shape::new(), kept: None });
        }
        let (rule, x) = (ops::rule(op), self.layouts.get(layout).layout.shape.clone());
        let result = rule.infer(&[Arg { shape: &x, dtype: Dtype::Real }]);
        let result = result.map_err(|refusal| Error::new(refusal, op.name(), [x.clone()], Some(at)))?;
        let (axes, _) = rule.repeats(&x).expect("sums and means do");
        let kept = Layout::contiguous(&reduced(&x, &axes, true));
        let kept = (kept.len() != 1).then(|| self.layouts.intern(kept));
        Ok(Joined { shape: result[0].shape.clone(), kept })
    }

    /// The axes along which the elements of a formula are joined: all, or these.
    fn joined_axes(&self, formula: &Formula) -> Option<Axes> {
        let [all, kept] =
            [formula.layout, formula.kept?].map(|layout| &self.layouts.get(layout).layout.shape);
        let differ = all.iter().zip(kept).enumerate().filter(|(_, (all, kept))| all != kept);
        Some(differ.map(|(axis, _)| axis as isize).collect())
    }

    /// The layout of a formula's elements, and the steps that come out so much shorter that they are computed by themselves.
    fn formula_layout(
        &mut self,
        program: &Lowering,
        ids: &[usize],
        at: crate::graph::lines::At,
    ) -> Result<(u32, u64), Error> {
        let mut arrays = ids.iter().filter(|&&id| !self.nodes[id].is_lane());
        let first = *arrays.next().expect("a formula of arrays");
        let entry = self.entry(first);
        let rank = entry.layout.ndim();
        let alike = arrays.all(|&id| same(self.shape(id), &entry.layout.shape))
            && ids.iter().all(|&id| self.shape(id).len() <= rank);
        if alike {
            let shorter = numbers_in(program, entry.len, |l| self.nodes[ids[l]].is_lane());
            if entry.contiguous {
                return Ok((self.arrays[self.nodes[first].slot as usize].layout, shorter));
            }
            let layout = Layout::contiguous(&entry.layout.shape);
            return Ok((self.layouts.intern(layout), shorter));
        }
        let mut shapes: SmallVec<[Shape; 16]> = SmallVec::new();
        for step in &program.steps {
            let find = |slot: &Slot| match slot {
                Slot::Leaf(l) => self.shape(ids[*l as usize]),
                Slot::Step(k) => &shapes[*k as usize],
            };
            let refused = |refusal: Refusal| {
                let parts: SmallVec<[Shape; 2]> = step.slots().map(|slot| find(&slot).clone()).collect();
                Error::new(refusal, step.name(), parts, Some(at))
            };
            let shape = broadcast(step.slots().map(|slot| &find(&slot)[..])).map_err(refused)?;
            shapes.push(shape);
        }
        let shorter = shorter_in(&shapes);
        let last = shapes.pop().expect("at least one op");
        Ok((self.layouts.row_major(&last), shorter))
    }
}

#[cfg(test)]
mod tests;
