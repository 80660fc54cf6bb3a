//! Losses of arrays of one shape, element by element: sums without a temporary, and cotangents, for each level.

use crate::kernel::functions::Functions;
use crate::kernel::level::{Kernel, run};
use crate::kernel::number::Number;
use crate::words::Words;

/// A loss of a prediction `a` and a target `b` with weight `w` (1 where there is none), in words: one definition serves
/// the kernels here and the recorded derivatives. Both functions must be `#[inline(always)]`.
pub trait Pointwise: Copy {
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
    pub w: Option<&'a [T]>,
}

/// What a cotangent is multiplied by.
#[derive(Clone, Copy)]
pub enum Scale<'a, T> {
    /// The same number for every element.
    One(T),
    /// A number for each element.
    Each(&'a [T]),
}

impl<T> Tile<'_, T> {
    fn check(&self, len: usize) {
        assert!(self.a.len() == len && self.b.len() == len && self.w.is_none_or(|w| w.len() == len));
    }
}

/// The sum of the losses of a tile (a short one: the error grows with its length over [`LANES`]).
pub fn sum<T: Functions, L: Pointwise>(loss: L, x: Tile<'_, T>) -> T {
    x.check(x.a.len());
    run(Sum { loss, x })
}

/// The loss of each element.
pub fn each<T: Functions, L: Pointwise>(loss: L, x: Tile<'_, T>, out: &mut [T]) {
    x.check(out.len());
    run(Each { loss, x, out });
}

/// `out = scale * partial`, or added to it.
pub fn cotangent<T: Functions, L: Pointwise>(
    loss: L,
    k: usize,
    x: Tile<'_, T>,
    scale: Scale<'_, T>,
    out: &mut [T],
    accumulate: bool,
) {
    x.check(out.len());
    run(Partial { loss, k, x, scale, out, accumulate });
}

struct Sum<'a, T, L> {
    loss: L,
    x: Tile<'a, T>,
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
    scale: Scale<'a, T>,
    out: &'a mut [T],
    accumulate: bool,
}

/// Partial sums, because a sum in one variable may not be reordered by the compiler.
const LANES: usize = 16;

// Functions and loops, not closures and `for_each`: what is not inlined is compiled for the baseline instruction set.

#[inline(always)]
fn primal<T: Functions, L: Pointwise, const MODE: u8>(loss: L, a: T, b: T, w: T) -> T {
    loss.primal(Number::<T, MODE>(a), Number::<T, MODE>(b), Number::<T, MODE>(w)).0
}

#[inline(always)]
fn partial<T: Functions, L: Pointwise, const MODE: u8>(loss: L, k: usize, a: T, b: T, w: T) -> T {
    loss.partial(k, Number::<T, MODE>(a), Number::<T, MODE>(b), Number::<T, MODE>(w)).0
}

#[inline(always)]
fn put<T: Functions>(out: &mut T, value: T, accumulate: bool) {
    *out = if accumulate { *out + value } else { value };
}

impl<T: Functions, L: Pointwise> Kernel for Sum<'_, T, L> {
    type Output = T;
    #[inline(always)]
    fn call<const MODE: u8>(self) -> T {
        let Tile { a, b, w } = self.x;
        let loss = self.loss;
        let mut lanes = [T::zero(); LANES];
        let whole = a.len() / LANES * LANES;
        for start in (0..whole).step_by(LANES) {
            let (a, b) = (&a[start..][..LANES], &b[start..][..LANES]);
            match w {
                None => {
                    for i in 0..LANES {
                        lanes[i] += primal::<T, L, MODE>(loss, a[i], b[i], T::one());
                    }
                }
                Some(w) => {
                    let w = &w[start..][..LANES];
                    for i in 0..LANES {
                        lanes[i] += primal::<T, L, MODE>(loss, a[i], b[i], w[i]);
                    }
                }
            }
        }
        for i in whole..a.len() {
            lanes[i - whole] += primal::<T, L, MODE>(loss, a[i], b[i], w.map_or(T::one(), |w| w[i]));
        }
        for width in [8, 4, 2, 1] {
            (0..width).for_each(|i| lanes[i] += lanes[i + width]);
        }
        lanes[0]
    }
}

impl<T: Functions, L: Pointwise> Kernel for Each<'_, T, L> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let Tile { a, b, w } = self.x;
        let pairs = self.out.iter_mut().zip(a.iter().zip(b));
        let loss = self.loss;
        match w {
            None => {
                for (out, (a, b)) in pairs {
                    *out = primal::<T, L, MODE>(loss, *a, *b, T::one());
                }
            }
            Some(w) => {
                for ((out, (a, b)), w) in pairs.zip(w) {
                    *out = primal::<T, L, MODE>(loss, *a, *b, *w);
                }
            }
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
            1 => self.by::<MODE>(1),
            _ => self.by::<MODE>(2),
        }
    }
}

impl<T: Functions, L: Pointwise> Partial<'_, T, L> {
    #[inline(always)]
    fn by<const MODE: u8>(self, k: usize) {
        let Tile { a, b, w } = self.x;
        let (loss, accumulate) = (self.loss, self.accumulate);
        let pairs = self.out.iter_mut().zip(a.iter().zip(b));
        match (w, self.scale) {
            (None, Scale::One(s)) => {
                for (out, (a, b)) in pairs {
                    put(out, s * partial::<T, L, MODE>(loss, k, *a, *b, T::one()), accumulate);
                }
            }
            (None, Scale::Each(s)) => {
                for ((out, (a, b)), s) in pairs.zip(s) {
                    put(out, *s * partial::<T, L, MODE>(loss, k, *a, *b, T::one()), accumulate);
                }
            }
            (Some(w), Scale::One(s)) => {
                for ((out, (a, b)), w) in pairs.zip(w) {
                    put(out, s * partial::<T, L, MODE>(loss, k, *a, *b, *w), accumulate);
                }
            }
            (Some(w), Scale::Each(s)) => {
                for ((out, (a, b)), (w, s)) in pairs.zip(w.iter().zip(s)) {
                    put(out, *s * partial::<T, L, MODE>(loss, k, *a, *b, *w), accumulate);
                }
            }
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
