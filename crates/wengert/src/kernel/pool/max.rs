//! The maximum over windows, with the position of each.

use super::Windows;
use crate::kernel::conv::layout::Layout;
use crate::kernel::real::Real;
use crate::kernel::rows::vectorised;
use crate::kernel::scratch::{self, Scratch};
use crate::kernel::threads::{each, units, workers};

/// Results computed at a time; those beyond a row's end are overwritten by the next row's.
const CHUNK: usize = 16;
/// The offset of a window in which nothing has won yet.
const NONE: i32 = i32::MIN;

/// Memory that [`max_pool`] reuses: a plane or two.
#[derive(Debug, Default)]
pub struct Workspace<T> {
    pub(super) plane: Vec<T>,
    pub(super) best: Vec<T>,
    offset: Vec<i32>,
    taps: Vec<(usize, i32)>,
}

/// Maximum over each window, and its flat position within the plane.
///
/// x `[planes, H, W] ->` y and positions `[planes, Ho, Wo]`. The first maximum in row-major order of the window wins;
/// a NaN wins over everything, the last one of several. A window of nothing but padding yields -infinity at -1.
///
/// # Panics
/// If a slice has not the length that the geometry says, or a plane has 2^31 elements or more.
pub fn max_pool<T: Real>(
    windows: &Windows,
    x: &[T],
    work: &mut Workspace<T>,
    y: &mut [T],
    positions: &mut [i64],
) {
    let (plane, out) = windows.check(x, y);
    assert_eq!(positions.len(), y.len());
    assert!(i32::try_from(plane).is_ok());
    if y.is_empty() {
        return;
    }
    let halves = windows.kernel == [2, 2]
        && windows.stride == [2, 2]
        && windows.padding == [0, 0]
        && windows.dilation == [1, 1];
    let prepare = |work: &mut Workspace<T>| (!halves).then(|| work.prepare(windows));
    let planes = |layout: &Option<Layout>,
                  work: &mut Workspace<T>,
                  x: &[T],
                  y: &mut [T],
                  positions: &mut [i64]| {
        let windows = &Windows { planes: x.len() / plane, ..*windows };
        match layout {
            None => {
                vectorised!(pool_halves::<T>; T: Real; windows: &'a Windows, x: &'a [T], y: &'a mut [T], positions: &'a mut [i64]);
            }
            Some(layout) => {
                vectorised!(pool_windows::<T>; T: Real; windows: &'a Windows, layout: &'a Layout, x: &'a [T], work: &'a mut Workspace<T>, y: &'a mut [T], positions: &'a mut [i64]);
            }
        }
    };
    let Some(count) = units(windows.planes, plane) else {
        return planes(&prepare(work), work, x, y, positions);
    };
    let results = y.chunks_mut(count * out).zip(positions.chunks_mut(count * out));
    workers(true, x.chunks(count * plane).zip(results), |pieces| {
        scratch::with(|Scratch { pool: work, .. }| {
            let layout = prepare(work);
            pieces.for_each(|(x, (y, positions))| planes(&layout, work, x, y, positions));
        });
    });
}

#[inline(always)]
fn pool_windows<T: Real>(
    windows: &Windows,
    layout: &Layout,
    x: &[T],
    work: &mut Workspace<T>,
    y: &mut [T],
    positions: &mut [i64],
) {
    let (plane, [rows, columns]) = (windows.input[0] * windows.input[1], windows.output());
    let results = y.chunks_exact_mut(rows * columns).zip(positions.chunks_exact_mut(rows * columns));
    for (i, (y, positions)) in results.enumerate() {
        let x = &x[i * plane..][..plane];
        layout.place(x, &mut work.plane);
        work.run();
        work.finish(windows, layout.pitch, x, y, positions);
    }
}

/// Whether `x` replaces the maximum so far.
#[inline(always)]
fn wins<T: Real>(x: T, best: T) -> bool {
    (x > best) | x.is_nan()
}

/// Windows of 2 x 2 at stride 2, straight from x.
#[inline(always)]
fn pool_halves<T: Real>(windows: &Windows, x: &[T], y: &mut [T], positions: &mut [i64]) {
    let ([height, width], [rows, columns]) = (windows.input, windows.output());
    for row in 0..windows.planes * rows {
        let in_plane = 2 * (row % rows) * width;
        for column in (0..columns).step_by(CHUNK) {
            let start = row / rows * height * width + in_plane + 2 * column;
            let place = row * columns + column;
            let first = (in_plane + 2 * column) as i32;
            let room = start + width + 2 * CHUNK <= x.len() && place + CHUNK <= y.len();
            if room {
                let [above, below] =
                    [start, start + width].map(|start| x[start..].first_chunk().expect("room"));
                let (best, at) = halves(above, below, width as i32, first);
                y[place..][..CHUNK].copy_from_slice(&best);
                widen(&at, &mut positions[place..][..CHUNK]);
            } else {
                let count = CHUNK.min(columns - column);
                let [above, below] = [start, start + width].map(|start| {
                    let mut pairs = [T::zero(); 2 * CHUNK];
                    pairs[..2 * count].copy_from_slice(&x[start..][..2 * count]);
                    pairs
                });
                let (best, at) = halves(&above, &below, width as i32, first);
                y[place..][..count].copy_from_slice(&best[..count]);
                widen(&at[..count], &mut positions[place..][..count]);
            }
        }
    }
}

/// Positions are found in `i32`, of which a register holds as many as of `f32`.
#[inline(always)]
fn widen(at: &[i32], positions: &mut [i64]) {
    positions.iter_mut().zip(at).for_each(|(position, &at)| *position = i64::from(at));
}

#[inline(always)]
fn halves<T: Real>(
    above: &[T; 2 * CHUNK],
    below: &[T; 2 * CHUNK],
    width: i32,
    first: i32,
) -> ([T; CHUNK], [i32; CHUNK]) {
    let (mut best, mut at) = ([T::zero(); CHUNK], [0; CHUNK]);
    for j in 0..CHUNK {
        best[j] = above[2 * j];
        at[j] = first + 2 * j as i32;
        for (x, offset) in [(above[2 * j + 1], 1), (below[2 * j], width), (below[2 * j + 1], width + 1)] {
            let wins = wins(x, best[j]);
            best[j] = if wins { x } else { best[j] };
            at[j] = if wins { first + 2 * j as i32 + offset } else { at[j] };
        }
    }
    (best, at)
}

impl<T: Real> Workspace<T> {
    /// Lays a plane out as the convolution does, with -infinity for zero: every tap is then a contiguous run.
    fn prepare(&mut self, windows: &Windows) -> Layout {
        let &Windows { input, kernel, stride, padding, dilation, .. } = windows;
        let [rows, columns] = windows.output();
        let layout = Layout {
            size: input,
            stride,
            shift: padding,
            rows: (input[0] + 2 * padding[0]).div_ceil(stride[0]) + 1,
            pitch: (input[1] + padding[1]).div_ceil(stride[1]).max(columns),
        };
        self.taps.clear();
        for i in 0..kernel[0] {
            for j in 0..kernel[1] {
                let (i, j) = (i * dilation[0], j * dilation[1]);
                self.taps.push((layout.offset(i, j), (i * input[1] + j) as i32));
            }
        }
        let wide = ((rows - 1) * layout.pitch + columns).next_multiple_of(CHUNK);
        let reach = self.taps.iter().map(|tap| tap.0).max().unwrap_or(0) + wide;
        self.plane.clear();
        self.plane.resize(layout.len().max(reach), T::neg_infinity());
        self.best.resize(wide, T::zero());
        self.offset.resize(wide, NONE);
        layout
    }

    /// The maximum of each run of windows and the offset of its tap.
    #[inline(always)]
    fn run(&mut self) {
        let (best, _) = self.best.as_chunks_mut::<CHUNK>();
        let (offset, _) = self.offset.as_chunks_mut::<CHUNK>();
        for (i, (best_out, offset_out)) in best.iter_mut().zip(offset).enumerate() {
            let (mut best, mut offset) = ([T::neg_infinity(); CHUNK], [NONE; CHUNK]);
            for &(start, tap) in &self.taps {
                let x: &[T; CHUNK] =
                    self.plane[start + i * CHUNK..].first_chunk().expect("room for the reach");
                for j in 0..CHUNK {
                    let wins = wins(x[j], best[j]);
                    best[j] = if wins { x[j] } else { best[j] };
                    offset[j] = if wins { tap } else { offset[j] };
                }
            }
            (*best_out, *offset_out) = (best, offset);
        }
    }

    /// Copies the results of a plane to their places and turns offsets into positions.
    #[inline(always)]
    fn finish(&self, windows: &Windows, pitch: usize, x: &[T], y: &mut [T], positions: &mut [i64]) {
        let [_, columns] = windows.output();
        let &Windows { input, stride, padding, .. } = windows;
        let results = y.chunks_exact_mut(columns).zip(positions.chunks_exact_mut(columns));
        for (row, (y, positions)) in results.enumerate() {
            y.copy_from_slice(&self.best[row * pitch..][..columns]);
            let start = ((row * stride[0]) as i32 - padding[0] as i32) * input[1] as i32 - padding[1] as i32;
            let offsets = &self.offset[row * pitch..][..columns];
            let mut empty = false;
            for (column, (position, &offset)) in positions.iter_mut().zip(offsets).enumerate() {
                empty |= offset == NONE;
                *position = i64::from(start.wrapping_add((column * stride[1]) as i32).wrapping_add(offset));
            }
            if empty {
                let lost =
                    positions.iter_mut().zip(offsets).enumerate().filter(|(_, (_, offset))| **offset == NONE);
                for (column, (position, _)) in lost {
                    *position = first_valid(windows, row, column);
                    debug_assert!(*position < 0 || x[*position as usize] == T::neg_infinity());
                }
            }
        }
    }
}

/// The first position of a window that is not padding: where a window of -infinities has its maximum.
fn first_valid(windows: &Windows, row: usize, column: usize) -> i64 {
    let first = |axis: usize, o| (0..windows.kernel[axis]).find_map(|k| windows.position(axis, o, k));
    match (first(0, row), first(1, column)) {
        (Some(i), Some(j)) => (i * windows.input[1] + j) as i64,
        _ => -1,
    }
}

/// Adjoint of [`gather_positions`], and so of [`max_pool`]: each cotangent goes to the position that won.
///
/// y_bar and positions `[planes, out] ->` x_bar `[planes, plane]`; with `accumulate` it is added to `x_bar`. A position
/// of -1 drops its cotangent.
///
/// # Panics
/// If a slice has not the length that the others say, or a position lies outside its plane.
pub fn max_pool_cotangent<T: Real>(
    planes: usize,
    y_bar: &[T],
    positions: &[i64],
    accumulate: bool,
    x_bar: &mut [T],
) {
    let Some((plane, out)) = lengths(planes, x_bar, y_bar, positions) else {
        return if !accumulate {
            x_bar.fill(T::zero())
        };
    };
    let scatter = |x_bar: &mut [T], y_bar: &[T], positions: &[i64]| {
        if !accumulate {
            x_bar.fill(T::zero());
        }
        let cotangents = y_bar.chunks_exact(out).zip(positions.chunks_exact(out));
        for (x_bar, (y_bar, positions)) in x_bar.chunks_exact_mut(plane).zip(cotangents) {
            for (&y_bar, &position) in y_bar.iter().zip(positions) {
                if position >= 0 {
                    x_bar[position as usize] += y_bar;
                }
            }
        }
    };
    let Some(count) = units(planes, plane) else { return scatter(x_bar, y_bar, positions) };
    let cotangents = y_bar.chunks(count * out).zip(positions.chunks(count * out));
    each(x_bar.chunks_mut(count * plane).zip(cotangents), |(x_bar, (y_bar, positions))| {
        scatter(x_bar, y_bar, positions);
    });
}

/// The elements of x at positions as [`max_pool`] finds them; 0 for a position of -1.
///
/// x `[planes, plane]`, positions `[planes, out] ->` y `[planes, out]`.
///
/// # Panics
/// If a slice has not the length that the others say, or a position lies outside its plane.
pub fn gather_positions<T: Real>(planes: usize, x: &[T], positions: &[i64], y: &mut [T]) {
    let Some((plane, out)) = lengths(planes, x, y, positions) else { return y.fill(T::zero()) };
    let gather = |x: &[T], y: &mut [T], positions: &[i64]| {
        let results = y.chunks_exact_mut(out).zip(positions.chunks_exact(out));
        for (x, (y, positions)) in x.chunks_exact(plane).zip(results) {
            for (y, &position) in y.iter_mut().zip(positions) {
                *y = if position >= 0 { x[position as usize] } else { T::zero() };
            }
        }
    };
    let Some(count) = units(planes, out) else { return gather(x, y, positions) };
    let results = y.chunks_mut(count * out).zip(positions.chunks(count * out));
    each(x.chunks(count * plane).zip(results), |(x, (y, positions))| gather(x, y, positions));
}

/// Elements of a plane of x and of y, if there are any.
fn lengths<T>(planes: usize, x: &[T], y: &[T], positions: &[i64]) -> Option<(usize, usize)> {
    assert_eq!(positions.len(), y.len());
    if x.is_empty() || y.is_empty() {
        return None;
    }
    assert!(x.len().is_multiple_of(planes) && y.len().is_multiple_of(planes));
    Some((x.len() / planes, y.len() / planes))
}
