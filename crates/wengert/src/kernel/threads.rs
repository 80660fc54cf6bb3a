//! Work over several threads: which pieces there are depends on sizes alone, never on how many threads run them.
//!
//! The pool is rayon's global one, or the one that the caller has installed; `RAYON_NUM_THREADS=1`, or a pool of one
//! thread, keeps everything on the calling thread. Results are the same bits for any number of threads.

/// How many threads there are to share work with, the calling one included.
pub fn available() -> usize {
    #[cfg(feature = "rayon")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "rayon"))]
    1
}

/// Elements from which several threads pay.
const SHARED: usize = 1 << 14;
/// Elements of a piece of work.
pub const PIECE: usize = 1 << 13;

/// Whether this many elements are worth sharing, and there is somebody to share them with.
#[inline]
pub fn pays(elements: usize) -> bool {
    elements >= SHARED && available() > 1
}

/// Runs all jobs, side by side where there are several threads. The calling thread works too: it is not kept waiting for
/// a sleeping one to take over.
pub fn each<J: Send>(jobs: impl Iterator<Item = J> + Send, work: impl Fn(J) + Sync) {
    #[cfg(feature = "rayon")]
    if available() > 1 {
        use std::sync::{Mutex, PoisonError};
        let (jobs, panic) = (Mutex::new(jobs), Mutex::new(None));
        let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
        crate::kernel::crew::together(available() - 1, &|| {
            let drain = std::panic::AssertUnwindSafe(|| {
                while let Some(job) = next() {
                    work(job);
                }
            });
            if let Err(payload) = std::panic::catch_unwind(drain) {
                *panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
            }
        });
        if let Some(payload) = panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
            std::panic::resume_unwind(payload);
        }
        return;
    }
    jobs.for_each(work);
}
