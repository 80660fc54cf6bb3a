//! Random programs against an independent model: forward-mode duals of second order.

use ndarray::{ArrayD, IxDyn};
use num_dual::{Dual2, DualNum};
use wengert::Result;
use wengert::prelude::*;

type D = Dual2<f64>;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    fn real(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * self.next() as f64 / (1u64 << 53) as f64
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Sin(usize),
    Tanh(usize),
    Exp(usize),
    Log1p(usize),
    Root(usize),
    Cube(usize),
    Add(usize, usize),
    Sub(usize, usize),
    Mul(usize, usize),
    Div(usize, usize),
    Scale(usize, f64),
    Gauss(usize),
}

/// Steps that keep values moderate, each on what came before.
fn program(random: &mut Random, inputs: usize, len: usize) -> Vec<Step> {
    (0..len)
        .map(|k| {
            let (a, b) = (random.below(inputs + k), random.below(inputs + k));
            match random.below(12) {
                0 => Step::Sin(a),
                1 => Step::Tanh(a),
                2 => Step::Exp(a),
                3 => Step::Log1p(a),
                4 => Step::Root(a),
                5 => Step::Cube(a),
                6 => Step::Add(a, b),
                7 => Step::Sub(a, b),
                8 => Step::Mul(a, b),
                9 => Step::Div(a, b),
                10 => Step::Scale(a, random.real(-1.5, 1.5)),
                _ => Step::Gauss(a),
            }
        })
        .collect()
}

/// On the graph: op by op, or with every step a formula of its own.
fn on_graph(g: &Graph, x: &[Var], steps: &[Step], all: &[usize], fused: bool) -> Var {
    let mut r = x.to_vec();
    for step in steps {
        r.push(match *step {
            Step::Sin(a) => g.sin(r[a]),
            Step::Tanh(a) => g.tanh(r[a]),
            Step::Exp(a) if fused => g.eval(r[a].tanh().exp()),
            Step::Exp(a) => g.exp(g.tanh(r[a])),
            Step::Log1p(a) if fused => g.eval((r[a] * r[a]).log1p()),
            Step::Log1p(a) => g.log1p(g.square(r[a])),
            Step::Root(a) if fused => g.eval((r[a] * r[a] + 0.5).sqrt()),
            Step::Root(a) => g.sqrt(g.add(g.mul(r[a], r[a]), 0.5)),
            Step::Cube(a) if fused => g.eval(r[a].sin().powi(3)),
            Step::Cube(a) => g.powi(g.sin(r[a]), 3),
            Step::Add(a, b) => g.add(r[a], r[b]),
            Step::Sub(a, b) => g.sub(r[a], r[b]),
            Step::Mul(a, b) if fused => g.eval(r[a].tanh() * r[b].tanh()),
            Step::Mul(a, b) => g.mul(g.tanh(r[a]), g.tanh(r[b])),
            Step::Div(a, b) if fused => g.eval(r[a].sin() / (r[b] * r[b] + 1)),
            Step::Div(a, b) => g.div(g.sin(r[a]), g.add(g.square(r[b]), 1)),
            Step::Scale(a, c) => g.eval(r[a] * c),
            Step::Gauss(a) if fused => g.eval((-r[a] * r[a]).exp()),
            Step::Gauss(a) => g.gaussian(r[a]),
        });
    }
    let last = r[r.len() - 1];
    let before = r[r.len() - 2];
    let everywhere = g.constant(ArrayD::ones(all));
    g.sum((last * last + before.tanh()) * everywhere)
}

/// One element of the model.
fn on_duals(x: &[D], steps: &[Step]) -> D {
    let mut r = x.to_vec();
    for step in steps {
        r.push(match *step {
            Step::Sin(a) => r[a].sin(),
            Step::Tanh(a) => r[a].tanh(),
            Step::Exp(a) => r[a].tanh().exp(),
            Step::Log1p(a) => (r[a] * r[a]).ln_1p(),
            Step::Root(a) => (r[a] * r[a] + 0.5).sqrt(),
            Step::Cube(a) => r[a].sin().powi(3),
            Step::Add(a, b) => r[a] + r[b],
            Step::Sub(a, b) => r[a] - r[b],
            Step::Mul(a, b) => r[a].tanh() * r[b].tanh(),
            Step::Div(a, b) => r[a].sin() / (r[b] * r[b] + 1.0),
            Step::Scale(a, c) => r[a] * c,
            Step::Gauss(a) => (-r[a] * r[a]).exp(),
        });
    }
    let (last, before) = (r[r.len() - 1], r[r.len() - 2]);
    last * last + before.tanh()
}

fn check(seed: u64, shapes: &[&[usize]], all: &[usize], fused: bool) -> Result<()> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let len = 4 + random.below(30);
    let steps = program(&mut random, shapes.len(), len);
    let mut draw = |shape: &[usize]| {
        let len = shape.iter().product::<usize>();
        let values = (0..len).map(|_| random.real(-1.2, 1.2)).collect();
        ArrayD::from_shape_vec(IxDyn(shape), values).unwrap()
    };
    let x: Vec<ArrayD<f64>> = shapes.iter().map(|s| draw(s)).collect();
    let v: Vec<ArrayD<f64>> = shapes.iter().map(|s| draw(s)).collect();
    // The model: each element of the joint shape alone, every input moved along v.
    let element = |k: usize, a: &ArrayD<f64>| *a.broadcast(all).unwrap().iter().nth(k).unwrap();
    let mut want = D::from_re(0.0);
    for k in 0..all.iter().product() {
        let duals: Vec<D> =
            x.iter().zip(&v).map(|(x, v)| D::new(element(k, x), element(k, v), 0.0)).collect();
        want += on_duals(&duals, &steps);
    }
    let mut g = Graph::new();
    let leaves: Vec<Var> = x.iter().map(|x| g.leaf(x)).collect();
    let y = on_graph(&g, &leaves, &steps, all, fused);
    let dots: Vec<Var> = v.iter().map(|v| g.constant(v)).collect();
    let along: Vec<(Var, Var)> = leaves.iter().copied().zip(dots.iter().copied()).collect();
    let close = |have: f64, want: f64, what: &str| {
        let size = 1f64.max(want.abs());
        assert!((have - want).abs() < 1e-10 * size, "seed {seed}, {what}: {have} against {want}\n{steps:?}");
    };
    close(g.item(y), want.re, "value");
    let y_dot = g.tangent(y, &along)?;
    close(g.item(y_dot), want.v1, "tangent");
    let pairing = |g: &Graph, bars: &[Var]| {
        let zero = g.constant(0.0);
        bars.iter().zip(&dots).fold(zero, |sum, (&bar, &dot)| g.add(sum, g.sum(bar * dot)))
    };
    let gradient = g.gradient(y, &leaves)?;
    let inner = pairing(&g, &gradient);
    close(g.item(inner), want.v1, "recorded gradient");
    let second = g.gradient(inner, &leaves)?;
    let vhv = pairing(&g, &second);
    close(g.item(vhv), want.v2, "reverse over reverse");
    let mixed = g.tangent(inner, &along)?;
    close(g.item(mixed), want.v2, "forward over reverse");
    let twice = g.tangent(y_dot, &along)?;
    close(g.item(twice), want.v2, "forward over forward");
    g.backward(y)?;
    let swept: f64 = leaves.iter().zip(&v).filter_map(|(&x, v)| Some((&g.grad(x)? * v).sum())).sum();
    close(swept, want.v1, "backward");
    g.zero_grad();
    g.backward(y_dot)?;
    let swept: f64 = leaves.iter().zip(&v).filter_map(|(&x, v)| Some((&g.grad(x)? * v).sum())).sum();
    close(swept, want.v2, "reverse over forward");
    Ok(())
}

#[test]
fn random_programs_of_numbers() -> Result<()> {
    (0..150).try_for_each(|seed| check(seed, &[&[], &[], &[]], &[], seed % 2 == 0))
}

#[test]
fn random_programs_of_arrays() -> Result<()> {
    (1000..1100).try_for_each(|seed| check(seed, &[&[2, 3], &[2, 3]], &[2, 3], seed % 2 == 0))
}

#[test]
fn random_programs_that_broadcast() -> Result<()> {
    (2000..2100).try_for_each(|seed| check(seed, &[&[2, 1], &[3], &[2, 3]], &[2, 3], seed % 2 == 0))
}
