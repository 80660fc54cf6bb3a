//! Long elementwise results, which wait for the formula that reads them: against the same programs with every value asked for at once, and
//! whoever asks for them, and when.

use ndarray::{Array, ArrayD, IxDyn};
use wengert::ErrorKind;
use wengert::functional::jacobian;
use wengert::prelude::*;

/// Elements from which arrays wait.
const LONG: usize = 1 << 13;

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn array(&mut self, shape: &[usize]) -> ArrayD<f64> {
        Array::from_shape_simple_fn(IxDyn(shape), || self.below(2001) as f64 / 1000.0 - 1.0)
    }

    fn pick<A: Copy>(&mut self, from: &[A]) -> A {
        from[self.below(from.len())]
    }
}

/// What every node that is recorded goes through: nothing, or its value is asked for.
type See = fn(&Graph, Var) -> Var;

fn unseen(_: &Graph, v: Var) -> Var {
    v
}

fn seen(g: &Graph, v: Var) -> Var {
    g.value(v);
    v
}

/// What `program` gives, and the gradients of its inputs.
fn outcome(x: &[ArrayD<f64>], see: See, program: &dyn Fn(&Graph, &[Var], See) -> Var) -> Vec<ArrayD<f64>> {
    let mut g = Graph::new();
    let leaves: Vec<Var> = x.iter().map(|x| g.leaf(x)).collect();
    let y = program(&g, &leaves, see);
    let loss = g.sum(y);
    if g.is_differentiable(loss) {
        g.backward(loss).unwrap();
    }
    let mut all = vec![g.value(y).to_owned()];
    all.extend(
        leaves
            .iter()
            .map(|&x| g.grad(x).map_or_else(|| ArrayD::zeros(g.value(x).raw_dim()), |dx| dx.to_owned())),
    );
    all
}

#[track_caller]
fn agree(what: &str, have: &[ArrayD<f64>], want: &[ArrayD<f64>]) {
    for (k, (have, want)) in have.iter().zip(want).enumerate() {
        assert_eq!(have.shape(), want.shape(), "{what}");
        let size = want.iter().fold(1.0, |size: f64, want| size.max(want.abs()));
        for (have, want) in have.iter().zip(want) {
            let close =
                (have - want).abs() <= 1e-11 * size || have == want || (have.is_nan() && want.is_nan());
            assert!(close, "{what}, {k}: {have}, not {want}");
        }
    }
}

#[track_caller]
fn same(what: &str, x: &[ArrayD<f64>], program: impl Fn(&Graph, &[Var], See) -> Var) {
    agree(what, &outcome(x, unseen, &program), &outcome(x, seen, &program));
}

fn inputs(shapes: &[&[usize]]) -> Vec<ArrayD<f64>> {
    let mut random = Random(7);
    shapes.iter().map(|shape| random.array(shape)).collect()
}

/// Ops by methods and formulas on whole arrays, rows, columns and numbers, read once or several times, with others between them.
#[test]
fn random_programs() {
    for seed in 0..150 {
        let (rows, columns) = Random(seed).pick(&[(90, 100), (1, 9000), (64, 128), (3, 2731)]);
        let mut data = Random(1000 + seed);
        let shapes: [&[usize]; 6] =
            [&[rows, columns], &[rows, columns], &[columns], &[rows, 1], &[], &[rows, columns]];
        let x = shapes.map(|shape| data.array(shape));
        same(&format!("program {seed}"), &x, |g, x, see| {
            let mut random = Random(seed);
            let mut nodes = x.to_vec();
            let mut losses: Vec<Var> = Vec::new();
            for _ in 0..4 + random.below(30) {
                let recent = nodes.len() - 1 - random.below(nodes.len().min(3));
                let a = nodes[if random.below(2) == 0 { recent } else { random.below(nodes.len()) }];
                let b = nodes[random.below(nodes.len())];
                let v = match random.below(20) {
                    0 | 1 => g.add(a, b),
                    2 => g.sub(a, b),
                    3 | 4 => g.mul(a, b),
                    5 => g.tanh(a),
                    6 => g.sin(a),
                    7 => g.square(g.sin(a)),
                    8 => g.maximum(a, b),
                    9 => g.div(a, see(g, g.eval(b * b + 1.0))),
                    10 => g.exp(see(g, g.neg(see(g, g.square(a))))),
                    11 => g.eval((a * b).sin() + b - 0.5),
                    12 => g.eval(a.sigmoid() * b + 0.25 * a * a),
                    13 => g.abs(a),
                    14 => g.eval(a.floor() + b.sin()),
                    15 => g.no_grad(|g| g.sin(a)),
                    16 => {
                        losses.push(see(g, g.mean(a.sin() * b)));
                        continue;
                    }
                    17 => {
                        losses.push(see(g, g.mean(a)));
                        continue;
                    }
                    18 if g.ndim(a) == 2 => g.maximum(a, g.unsqueeze(g.mean_axes(g.square(a), &[-1]), -1)),
                    19 if g.ndim(a) == 2 => g.roll(a, &[3], &[-1]),
                    _ => g.cos(a),
                };
                nodes.push(see(g, v));
            }
            let last = see(g, g.tanh(nodes[nodes.len() - 1]));
            losses.push(g.mean(last));
            let total = losses.iter().copied().reduce(|a, b| see(g, g.add(a, b)));
            total.expect("the last one at least")
        });
    }
}

/// Longer than one program may be, by ops and by formulas.
#[test]
fn long_chains() {
    let x = inputs(&[&[LONG], &[LONG]]);
    same("ops", &x, |g, x, see| {
        (0..200).fold(x[0], |y, k| see(g, if k % 3 == 0 { g.sin(y) } else { g.add(y, x[1]) }))
    });
    same("formulas", &x, |g, x, see| {
        (0..60).fold(x[0], |y, _| see(g, g.eval(y + 0.1 * (x[1] * y * (1.0 - y)))))
    });
    same("each reads the one before twice", &x, |g, x, see| {
        (0..40).fold(x[0], |y, _| {
            let inner = see(g, g.mul(y, x[1]));
            see(g, g.add(y, see(g, g.tanh(inner))))
        })
    });
}

/// Several totals of one array that waits, alike or not, alone or with what it is made of.
#[test]
fn totals_that_share() {
    let x = inputs(&[&[100, 100], &[100, 100]]);
    same("squares and sizes of differences", &x, |g, x, see| {
        let (down, along) = (see(g, g.diff(x[0], 1, 0)), see(g, g.diff(x[0], 1, 1)));
        let squares = g.mean(see(g, g.square(down))) + g.mean(see(g, g.square(along)));
        g.eval(squares + g.mean(see(g, g.abs(down))) + g.mean(see(g, g.abs(along))))
    });
    same("the array and its function", &x, |g, x, see| {
        let d = see(g, g.sub(x[0], x[1]));
        let (s, c) = (see(g, g.sin(d)), see(g, g.cos(d)));
        g.eval(g.sum(s) * 0.5 + g.sum(d) + g.sum(see(g, g.mul(s, c))) + g.mean(d) + g.sum(x[0] * d))
    });
    same("over axes", &x, |g, x, see| {
        let e = see(g, g.exp(see(g, g.mul(x[0], x[1]))));
        let all = see(g, g.unsqueeze(g.sum_axes(e, &[1]), 1));
        g.square(see(g, g.div(e, all)))
    });
}

/// Whatever an op of another kind reads is computed, also what had been taken up.
#[test]
fn others_read_them() {
    let x = inputs(&[&[128, 128], &[128]]);
    same("products, views, joins, scans", &x, |g, x, see| {
        let a = see(g, g.tanh(see(g, g.add(x[0], x[1]))));
        let b = see(g, g.eval(a * a + x[1]));
        let p = see(g, g.matmul(a, g.t(b)));
        let q = g.concat(&[see(g, g.square(p)), g.cumsum(a, 0)], 0);
        g.softmax(see(g, g.mul(q, 0.1)), 1)
    });
    same("reduced to nothing", &x, |g, x, see| {
        let none = g.slice(x[0], 1, 0..0);
        let column = g.slice(see(g, g.sin(x[0])), 1, 0..1);
        g.sum(g.add(see(g, g.square(column)), none))
    });
}

/// Arrays that are another one times 1, between totals of both.
#[test]
fn totals_keep_their_order() {
    let x = inputs(&[&[LONG]]);
    same("read twice, and once more times 1", &x, |g, x, see| {
        let y = see(g, g.eval((x[0] * 2.0 + 1.0).sin() * x[0].exp()));
        let (a, b) = (g.sum(y * y), g.sum(see(g, g.eval(y * 1.0))));
        g.eval(a * 3.0 + b)
    });
    same("totals of both as they are", &x, |g, x, see| {
        let y = see(g, g.sin(x[0]));
        let (a, b) = (g.sum(y), g.sum(see(g, g.mul(y, 1.0))));
        g.eval(a * 3.0 + b.square())
    });
}

/// Ops that compute at once what they read: flat ones of shifts, others of an array and its total.
#[test]
fn arguments_that_wait_in_different_ways() {
    let x = inputs(&[&[LONG], &[LONG]]);
    same("a sign of a shift", &x, |g, x, see| {
        let shifted = see(g, g.roll(x[0], &[1], &[0]));
        g.mul(x[1], g.add(see(g, g.sign(shifted)), see(g, g.floor(g.eval(3.0 * shifted)))))
    });
    same("an array where another is less than their total", &x, |g, x, see| {
        let y = see(g, g.eval((x[0] * 2.0 + 1.0).sin() * x[0].exp()));
        let z = see(g, g.eval(y.sin() * y));
        g.where_(g.lt(x[1], 0.2), g.eval(z + y), g.mean(y))
    });
    let mut g = Graph::new();
    let a = g.leaf(&x[0]);
    let y = g.eval((a * 2.0 + 1.0).sin() * a.exp());
    let z = g.eval(y.sin() * y);
    let total = g.sum(y);
    g.set_value(a, ArrayD::<f64>::zeros(IxDyn(&[LONG]))).unwrap();
    let want = x[0].mapv(|x| (x * 2.0 + 1.0).sin() * x.exp());
    assert!((g.item(total) - want.sum()).abs() < 1e-9);
    assert!((g.value(z)[[3]] - want[[3]].sin() * want[[3]]).abs() < 1e-14);
}

/// Asking for an array does not change the bits of its totals.
#[test]
fn totals_have_one_set_of_bits() {
    let x = inputs(&[&[97, 131]]);
    let totals = |see: See| {
        let g = Graph::new();
        let y = see(&g, g.exp(g.leaf(&x[0])));
        let all = [g.sum(y), g.mean(y), g.sum_axes(y, &[0]), g.mean_axes(y, &[1])];
        all.map(|total| g.value(total).to_owned())
    };
    assert_eq!(totals(unseen), totals(seen));
}

#[test]
fn values_are_those_before_an_input_changes() {
    let x = inputs(&[&[LONG], &[LONG]]);
    let mut g = Graph::new();
    let (a, b) = (g.leaf(&x[0]), g.leaf(&x[1]));
    let shifted = g.roll(a, &[1], &[0]);
    let sum = g.add(a, b);
    let product = g.mul(sum, b);
    let of_shift = g.sin(g.mul(shifted, a));
    let loss = g.mean(product + of_shift);
    let other = g.mean(g.square(b));
    g.set_value(a, ArrayD::<f64>::zeros(IxDyn(&[LONG]))).unwrap();
    let want = (&x[0] + &x[1]) * &x[1];
    assert_eq!(g.value(product), want);
    assert!((g.value(of_shift)[[5]] - (x[0][[4]] * x[0][[5]]).sin()).abs() < 1e-15);
    assert_eq!(g.backward(loss).unwrap_err().kind(), ErrorKind::ModifiedValue);
    g.backward(other).unwrap();
    assert_eq!(g.grad(b).unwrap()[[3]], 2.0 * x[1][[3]] / LONG as f64);
    // What does not read the value that was overwritten has its derivative, with the values of before.
    let (a, b) = (g.leaf(&x[0]), g.leaf(&x[1]));
    let loss = g.sum(g.mul(g.add(a, b), b));
    g.set_value(a, ArrayD::<f64>::ones(IxDyn(&[LONG]))).unwrap();
    g.backward(loss).unwrap();
    assert_eq!(g.grad(a).unwrap(), x[1]);
    let slope = g.grad(b).unwrap()[[3]];
    assert!((slope - (x[0][[3]] + 2.0 * x[1][[3]])).abs() < 1e-15);
}

#[test]
fn a_retained_array_has_its_gradient() {
    let x = inputs(&[&[LONG]]);
    let mut g = Graph::new();
    let a = g.leaf(&x[0]);
    let inner = g.sin(a);
    let loss = g.sum(g.square(inner));
    g.retain_grad(inner);
    g.backward(loss).unwrap();
    assert_eq!(g.grad(inner).unwrap()[[7]], 2.0 * x[0][[7]].sin());
    let slope = g.gradient(loss, &[inner]).unwrap()[0];
    assert_eq!(g.value(slope)[[7]], 2.0 * x[0][[7]].sin());
}

/// No gradient passes what was recorded under `no_grad`, though a formula could take it up.
#[test]
fn no_grad_keeps_cotangents_back() {
    let x = inputs(&[&[LONG]]);
    let mut g = Graph::new();
    let a = g.leaf(&x[0]);
    let fixed = g.no_grad(|g| g.square(g.sin(a)));
    let loss = g.sum(g.mul(a, fixed));
    g.backward(loss).unwrap();
    let want = x[0][[9]].sin() * x[0][[9]].sin();
    assert!((g.grad(a).unwrap()[[9]] - want).abs() < 1e-15);
    assert!(!g.is_differentiable(fixed));
    // One op inside, one outside.
    let two = g.constant(2.0);
    let fixed = g.mul(g.no_grad(|g| g.sin(a)), two);
    let loss = g.sum(g.mul(a, fixed));
    g.zero_grad();
    g.backward(loss).unwrap();
    assert!((g.grad(a).unwrap()[[9]] - 2.0 * x[0][[9]].sin()).abs() < 1e-15);
}

/// A part that is recorded again, derivatives of derivatives, rows of a Jacobian.
#[test]
fn other_ways_to_derivatives() {
    let x = inputs(&[&[LONG]]);
    let part = |g: &Graph, x: &[Var]| g.square(g.sin(g.mul(x[0], 2.0)));
    let mut g = Graph::new();
    let a = g.leaf(&x[0]);
    let again = g.checkpoint(&[a], part).unwrap();
    let loss = g.sum(g.mul(again, a));
    g.backward(loss).unwrap();
    let slope = g.gradient(loss, &[a]).unwrap()[0];
    let curvature = g.gradient(g.sum(slope), &[a]).unwrap()[0];
    let (t, (s, c)) = (x[0][[11]], (2.0 * x[0][[11]]).sin_cos());
    let first = s * s + 4.0 * t * s * c;
    assert!((g.grad(a).unwrap()[[11]] - first).abs() < 1e-14);
    assert!((g.value(slope)[[11]] - first).abs() < 1e-14);
    assert!((g.value(curvature)[[11]] - (8.0 * s * c + 8.0 * t * (c * c - s * s))).abs() < 1e-13);
    let rows = jacobian(
        |g: &Graph, x: &[Var]| {
            let y = g.square(g.sin(x[0]));
            g.stack(&[g.sum(y), g.mean(g.mul(y, x[0]))], 0)
        },
        &[&x[0]],
    );
    let rows = &rows.unwrap()[0];
    let (s, c) = t.sin_cos();
    assert!((rows[[0, 11]] - 2.0 * s * c).abs() < 1e-15);
    assert!((rows[[1, 11]] - (s * s + 2.0 * t * s * c) / LONG as f64).abs() < 1e-15);
}

/// What waits across a mark is computed once, whoever reads it behind the mark, and as often as the tape is rewound.
#[test]
fn across_a_mark() {
    let x = inputs(&[&[LONG], &[LONG]]);
    let mut g = Graph::new();
    let (a, b) = (g.leaf(&x[0]), g.leaf(&x[1]));
    let y = g.sin(a);
    let base = g.mark();
    for _ in 0..3 {
        let z = g.mul(y, b);
        let loss = g.sum(g.square(z));
        g.backward(loss).unwrap();
        let (s, c) = x[0][[5]].sin_cos();
        let want = 2.0 * s * c * x[1][[5]] * x[1][[5]];
        assert!((g.grad(a).unwrap()[[5]] - want).abs() < 1e-15);
        g.zero_grad();
        g.rewind(base);
    }
    assert_eq!(g.value(y)[[5]], x[0][[5]].sin());
}
