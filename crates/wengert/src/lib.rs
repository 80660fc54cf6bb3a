//! Reverse-mode automatic differentiation over `ndarray`: a Wengert list kept in an arena.
#![allow(missing_docs, dead_code)]

mod broadcast;
pub mod check;
mod dot;
pub mod error;
pub mod expr;
pub mod functional;
pub mod graph;
mod kernel;
mod memory;
pub mod op;
mod ops;
mod rule;
pub mod shape;
mod term;
mod var;
mod words;

pub use error::{Error, ErrorKind, Result};
pub use expr::{Expr, Formula};
pub use graph::Graph;
pub use kernel::functions::Functions;
pub use kernel::real::Real;
pub use op::Op;
pub use var::Var;

pub mod prelude {
    //! What most programs need: `use wengert::prelude::*;`.
    pub use crate::check::{check_gradients, check_gradients_of, check_second_order, numerical_gradient};
    pub use crate::expr::Expr;
    pub use crate::functional::{
        Evaluator, hessian, hvp, jacobian, jvp, per_sample_gradients, value_and_grad, vjp,
    };
    pub use crate::{Error, Graph, Result, Var};
}
