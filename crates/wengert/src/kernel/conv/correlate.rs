//! The engine of [`forward`](super::forward) and [`input_cotangent`](super::input_cotangent): a plan of passes, run
//! block of images by block of images.
//!
//! A pass yields one grid of results (all of them, or those of one stride phase) of every group from one list of
//! terms. Blocks are so small that the prepared images and the results of one tile stay in the second-level cache.

use std::ops::Range;

use super::lanes::Lanes;
use super::layout::{Cover, Grid, Layout};
use super::tile::{Correlate, Shape, Target, WIDTH, arch, height};

/// Bytes of prepared images, and of results in registers' order, in a block.
const BLOCK_BYTES: usize = 128 << 10;

/// Memory that the convolution kernels reuse from call to call; it grows with the largest image and kernel seen.
#[derive(Debug, Default)]
pub struct Workspace<T> {
    pub(super) weights: Vec<T>,
    pub(super) offsets: Vec<usize>,
    pub(super) passes: Vec<Pass>,
    pub(super) starts: Vec<usize>,
    pub(super) image: Vec<T>,
    pub(super) wide: Vec<T>,
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
}

impl<T: Lanes> Workspace<T> {
    /// Forgets the last plan, keeps the memory.
    pub(super) fn clear(&mut self) {
        self.weights.clear();
        self.offsets.clear();
        self.passes.clear();
    }

    /// Appends a group's weights of a pass, tile after tile: `weight(row, term)`.
    pub(super) fn pack(
        &mut self,
        rows: usize,
        terms: usize,
        tallest: usize,
        weight: impl Fn(usize, usize) -> T,
    ) {
        let mut row = 0;
        while row < rows {
            let height = height(rows - row, tallest);
            for term in 0..terms {
                self.weights.extend((row..row + height).map(|row| weight(row, term)));
            }
            row += height;
        }
    }

    /// Places images `block` of the source.
    pub(super) fn place(&mut self, layout: &Layout, channels: usize, source: &[T]) {
        let len = layout.len();
        let plane = layout.size[0] * layout.size[1];
        debug_assert_eq!(source.len() % (channels * plane).max(1), 0);
        let targets = self.image.chunks_exact_mut(len.max(1));
        for (target, source) in targets.zip(source.chunks_exact(plane.max(1))) {
            layout.place(source, target);
        }
    }
}

/// How many images make a block.
pub fn block(batch: usize, bytes_each: usize, limit: usize) -> usize {
    (limit / bytes_each.max(1)).clamp(1, batch.max(1))
}

impl Plan {
    /// Runs the passes in the workspace over all images.
    pub fn run<T: Lanes>(
        &self,
        work: &mut Workspace<T>,
        source: &[T],
        bias: Option<&[T]>,
        accumulate: bool,
        out: &mut [T],
    ) {
        let (lanes, tallest) = Shape::of::<T>();
        let [from, to] = self.channels;
        let size = size_of::<T>();
        let image_len = from * self.layout.len();
        let width = work.passes.iter().map(|pass| pass.cover.width()).max().unwrap_or(0);
        let images = block(self.batch, (image_len.max(width * tallest)) * size, BLOCK_BYTES);

        let reach = |pass: &Pass| {
            let last = pass.cover.start(pass.cover.registers.max(1) - 1) + pass.origin + lanes;
            last + work.offsets[pass.offsets.clone()].iter().max().unwrap_or(&0)
        };
        let reach = work.passes.iter().map(reach).max().unwrap_or(0);
        work.image.clear();
        work.image.resize(images * image_len + reach, T::zero());

        let source_len = from * self.layout.size[0] * self.layout.size[1];
        for first in (0..self.batch).step_by(images) {
            let images = images.min(self.batch - first);
            work.place(&self.layout, from, &source[first * source_len..][..images * source_len]);
            for pass in 0..work.passes.len() {
                let out = &mut out[first * to * self.plane..][..images * to * self.plane];
                self.run_pass(work, pass, images, [lanes, tallest], bias, accumulate, out);
            }
        }
    }

    fn run_pass<T: Lanes>(
        &self,
        work: &mut Workspace<T>,
        pass: usize,
        images: usize,
        [lanes, tallest]: [usize; 2],
        bias: Option<&[T]>,
        accumulate: bool,
        out: &mut [T],
    ) {
        let pass = &work.passes[pass];
        let (from, to) = (self.channels[0] / self.groups, self.channels[1] / self.groups);
        let image_len = self.channels[0] * self.layout.len();
        fill_starts(&mut work.starts, pass, images, image_len, WIDTH);
        let row = work.starts.len() * lanes;
        if row == 0 {
            return;
        }
        if work.wide.len() < tallest * row {
            work.wide.resize(tallest * row, T::zero());
        }

        let terms = pass.offsets.len();
        let mut weights = pass.weights;
        for group in 0..self.groups {
            let mut channel = 0;
            while channel < to {
                let height = height(to - channel, tallest);
                let tile = Correlate {
                    height,
                    weights: &work.weights[weights..][..height * terms],
                    offsets: &work.offsets[pass.offsets.clone()],
                    image: &work.image[group * from * self.layout.len()..],
                    starts: &work.starts,
                    bias: bias.map(|bias| &bias[group * to + channel..][..height]),
                    wide: &mut work.wide[..height * row],
                    target: Target {
                        out: &mut *out,
                        channel: group * to + channel,
                        images,
                        channels: self.channels[1],
                        plane: self.plane,
                        grid: pass.grid,
                        width: pass.cover.width(),
                        row_step: pass.cover.row_step(),
                        accumulate,
                    },
                };
                arch().dispatch(tile);
                channel += height;
                weights += height * terms;
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
