//! Products and what surrounds them in one loop: a sum that takes one up, and the cotangents of both factors.
//!
//! In a loop of its own each of them would read or write one array more, and that is all such a loop costs. Results have the
//! bits of the ops one by one: a product is rounded before it is added.

use crate::kernel::level::{Kernel, run};
use crate::kernel::real::Real;
use crate::kernel::threads::{self, PIECE};

/// How a product is taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// `a b + c`
    Plus,
    /// `a b - c`
    Minus,
    /// `c - a b`
    From,
}

/// `y = a b + c`, or one of the other ways to join a product.
pub fn multiply_join<T: Real>(join: Join, [a, b]: [&[T]; 2], c: &[T], y: &mut [T]) {
    assert!(a.len() == y.len() && b.len() == y.len() && c.len() == y.len());
    run(MultiplyJoin { join, a, b, c, y });
}

/// The cotangents of both factors: `a_bar = g b` and `b_bar = g a`, added where `accumulate` says so.
pub fn multiply_vjp<T: Real>(
    [a, b]: [&[T]; 2],
    g: &[T],
    [a_bar, b_bar]: [&mut [T]; 2],
    accumulate: [bool; 2],
) {
    let len = g.len();
    assert!(a.len() == len && b.len() == len && a_bar.len() == len && b_bar.len() == len);
    if threads::pays(len) {
        let read = a.chunks(PIECE).zip(b.chunks(PIECE)).zip(g.chunks(PIECE));
        let written = a_bar.chunks_mut(PIECE).zip(b_bar.chunks_mut(PIECE));
        return threads::each(read.zip(written), |(((a, b), g), (a_bar, b_bar))| {
            multiply_vjp([a, b], g, [a_bar, b_bar], accumulate);
        });
    }
    run(MultiplyVjp { a, b, g, a_bar, b_bar, accumulate });
}

struct MultiplyJoin<'a, T> {
    join: Join,
    a: &'a [T],
    b: &'a [T],
    c: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel for MultiplyJoin<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let each = self.y.iter_mut().zip(self.a.iter().zip(self.b).zip(self.c));
        match self.join {
            Join::Plus => each.for_each(|(y, ((a, b), c))| *y = *a * *b + *c),
            Join::Minus => each.for_each(|(y, ((a, b), c))| *y = *a * *b - *c),
            Join::From => each.for_each(|(y, ((a, b), c))| *y = *c - *a * *b),
        }
    }
}

struct MultiplyVjp<'a, T> {
    a: &'a [T],
    b: &'a [T],
    g: &'a [T],
    a_bar: &'a mut [T],
    b_bar: &'a mut [T],
    accumulate: [bool; 2],
}

impl<T: Real> Kernel for MultiplyVjp<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let read = self.a.iter().zip(self.b).zip(self.g);
        for ((a_bar, b_bar), ((a, b), g)) in self.a_bar.iter_mut().zip(self.b_bar).zip(read) {
            let (to_a, to_b) = (*g * *b, *g * *a);
            *a_bar = if self.accumulate[0] { *a_bar + to_a } else { to_a };
            *b_bar = if self.accumulate[1] { *b_bar + to_b } else { to_b };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_joined_and_pulled_as_one_by_one() {
        let numbers = |seed: usize| -> Vec<f32> {
            (0..77).map(|k| ((k * 37 + seed * 11) % 101) as f32 * 0.173 - 8.0).collect()
        };
        let [a, b, c, g] = [1, 2, 3, 4].map(numbers);
        for join in [Join::Plus, Join::Minus, Join::From] {
            let mut y = vec![0.0; 77];
            multiply_join(join, [&a, &b], &c, &mut y);
            for k in 0..77 {
                let product = a[k] * b[k];
                let want = match join {
                    Join::Plus => product + c[k],
                    Join::Minus => product - c[k],
                    Join::From => c[k] - product,
                };
                assert_eq!(y[k], want, "{join:?} {k}");
            }
        }
        for accumulate in [[false, false], [false, true], [true, false], [true, true]] {
            let (mut a_bar, mut b_bar) = (c.clone(), c.clone());
            multiply_vjp([&a, &b], &g, [&mut a_bar, &mut b_bar], accumulate);
            let held = accumulate.map(|held| if held { 1.0 } else { 0.0 });
            for k in 0..77 {
                assert_eq!(a_bar[k], held[0] * c[k] + g[k] * b[k]);
                assert_eq!(b_bar[k], held[1] * c[k] + g[k] * a[k]);
            }
        }
    }
}
