//! The lines of the user's code, interned: a node holds four bytes of it.

use std::panic::Location;

pub type At = &'static Location<'static>;

const CACHE: usize = 64;

/// Locations by index. They are `'static`, so the table is never cleared: it is as long as the program has call sites.
pub struct Lines {
    all: Vec<At>,
    recent: [(At, u32); CACHE],
}

impl Lines {
    pub fn new() -> Self {
        let here = Location::caller();
        let mut all = Vec::with_capacity(CACHE);
        all.push(here);
        Lines { all, recent: [(here, 0); CACHE] }
    }

    #[inline]
    pub fn intern(&mut self, at: At) -> u32 {
        match self.recent(at) {
            Some(index) => index,
            None => self.find(at),
        }
    }

    /// The index of a location that was met a moment ago.
    #[inline(always)]
    pub fn recent(&self, at: At) -> Option<u32> {
        let (known, index) = self.recent[home(at)];
        std::ptr::eq(known, at).then_some(index)
    }

    #[cold]
    fn find(&mut self, at: At) -> u32 {
        let known = self.all.iter().position(|known| *known == at);
        let index = known.unwrap_or_else(|| {
            self.all.push(at);
            self.all.len() - 1
        });
        // A location that the compiler stored twice takes turns with itself; its first address stays in the table.
        if std::ptr::eq(self.all[index], at) {
            self.recent[home(at)] = (at, index as u32);
        }
        index as u32
    }

    pub fn get(&self, line: u32) -> At {
        self.all[line as usize]
    }
}

#[inline(always)]
fn home(at: At) -> usize {
    (std::ptr::from_ref(at) as usize >> 3) % CACHE
}
