//! Work over several threads: which pieces there are depends on sizes alone, never on how many threads run them.
//!
//! The pool is rayon's global one, or the one that the caller has installed; `RAYON_NUM_THREADS=1`, or a pool of one
//! thread, keeps everything on the calling thread. Results are the same bits for any number of threads.

#[cfg(feature = "rayon")]
use std::sync::{Mutex, PoisonError};

/// How many threads there are to share work with, the calling one included.
pub fn available() -> usize {
    #[cfg(feature = "rayon")]
    return rayon_core::current_num_threads();
    #[cfg(not(feature = "rayon"))]
    1
}

/// Elements from which several threads pay.
const SHARED: usize = 1 << 16;
/// Elements of a piece of work.
pub const PIECE: usize = 1 << 13;

/// Whether this many elements are worth sharing, and there is somebody to share them with.
#[inline]
pub fn pays(elements: usize) -> bool {
    elements >= SHARED && available() > 1
}

/// How many units of `each` elements make a piece of work, where `count` of them are worth sharing.
pub fn units(count: usize, each: usize) -> Option<usize> {
    (count > 1 && pays(count.saturating_mul(each))).then(|| (PIECE / each.max(1)).max(1))
}

/// Pieces of work as a worker takes them. Behind it is a closure, so that what is done with them is compiled once, whatever
/// they are cut from.
pub struct Jobs<'a, J>(pub &'a mut dyn FnMut() -> Option<J>);

impl<J> Iterator for Jobs<'_, J> {
    type Item = J;

    fn next(&mut self) -> Option<J> {
        (self.0)()
    }
}

/// Runs all jobs, side by side where there are several threads. The calling thread works too: it is not kept waiting for
/// a sleeping one to take over.
pub fn each<J: Send>(jobs: impl Iterator<Item = J> + Send, work: impl Fn(J) + Sync) {
    each_if(true, jobs, work);
}

/// As [`each`] if that pays, else one after the other.
pub fn each_if<J: Send>(pays: bool, mut jobs: impl Iterator<Item = J> + Send, work: impl Fn(J) + Sync) {
    drain(pays, &mut || jobs.next(), &|jobs| jobs.for_each(&work));
}

/// Calls `f` with the pieces of `out` and where they start, side by side; with all of it where that does not pay.
pub fn pieces<A: Send>(out: &mut [A], f: impl Fn(usize, &mut [A]) + Sync) {
    let piece = if pays(out.len()) { PIECE } else { out.len().max(1) };
    each_if(piece < out.len(), out.chunks_mut(piece).enumerate(), |(k, out)| f(k * piece, out));
}

/// As [`each_if`], for work that prepares something once a thread: every worker takes jobs until none is left.
pub fn workers<J: Send>(
    pays: bool,
    mut jobs: impl Iterator<Item = J> + Send,
    work: impl Fn(&mut Jobs<'_, J>) + Sync,
) {
    drain(pays, &mut || jobs.next(), &work);
}

fn drain<J: Send>(
    pays: bool,
    next: &mut (dyn FnMut() -> Option<J> + Send),
    work: &(dyn Fn(&mut Jobs<'_, J>) + Sync),
) {
    #[cfg(feature = "rayon")]
    if pays && available() > 1 {
        let next = Mutex::new(next);
        let locked = || (next.lock().unwrap_or_else(PoisonError::into_inner))();
        return together(&|| work(&mut Jobs(&mut { locked })));
    }
    let _ = pays;
    work(&mut Jobs(next));
}

/// Runs `drain` on every thread; a panic in one of them is the caller's.
#[cfg(feature = "rayon")]
fn together(drain: &(dyn Fn() + Sync)) {
    let panic = Mutex::new(None);
    crate::kernel::crew::together(available() - 1, &|| {
        if let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(drain)) {
            *panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
        }
    });
    if let Some(payload) = panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        std::panic::resume_unwind(payload);
    }
}

#[cfg(all(test, feature = "rayon"))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    fn with_threads<R: Send>(n: usize, f: impl FnOnce() -> R + Send) -> R {
        rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(f)
    }

    #[test]
    fn every_job_is_done_once_whoever_calls() {
        let round = || {
            for jobs in [0, 1, 2, 7, 100] {
                let mut done = vec![0; jobs];
                each(done.iter_mut(), |slot| *slot += 1);
                assert!(done.iter().all(|n| *n == 1));
            }
        };
        with_threads(3, || (0..200).for_each(|_| round()));
        std::thread::scope(|scope| {
            for n in [1, 2, 4] {
                scope.spawn(move || with_threads(n, || (0..200).for_each(|_| round())));
            }
        });
    }

    #[test]
    fn jobs_may_share_work_themselves() {
        let total = AtomicUsize::new(0);
        with_threads(4, || {
            each(0..10, |_| each(0..10, |k| _ = total.fetch_add(k, Relaxed)));
        });
        assert_eq!(total.into_inner(), 450);
    }

    #[test]
    fn helpers_come() {
        use std::collections::HashSet;
        use std::time::{Duration, Instant};
        let seen = std::sync::Mutex::new(HashSet::new());
        let until = Instant::now() + Duration::from_secs(20);
        with_threads(2, || {
            while seen.lock().unwrap().len() < 2 && Instant::now() < until {
                each(0..4, |_| {
                    seen.lock().unwrap().insert(std::thread::current().id());
                    std::thread::sleep(Duration::from_millis(1));
                });
            }
        });
        assert_eq!(seen.into_inner().unwrap().len(), 2);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_next_region_works() {
        let caught = std::panic::catch_unwind(|| {
            with_threads(2, || each(0..64, |k| assert!(k != 40, "job {k}")));
        });
        assert!(caught.unwrap_err().downcast_ref::<String>().unwrap().contains("job 40"));
        let done = AtomicUsize::new(0);
        with_threads(2, || each(0..64, |_| _ = done.fetch_add(1, Relaxed)));
        assert_eq!(done.into_inner(), 64);
    }
}
