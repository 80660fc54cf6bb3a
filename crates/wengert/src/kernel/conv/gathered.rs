//! The three kernels by products whose left operand is gathered from the prepared images: what pays for many channels.
//!
//! A row of the product is a position (or a term, for the weight's cotangent), a column a channel of the result. So no
//! register covers the gap between two rows of an image, and no sum over lanes is left; the price is a result that lies
//! channel by channel and has to be turned.

use std::ops::Range;

use super::correlate::{Pass, Plan, Prepared, Room, Runner};
use super::cut::Part;
use super::lanes::Lanes;
use super::layout::Grid;
use super::tile::{MOST_LANES, Shape};
use super::{Geometry, weight};
use crate::kernel::gemm::{GATHERED_ROWS, Gathered, panel_width};
use crate::kernel::threads;

/// Positions whose results lie in the first-level cache before they are turned.
const POSITIONS: usize = 16 * GATHERED_ROWS;

/// Terms from which turning the results counts for little.
const TERMS: usize = 128;

/// Whether products pay for so many channels of the result, each of so many terms: where the channels fill two registers or
/// more, seven eighths of them at least.
pub fn pays<T: Lanes>(channels: usize, terms: usize) -> bool {
    #[cfg(test)]
    if let Some(means) = super::tests::MEANS.get() {
        return means == super::tests::Means::Gathered;
    }
    let (lanes, _) = Shape::of::<T>();
    channels >= 2 * lanes && 8 * channels >= 7 * channels.next_multiple_of(lanes) && terms >= TERMS
}

/// Repeats the last place until there are whole tiles.
pub fn whole_tiles(places: &mut Vec<usize>) {
    if let Some(&last) = places.last() {
        places.resize(places.len().next_multiple_of(GATHERED_ROWS), last);
    }
}

/// Columns of a product, filled up to whole registers of any level.
fn width(columns: usize) -> usize {
    columns.next_multiple_of(MOST_LANES)
}

impl<T: Lanes> Prepared<T> {
    /// Appends a group's weights of a pass, panel after panel of rows, each `[terms][rows]`: `weight(row, term)`.
    pub fn pack_panels(&mut self, [rows, terms]: [usize; 2], weight: impl Fn(usize, usize) -> T + Sync) {
        let (lanes, _) = Shape::of::<T>();
        let (start, panel) = (self.weights.len(), panel_width(lanes));
        self.weights.resize(start + rows.next_multiple_of(lanes) * terms, T::zero());
        if terms == 0 {
            return;
        }
        let parts = self.weights[start..].chunks_mut(panel * terms).enumerate();
        threads::each_if(threads::pays(rows * terms), parts, |(k, out)| {
            let width = out.len() / terms;
            let rows = k * panel..rows.min((k + 1) * panel);
            // A few terms at a time, so that the lines they lie in are still there for the next ones.
            for (first, out) in (0..terms).step_by(MOST_LANES).zip(out.chunks_mut(MOST_LANES * width)) {
                for (column, row) in rows.clone().enumerate() {
                    let terms = out[column..].iter_mut().step_by(width).zip(first..);
                    terms.for_each(|(out, term)| *out = weight(row, term));
                }
            }
        });
    }
}

/// The starts of all positions of a block of images.
fn starts(starts: &mut Vec<usize>, pass: &Pass, pitch: usize, images: usize, image_len: usize) {
    let [rows, columns] = pass.grid.size;
    starts.clear();
    for image in 0..images {
        for row in 0..rows {
            let first = image * image_len + pass.origin + row * pitch;
            starts.extend(first..first + columns);
        }
    }
}

/// What the results of each tile reach; every image has the same rows of results.
fn spans(spans: &mut Vec<Range<usize>>, of_rows: &[Range<usize>], pass: &Pass, tiles: usize) {
    let [rows, columns] = pass.grid.size;
    spans.clear();
    if of_rows.is_empty() {
        return;
    }
    spans.extend((0..tiles).map(|tile| {
        let first = tile * GATHERED_ROWS / columns;
        let last = ((tile + 1) * GATHERED_ROWS - 1) / columns;
        let reached = (first..=last).map(|row| of_rows[row % rows].clone()).filter(|span| !span.is_empty());
        reached.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or(0..0)
    }));
}

impl<T: Lanes> Runner<'_, T> {
    /// The results of a pass over the images of a part.
    pub fn gathered(&self, room: &mut Room<T>, pass: &Pass, part: &Part, out: &mut [T]) {
        let &Plan { groups, channels, layout, plane, .. } = self.plan;
        let (from, to) = (channels[0] / groups, channels[1] / groups);
        let (images, columns, terms) = (part.images.len(), part.channels.len(), pass.offsets.len());
        let image_len = part.groups.len() * from * layout.len();
        starts(&mut room.starts, pass, layout.pitch, images, image_len);
        let positions = room.starts.len();
        whole_tiles(&mut room.starts);
        let tiles = room.starts.len() / GATHERED_ROWS;
        spans(&mut room.spans, &self.prepared.spans[pass.spans.clone()], pass, tiles);
        let width = width(columns);
        room.wide.resize(room.wide.len().max(POSITIONS * width), T::zero());
        let Room { starts, spans, image, wide, .. } = room;
        for (g, group) in part.groups.clone().enumerate() {
            let weights = group * to.next_multiple_of(self.lanes) + part.channels.start;
            let weights = &self.prepared.weights[pass.weights + weights * terms..];
            let bias = self.bias.map(|bias| &bias[group * to + part.channels.start..][..columns]);
            let target = Target {
                channels: part.channels_each(),
                first: g * columns,
                columns,
                plane,
                grid: &pass.grid,
                bias,
                accumulate: self.accumulate,
            };
            let mut spans = &spans[..];
            for (first, rows) in (0..positions).step_by(POSITIONS).zip(starts.chunks(POSITIONS)) {
                let spans = spans.split_off(..rows.len() / GATHERED_ROWS).unwrap_or_default();
                self.arch.dispatch(Gathered {
                    data: &image[g * from * layout.len()..],
                    rows,
                    steps: &self.prepared.offsets[pass.offsets.clone()],
                    spans,
                    b: weights,
                    columns,
                    add: false,
                    c: wide,
                    width,
                });
                let count = POSITIONS.min(positions - first);
                target.emit(&wide[..count * width], width, first, out);
            }
        }
    }
}

/// Where results go: `columns` channels from `first` on of `[images][channels][plane]`.
struct Target<'a, T> {
    channels: usize,
    first: usize,
    columns: usize,
    plane: usize,
    grid: &'a Grid,
    bias: Option<&'a [T]>,
    accumulate: bool,
}

impl<T: Lanes> Target<'_, T> {
    /// Turns the results of the positions from `position` on, `[positions][width]`, into planes.
    fn emit(&self, mut c: &[T], width: usize, mut position: usize, out: &mut [T]) {
        let Grid { size: [rows, columns], first, step } = *self.grid;
        // Rows that touch are one run.
        let run = if step == [columns, 1] { rows * columns } else { columns };
        while !c.is_empty() {
            let (image, at) = (position / (rows * columns), position % (rows * columns));
            let count = (run - at % run).min(c.len() / width);
            let place = first + at / run * step[0] + at % run * step[1];
            let planes = out[(image * self.channels + self.first) * self.plane..].chunks_mut(self.plane);
            for (channel, plane) in planes.take(self.columns).enumerate() {
                let bias = self.bias.map_or(T::zero(), |bias| bias[channel]);
                let results = c[channel..].iter().step_by(width).take(count).map(|&x| x + bias);
                let places = plane[place..].iter_mut().step_by(step[1]).zip(results);
                match self.accumulate {
                    true => places.for_each(|(place, x)| *place += x),
                    false => places.for_each(|(place, x)| *place = x),
                }
            }
            c = &c[count * width..];
            position += count;
        }
    }
}

impl<T: Lanes> weight::Runner<'_, T> {
    /// Adds a block's products to the transposed cotangents of the weight, one for each group.
    pub fn gathered(&self, room: &mut Room<T>, part: &Part) {
        let &Geometry { groups, in_channels, out_channels, .. } = self.geometry;
        let (from, to, plane) = (in_channels / groups, out_channels / groups, self.geometry.plane());
        let (panel, columns, terms) = (panel_width(self.lanes), part.channels.len(), self.offsets.len());
        let image_len = part.groups.len() * from * self.layout.len();
        starts(&mut room.starts, &self.pass, self.layout.pitch, part.images.len(), image_len);
        let Room { starts, image, wide, turned, .. } = room;
        let (positions, width) = (starts.len(), width(columns));
        wide.resize(wide.len().max(positions * columns.next_multiple_of(self.lanes)), T::zero());
        turned.resize(part.groups.len() * terms * width, T::zero());
        for ((g, group), c) in part.groups.clone().enumerate().zip(turned.chunks_exact_mut(terms * width)) {
            // y_bar in panels of channels, each `[positions][channels]`.
            let first = group * to + part.channels.start;
            let panels = (0..columns).step_by(panel).zip(wide.chunks_mut(panel * positions));
            for (start, panel_out) in panels {
                let here = panel.min(columns - start);
                let across = here.next_multiple_of(self.lanes);
                for (n, out) in part.images.clone().zip(panel_out.chunks_mut(plane * across)) {
                    let planes = self.y_bar[(n * out_channels + first + start) * plane..].chunks_exact(plane);
                    for (channel, plane) in planes.take(here).enumerate() {
                        let places = out[channel..].iter_mut().step_by(across);
                        places.zip(plane).for_each(|(place, &y)| *place = y);
                    }
                }
            }
            self.arch.dispatch(Gathered {
                data: &image[g * from * self.layout.len()..],
                rows: self.offsets,
                steps: starts,
                spans: &[],
                b: wide,
                columns,
                add: true,
                c,
                width,
            });
        }
    }
}

/// Adds the transposed cotangents of a part to `out`, `[groups][channels][terms]`.
pub fn turn_back<T: Lanes>(turned: &[T], part: &Part, offsets: usize, terms: usize, out: &mut [T]) {
    let (columns, width) = (part.channels.len(), width(part.channels.len()));
    let groups = turned.chunks_exact(offsets * width).zip(out.chunks_exact_mut(columns * terms));
    for (turned, out) in groups {
        for first in (0..terms).step_by(MOST_LANES) {
            let some = first..terms.min(first + MOST_LANES);
            for (channel, out) in out.chunks_exact_mut(terms).enumerate() {
                let sums = turned[first * width + channel..].iter().step_by(width);
                out[some.clone()].iter_mut().zip(sums).for_each(|(out, &sum)| *out += sum);
            }
        }
    }
}
