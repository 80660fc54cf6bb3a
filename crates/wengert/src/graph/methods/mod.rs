//! The public ops, one method an op: each notes the caller's line, records its arguments and then itself.

mod activation;
mod arrange;
mod assemble;
mod attention;
mod contract;
mod convolution;
mod create;
mod custom;
mod density;
mod elementwise;
mod factors;
mod index;
mod linalg;
mod loss;
mod margin;
mod masks;
mod matmul;
mod network;
mod order;
mod place;
mod reduce;
mod resample;
mod scan;
mod shape;
mod transform;

pub use attention::HeadWeights;
pub use loss::ClassOptions;

use crate::error::{ErrorKind, Refusal};
use crate::expr::Expr;
use crate::graph::{Engine, Graph};

use crate::term::Term;
use crate::var::Var;

/// Refuses a shape whose elements could not even be counted.
fn countable(shape: &[usize]) -> Result<(), Refusal> {
    let bytes = shape.iter().filter(|&&n| n > 0).try_fold(8usize, |bytes, &n| bytes.checked_mul(n));
    match bytes.is_some_and(|bytes| bytes <= isize::MAX as usize) {
        true => Ok(()),
        false => {
            let rule = format!("an array of shape {shape:?} has more elements than memory can hold");
            Err(Refusal::new(ErrorKind::InvalidAttribute, rule))
        }
    }
}

/// For ops that are formulas of others: they read as arithmetic on [`Term`]s.
impl<T: Engine> Graph<T> {
    /// An argument of the op named `op`.
    #[track_caller]
    fn term_of(&self, op: &'static str, x: impl Expr) -> Term<'_> {
        let x = self.arg(x);
        match self.resolve_all(&[x]) {
            Ok(_) => Term::new(self, x),
            Err(refusal) => panic!("{}", self.error(refusal, op, &[])),
        }
    }

    /// What a check of the op named `op` on `args` gives; panics with the error where it refuses.
    #[track_caller]
    fn admit<R>(&self, op: &'static str, args: &[Term<'_>], check: Result<R, Refusal>) -> R {
        match check {
            Ok(found) => found,
            Err(refusal) => {
                let args: Vec<Var> = args.iter().map(|arg| arg.var()).collect();
                panic!("{}", self.error(refusal, op, &args))
            }
        }
    }
}
