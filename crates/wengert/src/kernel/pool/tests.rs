//! Against direct loops, ties, padding and NaN included, and the adjoint identity of the mean.

use super::*;
use crate::kernel::real::Real;

fn random<T: Real>(seed: u64, len: usize) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Few distinct values, so that ties are frequent.
        T::of((state >> 60) as f64 - 8.0)
    };
    (0..len).map(|_| next()).collect()
}

fn geometries() -> Vec<Windows> {
    let mut all = Vec::new();
    for input in [[6, 8], [7, 9], [1, 12], [5, 5], [26, 27]] {
        for kernel in [[2, 2], [3, 3], [1, 2], [3, 2]] {
            for stride in [[2, 2], [1, 1], [1, 3]] {
                for padding in [[0, 0], [1, 1], [0, 1]] {
                    for dilation in [[1, 1], [2, 2]] {
                        all.push(Windows { planes: 3, input, kernel, stride, padding, dilation });
                    }
                }
            }
        }
    }
    all.push(Windows { planes: 0, ..all[0] });
    all
}

/// Calls `visit(window, plane position, position in x)` in row-major order of each window.
fn for_each_tap(w: &Windows, mut visit: impl FnMut(usize, usize, usize)) {
    let [height, width] = w.output();
    for y in 0..w.planes * height * width {
        let (plane, o) = (y / (height * width), y % (height * width));
        for k in 0..w.kernel[0] * w.kernel[1] {
            let row = w.position(0, o / width, k / w.kernel[1]);
            let column = w.position(1, o % width, k % w.kernel[1]);
            if let (Some(row), Some(column)) = (row, column) {
                let position = row * w.input[1] + column;
                visit(y, position, plane * w.input[0] * w.input[1] + position);
            }
        }
    }
}

fn check_max<T: Real>(w: &Windows, x: &[T]) {
    let len = w.planes * w.output()[0] * w.output()[1];
    let (mut y, mut positions) = (vec![T::zero(); len], vec![0; len]);
    max_pool(w, x, &mut Workspace::default(), &mut y, &mut positions);
    let (mut best, mut at) = (vec![T::neg_infinity(); len], vec![-1; len]);
    for_each_tap(w, |window, position, i| {
        if at[window] < 0 || x[i] > best[window] || x[i].is_nan() {
            (best[window], at[window]) = (x[i], position as i64);
        }
    });
    assert_eq!(positions, at, "{w:?}");
    assert!(y.iter().zip(&best).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())), "{w:?}");

    let y_bar = random::<T>(7, len);
    let mut x_bar = vec![T::one(); x.len()];
    max_pool_cotangent(w.planes, &y_bar, &positions, true, &mut x_bar);
    let mut expected = vec![T::one(); x.len()];
    let mut done = vec![false; len];
    for_each_tap(w, |window, position, i| {
        if at[window] == position as i64 && !std::mem::replace(&mut done[window], true) {
            expected[i] += y_bar[window];
        }
    });
    assert_eq!(x_bar, expected, "{w:?}");

    let mut again = vec![T::one(); len];
    gather_positions(w.planes, x, &positions, &mut again);
    let held = |(at, x): (&i64, T)| if *at < 0 { T::zero() } else { x };
    let expected: Vec<T> = at.iter().zip(y).map(held).collect();
    assert!(again.iter().zip(&expected).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())), "{w:?}");
}

#[test]
fn maximum_agrees_with_direct_loops() {
    for w in geometries() {
        let len = w.planes * w.input[0] * w.input[1];
        check_max(&w, &random::<f64>(1, len));
        let mut x = random::<f32>(2, len);
        x.iter_mut().skip(3).step_by(11).for_each(|x| *x = f32::NAN);
        x.iter_mut().step_by(5).for_each(|x| *x = f32::NEG_INFINITY);
        check_max(&w, &x);
    }
}

fn check_average<T: Real>(w: &Windows, count_padding: bool) {
    let len = w.planes * w.output()[0] * w.output()[1];
    let (x, y_bar) = (random::<T>(3, w.planes * w.input[0] * w.input[1]), random::<T>(4, len));
    let (mut y, mut sum, mut count) = (vec![T::one(); len], vec![0.0; len], vec![0usize; len]);
    average_pool(w, count_padding, &x, &mut y);
    for_each_tap(w, |window, _, i| {
        sum[window] += x[i].as_f64();
        count[window] += 1;
    });
    let area = w.kernel[0] * w.kernel[1];
    for i in 0..len {
        let divisor = if count_padding { area } else { count[i].max(1) };
        assert!((y[i].as_f64() - sum[i] / divisor as f64).abs() < 1e-5, "{w:?}");
    }
    let mut x_bar = vec![T::one(); x.len()];
    average_pool_cotangent(w, count_padding, &y_bar, false, &mut x_bar);
    let dot = |a: &[T], b: &[T]| -> f64 { a.iter().zip(b).map(|(a, b)| a.as_f64() * b.as_f64()).sum() };
    assert!((dot(&x, &x_bar) - dot(&y, &y_bar)).abs() < 1e-2, "{w:?}");
}

#[test]
fn mean_agrees_with_direct_loops() {
    for w in geometries() {
        for count_padding in [false, true] {
            check_average::<f64>(&w, count_padding);
            check_average::<f32>(&w, count_padding);
        }
    }
}
