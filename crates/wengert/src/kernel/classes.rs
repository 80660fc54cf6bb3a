//! Log-sum-exp over classes and its cotangent, for arrays `[outer, classes, inner]` in row-major order.
//!
//! The logarithm is kept in two parts, the largest element and the logarithm of the rest: their sum would lose the
//! digits of a small loss next to large logits.

use crate::kernel::functions::Functions;
use crate::kernel::lanes;
use crate::kernel::level::{Kernel, run_apart};
use crate::kernel::threads;

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

/// Columns worked on at a time where the classes are not innermost.
const COLUMNS: usize = 64;

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
        let out = self.largest.iter_mut().zip(self.log_sum.iter_mut());
        if inner == 1 {
            for (x, (m, s)) in self.x.chunks_exact(classes).zip(out) {
                (*m, *s) = row_sum::<T, MODE>(x);
            }
            return;
        }
        let blocks = self.largest.chunks_mut(inner.max(1)).zip(self.log_sum.chunks_mut(inner.max(1)));
        for (x, (m, s)) in self.x.chunks_exact((classes * inner).max(1)).zip(blocks) {
            m.fill(T::neg_infinity());
            for x in x.chunks_exact(inner) {
                m.iter_mut().zip(x).for_each(|(m, x)| *m = if *x > *m { *x } else { *m });
            }
            m.iter_mut().for_each(|m| *m = if m.is_finite() { *m } else { T::zero() });
            s.fill(T::zero());
            for x in x.chunks_exact(inner) {
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
        if inner == 1 {
            let rows = self.x.chunks_exact(classes).zip(self.out.chunks_exact_mut(classes));
            for (r, (x, out)) in (self.first..).zip(rows) {
                let ab = (self.ab)(r);
                slope_row::<T, MODE>(x, [self.sums[0][r], self.sums[1][r]], self.w, ab, out, self.accumulate);
            }
            return;
        }
        for o in 0..outer {
            for first in (0..inner).step_by(COLUMNS) {
                let n = COLUMNS.min(inner - first);
                let r = self.first + o * inner + first;
                let (m, s) = (&self.sums[0][r..][..n], &self.sums[1][r..][..n]);
                let mut rows = [None; COLUMNS];
                (0..n).for_each(|j| rows[j] = (self.ab)(r + j));
                for c in 0..classes {
                    let at = (o * classes + c) * inner + first;
                    let w = self.w.map_or(T::one(), |w| w[c]);
                    let (x, out) = (&self.x[at..][..n], &mut self.out[at..][..n]);
                    for j in 0..n {
                        let value = rows[j].map_or(T::zero(), |(a, b)| {
                            a * Functions::exp::<MODE>((x[j] - m[j]) - s[j]) - b * w
                        });
                        out[j] = if self.accumulate { out[j] + value } else { value };
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn slope_row<T: Functions, const MODE: u8>(
    x: &[T],
    [m, s]: [T; 2],
    w: Option<&[T]>,
    ab: Option<(T, T)>,
    out: &mut [T],
    accumulate: bool,
) {
    let put = |out: &mut T, value: T| *out = if accumulate { *out + value } else { value };
    match (ab, w) {
        (None, _) if accumulate => {}
        (None, _) => out.fill(T::zero()),
        (Some((a, b)), None) => {
            out.iter_mut().zip(x).for_each(|(out, x)| put(out, a * Functions::exp::<MODE>((*x - m) - s) - b));
        }
        (Some((a, b)), Some(w)) => {
            let places = out.iter_mut().zip(x.iter().zip(w));
            places.for_each(|(out, (x, w))| put(out, a * Functions::exp::<MODE>((*x - m) - s) - b * *w));
        }
    }
}
