//! [`Bundle`]: lanes as reductions see them, one ([`Lane`]) or several side by side ([`Columns`]).

use crate::kernel::real::Real;

/// Partial results within a lane.
const PARTS: usize = 16;
/// Elements of a lane, or rows of columns, that are summed plainly before sums are joined with compensation.
const BLOCK: usize = 512;
const ROWS: usize = 128;

/// `W` lanes of equal length. Of the `W` results those past the last lane mean nothing.
pub trait Bundle<T: Real, const W: usize> {
    /// The length of each lane.
    fn length(&self) -> usize;
    /// Joins `map(x)` over each lane, from `start`, in any order.
    fn fold(&self, start: T, map: impl Fn(T) -> T + Copy, join: impl Fn(T, T) -> T + Copy) -> [T; W];
    /// The sum of `term(x, by)` over each lane, where each lane has its own `by`.
    fn sum(&self, by: [T; W], term: impl Fn(T, T) -> T + Copy) -> [T; W];
}

/// A sum of block sums that keeps what each addition loses: its error does not grow with their number.
#[derive(Clone, Copy)]
struct Total<T> {
    sum: T,
    lost: T,
}

impl<T: Real> Total<T> {
    #[inline(always)]
    fn zero() -> Self {
        Total { sum: T::zero(), lost: T::zero() }
    }

    #[inline(always)]
    fn add(&mut self, x: T) {
        let sum = self.sum + x;
        let part = sum - self.sum;
        self.lost += (self.sum - (sum - part)) + (x - part);
        self.sum = sum;
    }

    #[inline(always)]
    fn value(self) -> T {
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
    fn fold(&self, start: T, map: impl Fn(T) -> T + Copy, join: impl Fn(T, T) -> T + Copy) -> [T; 1] {
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
        [rest.iter().fold(result, |result, x| join(result, map(*x)))]
    }

    #[inline(always)]
    fn sum(&self, [by]: [T; 1], term: impl Fn(T, T) -> T + Copy) -> [T; 1] {
        let mut total = Total::zero();
        for block in self.0.chunks(BLOCK) {
            let (chunks, rest) = block.as_chunks::<PARTS>();
            let mut sum = T::zero();
            if !chunks.is_empty() {
                let mut parts = [T::zero(); PARTS];
                for chunk in chunks {
                    for i in 0..PARTS {
                        parts[i] += term(chunk[i], by);
                    }
                }
                sum = join_parts(parts, |a, b| a + b);
            }
            total.add(rest.iter().fold(sum, |sum, x| sum + term(*x, by)));
        }
        [total.value()]
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
    /// Updates one accumulator a column with each of the rows `rows`.
    #[inline(always)]
    fn rows<const W: usize>(
        &self,
        rows: std::ops::Range<usize>,
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
    fn fold(&self, start: T, map: impl Fn(T) -> T + Copy, join: impl Fn(T, T) -> T + Copy) -> [T; W] {
        self.rows(0..self.n, [start; W], |result, x, _| join(result, map(x)))
    }

    #[inline(always)]
    fn sum(&self, by: [T; W], term: impl Fn(T, T) -> T + Copy) -> [T; W] {
        let mut totals = [Total::zero(); W];
        for start in (0..self.n).step_by(ROWS) {
            let rows = start..(start + ROWS).min(self.n);
            let sums = self.rows(rows, [T::zero(); W], |sum, x, i| sum + term(x, by[i]));
            totals.iter_mut().zip(sums).for_each(|(total, sum)| total.add(sum));
        }
        totals.map(Total::value)
    }
}
