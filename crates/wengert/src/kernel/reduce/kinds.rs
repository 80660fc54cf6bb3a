//! The reductions themselves.

use super::passes::{Pass, WIDTH};
use super::{Bundle, Reduction};
use crate::kernel::elementwise::{Map, map_forward};
use crate::kernel::functions::Functions;
use crate::op::Unary;

/// `sum x / divisor`
#[derive(Clone, Copy)]
pub struct Sum {
    pub divisor: f64,
}

impl<T: Functions> Reduction<T> for Sum {
    fn of(&self, lanes: &Bundle<'_, T>, out: &mut [T]) {
        lanes.sum(Pass::Sum, &[T::zero(); WIDTH], out);
        if self.divisor != 1.0 {
            let divisor = T::of(self.divisor);
            out.iter_mut().for_each(|sum| *sum /= divisor);
        }
    }
}

/// `product x`
#[derive(Clone, Copy)]
pub struct Product;

impl<T: Functions> Reduction<T> for Product {
    fn of(&self, lanes: &Bundle<'_, T>, out: &mut [T]) {
        lanes.fold(Pass::Product, &[T::zero(); WIDTH], out);
    }
}

/// The largest element, or the smallest; NaN if there is one.
#[derive(Clone, Copy)]
pub enum Extreme {
    Max,
    Min,
}

impl<T: Functions> Reduction<T> for Extreme {
    fn of(&self, lanes: &Bundle<'_, T>, out: &mut [T]) {
        let pass = match self {
            Extreme::Max => Pass::Largest,
            Extreme::Min => Pass::Smallest,
        };
        lanes.fold(pass, &[T::zero(); WIDTH], out);
    }
}

/// How many elements are the largest, or the smallest; none where one is NaN.
#[derive(Clone, Copy)]
pub struct Ties(pub Extreme);

impl<T: Functions> Reduction<T> for Ties {
    fn of(&self, lanes: &Bundle<'_, T>, out: &mut [T]) {
        let mut best = [T::zero(); WIDTH];
        self.0.of(lanes, &mut best[..lanes.width]);
        lanes.sum(Pass::Equal, &best, out);
    }
}

/// `sum (x - mean)^2 / divisor`, or its root.
#[derive(Clone, Copy)]
pub struct Variance {
    pub divisor: f64,
    pub root: bool,
}

impl<T: Functions> Reduction<T> for Variance {
    fn of(&self, lanes: &Bundle<'_, T>, out: &mut [T]) {
        let (n, divisor) = (T::of(lanes.n as f64), T::of(self.divisor));
        let mut mean = [T::zero(); WIDTH];
        lanes.sum(Pass::Sum, &mean, out);
        mean.iter_mut().zip(&*out).for_each(|(mean, sum)| *mean = *sum / n);
        // The mean to its last bit: equal elements then deviate by 0, not by a rounding error.
        lanes.sum(Pass::Deviations, &mean, out);
        mean.iter_mut().zip(&*out).for_each(|(mean, rest)| *mean += *rest / n);
        lanes.sum(Pass::Squares, &mean, out);
        for variance in out {
            *variance /= divisor;
            *variance = if self.root { num_traits::Float::sqrt(*variance) } else { *variance };
        }
    }
}

/// `log sum e^x`; -infinity over nothing.
#[derive(Clone, Copy)]
pub struct LogSumExp;

impl<T: Functions> Reduction<T> for LogSumExp {
    fn of(&self, lanes: &Bundle<'_, T>, out: &mut [T]) {
        let mut most = [T::zero(); WIDTH];
        Extreme::Max.of(lanes, &mut most[..lanes.width]);
        // x - most of infinities would be NaN.
        let by = most.map(|most| if most.is_finite() { most } else { T::zero() });
        lanes.sum(Pass::Exponentials, &by, out);
        let mut sums = [T::one(); WIDTH];
        sums[..out.len()].copy_from_slice(out);
        map_forward(Map::Unary(Unary::Log), &sums[..out.len()], out);
        for (log, (most, by)) in out.iter_mut().zip(most.into_iter().zip(by)) {
            *log = if most == T::infinity() { most } else { *log + by };
        }
    }
}

/// Whether elements can be divided by their lane's largest, or smallest.
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
    fn of(&self, lanes: &Bundle<'_, T>, out: &mut [T]) {
        let zeros = &[T::zero(); WIDTH];
        match self.p {
            0.0 => lanes.sum(Pass::Nonzero, zeros, out),
            1.0 => lanes.sum(Pass::Sizes, zeros, out),
            2.0 => euclidean(lanes, zeros, out),
            p if p < 0.0 => lanes.fold(Pass::SmallestSize, zeros, out),
            _ => {
                lanes.fold(Pass::LargestSize, zeros, out);
                // Over nothing it is 0.
                out.iter_mut().for_each(|most| *most = if *most < T::zero() { T::zero() } else { *most });
            }
        }
    }
}

fn euclidean<T: Functions>(lanes: &Bundle<'_, T>, zeros: &[T; WIDTH], out: &mut [T]) {
    // Above this bound squares that underflowed are below the rounding error of the sum.
    let bound = T::min_positive_value() / T::epsilon();
    let safe = |squares: T| squares > bound && squares.is_finite();
    lanes.sum(Pass::Squares, zeros, out);
    if out.iter().all(|&squares| safe(squares)) {
        return out.iter_mut().for_each(|norm| *norm = num_traits::Float::sqrt(*norm));
    }
    let [mut scales, mut sums] = [[T::one(); WIDTH]; 2];
    PlainNorm { p: f64::INFINITY }.of(lanes, &mut scales[..lanes.width]);
    let by = scales.map(|scale| if usable(scale) { scale } else { T::one() });
    lanes.sum(Pass::Ratios, &by, &mut sums[..lanes.width]);
    for (norm, (scale, sum)) in out.iter_mut().zip(scales.into_iter().zip(sums)) {
        *norm = match safe(*norm) {
            true => num_traits::Float::sqrt(*norm),
            false if usable(scale) => scale * num_traits::Float::sqrt(sum),
            false => scale,
        };
    }
}
