//! Three panels side by side: how the network learned, from what, and what it makes of new points.

use kuva::plot::LegendPosition;
use kuva::plot::scatter::MarkerShape;
use kuva::render::figure::Figure;
use kuva::render::plots::Plot;

use super::fit::extent;
use super::{Picture, style};

/// A point of the plane and whether it belongs to class 1.
pub type Labelled = ((f64, f64), bool);

/// Training loss, training data by class, and the test points by predicted class with the wrong ones crossed out.
///
/// `test` pairs each point and its true class with the predicted class.
pub fn network_panels(losses: &[f64], training: &[Labelled], test: &[(Labelled, bool)]) -> Picture {
    let loss = vec![style::line(&style::by_epoch(losses), style::COLD, Some("training loss (mse)"))];

    let class = |wanted: bool| select(training.iter().filter(|p| p.1 == wanted).map(|p| p.0));
    let data = vec![
        style::dots(&class(false), style::COLD, Some("class 0")),
        style::dots(&class(true), style::WARM, Some("class 1")),
    ];

    let predicted = |wanted: bool| select(test.iter().filter(|p| p.1 == wanted).map(|p| p.0.0));
    let wrong = select(test.iter().filter(|p| p.1 != p.0.1).map(|p| p.0.0));
    let predictions = vec![
        style::dots(&predicted(false), style::COLD, Some("predicted 0")),
        style::dots(&predicted(true), style::WARM, Some("predicted 1")),
        style::marks(&wrong, style::INK, MarkerShape::Cross, 6.0, Some("wrong")),
    ];

    let right = 100.0 * (test.len() - wrong.len()) as f64 / test.len() as f64;
    let points = || training.iter().map(|p| p.0).chain(test.iter().map(|p| p.0.0));
    let (x_min, x_max) = extent(points().map(|p| p.0));
    let (y_min, y_max) = extent(points().map(|p| p.1));
    let plane = |plots: &[Plot], title: &str| {
        style::layout(plots, title, "x0", "x1")
            .with_legend_position(LegendPosition::InsideTopLeft)
            .with_x_axis_min((x_min - 0.2).floor())
            .with_x_axis_max((x_max + 0.2).ceil())
            .with_y_axis_min((y_min - 0.2).floor())
            .with_y_axis_max((y_max + 0.2).ceil())
    };
    let layouts = vec![
        style::layout(&loss, &format!("Loss over {} epochs", losses.len()), "epoch", "mean squared error")
            .with_y_axis_min(0.0),
        plane(&data, &format!("{} training points", training.len())),
        plane(&predictions, &format!("{} test points: {right:.0} % right", test.len())),
    ];
    let figure = Figure::new(1, 3)
        .with_title("A 2-10-1 ReLU network learns a disc")
        .with_title_size(19)
        .with_plots(vec![loss, data, predictions])
        .with_layouts(layouts)
        .with_cell_size(340.0, 340.0)
        .with_spacing(10.0)
        .with_padding(16.0);
    Picture::new(figure.render())
}

fn select(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    points.collect()
}
