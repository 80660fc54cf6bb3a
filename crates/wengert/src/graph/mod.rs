//! [`Graph`]: the arena that owns every value and every gradient.
//!
//! Recording takes `&self`, so that calls nest; whatever changes what exists takes `&mut self`, so that views of values
//! stay true by the borrow checker's word.

mod backward;
mod calls;
mod checkpoint;
pub mod custom;
mod engine;
mod formula;
mod formula_sweep;
mod higher;
mod implicit;
mod layouts;
mod lines;
mod marks;
mod methods;
mod node;
mod pending;
mod programs;
mod record;
mod rows;
mod segments;
mod shorter;
mod statement;
mod strands;
mod stretch;
mod structured;
mod sweep;
mod taking;
mod tangent;
mod tape;
mod totals;
mod totals_sweep;
mod values;
mod waiting;

use std::cell::{Cell, RefCell};
use std::panic::Location;

use crate::error::{Error, Refusal};
use crate::expr::Lowering;
use crate::kernel::functions::Functions;
use crate::kernel::program::Scratch;
use crate::var::Var;

pub use engine::Engine;
pub use marks::Mark;
pub use methods::{ClassOptions, HeadWeights};
pub use values::Source;

use lines::At;
use sweep::Sweep;
use tape::{Memory, Tape};

/// A Wengert list in an arena: owns all values and gradients; nodes are addressed by [`Var`].
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
///
/// # fn main() -> wengert::Result<()> {
/// let mut g = Graph::new();
/// let x = g.leaf(array![2.0]);
/// let y = g.leaf(array![3.0]);
/// let z = g.eval(x * y + x.powi(2));
/// g.backward(z)?;
/// assert_eq!(g.value(z)[0], 10.0);
/// assert_eq!(g.grad(x).unwrap()[0], 7.0);
/// # Ok(())
/// # }
/// ```
pub struct Graph<T: Functions = f64> {
    memory: Memory<T>,
    tape: RefCell<Tape<T>>,
    sweep: Sweep<T>,
    /// How many `no_grad` scopes are open.
    no_grad: Cell<u32>,
    /// The line of the user's code that is being served.
    at: Cell<At>,
    /// Memory for formulas being recorded, and tiles to run them in: kept so that neither allocates again.
    lowerings: RefCell<Vec<Lowering>>,
    scratch: RefCell<Scratch<T>>,
}

impl Graph<f64> {
    /// An empty graph of `f64`. For `f32` see [`Graph::default`].
    #[track_caller]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<T: Engine> Default for Graph<T> {
    #[track_caller]
    fn default() -> Self {
        Graph {
            memory: Memory::new(),
            tape: RefCell::new(Tape::new()),
            sweep: Sweep::new(),
            no_grad: Cell::new(0),
            at: Cell::new(Location::caller()),
            lowerings: RefCell::default(),
            scratch: RefCell::default(),
        }
    }
}

impl<T: Engine> Graph<T> {
    /// An empty graph with room for `nodes` nodes.
    #[track_caller]
    pub fn with_capacity(nodes: usize) -> Self {
        let g = Self::default();
        g.tape.borrow_mut().nodes.reserve(nodes);
        g
    }

    /// Notes the line of the user's code that is being served, for the nodes and errors that follow.
    #[track_caller]
    #[inline(always)]
    pub(crate) fn enter(&self) {
        self.at.set(Location::caller());
    }

    /// The error of `op` on `args` at the line being served.
    #[cold]
    pub(crate) fn error(&self, refusal: Refusal, op: &'static str, args: &[Var]) -> Error {
        T::error(self, refusal, op, args)
    }

    fn error_here(&self, refusal: Refusal, op: &'static str, args: &[Var]) -> Error {
        self.tape.borrow().error(refusal, op, args, self.at.get())
    }

    /// Runs `f` with nothing recorded as differentiable: for what should not be differentiated, or need not be.
    ///
    /// Nests, and ends when `f` returns or unwinds.
    ///
    /// # Examples
    /// ```
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let x = g.leaf(3.0);
    /// let y = g.no_grad(|g| g.eval(x * x));
    /// assert!(!g.is_differentiable(y));
    /// ```
    pub fn no_grad<R>(&self, f: impl FnOnce(&Self) -> R) -> R {
        self.under_no_grad(self.no_grad.get() + 1, f)
    }

    /// Runs `f` as if no `no_grad` were open: for what is recorded to be differentiated at once.
    pub(crate) fn with_grad<R>(&self, f: impl FnOnce(&Self) -> R) -> R {
        self.under_no_grad(0, f)
    }

    fn under_no_grad<R>(&self, scopes: u32, f: impl FnOnce(&Self) -> R) -> R {
        struct Restore<'a>(&'a Cell<u32>, u32);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                self.0.set(self.1);
            }
        }
        let _restore = Restore(&self.no_grad, self.no_grad.replace(scopes));
        f(self)
    }
}
