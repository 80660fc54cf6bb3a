//! Normalisations.
//!
//! Layer norm and RMS norm are one op each way on rows; the norms over batches and groups are layer norms of the same
//! numbers laid out in other rows, and leave their weights to plain arithmetic.

mod channels;
mod rows;
#[cfg(test)]
mod tests;

use crate::error::{ErrorKind, Refusal};

/// Refuses an `eps` that would not keep a denominator positive.
fn check_eps(eps: f64) -> Result<(), Refusal> {
    if eps >= 0.0 && eps.is_finite() {
        return Ok(());
    }
    Err(Refusal::new(ErrorKind::InvalidAttribute, format!("eps must be 0 or positive and finite, not {eps}")))
}

/// Refuses a weight or bias that has not the `want`ed shape.
fn check_scale(which: &str, have: Option<&&[usize]>, want: &[usize]) -> Result<(), Refusal> {
    match have {
        Some(&have) if have != want => {
            let rule = format!("the {which} must have shape {want:?}, not {have:?}");
            Err(Refusal::new(ErrorKind::ShapeMismatch, rule))
        }
        _ => Ok(()),
    }
}
