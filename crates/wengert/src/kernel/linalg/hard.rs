//! Eigenvalues and singular values of matrices made to be difficult: equal, close, known and graded ones.

use std::f64::consts::PI;

use super::secular::eigenvectors;
use super::testing::{Random, both, multiply, residual};
use super::tests::orthonormal;
use super::*;
use crate::kernel::gemm::{Gemm, Strided, Threads};

/// Sizes around those at which a matrix is cut once, twice and three times.
const SIZES: [usize; 6] = [48, 49, 64, 65, 130, 200];

/// Values ascending, after the checks that need no other knowledge of the matrix.
fn checked_values<T: Gemm>(a: &[T], n: usize, name: &str) -> Vec<f64> {
    let (mut d, mut v) = (vec![T::nan(); n], vec![T::nan(); n * n]);
    eigh(a, n, &mut d, &mut v, &mut Vec::new(), Threads::ONE)
        .unwrap_or_else(|e| panic!("{name}, n = {n}: {e}"));
    assert!(d.is_sorted(), "{name}, n = {n}");
    assert!(orthonormal(&v, n, n) < 1.0, "{name}, n = {n}: {}", orthonormal(&v, n, n));
    let scaled: Vec<T> = (0..n * n).map(|i| v[i] * d[i % n]).collect();
    let again = multiply([n, n, n], Strided::rows(&scaled, n), Strided::rows(&v, n).t());
    assert!(residual(&again, a, n, a) < 1.0, "{name}, n = {n}: {}", residual(&again, a, n, a));
    d.iter().map(|x| x.as_f64()).collect()
}

fn matrix<T: Gemm>(n: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<T> {
    (0..n * n).map(|k| T::of(entry((k / n).max(k % n), (k / n).min(k % n)))).collect()
}

/// Asserts values up to `n eps` times the largest.
fn near<T: Gemm>(got: &[f64], mut want: Vec<f64>, name: &str) {
    want.sort_by(f64::total_cmp);
    let most = want.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let bound = got.len() as f64 * T::epsilon().as_f64() * most;
    for (got, want) in got.iter().zip(&want) {
        assert!((got - want).abs() <= bound, "{name}: {got} {want}");
    }
}

#[test]
fn eigh_of_matrices_with_known_values() {
    fn check<T: Gemm>(random: &mut Random, n: usize) {
        let beside = |i: usize, j: usize| i == j + 1;
        let differences = matrix::<T>(n, |i, j| if i == j { 2.0 } else { -f64::from(beside(i, j)) });
        let known = |k: usize| 2.0 - 2.0 * (PI * k as f64 / (n + 1) as f64).cos();
        near::<T>(
            &checked_values(&differences, n, "differences"),
            (1..=n).map(known).collect(),
            "differences",
        );
        let ones = checked_values(&matrix::<T>(n, |_, _| 1.0), n, "ones");
        near::<T>(&ones, (0..n).map(|i| if i == 0 { n as f64 } else { 0.0 }).collect(), "ones");
        // Blocks that are equal, and coupled by less than is lost in rounding, by little, or as strongly as within.
        for glue in [0.0, 1e-30, 1e-12, 1e-6, 1.0] {
            let wilkinson = |i: usize, j: usize| match i - j {
                0 => (i % 21) as f64 - 10.0,
                1 if i.is_multiple_of(21) => glue,
                1 => 1.0,
                _ => 0.0,
            };
            checked_values(&matrix::<T>(n, |i, j| wilkinson(i, j).abs()), n, "glued");
        }
        checked_values(&matrix::<T>(n, |i, j| 1.0 / (i + j + 1) as f64), n, "hilbert");
        let b: Vec<f64> = random.vector(n * n);
        for base in [0.9f64, 1.1] {
            let name = "graded";
            checked_values(&matrix::<T>(n, |i, j| b[i * n + j] * base.powi((i + j) as i32 / 2)), n, name);
        }
        checked_values(
            &matrix::<T>(n, |i, j| if i / 7 == j / 7 { b[i % 7 * n + j % 7] } else { 0.0 }),
            n,
            "blocks",
        );
    }
    both(check::<f64>, &SIZES);
    both(check::<f32>, &SIZES);
}

#[test]
fn eigh_and_svd_of_clusters() {
    fn check<T: Gemm>(random: &mut Random, n: usize) {
        let b: Vec<T> = random.vector(n * n);
        let (mut q, mut r) = (vec![T::zero(); n * n], vec![T::zero(); n * n]);
        qr(&b, n, n, &mut q, &mut r, &mut Vec::new(), Threads::ONE);
        for (name, gap) in [("equal", 0.0), ("nearly", 4.0 * T::epsilon().as_f64()), ("close", 1e-3)] {
            // Three clusters, one of them at 0.
            let known: Vec<f64> = (0..n).map(|i| ((i % 3) as f64) * (1.0 + gap * (i / 3) as f64)).collect();
            let scaled: Vec<T> = (0..n * n).map(|k| q[k] * T::of(known[k % n])).collect();
            let a = multiply([n, n, n], Strided::rows(&scaled, n), Strided::rows(&q, n).t());
            near::<T>(&checked_values(&a, n, name), known.clone(), name);
            let (mut u, mut s, mut vt) = (vec![T::nan(); n * n], vec![T::nan(); n], vec![T::nan(); n * n]);
            svd(&scaled, n, n, &mut u, &mut s, &mut vt, &mut Default::default(), Threads::ONE).unwrap();
            assert!(orthonormal(&u, n, n) < 1.0 && orthonormal(&vt, n, n) < 1.0, "{name}, n = {n}");
            near::<T>(&s.iter().rev().map(|x| x.as_f64()).collect::<Vec<_>>(), known, name);
            let us: Vec<T> = (0..n * n).map(|i| u[i] * s[i % n]).collect();
            let again = multiply([n, n, n], Strided::rows(&us, n), Strided::rows(&vt, n));
            assert!(residual(&again, &scaled, n, &scaled) < 1.0, "{name}, n = {n}");
        }
    }
    both(check::<f64>, &SIZES);
    both(check::<f32>, &SIZES);
}

#[test]
fn a_diagonal_and_a_product_keep_their_vectors_orthogonal() {
    fn check<T: Gemm>(random: &mut Random, n: usize) {
        for spread in [0.01, 1e-3, 40.0 * T::epsilon().as_f64()] {
            // Pairs of close poles, some of them hardly reached.
            let pole = |i: usize| (1.0 + (i / 2) as f64) * (1.0 + (i % 2) as f64 * 0.5 * spread);
            let poles: Vec<T> = (0..n).map(|i| T::of(pole(i))).collect();
            let z: Vec<T> = (0..n)
                .map(|i| T::of(random.number().abs().max(0.01) * if i % 5 == 2 { 1e-5 } else { 1.0 }))
                .collect();
            let place: Vec<usize> = (0..n).rev().collect();
            let (mut roots, mut v, mut room) =
                (vec![T::nan(); n], vec![T::nan(); n * n], vec![T::nan(); 2 * n]);
            eigenvectors(&poles, &z, T::of(0.7), &place, &mut roots, &mut v, &mut room);
            assert!(orthonormal(&v, n, n) < 1.0, "n = {n}, spread {spread}");
            let a: Vec<T> = (0..n * n)
                .map(|k| (n - 1 - k / n, n - 1 - k % n))
                .map(|(i, j)| T::of(0.7) * z[i] * z[j] + if i == j { poles[i] } else { T::zero() })
                .collect();
            let scaled: Vec<T> = (0..n * n).map(|k| v[k] * roots[k / n]).collect();
            let again = multiply([n, n, n], Strided::rows(&v, n).t(), Strided::rows(&scaled, n));
            assert!(residual(&again, &a, n.max(4), &a) < 1.0, "n = {n}, spread {spread}");
            for i in 0..n {
                assert!(
                    roots[i] >= poles[i] && (i + 1 == n || roots[i] <= poles[i + 1]),
                    "between the poles"
                );
            }
        }
    }
    both(check::<f64>, &[0, 1, 2, 3, 10, 33, 64]);
    both(check::<f32>, &[0, 1, 2, 3, 10, 33, 64]);
}

#[test]
fn small_singular_values_keep_their_digits() {
    // Columns of very different size: the singular values of a well-conditioned matrix times a diagonal.
    keeps_digits(6, 3.0, |j| 1e-3f64.powi(5 * j as i32));
    // Many columns of like size beside many others.
    keeps_digits(40, 30.0, |j| if j % 2 == 0 { 1.0 } else { 1e-13 });
    keeps_digits(40, 30.0, |j| 0.25f64.powi(j as i32));
}

#[test]
fn graded_rows_and_columns_keep_their_digits_in_single_precision() {
    // The same matrix in f64 is the reference: each singular value has its own error, not that of the largest.
    for (n, range) in [(20, 1e-2), (70, 1e-2), (70, 1e-4), (130, 1e-7)] {
        let mut random = Random::new(n as u64);
        let b: Vec<f32> = random.vector(n * n);
        for by_columns in [true, false] {
            let size = |i: usize| f64::powf(range, i as f64 / n as f64) as f32;
            let entry = |i: usize, j: usize| b[i * n + j] + if i == j { 20.0 } else { 0.0 };
            let a: Vec<f32> = (0..n * n)
                .map(|k| entry(k / n, k % n) * size(if by_columns { k % n } else { k / n }))
                .collect();
            let wide: Vec<f64> = a.iter().map(|&x| f64::from(x)).collect();
            let (s, t) = (singular_values(&a, n), singular_values(&wide, n));
            for (i, (&s, &t)) in s.iter().zip(&t).enumerate() {
                let error = (f64::from(s) - t).abs() / (t * f64::from(f32::EPSILON));
                assert!(error < n as f64, "n = {n}, range {range}, value {i}: {error}");
            }
        }
    }
}

fn singular_values<T: Gemm>(a: &[T], n: usize) -> Vec<T> {
    let (mut u, mut s, mut vt) = (vec![T::zero(); n * n], vec![T::zero(); n], vec![T::zero(); n * n]);
    svd(a, n, n, &mut u, &mut s, &mut vt, &mut Default::default(), Threads::ONE).unwrap();
    s
}

fn keeps_digits(n: usize, diagonal: f64, scale: impl Fn(usize) -> f64) {
    let mut random = Random::new(4);
    let b: Vec<f64> = random.vector(n * n);
    let a: Vec<f64> =
        (0..n * n).map(|i| (b[i] + if i % (n + 1) == 0 { diagonal } else { 0.0 }) * scale(i % n)).collect();
    let (mut u, mut s, mut vt) = (vec![0.0; n * n], vec![0.0; n], vec![0.0; n * n]);
    svd(&a, n, n, &mut u, &mut s, &mut vt, &mut Default::default(), Threads::ONE).unwrap();
    // Their product is the determinant, which LU finds to full relative accuracy here.
    let (mut f, mut p) = (a.clone(), vec![0; n]);
    lu(&mut f, n, &mut p, &mut Vec::new(), Threads::ONE).unwrap();
    let (_, log) = log_determinant(&f, n, &p);
    let sum: f64 = s.iter().map(|x| x.ln()).sum();
    assert!((sum - log).abs() < 1e-12, "{sum} {log}");
}
