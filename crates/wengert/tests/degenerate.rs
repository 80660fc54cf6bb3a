//! Equal eigenvalues and singular values: derivatives that exist are right there, and those that do not are refused.

use ndarray::{Array2, Array3, ArrayD, array};
use wengert::ErrorKind;
use wengert::ErrorKind::{NotDifferentiable, SingularMatrix};
use wengert::op::{CholeskySolve, Pinv, TriangularSolve};
use wengert::prelude::*;

/// `q diag(values) q^T` for a rotation `q` about no axis in particular.
fn turned(values: [f64; 3]) -> Array2<f64> {
    let q = array![[2.0, -2.0, 1.0], [1.0, 2.0, 2.0], [2.0, 1.0, -2.0]] / 3.0;
    q.dot(&Array2::from_diag(&array![values[0], values[1], values[2]])).dot(&q.t())
}

fn weights(shape: (usize, usize)) -> Array2<f64> {
    Array2::from_shape_fn(shape, |(i, j)| (0.7 + 1.3 * i as f64 - 0.9 * j as f64).sin())
}

type Loss = fn(&Graph, Var) -> Var;

fn weighted(g: &Graph, y: Var) -> Var {
    let shape = g.shape(y);
    g.sum(y * g.constant(weights((shape[0], shape[1]))))
}

fn value(loss: Loss, a: &Array2<f64>) -> f64 {
    let g = Graph::new();
    let a = g.leaf(a);
    g.item(loss(&g, a))
}

/// `backward` and `gradient` of `loss` at `a` against central differences.
fn holds(what: &str, loss: Loss, a: &Array2<f64>) {
    let mut g = Graph::new();
    let x = g.leaf(a);
    let y = loss(&g, x);
    let recorded = g.gradient(y, &[x]).unwrap_or_else(|error| panic!("{what}: {error}"))[0];
    g.backward(y).unwrap();
    let apart = (&g.grad(x).unwrap() - &g.value(recorded)).iter().fold(0f64, |most, x| most.max(x.abs()));
    assert!(apart < 1e-13, "{what}: sweeps differ by {apart}");
    for (index, have) in g.grad(x).unwrap().indexed_iter() {
        let at = |by: f64| {
            let mut a = a.clone();
            a[[index[0], index[1]]] += by;
            value(loss, &a)
        };
        let h = 1e-3;
        let slope = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
        assert!((have - slope).abs() < 1e-9, "{what}: {have} instead of {slope} at {index:?}");
    }
}

/// Neither `backward` nor `gradient` gives a number, and the graph goes on.
fn refused(what: &str, loss: Loss, a: &Array2<f64>) {
    let mut g = Graph::new();
    let x = g.leaf(a);
    let y = loss(&g, x);
    let error = g.gradient(y, &[x]).map(drop).expect_err(what);
    assert_eq!(error.kind(), NotDifferentiable, "{what}: {error}");
    assert_eq!(g.backward(y).expect_err(what).kind(), NotDifferentiable, "{what}");
    assert!(g.grad(x).is_none(), "{what}: a refused sweep leaves no gradient");
    let norm = g.sum(x * x);
    g.backward(norm).unwrap();
    assert_eq!(g.grad(x).unwrap(), (a * 2.0).into_dyn());
}

fn symmetric(g: &Graph, a: Var) -> Var {
    g.eval(0.5 * (a + g.t(a)))
}

fn eigh(g: &Graph, a: Var) -> (Var, Var) {
    g.eigh(symmetric(g, a)).unwrap()
}

/// On the space of the two smallest eigenvalues.
fn projector(g: &Graph, a: Var) -> Var {
    let (_, v) = eigh(g, a);
    let v = g.narrow(v, 1, 0, 2);
    weighted(g, g.matmul(v, g.t(v)))
}

fn first_vector(g: &Graph, a: Var) -> Var {
    let (_, v) = eigh(g, a);
    let v = g.narrow(v, 1, 0, 1);
    weighted(g, g.matmul(v, g.t(v)))
}

fn exponential(g: &Graph, a: Var) -> Var {
    let (w, v) = eigh(g, a);
    weighted(g, g.matmul(v * w.exp(), g.t(v)))
}

fn eigenvalues(g: &Graph, a: Var) -> Var {
    let (w, _) = eigh(g, a);
    g.sum(w.sin())
}

fn polar(g: &Graph, a: Var) -> Var {
    let (u, _, vt) = g.svd(a).unwrap();
    weighted(g, g.matmul(u, vt))
}

fn left_vectors(g: &Graph, a: Var) -> Var {
    weighted(g, g.svd(a).unwrap().0)
}

fn nuclear_norm(g: &Graph, a: Var) -> Var {
    g.sum(g.svdvals(a).unwrap())
}

/// The nearest matrix of rank one.
fn leading_part(g: &Graph, a: Var) -> Var {
    let (u, s, vt) = g.svd(a).unwrap();
    let (u, s, vt) = (g.narrow(u, 1, 0, 1), g.narrow(s, 0, 0, 1), g.narrow(vt, 0, 0, 1));
    weighted(g, g.matmul(u * s, vt))
}

fn sines_of_singular_values(g: &Graph, a: Var) -> Var {
    let (u, s, vt) = g.svd(a).unwrap();
    weighted(g, g.matmul(u * s.sin(), vt))
}

#[test]
fn eigenvectors_of_equal_eigenvalues() {
    for a in [Array2::from_diag(&array![1.0, 1.0, 3.0]), turned([1.0, 1.0, 3.0])] {
        holds("projector", projector, &a);
        holds("eigenvalues", eigenvalues, &a);
        refused("single vector", first_vector, &a);
        refused("function of a matrix", exponential, &a);
    }
    let apart = turned([1.0, 2.0, 4.0]);
    let losses: [Loss; 4] = [projector, eigenvalues, first_vector, exponential];
    losses.iter().for_each(|loss| holds("eigenvalues apart", *loss, &apart));
    refused("function of the identity", exponential, &Array2::eye(3));
    refused("function of nothing", exponential, &Array2::zeros((3, 3)));
}

#[test]
fn singular_vectors_of_equal_singular_values() {
    let orthogonal = array![[2.0, -2.0, 1.0], [1.0, 2.0, 2.0], [2.0, 1.0, -2.0]] / 3.0;
    let apart = array![[2.0, 0.3, -0.4], [0.1, 1.0, 0.5], [-0.2, 0.6, 3.0]];
    let rank_one = array![[2.0, 4.0, -2.0], [1.0, 2.0, -1.0], [-2.0, -4.0, 2.0]];
    holds("polar factor", polar, &(&orthogonal * 2.0));
    holds("polar factor of a tall matrix", polar, &orthogonal.slice(ndarray::s![.., ..2]).to_owned());
    holds("nuclear norm", nuclear_norm, &orthogonal);
    holds("leading part", leading_part, &rank_one);
    refused("left vectors", left_vectors, &orthogonal);
    refused("function of singular values", sines_of_singular_values, &orthogonal);
    refused("function of singular values", sines_of_singular_values, &rank_one);
    let losses: [Loss; 4] = [polar, nuclear_norm, leading_part, sines_of_singular_values];
    losses.iter().for_each(|loss| holds("singular values apart", *loss, &apart));
}

/// The gradient of a projector is a function of vectors and values: its derivative cannot be told from a wrong one.
#[test]
fn second_order_is_refused_where_it_cannot_be_had() {
    let g = Graph::new();
    let x = g.leaf(turned([1.0, 1.0, 3.0]));
    let slope = g.gradient(projector(&g, x), &[x]).unwrap()[0];
    let along = weighted(&g, slope);
    assert_eq!(g.gradient(along, &[x]).unwrap_err().kind(), NotDifferentiable);
}

#[test]
fn tangents_may_not_split_equal_values() {
    let g = Graph::new();
    let x = g.leaf(Array2::from_diag(&array![1.0, 1.0, 3.0]));
    let (w, v) = g.eigh(x).unwrap();
    let split = g.constant(array![[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]);
    let refused = g.tangent(v, &[(x, split)]).unwrap_err();
    assert_eq!(refused.kind(), NotDifferentiable);
    assert_eq!(refused.location().unwrap().file(), file!());
    let total = g.sum(w);
    let trace = g.constant(Array2::eye(3));
    assert!((g.item(g.tangent(total, &[(x, trace)]).unwrap()) - 3.0).abs() < 1e-14);
    // The double space turns towards the third vector as a whole.
    let kept = array![[0.5, 0.0, 0.2], [0.0, 0.5, -0.4], [0.2, -0.4, 0.0]];
    let p = projector(&g, x);
    let dot = g.item(g.tangent(p, &[(x, g.constant(&kept))]).unwrap());
    let slope = g.value(g.gradient(p, &[x]).unwrap()[0]).to_owned();
    assert!((dot - (&slope * &kept).sum()).abs() < 1e-14);

    let x = g.leaf(Array2::eye(2));
    let (u, ..) = g.svd(x).unwrap();
    let towards = g.constant(array![[0.0, 1.0], [1.0, 0.0]]);
    assert_eq!(g.tangent(u, &[(x, towards)]).unwrap_err().kind(), NotDifferentiable);
}

#[test]
fn the_refusal_names_the_matrix() {
    let mut g = Graph::new();
    let mut stack = Array3::zeros((2, 2, 2));
    (0..2).for_each(|i| (0..2).for_each(|k| stack[[i, k, k]] = if i == 0 { k as f64 } else { 5.0 }));
    let x = g.leaf(stack);
    let (_, v) = g.eigh(x).unwrap();
    let loss = g.sum(v * g.constant(array![[1.0, 2.0], [3.0, 5.0]]));
    let message = g.backward(loss).unwrap_err().to_string();
    assert!(
        message.contains("the matrix at [1] of the stack has equal eigenvalues (numbers 0 and 1)"),
        "{message}"
    );
}

#[test]
fn a_zero_on_a_diagonal_is_singular() {
    let mut g = Graph::new();
    let l = g.leaf(array![[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [3.0, 4.0, 5.0]]);
    let b = g.leaf(array![1.0, 2.0, 3.0]);
    let error = g.solve_triangular(l, b, true).unwrap_err();
    assert_eq!(error.kind(), SingularMatrix);
    assert!(error.to_string().contains("entry 1 of its diagonal is zero"), "{error}");
    for transpose in [false, true] {
        let op = TriangularSolve { lower: false, transpose, unit_diagonal: false };
        assert_eq!(g.try_apply(&op.into(), &[l, b]).unwrap_err().kind(), SingularMatrix);
    }
    let unit = TriangularSolve { unit_diagonal: true, ..TriangularSolve::default() };
    let x = g.solve_triangular_with(l, b, unit).unwrap();
    assert_eq!(g.value(x), array![1.0, 0.0, 0.0].into_dyn());
    let nodes = g.node_count();
    assert_eq!(g.cholesky_solve(b, l).unwrap_err().kind(), SingularMatrix);
    assert_eq!(g.try_apply(&CholeskySolve {}.into(), &[b, l]).unwrap_err().kind(), SingularMatrix);
    assert_eq!(g.node_count(), nodes);
    // The second column is zero.
    let dependent = g.leaf(array![[1.0, 0.0], [0.0, 0.0]]);
    let (q, r) = g.qr(dependent);
    let loss = g.sum(g.matmul(q, r));
    assert_eq!(g.gradient(loss, &[dependent]).unwrap_err().kind(), SingularMatrix);
    assert_eq!(g.backward(loss).unwrap_err().kind(), SingularMatrix);
}

/// Without a derivative by any of the three ways to one.
fn without_derivative(what: &str, kind: ErrorKind, loss: Loss, a: &Array2<f64>) {
    let mut g = Graph::new();
    let x = g.leaf(a);
    let y = loss(&g, x);
    assert!(g.item(y).is_finite(), "{what}: the value is there");
    assert_eq!(g.gradient(y, &[x]).expect_err(what).kind(), kind, "{what}");
    let towards = g.constant(weights(a.dim()));
    assert_eq!(g.tangent(y, &[(x, towards)]).expect_err(what).kind(), kind, "{what}");
    assert_eq!(g.backward(y).expect_err(what).kind(), kind, "{what}");
}

#[test]
fn matrices_singular_to_rounding() {
    // 0.1 * 3 is not 0.3: what is left of the second column is rounding.
    let tall = array![[0.1, 0.3], [0.7, 2.1], [1.1, 3.3]];
    let wide = array![[0.1, 0.3, 5.0], [0.7, 2.1, 1.0]];
    let qr: Loss = |g, a| {
        let (q, r) = g.qr(a);
        let r = g.sum(r * r);
        g.eval(r + g.sum(q * q))
    };
    for a in [&tall, &wide] {
        without_derivative("qr", SingularMatrix, qr, a);
    }
    holds("qr of independent columns of any size", qr, &array![[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]);
    let graded = array![[1.0, 0.0], [0.0, 1e-150]];
    let g = Graph::new();
    let x = g.leaf(graded);
    g.gradient(qr(&g, x), &[x]).unwrap();

    let pinv: Loss = |g, a| {
        let p = g.pinv(a);
        g.sum(p * p)
    };
    let lstsq: Loss = |g, a| {
        let b = g.constant(array![1.0, -2.0, 0.5]);
        g.sum(g.lstsq(a, b))
    };
    without_derivative("pinv", NotDifferentiable, pinv, &tall);
    without_derivative("pinv", NotDifferentiable, pinv, &tall.t().to_owned());
    without_derivative("lstsq", NotDifferentiable, lstsq, &tall);
    let g = Graph::new();
    let (a, b) = (g.leaf(&tall), g.leaf(array![1.0, -2.0, 0.5]));
    let x = g.sum(g.lstsq(a, b));
    assert!(g.gradient(x, &[b]).is_ok(), "it is linear in the right side");
    let p = g.try_apply(&Pinv { rtol: Some(1e-10) }.into(), &[a]).unwrap()[0];
    assert!(g.gradient(g.sum(p), &[a]).is_ok(), "a rank that is given stays");
}

#[test]
fn vectors_of_a_singular_value_zero() {
    let tall = array![[2.0, 4.0], [1.0, 2.0], [-2.0, -4.0]];
    let gram: Loss = |g, a| {
        let u = g.svd(a).unwrap().0;
        weighted(g, g.matmul(u, g.t(u)))
    };
    let right: Loss = |g, a| {
        let vt = g.svd(a).unwrap().2;
        weighted(g, g.matmul(g.t(vt), vt))
    };
    for a in [tall.clone(), &tall * 0.1] {
        without_derivative("the space of the left vectors", NotDifferentiable, gram, &a);
        without_derivative("the space of the right vectors", NotDifferentiable, right, &a.t().to_owned());
        holds("leading part of a tall matrix", leading_part, &a);
        holds("leading part of a wide matrix", leading_part, &a.t().to_owned());
    }
    holds("the space of the left vectors", gram, &array![[2.0, 4.0], [1.0, -2.0], [-2.0, 1.0]]);
}

#[test]
fn the_power_zero_has_the_gradient_zero() {
    let mut g = Graph::new();
    let a = g.leaf(array![[0.0, 2.0], [-1.0, 3.0]]);
    let identity = g.matrix_power(a, 0).unwrap();
    assert_eq!(g.value(identity), Array2::<f64>::eye(2).into_dyn());
    let loss = g.sum(identity * identity);
    g.backward(loss).unwrap();
    assert_eq!(g.grad(a).unwrap(), ArrayD::<f64>::zeros(vec![2, 2]));
    let tangent = g.tangent(loss, &[(a, a)]).unwrap();
    assert_eq!(g.item(tangent), 0.0);
}
