use super::*;
use std::time::Instant;

pub fn best(mut f: impl FnMut()) -> f64 {
    let mut reps = 1usize;
    loop {
        let t = Instant::now();
        for _ in 0..reps {
            f()
        }
        if t.elapsed().as_secs_f64() > 0.004 {
            break;
        }
        reps *= 2;
    }
    (0..9)
        .map(|_| {
            let t = Instant::now();
            for _ in 0..reps {
                f()
            }
            t.elapsed().as_secs_f64() / reps as f64
        })
        .fold(f64::MAX, f64::min)
}

fn row<T: Gemm>(m: usize, n: usize, k: usize, kind: &str) {
    let a: Vec<T> = (0..m * k).map(|i| T::of((i % 7) as f64)).collect();
    let b: Vec<T> = (0..k * n).map(|i| T::of((i % 5) as f64)).collect();
    let mut c = vec![T::zero(); m * n];
    let av = if kind.starts_with('t') { Strided::rows(&a, m).t() } else { Strided::rows(&a, k) };
    let bv = if kind.ends_with('t') { Strided::rows(&b, k).t() } else { Strided::rows(&b, n) };
    let gf = 2e-9 * (m * n * k) as f64;
    let us = best(|| gemm([m, n, k], T::one(), av, bv, T::zero(), StridedMut::rows(&mut c, n), Threads::ONE));
    let direct = best(|| {
        T::with_scratch(|s| {
            let p = raw::Product::new([m, n, k], T::one(), av, bv, T::zero(), StridedMut::rows(&mut c, n));
            if kind.ends_with('t') { p.pack_b(s).direct() } else { p.direct() }
        })
    });
    let lib = best(|| {
        raw::Product::new([m, n, k], T::one(), av, bv, T::zero(), StridedMut::rows(&mut c, n))
            .tidy()
            .t()
            .library(1)
    });
    println!(
        "{} {kind} {m:4} {n:4} {k:4}: gemm {:8.3} us {:6.1}  direct {:6.1}  library {:6.1} GF",
        std::any::type_name::<T>(),
        us * 1e6,
        gf / us,
        gf / direct,
        gf / lib
    );
}

#[test]
#[ignore]
fn speed() {
    for kind in ["nn", "tn", "nt"] {
        for (m, n, k) in [
            (8, 32, 8),
            (150, 10, 2),
            (2, 10, 150),
            (150, 1, 10),
            (10, 1, 150),
            (4, 4, 4),
            (16, 16, 16),
            (32, 32, 32),
            (48, 48, 48),
            (64, 64, 64),
            (65, 65, 65),
            (96, 96, 96),
            (128, 128, 128),
            (200, 200, 200),
            (256, 256, 256),
            (1, 256, 256),
            (256, 1, 256),
            (1, 2048, 2048),
            (2048, 1, 2048),
            (256, 256, 1),
            (8, 256, 256),
            (256, 8, 256),
            (256, 256, 8),
            (1024, 1024, 1024),
        ] {
            row::<f32>(m, n, k, kind);
            row::<f64>(m, n, k, kind);
        }
    }
}
