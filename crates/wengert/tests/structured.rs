//! Values and gradients of sorts, arrangements, contractions and layers against PyTorch and NumPy; derivatives of every
//! order against each other. What stands in `data/structured.json` is made by `data/structured.py`.

use std::path::Path;

use ndarray::{ArrayD, IxDyn, array};
use serde_json::Value;
use wengert::check::check_function;
use wengert::graph::{HeadWeights, Source};
use wengert::op::{AvgPoolOptions, ConvOptions, ConvolveMode, Indexing, Interpolation, PadMode, Slice};
use wengert::prelude::*;

type Case = (&'static str, &'static [&'static [usize]], fn(&Graph, &[Var]) -> Var);

const PATCHES: ConvOptions<2> = ConvOptions { stride: [1, 2], padding: [1, 0], dilation: [2, 1], groups: 1 };

fn convolved(g: &Graph, x: &[Var], mode: ConvolveMode) -> Var {
    g.convolve(x[0], x[1], mode)
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("logcumsumexp", &[&[2, 5]], |g, x| g.logcumsumexp(x[0] * 30.0, 1)),
    ("cummax", &[&[2, 7]], |g, x| g.cummax(x[0], 1).0),
    ("cummin", &[&[7, 2]], |g, x| g.cummin(x[0], 0).0),
    ("sort descending", &[&[3, 4]], |g, x| g.sort(x[0], 0, true).0),
    ("topk smallest", &[&[2, 6]], |g, x| g.topk(x[0], 3, 1, false).0),
    ("quantile", &[&[6, 2]], |g, x| g.quantile(x[0], 0.37, 0)),
    ("median", &[&[2, 5]], |g, x| g.median_axis(x[0], 1)),
    ("median of all", &[&[2, 3]], |g, x| g.median(x[0])),
    ("diff", &[&[3, 5]], |g, x| g.diff(x[0], 2, 1)),
    ("segment_sum", &[&[4, 2]], |g, x| g.segment_sum(x[0], g.indices([2, 0, 2, 0]), 3)),
    ("index_add", &[&[3, 4], &[3, 3]], |g, x| g.index_add(x[0], g.indices([3, 0, 3]), x[1], 1)),
    ("scatter", &[&[3, 4], &[2, 2]], |g, x| g.scatter(x[0], g.indices(array![[3, 0], [1, 2]]), x[1], 1)),
    ("slice_assign", &[&[3, 5], &[3]], |g, x| {
        let rows = Slice { axis: 0, start: Some(1), ..Slice::default() };
        g.slice_assign(x[0], &[rows, Slice { axis: -1, step: 2, ..Slice::default() }], x[1])
    }),
    ("masked_select", &[&[2, 3]], |g, x| g.masked_select(x[0], g.mask([true, false, true]))),
    ("take", &[&[2, 3]], |g, x| g.take(x[0], g.indices(array![[5, 0], [5, 1]]))),
    ("take_along_axis", &[&[2, 3]], |g, x| g.take_along_axis(x[0], g.indices(array![[2, 0], [1, 1]]), 1)),
    ("moveaxis", &[&[2, 3, 4]], |g, x| g.moveaxis(x[0], &[0, 2], &[2, 0])),
    ("chunk", &[&[7, 2]], |g, x| g.chunk(x[0], 3, 0)[2]),
    ("array_split", &[&[7, 2]], |g, x| g.array_split(x[0], 3, 0)[1]),
    ("meshgrid xy", &[&[2], &[3]], |g, x| {
        let grids = g.meshgrid(x, Indexing::Xy);
        g.eval(grids[0] * grids[0].sin() + grids[1])
    }),
    ("diagonal", &[&[3, 2, 4]], |g, x| g.diagonal(x[0], -1, 2, 0)),
    ("diagonal above", &[&[3, 2, 4]], |g, x| g.diagonal(x[0], 2, 0, 2)),
    ("diag_embed", &[&[2, 3]], |g, x| g.diag_embed(x[0], -2, 2, 0)),
    ("rot90 1", &[&[2, 3]], |g, x| g.rot90(x[0], 1, 0, 1)),
    ("rot90 2", &[&[2, 3]], |g, x| g.rot90(x[0], 2, 0, 1)),
    ("rot90 3", &[&[2, 3]], |g, x| g.rot90(x[0], -1, 0, 1)),
    ("hstack", &[&[2, 3], &[2, 1]], |g, x| g.hstack(x)),
    ("vstack", &[&[3], &[2, 3]], |g, x| g.vstack(x)),
    ("pad wrap", &[&[2, 4]], |g, x| g.pad_with(x[0], &[(0, 0), (3, 2)], PadMode::Wrap)),
    ("pad edge", &[&[2, 4]], |g, x| g.pad_with(x[0], &[(0, 0), (3, 2)], PadMode::Edge)),
    ("pad reflect", &[&[2, 4]], |g, x| g.pad_with(x[0], &[(0, 0), (3, 2)], PadMode::Reflect)),
    ("tensordot", &[&[2, 3, 4], &[4, 2, 5]], |g, x| g.tensordot(x[0], x[1], &[0, -1], &[1, 0])),
    ("multi_dot", &[&[4], &[4, 2], &[2, 5], &[5, 3]], |g, x| g.multi_dot(x)),
    ("addmm", &[&[3], &[2, 4], &[4, 3]], |g, x| g.addmm(x[0], x[1], x[2], 0.5, -2.0)),
    ("quad_form", &[&[2, 3], &[3, 3]], |g, x| g.quad_form(x[0], x[1])),
    ("cross", &[&[2, 3], &[4, 1, 3]], |g, x| g.cross(x[0], x[1], 2)),
    ("svdvals", &[&[3, 2]], |g, x| g.svdvals(x[0]).unwrap()),
    ("avg_pool1d", &[&[2, 1, 7]], |g, x| {
        g.avg_pool1d(x[0], [3], AvgPoolOptions { stride: Some([2]), padding: [1], count_include_pad: false })
    }),
    ("adaptive_avg_pool1d", &[&[1, 2, 5]], |g, x| g.adaptive_avg_pool1d(x[0], [3])),
    ("adaptive_avg_pool2d", &[&[1, 2, 5, 4]], |g, x| g.adaptive_avg_pool2d(x[0], [3, 7])),
    ("interpolate nearest", &[&[1, 1, 3, 5]], |g, x| g.interpolate(x[0], &[7, 2], Interpolation::Nearest)),
    ("interpolate bilinear", &[&[1, 1, 3, 5]], |g, x| g.interpolate(x[0], &[4, 3], Interpolation::Linear)),
    ("interpolate aligned", &[&[1, 1, 3, 5]], |g, x| g.interpolate(x[0], &[4, 1], Interpolation::LinearAligned)),
    ("interpolate linear", &[&[1, 2, 3]], |g, x| g.interpolate(x[0], &[8], Interpolation::Linear)),
    ("pixel_shuffle", &[&[1, 8, 2, 1]], |g, x| g.pixel_shuffle(x[0], 2)),
    ("unfold", &[&[1, 2, 4, 5]], |g, x| g.unfold(x[0], [2, 3], PATCHES)),
    ("fold", &[&[1, 6, 8]], |g, x| g.fold(x[0], [4, 5], [2, 3], PATCHES)),
    ("instance_norm", &[&[2, 3, 4], &[3], &[3]], |g, x| g.instance_norm(x[0], x[1], x[2], 1e-5)),
    ("rnn_cell", &[&[2, 3], &[2, 4], &[4, 3], &[4, 4], &[4], &[4]], |g, x| {
        g.rnn_cell(x[0], x[1], x[2], x[3], Some((x[4], x[5])))
    }),
    ("multi_head_attention", &[&[2, 3, 4], &[2, 5, 3], &[2, 5, 6], &[4, 4], &[4, 3], &[4, 6], &[4, 4], &[4], &[4], &[2, 3, 5]], |g, x| {
        let weights = HeadWeights { query: (x[3], Some(x[7])), key: (x[4], None), value: (x[5], None), output: (x[6], Some(x[8])) };
        g.multi_head_attention(x[0], x[1], x[2], &weights, 2, x[9], false)
    }),
    ("rope", &[&[2, 3, 4]], |g, x| g.rope(x[0], 5, 100.0)),
    ("convolve full", &[&[6], &[4]], |g, x| convolved(g, x, ConvolveMode::Full)),
    ("convolve same", &[&[6], &[4]], |g, x| convolved(g, x, ConvolveMode::Same)),
    ("convolve valid", &[&[6], &[4]], |g, x| convolved(g, x, ConvolveMode::Valid)),
    ("convolve same odd", &[&[3], &[7]], |g, x| convolved(g, x, ConvolveMode::Same)),
    ("convolve same even", &[&[4], &[6]], |g, x| convolved(g, x, ConvolveMode::Same)),
];

fn counted(shape: &[usize], f: impl Fn(f64) -> f64) -> ArrayD<f64> {
    let mut k = -1.0;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        k += 1.0;
        f(k)
    })
}

fn inputs(shapes: &[&[usize]]) -> Vec<ArrayD<f64>> {
    let input = |(seed, shape): (usize, &&[usize])| counted(shape, |k| (1.0 + 1.7 * k + seed as f64).sin());
    shapes.iter().enumerate().map(input).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn near(what: &str, have: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(have.len(), want.len(), "{what}");
    let size = want.iter().fold(1f64, |most, x| most.max(x.abs()));
    for (k, (a, b)) in have.iter().zip(want).enumerate() {
        assert!((a - b).abs() <= tolerance * size, "{what}: element {k} is {a} instead of {b}");
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/structured.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(all.as_object().unwrap().len(), CASES.len());
    for (name, shapes, f) in CASES {
        let want = &all[name];
        let mut g = Graph::new();
        let x: Vec<Var> = inputs(shapes).into_iter().map(|x| g.leaf(x)).collect();
        let y = f(&g, &x);
        let shape: Vec<f64> = g.shape(y).iter().map(|&n| n as f64).collect();
        assert_eq!(shape, numbers(&want["shape"]), "{name}");
        near(name, &g.value(y).iter().copied().collect::<Vec<_>>(), &numbers(&want["y"]), 1e-14);
        let y_bar = counted(&g.shape(y), |k| (0.3 + k).cos());
        g.backward_with(y, y_bar).unwrap();
        for (x, bar) in x.iter().zip(want["grads"].as_array().unwrap()) {
            let have: Vec<f64> = g.grad(*x).unwrap().iter().copied().collect();
            near(&format!("{name}: gradient"), &have, &numbers(bar), 1e-13);
        }
    }
}

#[test]
fn derivatives_of_every_kind_agree() {
    let mut failures = Vec::new();
    for (name, shapes, f) in CASES {
        let leaves = inputs(shapes);
        let sources: Vec<&dyn Source<f64>> = leaves.iter().map(|x| x as &dyn Source<f64>).collect();
        let step = if *name == "logcumsumexp" { 2e-5 } else { 5e-4 };
        let check = check_function(|g, x| vec![f(g, x)], &sources, step).unwrap();
        if !check.holds() {
            failures.push(format!("{name}: {check}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
