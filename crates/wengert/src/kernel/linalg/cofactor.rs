//! The cofactor matrix, which is the gradient of the determinant for every matrix, singular ones included.

use super::eigen::NotConverged;
use super::lu::{determinant, inverse, lu};
use super::scaled::Product;
use super::svd::svd;
use crate::kernel::gemm::{Gemm, Strided, StridedMut, Threads, gemm};
use crate::kernel::real::Real;

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
        inverse(&factors, n, &pivots, work_matrix(&mut work, n), threads);
        for i in 0..n {
            for j in 0..n {
                out[i * n + j] = det * work[j * n + i];
            }
        }
        return Ok(());
    }
    let [mut u, mut vt, mut s] = [n * n, n * n, n].map(|len| vec![T::zero(); len]);
    svd(a, n, n, &mut u, &mut s, &mut vt, &mut work, threads)?;
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

fn work_matrix<T: Real>(work: &mut Vec<T>, n: usize) -> &mut [T] {
    work.resize(work.len().max(n * n), T::zero());
    &mut work[..n * n]
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
}
