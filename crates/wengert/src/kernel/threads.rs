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
const SHARED: usize = 1 << 16;
/// Elements of a piece of work.
pub const PIECE: usize = 1 << 14;

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
        let jobs = std::sync::Mutex::new(jobs);
        let next = || jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
        let drain = || {
            while let Some(job) = next() {
                work(job);
            }
        };
        return rayon::in_place_scope(|scope| {
            (1..available()).for_each(|_| scope.spawn(|_| drain()));
            drain();
        });
    }
    jobs.for_each(work);
}

/// Runs `a` on the calling thread and `b` beside it.
#[cfg(feature = "rayon")]
pub fn both(a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
    rayon::in_place_scope(|scope| {
        scope.spawn(|_| b());
        a();
    });
}
