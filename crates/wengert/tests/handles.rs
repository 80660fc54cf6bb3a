//! What handles and graphs are good for: copied, hashed, sent; scopes that end however they are left.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ndarray::array;
use wengert::prelude::*;

fn is_plain<H: Copy + Eq + Hash + Debug + Send + Sync + 'static>() {}
fn travels<G: Send>() {}

#[test]
fn handles_are_plain_and_graphs_travel() {
    is_plain::<Var>();
    travels::<Graph>();
    travels::<Graph<f32>>();
    assert_eq!(size_of::<Var>(), 16);
    let mut g = Graph::new();
    let x = g.leaf(2.0);
    let named = HashMap::from([(x, "x")]);
    let g = std::thread::spawn(move || {
        let y = g.eval(x * x);
        g.backward(y).unwrap();
        g
    });
    let g = g.join().unwrap();
    assert_eq!((g.grad(x).unwrap()[[]], named[&x]), (4.0, "x"));
}

#[test]
fn no_grad_nests_and_ends_on_unwinding() {
    let g = Graph::new();
    let x = g.leaf(3.0);
    let record = |g: &Graph| g.eval(x * x);
    let inner = g.no_grad(|g| {
        let inner = g.no_grad(record);
        assert!(!g.is_differentiable(record(g)), "the outer scope is still open");
        inner
    });
    assert!(!g.is_differentiable(inner) && g.is_differentiable(record(&g)));
    let unwound = catch_unwind(AssertUnwindSafe(|| g.no_grad(|_| panic!("out of the scope"))));
    assert!(unwound.is_err());
    assert!(g.is_differentiable(record(&g)));
}

#[test]
fn a_scope_rewinds_on_unwinding() {
    let mut g = Graph::new();
    let x = g.leaf(3.0);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        g.scope(|g| {
            g.eval(x * x);
            panic!("out of the scope");
        })
    }));
    assert!(unwound.is_err());
    assert_eq!(g.node_count(), 1);
    let y = g.eval(x * x);
    g.backward(y).unwrap();
    assert_eq!(g.grad(x).unwrap()[[]], 6.0);
}

#[test]
fn gradients_accumulate_until_zero_grad() {
    let mut g = Graph::new();
    let x = g.leaf(3.0);
    let (y, z) = (g.eval(x * x), g.eval(2 * x));
    g.backward(y).unwrap();
    g.backward(y).unwrap();
    g.backward(z).unwrap();
    assert_eq!(g.grad(x).unwrap()[[]], 14.0);
    g.zero_grad();
    assert!(g.grad(x).is_none());
    g.backward(z).unwrap();
    assert_eq!(g.grad(x).unwrap()[[]], 2.0);
}

#[test]
fn every_handle_that_is_handed_out_has_a_value() {
    let g = Graph::new();
    let a = g.leaf(array![[2.0, 1.0], [1.0, 3.0]]);
    let (q, r) = g.qr(a);
    let nodes: Vec<Var> = g.nodes().collect();
    assert_eq!(nodes, [a, q, r]);
    for v in nodes {
        assert_eq!(g.value(v).dim(), g.value(a).dim());
        assert_eq!(g.parents(v).first(), (v != a).then_some(&a));
    }
    let shown = g.to_string();
    assert!(shown.contains("= qr(%0) [2, 2]") && shown.lines().count() == 3, "{shown}");
}
