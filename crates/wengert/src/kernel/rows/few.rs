//! Rows of few elements: a sum along each would be nothing but joining lanes. They are turned into columns instead, in a
//! [`Tile`], and worked on side by side.

use super::columns::{backward_columns, forward_columns};
use super::norm::{Cotangents, Moments};
use super::sum_slice;
use crate::kernel::functions::Functions;
use crate::kernel::real::Real;
use crate::kernel::tile::{MOST, Tile, WIDTH};

/// Whether rows of `n` elements are for this module.
#[inline(always)]
pub fn are_few(n: usize) -> bool {
    (1..=MOST).contains(&n)
}

/// Softmax of rows, or its logarithm.
#[inline(always)]
pub fn softmax<T: Functions, const MODE: u8>(x: &[T], n: usize, y: &mut [T], log: bool) {
    let (mut xs, mut ys, mut rooms) = (Tile::new(n), Tile::new(n), [[T::zero(); WIDTH]; 3]);
    for (x, y) in x.chunks(n * WIDTH).zip(y.chunks_mut(n * WIDTH)) {
        xs.load(x);
        let rooms = rooms.each_mut().map(|room| &mut room[..x.len() / n]);
        forward_columns::<T, MODE>(xs.flat(), WIDTH, 0, ys.flat_mut(), rooms, log);
        ys.store(false, y);
    }
}

/// Cotangent of [`softmax()`] from its result; with `accumulate` added to `x_bar`.
#[inline(always)]
pub fn softmax_cotangent<T: Functions, const MODE: u8>(
    [y, y_bar]: [&[T]; 2],
    n: usize,
    accumulate: bool,
    x_bar: &mut [T],
    log: bool,
) {
    let (mut ys, mut y_bars, mut x_bars) = (Tile::new(n), Tile::new(n), Tile::new(n));
    let mut room = [T::zero(); WIDTH];
    let read = y.chunks(n * WIDTH).zip(y_bar.chunks(n * WIDTH));
    for ((y, y_bar), x_bar) in read.zip(x_bar.chunks_mut(n * WIDTH)) {
        ys.load(y);
        y_bars.load(y_bar);
        let (values, room) = ([ys.flat(), y_bars.flat()], &mut room[..y.len() / n]);
        backward_columns::<T, MODE>(values, WIDTH, 0, false, x_bars.flat_mut(), room, log);
        x_bars.store(accumulate, x_bar);
    }
}

/// Layer norm of rows; RMS norm with `moments.mean` empty.
#[inline(always)]
pub fn norm<T: Real>(
    x: &[T],
    n: usize,
    eps: T,
    weight: Option<&[T]>,
    bias: Option<&[T]>,
    y: &mut [T],
    moments: Moments<'_, T>,
) {
    let reciprocal = T::one() / T::of(n as f64);
    let mut tile = Tile::new(n);
    let mut means = moments.mean.chunks_mut(WIDTH);
    let blocks = x.chunks(n * WIDTH).zip(y.chunks_mut(n * WIDTH));
    for ((x, y), scales) in blocks.zip(moments.scale.chunks_mut(WIDTH)) {
        tile.load(x);
        let [mut mean, mut scale] = [[T::zero(); WIDTH]; 2];
        if let Some(means) = means.next() {
            for x in tile.lanes() {
                for r in 0..WIDTH {
                    mean[r] += x[r];
                }
            }
            mean.iter_mut().for_each(|mean| *mean *= reciprocal);
            means.copy_from_slice(&mean[..means.len()]);
        }
        for x in tile.lanes() {
            for r in 0..WIDTH {
                scale[r] += (x[r] - mean[r]) * (x[r] - mean[r]);
            }
        }
        scale.iter_mut().for_each(|scale| *scale = T::one() / (*scale * reciprocal + eps).sqrt());
        scales.copy_from_slice(&scale[..scales.len()]);
        for (j, x) in tile.lanes_mut().iter_mut().enumerate() {
            // Without a bias -0, which leaves as it is whatever it is added to.
            let weight = weight.map_or(T::one(), |weight| weight[j]);
            let bias = bias.map_or(-T::zero(), |bias| bias[j]);
            for r in 0..WIDTH {
                x[r] = (x[r] - mean[r]) * scale[r] * weight + bias;
            }
        }
        tile.store(false, y);
    }
}

/// Cotangents of [`norm`]. What is summed over the rows is summed lane by lane first.
#[inline(always)]
pub fn norm_cotangent<T: Real>(
    x: &[T],
    n: usize,
    mean: &[T],
    scale: &[T],
    weight: Option<&[T]>,
    y_bar: &[T],
    mut out: Cotangents<'_, T>,
) {
    let reciprocal = T::one() / T::of(n as f64);
    let (mut zs, mut y_bars) = (Tile::new(n), Tile::new(n));
    let (mut weight_sums, mut bias_sums) = (Tile::new(n), Tile::new(n));
    let (centred, mut means) = (!mean.is_empty(), mean.chunks(WIDTH));
    for (k, scales) in scale.chunks(WIDTH).enumerate() {
        let (first, len) = (k * WIDTH * n, scales.len() * n);
        zs.load(&x[first..][..len]);
        y_bars.load(&y_bar[first..][..len]);
        let [mut mean, mut scale] = [[T::zero(); WIDTH]; 2];
        means.next().into_iter().for_each(|means| mean[..means.len()].copy_from_slice(means));
        scale[..scales.len()].copy_from_slice(scales);
        for z in zs.lanes_mut() {
            for r in 0..WIDTH {
                z[r] = (z[r] - mean[r]) * scale[r];
            }
        }
        if out.weight.is_some() {
            for (sum, (y_bar, z)) in
                weight_sums.lanes_mut().iter_mut().zip(y_bars.lanes().iter().zip(zs.lanes()))
            {
                for r in 0..WIDTH {
                    sum[r] += y_bar[r] * z[r];
                }
            }
        }
        if out.bias.is_some() {
            for (sum, y_bar) in bias_sums.lanes_mut().iter_mut().zip(y_bars.lanes()) {
                for r in 0..WIDTH {
                    sum[r] += y_bar[r];
                }
            }
        }
        let Some(x_bar) = out.x.as_deref_mut() else { continue };
        let [mut across, mut along] = [[T::zero(); WIDTH]; 2];
        for (j, (z_bar, z)) in y_bars.lanes_mut().iter_mut().zip(zs.lanes()).enumerate() {
            let weight = weight.map_or(T::one(), |weight| weight[j]);
            for r in 0..WIDTH {
                z_bar[r] *= weight;
                across[r] += z_bar[r];
                along[r] += z_bar[r] * z[r];
            }
        }
        for r in 0..WIDTH {
            across[r] = if centred { across[r] * reciprocal } else { T::zero() };
            along[r] *= reciprocal;
        }
        for (z, z_bar) in zs.lanes_mut().iter_mut().zip(y_bars.lanes()) {
            for r in 0..WIDTH {
                z[r] = scale[r] * (z_bar[r] - across[r] - z[r] * along[r]);
            }
        }
        zs.store(out.accumulate, &mut x_bar[first..][..len]);
    }
    for (bar, sums) in [(out.weight, weight_sums), (out.bias, bias_sums)] {
        let places = bar.into_iter().flatten().zip(sums.lanes());
        places.for_each(|(bar, lanes)| *bar += sum_slice(lanes));
    }
}
