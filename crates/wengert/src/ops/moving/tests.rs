//! An op that only moves elements is a map from each place of the result to a place of the argument, or to none. From
//! the map alone follow value, gradient, tangent and second derivative, and every op here is held to all four.

use ndarray::{ArrayD, Dimension, IxDyn};
use smallvec::smallvec;

use crate::expr::Expr;
use crate::graph::Graph;
use crate::op::*;
use crate::var::Var;

type Map = fn(&[usize]) -> Option<Vec<usize>>;

struct Case {
    op: Op,
    x: &'static [usize],
    y: &'static [usize],
    map: Map,
}

fn case(op: impl Into<Op>, x: &'static [usize], y: &'static [usize], map: Map) -> Case {
    Case { op: op.into(), x, y, map }
}

fn slice(axis: isize, start: Option<isize>, stop: Option<isize>, step: isize) -> Slice {
    Slice { axis, start, stop, step }
}

fn pad(mode: PadMode, widths: &[(isize, isize)]) -> Pad {
    Pad { widths: widths.into(), mode, value: 0.0 }
}

/// The place of element `n` of a row-major array of shape `[_, 3]`.
fn unravel3(n: usize) -> Option<Vec<usize>> {
    Some(vec![n / 3, n % 3])
}

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    vec![
        case(Reshape { shape: smallvec![3, -1] }, &[2, 3], &[3, 2], |i| unravel3(2 * i[0] + i[1])),
        case(Reshape { shape: smallvec![] }, &[1, 1], &[], |_| Some(vec![0, 0])),
        case(Reshape { shape: smallvec![0, 5] }, &[3, 0], &[0, 5], |_| None),
        case(Permute { axes: smallvec![2, 0, -2] }, &[2, 3, 4], &[4, 2, 3], |i| Some(vec![i[1], i[2], i[0]])),
        case(Permute { axes: smallvec![] }, &[], &[], |_| Some(vec![])),
        case(Transpose { axis0: 0, axis1: -1 }, &[2, 3, 4], &[4, 3, 2], |i| Some(vec![i[2], i[1], i[0]])),
        case(BroadcastTo { shape: smallvec![4, 2, 3] }, &[2, 1], &[4, 2, 3], |i| Some(vec![i[1], 0])),
        case(BroadcastTo { shape: smallvec![2, 2] }, &[], &[2, 2], |_| Some(vec![])),
        case(BroadcastTo { shape: smallvec![0, 3] }, &[1, 3], &[0, 3], |_| None),
        case(Squeeze { axes: None }, &[1, 3, 1], &[3], |i| Some(vec![0, i[0], 0])),
        case(Squeeze { axes: Some(smallvec![-1]) }, &[1, 3, 1], &[1, 3], |i| Some(vec![0, i[1], 0])),
        case(Unsqueeze { axis: -1 }, &[2, 3], &[2, 3, 1], |i| Some(vec![i[0], i[1]])),
        case(slice(-1, Some(-3), Some(9), 2), &[2, 5], &[2, 2], |i| Some(vec![i[0], 2 + 2 * i[1]])),
        case(slice(0, Some(1), Some(2), 7), &[2, 5], &[1, 5], |i| Some(vec![1, i[1]])),
        case(slice(0, Some(2), Some(1), 1), &[3, 2], &[0, 2], |_| None),
        case(Select { axis: 0, index: -1 }, &[3, 2], &[2], |i| Some(vec![2, i[0]])),
        case(Select { axis: -1, index: 1 }, &[2], &[], |_| Some(vec![1])),
        case(Select { axis: 0, index: 1 }, &[2, 0], &[0], |_| None),
        case(SliceInto { shape: smallvec![2, 6], axis: 1, start: 1, step: 2 }, &[2, 3], &[2, 6],
            |i| (i[1] % 2 == 1).then(|| vec![i[0], i[1] / 2])),
        case(SliceInto { shape: smallvec![3], axis: 0, start: 3, step: 1 }, &[0], &[3], |_| None),
        case(Flip { axes: smallvec![0, -1] }, &[2, 3, 4], &[2, 3, 4], |i| Some(vec![1 - i[0], i[1], 3 - i[2]])),
        case(Flip { axes: smallvec![0] }, &[3, 0], &[3, 0], |_| None),
        case(pad(PadMode::Constant, &[(1, 2), (0, 1)]), &[2, 3], &[5, 4],
            |i| ((1..3).contains(&i[0]) && i[1] < 3).then(|| vec![i[0] - 1, i[1]])),
        case(pad(PadMode::Edge, &[(1, 0), (0, 2)]), &[2, 3], &[3, 5],
            |i| Some(vec![i[0].saturating_sub(1), i[1].min(2)])),
        case(pad(PadMode::Reflect, &[(2, 1)]), &[3], &[6], |i| Some(vec![[2, 1, 0, 1, 2, 1][i[0]]])),
        // Farther than once, and about the only element, as numpy.pad.
        case(pad(PadMode::Reflect, &[(4, 3)]), &[2], &[9], |i| Some(vec![i[0] % 2])),
        case(pad(PadMode::Reflect, &[(1, 1)]), &[1], &[3], |_| Some(vec![0])),
        case(pad(PadMode::Edge, &[(0, 0)]), &[2], &[2], |i| Some(i.to_vec())),
        case(Roll { shifts: smallvec![-1, 5], axes: smallvec![0, 1] }, &[3, 4], &[3, 4],
            |i| Some(vec![(i[0] + 1) % 3, (i[1] + 3) % 4])),
        case(Roll { shifts: smallvec![1, 1], axes: smallvec![0, -1] }, &[3], &[3], |i| Some(vec![(i[0] + 1) % 3])),
        case(Roll { shifts: smallvec![3], axes: smallvec![0] }, &[0], &[0], |_| None),
        case(Tril { k: 1 }, &[2, 3, 4], &[2, 3, 4], |i| (i[2] <= i[1] + 1).then(|| i.to_vec())),
        case(Tril { k: -1 }, &[3, 2], &[3, 2], |i| (i[1] < i[0]).then(|| i.to_vec())),
        case(Tril { k: isize::MIN }, &[2, 2], &[2, 2], |_| None),
        case(Triu { k: -1 }, &[3, 3], &[3, 3], |i| (i[1] + 1 >= i[0]).then(|| i.to_vec())),
        case(Triu { k: isize::MAX }, &[2, 2], &[2, 2], |_| None),
        case(Triu { k: 0 }, &[2, 0], &[2, 0], |_| None),
        case(Diag { k: -1 }, &[2], &[3, 3], |i| (i[0] == i[1] + 1).then(|| vec![i[1]])),
        case(Diag { k: 1 }, &[3, 4], &[3], |i| Some(vec![i[0], i[0] + 1])),
        case(Diag { k: -2 }, &[3, 4], &[1], |_| Some(vec![2, 0])),
        case(Diag { k: 7 }, &[3, 4], &[0], |_| None),
        case(Diag { k: 0 }, &[0], &[0, 0], |_| None),
        case(DiagInto { shape: smallvec![2, 4], k: 2 }, &[2], &[2, 4], |i| (i[1] == i[0] + 2).then(|| vec![i[0]])),
        case(Tile { reps: smallvec![2, 1, 3] }, &[2, 2], &[2, 2, 6], |i| Some(vec![i[1], i[2] % 2])),
        case(Tile { reps: smallvec![2] }, &[2, 2, 2], &[2, 2, 4], |i| Some(vec![i[0], i[1], i[2] % 2])),
        case(Tile { reps: smallvec![0, 2] }, &[3], &[0, 6], |_| None),
        case(Tile { reps: smallvec![] }, &[], &[], |_| Some(vec![])),
        case(RepeatInterleave { repeats: 2, axis: 0 }, &[2, 3], &[4, 3], |i| Some(vec![i[0] / 2, i[1]])),
        case(RepeatInterleave { repeats: 3, axis: -1 }, &[2, 1, 2], &[2, 1, 6], |i| Some(vec![i[0], 0, i[2] / 3])),
        case(RepeatInterleave { repeats: 0, axis: 0 }, &[2], &[0], |_| None),
    ]
}

fn numbers(shape: &[usize], first: f64) -> ArrayD<f64> {
    let mut n = first;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        n += 1.0;
        n * if n % 3.0 == 0.0 { -0.5 } else { 0.25 }
    })
}

impl Case {
    /// What the map makes of `x`.
    fn moved(&self, x: &ArrayD<f64>) -> ArrayD<f64> {
        ArrayD::from_shape_fn(IxDyn(self.y), |i| (self.map)(i.slice()).map_or(0.0, |at| x[&at[..]]))
    }

    /// What the transposed map makes of `y_bar`.
    fn moved_back(&self, y_bar: &ArrayD<f64>) -> ArrayD<f64> {
        let mut x_bar = ArrayD::zeros(IxDyn(self.x));
        for (i, v) in y_bar.indexed_iter() {
            if let Some(at) = (self.map)(i.slice()) {
                x_bar[&at[..]] += *v;
            }
        }
        x_bar
    }

    fn apply(&self, g: &Graph, x: Var) -> Var {
        let y = g.try_apply(&self.op, &[x]).unwrap_or_else(|e| panic!("{:?}: {e}", self.op))[0];
        assert_eq!(&g.shape(y)[..], self.y, "{:?}", self.op);
        y
    }
}

/// The leaf as it is, and seen through views: reversed, and with its axes in reverse order.
fn disguises(g: &Graph, x: &ArrayD<f64>) -> Vec<(Var, Var)> {
    let plain = g.leaf(x.clone());
    let mut backwards = x.clone();
    let all: Vec<isize> = (0..x.ndim() as isize).collect();
    all.iter().for_each(|&k| backwards.invert_axis(ndarray::Axis(k as usize)));
    let reversed = g.leaf(backwards);
    let transposed = g.leaf(x.t().to_owned());
    let order: Vec<isize> = all.iter().rev().copied().collect();
    vec![(plain, plain), (reversed, g.flip(reversed, &all)), (transposed, g.permute(transposed, &order))]
}

#[test]
fn values_and_tangents_follow_the_map() {
    for case in cases() {
        let g = Graph::new();
        let x = numbers(case.x, 0.0);
        for (_, shown) in disguises(&g, &x) {
            let y = case.apply(&g, shown);
            assert_eq!(g.value(y), case.moved(&x), "{:?}", case.op);
        }
        let leaf = g.leaf(x);
        let y = case.apply(&g, leaf);
        let x_dot = numbers(case.x, 5.0);
        let y_dot = g.tangent(y, &[(leaf, g.constant(x_dot.clone()))]).unwrap();
        assert_eq!(g.value(y_dot), case.moved(&x_dot), "{:?}", case.op);
    }
}

#[test]
fn gradients_follow_the_transposed_map() {
    for case in cases() {
        let (x, u, w) = (numbers(case.x, 0.0), numbers(case.x, 2.0), numbers(case.y, 7.0));
        let want = &u + &case.moved_back(&w);
        // A second use of the argument, before the op and behind it: the kernel overwrites, or adds.
        for other_first in [false, true] {
            let mut g = Graph::new();
            for (_, shown) in disguises(&g, &x) {
                let x = g.retained(shown);
                let (u, w) = (g.constant(u.clone()), g.constant(w.clone()));
                let by_op = |g: &Graph| g.sum(case.apply(g, x) * w);
                let directly = |g: &Graph| g.sum(x * u);
                let parts = if other_first { [directly(&g), by_op(&g)] } else { [by_op(&g), directly(&g)] };
                let root = g.eval(parts[0] + parts[1]);
                let recorded = g.gradient(root, &[x]).unwrap()[0];
                assert_eq!(g.value(recorded), want, "{:?}, recorded", case.op);
                g.backward(root).unwrap();
                assert_eq!(g.grad(x).unwrap(), want, "{:?}", case.op);
            }
        }
    }
}

#[test]
fn second_derivatives_follow_the_map() {
    for case in cases() {
        let g = Graph::new();
        let (x, v, w) = (numbers(case.x, 0.0), numbers(case.x, 2.0), numbers(case.y, 7.0));
        let leaf = g.leaf(x);
        let y = case.apply(&g, leaf);
        let root = g.sum(y.powi(2) * g.constant(w.clone()));
        let slope = g.gradient(root, &[leaf]).unwrap()[0];
        let along = g.sum(slope * g.constant(v.clone()));
        let want = case.moved_back(&(2.0 * w * case.moved(&v)));
        if g.is_differentiable(along) {
            let curvature = g.gradient(along, &[leaf]).unwrap()[0];
            let difference = &g.value(curvature) - &want;
            assert!(difference.iter().all(|d| d.abs() < 1e-12), "{:?}: {difference}", case.op);
        } else {
            assert!(want.iter().all(|w| *w == 0.0), "{:?}", case.op);
        }
    }
}

impl Graph {
    /// `v`, with its gradient kept.
    fn retained(&mut self, v: Var) -> Var {
        self.retain_grad(v);
        v
    }
}

#[test]
fn indices_and_masks_move_alike() {
    for case in cases() {
        let g = Graph::new();
        let numbers = |shape: &[usize]| {
            let mut n = 0;
            ArrayD::from_shape_simple_fn(IxDyn(shape), || {
                n += 1;
                n
            })
        };
        let x = g.indices(numbers(case.x));
        let mask = g.mask(numbers(case.x).mapv(|n| n % 2 == 0));
        let moves_all = !matches!(case.op, Op::Pad(_) | Op::Tril(_) | Op::Triu(_) | Op::Diag(_))
            && !matches!(case.op, Op::SliceInto(_) | Op::DiagInto(_));
        match g.try_apply(&case.op, &[x]) {
            Ok(y) => {
                let want = case.moved(&numbers(case.x).mapv(|n| n as f64)).mapv(|n| n as i64);
                assert_eq!(g.value_i64(y[0]), want, "{:?}", case.op);
                let y = g.try_apply(&case.op, &[mask]).unwrap()[0];
                assert_eq!(g.value_bool(y), want.mapv(|n| n % 2 == 0), "{:?}", case.op);
            }
            Err(e) => assert!(!moves_all && e.kind() == crate::ErrorKind::DtypeMismatch, "{e}"),
        }
    }
}
