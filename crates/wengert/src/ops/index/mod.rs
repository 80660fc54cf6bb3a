//! Elements picked by arrays of indices, and the ops adjoint to picking. Out-of-range indices are refused; negative ones
//! are out of range, so that a wrong computation of indices does not go unnoticed.

mod gather;
mod ordered;
mod rows;
mod scatter;
#[cfg(test)]
mod tests;

use ndarray::ArrayViewD;

use crate::error::{ErrorKind, Refusal};

/// Refuses indices that are not positions of an axis of length `n`.
fn check(index: &ArrayViewD<'_, i64>, n: usize, axis: usize) -> Result<(), Refusal> {
    match index.iter().find(|&&i| i < 0 || i as u64 >= n as u64) {
        Some(i) => {
            let rule = format!("index {i} is out of range for axis {axis} of length {n}");
            Err(Refusal::new(ErrorKind::IndexOutOfRange, rule))
        }
        None => Ok(()),
    }
}
