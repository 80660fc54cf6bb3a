//! Formulas that are summed over axes, and formulas of views whose cotangents go to what they show: against differences, and
//! against the same ops with nothing to join.

use ndarray::{Array, ArrayD, Axis, IxDyn};
use wengert::check::check_function;
use wengert::functional::jacobian;
use wengert::graph::Source;
use wengert::prelude::*;

fn numbers(seed: u64, shape: &[usize]) -> ArrayD<f64> {
    let mut state = seed;
    Array::from_shape_simple_fn(IxDyn(shape), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 23) as f64 - 1.0
    })
}

type Program = fn(&Graph, &[Var]) -> Var;
type Recorded<'a> = dyn Fn(&Graph, &[Var]) -> Var + 'a;

/// Shapes of the inputs, the program, and the same program of which nothing is joined.
#[rustfmt::skip]
fn cases() -> Vec<(&'static str, &'static [&'static [usize]], Program, Program)> {
    vec![
        ("last axis", &[&[3, 5], &[5]], |g, x| g.sum_axes(x[0] * x[1].exp(), &[-1]),
            |g, x| g.sum_axes(g.mul(x[0], g.exp(x[1])), &[-1])),
        ("first axis", &[&[3, 5], &[5]], |g, x| g.mean_axes(x[0] * x[0] * x[1], &[0]),
            |g, x| g.mean_axes(g.mul(g.mul(x[0], x[0]), x[1]), &[0])),
        ("middle axis, kept", &[&[2, 3, 4], &[3, 1]], |g, x| g.sum_keepdims((x[0] - x[1]).square(), &[1]),
            |g, x| g.sum_keepdims(g.square(g.sub(x[0], x[1])), &[1])),
        ("outer axes", &[&[2, 3, 4], &[2, 1, 4]], |g, x| g.mean_keepdims(x[0] * x[1] + x[0].sin(), &[0, 2]),
            |g, x| g.mean_keepdims(g.add(g.mul(x[0], x[1]), g.sin(x[0])), &[0, 2])),
        ("all axes by name", &[&[3, 4], &[4]], |g, x| g.sum_axes(x[0] * x[1].tanh(), &[0, 1]),
            |g, x| g.sum_axes(g.mul(x[0], g.tanh(x[1])), &[0, 1])),
        ("all axes by name, kept", &[&[3, 4], &[4]], |g, x| g.mean_keepdims(x[0] * x[1].tanh(), &[0, 1]),
            |g, x| g.mean_keepdims(g.mul(x[0], g.tanh(x[1])), &[0, 1])),
        ("axes of length 1", &[&[1, 4, 1]], |g, x| g.sum_axes(x[0] * x[0], &[0, 2]),
            |g, x| g.sum_axes(g.mul(x[0], x[0]), &[0, 2])),
        ("one op, of one argument", &[&[4, 3]], |g, x| g.sum_axes(x[0].tanh(), &[1]),
            |g, x| g.sum_axes(g.tanh(x[0]), &[1])),
        ("pairwise distances", &[&[4, 1, 3], &[1, 5, 3]], |g, x| g.sum_axes((x[0] - x[1]).square(), &[-1]),
            |g, x| g.sum_axes(g.square(g.sub(x[0], x[1])), &[-1])),
        ("a result that the partial reads", &[&[3, 5]], |g, x| g.sum_axes((x[0] * 0.5).exp().tanh(), &[1]),
            |g, x| g.sum_axes(g.tanh(g.exp(g.mul(x[0], 0.5))), &[1])),
    ]
}

type Views = (&'static str, fn(&Graph, Var, &dyn Fn(Var) -> Var) -> Var);

/// Programs on an array of shape `[n, 4 m]`; each view goes through the function.
fn views() -> Vec<Views> {
    vec![
        ("windows of one array", |g, x, view| {
            let [n, m] = lengths(g, x);
            let at = |i: isize, j: isize| view(g.slice(g.slice(x, 0, 1 + i..n - 1 + i), 1, 1 + j..m - 1 + j));
            g.eval((at(0, 1) * at(0, -1) + at(1, 0) - at(-1, 0).sin() + at(0, 0)).square())
        }),
        ("a window and all of an array", |g, x, view| {
            let first = view(g.narrow(x, 0, 1, 1));
            g.eval(first * x + x.sin())
        }),
        ("an array and itself in another shape", |g, x, view| {
            let [n, m] = lengths(g, x);
            let there = g.reshape(x, &[m, n]);
            let back = view(g.reshape(there, &[n, m]));
            g.eval(back * x + back.tanh())
        }),
        ("views of views, repeated", |g, x, view| {
            let [n, m] = lengths(g, x);
            let rows = g.reshape(g.narrow(x, 0, 1, n as usize - 1), &[2 * (n - 1), m / 2]);
            let row = view(g.select(rows, 0, 2));
            let wide = view(g.broadcast_to(row, &[3, m as usize / 2]));
            let rows = view(rows);
            g.eval(rows * row + view(g.narrow(rows, 0, 0, 1)) * view(g.select(wide, 0, 1)))
        }),
        ("gates", |g, x, view| {
            let quarter = g.shape(x)[1] / 4;
            let q: Vec<Var> = g.split(x, &[quarter; 4], 1).into_iter().map(view).collect();
            g.eval(q[0].sigmoid() * q[1].tanh() + q[2].sigmoid() * q[3])
        }),
        ("turned and reversed", |g, x, view| {
            let turned = view(g.t(g.narrow(x, 1, 1, 2)));
            g.eval(turned * view(g.flip(turned, &[1])) + view(g.narrow(turned, 0, 0, 1)))
        }),
        ("every second row, summed", |g, x, view| {
            let rows = view(g.slice_step(x, 0, .., 2));
            g.sum_axes(rows * rows * view(g.select(x, 0, 1)), &[0])
        }),
    ]
}

fn lengths(g: &Graph, x: Var) -> [isize; 2] {
    let shape = g.shape(x);
    [shape[0] as isize, shape[1] as isize]
}

/// A view that nobody can look through.
fn hidden(g: &Graph) -> impl Fn(Var) -> Var + '_ {
    |v| g.mul(v, g.ones(&g.shape(v)))
}

fn inputs(shapes: &[&[usize]]) -> Vec<ArrayD<f64>> {
    shapes.iter().zip(1..).map(|(shape, seed)| numbers(seed, shape)).collect()
}

#[test]
fn derivatives_of_both_orders_agree_with_differences() {
    for (name, shapes, program, _) in cases() {
        let x = inputs(shapes);
        let x: Vec<&dyn Source<f64>> = x.iter().map(|x| x as &dyn Source<f64>).collect();
        let check = check_function(|g, x| vec![program(g, x)], &x, 1e-3).unwrap();
        assert!(check.holds(), "{name}: {check}");
    }
}

fn close(what: &str, have: &ArrayD<f64>, want: &ArrayD<f64>) {
    assert_eq!(have.shape(), want.shape(), "{what}");
    let worst = (have - want).fold(0.0_f64, |worst, d| worst.max(d.abs()));
    assert!(worst < 1e-13, "{what}: {worst:e} apart");
}

fn compare(what: &str, x: &[ArrayD<f64>], programs: [&Recorded<'_>; 2]) {
    let [have, want] = programs.map(|program| {
        let mut g = Graph::new();
        let x: Vec<Var> = x.iter().map(|x| g.leaf(x)).collect();
        let y = program(&g, &x);
        let weight = g.constant(numbers(9, &g.shape(y)));
        let loss = g.sum(g.mul(weight, g.sin(y)));
        // Twice: the second time gradients are added to those there are.
        g.backward(loss).unwrap();
        g.backward(loss).unwrap();
        let mut all = vec![g.value(y).to_owned()];
        all.extend(x.iter().map(|x| g.grad(*x).unwrap().to_owned()));
        all
    });
    have.iter().zip(&want).for_each(|(have, want)| close(what, have, want));
}

#[test]
fn whatever_is_joined_equals_what_is_not() {
    for (name, shapes, joined, apart) in cases() {
        let x = inputs(shapes);
        compare(name, &x, [&joined, &apart]);
        let x: Vec<&dyn Source<f64>> = x.iter().map(|x| x as &dyn Source<f64>).collect();
        let [have, want] = [joined, apart].map(|program| jacobian(program, &x).unwrap());
        have.iter().zip(&want).for_each(|(have, want)| close(name, have, want));
    }
}

#[test]
fn cotangents_of_views_go_to_what_they_show() {
    for ((name, program), shape) in
        views().into_iter().flat_map(|case| [[5, 16], [30, 1000], [700, 80]].map(|shape| (case, shape)))
    {
        let shown = |g: &Graph, x: &[Var]| program(g, x[0], &|v| v);
        let poured = |g: &Graph, x: &[Var]| program(g, x[0], &hidden(g));
        compare(name, &[numbers(3, &shape)], [&shown, &poured]);
        if shape[0] == 5 {
            let x = numbers(3, &shape);
            let check = check_function(|g, x| vec![shown(g, x)], &[&x], 1e-3).unwrap();
            assert!(check.holds(), "{name}: {check}");
        }
    }
}

#[test]
fn a_view_whose_gradient_is_retained_has_one() {
    for retained in [false, true] {
        let mut g = Graph::new();
        let x = g.leaf(numbers(1, &[900, 40]));
        let [a, b] = [g.narrow(x, 1, 0, 20), g.narrow(x, 1, 10, 20)];
        if retained {
            g.retain_grad(a);
        }
        let loss = g.sum(a * b * a);
        g.backward(loss).unwrap();
        let (a, b) = (g.value(a).to_owned(), g.value(b).to_owned());
        let (of_a, of_b) = (2.0 * &a * &b, &a * &a);
        let mut want = ArrayD::zeros(IxDyn(&[900, 40]));
        want.slice_axis_mut(Axis(1), (..20).into()).zip_mut_with(&of_a, |want, bar| *want += bar);
        want.slice_axis_mut(Axis(1), (10..30).into()).zip_mut_with(&of_b, |want, bar| *want += bar);
        close("x", &g.grad(x).unwrap().to_owned(), &want);
        if retained {
            let view = g.nodes().nth(1).unwrap();
            close("the view", &g.grad(view).unwrap().to_owned(), &of_a);
        }
    }
}

#[test]
fn sums_over_nothing_and_means_of_nothing() {
    let mut g = Graph::new();
    let x = g.leaf(ArrayD::zeros(IxDyn(&[3, 0])));
    let [sum, mean] = [g.sum_axes(x * x, &[1]), g.mean_axes(x * x, &[1])];
    assert_eq!(g.value(sum), numbers(1, &[3]) * 0.0);
    assert!(g.value(mean).iter().all(|mean| mean.is_nan()));
    let none = g.sum_axes(x * x + x, &[0]);
    assert_eq!(g.shape(none)[..], [0]);
    let loss = g.sum(sum);
    g.backward(loss).unwrap();
    assert_eq!(g.grad(x).unwrap().shape(), [3, 0]);
}

#[test]
fn an_axis_out_of_range_is_named_with_the_shape_and_nothing_is_recorded() {
    let g = Graph::new();
    let x = g.leaf(numbers(1, &[2, 3]));
    let before = g.node_count();
    let message = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| g.sum_axes(x * x + x, &[2])));
    let message = *message.unwrap_err().downcast::<String>().unwrap();
    assert!(
        message.contains("sum") && message.contains("[2, 3]") && message.contains("joined.rs"),
        "{message}"
    );
    assert_eq!(g.node_count(), before);
}

#[test]
fn long_sums_are_accurate() {
    let n = 1 << 20;
    let x = Array::from_shape_fn((n, 4), |(i, j)| 0.1f32 + (i * 4 + j) as f32 * 1e-9);
    let g = Graph::<f32>::default();
    let v = g.leaf(&x);
    let want = x.mapv(f64::from).mapv(|x| x * x).sum_axis(Axis(0));
    for (have, want) in g.value(g.sum_axes(v * v, &[0])).iter().zip(&want) {
        assert!((f64::from(*have) / want - 1.0).abs() < 2e-6, "{have}, not {want}");
    }
}

#[test]
fn nothing_looks_through_what_scales_or_stops_a_gradient() {
    let mut g = Graph::new();
    let x = g.leaf(numbers(1, &[900, 40]));
    let [scaled, stopped] = [g.scale_gradient(x, 0.5), g.detach(x)];
    let [a, b, c] = [scaled, stopped, x].map(|v| g.narrow(v, 1, 4, 20));
    let loss = g.sum(a * b * c);
    g.backward(loss).unwrap();
    let mut want = ArrayD::zeros(IxDyn(&[900, 40]));
    // Half of the derivative of the first factor, nothing of the second's, all of the third's.
    let part = g.value(c).mapv(|x| 1.5 * x * x);
    want.slice_axis_mut(Axis(1), (4..24).into()).assign(&part);
    close("x", &g.grad(x).unwrap().to_owned(), &want);
}

/// Every way to sum or average twice, one after the other: each square's derivative is `2 x` over the lengths averaged.
#[test]
fn sums_of_sums_over_axes() -> Result<()> {
    let shape = [2usize, 3, 4];
    let x = numbers(5, &shape);
    let join = |g: &Graph, x: Var, mean: bool, axes: &[isize], keep: bool, square: bool| match (mean, keep) {
        (false, false) if square => g.sum_axes(x * x, axes),
        (false, true) if square => g.sum_keepdims(x * x, axes),
        (true, false) if square => g.mean_axes(x * x, axes),
        (true, true) if square => g.mean_keepdims(x * x, axes),
        (false, false) => g.sum_axes(x, axes),
        (false, true) => g.sum_keepdims(x, axes),
        (true, false) => g.mean_axes(x, axes),
        (true, true) => g.mean_keepdims(x, axes),
    };
    let subsets = |n: usize| {
        (1..1usize << n).map(move |set| (0..n as isize).filter(|k| set >> k & 1 == 1).collect::<Vec<_>>())
    };
    let divided = |mean: bool, shape: &[usize], axes: &[isize]| match mean {
        true => axes.iter().map(|&k| shape[k as usize]).product::<usize>() as f64,
        false => 1.0,
    };
    for (first, keep, by_mean) in
        subsets(3).flat_map(|axes| (0..4).map(move |bits| (axes.clone(), bits & 1 == 1, bits & 2 == 2)))
    {
        let mut g = Graph::new();
        let v = g.leaf(&x);
        let a = join(&g, v, by_mean, &first, keep, true);
        let left = g.shape(a);
        let base = g.mark();
        for (second, bits) in
            subsets(left.len()).flat_map(|axes| (0..4).map(move |bits| (axes.clone(), bits)))
        {
            let (keep_again, again_by_mean) = (bits & 1 == 1, bits & 2 == 2);
            // Right behind the first one, and with that one's cotangent complete by then.
            let b = join(&g, a, again_by_mean, &second, keep_again, false);
            let y = g.sum(b);
            g.zero_grad();
            g.backward(y)?;
            let scale = 2.0 / divided(by_mean, &shape, &first) / divided(again_by_mean, &left, &second);
            let worst = (g.grad(v).expect("reached").to_owned() - &x * scale).mapv(f64::abs);
            assert!(worst.iter().all(|off| *off < 1e-14), "{first:?} {keep} {by_mean} {second:?} {bits}");
            g.rewind(base);
        }
    }
    Ok(())
}

/// Rows of a Jacobian of sums of long formulas that read parts of short arrays, known in closed form.
#[test]
fn rows_of_sums_of_long_formulas_of_views() -> Result<()> {
    for (n, k) in [(512usize, 16usize), (600, 17), (3000, 3)] {
        let (x, c) = (numbers(1, &[4, k + 8]), numbers(3, &[n, k]));
        let f = |g: &Graph, x: &[Var]| {
            let c = g.constant(&c);
            let sums: Vec<Var> = (0..4)
                .map(|i| {
                    let part = g.narrow(g.select(x[0], 0, i), 0, 4, k);
                    g.sum(part * c * 2.0 + part)
                })
                .collect();
            g.stack(&sums, 0)
        };
        let rows = jacobian(f, &[&x])?.remove(0);
        let by_column = c.sum_axis(Axis(0)).mapv(|sum| 2.0 * sum + n as f64);
        for ((row, i, j), have) in rows.indexed_iter().map(|(at, have)| ((at[0], at[1], at[2]), have)) {
            let inside = i == row && (4..4 + k).contains(&j);
            let want = if inside { by_column[[j - 4]] } else { 0.0 };
            assert!((have - want).abs() <= 1e-10 * want.abs(), "{n} {k} {row} {i} {j}: {have} {want}");
        }
    }
    Ok(())
}
