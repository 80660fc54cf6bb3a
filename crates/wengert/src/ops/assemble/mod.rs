//! Ops that take arrays apart and put them together.

mod assign;
mod join;
mod matrix;
mod pad;
mod repeat;
mod slice;
#[cfg(test)]
mod tests;
