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

#[test]
#[ignore]
fn profile_cholesky() {
    let n = 200;
    let mut random = Random::new(1);
    let mut s: Vec<f64> = random.vector(n * n);
    for i in 0..n {
        s[i * n + i] += 200.0;
        for j in 0..i {
            s[j * n + i] = s[i * n + j];
        }
    }
    let mut l = vec![0.0; n * n];
    for _ in 0..20000 {
        cholesky(&s, n, &mut l, Threads::ONE).unwrap();
    }
}

fn accuracy<T: Gemm>(n: usize) {
    let name = std::any::type_name::<T>();
    let mut random = Random::new(1);
    let b: Vec<T> = random.vector(n * n);
    let mut s = multiply([n, n, n], Strided::rows(&b, n), Strided::rows(&b, n).t());
    for i in 0..n {
        s[i * n + i] += T::of(n as f64 * 0.1);
    }
    let mut l = vec![T::zero(); n * n];
    cholesky(&s, n, &mut l, Threads::ONE).unwrap();
    println!(
        "ACC {name} {n} cholesky {:.3}",
        residual(&multiply([n, n, n], Strided::rows(&l, n), Strided::rows(&l, n).t()), &s, n, &s)
    );
    let (mut f, mut p, mut w) = (b.clone(), vec![0; n], vec![]);
    lu(&mut f, n, &mut p, &mut w, Threads::ONE).unwrap();
    let (mut lo, mut up) = (f.clone(), f.clone());
    for i in 0..n {
        lo[i * n + i] = T::one();
        lo[i * n + i + 1..(i + 1) * n].fill(T::zero());
        up[i * n..i * n + i].fill(T::zero());
    }
    let mut pa = b.clone();
    for (i, &j) in p.iter().enumerate() {
        (0..n).for_each(|q| pa.swap(i * n + q, j * n + q));
    }
    println!(
        "ACC {name} {n} lu {:.3}",
        residual(&multiply([n, n, n], Strided::rows(&lo, n), Strided::rows(&up, n)), &pa, n, &b)
    );
    let mut inv = vec![T::zero(); n * n];
    inverse(&f, n, &p, &mut inv, Threads::ONE);
    let one = multiply([n, n, n], Strided::rows(&inv, n), Strided::rows(&b, n));
    println!(
        "ACC {name} {n} inverse/cond {:.4}",
        residual(&one, &identity(n), n, &[T::of(norm_of(&b) * norm_of(&inv))])
    );
    let (mut q, mut r, mut vt, mut d) = (inv.clone(), inv.clone(), inv.clone(), vec![T::zero(); n]);
    let orth = |q: &[T]| {
        residual(
            &multiply([n, n, n], Strided::rows(q, n).t(), Strided::rows(q, n)),
            &identity(n),
            n,
            &identity::<T>(n),
        )
    };
    qr(&b, n, n, &mut q, &mut r, &mut w, Threads::ONE);
    println!(
        "ACC {name} {n} qr {:.3} orth {:.3}",
        residual(&multiply([n, n, n], Strided::rows(&q, n), Strided::rows(&r, n)), &b, n, &b),
        orth(&q)
    );
    eigh(&s, n, &mut d, &mut q, &mut w, Threads::ONE).unwrap();
    let qd: Vec<T> = (0..n * n).map(|i| q[i] * d[i % n]).collect();
    println!(
        "ACC {name} {n} eigh {:.3} orth {:.3}",
        residual(&multiply([n, n, n], Strided::rows(&qd, n), Strided::rows(&q, n).t()), &s, n, &s),
        orth(&q)
    );
    svd(&b, n, n, &mut q, &mut d, &mut vt, &mut w, Threads::ONE).unwrap();
    let qd: Vec<T> = (0..n * n).map(|i| q[i] * d[i % n]).collect();
    println!(
        "ACC {name} {n} svd {:.3} orth u {:.3} v {:.3}",
        residual(&multiply([n, n, n], Strided::rows(&qd, n), Strided::rows(&vt, n)), &b, n, &b),
        orth(&q),
        orth(&vt)
    );
}

#[test]
#[ignore]
fn accuracy_report() {
    for n in [5, 200] {
        accuracy::<f64>(n);
        accuracy::<f32>(n);
    }
}
