//! Derivatives held against differences: for a user's functions, and for every op of the engine.

mod differences;
mod function;

#[cfg(test)]
mod every_op;

pub use differences::{
    GradientCheck, check_gradients, check_gradients_of, check_second_order, check_second_order_of,
    numerical_gradient, numerical_gradient_of,
};
pub use function::{FunctionCheck, check_function};
