//! [`Bundle`]: lanes as reductions see them, one ([`Lane`]) or several side by side ([`Columns`]).

use std::ops::Range;

use crate::kernel::level::{self, Kernel};
use crate::kernel::real::Real;
use crate::kernel::threads::{self, PIECE};

/// Partial results within a lane.
const PARTS: usize = 16;
/// Elements of a lane, or rows of columns, that are summed plainly before sums are joined with compensation.
const BLOCK: usize = 512;
const ROWS: usize = 128;

/// Elements from which lanes are cut into parts, which threads share: by sizes alone, so that everybody finds the same bits.
pub const LONG: usize = 1 << 16;
/// Most parts of a lane.
const MOST: usize = 64;

/// Rows of a part of `n` rows of `width` elements, a multiple of `block`; all of them in lanes that are not long.
fn part(n: usize, width: usize, block: usize) -> usize {
    if n * width < LONG { n.max(1) } else { n.div_ceil(MOST).max(PIECE / width).next_multiple_of(block) }
}

/// What `of` makes of each part of `rows` of `n` rows: side by side where there are several.
#[inline(never)]
fn parts<R: Copy + Send>(
    n: usize,
    rows: usize,
    start: R,
    of: &(dyn Fn(Range<usize>) -> R + Sync),
) -> [R; MOST] {
    let mut results = [start; MOST];
    let ranges = (0..n).step_by(rows).map(|from| from..n.min(from + rows));
    let jobs = ranges.zip(&mut results);
    threads::each_if(threads::available() > 1, jobs, |(range, result)| *result = of(range));
    results
}

/// `W` lanes of equal length. Of the `W` results those past the last lane mean nothing.
pub trait Bundle<T: Real, const W: usize> {
    /// The length of each lane.
    fn length(&self) -> usize;
    /// Joins `map(x)` over each lane, from `start`, in any order.
    fn fold(
        &self,
        start: T,
        map: impl Fn(T) -> T + Copy + Sync,
        join: impl Fn(T, T) -> T + Copy + Sync,
    ) -> [T; W];
    /// The sum of `term(x, by)` over each lane, where each lane has its own `by`.
    fn sum(&self, by: [T; W], term: impl Fn(T, T) -> T + Copy + Sync) -> [T; W];
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

/// One lane, its elements one behind the other.
pub struct Lane<'a, T>(pub &'a [T]);

impl<T: Real> Bundle<T, 1> for Lane<'_, T> {
    #[inline(always)]
    fn length(&self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn fold(
        &self,
        start: T,
        map: impl Fn(T) -> T + Copy + Sync,
        join: impl Fn(T, T) -> T + Copy + Sync,
    ) -> [T; 1] {
        if self.0.len() < LONG {
            return [self.folded(start, map, join)];
        }
        let of = |range: Range<usize>| level::run(Fold { lane: Lane(&self.0[range]), start, map, join });
        let parts = parts(self.0.len(), part(self.0.len(), 1, BLOCK), start, &of);
        [parts.into_iter().fold(start, join)]
    }

    #[inline(always)]
    fn sum(&self, [by]: [T; 1], term: impl Fn(T, T) -> T + Copy + Sync) -> [T; 1] {
        if self.0.len() <= BLOCK {
            return [sum_block(self.0, |x| term(x, by))];
        }
        if self.0.len() < LONG {
            return [self.total(by, term).value()];
        }
        let of = |range: Range<usize>| level::run(Sum { lanes: Lane(&self.0[range]), by, term });
        let parts = parts(self.0.len(), part(self.0.len(), 1, BLOCK), Total::zero(), &of);
        let mut total = Total::zero();
        parts.into_iter().for_each(|part| total.join(part));
        [total.value()]
    }
}

impl<T: Real> Lane<'_, T> {
    #[inline(always)]
    fn folded(&self, start: T, map: impl Fn(T) -> T + Copy, join: impl Fn(T, T) -> T + Copy) -> T {
        let (chunks, rest) = self.0.as_chunks::<PARTS>();
        let mut result = start;
        if !chunks.is_empty() {
            let mut parts = [start; PARTS];
            for chunk in chunks {
                for i in 0..PARTS {
                    parts[i] = join(parts[i], map(chunk[i]));
                }
            }
            result = join_parts(parts, join);
        }
        rest.iter().fold(result, |result, x| join(result, map(*x)))
    }

    #[inline(always)]
    fn total(&self, by: T, term: impl Fn(T, T) -> T + Copy) -> Total<T> {
        let mut total = Total::zero();
        for block in self.0.chunks(BLOCK) {
            total.add(sum_block(block, |x| term(x, by)));
        }
        total
    }
}

/// The sum of `term(x)` over a few elements.
#[inline(always)]
fn sum_block<T: Real>(block: &[T], term: impl Fn(T) -> T) -> T {
    let (chunks, rest) = block.as_chunks::<PARTS>();
    let mut sum = T::zero();
    if !chunks.is_empty() {
        let mut parts = [T::zero(); PARTS];
        for chunk in chunks {
            for i in 0..PARTS {
                parts[i] += term(chunk[i]);
            }
        }
        sum = join_parts(parts, |a, b| a + b);
    }
    rest.iter().fold(sum, |sum, x| sum + term(*x))
}

/// A part of a lane to be folded.
struct Fold<'a, T, M, J> {
    lane: Lane<'a, T>,
    start: T,
    map: M,
    join: J,
}

impl<T: Real, M: Fn(T) -> T + Copy, J: Fn(T, T) -> T + Copy> Kernel for Fold<'_, T, M, J> {
    type Output = T;
    #[inline(always)]
    fn call<const MODE: u8>(self) -> T {
        self.lane.folded(self.start, self.map, self.join)
    }
}

/// A part of lanes to be summed.
struct Sum<L, B, F> {
    lanes: L,
    by: B,
    term: F,
}

impl<T: Real, F: Fn(T, T) -> T + Copy> Kernel for Sum<Lane<'_, T>, T, F> {
    type Output = Total<T>;
    #[inline(always)]
    fn call<const MODE: u8>(self) -> Total<T> {
        self.lanes.total(self.by, self.term)
    }
}

impl<T: Real, F: Fn(T, T) -> T + Copy, const W: usize> Kernel
    for Sum<(&Columns<'_, T>, Range<usize>), [T; W], F>
{
    type Output = [Total<T>; W];
    #[inline(always)]
    fn call<const MODE: u8>(self) -> [Total<T>; W] {
        let (columns, rows) = self.lanes;
        columns.totals(rows, self.by, self.term)
    }
}

#[inline(always)]
fn join_parts<T: Real>(mut parts: [T; PARTS], join: impl Fn(T, T) -> T) -> T {
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            parts[i] = join(parts[i], parts[i + width]);
        }
    }
    parts[0]
}

/// Columns `first..first + width` of a matrix `[n, inner]`, read row by row.
pub struct Columns<'a, T> {
    pub x: &'a [T],
    pub n: usize,
    pub inner: usize,
    pub first: usize,
    pub width: usize,
}

impl<T: Real> Columns<'_, T> {
    #[inline(always)]
    fn totals<const W: usize>(
        &self,
        rows: Range<usize>,
        by: [T; W],
        term: impl Fn(T, T) -> T + Copy,
    ) -> [Total<T>; W] {
        let mut totals = [Total::zero(); W];
        for start in rows.clone().step_by(ROWS) {
            let rows = start..(start + ROWS).min(rows.end);
            let sums = self.rows(rows, [T::zero(); W], |sum, x, i| sum + term(x, by[i]));
            totals.iter_mut().zip(sums).for_each(|(total, sum)| total.add(sum));
        }
        totals
    }

    /// Updates one accumulator a column with each of the rows `rows`.
    #[inline(always)]
    fn rows<const W: usize>(
        &self,
        rows: Range<usize>,
        mut all: [T; W],
        f: impl Fn(T, T, usize) -> T + Copy,
    ) -> [T; W] {
        for k in rows {
            let row = &self.x[k * self.inner + self.first..][..self.width];
            // A row of known length lets the accumulators stay in registers.
            if let Ok(row) = <&[T; W]>::try_from(row) {
                for i in 0..W {
                    all[i] = f(all[i], row[i], i);
                }
            } else {
                for (i, x) in row.iter().enumerate() {
                    all[i] = f(all[i], *x, i);
                }
            }
        }
        all
    }
}

impl<T: Real, const W: usize> Bundle<T, W> for Columns<'_, T> {
    #[inline(always)]
    fn length(&self) -> usize {
        self.n
    }

    #[inline(always)]
    fn fold(
        &self,
        start: T,
        map: impl Fn(T) -> T + Copy + Sync,
        join: impl Fn(T, T) -> T + Copy + Sync,
    ) -> [T; W] {
        self.rows(0..self.n, [start; W], |result, x, _| join(result, map(x)))
    }

    #[inline(always)]
    fn sum(&self, by: [T; W], term: impl Fn(T, T) -> T + Copy + Sync) -> [T; W] {
        if self.n * self.width < LONG {
            return self.totals(0..self.n, by, term).map(Total::value);
        }
        let of = |rows: Range<usize>| level::run(Sum { lanes: (self, rows), by, term });
        let rows = part(self.n, self.width, ROWS);
        let parts = parts(self.n, rows, [Total::zero(); W], &of);
        let mut totals = [Total::zero(); W];
        for part in &parts[..self.n.div_ceil(rows)] {
            totals.iter_mut().zip(part).for_each(|(total, part)| total.join(*part));
        }
        totals.map(Total::value)
    }
}
