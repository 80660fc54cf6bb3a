//! Long circular shifts, which formulas read where their elements lie: against the same arrays cut and joined, and whoever asks for
//! them, and when.

use ndarray::{Array, ArrayD, IxDyn};
use wengert::functional::jacobian;
use wengert::prelude::*;

fn numbers(seed: u64, shape: &[usize]) -> ArrayD<f64> {
    let mut state = seed;
    Array::from_shape_simple_fn(IxDyn(shape), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 23) as f64 - 1.0
    })
}

/// A circular shift by `by` along `axis`.
type Shift = fn(&Graph, Var, isize, isize) -> Var;

fn rolled(g: &Graph, x: Var, by: isize, axis: isize) -> Var {
    g.roll(x, &[by], &[axis])
}

/// The same cut in two and joined.
fn joined(g: &Graph, x: Var, by: isize, axis: isize) -> Var {
    let shape = g.shape(x);
    let n = shape[axis.rem_euclid(shape.len() as isize) as usize] as isize;
    let behind = n - by.rem_euclid(n);
    g.concat(&[g.slice(x, axis, behind..n), g.slice(x, axis, 0..behind)], axis)
}

/// What `program` gives, and the gradients of its inputs.
fn outcome(
    shapes: &[&[usize]],
    shift: Shift,
    program: impl Fn(&Graph, &[Var], Shift) -> Var,
) -> Vec<ArrayD<f64>> {
    let mut g = Graph::new();
    let x: Vec<Var> =
        shapes.iter().enumerate().map(|(k, shape)| g.leaf(numbers(k as u64 + 1, shape))).collect();
    let y = program(&g, &x, shift);
    let loss = g.sum(y);
    g.backward(loss).unwrap();
    let mut all = vec![g.value(y).to_owned()];
    all.extend(x.iter().map(|&x| g.grad(x).unwrap().to_owned()));
    all
}

#[track_caller]
fn agree(what: &str, have: &[ArrayD<f64>], want: &[ArrayD<f64>]) {
    for (k, (have, want)) in have.iter().zip(want).enumerate() {
        assert_eq!(have.shape(), want.shape(), "{what}");
        for (have, want) in have.iter().zip(want) {
            assert!((have - want).abs() <= 1e-11 * want.abs().max(1.0), "{what}, {k}: {have}, not {want}");
        }
    }
}

#[track_caller]
fn same(what: &str, shapes: &[&[usize]], program: impl Fn(&Graph, &[Var], Shift) -> Var) {
    agree(what, &outcome(shapes, rolled, &program), &outcome(shapes, joined, &program));
}

const SHAPES: [&[usize]; 5] = [&[20_000], &[90, 101], &[101, 300], &[5, 64, 66], &[130, 3, 70]];

#[test]
fn differences_of_neighbours_along_every_axis() {
    for shape in SHAPES {
        for axis in 0..shape.len() as isize {
            for by in [1, -1, 17, -40] {
                let what = format!("{shape:?} along {axis} by {by}");
                same(&what, &[shape], |g, x, shift| {
                    let y = shift(g, x[0], by, axis);
                    g.eval((x[0] - y).square() * x[0])
                });
                same(&what, &[shape, shape], |g, x, shift| {
                    let [y, z] = [by, -by].map(|by| shift(g, x[0], by, axis));
                    g.mean((y - 2.0 * x[0] + z).tanh() * x[1])
                });
                same(&what, &[shape], |g, x, shift| {
                    let y = shift(g, x[0], by, axis);
                    g.sum_axes(x[0] * y.sin(), &[-1])
                });
            }
        }
    }
}

#[test]
fn a_laplacian_in_several_axes_and_two_totals_of_it() {
    for shape in [&[90, 101], &[5, 64, 66]] as [&[usize]; 2] {
        same("laplacian", &[shape, shape], |g, x, shift| {
            let [a, b, c, d] =
                [(1, -1), (-1, -1), (1, -2), (-1, -2)].map(|(by, axis)| shift(g, x[0], by, axis));
            let near = g.eval(a + b + c + d - 4.0 * x[0]);
            let (one, two) = (g.sum(near * x[1] + a * a), g.mean((a - x[1]).square() * b));
            g.eval(one * 0.5 + two * 3.0)
        });
    }
}

#[test]
fn rows_that_repeat_views_and_shifts_of_shifts() {
    same("a row", &[&[9000], &[3, 9000]], |g, x, shift| {
        let row = shift(g, x[0], 5, 0);
        g.eval(row * x[1] + row.exp())
    });
    same("a column", &[&[9000, 1], &[9000, 4]], |g, x, shift| {
        let column = shift(g, x[0], -3, 0);
        g.mean(column * x[1] + column.exp())
    });
    same("a batch", &[&[80, 110], &[3, 80, 110]], |g, x, shift| {
        let each = shift(g, x[0], 7, 1);
        g.eval((each - x[1]).square())
    });
    same("a part", &[&[200, 120]], |g, x, shift| {
        let part = g.slice(x[0], 0, 20..130);
        let y = shift(g, part, 9, 0);
        g.eval(y * part)
    });
    same("part of a shift", &[&[200, 120]], |g, x, shift| {
        let y = shift(g, x[0], 9, 0);
        let part = g.slice(y, 0, 20..130);
        g.eval(part.sin() * part + g.slice(x[0], 0, 0..110))
    });
    same("columns", &[&[120, 200]], |g, x, shift| {
        let part = g.slice(x[0], 1, 20..130);
        let y = shift(g, part, 9, 1);
        g.eval(y * part + y.exp())
    });
    same("transposed", &[&[120, 100]], |g, x, shift| {
        let t = g.t(x[0]);
        let y = shift(g, t, 9, 1);
        g.eval(y * t + y.exp())
    });
    same("twice", &[&[120, 100]], |g, x, shift| {
        let y = shift(g, shift(g, x[0], 9, 1), -4, 0);
        g.eval(y * x[0] + y.exp())
    });
    same("of a formula, and for other ops", &[&[120, 100], &[100, 50]], |g, x, shift| {
        let y = shift(g, g.eval(x[0] * x[0] + 1.0), 3, 0);
        let [p, q] = [g.matmul(y, x[1]), g.sum_axes(y.sqrt() * x[0], &[1])];
        g.eval(g.sum(p) * 1e-3 + g.sum(q))
    });
}

#[test]
fn a_shift_is_as_if_it_had_been_copied_at_once() {
    let start = numbers(1, &[100, 90]);
    let mut g = Graph::new();
    let x = g.leaf(start.clone());
    let y = g.roll(x, &[1], &[0]);
    let want = |i: usize, j: usize| start[[(i + 99) % 100, j]];
    let is_start = |value: &ndarray::ArrayViewD<'_, f64>| {
        value.indexed_iter().all(|(at, value)| *value == want(at[0], at[1]))
    };
    assert!(is_start(&g.value(y)));
    // The next one is overwritten below before anybody asks for it.
    let z = g.roll(x, &[1], &[0]);
    let [total, product] = [g.sum(z * z), g.eval(z * z + z)];
    g.set_value(x, numbers(2, &[100, 90])).unwrap();
    assert!(is_start(&g.value(z)));
    assert!((g.item(total) - start.iter().map(|x| x * x).sum::<f64>()).abs() < 1e-9);
    // What was computed from the old value may be differentiated with what it was.
    g.backward(total).unwrap();
    let grad = g.grad(x).unwrap();
    assert!(grad.iter().zip(&start).all(|(grad, x)| (grad - 2.0 * x).abs() < 1e-12));
    assert!(g.value(product).indexed_iter().all(|(at, value)| {
        let z = want(at[0], at[1]);
        (value - (z * z + z)).abs() < 1e-12
    }));
}

#[test]
fn marks_rewinds_and_kept_gradients() {
    let start = numbers(1, &[100, 90]);
    let mut g = Graph::new();
    let x = g.leaf(start.clone());
    let y = g.roll(x, &[-2], &[1]);
    let mut losses = Vec::new();
    for _ in 0..3 {
        let mark = g.mark();
        let z = g.roll(x, &[5], &[0]);
        let loss = g.sum((y * z).square());
        g.retain_grad(z);
        g.zero_grad();
        g.backward(loss).unwrap();
        let kept = g.grad(z).unwrap().to_owned();
        let [y, z] = [y, z].map(|v| g.value(v).to_owned());
        assert!(kept.iter().zip(y.iter().zip(&z)).all(|(bar, (y, z))| (bar - 2.0 * y * y * z).abs() < 1e-12));
        losses.push(g.item(loss));
        g.rewind(mark);
        // Memory that was reserved and not used is used again.
        let other = g.eval(x * 3.0);
        assert_eq!(g.value(other)[[0, 0]], 3.0 * start[[0, 0]]);
        g.rewind(mark);
    }
    assert_eq!(losses[0], losses[1]);
    assert_eq!(losses[0], losses[2]);
    assert_eq!(g.value(y)[[3, 0]], start[[3, 2]]);
}

#[test]
fn second_derivatives_jacobians_and_checkpoints() {
    let program = |g: &Graph, x: Var, shift: Shift| {
        let y = shift(g, x, 1, 0);
        g.sum((x - y).square() * x + y.powi(3))
    };
    let second = |shift: Shift| {
        let g = Graph::new();
        let x = g.leaf(numbers(1, &[9000]));
        let y = program(&g, x, shift);
        let dx = g.gradient(y, &[x]).unwrap()[0];
        let z = g.sum(dx * dx * 0.5);
        let again = g.gradient(z, &[x]).unwrap()[0];
        let along = g.tangent(y, &[(x, g.constant(numbers(3, &[9000])))]).unwrap();
        vec![g.value(dx).to_owned(), g.value(again).to_owned(), g.value(along).to_owned()]
    };
    agree("second", &second(rolled), &second(joined));
    let start = numbers(1, &[8200]);
    let rows = |shift: Shift| {
        let f = move |g: &Graph, x: &[Var]| {
            let y = shift(g, x[0], -3, 0);
            let [a, b] = [g.sum(x[0] * y), g.mean(y.exp() * x[0])];
            g.stack(&[a, b], 0)
        };
        jacobian(f, &[&start]).unwrap().remove(0)
    };
    agree("rows", &[rows(rolled)], &[rows(joined)]);
    let checkpointed = |shift: Shift| {
        let mut g = Graph::new();
        let x = g.leaf(numbers(1, &[100, 90]));
        let inner = g
            .checkpoint(&[x], move |g, x| {
                let y = shift(g, x[0], 1, 0);
                let near = g.eval((x[0] - y).square() * y);
                shift(g, near, 2, 1)
            })
            .unwrap();
        let loss = g.sum(inner * x);
        g.backward(loss).unwrap();
        vec![g.value(inner).to_owned(), g.grad(x).unwrap().to_owned()]
    };
    agree("checkpoint", &checkpointed(rolled), &checkpointed(joined));
}

/// Short arrays, along any axes, of all types, also of views: each element by its place.
#[test]
fn elements_come_from_their_places() {
    let shape = [3, 4, 5];
    let shifts: [(&[isize], &[isize]); 7] = [
        (&[1], &[0]),
        (&[-1], &[1]),
        (&[7], &[2]),
        (&[2, -3], &[0, 2]),
        (&[1, 2, 3], &[-1, 0, 1]),
        (&[1, 1], &[1, 1]),
        (&[0], &[2]),
    ];
    for (by, axes) in shifts {
        for order in [[0, 1, 2], [2, 0, 1]] {
            // A view whose axes, in another order in memory, are these.
            let mut lengths = [0; 3];
            (0..3).for_each(|k| lengths[order[k]] = shape[k]);
            let order = order.map(|k| k as isize);
            let from = |at: &[usize]| {
                let mut at = at.to_vec();
                for (by, axis) in by.iter().zip(axes) {
                    let k = axis.rem_euclid(3) as usize;
                    at[k] = (at[k] as isize - by).rem_euclid(shape[k] as isize) as usize;
                }
                at
            };
            let mut g = Graph::new();
            let values = numbers(1, &lengths);
            let x = g.leaf(&values);
            let shown = g.permute(x, &order);
            let y = g.roll(shown, by, axes);
            let want = Array::from_shape_fn(shape, |(i, j, k)| g.value(shown)[&from(&[i, j, k])[..]]);
            assert_eq!(g.value(y), want.into_dyn(), "{by:?} {axes:?} {order:?}");
            let weights = numbers(2, &shape);
            // Twice, so that one cotangent is written and one added.
            let z = g.roll(shown, by, axes);
            let total = g.sum(g.mul(y, g.constant(&weights)));
            let loss = g.eval(total + g.sum(g.mul(z, g.constant(&weights))));
            g.backward(loss).unwrap();
            let mut bar = ArrayD::zeros(IxDyn(&shape));
            weights.indexed_iter().for_each(|(at, w)| {
                let at = ndarray::Dimension::slice(&at).to_vec();
                bar[&from(&at)[..]] += 2.0 * w;
            });
            let bar = bar.permuted_axes(IxDyn(&inverse(&order)));
            agree("cotangent", &[g.grad(x).unwrap().to_owned()], &[bar]);

            let whole = values.mapv(|x| (1000.0 * x) as i64);
            let index = g.permute(g.indices(&whole), &order);
            let turned = g.roll(index, by, axes);
            let want = Array::from_shape_fn(shape, |(i, j, k)| g.value_i64(index)[&from(&[i, j, k])[..]]);
            assert_eq!(g.value_i64(turned), want.into_dyn(), "{by:?} {axes:?} {order:?}");
        }
    }
}

fn inverse(order: &[isize; 3]) -> [usize; 3] {
    let mut inverse = [0; 3];
    (0..3).for_each(|k| inverse[order[k] as usize] = k);
    inverse
}
