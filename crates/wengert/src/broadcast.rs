//! Broadcasting, transposed: the one place where the cotangent of a broadcast argument is summed back to its shape.

use crate::kernel::functions::Functions;
use crate::kernel::operand::{Operand, add};
use crate::kernel::scatter::{pairwise_sum, scatter_add};
use crate::kernel::walk::Walk;
use crate::shape::{Layout, Shape, broadcast};
use crate::term::Term;

/// Elements that are worked on at a time: a few arrays of them fit the first-level cache.
pub const TILE: usize = 1024;

/// `term` summed over the axes along which `shape` was repeated to reach its own shape.
///
/// A term that lacks axes or repetitions itself (a partial that does not vary) is repeated first.
pub fn unbroadcast<'r>(term: Term<'r>, shape: &[usize]) -> Term<'r> {
    let have = term.shape();
    if &have[..] == shape {
        return term;
    }
    let all = broadcast([&have[..], shape]).expect("a cotangent has the shape its argument was broadcast to");
    let lead = all.len() - shape.len();
    let repeated: Shape =
        (0..all.len()).filter(|&k| k < lead || (shape[k - lead] == 1 && all[k] != 1)).collect();
    let term = term.broadcast_to(&all);
    match repeated.is_empty() {
        true => term,
        false => term.sum(&repeated, true).reshape(shape),
    }
}

/// Where contributions to a cotangent go: an argument of `shape`, broadcast to the shape of the result.
pub enum Target {
    /// The argument has one element: contributions are summed.
    One,
    /// The argument has the result's shape.
    Same,
    /// The argument is repeated along some axes.
    Repeated(Walk),
}

impl Target {
    pub fn new(shape: &[usize], result: &[usize]) -> Self {
        if shape == result {
            return Target::Same;
        }
        if shape.iter().product::<usize>() == 1 {
            return Target::One;
        }
        let layout = Layout::contiguous(shape);
        Target::Repeated(Walk::new(result, &layout.broadcast_strides(result)))
    }
}

/// Adds an array of any strides to the row-major cotangent `out` (or overwrites it), summed back to `out`'s shape.
pub fn unbroadcast_into<T: Functions>(
    value: &Operand<'_, T>,
    len: usize,
    target: &Target,
    out: &mut [T],
    accumulate: bool,
) {
    let mut buffer = [T::zero(); TILE];
    if !accumulate && !matches!(target, Target::Same) {
        out.fill(T::zero());
    }
    for start in (0..len).step_by(TILE) {
        let end = (start + TILE).min(len);
        let tile = value.load(start, &mut buffer[..end - start]);
        match target {
            Target::One => out[0] += pairwise_sum(tile),
            Target::Repeated(walk) => scatter_add(out, walk, start, tile),
            Target::Same if accumulate => add(&mut out[start..end], tile),
            Target::Same => out[start..end].copy_from_slice(tile),
        }
    }
}
