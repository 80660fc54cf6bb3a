//! The table of elementwise ops: one row an op, everything about it in that row.
//!
//! A row is `name: Variant, primal, partial(s), lo, hi;` over the argument `x` (or `a`, `b`), the result `y` and the
//! attributes `p`. The primal is written for numbers, the partials in the words of [`Words`](crate::words::Words), so
//! that one expression serves the kernels, the derivative of every order and forward mode. `lo..hi` is where tests draw
//! arguments from. The macros here only carry tokens; what each expands to is said where it is used.

mod binary;
mod tuned;
mod unary;

pub(crate) use binary::binary_table;
pub(crate) use tuned::tuned_table;
pub(crate) use unary::unary_table;
