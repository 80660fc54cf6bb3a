//! The reductions themselves.

use super::{Bundle, Reduction};
use crate::kernel::functions::Functions;

/// `sum x / divisor`
#[derive(Clone, Copy)]
pub struct Sum {
    pub divisor: f64,
}

impl<T: Functions> Reduction<T> for Sum {
    #[inline(always)]
    fn of<const W: usize, const MODE: u8>(self, lanes: &impl Bundle<T, W>) -> [T; W] {
        let sums = lanes.sum([T::zero(); W], |x, _| x);
        let divisor = T::of(self.divisor);
        if self.divisor == 1.0 { sums } else { sums.map(|s| s / divisor) }
    }
}

/// `product x`
#[derive(Clone, Copy)]
pub struct Product;

impl<T: Functions> Reduction<T> for Product {
    #[inline(always)]
    fn of<const W: usize, const MODE: u8>(self, lanes: &impl Bundle<T, W>) -> [T; W] {
        lanes.fold(T::one(), |x| x, |a, b| a * b)
    }
}

/// The largest element, or the smallest; NaN if there is one.
#[derive(Clone, Copy)]
pub enum Extreme {
    Max,
    Min,
}

impl<T: Functions> Reduction<T> for Extreme {
    #[inline(always)]
    fn of<const W: usize, const MODE: u8>(self, lanes: &impl Bundle<T, W>) -> [T; W] {
        match self {
            Extreme::Max => lanes.fold(T::neg_infinity(), |x| x, largest),
            Extreme::Min => lanes.fold(T::infinity(), |x| x, smallest),
        }
    }
}

/// How many elements are the largest, or the smallest; none where one is NaN.
#[derive(Clone, Copy)]
pub struct Ties(pub Extreme);

impl<T: Functions> Reduction<T> for Ties {
    #[inline(always)]
    fn of<const W: usize, const MODE: u8>(self, lanes: &impl Bundle<T, W>) -> [T; W] {
        let best = Reduction::<T>::of::<W, MODE>(self.0, lanes);
        lanes.sum(best, |x, best| if x == best { T::one() } else { T::zero() })
    }
}

/// The larger of two; a NaN on either side stays.
#[inline(always)]
fn largest<T: Functions>(best: T, x: T) -> T {
    if x > best || x.is_nan() { x } else { best }
}

#[inline(always)]
fn smallest<T: Functions>(best: T, x: T) -> T {
    if x < best || x.is_nan() { x } else { best }
}

/// `sum (x - mean)^2 / divisor`, or its root.
#[derive(Clone, Copy)]
pub struct Variance {
    pub divisor: f64,
    pub root: bool,
}

impl<T: Functions> Reduction<T> for Variance {
    #[inline(always)]
    fn of<const W: usize, const MODE: u8>(self, lanes: &impl Bundle<T, W>) -> [T; W] {
        let n = T::of(lanes.length() as f64);
        let mut mean = lanes.sum([T::zero(); W], |x, _| x).map(|s| s / n);
        // The mean to its last bit: equal elements then deviate by 0, not by a rounding error.
        let rest = lanes.sum(mean, |x, mean| x - mean);
        mean.iter_mut().zip(rest).for_each(|(mean, rest)| *mean += rest / n);
        let divisor = T::of(self.divisor);
        let squares = lanes.sum(mean, |x, mean| (x - mean) * (x - mean)).map(|s| s / divisor);
        if self.root { squares.map(num_traits::Float::sqrt) } else { squares }
    }
}

/// `log sum e^x`; -infinity over nothing.
#[derive(Clone, Copy)]
pub struct LogSumExp;

impl<T: Functions> Reduction<T> for LogSumExp {
    #[inline(always)]
    fn of<const W: usize, const MODE: u8>(self, lanes: &impl Bundle<T, W>) -> [T; W] {
        let most = lanes.fold(T::neg_infinity(), |x| x, |best, x| if x > best { x } else { best });
        // Infinities speak for themselves: x - most would be NaN.
        let most = most.map(|m| if m.is_finite() { m } else { T::zero() });
        let mut sums = lanes.sum(most, |x, most| Functions::exp::<MODE>(x - most));
        sums.iter_mut().zip(most).for_each(|(s, most)| *s = num_traits::Float::ln(*s) + most);
        sums
    }
}

/// Whether elements can be divided by their lane's largest, or smallest.
#[inline(always)]
pub(super) fn usable<T: Functions>(scale: T) -> bool {
    scale.is_finite() && scale > T::zero()
}

/// `(sum |x|^p)^(1/p)` for `p` 1 and 2, with its limits at `p` infinite and the number of elements other than 0 at `p = 0`.
///
/// Free of overflow and underflow: elements are divided by the largest where that is needed.
#[derive(Clone, Copy)]
pub(super) struct PlainNorm {
    pub p: f64,
}

impl<T: Functions> Reduction<T> for PlainNorm {
    #[inline(always)]
    fn of<const W: usize, const MODE: u8>(self, lanes: &impl Bundle<T, W>) -> [T; W] {
        let zero = T::zero();
        let abs = |x: T| num_traits::Float::abs(x);
        if self.p == 1.0 {
            return lanes.sum([zero; W], |x, _| abs(x));
        }
        if self.p == 0.0 {
            let counted = |x: T, _| if x == T::zero() || x.is_nan() { x } else { T::one() };
            return lanes.sum([zero; W], counted);
        }
        if self.p == 2.0 {
            let squares = lanes.sum([zero; W], |x, _| x * x);
            // Above this bound squares that underflowed are below the rounding error of the sum.
            let bound = T::min_positive_value() / T::epsilon();
            if squares.iter().all(|&s| s > bound && s.is_finite()) {
                return squares.map(num_traits::Float::sqrt);
            }
        }
        let scale = match self.p > 0.0 {
            true => lanes.fold(zero, abs, largest),
            false => lanes.fold(T::infinity(), abs, smallest),
        };
        if self.p.is_infinite() {
            return scale;
        }
        let by = scale.map(|s| if usable(s) { s } else { T::one() });
        let sums = lanes.sum(by, |x, s| (x / s) * (x / s)).map(num_traits::Float::sqrt);
        let mut norms = scale;
        norms.iter_mut().zip(sums).for_each(|(s, sum)| *s = if usable(*s) { *s * sum } else { *s });
        norms
    }
}
