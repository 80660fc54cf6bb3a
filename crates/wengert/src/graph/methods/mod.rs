//! The public ops, one method an op: each notes the caller's line, records its arguments and then itself.

mod activation;
mod assemble;
mod convolution;
mod custom;
mod density;
mod elementwise;
mod index;
mod linalg;
mod loss;
mod margin;
mod masks;
mod matmul;
mod network;
mod reduce;
mod scan;
mod shape;
mod transform;

pub use loss::ClassOptions;
