//! `Graph::audit`: each way in which a parameter can lose its gradient is named, with the line.

use ndarray::array;
use wengert::prelude::*;
use wengert::{Cut, Finding};

/// What is found for the parameter `w` of a loss that also depends on another one.
fn found(loss: impl Fn(&Graph, Var, Var) -> Var) -> Vec<Finding> {
    let g = Graph::new();
    let (w, other) = (g.leaf(array![1.5, -2.5]), g.leaf(array![0.5, 2.0]));
    let loss = loss(&g, w, other);
    assert!(g.audit(loss, &[other]).is_empty(), "the other one has its gradient");
    let findings = g.audit(loss, &[other, w]);
    assert!(findings.iter().all(|f| f.parameter == w));
    findings
}

fn cut(loss: impl Fn(&Graph, Var, Var) -> Var) -> Cut {
    let findings = found(loss);
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings[0].cut
}

#[test]
fn every_way_to_lose_a_gradient_is_named() {
    assert_eq!(cut(|g, w, x| g.sum(g.detach(w) * x)), Cut::Detach);
    assert_eq!(cut(|g, w, x| g.sum(x * g.no_grad(|g| g.square(w)))), Cut::NoGrad);
    assert_eq!(cut(|g, w, x| g.sum(g.where_(g.gt(w, 0.0), x, 0.0))), Cut::NotDifferentiable);
    assert_eq!(cut(|g, w, x| g.sum(g.floor(w) * x)), Cut::NotDifferentiable);
    assert_eq!(cut(|g, w, x| g.sum((w * 2.0).round() * x)), Cut::NotDifferentiable);
    assert_eq!(cut(|g, w, x| g.sum(g.index_select(x, g.argsort(w, 0, false), 0))), Cut::NotDifferentiable);
    assert_eq!(cut(|g, _, x| g.sum(x * x)), Cut::Unused);
    let all = found(|g, w, x| g.sum(g.detach(w) * x + g.floor(w)));
    assert_eq!(all.iter().map(|f| f.cut).collect::<Vec<_>>(), [Cut::Detach, Cut::NotDifferentiable]);
}

#[test]
fn paths_that_go_through_are_no_findings() {
    assert!(found(|g, w, x| g.sum(g.detach(w) * x + w)).is_empty());
    assert!(found(|g, w, x| g.sum(w.floor() * x + w.sin())).is_empty());
    assert!(found(|g, w, x| g.sum(g.sort(g.concat(&[w, x], 0), 0, false).0)).is_empty());
}

#[test]
fn findings_say_op_and_line() {
    let g = Graph::new();
    let (w, x, c) = (g.leaf(1.5), g.leaf(2.0), g.constant(3.0));
    let (cut, line) = (g.detach(w), line!());
    let loss = g.eval(cut * x * c);
    let said = g.audit(loss, &[w])[0].to_string();
    let want = format!(
        "%0, `leaf` at {}:{}, gets no gradient: `detach` at {0}:{line} cuts it off",
        file!(),
        line - 1
    );
    assert_eq!(said, want);
    assert_eq!(g.audit(loss, &[c])[0].cut, Cut::Constant);
    let round = g.eval((w * 2.0).round() * x);
    assert!(g.audit(round, &[w])[0].to_string().contains("`round`"), "{}", g.audit(round, &[w])[0]);
}
