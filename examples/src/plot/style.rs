//! Colours, sizes and fonts of every picture.

use kuva::plot::scatter::{MarkerShape, ScatterPlot};
use kuva::plot::{LegendPosition, LinePlot};
use kuva::render::layout::Layout;
use kuva::render::plots::Plot;
use kuva::render::theme::Theme;

/// Class 0, and everything cold: a blue that stays apart from [`WARM`] for colour-blind readers.
pub const COLD: &str = "#2f6db3";
/// Class 1, and everything warm.
pub const WARM: &str = "#e0702a";
/// What is measured against: fitted lines, boundaries, wrong predictions.
pub const INK: &str = "#22303c";
/// Text and axes of lesser weight.
pub const MUTED: &str = "#5c6b78";
/// Grid lines.
pub const GRID: &str = "#e4e8ec";
/// Gradients, in the graph pictures.
pub const GRADIENT: &str = "#b3362c";

/// Pixels for each unit of a scene.
pub const PIXELS_PER_UNIT: u16 = 2;

/// White paper, quiet grid, dark text.
pub fn theme() -> Theme {
    Theme {
        axis_color: MUTED.into(),
        grid_color: GRID.into(),
        tick_color: MUTED.into(),
        text_color: INK.into(),
        legend_border: GRID.into(),
        colorbar_border: MUTED.into(),
        ..Theme::light()
    }
}

/// A layout that fits `plots`, with the fonts and line widths of the set.
pub fn layout(plots: &[Plot], title: &str, x_label: &str, y_label: &str) -> Layout {
    Layout::auto_from_plots(plots)
        .with_theme(theme())
        .with_title(title)
        .with_x_label(x_label)
        .with_y_label(y_label)
        .with_title_size(17)
        .with_label_size(14)
        .with_tick_size(12)
        .with_body_size(12)
        .with_grid_line_width(1.0)
        .with_axis_line_width(1.2)
        .with_tick_width(1.2)
        .with_legend_position(LegendPosition::InsideTopRight)
}

/// A line through `points`.
pub fn line(points: &[(f64, f64)], color: &str, legend: Option<&str>) -> Plot {
    let plot = LinePlot::new().with_data(points.iter().copied()).with_color(color).with_stroke_width(2.4);
    Plot::Line(match legend {
        Some(text) => plot.with_legend(text),
        None => plot,
    })
}

/// Round dots at `points`, with a thin outline so that overlapping ones stay countable.
pub fn dots(points: &[(f64, f64)], color: &str, legend: Option<&str>) -> Plot {
    marks(points, color, MarkerShape::Circle, 4.0, legend)
}

/// Marks of any shape at `points`.
pub fn marks(
    points: &[(f64, f64)],
    color: &str,
    shape: MarkerShape,
    size: f64,
    legend: Option<&str>,
) -> Plot {
    let plot = ScatterPlot::new()
        .with_data(points.iter().copied())
        .with_color(color)
        .with_marker(shape)
        .with_size(size)
        .with_marker_opacity(0.75)
        .with_marker_stroke_width(1.0);
    Plot::Scatter(match legend {
        Some(text) => plot.with_legend(text),
        None => plot,
    })
}

/// Numbers a series from 1: what happened in each epoch.
pub fn by_epoch(series: &[f64]) -> Vec<(f64, f64)> {
    series.iter().enumerate().map(|(epoch, &value)| ((epoch + 1) as f64, value)).collect()
}
