//! The convolution itself.

use super::correlate::{Pass, Plan, Prepared, Workspace};
use super::lanes::Lanes;
use super::layout::{Cover, Grid, Layout};
use super::tile::Shape;
use super::{Geometry, gathered, plain, unfold};

/// Convolution: `y = x * w`, plus `bias[channel]` if given.
///
/// x `[N, Ci, H, W]`, w `[Co, Ci / groups, Kh, Kw]`, bias `[Co]` `->` y `[N, Co, Ho, Wo]`; with `accumulate` it is
/// added to `y`. O(len of y * Ci / groups * Kh * Kw).
///
/// # Panics
/// If a slice has not the length that the geometry says.
pub fn forward<T: Lanes>(
    geometry: &Geometry,
    x: &[T],
    w: &[T],
    bias: Option<&[T]>,
    accumulate: bool,
    work: &mut Workspace<T>,
    y: &mut [T],
) {
    geometry.check(x, w, y);
    assert!(bias.is_none_or(|bias| bias.len() == geometry.out_channels));
    if y.is_empty() {
        return;
    }
    if unfold::pays(geometry) {
        plain::start(y, geometry.plane(), bias, accumulate);
        return unfold::forward(geometry, x, w, work, y);
    }
    let groups = geometry.groups;
    let (rows, terms) = (geometry.out_channels / groups, geometry.terms());
    let (_, tallest) = Shape::of::<T>();
    let gathered = gathered::pays::<T>(rows, terms);

    let (layout, pass) = plan::<T>(geometry, &mut work.plan);
    for group in 0..groups {
        let w = &w[group * rows * terms..][..rows * terms];
        let weight = |row: usize, term: usize| w[row * terms + term];
        match gathered {
            true => work.plan.pack_panels([rows, terms], weight),
            false => work.plan.pack([rows, terms], tallest, weight),
        }
    }
    work.plan.passes.push(pass);

    let channels = [geometry.in_channels, geometry.out_channels];
    let [height, width] = geometry.output();
    let plan = Plan { batch: geometry.batch, groups, channels, layout, plane: height * width, gathered };
    plan.run(work, x, bias, accumulate, y);
}

/// The layout of x, and the one pass over it, its offsets (term after term as in w) put into `work`.
pub fn plan<T: Lanes>(geometry: &Geometry, work: &mut Prepared<T>) -> (Layout, Pass) {
    let &Geometry { input, kernel, stride, padding, dilation, .. } = geometry;
    let output = geometry.output();
    let (lanes, _) = Shape::of::<T>();
    let layout = Layout {
        size: input,
        stride,
        shift: padding,
        rows: (input[0] + 2 * padding[0]).div_ceil(stride[0]) + 1,
        pitch: (input[1] + padding[1]).div_ceil(stride[1]).max(output[1]),
    };
    work.clear();
    for channel in 0..geometry.in_channels / geometry.groups {
        for i in 0..kernel[0] {
            let row = (0..kernel[1]).map(|j| layout.offset(i * dilation[0], j * dilation[1]));
            work.offsets.extend(row.map(|offset| channel * layout.len() + offset));
        }
    }
    let pass = Pass {
        grid: Grid { size: output, first: 0, step: [output[1], 1] },
        cover: Cover::new(output, layout.pitch, lanes),
        origin: 0,
        offsets: 0..work.offsets.len(),
        spans: 0..0,
        weights: 0,
    };
    (layout, pass)
}
