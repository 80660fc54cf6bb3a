//! Number crunching on slices: no graph, no shapes beyond what a kernel needs, concrete for `f32` and `f64`.

pub mod classes;
pub mod conv;
#[cfg(feature = "rayon")]
mod crew;
pub mod elementwise;
pub mod functions;
pub mod gemm;
pub mod lanes;
pub mod level;
pub mod linalg;
pub mod loss;
pub mod math;
pub mod muladd;
pub mod number;
pub mod operand;
pub mod pool;
pub mod product;
pub mod program;
pub mod reads;
pub mod real;
pub mod reduce;
pub mod rows;
pub mod scatter;
pub mod scratch;
pub mod select;
pub mod special;
mod square;
pub mod threads;
pub mod tile;
mod turn;
pub mod walk;
