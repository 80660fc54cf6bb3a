//! The composed ops on arguments of every sort, most of which do not fit: a result, or a refusal by the engine, which names
//! op, shapes, rule and line. Never a panic from below.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ndarray::{ArrayD, IxDyn};
use rand::{SeedableRng, rngs::SmallRng};
use wengert::graph::HeadWeights;
use wengert::op::{AvgPoolOptions, ConvOptions, ConvolveMode, Indexing, Interpolation, PadMode, Slice};
use wengert::prelude::*;

const SHAPES: [&[usize]; 15] = [
    &[],
    &[0],
    &[1],
    &[3],
    &[4],
    &[2, 3],
    &[3, 3],
    &[0, 3],
    &[3, 0],
    &[2, 3, 4],
    &[1, 2, 0],
    &[1, 2, 4],
    &[1, 4, 2, 3],
    &[1, 2, 0, 3],
    &[0, 2, 3, 3],
];
const LARGE: usize = usize::MAX / 3;
const FAR: isize = isize::MAX;

type Call = fn(&Graph, Var, Var, Var) -> Var;

/// On two arrays and indices.
#[rustfmt::skip]
const CALLS: &[(&str, Call)] = &[
    ("sort", |g, x, _, _| g.sort(x, 1, true).0),
    ("topk", |g, x, _, _| g.topk(x, 2, -1, true).0),
    ("topk of many", |g, x, _, _| g.topk(x, LARGE, 0, true).0),
    ("median", |g, x, _, _| g.median(x)),
    ("quantile", |g, x, _, _| g.quantile(x, 0.4, -1)),
    ("quantile nan", |g, x, _, _| g.quantile(x, f64::NAN, -1)),
    ("cummax", |g, x, _, _| g.cummax(x, -1).0),
    ("cummin far", |g, x, _, _| g.cummin(x, FAR).0),
    ("logcumsumexp", |g, x, _, _| g.logcumsumexp(x, -1)),
    ("diff", |g, x, _, _| g.diff(x, 2, -1)),
    ("diff of many", |g, x, _, _| g.diff(x, LARGE, 0)),
    ("segment_sum", |g, x, _, i| g.segment_sum(x, i, 4)),
    ("segment_sum of none", |g, x, _, i| g.segment_sum(x, i, 0)),
    ("index_add", |g, x, y, i| g.index_add(x, i, y, 0)),
    ("scatter", |g, x, y, i| g.scatter(x, i, y, -1)),
    ("slice_assign", |g, x, y, _| g.slice_assign(x, &[Slice { axis: -1, start: Some(1), ..Slice::default() }], y)),
    ("slice_assign far", |g, x, y, _| g.slice_assign(x, &[Slice { axis: 0, start: Some(FAR), stop: Some(-FAR), step: FAR }], y)),
    ("masked_select", |g, x, y, _| g.masked_select(x, g.gt(y, 0.0))),
    ("masked_select by numbers", |g, x, y, _| g.masked_select(x, y)),
    ("take", |g, x, _, i| g.take(x, i)),
    ("take_along_axis", |g, x, _, i| g.take_along_axis(x, i, 0)),
    ("one_hot", |g, _, _, i| g.one_hot(i, 3)),
    ("one_hot of none", |g, _, _, i| g.one_hot(i, 0)),
    ("identity", |g, x, _, _| g.identity(x)),
    ("atleast_nd", |g, x, _, _| g.atleast_nd(x, 5)),
    ("moveaxis", |g, x, _, _| g.moveaxis(x, &[0, -1], &[1, 0])),
    ("moveaxis far", |g, x, _, _| g.moveaxis(x, &[FAR], &[-FAR])),
    ("chunk", |g, x, _, _| g.chunk(x, 2, -1)[0]),
    ("chunk into many", |g, x, _, _| g.chunk(x, LARGE, 0)[0]),
    ("array_split", |g, x, _, _| g.array_split(x, 5, 0)[4]),
    ("meshgrid", |g, x, y, _| g.meshgrid(&[x, y, x], Indexing::Xy)[2]),
    ("meshgrid of none", |g, x, _, _| { g.meshgrid(&[], Indexing::Ij); x }),
    ("diagonal", |g, x, _, _| g.diagonal(x, 1, 0, -1)),
    ("diagonal far", |g, x, _, _| g.diagonal(x, isize::MIN, 1, 0)),
    ("diag_embed", |g, x, _, _| g.diag_embed(x, -1, 0, -1)),
    ("diag_embed far", |g, x, _, _| g.diag_embed(x, isize::MIN, 0, -1)),
    ("rot90", |g, x, _, _| g.rot90(x, isize::MIN + 1, 0, 1)),
    ("hstack", |g, x, y, _| g.hstack(&[x, y])),
    ("vstack", |g, x, y, _| g.vstack(&[x, y])),
    ("pad wrap", |g, x, _, _| g.pad_with(x, &[(2, 7), (1, 0)], PadMode::Wrap)),
    ("tensordot", |g, x, y, _| g.tensordot(x, y, &[0], &[-1])),
    ("tensordot of nothing", |g, x, y, _| g.tensordot(x, y, &[], &[])),
    ("multi_dot", |g, x, y, _| g.multi_dot(&[x, y, x])),
    ("addmm", |g, x, y, _| g.addmm(x, x, y, 0.5, 2.0)),
    ("quad_form", |g, x, y, _| g.quad_form(x, y)),
    ("cross", |g, x, y, _| g.cross(x, y, -1)),
    ("svdvals", |g, x, _, _| g.svdvals(x).unwrap_or(x)),
    ("avg_pool1d", |g, x, _, _| g.avg_pool1d(x, [2], AvgPoolOptions::default())),
    ("adaptive_avg_pool1d", |g, x, _, _| g.adaptive_avg_pool1d(x, [3])),
    ("adaptive_avg_pool2d", |g, x, _, _| g.adaptive_avg_pool2d(x, [2, 0])),
    ("adaptive_avg_pool2d to many", |g, x, _, _| g.adaptive_avg_pool2d(x, [LARGE, 1])),
    ("interpolate", |g, x, _, _| g.interpolate(x, &[5, 1], Interpolation::Linear)),
    ("interpolate aligned", |g, x, _, _| g.interpolate(x, &[1], Interpolation::LinearAligned)),
    ("interpolate to many", |g, x, _, _| g.interpolate(x, &[LARGE, 7], Interpolation::Nearest)),
    ("interpolate nothing", |g, x, _, _| g.interpolate(x, &[], Interpolation::Nearest)),
    ("pixel_shuffle", |g, x, _, _| g.pixel_shuffle(x, 2)),
    ("pixel_shuffle far", |g, x, _, _| g.pixel_shuffle(x, LARGE)),
    ("unfold", |g, x, _, _| g.unfold(x, [2, 2], ConvOptions { padding: [1, 0], ..ConvOptions::default() })),
    ("unfold far", |g, x, _, _| g.unfold(x, [LARGE, 2], ConvOptions { padding: [usize::MAX, 1], ..ConvOptions::default() })),
    ("unfold in groups", |g, x, _, _| g.unfold(x, [1, 1], ConvOptions { groups: 2, ..ConvOptions::default() })),
    ("fold", |g, x, _, _| g.fold(x, [2, 3], [1, 2], ConvOptions::default())),
    ("fold far", |g, x, _, _| g.fold(x, [LARGE, LARGE], [LARGE, LARGE], ConvOptions { padding: [usize::MAX, 1], ..ConvOptions::default() })),
    ("convolve", |g, x, y, _| g.convolve(x, y, ConvolveMode::Same)),
    ("instance_norm", |g, x, _, _| g.instance_norm(x, None, None, 1e-5)),
    ("dropout", |g, x, _, _| g.dropout(x, 0.5, &mut SmallRng::seed_from_u64(1))),
    ("dropout nan", |g, x, _, _| g.dropout(x, f64::NAN, &mut SmallRng::seed_from_u64(1))),
    ("dropout of indices", |g, _, _, i| g.dropout(i, 0.5, &mut SmallRng::seed_from_u64(1))),
    ("rope", |g, x, _, _| g.rope(x, 3, 1e4)),
    ("rope nan", |g, x, _, _| g.rope(x, 3, f64::NAN)),
    ("rnn_cell", |g, x, y, _| g.rnn_cell(x, y, x, y, None)),
    ("multi_head_attention", |g, x, y, _| {
        let weights = HeadWeights { query: (y, None), key: (y, None), value: (y, None), output: (y, None) };
        g.multi_head_attention(x, x, x, &weights, 3, y, true)
    }),
    ("arange", |g, _, _, _| g.arange(0.0, f64::INFINITY, 1.0)),
    ("arange nan", |g, _, _, _| g.arange(0.0, f64::NAN, 1.0)),
];

fn array(shape: &[usize]) -> ArrayD<f64> {
    let mut k = 0.0;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        k += 1.0;
        f64::sin(k)
    })
}

/// As `array`, but lying transposed.
fn lying(g: &Graph, shape: &[usize]) -> (Var, Var) {
    let leaf = g.leaf(array(shape).t().as_standard_layout().to_owned());
    let axes: Vec<isize> = (0..shape.len() as isize).rev().collect();
    (leaf, g.permute(leaf, &axes))
}

#[test]
fn what_does_not_fit_is_refused_by_the_engine() {
    let mut done = std::collections::BTreeSet::new();
    for (name, call) in CALLS {
        for shape in SHAPES {
            for other in SHAPES {
                let mut g = Graph::new();
                let (leaf, x) = lying(&g, shape);
                let y = g.leaf(array(other));
                let i = g.indices(ArrayD::from_elem(IxDyn(other), 0));
                let run = catch_unwind(AssertUnwindSafe(|| call(&g, x, y, i)));
                let what = format!("{name} of {shape:?} and {other:?}");
                match run {
                    Ok(result) => {
                        done.insert(*name);
                        if g.is_differentiable(result) {
                            let total = g.sum(result);
                            g.backward(total).unwrap_or_else(|error| panic!("{what}: {error}"));
                            if let Some(grad) = g.grad(leaf) {
                                assert_eq!(grad.len(), g.len(leaf), "{what}");
                            }
                        }
                    }
                    Err(payload) => {
                        let said = payload.downcast_ref::<String>().cloned().unwrap_or_default();
                        assert!(said.contains(&format!("(at {}:", file!())), "{what} says: {said}");
                    }
                }
            }
        }
    }
    let never: Vec<_> = CALLS.iter().map(|(name, _)| *name).filter(|name| !done.contains(name)).collect();
    let hopeless = |name: &&&str| {
        ["nan", "many", "far", "groups", "numbers", "indices", "arange"].iter().any(|w| name.contains(w))
    };
    assert!(never.iter().filter(|name| !hopeless(name)).count() == 0, "always refused: {never:?}");
}
