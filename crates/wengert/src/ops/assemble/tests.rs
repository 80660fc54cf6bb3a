use ndarray::{ArrayD, IxDyn, array};
use smallvec::smallvec;

use crate::error::ErrorKind::{self, *};
use crate::graph::Graph;
use crate::op::*;
use crate::var::Var;

fn counted(shape: &[usize]) -> ArrayD<f64> {
    let mut n = 0.0;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        n += 1.0;
        n
    })
}

#[test]
fn slices_are_those_of_python() {
    let end = |n: isize, end: Option<isize>, or: isize| match end {
        None => or,
        Some(e) if e < -n => 0,
        Some(e) if e < 0 => e + n,
        Some(e) => e.min(n),
    };
    let ends: Vec<Option<isize>> =
        (-6..=6).map(Some).chain([None, Some(isize::MIN), Some(isize::MAX)]).collect();
    for n in 0..5 {
        let g = Graph::new();
        let x = g.leaf(counted(&[n as usize]));
        for (&start, &stop) in ends.iter().flat_map(|a| ends.iter().map(move |b| (a, b))) {
            for step in [1, 2, 3, isize::MAX] {
                let y = g.try_apply(&Slice { axis: -1, start, stop, step }.into(), &[x]).unwrap()[0];
                let range = end(n, start, 0)..end(n, stop, n);
                let want: Vec<f64> = range.step_by(step as usize).map(|i| (i + 1) as f64).collect();
                assert_eq!(
                    g.value(y).iter().copied().collect::<Vec<_>>(),
                    want,
                    "{n}: {start:?} {stop:?} {step}"
                );
            }
        }
    }
}

#[test]
#[allow(clippy::reversed_empty_ranges)]
fn ranges_of_rust_are_slices() {
    let g = Graph::new();
    let x = g.leaf(array![0.0, 1.0, 2.0, 3.0, 4.0]);
    let elements = |v: Var| g.value(v).iter().map(|&x| x as i32).collect::<Vec<_>>();
    assert_eq!(elements(g.slice(x, 0, ..)), [0, 1, 2, 3, 4]);
    assert_eq!(elements(g.slice(x, 0, ..=-1)), [0, 1, 2, 3, 4]);
    assert_eq!(elements(g.slice(x, 0, 1..=-2)), [1, 2, 3]);
    assert_eq!(elements(g.slice(x, 0, -2..)), [3, 4]);
    assert_eq!(elements(g.slice_step(x, 0, 1.., 2)), [1, 3]);
    assert_eq!(elements(g.narrow(x, -1, 1, 3)), [1, 2, 3]);
}

#[test]
#[should_panic(expected = "narrow: [5]: positions 3..6 leave axis 0 of length 5")]
fn narrow_takes_no_fewer() {
    let g = Graph::new();
    let x = g.leaf(counted(&[5]));
    g.narrow(x, 0, 3, 3);
}

/// Joined arrays against ndarray's own joining, their cotangents against its splitting.
#[test]
fn joining_and_its_cotangents() {
    let shapes: [&[&[usize]]; 4] =
        [&[&[2, 3], &[2, 1], &[2, 0]], &[&[2], &[1], &[1]], &[&[0, 2], &[0, 3]], &[&[2, 1, 2], &[2, 3, 2]]];
    for shapes in shapes {
        let axis = usize::from(shapes[0].len() > 1);
        let arrays: Vec<ArrayD<f64>> = shapes.iter().map(|s| counted(s)).collect();
        let views: Vec<_> = arrays.iter().map(|a| a.view()).collect();
        let want = ndarray::concatenate(ndarray::Axis(axis), &views).unwrap();
        check(&arrays, &Concat { axis: axis as isize }.into(), &want, |y_bar, k| {
            let start: usize = arrays[..k].iter().map(|a| a.shape()[axis]).sum();
            y_bar.slice_axis(ndarray::Axis(axis), (start..start + arrays[k].shape()[axis]).into()).to_owned()
        });
    }
    for (shape, axis) in [(&[2, 3][..], -1isize), (&[2, 3], 1), (&[], 0), (&[1], -2), (&[0, 2], 0)] {
        let arrays = [counted(shape), counted(shape) * 2.0, counted(shape) - 1.0];
        let views: Vec<_> = arrays.iter().map(|a| a.view()).collect();
        let at = ndarray::Axis(axis.rem_euclid(shape.len() as isize + 1) as usize);
        let want = ndarray::stack(at, &views).unwrap();
        check(&arrays, &Stack { axis }.into(), &want, |y_bar, k| y_bar.index_axis(at, k).to_owned());
    }
}

fn check(
    arrays: &[ArrayD<f64>],
    op: &Op,
    want: &ArrayD<f64>,
    part: impl Fn(&ArrayD<f64>, usize) -> ArrayD<f64>,
) {
    let mut g = Graph::new();
    let xs: Vec<Var> = arrays.iter().map(|a| g.leaf(a.clone())).collect();
    let y = g.try_apply(op, &xs).unwrap()[0];
    assert_eq!(g.value(y), want, "{op:?}");
    let y_bar = counted(want.shape()) * 0.5;
    let recorded = g.gradient_with(y, g.constant(y_bar.clone()), &xs).unwrap();
    g.backward_with(y, &y_bar).unwrap();
    for (k, (&x, &r)) in xs.iter().zip(&recorded).enumerate() {
        assert_eq!(g.grad(x).unwrap(), part(&y_bar, k), "{op:?}");
        assert_eq!(g.value(r), part(&y_bar, k), "{op:?}, recorded");
    }
    let tangent = g.tangent(y, &[(xs[0], g.constant(arrays[0].clone()))]).unwrap();
    let rest: Vec<Var> = arrays[1..].iter().map(|a| g.constant(ArrayD::zeros(a.raw_dim()))).collect();
    let alone = g.try_apply(op, &[&xs[..1], &rest].concat()).unwrap()[0];
    assert_eq!(g.value(tangent), g.value(alone));
}

#[test]
fn a_split_is_views_and_their_cotangents_meet() {
    let mut g = Graph::new();
    let x = g.leaf(counted(&[2, 5]));
    let pieces = g.split(x, &[1, 0, 4], -1);
    assert_eq!(pieces.iter().map(|&p| g.shape(p)[1]).collect::<Vec<_>>(), [1, 0, 4]);
    assert_eq!(g.value(pieces[2]).as_ptr(), g.value(x).slice(ndarray::s![.., 1..]).as_ptr());
    let y = g.sum(pieces[0] * pieces[2]);
    g.backward(y).unwrap();
    assert_eq!(g.grad(x).unwrap(), array![[14.0, 1.0, 1.0, 1.0, 1.0], [34.0, 6.0, 6.0, 6.0, 6.0]].into_dyn());
}

/// Zeros are put, not multiplied: what is cut off may be infinite, here and in the cotangent.
#[test]
fn nothing_leaks_from_what_is_cut_off() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let mut g = Graph::new();
    let x = g.leaf(array![[1.0, inf], [2.0, nan]]);
    let y = g.tril(x, -1);
    assert_eq!(g.value(y), array![[0.0, 0.0], [2.0, 0.0]].into_dyn());
    g.backward_with(y, array![[nan, inf], [3.0, nan]]).unwrap();
    assert_eq!(g.grad(x).unwrap(), array![[0.0, 0.0], [3.0, 0.0]].into_dyn());
    let t = g.trace(g.tril(x, -1));
    assert_eq!(g.item(t), 0.0);
}

#[test]
fn padding_by_a_constant_is_affine() {
    let mut g = Graph::new();
    let x = g.leaf(array![1.0, 2.0]);
    let y = g.pad(x * x, &[(1, 2)], -3.0);
    assert_eq!(g.value(y), array![-3.0, 1.0, 4.0, -3.0, -3.0].into_dyn());
    let y_dot = g.tangent(y, &[(x, g.constant(array![1.0, 10.0]))]).unwrap();
    assert_eq!(g.value(y_dot), array![0.0, 2.0, 40.0, 0.0, 0.0].into_dyn());
    g.backward_with(y, array![9.0, 1.0, 10.0, 9.0, 9.0]).unwrap();
    assert_eq!(g.grad(x).unwrap(), array![2.0, 40.0].into_dyn());
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let huge = isize::MAX;
    let slice = |axis, step| Op::from(Slice { axis, start: None, stop: None, step });
    let pad = |mode, widths: &[(isize, isize)]| Op::from(Pad { widths: widths.into(), mode, value: 0.0 });
    let into =
        |shape: &[usize], axis, start, step| Op::from(SliceInto { shape: shape.into(), axis, start, step });
    let cases: Vec<(Op, &[&[usize]], ErrorKind)> = vec![
        (slice(1, 1), &[&[3]], AxisOutOfRange),
        (slice(0, 1), &[&[]], AxisOutOfRange),
        (slice(0, 0), &[&[3]], InvalidAttribute),
        (slice(0, -1), &[&[3]], InvalidAttribute),
        (slice(0, 1), &[&[3], &[3]], InvalidAttribute),
        (Select { axis: 0, index: 0 }.into(), &[&[0, 2]], IndexOutOfRange),
        (Select { axis: 0, index: -4 }.into(), &[&[3]], IndexOutOfRange),
        (Select { axis: 0, index: huge }.into(), &[&[3]], IndexOutOfRange),
        (Select { axis: -2, index: 0 }.into(), &[&[3]], AxisOutOfRange),
        (into(&[4], 1, 0, 1), &[&[4]], AxisOutOfRange),
        (into(&[4], usize::MAX, 0, 1), &[&[4]], AxisOutOfRange),
        (into(&[4], 0, 0, 0), &[&[4]], InvalidAttribute),
        (into(&[4], 0, 1, 1), &[&[4]], ShapeMismatch),
        (into(&[4], 0, 0, usize::MAX), &[&[4]], ShapeMismatch),
        (into(&[4, 2], 0, 0, 1), &[&[4]], ShapeMismatch),
        (Concat { axis: 0 }.into(), &[], InvalidAttribute),
        (Concat { axis: 0 }.into(), &[&[], &[]], RankMismatch),
        (Concat { axis: 0 }.into(), &[&[2], &[2, 1]], RankMismatch),
        (Concat { axis: 2 }.into(), &[&[2, 3], &[2, 3]], AxisOutOfRange),
        (Concat { axis: 1 }.into(), &[&[2, 3], &[3, 3]], ShapeMismatch),
        (Stack { axis: 0 }.into(), &[], InvalidAttribute),
        (Stack { axis: 0 }.into(), &[&[2], &[1]], ShapeMismatch),
        (Stack { axis: 2 }.into(), &[&[2], &[2]], AxisOutOfRange),
        (Split { sizes: smallvec![], axis: 0 }.into(), &[&[0]], InvalidAttribute),
        (Split { sizes: smallvec![2, 2], axis: 0 }.into(), &[&[5]], ShapeMismatch),
        (Split { sizes: smallvec![usize::MAX, 6], axis: 0 }.into(), &[&[5]], ShapeMismatch),
        (Split { sizes: smallvec![1, 1], axis: 1 }.into(), &[&[2]], AxisOutOfRange),
        (pad(PadMode::Constant, &[(1, 1)]), &[&[2, 2]], InvalidAttribute),
        (pad(PadMode::Constant, &[(-1, 1)]), &[&[2]], InvalidAttribute),
        (pad(PadMode::Constant, &[(huge, huge)]), &[&[2]], InvalidAttribute),
        (pad(PadMode::Reflect, &[(1, 0)]), &[&[0]], InvalidAttribute),
        (Flip { axes: smallvec![0, -2] }.into(), &[&[2, 2]], DuplicateAxis),
        (Flip { axes: smallvec![1] }.into(), &[&[2]], AxisOutOfRange),
        (Roll { shifts: smallvec![1, 2], axes: smallvec![0] }.into(), &[&[2]], InvalidAttribute),
        (Roll { shifts: smallvec![1], axes: smallvec![1] }.into(), &[&[2]], AxisOutOfRange),
        (Tril { k: 0 }.into(), &[&[2]], RankMismatch),
        (Triu { k: 0 }.into(), &[&[]], RankMismatch),
        (Diag { k: 0 }.into(), &[&[2, 2, 2]], RankMismatch),
        (Diag { k: isize::MIN }.into(), &[&[2]], InvalidAttribute),
        (DiagInto { shape: smallvec![2, 2], k: 1 }.into(), &[&[2]], ShapeMismatch),
        (Trace {}.into(), &[&[2]], RankMismatch),
        (Tile { reps: smallvec![usize::MAX] }.into(), &[&[2]], InvalidAttribute),
        (RepeatInterleave { repeats: usize::MAX, axis: 0 }.into(), &[&[2]], InvalidAttribute),
        (RepeatInterleave { repeats: usize::MAX, axis: 0 }.into(), &[&[0, 3]], InvalidAttribute),
        (RepeatInterleave { repeats: 1, axis: 0 }.into(), &[&[]], AxisOutOfRange),
        (Reshape { shape: smallvec![huge, 4, 2] }.into(), &[&[8]], ShapeMismatch),
        (Reshape { shape: smallvec![0, -1] }.into(), &[&[0]], ShapeMismatch),
        (Reshape { shape: smallvec![-1, -1] }.into(), &[&[4]], InvalidAttribute),
        (BroadcastTo { shape: smallvec![1 << 40, 1 << 40] }.into(), &[&[1]], InvalidAttribute),
        (Squeeze { axes: Some(smallvec![0]) }.into(), &[&[2]], ShapeMismatch),
        (Unsqueeze { axis: 2 }.into(), &[&[]], AxisOutOfRange),
    ];
    for (op, shapes, kind) in cases {
        let g = Graph::new();
        let xs: Vec<Var> = shapes.iter().map(|s| g.leaf(counted(s))).collect();
        let nodes = g.node_count();
        let refused = g.try_apply(&op, &xs).expect_err(&format!("{op:?} of {shapes:?}"));
        assert_eq!(refused.kind(), kind, "{op:?} of {shapes:?}: {refused}");
        assert_eq!(g.node_count(), nodes, "{op:?} left something behind");
    }
}

#[test]
fn joined_arrays_are_of_one_type() {
    let g = Graph::new();
    let (x, i, j) = (g.leaf([1.0, 2.0]), g.indices([1, 2]), g.indices([3]));
    assert_eq!(g.try_apply(&Concat { axis: 0 }.into(), &[x, i]).unwrap_err().kind(), DtypeMismatch);
    assert_eq!(g.value_i64(g.concat(&[i, j], 0)), array![1, 2, 3].into_dyn());
    let m = g.mask([true, false]);
    assert_eq!(g.value_bool(g.stack(&[m, m], 1)), array![[true, true], [false, false]].into_dyn());
}

type View = fn(&Graph, Var) -> Var;
const VIEWS: &[View] = &[
    |g, x| g.reshape(x, &[-1]),
    |g, x| g.permute(x, &[1, 0]),
    |g, x| g.t(x),
    |g, x| g.broadcast_to(x, &[2, 3, 3]),
    |g, x| g.unsqueeze(x, 0),
    |g, x| g.squeeze(g.unsqueeze(x, -1)),
    |g, x| g.slice(x, 0, 1..),
    |g, x| g.slice_step(g.t(x), 0, .., 2),
    |g, x| g.select(x, -1, 1),
    |g, x| g.flip(x, &[0, 1]),
    |g, x| g.diag(x, 0),
    |g, x| g.diag(g.flip(x, &[1]), -1),
    |g, x| g.split(x, &[1, 2], 0)[1],
    |g, x| g.split(g.reshape(g.flip(g.flip(x, &[0]), &[0]), &[3, 3, 1]), &[1, 2], 0)[1],
];

/// A view of a leaf shows the new value when the leaf is overwritten: whoever read the old one through it is refused.
#[test]
fn a_leaf_overwritten_behind_a_view_is_noticed() {
    for (k, view) in VIEWS.iter().enumerate() {
        let mut g = Graph::new();
        let x = g.leaf(counted(&[3, 3]));
        let shown = view(&g, x);
        let (before, linear) = (g.sum(shown * shown), g.sum(shown));
        g.set_value(x, counted(&[3, 3]) * 2.0).unwrap();
        let after = g.sum(shown * shown);
        assert_eq!(g.item(after), 4.0 * g.item(before), "view {k} shows the new value");
        let refused = g.backward(before).unwrap_err();
        assert_eq!(refused.kind(), ModifiedValue, "view {k}: {refused}");
        assert!(g.grad(x).is_none(), "view {k}");
        assert_eq!(g.gradient(before, &[x]).unwrap_err().kind(), ModifiedValue, "view {k}");
        g.backward(linear).unwrap_or_else(|e| panic!("view {k}: a sum reads nothing: {e}"));
        g.backward(after).unwrap_or_else(|e| panic!("view {k}: recorded from the new value: {e}"));
    }
}

/// What copies keeps the old value, and a sweep through it stays right.
#[test]
fn a_leaf_overwritten_behind_a_copy_does_no_harm() {
    let copies: [View; 6] = [
        |g, x| g.concat(&[x, x], 0),
        |g, x| g.pad(x, &[(0, 1), (0, 0)], 0.0),
        |g, x| g.roll(x, &[1], &[0]),
        |g, x| g.tile(x, &[2]),
        |g, x| g.tril(x, 0),
        |g, x| g.reshape(g.t(x), &[-1]),
    ];
    for copy in copies {
        let mut g = Graph::new();
        let x = g.leaf(counted(&[3, 3]));
        let copied = copy(&g, x);
        let y = g.sum(copied * copied);
        g.backward(y).unwrap();
        let want = g.grad(x).unwrap().to_owned();
        g.zero_grad();
        g.set_value(x, counted(&[3, 3]) * 2.0).unwrap();
        g.backward(y).unwrap();
        assert_eq!(g.grad(x).unwrap(), want);
    }
}

/// Nothing repeated more often than can be counted is refused, or stays nothing; it does not overflow.
#[test]
fn nothing_repeated_very_often() {
    for reps in [usize::MAX, usize::MAX / 2, usize::MAX / 16, usize::MAX / 64, 1 << 40] {
        for times in [[1, reps], [reps, 1], [reps, reps], [reps, 0]] {
            let mut g = Graph::new();
            let x = g.leaf(ArrayD::<f64>::zeros(IxDyn(&[0, 3])));
            match g.try_apply(&crate::op::Tile { reps: times.as_slice().into() }.into(), &[x]) {
                Ok(y) => {
                    let total = g.sum(y[0]);
                    g.backward(total).unwrap();
                    assert_eq!(g.grad(x).unwrap().shape(), [0, 3]);
                }
                Err(error) => assert_eq!(error.kind(), crate::error::ErrorKind::InvalidAttribute),
            }
        }
    }
}
