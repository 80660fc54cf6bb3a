//! Shapes.

use crate::expr::Expr;
use crate::graph::Graph;
use crate::kernel::functions::Functions;
use crate::op::*;
use crate::var::Var;

impl<T: Functions> Graph<T> {
    /// The elements in row-major order with another shape; one entry may be -1.
    #[track_caller]
    pub fn reshape(&self, x: impl Expr, shape: &[isize]) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Reshape { shape: shape.into() }.into(), &[x])
    }
}
