//! The three kernels by matrix products on unfolded images: what pays for many channels, whose weights would go past the
//! register tiles from the second-level cache again and again.
//!
//! Products run over blocks: a group, as many images as fill a panel, as many channels as a product sums at a time. So
//! the copy of the windows stays in the second-level cache. Kernels of one tap that touch every position need no copy.

use std::ops::Range;

use super::{Geometry, Lanes, Workspace};
use crate::kernel::gemm::{Strided, StridedMut, Threads, gemm};
use crate::kernel::operand::add;
use crate::kernel::threads;

/// Positions of a block, at least.
const POSITIONS: usize = 192;
/// Terms of a block: as many as a product sums at a time.
const TERMS: usize = 512;

/// Channels on both sides from which kernels of one tap go by products.
const CHANNELS: usize = 64;
/// Channels of the result, and terms of each, from which others do.
const MANY: [usize; 2] = [128, 2048];

/// Whether a convolution takes less time by products, on one thread and on two (measured with AVX-512).
pub fn pays(geometry: &Geometry) -> bool {
    let (to, terms) = (geometry.out_channels / geometry.groups, geometry.terms());
    let many = if geometry.taps() == 1 { [CHANNELS; 2] } else { MANY };
    #[cfg(test)]
    if let Some(means) = super::tests::MEANS.get() {
        return means == super::tests::Means::Unfolded && geometry.y_len() > 0;
    }
    geometry.y_len() > 0 && to >= many[0] && terms >= many[1]
}

/// See [`forward`](super::forward); adds to `y`.
pub fn forward<T: Lanes>(geometry: &Geometry, x: &[T], w: &[T], work: &mut Workspace<T>, y: &mut [T]) {
    let Workspace { columns, wide, .. } = work;
    for part in parts(geometry) {
        let (to, terms, positions) = (part.to(), part.terms(), part.positions());
        let columns = Strided::rows(part.unfold(x, columns), positions);
        let product =
            |beta, c| gemm([to, positions, terms], T::one(), part.weights(w), columns, beta, c, all());
        match part.results() {
            Some(at) => product(T::one(), StridedMut::rows(&mut y[at], positions)),
            None => {
                wide.resize(wide.len().max(to * positions), T::zero());
                product(T::zero(), StridedMut::rows(wide, positions));
                part.planes(wide, |at, plane| add(&mut y[at], plane));
            }
        }
    }
}

/// See [`input_cotangent`](super::input_cotangent); adds to `x_bar`.
pub fn input_cotangent<T: Lanes>(
    geometry: &Geometry,
    y_bar: &[T],
    w: &[T],
    work: &mut Workspace<T>,
    x_bar: &mut [T],
) {
    let Workspace { columns, wide, .. } = work;
    for part in parts(geometry) {
        let (to, terms, positions) = (part.to(), part.terms(), part.positions());
        let y_bar = Strided::rows(part.gather(y_bar, wide), positions);
        let product =
            |beta, c| gemm([terms, positions, to], T::one(), part.weights(w).t(), y_bar, beta, c, all());
        if let Some(at) = part.as_it_is() {
            product(T::one(), StridedMut::rows(&mut x_bar[at], positions));
            continue;
        }
        columns.resize(columns.len().max(terms * positions), T::zero());
        product(T::zero(), StridedMut::rows(columns, positions));
        part.fold(columns, x_bar);
    }
}

/// See [`weight_cotangent`](super::weight_cotangent); adds to `w_bar`.
pub fn weight_cotangent<T: Lanes>(
    geometry: &Geometry,
    x: &[T],
    y_bar: &[T],
    work: &mut Workspace<T>,
    w_bar: &mut [T],
) {
    let Workspace { columns, wide, .. } = work;
    let all_terms = geometry.terms();
    for part in parts(geometry) {
        let (to, terms, positions) = (part.to(), part.terms(), part.positions());
        let y_bar = Strided::rows(part.gather(y_bar, wide), positions);
        let columns = Strided::rows(part.unfold(x, columns), positions).t();
        let c = StridedMut::rows(&mut w_bar[part.group * to * all_terms..][..to * all_terms], all_terms);
        gemm([to, terms, positions], T::one(), y_bar, columns, T::one(), c.at(0, part.first_term()), all());
    }
}

fn all() -> Threads {
    Threads(threads::available())
}

/// One product: some images, and some channels of the input, of a group.
struct Part<'a> {
    geometry: &'a Geometry,
    group: usize,
    images: Range<usize>,
    /// Of the group.
    channels: Range<usize>,
}

/// Group after group, block of images after block, channels after channels: all sums in one order.
fn parts(geometry: &Geometry) -> impl Iterator<Item = Part<'_>> {
    let images = POSITIONS.div_ceil(geometry.plane());
    let channels = (TERMS / geometry.taps()).max(1);
    let from = geometry.in_channels / geometry.groups;
    let blocks =
        move |len: usize, each: usize| (0..len).step_by(each).map(move |start| start..len.min(start + each));
    (0..geometry.groups).flat_map(move |group| {
        blocks(geometry.batch, images).flat_map(move |images| {
            blocks(from, channels).map(move |channels| Part {
                geometry,
                group,
                images: images.clone(),
                channels,
            })
        })
    })
}

impl Part<'_> {
    fn to(&self) -> usize {
        self.geometry.out_channels / self.geometry.groups
    }

    fn terms(&self) -> usize {
        self.channels.len() * self.geometry.taps()
    }

    fn first_term(&self) -> usize {
        self.channels.start * self.geometry.taps()
    }

    fn positions(&self) -> usize {
        self.images.len() * self.geometry.plane()
    }

    /// `[to, terms]`.
    fn weights<'w, T>(&self, w: &'w [T]) -> Strided<'w, T> {
        let each = self.geometry.terms();
        Strided::rows(&w[self.group * self.to() * each..], each).at(0, self.first_term())
    }

    /// Where the part's results lie side by side in y.
    fn results(&self) -> Option<Range<usize>> {
        let len = self.to() * self.geometry.plane();
        let start = self.images.start * self.geometry.groups * len + self.group * len;
        (self.images.len() == 1).then_some(start..start + len)
    }

    /// The part's results in y, `[to, positions]`, copied together where they lie apart.
    fn gather<'b, T: Lanes>(&self, y: &'b [T], wide: &'b mut Vec<T>) -> &'b [T] {
        if let Some(at) = self.results() {
            return &y[at];
        }
        wide.resize(wide.len().max(self.to() * self.positions()), T::zero());
        self.planes(wide, |at, plane| plane.copy_from_slice(&y[at]));
        &wide[..self.to() * self.positions()]
    }

    /// Calls `each` with the place in y of every plane of `[to, positions]`, and the plane.
    fn planes<T>(&self, wide: &mut [T], mut each: impl FnMut(Range<usize>, &mut [T])) {
        let (plane, to) = (self.geometry.plane(), self.to());
        for (channel, row) in wide.chunks_exact_mut(self.positions()).take(to).enumerate() {
            for (image, values) in self.images.clone().zip(row.chunks_exact_mut(plane)) {
                let start = (image * self.geometry.out_channels + self.group * to + channel) * plane;
                each(start..start + plane, values);
            }
        }
    }

    /// Where the plane of a channel of an image lies in x.
    fn source(&self, image: usize, channel: usize) -> Range<usize> {
        let Geometry { in_channels, groups, input: [height, width], .. } = *self.geometry;
        let start = (image * in_channels + self.group * (in_channels / groups) + channel) * height * width;
        start..start + height * width
    }

    /// Where the part's windows lie in x, if they are x itself.
    fn as_it_is(&self) -> Option<Range<usize>> {
        let Geometry { kernel, stride, padding, .. } = *self.geometry;
        let plain = kernel == [1, 1] && stride == [1, 1] && padding == [0, 0] && self.images.len() == 1;
        let first = self.source(self.images.start, self.channels.start);
        plain.then_some(first.start..first.start + self.channels.len() * first.len())
    }

    /// The windows, `[terms, positions]`: a row for each channel and tap.
    fn unfold<'b, T: Lanes>(&self, x: &'b [T], columns: &'b mut Vec<T>) -> &'b [T] {
        if let Some(at) = self.as_it_is() {
            return &x[at];
        }
        let (positions, len) = (self.positions(), self.terms() * self.positions());
        columns.resize(columns.len().max(len), T::zero());
        let channels = columns[..len].chunks_exact_mut(self.geometry.taps() * positions);
        let pays = threads::pays(len);
        threads::each_if(pays, self.channels.clone().zip(channels), |(channel, rows)| {
            for (tap, row) in rows.chunks_exact_mut(positions).enumerate() {
                for (image, plane) in self.images.clone().zip(row.chunks_exact_mut(self.geometry.plane())) {
                    self.geometry.window(tap, &x[self.source(image, channel)], plane);
                }
            }
        });
        &columns[..len]
    }

    /// Adds the windows' cotangents to those of x.
    fn fold<T: Lanes>(&self, columns: &mut [T], x_bar: &mut [T]) {
        let positions = self.positions();
        for (rows, channel) in
            columns.chunks_exact_mut(self.geometry.taps() * positions).zip(self.channels.clone())
        {
            for (tap, row) in rows.chunks_exact_mut(positions).enumerate() {
                for (image, plane) in self.images.clone().zip(row.chunks_exact_mut(self.geometry.plane())) {
                    self.geometry.add_window(tap, plane, &mut x_bar[self.source(image, channel)]);
                }
            }
        }
    }
}

/// Results of an axis, and the input positions they read, at one tap: those inside.
struct Run {
    results: Range<usize>,
    first: usize,
}

/// Zeros for the results of a tap whose columns are outside.
fn clear_around<T: Lanes>(width: usize, rows: &Run, columns: &Run, window: &mut [T]) {
    let window = &mut window[rows.results.start * width..rows.results.end * width];
    for column in (0..columns.results.start).chain(columns.results.end..width) {
        window[column..].iter_mut().step_by(width).for_each(|x| *x = T::zero());
    }
}

impl Geometry {
    /// Taps of a channel.
    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    fn run(&self, axis: usize, k: usize) -> Run {
        let (stride, padding) = (self.stride[axis], self.padding[axis]);
        let at = k * self.dilation[axis];
        let start = padding.saturating_sub(at).div_ceil(stride);
        let end = (self.input[axis] + padding).saturating_sub(at).div_ceil(stride).min(self.output()[axis]);
        Run { results: start.min(end)..end, first: (start * stride + at).saturating_sub(padding) }
    }

    /// Where a window is x itself, shifted, but for what came round the ends of rows: its range, and that of x.
    fn shifted(&self, rows: &Run, columns: &Run) -> Option<(Range<usize>, Range<usize>)> {
        let width = self.input[1];
        let whole = self.stride == [1, 1] && self.output()[1] == width;
        if !whole || rows.results.is_empty() || columns.results.is_empty() {
            return None;
        }
        let len = (rows.results.len() - 1) * width + columns.results.len();
        let [to, from] = [[rows.results.start, columns.results.start], [rows.first, columns.first]]
            .map(|[row, column]| row * width + column);
        Some((to..to + len, from..from + len))
    }

    /// What every result reads of a plane of x at a tap, zeros outside.
    fn window<T: Lanes>(&self, tap: usize, x: &[T], out: &mut [T]) {
        let (rows, columns) = (self.run(0, tap / self.kernel[1]), self.run(1, tap % self.kernel[1]));
        let (width, step) = (self.output()[1], self.stride[1]);
        if let Some((to, from)) = self.shifted(&rows, &columns) {
            out[..to.start].fill(T::zero());
            out[to.end..].fill(T::zero());
            out[to].copy_from_slice(&x[from]);
            return clear_around(width, &rows, &columns, out);
        }
        out[..rows.results.start * width].fill(T::zero());
        out[rows.results.end * width..].fill(T::zero());
        for (k, i) in rows.results.enumerate() {
            let x = &x[(rows.first + k * self.stride[0]) * self.input[1]..][..self.input[1]];
            let out = &mut out[i * width..][..width];
            out[..columns.results.start].fill(T::zero());
            out[columns.results.end..].fill(T::zero());
            let out = &mut out[columns.results.clone()];
            match step {
                1 => out.copy_from_slice(&x[columns.first..][..out.len()]),
                _ => out
                    .iter_mut()
                    .zip(x.iter().skip(columns.first).step_by(step))
                    .for_each(|(out, &x)| *out = x),
            }
        }
    }

    /// The transpose of [`Geometry::window`], added.
    fn add_window<T: Lanes>(&self, tap: usize, window: &mut [T], x_bar: &mut [T]) {
        let (rows, columns) = (self.run(0, tap / self.kernel[1]), self.run(1, tap % self.kernel[1]));
        let (width, step) = (self.output()[1], self.stride[1]);
        if let Some((to, from)) = self.shifted(&rows, &columns) {
            clear_around(width, &rows, &columns, window);
            return add(&mut x_bar[from], &window[to]);
        }
        for (k, i) in rows.results.enumerate() {
            let x_bar = &mut x_bar[(rows.first + k * self.stride[0]) * self.input[1]..][..self.input[1]];
            let window = &window[i * width..][..width][columns.results.clone()];
            match step {
                1 => x_bar[columns.first..].iter_mut().zip(window).for_each(|(x_bar, &w)| *x_bar += w),
                _ => x_bar
                    .iter_mut()
                    .skip(columns.first)
                    .step_by(step)
                    .zip(window)
                    .for_each(|(x_bar, &w)| *x_bar += w),
            }
        }
    }
}
