//! The table of conventions in `docs/ops.md`, row by row: values and derivatives at kinks, ties, NaN and over nothing.

use std::fs;
use std::path::Path;

use ndarray::{Array1, ArrayD, array};
use wengert::graph::ClassOptions;
use wengert::op::*;
use wengert::prelude::*;
use wengert::{ErrorKind, Op};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// The section on conventions, and what was found to be otherwise.
struct Walk {
    text: String,
    failures: Vec<String>,
}

fn same(have: f64, want: f64) -> bool {
    have == want || (have.is_nan() && want.is_nan()) || (have - want).abs() < 1e-14 * want.abs()
}

impl Walk {
    /// Holds the sum of `f` at vectors `x`, and its gradient by each, to what is wanted.
    fn hold(
        &mut self,
        name: &str,
        f: impl Fn(&Graph, &[Var]) -> Var,
        x: &[&[f64]],
        value: f64,
        slopes: &[&[f64]],
    ) {
        let mut g = Graph::new();
        let leaves: Vec<Var> = x.iter().map(|x| g.leaf(Array1::from(x.to_vec()))).collect();
        let y = g.sum(f(&g, &leaves));
        let is_dependent = g.is_differentiable(y);
        if is_dependent {
            g.backward(y).unwrap();
        }
        let zeros = |x: Var| ArrayD::zeros(&g.shape(x)[..]);
        let grads: Vec<_> =
            leaves.iter().map(|&x| g.grad(x).map_or(zeros(x), |grad| grad.to_owned())).collect();
        let agree = |(grad, want): (&ArrayD<f64>, &&[f64])| {
            grad.len() == want.len() && grad.iter().zip(*want).all(|(&a, &b)| same(a, b))
        };
        if !same(g.item(y), value) || !grads.iter().zip(slopes).all(agree) {
            self.failures.push(format!("{name} at {x:?}: {} {grads:?}, not {value} {slopes:?}", g.item(y)));
        }
        self.is_named(name);
    }

    fn is_named(&mut self, name: &str) {
        if !self.text.contains(&format!("`{name}`")) {
            self.failures.push(format!("`{name}` is not among the conventions of docs/ops.md"));
        }
    }

    /// Holds `outcome` to a refusal of this kind.
    fn refuse<R>(&mut self, name: &str, outcome: wengert::Result<R>, kind: ErrorKind) {
        let have = outcome.map(drop).map_err(|error| error.kind());
        if have != Err(kind) {
            self.failures.push(format!("{name}: {have:?}, not {kind:?}"));
        }
        self.is_named(name);
    }

    /// Holds what `op` says of a vector without elements.
    fn refuse_nothing(&mut self, name: &str, op: impl Into<Op>) {
        let g = Graph::<f64>::new();
        let outcome = g.try_apply(&op.into(), &[g.leaf(Array1::zeros(0))]);
        self.refuse(name, outcome, ErrorKind::EmptyReduction);
    }
}

/// `hold!(walk, name(x, ..; attributes) at [x] .. = value, [slope] ..)`
macro_rules! hold {
    ($w:ident, $name:ident ($x:ident $(, $p:expr)*) $([$($at:expr),*])* = $value:expr $(, [$($slope:expr),*])*) => {
        $w.hold(stringify!($name), |g, $x| g.$name($x[0] $(, $p)*), &[$(&[$($at),*]),*], $value, &[$(&[$($slope),*]),*])
    };
}

#[test]
#[rustfmt::skip]
fn conventions_are_those_of_the_document() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ops.md")).unwrap();
    let (_, text) = text.split_once("\n## Conventions\n").unwrap();
    let text = text.split("\n## ").next().unwrap().to_owned();
    let mut w = Walk { text, failures: Vec::new() };

    // Kinks.
    hold!(w, abs(x) [0.0] = 0.0, [0.0]);
    hold!(w, l1_loss(x, x[1]) [2.0] [2.0] = 0.0, [0.0], [0.0]);
    hold!(w, laplace_logpdf(x, 1.0, 0.5) [1.0] = 0.0, [0.0]);
    hold!(w, relu(x) [0.0] = 0.0, [0.0]);
    hold!(w, relu6(x) [0.0, 6.0] = 6.0, [0.0, 0.0]);
    hold!(w, clamp(x, -1.0, 2.0) [-1.0, 2.0] = 1.0, [0.0, 0.0]);
    hold!(w, clamp(x, 0.0, INF) [INF, 0.0, -INF] = INF, [1.0, 0.0, 0.0]);
    hold!(w, hardtanh(x, -1.0, 2.0) [-1.0, 2.0] = 1.0, [0.0, 0.0]);
    hold!(w, hardsigmoid(x) [-3.0, 3.0] = 1.0, [0.0, 0.0]);
    hold!(w, hardshrink(x, 0.5) [-0.5, 0.5] = 0.0, [0.0, 0.0]);
    hold!(w, softshrink(x, 0.5) [-0.5, 0.5] = 0.0, [0.0, 0.0]);
    hold!(w, threshold(x, 0.5, 7.0) [0.5] = 7.0, [0.0]);
    hold!(w, hardswish(x) [-3.0, 3.0] = 3.0, [0.0, 1.0]);
    hold!(w, leaky_relu(x, 0.125) [0.0] = 0.0, [0.125]);
    hold!(w, prelu(x, x[1]) [0.0] [0.125] = 0.0, [0.125], [0.0]);
    hold!(w, elu(x, 2.0) [0.0] = 0.0, [2.0]);
    hold!(w, selu(x) [0.0] = 0.0, [1.758_099_340_847_376_6]);
    hold!(w, celu(x, 2.0) [0.0] = 0.0, [1.0]);
    hold!(w, softplus(x) [21.0] = 21.0, [1.0]);
    hold!(w, sign(x) [0.0, -2.0] = -1.0, [0.0, 0.0]);
    hold!(w, floor(x) [1.0, 1.5] = 2.0, [0.0, 0.0]);
    hold!(w, ceil(x) [1.0, 1.5] = 3.0, [0.0, 0.0]);
    hold!(w, round(x) [1.5, 2.5] = 4.0, [0.0, 0.0]);
    hold!(w, trunc(x) [-1.5] = -1.0, [0.0]);
    hold!(w, floor_divide(x, x[1]) [6.0] [4.0] = 1.0, [0.0], [0.0]);
    hold!(w, heaviside(x, x[1]) [0.0] [0.5] = 0.5, [0.0], [1.0]);

    // Ties.
    hold!(w, max(x) [3.0, 3.0, 1.0] = 3.0, [0.5, 0.5, 0.0]);
    hold!(w, min(x) [3.0, 1.0, 1.0] = 1.0, [0.0, 0.5, 0.5]);
    hold!(w, maximum(x, x[1]) [2.0] [2.0] = 2.0, [0.5], [0.5]);
    hold!(w, minimum(x, x[1]) [2.0] [2.0] = 2.0, [0.5], [0.5]);
    hold!(w, fmax(x, x[1]) [2.0] [2.0] = 2.0, [0.5], [0.5]);
    hold!(w, fmin(x, x[1]) [2.0] [2.0] = 2.0, [0.5], [0.5]);
    let norm = |p: f64| move |g: &Graph, x: &[Var]| g.norm_with(x[0], p, &[0], false);
    w.hold("norm", norm(INF), &[&[2.0, -2.0, 1.0]], 2.0, &[&[0.5, -0.5, 0.0]]);
    w.hold("norm", norm(1.0), &[&[0.0, -2.0]], 2.0, &[&[0.0, -1.0]]);
    w.hold(
        "max_pool1d",
        |g, x| g.max_pool1d(g.reshape(x[0], &[1, 1, -1]), [3], MaxPoolOptions::default()),
        &[&[1.0, 5.0, 5.0]], 5.0, &[&[0.0, 1.0, 0.0]],
    );
    w.hold(
        "max_pool2d",
        |g, x| g.max_pool2d(g.reshape(x[0], &[1, 1, 2, -1]), [2, 2], MaxPoolOptions::default()),
        &[&[1.0, 5.0, 5.0, 2.0]], 5.0, &[&[0.0, 1.0, 0.0, 0.0]],
    );
    w.hold("sort", |g, x| g.select(g.sort(x[0], 0, false).0, 0, 1), &[&[3.0, 1.0, 3.0]], 3.0, &[&[1.0, 0.0, 0.0]]);
    w.hold("topk", |g, x| g.topk(x[0], 1, 0, true).0, &[&[1.0, 3.0, 3.0]], 3.0, &[&[0.0, 1.0, 0.0]]);
    w.hold("cummax", |g, x| g.cummax(x[0], 0).0, &[&[3.0, 3.0, 1.0]], 9.0, &[&[1.0, 2.0, 0.0]]);
    w.hold("cummin", |g, x| g.cummin(x[0], 0).0, &[&[1.0, 1.0, 3.0]], 3.0, &[&[1.0, 2.0, 0.0]]);
    hold!(w, median(x) [4.0, 1.0, 2.0, 8.0] = 3.0, [0.5, 0.0, 0.5, 0.0]);
    hold!(w, quantile(x, 0.25, 0) [4.0, 1.0, 2.0] = 1.5, [0.0, 0.5, 0.5]);
    let g = Graph::<f64>::new();
    let x = g.leaf(array![1.0, 0.0, 1.0, 0.0]);
    assert_eq!([g.argmax(x), g.argmin(x)].map(|at| g.value_i64(at)[[]]), [0, 1]);

    // Where a derivative is infinite, or an expression has no value.
    hold!(w, sqrt(x) [0.0] = 0.0, [INF]);
    hold!(w, cbrt(x) [0.0] = 0.0, [INF]);
    w.hold("sqrt", |g, x| g.eval(x[0].sqrt() * 0.0), &[&[0.0]], 0.0, &[&[NAN]]);
    w.hold("norm", norm(2.0), &[&[0.0, 0.0]], 0.0, &[&[0.0, 0.0]]);
    w.hold("norm", norm(3.0), &[&[0.0, 0.0]], 0.0, &[&[0.0, 0.0]]);
    w.hold("norm", norm(INF), &[&[0.0, 0.0]], 0.0, &[&[0.0, 0.0]]);
    hold!(w, std(x) [2.0, 2.0] = 0.0, [0.0, 0.0]);
    hold!(w, hypot(x, x[1]) [0.0] [0.0] = 0.0, [NAN], [NAN]);
    hold!(w, atan2(x, x[1]) [0.0] [0.0] = 0.0, [0.0], [0.0]);
    hold!(w, pow(x, x[1]) [0.0] [0.0] = 1.0, [0.0], [0.0]);
    hold!(w, pow(x, x[1]) [0.0] [-1.0] = INF, [-INF], [-INF]);
    hold!(w, pow(x, x[1]) [INF, INF, -INF] [0.25, -0.25, -0.25] = INF, [0.0, 0.0, 0.0]);
    hold!(w, powf(x, 0.25) [INF, 16.0] = INF, [0.0, 0.031_25]);
    hold!(w, xlogy(x, x[1]) [0.0] [0.0] = 0.0, [0.0], [0.0]);
    hold!(w, xlogy(x, x[1]) [0.0] [NAN] = NAN, [NAN]);
    hold!(w, xlog1py(x, x[1]) [0.0] [-1.0] = 0.0, [0.0], [0.0]);
    w.hold("where_", |g, x| g.where_(g.gt(x[0], 0.0), x[0] * 3.0, 0.0), &[&[0.0, 1.0]], 3.0, &[&[0.0, 3.0]]);
    w.hold("where_", |g, x| g.where_(g.gt(x[0], 0.0), x[0].log(), 0.0), &[&[0.0, 1.0]], 0.0, &[&[NAN, 1.0]]);
    let strong = |g: &Graph, x: &[Var]| {
        g.where_strong(g.gt(x[0], 0.0), x, |g, x| g.log(x[0]), |g, x| g.eval(2.0 * x[0]))
    };
    w.hold("where_strong", strong, &[&[0.0, 1.0, -1.0]], -2.0, &[&[2.0, 1.0, 2.0]]);
    w.hold("masked_fill", |g, x| g.masked_fill(x[0], g.gt(x[0], 1.0), 5.0), &[&[1.0, 2.0]], 6.0, &[&[1.0, 0.0]]);
    hold!(w, prod(x) [2.0, 0.0, 3.0] = 0.0, [0.0, 6.0, 0.0]);
    hold!(w, cumprod(x, 0) [2.0, 0.0, 3.0] = 2.0, [1.0, 8.0, 0.0]);
    w.hold("det", |g, x| g.det(g.reshape(x[0], &[2, 2])), &[&[1.0, 2.0, 2.0, 4.0]], 0.0, &[&[4.0, -2.0, -2.0, 1.0]]);
    hold!(w, bce_loss(x, x[1]) [0.0] [1.0] = 100.0, [-1e12], [100.0]);
    w.hold("kl_div", |g, x| g.kl_div(x[0], x[1]), &[&[-1.0], &[0.0]], 0.0, &[&[0.0], &[NAN]]);
    hold!(w, exponential_logpdf(x, x[1]) [-1.0] [2.0] = -INF, [0.0], [0.0]);

    hold!(w, logsumexp(x) [-INF, -INF] = -INF, [NAN, NAN]);
    hold!(w, softmax(x, 0) [-INF, -INF] = NAN, [NAN, NAN]);
    hold!(w, log_softmax(x, 0) [-INF, -INF] = NAN, [NAN, NAN]);
    hold!(w, layer_norm(x, &[2], None, None, 0.0) [3.0, 3.0] = NAN, [NAN, NAN]);
    hold!(w, rms_norm(x, &[2], None, 0.0) [0.0, 0.0] = NAN, [NAN, NAN]);

    // NaN.
    hold!(w, maximum(x, x[1]) [NAN] [1.0] = NAN, [1.0], [1.0]);
    hold!(w, minimum(x, x[1]) [NAN] [1.0] = NAN, [1.0], [1.0]);
    hold!(w, fmax(x, x[1]) [NAN] [1.0] = 1.0, [0.0], [1.0]);
    hold!(w, fmin(x, x[1]) [1.0] [NAN] = 1.0, [1.0], [0.0]);
    hold!(w, max(x) [1.0, NAN] = NAN, [NAN, NAN]);
    hold!(w, min(x) [1.0, NAN] = NAN, [NAN, NAN]);
    hold!(w, median(x) [1.0, NAN, 2.0] = NAN, [0.0, 1.0, 0.0]);
    hold!(w, quantile(x, 0.1, 0) [1.0, NAN, 2.0] = NAN, [0.0, 1.0, 0.0]);
    w.hold("topk", |g, x| g.topk(x[0], 1, 0, true).0, &[&[1.0, NAN, 3.0]], NAN, &[&[0.0, 1.0, 0.0]]);
    w.hold("cummax", |g, x| g.cummax(x[0], 0).0, &[&[1.0, NAN, 3.0]], NAN, &[&[1.0, 2.0, 0.0]]);

    // Nothing.
    hold!(w, sum(x) [] = 0.0, []);
    hold!(w, prod(x) [] = 1.0, []);
    hold!(w, logsumexp(x) [] = -INF, []);
    [0.0, 1.0, 2.0, 3.0].into_iter().for_each(|p| w.hold("norm", norm(p), &[&[]], 0.0, &[&[]]));
    hold!(w, mean(x) [] = NAN, []);
    hold!(w, var(x) [] = NAN, []);
    hold!(w, std(x) [] = NAN, []);
    hold!(w, mse_loss(x, x[0]) [] = NAN, []);
    let ignored = |g: &Graph| g.indices([-100]);
    let sum = ClassOptions { reduction: Reduction::Sum, ..ClassOptions::default() };
    let row = |g: &Graph, x: &[Var]| g.reshape(x[0], &[1, 2]);
    w.hold("cross_entropy", |g, x| g.cross_entropy(row(g, x), ignored(g)), &[&[1.0, 2.0]], NAN, &[&[0.0, 0.0]]);
    w.hold("cross_entropy", |g, x| g.cross_entropy_with(row(g, x), ignored(g), sum), &[&[1.0, 2.0]], 0.0, &[&[0.0, 0.0]]);
    w.hold("nll_loss", |g, x| g.nll_loss(row(g, x), ignored(g)), &[&[1.0, 2.0]], NAN, &[&[0.0, 0.0]]);
    w.hold("nll_loss", |g, x| g.nll_loss_with(row(g, x), ignored(g), sum), &[&[1.0, 2.0]], 0.0, &[&[0.0, 0.0]]);
    let none: [bool; 0] = [];
    assert_eq!([g.any(g.mask(none)), g.all(g.mask(none))].map(|v| g.value_bool(v)[[]]), [false, true]);
    w.refuse_nothing("max", Max::default());
    w.refuse_nothing("min", Min::default());
    w.refuse_nothing("argmax", ArgMax::default());
    w.refuse_nothing("argmin", ArgMin::default());
    w.refuse_nothing("median", OrderStatistics { ranks: [0][..].into(), axis: 0 });
    [INF, -INF, -1.0].into_iter().for_each(|p| w.refuse_nothing("norm", Norm { p, ..Norm::default() }));

    // Equal values, singular matrices, indices.
    let mut g = Graph::new();
    let a = g.leaf(array![[2.0, 0.0], [0.0, 2.0]]);
    let (weights, (_, v), (u, _, vt)) =
        (g.constant(array![[1.0, 2.0], [3.0, 5.0]]), g.eigh(a).unwrap(), g.svd(a).unwrap());
    for (name, apart, together) in [("eigh", v * weights, v * v), ("svd", u * weights, g.matmul(u, vt) * weights)] {
        let (apart, together) = (g.sum(apart), g.sum(together));
        w.refuse(name, g.backward(apart), ErrorKind::NotDifferentiable);
        g.backward(together).unwrap();
    }
    let singular = g.leaf(array![[1.0, 2.0], [2.0, 4.0]]);
    w.refuse("inverse", g.inverse(singular), ErrorKind::SingularMatrix);
    w.refuse("solve", g.solve(singular, a), ErrorKind::SingularMatrix);
    for index in [-1, 2] {
        let select = g.try_apply(&IndexSelect { axis: 0 }.into(), &[a, g.indices([index])]);
        w.refuse("index_select", select, ErrorKind::IndexOutOfRange);
    }

    assert!(w.failures.is_empty(), "{}", w.failures.join("\n"));
}
