//! Register tiles through `pulp`, the direct kernel that runs them where operands lie, and the dot-product kernel.
//!
//! Sums run over the inner dimension in one fixed order, whatever the tile a row falls into.

use pulp::{Simd, WithSimd};

use super::Product;
use super::element::Gemm;

/// Registers in a panel's width: with 8 rows of 3, or 6 of 2, the sums of a tile just fit the register file.
#[inline(always)]
pub(super) fn panel<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 3 } else { 2 }
}

/// Whether a masked load takes longer than a plain one, so that whole registers have a body of their own: before AVX-512.
#[inline(always)]
pub(super) fn masks_cost<S: Simd>() -> bool {
    S::REGISTER_COUNT < 32
}

/// Columns of the next panel when `left` are left: the last two share what one of them would have little of.
#[inline(always)]
pub(super) fn next_panel<S: Simd, T: Gemm>(left: usize, widest: usize) -> usize {
    let registers = left.div_ceil(T::lanes::<S>());
    let shared = registers > widest && registers <= widest + widest / 2;
    left.min(T::lanes::<S>() * if shared { registers.div_ceil(2) } else { widest })
}

/// Inner indices for each turn of a tile's loop.
const UNROLLED: usize = 4;
/// Inner indices up to which writing the result takes longer than all sums.
const SHALLOW: usize = 4;
/// Rows of such a result that are written from end to end: whole tiles.
const STRIP: usize = 24;

/// The direct kernel: `b` and `c` have unit column stride, `a` any strides.
pub(super) struct Direct<'a, T>(pub Product<'a, T>);

impl<T: Gemm> WithSimd for Direct<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let p = self.0;
        debug_assert!((p.b.cs == 1 && p.c.cs == 1) || p.n == 1);
        // Panel by panel `b` stays in cache. A shallow one does so anyway, and a long result is better written in its order.
        let strip = if p.k <= SHALLOW { STRIP } else { p.m };
        for row in (0..p.m).step_by(strip) {
            let p = p.rows(row, strip.min(p.m - row));
            let mut col = 0;
            while col < p.n {
                let width = next_panel::<S, T>(p.n - col, panel::<S>());
                // SAFETY: the module's invariant, and the assertion above.
                unsafe { columns(s, p.columns(col, width)) };
                col += width;
            }
        }
    }
}

/// A product of at most a panel's width.
///
/// # Safety
/// The module's invariant, and rows of `b` and `c` are contiguous.
#[inline(always)]
unsafe fn columns<S: Simd, T: Gemm>(s: S, p: Product<'_, T>) {
    let lanes = T::lanes::<S>();
    let many = S::REGISTER_COUNT >= 32;
    // SAFETY: passed on.
    unsafe {
        match (p.n.div_ceil(lanes), masks_cost::<S>() && p.n.is_multiple_of(lanes)) {
            (1, true) => rows::<S, T, 8, 1, true>(s, p),
            (1, false) => rows::<S, T, 8, 1, false>(s, p),
            (2, _) if many => rows::<S, T, 8, 2, false>(s, p),
            (_, _) if many => rows::<S, T, 8, 3, false>(s, p),
            (_, true) => rows::<S, T, 6, 2, true>(s, p),
            (_, false) => rows::<S, T, 6, 2, false>(s, p),
        }
    }
}

/// All rows of a panel of `VECS` registers, whole or the last one in part.
#[inline(always)]
unsafe fn rows<S: Simd, T: Gemm, const ROWS: usize, const VECS: usize, const WHOLE: bool>(
    s: S,
    p: Product<'_, T>,
) {
    let mask = T::mask(s, p.n - (VECS - 1) * T::lanes::<S>());
    let mut row = 0;
    // SAFETY: rows `row .. row + R` are within `m` at each call.
    unsafe {
        while row + ROWS <= p.m {
            tile::<S, T, ROWS, VECS, WHOLE>(s, &p, row, mask);
            row += ROWS;
        }
        if ROWS > 4 && row + 4 <= p.m {
            tile::<S, T, 4, VECS, WHOLE>(s, &p, row, mask);
            row += 4;
        }
        if row + 2 <= p.m {
            tile::<S, T, 2, VECS, WHOLE>(s, &p, row, mask);
            row += 2;
        }
        if row < p.m {
            tile::<S, T, 1, VECS, WHOLE>(s, &p, row, mask);
        }
    }
}

/// `R` rows by `VECS` registers of the result, held in registers over the whole inner dimension.
///
/// # Safety
/// The module's invariant: rows `row .. row + R` are within `m`, `VECS` registers, the last one masked, within `n`, and rows of
/// `b` and `c` are contiguous, those of `b` registers long if `WHOLE`.
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, T: Gemm, const R: usize, const VECS: usize, const WHOLE: bool>(
    s: S,
    p: &Product<'_, T>,
    row: usize,
    mask: T::Mask<S>,
) {
    let lanes = T::lanes::<S>();
    let zero = T::splat(s, T::zero());
    let mut acc = [[zero; VECS]; R];
    let mut at = (p.a.ptr.wrapping_offset(row as isize * p.a.rs), p.b.ptr);
    // SAFETY: the module's invariant: row, inner index and (masked) columns are inside the operands.
    unsafe {
        for _ in 0..p.k / UNROLLED {
            for _ in 0..UNROLLED {
                at = tile_step::<S, T, R, VECS, WHOLE>(s, p, &mut acc, at, mask);
            }
        }
        for _ in 0..p.k % UNROLLED {
            at = tile_step::<S, T, R, VECS, WHOLE>(s, p, &mut acc, at, mask);
        }
        let (alpha, beta) = (T::splat(s, p.alpha), T::splat(s, p.beta));
        let filled = p.n == VECS * lanes;
        for r in 0..R {
            let c = p.c.ptr.wrapping_offset((row + r) as isize * p.c.rs);
            for v in 0..VECS {
                let (c, last) = (c.add(v * lanes), v + 1 == VECS);
                let mut x = T::v_mul(s, alpha, acc[r][v]);
                if p.beta != T::zero() {
                    x = T::v_mul_add(s, beta, load::<S, T>(s, last && !filled, mask, c), x);
                }
                if last && !filled {
                    T::store_masked(s, mask, c, x);
                } else {
                    c.cast::<T::V<S>>().write_unaligned(x);
                }
            }
        }
    }
}

/// Adds one inner index to the sums, and steps on to the next.
#[inline(always)]
unsafe fn tile_step<S: Simd, T: Gemm, const R: usize, const VECS: usize, const WHOLE: bool>(
    s: S,
    p: &Product<'_, T>,
    acc: &mut [[T::V<S>; VECS]; R],
    (a, b): (*const T, *const T),
    mask: T::Mask<S>,
) -> (*const T, *const T) {
    // SAFETY: the caller's promise: `a` and `b` point at this index in the first row and column.
    unsafe {
        let mut y = [T::splat(s, T::zero()); VECS];
        for v in 0..VECS {
            y[v] = load::<S, T>(s, !WHOLE && v + 1 == VECS, mask, b.add(v * T::lanes::<S>()));
        }
        for r in 0..R {
            let x = T::splat(s, *a.offset(r as isize * p.a.rs));
            for v in 0..VECS {
                acc[r][v] = T::v_mul_add(s, x, y[v], acc[r][v]);
            }
        }
    }
    (a.wrapping_offset(p.a.cs), b.wrapping_offset(p.b.rs))
}

#[inline(always)]
unsafe fn load<S: Simd, T: Gemm>(s: S, partial: bool, mask: T::Mask<S>, p: *const T) -> T::V<S> {
    // SAFETY: the caller's promise: a whole register, or the lanes of the mask, are readable at `p`.
    unsafe { if partial { T::load_masked(s, mask, p) } else { p.cast::<T::V<S>>().read_unaligned() } }
}

/// The dot-product kernel: rows of `a` and columns of `b` are contiguous, `c` has any strides. Rows are read once, so they
/// should be the longer side.
pub(super) struct Dots<'a, T>(pub Product<'a, T>);

impl<T: Gemm> WithSimd for Dots<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let p = self.0;
        debug_assert!((p.a.cs == 1 && p.b.rs == 1) || p.k == 1);
        let mut row = 0;
        // SAFETY: the module's invariant; rows and columns stay below `m` and `n`.
        unsafe {
            while row + 4 <= p.m {
                dot_columns::<S, T, 4>(s, &p, row);
                row += 4;
            }
            while row < p.m {
                dot_columns::<S, T, 1>(s, &p, row);
                row += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn dot_columns<S: Simd, T: Gemm, const R: usize>(s: S, p: &Product<'_, T>, row: usize) {
    let mut col = 0;
    // SAFETY: as in the caller.
    unsafe {
        while col + 2 <= p.n {
            dots::<S, T, R, 2>(s, p, row, col);
            col += 2;
        }
        if col < p.n {
            dots::<S, T, R, 1>(s, p, row, col);
        }
    }
}

/// One register of every row and column: at `i`, partial where a mask is given.
#[inline(always)]
unsafe fn dots_step<S: Simd, T: Gemm, const R: usize, const COLS: usize>(
    s: S,
    p: &Product<'_, T>,
    acc: &mut [[T::V<S>; COLS]; R],
    (a, b): (*const T, *const T),
    i: usize,
    mask: Option<T::Mask<S>>,
) {
    // SAFETY: the caller's promise: a register (or its masked lanes) at `i` is inside each row and column.
    unsafe {
        let read = |p: *const T| match mask {
            None => p.cast::<T::V<S>>().read_unaligned(),
            Some(mask) => T::load_masked(s, mask, p),
        };
        let mut y = [T::splat(s, T::zero()); COLS];
        for q in 0..COLS {
            y[q] = read(b.wrapping_offset(q as isize * p.b.cs).add(i));
        }
        for r in 0..R {
            let x = read(a.wrapping_offset(r as isize * p.a.rs).add(i));
            for q in 0..COLS {
                acc[r][q] = T::v_mul_add(s, x, y[q], acc[r][q]);
            }
        }
    }
}

/// `R` by `COLS` dot products at once.
#[inline(always)]
unsafe fn dots<S: Simd, T: Gemm, const R: usize, const COLS: usize>(
    s: S,
    p: &Product<'_, T>,
    row: usize,
    col: usize,
) {
    let lanes = T::lanes::<S>();
    let zero = T::splat(s, T::zero());
    let mut acc = [[zero; COLS]; R];
    let a = p.a.ptr.wrapping_offset(row as isize * p.a.rs);
    let b = p.b.ptr.wrapping_offset(col as isize * p.b.cs);
    let (whole, rest) = (p.k / lanes * lanes, p.k % lanes);
    // SAFETY: the module's invariant: `i + lanes <= k`, then the mask covers exactly the last `rest` elements.
    unsafe {
        let mut i = 0;
        while i < whole {
            dots_step::<S, T, R, COLS>(s, p, &mut acc, (a, b), i, None);
            i += lanes;
        }
        if rest > 0 {
            dots_step::<S, T, R, COLS>(s, p, &mut acc, (a, b), whole, Some(T::mask(s, rest)));
        }
        for r in 0..R {
            for q in 0..COLS {
                let c = p.c.ptr.wrapping_offset((row + r) as isize * p.c.rs + (col + q) as isize * p.c.cs);
                let x = p.alpha * T::v_sum(s, acc[r][q]);
                *c = if p.beta == T::zero() { x } else { p.beta * *c + x };
            }
        }
    }
}
