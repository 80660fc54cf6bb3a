//! Every dispatch level of the kernels, forced, against the one that this machine would choose.

use pulp::{Scalar, Simd, WithSimd};

use super::packed::Packed;
use super::tile::{Direct, Dots};
use super::{Gemm, Product, Solve};
use crate::kernel::gemm::{Strided, StridedMut, Triangle};
use crate::kernel::linalg::testing::Random;

/// The levels below the best one.
fn each_level(mut run: impl FnMut(&dyn Fn(Job<'_>))) {
    run(&|job| Simd::vectorize(Scalar, job));
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if let Some(level) = pulp::x86::V3::try_new() {
        run(&|job| Simd::vectorize(level, job));
    }
}

enum Job<'a> {
    Direct(Product<'a, f64>),
    Dots(Product<'a, f64>),
    Packed(Product<'a, f64>),
    Solve(Solve<'a, f64>),
}

impl WithSimd for Job<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        match self {
            Job::Direct(p) => Direct(p).with_simd(s),
            Job::Dots(p) => Dots(p).with_simd(s),
            Job::Packed(product) => Packed { product, room: &mut Vec::new() }.with_simd(s),
            Job::Solve(p) => p.with_simd(s),
        }
    }
}

fn close<T: Gemm>(x: &[T], y: &[T]) -> bool {
    x.iter().zip(y).all(|(x, y)| (x.as_f64() - y.as_f64()).abs() < 1e-13 * x.as_f64().abs().max(1.0))
}

#[test]
fn products_agree_at_every_level() {
    for [m, n, k] in [[1, 1, 1], [3, 5, 7], [8, 24, 16], [13, 31, 9], [9, 50, 33], [4, 7, 100]] {
        let mut random = Random::new(1);
        let (a, b): (Vec<f64>, Vec<f64>) = (random.vector(m * k), random.vector(k * n));
        fn product<'a>(
            size: [usize; 3],
            a: &'a [f64],
            b: Strided<'a, f64>,
            c: &'a mut [f64],
        ) -> Product<'a, f64> {
            Product::new(size, 1.5, Strided::rows(a, size[2]), b, -0.5, StridedMut::rows(c, size[1]))
        }
        let size = [m, n, k];
        let (rows, columns) = (Strided::rows(&b, n), Strided::rows(&b, k).t());
        let (mut want, mut want_dots) = (vec![1.0; m * n], vec![1.0; m * n]);
        product(size, &a, rows, &mut want).direct();
        product(size, &a, columns, &mut want_dots).dots();
        each_level(|run| {
            let mut c = vec![1.0; m * n];
            run(Job::Direct(product(size, &a, rows, &mut c)));
            assert!(close(&c, &want));
            let mut c = vec![1.0; m * n];
            run(Job::Packed(product(size, &a, rows, &mut c)));
            assert!(close(&c, &want));
            let mut c = vec![1.0; m * n];
            run(Job::Packed(product(size, &a, columns, &mut c)));
            assert!(close(&c, &want_dots));
            let mut c = vec![1.0; m * n];
            run(Job::Dots(product(size, &a, columns, &mut c)));
            assert!(close(&c, &want_dots));
        });
    }
}

#[test]
fn substitution_agrees_at_every_level() {
    for (n, cols) in [(1, 1), (5, 3), (16, 24), (33, 31), (8, 50)] {
        let mut random = Random::new(1);
        let (mut l, b): (Vec<f64>, Vec<f64>) = (random.vector(n * n), random.vector(n * cols));
        (0..n).for_each(|i| l[i * n + i] = 4.0 + n as f64);
        fn system<'a>([n, cols]: [usize; 2], l: &'a [f64], x: &'a mut [f64]) -> Solve<'a, f64> {
            Solve::new(n, cols, Triangle::UPPER, Strided::rows(l, n), StridedMut::rows(x, cols))
        }
        let mut want = b.clone();
        system([n, cols], &l, &mut want).substitute();
        each_level(|run| {
            let mut x = b.clone();
            run(Job::Solve(system([n, cols], &l, &mut x)));
            assert!(close(&x, &want));
        });
    }
}
