//! Matrix products on strided slices: `c = beta c + alpha a b`.
//!
//! One safe entry, [`gemm()`], over three means chosen by shape and strides alone: register-tiled direct
//! kernels for tiny and flat products, a dot-product kernel for matrix times vector, and a kernel on packed operands
//! above a measured size.
//!
//! Invariants:
//! - bounds and the layout of `c` are checked once, here, before any pointer is made;
//! - `beta = 0` never reads `c`, so old memory may hold anything;
//! - the choice of kernel and the order of every sum depend on shapes and strides, never on the number of
//!   threads: results are bit-for-bit the same for any [`Threads`];
//! - scratch is a vector or two for each thread and type, kept between calls.
//!
//! Absent on purpose: complex numbers, integer types, fused epilogues.
#![allow(dead_code, unused_imports)] // until the ops use all of it

mod batch;
mod choose;
mod raw;
mod solve;
#[cfg(test)]
mod tests;
mod tiny;
mod within;

pub use batch::{Batched, BatchedMut, gemm_batched};
pub use choose::gemm;
pub use raw::{GATHERED_ROWS, Gathered, Gemm, panel_width};
pub use solve::{Triangle, solve_triangular, solve_within};
pub use within::{Place, Spot, gemm_within, spot};

/// How many threads a product may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads(pub usize);

impl Threads {
    /// The calling thread alone.
    pub const ONE: Threads = Threads(1);
}

/// A matrix to read: element `(i, j)` is `data[offset + i row_stride + j col_stride]`. Strides of 0 broadcast.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a, T> {
    /// The buffer.
    pub data: &'a [T],
    /// Index of element `(0, 0)`.
    pub offset: usize,
    /// Step to the next row.
    pub row_stride: isize,
    /// Step to the next column.
    pub col_stride: isize,
}

impl<'a, T> Strided<'a, T> {
    /// Row-major with `cols` columns from the start of `data`.
    pub fn rows(data: &'a [T], cols: usize) -> Self {
        Strided { data, offset: 0, row_stride: cols as isize, col_stride: 1 }
    }

    /// The transpose.
    pub fn t(self) -> Self {
        Strided { row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// The block that starts at `(row, col)`.
    pub fn at(self, row: usize, col: usize) -> Self {
        let offset = self.offset as isize + row as isize * self.row_stride + col as isize * self.col_stride;
        Strided { offset: usize::try_from(offset).expect("gemm: block starts before the buffer"), ..self }
    }
}

/// A matrix to write, laid out as in [`Strided`]; no two of its elements may share memory.
#[derive(Debug)]
pub struct StridedMut<'a, T> {
    /// The buffer.
    pub data: &'a mut [T],
    /// Index of element `(0, 0)`.
    pub offset: usize,
    /// Step to the next row.
    pub row_stride: isize,
    /// Step to the next column.
    pub col_stride: isize,
}

impl<'a, T> StridedMut<'a, T> {
    /// Row-major with `cols` columns from the start of `data`.
    pub fn rows(data: &'a mut [T], cols: usize) -> Self {
        StridedMut { data, offset: 0, row_stride: cols as isize, col_stride: 1 }
    }

    /// The transpose.
    pub fn t(self) -> Self {
        StridedMut { row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// The block that starts at `(row, col)`.
    pub fn at(self, row: usize, col: usize) -> Self {
        let offset = self.offset as isize + row as isize * self.row_stride + col as isize * self.col_stride;
        StridedMut { offset: usize::try_from(offset).expect("gemm: block starts before the buffer"), ..self }
    }
}
