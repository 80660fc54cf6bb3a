//! What a structured op says of itself: [`Rule`], shapes and recorded derivatives, compiled once; [`Kernels`], its numbers, for
//! each element type; and [`Record`], the tape as rules see it.
//!
//! Invariants: a rule never names the graph, and never sees broadcasting: a cotangent may have the shape of a broadcast
//! argument, and whoever called the rule sums it back (`broadcast`).

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD};
use smallvec::SmallVec;

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::operand::Operand;
pub use crate::kernel::walk::Rolled;
use crate::memory::{Dense, DenseMut, Located, Plain};
use crate::op::Op;
use crate::shape::{Layout, Shape};
use crate::term::Term;
use crate::var::Var;

/// The type of a node's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// The graph's own type, `f64` or `f32`.
    Real,
    /// `i64`
    Index,
    /// `bool`
    Mask,
}

/// Shape and type of an argument.
#[derive(Clone, Copy, Debug)]
pub struct Arg<'a> {
    pub shape: &'a [usize],
    pub dtype: Dtype,
}

/// Shape and type of a result.
#[derive(Clone, Debug)]
pub struct Spec {
    pub shape: Shape,
    pub dtype: Dtype,
}

pub type Specs = SmallVec<[Spec; 6]>;

impl Spec {
    pub fn real(shape: Shape) -> Self {
        Spec { shape, dtype: Dtype::Real }
    }
    pub fn index(shape: Shape) -> Self {
        Spec { shape, dtype: Dtype::Index }
    }
    pub fn mask(shape: Shape) -> Self {
        Spec { shape, dtype: Dtype::Mask }
    }
}

/// One real result.
pub fn one(shape: Shape) -> Result<Specs, Refusal> {
    let mut specs = Specs::new();
    specs.push(Spec::real(shape));
    Ok(specs)
}

/// The value of an argument or a result, where it lies.
pub enum Input<'a, T> {
    Real(Located<'a, T>),
    Index(Located<'a, i64>),
    Mask(Located<'a, bool>),
}

impl<'a, T> Input<'a, T> {
    pub fn shape(&self) -> &'a [usize] {
        match self {
            Input::Real(x) => x.shape(),
            Input::Index(x) => x.shape(),
            Input::Mask(x) => x.shape(),
        }
    }
    pub fn real(&self) -> ArrayViewD<'a, T> {
        self.located().view()
    }
    /// The memory that a real value lies in, the index of its first element, and its layout: for kernels that take strides.
    pub fn span(&self) -> (&'a [T], usize, &'a Layout) {
        let (data, first) = self.located().span();
        (data, first, self.located().layout())
    }
    /// A real value, to be read in row-major order.
    pub fn operand(&self) -> Operand<'a, T>
    where
        T: Plain,
    {
        Operand::located(self.located())
    }
    fn located(&self) -> &Located<'a, T> {
        match self {
            Input::Real(x) => x,
            _ => unreachable!("`infer` admits real values only"),
        }
    }
    pub fn index(&self) -> ArrayViewD<'a, i64> {
        match self {
            Input::Index(x) => x.view(),
            _ => unreachable!("`infer` admits indices only"),
        }
    }
    pub fn mask(&self) -> ArrayViewD<'a, bool> {
        match self {
            Input::Mask(x) => x.view(),
            _ => unreachable!("`infer` admits masks only"),
        }
    }
}

/// Where a forward writes: row-major without gaps, holding old numbers.
pub enum Output<'a, T> {
    Real(DenseMut<'a, T>),
    Index(DenseMut<'a, i64>),
    Mask(DenseMut<'a, bool>),
}

impl<T> Output<'_, T> {
    pub fn real(&mut self) -> ArrayViewMutD<'_, T> {
        match self {
            Output::Real(y) => y.view_mut(),
            _ => unreachable!("`infer` promised a real result"),
        }
    }
    /// The elements of a real result in row-major order.
    pub fn slice(&mut self) -> &mut [T] {
        match self {
            Output::Real(y) => y.slice(),
            _ => unreachable!("`infer` promised a real result"),
        }
    }
    pub fn index(&mut self) -> ArrayViewMutD<'_, i64> {
        match self {
            Output::Index(y) => y.view_mut(),
            _ => unreachable!("`infer` promised indices"),
        }
    }
    pub fn mask(&mut self) -> ArrayViewMutD<'_, bool> {
        match self {
            Output::Mask(y) => y.view_mut(),
            _ => unreachable!("`infer` promised a mask"),
        }
    }
}

/// A cotangent under construction: row-major without gaps; `accumulate` says whether it already holds one.
pub struct Cotangent<'a, T> {
    pub array: DenseMut<'a, T>,
    pub accumulate: bool,
}

impl<T> Cotangent<'_, T> {
    /// The elements in row-major order.
    pub fn slice(&mut self) -> &mut [T] {
        self.array.slice()
    }
}

/// One recorded application of an op, as its derivative rules see it.
pub struct Call<'a, 'r> {
    /// The arguments.
    pub args: &'a [Term<'r>],
    /// The results, hidden ones included.
    pub results: &'a [Term<'r>],
    /// Which arguments a cotangent is wanted for.
    pub needs: &'a [bool],
}

/// A cotangent (or none) for each argument.
pub type Cotangents<'r> = SmallVec<[Option<Term<'r>>; 3]>;
/// A value for each result.
pub type Terms<'r> = SmallVec<[Term<'r>; 2]>;

/// The tape as a rule sees it.
pub trait Record {
    /// Records an op on arguments that are known to fit.
    fn apply(&self, op: &Op, args: &[Var]) -> SmallVec<[Var; 6]>;
    /// A constant of one value.
    fn filled(&self, shape: &[usize], value: f64) -> Var;
    /// Constant indices.
    fn indices_of(&self, values: ArrayViewD<'_, i64>) -> Var;
    /// The shape of a node.
    fn shape_of(&self, v: Var) -> Shape;
    /// The type of a node's elements.
    fn dtype_of(&self, v: Var) -> Dtype;
    /// The numbers of a real node, for checks of values.
    fn numbers_of(&self, v: Var) -> ArrayD<f64>;
    /// The relative error of a number on this tape.
    fn epsilon(&self) -> f64;
}

/// Shape rule and derivatives of one structured op, of whatever element type.
///
/// Of `view`, `expand` and [`forward`](Kernels::forward) an op has one: `view` where the result is a strided view of the
/// argument, `expand` where it is recorded as other ops, `forward` where it has a kernel of its own.
pub trait Rule {
    /// Shapes and types of the results, or the rule that the arguments break.
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal>;

    /// How many of the results the user sees; the rest is kept for the derivative.
    fn visible(&self) -> usize {
        usize::MAX
    }

    /// The result as a view of an argument lying as `x`: its layout, and the offset of its first element.
    fn view(&self, _x: &Layout) -> Option<(Layout, isize)> {
        None
    }

    /// The result as the argument, of this shape, with one axis gone round.
    fn rolled(&self, _x: &[usize]) -> Option<Rolled> {
        None
    }

    /// The results recorded as other ops. The arguments have passed `infer`.
    fn expand<'r>(&self, _args: &[Term<'r>]) -> Option<Terms<'r>> {
        None
    }

    /// Refuses values that an op recorded as others cannot go on with.
    fn check(&self, _args: &[Term<'_>]) -> Result<(), Refusal> {
        Ok(())
    }

    /// The cotangent of each wanted argument, from those of the results.
    fn vjp<'r>(&self, _call: &Call<'_, 'r>, _y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        unreachable!("a differentiable op has a vjp")
    }

    /// Refuses cotangents where they have no counterpart: of these values, or for an argument in `needs` whose derivative
    /// is not known.
    fn check_vjp(&self, _call: &Call<'_, '_>, _y_bar: &[Option<Term<'_>>]) -> Result<(), Refusal> {
        Ok(())
    }

    /// The tangent of each result; `None` where two vjps serve as well.
    fn jvp<'r>(&self, _call: &Call<'_, 'r>, _x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        None
    }

    /// Refuses tangents at values where the results that are `wanted` have none.
    fn check_jvp(
        &self,
        _call: &Call<'_, '_>,
        _x_dot: &[Option<Term<'_>>],
        _wanted: &[bool],
    ) -> Result<(), Refusal> {
        Ok(())
    }

    /// Whether the result has the elements of the one argument in the same row-major order, so that its cotangent is the
    /// argument's as it stands.
    fn keeps_order(&self) -> bool {
        false
    }

    /// Where the cotangent of the one argument, of shape `x`, is that of the result divided by a number and repeated along
    /// some axes: these axes, and the number.
    fn repeats(&self, _x: &[usize]) -> Option<(Shape, f64)> {
        None
    }

    /// Whether the op is linear in its real arguments together: its vjp reads no primal, its jvp is the op itself.
    fn is_linear(&self) -> bool {
        false
    }

    /// Whether a gradient passes at all.
    fn is_differentiable(&self) -> bool {
        true
    }
}

/// One recorded application of an op, as its vjp on bare numbers sees it.
pub struct Adjoint<'a, 'b, T> {
    /// Axes in front of every cotangent, for several of them at once: none, or one where the kernel
    /// [takes it](Kernels::takes_lead).
    pub lead: &'a [usize],
    /// The arguments.
    pub x: &'a [Input<'b, T>],
    /// The results, hidden ones included.
    pub y: &'a [Input<'b, T>],
    /// The cotangents of the results.
    pub y_bar: &'a [Option<Dense<'b, T>>],
    /// The cotangents of the arguments, where they are wanted.
    pub x_bar: &'a mut [Option<Cotangent<'b, T>>],
}

/// The numbers of one structured op: what its [`Rule`] leaves to an element type.
pub trait Kernels<T: Functions> {
    /// Computes the results. The arguments have passed `infer`; what fails here fails because of values.
    fn forward(&self, _x: &[Input<'_, T>], _y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        unreachable!("an op without view and expansion has a forward")
    }

    /// The same as [`vjp`](Rule::vjp) on bare numbers, in place, for ops where that pays; `false` where it does not apply,
    /// which shapes and attributes alone decide.
    fn vjp_kernel(&self, _call: Adjoint<'_, '_, T>) -> bool {
        false
    }

    /// Turns the cotangent of the one result `y`, row-major, into that of the one argument where it lies, with the bits of
    /// [`vjp_kernel`](Kernels::vjp_kernel); `false`, and nothing done, where that does not apply.
    fn vjp_over(&self, _y: &Input<'_, T>, _bar: &mut [T]) -> bool {
        false
    }

    /// Whether several cotangents at once, with an axis for them in front of every array, are better than one after the other.
    fn takes_lead(&self) -> bool {
        false
    }
}

/// The shapes of arguments whose types must be `want` (a shorter list of arguments than `want` is refused, too).
pub fn expect<'a>(args: &'a [Arg<'_>], want: &[Dtype]) -> Result<SmallVec<[&'a [usize]; 8]>, Refusal> {
    expect_optional(args, want, want.len())
}

/// As [`expect`], where the arguments from `required` on may be left out.
pub fn expect_optional<'a>(
    args: &'a [Arg<'_>],
    want: &[Dtype],
    required: usize,
) -> Result<SmallVec<[&'a [usize]; 8]>, Refusal> {
    if args.len() < required || args.len() > want.len() {
        let rule = if required == want.len() {
            format!("takes {required} arguments, {} given", args.len())
        } else {
            format!("takes {required} to {} arguments, {} given", want.len(), args.len())
        };
        return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
    }
    let mut shapes = SmallVec::new();
    for (k, (arg, want)) in args.iter().zip(want).enumerate() {
        if arg.dtype != *want {
            return Err(dtype_refusal(k, *want, arg.dtype));
        }
        shapes.push(arg.shape);
    }
    Ok(shapes)
}

pub fn dtype_refusal(k: usize, want: Dtype, have: Dtype) -> Refusal {
    let name = |d| match d {
        Dtype::Real => "real numbers",
        Dtype::Index => "i64 indices",
        Dtype::Mask => "a bool mask",
    };
    let rule = format!("argument {k} must be {}, not {}", name(want), name(have));
    Refusal::new(ErrorKind::DtypeMismatch, rule)
}
