//! The reverse of reading an array in row-major order: numbers are added to where they would have been read from.

use crate::kernel::lanes::{self, LANES};
use crate::kernel::level::{Kernel, run};
use crate::kernel::operand::add;
use crate::kernel::real::Real;
use crate::kernel::scratch::{self, Scratch, room};
use crate::kernel::tile::{self, Tile};
use crate::kernel::walk::Walk;

/// Adds `values`, elements `start..` in the order of `walk`, to where they belong in `data`.
pub fn scatter_add<T: Real>(data: &mut [T], walk: &Walk, start: usize, values: &[T]) {
    scatter_from(0, data, walk, start, values);
}

/// As [`scatter_add`] where the first element of `walk` belongs to place `first`, which may lie before what `data` begins with.
pub fn scatter_from<T: Real>(first: isize, data: &mut [T], walk: &Walk, start: usize, values: &[T]) {
    if let Some(rows) = walk.summed() {
        return scatter_sums(first, data, walk, rows, start, values);
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

/// As [`scatter_from`] where rows of `n` elements go to one place each, `side` of them side by side.
fn scatter_sums<T: Real>(
    first: isize,
    data: &mut [T],
    walk: &Walk,
    (side, n): (usize, usize),
    start: usize,
    values: &[T],
) {
    walk.groups((side, n), start, values.len(), |offset, at, range| {
        let (values, mut place) = (&values[range], (first + offset) as usize);
        let (head, rest) = values.split_at(values.len().min((n - at) % n));
        if !head.is_empty() {
            data[place] += pairwise_sum(head);
            place += 1;
        }
        let count = rest.len() / n;
        let (rows, tail) = rest.split_at(count * n);
        if count > 0 {
            run(SumEach { rows, n, sums: &mut data[place..][..count] });
        }
        if !tail.is_empty() {
            data[place + count] += pairwise_sum(tail);
        }
    });
}

/// Adds the sum of each row of `n` elements to one of `sums`.
struct SumEach<'a, T> {
    rows: &'a [T],
    n: usize,
    sums: &'a mut [T],
}

impl<T: Real> Kernel for SumEach<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let SumEach { rows, n, sums } = self;
        if n >= LANES {
            for (sum, row) in sums.iter_mut().zip(rows.chunks_exact(n)) {
                *sum += lanes::fold([row], T::zero(), |[x]| x, |a, b| a + b);
            }
            return;
        }
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
    if values.len() > BLOCKS * BLOCK {
        let middle = (values.len() / 2).next_multiple_of(BLOCK);
        return pairwise_sum(&values[..middle]) + pairwise_sum(&values[middle..]);
    }
    if values.len() < LANES {
        return values.iter().fold(T::zero(), |sum, v| sum + *v);
    }
    run(LaneSums(values))
}

/// Elements that are added to partial sums of their own, and how many such sums are added up one after the other.
const BLOCK: usize = 512;
const BLOCKS: usize = 4;
/// Partial sums of a block.
const WIDE: usize = 2 * LANES;

struct LaneSums<'a, T>(&'a [T]);

impl<T: Real> Kernel for LaneSums<'_, T> {
    type Output = T;
    #[inline(always)]
    fn call<const MODE: u8>(self) -> T {
        let (chunks, rest) = self.0.as_chunks::<WIDE>();
        let mut wide = [T::zero(); WIDE];
        for block in chunks.chunks(BLOCK / WIDE) {
            let mut own = [T::zero(); WIDE];
            for chunk in block {
                (0..WIDE).for_each(|i| own[i] += chunk[i]);
            }
            (0..WIDE).for_each(|i| wide[i] += own[i]);
        }
        let mut lanes = [T::zero(); LANES];
        for i in 0..LANES {
            lanes[i] = wide[i] + wide[i + LANES];
        }
        lanes::sum_onto(lanes, self.0, rest.len())
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
