//! The same bits on any number of threads: what is split, and how, depends on sizes alone.
#![cfg(feature = "rayon")]

use ndarray::{Array, ArrayD, IxDyn};
use wengert::prelude::*;
use wengert::{Engine, Real};

fn numbers<T: Real>(seed: u64, shape: &[usize]) -> ArrayD<T> {
    let mut state = seed;
    Array::from_shape_fn(IxDyn(shape), |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        T::of((state >> 40) as f64 / (1u64 << 23) as f64 - 1.0)
    })
}

/// Everything that is worth sharing: formulas with leaves of every kind of repetition, single ops, reductions, rows,
/// products, convolutions and pools.
fn program<T: Engine>(g: &Graph<T>, p: &[Var]) -> Var {
    let [x, row, column, one, w, images, kernel] = p else { unreachable!("seven inputs") };
    let h = g.eval((*x * *row + *column).tanh() * *one + x.sigmoid());
    let h = g.add(g.sin(h), g.exp(g.mul(h, *column)));
    let h = g.layer_norm(h, &[320], *row, *row, 1e-5);
    let h = g.softmax(g.matmul(h, *w), -1);
    let image =
        g.max_pool2d(g.conv2d(*images, *kernel, None, Default::default()), [2, 2], Default::default());
    let total = g.sum((h - *row).square() * *one);
    let sums = g.sum_axes(h, &[0]);
    g.eval(total + g.mean(sums.square()) + g.sum(g.relu(image)))
}

fn run<T: Engine>() -> (T, Vec<ArrayD<T>>) {
    let mut g = Graph::<T>::default();
    let shapes: [&[usize]; 7] =
        [&[640, 320], &[320], &[640, 1], &[], &[320, 320], &[8, 3, 40, 40], &[16, 3, 3, 3]];
    let p: Vec<Var> = shapes.iter().zip(1..).map(|(s, seed)| g.leaf(numbers::<T>(seed, s))).collect();
    let loss = program(&g, &p);
    g.backward(loss).unwrap();
    (g.item(loss), p.iter().map(|v| g.grad(*v).unwrap().to_owned()).collect())
}

fn holds<T: Engine>() {
    let on =
        |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run::<T>);
    let alone = on(1);
    for threads in [2, 4] {
        let together = on(threads);
        assert!(alone.0.as_f64().to_bits() == together.0.as_f64().to_bits(), "{threads} threads: value");
        for (k, (a, b)) in alone.1.iter().zip(&together.1).enumerate() {
            let same = a.iter().zip(b).all(|(a, b)| a.as_f64().to_bits() == b.as_f64().to_bits());
            assert!(same, "{threads} threads: gradient {k}");
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    holds::<f64>();
    holds::<f32>();
}
