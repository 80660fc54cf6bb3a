//! The cofactor matrix, which is the gradient of the determinant for every matrix, singular ones included.

use super::eigen::NotConverged;
use super::lu::{determinant, inverse, lu};
use super::scaled::Product;
use super::svd::svd;
use crate::kernel::gemm::{Gemm, Strided, StridedMut, Threads, gemm};
use crate::kernel::real::Real;
use crate::kernel::scratch::room;

/// Ratio of the smallest to the largest pivot above which `det(a) a^-T` is accurate enough.
const WELL: f64 = 0.02;

/// `out[i, j]` is the signed minor of `a` without row `i` and column `j`; `det(a) a^-T` where `a` is invertible.
///
/// `a, out: [n, n]`. Sizes up to 3 by minors; larger ones by LU where its pivots are of like size, else by
/// `det(u) det(v) u diag(products of the other s) v^T` from the SVD, which holds for singular matrices too.
/// O(n^3). Allocates.
///
/// # Errors
/// If an entry is not finite (for `n > 3`).
pub fn cofactor<T: Gemm>(a: &[T], n: usize, out: &mut [T], threads: Threads) -> Result<(), NotConverged> {
    assert!(a.len() == n * n && out.len() == n * n, "cofactor: slices are not n by n");
    match n {
        0 => {}
        1 => out[0] = T::one(),
        2 => out.copy_from_slice(&[a[3], -a[2], -a[1], a[0]]),
        3 => minors_of_three(a, out),
        _ => return large(a, n, out, threads),
    }
    Ok(())
}

fn minors_of_three<T: Real>(a: &[T], out: &mut [T]) {
    for i in 0..3 {
        for j in 0..3 {
            // Cyclic neighbours carry the sign.
            let at = |p: usize, q: usize| a[(i + p) % 3 * 3 + (j + q) % 3];
            out[i * 3 + j] = at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1);
        }
    }
}

fn large<T: Gemm>(a: &[T], n: usize, out: &mut [T], threads: Threads) -> Result<(), NotConverged> {
    let (mut factors, mut pivots, mut work) = (a.to_vec(), vec![0; n], Vec::new());
    let regular = lu(&mut factors, n, &mut pivots, &mut work, threads).is_ok();
    let sizes = (0..n).map(|i| factors[i * n + i].abs().as_f64());
    let (low, high) = sizes.fold((f64::INFINITY, 0.0), |(low, high), x| (x.min(low), x.max(high)));
    let det = determinant(&factors, n, &pivots);
    if regular && low > WELL * high && det.is_finite() && det.abs() > T::min_positive_value() {
        inverse(&factors, n, &pivots, room(&mut work, n * n), threads);
        for i in 0..n {
            for j in 0..n {
                out[i * n + j] = det * work[j * n + i];
            }
        }
        return Ok(());
    }
    let [mut u, mut vt, mut s] = [n * n, n * n, n].map(|len| vec![T::zero(); len]);
    svd(a, n, n, &mut u, &mut s, &mut vt, &mut Default::default(), threads)?;
    let sign = orientation(&u, n, &mut factors, &mut pivots, &mut work)
        * orientation(&vt, n, &mut factors, &mut pivots, &mut work);
    for i in 0..n {
        let mut product = Product::one();
        (0..n).filter(|&j| j != i).for_each(|j| product.times(s[j]));
        let weight = sign * product.value();
        vt[i * n..][..n].iter_mut().for_each(|x| *x *= weight);
    }
    let (u, vt) = (Strided::rows(&u, n), Strided::rows(&vt, n));
    gemm([n, n, n], T::one(), u, vt, T::zero(), StridedMut::rows(out, n), threads);
    Ok(())
}

/// The tangent of [`cofactor`] at `a` along `e`, which is the second derivative of the determinant with one slot open.
///
/// With `a = u diag(s) v^T` and `e' = u^T e v`, the tangent is `u h v^T` where `h_jj` sums `p_ij e'_ii` over `i != j`
/// and `h_ij = -p_ij e'_ji`; `p_ij` is the product of all `s` but two, times `det(u) det(v)`. Holds for singular
/// matrices too. `a, e, out: [n, n]`. O(n^3). Allocates.
///
/// # Errors
/// If an entry of `a` is not finite (for `n > 2`).
pub fn cofactor_tangent<T: Gemm>(
    a: &[T],
    e: &[T],
    n: usize,
    out: &mut [T],
    threads: Threads,
) -> Result<(), NotConverged> {
    assert!(
        a.len() == n * n && e.len() == n * n && out.len() == n * n,
        "cofactor_tangent: slices are not n by n"
    );
    match n {
        0 => return Ok(()),
        1 => out[0] = T::zero(),
        2 => out.copy_from_slice(&[e[3], -e[2], -e[1], e[0]]),
        _ => return tangent_of_large(a, e, n, out, threads),
    }
    Ok(())
}

fn tangent_of_large<T: Gemm>(
    a: &[T],
    e: &[T],
    n: usize,
    out: &mut [T],
    threads: Threads,
) -> Result<(), NotConverged> {
    let [mut u, mut vt, mut s, mut h, mut turned] =
        [n * n, n * n, n, n * n, n * n].map(|len| vec![T::zero(); len]);
    let (mut pivots, mut work) = (vec![0; n], Vec::new());
    svd(a, n, n, &mut u, &mut s, &mut vt, &mut Default::default(), threads)?;
    let sign = orientation(&u, n, &mut h, &mut pivots, &mut work)
        * orientation(&vt, n, &mut h, &mut pivots, &mut work);
    let (u, vt) = (Strided::rows(&u, n), Strided::rows(&vt, n));
    let times = |a: Strided<'_, T>, b: Strided<'_, T>, c: &mut [T]| {
        gemm([n; 3], T::one(), a, b, T::zero(), StridedMut::rows(c, n), threads);
    };
    times(u.t(), Strided::rows(e, n), &mut h);
    times(Strided::rows(&h, n), vt.t(), &mut turned);
    h.fill(T::zero());
    for i in 0..n {
        for j in (0..n).filter(|&j| j != i) {
            let mut product = Product::one();
            (0..n).filter(|&k| k != i && k != j).for_each(|k| product.times(s[k]));
            let weight = sign * product.value();
            h[j * n + j] += weight * turned[i * n + i];
            h[i * n + j] = -weight * turned[j * n + i];
        }
    }
    times(u, Strided::rows(&h, n), &mut turned);
    times(Strided::rows(&turned, n), vt, out);
    Ok(())
}

/// Determinant, 1 or -1, of an orthogonal matrix.
fn orientation<T: Gemm>(q: &[T], n: usize, factors: &mut [T], pivots: &mut [usize], work: &mut Vec<T>) -> T {
    factors.copy_from_slice(q);
    let _ = lu(factors, n, pivots, work, Threads::ONE);
    determinant(factors, n, pivots).signum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::linalg::testing::Random;

    /// Signed minors by cofactor expansion.
    fn minors(a: &[f64], n: usize) -> Vec<f64> {
        fn det(a: &[f64], n: usize) -> f64 {
            if n == 0 {
                return 1.0;
            }
            (0..n)
                .map(|j| if j % 2 == 0 { 1.0 } else { -1.0 } * a[j] * det(&without(a, n, 0, j), n - 1))
                .sum()
        }
        fn without(a: &[f64], n: usize, i: usize, j: usize) -> Vec<f64> {
            (0..n * n).filter(|x| x / n != i && x % n != j).map(|x| a[x]).collect()
        }
        let sign = |i: usize| if (i / n + i % n).is_multiple_of(2) { 1.0 } else { -1.0 };
        (0..n * n).map(|i| sign(i) * det(&without(a, n, i / n, i % n), n - 1)).collect()
    }

    #[test]
    fn cofactors_of_regular_and_singular_matrices() {
        for n in [1, 2, 3, 4, 5, 6] {
            for lost in 0..=3 {
                let mut random = Random::new(n as u64);
                let mut a: Vec<f64> = random.vector(n * n);
                match lost {
                    1 if n > 1 => (0..n).for_each(|j| a[(n - 1) * n + j] = 2.0 * a[j]),
                    2 if n > 1 => {
                        (0..n).for_each(|j| a[(n - 1) * n + j] = 2.0 * a[j] + 1e-9 * a[(n - 1) * n + j])
                    }
                    3 => a.fill(0.0),
                    _ => {}
                }
                let mut c = vec![f64::NAN; n * n];
                cofactor(&a, n, &mut c, Threads::ONE).unwrap();
                let want = minors(&a, n);
                let off = c.iter().zip(&want).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
                assert!(off < 1e-14 * n as f64, "n = {n}, kind {lost}: off by {off}");
            }
        }
    }

    #[test]
    fn tangents_of_cofactors() {
        let mut random = Random::new(11);
        for n in 0..6 {
            for lost in 0..3 {
                let mut a: Vec<f64> = random.vector(n * n);
                // Rank n, n - 1 and n - 2 or less.
                (0..lost.min(n)).for_each(|row| a[row * n..][..n].fill(0.0));
                let e: Vec<f64> = random.vector(n * n);
                let near = |t: f64| minors(&a.iter().zip(&e).map(|(a, e)| a + t * e).collect::<Vec<_>>(), n);
                // Fourth-order differences; minors are polynomials.
                let t = 1e-2;
                let [far_up, up, down, far_down] = [2.0 * t, t, -t, -2.0 * t].map(near);
                let mut have = vec![f64::NAN; n * n];
                cofactor_tangent(&a, &e, n, &mut have, Threads::ONE).unwrap();
                for k in 0..n * n {
                    let want = (8.0 * (up[k] - down[k]) - (far_up[k] - far_down[k])) / (12.0 * t);
                    assert!((have[k] - want).abs() < 1e-10, "n = {n}, lost {lost}: {} {want}", have[k]);
                }
            }
        }
    }
}
