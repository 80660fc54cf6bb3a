use ndarray::{Array4, ArrayD, ArrayView4, Ix4};

use crate::op::*;
use crate::ops::testing::{check_derivatives, random};
use crate::{ErrorKind, Graph, Var};

/// Stride, padding, dilation and groups of 2-d convolutions, with input and weight that they fit.
fn geometries() -> Vec<(ConvOptions<2>, [usize; 4], [usize; 4])> {
    let default = ConvOptions::<2>::default();
    vec![
        (default, [2, 3, 4, 5], [2, 3, 2, 3]),
        (ConvOptions { stride: [2, 3], padding: [1, 0], ..default }, [1, 2, 6, 7], [4, 2, 3, 2]),
        (ConvOptions { dilation: [2, 1], padding: [2, 1], groups: 2, ..default }, [2, 4, 5, 4], [2, 2, 3, 3]),
        (ConvOptions { stride: [9, 1], ..default }, [1, 1, 4, 3], [1, 1, 2, 3]),
        (ConvOptions { padding: [1, 1], ..default }, [0, 2, 3, 3], [2, 2, 3, 3]),
        (default, [2, 0, 3, 3], [2, 0, 2, 2]),
        (default, [2, 2, 3, 3], [0, 2, 2, 2]),
    ]
}

fn naive(o: &ConvOptions<2>, x: ArrayView4<'_, f64>, w: ArrayView4<'_, f64>) -> Array4<f64> {
    let ((n, _, height, width), (co, cig, kh, kw)) = (x.dim(), w.dim());
    let size =
        |n: usize, k: usize, a: usize| (n + 2 * o.padding[a] - o.dilation[a] * (k - 1) - 1) / o.stride[a] + 1;
    Array4::from_shape_fn((n, co, size(height, kh, 0), size(width, kw, 1)), |(n, c, i, j)| {
        let mut sum = 0.0;
        for ((k, a, b), w) in w.index_axis(ndarray::Axis(0), c).indexed_iter() {
            let row = (i * o.stride[0] + a * o.dilation[0]).wrapping_sub(o.padding[0]);
            let column = (j * o.stride[1] + b * o.dilation[1]).wrapping_sub(o.padding[1]);
            let channel = c / (co / o.groups) * cig + k;
            sum += x.get((n, channel, row, column)).map_or(0.0, |x| x * w);
        }
        sum
    })
}

fn close(have: &ArrayD<f64>, want: &ArrayD<f64>) {
    assert_eq!(have.shape(), want.shape());
    assert!(have.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12), "{have} against {want}");
}

#[test]
fn convolutions_agree_with_direct_loops_on_strided_arguments_too() {
    for (options, x_shape, w_shape) in geometries() {
        let (x, w) = (random(1, &x_shape), random(2, &w_shape));
        let want = naive(
            &options,
            x.view().into_dimensionality::<Ix4>().unwrap(),
            w.view().into_dimensionality().unwrap(),
        );
        let g = Graph::new();
        let back = |v: &ArrayD<f64>| {
            let turned = v.view().permuted_axes(&[3, 1, 0, 2][..]).as_standard_layout().into_owned();
            g.try_apply(&Permute { axes: [2, 1, 3, 0].into_iter().collect() }.into(), &[g.constant(turned)])
                .unwrap()[0]
        };
        for (x, w) in [(g.constant(x.clone()), g.constant(w.clone())), (back(&x), back(&w))] {
            let y = g.conv2d(x, w, None, options);
            close(&g.value(y).to_owned(), &want.clone().into_dyn());
        }
    }
}

#[test]
fn convolutions_have_derivatives_of_every_order() {
    for (options, x, w) in geometries() {
        check_derivatives(&[&x, &w, &w[..1]], &|g, v| g.conv2d(v[0], v[1], v[2], options));
    }
    let options = ConvOptions { stride: [2], padding: [1], dilation: [2], groups: 2 };
    check_derivatives(&[&[2, 4, 9], &[6, 2, 3]], &|g, v| g.conv1d(v[0], v[1], None, options));
}

#[test]
fn transposed_convolutions_have_derivatives_of_every_order() {
    let default = ConvTransposeOptions::<2>::default();
    let all = [
        (default, [2, 3, 2, 3], [3, 2, 2, 2]),
        (
            ConvTransposeOptions { stride: [2, 3], padding: [1, 1], output_padding: [1, 0], ..default },
            [1, 2, 3, 2],
            [2, 1, 3, 3],
        ),
        (ConvTransposeOptions { groups: 2, dilation: [1, 2], ..default }, [2, 4, 2, 2], [4, 1, 1, 2]),
        // Output padding that reaches the stride.
        (
            ConvTransposeOptions { dilation: [1, 3], output_padding: [0, 2], ..default },
            [1, 2, 2, 2],
            [2, 2, 2, 2],
        ),
        (
            ConvTransposeOptions {
                stride: [1, 2],
                padding: [2, 2],
                dilation: [2, 4],
                output_padding: [1, 3],
                ..default
            },
            [1, 2, 4, 2],
            [2, 1, 2, 3],
        ),
        (default, [0, 3, 2, 3], [3, 2, 2, 2]),
    ];
    for (options, x, w) in all {
        let channels = w[1] * options.groups;
        check_derivatives(&[&x, &w, &[channels]], &|g, v| g.conv_transpose2d(v[0], v[1], v[2], options));
    }
    let options = ConvTransposeOptions { stride: [3], output_padding: [2], ..Default::default() };
    check_derivatives(&[&[2, 2, 3], &[2, 2, 2]], &|g, v| g.conv_transpose1d(v[0], v[1], None, options));
}

#[test]
fn output_padding_beyond_the_stride_adds_bias_alone() {
    let g = Graph::new();
    let (x, w, b) =
        (g.constant(random(1, &[1, 1, 2])), g.constant(random(2, &[1, 1, 2])), g.constant(vec![7.0]));
    let options = ConvTransposeOptions { dilation: [3], output_padding: [2], ..Default::default() };
    let y = g.conv_transpose1d(x, w, b, options);
    assert_eq!(&g.shape(y)[..], [1, 1, 7]);
    assert_eq!(g.value(y).iter().skip(5).copied().collect::<Vec<_>>(), [7.0, 7.0]);
}

/// What padding cuts off the end comes back with an output padding, whether or not that reaches the stride.
#[test]
fn output_padding_takes_back_from_the_padding() {
    let g = Graph::new();
    let (x, w) = (g.constant(random(1, &[2, 2, 5])), g.constant(random(2, &[2, 1, 3])));
    for (stride, dilation, padding, output_padding) in
        [(1, 3, 2, 1), (1, 3, 2, 2), (2, 4, 3, 3), (3, 2, 1, 1)]
    {
        let whole =
            ConvTransposeOptions { stride: [stride], dilation: [dilation], groups: 2, ..Default::default() };
        let cut = ConvTransposeOptions { padding: [padding], output_padding: [output_padding], ..whole };
        let (whole, cut) = (g.conv_transpose1d(x, w, None, whole), g.conv_transpose1d(x, w, None, cut));
        let end = g.shape(whole)[2] + output_padding - padding;
        let expected = g.slice(whole, 2, padding as isize..end as isize);
        close(&g.value(cut).to_owned(), &g.value(expected).to_owned());
    }
}

#[test]
fn the_third_derivative_closes_too() {
    // <u, conv(x, w)> is linear in w, so that its gradient to x is linear in w and that one's to w is constant.
    let g = Graph::new();
    let (x, w, u) =
        (g.leaf(random(1, &[1, 2, 5])), g.leaf(random(2, &[3, 2, 2])), g.leaf(random(3, &[1, 3, 4])));
    let form = g.sum(g.conv1d(x, w, None, ConvOptions::default()) * u);
    let dx = g.gradient(form, &[x]).unwrap()[0];
    let dxw = g.gradient(g.sum(dx * x), &[w]).unwrap()[0];
    let dxwu = g.gradient(g.sum(dxw * w), &[u]).unwrap()[0];
    // Three times around the form: d/du <x, d/dx <u, conv(x, w)>> = conv(x, w).
    let direct = g.conv1d(x, w, None, ConvOptions::default());
    close(&g.value(dxwu).to_owned(), &g.value(direct).to_owned());
}

#[test]
fn pools_have_derivatives_of_every_order() {
    let default = MaxPoolOptions::<2>::default();
    for options in [default, MaxPoolOptions { stride: Some([1, 2]), padding: [1, 0], dilation: [1, 2] }] {
        check_derivatives(&[&[2, 3, 6, 7]], &|g, v| g.max_pool2d(v[0], [2, 3], options));
    }
    let options = MaxPoolOptions { stride: Some([1]), ..Default::default() };
    check_derivatives(&[&[2, 3, 7]], &|g, v| g.max_pool1d(v[0], [3], options));
    for count_include_pad in [true, false] {
        let options = AvgPoolOptions { stride: Some([2, 1]), padding: [1, 1], count_include_pad };
        check_derivatives(&[&[2, 1, 5, 4]], &|g, v| g.avg_pool2d(v[0], [3, 2], options));
    }
    check_derivatives(&[&[0, 3, 4, 4]], &|g, v| g.max_pool2d(v[0], [2, 2], default));
}

fn refused(op: impl Into<Op>, shapes: &[&[usize]]) -> (ErrorKind, String) {
    let g = Graph::new();
    let args: Vec<Var> = shapes.iter().map(|shape| g.leaf(random(1, shape))).collect();
    let error = g.try_apply(&op.into(), &args).unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn what_does_not_fit_is_refused() {
    use ErrorKind::{InvalidAttribute, RankMismatch, ShapeMismatch};
    let axes = |values: &[isize]| values.iter().copied().collect();
    let axes_of = |n: usize| [n, n].into_iter().collect();
    let conv = |rank| Conv { rank, ..Conv::default() };
    let x: &[usize] = &[1, 2, 4, 4];
    let cases: Vec<(Op, Vec<&[usize]>, ErrorKind)> = vec![
        (conv(2).into(), vec![x, &[1, 3, 2, 2]], ShapeMismatch),
        (conv(2).into(), vec![x, &[1, 2, 5, 5]], ShapeMismatch),
        (conv(2).into(), vec![x, &[1, 2, 0, 2]], ShapeMismatch),
        (conv(2).into(), vec![x, &[1, 2, 2, 2], &[2]], ShapeMismatch),
        (conv(1).into(), vec![x, &[1, 2, 2, 2]], RankMismatch),
        (conv(3).into(), vec![x, &[1, 2, 2, 2]], InvalidAttribute),
        (conv(2).into(), vec![x], InvalidAttribute),
        (Conv { groups: 0, ..conv(2) }.into(), vec![x, &[1, 2, 2, 2]], InvalidAttribute),
        (Conv { groups: 2, ..conv(2) }.into(), vec![x, &[3, 1, 2, 2]], ShapeMismatch),
        (Conv { groups: usize::MAX, ..conv(2) }.into(), vec![x, &[0, 2, 2, 2]], ShapeMismatch),
        (
            ConvTranspose { groups: usize::MAX, ..ConvTranspose::default() }.into(),
            vec![&[1, 0, 4, 4], &[0, 2, 2, 2]],
            InvalidAttribute,
        ),
        (
            AvgPoolAdjoint { size: axes_of(usize::MAX), ..AvgPoolAdjoint::default() }.into(),
            vec![x],
            InvalidAttribute,
        ),
        (Conv { stride: axes(&[0, 1]), ..conv(2) }.into(), vec![x, &[1, 2, 2, 2]], InvalidAttribute),
        (Conv { stride: axes(&[1]), ..conv(2) }.into(), vec![x, &[1, 2, 2, 2]], InvalidAttribute),
        (
            Conv { padding: axes(&[isize::MAX, 0]), ..conv(2) }.into(),
            vec![x, &[1, 2, 2, 2]],
            InvalidAttribute,
        ),
        (Conv { padding: axes(&[-1, 0]), ..conv(2) }.into(), vec![x, &[1, 2, 2, 2]], InvalidAttribute),
        (
            ConvTranspose { output_padding: axes(&[1, 0]), ..ConvTranspose::default() }.into(),
            vec![x, &[2, 1, 2, 2]],
            InvalidAttribute,
        ),
        (
            ConvTranspose { padding: axes(&[3, 0]), ..ConvTranspose::default() }.into(),
            vec![x, &[2, 1, 2, 2]],
            ShapeMismatch,
        ),
        (ConvTranspose::default().into(), vec![&[1, 2, 0, 3], &[2, 1, 2, 2]], ShapeMismatch),
        (MaxPool { kernel: axes(&[5, 1]), ..MaxPool::default() }.into(), vec![x], ShapeMismatch),
        (
            MaxPool { kernel: axes(&[2, 2]), padding: axes(&[2, 0]), ..MaxPool::default() }.into(),
            vec![x],
            InvalidAttribute,
        ),
        (
            MaxPool { kernel: axes(&[2, 2]), padding: axes(&[1, 1]), ..MaxPool::default() }.into(),
            vec![&[1, 2, 0, 4]],
            ShapeMismatch,
        ),
        (
            AvgPool { kernel: axes(&[2, 2]), padding: axes(&[1, 1]), ..AvgPool::default() }.into(),
            vec![&[1, 2, 4, 0]],
            ShapeMismatch,
        ),
        (MaxPool::default().into(), vec![x], InvalidAttribute),
        (AvgPool { kernel: axes(&[0, 2]), ..AvgPool::default() }.into(), vec![x], InvalidAttribute),
        (AvgPool { kernel: axes(&[2, 2]), ..AvgPool::default() }.into(), vec![&[2, 4, 4]], RankMismatch),
    ];
    for (op, shapes, kind) in cases {
        let (have, message) = refused(op.clone(), &shapes);
        assert_eq!(have, kind, "{op:?}: {message}");
    }
    let (_, message) = refused(conv(1), &[&[1, 2, 3], &[1, 2, 5]]);
    let want = "conv1d: [1, 2, 3] x [1, 2, 5]: a kernel of length 5 does not fit an input of length 3";
    assert!(message.starts_with(want), "{message}");
}
