//! Substitution with a triangle, several rows and registers of right sides at a time.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::check::{at, distinct, inside, place};
use super::element::Gemm;
use super::tile::{masks_cost, panel};
use super::{At, Product};
use crate::kernel::gemm::{Place, Spot, Strided, StridedMut, Triangle};

/// A checked system `L X = B`, solved in place of `B`; `L` is `n` by `n` and lower (an upper one is read from
/// its last row backwards, which makes it lower), `B` is `n` by `cols`.
#[derive(Clone, Copy)]
pub(in crate::kernel::gemm) struct Solve<'a, T> {
    n: usize,
    cols: usize,
    unit: bool,
    l: At<*const T>,
    b: At<*mut T>,
    life: PhantomData<&'a mut [T]>,
}

impl<'a, T: Gemm> Solve<'a, T> {
    /// # Panics
    /// If an operand reaches outside its slice, or elements of `b` overlap.
    pub fn new(n: usize, cols: usize, shape: Triangle, l: Strided<'a, T>, b: StridedMut<'a, T>) -> Self {
        inside(l.data.len(), l.offset, l.row_stride, l.col_stride, n, n);
        inside(b.data.len(), b.offset, b.row_stride, b.col_stride, n, cols);
        distinct(b.row_stride, b.col_stride, n, cols);
        let b = At { ptr: b.data.as_mut_ptr().wrapping_add(b.offset), rs: b.row_stride, cs: b.col_stride };
        Solve { n, cols, unit: shape.unit, l: at(l), b, life: PhantomData }.facing_down(shape.lower)
    }

    /// A system whose right sides, and triangle if so placed, are disjoint blocks of one row-major matrix.
    ///
    /// # Panics
    /// If a block is outside the matrix, or the two overlap.
    pub fn within(
        buffer: &'a mut [T],
        width: usize,
        n: usize,
        cols: usize,
        shape: Triangle,
        l: Place<'a, T>,
        b: Spot,
    ) -> Self {
        let block = b.block(n, cols);
        let len = buffer.len();
        block.inside(len, width);
        let base = buffer.as_mut_ptr();
        let l = place(base, len, width, l, (n, n), &block);
        let (offset, rs, cs) = b.strides(width);
        let b = At { ptr: base.wrapping_add(offset), rs, cs };
        Solve { n, cols, unit: shape.unit, l, b, life: PhantomData }.facing_down(shape.lower)
    }

    fn facing_down(mut self, lower: bool) -> Self {
        if !lower && self.n > 0 {
            let last = self.n as isize - 1;
            self.l.ptr = self.l.ptr.wrapping_offset(last * (self.l.rs + self.l.cs));
            self.b.ptr = self.b.ptr.wrapping_offset(last * self.b.rs);
            (self.l.rs, self.l.cs, self.b.rs) = (-self.l.rs, -self.l.cs, -self.b.rs);
        }
        self
    }

    /// Rows of the triangle and columns of right sides.
    pub fn size(&self) -> [usize; 2] {
        [self.n, self.cols]
    }

    /// Whether each right side is contiguous with its neighbours in a row, as the kernel wants.
    pub fn rows_are_contiguous(&self) -> bool {
        self.b.cs == 1 || self.cols <= 1
    }

    /// The parts of a solution by halves, to be done in this order: the first `rows` rows, their contribution to
    /// the rest, the rest.
    pub fn split(self, rows: usize) -> (Self, Product<'a, T>, Self) {
        assert!(rows <= self.n);
        let (r, rest) = (rows as isize, self.n - rows);
        let l = |i: isize, j: isize| At {
            ptr: self.l.ptr.wrapping_offset(i * self.l.rs + j * self.l.cs),
            ..self.l
        };
        let below = At { ptr: self.b.ptr.wrapping_offset(r * self.b.rs), ..self.b };
        let above = At { ptr: self.b.ptr.cast_const(), rs: self.b.rs, cs: self.b.cs };
        let product = Product {
            m: rest,
            n: self.cols,
            k: rows,
            alpha: -T::one(),
            beta: T::one(),
            a: l(r, 0),
            b: above,
            c: below,
            life: PhantomData,
        };
        (Solve { n: rows, ..self }, product, Solve { n: rest, l: l(r, r), b: below, ..self })
    }

    /// Substitution. Rows of the right sides must be contiguous.
    pub fn substitute(self) {
        assert!(self.rows_are_contiguous());
        if self.n > 0 {
            crate::kernel::level::arch().dispatch(self);
        }
    }

    /// Substitution entry by entry, for systems that are solved before a kernel has been entered.
    pub fn substitute_plainly(self) {
        let Solve { l, b, .. } = self;
        for i in 0..self.n as isize {
            for c in 0..self.cols as isize {
                let place = |row: isize| b.ptr.wrapping_offset(row * b.rs + c * b.cs);
                let entry = |j: isize| l.ptr.wrapping_offset(i * l.rs + j * l.cs);
                // SAFETY: the module's invariant: rows and columns are below `n` and `cols`.
                unsafe {
                    let mut x = *place(i);
                    for j in 0..i {
                        x -= *entry(j) * *place(j);
                    }
                    *place(i) = if self.unit { x } else { x / *entry(i) };
                }
            }
        }
    }

    /// Substitution one right side at a time, for any layout.
    pub fn substitute_each(self) {
        for j in 0..self.cols as isize {
            let b = At { ptr: self.b.ptr.wrapping_offset(j * self.b.cs), rs: self.b.rs, cs: 1 };
            Solve { cols: 1, b, ..self }.substitute();
        }
    }
}

/// Rows of a tile. More would lengthen the chain from pivot to pivot.
const ROWS: usize = 4;

impl<T: Gemm> WithSimd for Solve<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let lanes = T::lanes::<S>();
        let (panel, many) = (panel::<S>() * lanes, panel::<S>() > 2);
        for col in (0..self.cols).step_by(panel) {
            let cols = panel.min(self.cols - col);
            let part = Solve { cols, b: At { ptr: self.b.ptr.wrapping_add(col), ..self.b }, ..self };
            // SAFETY: columns `col .. col + cols` of a checked system with contiguous rows.
            unsafe {
                match (cols.div_ceil(lanes), masks_cost::<S>() && cols.is_multiple_of(lanes)) {
                    (1, true) => part.panel::<S, 1, false>(s),
                    (1, false) => part.panel::<S, 1, true>(s),
                    (3, _) if many => part.panel::<S, 3, true>(s),
                    (_, true) => part.panel::<S, 2, false>(s),
                    (_, false) => part.panel::<S, 2, true>(s),
                }
            }
        }
    }
}

impl<T: Gemm> Solve<'_, T> {
    #[inline(always)]
    unsafe fn panel<S: Simd, const V: usize, const MASK: bool>(self, s: S) {
        let mask = T::mask(s, self.cols - (V - 1) * T::lanes::<S>());
        let mut row = 0;
        // SAFETY: rows `row .. row + R` are within `n` at each call.
        unsafe {
            while row + ROWS <= self.n {
                self.tile::<S, ROWS, V, MASK>(s, row, mask);
                row += ROWS;
            }
            while row < self.n {
                self.tile::<S, 1, V, MASK>(s, row, mask);
                row += 1;
            }
        }
    }

    /// Rows `row .. row + R` of the solution, given those above.
    #[inline(always)]
    unsafe fn tile<S: Simd, const R: usize, const V: usize, const MASK: bool>(
        &self,
        s: S,
        row: usize,
        mask: T::Mask<S>,
    ) {
        let lanes = T::lanes::<S>();
        let zero = T::splat(s, T::zero());
        let l =
            |i: usize, j: usize| self.l.ptr.wrapping_offset(i as isize * self.l.rs + j as isize * self.l.cs);
        let b =
            |i: usize, v: usize| self.b.ptr.wrapping_offset(i as isize * self.b.rs).wrapping_add(v * lanes);
        let mut acc = [[zero; V]; R];
        // SAFETY: rows are below `row + R <= n`, columns inside the panel (the last register masked).
        unsafe {
            for p in 0..row {
                let mut x = [zero; V];
                for v in 0..V {
                    x[v] = load::<S, T>(s, MASK && v + 1 == V, mask, b(p, v));
                }
                for r in 0..R {
                    let y = T::splat(s, *l(row + r, p));
                    for v in 0..V {
                        acc[r][v] = T::v_mul_add(s, y, x[v], acc[r][v]);
                    }
                }
            }
            let minus = T::splat(s, -T::one());
            for r in 0..R {
                let pivot = if self.unit { T::one() } else { *l(row + r, row + r) };
                let inverse = T::one() / pivot;
                let exact = V == 1 || !inverse.is_finite();
                let (pivot, inverse) = (T::splat(s, pivot), T::splat(s, inverse));
                for v in 0..V {
                    let mut x = load::<S, T>(s, MASK && v + 1 == V, mask, b(row + r, v));
                    x = T::v_mul_add(s, minus, acc[r][v], x);
                    if !self.unit {
                        x = if exact { T::v_div(s, x, pivot) } else { T::v_mul(s, x, inverse) };
                    }
                    acc[r][v] = x;
                    if MASK && v + 1 == V {
                        T::store_masked(s, mask, b(row + r, v), x);
                    } else {
                        b(row + r, v).cast::<T::V<S>>().write_unaligned(x);
                    }
                }
                for q in r + 1..R {
                    let y = T::splat(s, *l(row + q, row + r));
                    for v in 0..V {
                        acc[q][v] = T::v_mul_add(s, y, acc[r][v], acc[q][v]);
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn load<S: Simd, T: Gemm>(s: S, partial: bool, mask: T::Mask<S>, p: *const T) -> T::V<S> {
    // SAFETY: the caller's promise: a whole register, or the lanes of the mask, are readable at `p`.
    unsafe { if partial { T::load_masked(s, mask, p) } else { p.cast::<T::V<S>>().read_unaligned() } }
}
