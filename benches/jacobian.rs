//! Jacobians: `jacobian` against a sweep for each row, and against recording alone.

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::ArrayD;
use wengert::functional::jacobian;
use wengert::prelude::*;
use wengert_benches::data;

type Function = fn(&Graph, &[Var]) -> Var;

/// A function and the shape of its one argument.
const FUNCTIONS: [(&str, Function, &[usize]); 4] = [
    ("numbers_30_to_20", numbers, &[30]),
    ("bundle_41_to_20", bundle, &[41]),
    ("network_10_to_10", network, &[10]),
    ("arrays_100000_to_12", arrays, &[100_000]),
];

fn each(g: &Graph, x: Var) -> Vec<Var> {
    (0..g.len(x) as isize).map(|k| g.select(x, 0, k)).collect()
}

/// Code written in single numbers: each result is made of all before it.
fn numbers(g: &Graph, x: &[Var]) -> Var {
    let x = each(g, x[0]);
    let mut y: Vec<Var> = Vec::new();
    for k in 0..20 {
        let mut sum = g.eval(x[k] * x[k + 10]);
        for (j, &x) in x.iter().enumerate().skip(k) {
            let before = y.get(j % 20).copied().unwrap_or(x);
            sum = g.eval(sum + (x * before).sin() * 0.5 + x.exp() / (1.0 + before.square()));
        }
        y.push(sum);
    }
    g.stack(&y, 0)
}

/// One camera of 11 numbers looks at ten points.
fn bundle(g: &Graph, x: &[Var]) -> Var {
    let x = each(g, x[0]);
    let (r, c, [f, x0, y0, k1, k2]) = (&x[..3], &x[3..6], [x[6], x[7], x[8], x[9], x[10]]);
    let angle2 = g.eval(r[0].square() + r[1].square() + r[2].square());
    let angle = g.sqrt(angle2);
    let (sine, versine) = (g.eval(angle.sin() / angle), g.eval((1.0 - angle.cos()) / angle2));
    let cosine = g.cos(angle);
    let mut residuals = Vec::new();
    for point in x[11..].chunks(3) {
        let a: [Var; 3] = std::array::from_fn(|k| g.eval(point[k] + 4.0 - c[k]));
        let along = g.eval((r[0] * a[0] + r[1] * a[1] + r[2] * a[2]) * versine);
        let turned = |i: usize, j: usize, k: usize| {
            g.eval(a[i] * cosine + (r[j] * a[k] - r[k] * a[j]) * sine + r[i] * along)
        };
        let (y1, y2, y3) = (turned(0, 1, 2), turned(1, 2, 0), turned(2, 0, 1));
        let (u, v) = (g.eval(y1 / y3), g.eval(y2 / y3));
        let radius2 = g.eval(u.square() + v.square());
        let scale = g.eval((1.0 + radius2 * (k1 + k2 * radius2)) * f);
        residuals.extend([g.eval(u * scale + x0), g.eval(v * scale + y0)]);
    }
    g.stack(&residuals, 0)
}

/// A small network of one sample.
fn network(g: &Graph, x: &[Var]) -> Var {
    let sizes = [10, 32, 32, 10];
    let mut h = x[0];
    for (k, pair) in sizes.windows(2).enumerate() {
        let w = g.constant(data::<f64>(k as u64, pair, 0.4));
        let b = g.constant(data::<f64>(9 + k as u64, &pair[1..], 0.4));
        h = g.tanh(g.eval(g.matmul(h, w) + b));
    }
    h
}

/// Some passes over a long array, and twelve weighted sums of what comes out.
fn arrays(g: &Graph, x: &[Var]) -> Var {
    let n = g.len(x[0]);
    let h = g.eval(x[0].tanh() * (x[0] + 1.0).exp() + x[0].sin());
    let h = g.softplus(g.eval(h * x[0]));
    g.matmul(g.constant(data::<f64>(1, &[12, n], 1.0)), h)
}

/// A sweep for each row.
fn one_by_one(f: Function, x: &ArrayD<f64>) -> Vec<f64> {
    let mut g = Graph::new();
    let leaf = g.leaf(x);
    let y = f(&g, &[leaf]);
    let mut y_bar = ArrayD::zeros(&g.shape(y)[..]);
    let mut rows = Vec::with_capacity(y_bar.len() * x.len());
    for k in 0..y_bar.len() {
        y_bar.as_slice_mut().expect("made without gaps")[k] = 1.0;
        g.zero_grad();
        g.backward_with(y, &y_bar).expect("a differentiable result");
        y_bar.fill(0.0);
        rows.extend(g.grad(leaf).expect("a gradient"));
    }
    rows
}

fn jacobians(c: &mut Criterion) {
    let mut group = c.benchmark_group("jacobian");
    for (name, f, shape) in FUNCTIONS {
        let x = data::<f64>(3, shape, 0.5);
        group.bench_function(format!("{name}/record"), |b| {
            b.iter(|| {
                let g = Graph::new();
                f(&g, &[g.leaf(&x)])
            })
        });
        group.bench_function(format!("{name}/jacobian"), |b| {
            b.iter(|| jacobian(f, &[&x]).expect("differentiable"))
        });
        group.bench_function(format!("{name}/one_by_one"), |b| b.iter(|| one_by_one(f, &x)));
    }
    group.finish();
}

criterion_group!(benches, jacobians);
criterion_main!(benches);
