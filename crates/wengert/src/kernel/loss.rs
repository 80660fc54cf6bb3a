//! Losses of arrays of one shape, element by element, and their cotangents: one loop each, for each level.

use crate::kernel::functions::Functions;
use crate::kernel::level::{Kernel, run};
use crate::kernel::number::Number;
use crate::words::Words;

/// A loss of a prediction `a` and a target `b` with weight `w` (1 where there is none), in words: one definition serves
/// the kernels here and the recorded derivatives. Both functions must be `#[inline(always)]`.
pub trait Pointwise: Copy + Sync {
    /// The loss.
    fn primal<N: Words>(self, a: N, b: N, w: N) -> N;
    /// Its derivative by argument `k`: `a`, `b` or `w`.
    fn partial<N: Words>(self, k: usize, a: N, b: N, w: N) -> N;
}

/// Arguments of a loss, as long as each other.
#[derive(Clone, Copy)]
pub struct Tile<'a, T> {
    pub a: &'a [T],
    pub b: &'a [T],
    pub w: &'a [T],
}

/// The loss of each element.
pub fn each<T: Functions, L: Pointwise>(loss: L, x: Tile<'_, T>, out: &mut [T]) {
    assert!(x.a.len() == out.len() && x.b.len() == out.len() && x.w.len() == out.len());
    run(Each { loss, x, out });
}

/// `out = scale * partial`, the partial by argument `k`: the prediction or the target.
pub fn cotangent<T: Functions, L: Pointwise>(loss: L, k: usize, x: Tile<'_, T>, scale: &[T], out: &mut [T]) {
    assert!(x.a.len() == out.len() && x.b.len() == out.len() && x.w.len() == out.len());
    assert!(scale.len() == out.len());
    run(Partial { loss, k, x, scale, out });
}

struct Each<'a, T, L> {
    loss: L,
    x: Tile<'a, T>,
    out: &'a mut [T],
}
struct Partial<'a, T, L> {
    loss: L,
    k: usize,
    x: Tile<'a, T>,
    scale: &'a [T],
    out: &'a mut [T],
}

// Functions and loops, not closures and `for_each`: what is not inlined is compiled for the baseline instruction set.

impl<T: Functions, L: Pointwise> Kernel for Each<'_, T, L> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let Tile { a, b, w } = self.x;
        for ((out, (a, b)), w) in self.out.iter_mut().zip(a.iter().zip(b)).zip(w) {
            let [a, b, w] = [Number::<T, MODE>(*a), Number(*b), Number(*w)];
            *out = self.loss.primal(a, b, w).0;
        }
    }
}

impl<T: Functions, L: Pointwise> Kernel for Partial<'_, T, L> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        // Each branch is a loop of its own, so that none is taken inside of one.
        match self.k {
            0 => self.by::<MODE>(0),
            _ => self.by::<MODE>(1),
        }
    }
}

impl<T: Functions, L: Pointwise> Partial<'_, T, L> {
    #[inline(always)]
    fn by<const MODE: u8>(self, k: usize) {
        let Tile { a, b, w } = self.x;
        for ((out, s), ((a, b), w)) in self.out.iter_mut().zip(self.scale).zip(a.iter().zip(b).zip(w)) {
            let [a, b, w] = [Number::<T, MODE>(*a), Number(*b), Number(*w)];
            *out = *s * self.loss.partial(k, a, b, w).0;
        }
    }
}

/// A sum of many terms by halves, fed one at a time: its error grows with the logarithm of their number.
pub struct Halves<T> {
    /// Position `i` holds the sum of `2^i` terms, like the bits of a counter.
    sums: [T; 48],
    depth: usize,
    count: usize,
}

impl<T: Functions> Halves<T> {
    pub fn new() -> Self {
        Halves { sums: [T::zero(); 48], depth: 0, count: 0 }
    }

    pub fn add(&mut self, term: T) {
        self.count += 1;
        let mut term = term;
        for _ in 0..self.count.trailing_zeros() {
            self.depth -= 1;
            term += self.sums[self.depth];
        }
        self.sums[self.depth] = term;
        self.depth += 1;
    }

    pub fn total(&self) -> T {
        self.sums[..self.depth].iter().rev().fold(T::zero(), |sum, x| sum + *x)
    }
}
