//! Threads that stay awake from one piece of shared work to the next.
//!
//! Waking a sleeping thread costs about as much as half of a product of 200 rows takes. So a thread that has helped once
//! watches the *desk* for [`PATIENCE`] before it goes back to the pool it was called from: through a sweep, whose shared
//! pieces follow each other closely, it stays awake.
//!
//! One region of shared work is open at a time; whoever finds the desk taken works alone. Nobody waits for a thread
//! that has not come, so what a busy machine costs is the help, never the work.
//!
//! Invariant: work is called only between `open` and `close` of its region, and `close` returns when nobody is inside.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a helper watches for more work.
const PATIENCE: Duration = Duration::from_micros(200);
/// Looks at the desk between two looks at the clock.
const LOOKS: usize = 64;

type Work = dyn Fn() + Sync;

/// Where a region of shared work is laid out. `state` holds the region's number, whether it is open, how many seats are
/// left and how many helpers are inside.
struct Desk {
    taken: AtomicBool,
    state: AtomicU64,
    work: UnsafeCell<Option<*const Work>>,
    /// Helpers called and not yet gone.
    helpers: AtomicUsize,
}

const INSIDE: u64 = 1;
const INSIDES: u64 = 0xffff;
const SEAT: u64 = 1 << 16;
const SEATS: u64 = 0x7fff << 16;
const OPEN: u64 = 1 << 31;
const REGION: u64 = 1 << 32;

// SAFETY: `work` is written by the holder of `taken` while no region is open and nobody is inside, and read by those inside.
unsafe impl Sync for Desk {}

static DESK: Desk = Desk {
    taken: AtomicBool::new(false),
    state: AtomicU64::new(0),
    work: UnsafeCell::new(None),
    helpers: AtomicUsize::new(0),
};

/// Calls `work` on the calling thread and, at the same time, on up to `seats` threads of its pool.
pub fn together(seats: usize, work: &(dyn Fn() + Sync)) {
    if DESK.taken.swap(true, Ordering::Acquire) {
        return work();
    }
    let seats = seats.min(64);
    let region = Region::open(seats, work);
    for _ in DESK.helpers.load(Ordering::Relaxed)..seats {
        DESK.helpers.fetch_add(1, Ordering::Relaxed);
        rayon_core::spawn(help);
    }
    work();
    drop(region);
}

/// An open region; closes when dropped, after the last helper has left it.
struct Region;

impl Region {
    fn open(seats: usize, work: &(dyn Fn() + Sync)) -> Region {
        // SAFETY: the pointer is followed only inside this region, which `drop` ends before `work` does. The desk is ours.
        unsafe {
            *DESK.work.get() = Some(std::mem::transmute::<*const (dyn Fn() + Sync + '_), *const Work>(work))
        };
        let region = (DESK.state.load(Ordering::Relaxed) & !(REGION - 1)).wrapping_add(REGION);
        DESK.state.store(region | OPEN | (seats as u64 * SEAT), Ordering::Release);
        Region
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        DESK.state.fetch_and(!OPEN, Ordering::Relaxed);
        while DESK.state.load(Ordering::Acquire) & INSIDES != 0 {
            std::hint::spin_loop();
        }
        DESK.taken.store(false, Ordering::Release);
    }
}

/// What a helper does: takes a seat in every region that opens, until none has for a while.
fn help() {
    let mut seen = 0;
    let mut since = Instant::now();
    loop {
        for _ in 0..LOOKS {
            let state = DESK.state.load(Ordering::Relaxed);
            let (region, welcome) = (state / REGION, state & OPEN != 0 && state & SEATS != 0);
            if !welcome || region == seen {
                std::hint::spin_loop();
                continue;
            }
            let inside = state - SEAT + INSIDE;
            if DESK.state.compare_exchange(state, inside, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                let _seat = Seat;
                // SAFETY: inside the region, see its `open`.
                unsafe { (*(*DESK.work.get()).expect("a region has work"))() };
                (seen, since) = (region, Instant::now());
            }
        }
        if since.elapsed() > PATIENCE {
            break;
        }
    }
    DESK.helpers.fetch_sub(1, Ordering::Relaxed);
}

/// A helper's place inside a region.
struct Seat;

impl Drop for Seat {
    fn drop(&mut self) {
        DESK.state.fetch_sub(INSIDE, Ordering::Release);
    }
}
