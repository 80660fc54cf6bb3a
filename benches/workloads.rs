//! Formulas, matrix products, networks and small scalar code: forward and backward.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::array;
use wengert::Engine;
use wengert::op::{Attention, ConvOptions};
use wengert::prelude::*;
use wengert_benches::data;

/// One step of `loss` on `shapes`-shaped leaves, in a loop that grows nothing.
fn step<T: Engine>(
    c: &mut Criterion,
    name: &str,
    elements: u64,
    shapes: &[&[usize]],
    loss: impl Fn(&Graph<T>, &[Var]) -> Var,
) {
    let mut g = Graph::<T>::default();
    let leaves: Vec<Var> =
        shapes.iter().enumerate().map(|(k, s)| g.leaf(data::<T>(k as u64 + 1, s, 1.0))).collect();
    let base = g.mark();
    let mut group = c.benchmark_group("workloads");
    group.throughput(Throughput::Elements(elements));
    group.bench_function(name, |b| {
        b.iter(|| {
            let y = loss(&g, &leaves);
            g.backward(y).expect("a differentiable loss");
            g.zero_grad();
            g.rewind(base);
        });
    });
    group.finish();
}

fn formula<T: Engine>(g: &Graph<T>, p: &[Var]) -> Var {
    let (x, a, b) = (p[0], p[1], p[2]);
    g.mean((x * a + b).tanh().square() * x.sigmoid() + (-x * x).exp())
}

fn formulas(c: &mut Criterion) {
    for n in [1_000, 1_000_000] {
        step::<f32>(c, &format!("formula_f32_{n}"), n as u64, &[&[n], &[n], &[n]], formula);
        step::<f64>(c, &format!("formula_f64_{n}"), n as u64, &[&[n], &[n], &[n]], formula);
    }
}

fn products(c: &mut Criterion) {
    for n in [64, 256, 1024] {
        step::<f32>(c, &format!("matmul_f32_{n}"), (n * n) as u64, &[&[n, n], &[n, n]], |g, p| {
            let product = g.matmul(p[0], p[1]);
            g.sum(product * product)
        });
    }
}

fn networks(c: &mut Criterion) {
    let shapes: [&[usize]; 7] =
        [&[64, 1, 28, 28], &[16, 1, 3, 3], &[16], &[32, 16, 3, 3], &[32], &[800, 10], &[10]];
    step::<f32>(c, "convolutions_batch_64", 64, &shapes, |g, p| {
        let h = g.relu(g.conv2d(g.detach(p[0]), p[1], p[2], ConvOptions::default()));
        let h = g.max_pool2d(h, [2, 2], Default::default());
        let h = g.relu(g.conv2d(h, p[3], p[4], ConvOptions::default()));
        let h = g.max_pool2d(h, [2, 2], Default::default());
        g.mean((g.matmul(g.reshape(h, &[64, 800]), p[5]) + p[6]).square())
    });
    let (wide, narrow): ([usize; 2], [usize; 2]) = ([128, 512], [512, 128]);
    let shapes: [&[usize]; 8] =
        [&[8, 64, 128], &[128], &[128], &[128, 384], &[128, 128], &wide, &[512], &narrow];
    step::<f32>(c, "transformer_block_512_tokens", 512, &shapes, |g, p| {
        let heads = g.matmul(g.layer_norm(p[0], &[128], p[1], p[2], 1e-5), p[3]);
        let heads = g.transpose(g.reshape(heads, &[8, 64, 12, 32]), 1, 2);
        let head = |k: isize| g.slice(heads, 1, 4 * k..4 * (k + 1));
        let mixed = g.scaled_dot_product_attention(head(0), head(1), head(2), None, Attention::default());
        let mixed = g.reshape(g.transpose(mixed, 1, 2), &[8, 64, 128]);
        let x = g.eval(p[0] + g.matmul(mixed, p[4]));
        let h = g.gelu(g.matmul(g.layer_norm(x, &[128], p[1], p[2], 1e-5), p[5]) + p[6]);
        g.mean((x + g.matmul(h, p[7])).square())
    });
    let shapes: [&[usize]; 5] = [&[50, 32, 64], &[512, 64], &[512, 128], &[32, 128], &[32, 128]];
    step::<f32>(c, "lstm_50_steps", 50, &shapes, |g, p| {
        let (x, start) = (g.detach(p[0]), (p[3], p[4]));
        let (h, _) = (0..50).fold(start, |state, t| g.lstm_cell(g.select(x, 0, t), state, p[1], p[2], None));
        g.mean(h.square())
    });
}

fn scalars(c: &mut Criterion) {
    step::<f64>(c, "rosenbrock_chain_1000", 999, &[&[1000]], |g, p| {
        let x: Vec<Var> = (0..1000).map(|k| g.select(p[0], 0, k)).collect();
        let mut sum = g.eval(x[0] * 0.0);
        for pair in x.windows(2) {
            sum = g.eval(sum + 100.0 * (pair[1] - pair[0] * pair[0]).square() + (1.0 - pair[0]).square());
        }
        sum
    });
    let mut g = Graph::new();
    let x = g.leaf(array![0.5]);
    let base = g.mark();
    c.bench_function("workloads/third_derivative", |b| {
        b.iter(|| {
            let mut y = g.eval((2.0 * x).sin() * x.exp());
            for _ in 0..3 {
                y = g.gradient(y, &[x]).expect("a differentiable formula")[0];
            }
            g.rewind(base);
        });
    });
}

criterion_group!(benches, formulas, products, networks, scalars);
criterion_main!(benches);
