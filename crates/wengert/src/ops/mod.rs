//! What the structured ops mean: one file a family, and here the way from an op to its rule.

mod assemble;
mod conv;
mod diagonal;
mod einsum;
mod gates;
mod index;
mod linalg;
mod loss;
mod matmul;
pub mod moving;
mod network;
mod norm;
mod reduce;
mod scan;
mod select;
mod shape;
mod softmax;
mod special;
#[cfg(test)]
mod testing;

use crate::kernel::functions::Functions;
use crate::op::{Op, with_structured};
use crate::rule::{Kernels, Rule};

/// The structured op itself, as its rule or as its kernels.
macro_rules! itself {
    ($op:expr) => {
        match $op {
            Op::Compare(op) => op,
            _ => with_structured!($op, op => op, else unreachable!("elementwise ops have rows, not rules")),
        }
    };
}

/// The rule of a structured op.
pub fn rule(op: &Op) -> &dyn Rule {
    itself!(op)
}

/// The kernels of a structured op.
pub fn kernels<T: Functions>(op: &Op) -> &dyn Kernels<T> {
    itself!(op)
}
