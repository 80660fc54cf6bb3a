//! Losses: of pairs of arrays element by element (`pair` joins them, `pointwise` says what each is), and of classes.

mod classes;
mod pair;
mod pointwise;
mod recorded;
#[cfg(test)]
mod tests;
