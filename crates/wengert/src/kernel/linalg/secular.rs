//! Eigenvalues and eigenvectors of a diagonal matrix changed by one product: `diag(poles) + rho z z^T`.
//!
//! The eigenvalues are the roots of `1 / rho + sum_j z_j^2 / (poles_j - x)`, one behind each pole. A root is kept as its
//! distance from the nearer pole, so that its distances from all poles have full relative accuracy. The roots found are exactly
//! those of some `z` close to the given one; with that one, the vectors are orthogonal however close the roots.
//!
//! # References
//! R.-C. Li, Solving secular equations stably and efficiently, LAPACK working note 89 (1993).
//! M. Gu, S. Eisenstat, A stable and efficient algorithm for the rank-one modification of the symmetric eigenproblem,
//! SIAM J. Matrix Anal. Appl. 15 (1994).

use super::vectors::norm;
use crate::kernel::real::Real;
use crate::kernel::rows::vectorised;

/// Steps allowed for a root; 2 to 4 are usual, and halving an interval takes about as many as there are bits.
const STEPS: usize = 200;
/// Partial sums side by side.
const LANES: usize = 8;

/// Finds `roots`, ascending, and the eigenvectors as rows of `vectors`, the component of pole `j` in column `place[j]`.
///
/// `poles` ascend strictly, `rho` is positive and no component of `z` is 0; there may be none. `room` is two vectors.
pub fn eigenvectors<T: Real>(
    poles: &[T],
    z: &[T],
    rho: T,
    place: &[usize],
    roots: &mut [T],
    vectors: &mut [T],
    room: &mut [T],
) {
    vectorised!(solve::<T>; T: Real; poles: &'a [T], z: &'a [T], rho: T, place: &'a [usize], roots: &'a mut [T], vectors: &'a mut [T], room: &'a mut [T]);
}

#[inline(always)]
fn solve<T: Real>(
    poles: &[T],
    z: &[T],
    rho: T,
    place: &[usize],
    roots: &mut [T],
    vectors: &mut [T],
    room: &mut [T],
) {
    let n = poles.len();
    if n == 0 {
        return;
    }
    let (near, row) = room[..2 * n].split_at_mut(n);
    let total = z.iter().fold(T::zero(), |sum, &z| sum + z * z);
    for (i, distances) in vectors.chunks_exact_mut(n).enumerate() {
        roots[i] = root(poles, z, rho, total, i, distances);
    }
    // The squares of the components that have these roots: products of quotients near 1.
    near.fill(-T::one());
    for (i, distances) in vectors.chunks_exact(n).enumerate() {
        for part in [0..i, i + 1..n] {
            let (distances, poles_) = (&distances[part.clone()], &poles[part.clone()]);
            for ((near, &distance), &pole) in near[part].iter_mut().zip(distances).zip(poles_) {
                *near *= distance / (pole - poles[i]);
            }
        }
        near[i] *= distances[i];
    }
    near.iter_mut().zip(z).for_each(|(near, z)| *near = near.sqrt().copysign(*z));
    for vector in vectors.chunks_exact_mut(n) {
        row.iter_mut().zip(&*near).zip(&*vector).for_each(|((x, near), distance)| *x = *near / *distance);
        let length = norm(row);
        row.iter().zip(place).for_each(|(x, &at)| vector[at] = *x / length);
    }
}

/// The root behind pole `i`; the distances of all poles from it go to `distances`.
#[inline(always)]
fn root<T: Real>(poles: &[T], z: &[T], rho: T, total: T, i: usize, distances: &mut [T]) -> T {
    let (zero, two, half) = (T::zero(), T::of(2.0), T::of(0.5));
    let (n, inverse) = (poles.len(), T::one() / rho);
    let last = i + 1 == n;
    let width = if last { rho * total } else { poles[i + 1] - poles[i] };
    let middle = half * width;
    let from = |distances: &mut [T], origin: T| {
        distances.iter_mut().zip(poles).for_each(|(distance, &pole)| *distance = pole - origin);
    };
    // The sign in the middle tells the nearer pole; what the other poles add there gives the first guess.
    from(distances, poles[i]);
    let next = (i + 2).min(n);
    let others =
        inverse + sums(&z[..i], &distances[..i], middle).0 + sums(&z[next..], &distances[next..], middle).0;
    let left = z[i] * z[i];
    let right = if last { zero } else { z[i + 1] * z[i + 1] };
    let value = others + (right - left) / middle;
    let (origin, mut low, mut high) = match (last, value >= zero) {
        (_, true) => (i, zero, middle),
        (true, false) => (i, middle, width + width * T::epsilon()),
        (false, false) => (i + 1, -middle, zero),
    };
    if origin != i {
        from(distances, poles[origin]);
    }
    let mut x = if last {
        left / others
    } else if origin == i {
        let (a, b) = (others * width + left + right, left * width);
        let discriminant = (a * a - two * two * b * others).abs().sqrt();
        if a > zero { two * b / (a + discriminant) } else { (a - discriminant) / (two * others) }
    } else {
        let (a, b) = (left + right - others * width, right * width);
        let discriminant = (a * a + two * two * b * others).abs().sqrt();
        if a < zero { two * b / (a - discriminant) } else { -(a + discriminant) / (two * others) }
    };
    if !(x > low && x < high) {
        x = half * (low + high);
    }
    let (before, after) = (&z[..=i], &z[i + 1..]);
    for _ in 0..STEPS {
        let (psi, psi_slope) = sums(before, &distances[..=i], x);
        let (phi, phi_slope) = sums(after, &distances[i + 1..], x);
        let (value, slope) = (inverse + psi + phi, psi_slope + phi_slope);
        let size = inverse + T::of(4.0) * (psi.abs() + phi.abs()) + x.abs() * slope;
        if value.abs() <= T::epsilon() * size {
            break;
        }
        if value < zero {
            low = x;
        } else {
            high = x;
        }
        // The sums over poles on either side, each as one pole and a constant of the same value and slope here.
        let before = distances[i] - x;
        let mut step = if last {
            before * value / (value - before * psi_slope)
        } else {
            let after = distances[i + 1] - x;
            let c = value - before * psi_slope - after * phi_slope;
            let a = (before + after) * value - before * after * slope;
            let b = before * after * value;
            let discriminant = (a * a - two * two * b * c).abs().sqrt();
            if a <= zero { (a - discriminant) / (two * c) } else { two * b / (a + discriminant) }
        };
        let towards = value * step < zero;
        if !towards {
            step = -value / slope;
        }
        let mut next = x + step;
        if !(next > low && next < high) {
            next = half * (low + high);
        }
        if next == x {
            break;
        }
        x = next;
    }
    distances.iter_mut().for_each(|distance| *distance -= x);
    poles[origin] + x
}

/// The sums of `z^2 / (distance - x)` and of `z^2 / (distance - x)^2`.
#[inline(always)]
fn sums<T: Real>(z: &[T], distances: &[T], x: T) -> (T, T) {
    let (mut values, mut slopes) = ([T::zero(); LANES], [T::zero(); LANES]);
    let ((zs, z), (ds, d)) = (z.as_chunks::<LANES>(), distances.as_chunks::<LANES>());
    for (z, d) in zs.iter().zip(ds) {
        for q in 0..LANES {
            let quotient = z[q] / (d[q] - x);
            values[q] += z[q] * quotient;
            slopes[q] += quotient * quotient;
        }
    }
    for (q, (&z, &d)) in z.iter().zip(d).enumerate() {
        let quotient = z / (d - x);
        values[q] += z * quotient;
        slopes[q] += quotient * quotient;
    }
    let total = |sums: [T; LANES]| sums.into_iter().fold(T::zero(), |sum, x| sum + x);
    (total(values), total(slopes))
}
