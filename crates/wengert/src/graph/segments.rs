//! Stamps: which handles are valid. A rewind ends the validity of all handles at or behind its mark.
//!
//! Stamps of lasting segments are even, those of temporary ones odd: what a user's closure records while a sweep runs is
//! forgotten with it, and a handle that slipped out is refused like any other that has had its day.

use crate::error::{ErrorKind, Refusal};
use crate::graph::lines::At;
use crate::var::{STAMPS_PER_BLOCK, Var, fresh_block};

/// The tape from `first` on, up to the next segment.
struct Segment {
    first: usize,
    stamp: u64,
    /// Where the rewind that began this segment was called.
    rewound: Option<At>,
}

/// Segments in order of `first`; a handle is valid iff its stamp is that of the segment that holds its id.
pub struct Segments {
    stack: Vec<Segment>,
    /// The blocks of stamps this graph has drawn: any other stamp is foreign.
    blocks: Vec<u64>,
    next: u64,
}

impl Segments {
    pub fn new() -> Self {
        let block = fresh_block();
        Segments {
            stack: vec![Segment { first: 0, stamp: block, rewound: None }],
            blocks: vec![block],
            next: block + 2,
        }
    }

    /// The stamp of handles recorded now.
    #[inline(always)]
    pub fn current(&self) -> u64 {
        self.stack[self.stack.len() - 1].stamp
    }

    /// Whether what is recorded now will be forgotten, with its handles.
    pub fn is_temporary(&self) -> bool {
        self.current() % 2 == 1
    }

    /// The stamp of the handle of node `id`.
    #[inline]
    pub fn stamp_of(&self, id: usize) -> u64 {
        self.holding(id).stamp
    }

    #[inline]
    fn holding(&self, id: usize) -> &Segment {
        self.stack.iter().rev().find(|s| s.first <= id).expect("segment 0 starts at 0")
    }

    /// Whether `v` is the handle of a node of a tape of `len` nodes.
    #[inline(always)]
    pub fn holds(&self, v: Var, len: usize) -> bool {
        v.id < len && self.stamp_of(v.id) == v.stamp
    }

    /// The stamp of a mark at `len` nodes: that of the last node which it keeps, since that is what it stands and falls
    /// with. The stamp of handles recorded next would not do: the first rewind to the mark ends it.
    pub fn of_mark(&self, len: usize) -> u64 {
        len.checked_sub(1).map_or(self.stack[0].stamp, |last| self.stamp_of(last))
    }

    /// Whether a mark of this stamp, taken at `len` nodes, is still valid.
    pub fn holds_mark(&self, len: usize, stamp: u64) -> bool {
        let made_in = self.stack.iter().position(|s| s.stamp == stamp);
        made_in.is_some_and(|k| self.stack.get(k + 1).is_none_or(|later| len <= later.first))
    }

    /// Why a handle or mark at `id` with this stamp is not valid.
    pub fn refusal(&self, what: &str, id: usize, stamp: u64) -> Refusal {
        if !self.blocks.iter().any(|&b| (b..b + STAMPS_PER_BLOCK).contains(&stamp)) {
            return Refusal::new(ErrorKind::ForeignHandle, format!("{what} belongs to another graph"));
        }
        if stamp % 2 == 1 {
            let rule = format!("{what} was recorded by a closure during a sweep and is forgotten with it");
            return Refusal::new(ErrorKind::StaleHandle, rule);
        }
        let by = self.holding(id).rewound.or_else(|| self.stack.last().and_then(|s| s.rewound));
        let by =
            by.map_or(String::new(), |at| format!(": the rewind at {}:{} ended it", at.file(), at.line()));
        Refusal::new(ErrorKind::StaleHandle, format!("{what} is stale{by}"))
    }

    /// Begins a segment at `first`; handles at or behind it end.
    pub fn rewind(&mut self, first: usize, at: At) {
        while self.stack.len() > 1 && self.stack[self.stack.len() - 1].first >= first {
            self.stack.pop();
        }
        let stamp = self.fresh();
        self.stack.push(Segment { first, stamp, rewound: Some(at) });
    }

    /// Begins a segment that will not last: its handles end with it, and those before it are as they were.
    pub fn begin_temporary(&mut self, first: usize) {
        let stamp = self.fresh() | 1;
        self.stack.push(Segment { first, stamp, rewound: None });
    }

    pub fn end_temporary(&mut self) {
        let ended = self.stack.pop();
        debug_assert!(ended.is_some_and(|s| s.stamp % 2 == 1));
    }

    fn fresh(&mut self) -> u64 {
        if self.next.is_multiple_of(STAMPS_PER_BLOCK) {
            self.next = fresh_block();
            self.blocks.push(self.next);
        }
        self.next += 2;
        self.next - 2
    }
}
