use super::testing::*;
use super::*;
use crate::kernel::gemm::speed::best;
use crate::kernel::gemm::*;

fn all<T: Gemm>(n: usize) {
    let name = std::any::type_name::<T>();
    let mut random = Random::new(1);
    let b: Vec<T> = random.vector(n * n);
    let mut s = vec![T::zero(); n * n];
    gemm(
        [n, n, n],
        T::one(),
        Strided::rows(&b, n),
        Strided::rows(&b, n).t(),
        T::zero(),
        StridedMut::rows(&mut s, n),
        Threads::ONE,
    );
    for i in 0..n {
        s[i * n + i] += T::of(n as f64);
    }
    let n3 = (n * n * n) as f64 * 1e-9;
    let say = |what: &str, t: f64, f: f64| {
        println!("{name} n {n} {what:22} {:9.1} us {:6.1} GF", t * 1e6, f * n3 / t)
    };
    let mut l = vec![T::zero(); n * n];
    say("cholesky", best(|| cholesky(&s, n, &mut l, Threads::ONE).unwrap()), 1.0 / 3.0);
    let mut x = b.clone();
    say(
        "solve lower",
        best(|| {
            solve_triangular(
                n,
                n,
                Triangle::LOWER,
                Strided::rows(&l, n),
                StridedMut::rows(&mut x, n),
                Threads::ONE,
            );
            x[0] = T::one();
        }),
        1.0,
    );
    x.copy_from_slice(&b);
    say(
        "solve lower^T",
        best(|| {
            x.copy_from_slice(&b);
            solve_triangular(
                n,
                n,
                Triangle::UPPER,
                Strided::rows(&l, n).t(),
                StridedMut::rows(&mut x, n),
                Threads::ONE,
            )
        }),
        1.0,
    );
    let mut v: Vec<T> = random.vector(n);
    say(
        "solve lower, vector",
        best(|| {
            solve_triangular(
                n,
                1,
                Triangle::LOWER,
                Strided::rows(&l, n),
                StridedMut::rows(&mut v, 1),
                Threads::ONE,
            );
        }),
        1.0 / n as f64,
    );
    let (mut f, mut p, mut w) = (s.clone(), vec![0; n], vec![]);
    say(
        "lu",
        best(|| {
            f.copy_from_slice(&b);
            lu(&mut f, n, &mut p, &mut w, Threads::ONE).unwrap()
        }),
        2.0 / 3.0,
    );
    let mut o = vec![T::zero(); n * n];
    say("inverse from lu", best(|| inverse(&f, n, &p, &mut o, Threads::ONE)), 4.0 / 3.0);
    say(
        "triangular inverse",
        best(|| triangular_inverse(Strided::rows(&l, n), n, Triangle::LOWER, &mut o, Threads::ONE)),
        1.0 / 3.0,
    );
}

#[test]
#[ignore]
fn speed_linalg() {
    for n in [8, 32, 64, 200, 500] {
        all::<f64>(n);
        all::<f32>(n);
    }
}

fn spectra<T: Gemm>(n: usize) {
    let name = std::any::type_name::<T>();
    let mut random = Random::new(1);
    let a: Vec<T> = random.vector(n * n);
    let (mut q, mut r, mut w, mut s, mut vt) =
        (vec![T::zero(); n * n], vec![T::zero(); n * n], vec![], vec![T::zero(); n], vec![T::zero(); n * n]);
    let say = |what: &str, t: f64| {
        println!("{name} n {n} {what:22} {:9.1} us  GF-like {:6.1}", t * 1e6, (n * n * n) as f64 * 1e-9 / t)
    };
    say("qr", best(|| qr(&a, n, n, &mut q, &mut r, &mut w, Threads::ONE)));
    say("eigh", best(|| eigh(&a, n, &mut s, &mut vt, &mut w, Threads::ONE).unwrap()));
    say("svd", best(|| svd(&a, n, n, &mut q, &mut s, &mut vt, &mut w, Threads::ONE).unwrap()));
    say("exponential", best(|| exponential(&a, n, &mut q, &mut w, Threads::ONE)));
}

#[test]
#[ignore]
fn speed_spectra() {
    for n in [4, 16, 64, 200] {
        spectra::<f64>(n);
        spectra::<f32>(n);
    }
}
