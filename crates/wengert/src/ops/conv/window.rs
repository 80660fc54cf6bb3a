//! [`Window`]: the attributes of a convolution or pool, checked, for both spatial axes.

use crate::error::{ErrorKind, Refusal};
use crate::op::Spatial;
use crate::shape::{Axes, Shape};

/// Attributes beyond this make no sense, and below it no arithmetic on them overflows.
const LARGEST: isize = i32::MAX as isize;

/// What a window covers and how it moves. Pairs are (vertical, horizontal); 1-d ones are those of height 1.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
}

/// Refuses ranks without kernels.
pub fn check_rank(rank: usize) -> Result<(), Refusal> {
    if rank == 1 || rank == 2 {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorKind::InvalidAttribute,
        format!("{rank} spatial axes are not supported, only 1 and 2"),
    ))
}

/// Refuses a `shape` that is not `[N, C, ..]` with `rank` spatial axes.
pub fn check_axes(what: &str, shape: &[usize], rank: usize) -> Result<(), Refusal> {
    check_rank(rank)?;
    if shape.len() == rank + 2 {
        return Ok(());
    }
    let rule = format!("{what} must have {} axes, not {}", rank + 2, shape.len());
    Err(Refusal::new(ErrorKind::RankMismatch, rule))
}

/// The attribute `values`, one entry for each of `rank` axes or none for `default`, as a pair.
pub fn pair(
    name: &str,
    values: &Axes,
    rank: usize,
    least: isize,
    default: [usize; 2],
) -> Result<[usize; 2], Refusal> {
    check_rank(rank)?;
    let mut pair = default;
    if values.is_empty() {
        return Ok(pair);
    }
    if values.len() != rank {
        let rule = format!("{name} has {} entries for {rank} spatial axes", values.len());
        return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
    }
    for (slot, &value) in pair[2 - rank..].iter_mut().zip(values) {
        if !(least..=LARGEST).contains(&value) {
            let rule = format!("{name} must be at least {least}, not {value}");
            let rule = if value > LARGEST { format!("{name} {value} is too large") } else { rule };
            return Err(Refusal::new(ErrorKind::InvalidAttribute, rule));
        }
        *slot = value as usize;
    }
    Ok(pair)
}

/// The spatial lengths of a shape that ends in them.
pub fn lengths(shape: &[usize], rank: usize) -> [usize; 2] {
    let mut pair = [1; 2];
    pair[2 - rank..].copy_from_slice(&shape[shape.len() - rank..]);
    pair
}

/// A pair as an attribute or the end of a shape.
pub fn spatial(pair: [usize; 2], rank: usize) -> Spatial {
    pair[2 - rank..].iter().copied().collect()
}

/// `[outer, channels, ..]` with `rank` spatial axes.
pub fn joined(outer: usize, channels: usize, pair: [usize; 2], rank: usize) -> Shape {
    [outer, channels].into_iter().chain(spatial(pair, rank)).collect()
}

impl Window {
    /// From attributes; `kernel` is known, the others as in [`pair`].
    pub fn new(
        rank: usize,
        kernel: [usize; 2],
        stride: &Axes,
        padding: &Axes,
        dilation: &Axes,
    ) -> Result<Self, Refusal> {
        let stride = pair("stride", stride, rank, 1, [1, 1])?;
        let padding = pair("padding", padding, rank, 0, [0, 0])?;
        let dilation = pair("dilation", dilation, rank, 1, [1, 1])?;
        if kernel.contains(&0) {
            return Err(Refusal::new(ErrorKind::ShapeMismatch, "the kernel has an axis of length 0"));
        }
        Ok(Window { kernel, stride, padding, dilation })
    }

    /// The length that a window covers along an axis.
    pub fn reach(&self, axis: usize) -> usize {
        self.dilation[axis] * (self.kernel[axis] - 1) + 1
    }

    /// Refuses `input` lengths that not even one window fits.
    ///
    /// A stride that would leave the input after the first window is cut down to the distance at which it just does:
    /// the results are the same, and what kernels prepare for each phase of the stride stays within bounds.
    pub fn fitted(mut self, input: [usize; 2]) -> Result<Self, Refusal> {
        for axis in 0..2 {
            let (padded, reach) = (input[axis] + 2 * self.padding[axis], self.reach(axis));
            if padded < reach {
                let what = if self.dilation[axis] > 1 { " (dilated)" } else { "" };
                let rule =
                    format!("a kernel of length {reach}{what} does not fit an input of length {padded}");
                let rule = if self.padding[axis] > 0 { rule + " (padded)" } else { rule };
                return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
            }
            self.stride[axis] = self.stride[axis].min(padded - reach + 1);
        }
        Ok(self)
    }
}
