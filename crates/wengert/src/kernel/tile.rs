//! [`Tile`]: short rows turned into columns, to be worked on side by side.
//!
//! Always whole tiles, whatever number of rows there is: what becomes of a row does not depend on its neighbours.

use crate::kernel::real::Real;

/// Rows of a tile.
pub const WIDTH: usize = 32;
/// Elements of a row up to which a tile pays.
pub const MOST: usize = 24;

pub type Lanes<T> = [T; WIDTH];

/// Rows as columns: `tile[j][r]` is element `j` of row `r`.
pub struct Tile<T> {
    all: [Lanes<T>; MOST],
    n: usize,
}

impl<T: Real> Tile<T> {
    #[inline(always)]
    pub fn new(n: usize) -> Self {
        Tile { all: [[T::zero(); WIDTH]; MOST], n }
    }

    /// Up to [`WIDTH`] rows; zeros in the place of those that are missing.
    #[inline(always)]
    pub fn load(&mut self, rows: &[T]) {
        let n = self.n;
        for (j, lanes) in self.lanes_mut().iter_mut().enumerate() {
            if rows.len() < WIDTH * n {
                *lanes = [T::zero(); WIDTH];
            }
            lanes.iter_mut().zip(rows.chunks_exact(n)).for_each(|(lane, row)| *lane = row[j]);
        }
    }

    /// The reverse; with `accumulate` added to `rows`.
    #[inline(always)]
    pub fn store(&self, accumulate: bool, rows: &mut [T]) {
        for (j, lanes) in self.lanes().iter().enumerate() {
            let places = rows.chunks_exact_mut(self.n).zip(lanes);
            if accumulate {
                places.for_each(|(row, &lane)| row[j] += lane);
            } else {
                places.for_each(|(row, &lane)| row[j] = lane);
            }
        }
    }

    #[inline(always)]
    pub fn lanes(&self) -> &[Lanes<T>] {
        &self.all[..self.n]
    }

    #[inline(always)]
    pub fn lanes_mut(&mut self) -> &mut [Lanes<T>] {
        &mut self.all[..self.n]
    }

    /// `[n, WIDTH]`.
    #[inline(always)]
    pub fn flat(&self) -> &[T] {
        self.lanes().as_flattened()
    }

    #[inline(always)]
    pub fn flat_mut(&mut self) -> &mut [T] {
        self.lanes_mut().as_flattened_mut()
    }
}

/// A number of each row, and zeros in the place of those that are missing.
#[inline(always)]
pub fn filled<T: Real>(values: &[T]) -> Lanes<T> {
    let mut lanes = [T::zero(); WIDTH];
    lanes[..values.len()].copy_from_slice(values);
    lanes
}
