//! Section 4: a line through 100 points by gradient descent, and the loop that every training loop resembles.

use wengert::prelude::*;

use super::{Lab, Outcome};
use crate::plot;

pub(super) fn run(lab: &mut Lab) -> Outcome {
    let data = lab.source.regression()?;
    let expected = lab.report.expected();
    let start = expected.number("/linear_regression/w0")?;
    let intercept = expected.number("/linear_regression/b0")?;
    let rate = expected.number("/linear_regression/learning_rate")?;
    let epochs = expected.count("/linear_regression/epochs")?;

    let report = &mut lab.report;
    report.step(&format!("y ≈ x·w + b  by gradient descent: {epochs} epochs at learning rate {rate}"));
    report.code(
        "let base = g.mark();\n\
         for _ in 0..epochs {\n    \
             let p = g.eval(x * w + b);\n    \
             let loss = g.mean((p - y).square());\n    \
             g.backward(loss)?;\n    \
             g.update(&[w, b], |w, dw| w.scaled_add(-rate, &dw))?;\n    \
             g.zero_grad();\n    \
             g.rewind(base);             // the tape does not grow\n\
         }",
    );

    let mut g = Graph::new();
    let w = g.leaf(start);
    let b = g.leaf(intercept);
    let x = g.constant(data.x.view());
    let y = g.constant(data.y.view());
    let base = g.mark();
    let mut losses = Vec::with_capacity(epochs);
    let progress = lab.progress(epochs);
    for _ in 0..epochs {
        let p = g.eval(x * w + b);
        let loss = g.mean((p - y).square());
        losses.push(g.item(loss));
        g.backward(loss)?;
        g.update(&[w, b], |w, dw| w.scaled_add(-rate, &dw))?;
        g.zero_grad();
        g.rewind(base);
        progress.inc(1);
    }
    progress.finish_and_clear();

    let (slope, intercept) = (g.item(w), g.item(b));
    let report = &mut lab.report;
    report.check("loss by epoch", &losses, "/linear_regression/losses");
    report.check("w  (true slope 3)", slope, "/linear_regression/w");
    report.check("b  (true offset 2)", intercept, "/linear_regression/b");

    lab.report.gap();
    lab.picture("4-linear-regression-loss", || {
        plot::training_loss("Linear regression: training loss", &losses)
    })?;
    lab.picture("4-linear-regression-fit", || {
        let points: Vec<_> = data.x.iter().copied().zip(data.y.iter().copied()).collect();
        plot::fitted_line("Linear regression: data and fitted line", &points, slope, intercept)
    })
}
