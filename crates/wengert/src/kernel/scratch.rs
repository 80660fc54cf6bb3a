//! Memory that kernels reuse from call to call: one set a thread and element type, and one more for each call within a
//! call.
//!
//! It grows to what the largest call so far needed (a prepared image, a packed weight, a copy of an operand that does not
//! lie row-major) and is never given back, so that steady-state training allocates nothing here. It holds no state: what
//! a call finds in it is old numbers.

use std::any::Any;
use std::cell::RefCell;

use ndarray::ArrayViewD;

use crate::kernel::conv;
use crate::kernel::linalg;
use crate::kernel::operand::Operand;
use crate::kernel::pool;
use crate::kernel::real::Real;

/// The reused memory.
#[derive(Default)]
pub struct Scratch<T> {
    pub conv: conv::Workspace<T>,
    pub pool: pool::Workspace<T>,
    pub linalg: linalg::Workspace<T>,
    /// Room for copies of operands, see [`dense`].
    pub dense: [Vec<T>; 3],
    /// Sums and coefficients of a normalisation of channels.
    pub norm: Vec<T>,
}

thread_local! {
    static SCRATCH: RefCell<(Sets<f32>, Sets<f64>)> = RefCell::default();
}

/// What is not in use; the set of the outermost call lies on top.
type Sets<T> = Vec<Box<Scratch<T>>>;

/// Runs `f` with the memory of this thread; a call within `f` has memory of its own.
pub fn with<T: Real, R>(f: impl FnOnce(&mut Scratch<T>) -> R) -> R {
    let mut scratch = take();
    let result = f(&mut scratch);
    put_back(scratch);
    result
}

fn take<T: Real>() -> Box<Scratch<T>> {
    SCRATCH.with(|cell| of(&mut cell.borrow_mut()).pop()).unwrap_or_default()
}

fn put_back<T: Real>(scratch: Box<Scratch<T>>) {
    SCRATCH.with(|cell| of(&mut cell.borrow_mut()).push(scratch));
}

fn of<T: Real>((narrow, wide): &mut (Sets<f32>, Sets<f64>)) -> &mut Sets<T> {
    let found = match (narrow as &mut dyn Any).downcast_mut::<Sets<T>>() {
        Some(sets) => Some(sets),
        None => (wide as &mut dyn Any).downcast_mut(),
    };
    found.expect("elements are f32 or f64")
}

/// The elements of `x` in row-major order: borrowed where they lie so, else copied to `room`.
pub fn dense<'a, T: Real>(x: ArrayViewD<'a, T>, room: &'a mut Vec<T>) -> &'a [T] {
    if let Some(slice) = x.to_slice() {
        return slice;
    }
    room.clear();
    room.resize(x.len(), T::zero());
    match Operand::of(&x) {
        Some(x) => x.copy_to(room),
        None => room.iter_mut().zip(&x).for_each(|(to, from)| *to = *from),
    }
    room
}

/// The first `len` elements of `held`, which grows where it is shorter. They hold old numbers.
pub fn room<T: Clone + Default>(held: &mut Vec<T>, len: usize) -> &mut [T] {
    if held.len() < len {
        held.resize(len, T::default());
    }
    &mut held[..len]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_stays_and_calls_may_nest() {
        with(|outer: &mut Scratch<f32>| {
            outer.dense[0].resize(100, 1.0);
            with(|inner: &mut Scratch<f32>| {
                assert!(inner.dense[0].is_empty());
                inner.dense[0].resize(10, 2.0);
            });
            with(|other: &mut Scratch<f64>| assert!(other.dense[0].is_empty()));
        });
        with(|again: &mut Scratch<f32>| {
            assert_eq!(again.dense[0].len(), 100);
            with(|inner: &mut Scratch<f32>| assert_eq!(inner.dense[0].len(), 10));
        });
    }

    #[test]
    fn strided_operands_are_copied() {
        let x = ndarray::array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]].into_dyn();
        let mut room = Vec::new();
        assert_eq!(dense(x.view(), &mut room), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert!(room.is_empty());
        assert_eq!(dense(x.t(), &mut room), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }
}
