//! Householder reflectors `I - tau v v^T`, stored as rows, applied a panel at a time through products.
//!
//! Reflector `j` of a store has a 1 at column `j + shift`, its tail behind it, and nothing before it. The product
//! of a panel's reflectors is `I - V^T T V` with `V` the panel's rows and `T` upper triangular (compact WY form).

use super::vectors::{dot, norm};
use crate::kernel::gemm::{Gemm, Place, Strided, StridedMut, Threads, gemm, gemm_within, spot};
use crate::kernel::real::Real;

/// Reflectors in a panel.
pub const PANEL: usize = 32;

/// Elements that [`Panel::new`] and [`Panel::apply`] need for vectors of length `len` and `rows` rows.
pub fn workspace(len: usize, rows: usize) -> usize {
    PANEL * len + 2 * PANEL * PANEL + 2 * rows * PANEL
}

/// Turns `x` into `(beta, tail of v)` so that the reflector maps `x` to `(beta, 0, ..)`; returns `tau`.
///
/// `beta` has the sign opposite to `x[0]`; where the tail is 0 already, `tau` is 0 and `x` stays.
#[inline(always)]
pub fn reflector<T: Real>(x: &mut [T]) -> T {
    let Some((head, tail)) = x.split_first_mut() else { return T::zero() };
    let rest = norm(tail);
    if rest == T::zero() {
        return T::zero();
    }
    let beta = -head.hypot(rest).copysign(*head);
    let tau = (beta - *head) / beta;
    let scale = *head - beta;
    for v in tail {
        *v /= scale;
    }
    *head = beta;
    tau
}

/// A panel of reflectors, ready to be applied.
pub struct Panel<'a, T> {
    v: &'a [T],
    t: &'a [T],
    w: &'a mut [T],
    count: usize,
    len: usize,
    first: usize,
}

impl<'a, T: Gemm> Panel<'a, T> {
    /// Reflectors `from .. from + count` of a store with rows of length `width`.
    pub fn new(
        store: &[T],
        width: usize,
        from: usize,
        count: usize,
        shift: usize,
        tau: &[T],
        work: &'a mut [T],
    ) -> Self {
        let first = from + shift;
        let len = width - first;
        let (v, rest) = work.split_at_mut(PANEL * width);
        let (t, rest) = rest.split_at_mut(PANEL * PANEL);
        let (gram, w) = rest.split_at_mut(PANEL * PANEL);
        for (i, row) in v.chunks_exact_mut(len).take(count).enumerate() {
            row[..i].fill(T::zero());
            row[i] = T::one();
            row[i + 1..].copy_from_slice(&store[(from + i) * width + first + i + 1..][..len - i - 1]);
        }
        let rows = Strided::rows(v, len);
        let out = StridedMut::rows(gram, count);
        gemm([count, count, len], T::one(), rows, rows.t(), T::zero(), out, Threads::ONE);
        // T's next column: -tau T (V v).
        t[..count * count].fill(T::zero());
        for j in 0..count {
            let tau = tau[from + j];
            for i in 0..j {
                let sum = (i..j).fold(T::zero(), |s, p| s + t[i * count + p] * gram[p * count + j]);
                t[i * count + j] = -tau * sum;
            }
            t[j * count + j] = tau;
        }
        Panel { v, t, w, count, len, first }
    }

    /// `X = X (I - V^T T V)`, or with `T^T`, on `rows` rows of `x` from `row`, a matrix of rows of length `width`.
    pub fn apply(
        &mut self,
        x: &mut [T],
        width: usize,
        row: usize,
        rows: usize,
        transposed: bool,
        threads: Threads,
    ) {
        let (count, len) = (self.count, self.len);
        if rows == 0 {
            return;
        }
        let (w, wt) = self.w.split_at_mut(rows * PANEL);
        let (v, t) = (Strided::rows(self.v, len), Strided::rows(self.t, count));
        let t = if transposed { t.t() } else { t };
        let there = Strided::rows(x, width).at(row, self.first);
        gemm([rows, count, len], T::one(), there, v.t(), T::zero(), StridedMut::rows(w, count), threads);
        let w = Strided::rows(w, count);
        gemm([rows, count, count], T::one(), w, t, T::zero(), StridedMut::rows(wt, count), threads);
        let (wt, v) = (Place::Other(Strided::rows(wt, count)), Place::Other(v));
        let here = spot(row, self.first);
        gemm_within(x, width, [rows, len, count], -T::one(), wt, v, T::one(), here, threads);
    }
}

/// `out = (H_0 H_1 .. )^T` on its first `rows` rows: the product's columns, as rows of length `width`.
pub fn accumulate<T: Gemm>(
    store: &[T],
    width: usize,
    count: usize,
    shift: usize,
    tau: &[T],
    out: &mut [T],
    rows: usize,
    work: &mut [T],
    threads: Threads,
) {
    out[..rows * width].fill(T::zero());
    for i in 0..rows {
        out[i * width + i] = T::one();
    }
    for from in (0..count).step_by(PANEL).rev() {
        let mut panel = Panel::new(store, width, from, PANEL.min(count - from), shift, tau, work);
        let row = (from + shift).min(rows);
        panel.apply(out, width, row, rows - row, true, threads);
    }
}

/// `x = x (H_0 H_1 .. )^T` on all `rows` rows of `x`, which are of length `width`.
pub fn apply<T: Gemm>(
    store: &[T],
    width: usize,
    count: usize,
    shift: usize,
    tau: &[T],
    x: &mut [T],
    rows: usize,
    work: &mut [T],
    threads: Threads,
) {
    for from in (0..count).step_by(PANEL).rev() {
        let mut panel = Panel::new(store, width, from, PANEL.min(count - from), shift, tau, work);
        panel.apply(x, width, 0, rows, true, threads);
    }
}

/// Makes and applies reflectors within a panel: rows `from .. from + count` of `a`, from column `from` on.
#[inline(always)]
pub fn factor_panel<T: Real>(a: &mut [T], width: usize, from: usize, count: usize, tau: &mut [T]) {
    for j in from..from + count {
        let (head, below) = a.split_at_mut((j + 1) * width);
        let row = &mut head[j * width + j..];
        tau[j] = reflector(row);
        let v = &row[1..];
        for other in below.chunks_exact_mut(width).take(from + count - j - 1) {
            let (x, tail) = other[j..].split_first_mut().expect("j is below the width");
            let s = tau[j] * (*x + dot(v, tail));
            *x -= s;
            super::vectors::add_scaled(tail, -s, v);
        }
    }
}
