//! Convolution and its two cotangent products, for 1-d (height 1) and 2-d, as one sum of shifted contiguous reads.
//!
//! There is no im2col but for very many channels ([`unfold`]): each image is copied once into a padded [`layout`], in which
//! every kernel tap of a run of results is a contiguous run as well, and the register [`tile`]s read the runs in place. A
//! 3 x 3 kernel thus moves a ninth of what im2col moves; the price is a few discarded results where a run crosses the
//! end of a row. Where there are channels enough to fill registers, these lie along the channels instead, and nothing is
//! discarded ([`gathered`]). Memory is a [`Workspace`] of a size that depends on one image's shape, never on the batch. Threads share
//! images, or groups and channels of one ([`cut`]).
//!
//! All three are cross-correlations in the sense of the field: the kernel is not flipped. A padded zero takes part in
//! products as in PyTorch, so that a weight that is not finite shows in every result whose window reaches the padding.

#![allow(dead_code, unused_imports)]

mod correlate;
mod cut;
mod forward;
mod gathered;
mod input;
mod lanes;
pub(super) mod layout;
mod plain;
#[cfg(test)]
mod tests;
mod tile;
mod unfold;
mod weight;

pub use correlate::Workspace;
pub use forward::forward;
pub use input::input_cotangent;
pub use lanes::Lanes;
pub use weight::{bias_cotangent, weight_cotangent};

/// The shapes and attributes of a convolution `[N, Ci, H, W] * [Co, Ci / groups, Kh, Kw] -> [N, Co, Ho, Wo]`.
///
/// Pairs are (vertical, horizontal); a 1-d convolution has height 1 in `input` and `kernel`, stride and dilation 1
/// and padding 0 vertically.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// N.
    pub batch: usize,
    /// Ci.
    pub in_channels: usize,
    /// Co.
    pub out_channels: usize,
    /// Divides both numbers of channels.
    pub groups: usize,
    /// H and W.
    pub input: [usize; 2],
    /// Kh and Kw.
    pub kernel: [usize; 2],
    /// At least 1.
    pub stride: [usize; 2],
    /// Zeros on both sides.
    pub padding: [usize; 2],
    /// At least 1.
    pub dilation: [usize; 2],
}

impl Geometry {
    /// Ho and Wo: `floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1`, 0 if the kernel does not fit.
    pub fn output(&self) -> [usize; 2] {
        std::array::from_fn(|i| {
            let padded = self.input[i] + 2 * self.padding[i];
            let reach = self.dilation[i] * (self.kernel[i].max(1) - 1) + 1;
            if padded < reach { 0 } else { (padded - reach) / self.stride[i] + 1 }
        })
    }

    /// Elements of x.
    pub fn x_len(&self) -> usize {
        self.batch * self.in_channels * self.input[0] * self.input[1]
    }

    /// Elements of w.
    pub fn w_len(&self) -> usize {
        self.out_channels * self.terms()
    }

    /// Elements of y.
    pub fn y_len(&self) -> usize {
        self.batch * self.out_channels * self.plane()
    }

    /// Elements of a plane of y.
    fn plane(&self) -> usize {
        let [height, width] = self.output();
        height * width
    }

    /// Products summed for one result: `Ci / groups * Kh * Kw`.
    fn terms(&self) -> usize {
        self.in_channels / self.groups * self.kernel[0] * self.kernel[1]
    }

    /// Panics unless `x`, `w` and `y` have the lengths that this geometry says.
    fn check<T>(&self, x: &[T], w: &[T], y: &[T]) {
        assert!(self.groups > 0 && self.in_channels.is_multiple_of(self.groups));
        assert!(self.out_channels.is_multiple_of(self.groups));
        assert!(self.stride.iter().chain(&self.dilation).all(|&step| step > 0));
        assert_eq!((x.len(), w.len(), y.len()), (self.x_len(), self.w_len(), self.y_len()));
    }
}
