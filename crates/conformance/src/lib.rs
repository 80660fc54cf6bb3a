//! Holds the engine against a corpus of small programs with known values, derivatives and refusals.
//!
//! A corpus is a folder of `.jsonl` files, one case a line; `golden/README.md` says what stands in a case. [`load`] reads
//! and checks them, [`run`] builds each program through the engine's public door for data (`Graph::try_apply`) and compares.
//! What a name of the corpus means in the engine stands in one table (`table`).
//!
//! Invariants: nothing in a corpus file makes this panic; an op that the table does not know is *not supported*, never
//! passed and never failed; a panic of the engine is a failure of that case alone.

mod attrs;
mod case;
mod compare;
mod evaluate;
mod parse;
mod report;
mod run;
mod single;
mod table;

pub use case::Case;
pub use parse::load;
pub use report::{Report, Tally};
pub use run::{Options, Outcome, run};
pub use single::RULE as SINGLE_RULE;
