//! Section 1: leaves, formulas, `backward`, `grad`.

use ndarray::array;
use wengert::prelude::*;

use super::{Lab, Outcome};

pub(super) fn run(lab: &mut Lab) -> Outcome {
    square(lab)?;
    two_variables(lab)?;
    sum_of_squares(lab)
}

fn square(lab: &mut Lab) -> Outcome {
    let report = &mut lab.report;
    report.step("y = x²  at  x = 3");
    report.code("let x = g.leaf(array![3.0]);\nlet y = g.eval(x.powi(2));\ng.backward(y)?;");

    let mut g = Graph::new();
    let x = g.leaf(array![3.0]);
    let y = g.eval(x.powi(2));
    g.backward(y)?;
    report.check("y", g.value(y), "/cells/x^2 at 3/y");
    report.check("dy/dx = 2x", gradient(&g, x), "/cells/x^2 at 3/dx");
    Ok(())
}

fn two_variables(lab: &mut Lab) -> Outcome {
    let report = &mut lab.report;
    report.step("z = x·y + x²  at  x = 2, y = 3");
    report.code("let z = g.eval(x * y + x.powi(2));\ng.backward(z)?;");

    let mut g = Graph::new();
    let x = g.leaf(array![2.0]);
    let y = g.leaf(array![3.0]);
    let z = g.eval(x * y + x.powi(2));
    g.backward(z)?;
    report.check("z", g.value(z), "/cells/xy + x^2 at (2,3)/z");
    report.check("dz/dx = y + 2x", gradient(&g, x), "/cells/xy + x^2 at (2,3)/dx");
    report.check("dz/dy = x", gradient(&g, y), "/cells/xy + x^2 at (2,3)/dy");
    Ok(())
}

fn sum_of_squares(lab: &mut Lab) -> Outcome {
    let report = &mut lab.report;
    report.step("y = Σ xᵢ²  at  x = [1, 2, 3, 4]");
    report.code("let y = g.sum(x.square());\ng.backward(y)?;");

    let mut g = Graph::new();
    let x = g.leaf(array![1.0, 2.0, 3.0, 4.0]);
    let y = g.sum(x.square());
    g.backward(y)?;
    report.check("y", g.item(y), "/cells/sum x^2 at 1..4/y");
    report.check("dy/dxᵢ = 2xᵢ", gradient(&g, x), "/cells/sum x^2 at 1..4/dx");
    Ok(())
}

/// The gradient of a leaf that a backward pass has just reached.
pub(super) fn gradient(g: &Graph, leaf: Var) -> ndarray::ArrayViewD<'_, f64> {
    g.grad(leaf).expect("the backward pass reached this leaf")
}
