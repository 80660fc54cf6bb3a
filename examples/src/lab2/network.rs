//! Section 5: a network of two layers learns to tell the inside of a circle from the outside.

use std::error::Error;

use ndarray::{Array1, Array2, ArrayView2, s};
use wengert::prelude::*;

use super::{Lab, Outcome};
use crate::data::Circle;
use crate::plot::{self, Field};

/// The parameters of `relu(x w1 + b1) w2 + b2`.
#[derive(Clone, Copy)]
struct Network {
    w1: Var,
    b1: Var,
    w2: Var,
    b2: Var,
}

impl Network {
    /// Leaves that hold the given weights, and biases of zero.
    fn new(g: &Graph, data: &Circle) -> Self {
        let hidden = data.w1.ncols();
        Self {
            w1: g.leaf(data.w1.view()),
            b1: g.leaf(Array2::zeros((1, hidden))),
            w2: g.leaf(data.w2.view()),
            b2: g.leaf(Array2::zeros((1, 1))),
        }
    }

    fn parameters(&self) -> [Var; 4] {
        [self.w1, self.b1, self.w2, self.b2]
    }

    /// `[n, 2] -> [n, 1]`.
    fn forward(&self, g: &Graph, x: Var) -> Var {
        let hidden = g.relu(g.matmul(x, self.w1) + self.b1);
        g.eval(g.matmul(hidden, self.w2) + self.b2)
    }
}

pub(super) fn run(lab: &mut Lab) -> Outcome {
    let data = lab.source.circle()?;
    let expected = lab.report.expected();
    let rate = expected.number("/network/learning_rate")?;
    let epochs = expected.count("/network/epochs")?;
    let rows = expected.count("/network/train_rows")?;
    if rows == 0 || rows >= data.points.nrows() {
        let all = data.points.nrows();
        return Err(
            format!("circle.csv: {all} points cannot be split into {rows} to train and a rest").into()
        );
    }

    let report = &mut lab.report;
    report
        .step(&format!("relu(x W1 + b1) W2 + b2:  {epochs} epochs at learning rate {rate} on {rows} points"));
    report.code(
        "let hidden = g.relu(g.matmul(x, w1) + b1);\n\
         let output = g.eval(g.matmul(hidden, w2) + b2);\n\
         let loss = g.mse_loss(output, labels);",
    );

    let mut g = Graph::new();
    let network = Network::new(&g, &data);
    let losses = train(lab, &mut g, network, &data, rows, rate, epochs)?;

    let test = s![rows.., ..];
    let outputs = predict(&g, network, data.points.slice(test));
    let truth = data.labels.slice(test);
    let right =
        outputs.iter().zip(truth).filter(|(output, label)| (**output > 0.5) == (**label == 1.0)).count();
    let accuracy = right as f64 / truth.len() as f64;

    let report = &mut lab.report;
    report.check("loss by epoch", &losses, "/network/losses");
    report.check("W1", g.value(network.w1), "/network/W1");
    report.check("b1", g.value(network.b1), "/network/b1");
    report.check("W2", g.value(network.w2), "/network/W2");
    report.check("b2", g.value(network.b2), "/network/b2");
    report.check("test accuracy", accuracy, "/network/test_accuracy");
    report.line(&format!("{right} of {} test points are on the right side of output = 1/2", truth.len()));
    report.gap();
    draw(lab, &g, network, &data, &losses, rows)
}

/// Full-batch gradient descent on the first `rows` points; the loss before each step.
fn train(
    lab: &mut Lab,
    g: &mut Graph,
    network: Network,
    data: &Circle,
    rows: usize,
    rate: f64,
    epochs: usize,
) -> Result<Vec<f64>, Box<dyn Error>> {
    let x = g.constant(data.points.slice(s![..rows, ..]));
    let labels = g.constant(data.labels.slice(s![..rows, ..]));
    let parameters = network.parameters();
    let base = g.mark();
    let mut losses = Vec::with_capacity(epochs);
    let progress = lab.progress(epochs);
    for _ in 0..epochs {
        let output = network.forward(g, x);
        let loss = g.mse_loss(output, labels);
        losses.push(g.item(loss));
        g.backward(loss)?;
        g.update(&parameters, |w, dw| w.scaled_add(-rate, &dw))?;
        g.zero_grad();
        g.rewind(base);
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(losses)
}

/// The network's outputs, without recording how they came about.
fn predict(g: &Graph, network: Network, points: ArrayView2<'_, f64>) -> Array1<f64> {
    g.no_grad(|g| {
        let output = network.forward(g, g.constant(points));
        g.value(output).iter().copied().collect()
    })
}

fn draw(lab: &mut Lab, g: &Graph, network: Network, data: &Circle, losses: &[f64], rows: usize) -> Outcome {
    let labelled: Vec<_> = (data.points.rows().into_iter().zip(&data.labels))
        .map(|(point, &label)| ((point[0], point[1]), label == 1.0))
        .collect();
    let (training, test) = labelled.split_at(rows);
    lab.picture("5-network", || {
        let outputs = predict(g, network, data.points.slice(s![rows.., ..]));
        let predicted: Vec<_> =
            test.iter().copied().zip(outputs.iter().map(|&output| output > 0.5)).collect();
        plot::network_panels(losses, training, &predicted)
    })?;
    lab.picture("5-decision-regions", || {
        let field = Field::around(labelled.iter().map(|point| point.0));
        let grid = field.points();
        let grid =
            Array2::from_shape_fn((grid.len(), 2), |(i, j)| if j == 0 { grid[i].0 } else { grid[i].1 });
        let outputs = predict(g, network, grid.view());
        plot::decision_regions("What the network says over the plane", &field, &outputs.to_vec(), &labelled)
    })
}
