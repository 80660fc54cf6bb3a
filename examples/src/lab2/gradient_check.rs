//! Section 6: the engine's gradients beside finite differences.

use ndarray::{ArrayD, Dimension, array};
use wengert::prelude::*;

use super::basics::gradient;
use super::{Lab, Outcome};

const STEP: f64 = 1e-6;
const TOLERANCE: f64 = 1e-5;

pub(super) fn run(lab: &mut Lab) -> Outcome {
    polynomial(lab)?;
    matrix_function(lab)
}

fn polynomial(lab: &mut Lab) -> Outcome {
    let report = &mut lab.report;
    report.step("f(x) = Σ (3xᵢ² + xᵢ)  at  x = [1, 2, 3]");
    report.code("let f = |g: &Graph, x: Var| g.sum(3 * x.square() + x);\ncheck_gradients(f, &x, 1e-6, 1e-5)");

    let f = |g: &Graph, x: Var| g.sum(3 * x.square() + x);
    let point = array![1.0, 2.0, 3.0].into_dyn();
    let mut g = Graph::new();
    let x = g.leaf(point.view());
    let y = f(&g, x);
    g.backward(y)?;
    report.check("f(x)", g.item(y), "/cells/sum(3x^2 + x) at 1,2,3/y");
    report.check("df/dxᵢ = 6xᵢ + 1", gradient(&g, x), "/cells/sum(3x^2 + x) at 1,2,3/dx");
    side_by_side(lab, f, &point, gradient(&g, x).to_owned());
    Ok(())
}

fn matrix_function(lab: &mut Lab) -> Outcome {
    let report = &mut lab.report;
    let [a, b] = ["A", "B"].map(|name| format!("/cells/sum((A @ B)^2)/{name}"));
    let (a, b) = (report.expected().numbers(&a)?, report.expected().numbers(&b)?);
    report.step("f(A) = Σ (A B)²  with  A = [[1, 2], [3, 4]],  B = [[2, 3], [4, 5]]");
    report.code("let f = |g: &Graph, a: Var| g.sum(g.matmul(a, g.constant(&b)).square());");

    let f = |g: &Graph, a: Var| g.sum(g.matmul(a, g.constant(b.view())).square());
    let mut g = Graph::new();
    let x = g.leaf(a.view());
    let y = f(&g, x);
    g.backward(y)?;
    report.check("df/dA = 2 (A B) Bᵀ", gradient(&g, x), "/cells/sum((A @ B)^2)/dA");
    side_by_side(lab, f, &a, gradient(&g, x).to_owned());
    Ok(())
}

/// Prints the exact gradient next to the numerical one, element by element, and the verdict of `check_gradients`.
fn side_by_side(lab: &mut Lab, f: impl Fn(&Graph, Var) -> Var, at: &ArrayD<f64>, exact: ArrayD<f64>) {
    let report = &mut lab.report;
    let numerical = numerical_gradient(&f, at, STEP);
    report.columns(["element", "engine", "central difference", "difference"]);
    for ((index, &e), &n) in exact.indexed_iter().zip(&numerical) {
        report.numbers(&format!("{:?}", index.slice()), [e, n, (e - n).abs()]);
    }
    let check = check_gradients(&f, at, STEP, TOLERANCE);
    let (difference, element) = (check.max_difference, check.at.1);
    let verdict =
        format!("matches: {}, largest {difference:.1e} (relative) at element {element}", check.matches);
    report.check_that("check_gradients", &verdict, check.matches);
}
