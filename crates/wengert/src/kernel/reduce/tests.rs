use ndarray::{Array, ArrayD, Axis, Slice};

use super::*;

fn sample(shape: &[usize]) -> ArrayD<f64> {
    let mut k = 0u64;
    Array::from_shape_fn(shape, |_| {
        k = k.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (k >> 40) as f64 / 8388608.0 - 1.0
    })
}

/// The lanes of `x` one after the other, each gathered element by element.
fn lanes(x: &ArrayViewD<'_, f64>, over: &[usize]) -> Vec<Vec<f64>> {
    let mut lanes = Vec::new();
    each_lane(x, over, |lane| lanes.push(lane.iter().copied().collect()));
    lanes
}

fn check(x: &ArrayViewD<'_, f64>, over: &[usize], how: impl Reduction<f64>, naive: impl Fn(&[f64]) -> f64) {
    compare(x, over, |out| reduce(x, over, out, how), naive);
}

fn compare(
    x: &ArrayViewD<'_, f64>,
    over: &[usize],
    reduce: impl FnOnce(&mut [f64]),
    naive: impl Fn(&[f64]) -> f64,
) {
    let want: Vec<f64> = lanes(x, over).iter().map(|lane| naive(lane)).collect();
    let mut out = vec![f64::NAN; want.len()];
    reduce(&mut out);
    for (have, want) in out.iter().zip(&want) {
        assert!(
            (have - want).abs() <= 1e-13 * want.abs().max(1.0),
            "{:?} over {over:?}: {have} {want}",
            x.shape()
        );
    }
}

#[test]
fn every_layout_agrees_with_naive_loops() {
    let whole = sample(&[3, 67, 37]);
    let transposed = whole.view().permuted_axes(&[2, 0, 1][..]);
    let stepped = whole.slice_axis(Axis(1), Slice::new(0, None, -2));
    let repeated = sample(&[67, 1]).broadcast(&[3, 67, 5][..]).unwrap().to_owned();
    for x in [whole.view(), transposed, stepped, repeated.view()] {
        for over in [&[][..], &[0], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]] {
            let n = over.iter().map(|&k| x.shape()[k]).product::<usize>() as f64;
            check(&x, over, Sum { divisor: 2.0 }, |lane| lane.iter().sum::<f64>() / 2.0);
            check(&x, over, Product, |lane| lane.iter().product());
            check(&x, over, Extreme::Max, |lane| lane.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            check(&x, over, Extreme::Min, |lane| lane.iter().copied().fold(f64::INFINITY, f64::min));
            check(&x, over, LogSumExp, |lane| lane.iter().map(|x| x.exp()).sum::<f64>().ln());
            check(&x, over, Variance { divisor: n, root: true }, |lane| {
                let mean = lane.iter().sum::<f64>() / n;
                (lane.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()
            });
            for p in [2.0, 1.0, 3.0, 0.5, -1.0] {
                let naive = |lane: &[f64]| lane.iter().map(|x| x.abs().powf(p)).sum::<f64>().powf(1.0 / p);
                compare(&x, over, |out| norm(&x, over, p, out), naive);
            }
        }
    }
}

#[test]
fn long_sums_do_not_lose_digits() {
    for shape in [[1 << 20, 1], [1 << 15, 33]] {
        let x = ArrayD::from_elem(&shape[..], 0.1f32);
        let mut out = vec![0.0; shape[1]];
        reduce(&x.view(), &[0], &mut out, Sum { divisor: shape[0] as f64 });
        assert!(out.iter().all(|&mean| (mean - 0.1).abs() < 1e-7), "{out:?}");
    }
}

#[test]
fn norms_neither_overflow_nor_underflow() {
    let norm_of = |x: &[f64], p| {
        let mut out = [0.0];
        let x = ndarray::ArrayView1::from(x).into_dyn();
        norm(&x, &[0], p, &mut out);
        out[0]
    };
    assert!((norm_of(&[3e-160, 4e-160], 2.0) - 5e-160).abs() < 1e-174);
    assert!((norm_of(&[3e200, 4e200], 2.0) - 5e200).abs() < 1e185);
    assert!((norm_of(&[1e150, 1e150], 3.0) / 1e150 - 2f64.cbrt()).abs() < 1e-14);
    assert_eq!(norm_of(&[0.0, 0.0], 3.0), 0.0);
    assert_eq!(norm_of(&[0.0, 2.0], -1.0), 0.0);
    assert_eq!(norm_of(&[0.0, -2.0, 1.0], 0.0), 2.0);
    assert_eq!(norm_of(&[1.0, f64::NEG_INFINITY], 2.0), f64::INFINITY);
    assert!(norm_of(&[1.0, f64::NAN], 2.0).is_nan() && norm_of(&[1.0, f64::NAN], f64::INFINITY).is_nan());
}

#[test]
fn equal_elements_have_no_variance() {
    for n in [3, 10, 1000] {
        let mut out = [1.0];
        reduce(
            &ArrayD::from_elem(&[n][..], 0.1).view(),
            &[0],
            &mut out,
            Variance { divisor: 2.0, root: false },
        );
        assert_eq!(out[0], 0.0);
    }
}

#[test]
fn positions_are_the_first_of_ties() {
    let x = ndarray::arr2(&[[1.0, 3.0, 3.0], [f64::NAN, 5.0, 0.0]]).into_dyn();
    let at = |over: &[usize], which| {
        let mut out = vec![-1; 6 / over.iter().map(|&k| x.shape()[k]).product::<usize>()];
        position(&x.view(), over, out.iter_mut(), which);
        out
    };
    assert_eq!(at(&[1], Extreme::Max), [1, 0]);
    assert_eq!(at(&[0], Extreme::Min), [1, 0, 1]);
    assert_eq!(at(&[0, 1], Extreme::Max), [3]);
}
