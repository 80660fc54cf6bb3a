use ndarray::{Array2, ArrayD, Dimension, IxDyn, array};

use crate::error::ErrorKind::{self, *};
use crate::expr::Expr;
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

/// Positions in `0..n`, with repetitions.
fn positions(shape: &[usize], n: i64) -> ArrayD<i64> {
    let mut state = 7;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        state = (state * 5 + 3) % 31;
        state % n
    })
}

/// Where the elements of `y = op(x, index)` come from: the picked place for a place of the result.
type Source = fn(&ArrayD<i64>, &[usize]) -> Vec<usize>;
type Axes = &'static [usize];

#[rustfmt::skip]
fn picks() -> Vec<(Op, Axes, Axes, Axes, Source)> {
    let select = |axis| Op::from(IndexSelect { axis });
    let gather = |axis| Op::from(Gather { axis });
    vec![
        (select(0), &[4], &[6], &[6], |i, y| vec![i[y[0]] as usize]),
        (select(0), &[4, 3], &[5], &[5, 3], |i, y| vec![i[y[0]] as usize, y[1]]),
        (select(-1), &[2, 3, 4], &[5], &[2, 3, 5], |i, y| vec![y[0], y[1], i[y[2]] as usize]),
        (select(1), &[2, 4, 3], &[0], &[2, 0, 3], |_, _| unreachable!()),
        (gather(0), &[4], &[6], &[6], |i, y| vec![i[y[0]] as usize]),
        (gather(0), &[4, 3], &[2, 2], &[2, 2], |i, y| vec![i[y] as usize, y[1]]),
        (gather(-1), &[3, 4], &[3, 7], &[3, 7], |i, y| vec![y[0], i[y] as usize]),
        (gather(1), &[2, 4, 3], &[1, 5, 2], &[1, 5, 2], |i, y| vec![y[0], i[y] as usize, y[2]]),
        (gather(1), &[3, 4], &[0, 2], &[0, 2], |_, _| unreachable!()),
        (Embedding {}.into(), &[4, 3], &[2, 5], &[2, 5, 3], |i, y| vec![i[&y[..2]] as usize, y[2]]),
        (Embedding {}.into(), &[4, 3], &[], &[3], |i, y| vec![i[[]] as usize, y[0]]),
        (Embedding {}.into(), &[4, 0], &[2], &[2, 0], |_, _| unreachable!()),
    ]
}

/// A pick that reads a view of the table by a view of the indices, against loops.
#[test]
fn picks_read_what_the_loop_reads() {
    for (op, x, index, y, source) in picks() {
        let mut g = Graph::new();
        let (x, index) = (counted(x), positions(index, 4));
        let leaf = g.leaf(x.t().to_owned());
        let order = |n: usize| (0..n as isize).rev().collect::<Vec<_>>();
        let table = g.permute(leaf, &order(x.ndim()));
        g.retain_grad(table);
        let shown = g.permute(g.indices(index.t()), &order(index.ndim()));
        let picked = g.try_apply(&op, &[table, shown]).unwrap()[0];
        let at = |i: &IxDyn| source(&index, i.slice());
        let want = ArrayD::from_shape_fn(IxDyn(y), |i| x[&at(&i)[..]]);
        assert_eq!(g.value(picked), want, "{op:?}");

        let y_bar = counted(y) * 0.5;
        let mut back = ArrayD::<f64>::zeros(x.raw_dim());
        y_bar.indexed_iter().for_each(|(i, v)| back[&at(&i)[..]] += *v);
        let u = counted(x.shape()) * 3.0;
        let root = g.eval(g.sum(picked * g.constant(y_bar.clone())) + g.sum(table * g.constant(u.clone())));
        let recorded = g.gradient(root, &[table]).unwrap()[0];
        assert_eq!(g.value(recorded), &back + &u, "{op:?}, recorded");
        g.backward(root).unwrap();
        assert_eq!(g.grad(table).unwrap(), &back + &u, "{op:?}");

        let tangent = g.tangent(picked, &[(table, g.constant(&x * 2.0))]).unwrap();
        assert_eq!(g.value(tangent), want * 2.0, "{op:?}, tangent");
    }
}

/// The gradient of half the squared norm of `y` is `P^T P x`, its directional derivative `P^T P v`.
#[test]
fn second_derivatives_of_picks() {
    for (op, x, index, _, _) in picks() {
        let g = Graph::new();
        let leaf = g.leaf(counted(x));
        let index = g.indices(positions(index, 4));
        let back = |v: Var| {
            let y = g.try_apply(&op, &[leaf, index]).unwrap()[0];
            let picked = g.try_apply(&op, &[v, index]).unwrap()[0];
            g.gradient_with(y, picked, &[leaf]).unwrap()[0]
        };
        let y = g.try_apply(&op, &[leaf, index]).unwrap()[0];
        let root = g.sum(y.powi(2) * 0.5);
        let slope = g.gradient(root, &[leaf]).unwrap()[0];
        let v = g.constant(counted(x) - 2.0);
        let along = g.sum(slope * v);
        let curvature = g.gradient(along, &[leaf]).unwrap()[0];
        assert_eq!(g.value(curvature), g.value(back(v)), "{op:?}");
    }
}

#[test]
fn what_is_added_in_one_place_adds_up() {
    let mut g = Graph::new();
    let (x, src) = (g.leaf(Array2::<f64>::zeros((3, 2))), g.leaf(array![[1.0, 2.0], [3.0, 4.0]]));
    let index = g.indices(array![[2, 0], [2, 1]]);
    let y = g.scatter_add(x, index, src, 0);
    assert_eq!(g.value(y), array![[0.0, 2.0], [0.0, 4.0], [4.0, 0.0]].into_dyn());
    let root = g.sum(y.powi(2) * 0.5);
    let slopes = g.gradient(root, &[x, src]).unwrap();
    assert_eq!(g.value(slopes[0]), g.value(y));
    assert_eq!(g.value(slopes[1]), array![[4.0, 2.0], [4.0, 4.0]].into_dyn());
    let along = g.sum(slopes[1] * g.constant(array![[1.0, 0.0], [0.0, 0.0]]));
    let curvature = g.gradient(along, &[src]).unwrap()[0];
    assert_eq!(g.value(curvature), array![[1.0, 0.0], [1.0, 0.0]].into_dyn());
    g.backward(root).unwrap();
    assert_eq!(g.grad(src).unwrap(), g.value(slopes[1]));
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let select = |axis| Op::from(IndexSelect { axis });
    let gather = |axis| Op::from(Gather { axis });
    let add = |axis, len| Op::from(IndexAdd { axis, len });
    let cases: Vec<(Op, &[usize], ArrayD<i64>, ErrorKind)> = vec![
        (select(0), &[3], array![0, 3].into_dyn(), IndexOutOfRange),
        (select(0), &[3], array![-1].into_dyn(), IndexOutOfRange),
        (select(0), &[0], array![0].into_dyn(), IndexOutOfRange),
        (select(1), &[3], array![0].into_dyn(), AxisOutOfRange),
        (select(0), &[], array![0].into_dyn(), AxisOutOfRange),
        (select(0), &[3], array![[0]].into_dyn(), RankMismatch),
        (gather(0), &[3], array![i64::MIN].into_dyn(), IndexOutOfRange),
        (gather(0), &[3, 2], array![0].into_dyn(), RankMismatch),
        (gather(0), &[3, 2], array![[0, 0, 0]].into_dyn(), ShapeMismatch),
        (gather(2), &[3, 2], array![[0]].into_dyn(), AxisOutOfRange),
        (Embedding {}.into(), &[3, 2], array![3].into_dyn(), IndexOutOfRange),
        (Embedding {}.into(), &[3], array![0].into_dyn(), RankMismatch),
        (add(0, 2), &[2], array![0, 2].into_dyn(), IndexOutOfRange),
        (add(0, 2), &[2], array![0].into_dyn(), ShapeMismatch),
        (add(1, 2), &[2], array![0].into_dyn(), AxisOutOfRange),
        (add(usize::MAX, 2), &[2], array![0].into_dyn(), AxisOutOfRange),
    ];
    for (op, x, index, kind) in cases {
        let g = Graph::new();
        let (x, index) = (g.leaf(counted(x)), g.indices(index));
        let nodes = g.node_count();
        let refused = g.try_apply(&op, &[x, index]).expect_err(&format!("{op:?}"));
        assert_eq!(refused.kind(), kind, "{op:?}: {refused}");
        assert_eq!(g.node_count(), nodes, "{op:?} left something behind");
        assert_eq!(g.try_apply(&op, &[x, x]).unwrap_err().kind(), DtypeMismatch, "{op:?}");
    }
    let g = Graph::new();
    let (x, index, src) = (g.leaf(counted(&[3])), g.indices([0, 5]), g.leaf(counted(&[2])));
    let scatter = ScatterAdd { axis: 0 }.into();
    assert_eq!(g.try_apply(&scatter, &[x, index, src]).unwrap_err().kind(), IndexOutOfRange);
    assert_eq!(g.try_apply(&scatter, &[x, index, x]).unwrap_err().kind(), ShapeMismatch);
}

/// The derivative reads the indices, through whatever view.
#[test]
fn overwritten_indices_are_noticed() {
    let mut g = Graph::new();
    let x = g.leaf(counted(&[3, 2]));
    let index = g.indices([0, 1]);
    let y = g.sum(g.gather(x, g.reshape(index, &[1, 2]), 0));
    g.set_value(index, [1, 1]).unwrap();
    assert_eq!(g.backward(y).unwrap_err().kind(), ModifiedValue);
}
