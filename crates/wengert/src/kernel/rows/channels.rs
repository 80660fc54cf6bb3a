//! Normalisation of the channels of row-major `[images, channels, length]`, each over the batch or in groups within an
//! image, with cotangents.
//!
//! Both ways are two passes: sums over *parts* of the images, then one map. A channel's numbers lie in *runs* of `length`;
//! where these are long, a part is an image and its entries are the runs' sums, otherwise it is as many images as stay in
//! cache, summed as columns. Parts are joined in one order, by however many threads they were summed.

use std::ops::Range;

use super::norm::{Cotangents, Moments};
use super::{sum_of, sum_slice, vectorised};
use crate::kernel::real::Real;
use crate::kernel::reduce::bundle::Total;
use crate::kernel::threads;

/// Runs from this length on are summed one by one.
pub const RUN: usize = 16;
/// Images of a part, where runs are short.
const IMAGES: usize = 128;
/// Coefficients of the map for an entry.
const COEFFICIENTS: usize = 5;

/// Which numbers are normalised together.
#[derive(Clone, Copy, Debug)]
pub struct Channels {
    /// `[images, channels, length]`.
    pub shape: [usize; 3],
    /// How many groups the channels of an image make; `None` for each channel over all images, the only choice where
    /// runs are short.
    pub groups: Option<usize>,
}

impl Channels {
    /// How many groups of numbers there are, each with moments of its own.
    pub fn moments(&self) -> usize {
        self.groups.map_or(self.shape[1], |groups| self.shape[0] * groups)
    }

    /// Numbers of such a group.
    pub fn count(&self) -> usize {
        let [images, channels, length] = self.shape;
        length * self.groups.map_or(images, |groups| channels / groups)
    }

    /// Elements of an image.
    fn image(&self) -> usize {
        self.shape[1] * self.shape[2]
    }

    /// Whether runs are summed one by one.
    fn by_runs(&self) -> bool {
        self.shape[2] >= RUN
    }

    /// Images of a part.
    fn part(&self) -> usize {
        if self.by_runs() { 1 } else { IMAGES }
    }

    /// Entries of a part: a sum for each run, or for each column.
    fn entries(&self) -> usize {
        if self.by_runs() { self.shape[1] } else { self.image() }
    }

    /// The parts, and the entries of each, that belong to group `k`.
    fn group(&self, k: usize) -> (Range<usize>, Range<usize>) {
        let Some(groups) = self.groups else {
            let each = self.entries() / self.shape[1];
            return (0..self.shape[0].div_ceil(self.part()), k * each..(k + 1) * each);
        };
        let each = self.shape[1] / groups;
        let (image, group) = (k / groups, k % groups);
        (image..image + 1, group * each..(group + 1) * each)
    }

    /// The channel that an entry belongs to.
    fn channel(&self, entry: usize) -> usize {
        entry * self.shape[1] / self.entries()
    }

    /// The numbers that were summed into each entry of a part.
    fn summed(&self, part: usize) -> usize {
        if self.by_runs() { self.shape[2] } else { IMAGES.min(self.shape[0] - part * IMAGES) }
    }

    /// Elements of the parts of a piece of work.
    fn piece(&self) -> usize {
        let (part, len) = (self.part() * self.image(), self.shape.iter().product::<usize>());
        part * threads::units(len.div_ceil(part.max(1)), part).unwrap_or(len.max(1))
    }
}

/// Room for the sums of the parts, two for each entry, and for the coefficients of the map, as many as entries in front of
/// each other: what is subtracted, then the factor of x, the constant, the factor of `y_bar`, and that of it all.
struct Rooms<'a, T> {
    sums: &'a mut [T],
    map: &'a mut [T],
    each: usize,
}

impl<'a, T: Real> Rooms<'a, T> {
    fn new(of: Channels, room: &'a mut Vec<T>) -> Self {
        let parts = of.shape[0].div_ceil(of.part());
        let sums = 2 * parts * of.entries();
        let each = of.entries() * if of.groups.is_none() { 1 } else { parts };
        room.resize(sums + COEFFICIENTS * each, T::zero());
        let (sums, map) = room.split_at_mut(sums);
        Rooms { sums, map: &mut map[..COEFFICIENTS * each], each }
    }

    /// The coefficients of the map for an entry of group `k`.
    fn put(&mut self, at: usize, coefficients: [T; COEFFICIENTS]) {
        for (k, coefficient) in coefficients.into_iter().enumerate() {
            self.map[k * self.each + at] = coefficient;
        }
    }
}

/// Batch and group norm: `y = (x - mean) / sqrt(variance + eps) * weight + bias`, mean and biased variance those of x's
/// group, weight and bias `[channels]`.
///
/// # Panics
/// If the lengths do not fit.
pub fn norm<T: Real>(
    x: &[T],
    of: Channels,
    eps: T,
    [weight, bias]: [Option<&[T]>; 2],
    y: &mut [T],
    moments: Moments<'_, T>,
    room: &mut Vec<T>,
) {
    assert_eq!(moments.mean.len(), of.moments());
    assert!([weight, bias].iter().flatten().all(|slice| slice.len() == of.shape[1]));
    if x.is_empty() {
        return;
    }
    let mut rooms = Rooms::new(of, room);
    sum_parts(of, x, None, &[], rooms.sums);
    let count = T::of(of.count() as f64);
    for (k, (mean, scale)) in moments.mean.iter_mut().zip(moments.scale).enumerate() {
        let (parts, entries) = of.group(k);
        let sums = |f: &dyn Fn(T, T, T) -> T| {
            let mut total = Total::zero();
            for part in parts.clone() {
                let summed = T::of(of.summed(part) as f64);
                let at = |entry: usize| 2 * (part * of.entries()) + entry;
                entries.clone().for_each(|entry| {
                    total.add(f(summed, rooms.sums[at(entry)], rooms.sums[at(entry + of.entries())]));
                });
            }
            total.value()
        };
        *mean = sums(&|summed, mean, _| summed * mean) / count;
        let center = *mean;
        let squares = sums(&|summed, mean, squares| {
            let apart = mean - center;
            squares + summed * (apart * apart)
        });
        *scale = T::one() / (squares / count + eps).sqrt();
        let first = if of.groups.is_none() { 0 } else { parts.start * of.entries() };
        for entry in entries {
            let channel = of.channel(entry);
            let factor = weight.map_or(*scale, |weight| *scale * weight[channel]);
            let bias = bias.map_or(T::zero(), |bias| bias[channel]);
            rooms.put(first + entry, [*mean, factor, bias, T::zero(), T::one()]);
        }
    }
    map(of, x, None, &rooms, false, y);
}

/// Cotangents of [`norm`], with `z = (x - mean) scale` and `z_bar = y_bar weight`:
/// `x_bar = scale (z_bar - mean(z_bar) - z mean(z_bar z))`, `weight_bar += sum y_bar z`, `bias_bar += sum y_bar`.
///
/// # Panics
/// If the lengths do not fit.
pub fn norm_cotangent<T: Real>(
    x: &[T],
    of: Channels,
    [mean, scale]: [&[T]; 2],
    weight: Option<&[T]>,
    y_bar: &[T],
    mut out: Cotangents<'_, T>,
    room: &mut Vec<T>,
) {
    assert!(x.len() == y_bar.len() && mean.len() == of.moments() && scale.len() == of.moments());
    let fits = |bar: &Option<&mut [T]>| bar.as_ref().is_none_or(|bar| bar.len() == of.shape[1]);
    assert!(fits(&out.weight) && fits(&out.bias) && weight.is_none_or(|weight| weight.len() == of.shape[1]));
    if x.is_empty() {
        return;
    }
    let mut rooms = Rooms::new(of, room);
    let first = |parts: &Range<usize>| if of.groups.is_none() { 0 } else { parts.start * of.entries() };
    for (k, &mean) in mean.iter().enumerate() {
        let (parts, entries) = of.group(k);
        entries.for_each(|entry| rooms.put(first(&parts) + entry, [mean; COEFFICIENTS]));
    }
    sum_parts(of, x, Some(y_bar), &rooms.map[..rooms.each], rooms.sums);
    let count = T::of(of.count() as f64);
    for (k, (&mean, &scale)) in mean.iter().zip(scale).enumerate() {
        let (parts, entries) = of.group(k);
        let [mut across, mut along] = [Total::zero(); 2];
        for entry in entries.clone() {
            let channel = of.channel(entry);
            let [mut plain, mut by_x] = [Total::zero(); 2];
            for part in parts.clone() {
                let at = 2 * (part * of.entries()) + entry;
                plain.add(rooms.sums[at]);
                by_x.add(rooms.sums[at + of.entries()]);
            }
            let (plain, by_z) = (plain.value(), by_x.value() * scale);
            out.bias.iter_mut().for_each(|bar| bar[channel] += plain);
            out.weight.iter_mut().for_each(|bar| bar[channel] += by_z);
            let weight = weight.map_or(T::one(), |weight| weight[channel]);
            across.add(weight * plain);
            along.add(weight * by_z);
        }
        let (across, along) = (across.value() / count, along.value() / count);
        for entry in entries {
            let weight = weight.map_or(T::one(), |weight| weight[of.channel(entry)]);
            rooms.put(first(&parts) + entry, [mean, -(scale * along), -across, weight, scale]);
        }
    }
    if let Some(x_bar) = out.x {
        map(of, x, Some(y_bar), &rooms, out.accumulate, x_bar);
    }
}

/// For each entry of each part its mean and the sum of the squares around that; with `y_bar`, the sums of `y_bar` and of
/// `y_bar (x - mean)`.
fn sum_parts<T: Real>(of: Channels, x: &[T], y_bar: Option<&[T]>, mean: &[T], sums: &mut [T]) {
    let (len, part) = (of.piece(), of.part() * of.image());
    let each = 2 * of.entries() * len.div_ceil(part);
    let jobs = x.chunks(len).zip(sums.chunks_mut(each)).enumerate();
    threads::each_if(threads::pays(x.len()), jobs, |(k, (x, sums))| {
        let y_bar = y_bar.map(|y_bar| &y_bar[k * len..][..x.len()]);
        let mean = if of.groups.is_none() { mean } else { mean.get(k * each / 2..).unwrap_or_default() };
        sum_piece(of, x, y_bar, mean, sums);
    });
}

fn sum_piece<T: Real>(of: Channels, x: &[T], y_bar: Option<&[T]>, mean: &[T], sums: &mut [T]) {
    vectorised!(sum_kernel::<T>; T: Real; of: Channels, x: &'a [T], y_bar: Option<&'a [T]>, mean: &'a [T], sums: &'a mut [T]);
}

#[inline(always)]
fn sum_kernel<T: Real>(of: Channels, x: &[T], y_bar: Option<&[T]>, mean: &[T], sums: &mut [T]) {
    let (part, entries) = (of.part() * of.image(), of.entries());
    for (k, (x, sums)) in x.chunks(part).zip(sums.chunks_exact_mut(2 * entries)).enumerate() {
        let y_bar = y_bar.map(|y_bar| &y_bar[k * part..][..x.len()]);
        let mean = if of.groups.is_none() { mean } else { mean.get(k * entries..).unwrap_or_default() };
        let (first, second) = sums.split_at_mut(entries);
        if of.by_runs() {
            sum_runs(x, of.shape[2], y_bar, mean, first, second);
        } else {
            // As many columns at a time as two lines of memory hold.
            if size_of::<T>() == 4 {
                sum_columns::<T, 32>(x, entries, y_bar, mean, first, second);
            } else {
                sum_columns::<T, 16>(x, entries, y_bar, mean, first, second);
            }
        }
    }
}

#[inline(always)]
fn sum_runs<T: Real>(
    x: &[T],
    length: usize,
    y_bar: Option<&[T]>,
    mean: &[T],
    first: &mut [T],
    second: &mut [T],
) {
    let reciprocal = T::one() / T::of(length as f64);
    for (c, (first, second)) in first.iter_mut().zip(second).enumerate() {
        let x = &x[c * length..][..length];
        if let Some(y_bar) = y_bar {
            let (y_bar, mean) = (&y_bar[c * length..][..length], mean[c]);
            *first = sum_slice(y_bar);
            *second = sum_of([x, y_bar], |[x, y_bar]| y_bar * (x - mean));
        } else {
            let mean = sum_slice(x) * reciprocal;
            *first = mean;
            *second = sum_of([x], |[x]| (x - mean) * (x - mean));
        }
    }
}

#[inline(always)]
fn sum_columns<T: Real, const WIDTH: usize>(
    x: &[T],
    width: usize,
    y_bar: Option<&[T]>,
    mean: &[T],
    first: &mut [T],
    second: &mut [T],
) {
    let reciprocal = T::one() / T::of((x.len() / width) as f64);
    let columns = first.chunks_mut(WIDTH).zip(second.chunks_mut(WIDTH)).enumerate();
    for (k, (first, second)) in columns {
        let at = k * WIDTH;
        let mut by = [T::zero(); WIDTH];
        let columns = first.len();
        if let Some(y_bar) = y_bar {
            by[..columns].copy_from_slice(&mean[at..][..columns]);
            sum_rows_of::<T, WIDTH>([y_bar, y_bar], width, at, first, |y_bar, _, _| y_bar, &by);
            sum_rows_of([x, y_bar], width, at, second, |x, y_bar, mean| y_bar * (x - mean), &by);
        } else {
            sum_rows_of::<T, WIDTH>([x, x], width, at, first, |x, _, _| x, &by);
            first.iter_mut().for_each(|first| *first *= reciprocal);
            by[..columns].copy_from_slice(first);
            sum_rows_of([x, x], width, at, second, |x, _, mean| (x - mean) * (x - mean), &by);
        }
    }
}

/// The sums of `term(x, y, by)` over the rows of two matrices, for as many columns from `at` on as `sums` has; each column
/// has its own `by`.
#[inline(always)]
fn sum_rows_of<T: Real, const WIDTH: usize>(
    [x, y]: [&[T]; 2],
    width: usize,
    at: usize,
    sums: &mut [T],
    term: impl Fn(T, T, T) -> T,
    by: &[T; WIDTH],
) {
    let mut all = [T::zero(); WIDTH];
    let columns = sums.len();
    for (x, y) in x.chunks_exact(width).zip(y.chunks_exact(width)) {
        let (x, y) = (&x[at..][..columns], &y[at..][..columns]);
        // Arrays of known length alone, and each step is some vectors; else the compiler searches for them, long and in vain.
        if let (Some(x), Some(y)) = (x.first_chunk::<WIDTH>(), y.first_chunk::<WIDTH>()) {
            for i in 0..WIDTH {
                all[i] += term(x[i], y[i], by[i]);
            }
        } else {
            for i in 0..columns {
                all[i] += term(x[i], y[i], by[i]);
            }
        }
    }
    sums.copy_from_slice(&all[..columns]);
}

/// `out = (x - mean) a + b`, or with `y_bar`, `out = (y_bar c + b + (x - mean) a) d`: the coefficients that the rooms hold for each entry.
fn map<T: Real>(
    of: Channels,
    x: &[T],
    y_bar: Option<&[T]>,
    rooms: &Rooms<'_, T>,
    accumulate: bool,
    out: &mut [T],
) {
    let len = of.piece();
    let (coefficients, each) = (&*rooms.map, rooms.each);
    let jobs = x.chunks(len).zip(out.chunks_mut(len)).enumerate();
    threads::each_if(threads::pays(x.len()), jobs, |(k, (x, out))| {
        let y_bar = y_bar.map(|y_bar| &y_bar[k * len..][..x.len()]);
        let first = if of.groups.is_none() { 0 } else { k * len / of.shape[2] };
        map_piece(of, x, y_bar, (coefficients, each, first), accumulate, out);
    });
}

fn map_piece<T: Real>(
    of: Channels,
    x: &[T],
    y_bar: Option<&[T]>,
    coefficients: (&[T], usize, usize),
    accumulate: bool,
    out: &mut [T],
) {
    vectorised!(map_kernel::<T>; T: Real; of: Channels, x: &'a [T], y_bar: Option<&'a [T]>, coefficients: (&'a [T], usize, usize), accumulate: bool, out: &'a mut [T]);
}

#[inline(always)]
fn map_kernel<T: Real>(
    of: Channels,
    x: &[T],
    y_bar: Option<&[T]>,
    (coefficients, each, first): (&[T], usize, usize),
    accumulate: bool,
    out: &mut [T],
) {
    let of_entries = |k: usize| &coefficients[k * each..][..each];
    let [mean, a, b, c, d] = [of_entries(0), of_entries(1), of_entries(2), of_entries(3), of_entries(4)];
    let length = if of.by_runs() { of.shape[2] } else { of.image() };
    for (k, out) in out.chunks_exact_mut(length).enumerate() {
        let x = &x[k * length..][..length];
        let y_bar = y_bar.map(|y_bar| &y_bar[k * length..][..length]);
        if of.by_runs() {
            let at = if of.groups.is_none() { k % of.shape[1] } else { first + k };
            let (mean, a, b, c, d) = (mean[at], a[at], b[at], c[at], d[at]);
            let forward = |x: T, _| (x - mean) * a + b;
            put(x, y_bar, accumulate, out, forward, |x, u, _| (u * c + b + (x - mean) * a) * d);
        } else {
            let [mean, a, b, c, d] = [mean, a, b, c, d].map(|all| &all[..length]);
            let forward = |x: T, i: usize| (x - mean[i]) * a[i] + b[i];
            let backward = |x: T, u: T, i: usize| (u * c[i] + b[i] + (x - mean[i]) * a[i]) * d[i];
            put(x, y_bar, accumulate, out, forward, backward);
        }
    }
}

/// One run or row of the map.
#[inline(always)]
fn put<T: Real>(
    x: &[T],
    y_bar: Option<&[T]>,
    accumulate: bool,
    out: &mut [T],
    forward: impl Fn(T, usize) -> T,
    backward: impl Fn(T, T, usize) -> T,
) {
    let x = &x[..out.len()];
    match y_bar {
        None => out.iter_mut().zip(x).enumerate().for_each(|(i, (out, &x))| *out = forward(x, i)),
        Some(y_bar) => {
            let places = out.iter_mut().zip(x.iter().zip(y_bar)).enumerate();
            if accumulate {
                places.for_each(|(i, (out, (&x, &u)))| *out += backward(x, u, i));
            } else {
                places.for_each(|(i, (out, (&x, &u)))| *out = backward(x, u, i));
            }
        }
    }
}
