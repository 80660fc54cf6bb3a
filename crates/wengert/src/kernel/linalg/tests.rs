//! Residuals, orthogonality, conventions and errors, in both types and over sizes that meet every code path.

use super::cholesky::NotPositiveDefinite;
use super::eigen::NotConverged;
use super::lu::Singular;
use super::testing::{Random, both, identity, multiply, norm_of, residual};
use super::*;
use crate::kernel::gemm::{Gemm, Strided, Threads, Triangle};

const SIZES: [usize; 12] = [0, 1, 2, 3, 5, 8, 17, 33, 49, 64, 65, 130];

pub(super) fn orthonormal<T: Gemm>(q: &[T], m: usize, n: usize) -> f64 {
    let gram = multiply([n, n, m], Strided::rows(q, n).t(), Strided::rows(q, n));
    residual(&gram, &identity(n), n, &identity(n))
}

fn positive<T: Gemm>(n: usize, random: &mut Random) -> Vec<T> {
    let b: Vec<T> = random.vector(n * n);
    let mut s = multiply([n, n, n], Strided::rows(&b, n), Strided::rows(&b, n).t());
    (0..n).for_each(|i| s[i * n + i] += T::of(0.1 * n as f64));
    s
}

#[test]
fn cholesky_reproduces_the_matrix() {
    fn check<T: Gemm>(random: &mut Random, n: usize) {
        let a: Vec<T> = positive(n, random);
        let mut messy = a.clone(); // above the diagonal nothing is read
        (0..n).for_each(|i| messy[i * n + i + 1..(i + 1) * n].fill(T::nan()));
        let mut l = vec![T::nan(); n * n];
        cholesky(&messy, n, &mut l, Threads::ONE).unwrap();
        let again = multiply([n, n, n], Strided::rows(&l, n), Strided::rows(&l, n).t());
        assert!(residual(&again, &a, n, &a) < 2.0, "n = {n}");
        assert!((0..n).all(
            |i| l[i * n + i] > T::zero() && l[i * n + i + 1..(i + 1) * n].iter().all(|x| *x == T::zero())
        ));
    }
    both(check::<f64>, &SIZES);
    both(check::<f32>, &SIZES);
}

#[test]
fn cholesky_names_the_first_bad_pivot() {
    for n in [1, 5, 64, 130] {
        for pivot in [0, n / 2, n - 1] {
            for bad in [-1.0, 0.0, f64::NAN] {
                let mut a: Vec<f64> = identity(n);
                a[pivot * n + pivot] = bad;
                let mut l = vec![0.0; n * n];
                assert_eq!(
                    cholesky(&a, n, &mut l, Threads::ONE),
                    Err(NotPositiveDefinite { pivot }),
                    "{n} {bad}"
                );
            }
        }
    }
}

#[test]
fn lu_solves_inverts_and_takes_determinants() {
    fn check<T: Gemm>(random: &mut Random, n: usize) {
        let a: Vec<T> = random.vector(n * n);
        let (mut f, mut p, mut work) = (a.clone(), vec![0; n], Vec::new());
        lu(&mut f, n, &mut p, &mut work, Threads::ONE).unwrap();
        let mut l = f.clone();
        let mut u = f.clone();
        for i in 0..n {
            l[i * n + i] = T::one();
            l[i * n + i + 1..(i + 1) * n].fill(T::zero());
            u[i * n..i * n + i].fill(T::zero());
            assert!(l[i * n..i * n + i].iter().all(|x| x.abs() <= T::one()), "partial pivoting");
        }
        let mut permuted = a.clone();
        for (i, &j) in p.iter().enumerate() {
            (0..n).for_each(|q| permuted.swap(i * n + q, j * n + q));
        }
        let again = multiply([n, n, n], Strided::rows(&l, n), Strided::rows(&u, n));
        assert!(residual(&again, &permuted, n, &a) < 2.0, "n = {n}");
        for (transposed, cols) in [(false, 1), (true, 1), (false, 7), (true, 40)] {
            let b: Vec<T> = random.vector(n * cols);
            let mut x = b.clone();
            solve_factored(&f, n, &p, transposed, &mut x, cols, Threads::ONE);
            let m = if transposed { Strided::rows(&a, n).t() } else { Strided::rows(&a, n) };
            let again = multiply([n, cols, n], m, Strided::rows(&x, cols));
            let scale = T::of(norm_of(&a) * norm_of(&x) + norm_of(&b));
            assert!(residual(&again, &b, n, &[scale]) < 3.0, "n = {n}, {cols} columns");
        }
        let mut inv = vec![T::nan(); n * n];
        inverse(&f, n, &p, &mut inv, Threads::ONE);
        let one = multiply([n, n, n], Strided::rows(&inv, n), Strided::rows(&a, n));
        let scale = T::of(norm_of(&a) * norm_of(&inv));
        assert!(residual(&one, &identity(n), n, &[scale]) < 3.0, "inverse, n = {n}");
        let (sign, log) = log_determinant(&f, n, &p);
        let det = determinant(&f, n, &p).as_f64();
        let want = sign.as_f64() * log.as_f64().exp();
        assert!(
            !det.is_normal()
                || want.is_infinite()
                || (det - want).abs() <= 1e3 * T::epsilon().as_f64() * det.abs()
        );
    }
    both(check::<f64>, &SIZES);
    both(check::<f32>, &SIZES);
}

#[test]
fn lu_of_singular_matrices() {
    let mut a = [1.0, 2.0, 3.0, 2.0, 4.0, 6.0, 1.0, 0.0, 1.0];
    let (mut p, mut work) = ([0; 3], Vec::new());
    assert_eq!(lu(&mut a, 3, &mut p, &mut work, Threads::ONE), Err(Singular { pivot: 2 }));
    assert_eq!(determinant(&a, 3, &p), 0.0);
    assert_eq!(log_determinant(&a, 3, &p), (0.0, f64::NEG_INFINITY));
    let (mut zero, mut p) = (vec![0.0f32; 70 * 70], vec![0; 70]);
    assert_eq!(lu(&mut zero, 70, &mut p, &mut Vec::new(), Threads::ONE), Err(Singular { pivot: 0 }));
    let (mut f, mut p) = ([0.0, 1.0, 1.0, 0.0], [0; 2]);
    lu(&mut f, 2, &mut p, &mut work, Threads::ONE).unwrap();
    assert_eq!((determinant(&f, 2, &p), log_determinant(&f, 2, &p)), (-1.0, (-1.0, 0.0)));
}

#[test]
fn determinants_do_not_overflow_on_the_way() {
    let sizes: [f64; 5] = [1e300, 1e300, 1e-300, 1e-300, 3.0];
    let mut a = vec![0.0f64; 25];
    (0..5).for_each(|i| a[i * 6] = sizes[i]);
    let (mut p, mut work) = ([0; 5], Vec::new());
    lu(&mut a, 5, &mut p, &mut work, Threads::ONE).unwrap();
    assert!((determinant(&a, 5, &p) - 3.0).abs() < 1e-14);
}

#[test]
fn triangular_inverses() {
    fn check<T: Gemm>(random: &mut Random, n: usize) {
        for (lower, unit) in [(true, false), (true, true), (false, false), (false, true)] {
            let mut a: Vec<T> = random.vector(n * n);
            a.iter_mut().for_each(|x| *x *= T::of(1.0 / n as f64));
            (0..n).for_each(|i| a[i * n + i] += T::of(1.5));
            let mut x = vec![T::nan(); n * n];
            triangular_inverse(Strided::rows(&a, n), n, Triangle { lower, unit }, &mut x, Threads::ONE);
            for i in 0..n {
                for j in 0..n {
                    if (lower && j > i) || (!lower && j < i) {
                        a[i * n + j] = T::zero();
                    }
                }
                if unit {
                    a[i * n + i] = T::one();
                }
            }
            let one = multiply([n, n, n], Strided::rows(&a, n), Strided::rows(&x, n));
            assert!(
                residual(&one, &identity(n), n, &identity(n)) < 3.0,
                "n = {n}, lower {lower}, unit {unit}"
            );
        }
    }
    both(check::<f64>, &SIZES);
    both(check::<f32>, &SIZES);
}

#[test]
fn qr_of_tall_wide_and_deficient_matrices() {
    fn check<T: Gemm>(random: &mut Random, n: usize) {
        for (m, n) in [(n, n), (n + 7, n), (2 * n, n), (n, n + 9), (n, 2 * n)] {
            let k = m.min(n);
            let mut a: Vec<T> = random.vector(m * n);
            if n > 4 && m > n {
                (0..m).for_each(|i| a[i * n + 3] = a[i * n + 1]);
            }
            let (mut q, mut r, mut work) = (vec![T::nan(); m * k], vec![T::nan(); k * n], Vec::new());
            qr(&a, m, n, &mut q, &mut r, &mut work, Threads::ONE);
            let again = multiply([m, n, k], Strided::rows(&q, k), Strided::rows(&r, n));
            assert!(residual(&again, &a, m, &a) < 2.0, "{m} by {n}");
            assert!(orthonormal(&q, m, k) < 2.0, "{m} by {n}");
            assert!((0..k).all(|i| r[i * n..i * n + i].iter().all(|x| *x == T::zero())));
        }
    }
    both(check::<f64>, &SIZES);
    both(check::<f32>, &SIZES);
}

#[test]
fn eigh_of_random_repeated_and_scaled_matrices() {
    fn check<T: Gemm>(random: &mut Random, n: usize) {
        for kind in 0..4 {
            let b: Vec<T> = random.vector(n * n);
            let mut a: Vec<T> = (0..n * n).map(|i| b[i] + b[i % n.max(1) * n + i / n.max(1)]).collect();
            match kind {
                1 => a = identity(n),
                2 => a.iter_mut().for_each(|x| *x *= T::min_positive_value()),
                3 => a.iter_mut().for_each(|x| *x *= T::max_value() * T::of(1e-3)),
                _ => {}
            }
            let (mut d, mut v, mut work) = (vec![T::nan(); n], vec![T::nan(); n * n], Vec::new());
            eigh(&a, n, &mut d, &mut v, &mut work, Threads::ONE).unwrap();
            assert!(d.is_sorted(), "ascending");
            assert!(orthonormal(&v, n, n) < 3.0, "n = {n}, kind {kind}");
            if kind < 2 {
                let scaled: Vec<T> = (0..n * n).map(|i| v[i] * d[i % n]).collect();
                let again = multiply([n, n, n], Strided::rows(&scaled, n), Strided::rows(&v, n).t());
                assert!(residual(&again, &a, n, &a) < 5.0, "n = {n}, kind {kind}");
            }
        }
    }
    both(check::<f64>, &SIZES);
    both(check::<f32>, &SIZES);
    let mut v = [0.0; 4];
    assert_eq!(
        eigh(&[1.0, 0.0, f64::NAN, 1.0], 2, &mut [0.0; 2], &mut v, &mut Vec::new(), Threads::ONE),
        Err(NotConverged)
    );
}

#[test]
fn svd_of_every_shape_and_rank() {
    fn check<T: Gemm>(random: &mut Random, n: usize) {
        for (m, n, rank) in
            [(n, n, n), (n, n, n / 2), (n + 5, n, n), (n, n + 5, n), (n, 3 * n, n), (n, n, 0), (2 * n, n, 1)]
        {
            let k = m.min(n);
            let (x, y): (Vec<T>, Vec<T>) = (random.vector(m * rank), random.vector(rank * n));
            let a = if rank == k {
                random.vector(m * n)
            } else {
                multiply([m, n, rank], Strided::rows(&x, rank), Strided::rows(&y, n))
            };
            let (mut u, mut s, mut vt) = (vec![T::nan(); m * k], vec![T::nan(); k], vec![T::nan(); k * n]);
            svd(&a, m, n, &mut u, &mut s, &mut vt, &mut Default::default(), Threads::ONE).unwrap();
            assert!(s.iter().rev().is_sorted() && s.iter().all(|x| *x >= T::zero()));
            let us: Vec<T> = (0..m * k).map(|i| u[i] * s[i % k]).collect();
            let again = multiply([m, n, k], Strided::rows(&us, k), Strided::rows(&vt, n));
            assert!(residual(&again, &a, m.max(n), &a) < 3.0, "{m} by {n}, rank {rank}");
            assert!(orthonormal(&u, m, k) < 4.0, "u, {m} by {n}, rank {rank}");
            let mut v = vec![T::zero(); k * n];
            super::transpose::transpose(&vt, k, n, &mut v);
            assert!(orthonormal(&v, n, k) < 4.0, "v, {m} by {n}, rank {rank}");
        }
    }
    both(check::<f64>, &[0, 1, 2, 3, 5, 8, 17, 33, 64, 70, 130]);
    both(check::<f32>, &[0, 1, 2, 3, 5, 8, 17, 33, 64, 130]);
}

#[test]
fn threads_do_not_change_a_bit() {
    let n = 300;
    let mut random = Random::new(2);
    let s: Vec<f64> = positive(n, &mut random);
    let run = |threads| {
        let (mut l, mut f, mut p) = (vec![0.0; n * n], s.clone(), vec![0; n]);
        cholesky(&s, n, &mut l, Threads(threads)).unwrap();
        lu(&mut f, n, &mut p, &mut Vec::new(), Threads(threads)).unwrap();
        let (mut q, mut r) = (vec![0.0; n * n], vec![0.0; n * n]);
        qr(&s, n, n, &mut q, &mut r, &mut Vec::new(), Threads(threads));
        let (mut d, mut v, mut vt) = (vec![0.0; n], vec![0.0; n * n], vec![0.0; n * n]);
        eigh(&s, n, &mut d, &mut v, &mut Vec::new(), Threads(threads)).unwrap();
        let (mut u, mut w) = (vec![0.0; n * n], vec![0.0; n]);
        svd(&f, n, n, &mut u, &mut w, &mut vt, &mut Default::default(), Threads(threads)).unwrap();
        (l, f, p, q, r, [d, v, u, w, vt])
    };
    let one = run(1);
    assert!(run(2) == one && run(4) == one);
}
