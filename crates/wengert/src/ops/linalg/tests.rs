//! Every op against central differences at first and second order; both sweeps against each other; refusals.

use ndarray::{ArrayD, IxDyn};

use crate::error::ErrorKind;
use crate::expr::Expr;
use crate::graph::Graph;
use crate::kernel::linalg::testing::Random;
use crate::op::*;
use crate::var::Var;

fn numbers(random: &mut Random, shape: &[usize]) -> ArrayD<f64> {
    ArrayD::from_shape_simple_fn(IxDyn(shape), || random.number())
}

fn inner(a: &ArrayD<f64>, b: &ArrayD<f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A formula, and the shapes of its arguments.
type Formula = fn(&Graph, &[Var]) -> Var;

fn op(g: &Graph, op: impl Into<Op>, args: &[Var]) -> Var {
    g.try_apply(&op.into(), args).unwrap()[0]
}

fn t(g: &Graph, x: Var) -> Var {
    op(g, Transpose::default(), &[x])
}

/// `a + n` on the diagonal: well away from singular.
fn regular(g: &Graph, a: Var) -> Var {
    let shape = g.shape(a);
    let n = shape[shape.len() - 1];
    let ones = g.constant(ArrayD::from_elem(IxDyn(&[n]), n as f64));
    let diagonal = op(g, Diag { k: 0 }, &[ones]);
    g.eval(a + diagonal)
}

/// `b b^T + n`: positive definite.
fn spd(g: &Graph, b: Var) -> Var {
    let gram = g.matmul(b, t(g, b));
    regular(g, gram)
}

fn over_columns(g: &Graph, x: Var) -> Var {
    op(g, Unsqueeze { axis: -2 }, &[x])
}

fn triangular(g: &Graph, x: &[Var], lower: bool, transpose: bool, unit_diagonal: bool) -> Var {
    let a = regular(g, x[0]);
    g.solve_triangular_with(a, x[1], TriangularSolve { lower, transpose, unit_diagonal }).unwrap()
}

/// Signs of vectors cancel in all of these.
const FORMULAS: &[(&str, &[&[usize]], Formula)] = &[
    ("cholesky", &[&[5, 5]], |g, x| g.cholesky(spd(g, x[0])).unwrap()),
    ("cholesky of a stack", &[&[2, 1, 3, 3]], |g, x| g.cholesky(spd(g, x[0])).unwrap()),
    ("cholesky of a view", &[&[4, 4]], |g, x| g.cholesky(t(g, spd(g, x[0]))).unwrap()),
    ("logdet_spd", &[&[2, 4, 4]], |g, x| g.logdet_spd(spd(g, x[0])).unwrap()),
    ("cholesky_solve", &[&[4, 4], &[4, 2]], |g, x| {
        let l = g.cholesky(spd(g, x[0])).unwrap();
        g.cholesky_solve(x[1], l).unwrap()
    }),
    ("cholesky_solve of a vector", &[&[2, 3, 3], &[3]], |g, x| {
        g.cholesky_solve(x[1], regular(g, x[0])).unwrap()
    }),
    ("inverse", &[&[2, 4, 4]], |g, x| g.inverse(regular(g, x[0])).unwrap()),
    ("inverse of a view", &[&[3, 3]], |g, x| g.inverse(t(g, regular(g, x[0]))).unwrap()),
    ("inverse_transposed", &[&[2, 3, 3]], |g, x| op(g, InverseTransposed {}, &[regular(g, x[0])])),
    ("solve", &[&[4, 4], &[4, 3]], |g, x| g.solve(regular(g, x[0]), x[1]).unwrap()),
    ("solve for a vector", &[&[4, 4], &[4]], |g, x| g.solve(regular(g, x[0]), x[1]).unwrap()),
    ("solve a stack", &[&[2, 3, 3], &[2, 3, 2]], |g, x| g.solve(regular(g, x[0]), x[1]).unwrap()),
    ("solve broadcast", &[&[2, 1, 3, 3], &[4, 3, 2]], |g, x| g.solve(regular(g, x[0]), x[1]).unwrap()),
    ("solve a stack for a vector", &[&[2, 3, 3], &[3]], |g, x| g.solve(regular(g, x[0]), x[1]).unwrap()),
    ("solve_transposed", &[&[2, 3, 3], &[2, 3, 2]], |g, x| {
        op(g, SolveTransposed {}, &[regular(g, x[0]), x[1]])
    }),
    ("triangular_solve", &[&[4, 4], &[4, 2]], |g, x| triangular(g, x, true, false, false)),
    ("triangular_solve transposed", &[&[4, 4], &[4]], |g, x| triangular(g, x, true, true, false)),
    ("triangular_solve upper", &[&[2, 3, 3], &[3, 2]], |g, x| triangular(g, x, false, false, false)),
    ("triangular_solve upper unit", &[&[3, 3], &[3, 2]], |g, x| triangular(g, x, false, true, true)),
    ("det", &[&[2, 4, 4]], |g, x| g.det(x[0])),
    ("det of a power", &[&[3, 3]], |g, x| g.det(x[0] * x[0])),
    ("cofactor", &[&[2, 4, 4]], |g, x| op(g, Cofactor {}, &[x[0]])),
    ("cofactor_tangent", &[&[4, 4], &[4, 4]], |g, x| op(g, CofactorTangent {}, &[regular(g, x[0]), x[1]])),
    ("slogdet", &[&[2, 3, 3]], |g, x| g.slogdet(regular(g, x[0])).1),
    ("eigh", &[&[4, 4]], |g, x| {
        let (w, v) = g.eigh(x[0] + t(g, x[0])).unwrap();
        let scaled = g.eval(v * over_columns(g, g.eval(w.tanh())));
        g.matmul(scaled, t(g, v))
    }),
    ("eigenvalues", &[&[2, 3, 3]], |g, x| g.eigh(x[0] + t(g, x[0])).unwrap().0),
    ("svd", &[&[4, 2]], |g, x| {
        let (u, s, vt) = g.svd(x[0]).unwrap();
        g.matmul(u * over_columns(g, g.eval(s.sin())), vt)
    }),
    ("svd of a wide matrix", &[&[2, 2, 3]], |g, x| {
        let (u, s, vt) = g.svd(x[0]).unwrap();
        g.matmul(u * over_columns(g, g.eval(s.sin())), vt)
    }),
    ("singular values", &[&[3, 3]], |g, x| g.svd(x[0]).unwrap().1),
    ("qr", &[&[5, 3]], |g, x| {
        let (q, r) = g.qr(x[0]);
        let (q, r) = (g.eval(q * q), g.eval(r * r));
        g.matmul(q, r)
    }),
    ("qr of a wide matrix", &[&[2, 2, 4]], |g, x| {
        let (q, r) = g.qr(x[0]);
        let (q, r) = (g.eval(q * q), g.eval(r * r));
        g.matmul(q, r)
    }),
    ("right part of a wide qr", &[&[2, 4]], |g, x| g.eval(g.qr(x[0]).0.square())),
    ("expm", &[&[2, 3, 3]], |g, x| g.expm(x[0])),
    ("pinv", &[&[4, 2]], |g, x| g.pinv(x[0])),
    ("pinv of a wide matrix", &[&[2, 2, 3]], |g, x| g.pinv(x[0])),
    ("lstsq", &[&[5, 2], &[5]], |g, x| g.lstsq(x[0], x[1])),
    ("matrix_power", &[&[3, 3]], |g, x| g.matrix_power(x[0], 5).unwrap()),
    ("negative matrix_power", &[&[3, 3]], |g, x| g.matrix_power(regular(g, x[0]), -2).unwrap()),
    ("kron", &[&[2, 3], &[3, 2]], |g, x| g.kron(x[0], x[1])),
];

/// `sum(weights * formula)` and its arguments, on a fresh graph.
fn weighted(formula: Formula, values: &[ArrayD<f64>]) -> (Graph, Vec<Var>, Var) {
    let g = Graph::new();
    let args: Vec<Var> = values.iter().map(|x| g.leaf(x.clone())).collect();
    let y = formula(&g, &args);
    let weights = g.constant(numbers(&mut Random::new(99), &g.shape(y)));
    let total = g.sum(y * weights);
    (g, args, total)
}

fn moved(values: &[ArrayD<f64>], along: &[ArrayD<f64>], step: f64) -> Vec<ArrayD<f64>> {
    values.iter().zip(along).map(|(x, v)| x + &(v * step)).collect()
}

/// Fourth-order central difference at 0.
fn slope(f: impl Fn(f64) -> f64) -> f64 {
    let h = 2e-3;
    (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h)
}

fn near(have: f64, want: f64, scale: f64, what: &str) {
    assert!((have - want).abs() < 2e-8 * (1.0 + scale), "{what}: {have} instead of {want}");
}

#[test]
fn derivatives_equal_differences() {
    for (seed, &(name, shapes, formula)) in FORMULAS.iter().enumerate() {
        let mut random = Random::new(seed as u64 + 1);
        let values: Vec<_> = shapes.iter().map(|s| numbers(&mut random, s)).collect();
        let along: Vec<_> = shapes.iter().map(|s| numbers(&mut random, s)).collect();
        let (mut g, args, total) = weighted(formula, &values);
        let recorded = g.gradient(total, &args).unwrap();
        let gradients: Vec<_> = recorded.iter().map(|&v| g.value(v).to_owned()).collect();
        for round in 1..=2 {
            g.backward(total).unwrap();
            for (arg, want) in args.iter().zip(&gradients) {
                let want = want * f64::from(round);
                let off = (&g.grad(*arg).unwrap() - &want).iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                assert!(
                    off < 1e-11 * (1.0 + want.iter().fold(0.0, |m: f64, x| m.max(x.abs()))),
                    "{name}: sweeps differ by {off}"
                );
            }
        }
        let first =
            |gradients: &[ArrayD<f64>]| gradients.iter().zip(&along).map(|(g, v)| inner(g, v)).sum::<f64>();
        let scale = gradients.iter().map(|g| inner(g, g).sqrt()).sum::<f64>();
        let value_at = |step: f64| {
            let (g, _, total) = weighted(formula, &moved(&values, &along, step));
            g.item(total)
        };
        near(first(&gradients), slope(value_at), scale, &format!("{name}: gradient"));
        let tangents: Vec<_> = args.iter().zip(&along).map(|(&x, v)| (x, g.constant(v.clone()))).collect();
        let y_dot = g.tangent(total, &tangents).unwrap();
        near(g.item(y_dot), first(&gradients), scale, &format!("{name}: tangent"));

        let parts: Vec<Var> = recorded.iter().zip(&tangents).map(|(&g1, &(_, v))| g.sum(g1 * v)).collect();
        let along_first = parts.into_iter().reduce(|a, b| g.eval(a + b)).unwrap();
        let second: Vec<_> =
            g.gradient(along_first, &args).unwrap().iter().map(|&v| g.value(v).to_owned()).collect();
        let other: Vec<_> = shapes.iter().map(|s| numbers(&mut random, s)).collect();
        let have: f64 = second.iter().zip(&other).map(|(h, u)| inner(h, u)).sum();
        let gradient_at = |step: f64| {
            let (g, args, total) = weighted(formula, &moved(&values, &other, step));
            let gradients: Vec<_> =
                g.gradient(total, &args).unwrap().iter().map(|&v| g.value(v).to_owned()).collect();
            first(&gradients)
        };
        let scale = second.iter().map(|h| inner(h, h).sqrt()).sum::<f64>();
        near(have, slope(gradient_at), 10.0 * scale, &format!("{name}: second derivative"));
    }
}

#[test]
fn singular_matrices_have_the_gradients_they_have() {
    let mut g = Graph::new();
    // Rank 3 of 4: the cofactor matrix has rank one. Rank 2: it is zero, and only second derivatives are left.
    for rank in [3, 2] {
        let mut a = ArrayD::zeros(IxDyn(&[4, 4]));
        (0..rank).for_each(|i| a[[i, i]] = 2.0 + i as f64);
        let x = g.leaf(a.clone());
        let det = g.det(x);
        let gradient = g.gradient(det, &[x]).unwrap()[0];
        let want = if rank == 3 { 24.0 } else { 0.0 };
        assert_eq!(g.item(det), 0.0);
        assert!((g.value(gradient)[[3, 3]] - want).abs() < 1e-12);
        let along = g.gradient(g.sum(gradient * gradient + gradient), &[x]).unwrap()[0];
        assert!(g.value(along).iter().all(|x| x.is_finite()));
    }
    let x = g.leaf(ArrayD::zeros(IxDyn(&[2, 2])));
    let (sign, log) = g.slogdet(x);
    assert_eq!((g.item(sign), g.item(log)), (0.0, f64::NEG_INFINITY));
    g.backward(log).unwrap();
    let recorded = g.gradient(log, &[x]).unwrap()[0];
    assert!(g.value(recorded).iter().all(|x| !x.is_finite()));
}

#[test]
fn equal_eigenvalues_leave_invariant_losses_alone() {
    let mut g = Graph::new();
    let mut a = ArrayD::zeros(IxDyn(&[3, 3]));
    (0..3).for_each(|i| a[[i, i]] = if i == 2 { 5.0 } else { 1.0 });
    let x = g.leaf(a);
    let (w, v) = g.eigh(x).unwrap();
    let trace = g.sum(w);
    g.backward(trace).unwrap();
    assert_eq!(g.grad(x).unwrap(), ndarray::Array2::<f64>::eye(3).into_dyn());
    // The projector on the double eigenvalue's space: d P[0, 2] / d a[0, 2] = 1 / (1 - 5), on either side.
    let left = g.constant(ndarray::array![1.0, 1.0, 0.0]);
    let projector = g.matmul(v * over_columns(&g, left), t(&g, v));
    let corner = op(&g, Select { axis: 0, index: 0 }, &[projector]);
    let corner = op(&g, Select { axis: 0, index: 2 }, &[corner]);
    let gradient = g.gradient(corner, &[x]).unwrap()[0];
    let want = ndarray::array![[0.0, 0.0, -0.125], [0.0, 0.0, 0.0], [-0.125, 0.0, 0.0]].into_dyn();
    assert!((&g.value(gradient) - &want).iter().all(|x: &f64| x.abs() < 1e-14), "{}", g.value(gradient));
}

#[test]
fn refusals_name_kind_and_place() {
    let g = Graph::new();
    let zeros = |shape: &[usize]| g.leaf(ArrayD::<f64>::zeros(IxDyn(shape)));
    let kind = |op: Op, args: &[Var]| g.try_apply(&op, args).unwrap_err().kind();
    let squares: [Op; 9] = [
        Inverse {}.into(),
        Det {}.into(),
        SlogDet {}.into(),
        Cholesky {}.into(),
        Eigh {}.into(),
        LogDetSpd {}.into(),
        Expm {}.into(),
        MatrixPower { n: 2 }.into(),
        InverseTransposed {}.into(),
    ];
    for op in squares {
        assert_eq!(kind(op.clone(), &[zeros(&[2, 3])]), ErrorKind::NotSquare);
        assert_eq!(kind(op.clone(), &[zeros(&[3])]), ErrorKind::RankMismatch);
        assert_eq!(kind(op, &[zeros(&[3, 3]), zeros(&[3, 3])]), ErrorKind::InvalidAttribute);
    }
    for op in [Op::from(Solve {}), TriangularSolve::default().into()] {
        assert_eq!(kind(op.clone(), &[zeros(&[2, 3]), zeros(&[2])]), ErrorKind::NotSquare);
        assert_eq!(kind(op.clone(), &[zeros(&[2, 2]), zeros(&[3])]), ErrorKind::ShapeMismatch);
        assert_eq!(kind(op.clone(), &[zeros(&[2, 2]), zeros(&[])]), ErrorKind::RankMismatch);
        assert_eq!(kind(op, &[zeros(&[2, 2, 2]), zeros(&[3, 2, 2])]), ErrorKind::ShapeMismatch);
    }
    assert_eq!(kind(Qr {}.into(), &[zeros(&[3])]), ErrorKind::RankMismatch);
    assert_eq!(kind(Lstsq::default().into(), &[zeros(&[3, 2]), zeros(&[2])]), ErrorKind::ShapeMismatch);

    let mut stack = ArrayD::zeros(IxDyn(&[2, 2, 3, 3]));
    for i in 0..12 {
        stack[[i / 6, i / 3 % 2, i % 3, i % 3]] = 1.0;
    }
    stack[[1, 0, 1, 1]] = 0.0;
    let stack = g.leaf(stack);
    let refused = g.inverse(stack).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::SingularMatrix);
    assert!(
        refused.to_string().contains("the matrix at [1, 0] of the stack is singular: pivot 1"),
        "{refused}"
    );
    assert_eq!(g.solve(stack, zeros(&[3])).unwrap_err().kind(), ErrorKind::SingularMatrix);
    assert_eq!(g.matrix_power(stack, -1).unwrap_err().kind(), ErrorKind::SingularMatrix);
    let refused = g.cholesky(stack).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotPositiveDefinite);
    assert!(refused.to_string().contains("[1, 0]"), "{refused}");
    let undefined = g.leaf(ArrayD::from_elem(IxDyn(&[2, 2]), f64::NAN));
    assert_eq!(g.eigh(undefined).unwrap_err().kind(), ErrorKind::NoConvergence);
    assert_eq!(g.svd(undefined).unwrap_err().kind(), ErrorKind::NoConvergence);
}

#[test]
fn nothing_at_all_is_a_matrix_too() {
    let mut g = Graph::new();
    for shape in [&[0, 0][..], &[0, 3, 3], &[2, 0, 0]] {
        let x = g.leaf(ArrayD::<f64>::zeros(IxDyn(shape)));
        let mut results = vec![g.det(x), g.slogdet(x).1, g.qr(x).1, g.expm(x), g.pinv(x)];
        results.extend([g.inverse(x), g.cholesky(x), g.logdet_spd(x), g.solve(x, x)].map(Result::unwrap));
        results.extend([
            g.eigh(x).unwrap().1,
            g.svd(x).unwrap().1,
            g.matrix_power(x, 2).unwrap(),
            g.kron(x, x),
        ]);
        for y in results {
            let total = g.sum(y);
            g.backward(total).unwrap();
        }
        assert_eq!(g.grad(x).unwrap().shape(), shape);
    }
    let x = g.leaf(ArrayD::<f64>::zeros(IxDyn(&[0, 0])));
    assert_eq!(g.item(g.det(x)), 1.0);
    let x = g.leaf(ArrayD::<f64>::zeros(IxDyn(&[2, 2, 2])));
    let identity = g.matrix_power(x, 0).unwrap();
    assert_eq!(g.value(identity), ndarray::Array2::<f64>::eye(2).broadcast((2, 2, 2)).unwrap().into_dyn());
}

/// Solutions and gradients through kept factors are those of `solve`, whose rule is another.
#[test]
fn factors_solve_what_they_are_factors_of() {
    let mut random = Random::new(11);
    for (a_shape, b_shape) in
        [(&[3, 3][..], &[3][..]), (&[3, 3], &[3, 2]), (&[2, 4, 4], &[4, 3]), (&[2, 4, 4], &[2, 4, 1])]
    {
        let mut array = |shape: &[usize]| numbers(&mut random, shape);
        let mut g = Graph::new();
        let (a, b) = (g.leaf(array(a_shape)), g.leaf(array(b_shape)));
        let (lu, rows) = g.lu_factor(a).unwrap();
        let found = g.lu_solve(lu, rows, b).unwrap();
        let want = g.solve(a, b).unwrap();
        let gradients = |y: Var| g.gradient(g.sum(y.sin()), &[a, b]).unwrap();
        let pairs = gradients(found).into_iter().zip(gradients(want)).chain([(found, want)]);
        for (found, want) in pairs {
            let (found, want) = (g.value(found), g.value(want));
            assert_eq!(found.shape(), want.shape());
            assert!(found.iter().zip(want).all(|(f, w)| (f - w).abs() < 1e-9 * w.abs().max(1.0)));
        }
        let loss = g.sum(found.square());
        g.backward(loss).unwrap();
    }
    let g = Graph::new();
    let singular = g.lu_factor(g.leaf(ndarray::array![[1.0, 2.0], [2.0, 4.0]])).unwrap_err();
    assert_eq!(singular.kind(), ErrorKind::SingularMatrix);
}
