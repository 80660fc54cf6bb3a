//! Loops over contiguous vectors, to be inlined into a `pulp` dispatch by the caller.

use crate::kernel::real::Real;

const LANES: usize = 32;
const FEW: usize = 8;

/// Sum of products, in `LANES` interleaved partial sums.
#[inline(always)]
pub fn dot<T: Real>(x: &[T], y: &[T]) -> T {
    let mut sums = [T::zero(); LANES];
    let ((xs, x), (ys, y)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in xs.iter().zip(ys) {
        for q in 0..LANES {
            sums[q] += x[q] * y[q];
        }
    }
    // Up to 31 more: one behind the other they would take as long as hundreds side by side.
    let ((xs, x), (ys, y)) = (x.as_chunks::<FEW>(), y.as_chunks::<FEW>());
    for (x, y) in xs.iter().zip(ys) {
        for q in 0..FEW {
            sums[q] += x[q] * y[q];
        }
    }
    let tail = x.iter().zip(y).fold(T::zero(), |s, (&x, &y)| s + x * y);
    let mut width = LANES / 2;
    while width > 0 {
        for q in 0..width {
            sums[q] += sums[q + width];
        }
        width /= 2;
    }
    sums[0] + tail
}

/// `y += a x`.
#[inline(always)]
pub fn add_scaled<T: Real>(y: &mut [T], a: T, x: &[T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// `(x, y) = (c x - s y, s x + c y)`.
#[inline(always)]
pub fn rotate<T: Real>(x: &mut [T], y: &mut [T], c: T, s: T) {
    for (x, y) in x.iter_mut().zip(y) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

/// Two rows of a matrix at once, `i < j`.
#[inline(always)]
pub fn two_rows<T>(a: &mut [T], width: usize, i: usize, j: usize) -> (&mut [T], &mut [T]) {
    let (top, bottom) = a.split_at_mut(j * width);
    (&mut top[i * width..][..width], &mut bottom[..width])
}

/// The Euclidean norm without overflow or underflow on the way.
#[inline(always)]
pub fn norm<T: Real>(x: &[T]) -> T {
    let plain = dot(x, x);
    let low = T::min_positive_value() / (T::epsilon() * T::epsilon());
    if plain.is_finite() && plain > low {
        return plain.sqrt();
    }
    let scale = power_of_two_below(x);
    let mut sum = T::zero();
    for &v in x {
        let v = v / scale;
        sum += v * v;
    }
    scale * sum.sqrt()
}

/// The length of `(x, y)` without overflow or underflow on the way.
#[inline(always)]
pub fn length<T: Real>(x: T, y: T) -> T {
    let square = x * x + y * y;
    let low = T::min_positive_value() / (T::epsilon() * T::epsilon());
    if square > low && square.is_finite() { square.sqrt() } else { x.hypot(y) }
}

/// A power of two near the largest absolute value; 1 where that is 0 or not finite.
#[inline(always)]
pub fn power_of_two_below<T: Real>(x: &[T]) -> T {
    let most = x.iter().fold(T::zero(), |m, x| m.max(x.abs()));
    if most == T::zero() || !most.is_finite() {
        return T::one();
    }
    let power = T::of(most.as_f64().log2().floor().exp2());
    power.max(T::min_positive_value())
}

/// Takes slices of the given lengths out of a workspace, growing it where needed. Contents are unspecified.
pub fn carve<T: Real, const N: usize>(work: &mut Vec<T>, lengths: [usize; N]) -> [&mut [T]; N] {
    let total = lengths.iter().sum();
    if work.len() < total {
        work.resize(total, T::zero());
    }
    let mut rest = &mut work[..];
    lengths.map(|len| {
        let (part, left) = std::mem::take(&mut rest).split_at_mut(len);
        rest = left;
        part
    })
}
