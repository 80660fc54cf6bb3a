//! The public ops, one method an op: each notes the caller's line, records its arguments and then itself.

mod elementwise;
mod reduce;
mod shape;
