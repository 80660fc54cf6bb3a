//! Inputs, values and gradients: how numbers come into a graph and out of it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use ndarray::{ArrayBase, ArrayViewD, ArrayViewMutD, Data, Dimension, IxDyn};
use smallvec::SmallVec;

use crate::error::{ErrorKind, Refusal, Result};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::lines::At;
use crate::graph::sweep::Held;
use crate::graph::tape::{self, Array, Kind, Marks, Stored, in_lane};
use crate::kernel::functions::Functions;
use crate::memory::Plain;
use crate::rule::Dtype;
use crate::shape::Shape;
use crate::var::Var;

/// What a graph takes as a value: arrays and views of any rank and memory order, slices, plain numbers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no value for a graph of `{A}`",
    note = "values are ndarray arrays and views, slices, `Vec`s and plain numbers of the graph's element type"
)]
pub trait Source<A> {
    /// The lengths of the axes.
    fn shape(&self) -> Shape;
    /// Writes the elements in row-major order.
    fn write(&self, out: &mut [A]);
}

impl<A: Copy, S: Data<Elem = A>, D: Dimension> Source<A> for ArrayBase<S, D> {
    fn shape(&self) -> Shape {
        ArrayBase::shape(self).into()
    }
    fn write(&self, out: &mut [A]) {
        match self.as_slice() {
            Some(slice) => out.copy_from_slice(slice),
            None => out.iter_mut().zip(self).for_each(|(o, v)| *o = *v),
        }
    }
}

impl<A, S: Source<A> + ?Sized> Source<A> for &S {
    fn shape(&self) -> Shape {
        S::shape(self)
    }
    fn write(&self, out: &mut [A]) {
        S::write(self, out)
    }
}

macro_rules! slices {
    ($([$($generic:tt)*] $Type:ty;)*) => { $(impl<A: Copy, $($generic)*> Source<A> for $Type {
        fn shape(&self) -> Shape { [self.len()].into_iter().collect() }
        fn write(&self, out: &mut [A]) { out.copy_from_slice(&self[..]) }
    })* };
}
slices! { [] [A]; [] Vec<A>; [const N: usize] [A; N]; }

macro_rules! numbers {
    ($($A:ty)*) => { $(impl Source<$A> for $A {
        fn shape(&self) -> Shape { Shape::new() }
        fn write(&self, out: &mut [$A]) { out[0] = *self }
    })* };
}
numbers! { f64 f32 i64 bool }

impl<T: Engine> Graph<T> {
    /// A differentiable input.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let w = g.leaf(array![[1.0, 2.0], [3.0, 4.0]]);
    /// let b = g.leaf(0.5);
    /// assert_eq!((g.shape(w).to_vec(), g.ndim(b)), (vec![2, 2], 0));
    /// ```
    #[track_caller]
    pub fn leaf(&self, value: impl Source<T>) -> Var {
        self.enter();
        self.real_input(Kind::Leaf, &value)
    }

    /// An input that is not differentiated.
    #[track_caller]
    pub fn constant(&self, value: impl Source<T>) -> Var {
        self.enter();
        self.real_input(Kind::Constant, &value)
    }

    /// Integer positions: class targets, rows of a table, entries to gather.
    #[track_caller]
    pub fn indices(&self, value: impl Source<i64>) -> Var {
        self.enter();
        self.array_input(Kind::Constant, &value, Dtype::Index)
    }

    /// Yes or no for each element: what `where_` selects by.
    #[track_caller]
    pub fn mask(&self, value: impl Source<bool>) -> Var {
        self.enter();
        self.array_input(Kind::Constant, &value, Dtype::Mask)
    }

    fn real_input(&self, kind: Kind, value: &impl Source<T>) -> Var {
        let shape = value.shape();
        if !in_lane(&shape) {
            return self.array_input(kind, value, Dtype::Real);
        }
        let mut one = [T::zero()];
        value.write(&mut one);
        self.push_input(kind, Stored::Lane { value: one[0], rank: shape.len() as u16 })
    }

    fn array_input<A: Plain>(&self, kind: Kind, value: &impl Source<A>, dtype: Dtype) -> Var {
        let shape = value.shape();
        let len = shape.iter().product();
        let mut fresh = self.memory.slab.take::<A>(len);
        value.write(fresh.slice(len));
        let layout = self.tape.borrow_mut().layouts.row_major(&shape);
        self.push_input(kind, Stored::Array(Array { place: fresh.place(), layout, root: 0 }, dtype))
    }

    fn push_input(&self, kind: Kind, stored: Stored<T>) -> Var {
        let mut tape = self.tape.borrow_mut();
        let marks = match kind {
            Kind::Leaf => Marks { differentiable: true, ..Marks::default() },
            _ => Marks::default(),
        };
        let (index, node) = (tape.inputs.len() as u32, tape.nodes.len() as u32);
        tape.inputs.push(tape::Source { node, modified: 0, modified_line: 0 });
        tape.push(&self.memory, kind, [index, 0], stored, marks, self.at.get())
    }

    /// The index of `v`'s node; panics with the caller's line where `v` is no handle of this graph.
    #[track_caller]
    pub(crate) fn id(&self, what: &'static str, v: Var) -> usize {
        let resolved = self.tape.borrow().resolve(v);
        match resolved {
            Ok(id) => id,
            // Not in a closure, whose caller would be the standard library.
            Err(refusal) => {
                self.enter();
                panic!("{}", self.error(refusal, what, &[]))
            }
        }
    }

    #[track_caller]
    fn id_of(&self, what: &'static str, v: Var, dtype: Dtype) -> usize {
        let id = self.id(what, v);
        let have = self.node(id).dtype();
        if have != dtype {
            self.enter();
            panic!("{}", self.error(crate::rule::dtype_refusal(0, dtype, have), what, &[v]));
        }
        id
    }

    /// The value of `v`, viewed for as long as nothing changes the graph.
    ///
    /// # Panics
    /// If `v` belongs to another graph or to a rewound part of this one, or is not real.
    ///
    /// ```compile_fail,E0502
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, 2.0]);
    /// let view = g.value(x);
    /// g.set_value(x, array![3.0, 4.0]).unwrap(); // refused: `view` still looks at the old value
    /// println!("{view}");
    /// ```
    #[track_caller]
    pub fn value(&self, v: Var) -> ArrayViewD<'_, T> {
        let id = self.id_of("value", v, Dtype::Real);
        self.input_view(id)
    }

    /// The value of integer positions.
    #[track_caller]
    pub fn value_i64(&self, v: Var) -> ArrayViewD<'_, i64> {
        let id = self.id_of("value_i64", v, Dtype::Index);
        self.input_view(id)
    }

    /// The value of a mask.
    #[track_caller]
    pub fn value_bool(&self, v: Var) -> ArrayViewD<'_, bool> {
        let id = self.id_of("value_bool", v, Dtype::Mask);
        self.input_view(id)
    }

    fn input_view<A>(&self, id: usize) -> ArrayViewD<'_, A> {
        self.settle(id);
        let tape = self.tape.borrow();
        let node = tape.nodes[id];
        self.memory.slab.view(tape.place(&self.memory, &node), &tape.entry(id).layout)
    }

    /// The value of a node of one element.
    ///
    /// # Panics
    /// If `v` has not exactly one element.
    #[track_caller]
    pub fn item(&self, v: Var) -> T {
        let value = self.value(v);
        if value.len() != 1 {
            self.enter();
            let rule = format!("an item is the value of exactly one element, not of {}", value.len());
            panic!("{}", self.error(Refusal::new(ErrorKind::ShapeMismatch, rule), "item", &[v]));
        }
        value.first().copied().expect("one element")
    }

    /// The lengths of the axes.
    #[track_caller]
    pub fn shape(&self, v: Var) -> Shape {
        let id = self.id("shape", v);
        self.tape.borrow().shape(id).clone()
    }

    /// The number of axes.
    #[track_caller]
    pub fn ndim(&self, v: Var) -> usize {
        self.shape(v).len()
    }

    /// The number of elements.
    #[track_caller]
    pub fn len(&self, v: Var) -> usize {
        self.shape(v).iter().product()
    }

    /// Whether a gradient can pass to `v`.
    #[track_caller]
    pub fn is_differentiable(&self, v: Var) -> bool {
        let id = self.id("is_differentiable", v);
        self.node(id).is_differentiable()
    }

    /// The name of the op that made `v`.
    #[track_caller]
    pub fn op(&self, v: Var) -> &'static str {
        let id = self.id("op", v);
        self.tape.borrow().op_name(id)
    }

    /// The line of the user's code that recorded `v`.
    #[track_caller]
    pub fn line(&self, v: Var) -> At {
        let id = self.id("line", v);
        self.tape.borrow().line(id)
    }

    /// The nodes that `v` was computed from.
    #[track_caller]
    pub fn parents(&self, v: Var) -> SmallVec<[Var; 4]> {
        let id = self.id("parents", v);
        let tape = self.tape.borrow();
        let node = tape.nodes[id];
        let op = if matches!(node.kind, Kind::Projection) { node.a as usize } else { id };
        tape.parents_of(op).into_iter().map(|p| tape.handle(p)).collect()
    }

    /// The number of nodes recorded. An op of several results takes one for itself beside one for each.
    pub fn node_count(&self) -> usize {
        self.tape.borrow().nodes.len()
    }

    /// Bytes of values and cotangents, in use or kept for use.
    pub fn bytes(&self) -> usize {
        self.memory.lane.bytes() + self.memory.slab.bytes() + self.sweep.bytes()
    }

    /// The handles of all values, in the order in which they were recorded.
    pub fn nodes(&self) -> impl Iterator<Item = Var> + '_ {
        let with_value = |id: &usize| self.node(*id).has_value();
        (0..self.node_count()).filter(with_value).map(|id| self.tape.borrow().handle(id))
    }

    /// The gradient of a leaf, or of a node under [`Graph::retain_grad`]; `None` where none has arrived.
    ///
    /// # Panics
    /// If `v` is neither: an intermediate's gradient is kept only under `retain_grad`.
    #[track_caller]
    pub fn grad(&self, v: Var) -> Option<ArrayViewD<'_, T>> {
        let id = self.id("grad", v);
        let tape = self.tape.borrow();
        let node = tape.nodes[id];
        let held = match node.kind {
            Kind::Leaf => self.sweep.of_input(node.a),
            Kind::Constant => None,
            _ if node.is_retained() => self.sweep.of_retained(id),
            _ => {
                drop(tape);
                self.enter();
                let rule =
                    "the gradient of an intermediate is kept only under retain_grad, called before backward";
                panic!("{}", self.error(Refusal::new(ErrorKind::MissingGradient, rule), "grad", &[v]));
            }
        };
        let shape = tape.shape(id).clone();
        held.map(|held| held.view(&shape))
    }

    /// The gradient that a node holds, if it is one that holds any.
    pub(crate) fn held(&self, v: Var) -> Option<ArrayViewD<'_, T>> {
        let node = self.node(v.id);
        matches!(node.kind, Kind::Leaf | Kind::Constant)
            .then_some(())
            .or(node.is_retained().then_some(()))?;
        self.grad(v)
    }

    /// Keeps the gradient of an intermediate, too, from the next `backward` on.
    #[track_caller]
    pub fn retain_grad(&mut self, v: Var) {
        let id = self.id("retain_grad", v);
        // An array that somebody takes up has no cotangent of its own.
        self.settle(id);
        let node = &mut self.tape.get_mut().nodes[id];
        if !matches!(node.kind, Kind::Leaf | Kind::Constant) {
            node.set_retained();
        }
    }

    /// Forgets all gradients.
    pub fn zero_grad(&mut self) {
        T::forget(self);
    }

    /// Overwrites the value of an input.
    ///
    /// Never recorded. What was recorded from the old value can no longer be differentiated where its derivative reads
    /// that value: a sweep that would is refused as `modified_value`.
    ///
    /// # Errors
    /// If `v` is no input, or the shapes differ.
    #[track_caller]
    pub fn set_value<A: Element<T>>(&mut self, v: Var, value: impl crate::graph::Source<A>) -> Result<()> {
        self.enter();
        let shape = value.shape();
        self.overwrite("set_value", v, Some(&shape), A::DTYPE, |out: &mut [A]| value.write(out))
    }

    /// As [`Graph::set_value`], at the line being served.
    pub(crate) fn set_real(&mut self, what: &'static str, v: Var, value: &[T]) -> Result<()> {
        self.overwrite(what, v, Some(&[value.len()]), Dtype::Real, |out: &mut [T]| out.copy_from_slice(value))
    }

    fn overwrite<A: Plain>(
        &mut self,
        what: &'static str,
        v: Var,
        shape: Option<&[usize]>,
        dtype: Dtype,
        write: impl FnOnce(&mut [A]),
    ) -> Result<()> {
        let at = self.at.get();
        let refuse = |g: &Self, kind, rule: String| Err(g.error(Refusal::new(kind, rule), what, &[v]));
        let id = self.tape.get_mut().resolve(v);
        let id = id.map_err(|refusal| self.error(refusal, what, &[]))?;
        let tape = self.tape.get_mut();
        let node = tape.nodes[id];
        if !matches!(node.kind, Kind::Leaf | Kind::Constant) || node.a == tape::NO_INPUT {
            let rule = format!(
                "only the value of a leaf or constant can be set; `{}` computes its own",
                tape.op_name(id)
            );
            return refuse(self, ErrorKind::InvalidAttribute, rule);
        }
        if node.dtype() != dtype {
            return Err(self.error(crate::rule::dtype_refusal(0, node.dtype(), dtype), what, &[v]));
        }
        let have = tape.shape(id);
        if let Some(shape) = shape
            && &have[..] != shape
        {
            let rule = format!("the new value has shape {shape:?}, the old one {:?}", &have[..]);
            return refuse(self, ErrorKind::ShapeMismatch, rule);
        }
        self.settle_readers(id);
        let tape = self.tape.get_mut();
        let (len, nodes) = (tape.entry(id).len, tape.nodes.len() as u32);
        let line = tape.lines.intern(at);
        let source = &mut tape.inputs[node.a as usize];
        (source.modified, source.modified_line) = (nodes, line);
        let place = tape.place(&self.memory, &node);
        write(self.memory.slab.write(place, len));
        Ok(())
    }

    /// Changes parameters by their gradients: `f(w, dw)` for each of `params`. Never recorded.
    ///
    /// # Errors
    /// If one of them is no leaf or has no gradient; then none is changed.
    ///
    /// # Examples
    /// ```
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let w = g.leaf(3.0);
    /// let loss = g.eval(w * w);
    /// g.backward(loss)?;
    /// g.update(&[w], |w, dw| w.scaled_add(-0.1, &dw))?;
    /// assert_eq!(g.item(w), 3.0 - 0.1 * 6.0);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn update(
        &mut self,
        params: &[Var],
        mut f: impl FnMut(&mut ArrayViewMutD<'_, T>, ArrayViewD<'_, T>),
    ) -> Result<()> {
        self.enter();
        for &v in params {
            let tape = self.tape.get_mut();
            let refusal = match tape.resolve(v) {
                Err(refusal) => Err(refusal),
                Ok(id) => match tape.nodes[id] {
                    node if node.kind == Kind::Leaf && self.sweep.of_input(node.a).is_some() => Ok(()),
                    node if node.kind == Kind::Leaf => {
                        let rule =
                            "the parameter has no gradient: no backward has reached it since zero_grad";
                        Err(Refusal::new(ErrorKind::MissingGradient, rule))
                    }
                    _ => {
                        let rule = format!(
                            "only leaves are parameters; this is the result of `{}`",
                            tape.op_name(id)
                        );
                        Err(Refusal::new(ErrorKind::InvalidAttribute, rule))
                    }
                },
            };
            refusal.map_err(|refusal| self.error(refusal, "update", &[v]))?;
        }
        for &v in params {
            let tape = self.tape.get_mut();
            let index = tape.nodes[v.id].a;
            let shape = tape.shape(v.id).clone();
            let held = self.sweep.take_input(index);
            let done = catch_unwind(AssertUnwindSafe(|| {
                self.overwrite("update", v, None, Dtype::Real, |out: &mut [T]| {
                    let mut w = ArrayViewMutD::from_shape(IxDyn(&shape), out)
                        .expect("as many elements as the shape says");
                    f(&mut w, held.view(&shape));
                })
            }));
            self.sweep.put_input(index, held);
            done.unwrap_or_else(|payload| resume_unwind(payload))?;
        }
        Ok(())
    }
}

/// Element types of inputs of a graph of `T`.
pub trait Element<T>: Plain {
    #[doc(hidden)]
    const DTYPE: Dtype;
}
impl Element<f64> for f64 {
    const DTYPE: Dtype = Dtype::Real;
}
impl Element<f32> for f32 {
    const DTYPE: Dtype = Dtype::Real;
}
impl<T: Functions> Element<T> for i64 {
    const DTYPE: Dtype = Dtype::Index;
}
impl<T: Functions> Element<T> for bool {
    const DTYPE: Dtype = Dtype::Mask;
}

impl<T: Functions> Held<T> {
    fn view(&self, shape: &[usize]) -> ArrayViewD<'_, T> {
        match self {
            Held::One(value) => {
                ArrayViewD::from_shape(IxDyn(shape), std::slice::from_ref(value)).expect("one element")
            }
            Held::Array(loan) => loan.view(shape),
        }
    }
}
