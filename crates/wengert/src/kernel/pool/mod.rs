//! Pooling over windows of planes, 2-d (1-d has height 1): maximum and mean, each with its adjoint.
//!
//! Maxima are built tap by tap of the window, in row-major order, so that inner loops run over results and
//! vectorise; the maximum over windows of 2 x 2 at stride 2 has a loop of its own.

#![allow(dead_code, unused_imports)]

mod average;
mod max;
#[cfg(test)]
mod tests;

pub use average::{average_pool, average_pool_cotangent};
pub use max::{Workspace, gather_positions, max_pool, max_pool_cotangent};

/// Windows over `planes` planes (batch times channels) of `input` elements. Pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Batch times channels.
    pub planes: usize,
    /// H and W.
    pub input: [usize; 2],
    /// Size of a window.
    pub kernel: [usize; 2],
    /// At least 1.
    pub stride: [usize; 2],
    /// On both sides; -infinity to the maximum, zeros to the mean.
    pub padding: [usize; 2],
    /// At least 1.
    pub dilation: [usize; 2],
}

impl Windows {
    /// Ho and Wo: `floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1`, 0 if no window fits.
    pub fn output(&self) -> [usize; 2] {
        std::array::from_fn(|i| {
            let padded = self.input[i] + 2 * self.padding[i];
            let reach = self.dilation[i] * (self.kernel[i].max(1) - 1) + 1;
            if padded < reach { 0 } else { (padded - reach) / self.stride[i] + 1 }
        })
    }

    /// Input position of tap `k` of window `o`, if it is not padding.
    fn position(&self, axis: usize, o: usize, k: usize) -> Option<usize> {
        let padded = o * self.stride[axis] + k * self.dilation[axis];
        padded.checked_sub(self.padding[axis]).filter(|&i| i < self.input[axis])
    }

    /// The windows whose tap `k` is not padding, `first..end`, and the input position of that tap in the first one.
    fn range(&self, axis: usize, k: usize) -> (usize, usize, usize) {
        let (stride, reach) = (self.stride[axis], k * self.dilation[axis]);
        let first = self.padding[axis].saturating_sub(reach).div_ceil(stride);
        let end = (self.input[axis] + self.padding[axis]).saturating_sub(reach).div_ceil(stride);
        let end = end.min(self.output()[axis]);
        let position = (first * stride + reach).saturating_sub(self.padding[axis]);
        (first, end.max(first), position)
    }

    /// Panics unless `x` and `y` have the lengths that this geometry says; returns those of their planes.
    fn check<T>(&self, x: &[T], y: &[T]) -> (usize, usize) {
        assert!(self.stride.iter().chain(&self.dilation).all(|&step| step > 0));
        let (plane, [height, width]) = (self.input[0] * self.input[1], self.output());
        assert_eq!((x.len(), y.len()), (self.planes * plane, self.planes * height * width));
        (plane, height * width)
    }
}
