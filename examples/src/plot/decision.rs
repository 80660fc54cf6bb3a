//! The plane coloured by what a classifier says, its boundary, and the data over it.

use std::sync::Arc;

use kuva::plot::colormap::ColorMap;
use kuva::plot::contour::ContourPlot;
use kuva::plot::{Heatmap, LegendPosition};
use kuva::render::plots::Plot;
use kuva::render::render::render_multiple;

use super::fit::extent;
use super::panels::Labelled;
use super::{Picture, style};

/// A function on a rectangle, sampled on a regular grid.
#[derive(Debug, Clone)]
pub struct Field {
    x: (f64, f64),
    y: (f64, f64),
    columns: usize,
    rows: usize,
}

impl Field {
    /// A grid over the smallest rectangle with whole-numbered sides that leaves a margin around `points`.
    pub fn around(points: impl Iterator<Item = (f64, f64)> + Clone) -> Self {
        const MARGIN: f64 = 0.14;
        let whole = |(low, high): (f64, f64)| ((low - MARGIN).floor(), (high + MARGIN).ceil());
        let x = whole(extent(points.clone().map(|p| p.0)));
        let y = whole(extent(points.map(|p| p.1)));
        Self { x, y, columns: 160, rows: 140 }
    }

    fn axis(range: (f64, f64), cells: usize) -> Vec<f64> {
        let step = (range.1 - range.0) / cells as f64;
        (0..cells).map(|i| range.0 + (i as f64 + 0.5) * step).collect()
    }

    /// The centres of the cells, row by row from the bottom.
    pub fn points(&self) -> Vec<(f64, f64)> {
        let xs = Self::axis(self.x, self.columns);
        Self::axis(self.y, self.rows).iter().flat_map(|&y| xs.iter().map(move |&x| (x, y))).collect()
    }
}

/// The regions where `outputs` (one for each of `field.points()`) is below and above 1/2, and `data` over them.
pub fn decision_regions(title: &str, field: &Field, outputs: &[f64], data: &[Labelled]) -> Picture {
    assert_eq!(outputs.len(), field.rows * field.columns, "one output for each cell of the field");
    let rows: Vec<Vec<f64>> = outputs.chunks(field.columns).map(<[f64]>::to_vec).collect();
    let clamped = rows.iter().map(|row| row.iter().map(|z| z.clamp(0.0, 1.0)).collect::<Vec<_>>());
    // The heatmap scales its colours to the values it holds; undo that, so that 1/2 is always the pale middle.
    let (low, high) = extent(outputs.iter().map(|z| z.clamp(0.0, 1.0)));
    let plane = Heatmap::new()
        .with_data(clamped)
        .with_x_range(field.x.0, field.x.1)
        .with_y_range(field.y.0, field.y.1)
        .with_cell_size(1.0)
        .with_color_map(ColorMap::Custom(Arc::new(move |share| blend(low + share * (high - low)))));
    let boundary = ContourPlot::new()
        .with_grid(rows, Field::axis(field.x, field.columns), Field::axis(field.y, field.rows))
        .with_levels(&[0.5])
        .with_line_color(style::INK)
        .with_line_width(1.8)
        .with_legend("output = 1/2");
    let class = |wanted: bool| data.iter().filter(|p| p.1 == wanted).map(|p| p.0).collect::<Vec<_>>();
    let plots = vec![
        Plot::Heatmap(plane),
        Plot::Contour(boundary),
        style::dots(&class(false), style::COLD, Some("class 0")),
        style::dots(&class(true), style::WARM, Some("class 1")),
    ];
    let layout = style::layout(&plots, title, "x0", "x1")
        .with_x_axis_min(field.x.0)
        .with_x_axis_max(field.x.1)
        .with_y_axis_min(field.y.0)
        .with_y_axis_max(field.y.1)
        .with_width(620.0)
        .with_height(520.0)
        .with_legend_position(LegendPosition::InsideTopRight);
    Picture::new(render_multiple(plots, layout))
}

/// Pale blue below 1/2 and pale orange above, the stronger the farther from it.
fn blend(value: f64) -> String {
    const COLD: [f64; 3] = [150.0, 188.0, 227.0];
    const WARM: [f64; 3] = [246.0, 188.0, 146.0];
    const AT_THE_BOUNDARY: f64 = 0.25;
    let end = if value < 0.5 { COLD } else { WARM };
    let weight = AT_THE_BOUNDARY + (1.0 - AT_THE_BOUNDARY) * (2.0 * value - 1.0).abs();
    let channel = |i: usize| (255.0 + (end[i] - 255.0) * weight).round() as u8;
    format!("rgb({},{},{})", channel(0), channel(1), channel(2))
}
