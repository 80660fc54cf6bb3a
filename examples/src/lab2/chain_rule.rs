//! Section 2: gradients through functions of functions, and along several paths.

use ndarray::array;
use wengert::prelude::*;

use super::basics::gradient;
use super::{Lab, Outcome};

pub(super) fn run(lab: &mut Lab) -> Outcome {
    square_of_square(lab)?;
    cube_of_sum(lab)?;
    two_paths(lab)
}

fn square_of_square(lab: &mut Lab) -> Outcome {
    let report = &mut lab.report;
    report.step("y = x²,  z = y²  at  x = 2:   dz/dx = dz/dy · dy/dx = 2y · 2x");
    report.code("let y = g.eval(x.powi(2));\nlet z = g.eval(y.powi(2));");

    let mut g = Graph::new();
    let x = g.leaf(array![2.0]);
    let y = g.eval(x.powi(2));
    let z = g.eval(y.powi(2));
    g.backward(z)?;
    report.check("y", g.value(y), "/cells/(x^2)^2 at 2/y");
    report.check("z", g.value(z), "/cells/(x^2)^2 at 2/z");
    report.check("dz/dx", gradient(&g, x), "/cells/(x^2)^2 at 2/dx");
    Ok(())
}

fn cube_of_sum(lab: &mut Lab) -> Outcome {
    let report = &mut lab.report;
    report.step("z = (x² + 1)³  at  x = 2:   dz/dx = 3 (x² + 1)² · 2x");
    report.code("let z = g.eval((x.powi(2) + 1).powi(3));");

    let mut g = Graph::new();
    let x = g.leaf(array![2.0]);
    let z = g.eval((x.powi(2) + 1).powi(3));
    g.backward(z)?;
    report.check("z", g.value(z), "/cells/(x^2+1)^3 at 2/z");
    report.check("dz/dx", gradient(&g, x), "/cells/(x^2+1)^3 at 2/dx");
    Ok(())
}

fn two_paths(lab: &mut Lab) -> Outcome {
    let report = &mut lab.report;
    report.step("a = x²,  b = 3x,  z = a + b  at  x = 3:   contributions of both paths add up");
    report.code("let a = g.eval(x.powi(2));\nlet b = g.eval(3 * x);\nlet z = g.eval(a + b);");

    let mut g = Graph::new();
    let x = g.leaf(array![3.0]);
    let a = g.eval(x.powi(2));
    let b = g.eval(3 * x);
    let z = g.eval(a + b);
    g.backward(z)?;
    report.check("z", g.value(z), "/cells/x^2 + 3x at 3/z");
    report.check("dz/dx = 2x + 3", gradient(&g, x), "/cells/x^2 + 3x at 3/dx");
    Ok(())
}
