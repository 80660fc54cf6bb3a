//! How many nodes and elements a second are recorded and swept.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use wengert::prelude::*;
use wengert_benches::{Mlp, chain, data};

fn chains(c: &mut Criterion) {
    let mut group = c.benchmark_group("backward_throughput");
    for (name, len, ops) in [
        ("scalar", 1, 1_000),
        ("scalar", 1, 1_000_000),
        ("length_64", 64, 1_000),
        ("length_1e6", 1_000_000, 10),
    ] {
        let mut g = Graph::new();
        let leaves = [
            g.leaf(data::<f64>(1, &[len], 1.0)),
            g.leaf(data::<f64>(2, &[len], 0.999)),
            g.leaf(data::<f64>(3, &[len], 0.01)),
        ];
        let base = g.mark();
        let work = if len == 1_000_000 {
            Throughput::Elements((ops * len) as u64)
        } else {
            Throughput::Elements(ops as u64)
        };
        group.throughput(work);
        group.bench_function(format!("{name}_{ops}/record"), |b| {
            b.iter(|| {
                chain(&g, leaves, ops);
                g.rewind(base);
            });
        });
        group.bench_function(format!("{name}_{ops}/record_and_backward"), |b| {
            b.iter(|| {
                let y = g.sum(chain(&g, leaves, ops));
                g.backward(y).expect("a differentiable chain");
                g.zero_grad();
                g.rewind(base);
            });
        });
    }
    group.finish();
}

fn mlp(c: &mut Criterion) {
    let mut group = c.benchmark_group("backward_throughput");
    for batch in [16, 128] {
        let mut g = Graph::<f32>::default();
        let net = Mlp::new(&g, &[784, 256, 128, 10], batch);
        let base = g.mark();
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(format!("mlp_step_batch_{batch}"), |b| {
            b.iter_batched(
                || (),
                |()| {
                    let loss = net.loss(&g);
                    g.backward(loss).expect("a differentiable loss");
                    g.update(&net.params, |w, dw| w.scaled_add(-0.01, &dw))
                        .expect("every parameter has a gradient");
                    g.zero_grad();
                    g.rewind(base);
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, chains, mlp);
criterion_main!(benches);
