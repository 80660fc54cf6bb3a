//! Factorisations of real matrices on the products of [`gemm`](super::gemm).
//!
//! Matrices are row-major slices without gaps, results go to slices of the caller's. Blocked code runs on the
//! calling thread but for its products, so results do not depend on the number of threads. Every function takes
//! `n = 0`. What fails because of values is an error with the place where it failed; wrong lengths of slices
//! are mistakes of the caller in this crate and panic.
//!
//! Absent on purpose: complex matrices, leading batch axes (the caller's loop), derivatives (rules of the ops).
#![allow(dead_code, unused_imports)] // until the ops use all of it

mod cholesky;
mod cofactor;
mod eigen;
mod exponential;
mod lu;
mod qr;
mod reflect;
mod scaled;
mod svd;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod transpose;
mod triangular;
mod vectors;

pub use cholesky::{NotPositiveDefinite, cholesky};
pub use cofactor::cofactor;
pub use eigen::{NotConverged, eigh};
pub use exponential::exponential;
pub use lu::{Singular, determinant, inverse, log_determinant, lu, solve, solve_factored};
pub use qr::qr;
pub use svd::svd;
pub use triangular::triangular_inverse;
