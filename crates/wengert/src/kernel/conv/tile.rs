//! The two register tiles behind all three convolution kernels: `height x 3` accumulators, no packing of the operand.
//!
//! [`Correlate`] sums over kernel taps for registers of neighbouring results; [`Contract`] sums over positions for
//! pairs (channel, tap). Heights are 8, 4, 2, 1 where there are 32 registers and 4, 2, 1 where there are 16.

use pulp::{Simd, WithSimd};

use super::lanes::Lanes;
use super::layout::{Grid, emit};

/// Registers side by side in a tile.
pub const WIDTH: usize = 3;

/// No register holds more elements.
pub const MOST_LANES: usize = 16;

/// Height of the next tile when `left` rows are left.
pub fn height(left: usize, tallest: usize) -> usize {
    let mut height = tallest;
    while height > left {
        height /= 2;
    }
    height
}

/// The instruction set to run on.
pub fn arch() -> pulp::Arch {
    #[cfg(test)]
    if let Some(arch) = super::tests::FORCED.get() {
        return arch;
    }
    crate::kernel::level::arch()
}

/// What the running machine offers: lanes of a register and the tallest tile.
pub struct Shape;

impl Shape {
    /// Lanes of a register of `T`, and the height of the tallest tile.
    pub fn of<T: Lanes>() -> (usize, usize) {
        arch().dispatch(Ask(std::marker::PhantomData::<T>))
    }
}

struct Ask<T>(std::marker::PhantomData<T>);

impl<T: Lanes> WithSimd for Ask<T> {
    type Output = (usize, usize);
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (usize, usize) {
        (T::count(simd), if S::REGISTER_COUNT >= 32 { 8 } else { 4 })
    }
}

/// Rows `channel ..` of `sum over k of weights[k][row] * image[offsets[k] + p]`, for every image of a block.
pub struct Correlate<'a, T> {
    /// Rows of this tile.
    pub height: usize,
    /// `[offsets.len()][height]`.
    pub weights: &'a [T],
    /// Start of each term's run, relative to a register's start.
    pub offsets: &'a [usize],
    /// The prepared images of the block.
    pub image: &'a [T],
    /// Where each register starts; a multiple of [`WIDTH`].
    pub starts: &'a [usize],
    /// One summand for each row.
    pub bias: Option<&'a [T]>,
    /// Room for `height * starts.len()` registers.
    pub wide: &'a mut [T],
    /// From registers to results.
    pub target: Target<'a, T>,
}

/// Where the results of a tile go.
pub struct Target<'a, T> {
    /// The output from the first image of the block on.
    pub out: &'a mut [T],
    /// First channel of the tile.
    pub channel: usize,
    /// Images in the block.
    pub images: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Elements of a plane of the output.
    pub plane: usize,
    /// Places in a plane.
    pub grid: Grid,
    /// Elements in the registers of one image.
    pub width: usize,
    /// Distance of two rows of results in the registers.
    pub row_step: usize,
    /// Add to the output instead of overwriting it.
    pub accumulate: bool,
}

impl<T: Lanes> WithSimd for Correlate<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        match self.height {
            8 if S::REGISTER_COUNT >= 32 => self.compute::<S, 8>(simd),
            4 => self.compute::<S, 4>(simd),
            2 => self.compute::<S, 2>(simd),
            _ => self.compute::<S, 1>(simd),
        }
        self.write();
    }
}

impl<T: Lanes> Correlate<'_, T> {
    #[inline(always)]
    fn compute<S: Simd, const HEIGHT: usize>(&mut self, simd: S) {
        let lanes = T::count(simd);
        let row = self.starts.len() * lanes;
        let mut initial = [T::broadcast(simd, T::zero()); HEIGHT];
        if let Some(bias) = self.bias {
            initial = std::array::from_fn(|r| T::broadcast(simd, bias[r]));
        }
        for (i, starts) in self.starts.chunks_exact(WIDTH).enumerate() {
            let run: [&[T]; WIDTH] = std::array::from_fn(|c| &self.image[starts[c]..]);
            let mut sum = initial.map(|x| [x; WIDTH]);
            let (weights, _) = self.weights.as_chunks::<HEIGHT>();
            for (&offset, weights) in self.offsets.iter().zip(weights) {
                let x: [_; WIDTH] = std::array::from_fn(|c| T::load(simd, &run[c][offset..]));
                for r in 0..HEIGHT {
                    let weight = T::broadcast(simd, weights[r]);
                    for c in 0..WIDTH {
                        sum[r][c] = T::fused(simd, weight, x[c], sum[r][c]);
                    }
                }
            }
            for r in 0..HEIGHT {
                for c in 0..WIDTH {
                    T::store(simd, &mut self.wide[r * row + (i * WIDTH + c) * lanes..], sum[r][c]);
                }
            }
        }
    }

    #[inline(always)]
    fn write(&mut self) {
        let to = &mut self.target;
        let row = self.wide.len() / self.height;
        for image in 0..to.images {
            for r in 0..self.height {
                let wide = &self.wide[r * row + image * to.width..(r + 1) * row];
                let plane = (image * to.channels + to.channel + r) * to.plane;
                emit(wide, to.row_step, &to.grid, to.accumulate, &mut to.out[plane..][..to.plane]);
            }
        }
    }
}

/// `out[row][n] += sum over positions of y[row] * image[offsets[n] + position]`.
pub struct Contract<'a, T> {
    /// Rows of this tile.
    pub height: usize,
    /// `height` rows of registers, zero outside the results.
    pub y: &'a [T],
    /// Registers from a row of y to the next.
    pub row: usize,
    /// Start of each column's run, relative to a register's start.
    pub offsets: &'a [usize],
    /// The prepared images of the block.
    pub image: &'a [T],
    /// Where each register starts.
    pub starts: &'a [usize],
    /// `[height][offsets.len()]`, added to.
    pub out: &'a mut [T],
}

impl<T: Lanes> WithSimd for Contract<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        match self.height {
            8 if S::REGISTER_COUNT >= 32 => self.compute::<S, 8>(simd),
            4 => self.compute::<S, 4>(simd),
            2 => self.compute::<S, 2>(simd),
            _ => self.compute::<S, 1>(simd),
        }
    }
}

impl<T: Lanes> Contract<'_, T> {
    #[inline(always)]
    fn compute<S: Simd, const HEIGHT: usize>(&mut self, simd: S) {
        let lanes = T::count(simd);
        let count = self.starts.len();
        let columns = self.offsets.len();
        let mut scratch = [T::zero(); 8 * WIDTH * MOST_LANES];
        let y = T::registers(simd, &self.y[..((HEIGHT - 1) * self.row + count) * lanes]);
        let y: [_; HEIGHT] = std::array::from_fn(|r| &y[r * self.row..][..count]);
        for (i, offsets) in self.offsets.chunks(WIDTH).enumerate() {
            let run: [&[T]; WIDTH] =
                std::array::from_fn(|c| &self.image[offsets[c.min(offsets.len() - 1)]..]);
            let mut sum = [[T::broadcast(simd, T::zero()); WIDTH]; HEIGHT];
            for (j, &start) in self.starts[..count].iter().enumerate() {
                let x: [_; WIDTH] = std::array::from_fn(|c| T::load(simd, &run[c][start..]));
                for r in 0..HEIGHT {
                    for c in 0..WIDTH {
                        sum[r][c] = T::fused(simd, y[r][j], x[c], sum[r][c]);
                    }
                }
            }
            // Through memory of its own: a loop over the sums themselves would keep them out of registers.
            for r in 0..HEIGHT {
                for c in 0..WIDTH {
                    T::store(simd, &mut scratch[(r * WIDTH + c) * lanes..], sum[r][c]);
                }
            }
            for (r, row) in scratch.chunks_exact(WIDTH * lanes).take(HEIGHT).enumerate() {
                for (c, _) in offsets.iter().enumerate() {
                    let sum = T::load(simd, &row[c * lanes..]);
                    self.out[r * columns + i * WIDTH + c] += T::total(simd, sum);
                }
            }
        }
    }
}
