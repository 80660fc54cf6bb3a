//! Against formulas in f64, cotangents against central differences, and the conventions at infinities.

use super::norm::{Cotangents, Moments, norm, norm_cotangent};
use super::softmax::*;
use super::*;

fn random<T: Real>(seed: u64, len: usize) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        T::of((state >> 11) as f64 / (1u64 << 51) as f64 - 2.0)
    };
    (0..len).map(|_| next()).collect()
}

fn close<T: Real>(what: &str, a: &[T], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (i, (a, &b)) in a.iter().zip(b).enumerate() {
        assert!((a.as_f64() - b).abs() <= tolerance * (1.0 + b.abs()), "{what} at {i}: {a} against {b}");
    }
}

/// Gradient of `sum y_bar * f(x)` by central differences.
fn differences(x: &[f64], y_bar: &[f64], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let value = |x: &[f64]| -> f64 { f(x).iter().zip(y_bar).map(|(y, y_bar)| y * y_bar).sum() };
    let moved = |i: usize, by: f64| {
        let mut x = x.to_vec();
        x[i] += by;
        value(&x)
    };
    (0..x.len()).map(|i| (moved(i, 1e-5) - moved(i, -1e-5)) / 2e-5).collect()
}

const SHAPES: [(usize, usize); 7] = [(1, 1), (3, 5), (2, 16), (4, 33), (2, 100), (0, 4), (5, 2)];

fn reference_softmax<T: Real>(x: &[T], n: usize) -> Vec<f64> {
    let row = |x: &[T]| {
        let e: Vec<f64> = x.iter().map(|x| x.as_f64().exp()).collect();
        let sum: f64 = e.iter().sum();
        e.into_iter().map(move |e| e / sum)
    };
    x.chunks(n).flat_map(row).collect()
}

fn check_softmax<T: crate::kernel::functions::Functions>(rows: usize, n: usize, tolerance: f64) {
    let x = random::<T>(1, rows * n);
    let expected = reference_softmax(&x, n);
    let mut y = vec![T::zero(); rows * n];
    softmax(&x, n, &mut y);
    close("softmax", &y, &expected, tolerance);
    log_softmax(&x, n, &mut y);
    close("log_softmax", &y, &expected.iter().map(|y| y.ln()).collect::<Vec<_>>(), tolerance);
}

#[test]
fn values_agree_with_formulas() {
    for (rows, n) in SHAPES {
        check_softmax::<f64>(rows, n, 1e-14);
        check_softmax::<f32>(rows, n, 3e-6);
    }
}

#[test]
fn softmax_cotangents_agree_with_differences() {
    for (rows, n) in SHAPES {
        let (x, y_bar) = (random::<f64>(2, rows * n), random::<f64>(3, rows * n));
        let (mut y, mut x_bar) = (x.clone(), vec![1.0; rows * n]);
        let run = |f: fn(&[f64], usize, &mut [f64])| {
            move |x: &[f64]| {
                let mut y = x.to_vec();
                f(x, n, &mut y);
                y
            }
        };
        softmax(&x, n, &mut y);
        softmax_cotangent(&y, &y_bar, n, false, &mut x_bar);
        close("softmax", &x_bar, &differences(&x, &y_bar, run(softmax)), 1e-8);
        log_softmax(&x, n, &mut y);
        log_softmax_cotangent(&y, &y_bar, n, true, &mut x_bar);
        softmax(&x, n, &mut y);
        let mut twice = vec![0.0; rows * n];
        softmax_cotangent(&y, &y_bar, n, false, &mut twice);
        let difference: Vec<f64> = x_bar.iter().zip(&twice).map(|(a, b)| a - b).collect();
        close("log_softmax, added", &difference, &differences(&x, &y_bar, run(log_softmax)), 1e-8);
    }
}

#[test]
fn extremes() {
    let (inf, mut y) = (f64::INFINITY, [0.0; 3]);
    softmax(&[-inf, -inf, -inf], 3, &mut y);
    assert!(y.iter().all(|y| y.is_nan()));
    softmax(&[1e300, -inf, 1e300], 3, &mut y);
    assert_eq!(y, [0.5, 0.0, 0.5]);
    log_softmax(&[1000.0, 0.0, -inf], 3, &mut y);
    assert_eq!(y, [0.0, -1000.0, -inf]);
    softmax(&[0.0, f64::NAN, 1.0], 3, &mut y);
    assert!(y.iter().all(|y| y.is_nan()));
}

#[test]
fn long_columns_agree_with_rows() {
    let (n, inner, inf) = (300, 200, f64::INFINITY);
    let mut rows = random::<f64>(7, n * inner);
    // The largest late, -infinity for the whole of what is summed first, everywhere, an infinity, a NaN.
    rows[5 * n + 250] = 40.0;
    rows[6 * n..][..200].fill(-inf);
    rows[7 * n..][..n].fill(-inf);
    rows[8 * n + 250] = inf;
    rows[9 * n + 20] = f64::NAN;
    let turned = |x: &[f64]| (0..n * inner).map(|i| x[i % inner * n + i / inner]).collect::<Vec<_>>();
    let (columns, mut by_rows, mut by_columns) = (turned(&rows), rows.clone(), rows.clone());
    for log in [false, true] {
        match log {
            false => (softmax(&rows, n, &mut by_rows), columns::softmax(&columns, n, inner, &mut by_columns)),
            true => (
                log_softmax(&rows, n, &mut by_rows),
                columns::log_softmax(&columns, n, inner, &mut by_columns),
            ),
        };
        for (have, want) in by_columns.iter().zip(turned(&by_rows)) {
            let same = have == &want || (have.is_nan() && want.is_nan());
            assert!(same || (have - want).abs() < 1e-13, "{log}: {have} {want}");
        }
    }
}

#[test]
fn long_sums_stay_exact() {
    for len in [1023, 1024, 1025, 5000, 1 << 20, (1 << 20) + 3] {
        let x = random::<f32>(len as u64, len);
        let exact: f64 = x.iter().map(|&x| f64::from(x) + 3.0).sum();
        let x: Vec<f32> = x.iter().map(|x| x + 3.0).collect();
        let sum = f64::from(sum_slice(&x));
        assert!((sum - exact).abs() <= 2e-7 * exact, "{len}: {sum} against {exact}");
    }
}

/// Layer norm (or RMS norm) with every part, against a formula and differences.
fn check_norm<T: Real>(rows: usize, n: usize, centred: bool, with: [bool; 2], tolerance: f64) {
    let (x, w, b) = (random::<f64>(5, rows * n), random::<f64>(6, n), random::<f64>(7, n));
    let formula = |x: &[f64], w: &[f64], b: &[f64]| -> Vec<f64> {
        let row = |x: &[f64]| -> Vec<f64> {
            let mean = if centred { x.iter().sum::<f64>() / n as f64 } else { 0.0 };
            let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n as f64;
            let z = x.iter().map(|x| (x - mean) / (variance + 1e-3).sqrt()).enumerate();
            let weight = |i: usize| if with[0] { w[i] } else { 1.0 };
            z.map(|(i, z)| z * weight(i) + if with[1] { b[i] } else { 0.0 }).collect()
        };
        x.chunks(n).flat_map(row).collect()
    };
    let cast = |x: &[f64]| -> Vec<T> { x.iter().map(|&x| T::of(x)).collect() };
    let (tx, tw, tb) = (cast(&x), cast(&w), cast(&b));
    let weight = with[0].then_some(&tw[..]);
    let mut y = vec![T::zero(); rows * n];
    let (mut mean, mut scale) = (vec![T::zero(); if centred { rows } else { 0 }], vec![T::zero(); rows]);
    let moments = Moments { mean: &mut mean, scale: &mut scale };
    norm(&tx, n, T::of(1e-3), weight, with[1].then_some(&tb[..]), &mut y, moments);
    close("norm", &y, &formula(&x, &w, &b), tolerance);

    let y_bar = random::<f64>(8, rows * n);
    let (mut x_bar, mut w_bar, mut b_bar) =
        (vec![T::one(); rows * n], vec![T::zero(); n], vec![T::zero(); n]);
    for accumulate in [false, true] {
        let out =
            Cotangents { x: Some(&mut x_bar), accumulate, weight: Some(&mut w_bar), bias: Some(&mut b_bar) };
        norm_cotangent(&tx, n, &mean, &scale, weight, &cast(&y_bar), out);
    }
    let twice = |x: Vec<f64>| -> Vec<f64> { x.iter().map(|x| 2.0 * x).collect() };
    let tolerance = tolerance.max(1e-7) * 10.0;
    close("x_bar", &x_bar, &twice(differences(&x, &y_bar, |x| formula(x, &w, &b))), tolerance);
    if with[0] {
        close("weight_bar", &w_bar, &twice(differences(&w, &y_bar, |w| formula(&x, w, &b))), tolerance);
    }
    if with[1] {
        close("bias_bar", &b_bar, &twice(differences(&b, &y_bar, |b| formula(&x, &w, b))), tolerance);
    }
}

#[test]
fn norms_agree_with_formulas_and_differences() {
    for (rows, n) in SHAPES {
        for centred in [false, true] {
            for with in [[true, true], [true, false], [false, true], [false, false]] {
                check_norm::<f64>(rows, n, centred && rows > 0, with, 1e-13);
                check_norm::<f32>(rows, n, centred && rows > 0, with, 2e-5);
            }
        }
    }
}

#[test]
fn layer_norm_does_not_cancel() {
    // Mean 1e4 against a deviation of 1: a one-pass variance in f32 would have lost everything.
    let x: Vec<f32> = (0..64).map(|i| 1e4 + if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let (mut y, mut mean, mut scale) = (vec![0.0; 64], [0.0], [0.0]);
    norm(&x, 64, 0.0, None, None, &mut y, Moments { mean: &mut mean, scale: &mut scale });
    assert!(y.iter().enumerate().all(|(i, y)| (y - if i % 2 == 0 { 1.0 } else { -1.0 }).abs() < 1e-3));
}

/// Element `i` of a row's cotangent, by the row of results and that of their cotangents.
type Element<'a> = &'a dyn Fn(&[f64], &[f64], usize) -> f64;

/// Rows by the dozen, around the length from which they are worked on one by one: all of it by formulas in f64, added to
/// what is there or not.
fn check_short_rows<T: crate::kernel::functions::Functions>(tolerance: f64) {
    let cast = |x: &[f64]| -> Vec<T> { x.iter().map(|&x| T::of(x)).collect() };
    for n in 1..=40 {
        for rows in [1, 5, 31, 32, 33, 71] {
            let (x, y_bar) = (random::<T>(11, rows * n), random::<T>(12, rows * n));
            let g: Vec<f64> = y_bar.iter().map(|g| g.as_f64()).collect();
            let p = reference_softmax(&x, n);
            let log: Vec<f64> = p.iter().map(|p| p.ln()).collect();
            let bars = |f: Element<'_>| -> Vec<f64> {
                let row = |(p, g): (&[f64], &[f64])| (0..n).map(|i| f(p, g, i)).collect::<Vec<_>>();
                p.chunks(n).zip(g.chunks(n)).flat_map(row).collect()
            };
            let p_bar = bars(&|p, g, i| p[i] * (g[i] - p.iter().zip(g).map(|(p, g)| p * g).sum::<f64>()));
            let log_bar = bars(&|p, g, i| g[i] - p[i] * g.iter().sum::<f64>());
            let (mut y, old) = (vec![T::zero(); rows * n], random::<T>(13, rows * n));
            softmax(&x, n, &mut y);
            close("softmax", &y, &p, tolerance);
            log_softmax(&x, n, &mut y);
            close("log_softmax", &y, &log, tolerance);
            for accumulate in [false, true] {
                let plus_old = |bar: &[f64]| -> Vec<f64> {
                    let old = old.iter().map(|old| if accumulate { old.as_f64() } else { 0.0 });
                    bar.iter().zip(old).map(|(bar, old)| bar + old).collect()
                };
                let mut x_bar = old.clone();
                softmax_cotangent(&cast(&p), &y_bar, n, accumulate, &mut x_bar);
                close("softmax cotangent", &x_bar, &plus_old(&p_bar), tolerance * 4.0);
                x_bar.copy_from_slice(&old);
                log_softmax_cotangent(&cast(&log), &y_bar, n, accumulate, &mut x_bar);
                close("log_softmax cotangent", &x_bar, &plus_old(&log_bar), tolerance * 4.0);
            }
        }
    }
}

#[test]
fn short_rows_agree_with_formulas() {
    check_short_rows::<f64>(1e-14);
    check_short_rows::<f32>(3e-6);
    for n in [2, 3, 7, 24, 25, 40] {
        for rows in [31, 33] {
            for (centred, with) in [(true, [true, true]), (true, [false, false]), (false, [true, false])] {
                check_norm::<f64>(rows, n, centred, with, 1e-13);
                check_norm::<f32>(rows, n, centred, with, 2e-5);
            }
        }
    }
}

#[test]
fn a_row_is_what_it_is_whatever_is_beside_it() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    for n in 2..=40 {
        let rows = 37;
        let mut x = random::<f32>(14, rows * n);
        x[..n].fill(-inf);
        x[5 * n] = inf;
        x[33 * n + 1] = nan;
        x[36 * n] = -inf;
        let y_bar = random::<f32>(15, rows * n);
        for (value, cotangent) in [
            (
                softmax as fn(&[f32], usize, &mut [f32]),
                softmax_cotangent as fn(&[f32], &[f32], _, _, &mut [f32]),
            ),
            (log_softmax, log_softmax_cotangent),
        ] {
            let (mut y, mut x_bar) = (vec![0.0; rows * n], vec![0.0; rows * n]);
            value(&x, n, &mut y);
            cotangent(&y, &y_bar, n, false, &mut x_bar);
            for (row, y_row) in y.chunks(n).enumerate() {
                let here = row * n..(row + 1) * n;
                let lost = [0, 5, 33].contains(&row);
                assert!(y_row.iter().all(|y| y.is_nan() == lost), "row {row} of {n}");
                let (mut alone, mut alone_bar) = (vec![0.0; n], vec![0.0; n]);
                value(&x[here.clone()], n, &mut alone);
                cotangent(y_row, &y_bar[here.clone()], n, false, &mut alone_bar);
                let bits = |x: &[f32]| -> Vec<Option<u32>> {
                    x.iter().map(|x| (!x.is_nan()).then_some(x.to_bits())).collect()
                };
                assert_eq!(bits(&alone), bits(y_row), "row {row} of {n}");
                assert_eq!(bits(&alone_bar), bits(&x_bar[here]), "cotangent of row {row} of {n}");
            }
        }
    }
}
