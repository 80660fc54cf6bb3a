//! [`Var`]: a `Copy` id of a node, stamped so that it can never be taken for another.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A handle of one node of one graph: an index and the stamp of the segment it was recorded in.
///
/// `Copy + Eq + Hash + Send + Sync`, without lifetime. A handle whose node was rewound, or that belongs to another
/// graph, is refused with a message wherever it is used. There is no order: `x < y` on handles does not compile
/// (comparing values is `g.lt(x, y)`), and neither does `x.max(y)` (it is `maximum`).
///
/// ```compile_fail
/// use wengert::prelude::*;
/// let g = Graph::new();
/// let (x, y) = (g.leaf(1.0), g.leaf(2.0));
/// let _ = x < y;
/// ```
///
/// ```compile_fail
/// use wengert::prelude::*;
/// let g = Graph::new();
/// let (x, y) = (g.leaf(1.0), g.leaf(2.0));
/// let _ = x.max(y);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Var {
    pub(crate) id: usize,
    pub(crate) stamp: u64,
}

impl Var {
    /// The index of the node in its graph's arena.
    pub fn id(self) -> usize {
        self.id
    }
}

impl fmt::Debug for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.id)
    }
}

/// How many stamps a graph draws at once.
pub(crate) const STAMPS_PER_BLOCK: u64 = 1 << 20;

/// The first of a block of stamps that no other graph of this process has.
pub(crate) fn fresh_block() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed) * STAMPS_PER_BLOCK
}
