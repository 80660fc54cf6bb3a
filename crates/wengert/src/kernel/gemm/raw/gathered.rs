//! The kernel for a left operand that lies anywhere: element `(i, k)` at `rows[i] + steps[k]`, as the windows of a convolution
//! do. Nothing of it is copied, and no result is computed that is thrown away.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::element::Gemm;

/// Rows of a tile: the number of rows is a multiple of this.
pub const ROWS: usize = 6;
/// Registers in a panel's width. More would not make a tile faster, but leave less to share among threads.
const PANEL: usize = 2;
/// Inner indices that are summed in one go, as in [`packed`](super::packed): a block of a panel of `b` stays in cache.
const DEPTH: usize = 512;

/// `c = a b`, or `c += a b`.
pub struct Gathered<'a, T> {
    /// Where the elements of `a` lie.
    pub data: &'a [T],
    /// Start of each row, a multiple of [`ROWS`] of them.
    pub rows: &'a [usize],
    /// From a row's start to each of its elements.
    pub steps: &'a [usize],
    /// For each [`ROWS`] rows the steps beyond which their elements are zero, or none: all steps count.
    pub spans: &'a [Range<usize>],
    /// `b` in panels of [`panel_width`] columns, each `[steps.len()][columns]`; the last one filled up to whole registers.
    pub b: &'a [T],
    /// Columns.
    pub columns: usize,
    /// Whether products are added to `c`.
    pub add: bool,
    /// `[rows.len()][width]`
    pub c: &'a mut [T],
    /// At least the columns, filled up to whole registers.
    pub width: usize,
}

/// Columns of a panel of [`Gathered::b`] where registers have `lanes`.
pub fn panel_width(lanes: usize) -> usize {
    PANEL * lanes
}

impl<T: Gemm> WithSimd for Gathered<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Gathered { data, rows, steps, spans, b, columns, add, c, width } = self;
        let (lanes, depth) = (T::lanes::<S>(), steps.len());
        let [last_row, last_step] = [rows, steps].map(|places| places.iter().max().copied());
        let (Some(last_row), Some(last_step)) = (last_row, last_step) else {
            return if !add {
                c.fill(T::zero())
            };
        };
        assert!(last_row.checked_add(last_step).is_some_and(|last| last < data.len()));
        assert!(rows.len().is_multiple_of(ROWS) && columns.next_multiple_of(lanes) <= width);
        assert!(columns.next_multiple_of(lanes) * depth <= b.len() && rows.len() * width <= c.len());
        assert!(spans.is_empty() || spans.len() == rows.len() / ROWS);
        for col in (0..columns).step_by(PANEL * lanes) {
            let registers = (columns - col).div_ceil(lanes).min(PANEL);
            let panel = &b[col * depth..];
            for from in (0..depth).step_by(DEPTH) {
                let block = from..depth.min(from + DEPTH);
                let tiles = rows.as_chunks::<ROWS>().0.iter().zip(c.chunks_exact_mut(ROWS * width));
                for (k, (rows, c)) in tiles.enumerate() {
                    let span = spans.get(k).cloned().unwrap_or(0..depth);
                    let here = block.start.max(span.start)..block.end.min(span.end);
                    // Where nothing counts, zeros are written once.
                    if here.is_empty() && !(span.is_empty() && from == 0) {
                        continue;
                    }
                    let add = add || here.start > span.start;
                    let (steps, c) = (&steps[here.clone()], c[col..].as_mut_ptr());
                    let b = panel[here.start * registers * lanes..].as_ptr();
                    // SAFETY: the assertions above: every element of `a` is in `data`, a panel of `b` has `depth` rows of
                    // whole registers, and a row of `c` has room for them.
                    unsafe {
                        match registers {
                            1 => tile::<S, T, 1>(s, data, rows, steps, b, add, c, width),
                            _ => tile::<S, T, PANEL>(s, data, rows, steps, b, add, c, width),
                        }
                    }
                }
            }
        }
    }
}

/// [`ROWS`] rows by `VECS` registers of the result.
///
/// # Safety
/// `rows[r] + steps[k]` is inside `data`, `b` has a row of `VECS` registers for each step, `c` rows of as many, `width` apart.
#[inline(always)]
unsafe fn tile<S: Simd, T: Gemm, const VECS: usize>(
    s: S,
    data: &[T],
    rows: &[usize; ROWS],
    steps: &[usize],
    mut b: *const T,
    add: bool,
    c: *mut T,
    width: usize,
) {
    let lanes = T::lanes::<S>();
    let mut sums = [[T::splat(s, T::zero()); VECS]; ROWS];
    // SAFETY: the caller's promise.
    unsafe {
        let rows = rows.map(|row| data.as_ptr().add(row));
        for &step in steps {
            let mut y = [T::splat(s, T::zero()); VECS];
            for v in 0..VECS {
                y[v] = b.add(v * lanes).cast::<T::V<S>>().read_unaligned();
            }
            b = b.add(VECS * lanes);
            for r in 0..ROWS {
                let x = T::splat(s, *rows[r].add(step));
                for v in 0..VECS {
                    sums[r][v] = T::v_mul_add(s, x, y[v], sums[r][v]);
                }
            }
        }
        let one = T::splat(s, T::one());
        for r in 0..ROWS {
            for v in 0..VECS {
                let c = c.add(r * width + v * lanes).cast::<T::V<S>>();
                let old = if add { c.read_unaligned() } else { T::splat(s, T::zero()) };
                c.write_unaligned(T::v_mul_add(s, sums[r][v], one, old));
            }
        }
    }
}
