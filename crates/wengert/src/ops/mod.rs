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
mod moving;
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
use crate::rule::Rule;

/// The rule of a structured op.
pub fn rule<T: Functions>(op: &Op) -> &dyn Rule<T> {
    match op {
        Op::Compare(rule) => rule,
        _ => with_structured!(op, rule => rule, else unreachable!("elementwise ops have rows, not rules")),
    }
}
