//! Recording of structured ops, and the tape as rules see it.

use std::panic::Location;

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, IxDyn};
use smallvec::SmallVec;

use crate::error::{Error, ErrorKind, Refusal};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::tape::{Array, Kind, Marks, NO_INPUT, Node, Operation, Stored, Tape, in_lane};
use crate::kernel::elementwise::Map;
use crate::memory::{DenseMut, Fresh, Place};
use crate::op::Op;
use crate::ops;
use crate::ops::moving::assign;
use crate::rule::{Arg, Dtype, Input, Output, Record, Rule, Specs};
use crate::shape::Shape;
use crate::term::Term;
use crate::var::Var;

/// The handles of an op's results.
pub type Vars = SmallVec<[Var; 6]>;

impl<T: Engine> Graph<T> {
    /// Records `op` on `args`, or says why they do not fit; on `Err` the graph is as it was.
    ///
    /// The door for whoever builds graphs from data: every op goes through it and nothing in it panics.
    ///
    /// # Examples
    /// ```
    /// use wengert::op::{MatMul, Op};
    /// use wengert::prelude::*;
    /// use ndarray::Array2;
    ///
    /// let g = Graph::new();
    /// let (a, b) = (g.leaf(Array2::ones((8, 3))), g.leaf(Array2::ones((4, 5))));
    /// let refused = g.try_apply(&Op::MatMul(MatMul {}), &[a, b]).unwrap_err();
    /// assert_eq!(refused.kind(), wengert::ErrorKind::ShapeMismatch);
    /// assert!(refused.to_string().starts_with("matmul: [8, 3] x [4, 5]: inner dimensions 3 and 4 differ"));
    /// ```
    #[track_caller]
    pub fn try_apply(&self, op: &Op, args: &[Var]) -> Result<SmallVec<[Var; 1]>, Error> {
        self.at.set(Location::caller());
        self.record(op, args).map(|vars| vars.into_iter().collect())
    }

    /// As [`Graph::try_apply`], at the line being served.
    pub(crate) fn record(&self, op: &Op, args: &[Var]) -> Result<Vars, Error> {
        T::record(self, op, args)
    }

    pub(super) fn record_here(&self, op: &Op, args: &[Var]) -> Result<Vars, Error> {
        self.record_op(op, args).map_err(|refusal| self.error(refusal, op.name(), args))
    }

    /// The one result of `op` on arguments that should fit; panics with the error where they do not.
    #[track_caller]
    pub(crate) fn must(&self, op: &Op, args: &[Var]) -> Var {
        match self.record(op, args) {
            Ok(vars) => vars[0],
            Err(error) => panic!("{error}"),
        }
    }

    fn record_op(&self, op: &Op, args: &[Var]) -> Result<Vars, Refusal> {
        let count = |n: usize| match args.len() {
            have if have == n => Ok(()),
            have => {
                Err(Refusal::new(ErrorKind::InvalidAttribute, format!("takes {n} arguments, {have} given")))
            }
        };
        let one = |v: Var| SmallVec::from_elem(v, 1);
        match op {
            Op::Unary(f) => count(1).and_then(|()| self.record_map(Map::Unary(*f), args[0])).map(one),
            Op::Tuned(f, p) => count(1).and_then(|()| self.record_map(Map::Tuned(*f, *p), args[0])).map(one),
            Op::Binary(f) => count(2).and_then(|()| self.record_zip(*f, args[0], args[1])).map(one),
            _ => self.record_structured(op, ops::rule(op), args),
        }
    }

    fn record_structured(&self, op: &Op, rule: &dyn Rule, args: &[Var]) -> Result<Vars, Refusal> {
        let ids = self.resolve_all(args)?;
        let specs = self.infer(rule, &ids)?;
        if ids.len() == 1
            && let Some(vars) =
                self.record_view(op, rule, ids[0]).or_else(|| self.record_rolled(op, rule, ids[0]))
        {
            return Ok(vars);
        }
        let to = self.tape.borrow().lengths(&self.memory);
        if let Some(vars) = self.expand(rule, args)? {
            return Ok(vars);
        }
        let result = self.compute(&ids, &specs, |x, y| ops::kernels(op).forward(x, y));
        let stored = result.inspect_err(|_| self.tape.borrow_mut().truncate(&self.memory, &to))?;
        let mut tape = self.tape.borrow_mut();
        let marks =
            self.marks(rule.is_differentiable() && ids.iter().any(|&id| tape.nodes[id].is_differentiable()));
        let single = stored.len() == 1;
        let op = Operation::Op(op.clone());
        let mut vars = tape.push_call(&self.memory, op, &ids, &stored, single, marks, self.at.get());
        vars.truncate(rule.visible());
        Ok(vars)
    }

    fn expand(&self, rule: &dyn Rule, args: &[Var]) -> Result<Option<Vars>, Refusal> {
        let mut terms: SmallVec<[Term<'_>; 8]> = SmallVec::new();
        args.iter().for_each(|&v| terms.push(Term::new(self, v)));
        rule.check(&terms)?;
        let results = rule.expand(&terms);
        Ok(results.map(|results| results.into_iter().map(Term::var).collect()))
    }

    fn record_view(&self, op: &Op, rule: &dyn Rule, id: usize) -> Option<Vars> {
        let mut tape = self.tape.borrow_mut();
        let node = tape.nodes[id];
        let (layout, offset) = rule.view(&tape.entry(id).layout)?;
        let place = tape.place(&self.memory, &node);
        let stored = match node.dtype() {
            Dtype::Real if in_lane(&layout.shape) => {
                let value = self.memory.slab.view::<T>(place.offset::<T>(offset), &layout).first().copied();
                Stored::Lane { value: value.expect("one element"), rank: layout.ndim() as u16 }
            }
            // A number may move, an array may not.
            _ if node.is_lane() => {
                let mut fresh = self.memory.slab.take::<T>(1);
                fresh.slice::<T>(1)[0] = self.memory.lane.get(id);
                let layout = tape.layouts.intern(layout);
                Stored::Array(Array { place: fresh.place(), layout, root: 0 }, Dtype::Real)
            }
            dtype => {
                let place = match dtype {
                    Dtype::Real => place.offset::<T>(offset),
                    Dtype::Index => place.offset::<i64>(offset),
                    Dtype::Mask => place.offset::<bool>(offset),
                };
                let root = match node.kind {
                    Kind::Leaf | Kind::Constant => id as u32 + 1,
                    _ => tape.arrays[node.slot as usize].root,
                };
                Stored::Array(Array { place, layout: tape.layouts.intern(layout), root }, dtype)
            }
        };
        let marks = self.marks(rule.is_differentiable() && node.is_differentiable());
        let op = Operation::Op(op.clone());
        Some(tape.push_call(&self.memory, op, &[id], &[stored], true, marks, self.at.get()))
    }

    pub(crate) fn resolve_all(&self, args: &[Var]) -> Result<SmallVec<[usize; 8]>, Refusal> {
        let mut ids = SmallVec::new();
        let mut pending = false;
        {
            let tape = self.tape.borrow();
            for &v in args {
                let id = tape.resolve(v)?;
                pending |= tape.nodes[id].is_pending();
                ids.push(id);
            }
        }
        if pending {
            T::settle(self, &ids);
        }
        Ok(ids)
    }

    fn infer(&self, rule: &dyn Rule, ids: &[usize]) -> Result<Specs, Refusal> {
        let tape = self.tape.borrow();
        let mut args: SmallVec<[Arg<'_>; 8]> = SmallVec::new();
        ids.iter().for_each(|&id| args.push(Arg { shape: tape.shape(id), dtype: tape.nodes[id].dtype() }));
        rule.infer(&args)
    }

    /// Runs a forward on the values of nodes `ids` and stores its results.
    fn compute(
        &self,
        ids: &[usize],
        specs: &Specs,
        forward: impl FnOnce(&[Input<'_, T>], &mut [Output<'_, T>]) -> Result<(), Refusal>,
    ) -> Result<SmallVec<[Stored<T>; 6]>, Refusal> {
        let tape = self.tape.borrow();
        let mut inputs: SmallVec<[Input<'_, T>; 8]> = SmallVec::new();
        ids.iter().for_each(|&id| inputs.push(tape.input(&self.memory, id)));
        let mut lane: SmallVec<[T; 8]> = SmallVec::new();
        specs.iter().for_each(|_| lane.push(T::zero()));
        let mut places: SmallVec<[Option<Place>; 8]> = SmallVec::new();
        let mut outputs: SmallVec<[Output<'_, T>; 8]> = SmallVec::new();
        for (spec, cell) in specs.iter().zip(&mut lane) {
            let len = spec.shape.iter().product();
            let (place, output) = match spec.dtype {
                Dtype::Real if in_lane(&spec.shape) => {
                    (None, Output::Real(DenseMut::new(std::slice::from_mut(cell), &[], &spec.shape)))
                }
                Dtype::Real => {
                    let mut fresh = self.memory.slab.take::<T>(len);
                    (Some(fresh.place()), Output::Real(DenseMut::new(fresh.slice(len), &[], &spec.shape)))
                }
                Dtype::Index => {
                    let mut fresh = self.memory.slab.take::<i64>(len);
                    (Some(fresh.place()), Output::Index(DenseMut::new(fresh.slice(len), &[], &spec.shape)))
                }
                Dtype::Mask => {
                    let mut fresh = self.memory.slab.take::<bool>(len);
                    (Some(fresh.place()), Output::Mask(DenseMut::new(fresh.slice(len), &[], &spec.shape)))
                }
            };
            places.push(place);
            outputs.push(output);
        }
        forward(&inputs, &mut outputs)?;
        drop(outputs);
        drop(inputs);
        drop(tape);
        let mut tape = self.tape.borrow_mut();
        let mut stored = SmallVec::new();
        for ((spec, place), value) in specs.iter().zip(places).zip(lane) {
            stored.push(match place {
                None => Stored::Lane { value, rank: spec.shape.len() as u16 },
                Some(place) => {
                    let layout = tape.layouts.row_major(&spec.shape);
                    Stored::Array(Array { place, layout, root: 0 }, spec.dtype)
                }
            });
        }
        Ok(stored)
    }

    /// Stores an array as the value of a node to come.
    pub(crate) fn store(&self, value: &ArrayD<T>) -> Stored<T> {
        let shape = value.shape();
        if in_lane(shape) {
            let value = value.first().copied().expect("one element");
            return Stored::Lane { value, rank: shape.len() as u16 };
        }
        let mut fresh = self.memory.slab.take::<T>(value.len());
        assign(array(&mut fresh, shape), value.view());
        let layout = self.tape.borrow_mut().layouts.row_major(shape);
        Stored::Array(Array { place: fresh.place(), layout, root: 0 }, Dtype::Real)
    }

    /// A constant that only rules see: the array of `layout` at `place`.
    pub(crate) fn push_alias(&self, place: Place, shape: &[usize]) -> Var {
        let mut tape = self.tape.borrow_mut();
        let layout = tape.layouts.row_major(shape);
        let stored = Stored::Array(Array { place, layout, root: 0 }, Dtype::Real);
        tape.push(&self.memory, Kind::Constant, [NO_INPUT, 0], stored, Marks::default(), self.at.get())
    }

    /// A constant that only rules see, from an array.
    pub(crate) fn push_array(&self, value: &ArrayD<T>) -> Var {
        let stored = self.store(value);
        let mut tape = self.tape.borrow_mut();
        tape.push(&self.memory, Kind::Constant, [NO_INPUT, 0], stored, Marks::default(), self.at.get())
    }

    /// A constant number of `rank` axes of length 1.
    pub(crate) fn push_number(&self, value: T, rank: u16) -> Var {
        let stored = Stored::Lane { value, rank };
        let mut tape = self.tape.borrow_mut();
        tape.push(&self.memory, Kind::Constant, [NO_INPUT, 0], stored, Marks::default(), self.at.get())
    }

    /// A differentiable node of zeros, to take derivatives with respect to.
    pub(crate) fn push_seed(&self, shape: &[usize]) -> Var {
        let zeros = self.filled(shape, 0.0);
        let mut tape = self.tape.borrow_mut();
        tape.nodes[zeros.id].set_differentiable();
        zeros
    }

    /// The value of a real node that is known to be one.
    pub(crate) fn value_of(&self, v: Var) -> ArrayViewD<'_, T> {
        self.settle(v.id);
        let tape = self.tape.borrow();
        let node = tape.nodes[v.id];
        self.memory.slab.view(tape.place(&self.memory, &node), &tape.entry(v.id).layout)
    }

    pub(crate) fn with_tape<R>(&self, f: impl FnOnce(&Tape<T>) -> R) -> R {
        f(&self.tape.borrow())
    }

    pub(crate) fn node(&self, id: usize) -> Node {
        self.tape.borrow().nodes[id]
    }
}

fn array<'a, A: crate::memory::Plain>(fresh: &mut Fresh<'a>, shape: &[usize]) -> ArrayViewMutD<'a, A> {
    let slice = fresh.slice(shape.iter().product());
    ArrayViewMutD::from_shape(IxDyn(shape), slice).expect("as many elements as the shape says")
}

impl<T: Engine> Record for Graph<T> {
    fn apply(&self, op: &Op, args: &[Var]) -> SmallVec<[Var; 6]> {
        match self.record(op, args) {
            Ok(vars) => vars,
            Err(error) => panic!("{error}"),
        }
    }

    fn filled(&self, shape: &[usize], value: f64) -> Var {
        if in_lane(shape) {
            return self.push_number(T::of(value), shape.len() as u16);
        }
        let mut fresh = self.memory.slab.take::<T>(shape.iter().product());
        fresh.slice(shape.iter().product()).fill(T::of(value));
        self.push_alias(fresh.place(), shape)
    }

    fn indices_of(&self, values: ArrayViewD<'_, i64>) -> Var {
        let mut fresh = self.memory.slab.take::<i64>(values.len());
        assign(array::<i64>(&mut fresh, values.shape()), values.view());
        let mut tape = self.tape.borrow_mut();
        let layout = tape.layouts.row_major(values.shape());
        let stored = Stored::Array(Array { place: fresh.place(), layout, root: 0 }, Dtype::Index);
        tape.push(&self.memory, Kind::Constant, [NO_INPUT, 0], stored, Marks::default(), self.at.get())
    }

    fn shape_of(&self, v: Var) -> Shape {
        self.tape.borrow().shape(v.id).clone()
    }

    fn dtype_of(&self, v: Var) -> Dtype {
        self.tape.borrow().nodes[v.id].dtype()
    }

    fn numbers_of(&self, v: Var) -> ArrayD<f64> {
        self.value_of(v).map(|x| x.as_f64())
    }

    fn epsilon(&self) -> f64 {
        T::epsilon().as_f64()
    }
}
