//! Training loss, and data with the line fitted to them.

use kuva::render::render::render_multiple;

use super::{Picture, style};

/// Loss against epoch.
pub fn training_loss(title: &str, losses: &[f64]) -> Picture {
    let plots = vec![style::line(&style::by_epoch(losses), style::COLD, Some("training loss (mse)"))];
    let layout = style::layout(&plots, title, "epoch", "mean squared error")
        .with_width(600.0)
        .with_height(400.0)
        .with_y_axis_min(0.0);
    Picture::new(render_multiple(plots, layout))
}

/// The points and the line `y = slope * x + intercept`, which is drawn from the leftmost to the rightmost point.
pub fn fitted_line(title: &str, points: &[(f64, f64)], slope: f64, intercept: f64) -> Picture {
    let (left, right) = extent(points.iter().map(|point| point.0));
    let ends = [left, right].map(|x| (x, slope * x + intercept));
    let sign = if intercept < 0.0 { '-' } else { '+' };
    let legend = format!("fit: y = {slope:.3} x {sign} {:.3}", intercept.abs());
    let plots =
        vec![style::dots(points, style::COLD, Some("data")), style::line(&ends, style::WARM, Some(&legend))];
    let layout = style::layout(&plots, title, "x", "y")
        .with_width(600.0)
        .with_height(400.0)
        .with_legend_position(kuva::plot::LegendPosition::InsideTopLeft);
    Picture::new(render_multiple(plots, layout))
}

/// Smallest and largest of `values`.
pub(super) fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}
