//! Stamps: which handles are valid. A rewind ends the validity of all handles at or behind its mark.

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
            next: block + 1,
        }
    }

    /// The stamp of handles recorded now.
    #[inline(always)]
    pub fn current(&self) -> u64 {
        self.stack[self.stack.len() - 1].stamp
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

    /// Whether a mark taken at `len` nodes, when handles had this stamp, is still valid.
    pub fn holds_mark(&self, len: usize, stamp: u64) -> bool {
        let made_in = self.stack.iter().position(|s| s.stamp == stamp);
        made_in.is_some_and(|k| self.stack.get(k + 1).is_none_or(|later| len <= later.first))
    }

    /// Why a handle or mark at `id` with this stamp is not valid.
    pub fn refusal(&self, what: &str, id: usize, stamp: u64) -> Refusal {
        if !self.blocks.iter().any(|&b| (b..b + STAMPS_PER_BLOCK).contains(&stamp)) {
            return Refusal::new(ErrorKind::ForeignHandle, format!("{what} belongs to another graph"));
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
        if self.next.is_multiple_of(STAMPS_PER_BLOCK) {
            self.next = fresh_block();
            self.blocks.push(self.next);
        }
        self.stack.push(Segment { first, stamp: self.next, rewound: Some(at) });
        self.next += 1;
    }
}
