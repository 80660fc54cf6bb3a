//! Reverse-mode automatic differentiation over `ndarray`: a Wengert list kept in an arena.
//!
//! A [`Graph`] owns every value and every gradient; a [`Var`] is a `Copy` id of a node. Plain arithmetic on handles builds
//! lazy formulas ([`Expr`]) that [`Graph::eval`], or any op that takes one, records. [`Graph::backward`] fills the gradients
//! of the leaves; [`Graph::gradient`] records derivatives on the same tape, so that any order works; [`Graph::tangent`] is
//! forward mode; [`functional`] has helpers over closures, [`check`] compares with finite differences.
//!
//! ```
//! use ndarray::array;
//! use wengert::prelude::*;
//!
//! # fn main() -> wengert::Result<()> {
//! let mut g = Graph::new();
//! let x = g.leaf(array![2.0]);
//! let y = g.leaf(array![3.0]);
//! let z = g.eval(x * y + x.powi(2));
//! g.backward(z)?;
//! assert_eq!(g.grad(x).unwrap()[0], 7.0);
//! # Ok(())
//! # }
//! ```
//!
//! # Conventions
//! At kinks and ties derivatives follow PyTorch: relu'(0) = 0, abs'(0) = 0, `maximum` shares a tie by halves, `max` over an
//! axis shares it evenly, `clamp` passes nothing at its bounds. An op whose values can make it fail (a singular matrix)
//! returns a [`Result`]; shapes that do not fit panic with the op, the shapes, the rule and the caller's line, and
//! [`Graph::try_apply`] is the door that never panics.

mod audit;
mod broadcast;
pub mod check;
mod dot;
pub mod error;
pub mod expr;
pub mod functional;
pub mod graph;
mod hash;
mod kernel;
mod memory;
pub mod op;
mod ops;
mod rule;
pub mod shape;
mod term;
mod var;
mod words;

pub use audit::{Cut, Finding};
pub use error::{Error, ErrorKind, Result};
pub use expr::{Expr, Formula};
pub use graph::{Engine, Graph};
pub use kernel::real::Real;
pub use op::Op;
pub use var::Var;

pub mod prelude {
    //! What most programs need: `use wengert::prelude::*;`.
    pub use crate::check::{check_gradients, check_gradients_of, check_second_order, numerical_gradient};
    pub use crate::expr::{Expr, Formula};
    pub use crate::functional::{
        Evaluator, hessian, hvp, jacobian, jvp, per_sample_gradients, value_and_grad, vjp,
    };
    pub use crate::{Error, Graph, Result, Var};
}

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/ADDING_AN_OP.md")]
struct AddingAnOp;
