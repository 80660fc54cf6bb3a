//! The unsafe part: products as checked pointers, register tiles through `pulp`.
//!
//! The invariant that every unsafe block here rests on is kept by [`Product`], whose fields only this module
//! can set: for all `(i, j)` inside `m`, `n`, `k`, every operand's element lies in a slice borrowed for the
//! product's lifetime; elements of `c` do not share memory with each other, nor with `a` or `b`.
#![allow(unsafe_code)]

use std::marker::PhantomData;

use super::{Place, Spot, Strided, StridedMut};

mod check;
mod element;
mod gathered;
#[cfg(test)]
mod levels;
mod packed;
mod solve;
mod tile;

use check::{at, distinct, inside, place};
pub use element::Gemm;
pub use gathered::{Gathered, ROWS as GATHERED_ROWS, panel_width};
pub(super) use solve::Solve;

/// Parts of a result begin at multiples of this.
const PART: usize = 32;
/// Elements of a column that are moved at a time.
const LINE: usize = 16;
/// Rows or columns of a part, at least.
const LEAST: usize = 64;

/// One operand as a pointer to element `(0, 0)` and two strides.
#[derive(Clone, Copy)]
struct At<P> {
    ptr: P,
    rs: isize,
    cs: isize,
}

impl<P> At<P> {
    fn t(self) -> Self {
        At { ptr: self.ptr, rs: self.cs, cs: self.rs }
    }
}

/// A checked product `c = beta c + alpha a b` of an `[m, k]` and a `[k, n]` matrix.
pub(super) struct Product<'a, T> {
    pub(super) m: usize,
    n: usize,
    k: usize,
    alpha: T,
    beta: T,
    a: At<*const T>,
    b: At<*const T>,
    c: At<*mut T>,
    life: PhantomData<&'a mut [T]>,
}

impl<T: Copy> Clone for Product<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Copy> Copy for Product<'_, T> {}

// SAFETY: a product only reads what it borrows shared, and writes its own elements of `c`. Two parts of one product that
// run at the same time are made by `shared` alone, which gives them different elements.
unsafe impl<T: Send + Sync> Send for Product<'_, T> {}

impl<'a, T: Gemm> Product<'a, T> {
    /// Checks that every operand is inside its slice and that elements of `c` do not overlap.
    ///
    /// # Panics
    /// If they are not, or do.
    pub(super) fn new(
        [m, n, k]: [usize; 3],
        alpha: T,
        a: Strided<'a, T>,
        b: Strided<'a, T>,
        beta: T,
        c: StridedMut<'a, T>,
    ) -> Self {
        inside(a.data.len(), a.offset, a.row_stride, a.col_stride, m, k);
        inside(b.data.len(), b.offset, b.row_stride, b.col_stride, k, n);
        inside(c.data.len(), c.offset, c.row_stride, c.col_stride, m, n);
        distinct(c.row_stride, c.col_stride, m, n);
        let (a, b) = (at(a), at(b));
        let c = At { ptr: c.data.as_mut_ptr().wrapping_add(c.offset), rs: c.row_stride, cs: c.col_stride };
        Product { m, n, k, alpha, beta, a, b, c, life: PhantomData }
    }

    /// A product whose result, and possibly operands, are disjoint blocks of one row-major matrix.
    ///
    /// # Panics
    /// If a block is outside the matrix, or `c` meets `a` or `b`.
    pub(super) fn within(
        buffer: &'a mut [T],
        width: usize,
        [m, n, k]: [usize; 3],
        alpha: T,
        a: Place<'a, T>,
        b: Place<'a, T>,
        beta: T,
        c: Spot,
    ) -> Self {
        let c_block = c.block(m, n);
        c_block.inside(buffer.len(), width);
        let (len, c_block) = (buffer.len(), &c_block);
        let base = buffer.as_mut_ptr();
        let a = place(base, len, width, a, (m, k), c_block);
        let b = place(base, len, width, b, (k, n), c_block);
        let (offset, rs, cs) = c.strides(width);
        let c = At { ptr: base.wrapping_add(offset), rs, cs };
        Product { m, n, k, alpha, beta, a, b, c, life: PhantomData }
    }

    /// The same product written as `c^T = b^T a^T`.
    pub(super) fn t(self) -> Self {
        Product { m: self.n, n: self.m, a: self.b.t(), b: self.a.t(), c: self.c.t(), ..self }
    }

    /// Gives strides that are never stepped along the values that the kernels like best.
    pub(super) fn tidy(mut self) -> Self {
        if self.m == 1 {
            (self.a.rs, self.c.rs) = (self.k as isize, self.n as isize);
        }
        if self.n == 1 {
            (self.b.cs, self.c.cs) = (1, 1);
        }
        if self.k == 1 {
            (self.a.cs, self.b.rs) = (1, 1);
        }
        self
    }

    /// Sizes `[m, n, k]`.
    pub(super) fn size(&self) -> [usize; 3] {
        [self.m, self.n, self.k]
    }

    /// Whether the product itself contributes nothing: `c = beta c` is all there is to do.
    pub(super) fn only_scales(&self) -> bool {
        self.k == 0 || self.alpha == T::zero()
    }

    /// Row and column strides of `a`, `b`, `c`.
    pub(super) fn strides(&self) -> [[isize; 2]; 3] {
        [[self.a.rs, self.a.cs], [self.b.rs, self.b.cs], [self.c.rs, self.c.cs]]
    }

    /// Restricts the product to inner indices `from .. from + len`, adding to `c` unless `from` is 0.
    pub(super) fn inner(self, from: usize, len: usize) -> Self {
        assert!(from + len <= self.k);
        let a = At { ptr: self.a.ptr.wrapping_offset(from as isize * self.a.cs), ..self.a };
        let b = At { ptr: self.b.ptr.wrapping_offset(from as isize * self.b.rs), ..self.b };
        Product { k: len, a, b, beta: if from == 0 { self.beta } else { T::one() }, ..self }
    }

    /// Restricts the result to rows `from .. from + len`.
    pub(super) fn rows(self, from: usize, len: usize) -> Self {
        assert!(from + len <= self.m);
        let a = At { ptr: self.a.ptr.wrapping_offset(from as isize * self.a.rs), ..self.a };
        let c = At { ptr: self.c.ptr.wrapping_offset(from as isize * self.c.rs), ..self.c };
        Product { m: len, a, c, ..self }
    }

    /// Restricts the result to columns `from .. from + len`.
    pub(super) fn columns(self, from: usize, len: usize) -> Self {
        self.t().rows(from, len).t()
    }

    /// `c = beta c`.
    pub(super) fn scale(self) {
        for i in 0..self.m as isize {
            for j in 0..self.n as isize {
                // SAFETY: `(i, j)` is inside `m` by `n`, so inside the slice of `c`.
                unsafe {
                    let x = self.c.ptr.wrapping_offset(i * self.c.rs + j * self.c.cs);
                    *x = if self.beta == T::zero() { T::zero() } else { self.beta * *x };
                }
            }
        }
    }

    /// A few entries at a time, for products that are done before a kernel has been entered.
    pub(super) fn plainly(self) {
        for i in 0..self.m as isize {
            let whole = self.n as isize / 4 * 4;
            (0..whole).step_by(4).for_each(|j| self.entries::<4>(i, j));
            (whole..self.n as isize).for_each(|j| self.entries::<1>(i, j));
        }
    }

    /// `N` entries of row `i`, from column `j` on.
    #[inline(always)]
    fn entries<const N: usize>(&self, i: isize, j: isize) {
        let Product { a, b, c, .. } = self;
        let (mut x, mut y) = (a.ptr.wrapping_offset(i * a.rs), b.ptr.wrapping_offset(j * b.cs));
        let mut sums = [T::zero(); N];
        for _ in 0..self.k {
            for (q, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the module's invariant: indices are below `m`, `n` and `k`.
                *sum += unsafe { *x * *y.wrapping_offset(q as isize * b.cs) };
            }
            (x, y) = (x.wrapping_offset(a.cs), y.wrapping_offset(b.rs));
        }
        for (q, sum) in sums.into_iter().enumerate() {
            let place = c.ptr.wrapping_offset(i * c.rs + (j + q as isize) * c.cs);
            let x = self.alpha * sum;
            // SAFETY: as above.
            unsafe { *place = if self.beta == T::zero() { x } else { self.beta * *place + x } };
        }
    }

    /// `b` copied row-major into `scratch`, so that its rows are contiguous.
    pub(super) fn pack_b<'b>(self, scratch: &'b mut Vec<T>) -> Product<'b, T>
    where
        'a: 'b,
    {
        let (k, n) = (self.k, self.n);
        if scratch.len() < k * n {
            scratch.resize(k * n, T::zero());
        }
        // SAFETY: `(i, j)` is inside `k` by `n`, so inside the slice of `b`; `scratch` has room for `k` rows of `n`.
        unsafe { packed::transpose(self.b.t(), [n, k], scratch.as_mut_ptr(), n) };
        Product { b: At { ptr: scratch.as_ptr(), rs: n as isize, cs: 1 }, life: PhantomData, ..self }
    }

    /// By the direct kernel. Rows of `b` and `c` must be contiguous.
    pub(super) fn direct(self) {
        assert!(self.n == 1 || (self.b.cs == 1 && self.c.cs == 1));
        crate::kernel::level::arch().dispatch(tile::Direct(self));
    }

    /// By the dot-product kernel. Rows of `a` and columns of `b` must be contiguous.
    pub(super) fn dots(self) {
        assert!(self.k == 1 || (self.a.cs == 1 && self.b.rs == 1));
        crate::kernel::level::arch().dispatch(tile::Dots(self));
    }

    /// By `run`, the result shared among threads along its longer side. No sum is split, so the bits are those of one
    /// thread.
    pub(super) fn shared(self, threads: usize, run: impl Fn(Self) + Sync) {
        let (along, across) = (self.m.max(self.n), self.m.min(self.n));
        let parts = threads.min(along / if across > LEAST { LEAST } else { 2 * LEAST });
        if parts < 2 {
            return run(self);
        }
        let nearest = |at: usize| (at + PART / 2) / PART * PART;
        let start = move |part: usize| if part == parts { along } else { nearest(part * along / parts) };
        let parts = (0..parts).map(move |part| {
            let (from, len) = (start(part), start(part + 1) - start(part));
            if self.m >= self.n { self.rows(from, len) } else { self.columns(from, len) }
        });
        crate::kernel::threads::each(parts, run);
    }

    /// By the packed kernel. Rows of `c` must be contiguous.
    pub(super) fn packed(self) {
        assert!(self.n == 1 || self.c.cs == 1);
        T::with_scratch(|room| {
            crate::kernel::level::arch().dispatch(packed::Packed { product: self, room });
        });
    }

    /// By way of a result with contiguous rows, for a `c` that has none.
    pub(super) fn apart(self, run: impl FnOnce(Product<'_, T>)) {
        T::with_scratch(|room| {
            if room.len() < self.m * self.n {
                room.resize(self.m * self.n, T::zero());
            }
            let c = At { ptr: room.as_mut_ptr(), rs: self.n as isize, cs: 1 };
            run(Product { c, beta: T::zero(), ..self });
            for from in (0..self.m).step_by(LINE) {
                for j in 0..self.n {
                    for i in from..self.m.min(from + LINE) {
                        let x = room[i * self.n + j];
                        // SAFETY: `(i, j)` is inside `m` by `n`, so inside the slice of `c`.
                        unsafe {
                            let c =
                                self.c.ptr.wrapping_offset(i as isize * self.c.rs + j as isize * self.c.cs);
                            *c = if self.beta == T::zero() { x } else { self.beta * *c + x };
                        }
                    }
                }
            }
        });
    }
}
