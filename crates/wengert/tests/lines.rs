//! Every function that records reports the line of whoever called it: in the node, and in the panic when it is refused.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use ndarray::{Array1, Array2, Array3, Array4, ArrayD, ArrayViewD};
use wengert::graph::ClassOptions;
use wengert::op::{Attention, Op, TriangularSolve};
use wengert::op::{AvgPoolOptions, ConvOptions, ConvTransposeOptions, MaxPoolOptions, PadMode, Reduction};
use wengert::prelude::*;

/// Arguments of every kind.
#[derive(Clone, Copy)]
struct Args {
    /// A number, a vector of 3, a positive definite matrix of 3, `[1, 2, 4]`, `[1, 2, 4, 4]`.
    s: Var,
    v: Var,
    m: Var,
    c: Var,
    i: Var,
    /// Kernels for `c` and `i`.
    k1: Var,
    k2: Var,
    /// `[1, 2]`, and the weights of cells with 2 inputs and 2 units.
    h: Var,
    w8: Var,
    w6: Var,
    /// Indices and masks.
    rows: Var,
    yes: Var,
}

fn args(g: &Graph) -> Args {
    let spd = Array2::from_shape_fn((3, 3), |(i, j)| if i == j { 4.0 } else { 0.5 + 0.1 * (i + j) as f64 });
    Args {
        s: g.leaf(0.3),
        v: g.leaf([0.2, 0.5, 0.7]),
        m: g.leaf(spd),
        c: g.leaf(Array3::from_shape_fn((1, 2, 4), |(_, j, k)| 0.1 + (j + k) as f64)),
        i: g.leaf(Array4::from_shape_fn((1, 2, 4, 4), |(_, j, k, l)| (j + 2 * k + 3 * l) as f64)),
        k1: g.leaf(Array3::ones((2, 2, 2))),
        k2: g.leaf(Array4::ones((2, 2, 2, 2))),
        h: g.leaf(Array2::ones((1, 2))),
        w8: g.leaf(Array2::ones((8, 2))),
        w6: g.leaf(Array2::ones((6, 2))),
        rows: g.indices([2, 0, 1]),
        yes: g.mask([true, false, true]),
    }
}

type Row = (&'static str, fn(&Graph, Args) -> (u32, Var));

fn same(x: &[ArrayViewD<'_, f64>]) -> Result<ArrayD<f64>, String> {
    Ok(x[0].to_owned())
}

fn first(_: &Graph, _: &[Var], _: Var, y_bar: Var) -> wengert::Result<Vec<Option<Var>>> {
    Ok(vec![Some(y_bar)])
}

struct Same;

impl wengert::graph::custom::Custom<f64> for Same {
    fn name(&self) -> &'static str {
        "same"
    }
    fn forward(&self, x: &[ArrayViewD<'_, f64>]) -> Result<ArrayD<f64>, String> {
        same(x)
    }
    fn vjp(&self, g: &Graph, x: &[Var], y: Var, y_bar: Var) -> wengert::Result<Vec<Option<Var>>> {
        first(g, x, y, y_bar)
    }
}

/// One call of each, on one line with `line!()`.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("eval", |g, a| (line!(), g.eval(a.s * 2 + a.s))),
    ("eval", |g, a| (line!(), g.eval((a.v * 2 + a.v).sin()))),
    ("where_", |g, a| (line!(), g.where_(a.yes, a.v, 0.0))),
    ("detach", |g, a| (line!(), g.detach(a.v))),
    ("sin", |g, a| (line!(), g.sin(a.v))),
    ("add", |g, a| (line!(), g.add(a.v, a.m))),
    ("lt", |g, a| (line!(), g.lt(a.v, 0.5))),
    ("powi", |g, a| (line!(), g.powi(a.v, 2))),
    ("clamp", |g, a| (line!(), g.clamp(a.v, 0.0, 1.0))),
    ("try_apply", |g, a| (line!(), g.try_apply(&Op::Unary(wengert::op::Unary::Exp), &[a.v]).unwrap()[0])),
    ("map", |g, a| (line!(), g.map(a.v, |x| x, |_, _| 1.0))),
    ("custom", |g, a| (line!(), g.custom("same", &[a.v], same, first).unwrap())),
    ("apply_custom", |g, a| (line!(), g.apply_custom(Arc::new(Same), &[a.v]).unwrap())),
    ("checkpoint", |g, a| (line!(), g.checkpoint(&[a.v], |g, x| g.sin(x[0])).unwrap())),
    ("implicit_solve", |g, a| (line!(), g.implicit_solve(&[a.v], same, |g, x, p| g.sub(x, p[0])).unwrap())),
    ("straight_through", |g, a| (line!(), g.straight_through(a.v, a.v))),
    ("scale_gradient", |g, a| (line!(), g.scale_gradient(a.v, 2.0))),
    ("gradient_reversal", |g, a| (line!(), g.gradient_reversal(a.v, 2.0))),
    ("concat", |g, a| (line!(), g.concat(&[a.v, a.v], 0))),
    ("stack", |g, a| (line!(), g.stack(&[a.v, a.v], 0))),
    ("pad", |g, a| (line!(), g.pad(a.v, &[(1, 1)], 0.0))),
    ("pad_with", |g, a| (line!(), g.pad_with(a.v, &[(1, 1)], PadMode::Edge))),
    ("flip", |g, a| (line!(), g.flip(a.v, &[0]))),
    ("roll", |g, a| (line!(), g.roll(a.v, &[1], &[0]))),
    ("tril", |g, a| (line!(), g.tril(a.m, 0))),
    ("triu", |g, a| (line!(), g.triu(a.m, 0))),
    ("diag", |g, a| (line!(), g.diag(a.m, 0))),
    ("trace", |g, a| (line!(), g.trace(a.m))),
    ("tile", |g, a| (line!(), g.tile(a.v, &[2]))),
    ("repeat_interleave", |g, a| (line!(), g.repeat_interleave(a.v, 2, 0))),
    ("conv1d", |g, a| (line!(), g.conv1d(a.c, a.k1, None, ConvOptions::default()))),
    ("conv2d", |g, a| (line!(), g.conv2d(a.i, a.k2, None, ConvOptions::default()))),
    ("conv_transpose1d", |g, a| (line!(), g.conv_transpose1d(a.c, a.k1, None, ConvTransposeOptions::default()))),
    ("conv_transpose2d", |g, a| (line!(), g.conv_transpose2d(a.i, a.k2, None, ConvTransposeOptions::default()))),
    ("max_pool1d", |g, a| (line!(), g.max_pool1d(a.c, [2], MaxPoolOptions::default()))),
    ("max_pool2d", |g, a| (line!(), g.max_pool2d(a.i, [2, 2], MaxPoolOptions::default()))),
    ("avg_pool2d", |g, a| (line!(), g.avg_pool2d(a.i, [2, 2], AvgPoolOptions::default()))),
    ("index_select", |g, a| (line!(), g.index_select(a.v, a.rows, 0))),
    ("gather", |g, a| (line!(), g.gather(a.v, a.rows, 0))),
    ("scatter_add", |g, a| (line!(), g.scatter_add(a.v, a.rows, a.v, 0))),
    ("embedding", |g, a| (line!(), g.embedding(a.m, a.rows))),
    ("inverse", |g, a| (line!(), g.inverse(a.m).unwrap())),
    ("solve", |g, a| (line!(), g.solve(a.m, a.v).unwrap())),
    ("solve_triangular", |g, a| (line!(), g.solve_triangular(a.m, a.v, true))),
    ("solve_triangular_with", |g, a| (line!(), g.solve_triangular_with(a.m, a.v, TriangularSolve::default()))),
    ("lstsq", |g, a| (line!(), g.lstsq(a.m, a.v))),
    ("pinv", |g, a| (line!(), g.pinv(a.m))),
    ("det", |g, a| (line!(), g.det(a.m))),
    ("slogdet", |g, a| (line!(), g.slogdet(a.m).1)),
    ("logdet_spd", |g, a| (line!(), g.logdet_spd(a.m).unwrap())),
    ("cholesky", |g, a| (line!(), g.cholesky(a.m).unwrap())),
    ("cholesky_solve", |g, a| (line!(), g.cholesky_solve(a.v, a.m))),
    ("eigh", |g, a| (line!(), g.eigh(a.m).unwrap().0)),
    ("svd", |g, a| (line!(), g.svd(a.m).unwrap().1)),
    ("qr", |g, a| (line!(), g.qr(a.m).0)),
    ("expm", |g, a| (line!(), g.expm(a.m))),
    ("matrix_power", |g, a| (line!(), g.matrix_power(a.m, 3).unwrap())),
    ("matrix_power", |g, a| (line!(), g.matrix_power(a.m, -2).unwrap())),
    ("kron", |g, a| (line!(), g.kron(a.m, a.m))),
    ("mse_loss", |g, a| (line!(), g.mse_loss(a.v, a.v))),
    ("mse_loss_with", |g, a| (line!(), g.mse_loss_with(a.v, a.v, Reduction::Sum))),
    ("l1_loss", |g, a| (line!(), g.l1_loss(a.v, a.v))),
    ("l1_loss_with", |g, a| (line!(), g.l1_loss_with(a.v, a.v, Reduction::Sum))),
    ("huber_loss", |g, a| (line!(), g.huber_loss(a.v, a.v, 1.0))),
    ("huber_loss_with", |g, a| (line!(), g.huber_loss_with(a.v, a.v, 1.0, Reduction::Sum))),
    ("smooth_l1_loss", |g, a| (line!(), g.smooth_l1_loss(a.v, a.v, 1.0))),
    ("smooth_l1_loss_with", |g, a| (line!(), g.smooth_l1_loss_with(a.v, a.v, 1.0, Reduction::Sum))),
    ("bce_loss", |g, a| (line!(), g.bce_loss(a.v, a.v))),
    ("bce_loss_with", |g, a| (line!(), g.bce_loss_with(a.v, a.v, Reduction::Sum))),
    ("bce_with_logits", |g, a| (line!(), g.bce_with_logits(a.v, a.v))),
    ("bce_with_logits_with", |g, a| (line!(), g.bce_with_logits_with(a.v, a.v, Some(a.v), Reduction::Sum))),
    ("kl_div", |g, a| (line!(), g.kl_div(a.v, a.v))),
    ("kl_div_with", |g, a| (line!(), g.kl_div_with(a.v, a.v, Reduction::Sum, false))),
    ("cross_entropy", |g, a| (line!(), g.cross_entropy(a.m, a.rows))),
    ("cross_entropy_with", |g, a| (line!(), g.cross_entropy_with(a.m, a.rows, ClassOptions::default()))),
    ("nll_loss", |g, a| (line!(), g.nll_loss(a.m, a.rows))),
    ("nll_loss_with", |g, a| (line!(), g.nll_loss_with(a.m, a.rows, ClassOptions::default()))),
    ("matmul", |g, a| (line!(), g.matmul(a.m, a.m))),
    ("dot", |g, a| (line!(), g.dot(a.v, a.v))),
    ("outer", |g, a| (line!(), g.outer(a.v, a.v))),
    ("linear", |g, a| (line!(), g.linear(a.m, a.m, Some(a.v)))),
    ("einsum", |g, a| (line!(), g.einsum("ij,j->i", &[a.m, a.v]))),
    ("layer_norm", |g, a| (line!(), g.layer_norm(a.m, &[3], a.v, a.v, 1e-5))),
    ("rms_norm", |g, a| (line!(), g.rms_norm(a.m, &[3], a.v, 1e-5))),
    ("batch_norm", |g, a| (line!(), g.batch_norm(a.m, a.v, a.v, 1e-5))),
    ("group_norm", |g, a| (line!(), g.group_norm(a.c, 2, None, None, 1e-5))),
    ("scaled_dot_product_attention", |g, a| (line!(), g.scaled_dot_product_attention(a.m, a.m, a.m, None, Attention::default()))),
    ("lstm_cell", |g, a| (line!(), g.lstm_cell(a.h, (a.h, a.h), a.w8, a.w8, None).0)),
    ("gru_cell", |g, a| (line!(), g.gru_cell(a.h, a.h, a.w6, a.w6, None))),
    ("sum", |g, a| (line!(), g.sum(a.v))),
    ("sum", |g, a| (line!(), g.sum(a.v * a.v))),
    ("sum_axes", |g, a| (line!(), g.sum_axes(a.m, &[0]))),
    ("sum_keepdims", |g, a| (line!(), g.sum_keepdims(a.m, &[0]))),
    ("mean", |g, a| (line!(), g.mean(a.v))),
    ("mean_axes", |g, a| (line!(), g.mean_axes(a.m, &[0]))),
    ("mean_keepdims", |g, a| (line!(), g.mean_keepdims(a.m, &[0]))),
    ("max", |g, a| (line!(), g.max(a.v))),
    ("prod", |g, a| (line!(), g.prod(a.v))),
    ("var_with", |g, a| (line!(), g.var_with(a.m, &[0], 1.0, true))),
    ("std_with", |g, a| (line!(), g.std_with(a.m, &[0], 1.0, true))),
    ("norm_with", |g, a| (line!(), g.norm_with(a.m, 2.0, &[0], true))),
    ("argmax", |g, a| (line!(), g.argmax(a.m))),
    ("argmax_axis", |g, a| (line!(), g.argmax_axis(a.m, 0))),
    ("argmin", |g, a| (line!(), g.argmin(a.m))),
    ("argmin_axis", |g, a| (line!(), g.argmin_axis(a.m, 0))),
    ("cumsum", |g, a| (line!(), g.cumsum(a.v, 0))),
    ("cumprod", |g, a| (line!(), g.cumprod(a.v, 0))),
    ("softmax", |g, a| (line!(), g.softmax(a.v, 0))),
    ("log_softmax", |g, a| (line!(), g.log_softmax(a.v, 0))),
    ("reshape", |g, a| (line!(), g.reshape(a.v, &[3, 1]))),
    ("flatten", |g, a| (line!(), g.flatten(a.m))),
    ("permute", |g, a| (line!(), g.permute(a.m, &[1, 0]))),
    ("transpose", |g, a| (line!(), g.transpose(a.m, 0, 1))),
    ("swapaxes", |g, a| (line!(), g.swapaxes(a.m, 0, 1))),
    ("t", |g, a| (line!(), g.t(a.m))),
    ("broadcast_to", |g, a| (line!(), g.broadcast_to(a.v, &[2, 3]))),
    ("squeeze", |g, a| (line!(), g.squeeze(a.h))),
    ("squeeze_axes", |g, a| (line!(), g.squeeze_axes(a.h, &[0]))),
    ("unsqueeze", |g, a| (line!(), g.unsqueeze(a.v, 0))),
    ("slice", |g, a| (line!(), g.slice(a.v, 0, 1..))),
    ("slice_step", |g, a| (line!(), g.slice_step(a.v, 0, .., 2))),
    ("narrow", |g, a| (line!(), g.narrow(a.v, 0, 1, 2))),
    ("select", |g, a| (line!(), g.select(a.v, 0, 1))),
    ("split", |g, a| (line!(), g.split(a.v, &[1, 2], 0)[1])),
    ("gradient", |g, a| (line!(), g.gradient(a.s, &[a.s]).unwrap()[0])),
    ("gradient_with", |g, a| (line!(), g.gradient_with(a.v, a.v, &[a.s]).unwrap()[0])),
    ("tangent", |g, a| (line!(), g.tangent(a.v, &[(a.s, a.s)]).unwrap())),
];

/// Functions that take no node.
#[rustfmt::skip]
const INPUTS: &[Row] = &[
    ("leaf", |g, _| (line!(), g.leaf(1.0))),
    ("constant", |g, _| (line!(), g.constant(Array1::ones(3)))),
    ("indices", |g, _| (line!(), g.indices(1))),
    ("mask", |g, _| (line!(), g.mask(true))),
];

#[test]
fn nodes_carry_the_line_of_the_caller() {
    for (name, call) in ROWS.iter().chain(INPUTS) {
        let g = Graph::new();
        let (line, v) = call(&g, args(&g));
        let at = g.line(v);
        assert_eq!((at.line(), at.file().ends_with("lines.rs")), (line, true), "{name}: {at}");
    }
}

/// The line of a row, found by running it on good arguments.
fn line_of(call: fn(&Graph, Args) -> (u32, Var)) -> u32 {
    let g = Graph::new();
    call(&g, args(&g)).0
}

#[test]
fn refusals_carry_the_line_of_the_caller() {
    for (name, call) in ROWS {
        let mut g = Graph::new();
        let mark = g.mark();
        let stale = args(&g);
        g.rewind(mark);
        let refused = catch_unwind(AssertUnwindSafe(|| call(&g, stale))).expect_err(name);
        let text = match refused.downcast_ref::<String>() {
            Some(text) => text.clone(),
            None => refused.downcast_ref::<&str>().expect("a message").to_string(),
        };
        let place = format!("lines.rs:{}", line_of(*call));
        assert!(text.contains(&place) && text.contains("stale"), "{name}: {text}, not at {place}");
    }
}

type Ask = fn(&mut Graph, Var) -> u32;

#[test]
fn questions_carry_the_line_of_the_caller() {
    let mut g = Graph::new();
    let mark = g.mark();
    let stale = g.leaf(1.0);
    g.rewind(mark);
    #[rustfmt::skip]
    let asks: &[(&str, Ask)] = &[
        ("value", |g, v| { g.value(v); line!() }),
        ("value_i64", |g, v| { g.value_i64(v); line!() }),
        ("value_bool", |g, v| { g.value_bool(v); line!() }),
        ("item", |g, v| { g.item(v); line!() }),
        ("shape", |g, v| { g.shape(v); line!() }),
        ("ndim", |g, v| { g.ndim(v); line!() }),
        ("len", |g, v| { g.len(v); line!() }),
        ("is_differentiable", |g, v| { g.is_differentiable(v); line!() }),
        ("op", |g, v| { g.op(v); line!() }),
        ("line", |g, v| { g.line(v); line!() }),
        ("parents", |g, v| { g.parents(v); line!() }),
        ("grad", |g, v| { g.grad(v); line!() }),
        ("retain_grad", |g, v| { g.retain_grad(v); line!() }),
        ("backward", |g, v| { g.backward(v).unwrap(); line!() }),
        ("backward_with", |g, v| { g.backward_with(v, 1.0).unwrap(); line!() }),
        ("set_value", |g, v| { g.set_value(v, 1.0).unwrap(); line!() }),
        ("update", |g, v| { g.update(&[v], |_, _| {}).unwrap(); line!() }),
    ];
    for (name, ask) in asks {
        let refused = catch_unwind(AssertUnwindSafe(|| ask(&mut g, stale))).expect_err(name);
        let text = refused.downcast_ref::<String>().expect("a message").clone();
        let good = g.leaf(1.0);
        if let Ok(line) = catch_unwind(AssertUnwindSafe(|| ask(&mut g, good))) {
            assert!(text.contains(&format!("lines.rs:{line})")), "{name}: {text}, not at {line}");
        }
        assert!(text.contains("(at crates/wengert/tests/lines.rs:"), "{name}: {text}");
        g.rewind(mark);
    }
}

/// The `pub fn`s of the files that hold methods which record: name, and the lines in front of each.
fn functions() -> Vec<(String, String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![source.join("functional.rs")];
    for folder in ["graph", "graph/methods", "functional", "check"] {
        for entry in std::fs::read_dir(source.join(folder)).unwrap() {
            files.push(entry.unwrap().path());
        }
    }
    let mut found = Vec::new();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (k, line) in lines.iter().enumerate() {
            let Some(rest) = line.trim_start().strip_prefix("pub fn ") else { continue };
            let name = rest.split(['(', '<']).next().unwrap().to_owned();
            let attributes = lines[..k].iter().rev().take_while(|l| l.trim_start().starts_with(['#', '/']));
            let attributes = attributes.copied().collect::<Vec<_>>().join("\n");
            found.push((name, attributes, file.strip_prefix(&source).unwrap().display().to_string()));
        }
    }
    found
}

/// Methods of the graph that take no line: they record nothing and refuse nothing.
const SILENT: &[&str] = &["mark", "no_grad", "node_count", "nodes", "zero_grad"];

#[test]
fn every_public_function_tracks_its_caller() {
    for (name, attributes, file) in functions() {
        let public = file.starts_with("graph/methods")
            || file.starts_with("functional")
            || ["graph/backward.rs", "graph/higher.rs", "graph/tangent.rs", "graph/marks.rs"]
                .contains(&&*file)
            || file == "check/differences.rs";
        if public && !SILENT.contains(&&*name) {
            assert!(attributes.contains("#[track_caller]"), "{file}: {name} is not #[track_caller]");
        }
    }
}

#[test]
fn every_method_is_walked() {
    let walked: Vec<&str> = ROWS.iter().chain(INPUTS).map(|(name, _)| *name).collect();
    for (name, _, file) in functions() {
        if file.starts_with("graph/methods") && !name.starts_with('$') {
            assert!(walked.contains(&&*name), "{file}: {name} has no row in this test");
        }
    }
}
