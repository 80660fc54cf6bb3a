//! The value memory of a graph: addresses never move while the graph lives, and memory is reused, not given back.
//!
//! Three owners: [`Lane`] packs values of one element, [`Slab`] holds arrays one behind the other, [`Pool`] lends
//! buffers for cotangents; the last two cut theirs from a [`Room`](room::Room). All unsafe code of the engine outside of the GEMM calls stands in this folder.
//!
//! Invariants, kept by `graph/`:
//! 1. through a shared reference memory is only handed out, never written again: a [`Fresh`] piece is written once, by
//!    whoever took it, before its address is stored in a node, a [`Reserved`] one before anybody looks at that node's value;
//! 2. whatever overwrites or takes back (set, rewind, drop) takes the owner by `&mut`, so no view can be alive; the one
//!    exception, `Slab::retract`, takes back what nobody has a handle of (a recording that failed, or a rewind, which holds the graph exclusively);
//! 3. the views that rules get of values and of finished cotangents are of such memory, so that the gaps between their
//!    elements may be read as well (`span_of`);
//! 4. a [`Loan`] is held by the sweep that owns its pool, or by a method of it.

#![allow(unsafe_code)]

mod dense;
mod fetch;
mod few;
mod lane;
mod pool;
mod room;
mod slab;

pub use dense::{Dense, DenseMut};
pub use fetch::{prefetch, prefetch_at};
pub use few::Few;
pub use lane::Lane;
pub use pool::{Loan, Pool};
pub use room::RoomMark;
pub use slab::{Fresh, Located, Place, Plain, Reserved, Slab, span_of};
