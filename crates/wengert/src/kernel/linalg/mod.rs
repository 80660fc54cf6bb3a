//! Factorisations of real matrices on the products of [`gemm`](super::gemm).
//!
//! Matrices are row-major slices without gaps, results go to slices of the caller's. Blocked code runs on the
//! calling thread but for its products, so results do not depend on the number of threads. Every function takes
//! `n = 0`. What fails because of values is an error with the place where it failed; wrong lengths of slices
//! are mistakes of the caller in this crate and panic.
//!
//! Absent on purpose: complex matrices, leading batch axes (the caller's loop).

mod adjoint;
mod cholesky;
mod cofactor;
mod conquer;
mod eigen;
mod exponential;
#[cfg(test)]
mod hard;
mod jacobi;
mod lu;
mod qr;
mod reflect;
mod scaled;
mod secular;
mod svd;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod transpose;
mod triangular;
mod tridiagonal;
mod vectors;

use std::cmp::Ordering;

pub use adjoint::{cholesky_adjoint, inverse_adjoint};
pub use cholesky::cholesky;
pub use cofactor::{cofactor, cofactor_tangent};
pub use eigen::eigh;
pub use exponential::exponential;
pub use lu::{determinant, inverse, log_determinant, lu, solve_factored};
pub use qr::qr;
pub use svd::svd;
pub use transpose::transpose_square;
pub use triangular::triangular_inverse;

/// Memory that callers of this module reuse from call to call.
#[derive(Debug, Default)]
pub struct Workspace<T> {
    /// Matrices of the caller's, see [`room`].
    pub matrices: [Vec<T>; 3],
    /// What the functions here ask for as `work`.
    pub work: Vec<T>,
    /// Row exchanges.
    pub pivots: Vec<usize>,
    /// What [`svd()`] asks for.
    pub svd: svd::Held<T>,
}

/// Sorts positions by what stands there; what has no order counts as equal.
fn sort(order: &mut [usize], compare: &dyn Fn(usize, usize) -> Option<Ordering>) {
    order.sort_by(|&i, &j| compare(i, j).unwrap_or(Ordering::Equal));
}
