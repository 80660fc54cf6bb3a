// wengert through its public API, as a user would write the workloads.
mod adbench;
#[path = "../../common.rs"]
mod common;
mod programs;
use common::*;
use ndarray::{ArrayD, IxDyn};
use wengert::Engine;
use wengert::op::ConvOptions;
use wengert::prelude::*;

fn array<T: Engine>(a: &Arr) -> ArrayD<T> {
    ArrayD::from_shape_vec(IxDyn(&a.1), a.0.iter().map(|v| T::of(*v)).collect()).unwrap()
}

/// One forward pass; `xs` are the inputs of an LSTM's steps.
fn forward<T: Engine>(g: &Graph<T>, w: &str, p: &[Var], c: &[Var], y: Option<Var>) -> Var {
    match w {
        _ if pairs(w) > 0 => {
            let (mut x, a, b) = (p[0], p[1], p[2]);
            for _ in 0..pairs(w) {
                x = g.eval(x * a);
                x = g.eval(x + b);
            }
            g.sum(x)
        }
        "W3" => {
            let (x, a, b) = (p[0], p[1], p[2]);
            g.mean((x * a + b).tanh().square() * x.sigmoid() + (-x * x).exp())
        }
        "W4" => {
            let h = g.relu(g.matmul(c[0], p[0]) + p[1]);
            let h = g.relu(g.matmul(h, p[2]) + p[3]);
            g.cross_entropy(g.matmul(h, p[4]) + p[5], y.unwrap())
        }
        "W5" => {
            let h = g.tanh(g.matmul(c[0], p[0]) + p[1]);
            g.mean((g.matmul(h, p[2]) + p[3] - c[1]).square())
        }
        "W7" => {
            let h = g.relu(g.conv2d(c[0], p[0], p[1], ConvOptions::default()));
            let h = g.max_pool2d(h, [2, 2], Default::default());
            let h = g.relu(g.conv2d(h, p[2], p[3], ConvOptions::default()));
            let h = g.max_pool2d(h, [2, 2], Default::default());
            g.cross_entropy(g.matmul(g.reshape(h, &[64, 800]), p[4]) + p[5], y.unwrap())
        }
        "W8" => {
            let n = g.layer_norm(p[0], &[128], p[1], p[2], 1e-5);
            let n = g.reshape(n, &[512, 128]);
            let heads = |k: usize| {
                let h = g.eval(g.matmul(n, p[k]) + p[k + 1]);
                g.transpose(g.reshape(h, &[8, 64, 4, 32]), 1, 2)
            };
            let (q, k, v) = (heads(3), heads(5), heads(7));
            let s = g.softmax(g.matmul(q, g.t(k)) * (1.0 / 32f64.sqrt()), -1);
            let o = g.reshape(g.transpose(g.matmul(s, v), 1, 2), &[512, 128]);
            let x = g.eval(g.reshape(p[0], &[512, 128]) + g.matmul(o, p[9]) + p[10]);
            let n = g.layer_norm(x, &[128], p[11], p[12], 1e-5);
            let h = g.relu(g.matmul(n, p[13]) + p[14]);
            g.mean((x + g.matmul(h, p[15]) + p[16]).square())
        }
        "W9" => {
            let (mut h, mut s) = (c[1], c[1]);
            let x = g.matmul(c[0], p[0]);
            for t in 0..50 {
                let z = g.eval(g.select(x, 0, t) + g.matmul(h, p[1]) + p[2]);
                let gate = |k: isize| g.slice(z, 1, k * 128..(k + 1) * 128);
                let (i, f, n, o) = (gate(0), gate(1), gate(2), gate(3));
                s = g.eval(f.sigmoid() * s + i.sigmoid() * n.tanh());
                h = g.eval(o.sigmoid() * s.tanh());
            }
            g.mean(h.square())
        }
        "W10" => {
            let s = g.eval(g.matmul(p[0], g.t(p[0])) + c[0]);
            let l = g.cholesky(s).unwrap();
            let (_, logdet) = g.slogdet(s);
            let x = g.solve(s, p[1]).unwrap();
            g.eval(g.sum(l) + logdet + g.sum(x))
        }
        _ => {
            let product = g.matmul(p[0], p[1]);
            g.sum(product * product)
        }
    }
}

fn build<T: Engine + 'static>(w: &str) -> Option<Built> {
    let (ps, mut cs) = match w {
        "W10" => {
            let r = |seed, n: usize, shape: &[usize]| (rnd(seed, n), shape.to_vec());
            let mut eye = vec![0.0; 200 * 200];
            (0..200).for_each(|k| eye[201 * k] = 200.0);
            (vec![r(1, 200 * 200, &[200, 200]), r(2, 200, &[200])], vec![(eye, vec![200, 200])])
        }
        _ => inputs(w)?,
    };
    if w == "W9" {
        cs.push((vec![0.0; 32 * 128], vec![32, 128]));
    }
    let g = Graph::<T>::default();
    let p: Vec<Var> = ps.iter().map(|a| g.leaf(array::<T>(a))).collect();
    let c: Vec<Var> = cs.iter().map(|a| g.constant(array::<T>(a))).collect();
    let rows = if w == "W7" { 64 } else { 128 };
    let y = matches!(w, "W4" | "W7").then(|| {
        let targets: Vec<i64> = labels(2, rows, 10).iter().map(|v| i64::from(*v)).collect();
        g.indices(targets)
    });
    let w = w.to_string();
    let sgd = matches!(&w[..], "W4" | "W5" | "W7");
    Some(built(g, p.clone(), sgd, move |g| forward(g, &w, &p, &c, y)))
}

/// Value and gradients at the initial parameters `p`, and a step, which computes both and may train.
fn built<T: Engine + 'static>(
    mut g: Graph<T>,
    p: Vec<Var>,
    trains: bool,
    loss_of: impl Fn(&Graph<T>) -> Var + 'static,
) -> Built {
    let base = g.mark();
    let loss = loss_of(&g);
    g.backward(loss).unwrap();
    let value = g.item(loss).as_f64();
    let gradients = p.iter().map(|v| g.grad(*v).unwrap().iter().map(|x| x.as_f64()).collect()).collect();
    g.zero_grad();
    g.rewind(base);
    let step = move || {
        let loss = loss_of(&g);
        g.backward(loss).unwrap();
        let value = g.item(loss).as_f64();
        if trains {
            g.update(&p, |w, dw| w.scaled_add(T::of(-0.01), &dw)).unwrap();
        }
        g.zero_grad();
        g.rewind(base);
        value
    };
    (value, gradients, Box::new(step))
}

fn main() {
    serve(|w, dtype| match dtype {
        "f32" if programs::is_one(w) => programs::build::<f32>(w),
        _ if programs::is_one(w) => programs::build::<f64>(w),
        _ if !w.starts_with('W') && pairs(w) == 0 => adbench::build(w, dtype),
        "f32" => build::<f32>(w),
        _ => build::<f64>(w),
    });
}
