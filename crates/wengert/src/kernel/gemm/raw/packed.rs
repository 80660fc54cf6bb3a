//! The packed kernel: a block of `b`, copied into panels of the tile's width, stays in the second-level cache while
//! strips of `a` go past it.
//!
//! Every element of the result is the sum over one block of the inner dimension after the other, each in order, whatever
//! tile, strip or part of the result it falls into.

use pulp::{Simd, WithSimd};

use super::element::Gemm;
use super::tile::{next_panel, tile};
use super::{At, Product};
use crate::kernel::square::{SIDE, transposed};
use crate::memory::prefetch;

/// Bytes of a row of `a` in a block: a strip of such rows stays in the first-level cache.
const DEPTH: usize = 2 << 10;
/// The same where strips have to be copied first.
const DEPTH_COPIED: usize = 1 << 10;
/// Bytes of `b` in a block.
const BLOCK: usize = 768 << 10;
/// Strips of `a` copied at a time, so that a column of `a` is read in pieces longer than a strip is high.
const STRIPS: usize = 8;
/// Rows of a strip. With [`panel`] registers side by side the sums of a tile just fit the register file.
const ROWS: usize = 6;
/// Bytes of a panel of `b` up to which it stays in the first-level cache while copied strips go past it; past a larger one it is
/// the strip that stays.
const NEAR: usize = 16 << 10;
/// Bytes of a line of the cache.
const LINE: usize = 64;

/// Registers in a panel's width.
#[inline(always)]
fn panel<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 4 } else { 2 }
}

/// The length of pieces of at most `most`, as even as can be.
fn even(len: usize, most: usize) -> usize {
    len.div_ceil(len.div_ceil(most))
}

/// A product whose result has contiguous rows, by the packed kernel.
pub(super) struct Packed<'a, T> {
    pub product: Product<'a, T>,
    pub room: &'a mut Vec<T>,
}

impl<T: Gemm> WithSimd for Packed<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Packed { product: p, room } = self;
        debug_assert!(p.c.cs == 1 || p.n == 1);
        let size = size_of::<T>();
        let deepest = if p.a.cs == 1 { DEPTH } else { DEPTH_COPIED };
        let depth = even(p.k, deepest / size);
        let widest = panel::<S>() * T::lanes::<S>();
        let across = even(p.n.div_ceil(widest), (BLOCK / size / (depth * widest)).max(1)) * widest;
        let len = depth * (across + STRIPS * ROWS) + LINE / size;
        if room.len() < len {
            room.resize(len, T::zero());
        }
        let aligned = room.as_ptr().align_offset(LINE).min(LINE / size);
        let (b, a) = room[aligned..].split_at_mut(depth * across);
        for col in (0..p.n).step_by(across) {
            let p = p.columns(col, across.min(p.n - col));
            for from in (0..p.k).step_by(depth) {
                let p = p.inner(from, depth.min(p.k - from));
                // SAFETY: the module's invariant, the assertion above, and room for a block of either operand.
                unsafe { block(s, p, a.as_mut_ptr(), b.as_mut_ptr()) };
            }
        }
    }
}

/// A product of at most a block of `b`, which is copied to `room`.
///
/// # Safety
/// The module's invariant, rows of `c` are contiguous, `packed` has room for [`STRIPS`] strips and `room` for `b`, the
/// last panel filled up to whole registers.
#[inline(always)]
unsafe fn block<S: Simd, T: Gemm>(s: S, p: Product<'_, T>, packed: *mut T, room: *mut T) {
    let mut col = 0;
    // SAFETY: passed on; panels lie one behind the other.
    unsafe {
        while col < p.n {
            let width = next_panel::<S, T>(p.n - col, panel::<S>());
            pack_panel(s, p.columns(col, width), room.add(col * p.k));
            col += width;
        }
        let p = Product { b: At { ptr: room.cast_const(), rs: 0, cs: 1 }, ..p };
        // Rows that are contiguous already, and those that are read once, are read where they are.
        let in_place = p.a.cs == 1 || p.n <= panel::<S>() * T::lanes::<S>();
        let mut row = 0;
        while row + ROWS <= p.m {
            if in_place {
                strip::<S, T, ROWS>(s, p.rows(row, ROWS), 0, p.n);
                row += ROWS;
                continue;
            }
            let strips = ((p.m - row) / ROWS).min(STRIPS);
            pack_strips(p.rows(row, strips * ROWS), packed);
            // Strips within panels, or panels within strips: what is inside comes by anew each time.
            let near = panel::<S>() * T::lanes::<S>() * p.k * size_of::<T>() <= NEAR;
            let mut col = 0;
            while col < p.n {
                let len = if near { next_panel::<S, T>(p.n - col, panel::<S>()) } else { p.n };
                for done in 0..strips {
                    let a = At { ptr: packed.add(done * ROWS * p.k).cast_const(), rs: 1, cs: ROWS as isize };
                    strip::<S, T, ROWS>(s, Product { a, ..p.rows(row + done * ROWS, ROWS) }, col, len);
                }
                col += len;
            }
            row += strips * ROWS;
        }
        if row + 4 <= p.m {
            strip::<S, T, 4>(s, p.rows(row, 4), 0, p.n);
            row += 4;
        }
        if row + 2 <= p.m {
            strip::<S, T, 2>(s, p.rows(row, 2), 0, p.n);
            row += 2;
        }
        if row < p.m {
            strip::<S, T, 1>(s, p.rows(row, 1), 0, p.n);
        }
    }
}

/// `R` rows of the result and the columns `from .. from + len`, panel by panel of the packed `b`.
#[inline(always)]
unsafe fn strip<S: Simd, T: Gemm, const R: usize>(s: S, p: Product<'_, T>, from: usize, len: usize) {
    let lanes = T::lanes::<S>();
    let mut col = from;
    while col < from + len {
        let n = next_panel::<S, T>(p.n - col, panel::<S>());
        let registers = n.div_ceil(lanes);
        // SAFETY: the caller's promise: a panel of whole registers for each [`next_panel`], and columns of `c` below `n`.
        unsafe {
            let b = At { ptr: p.b.ptr.add(col * p.k), rs: (registers * lanes) as isize, cs: 1 };
            let c = At { ptr: p.c.ptr.add(col), ..p.c };
            for row in 0..R as isize {
                prefetch(std::slice::from_raw_parts(c.ptr.wrapping_offset(row * c.rs), n));
            }
            let p = Product { n, b, c, ..p };
            let mask = T::mask(s, n - (registers - 1) * lanes);
            match registers {
                1 => tile::<S, T, R, 1, true>(s, &p, 0, mask),
                2 => tile::<S, T, R, 2, true>(s, &p, 0, mask),
                3 if panel::<S>() > 2 => tile::<S, T, R, 3, true>(s, &p, 0, mask),
                _ if panel::<S>() > 2 => tile::<S, T, R, 4, true>(s, &p, 0, mask),
                _ => unreachable!("no wider panel"),
            }
        }
        col += n;
    }
}

/// Copies a panel of `b` to `to`, row by row, each filled up to whole registers.
#[inline(always)]
unsafe fn pack_panel<S: Simd, T: Gemm>(s: S, p: Product<'_, T>, to: *mut T) {
    let lanes = T::lanes::<S>();
    let (whole, width) = (p.n / lanes * lanes, p.n.next_multiple_of(lanes));
    // SAFETY: the caller's promise: `k` rows of `width` at `to`; rows and columns read stay below `k` and `n`.
    unsafe {
        if p.b.cs != 1 {
            return transpose(p.b.t(), [p.n, p.k], to, width);
        }
        for row in 0..p.k {
            let (from, to) = (p.b.ptr.wrapping_offset(row as isize * p.b.rs), to.add(row * width));
            for col in (0..whole).step_by(lanes) {
                let x = from.add(col).cast::<T::V<S>>().read_unaligned();
                to.add(col).cast::<T::V<S>>().write_unaligned(x);
            }
            if whole < width {
                let x = T::load_masked(s, T::mask(s, p.n - whole), from.add(whole));
                to.add(whole).cast::<T::V<S>>().write_unaligned(x);
            }
        }
    }
}

/// Copies whole strips of `a` to `to`, one behind the other, column by column.
#[inline(always)]
unsafe fn pack_strips<T: Gemm>(p: Product<'_, T>, to: *mut T) {
    let strips = p.m / ROWS;
    // SAFETY: the caller's promise: room for the strips; rows and columns read stay below `m` and `k`.
    unsafe {
        if p.a.rs != 1 {
            for strip in 0..strips {
                let p = p.rows(strip * ROWS, ROWS);
                transpose(p.a, [ROWS, p.k], to.add(strip * ROWS * p.k), ROWS);
            }
            return;
        }
        for col in 0..p.k {
            let from = p.a.ptr.wrapping_offset(col as isize * p.a.cs);
            for strip in 0..strips {
                let x = from.add(strip * ROWS).cast::<[T; ROWS]>().read_unaligned();
                to.add((strip * p.k + col) * ROWS).cast::<[T; ROWS]>().write_unaligned(x);
            }
        }
    }
}

/// Writes the transpose of `from`, `[m, k]`, to rows of `width` elements, four by four.
///
/// # Safety
/// Elements of `from` are readable, and `to` has room for `k` rows of `width >= m`.
#[inline(always)]
pub(super) unsafe fn transpose<T: Gemm>(from: At<*const T>, [m, k]: [usize; 2], to: *mut T, width: usize) {
    let squares = if from.cs == 1 { [m / SIDE * SIDE, k / SIDE * SIDE] } else { [0, 0] };
    let row = |i: usize| from.ptr.wrapping_offset(i as isize * from.rs);
    // SAFETY: the caller's promise: `(i, j)` is inside `m` by `k`, and `to` has `k` rows of at least `m`.
    unsafe {
        for j in (0..squares[1]).step_by(SIDE) {
            for i in (0..squares[0]).step_by(SIDE) {
                let x = std::array::from_fn(|r| row(i + r).add(j).cast::<[T; SIDE]>().read_unaligned());
                for (c, column) in transposed(x).into_iter().enumerate() {
                    to.add((j + c) * width + i).cast::<[T; SIDE]>().write_unaligned(column);
                }
            }
        }
        for i in 0..m {
            for j in if i < squares[0] { squares[1] } else { 0 }..k {
                *to.add(j * width + i) = *row(i).wrapping_offset(j as isize * from.cs);
            }
        }
    }
}
