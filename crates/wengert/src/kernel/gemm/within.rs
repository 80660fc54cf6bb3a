//! Products between disjoint blocks of one row-major matrix: what blocked factorisations are made of.

use super::raw::{Gemm, Product};
use super::{Strided, Threads, choose};

/// A block of a row-major matrix, named by its first row and column; transposed where asked.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    /// First row in the matrix.
    pub row: usize,
    /// First column in the matrix.
    pub col: usize,
    /// Whether the operand is the transpose of the block.
    pub transposed: bool,
}

/// Where an operand of [`gemm_within`] lives.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a, T> {
    /// In the matrix that is being changed.
    Here(Spot),
    /// Elsewhere.
    Other(Strided<'a, T>),
}

/// The block that starts at `(row, col)`.
pub fn spot(row: usize, col: usize) -> Spot {
    Spot { row, col, transposed: false }
}

impl Spot {
    /// The transpose of the block.
    pub fn t(self) -> Self {
        Spot { transposed: !self.transposed, ..self }
    }

    /// The same as an operand.
    pub fn here<'a, T>(self) -> Place<'a, T> {
        Place::Here(self)
    }

    pub(super) fn block(self, rows: usize, cols: usize) -> Block {
        let (rows, cols) = if self.transposed { (cols, rows) } else { (rows, cols) };
        Block { row: self.row, col: self.col, rows, cols }
    }

    /// Offset, row stride and column stride in a matrix of this width.
    pub(super) fn strides(self, width: usize) -> (usize, isize, isize) {
        let (offset, step) = (self.row * width + self.col, width as isize);
        if self.transposed { (offset, 1, step) } else { (offset, step, 1) }
    }
}

/// A rectangle of a row-major matrix.
pub(super) struct Block {
    row: usize,
    col: usize,
    rows: usize,
    cols: usize,
}

impl Block {
    /// # Panics
    /// If the rectangle is outside a matrix of this width in a slice of length `len`.
    pub fn inside(&self, len: usize, width: usize) {
        let ok = self.rows == 0
            || self.cols == 0
            || (self.col + self.cols <= width
                && (self.row + self.rows - 1) * width + self.col + self.cols <= len);
        assert!(ok, "gemm: block outside its matrix");
    }

    /// Whether two rectangles of one matrix share an element.
    pub fn meets(&self, other: &Block) -> bool {
        let apart = |a: usize, la: usize, b: usize, lb: usize| a + la <= b || b + lb <= a;
        !(apart(self.row, self.rows, other.row, other.rows)
            || apart(self.col, self.cols, other.col, other.cols))
    }
}

/// [`gemm`](super::gemm()) where `c`, and `a` or `b` if so placed, are blocks of the row-major `matrix`.
///
/// # Panics
/// If a block is outside the matrix, or `c` overlaps an operand.
pub fn gemm_within<T: Gemm>(
    matrix: &mut [T],
    width: usize,
    size: [usize; 3],
    alpha: T,
    a: Place<'_, T>,
    b: Place<'_, T>,
    beta: T,
    c: Spot,
    threads: Threads,
) {
    choose::run(Product::within(matrix, width, size, alpha, a, b, beta, c), threads);
}
