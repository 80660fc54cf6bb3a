//! [`Bundle`]: lanes as reductions see them, one behind the other or side by side.
//!
//! A reduction is some passes over a bundle. Sums of blocks are added with compensation. Which elements are joined in which
//! order depends on sizes alone.

use std::ops::Range;

use super::passes::{Pass, Rows, WIDTH, across_rows, along_rows};
use crate::kernel::functions::Functions;
use crate::kernel::real::Real;
use crate::kernel::threads::{self, PIECE};

/// Elements of a lane, or rows of columns, that are summed plainly before sums are joined with compensation.
pub const BLOCK: usize = 512;
const ROWS: usize = 128;
/// Blocks of a lane that are summed in one go.
const BLOCKS: usize = 8;

/// Elements from which lanes are cut into parts, which threads share: by sizes alone, so that everybody finds the same bits.
pub const LONG: usize = 1 << 16;
/// Most parts of a lane.
const MOST: usize = 64;

/// What `of` makes of each of the `parts`: side by side where there are several.
fn parts<R: Copy + Send>(
    parts: impl Iterator<Item = Range<usize>> + Send,
    start: R,
    of: &(dyn Fn(Range<usize>) -> R + Sync),
) -> [R; MOST] {
    let mut results = [start; MOST];
    let jobs = parts.zip(&mut results);
    threads::each_if(threads::available() > 1, jobs, |(range, result)| *result = of(range));
    results
}

/// A sum of block sums that keeps what each addition loses: its error does not grow with their number.
#[derive(Clone, Copy)]
pub struct Total<T> {
    sum: T,
    lost: T,
}

impl<T: Real> Total<T> {
    #[inline(always)]
    pub fn zero() -> Self {
        Total { sum: T::zero(), lost: T::zero() }
    }

    #[inline(always)]
    pub fn add(&mut self, x: T) {
        let sum = self.sum + x;
        let part = sum - self.sum;
        self.lost += (self.sum - (sum - part)) + (x - part);
        self.sum = sum;
    }

    #[inline(always)]
    fn join(&mut self, other: Total<T>) {
        self.add(other.sum);
        self.lost += other.lost;
    }

    #[inline(always)]
    pub fn value(self) -> T {
        // What an infinite sum lost is NaN, the sum itself is right.
        if self.lost.is_finite() { self.sum + self.lost } else { self.sum }
    }
}

/// `width` lanes of `n` elements: whole ones one behind the other, where `inner` is 1 (several if they are no longer than
/// [`BLOCK`]), else columns `first..first + width` of a matrix `[n, inner]`.
#[derive(Clone, Copy)]
pub struct Bundle<'a, T> {
    pub x: &'a [T],
    pub n: usize,
    pub inner: usize,
    pub first: usize,
    pub width: usize,
}

impl<T: Functions> Bundle<'_, T> {
    /// The results of a pass that adds.
    pub fn sum(&self, pass: Pass, by: &[T; WIDTH], out: &mut [T]) {
        if self.n <= self.block() {
            return self.fold(pass, by, out);
        }
        if self.width == 1 && !self.is_long() {
            let mut total = [Total::zero()];
            self.add(0..self.n, pass, by, &mut total);
            out[0] = total[0].value();
            return;
        }
        let mut totals = [Total::zero(); WIDTH];
        if self.is_long() {
            let of = |rows: Range<usize>| {
                let mut totals = [Total::zero(); WIDTH];
                self.add(rows, pass, by, &mut totals[..self.width]);
                totals
            };
            for part in &parts(self.parts(), totals, &of)[..self.parts().len()] {
                totals.iter_mut().zip(part).for_each(|(total, part)| total.join(*part));
            }
        } else {
            self.add(0..self.n, pass, by, &mut totals[..self.width]);
        }
        out.iter_mut().zip(totals).for_each(|(out, total)| *out = total.value());
    }

    /// The results of any pass.
    pub fn fold(&self, pass: Pass, by: &[T; WIDTH], out: &mut [T]) {
        out.fill(pass.start());
        if !self.is_long() {
            return self.join(0..self.n, pass, by, out);
        }
        let of = |rows: Range<usize>| {
            let mut results = [pass.start(); WIDTH];
            self.join(rows, pass, by, &mut results[..self.width]);
            results
        };
        for part in &parts(self.parts(), [pass.start(); WIDTH], &of)[..self.parts().len()] {
            out.iter_mut().zip(part).for_each(|(out, part)| *out = pass.join(*out, *part));
        }
    }

    fn is_long(&self) -> bool {
        self.n * self.width >= LONG
    }

    /// Elements of a lane, or rows, that make a block.
    fn block(&self) -> usize {
        if self.inner == 1 { BLOCK } else { ROWS }
    }

    /// The parts of long lanes, of whole blocks.
    fn parts(&self) -> impl ExactSizeIterator<Item = Range<usize>> + Send + use<T> {
        let n = self.n;
        let rows = n.div_ceil(MOST).max(PIECE / self.width).next_multiple_of(self.block());
        (0..n).step_by(rows).map(move |from| from..n.min(from + rows))
    }

    /// Adds the sums of some rows, block by block.
    fn add(&self, rows: Range<usize>, pass: Pass, by: &[T; WIDTH], totals: &mut [Total<T>]) {
        if self.inner > 1 {
            for start in rows.clone().step_by(ROWS) {
                let sums = &mut [T::zero(); WIDTH][..self.width];
                self.join(start..rows.end.min(start + ROWS), pass, by, sums);
                totals.iter_mut().zip(sums).for_each(|(total, sum)| total.add(*sum));
            }
            return;
        }
        // The blocks of a lane are rows, the last one perhaps a shorter one.
        for some in self.x[rows].chunks(BLOCKS * BLOCK) {
            let (blocks, rest) = some.as_chunks::<BLOCK>();
            for (x, width) in [(blocks.as_flattened(), BLOCK), (rest, rest.len())] {
                let Some(count) = x.len().checked_div(width) else { continue };
                let sums = &mut [T::zero(); BLOCKS][..count];
                along_rows(pass, Rows { x, inner: width, first: 0, width }, &by[..1], sums);
                sums.iter().for_each(|sum| totals[0].add(*sum));
            }
        }
    }

    /// Joins the elements of some rows to `out`; all of them where there are several lanes one behind the other.
    fn join(&self, rows: Range<usize>, pass: Pass, by: &[T; WIDTH], out: &mut [T]) {
        let x = &self.x[rows.start * self.inner..];
        if self.inner == 1 {
            let n = rows.len();
            return along_rows(pass, Rows { x, inner: n, first: 0, width: n }, by, out);
        }
        let Bundle { inner, first, width, .. } = *self;
        across_rows(pass, Rows { x, inner, first, width }, rows.len(), by, out);
    }
}
