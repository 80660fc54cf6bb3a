//! The benchmark's objectives and gradients are those that other tools agree on.

use wengert::prelude::*;
use wengert_benches::adbench::{INSTANCES, LARGE, TINY, instance};

/// The field's measure of difference.
fn apart(a: f64, b: f64) -> f64 {
    (a - b).abs() / (a.abs() + b.abs()).max(1.0)
}

/// The objective and the gradient in the order of the references.
fn gradient(name: &str) -> (f64, f64, Vec<f64>) {
    let (objective, _) = instance(name).expect("a known instance");
    let mut g = Graph::new();
    let data = objective.constants(&g);
    let params: Vec<Var> = objective.parameters().into_iter().map(|p| g.leaf(p)).collect();
    let loss = objective.record(&g, &params, &data);
    g.backward(loss).expect("a differentiable objective");
    let gradient =
        params.iter().flat_map(|p| g.grad(*p).expect("reached").iter().copied().collect::<Vec<_>>());
    (g.item(loss), objective.plain(), gradient.collect())
}

fn check(name: &str) {
    let (_, reference) = instance(name).expect("a known instance");
    let (loss, plain, gradient) = gradient(name);
    let expected = reference.objective();
    assert!(apart(loss, expected) <= 1e-12, "{name}: objective {loss}, expected {expected}");
    assert!(apart(plain, expected) <= 1e-12, "{name}: plain objective {plain}, expected {expected}");
    assert_eq!(gradient.len() as f64, reference.gradient("size"), "{name}");
    for (k, expected) in reference.entries() {
        let got = gradient[k];
        assert!(apart(got, expected) <= 1e-10, "{name}: entry {k} is {got}, expected {expected}");
    }
    let norm = gradient.iter().map(|v| v * v).sum::<f64>().sqrt();
    let weighted: f64 = gradient.iter().enumerate().map(|(k, v)| v * (k as f64).cos()).sum();
    let largest = gradient.iter().fold(0.0, |top: f64, v| top.max(v.abs()));
    for (key, got, scale) in [
        ("sum", gradient.iter().sum(), norm),
        ("l2", norm, norm),
        ("cosdot", weighted, norm),
        ("maxabs", largest, largest),
    ] {
        let expected = reference.gradient(key);
        assert!(
            (got - expected).abs() <= 1e-10 * scale.max(1.0),
            "{name}: {key} is {got}, expected {expected}"
        );
    }
}

#[test]
fn tiny_instances_agree_with_other_tools() {
    TINY.into_iter().for_each(check);
}

#[test]
fn middle_instances_agree_with_other_tools() {
    INSTANCES.into_iter().for_each(check);
}

#[test]
fn every_instance_has_its_reference() {
    for name in TINY.into_iter().chain(INSTANCES).chain(LARGE) {
        assert!(instance(name).is_some(), "{name}");
    }
}
