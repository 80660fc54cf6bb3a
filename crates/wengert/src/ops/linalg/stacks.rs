//! The matrices of a stack, one by one or side by side.

use std::sync::{Mutex, PoisonError};

use crate::error::Refusal;
use crate::kernel::functions::Functions;
use crate::kernel::linalg::Workspace;
use crate::kernel::scratch::{self, Scratch};
use crate::kernel::threads;

/// Operations (`n^3` a matrix) of a matrix that is worth handing over, and of a stack that is worth sharing.
const EACH: usize = 1 << 12;
const SHARED: usize = 1 << 18;

/// Does `one` for each of `count` matrices of `n` rows. The refusal is that of the first matrix that is refused.
pub(super) fn each_matrix<T: Functions, J: Send>(
    [count, n]: [usize; 2],
    jobs: impl Iterator<Item = J> + Send,
    one: impl Fn(usize, J, &mut Workspace<T>) -> Result<(), Refusal> + Sync,
) -> Result<(), Refusal> {
    let (work, mut jobs) = (n.saturating_pow(3), jobs.enumerate());
    if count < 2 || work < EACH || work.saturating_mul(count) < SHARED || threads::available() == 1 {
        return scratch::with(|Scratch { linalg, .. }| jobs.try_for_each(|(i, job)| one(i, job, linalg)));
    }
    let refused: Mutex<Option<(usize, Refusal)>> = Mutex::new(None);
    let lock = || refused.lock().unwrap_or_else(PoisonError::into_inner);
    threads::workers(true, jobs, |jobs| {
        scratch::with(|Scratch { linalg, .. }| {
            for (i, job) in jobs {
                if lock().as_ref().is_some_and(|(first, _)| *first < i) {
                    continue;
                }
                if let Err(refusal) = one(i, job, linalg) {
                    let mut first = lock();
                    if first.as_ref().is_none_or(|(first, _)| i < *first) {
                        *first = Some((i, refusal));
                    }
                }
            }
        });
    });
    refused.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), |(_, refusal)| Err(refusal))
}
