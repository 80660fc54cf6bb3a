//! Section 7: four mistakes that everybody makes once, each shown failing and then done right.
//!
//! The second of them, changing a value that is still needed, is stopped twice. Between recording and the backward
//! pass the engine notices it when the program runs. While a view of a value is held, the compiler refuses it:
//!
//! ```compile_fail,E0502
//! use ndarray::array;
//! use wengert::prelude::*;
//!
//! let mut g = Graph::new();
//! let x = g.leaf(array![2.0]);
//! let view = g.value(x);
//! g.set_value(x, array![5.0]).unwrap(); // error[E0502]: cannot borrow `g` as mutable
//! println!("{view}");
//! ```
//!
//! Let go of the view first, and all is well:
//!
//! ```
//! use ndarray::array;
//! use wengert::prelude::*;
//!
//! let mut g = Graph::new();
//! let x = g.leaf(array![2.0]);
//! println!("{}", g.value(x));
//! g.set_value(x, array![5.0]).unwrap();
//! assert_eq!(g.item(x), 5.0);
//! ```

use ndarray::array;
use wengert::prelude::*;
use wengert::{Error, ErrorKind};

use super::basics::gradient;
use super::{Lab, Outcome};

pub(super) fn run(lab: &mut Lab) -> Outcome {
    accumulation(lab)?;
    modified_value(lab)?;
    no_scalar(lab)?;
    no_grad(lab)
}

/// Prints what the engine said and returns it; an engine that did not refuse is itself an error.
fn refusal<T>(lab: &mut Lab, call: &str, result: Result<T, Error>) -> Result<Error, String> {
    match result {
        Ok(_) => Err(format!("{call} should have been refused")),
        Err(error) => {
            lab.report.quote(call, &error.to_string());
            Ok(error)
        }
    }
}

fn accumulation(lab: &mut Lab) -> Outcome {
    let report = &mut lab.report;
    report.step("Pitfall 1: gradients add up until they are cleared");
    report.code(
        "let y = g.eval(x.powi(2));\n\
         g.backward(y)?;         // dy/dx = 4 at x = 2\n\
         let z = g.eval(3 * x);\n\
         g.backward(z)?;         // dz/dx = 3, but ...",
    );

    let mut g = Graph::new();
    let x = g.leaf(array![2.0]);
    let y = g.eval(x.powi(2));
    g.backward(y)?;
    report.check("after y", gradient(&g, x), "/cells/accumulation at 2/first");
    let z = g.eval(3 * x);
    g.backward(z)?;
    report.check("after z: 4 + 3", gradient(&g, x), "/cells/accumulation at 2/accumulated");

    report.done_right("clear them first");
    report.code("g.zero_grad();\ng.backward(z)?;");
    g.zero_grad();
    g.backward(z)?;
    report.check("after zero_grad", gradient(&g, x), "/cells/accumulation at 2/after zero_grad");
    Ok(())
}

fn modified_value(lab: &mut Lab) -> Outcome {
    lab.report.step("Pitfall 2: a value changed under the engine's feet");
    lab.report.code(
        "let y = g.eval(x.powi(2));          // its derivative 2x needs x = 2\n\
         g.set_value(x, array![5.0])?;       // ... which is gone now\n\
         g.backward(y)",
    );

    let mut g = Graph::new();
    let x = g.leaf(array![2.0]);
    let y = g.eval(x.powi(2));
    g.set_value(x, array![5.0])?;
    let attempt = g.backward(y);
    let error = refusal(lab, "backward", attempt)?;
    let kind = error.kind();
    lab.report.check_that("refused as", kind.name(), kind == ErrorKind::ModifiedValue);
    lab.report.check_that("gradient of x", "none: nothing was touched", g.grad(x).is_none());

    let report = &mut lab.report;
    report.done_right("record again after the change");
    report.code("g.set_value(x, array![5.0])?;\nlet y = g.eval(x.powi(2));\ng.backward(y)?;");
    let y = g.eval(x.powi(2));
    g.backward(y)?;
    report.check_against("dy/dx = 2x at 5", gradient(&g, x), vec![10.0]);

    report.gap();
    report.line("While a view is held, not even the compiler lets the change pass:");
    report.code(
        "let view = g.value(x);\n\
         g.set_value(x, array![5.0])?;       // error[E0502]: cannot borrow `g` as mutable\n\
         println!(\"{view}\");",
    );
    report.line("(proved by compile_fail doctests: of Graph::value, and in examples/src/lab2/pitfalls.rs)");
    Ok(())
}

fn no_scalar(lab: &mut Lab) -> Outcome {
    lab.report.step("Pitfall 3: backward from something that is not a scalar");
    lab.report.code("let y = g.eval(2 * x);              // x and y are [2, 2]\ng.backward(y)");

    let mut g = Graph::new();
    let x = g.leaf(array![[1.0, 2.0], [3.0, 4.0]]);
    let y = g.eval(2 * x);
    let attempt = g.backward(y);
    let error = refusal(lab, "backward", attempt)?;
    let kind = error.kind();
    let right = kind == ErrorKind::NonScalarBackward;
    lab.report.check_refusal(kind.name(), right, "/cells/backward of [2,2] without a cotangent/error");

    let report = &mut lab.report;
    report.done_right("make it a scalar first (or pass a cotangent to backward_with)");
    report.code("let loss = g.sum(y);\ng.backward(loss)?;");
    let loss = g.sum(y);
    g.backward(loss)?;
    let shape: Vec<_> = gradient(&g, x).shape().iter().map(|&n| n as f64).collect();
    report.check("shape of dloss/dx", shape, "/cells/sum(2x), x [2,2]/grad_shape");
    report.check_against("dloss/dx", gradient(&g, x), array![[2.0, 2.0], [2.0, 2.0]]);
    Ok(())
}

fn no_grad(lab: &mut Lab) -> Outcome {
    lab.report.step("Pitfall 4: backward through no_grad");
    lab.report.code("let y = g.no_grad(|g| g.eval(x.powi(2)));\ng.backward(y)");

    let mut g = Graph::new();
    let x = g.leaf(array![2.0]);
    let y = g.no_grad(|g| g.eval(x.powi(2)));
    let attempt = g.backward(y);
    let error = refusal(lab, "backward", attempt)?;
    let kind = error.kind();
    let right = kind == ErrorKind::NoGradientPath;
    lab.report.check_refusal(kind.name(), right, "/cells/no_grad/error");

    let report = &mut lab.report;
    report.done_right("record what will be differentiated outside, and only look at things inside");
    report.code("let y = g.eval(x.powi(2));\ng.backward(y)?;");
    let y = g.eval(x.powi(2));
    g.backward(y)?;
    report.check_against("dy/dx = 2x", gradient(&g, x), vec![4.0]);
    Ok(())
}
