//! The reverse of reading an array in row-major order: numbers are added to where they would have been read from.

use crate::kernel::elementwise::zip_vjp;
use crate::kernel::functions::Functions;
use crate::kernel::lanes::{self, LANES};
use crate::kernel::level::{Kernel, run};
use crate::kernel::operand::add;
use crate::kernel::real::Real;
use crate::kernel::scratch::{self, Scratch, room};
use crate::kernel::tile::{self, Tile};
use crate::kernel::walk::{SHORT, Walk};
use crate::op::Binary;

/// Adds `values`, elements `start..` in the order of `walk`, to where they belong in `data`.
pub fn scatter_add<T: Real>(data: &mut [T], walk: &Walk, start: usize, values: &[T]) {
    scatter_from(0, data, walk, start, values);
}

/// As [`scatter_add`] where the first element of `walk` belongs to place `first`, which may lie before what `data` begins with.
pub fn scatter_from<T: Real>(first: isize, data: &mut [T], walk: &Walk, start: usize, values: &[T]) {
    if let Some(rows) = walk.summed() {
        return scatter_sums(first, data, walk, rows, start, [values]);
    }
    let Some((rows, inner)) = walk.repeated() else {
        return scatter_runs(first, data, walk, start, values);
    };
    scratch::with(|Scratch { dense: [sum, ..], .. }| {
        let sum = room(sum, ROWS / 2);
        let mut done = 0;
        while done < values.len() {
            // Whole rows, if not the first one: rows that begin in the middle are as good.
            let left = (values.len() - done).min(rows * inner - (start + done) % (rows * inner));
            let len = left.min(ROWS / inner * inner);
            let part = &values[done..][..if len > inner { len / inner * inner } else { len }];
            if part.len() > inner {
                run(SumRows { rows: part, inner, sum });
                scatter_runs(first, data, walk, start + done, &sum[..inner]);
            } else {
                scatter_runs(first, data, walk, start + done, part);
            }
            done += part.len();
        }
    });
}

/// Whether products can be added up as they are computed where `walk` has them: long rows, each of which goes to one place, or
/// to a row of places.
pub fn sums_products(walk: &Walk) -> bool {
    match walk.axes[..] {
        [.., (_, 1), (n, 0)] => n >= LANES,
        [.., (n, 1)] => n > SHORT,
        _ => false,
    }
}

/// As [`scatter_from`], of the products of two arrays, where [`sums_products`] says so.
pub fn scatter_products<T: Functions>(
    first: isize,
    data: &mut [T],
    walk: &Walk,
    start: usize,
    [a, b]: [&[T]; 2],
) {
    if let Some(rows) = walk.summed() {
        return scatter_sums(first, data, walk, rows, start, [a, b]);
    }
    walk.runs(start, a.len(), |offset, step, range| {
        assert_eq!(step, 1);
        let [a, b] = [a, b].map(|x| &x[range.clone()]);
        let sums = &mut data[(first + offset) as usize..][..a.len()];
        // As the cotangent of a factor is added to what is there.
        zip_vjp(Binary::Mul, 0, [b, b], b, a, sums, true);
    });
}

/// As [`scatter_from`] where rows of `n` elements, or of their products, go to one place each, `side` of them side by side.
fn scatter_sums<T: Real, const N: usize>(
    first: isize,
    data: &mut [T],
    walk: &Walk,
    (side, n): (usize, usize),
    start: usize,
    x: [&[T]; N],
) {
    walk.groups((side, n), start, x[0].len(), |offset, at, range| {
        let (len, mut place) = (range.len(), (first + offset) as usize);
        let part = |from: usize, to: usize| x.map(|x| &x[range.clone()][from..to]);
        let head = len.min((n - at) % n);
        if head > 0 {
            data[place] += pairwise(part(0, head));
            place += 1;
        }
        let count = (len - head) / n;
        let tail = head + count * n;
        if count > 0 {
            let (rows, sums) = (part(head, tail), &mut data[place..][..count]);
            match n >= LANES {
                true => run(SumEach { rows, n, sums }),
                false => {
                    assert_eq!(N, 1, "only long rows are summed as products");
                    run(SumShort { rows: rows[0], n, sums });
                }
            }
        }
        if tail < len {
            data[place + count] += pairwise(part(tail, len));
        }
    });
}

/// Adds the sum of each row of `n` elements, [`LANES`] or more, or of their products, to one of `sums`.
struct SumEach<'a, T, const N: usize> {
    rows: [&'a [T]; N],
    n: usize,
    sums: &'a mut [T],
}

impl<T: Real, const N: usize> Kernel for SumEach<'_, T, N> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        for (k, sum) in self.sums.iter_mut().enumerate() {
            let mut row = self.rows;
            for x in &mut row {
                *x = &x[k * self.n..][..self.n];
            }
            *sum += lanes::fold(row, T::zero(), product, |a, b| a + b);
        }
    }
}

/// Adds the sum of each row of `n` elements, fewer than [`LANES`], to one of `sums`.
struct SumShort<'a, T> {
    rows: &'a [T],
    n: usize,
    sums: &'a mut [T],
}

impl<T: Real> Kernel for SumShort<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let SumShort { rows, n, sums } = self;
        let mut tile = Tile::new(n);
        for (sums, rows) in sums.chunks_mut(tile::WIDTH).zip(rows.chunks(n * tile::WIDTH)) {
            tile.load(rows);
            let mut all = [T::zero(); tile::WIDTH];
            for lanes in tile.lanes() {
                (0..tile::WIDTH).for_each(|r| all[r] += lanes[r]);
            }
            sums.iter_mut().zip(all).for_each(|(sum, row)| *sum += row);
        }
    }
}

fn scatter_runs<T: Real>(first: isize, data: &mut [T], walk: &Walk, start: usize, values: &[T]) {
    walk.runs(start, values.len(), |offset, step, range| {
        let from = (first + offset) as usize;
        let values = &values[range];
        match step {
            0 => data[from] += pairwise_sum(values),
            1 => add(&mut data[from..][..values.len()], values),
            _ => values.iter().enumerate().for_each(|(k, v)| data[from + k * step as usize] += *v),
        }
    });
}

/// Elements of short rows that are added up before they are added to anything.
const ROWS: usize = 1024;

/// Adds up at least two rows, half of them to the other half as long as there are several: the loops are long then, and
/// the rounding error is that of a sum by halves.
struct SumRows<'a, T> {
    rows: &'a [T],
    inner: usize,
    sum: &'a mut [T],
}

impl<T: Real> Kernel for SumRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let SumRows { rows, inner, sum } = self;
        let mut count = rows.len() / inner;
        let (low, high) = rows.split_at(count / 2 * inner);
        sum.iter_mut().zip(low.iter().zip(high)).for_each(|(sum, (a, b))| *sum = *a + *b);
        if count % 2 == 1 {
            sum.iter_mut().zip(&rows[(count - 1) * inner..]).for_each(|(sum, x)| *sum += *x);
        }
        count /= 2;
        while count > 1 {
            let (low, high) = sum[..count * inner].split_at_mut(count / 2 * inner);
            low.iter_mut().zip(&*high).for_each(|(low, high)| *low += *high);
            if count % 2 == 1 {
                let last = high.len() - inner;
                low.iter_mut().zip(&high[last..]).for_each(|(low, high)| *low += *high);
            }
            count /= 2;
        }
    }
}

/// The sum by halves: its rounding error grows with the logarithm of the length.
pub fn pairwise_sum<T: Real>(values: &[T]) -> T {
    pairwise([values])
}

/// The sum of the products of two slices, with the bits of [`pairwise_sum`] of the products.
pub fn pairwise_dot<T: Real>(factors: [&[T]; 2]) -> T {
    pairwise(factors)
}

/// The sum of the elements of a slice, or of the products of several.
fn pairwise<T: Real, const N: usize>(x: [&[T]; N]) -> T {
    let len = x[0].len();
    if len > BLOCKS * BLOCK {
        let middle = (len / 2).next_multiple_of(BLOCK);
        return pairwise(x.map(|x| &x[..middle])) + pairwise(x.map(|x| &x[middle..]));
    }
    if len < LANES {
        return (0..len).fold(T::zero(), |sum, i| sum + product(x.map(|x| x[i])));
    }
    run(LaneSums(x))
}

/// The product of a few numbers, rounded as it would be alone.
#[inline(always)]
fn product<T: Real, const N: usize>(factors: [T; N]) -> T {
    let mut product = factors[0];
    for n in 1..N {
        product *= factors[n];
    }
    product
}

/// Elements that are added to partial sums of their own, and how many such sums are added up one after the other.
const BLOCK: usize = 512;
const BLOCKS: usize = 4;
/// Partial sums of a block.
const WIDE: usize = 2 * LANES;

struct LaneSums<'a, T, const N: usize>([&'a [T]; N]);

impl<T: Real, const N: usize> Kernel for LaneSums<'_, T, N> {
    type Output = T;
    #[inline(always)]
    fn call<const MODE: u8>(self) -> T {
        let whole = self.0[0].len() / WIDE;
        let chunks = lanes::chunks::<T, N, WIDE>(self.0, whole);
        let mut wide = [T::zero(); WIDE];
        for from in (0..whole).step_by(BLOCK / WIDE) {
            let mut own = [T::zero(); WIDE];
            for k in from..whole.min(from + BLOCK / WIDE) {
                let x = lanes::nth(&chunks, k);
                (0..WIDE).for_each(|i| own[i] += product(lanes::lane(&x, i)));
            }
            (0..WIDE).for_each(|i| wide[i] += own[i]);
        }
        let mut lanes = [T::zero(); LANES];
        for i in 0..LANES {
            lanes[i] = wide[i] + wide[i + LANES];
        }
        lanes::sum_onto(lanes, self.0, self.0[0].len() - whole * WIDE, product)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scatter_is_the_adjoint_of_load() {
        let mut data = [0.0; 3];
        scatter_add(&mut data, &Walk::new(&[2, 3], &[0, 1]), 0, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(data, [5.0, 7.0, 9.0]);
        let mut data = [0.0; 2];
        scatter_add(&mut data, &Walk::new(&[2, 3], &[1, 0]), 0, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(data, [6.0, 15.0]);
    }

    #[test]
    fn products_are_summed_to_the_bits_of_the_sums_of_products() {
        let [a, b] =
            [3, 7].map(|by| (0..6000).map(|k| ((k * by) % 101) as f32 * 0.37 - 17.0).collect::<Vec<_>>());
        let products: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a * b).collect();
        for len in (0..100).chain([511, 512, 1024, 2047, 2048, 2049, 4097, 6000]) {
            assert_eq!(pairwise_dot([&a[..len], &b[..len]]), pairwise_sum(&products[..len]), "{len}");
        }
        let rows = [(LANES, [1, 0]), (40, [1, 0]), (100, [1, 0]), (200, [0, 1]), (150, [151, 1])];
        for (n, steps) in rows {
            let (count, walk) = (6000 / n, Walk::new(&[6000 / n, n], &steps));
            assert!(sums_products(&walk));
            for (start, end) in [(0, count * n), (3, 20 * n), (n / 2, n / 2 + 5), (n + 1, 7 * n - 2)] {
                let (mut have, mut want) = ([1.0; 6100], [1.0; 6100]);
                scatter_products(0, &mut have, &walk, start, [&a[start..end], &b[start..end]]);
                scatter_add(&mut want, &walk, start, &products[start..end]);
                assert_eq!(have, want, "{n} {start} {end}");
            }
        }
        for (shape, steps) in [([60, 5], [1, 0]), ([60, 40], [0, 1]), ([60, 200], [1, 60])] {
            assert!(!sums_products(&Walk::new(&shape, &steps)));
        }
    }

    #[test]
    fn what_goes_to_one_place_is_added_up_from_anywhere_to_anywhere() {
        let repeated = [([1, 9, 7], [0, 0, 1], 7), ([3, 5, 4], [8, 0, 2], 24), ([2, 600, 3], [3, 0, 1], 6)];
        let filled = [([3, 20, 5], [40, 2, 0], 120), ([2, 9, 100], [0, 1, 0], 9), ([1, 1, 40], [0, 0, 0], 1)];
        for (shape, steps, len) in repeated.into_iter().chain(filled) {
            let walk = Walk::new(&shape, &steps);
            let [n, m] = [shape[1], shape[2]];
            let place = |k: usize| {
                [k / (n * m), k / m % n, k % m]
                    .iter()
                    .zip(steps)
                    .map(|(i, step)| i * step as usize)
                    .sum::<usize>()
            };
            let values: Vec<f64> = (0..shape.iter().product()).map(|k| ((k * 7) % 23) as f64).collect();
            for (start, end) in (0..values.len()).step_by(5).flat_map(|i| [(i, values.len()), (i / 3, i)]) {
                let (mut have, mut want) = (vec![1.0; len], vec![1.0; len]);
                scatter_add(&mut have, &walk, start, &values[start..end]);
                (start..end).for_each(|k| want[place(k)] += values[k]);
                assert_eq!(have, want, "{shape:?} {start} {end}");
            }
        }
    }
}
