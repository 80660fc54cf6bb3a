//! Log-sum-exp over classes and its cotangent, for arrays `[outer, classes, inner]` in row-major order.
//!
//! The logarithm is kept in two parts, the largest element and the logarithm of the rest: their sum would lose the
//! digits of a small loss next to large logits.

use num_traits::Float;

use crate::kernel::functions::Functions;
use crate::kernel::lanes::{self, change, put};
use crate::kernel::level::{Kernel, run_apart};
use crate::kernel::rows::are_few;
use crate::kernel::threads;
use crate::kernel::tile::{Lanes, Tile, WIDTH, filled};

/// Lengths of an array with a class axis in the middle. A *row* is all classes of one position.
#[derive(Clone, Copy, Debug)]
pub struct Dims {
    pub outer: usize,
    pub classes: usize,
    pub inner: usize,
}

impl Dims {
    pub fn rows(self) -> usize {
        self.outer * self.inner
    }

    /// Where class `c` of row `r` lies.
    pub fn at(self, r: usize, c: usize) -> usize {
        (r / self.inner * self.classes + c) * self.inner + r % self.inner
    }
}

/// Of each row the largest element `m`, and `s` with `logsumexp = m + s`.
pub fn log_sums<T: Functions>(x: &[T], dims: Dims, largest: &mut [T], log_sum: &mut [T]) {
    assert_eq!(x.len(), dims.rows() * dims.classes);
    assert!(largest.len() == dims.rows() && log_sum.len() == dims.rows());
    if dims.classes == 0 {
        largest.fill(T::zero());
        return log_sum.fill(T::neg_infinity());
    }
    let Dims { outer, classes, inner } = dims;
    let Some(count) = threads::units(outer, classes * inner) else {
        return run_apart(LogSums { x, dims, largest, log_sum });
    };
    let sums = largest.chunks_mut(count * inner).zip(log_sum.chunks_mut(count * inner));
    threads::each(x.chunks(count * classes * inner).zip(sums), |(x, (largest, log_sum))| {
        run_apart(LogSums { x, dims, largest, log_sum });
    });
}

struct LogSums<'a, T> {
    x: &'a [T],
    dims: Dims,
    largest: &'a mut [T],
    log_sum: &'a mut [T],
}

impl<T: Functions> Kernel for LogSums<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let Dims { classes, inner, .. } = self.dims;
        let few = inner == 1 && are_few(classes);
        if inner == 1 && !few {
            let out = self.largest.iter_mut().zip(self.log_sum.iter_mut());
            for (x, (m, s)) in self.x.chunks_exact(classes).zip(out) {
                (*m, *s) = row_sum::<T, MODE>(x);
            }
            return;
        }
        // Short rows are turned into columns.
        let mut tile = Tile::new(if few { classes } else { 0 });
        let width = if few { WIDTH } else { inner.max(1) };
        let sums = self.largest.chunks_mut(width).zip(self.log_sum.chunks_mut(width));
        for (x, (m, s)) in self.x.chunks(classes * width).zip(sums) {
            if few {
                tile.load(x);
            }
            let x = if few { tile.flat() } else { x };
            m.fill(T::neg_infinity());
            for x in x.chunks_exact(width) {
                // Not a choice that leaves `m` as it stands, here and below: that would become a masked store.
                m.iter_mut().zip(x).for_each(|(m, x)| *m = Float::max(*m, *x));
            }
            m.iter_mut().for_each(|m| *m = if m.is_finite() { *m + T::zero() } else { T::zero() });
            s.fill(T::zero());
            for x in x.chunks_exact(width) {
                s.iter_mut().zip(x.iter().zip(m.iter())).for_each(|(s, (x, m))| {
                    *s += Functions::exp::<MODE>(*x - *m);
                });
            }
            s.iter_mut().for_each(|s| *s = Functions::log::<MODE>(*s));
        }
    }
}

#[inline(always)]
fn row_sum<T: Functions, const MODE: u8>(x: &[T]) -> (T, T) {
    let m = lanes::fold([x], T::neg_infinity(), |[x]| x, |best, x| if x > best { x } else { best });
    // Infinities speak for themselves: their difference would be NaN.
    let m = if m.is_finite() { m } else { T::zero() };
    let sum = lanes::fold([x], T::zero(), |[x]| Functions::exp::<MODE>(x - m), |a, b| a + b);
    (m, Functions::log::<MODE>(sum))
}

/// `out[r][c] = a[r] softmax(x)[r][c] - b[r] w[c]`, or added to it; `ab(r)` gives the two numbers of a row, or `None`
/// for one without a cotangent.
pub fn slopes<T: Functions>(
    x: (&[T], Dims),
    sums: [&[T]; 2],
    w: Option<&[T]>,
    ab: impl Fn(usize) -> Option<(T, T)> + Sync,
    out: &mut [T],
    accumulate: bool,
) {
    let (x, dims) = x;
    assert!(x.len() == out.len() && w.is_none_or(|w| w.len() == dims.classes));
    assert!(x.len() == dims.rows() * dims.classes && sums.iter().all(|s| s.len() == dims.rows()));
    let Dims { outer, classes, inner } = dims;
    let Some(count) = threads::units(outer, classes * inner) else {
        return run_apart(Slopes { x, dims, first: 0, sums, w, ab: &ab, out, accumulate });
    };
    let len = count * classes * inner;
    threads::each(x.chunks(len).zip(out.chunks_mut(len)).enumerate(), |(k, (x, out))| {
        let outer = x.len() / (classes * inner);
        let (dims, first) = (Dims { outer, ..dims }, k * count * inner);
        run_apart(Slopes { x, dims, first, sums, w, ab: &ab, out, accumulate });
    });
}

struct Slopes<'a, T, F> {
    x: &'a [T],
    dims: Dims,
    /// The first row of `x`, counted as `sums` and `ab` do.
    first: usize,
    sums: [&'a [T]; 2],
    w: Option<&'a [T]>,
    ab: &'a F,
    out: &'a mut [T],
    accumulate: bool,
}

impl<T: Functions, F: Fn(usize) -> Option<(T, T)>> Kernel for Slopes<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let Dims { outer, classes, inner } = self.dims;
        if self.x.is_empty() {
            return;
        }
        if inner == 1 && !are_few(classes) {
            let rows = self.x.chunks_exact(classes).zip(self.out.chunks_exact_mut(classes));
            for (r, (x, out)) in (self.first..).zip(rows) {
                let ab = (self.ab)(r);
                slope_row::<T, MODE>(x, [self.sums[0][r], self.sums[1][r]], self.w, ab, out, self.accumulate);
            }
            return;
        }
        if inner == 1 {
            let mut tile = Tile::new(classes);
            let blocks = self.x.chunks(classes * WIDTH).zip(self.out.chunks_mut(classes * WIDTH));
            for (k, (x, out)) in blocks.enumerate() {
                tile.load(x);
                let columns = Columns::new(self.sums, self.ab, self.first + k * WIDTH, x.len() / classes);
                for (c, lanes) in tile.lanes_mut().iter_mut().enumerate() {
                    let (x, w) = (*lanes, self.w.map_or(T::one(), |w| w[c]));
                    columns.slopes::<MODE>(&x, w, false, lanes);
                }
                tile.store(self.accumulate, out);
            }
            return;
        }
        for o in 0..outer {
            for first in (0..inner).step_by(WIDTH) {
                let n = WIDTH.min(inner - first);
                let columns = Columns::new(self.sums, self.ab, self.first + o * inner + first, n);
                for c in 0..classes {
                    let at = (o * classes + c) * inner + first;
                    let w = self.w.map_or(T::one(), |w| w[c]);
                    columns.slopes::<MODE>(&self.x[at..], w, self.accumulate, &mut self.out[at..]);
                }
            }
        }
    }
}

/// What is known of rows that stand side by side.
struct Columns<T> {
    sums: [Lanes<T>; 2],
    ab: [Lanes<T>; 2],
    /// Whether a row has a cotangent.
    counts: [bool; WIDTH],
    len: usize,
}

impl<T: Functions> Columns<T> {
    /// `n` rows from row `first` on.
    #[inline(always)]
    fn new(sums: [&[T]; 2], ab: &impl Fn(usize) -> Option<(T, T)>, first: usize, n: usize) -> Self {
        let sums = [filled(&sums[0][first..][..n]), filled(&sums[1][first..][..n])];
        let mut columns = Columns { sums, ab: [[T::zero(); WIDTH]; 2], counts: [false; WIDTH], len: n };
        for j in 0..n {
            if let Some((a, b)) = ab(first + j) {
                (columns.ab[0][j], columns.ab[1][j], columns.counts[j]) = (a, b, true);
            }
        }
        columns
    }

    /// The results for one class, of weight `w`, or those added.
    #[inline(always)]
    fn slopes<const MODE: u8>(&self, x: &[T], w: T, accumulate: bool, out: &mut [T]) {
        let n = self.len;
        let ([m, s], [a, b]) = (&self.sums, &self.ab);
        let (x, out, m, s) = (&x[..n], &mut out[..n], &m[..n], &s[..n]);
        let (a, b, counts) = (&a[..n], &b[..n], &self.counts[..n]);
        for j in 0..n {
            let value = a[j] * Functions::exp_low::<MODE>((x[j] - m[j]) - s[j]) - b[j] * w;
            let value = if counts[j] { value } else { T::zero() };
            out[j] = if accumulate { out[j] + value } else { value };
        }
    }
}

/// The same for a row of more than a few classes.
#[inline(always)]
fn slope_row<T: Functions, const MODE: u8>(
    x: &[T],
    [m, s]: [T; 2],
    w: Option<&[T]>,
    ab: Option<(T, T)>,
    out: &mut [T],
    accumulate: bool,
) {
    let Some((a, b)) = ab else {
        if !accumulate {
            out.fill(T::zero());
        }
        return;
    };
    put(out, [x], accumulate, |[x]| a * Functions::exp_low::<MODE>((x - m) - s));
    match w {
        _ if b == T::zero() => {}
        Some(w) => change(out, [w], |out, [w]| out - b * w),
        None => change(out, [], |out, []| out - b),
    }
}
