//! Layers and losses.

use super::{Sample, array, index, mask, numbers, real, within};
use crate::op::*;
use crate::shape::Axes;

fn ax(axes: &[isize]) -> Axes {
    axes.into()
}

/// Arguments of these shapes, each with numbers of its own.
fn parts(op: impl Into<Op>, shapes: &[&[usize]]) -> Sample {
    let arg = |(k, shape): (usize, &&[usize])| within(-1.1 + 0.13 * k as f64, 1.4 - 0.07 * k as f64, shape);
    Sample::new(op, shapes.iter().enumerate().map(arg).collect()).distinct()
}

const REDUCTIONS: [Reduction; 3] = [Reduction::Mean, Reduction::Sum, Reduction::None];

/// A loss of two arrays of one shape, within these bounds.
fn losses<O: Into<Op>>(op: impl Fn(Reduction) -> O, of: (f64, f64), targets: (f64, f64)) -> Vec<Sample> {
    let shapes: [&[usize]; 3] = [&[], &[4], &[2, 3]];
    let sample = |reduction, shape: &[usize]| {
        let args = vec![within(of.0, of.1, shape), within(targets.0, targets.1, shape)];
        let sample = Sample::new(op(reduction), args);
        if of == targets { sample } else { sample.distinct() }
    };
    let mut all: Vec<Sample> = REDUCTIONS
        .iter()
        .flat_map(|&r| shapes.iter().map(move |s| (r, *s)))
        .map(|(r, s)| sample(r, s))
        .collect();
    all.push(sample(Reduction::Sum, &[0]));
    all.push(sample(Reduction::None, &[2, 0]));
    all
}

fn normalisations(op: impl Into<Op>, x: &[usize], parameters: &[&[usize]]) -> Vec<Sample> {
    let op = op.into();
    let with = |n: usize| {
        let shapes: Vec<&[usize]> = [x].into_iter().chain(parameters[..n].iter().copied()).collect();
        parts(op.clone(), &shapes)
    };
    (0..=parameters.len()).map(with).collect()
}

pub(super) fn samples(op: &Op) -> Option<Vec<Sample>> {
    layers(op).or_else(|| windows(op)).or_else(|| all_losses(op))
}

fn layers(op: &Op) -> Option<Vec<Sample>> {
    let far = || numbers(&[700.0, 690.0, -900.0]);
    let norm_shape = |shape: &[usize]| -> crate::shape::Shape { shape.into() };
    Some(match op {
        Op::Linear(_) => vec![
            parts(Linear {}, &[&[2, 3], &[4, 3], &[4]]),
            parts(Linear {}, &[&[3], &[2, 3]]),
            parts(Linear {}, &[&[2, 2, 3], &[1, 3], &[1]]),
            parts(Linear {}, &[&[0, 3], &[2, 3], &[2]]),
        ],
        Op::Softmax(_) => vec![
            parts(Softmax { axis: -1 }, &[&[2, 4]]),
            parts(Softmax { axis: 0 }, &[&[3, 2]]),
            parts(Softmax { axis: 0 }, &[&[1]]),
            Sample::new(Softmax { axis: 0 }, vec![far()]).rough(),
        ],
        Op::LogSoftmax(_) => vec![
            parts(LogSoftmax { axis: -1 }, &[&[2, 4]]),
            parts(LogSoftmax { axis: 1 }, &[&[2, 3, 2]]),
            Sample::new(LogSoftmax { axis: 0 }, vec![far()]).rough(),
        ],
        Op::LayerNorm(_) => {
            let op = |shape, eps| LayerNorm { normalized_shape: norm_shape(shape), eps };
            let mut all = normalisations(op(&[4], 1e-5), &[3, 4], &[&[4], &[4]]);
            all.extend(normalisations(op(&[2, 3], 1e-3), &[2, 2, 3], &[&[2, 3], &[2, 3]]));
            all
        }
        Op::RmsNorm(_) => {
            normalisations(RmsNorm { normalized_shape: norm_shape(&[4]), eps: 1e-5 }, &[3, 4], &[&[4]])
        }
        Op::BatchNorm(_) => {
            let mut all = normalisations(BatchNorm { eps: 1e-5 }, &[4, 3], &[&[3], &[3]]);
            all.extend(normalisations(BatchNorm { eps: 1e-5 }, &[2, 3, 2], &[&[3], &[3]]));
            all
        }
        Op::GroupNorm(_) => normalisations(GroupNorm { num_groups: 2, eps: 1e-5 }, &[2, 4, 3], &[&[4], &[4]]),
        Op::Attention(_) => {
            let mut masked = parts(Attention::default(), &[&[2, 2], &[3, 2], &[3, 2]]);
            masked.args.push(mask(&[2, 3], &[true, false, true, true, true, false]));
            vec![
                parts(Attention::default(), &[&[3, 2], &[3, 2], &[3, 2]]),
                parts(Attention { is_causal: true, scale: None }, &[&[3, 2], &[3, 2], &[3, 2]]),
                parts(
                    Attention { is_causal: false, scale: Some(0.3) },
                    &[&[2, 3, 2], &[2, 4, 2], &[2, 4, 3], &[3, 4]],
                ),
                masked,
            ]
        }
        Op::LstmCell(_) => vec![
            parts(LstmCell {}, &[&[2, 3], &[2, 2], &[2, 2], &[8, 3], &[8, 2], &[8], &[8]]),
            parts(LstmCell {}, &[&[1, 1], &[1, 1], &[1, 1], &[4, 1], &[4, 1]]),
        ],
        Op::GruCell(_) => vec![
            parts(GruCell {}, &[&[2, 3], &[2, 2], &[6, 3], &[6, 2], &[6], &[6]]),
            parts(GruCell {}, &[&[1, 1], &[1, 1], &[3, 1], &[3, 1]]),
        ],
        Op::RnnCell(_) => vec![
            parts(RnnCell {}, &[&[2, 3], &[2, 2], &[2, 3], &[2, 2], &[2], &[2]]),
            parts(RnnCell {}, &[&[1, 1], &[1, 1], &[1, 1], &[1, 1]]),
        ],
        _ => return None,
    })
}

fn windows(op: &Op) -> Option<Vec<Sample>> {
    let conv = |stride: &[isize], padding: &[isize], dilation: &[isize], groups| Conv {
        rank: stride.len(),
        stride: ax(stride),
        padding: ax(padding),
        dilation: ax(dilation),
        groups,
    };
    let transposed = |stride: &[isize], padding: &[isize], output: &[isize], groups| ConvTranspose {
        rank: stride.len(),
        stride: ax(stride),
        padding: ax(padding),
        dilation: ax(&[1, 1][..stride.len()]),
        output_padding: ax(output),
        groups,
    };
    let max_pool = |kernel: &[isize], stride: &[isize], padding: &[isize], dilation: &[isize]| MaxPool {
        rank: kernel.len(),
        kernel: ax(kernel),
        stride: ax(stride),
        padding: ax(padding),
        dilation: ax(dilation),
    };
    let average = |kernel: &[isize], stride: &[isize], padding: &[isize], count_include_pad| AvgPool {
        rank: kernel.len(),
        kernel: ax(kernel),
        stride: ax(stride),
        padding: ax(padding),
        count_include_pad,
    };
    Some(match op {
        Op::Conv(_) => vec![
            parts(conv(&[1], &[0], &[1], 1), &[&[2, 2, 5], &[3, 2, 2], &[3]]),
            parts(conv(&[2], &[1], &[2], 2), &[&[1, 2, 6], &[2, 1, 2]]),
            parts(conv(&[1, 1], &[1, 0], &[1, 1], 1), &[&[1, 2, 3, 4], &[2, 2, 2, 2], &[2]]),
            parts(conv(&[2, 1], &[1, 1], &[1, 2], 2), &[&[2, 2, 4, 4], &[4, 1, 2, 2]]),
        ],
        Op::ConvWeight(_) => {
            let Conv { rank, stride, padding, dilation, groups } = conv(&[1], &[0], &[1], 1);
            let kernel = [2].into_iter().collect();
            vec![parts(
                ConvWeight { rank, kernel, stride, padding, dilation, groups },
                &[&[2, 2, 5], &[2, 3, 4]],
            )]
        }
        Op::ConvTranspose(_) => vec![
            parts(transposed(&[1], &[0], &[0], 1), &[&[2, 2, 3], &[2, 3, 2], &[3]]),
            parts(transposed(&[2], &[1], &[1], 2), &[&[1, 2, 4], &[2, 1, 3]]),
            parts(transposed(&[2, 1], &[0, 1], &[1, 0], 1), &[&[1, 2, 2, 3], &[2, 2, 2, 2], &[2]]),
        ],
        Op::MaxPool(_) => vec![
            parts(max_pool(&[2], &[2], &[0], &[1]), &[&[2, 2, 6]]),
            parts(max_pool(&[2, 2], &[1, 2], &[1, 0], &[1, 1]), &[&[1, 2, 4, 4]]),
            parts(max_pool(&[2, 2], &[2, 1], &[0, 1], &[2, 1]), &[&[1, 1, 5, 4]]),
            Sample::new(max_pool(&[2], &[1], &[0], &[1]), vec![array(&[1, 1, 3], &[1.0; 3])]).rough(),
        ],
        Op::PoolScatter(_) => vec![Sample::new(
            PoolScatter { size: [6].into_iter().collect() },
            vec![real(&[1, 2, 3]), index(&[1, 2, 3], &[0, 5, 5, 1, 2, 3])],
        )],
        Op::PoolGather(_) => {
            let at = index(&[1, 2, 3], &[0, 5, 5, 1, 2, 3]);
            vec![Sample::new(PoolGather {}, vec![real(&[1, 2, 6]), at])]
        }
        Op::AvgPool(_) => vec![
            parts(average(&[2, 2], &[2, 2], &[0, 0], true), &[&[1, 2, 4, 4]]),
            parts(average(&[2, 3], &[1, 2], &[1, 1], true), &[&[2, 1, 3, 5]]),
            parts(average(&[2, 3], &[1, 2], &[1, 1], false), &[&[2, 1, 3, 5]]),
            parts(average(&[3], &[2], &[1], false), &[&[2, 2, 5]]),
        ],
        Op::AvgPoolAdjoint(_) => {
            let AvgPool { rank, kernel, stride, padding, count_include_pad } =
                average(&[2, 2], &[2, 2], &[0, 0], true);
            let size = [4, 4].into_iter().collect();
            vec![parts(
                AvgPoolAdjoint { rank, size, kernel, stride, padding, count_include_pad },
                &[&[1, 2, 2, 2]],
            )]
        }
        _ => return None,
    })
}

fn all_losses(op: &Op) -> Option<Vec<Sample>> {
    Some(match op {
        Op::CrossEntropy(_) => {
            let mut all = Vec::new();
            for reduction in REDUCTIONS {
                let op = CrossEntropy { reduction, label_smoothing: 0.1, ignore_index: -100 };
                let (targets, weights) = (index(&[4], &[2, 0, -100, 1]), within(0.2, 1.0, &[3]));
                all.push(Sample::new(op.clone(), vec![real(&[4, 3]), targets, weights]));
                all.push(Sample::new(op.clone(), vec![real(&[3]), index(&[], &[1])]));
                let plain = CrossEntropy { label_smoothing: 0.0, ..op };
                all.push(Sample::new(plain, vec![real(&[2, 3, 2]), index(&[2, 2], &[2, 0, 1, 1])]));
            }
            all
        }
        Op::NllLoss(_) => {
            let mut all = Vec::new();
            for reduction in REDUCTIONS {
                let op = NllLoss { reduction, ignore_index: 1 };
                let (targets, weights) = (index(&[4], &[2, 0, 1, 2]), within(0.2, 1.0, &[3]));
                all.push(Sample::new(op.clone(), vec![real(&[4, 3]), targets, weights]));
                all.push(Sample::new(op, vec![real(&[2, 3, 2]), index(&[2, 2], &[2, 0, 1, 2])]));
            }
            all
        }
        Op::MseLoss(_) => losses(|reduction| MseLoss { reduction }, (-1.0, 1.0), (-1.0, 1.0)),
        Op::L1Loss(_) => losses(|reduction| L1Loss { reduction }, (-1.0, 1.0), (1.1, 2.0)),
        Op::HuberLoss(_) => losses(|reduction| HuberLoss { reduction, delta: 0.9 }, (-2.0, 2.0), (-0.3, 0.1)),
        Op::SmoothL1Loss(_) => {
            losses(|reduction| SmoothL1Loss { reduction, beta: 0.9 }, (-2.0, 2.0), (-0.3, 0.1))
        }
        Op::BceLoss(_) => losses(|reduction| BceLoss { reduction }, (0.1, 0.9), (0.15, 0.8)),
        Op::BceWithLogits(_) => {
            let mut all = losses(|reduction| BceWithLogits { reduction }, (-2.0, 2.0), (0.1, 0.9));
            all.push(parts(BceWithLogits::default(), &[&[2, 3], &[2, 3], &[3]]));
            all
        }
        Op::KlDiv(_) => {
            let mut all =
                losses(|reduction| KlDiv { reduction, log_target: false }, (-2.0, -0.1), (0.1, 0.9));
            let logarithms = |reduction| KlDiv { reduction, log_target: true };
            all.extend(losses(logarithms, (-2.0, -0.1), (-2.0, -0.1)));
            let batch = KlDiv { reduction: Reduction::BatchMean, log_target: false };
            all.push(Sample::new(batch, vec![real(&[2, 3]), within(0.1, 0.9, &[2, 3])]).distinct());
            all
        }
        _ => return None,
    })
}
