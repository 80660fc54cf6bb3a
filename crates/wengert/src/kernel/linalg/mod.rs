//! Factorisations of real matrices on the products of [`gemm`](super::gemm).
//!
//! Matrices are row-major slices without gaps, results go to slices of the caller's. Blocked code runs on the
//! calling thread but for its products, so results do not depend on the number of threads. Every function takes
//! `n = 0`. What fails because of values is an error with the place where it failed; wrong lengths of slices
//! are mistakes of the caller in this crate and panic.
//!
//! Absent on purpose: complex matrices, leading batch axes (the caller's loop), derivatives (rules of the ops).
#![allow(dead_code)]

mod cholesky;
mod lu;
mod scaled;
#[cfg(test)]
pub(crate) mod testing;
mod transpose;
mod triangular;
#[cfg(test)]
mod speed;

pub use cholesky::{NotPositiveDefinite, cholesky};
pub use lu::{Singular, determinant, inverse, log_determinant, lu, solve, solve_factored};
pub use triangular::triangular_inverse;
