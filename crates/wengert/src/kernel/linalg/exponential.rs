//! The matrix exponential.

use super::lu::{Singular, lu, solve_factored};
use super::vectors::carve;
use crate::kernel::gemm::{Gemm, Strided, StridedMut, Threads, gemm};

/// Numerators of the diagonal Pade approximants of degree 3, 5, 7, 9, 13; signs alternate in the denominators.
const DEGREES: [&[f64]; 5] = [
    &[120.0, 60.0, 12.0, 1.0],
    &[30240.0, 15120.0, 3360.0, 420.0, 30.0, 1.0],
    &[17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0],
    &[
        17643225600.0,
        8821612800.0,
        2075673600.0,
        302702400.0,
        30270240.0,
        2162160.0,
        110880.0,
        3960.0,
        90.0,
        1.0,
    ],
    &[
        64764752532480000.0,
        32382376266240000.0,
        7771770303897600.0,
        1187353796428800.0,
        129060195264000.0,
        10559470521600.0,
        670442572800.0,
        33522128640.0,
        1323241920.0,
        40840800.0,
        960960.0,
        16380.0,
        182.0,
        1.0,
    ],
];
/// 1-norms up to which each degree is accurate to a unit roundoff, in f64 and in f32.
const LIMITS: [f64; 5] =
    [1.495585217958292e-2, 2.539398330063230e-1, 9.504178996162932e-1, 2.097847961257068, 5.371920351148152];
const LIMITS_F32: [f64; 3] = [4.258730016922831e-1, 1.880152677804762, 3.925724783138660];

/// `out = e^a` by scaling, a Pade approximant and repeated squaring. `a, out: [n, n]`.
///
/// `work` grows to `7 n^2`; the solve allocates. O(n^3 log of the norm). Entries that are not finite give NaN.
///
/// # References
/// N. J. Higham, The scaling and squaring method for the matrix exponential revisited, SIAM J. Matrix Anal.
/// Appl. 26 (2005).
pub fn exponential<T: Gemm>(a: &[T], n: usize, out: &mut [T], work: &mut Vec<T>, threads: Threads) {
    assert!(a.len() == n * n && out.len() == n * n, "exponential: slices are not n by n");
    if n == 0 {
        return;
    }
    let column = |j: usize| (0..n).map(|i| a[i * n + j].abs().as_f64()).sum::<f64>();
    let norm = (0..n).map(column).fold(0.0, |m: f64, x| if x.is_nan() || x > m { x } else { m });
    if !norm.is_finite() {
        return out.fill(T::nan());
    }
    let limits = if T::epsilon().as_f64() > 1e-10 { &LIMITS_F32[..] } else { &LIMITS[..] };
    let degree = limits.iter().position(|&limit| norm <= limit);
    let last = limits.len() - 1;
    let squarings = if degree.is_some() { 0 } else { (norm / limits[last]).log2().ceil().max(0.0) as i32 };
    let mut own = Vec::new();
    let nn = n * n;
    let [x, powers, odd, even] = carve(work, [nn, 4 * nn, nn, nn]);
    for (x, &a) in x.iter_mut().zip(a) {
        *x = T::of(a.as_f64() * (-f64::from(squarings)).exp2());
    }
    pade(DEGREES[degree.unwrap_or(last)], x, n, powers, odd, even, threads);
    // (even - odd) out = even + odd
    for i in 0..nn {
        (odd[i], even[i]) = (even[i] - odd[i], even[i] + odd[i]);
    }
    let mut pivots = vec![0; n];
    let _: Result<(), Singular> = lu(odd, n, &mut pivots, &mut own, threads);
    solve_factored(odd, n, &pivots, false, even, n, threads);
    out.copy_from_slice(even);
    for _ in 0..squarings {
        x.copy_from_slice(out);
        times(x, x, out, n, T::zero(), threads);
    }
}

fn times<T: Gemm>(a: &[T], b: &[T], out: &mut [T], n: usize, beta: T, threads: Threads) {
    let (a, b) = (Strided::rows(a, n), Strided::rows(b, n));
    gemm([n, n, n], T::one(), a, b, beta, StridedMut::rows(out, n), threads);
}

/// Odd and even parts of the numerator at `x`. `space` gets `x^2, x^4, ..` and a matrix of scratch.
fn pade<T: Gemm>(
    b: &[f64],
    x: &[T],
    n: usize,
    space: &mut [T],
    odd: &mut [T],
    even: &mut [T],
    threads: Threads,
) {
    let nn = n * n;
    // Degree 13 stops at x^6, which saves two products: its higher terms are x^6 (..).
    let high = b.len() == 14;
    let count = if high { 3 } else { b.len() / 2 - 1 };
    times(x, x, &mut space[..nn], n, T::zero(), threads);
    for i in 1..count {
        let (done, next) = space.split_at_mut(i * nn);
        times(&done[..nn], &done[(i - 1) * nn..], &mut next[..nn], n, T::zero(), threads);
    }
    let (powers, scratch) = space.split_at_mut(count * nn);
    // out = b[from] 1 + b[from + 2] x^2 + ..
    let sum = |out: &mut [T], from: usize, with_one: bool| {
        for (i, out) in out.iter_mut().enumerate() {
            *out = if with_one && i % (n + 1) == 0 { T::of(b[from]) } else { T::zero() };
            for p in 1..=count {
                *out += T::of(b[from + 2 * p]) * powers[(p - 1) * nn + i];
            }
        }
    };
    let mut part = |out: &mut [T], from: usize| {
        sum(out, from, true);
        if high {
            sum(scratch, from + 6, false);
            times(&powers[2 * nn..], scratch, out, n, T::one(), threads);
        }
    };
    part(even, 1);
    times(x, even, odd, n, T::zero(), threads);
    part(even, 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::linalg::testing::{Random, both, identity, multiply, norm_of, residual};

    #[test]
    fn exponentials() {
        fn check<T: Gemm>(random: &mut Random, n: usize) {
            for size in [0.0, 0.01, 0.2, 0.8, 2.0, 5.0, 30.0] {
                let mut a: Vec<T> = random.vector(n * n);
                let norm = norm_of(&a).max(1e-300);
                a.iter_mut().for_each(|x| *x *= T::of(size / norm));
                let minus: Vec<T> = a.iter().map(|x| -*x).collect();
                let (mut e, mut f, mut work) = (vec![T::nan(); n * n], vec![T::nan(); n * n], Vec::new());
                exponential(&a, n, &mut e, &mut work, Threads::ONE);
                exponential(&minus, n, &mut f, &mut work, Threads::ONE);
                let one = multiply([n, n, n], Strided::rows(&e, n), Strided::rows(&f, n));
                let scale = T::of(norm_of(&e) * norm_of(&f));
                assert!(residual(&one, &identity(n), n.max(4), &[scale]) < 10.0, "n = {n}, norm {size}");
            }
        }
        both(check::<f64>, &[0, 1, 2, 3, 8, 33]);
        both(check::<f32>, &[0, 1, 2, 3, 8, 33]);
        for size in [0.01, 0.2, 0.9, 2.0, 5.0, 40.0] {
            // A rotation, a nilpotent matrix and a number have known exponentials.
            let mut e = [0.0; 4];
            exponential(&[0.0, -size, size, 0.0], 2, &mut e, &mut Vec::new(), Threads::ONE);
            let (s, c) = f64::sin_cos(size);
            assert!([c, -s, s, c].iter().zip(e).all(|(x, y)| (x - y).abs() < 3e-14), "{size}: {e:?}");
            exponential(&[0.0, size, 0.0, 0.0], 2, &mut e, &mut Vec::new(), Threads::ONE);
            assert!([1.0, size, 0.0, 1.0].iter().zip(e).all(|(x, y)| (x - y).abs() < 1e-14 * (1.0 + size)));
            let mut e = [0.0];
            exponential(&[-size], 1, &mut e, &mut Vec::new(), Threads::ONE);
            assert!((e[0] / (-size).exp() - 1.0).abs() < 1e-13);
        }
    }
}
