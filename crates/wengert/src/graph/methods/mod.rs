//! The public ops, one method an op: each notes the caller's line, records its arguments and then itself.

mod assemble;
mod convolution;
mod custom;
mod elementwise;
mod index;
mod linalg;
mod loss;
mod matmul;
mod network;
mod reduce;
mod scan;
mod shape;

pub use loss::ClassOptions;
