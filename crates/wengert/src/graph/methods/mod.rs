//! The public ops, one method an op: each notes the caller's line, records its arguments and then itself.

mod arrange;
mod assemble;
mod attention;
mod contract;
mod convolution;
mod create;
mod custom;
mod elementwise;
mod index;
mod linalg;
mod loss;
mod matmul;
mod network;
mod order;
mod place;
mod reduce;
mod resample;
mod scan;
mod shape;

pub use attention::HeadWeights;
pub use loss::ClassOptions;

use crate::error::Refusal;
use crate::expr::Expr;
use crate::graph::Graph;
use crate::kernel::functions::Functions;
use crate::term::Term;
use crate::var::Var;

/// For ops that are formulas of others: they read as arithmetic on [`Term`]s.
impl<T: Functions> Graph<T> {
    /// An argument of the op named `op`.
    #[track_caller]
    fn term_of(&self, op: &'static str, x: impl Expr) -> Term<'_, T> {
        let x = self.arg(x);
        match self.resolve_all(&[x]) {
            Ok(_) => Term::new(self, x),
            Err(refusal) => panic!("{}", self.error(refusal, op, &[])),
        }
    }

    /// What a check of the op named `op` on `args` gives; panics with the error where it refuses.
    #[track_caller]
    fn admit<R>(&self, op: &'static str, args: &[Term<'_, T>], check: Result<R, Refusal>) -> R {
        match check {
            Ok(found) => found,
            Err(refusal) => {
                let args: Vec<Var> = args.iter().map(|arg| arg.var()).collect();
                panic!("{}", self.error(refusal, op, &args))
            }
        }
    }
}
