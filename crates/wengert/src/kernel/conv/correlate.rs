//! The engine of [`forward`](super::forward) and [`input_cotangent`](super::input_cotangent): a plan of passes, run
//! block of images by block of images.
//!
//! A pass yields one grid of results (all of them, or those of one stride phase) of every group from one list of
//! terms. Blocks are so small that the prepared images and the results of one tile stay in the second-level cache.

use std::ops::Range;

use super::cut::{Cut, PIECE, Part};
use super::lanes::Lanes;
use super::layout::{Cover, Grid, Layout};
use super::tile::{Correlate, Shape, Target, WIDTH, arch, height};
use crate::kernel::gemm::panel_width;
use crate::kernel::scratch::{self, Scratch};
use crate::kernel::threads::{self, Jobs};

/// Bytes of prepared images, and of results in registers' order, in a block.
const BLOCK_BYTES: usize = 128 << 10;

/// Memory that the convolution kernels reuse from call to call; it grows with the largest image and kernel seen.
#[derive(Debug, Default)]
pub struct Workspace<T> {
    pub(super) plan: Prepared<T>,
    pub(super) room: Room<T>,
    /// Cotangents of the weight, one for each part of the batch.
    pub(super) sums: Vec<T>,
    /// Unfolded images, and results of several of them.
    pub(super) columns: Vec<T>,
    pub(super) wide: Vec<T>,
}

/// What all threads read.
#[derive(Debug, Default)]
pub struct Prepared<T> {
    pub weights: Vec<T>,
    pub offsets: Vec<usize>,
    /// Where a pass has its weights from.
    pub places: Vec<usize>,
    /// For a row of a pass's results the offsets that reach the source; the others meet zeros alone.
    pub spans: Vec<Range<usize>>,
    pub passes: Vec<Pass>,
}

/// What each thread has to itself.
#[derive(Debug, Default)]
pub struct Room<T> {
    pub starts: Vec<usize>,
    /// As those of the rows of results, of as many results as a product's tile has rows.
    pub spans: Vec<Range<usize>>,
    pub image: Vec<T>,
    pub wide: Vec<T>,
    /// The transposed cotangent of a weight.
    pub turned: Vec<T>,
}

/// One grid of results and the terms that it sums.
#[derive(Clone, Debug)]
pub struct Pass {
    pub grid: Grid,
    pub cover: Cover,
    /// Where result `(0, 0)` reads the term of offset 0.
    pub origin: usize,
    /// Its offsets in the workspace.
    pub offsets: Range<usize>,
    /// Its spans there, or none.
    pub spans: Range<usize>,
    /// Start of its weights in the workspace, `[groups][rows * terms]` in tiles.
    pub weights: usize,
}

/// What all passes share.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub batch: usize,
    pub groups: usize,
    /// Channels of the source and of the results, all groups together.
    pub channels: [usize; 2],
    pub layout: Layout,
    /// Elements of a plane of the results.
    pub plane: usize,
    /// Whether passes go by products of [`gathered`](super::gathered) windows.
    pub gathered: bool,
}

impl<T: Lanes> Prepared<T> {
    /// Forgets the last plan, keeps the memory.
    pub fn clear(&mut self) {
        self.weights.clear();
        self.offsets.clear();
        self.spans.clear();
        self.passes.clear();
    }

    /// Appends a group's weights of a pass, tile after tile: `weight(row, term)`.
    pub fn pack(
        &mut self,
        [rows, terms]: [usize; 2],
        tallest: usize,
        weight: impl Fn(usize, usize) -> T + Sync,
    ) {
        let start = self.weights.len();
        self.weights.resize(start + rows * terms, T::zero());
        if terms == 0 {
            return;
        }
        let tiles = |(k, mut out): (usize, &mut [T])| {
            let mut row = k * tallest;
            while !out.is_empty() {
                let height = height(out.len() / terms, tallest);
                let tile = out.split_off_mut(..height * terms).expect("a tile is left");
                for (term, column) in tile.chunks_exact_mut(height).enumerate() {
                    column.iter_mut().zip(row..).for_each(|(out, row)| *out = weight(row, term));
                }
                row += height;
            }
        };
        let parts = self.weights[start..].chunks_mut(tallest * terms).enumerate();
        threads::each_if(threads::pays(rows * terms), parts, tiles);
    }
}

impl<T: Lanes> Room<T> {
    /// Room for images of `len` elements, all of them zero.
    pub fn clear(&mut self, len: usize) {
        self.image.clear();
        self.image.resize(len, T::zero());
    }

    /// Places the groups of `part`, of `channels[0]` channels each, of its images; an image of the source has `channels[1]`.
    pub fn place(&mut self, layout: &Layout, channels: [usize; 2], part: &Part, source: &[T]) {
        let (len, plane) = (layout.len().max(1), (layout.size[0] * layout.size[1]).max(1));
        let planes = part.groups.len() * channels[0];
        for (n, image) in part.images.clone().enumerate() {
            let targets = self.image[n * planes * layout.len()..].chunks_exact_mut(len).take(planes);
            let first = image * channels[1] + part.groups.start * channels[0];
            let source = source[first * layout.size[0] * layout.size[1]..].chunks_exact(plane);
            targets.zip(source).for_each(|(target, source)| layout.place(source, target));
        }
    }
}

/// How many images make a block.
pub fn block(batch: usize, bytes_each: usize, limit: usize) -> usize {
    (limit / bytes_each.max(1)).clamp(1, batch.max(1))
}

impl Plan {
    /// Runs the passes in the workspace over all images. Every result is a sum of its own, in the order of the terms: how
    /// the work is cut does not show.
    pub fn run<T: Lanes>(
        &self,
        work: &mut Workspace<T>,
        source: &[T],
        bias: Option<&[T]>,
        accumulate: bool,
        out: &mut [T],
    ) {
        let (lanes, tallest) = Shape::of::<T>();
        let tallest = if self.gathered { panel_width(lanes) } else { tallest };
        let Workspace { plan, room, .. } = work;
        let [from, to] = self.channels.map(|channels| channels / self.groups);
        let products =
            plan.passes.iter().map(|pass| pass.grid.size[0] * pass.grid.size[1] * pass.offsets.len());
        let products = products.sum::<usize>().saturating_mul(self.batch * self.channels[1]);
        let pieces = if threads::available() > 1 { products / PIECE } else { 1 };
        let cut = Cut::new([self.batch, self.groups, to], pieces.max(1), tallest);

        let image_len = cut.groups * from * self.layout.len();
        let width = plan.passes.iter().map(|pass| pass.cover.width()).max().unwrap_or(0);
        let images = block(cut.images, (image_len.max(width * tallest)) * size_of::<T>(), BLOCK_BYTES);
        let reach = |pass: &Pass| {
            let last = pass.cover.start(pass.cover.registers.max(1) - 1) + pass.origin + lanes;
            last + plan.offsets[pass.offsets.clone()].iter().max().unwrap_or(&0)
        };
        let reach = plan.passes.iter().map(reach).max().unwrap_or(0);
        let run = Runner {
            plan: self,
            prepared: plan,
            source,
            bias,
            accumulate,
            images,
            lanes,
            tallest,
            arch: arch(),
        };
        let parts = cut.parts([self.groups, to, self.plane], out);
        in_rooms(pieces > 1, parts, room, |room, parts| {
            room.clear(images * image_len + reach);
            let mut placed = None;
            parts.for_each(|(part, out)| run.part(room, &mut placed, part, out));
        });
    }
}

/// Runs `worker` over all jobs with `room`; or, if they are shared, on every thread over those that it takes, with the room
/// of that thread.
pub fn in_rooms<T: Lanes, J: Send>(
    share: bool,
    mut jobs: impl Iterator<Item = J> + Send,
    room: &mut Room<T>,
    worker: impl Fn(&mut Room<T>, &mut Jobs<'_, J>) + Sync,
) {
    let worker: &(dyn Fn(&mut Room<T>, &mut Jobs<'_, J>) + Sync) = &worker;
    match share {
        true => threads::workers(true, jobs, |jobs| {
            scratch::with(|Scratch { conv, .. }: &mut Scratch<T>| worker(&mut conv.room, jobs));
        }),
        false => worker(room, &mut Jobs(&mut || jobs.next())),
    }
}

/// A plan being run.
pub struct Runner<'a, T> {
    pub plan: &'a Plan,
    pub prepared: &'a Prepared<T>,
    pub source: &'a [T],
    pub bias: Option<&'a [T]>,
    pub accumulate: bool,
    /// Images of a block.
    pub images: usize,
    pub lanes: usize,
    pub tallest: usize,
    pub arch: pulp::Arch,
}

impl<T: Lanes> Runner<'_, T> {
    /// Yields the results of a part; `placed` says which images, and groups of them, lie in the room.
    fn part(
        &self,
        room: &mut Room<T>,
        placed: &mut Option<(Range<usize>, Range<usize>)>,
        part: Part,
        out: &mut [T],
    ) {
        let Plan { groups, channels, layout, plane, .. } = self.plan;
        let each = part.channels_each() * plane;
        for (first, out) in part.images.clone().step_by(self.images).zip(out.chunks_mut(self.images * each)) {
            let part = Part { images: first..first + out.len() / each, ..part.clone() };
            let here = Some((part.images.clone(), part.groups.clone()));
            if *placed != here {
                room.place(layout, [channels[0] / groups, channels[0]], &part, self.source);
                *placed = here;
            }
            self.prepared.passes.iter().for_each(|pass| self.pass(room, pass, &part, out));
        }
    }

    fn pass(&self, room: &mut Room<T>, pass: &Pass, part: &Part, out: &mut [T]) {
        if self.plan.gathered {
            return self.gathered(room, pass, part, out);
        }
        let &Plan { groups, channels, layout, plane, .. } = self.plan;
        let (from, to) = (channels[0] / groups, channels[1] / groups);
        let images = part.images.len();
        fill_starts(&mut room.starts, pass, images, part.groups.len() * from * layout.len(), WIDTH);
        let row = room.starts.len() * self.lanes;
        if row == 0 {
            return;
        }
        if room.wide.len() < self.tallest * row {
            room.wide.resize(self.tallest * row, T::zero());
        }

        let terms = pass.offsets.len();
        for (g, group) in part.groups.clone().enumerate() {
            let mut channel = part.channels.start;
            while channel < part.channels.end {
                let height = height(part.channels.end - channel, self.tallest);
                let at = group * to + channel;
                self.arch.dispatch(Correlate {
                    height,
                    weights: &self.prepared.weights[pass.weights + at * terms..][..height * terms],
                    offsets: &self.prepared.offsets[pass.offsets.clone()],
                    image: &room.image[g * from * layout.len()..],
                    starts: &room.starts,
                    bias: self.bias.map(|bias| &bias[at..][..height]),
                    wide: &mut room.wide[..height * row],
                    target: Target {
                        out: &mut *out,
                        channel: g * part.channels.len() + channel - part.channels.start,
                        images,
                        channels: part.channels_each(),
                        plane,
                        grid: pass.grid,
                        width: pass.cover.width(),
                        row_step: pass.cover.row_step(),
                        accumulate: self.accumulate,
                    },
                });
                channel += height;
            }
        }
    }
}

/// Lists where the registers of a block of images start, the last one repeated up to a multiple of `multiple`.
pub fn fill_starts(starts: &mut Vec<usize>, pass: &Pass, images: usize, image_len: usize, multiple: usize) {
    starts.clear();
    for image in 0..images {
        let origin = image * image_len + pass.origin;
        starts.extend((0..pass.cover.registers).map(|i| origin + pass.cover.start(i)));
    }
    if let Some(&last) = starts.last() {
        starts.resize(starts.len().next_multiple_of(multiple), last);
    }
}
