//! Reverse-mode automatic differentiation over `ndarray`: a Wengert list kept in an arena.

mod kernel;

pub use kernel::real::Real;
