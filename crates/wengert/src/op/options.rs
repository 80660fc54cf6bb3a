//! Attributes as methods take them: for convolutions and pools one entry for each spatial axis, and defaults for the rest.

use crate::op::attributes::{AvgPool, Conv, ConvTranspose, MaxPool};
use crate::shape::Axes;

fn axes(values: &[usize]) -> Axes {
    values.iter().map(|&value| value as isize).collect()
}

/// How a convolution with `RANK` spatial axes moves: `ConvOptions { padding: [1, 1], ..Default::default() }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions<const RANK: usize> {
    /// Steps between neighbouring results, 1 by default.
    pub stride: [usize; RANK],
    /// Zeros on both sides, 0 by default.
    pub padding: [usize; RANK],
    /// Steps between neighbouring entries of the kernel, 1 by default.
    pub dilation: [usize; RANK],
    /// Groups of channels that do not see each other, 1 by default.
    pub groups: usize,
}

impl<const RANK: usize> Default for ConvOptions<RANK> {
    fn default() -> Self {
        ConvOptions { stride: [1; RANK], padding: [0; RANK], dilation: [1; RANK], groups: 1 }
    }
}

impl<const RANK: usize> From<ConvOptions<RANK>> for Conv {
    fn from(o: ConvOptions<RANK>) -> Conv {
        let (stride, padding, dilation) = (axes(&o.stride), axes(&o.padding), axes(&o.dilation));
        Conv { rank: RANK, stride, padding, dilation, groups: o.groups }
    }
}

/// The attributes of the convolution that a transposed convolution with `RANK` spatial axes is the adjoint of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTransposeOptions<const RANK: usize> {
    /// Steps between the places of neighbouring arguments, 1 by default.
    pub stride: [usize; RANK],
    /// Results cut off on both sides, 0 by default.
    pub padding: [usize; RANK],
    /// Steps between neighbouring entries of the kernel, 1 by default.
    pub dilation: [usize; RANK],
    /// Results added behind, 0 by default.
    pub output_padding: [usize; RANK],
    /// Groups of channels that do not see each other, 1 by default.
    pub groups: usize,
}

impl<const RANK: usize> Default for ConvTransposeOptions<RANK> {
    fn default() -> Self {
        let zeros = [0; RANK];
        ConvTransposeOptions {
            stride: [1; RANK],
            padding: zeros,
            dilation: [1; RANK],
            output_padding: zeros,
            groups: 1,
        }
    }
}

impl<const RANK: usize> From<ConvTransposeOptions<RANK>> for ConvTranspose {
    fn from(o: ConvTransposeOptions<RANK>) -> ConvTranspose {
        let (stride, padding, dilation) = (axes(&o.stride), axes(&o.padding), axes(&o.dilation));
        let output_padding = axes(&o.output_padding);
        ConvTranspose { rank: RANK, stride, padding, dilation, output_padding, groups: o.groups }
    }
}

/// How the windows of a maximum pool with `RANK` spatial axes move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPoolOptions<const RANK: usize> {
    /// Steps between neighbouring windows; by default the kernel's lengths.
    pub stride: Option<[usize; RANK]>,
    /// Minus infinities on both sides, at most half of a window; 0 by default.
    pub padding: [usize; RANK],
    /// Steps between neighbouring entries of a window, 1 by default.
    pub dilation: [usize; RANK],
}

impl<const RANK: usize> Default for MaxPoolOptions<RANK> {
    fn default() -> Self {
        MaxPoolOptions { stride: None, padding: [0; RANK], dilation: [1; RANK] }
    }
}

impl<const RANK: usize> MaxPoolOptions<RANK> {
    pub(crate) fn op(self, kernel: [usize; RANK]) -> MaxPool {
        let stride = axes(&self.stride.unwrap_or(kernel));
        let (padding, dilation) = (axes(&self.padding), axes(&self.dilation));
        MaxPool { rank: RANK, kernel: axes(&kernel), stride, padding, dilation }
    }
}

/// How the windows of a mean pool with `RANK` spatial axes move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPoolOptions<const RANK: usize> {
    /// Steps between neighbouring windows; by default the kernel's lengths.
    pub stride: Option<[usize; RANK]>,
    /// Zeros on both sides, at most half of a window; 0 by default.
    pub padding: [usize; RANK],
    /// Whether padded zeros count in the divisor; `true` by default.
    pub count_include_pad: bool,
}

impl<const RANK: usize> Default for AvgPoolOptions<RANK> {
    fn default() -> Self {
        AvgPoolOptions { stride: None, padding: [0; RANK], count_include_pad: true }
    }
}

impl<const RANK: usize> AvgPoolOptions<RANK> {
    pub(crate) fn op(self, kernel: [usize; RANK]) -> AvgPool {
        let stride = axes(&self.stride.unwrap_or(kernel));
        let (kernel, padding) = (axes(&kernel), axes(&self.padding));
        AvgPool { rank: RANK, kernel, stride, padding, count_include_pad: self.count_include_pad }
    }
}

/// How `interpolate` finds values between elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The element at `floor(i n / m)`.
    Nearest,
    /// Linear along each axis (bilinear for two), each element the mean of a cell of its own.
    Linear,
    /// Linear along each axis, the first and last elements at the ends (`align_corners`).
    LinearAligned,
}

/// How much of a convolution `convolve` gives, as in NumPy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvolveMode {
    /// Every overlap: `n + k - 1` values.
    Full,
    /// The middle, as long as the longer argument.
    Same,
    /// Overlaps of all of the shorter argument only.
    Valid,
}

/// Along which axes the grids of `meshgrid` vary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Indexing {
    /// Grid `k` along axis `k`.
    #[default]
    Ij,
    /// The first two axes swapped: the first grid varies along columns.
    Xy,
}
