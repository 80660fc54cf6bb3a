//! Reductions, scans, shapes and indices.

use super::{Sample, index, mask, number, numbers, real, within};
use crate::op::*;
use crate::shape::{Axes, Shape};

fn ax(axes: &[isize]) -> Axes {
    axes.into()
}

fn sh(shape: &[usize]) -> Shape {
    shape.into()
}

fn one(op: impl Into<Op>, shape: &[usize]) -> Sample {
    Sample::new(op, vec![real(shape)])
}

/// Each way of naming axes, on arguments of several shapes.
fn reductions<O: Into<Op>>(op: impl Fn(Option<Axes>, bool) -> O, over_nothing: bool) -> Vec<Sample> {
    let mut all = vec![
        one(op(None, false), &[]),
        one(op(None, false), &[5]),
        one(op(None, true), &[2, 3]),
        one(op(Some(ax(&[0])), false), &[3, 2]),
        one(op(Some(ax(&[-1])), true), &[2, 4]),
        one(op(Some(ax(&[0, 2])), false), &[2, 3, 2]),
        one(op(Some(ax(&[1])), false), &[2, 3, 2]),
        one(op(Some(ax(&[1])), false), &[0, 3]),
    ];
    if over_nothing {
        all.push(one(op(Some(ax(&[0])), false), &[0, 3]));
    }
    all
}

pub(super) fn samples(op: &Op) -> Option<Vec<Sample>> {
    reducing(op).or_else(|| shaping(op)).or_else(|| indexing(op))
}

fn reducing(op: &Op) -> Option<Vec<Sample>> {
    Some(match op {
        Op::Sum(_) => reductions(|axes, keepdims| Sum { axes, keepdims }, true),
        Op::Mean(_) => reductions(|axes, keepdims| Mean { axes, keepdims }, false),
        Op::Prod(_) => {
            let mut all = reductions(|axes, keepdims| Prod { axes, keepdims }, true);
            for zeros in [[0.0, 2.0, 3.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]] {
                all.push(Sample::new(Prod::default(), vec![numbers(&zeros)]));
            }
            all
        }
        Op::Max(_) => {
            let mut all = reductions(|axes, keepdims| Max { axes, keepdims }, false);
            all.push(Sample::new(Max::default(), vec![numbers(&[1.0, 2.0, 2.0])]).rough());
            all
        }
        Op::Min(_) => {
            let mut all = reductions(|axes, keepdims| Min { axes, keepdims }, false);
            all.push(Sample::new(Min::default(), vec![numbers(&[1.0, 1.0, 2.0])]).rough());
            all
        }
        Op::Variance(_) => {
            let mut all = reductions(|axes, keepdims| Variance { axes, keepdims, correction: 0.0 }, false);
            all.push(one(Variance::default(), &[2, 3]));
            all
        }
        Op::Std(_) => vec![
            one(Std { correction: 0.0, ..Std::default() }, &[5]),
            one(Std { axes: Some(ax(&[1])), keepdims: true, correction: 1.0 }, &[2, 4]),
            one(Std { axes: Some(ax(&[0])), keepdims: false, correction: 0.0 }, &[3, 2]),
            Sample::new(Std::default(), vec![numbers(&[2.0, 2.0])]).rough(),
        ],
        Op::Norm(_) => {
            let mut all = Vec::new();
            for p in [1.0, 2.0, 3.0, 1.5, f64::INFINITY, f64::NEG_INFINITY] {
                all.push(one(Norm { p, ..Norm::default() }, &[5]));
                all.push(one(Norm { p, axes: Some(ax(&[1])), keepdims: true }, &[2, 3]));
                all.push(one(Norm { p, ..Norm::default() }, &[]));
            }
            all
        }
        Op::LogSumExp(_) => {
            let mut all = reductions(|axes, keepdims| LogSumExp { axes, keepdims }, false);
            all.push(Sample::new(LogSumExp::default(), vec![numbers(&[700.0, 710.0, -800.0])]).rough());
            all
        }
        Op::CumSum(_) => vec![
            one(CumSum::default(), &[4]),
            one(CumSum { axis: 1, reverse: true }, &[2, 3]),
            one(CumSum { axis: 0, reverse: false }, &[3, 2]),
            one(CumSum { axis: 0, reverse: false }, &[0, 2]),
        ],
        Op::CumProd(_) => vec![
            one(CumProd::default(), &[4]),
            one(CumProd { axis: 1 }, &[2, 3]),
            one(CumProd { axis: 0 }, &[0, 2]),
            Sample::new(CumProd::default(), vec![numbers(&[2.0, 0.0, 3.0, 0.0, 4.0])]),
        ],
        Op::Recurrence(_) => vec![
            one(Recurrence { first: 1.0, ..Recurrence::default() }, &[4]),
            Sample::new(
                Recurrence { axis: 1, first: 0.3, reverse: true },
                vec![real(&[2, 3]), within(0.1, 2.0, &[2, 3])],
            ),
        ],
        Op::LogCumSumExp(_) => vec![
            one(LogCumSumExp::default(), &[4]),
            one(LogCumSumExp { axis: 1 }, &[2, 3]),
            one(LogCumSumExp { axis: -2 }, &[3, 2]),
            one(LogCumSumExp { axis: 0 }, &[0, 2]),
            one(LogCumSumExp { axis: 0 }, &[1]),
            Sample::new(LogCumSumExp::default(), vec![numbers(&[-800.0, 700.0, 710.0, -900.0])]).rough(),
        ],
        Op::CumMax(_) => vec![
            one(CumMax::default(), &[5]),
            one(CumMax { axis: 1 }, &[2, 4]),
            one(CumMax { axis: 0 }, &[0, 2]),
            Sample::new(CumMax::default(), vec![numbers(&[1.0, 2.0, 2.0, 1.0])]).rough(),
        ],
        Op::CumMin(_) => vec![
            one(CumMin::default(), &[5]),
            one(CumMin { axis: -2 }, &[4, 2]),
            Sample::new(CumMin::default(), vec![numbers(&[1.0, 2.0, 1.0])]).rough(),
        ],
        Op::Sort(_) => vec![
            one(Sort { axis: 0, descending: false }, &[5]),
            one(Sort { axis: 1, descending: true }, &[2, 4]),
            one(Sort { axis: 0, descending: false }, &[3, 2]),
            one(Sort { axis: 0, descending: false }, &[0]),
            Sample::new(Sort::default(), vec![numbers(&[1.0, 1.0, 0.0])]).rough(),
        ],
        Op::TopK(_) => vec![
            one(TopK { k: 2, axis: 0, largest: true }, &[5]),
            one(TopK { k: 3, axis: -1, largest: false }, &[2, 4]),
            one(TopK { k: 0, axis: 0, largest: true }, &[3, 2]),
            one(TopK { k: 3, axis: 0, largest: true }, &[3, 2]),
        ],
        Op::OrderStatistics(_) => vec![
            one(OrderStatistics { ranks: sh(&[2]), axis: 0 }, &[5]),
            one(OrderStatistics { ranks: sh(&[3, 0, 3]), axis: 1 }, &[2, 4]),
            one(OrderStatistics { ranks: sh(&[0]), axis: 0 }, &[2, 0]),
        ],
        Op::ArgMax(_) => {
            vec![one(ArgMax::default(), &[2, 3]), one(ArgMax { axis: Some(0), keepdims: true }, &[2, 3])]
        }
        Op::ArgMin(_) => {
            vec![one(ArgMin::default(), &[2, 3]), one(ArgMin { axis: Some(1), keepdims: false }, &[2, 3])]
        }
        _ => return None,
    })
}

fn shaping(op: &Op) -> Option<Vec<Sample>> {
    Some(match op {
        Op::Reshape(_) => vec![
            one(Reshape { shape: ax(&[3, -1]) }, &[2, 3]),
            one(Reshape { shape: ax(&[]) }, &[1, 1]),
            one(Reshape { shape: ax(&[1]) }, &[]),
            one(Reshape { shape: ax(&[3, 0]) }, &[0, 2]),
        ],
        Op::Permute(_) => vec![
            one(Permute { axes: ax(&[2, 0, 1]) }, &[2, 3, 4]),
            one(Permute { axes: ax(&[]) }, &[]),
            one(Permute { axes: ax(&[1, 0]) }, &[0, 2]),
        ],
        Op::Transpose(_) => {
            vec![one(Transpose::default(), &[2, 3]), one(Transpose { axis0: 0, axis1: 2 }, &[2, 3, 2])]
        }
        Op::BroadcastTo(_) => vec![
            one(BroadcastTo { shape: sh(&[2, 3]) }, &[3]),
            one(BroadcastTo { shape: sh(&[2, 3]) }, &[2, 1]),
            one(BroadcastTo { shape: sh(&[2, 2]) }, &[]),
            one(BroadcastTo { shape: sh(&[0, 3]) }, &[1, 3]),
        ],
        Op::Squeeze(_) => vec![
            one(Squeeze::default(), &[1, 3, 1]),
            one(Squeeze { axes: Some(ax(&[-1])) }, &[1, 3, 1]),
            one(Squeeze::default(), &[]),
        ],
        Op::Unsqueeze(_) => vec![
            one(Unsqueeze { axis: 0 }, &[3]),
            one(Unsqueeze { axis: -1 }, &[2, 3]),
            one(Unsqueeze { axis: 0 }, &[]),
        ],
        Op::Slice(_) => vec![
            one(Slice { axis: 0, start: Some(1), stop: None, step: 2 }, &[5]),
            one(Slice { axis: 1, start: Some(-2), stop: Some(10), step: 1 }, &[2, 3]),
            one(Slice { axis: 0, start: Some(3), stop: Some(1), step: 1 }, &[4]),
            one(Slice { axis: -1, start: None, stop: Some(-1), step: 3 }, &[2, 8]),
        ],
        Op::Select(_) => vec![
            one(Select { axis: 0, index: 1 }, &[3]),
            one(Select { axis: 1, index: -1 }, &[2, 3, 2]),
            one(Select { axis: 1, index: 0 }, &[0, 3]),
        ],
        Op::SliceInto(_) => vec![
            one(SliceInto { shape: sh(&[6]), axis: 0, start: 1, step: 2 }, &[3]),
            one(SliceInto { shape: sh(&[2, 5]), axis: 1, start: 0, step: 1 }, &[2, 3]),
            one(SliceInto { shape: sh(&[3]), axis: 0, start: 1, step: 1 }, &[0]),
        ],
        Op::SliceAssign(_) => {
            let cut = |axis, start, stop, step| Slice { axis, start, stop, step };
            let assign = |slices: &[Slice], x: &[usize], y: &[usize]| {
                let op = SliceAssign { slices: slices.into() };
                Sample::new(op, vec![real(x), within(0.1, 1.0, y)])
            };
            vec![
                assign(&[cut(0, Some(1), None, 2)], &[5], &[2]),
                assign(&[cut(0, Some(1), None, 1), cut(-1, None, Some(-1), 2)], &[3, 4], &[2, 2]),
                assign(&[cut(1, Some(1), Some(3), 1)], &[2, 4], &[2, 1]),
                assign(&[cut(1, Some(1), Some(3), 1)], &[2, 4], &[]),
                assign(&[cut(0, Some(2), Some(1), 1)], &[3], &[0]),
                assign(&[], &[2], &[2]),
            ]
        }
        Op::Concat(_) => vec![
            Sample::new(Concat { axis: 0 }, vec![real(&[2, 3]), within(0.0, 1.0, &[1, 3])]),
            Sample::new(Concat { axis: -1 }, vec![real(&[2, 2]), real(&[2, 0]), within(0.0, 1.0, &[2, 2])]),
        ],
        Op::Stack(_) => vec![
            Sample::new(Stack { axis: 0 }, vec![real(&[]), number(2.0)]),
            Sample::new(
                Stack { axis: -1 },
                vec![real(&[2, 2]), within(0.0, 1.0, &[2, 2]), within(1.0, 2.0, &[2, 2])],
            ),
        ],
        Op::Split(_) => vec![
            one(Split { sizes: sh(&[1, 2]), axis: 0 }, &[3]),
            one(Split { sizes: sh(&[2, 0, 1]), axis: 1 }, &[2, 3]),
        ],
        Op::Pad(_) => {
            let pad = |mode, shape: &[usize], widths: &[(isize, isize)]| {
                one(Pad { widths: widths.into(), mode, value: 0.7 }, shape)
            };
            vec![
                pad(PadMode::Constant, &[3], &[(1, 2)]),
                pad(PadMode::Edge, &[2, 3], &[(1, 0), (2, 1)]),
                pad(PadMode::Reflect, &[4, 3], &[(2, 1), (0, 2)]),
                pad(PadMode::Wrap, &[4, 3], &[(2, 5), (0, 2)]),
                pad(PadMode::Constant, &[], &[]),
                pad(PadMode::Constant, &[0], &[(1, 1)]),
            ]
        }
        Op::Flip(_) => vec![one(Flip { axes: ax(&[0]) }, &[3]), one(Flip { axes: ax(&[0, -1]) }, &[2, 3])],
        Op::Roll(_) => vec![
            one(Roll { shifts: ax(&[2]), axes: ax(&[0]) }, &[5]),
            one(Roll { shifts: ax(&[-1, 4]), axes: ax(&[0, 1]) }, &[2, 3]),
        ],
        Op::Tril(_) => vec![one(Tril { k: 0 }, &[3, 3]), one(Tril { k: -1 }, &[2, 2, 3])],
        Op::Triu(_) => vec![one(Triu { k: 1 }, &[3, 2]), one(Triu { k: -1 }, &[2, 3, 3])],
        Op::Diag(_) => vec![
            one(Diag { k: 0 }, &[3]),
            one(Diag { k: -2 }, &[2]),
            one(Diag { k: 1 }, &[3, 4]),
            one(Diag { k: -1 }, &[3, 2]),
        ],
        Op::Trace(_) => vec![one(Trace {}, &[3, 3]), one(Trace {}, &[2, 3]), one(Trace {}, &[0, 0])],
        Op::Diagonal(_) => vec![
            one(Diagonal { axis0: 0, axis1: 1 }, &[3, 3]),
            one(Diagonal { axis0: 0, axis1: 2 }, &[2, 3, 2]),
        ],
        Op::DiagonalInto(_) => vec![
            one(DiagonalInto { axis0: 0, axis1: 1 }, &[3]),
            one(DiagonalInto { axis0: 0, axis1: 2 }, &[3, 2]),
        ],
        Op::DiagInto(_) => vec![one(DiagInto { shape: sh(&[3, 4]), k: 1 }, &[3])],
        Op::Tile(_) => vec![
            one(Tile { reps: sh(&[2]) }, &[3]),
            one(Tile { reps: sh(&[2, 1, 2]) }, &[2, 3]),
            one(Tile { reps: sh(&[0, 2]) }, &[1, 2]),
        ],
        Op::RepeatInterleave(_) => vec![
            one(RepeatInterleave { repeats: 2, axis: 0 }, &[3]),
            one(RepeatInterleave { repeats: 3, axis: -1 }, &[2, 2]),
        ],
        _ => return None,
    })
}

fn indexing(op: &Op) -> Option<Vec<Sample>> {
    Some(match op {
        Op::Where(_) => vec![
            Sample::new(Where {}, vec![mask(&[3], &[true, false, true]), real(&[2, 3]), real(&[2, 1])]),
            Sample::new(Where {}, vec![mask(&[], &[false]), real(&[]), real(&[])]),
            Sample::new(Where {}, vec![mask(&[0], &[]), real(&[]), real(&[0])]),
            Sample::new(Where {}, vec![mask(&[2], &[true, false]), real(&[2]), real(&[2])]),
        ],
        Op::Detach(_) => vec![one(Detach {}, &[2, 3])],
        Op::StraightThrough(_) => {
            vec![Sample::new(StraightThrough {}, vec![real(&[3]), within(0.0, 1.0, &[3])]).rough()]
        }
        Op::ScaleGradient(_) => vec![one(ScaleGradient { factor: -0.7 }, &[2, 3]).rough()],
        Op::IndexSelect(_) => vec![
            Sample::new(IndexSelect { axis: 0 }, vec![real(&[3, 2]), index(&[4], &[2, 0, 2, 1])]),
            Sample::new(IndexSelect { axis: 1 }, vec![real(&[2, 3]), index(&[0], &[])]),
        ],
        Op::IndexAdd(_) => vec![
            Sample::new(IndexAdd { axis: 0, len: 4 }, vec![real(&[3, 2]), index(&[3], &[2, 0, 2])]),
            Sample::new(IndexAdd { axis: 1, len: 3 }, vec![real(&[2, 2]), index(&[2], &[1, 1])]),
        ],
        Op::Gather(_) => vec![
            Sample::new(Gather { axis: 0 }, vec![real(&[3, 2]), index(&[2, 2], &[2, 0, 2, 1])]),
            Sample::new(Gather { axis: 1 }, vec![real(&[2, 3]), index(&[2, 1], &[0, 2])]),
        ],
        Op::ScatterAdd(_) => vec![
            Sample::new(
                ScatterAdd { axis: 0 },
                vec![real(&[3, 2]), index(&[2, 2], &[2, 0, 2, 1]), within(0.1, 1.0, &[2, 2])],
            ),
            Sample::new(
                ScatterAdd { axis: 0 },
                vec![real(&[3]), index(&[3], &[1, 1, 1]), within(0.1, 1.0, &[3])],
            ),
        ],
        Op::Scatter(_) => vec![
            Sample::new(
                Scatter { axis: 0 },
                vec![real(&[3, 2]), index(&[2, 2], &[2, 0, 0, 1]), within(0.1, 1.0, &[2, 2])],
            ),
            Sample::new(
                Scatter { axis: -1 },
                vec![real(&[2, 3]), index(&[1, 3], &[1, 2, 0]), within(0.1, 1.0, &[1, 3])],
            ),
            Sample::new(Scatter { axis: 0 }, vec![real(&[2]), index(&[2], &[1, 0]), real(&[2])]),
            Sample::new(Scatter { axis: 0 }, vec![real(&[2]), index(&[0], &[]), real(&[0])]),
        ],
        Op::OneHot(_) => vec![
            Sample::new(OneHot { classes: 3 }, vec![index(&[2], &[2, 0])]),
            Sample::new(OneHot { classes: 2 }, vec![index(&[], &[1])]),
        ],
        Op::Embedding(_) => vec![
            Sample::new(Embedding {}, vec![real(&[4, 2]), index(&[2, 2], &[3, 0, 3, 1])]),
            Sample::new(Embedding {}, vec![real(&[4, 2]), index(&[], &[2])]),
        ],
        _ => return None,
    })
}
