//! The cotangent of a convolution's input, which is the transposed convolution.

use super::correlate::{Pass, Plan, Prepared, Workspace};
use super::lanes::Lanes;
use super::layout::{Cover, Grid, Layout};
use super::tile::Shape;
use super::{Geometry, gathered, plain, unfold};

/// Cotangent of the input: `x_bar[u] = sum over taps of w[tap] y_bar[(u + padding - dilation * tap) / stride]`.
///
/// y_bar `[N, Co, Ho, Wo]`, w `[Co, Ci / groups, Kh, Kw]` `->` x_bar `[N, Ci, H, W]`; with `accumulate` it is added to
/// `x_bar`. This is conv_transpose of `y_bar`: its result size, output padding included, is `geometry.input`.
/// `bias` `[Ci]` is added if given (for that use).
///
/// # Panics
/// If a slice has not the length that the geometry says.
pub fn input_cotangent<T: Lanes>(
    geometry: &Geometry,
    y_bar: &[T],
    w: &[T],
    bias: Option<&[T]>,
    accumulate: bool,
    work: &mut Workspace<T>,
    x_bar: &mut [T],
) {
    geometry.check(x_bar, w, y_bar);
    assert!(bias.is_none_or(|bias| bias.len() == geometry.in_channels));
    if x_bar.is_empty() {
        return;
    }
    if !plain::all_finite(w) {
        return plain::input_cotangent(geometry, y_bar, w, bias, accumulate, x_bar);
    }
    if unfold::pays(geometry) {
        plain::start(x_bar, geometry.input[0] * geometry.input[1], bias, accumulate);
        return unfold::input_cotangent(geometry, y_bar, w, work, x_bar);
    }
    let axes = [0, 1].map(|axis| Axis::new(geometry, axis));
    let layout = Layout {
        size: geometry.output(),
        stride: [1, 1],
        shift: [axes[0].before + 1, 0],
        rows: axes[0].before + 1 + axes[0].extent,
        pitch: axes[1].before.max(axes[1].extent - axes[1].size) + axes[1].size,
    };
    let [from, to] = [geometry.out_channels, geometry.in_channels].map(|channels| channels / geometry.groups);
    let taps = geometry.kernel.iter().zip(&geometry.stride).map(|(kernel, stride)| kernel.div_ceil(*stride));
    let gathered = gathered::pays::<T>(to, from * taps.product::<usize>());
    work.plan.clear();
    for i in 0..geometry.stride[0] {
        for j in 0..geometry.stride[1] {
            add_pass(geometry, &axes, &layout, [i, j], w, gathered, &mut work.plan);
        }
    }
    let [height, width] = geometry.input;
    let channels = [geometry.out_channels, geometry.in_channels];
    let (batch, groups) = (geometry.batch, geometry.groups);
    let plan = Plan { batch, groups, channels, layout, plane: height * width, gathered };
    plan.run(work, y_bar, bias, accumulate, x_bar);
}

/// One axis of the problem. A padded input position is `u = q * stride + phase`; tap `k` carries it to the output
/// position `q - k * dilation / stride` if `k * dilation % stride == phase`.
struct Axis {
    /// Output positions.
    size: usize,
    /// Zeros needed before the first output.
    before: usize,
    /// One more than the largest `q`, or `size` if that is more.
    extent: usize,
    /// The largest distance `k * dilation / stride`.
    reach: usize,
}

impl Axis {
    fn new(geometry: &Geometry, axis: usize) -> Axis {
        let (stride, padding) = (geometry.stride[axis], geometry.padding[axis]);
        let size = geometry.output()[axis];
        let reach = (geometry.kernel[axis].max(1) - 1) * geometry.dilation[axis] / stride;
        let last = (geometry.input[axis] + padding - 1) / stride;
        Axis { size, before: reach.saturating_sub(padding / stride), extent: size.max(last + 1), reach }
    }

    /// The smallest `q` of a phase, and how many there are.
    fn range(&self, geometry: &Geometry, axis: usize, phase: usize) -> (usize, usize) {
        let (stride, padding) = (geometry.stride[axis], geometry.padding[axis]);
        let first = padding.saturating_sub(phase).div_ceil(stride);
        let end = (geometry.input[axis] + padding).saturating_sub(phase).div_ceil(stride);
        (first, end.saturating_sub(first))
    }
}

/// Appends the pass over the input positions of one stride phase.
fn add_pass<T: Lanes>(
    geometry: &Geometry,
    axes: &[Axis; 2],
    layout: &Layout,
    phase: [usize; 2],
    w: &[T],
    gathered: bool,
    work: &mut Prepared<T>,
) {
    let &Geometry { groups, kernel, stride, padding, dilation, .. } = geometry;
    let (lanes, tallest) = Shape::of::<T>();
    let [(top, rows), (left, columns)] = [0, 1].map(|axis| axes[axis].range(geometry, axis, phase[axis]));
    if rows * columns == 0 {
        return;
    }
    let (from, to) = (geometry.out_channels / groups, geometry.in_channels / groups);
    let taps =
        |axis: usize| (0..kernel[axis]).filter(move |k| k * dilation[axis] % stride[axis] == phase[axis]);
    let back = |axis: usize, k: usize| axes[axis].reach - k * dilation[axis] / stride[axis];

    // The terms of this phase: (channel of y_bar, tap), the tap as a position in the kernel. For products those of a row of the
    // kernel stand together, as a row of results reaches all of them or none.
    let lines = taps(0).count();
    let [outer, inner] = if gathered { [lines, from] } else { [from, lines] };
    let start = work.offsets.len();
    // Where each term's weights for the first channel of the results lie in a group.
    let area = kernel[0] * kernel[1];
    let mut places = std::mem::take(&mut work.places);
    places.clear();
    for (a, b) in (0..outer).flat_map(|a| (0..inner).map(move |b| (a, b))) {
        let (line, channel) = if gathered { (a, b) } else { (b, a) };
        let i = taps(0).nth(line).expect("one of them");
        let first = channel * layout.len() + back(0, i) * layout.pitch;
        work.offsets.extend(taps(1).map(|j| first + back(1, j)));
        places.extend(taps(1).map(|j| channel * to * area + i * kernel[1] + j));
    }
    let offsets = start..work.offsets.len();
    let spans = work.spans.len();
    if gathered {
        let (height, each) = (layout.size[0], from * taps(1).count());
        work.spans.extend((top..top + rows).map(|q| {
            // Row `q - shift` of y_bar, for shifts that grow from tap to tap.
            let shifts = || taps(0).map(|i| axes[0].reach - back(0, i));
            let beyond = shifts().take_while(|shift| shift + height <= q).count();
            let within = shifts().take_while(|shift| *shift <= q).count();
            beyond.min(within) * each..within * each
        }));
    }
    let spans = spans..work.spans.len();
    let weights = work.weights.len();
    for group in 0..groups {
        let w = &w[group * from * to * area..][..from * to * area];
        let weight = |row: usize, term: usize| w[places[term] + row * area];
        match gathered {
            true => work.pack_panels([to, places.len()], weight),
            false => work.pack([to, places.len()], tallest, weight),
        }
    }
    work.places = places;

    // `reach` rows and columns before the first result's own position.
    let origin = (layout.shift[0] + top) * layout.pitch + left - axes[0].reach * layout.pitch - axes[1].reach;
    let first = [0, 1].map(|axis| [top, left][axis] * stride[axis] + phase[axis] - padding[axis]);
    let width = geometry.input[1];
    let grid = Grid {
        size: [rows, columns],
        first: first[0] * width + first[1],
        step: [stride[0] * width, stride[1]],
    };
    work.passes.push(Pass {
        grid,
        cover: Cover::new(grid.size, layout.pitch, lanes),
        origin,
        offsets,
        spans,
        weights,
    });
}
