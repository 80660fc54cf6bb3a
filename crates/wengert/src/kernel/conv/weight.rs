//! The cotangents of a convolution's weight and bias.

use super::correlate::{Pass, Workspace, block, fill_starts};
use super::forward::plan;
use super::lanes::Lanes;
use super::layout::Layout;
use super::tile::{Contract, Shape, arch, height};
use super::{Geometry, plain};
use crate::kernel::rows::{sum_slice, vectorised};

/// Bytes of prepared x and y_bar in a block; large, so that the sums over lanes at its end count for little.
const BLOCK_BYTES: usize = 512 << 10;

/// Registers of a row of y_bar that are contracted at a time: eight such rows stay in the first-level cache.
const CHUNK: usize = 64;

/// Cotangent of the weight: `w_bar[o, c, tap] = sum over images and positions of y_bar[o, p] x[c, p stride + tap dilation]`.
///
/// x `[N, Ci, H, W]`, y_bar `[N, Co, Ho, Wo]` `->` w_bar `[Co, Ci / groups, Kh, Kw]`; with `accumulate` it is added to
/// `w_bar`. Sums run over lanes and blocks of images, so their error grows with the square root of the batch at most.
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
    if y_bar.is_empty() {
        return;
    }
    let (lanes, _) = Shape::of::<T>();
    let (layout, pass) = plan::<T>(geometry, work);
    let width = pass.cover.width();
    let image_len = geometry.in_channels * layout.len();
    let bytes = (image_len + geometry.out_channels * width) * size_of::<T>();
    let images = block(geometry.batch, bytes, BLOCK_BYTES);

    let reach = pass.cover.start(pass.cover.registers - 1) + lanes + work.offsets.iter().max().unwrap_or(&0);
    work.image.clear();
    work.image.resize(images * image_len + reach, T::zero());

    let x_len = geometry.in_channels * geometry.input[0] * geometry.input[1];
    let y_len = y_bar.len() / geometry.batch;
    let mut prepared = 0;
    for first in (0..geometry.batch).step_by(images) {
        let images = images.min(geometry.batch - first);
        work.place(&layout, geometry.in_channels, &x[first * x_len..][..images * x_len]);
        if images != prepared {
            fill_starts(&mut work.starts, &pass, images, image_len, 1);
            work.wide.clear();
            work.wide.resize(geometry.out_channels * images * width, T::zero());
            prepared = images;
        }
        spread(
            &pass,
            &y_bar[first * y_len..][..images * y_len],
            geometry.out_channels,
            images,
            &mut work.wide,
        );
        contract(geometry, &layout, work, w_bar);
    }
}

/// Lays y_bar out as `[Co][images][registers]`, leaving the gaps zero.
fn spread<T: Lanes>(pass: &Pass, y_bar: &[T], channels: usize, images: usize, wide: &mut [T]) {
    let [rows, columns] = pass.grid.size;
    let (width, row_step) = (pass.cover.width(), pass.cover.row_step());
    for (i, plane) in y_bar.chunks_exact(rows * columns).enumerate() {
        let (image, channel) = (i / channels, i % channels);
        let wide = &mut wide[(channel * images + image) * width..][..width];
        if row_step == columns {
            wide[..rows * columns].copy_from_slice(plane);
            continue;
        }
        for (wide, row) in wide.chunks_mut(row_step).zip(plane.chunks_exact(columns)) {
            wide[..columns].copy_from_slice(row);
        }
    }
}

/// Adds a block's products to w_bar: chunk by chunk of positions, tile by tile.
fn contract<T: Lanes>(geometry: &Geometry, layout: &Layout, work: &Workspace<T>, w_bar: &mut [T]) {
    let (lanes, tallest) = Shape::of::<T>();
    let groups = geometry.groups;
    let (from, to, terms) = (geometry.in_channels / groups, geometry.out_channels / groups, geometry.terms());
    let row = work.starts.len();
    let chunk = row.div_ceil(row.div_ceil(CHUNK));
    for (i, starts) in work.starts.chunks(chunk).enumerate() {
        for group in 0..groups {
            let mut channel = group * to;
            while channel < (group + 1) * to {
                let height = height((group + 1) * to - channel, tallest);
                arch().dispatch(Contract {
                    height,
                    y: &work.wide[(channel * row + i * chunk) * lanes..],
                    row,
                    offsets: &work.offsets,
                    image: &work.image[group * from * layout.len()..],
                    starts,
                    out: &mut w_bar[channel * terms..][..height * terms],
                });
                channel += height;
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
    vectorised!(bias_cotangent_kernel::<T>; T: Lanes; y_bar: &'a [T], plane: usize, bias_bar: &'a mut [T]);
}

#[inline(always)]
fn bias_cotangent_kernel<T: Lanes>(y_bar: &[T], plane: usize, bias_bar: &mut [T]) {
    for image in y_bar.chunks_exact(plane * bias_bar.len()) {
        for (bias_bar, y_bar) in bias_bar.iter_mut().zip(image.chunks_exact(plane)) {
            *bias_bar += sum_slice(y_bar);
        }
    }
}
