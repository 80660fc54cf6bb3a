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
/// `work` grows to `8 n^2 + 8 n`. O(n^3 log of the norm). Entries that are not finite give NaN.
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

/// Odd and even parts of the numerator at `x`. `powers` holds `x^2, x^4, ..`.
fn pade<T: Gemm>(
    b: &[f64],
    x: &[T],
    n: usize,
    powers: &mut [T],
    odd: &mut [T],
    even: &mut [T],
    threads: Threads,
) {
    let nn = n * n;
    // Degree 13 goes through x^6 to save two products; its terms of order 8 and up are x^6 (..).
    let high = b.len() == 14;
    let count = if high { 3 } else { b.len() / 2 - 1 };
    times(x, x, &mut powers[..nn], n, T::zero(), threads);
    for i in 1..count {
        let (done, next) = powers.split_at_mut(i * nn);
        times(&done[..nn], &done[(i - 1) * nn..], &mut next[..nn], n, T::zero(), threads);
    }
    let (powers, spare) = powers.split_at_mut(3 * nn.max(0));
    let _ = &spare;
    let sum = |out: &mut [T], from: usize, low: usize, upto: usize| {
        for (i, out) in out.iter_mut().enumerate() {
            let mut s = if low == 0 && i % (n + 1) == 0 { T::of(b[from]) } else { T::zero() };
            for p in low.max(1)..=upto {
                let power = if p <= 3 { powers[(p - 1) * nn + i] } else { spare[i] };
                s += T::of(b[from + 2 * p]) * power;
            }
            *out = s;
        }
    };
    // `even` serves as scratch for the factor of x in the odd part.
    if high {
        let high_part = |out: &mut [T], from: usize| {
            for (i, out) in out.iter_mut().enumerate() {
                *out =
                    (1..=3).fold(T::zero(), |s, p| s + T::of(b[from + 6 + 2 * p]) * powers[(p - 1) * nn + i]);
            }
        };
        high_part(odd, 1);
        sum(even, 1, 0, 3);
        times(&powers[2 * nn..3 * nn], odd, even, n, T::one(), threads);
        times(x, even, odd, n, T::zero(), threads);
        let spare = &mut vec![T::zero(); nn][..];
        high_part(spare, 0);
        sum(even, 0, 0, 3);
        times(&powers[2 * nn..3 * nn], spare, even, n, T::one(), threads);
    } else {
        sum(even, 1, 0, count);
        times(x, even, odd, n, T::zero(), threads);
        sum(even, 0, 0, count);
    }
}
