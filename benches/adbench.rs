//! Objective and gradient of ADBench's instances, on a graph that is used again, and the objective in plain numbers.

use criterion::{Criterion, criterion_group, criterion_main};
use wengert::prelude::*;
use wengert_benches::adbench::{INSTANCES, instance};

fn objectives(c: &mut Criterion) {
    for name in INSTANCES {
        let (objective, _) = instance(name).expect("a known instance");
        let mut g = Graph::new();
        let data = objective.constants(&g);
        let params: Vec<Var> = objective.parameters().into_iter().map(|p| g.leaf(p)).collect();
        let base = g.mark();
        c.benchmark_group("adbench/plain").bench_function(name, |b| b.iter(|| objective.plain()));
        c.benchmark_group("adbench/objective").bench_function(name, |b| {
            b.iter(|| {
                let value = g.no_grad(|g| g.item(objective.record(g, &params, &data)));
                g.rewind(base);
                value
            });
        });
        c.benchmark_group("adbench/gradient").bench_function(name, |b| {
            b.iter(|| {
                let loss = objective.record(&g, &params, &data);
                g.backward(loss).expect("a differentiable objective");
                g.zero_grad();
                g.rewind(base);
            });
        });
    }
}

criterion_group!(benches, objectives);
criterion_main!(benches);
