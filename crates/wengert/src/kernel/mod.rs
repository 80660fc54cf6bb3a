//! Number crunching on slices: no graph, no shapes beyond what a kernel needs, concrete for `f32` and `f64`.

pub mod gemm;
pub mod linalg;
pub mod real;
