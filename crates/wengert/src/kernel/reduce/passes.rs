//! The loops that reductions are made of, each compiled once for each level.

use crate::kernel::functions::Functions;
use crate::kernel::lanes;
use crate::kernel::level::{Kernel, run};
pub use crate::kernel::tile::WIDTH;

/// What is made of the elements `x` of a lane; each lane has its own `by`.
#[derive(Clone, Copy)]
pub enum Pass {
    /// `sum x`
    Sum,
    /// `sum (x - by)`
    Deviations,
    /// `sum (x - by)^2`
    Squares,
    /// `sum |x|`
    Sizes,
    /// `sum (x / by)^2`
    Ratios,
    /// `sum e^(x - by)`; `by` is the largest `x`, if the result matters.
    Exponentials,
    /// How many are `by`.
    Equal,
    /// How many are not 0; NaN if one is NaN.
    Nonzero,
    Product,
    /// NaN if there is one, as in all below.
    Largest,
    Smallest,
    /// Of the absolute values.
    LargestSize,
    SmallestSize,
}

impl Pass {
    /// The result over nothing.
    pub fn start<T: Functions>(self) -> T {
        match self {
            Pass::Product => T::one(),
            Pass::Largest | Pass::LargestSize => T::neg_infinity(),
            Pass::Smallest | Pass::SmallestSize => T::infinity(),
            _ => T::zero(),
        }
    }

    /// Joins the results of two parts of a lane.
    pub fn join<T: Functions>(self, a: T, b: T) -> T {
        match self {
            Pass::Product => a * b,
            Pass::Largest | Pass::LargestSize => largest(a, b),
            Pass::Smallest | Pass::SmallestSize => smallest(a, b),
            _ => a + b,
        }
    }
}

// A NaN is written anew: of a choice between `x` and `best` as it stands in memory, a masked store would be made, which
// takes ten times as long with AVX2.

#[inline(always)]
fn largest<T: Functions>(best: T, x: T) -> T {
    let larger = if best > x { best } else { x };
    if best.is_nan() { T::nan() } else { larger }
}

#[inline(always)]
fn smallest<T: Functions>(best: T, x: T) -> T {
    let smaller = if best < x { best } else { x };
    if best.is_nan() { T::nan() } else { smaller }
}

/// Rows of `width` elements of a matrix with `inner` columns, from column `first` on.
#[derive(Clone, Copy)]
pub struct Rows<'a, T> {
    pub x: &'a [T],
    pub inner: usize,
    pub first: usize,
    pub width: usize,
}

impl<'a, T> Rows<'a, T> {
    #[inline(always)]
    fn row(&self, k: usize) -> &'a [T] {
        &self.x[k * self.inner + self.first..][..self.width]
    }
}

/// Joins the elements of each row to one element of `out`; there is a `by` for each row, or one for all.
pub fn along_rows<T: Functions>(pass: Pass, rows: Rows<'_, T>, by: &[T], out: &mut [T]) {
    run(Along { pass, rows, by, out });
}

/// Joins `n` rows to `out`, column by column.
pub fn across_rows<T: Functions>(pass: Pass, rows: Rows<'_, T>, n: usize, by: &[T; WIDTH], out: &mut [T]) {
    run(Across { pass, rows, n, by, out });
}

/// One loop for each pass: the result over nothing, what is made of an element and its `by`, and what joins two results.
macro_rules! each_pass {
    ($self:ident) => {{
        let (zero, one, infinity) = (T::zero(), T::one(), T::infinity());
        let add = |a: T, b: T| a + b;
        let abs = |x: T| num_traits::Float::abs(x);
        match $self.pass {
            Pass::Sum => $self.each(zero, |x, _| x, add),
            Pass::Deviations => $self.each(zero, |x, by| x - by, add),
            Pass::Squares => $self.each(zero, |x, by| (x - by) * (x - by), add),
            Pass::Sizes => $self.each(zero, |x, _| abs(x), add),
            Pass::Ratios => $self.each(zero, |x, by| (x / by) * (x / by), add),
            Pass::Exponentials => $self.each(zero, |x, by| Functions::exp_low::<MODE>(x - by), add),
            Pass::Equal => $self.each(zero, |x, by| if x == by { one } else { zero }, add),
            Pass::Nonzero => $self.each(zero, |x, _| if x == zero || x.is_nan() { x } else { one }, add),
            Pass::Product => $self.each(one, |x, _| x, |a, b| a * b),
            Pass::Largest => $self.each(-infinity, |x, _| x, largest),
            Pass::Smallest => $self.each(infinity, |x, _| x, smallest),
            Pass::LargestSize => $self.each(-infinity, |x, _| abs(x), largest),
            Pass::SmallestSize => $self.each(infinity, |x, _| abs(x), smallest),
        }
    }};
}

struct Along<'a, T> {
    pass: Pass,
    rows: Rows<'a, T>,
    by: &'a [T],
    out: &'a mut [T],
}

impl<T: Functions> Along<'_, T> {
    #[inline(always)]
    fn each(self, start: T, term: impl Fn(T, T) -> T, join: impl Fn(T, T) -> T) {
        for (k, out) in self.out.iter_mut().enumerate() {
            let by = self.by[k.min(self.by.len() - 1)];
            *out = join(*out, lanes::fold([self.rows.row(k)], start, |[x]| term(x, by), &join));
        }
    }
}

impl<T: Functions> Kernel for Along<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        each_pass!(self);
    }
}

struct Across<'a, T> {
    pass: Pass,
    rows: Rows<'a, T>,
    n: usize,
    by: &'a [T; WIDTH],
    out: &'a mut [T],
}

impl<T: Functions> Across<'_, T> {
    #[inline(always)]
    fn each(self, start: T, term: impl Fn(T, T) -> T, join: impl Fn(T, T) -> T) {
        // Of known number, the results stay in registers. Exponentials would fill them by themselves.
        let cheap = !matches!(self.pass, Pass::Exponentials);
        if let Ok(out) = <&mut [T; WIDTH]>::try_from(&mut *self.out)
            && cheap
        {
            let mut results = *out;
            for k in 0..self.n {
                let row = self.rows.row(k).first_chunk::<WIDTH>().expect("as wide as `out`");
                for i in 0..WIDTH {
                    results[i] = join(results[i], term(row[i], self.by[i]));
                }
            }
            *out = results;
            return;
        }
        let mut results = [start; WIDTH];
        let (results, by) = (&mut results[..self.rows.width], &self.by[..self.rows.width]);
        results.copy_from_slice(self.out);
        for k in 0..self.n {
            for ((result, x), by) in results.iter_mut().zip(self.rows.row(k)).zip(by) {
                *result = join(*result, term(*x, *by));
            }
        }
        self.out.copy_from_slice(results);
    }
}

impl<T: Functions> Kernel for Across<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        each_pass!(self);
    }
}
