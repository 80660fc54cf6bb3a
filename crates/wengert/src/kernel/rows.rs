//! rows
use crate::kernel::real::Real;
/// sum
#[inline(always)]
pub fn sum_slice<T: Real>(x: &[T]) -> T { x.iter().fold(T::zero(), |a, &b| a + b) }
