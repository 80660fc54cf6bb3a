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

#[test]
fn orders_follow_numpy_and_pytorch_at_ties_and_nan() {
    let g = Graph::new();
    let nan = f64::NAN;
    let x = g.leaf(array![2.0, nan, 1.0, 2.0, nan, 1.0]);
    let positions = |v: Var| g.value_i64(v).iter().copied().collect::<Vec<_>>();
    assert_eq!(positions(g.argsort(x, 0, false)), [2, 5, 0, 3, 1, 4]);
    assert_eq!(positions(g.argsort(x, 0, true)), [1, 4, 0, 3, 2, 5]);
    assert_eq!(positions(g.topk(x, 3, 0, true).1), [1, 4, 0]);
    assert_eq!(positions(g.topk(x, 3, 0, false).1), [2, 5, 0]);
    assert_eq!(positions(g.cummax(x, 0).1), [0, 1, 1, 1, 4, 4]);
    assert!(g.item(g.median(x)).is_nan() && g.item(g.quantile(x, 0.0, 0)).is_nan());
    let x = g.leaf(array![3.0, 1.0, 3.0, 1.0, 5.0]);
    assert_eq!(positions(g.cummax(x, 0).1), [0, 0, 2, 2, 4]);
    assert_eq!(positions(g.cummin(x, 0).1), [0, 1, 1, 3, 3]);
    let infinite = g.leaf(array![f64::NEG_INFINITY, 1.0, f64::INFINITY]);
    assert_eq!(g.item(g.median(infinite)), 1.0);
    assert_eq!(g.item(g.quantile(infinite, 1.0, 0)), f64::INFINITY);
    assert_eq!(g.item(g.median(g.leaf(array![[4.0, 1.0], [3.0, 2.0]]))), 2.5);
    let f32s = Graph::<f32>::default();
    let sorted = f32s.sort(f32s.leaf(array![0.5f32, -1.5]), -1, true).0;
    assert_eq!(f32s.value(sorted), array![0.5f32, -1.5].into_dyn());
}

#[test]
fn every_position_of_a_random_order_is_right() {
    let mut state = 3u64;
    let values: Vec<f64> = (0..500)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % 97) as f64
        })
        .collect();
    let g = Graph::new();
    let x = g.leaf(values.clone());
    let mut want: Vec<usize> = (0..500).collect();
    want.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let want: Vec<i64> = want.into_iter().map(|k| k as i64).collect();
    let have = |v: Var| g.value_i64(v).iter().copied().collect::<Vec<_>>();
    assert_eq!(have(g.argsort(x, 0, false)), want);
    for k in [1, 7, 499, 500] {
        assert_eq!(have(g.topk(x, k, 0, false).1), want[..k]);
    }
    for (q, rank) in [(0.0, 0), (0.5 / 499.0 * 2.0, 1), (1.0, 499)] {
        assert_eq!(g.item(g.quantile(x, q, 0)), values[want[rank] as usize]);
    }
}

#[test]
fn orders_and_places_that_do_not_fit_are_refused() {
    let g = Graph::new();
    let x = g.leaf(counted(&[2, 3]));
    let kind = |op: Op, args: &[Var]| {
        let nodes = g.node_count();
        let error = g.try_apply(&op, args).expect_err(&format!("{op:?}"));
        assert_eq!(g.node_count(), nodes, "{op:?} left something behind");
        error.kind()
    };
    let number = g.leaf(1.0);
    assert_eq!(kind(Sort { axis: 2, descending: false }.into(), &[x]), AxisOutOfRange);
    assert_eq!(kind(Sort::default().into(), &[number]), AxisOutOfRange);
    assert_eq!(kind(TopK { k: 4, axis: 1, largest: true }.into(), &[x]), InvalidAttribute);
    assert_eq!(kind(CumMax { axis: -3 }.into(), &[x]), AxisOutOfRange);
    let ranks = |ranks: &[usize]| OrderStatistics { ranks: ranks.into(), axis: 1 };
    assert_eq!(kind(ranks(&[3]).into(), &[x]), IndexOutOfRange);
    let empty = g.leaf(counted(&[2, 0]));
    assert_eq!(kind(ranks(&[0]).into(), &[empty]), EmptyReduction);

    let (index, twice, far) =
        (g.indices(array![[0, 1]]), g.indices(array![[1, 1]]), g.indices(array![[0, 3]]));
    let src = g.leaf(counted(&[1, 2]));
    let scatter = |axis| Op::from(Scatter { axis });
    assert_eq!(kind(scatter(1), &[x, twice, src]), InvalidAttribute);
    assert_eq!(kind(scatter(1), &[x, far, src]), IndexOutOfRange);
    assert_eq!(kind(scatter(2), &[x, index, src]), AxisOutOfRange);
    assert_eq!(kind(scatter(1), &[x, index, x]), ShapeMismatch);
    assert_eq!(kind(scatter(1), &[x, src, src]), DtypeMismatch);
    assert_eq!(kind(OneHot { classes: 3 }.into(), &[far]), IndexOutOfRange);
    assert_eq!(kind(OneHot { classes: usize::MAX }.into(), &[far]), InvalidAttribute);
    assert_eq!(kind(OneHot { classes: 3 }.into(), &[x]), DtypeMismatch);

    let assign =
        |axis, step| Op::from(SliceAssign { slices: [Slice { axis, step, ..Slice::default() }][..].into() });
    assert_eq!(kind(assign(2, 1), &[x, number]), AxisOutOfRange);
    assert_eq!(kind(assign(0, 0), &[x, number]), InvalidAttribute);
    assert_eq!(kind(assign(1, 2), &[x, x]), ShapeMismatch);
    assert_eq!(kind(assign(1, 1), &[x, index]), DtypeMismatch);
    // Not even a part that y would make larger.
    let tall = g.leaf(counted(&[4, 2, 3]));
    assert_eq!(kind(assign(1, 1), &[x, tall]), ShapeMismatch);
}

/// Few values are kept in order while a lane is read, many are selected: both are the head of the sorted lane, ties included.
#[test]
fn the_largest_values_are_the_head_of_the_sorted_ones() {
    let lane = ArrayD::from_shape_fn(IxDyn(&[3, 100]), |k| ((k[0] * 31 + k[1] * 17) % 23) as f64);
    let g = Graph::<f64>::default();
    let x = g.leaf(lane);
    for (k, largest) in [(1, true), (7, false), (32, true), (33, true), (99, false), (100, true)] {
        let (values, positions) = g.topk(x, k, 1, largest);
        let (sorted, order) = g.sort(x, 1, largest);
        assert_eq!(g.value(values), g.value(g.slice(sorted, 1, ..k as isize)), "{k}");
        let head = g
            .try_apply(&Slice { axis: 1, stop: Some(k as isize), ..Slice::default() }.into(), &[order])
            .unwrap()[0];
        let picked = [positions, head].map(|index| g.value(g.gather(x, index, 1)).to_owned());
        assert_eq!(picked[0], picked[1], "{k}");
    }
}
