//! Bad input: each case gives an error that names the op, every shape, the rule and the caller's line, and the graph goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ndarray::{Array2, array};
use wengert::op::{MatMul, Op, Sum};
use wengert::prelude::*;
use wengert::{ErrorKind, Result};

/// The message of a call that must panic.
fn panics<R>(call: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(call)) else { panic!("it was not refused") };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().expect("a message").to_string(),
    }
}

/// Whether the graph still computes and differentiates.
fn usable(g: &mut Graph) {
    let x = g.leaf(array![1.0, 2.0]);
    let y = g.sum(x * x);
    g.backward(y).unwrap();
    assert_eq!(g.grad(x).unwrap(), array![2.0, 4.0].into_dyn());
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
    assert!(text.contains("misuse.rs:"), "{text:?} does not say where");
}

/// As `says`, with the number of the line as well.
#[track_caller]
fn says_at(text: &str, line: u32, parts: &[&str]) {
    says(text, parts);
    assert!(text.contains(&format!("misuse.rs:{line}")), "{text:?} is not of line {line}");
}

fn ones(rows: usize, columns: usize) -> Array2<f64> {
    Array2::ones((rows, columns))
}

#[test]
fn shapes_that_do_not_broadcast() {
    let mut g = Graph::new();
    let (a, b) = (g.leaf(ones(2, 3)), g.leaf(ones(2, 4)));
    let (line, text) = (line!(), panics(|| g.add(a, b)));
    says_at(&text, line, &["add: [2, 3] x [2, 4]", "axis 1 has lengths 3 and 4, and neither is 1"]);
    let (line, text) = (line!(), panics(|| g.eval((a * 2).sin() - b.exp())));
    says_at(&text, line, &["sub: [2, 3] x [2, 4]"]);
    let (line, text) = (line!(), panics(|| g.sum(a * b)));
    says_at(&text, line, &["mul: [2, 3] x [2, 4]"]);
    usable(&mut g);
}

#[test]
fn inner_dimensions_that_differ() {
    let mut g = Graph::new();
    let (a, b) = (g.leaf(ones(8, 3)), g.leaf(ones(4, 5)));
    let (line, text) = (line!(), panics(|| g.matmul(a, b)));
    says_at(&text, line, &["matmul: [8, 3] x [4, 5]: inner dimensions 3 and 4 differ"]);
    let line = line!() + 1;
    let error = g.try_apply(&Op::MatMul(MatMul {}), &[a, b]).unwrap_err();
    assert_eq!((error.kind(), error.op()), (ErrorKind::ShapeMismatch, "matmul"));
    assert_eq!(error.shapes().collect::<Vec<_>>(), [&[8, 3][..], &[4, 5]]);
    assert_eq!(error.location().map(|at| at.line()), Some(line));
    let number = g.leaf(1.0);
    says(&panics(|| g.matmul(number, a)), &["matmul: [] x [8, 3]"]);
    usable(&mut g);
}

#[test]
fn axes_out_of_range() {
    let mut g = Graph::new();
    let a = g.leaf(ones(2, 3));
    for (text, op) in [
        (panics(|| g.sum_axes(a, &[2])), "sum"),
        (panics(|| g.mean_axes(a, &[-3])), "mean"),
        (panics(|| g.softmax(a, 5)), "softmax"),
        (panics(|| g.cumsum(a, 2)), "cumsum"),
        (panics(|| g.flip(a, &[2])), "flip"),
    ] {
        says(&text, &[op, "[2, 3]", "is out of range for 2 axes"]);
    }
    says(&panics(|| g.sum_axes(a, &[0, -2])), &["sum: [2, 3]", "axis 0 is named twice"]);
    usable(&mut g);
}

#[test]
fn foreign_and_stale_handles() {
    let (mut g, other) = (Graph::new(), Graph::new());
    let foreign = other.leaf(1.0);
    let text = panics(|| g.sin(foreign));
    says(&text, &["sin", "belongs to another graph"]);
    says(&panics(|| g.value(foreign).sum()), &["value", "belongs to another graph"]);
    let mark = g.mark();
    let stale = g.leaf(1.0);
    let line = line!() + 1;
    g.rewind(mark);
    let again = g.leaf(2.0);
    assert_eq!((stale.id(), g.item(again)), (again.id(), 2.0));
    let (here, text) = (line!(), panics(|| g.eval(stale * 2)));
    says_at(&text, here, &["is stale", &format!("misuse.rs:{line} ended it")]);
    for error in [
        g.backward(stale).unwrap_err(),
        g.backward_with(stale, 1.0).unwrap_err(),
        g.gradient(stale, &[]).unwrap_err(),
        g.gradient(again, &[stale]).unwrap_err(),
        g.tangent(stale, &[]).unwrap_err(),
        g.set_value(stale, 1.0).unwrap_err(),
        g.update(&[stale], |_, _| {}).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::StaleHandle);
        says(&error.to_string(), &["stale"]);
    }
    assert_eq!(g.backward(foreign).unwrap_err().kind(), ErrorKind::ForeignHandle);
    let marks = [other.mark(), mark];
    assert!(panics(|| g.rewind(marks[0])).contains("the mark belongs to another graph"));
    usable(&mut g);
}

#[test]
fn backward_of_what_has_no_one_gradient() {
    let mut g = Graph::new();
    let x = g.leaf(ones(2, 2));
    let y = g.eval(x * 3);
    let line = line!() + 1;
    let error = g.backward(y).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NonScalarBackward);
    says_at(&error.to_string(), line, &["backward: [2, 2]", "exactly one element", "backward_with"]);
    let error = g.gradient(y, &[x]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NonScalarBackward);
    let error = g.backward_with(y, array![1.0, 2.0]).unwrap_err();
    says(&error.to_string(), &["backward_with: [2, 2]", "the cotangent has shape [2]"]);
    assert!(g.grad(x).is_none());
    usable(&mut g);
}

#[test]
fn backward_through_what_was_cut() {
    let mut g = Graph::new();
    let x = g.leaf(2.0);
    let (line, y) = (line!(), g.no_grad(|g| g.eval(x * x)));
    let error = g.backward(y).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoGradientPath);
    says_at(&error.to_string(), line, &["backward: []", "recorded under no_grad at"]);
    let c = g.constant(1.0);
    let sum = g.eval(c + g.detach(x));
    let error = g.backward(sum).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoGradientPath);
    says(&error.to_string(), &["backward: []", "depends on no differentiable leaf"]);
    let error = g.gradient(x, &[c]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoGradientPath);
    usable(&mut g);
}

#[test]
fn reductions_of_nothing() {
    let mut g = Graph::new();
    let x = g.leaf(ones(0, 3));
    for (text, op) in [
        (panics(|| g.max(x)), "max"),
        (panics(|| g.min_axes(x, &[0])), "min"),
        (panics(|| g.argmax(x)), "argmax"),
    ] {
        says(&text, &[op, "[0, 3]"]);
    }
    let kept = g.max_axes(x, &[1]);
    assert_eq!(g.shape(kept).to_vec(), [0]);
    let total = g.sum(x);
    assert_eq!(g.item(total), 0.0);
    usable(&mut g);
}

#[test]
fn values_that_do_not_fit() {
    let mut g = Graph::new();
    let x = g.leaf(array![1.0, 2.0]);
    let y = g.eval(x * 2);
    let line = line!() + 1;
    let error = g.set_value(x, array![1.0, 2.0, 3.0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ShapeMismatch);
    says_at(&error.to_string(), line, &["set_value: [2]", "the new value has shape [3], the old one [2]"]);
    assert_eq!(g.value(x), array![1.0, 2.0].into_dyn());
    let error = g.set_value(y, array![1.0, 2.0]).unwrap_err();
    says(&error.to_string(), &["set_value: [2]", "only the value of a leaf or constant can be set"]);
    let error = g.set_value(x, [true, false]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DtypeMismatch);
    says(&panics(|| g.item(x)), &["item: [2]", "exactly one element, not of 2"]);
    usable(&mut g);
}

#[test]
fn values_changed_under_the_engines_feet() -> Result<()> {
    let mut g = Graph::new();
    let (x, w) = (g.leaf(array![1.0, 2.0]), g.leaf(array![3.0, 4.0]));
    let (read, y) = (line!(), g.sum(x * w));
    let written = line!() + 1;
    g.set_value(x, array![5.0, 6.0])?;
    for error in [g.backward(y).unwrap_err(), g.gradient(y, &[w]).map(|_| ()).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::ModifiedValue);
        says_at(&error.to_string(), read, &[&format!("overwritten at {}:{written}", file!()), "record anew"]);
    }
    assert!(g.grad(x).is_none() && g.grad(w).is_none());
    assert_eq!(g.item(y), 11.0, "the value is the one that was recorded");
    let again = g.sum(x * w);
    g.backward(again)?;
    assert_eq!(g.grad(w).unwrap(), array![5.0, 6.0].into_dyn());
    usable(&mut g);
    Ok(())
}

#[test]
fn gradients_that_are_not_there() -> Result<()> {
    let mut g = Graph::new();
    let (x, w) = (g.leaf(2.0), g.leaf(3.0));
    let y = g.eval(x * x);
    let z = g.eval(y * 2);
    g.backward(z)?;
    says(&panics(|| g.grad(y).is_some()), &["grad: []", "retain_grad"]);
    let error = g.update(&[x, w], |v, _| v.fill(0.0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingGradient);
    says(&error.to_string(), &["update: []", "no backward has reached it"]);
    assert_eq!(g.item(x), 2.0, "none is changed");
    says(&g.update(&[y], |_, _| {}).unwrap_err().to_string(), &["update: []", "only leaves are parameters"]);
    usable(&mut g);
    Ok(())
}

#[test]
fn arguments_of_the_wrong_kind() {
    let mut g = Graph::new();
    let (x, i, m) = (g.leaf(array![1.0, 2.0]), g.indices([0, 1]), g.mask([true, false]));
    says(&panics(|| g.sin(i)), &["sin: [2]", "argument 0 must be real numbers, not i64 indices"]);
    says(&panics(|| g.eval((x * 2 + m).exp())), &["argument 1 must be real numbers, not a bool mask"]);
    says(&panics(|| g.where_(x, x, x)), &["where: [2] x [2] x [2]", "argument 0 must be a bool mask"]);
    says(&panics(|| g.gather(x, x, 0)), &["gather: [2] x [2]", "argument 1 must be i64 indices"]);
    says(&panics(|| g.value(i).len()), &["value: [2]", "must be real numbers"]);
    let error = g.try_apply(&Op::Sum(Sum::default()), &[x, x]).unwrap_err();
    assert_eq!((error.kind(), error.op()), (ErrorKind::InvalidAttribute, "sum"));
    says(&error.to_string(), &["takes 1 arguments, 2 given"]);
    usable(&mut g);
}

#[test]
fn what_fails_because_of_values() {
    let mut g = Graph::new();
    let a = g.leaf(array![[1.0, 2.0], [2.0, 4.0]]);
    let line = line!() + 1;
    let error = g.inverse(a).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SingularMatrix);
    says_at(&error.to_string(), line, &["inverse: [2, 2]"]);
    let error = g.cholesky(g.neg(a)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotPositiveDefinite);
    says(&error.to_string(), &["cholesky: [2, 2]"]);
    let nodes = g.node_count();
    let index = g.indices([5]);
    says(&panics(|| g.index_select(a, index, 0)), &["index_select: [2, 2] x [1]", "5"]);
    assert_eq!(g.node_count(), nodes + 1);
    usable(&mut g);
}

#[test]
fn helpers_over_closures() {
    let x = array![1.0, 2.0];
    let error = value_and_grad(|g: &Graph, x: &[Var]| g.sin(x[0]), &[&x]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NonScalarBackward);
    says(&error.to_string(), &["backward: [2]"]);
    let error = jvp(|g: &Graph, x: &[Var]| g.sin(x[0]), &[&x], &[]).unwrap_err();
    says(&error.to_string(), &["jvp: [2]", "0 tangents for 1 inputs"]);
    let error = hvp(|g: &Graph, x: &[Var]| g.sum(x[0]), &[&x], &[&array![1.0]]).unwrap_err();
    says(&error.to_string(), &["tangent: [2] x [1]", "a tangent must have the shape of its primal"]);
    let mut f = Evaluator::new(|g: &Graph, x: Var| g.sum(x * x));
    let error = f.value_and_grad_into(&[1.0, 2.0], &mut [0.0]).unwrap_err();
    says(&error.to_string(), &["value_and_grad_into", "a gradient of length 1 for an argument of 2"]);
    let mut gradient = [0.0; 2];
    assert_eq!((f.value_and_grad_into(&[1.0, 2.0], &mut gradient).unwrap(), gradient), (5.0, [2.0, 4.0]));
}
