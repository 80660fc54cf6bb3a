//! Against direct loops over many geometries, and the two adjoint identities.

use std::cell::Cell;

use super::*;
use crate::kernel::real::Real;

thread_local! {
    /// The instruction set that this test's thread runs on, if not the best.
    pub static FORCED: Cell<Option<pulp::Arch>> = const { Cell::new(None) };
    /// How this test's thread computes everything, if not as sizes say.
    pub static MEANS: Cell<Option<Means>> = const { Cell::new(None) };
}

/// Register tiles, or products of one kind or the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Means {
    Tiles,
    Gathered,
    Unfolded,
}

/// Reproducible numbers in -1..1.
fn random<T: Real>(seed: u64, len: usize) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        T::of((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
    };
    (0..len).map(|_| next()).collect()
}

fn naive<T: Real>(g: &Geometry, x: &[T], w: &[T]) -> Vec<T> {
    let [ho, wo] = g.output();
    let (from, to) = (g.in_channels / g.groups, g.out_channels / g.groups);
    let mut y = vec![T::zero(); g.y_len()];
    for (place, y) in y.iter_mut().enumerate() {
        let (ow, rest) = (place % wo, place / wo);
        let (oh, rest) = (rest % ho, rest / ho);
        let (o, n) = (rest % g.out_channels, rest / g.out_channels);
        for c in 0..from {
            for kh in 0..g.kernel[0] {
                for kw in 0..g.kernel[1] {
                    let i = (oh * g.stride[0] + kh * g.dilation[0]).wrapping_sub(g.padding[0]);
                    let j = (ow * g.stride[1] + kw * g.dilation[1]).wrapping_sub(g.padding[1]);
                    if i < g.input[0] && j < g.input[1] {
                        let channel = n * g.in_channels + o / to * from + c;
                        let weight = w[((o * from + c) * g.kernel[0] + kh) * g.kernel[1] + kw];
                        *y += x[(channel * g.input[0] + i) * g.input[1] + j] * weight;
                    }
                }
            }
        }
    }
    y
}

fn dot<T: Real>(a: &[T], b: &[T]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.as_f64() * b.as_f64()).sum()
}

fn close<T: Real>(what: &str, g: &Geometry, a: &[T], b: &[T], tolerance: f64) {
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let (a, b) = (a.as_f64(), b.as_f64());
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{what} at {i}: {a} against {b}, {g:?}");
    }
}

fn check<T: Lanes>(g: &Geometry, seed: u64, tolerance: f64) {
    let (x, w, y_bar) =
        (random::<T>(seed, g.x_len()), random::<T>(seed + 1, g.w_len()), random::<T>(seed + 2, g.y_len()));
    let bias = random::<T>(seed + 3, g.out_channels);
    let mut work = Workspace::default();
    let tolerance = tolerance * (g.terms() as f64).max(g.out_channels as f64).sqrt();

    let mut y = random::<T>(seed + 4, g.y_len());
    let before = y.clone();
    let reference = naive(g, &x, &w);
    forward(g, &x, &w, None, false, &mut work, &mut y);
    close("forward", g, &y, &reference, tolerance);

    let plane = g.output()[0] * g.output()[1];
    let with_bias = |base: &[T]| -> Vec<T> {
        let channel = |i: usize| bias[i / plane % g.out_channels];
        reference.iter().zip(base).enumerate().map(|(i, (&y, &base))| y + channel(i) + base).collect()
    };
    y.copy_from_slice(&before);
    forward(g, &x, &w, Some(&bias), true, &mut work, &mut y);
    close("forward, added", g, &y, &with_bias(&before), tolerance);

    let pairing = dot(&reference, &y_bar);
    let scale = (g.y_len() as f64).sqrt() * (g.terms() as f64).sqrt() + 1.0;

    let mut x_bar = random::<T>(seed + 5, g.x_len());
    input_cotangent(g, &y_bar, &w, None, false, &mut work, &mut x_bar);
    let mut slow = vec![T::zero(); g.x_len()];
    plain::input_cotangent(g, &y_bar, &w, None, false, &mut slow);
    close("input cotangent", g, &x_bar, &slow, tolerance);
    assert!((dot(&x, &x_bar) - pairing).abs() <= tolerance * scale, "input pairing {g:?}");
    input_cotangent(g, &y_bar, &w, None, true, &mut work, &mut x_bar);
    slow.iter_mut().for_each(|x| *x += *x);
    close("input cotangent, added", g, &x_bar, &slow, tolerance);

    let mut w_bar = random::<T>(seed + 6, g.w_len());
    weight_cotangent(g, &x, &y_bar, false, &mut work, &mut w_bar);
    let mut slow = vec![T::zero(); g.w_len()];
    plain::weight_cotangent(g, &x, &y_bar, false, &mut slow);
    let positions = (g.batch * plane) as f64;
    close("weight cotangent", g, &w_bar, &slow, tolerance * (1.0 + positions.sqrt()));
    assert!((dot(&w, &w_bar) - pairing).abs() <= tolerance * scale, "weight pairing {g:?}");
    weight_cotangent(g, &x, &y_bar, true, &mut work, &mut w_bar);
    slow.iter_mut().for_each(|x| *x += *x);
    close("weight cotangent, added", g, &w_bar, &slow, tolerance * (1.0 + positions.sqrt()));

    let mut bias_bar = vec![T::zero(); g.out_channels];
    bias_cotangent(&y_bar, plane, false, &mut bias_bar);
    for (channel, &bias_bar) in bias_bar.iter().enumerate() {
        let sum: f64 =
            (0..g.y_len()).filter(|i| i / plane % g.out_channels == channel).map(|i| y_bar[i].as_f64()).sum();
        assert!((bias_bar.as_f64() - sum).abs() <= tolerance * (1.0 + positions.sqrt()), "bias {g:?}");
    }
}

fn geometry(batch: usize, channels: [usize; 3], input: [usize; 2], kernel: [usize; 2]) -> Geometry {
    Geometry {
        batch,
        in_channels: channels[0],
        out_channels: channels[1],
        groups: channels[2],
        input,
        kernel,
        stride: [1, 1],
        padding: [0, 0],
        dilation: [1, 1],
    }
}

fn geometries() -> Vec<Geometry> {
    let base = geometry;
    let mut all = vec![
        base(2, [1, 16, 1], [28, 28], [3, 3]),
        base(5, [16, 32, 1], [13, 13], [3, 3]),
        base(1, [3, 5, 1], [6, 7], [6, 7]),
        base(3, [4, 6, 2], [5, 5], [1, 1]),
        base(0, [2, 3, 1], [5, 5], [3, 3]),
        base(2, [6, 6, 6], [9, 8], [3, 3]),
        base(2, [3, 4, 1], [1, 40], [1, 5]),
        base(1, [1, 1, 1], [1, 1], [1, 1]),
        base(2, [5, 15, 5], [40, 3], [2, 2]),
        base(9, [2, 11, 1], [12, 12], [5, 5]),
        base(1, [2, 3, 1], [60, 70], [3, 3]),
    ];
    for stride in [[1, 1], [2, 2], [3, 1], [1, 2], [5, 4]] {
        for padding in [[0, 0], [1, 1], [2, 0], [1, 3]] {
            for dilation in [[1, 1], [2, 1], [2, 3]] {
                for kernel in [[1, 1], [3, 3], [2, 4], [3, 1]] {
                    let g = base(2, [4, 6, 2], [11, 12], kernel);
                    all.push(Geometry { stride, padding, dilation, ..g });
                    all.push(Geometry { stride, padding, dilation, ..base(1, [2, 3, 1], [7, 37], kernel) });
                }
            }
        }
    }
    all
}

#[test]
fn agrees_with_direct_loops_f64() {
    for (i, g) in geometries().iter().enumerate() {
        check::<f64>(g, i as u64 * 10 + 1, 1e-13);
    }
}

#[test]
fn agrees_with_direct_loops_f32() {
    for (i, g) in geometries().iter().enumerate() {
        check::<f32>(g, i as u64 * 10 + 1, 2e-6);
    }
}

#[test]
fn agrees_by_products() {
    for means in [Means::Gathered, Means::Unfolded] {
        MEANS.set(Some(means));
        for (i, g) in geometries().iter().enumerate() {
            check::<f64>(g, i as u64 * 10 + 1, 1e-13);
            check::<f32>(g, i as u64 * 10 + 1, 2e-6);
        }
    }
    MEANS.set(None);
}

#[cfg(feature = "rayon")]
#[test]
fn agrees_where_threads_share() {
    let all = [
        geometry(24, [3, 16, 1], [20, 20], [3, 3]),
        geometry(1, [8, 41, 1], [24, 24], [3, 3]),
        geometry(2, [15, 30, 5], [24, 24], [3, 3]),
        geometry(1, [8, 50, 2], [24, 25], [3, 4]),
        geometry(3, [96, 80, 1], [6, 6], [3, 3]),
        geometry(3, [240, 130, 1], [7, 6], [3, 3]),
        geometry(5, [128, 130, 2], [9, 8], [1, 1]),
    ];
    for threads in [1, 3] {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            for (g, seed) in all.iter().zip(1..) {
                check::<f64>(g, seed, 1e-13);
                let g = Geometry { stride: [2, 1], padding: [1, 2], dilation: [1, 2], ..*g };
                check::<f32>(&g, seed, 2e-6);
            }
        });
    }
}

#[test]
fn agrees_on_lesser_instruction_sets() {
    // `Arch` may have no variant for AVX2, if the feature of `pulp` is off; then plain code is all there is to test.
    for arch in [pulp::Arch::Scalar] {
        FORCED.set(Some(arch));
        for means in [Means::Tiles, Means::Gathered] {
            MEANS.set(Some(means));
            for (i, g) in geometries().iter().enumerate() {
                check::<f64>(g, i as u64 * 10 + 1, 1e-13);
                check::<f32>(g, i as u64 * 10 + 1, 2e-6);
            }
        }
    }
    FORCED.set(None);
    MEANS.set(None);
}

#[test]
fn a_kernel_that_does_not_fit_gives_nothing() {
    let g = geometry(2, [1, 2, 1], [3, 3], [5, 5]);
    assert_eq!(g.output(), [0, 0]);
    let mut work = Workspace::default();
    let (mut x_bar, mut w_bar) = (vec![1.0; g.x_len()], vec![1.0; g.w_len()]);
    forward(&g, &[1.0; 18], &vec![1.0; g.w_len()], None, false, &mut work, &mut []);
    input_cotangent(&g, &[], &w_bar.clone(), None, false, &mut work, &mut x_bar);
    weight_cotangent(&g, &x_bar.clone(), &[], false, &mut work, &mut w_bar);
    assert!(x_bar.iter().chain(&w_bar).all(|&x| x == 0.0));
}

#[test]
fn infinities_stay_where_they_belong() {
    // Stride 2, kernel 1: the odd elements of x take no part.
    let g = Geometry { stride: [1, 2], ..geometry(1, [1, 1, 1], [1, 6], [1, 1]) };
    let x = [1.0, f64::NAN, 2.0, f64::INFINITY, 3.0, f64::NAN];
    let (mut work, mut y, mut w_bar) = (Workspace::default(), [0.0; 3], [0.0]);
    forward(&g, &x, &[2.0], None, false, &mut work, &mut y);
    assert_eq!(y, [2.0, 4.0, 6.0]);
    weight_cotangent(&g, &x, &[1.0, 1.0, 1.0], false, &mut work, &mut w_bar);
    assert_eq!(w_bar, [6.0]);
    // Only the last tap is infinite: the first input never meets it.
    let g = geometry(1, [1, 1, 1], [1, 3], [1, 2]);
    let mut x_bar = [0.0; 3];
    input_cotangent(&g, &[1.0, 1.0], &[1.0, f64::INFINITY], None, false, &mut work, &mut x_bar);
    assert_eq!(x_bar, [1.0, f64::INFINITY, f64::INFINITY]);
}

#[test]
fn the_workspace_does_not_grow_with_the_batch() {
    for batch in [200, 2000] {
        let g = geometry(batch, [3, 8, 1], [9, 9], [3, 3]);
        let (x, w) = (random::<f32>(1, g.x_len()), random::<f32>(2, g.w_len()));
        let (mut work, mut y) = (Workspace::default(), vec![0.0; g.y_len()]);
        let (mut x_bar, mut w_bar) = (x.clone(), w.clone());
        forward(&g, &x, &w, None, false, &mut work, &mut y);
        input_cotangent(&g, &y, &w, None, false, &mut work, &mut x_bar);
        weight_cotangent(&g, &x, &y, false, &mut work, &mut w_bar);
        let elements = work.room.image.capacity() + work.room.wide.capacity() + work.plan.weights.capacity();
        assert!(
            elements * 4 + work.room.starts.capacity() * 8 < 2 << 20,
            "{elements} elements at batch {batch}"
        );
    }
}
