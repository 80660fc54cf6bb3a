//! Code written in single numbers: 10^6 ops on 1,000 of them, op by op and as formulas, against a bare tape.

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use wengert::prelude::*;
use wengert_benches::adbench::Draw;

const OPS: usize = 1_000_000;
const LIVE: usize = 1_000;

/// The least that a tape can be: two parents and two partials a node.
#[derive(Default)]
struct Bare {
    nodes: Vec<([u32; 2], [f64; 2])>,
    bars: Vec<f64>,
}

impl Bare {
    fn push(&mut self, parents: [u32; 2], partials: [f64; 2]) -> u32 {
        self.nodes.push((parents, partials));
        self.nodes.len() as u32 - 1
    }

    fn sweep(&mut self, root: u32) {
        self.bars.clear();
        self.bars.resize(self.nodes.len(), 0.0);
        self.bars[root as usize] = 1.0;
        for (id, (parents, partials)) in self.nodes.iter().enumerate().rev() {
            let bar = self.bars[id];
            (0..2).for_each(|k| self.bars[parents[k] as usize] += bar * partials[k]);
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Sin,
    Exp,
    Mul,
    Add,
}

/// The arguments of each op among the values alive, the oldest of which it replaces in turn: first the one before,
/// then any.
fn arguments() -> Vec<u32> {
    let mut draw = Draw::new(1);
    (0..OPS).map(|_| draw.below(LIVE) as u32).collect()
}

fn leaves() -> Vec<f64> {
    let mut draw = Draw::new(2);
    (0..LIVE).map(|_| 2.0 * draw.centred()).collect()
}

fn recorded(g: &Graph, inputs: &[Var], live: &mut Vec<Var>, kinds: &[Kind], arguments: &[u32]) -> Var {
    live.clear();
    live.extend_from_slice(inputs);
    let mut x = inputs[0];
    for (k, &other) in arguments.iter().enumerate() {
        x = match kinds[k % kinds.len()] {
            Kind::Sin => g.sin(x),
            Kind::Exp => g.exp(x),
            Kind::Mul => g.eval(x * inputs[other as usize]),
            Kind::Add => g.eval(x + live[other as usize]),
        };
        live[k % LIVE] = x;
    }
    x
}

/// Five ops a statement.
fn formulas(g: &Graph, inputs: &[Var], live: &mut Vec<Var>, mix: bool, arguments: &[u32]) -> Var {
    live.clear();
    live.extend_from_slice(inputs);
    let mut x = inputs[0];
    for (k, &other) in arguments.iter().step_by(5).enumerate() {
        let (a, b) = (inputs[other as usize], live[other as usize]);
        x = match mix {
            true => g.eval(x.sin().exp() * a + b.sin()),
            false => g.eval((x * a + b) * a + b * a),
        };
        live[k % LIVE] = x;
    }
    x
}

fn bare(
    tape: &mut Bare,
    inputs: &[f64],
    live: &mut Vec<(u32, f64)>,
    kinds: &[Kind],
    arguments: &[u32],
) -> f64 {
    tape.nodes.clear();
    live.clear();
    live.extend(inputs.iter().map(|v| (tape.push([0, 0], [0.0, 0.0]), *v)));
    let mut x = live[0];
    for (k, &other) in arguments.iter().enumerate() {
        let (id, v) = x;
        let (leaf, old) = ((other, inputs[other as usize]), live[other as usize]);
        x = match kinds[k % kinds.len()] {
            Kind::Sin => (tape.push([id, 0], [v.cos(), 0.0]), v.sin()),
            Kind::Exp => (tape.push([id, 0], [v.exp(), 0.0]), v.exp()),
            Kind::Mul => (tape.push([id, leaf.0], [leaf.1, v]), v * leaf.1),
            Kind::Add => (tape.push([id, old.0], [1.0, 1.0]), v + old.1),
        };
        live[k % LIVE] = x;
    }
    tape.sweep(x.0);
    tape.bars[0]
}

/// Recording alone, and recording and the sweep, on a graph that is used again.
fn both(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    record: impl Fn(&Graph, &[Var], &mut Vec<Var>) -> Var,
) {
    let mut g = Graph::new();
    let inputs: Vec<Var> = leaves().into_iter().map(|v| g.leaf(v)).collect();
    let base = g.mark();
    let mut live = Vec::new();
    for sweep in [false, true] {
        let name = format!("{name}/{}", if sweep { "record_and_backward" } else { "record" });
        group.bench_function(name, |b| {
            b.iter(|| {
                let y = record(&g, &inputs, &mut live);
                if sweep {
                    g.backward(y).expect("a differentiable number");
                    g.zero_grad();
                }
                g.rewind(base);
            });
        });
    }
}

fn scalar(c: &mut Criterion) {
    let mut group = c.benchmark_group("scalar");
    group.throughput(Throughput::Elements(OPS as u64)).sample_size(20);
    let (arguments, values) = (arguments(), leaves());
    for (name, kinds) in
        [("muladd", &[Kind::Mul, Kind::Add][..]), ("mix", &[Kind::Sin, Kind::Exp, Kind::Mul, Kind::Add][..])]
    {
        both(&mut group, name, |g, inputs, live| recorded(g, inputs, live, kinds, &arguments));
        let mix = kinds.len() > 2;
        both(&mut group, &format!("{name}/formulas_of_five"), |g, inputs, live| {
            formulas(g, inputs, live, mix, &arguments)
        });
        let (mut tape, mut live) = (Bare::default(), Vec::new());
        group.bench_function(format!("{name}/bare_tape"), |b| {
            b.iter(|| bare(&mut tape, &values, &mut live, kinds, &arguments));
        });
    }
    group.finish();
}

criterion_group!(benches, scalar);
criterion_main!(benches);
