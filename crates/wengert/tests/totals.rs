//! Totals of the same arrays, which are computed and swept together, and numbers that wait to be computed: against sums of closed forms, and
//! whoever asks for them, and when.

use ndarray::{Array, ArrayD, IxDyn};
use wengert::prelude::*;

fn numbers(seed: u64, shape: &[usize]) -> ArrayD<f64> {
    let mut state = seed;
    Array::from_shape_simple_fn(IxDyn(shape), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 23) as f64 - 1.0
    })
}

const ROWS: usize = 90;
const COLUMNS: usize = 101;

/// Two arrays of [`ROWS`] by [`COLUMNS`], long enough for totals to be swept together, a row, and a number.
struct Given {
    g: Graph,
    x: [Var; 4],
}

impl Given {
    fn new() -> Self {
        let g = Graph::new();
        let shapes: [&[usize]; 4] = [&[ROWS, COLUMNS], &[ROWS, COLUMNS], &[COLUMNS], &[]];
        let x = std::array::from_fn(|k| g.leaf(numbers(k as u64 + 1, shapes[k])));
        Given { g, x }
    }

    /// Checks gradients against partials in closed form: `f(i, j, a, b, row, number)` is what element `i, j` contributes to them.
    fn holds(&mut self, y: Var, partials: impl Fn([usize; 2], [f64; 4]) -> [f64; 4], what: &str) {
        let [a, b, row, number] = self.x.map(|x| self.g.value(x).to_owned());
        let mut want = [&a, &b, &row, &number].map(|x| ArrayD::<f64>::zeros(x.raw_dim()));
        let mut reached = [false; 4];
        for i in 0..ROWS {
            for j in 0..COLUMNS {
                let at = [a[[i, j]], b[[i, j]], row[j], *number.first().unwrap()];
                let all = partials([i, j], at);
                want[0][[i, j]] += all[0];
                want[1][[i, j]] += all[1];
                want[2][j] += all[2];
                *want[3].first_mut().unwrap() += all[3];
                (0..4).for_each(|k| reached[k] |= all[k] != 0.0);
            }
        }
        self.g.zero_grad();
        self.g.backward(y).unwrap();
        for k in (0..4).filter(|k| reached[*k]) {
            let have = self.g.grad(self.x[k]).unwrap();
            for (have, want) in have.iter().zip(&want[k]) {
                let size = want.abs().max(1.0);
                assert!((have - want).abs() <= 1e-10 * size, "{what}, argument {k}: {have}, not {want}");
            }
        }
    }
}

#[test]
fn losses_of_the_same_arrays() {
    let mut given = Given::new();
    let (g, [a, b, row, n]) = (&given.g, given.x);
    let [fit, norm] = [g.sum((a * n - b).square()), g.mean(a * a)];
    let size = g.sum(b.abs() * 0.3);
    let y = g.eval(fit + norm * 0.5 - size);
    let all = (ROWS * COLUMNS) as f64;
    let partials = |_: [usize; 2], [a, b, _, n]: [f64; 4]| {
        let d = 2.0 * (a * n - b);
        [d * n + a / all, -d - 0.3 * b.signum(), 0.0, d * a]
    };
    given.holds(y, partials, "three losses");
    // The same through a row, which repeats, in the other order, and one total used twice.
    let g = &given.g;
    let [fit, norm] = [g.mean(a * row), g.sum((a - row).square())];
    let y = g.eval(norm + fit + fit * g.detach(fit));
    let fit = g.item(fit);
    let partials = |_: [usize; 2], [a, _, row, _]: [f64; 4]| {
        let d = 2.0 * (a - row);
        let twice = (1.0 + fit) / all;
        [d + twice * row, 0.0, -d + twice * a, 0.0]
    };
    given.holds(y, partials, "two losses and a row");
}

#[test]
fn sums_over_axes_with_what_is_made_of_them_between() {
    let mut given = Given::new();
    let (g, [a, b, ..]) = (&given.g, given.x);
    let ab = g.sum_axes(a * b, &[1]);
    let aa = g.sqrt(g.sum_axes(a * a, &[1]));
    let bb = g.sqrt(g.sum_axes(b * b, &[1]));
    let y = g.sum(ab / (aa * bb));
    let rows = [ab, aa, bb].map(|v| g.value(v).to_owned());
    let partials = |[i, _]: [usize; 2], [a, b, ..]: [f64; 4]| {
        let [ab, aa, bb] = [0, 1, 2].map(|k| rows[k][i]);
        let cos = ab / (aa * bb);
        [b / (aa * bb) - cos * a / (aa * aa), a / (aa * bb) - cos * b / (bb * bb), 0.0, 0.0]
    };
    given.holds(y, partials, "cosines");
    // Moments along the first axis, more of them than are swept together.
    let g = &given.g;
    let moments: Vec<Var> = (1..=6).map(|k| g.sum_axes(a.powi(k) * 0.01 + a * b, &[0])).collect();
    let y =
        moments.iter().enumerate().fold(g.constant(0.0), |y, (k, m)| g.eval(y + (k + 1) as f64 * g.sum(*m)));
    let partials = |_: [usize; 2], [a, b, ..]: [f64; 4]| {
        let power = |k: i32| f64::from(k) * (0.01 * f64::from(k) * a.powi(k - 1) + b);
        [(1..=6).map(power).sum(), 21.0 * a, 0.0, 0.0]
    };
    given.holds(y, partials, "moments");
}

#[test]
fn one_that_reads_another_is_swept_before_it() {
    let mut given = Given::new();
    let (g, [a, b, ..]) = (&given.g, given.x);
    let first = g.sum(a * b);
    let second = g.sum(a * b * first);
    let third = g.sum(a * a * 0.5);
    let y = g.eval(second + third);
    let first = g.item(first);
    let partials = |_: [usize; 2], [a, b, ..]: [f64; 4]| [2.0 * first * b + a, 2.0 * first * a, 0.0, 0.0];
    given.holds(y, partials, "a total of a total");
}

#[test]
fn totals_without_a_cotangent_are_waited_for_in_vain() {
    let mut given = Given::new();
    let (g, [a, b, ..]) = (&given.g, given.x);
    let unused = g.sum(a * b);
    let used = g.sum(a * a);
    given.holds(used, |_, [a, ..]| [2.0 * a, 0.0, 0.0, 0.0], "one of two");
    let product = numbers(1, &[ROWS, COLUMNS]) * numbers(2, &[ROWS, COLUMNS]);
    assert!((given.g.item(unused) - product.sum()).abs() < 1e-9);
}

#[test]
fn kept_gradients_of_totals_are_those_of_each() {
    let mut given = Given::new();
    let [a, b, ..] = given.x;
    let [p, q] = [given.g.sum(a * b), given.g.sum(a * a)];
    [p, q].into_iter().for_each(|v| given.g.retain_grad(v));
    let y = given.g.eval(p * 2.0 - q * 3.0);
    given.g.backward(y).unwrap();
    let kept = [p, q].map(|v| given.g.grad(v).unwrap().sum());
    assert_eq!(kept, [2.0, -3.0]);
}

/// A value is the same, to the bit, whenever it is asked for.
#[test]
fn values_are_the_same_before_and_after_a_sweep() {
    let loss = |given: &Given| {
        let (g, [a, b, ..]) = (&given.g, given.x);
        let [p, q] = [g.sum((a - b).square()), g.mean(a * a)];
        ([p, q], g.eval(1.0 - p * 0.25 + q / 8.0 - q))
    };
    let mut given = Given::new();
    let (parts, y) = loss(&given);
    let early = [parts[0], parts[1], y].map(|v| given.g.item(v).to_bits());
    given.g.backward(y).unwrap();
    let gradient = given.g.grad(given.x[0]).unwrap().to_owned();
    let mut given = Given::new();
    let (parts, y) = loss(&given);
    given.g.backward(y).unwrap();
    let late = [parts[0], parts[1], y].map(|v| given.g.item(v).to_bits());
    assert_eq!(early, late);
    assert_eq!(given.g.grad(given.x[0]).unwrap(), gradient);
    // One by one, the other way round.
    let given = Given::new();
    let (parts, y) = loss(&given);
    let apart = [parts[1], parts[0], y].map(|v| given.g.item(v).to_bits());
    assert_eq!([apart[1], apart[0], apart[2]], early);
}

#[test]
fn what_is_asked_for_late_was_computed_from_what_was_there() {
    let mut given = Given::new();
    let [a, b, ..] = given.x;
    let g = &mut given.g;
    let [p, q] = [g.sum(a * b), g.sum(a + b)];
    let y = g.eval(p + q * 2.0);
    let [x, z] = [a, b].map(|v| g.value(v).to_owned());
    let want = (&x * &z).sum() + 2.0 * (&x + &z).sum();
    g.set_value(a, &x * 3.0).unwrap();
    assert!((g.item(y) - want).abs() < 1e-9 * want.abs());
    let refused = g.backward(y).unwrap_err();
    assert_eq!(refused.kind(), wengert::ErrorKind::ModifiedValue);
}

#[test]
fn what_waits_is_forgotten_by_a_rewind_and_read_by_every_op() {
    let mut given = Given::new();
    let [a, b, _, n] = given.x;
    let g = &mut given.g;
    let p = g.sum(a * b);
    let mark = g.mark();
    for _ in 0..3 {
        let waiting = g.eval(p + g.sum(a * a));
        g.rewind(mark);
        assert!(g.backward(waiting).is_err());
    }
    let sum = (numbers(1, &[ROWS, COLUMNS]) * numbers(2, &[ROWS, COLUMNS])).sum();
    let number = g.item(n);
    let waiting = g.eval(p - 1.0);
    let readers = [
        (g.eval(waiting * n), (sum - 1.0) * number),
        (g.eval(waiting.sin()), (sum - 1.0).sin()),
        (g.reshape(waiting, &[1]), sum - 1.0),
        (g.sum(g.concat(&[g.reshape(waiting, &[1]), g.reshape(n, &[1])], 0)), sum - 1.0 + number),
        (g.mean(a * 0.0 + waiting), sum - 1.0),
        (g.eval(-(2.0 - waiting) * 0.5), (sum - 3.0) * 0.5),
    ];
    for (y, want) in readers {
        assert!((g.item(y) - want).abs() <= 1e-9 * want.abs().max(1.0), "{} {want}", g.op(y));
    }
    let gradient = g.gradient(waiting, &[a]).unwrap()[0];
    assert_eq!(g.value(gradient), g.value(b));
}

/// A sum of very many numbers that wait: on a small stack, and in a time that does not grow with its square.
#[test]
fn long_chains_wait_as_well() {
    let run = || {
        let mut g = Graph::new();
        let x = g.leaf([1.0, 2.0]);
        let totals: Vec<Var> = (0..40_000).map(|_| g.sum(x * x)).collect();
        let y = totals.iter().fold(g.sum(x * 1.5), |y, &total| g.eval(y + total));
        let late = totals.iter().rev().fold(y, |y, &total| g.eval(y - total));
        assert_eq!(g.item(late), 4.5);
        assert_eq!(g.item(y), 200_004.5);
        g.backward(late).unwrap();
        assert_eq!(g.grad(x).unwrap().as_slice().unwrap(), [1.5, 1.5]);
    };
    std::thread::Builder::new().stack_size(1 << 18).spawn(run).unwrap().join().unwrap();
}

/// Overwriting an input computes what waits, in the middle of what a rewind forgets.
#[test]
fn a_rewind_forgets_what_waits_wherever_it_was_recorded() {
    let mut given = Given::new();
    let [a, b, ..] = given.x;
    let g = &mut given.g;
    let early = [g.sum(a * a), g.sum(a * b), g.sum(b * b)];
    let mark = g.mark();
    let z = g.value(b).to_owned();
    for k in 1..4 {
        g.set_value(b, &z * k as f64).unwrap();
        let (p, q) = (g.sum(b * 2.0 + a), g.mean(a - b));
        if k == 2 {
            assert!(g.item(g.eval(p + q)).is_finite());
        }
        g.rewind(mark);
    }
    let late = g.eval(g.sum(a - b) + early[0]);
    let x = g.value(a).to_owned();
    let want = [(&x * &x).sum(), (&x * &z).sum(), (&z * &z).sum(), (&x - &z * 3.0).sum() + (&x * &x).sum()];
    for (v, want) in early.into_iter().chain([late]).zip(want) {
        assert!((g.item(v) - want).abs() <= 1e-9 * want.abs().max(1.0));
    }
}

/// What a checkpoint records again is swept while totals before and behind it wait for each other.
#[test]
fn totals_of_a_checkpoint_are_swept_by_themselves() {
    let mut given = Given::new();
    let (g, [a, b, ..]) = (&given.g, given.x);
    let first = g.sum(a * b);
    let inner =
        g.checkpoint(&[a, b], |g, x| g.eval(g.sum((x[0] - x[1]).square()) + g.sum(x[0] * x[0]))).unwrap();
    let last = g.sum(a * a * 0.5);
    let y = g.eval(first + inner * 3.0 - last);
    let partials = |_: [usize; 2], [a, b, ..]: [f64; 4]| {
        let d = 2.0 * (a - b);
        [b + 3.0 * (d + 2.0 * a) - a, a - 3.0 * d, 0.0, 0.0]
    };
    given.holds(y, partials, "a checkpoint between");
}

/// Formulas are refused for an overwritten value if a partial reads it, as their ops are; asked for before or not.
#[test]
fn what_no_partial_reads_may_be_overwritten() {
    type Loss = fn(&Graph, [Var; 4]) -> Var;
    // The loss, and the factor of the cotangent of `a`'s elements, if it does not depend on `a`.
    let losses: [(Loss, Option<f64>); 9] = [
        (|g, [a, b, ..]| g.sum(a * 0.5 + b * 0.25 - 1.0), Some(0.5)),
        (|g, [a, b, ..]| g.sum(g.eval(2.0 - a + b)), Some(-1.0)),
        (|g, [a, b, ..]| g.eval(g.sum(a * 3.0) * 0.5 + g.sum(b * a)), None),
        (|g, [a, ..]| g.sum(a.exp()), None),
        (|g, [a, ..]| g.sum(g.eval((a * 0.1).exp() + 1.0)), None),
        (|g, [a, b, ..]| g.sum(a * a + b), None),
        (|g, [a, _, _, n]| g.eval(g.sum(a * 2.0) * 0.5 + n * 0.25 - 1.0), Some(1.0)),
        (|g, [a, b, ..]| g.eval(g.sum(a * 2.0) * 0.5 + g.sum(b * b)), Some(1.0)),
        (|g, [a, _, row, _]| g.sum_axes(g.sum_axes(a + row, &[1]), &[0]), Some(1.0)),
    ];
    for (k, (loss, factor)) in losses.iter().enumerate() {
        for ask in [false, true] {
            let mut given = Given::new();
            let y = loss(&given.g, given.x);
            if ask {
                given.g.item(y);
            }
            let x = given.g.value(given.x[0]).to_owned();
            given.g.set_value(given.x[0], &x + 1.0).unwrap();
            let done = given.g.backward(y);
            assert_eq!(done.is_ok(), factor.is_some(), "{k} {ask}: {done:?}");
            if let Some(factor) = factor {
                assert!(given.g.grad(given.x[0]).unwrap().iter().all(|g| g == factor), "{k} {ask}");
            }
        }
    }
}
