//! Jacobians, whose rows share sweeps: against a sweep for each row, against tangents, and against differences.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array1, Array2, ArrayD, IxDyn, array};
use wengert::functional::{hessian, jacobian, jvp};
use wengert::prelude::*;
use wengert::{Error, Result};

type Function = fn(&Graph, &[Var]) -> Var;

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
    fn array(&mut self, shape: &[usize]) -> ArrayD<f64> {
        ArrayD::from_shape_fn(IxDyn(shape), |_| self.below(2000) as f64 / 1000.0 - 1.0)
    }
}

/// A row of the Jacobian for each element of the result, by a sweep of its own.
fn one_by_one(f: impl Fn(&Graph, &[Var]) -> Var, inputs: &[ArrayD<f64>]) -> Result<Vec<ArrayD<f64>>> {
    let mut g = Graph::new();
    let x: Vec<Var> = inputs.iter().map(|x| g.leaf(x)).collect();
    let y = f(&g, &x);
    let mut rows = vec![Vec::new(); x.len()];
    let mut y_bar = ArrayD::zeros(&g.shape(y)[..]);
    for k in 0..y_bar.len() {
        y_bar.as_slice_mut().unwrap()[k] = 1.0;
        g.zero_grad();
        g.backward_with(y, &y_bar)?;
        y_bar.fill(0.0);
        for (row, &x) in rows.iter_mut().zip(&x) {
            row.extend(g.grad(x).map_or(ArrayD::zeros(&g.shape(x)[..]), |bar| bar.to_owned()));
        }
    }
    let shape = |x: &ArrayD<f64>| [&g.shape(y)[..], x.shape()].concat();
    Ok(rows.into_iter().zip(inputs).map(|(row, x)| ArrayD::from_shape_vec(shape(x), row).unwrap()).collect())
}

fn by_jacobian(f: impl Fn(&Graph, &[Var]) -> Var, inputs: &[ArrayD<f64>]) -> Result<Vec<ArrayD<f64>>> {
    let inputs: Vec<&dyn wengert::graph::Source<f64>> = inputs.iter().map(|x| x as _).collect();
    jacobian(f, &inputs)
}

fn assert_close(have: &[ArrayD<f64>], want: &[ArrayD<f64>], tolerance: f64, what: &str) {
    assert_eq!(have.len(), want.len());
    for (have, want) in have.iter().zip(want) {
        assert_eq!(have.shape(), want.shape(), "{what}");
        let size = want.iter().fold(1f64, |m, v| m.max(v.abs()));
        for (a, b) in have.iter().zip(want) {
            assert!((a - b).abs() <= tolerance * size, "{what}: {a} against {b}");
        }
    }
}

/// Numbers, formulas of numbers, arrays, formulas of arrays, broadcasts, products and sums, each of what came before.
fn program(g: &Graph, x: &[Var], seed: u64, steps: usize) -> Var {
    let mut random = Random(seed);
    let mut numbers: Vec<Var> = (0..g.len(x[0]) as isize).map(|k| g.select(x[0], 0, k)).collect();
    let mut arrays = vec![x[1], g.broadcast_to(x[2], &[3, 4])];
    for _ in 0..steps {
        let [a, b, c] = [0; 3].map(|_| numbers[random.below(numbers.len())]);
        let [p, q] = [0; 2].map(|_| arrays[random.below(arrays.len())]);
        match random.below(14) {
            0 => numbers.push(g.sin(a)),
            1 => numbers.push(g.eval(a * b)),
            2 => numbers.push(g.eval(a - b)),
            3 => numbers.push(g.eval((a * b + c).tanh() - 0.3 * a)),
            4 => numbers.push(g.eval((a.square() + 1.0).log() * b)),
            5 => numbers.push(g.mean(g.eval(p * a))),
            6 => numbers.push(g.sum((p * q + b).sin() * 0.1)),
            7 => numbers.push(g.select(g.slice(g.reshape(p, &[12]), 0, 3..9), 0, 2)),
            8 => arrays.push(g.eval((p * q).tanh() + a)),
            9 => arrays.push(g.mul(p, b)),
            10 => arrays.push(g.tanh(g.matmul(g.matmul(p, g.t(q)), p))),
            11 => arrays.push(g.eval(p - g.sum_keepdims(q, &[1]))),
            12 => arrays.push(g.softmax(g.flip(p, &[0]), -1)),
            _ => arrays.push(g.div(p, g.eval(a.square() + 1.5))),
        }
    }
    let last = |all: &[Var], n: usize| all[all.len().saturating_sub(n)..].to_vec();
    let mut parts: Vec<Var> = last(&arrays, 3).into_iter().map(|y| g.reshape(y, &[12])).collect();
    parts.push(g.stack(&last(&numbers, 9), 0));
    g.concat(&parts, 0)
}

#[test]
fn random_programs_have_one_jacobian() -> Result<()> {
    for seed in 0..60 {
        let mut random = Random(seed * 977 + 5);
        let x = [random.array(&[6]), random.array(&[3, 4]), random.array(&[4])];
        let f = |g: &Graph, x: &[Var]| program(g, x, seed, 10 + seed as usize);
        let found = by_jacobian(f, &x)?;
        assert_close(&found, &one_by_one(f, &x)?, 1e-13, &format!("rows, seed {seed}"));
        for (k, input) in x.iter().enumerate() {
            for j in 0..input.len() {
                let mut x_dot = x.clone().map(|x| x * 0.0);
                x_dot[k].as_slice_mut().unwrap()[j] = 1.0;
                let (_, y_dot) = jvp(f, &[&x[0], &x[1], &x[2]], &[&x_dot[0], &x_dot[1], &x_dot[2]])?;
                let value = |times: f64| {
                    let g = Graph::new();
                    let moved: Vec<Var> =
                        x.iter().zip(&x_dot).map(|(x, x_dot)| g.leaf(x + &(x_dot * times))).collect();
                    g.value(f(&g, &moved)).to_owned()
                };
                let h = 2e-4;
                let near = (value(h) - value(-h)) * (8.0 / (12.0 * h));
                let difference = near - (value(2.0 * h) - value(-2.0 * h)) / (12.0 * h);
                let wide = input.len();
                let column =
                    ArrayD::from_shape_fn(y_dot.raw_dim(), |i| found[k].as_slice().unwrap()[i[0] * wide + j]);
                let column = [column];
                assert_close(&column, &[y_dot], 1e-11, &format!("tangents, seed {seed}"));
                assert_close(&column, &[difference], 1e-6, &format!("differences, seed {seed}"));
            }
        }
    }
    Ok(())
}

#[test]
fn programs_of_numbers_have_the_bits_of_a_sweep_for_each_row() -> Result<()> {
    let f = |g: &Graph, x: &[Var]| {
        let x: Vec<Var> = (0..g.len(x[0]) as isize).map(|k| g.select(x[0], 0, k)).collect();
        let mut y: Vec<Var> = Vec::new();
        for k in 0..75 {
            let before = *y.last().unwrap_or(&x[0]);
            y.push(g.eval((x[k % 40] * before).sin() + x[(k * 7) % 40].exp()));
        }
        g.stack(&y, 0)
    };
    for wide in [40, 80] {
        let x = [Random(1).array(&[wide])];
        assert_eq!(by_jacobian(f, &x)?, one_by_one(f, &x)?);
    }
    Ok(())
}

#[test]
fn in_single_precision() -> Result<()> {
    let x = Array1::from_shape_fn(20, |k| 0.1 * k as f32 - 1.0);
    let w = Array2::from_shape_fn((20, 20), |(i, j)| ((i * 7 + j) % 5) as f32 - 2.0);
    let f = |g: &Graph<f32>, x: &[Var]| g.tanh(g.matmul(g.constant(&w), g.eval(x[0] * x[0] + 0.5)));
    let found = jacobian(f, &[&x])?;
    for i in 0..20 {
        let y = (0..20).map(|j| w[[i, j]] * (x[j] * x[j] + 0.5)).sum::<f32>().tanh();
        for j in 0..20 {
            let want = (1.0 - y * y) * w[[i, j]] * 2.0 * x[j];
            assert!((found[0][[i, j]] - want).abs() < 1e-4, "{i} {j}: {} {want}", found[0][[i, j]]);
        }
    }
    Ok(())
}

#[test]
fn degenerate_shapes() -> Result<()> {
    let empty = Array1::<f64>::zeros(0);
    let x = array![1.0, 2.0, 3.0];
    let shape = |j: &[ArrayD<f64>]| j.iter().map(|j| j.shape().to_vec()).collect::<Vec<_>>();
    let j = jacobian(|g: &Graph, x: &[Var]| g.exp(x[0]), &[&empty, &x])?;
    assert_eq!(shape(&j), [vec![0, 0], vec![0, 3]]);
    let j = jacobian(|g: &Graph, x: &[Var]| g.eval(x[1] * g.sum(x[0])), &[&empty, &x])?;
    assert_eq!(shape(&j), [vec![3, 0], vec![3, 3]]);
    assert_eq!(j[1], ArrayD::<f64>::zeros(vec![3, 3]));
    // The argument itself, something that does not depend on it, and something that has no derivative.
    assert_eq!(jacobian(|_: &Graph, x: &[Var]| x[0], &[&x])?[0], Array2::eye(3).into_dyn());
    assert_eq!(jacobian(|g: &Graph, _: &[Var]| g.constant([1.0, 2.0]), &[&x])?[0], ArrayD::zeros(vec![2, 3]));
    assert_eq!(jacobian(|g: &Graph, x: &[Var]| g.floor(x[0]), &[&x])?[0], ArrayD::zeros(vec![3, 3]));
    let flat = |g: &Graph, x: &[Var]| g.eval(x[0].floor() * x[0] + x[1].sign());
    let j = jacobian(flat, &[&array![1.5, 2.5], &array![1.0, 2.0]])?;
    assert_eq!(j, [array![[1.0, 0.0], [0.0, 2.0]].into_dyn(), ArrayD::zeros(vec![2, 2])]);
    // Numbers, of any rank.
    let j = jacobian(|g: &Graph, x: &[Var]| g.eval(x[0] * x[1].sin()), &[&2.0, &array![[0.0]]])?;
    assert_eq!((shape(&j), j[1][[0, 0, 0, 0]]), (vec![vec![1, 1], vec![1, 1, 1, 1]], 2.0));
    let j = jacobian(|g: &Graph, x: &[Var]| g.stack(&[x[0], x[0], x[1]], 0), &[&2.0, &3.0])?;
    assert_eq!(j, [array![1.0, 1.0, 0.0].into_dyn(), array![0.0, 0.0, 1.0].into_dyn()]);
    Ok(())
}

/// A sum or mean over axes right behind a formula, whose result is a number, an array, or an array of one element.
#[test]
fn sums_of_formulas() -> Result<()> {
    let f = |g: &Graph, x: &[Var]| {
        let a = g.sum_axes(g.eval(x[0] * x[0] + x[0]), &[0]);
        let b = g.mean_axes(g.eval((x[0] * a).sin() + x[0]), &[0]);
        let c = g.sum_keepdims(g.eval(x[1] * b - x[1].exp()), &[1]);
        let d = g.sum_axes(g.eval(x[1] * c + x[1]), &[0, 1]);
        let e = g.sum((x[0] * d).tanh());
        g.concat(&[g.stack(&[a, b, d, e], 0), g.reshape(c, &[3])], 0)
    };
    for n in [3, 90] {
        let x = [Random(7).array(&[n]), Random(8).array(&[3, 4])];
        assert_close(&by_jacobian(f, &x)?, &one_by_one(f, &x)?, 1e-13, "sums of formulas");
    }
    Ok(())
}

/// A leaf that the result does not depend on, and a leaf of the function's own, stay out of it.
#[test]
fn other_leaves() -> Result<()> {
    let f = |g: &Graph, x: &[Var]| {
        let own = g.leaf([2.0, 3.0]);
        g.eval(own * x[0] + own.sin())
    };
    let j = jacobian(f, &[&array![1.0, 1.0], &array![5.0, 5.0]])?;
    assert_eq!(j, [array![[2.0, 0.0], [0.0, 3.0]].into_dyn(), ArrayD::zeros(vec![2, 2])]);
    Ok(())
}

/// A cotangent that is not linear in the one above it: each row must have its own.
#[test]
fn rules_of_the_user_see_every_row() -> Result<()> {
    let f = |g: &Graph, x: &[Var]| {
        let clipped = g.custom(
            "clipped",
            &[g.eval(x[0] * 3.0)],
            |x| Ok(x[0].to_owned()),
            |g, _, _, y_bar| Ok(vec![Some(g.clamp(y_bar, -0.5, 0.5))]),
        );
        g.matmul(g.constant(array![[1.0, 0.25], [-2.0, 0.5]]), clipped.unwrap())
    };
    assert_eq!(jacobian(f, &[&array![1.0, 2.0]])?[0], array![[1.5, 0.75], [-1.5, 1.5]].into_dyn());
    Ok(())
}

#[test]
fn refusals_are_those_of_a_sweep() {
    let refusing = |g: &Graph, x: &[Var]| {
        let vjp = |_: &Graph, _: &[Var], _: Var, _: Var| Err(Error::custom("no derivative"));
        g.custom("mine", &[g.eval(x[0] * 2.0)], |x| Ok(x[0].to_owned()), vjp).unwrap()
    };
    let degenerate = |g: &Graph, x: &[Var]| g.eigh(g.eval(x[0] * 2.0)).unwrap().1;
    let x = array![[1.0, 0.0], [0.0, 1.0]].into_dyn();
    let functions: [Function; 2] = [refusing, degenerate];
    for f in functions {
        let have = jacobian(f, &[&x]).unwrap_err();
        let want = one_by_one(f, std::slice::from_ref(&x)).unwrap_err();
        assert_eq!((have.kind(), have.to_string()), (want.kind(), want.to_string()));
    }
}

/// A part is recorded again once for all rows that share a sweep.
#[test]
fn checkpoints() -> Result<()> {
    let x = [Random(3).array(&[20]), Random(4).array(&[20, 20])];
    let times = Arc::new(AtomicUsize::new(0));
    let counted = times.clone();
    let f = move |g: &Graph, x: &[Var]| {
        let times = counted.clone();
        let inner = g.checkpoint(&[x[0], x[1]], move |g, x| {
            times.fetch_add(1, Ordering::Relaxed);
            let own = g.leaf(0.5);
            let h = g.checkpoint(&[x[0]], |g, x| g.eval(x[0].sin() * x[0])).unwrap();
            g.eval(g.matmul(x[1], h) * own + g.sum(x[0]))
        });
        let same = g.checkpoint(&[x[0]], |_, x| x[0]).unwrap();
        g.eval(inner.unwrap().tanh() * same)
    };
    let found = by_jacobian(&f, &x)?;
    assert!(times.load(Ordering::Relaxed) <= 4, "{}", times.load(Ordering::Relaxed));
    assert_close(&found, &one_by_one(&f, &x)?, 1e-13, "checkpoints");
    Ok(())
}

#[test]
fn hessians_by_rows() -> Result<()> {
    let n = 45;
    let x = Array1::from_shape_fn(n, |k| (k as f64).sin());
    let h = hessian(|g: &Graph, x: &[Var]| g.logsumexp(x[0]), &[&x])?;
    let p = x.exp() / x.exp().sum();
    for i in 0..n {
        for j in 0..n {
            let want = if i == j { p[i] - p[i] * p[i] } else { -p[i] * p[j] };
            assert!((h[0][0][[i, j]] - want).abs() < 1e-14);
        }
    }
    // In numbers, with several inputs.
    let f = |g: &Graph, x: &[Var]| {
        let a: Vec<Var> = (0..3).map(|k| g.select(x[0], 0, k)).collect();
        g.eval((a[0] * a[1] * x[1]).exp() + a[2].powi(3) * x[1])
    };
    let h = hessian(f, &[&array![0.5, 0.4, 2.0], &0.3])?;
    let e = 0.06f64.exp();
    let want = array![
        [0.0144 * e, 0.3 * e + 0.018 * e, 0.0],
        [0.3 * e + 0.018 * e, 0.0225 * e, 0.0],
        [0.0, 0.0, 3.6]
    ];
    assert_close(&[h[0][0].clone()], &[want.into_dyn()], 1e-14, "hessian");
    assert!((h[1][1][[]] - 0.04 * e).abs() < 1e-14);
    Ok(())
}
