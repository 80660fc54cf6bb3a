//! Formulas, matrix products, scalar code and linear algebra: forward and backward.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{ArrayD, array};
use wengert::Engine;
use wengert::graph::Source;
use wengert::prelude::*;
use wengert_benches::data;

/// One step of `loss` on `shapes`-shaped leaves, in a loop that grows nothing.
fn step<T: Engine>(
    c: &mut Criterion,
    name: &str,
    elements: u64,
    shapes: &[&[usize]],
    loss: impl Fn(&Graph<T>, &[Var]) -> Var,
) where
    ArrayD<T>: Source<T>,
{
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

criterion_group!(benches, formulas, products, scalars);
criterion_main!(benches);
