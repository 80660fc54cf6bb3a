//! The tridiagonal form of a symmetric matrix, by reflectors from both sides.
//!
//! A reflector changes the whole matrix by two products of vectors. Those of a panel are kept and made together, as products of
//! matrices; until then each new row is corrected by those kept, as is each product with the matrix. That leaves one product of
//! the matrix with a vector for each row, which is bound by memory: it reads the upper triangle alone, once.

use super::reflect::reflector;
use super::vectors::{add_scaled, dot};
use crate::kernel::gemm::{Gemm, Place, Strided, Threads, gemm_within, spot};
use crate::kernel::level::{self, FUSED, Kernel};
use crate::kernel::real::Real;

/// Reflectors of a panel, and rows up to which panels of half of them take less time.
const PANEL: usize = 8;
const FEW: usize = 64;
/// Rows of a block of the product that changes the upper triangle.
const BLOCK: usize = 64;
/// Rows that are read at once.
const ROWS: usize = 4;

/// Elements that [`tridiagonalise`] needs for `n` rows.
pub fn workspace(n: usize) -> usize {
    3 * PANEL * n
}

/// Reduces the symmetric `a`, of which the upper triangle is read, to diagonal `d` and off-diagonal `e`; reflector `j` goes
/// to row `j` of `store`. The largest entry of `a` is near 1.
pub fn tridiagonalise<T: Gemm>(
    a: &mut [T],
    n: usize,
    d: &mut [T],
    e: &mut [T],
    store: &mut [T],
    tau: &mut [T],
    work: &mut [T],
    threads: Threads,
) {
    // Reflectors, what goes with them, and the reflectors again: v w^T + w v^T is one product of their columns.
    let panel = if n < FEW { PANEL / 2 } else { PANEL };
    let kept = &mut work[..3 * panel * n];
    for from in (0..n).step_by(panel) {
        let count = panel.min(n - from);
        level::run_apart(Reduce { a, n, from, count, panel, d, e, store, tau, kept });
        let first = from + count;
        let left = Strided::rows(kept, n).at(0, 0).t();
        let right = Strided::rows(kept, n).at(panel, 0);
        for row in (first..n).step_by(BLOCK) {
            let size = [BLOCK.min(n - row), n - row, 2 * panel];
            let (left, right) = (Place::Other(left.at(row, 0)), Place::Other(right.at(0, row)));
            gemm_within(a, n, size, -T::one(), left, right, T::one(), spot(row, row), threads);
        }
    }
}

/// Makes the reflectors of rows `from .. from + count`, without changing the rows behind them.
struct Reduce<'a, T> {
    a: &'a mut [T],
    n: usize,
    from: usize,
    count: usize,
    panel: usize,
    d: &'a mut [T],
    e: &'a mut [T],
    store: &'a mut [T],
    tau: &'a mut [T],
    kept: &'a mut [T],
}

impl<T: Real> Kernel for Reduce<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let Reduce { a, n, from, count, panel, d, e, store, tau, kept } = self;
        let lost = T::min_positive_value() / T::epsilon();
        for k in 0..count {
            let j = from + k;
            let (first, len) = (j + 1, n - j - 1);
            let row = &mut a[j * n + j..][..n - j];
            for p in 0..k {
                let (v, w) = (&kept[p * n + j..][..n - j], &kept[(panel + p) * n + j..][..n - j]);
                add_two::<T, MODE>(row, -w[0], v, -v[0], w);
            }
            // What is left of a matrix of low rank is noise on noise: once it nears what has no digits, it is 0.
            if row[1..].iter().fold(T::zero(), |most, x| most.max(x.abs())) < lost {
                row[1..].fill(T::zero());
            }
            d[j] = row[0];
            let reflected = len > 1;
            if !reflected {
                e[j] = if len == 1 { row[1] } else { T::zero() };
            }
            let v = &mut store[j * n + first..][..len];
            if reflected {
                v.copy_from_slice(&row[1..]);
                tau[j] = reflector(v);
                e[j] = v[0];
                v[0] = T::one();
            }
            let (before, w) = kept.split_at_mut((panel + k) * n);
            let w = &mut w[first..][..len];
            if !reflected || tau[j] == T::zero() {
                w.fill(T::zero());
                for at in [k, 2 * panel + k] {
                    kept[at * n + first..][..len].fill(T::zero());
                }
                continue;
            }
            // w = tau (A v - what is kept of A's change) - (tau / 2) (.. w^T v) v
            upper_times::<T, MODE>(a, n, first, v, w);
            for p in 0..k {
                let old = &before[p * n + first..][..len];
                let with = &before[(panel + p) * n + first..][..len];
                add_two::<T, MODE>(w, -dot(with, v), old, -dot(old, v), with);
            }
            w.iter_mut().for_each(|x| *x *= tau[j]);
            let half = T::of(0.5) * tau[j] * dot(w, v);
            add_scaled(w, -half, v);
            for at in [k, 2 * panel + k] {
                kept[at * n + first..][..len].copy_from_slice(v);
            }
        }
    }
}

/// `a b + c`.
#[inline(always)]
fn fused<T: Real, const MODE: u8>(a: T, b: T, c: T) -> T {
    if MODE == FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// `y += a x + b z`.
#[inline(always)]
fn add_two<T: Real, const MODE: u8>(y: &mut [T], a: T, x: &[T], b: T, z: &[T]) {
    for ((y, &x), &z) in y.iter_mut().zip(x).zip(z) {
        *y = fused::<T, MODE>(a, x, fused::<T, MODE>(b, z, *y));
    }
}

/// `w = A v` for the symmetric block of `a` that begins at row and column `first`; its upper triangle is read.
#[inline(always)]
fn upper_times<T: Real, const MODE: u8>(a: &[T], n: usize, first: usize, v: &[T], w: &mut [T]) {
    let len = v.len();
    w.fill(T::zero());
    let single = len % ROWS;
    for i in 0..single {
        let row = &a[(first + i) * n + first + i..][..len - i];
        w[i] += row[0] * v[i] + dot(&row[1..], &v[i + 1..]);
        add_scaled(&mut w[i + 1..], v[i], &row[1..]);
    }
    // From here on a multiple of the rows is left, and of the columns beside them.
    for i in (single..len).step_by(ROWS) {
        let rows: [&[T]; ROWS] = std::array::from_fn(|r| &a[(first + i + r) * n + first + i..][..len - i]);
        for r in 0..ROWS {
            w[i + r] += rows[r][r] * v[i + r];
            for c in r + 1..ROWS {
                w[i + r] += rows[r][c] * v[i + c];
                w[i + c] += rows[r][c] * v[i + r];
            }
        }
        let x: [T; ROWS] = std::array::from_fn(|r| v[i + r]);
        let (v, w_rest) = (&v[i + ROWS..], &mut w[i + ROWS..]);
        let whole = v.len() / (2 * ROWS) * (2 * ROWS);
        let mut sums = [[T::zero(); 2 * ROWS]; ROWS];
        let mut at = 0;
        while at < whole {
            columns::<T, MODE, { 2 * ROWS }>(rows, at, x, v, w_rest, &mut sums);
            at += 2 * ROWS;
        }
        let mut ends = [[T::zero(); ROWS]; ROWS];
        if at < v.len() {
            columns::<T, MODE, ROWS>(rows, at, x, v, w_rest, &mut ends);
        }
        for r in 0..ROWS {
            let halves: [T; ROWS] = std::array::from_fn(|q| sums[r][q] + sums[r][ROWS + q] + ends[r][q]);
            w[i + r] += (halves[0] + halves[1]) + (halves[2] + halves[3]);
        }
    }
}

/// `W` columns of four rows, as a part of both triangles.
#[inline(always)]
fn columns<T: Real, const MODE: u8, const W: usize>(
    rows: [&[T]; ROWS],
    at: usize,
    x: [T; ROWS],
    v: &[T],
    w: &mut [T],
    sums: &mut [[T; W]; ROWS],
) {
    let v: &[T; W] = v[at..].first_chunk().expect("columns are left");
    let w: &mut [T; W] = w[at..].first_chunk_mut().expect("columns are left");
    for r in 0..ROWS {
        let row: &[T; W] = rows[r][ROWS + at..].first_chunk().expect("columns are left");
        for q in 0..W {
            sums[r][q] = fused::<T, MODE>(row[q], v[q], sums[r][q]);
            w[q] = fused::<T, MODE>(row[q], x[r], w[q]);
        }
    }
}
