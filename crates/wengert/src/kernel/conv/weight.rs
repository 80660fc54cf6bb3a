//! The cotangents of a convolution's weight and bias.

use super::correlate::{Pass, Room, Workspace, block, fill_starts, in_rooms};
use super::cut::{Cut, PIECE, Part};
use super::forward::plan;
use super::lanes::Lanes;
use super::layout::Layout;
use super::tile::{Contract, Shape, arch, height};
use super::{Geometry, gathered, plain, unfold};
use crate::kernel::gemm::panel_width;
use crate::kernel::operand::add;
use crate::kernel::rows::{sum_slice, vectorised};
use crate::kernel::threads;

/// Bytes of prepared x and y_bar in a block; large, so that the sums over lanes at its end count for little.
const BLOCK_BYTES: usize = 512 << 10;

/// Registers of a row of y_bar that are contracted at a time: eight such rows stay in the first-level cache.
const CHUNK: usize = 64;

/// Most pieces that a cotangent is cut into.
const MOST_PIECES: usize = 8;
/// Elements of a weight up to which parts of the batch have cotangents of their own; a larger one is cut by its channels.
const FEW: usize = 1 << 16;
/// Positions of a part of the batch beside which adding its cotangent counts for little.
const LONG: usize = 512;

/// Cotangent of the weight: `w_bar[o, c, tap] = sum over images and positions of y_bar[o, p] x[c, p stride + tap dilation]`.
///
/// x `[N, Ci, H, W]`, y_bar `[N, Co, Ho, Wo]` `->` w_bar `[Co, Ci / groups, Kh, Kw]`; with `accumulate` it is added to
/// `w_bar`. Sums run over lanes or positions, blocks of images and parts of the batch, so their error grows with the square root of the batch at
/// most. Which parts there are depends on sizes alone.
///
/// # Panics
/// If a slice has not the length that the geometry says.
pub fn weight_cotangent<T: Lanes>(
    geometry: &Geometry,
    x: &[T],
    y_bar: &[T],
    accumulate: bool,
    work: &mut Workspace<T>,
    w_bar: &mut [T],
) {
    geometry.check(x, w_bar, y_bar);
    if !plain::all_finite(x) {
        return plain::weight_cotangent(geometry, x, y_bar, accumulate, w_bar);
    }
    if !accumulate {
        w_bar.fill(T::zero());
    }
    if y_bar.is_empty() || w_bar.is_empty() {
        return;
    }
    if unfold::pays(geometry) && plain::all_finite(y_bar) {
        return unfold::weight_cotangent(geometry, x, y_bar, work, w_bar);
    }
    let (lanes, tallest) = Shape::of::<T>();
    let Workspace { plan: prepared, room, sums, .. } = work;
    let (layout, pass) = plan::<T>(geometry, prepared);
    let gathered = gathered::pays::<T>(geometry.out_channels / geometry.groups, geometry.terms());
    let tallest = if gathered { panel_width(lanes) } else { tallest };
    gathered::whole_tiles(&mut prepared.offsets);
    let offsets = &prepared.offsets[..];
    let reach = pass.cover.start(pass.cover.registers - 1) + lanes + offsets.iter().max().unwrap_or(&0);
    // Of the whole, however it is cut: the order of the sums must not depend on that.
    let image = geometry.in_channels * layout.len() + geometry.out_channels * pass.cover.width();
    let images = block(geometry.batch, image * size_of::<T>(), BLOCK_BYTES);
    let run = Runner {
        geometry,
        layout,
        pass,
        offsets,
        reach,
        images,
        lanes,
        tallest,
        gathered,
        arch: arch(),
        x,
        y_bar,
    };

    let (to, terms, plane) = (geometry.out_channels / geometry.groups, geometry.terms(), geometry.plane());
    let pieces = (y_bar.len().saturating_mul(terms) / PIECE).clamp(1, MOST_PIECES);
    let share = pieces > 1 && threads::available() > 1;
    let apart =
        if w_bar.len() <= FEW { pieces.min(geometry.batch).min(geometry.batch * plane / LONG) } else { 1 };
    if apart <= 1 {
        let cut = Cut::new([1, geometry.groups, to], if share { pieces } else { 1 }, tallest);
        let all = |(part, out)| (Part { images: 0..geometry.batch, ..part }, out);
        return run.all(cut.parts([geometry.groups, to, terms], w_bar).map(all), share, room);
    }
    let images = geometry.batch.div_ceil(apart);
    let len = w_bar.len();
    sums.clear();
    sums.resize(geometry.batch.div_ceil(images) * len, T::zero());
    let parts = sums.chunks_mut(len).enumerate().map(|(k, out)| {
        let images = k * images..geometry.batch.min((k + 1) * images);
        (Part { images, groups: 0..geometry.groups, channels: 0..to }, out)
    });
    run.all(parts, share, room);
    sums.chunks(len).for_each(|sums| add(w_bar, sums));
}

/// A weight's cotangent being computed.
pub struct Runner<'a, T> {
    pub geometry: &'a Geometry,
    pub layout: Layout,
    pub pass: Pass,
    /// Of the terms, the last one repeated up to whole tiles.
    pub offsets: &'a [usize],
    /// Elements that are read behind the images.
    pub reach: usize,
    /// Images of a block.
    pub images: usize,
    pub lanes: usize,
    pub tallest: usize,
    pub gathered: bool,
    pub arch: pulp::Arch,
    pub x: &'a [T],
    pub y_bar: &'a [T],
}

/// A part of the result, or of the batch, and where its sums are added.
type Target<'o, T> = (Part, &'o mut [T]);

impl<T: Lanes> Runner<'_, T> {
    fn all<'o>(&self, parts: impl Iterator<Item = Target<'o, T>> + Send, share: bool, room: &mut Room<T>) {
        in_rooms(share, parts, room, |room, parts| {
            room.clear(0);
            parts.for_each(|(part, out)| self.part(room, &part, out));
        });
    }

    fn part(&self, room: &mut Room<T>, part: &Part, out: &mut [T]) {
        let &Geometry { groups, in_channels, .. } = self.geometry;
        if self.gathered {
            room.turned.clear();
        }
        let from = in_channels / groups;
        let image_len = part.groups.len() * from * self.layout.len();
        let width = self.pass.cover.width();
        let images = self.images.min(part.images.len());
        let len = images * image_len + self.reach;
        if room.image.len() != len {
            room.clear(len);
        }
        let mut prepared = 0;
        for first in part.images.clone().step_by(images) {
            let part = Part { images: first..part.images.end.min(first + images), ..part.clone() };
            room.place(&self.layout, [from, in_channels], &part, self.x);
            if self.gathered {
                self.gathered(room, &part);
                continue;
            }
            if part.images.len() != prepared {
                prepared = part.images.len();
                fill_starts(&mut room.starts, &self.pass, prepared, image_len, 1);
                room.wide.clear();
                room.wide.resize(part.channels_each() * prepared * width, T::zero());
            }
            self.spread(&part, &mut room.wide);
            self.contract(&part, room, out);
        }
        if self.gathered {
            gathered::turn_back(&room.turned, part, self.offsets.len(), self.geometry.terms(), out);
        }
    }

    /// Lays y_bar out as `[channels][images][registers]`, leaving the gaps zero.
    fn spread(&self, part: &Part, wide: &mut [T]) {
        let &Geometry { groups, out_channels, .. } = self.geometry;
        let [rows, columns] = self.pass.grid.size;
        let (width, row_step) = (self.pass.cover.width(), self.pass.cover.row_step());
        let (images, channels) = (part.images.len(), part.channels_each());
        let first = part.groups.start * (out_channels / groups) + part.channels.start;
        for (n, image) in part.images.clone().enumerate() {
            let planes =
                self.y_bar[(image * out_channels + first) * rows * columns..].chunks_exact(rows * columns);
            for (channel, plane) in planes.take(channels).enumerate() {
                let wide = &mut wide[(channel * images + n) * width..][..width];
                if row_step == columns {
                    wide[..rows * columns].copy_from_slice(plane);
                    continue;
                }
                for (wide, row) in wide.chunks_mut(row_step).zip(plane.chunks_exact(columns)) {
                    wide[..columns].copy_from_slice(row);
                }
            }
        }
    }

    /// Adds a block's products to `out`: chunk by chunk of positions, tile by tile.
    fn contract(&self, part: &Part, room: &Room<T>, out: &mut [T]) {
        let (from, terms) = (self.geometry.in_channels / self.geometry.groups, self.geometry.terms());
        let row = room.starts.len();
        let chunk = row.div_ceil(row.div_ceil(CHUNK));
        for (i, starts) in room.starts.chunks(chunk).enumerate() {
            for group in 0..part.groups.len() {
                let (mut channel, end) = (group * part.channels.len(), (group + 1) * part.channels.len());
                while channel < end {
                    let height = height(end - channel, self.tallest);
                    self.arch.dispatch(Contract {
                        height,
                        y: &room.wide[(channel * row + i * chunk) * self.lanes..],
                        row,
                        offsets: &self.offsets[..terms],
                        image: &room.image[group * from * self.layout.len()..],
                        starts,
                        out: &mut out[channel * terms..][..height * terms],
                    });
                    channel += height;
                }
            }
        }
    }
}

/// Cotangent of the bias: the sum of y_bar over images and positions.
///
/// y_bar `[N, Co, plane] -> bias_bar [Co]`; with `accumulate` it is added to `bias_bar`.
pub fn bias_cotangent<T: Lanes>(y_bar: &[T], plane: usize, accumulate: bool, bias_bar: &mut [T]) {
    if !accumulate {
        bias_bar.fill(T::zero());
    }
    if plane == 0 || bias_bar.is_empty() {
        return;
    }
    let channels = bias_bar.len();
    match threads::units(channels, y_bar.len() / channels) {
        Some(_) => threads::each(bias_bar.chunks_mut(1).enumerate(), |(first, bias_bar)| {
            channel_sums(y_bar, plane, channels, first, bias_bar);
        }),
        None => channel_sums(y_bar, plane, channels, 0, bias_bar),
    }
}

/// Adds the sums of the channels `first..` of `channels`.
fn channel_sums<T: Lanes>(y_bar: &[T], plane: usize, channels: usize, first: usize, sums: &mut [T]) {
    vectorised!(channel_sums_kernel::<T>; T: Lanes; y_bar: &'a [T], plane: usize, channels: usize, first: usize, sums: &'a mut [T]);
}

#[inline(always)]
fn channel_sums_kernel<T: Lanes>(y_bar: &[T], plane: usize, channels: usize, first: usize, sums: &mut [T]) {
    for image in y_bar.chunks_exact(plane * channels) {
        for (sum, y_bar) in sums.iter_mut().zip(image[first * plane..].chunks_exact(plane)) {
            *sum += sum_slice(y_bar);
        }
    }
}
