//! Products of stacks of matrices that broadcast against each other, on strided slices.
//!
//! Invariant: nothing is copied. Batch axes are merged where one step serves all three operands, the innermost goes to
//! the batched GEMM (which makes one product of it where the strides allow), the others are walked.

use smallvec::SmallVec;

use crate::kernel::gemm::{Batched, BatchedMut, Gemm, Strided, StridedMut, Threads, gemm, gemm_batched};
use crate::kernel::threads::{available, each};
use crate::shape::{broadcast_strides, zeros};

type Steps = SmallVec<[isize; 4]>;

/// Multiply-adds from which more than one thread may pay.
const THREADED: usize = 1 << 20;

/// Matrices to read: the step along each batch axis (0 where it is broadcast), along rows and along columns.
#[derive(Clone, Debug)]
pub struct Stack<'a, T> {
    data: &'a [T],
    first: usize,
    steps: Steps,
    row: isize,
    col: isize,
}

/// Matrices to write, row-major one behind the other. Where a batch axis is broadcast, products are added up.
#[derive(Debug)]
pub struct StackMut<'a, T> {
    data: &'a mut [T],
    steps: Steps,
    row: isize,
    col: isize,
}

/// The steps along the axes of `batch` of row-major matrices one behind the other, `len` elements each, whose batch axes of lengths
/// `lead` are broadcast to it.
fn steps(lead: &[usize], len: usize, batch: &[usize]) -> Steps {
    let mut steps: Steps = zeros(batch.len());
    let mut step = len as isize;
    for ((to, &all), &own) in steps.iter_mut().zip(batch).rev().zip(lead.iter().rev()) {
        if own != 1 || all == 1 {
            *to = step;
        }
        step *= own as isize;
    }
    steps
}

impl<'a, T> Stack<'a, T> {
    /// Matrices the first of which begins at `data[first]`, with steps `[row, col]`, and batch axes of these lengths and strides.
    pub fn new(
        data: &'a [T],
        first: usize,
        (lead, strides): (&[usize], &[isize]),
        [row, col]: [isize; 2],
        batch: &[usize],
    ) -> Self {
        Stack { data, first, steps: broadcast_strides(lead, strides, batch), row, col }
    }

    /// Row-major matrices of `[rows, columns]` with batch axes `lead`, one behind the other.
    pub fn rows(data: &'a [T], lead: &[usize], [m, n]: [usize; 2], batch: &[usize]) -> Self {
        Stack { data, first: 0, steps: steps(lead, m * n, batch), row: n as isize, col: 1 }
    }

    /// The first matrix after `step` elements.
    fn at(&self, step: isize) -> Strided<'a, T> {
        let offset = self.first.wrapping_add_signed(step);
        Strided { data: self.data, offset, row_stride: self.row, col_stride: self.col }
    }

    /// The transposes.
    pub fn t(self) -> Self {
        Stack { row: self.col, col: self.row, ..self }
    }
}

impl<'a, T> StackMut<'a, T> {
    /// As [`Stack::rows`].
    pub fn rows(data: &'a mut [T], lead: &[usize], [m, n]: [usize; 2], batch: &[usize]) -> Self {
        StackMut { data, steps: steps(lead, m * n, batch), row: n as isize, col: 1 }
    }
}

/// `c = a b` for every matrix of the batch, or `c += a b`; sizes as `[m, n, k]`. O(batch m n k).
pub fn multiply<T: Gemm>(
    batch: &[usize],
    size: [usize; 3],
    a: &Stack<'_, T>,
    b: &Stack<'_, T>,
    c: StackMut<'_, T>,
    accumulate: bool,
) {
    if batch.contains(&0) {
        if !accumulate {
            c.data.fill(T::zero());
        }
        return;
    }
    let product = size.into_iter().fold(1, usize::saturating_mul);
    if batch.iter().all(|n| *n == 1) {
        let beta = if accumulate { T::one() } else { T::zero() };
        let c = StridedMut { data: c.data, offset: 0, row_stride: c.row, col_stride: c.col };
        return gemm(size, T::one(), a.at(0), b.at(0), beta, c, threads(product));
    }
    let mut axes = merged(batch, [&a.steps, &b.steps, &c.steps]);
    let (count, inner) = match axes.last() {
        Some(&(n, steps)) if steps.iter().all(|&s| s >= 0) => {
            axes.pop();
            (n, steps.map(isize::unsigned_abs))
        }
        _ => (1, [0; 3]),
    };
    let rounds: usize = axes.iter().map(|(n, _)| n).product();
    let work = count.saturating_mul(product);
    let one = |round: usize, data: &mut [T], from: usize, threads: Threads| {
        let (mut offsets, mut rest, mut first) = ([0; 3], round, true);
        for &(n, steps) in axes.iter().rev() {
            let at = rest % n;
            rest /= n;
            first &= at == 0 || steps[2] != 0;
            (0..3).for_each(|k| offsets[k] += at as isize * steps[k]);
        }
        let [a, b] = [(a, 0), (b, 1)].map(|(x, k)| Batched { first: x.at(offsets[k]), stride: inner[k] });
        let offset = offsets[2].unsigned_abs() - from;
        let target = StridedMut { data, offset, row_stride: c.row, col_stride: c.col };
        let beta = if accumulate || !first { T::one() } else { T::zero() };
        let target = BatchedMut { first: target, stride: inner[2] };
        gemm_batched(count, size, T::one(), a, b, beta, target, threads);
    };
    // Where every round has a part of the result to itself, threads take whole rounds.
    let apart = (count == 1 || inner[2] != 0) && axes.iter().all(|(_, steps)| steps[2] != 0);
    if apart && rounds > 1 && work < 2 * THREADED && threads(work.saturating_mul(rounds)) != Threads::ONE {
        let part = c.data.len() / rounds;
        return each(c.data.chunks_mut(part).enumerate(), |(k, c)| one(k, c, k * part, Threads::ONE));
    }
    (0..rounds).for_each(|round| one(round, &mut *c.data, 0, threads(work)));
}

/// The batch axes with their steps in the three operands, merged where one step serves.
fn merged(batch: &[usize], steps: [&[isize]; 3]) -> SmallVec<[(usize, [isize; 3]); 4]> {
    let mut axes: SmallVec<[(usize, [isize; 3]); 4]> = SmallVec::new();
    for (axis, &n) in batch.iter().enumerate().filter(|(_, n)| **n != 1) {
        let inner = steps.map(|s| s[axis]);
        match axes.last_mut() {
            Some((outer, step)) if (0..3).all(|k| step[k] == inner[k] * n as isize) => {
                (*outer, *step) = (*outer * n, inner);
            }
            _ => axes.push((n, inner)),
        }
    }
    axes
}

/// How many threads may share this many multiply-adds.
pub fn threads(work: usize) -> Threads {
    if work < THREADED { Threads::ONE } else { Threads(available()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(len: usize) -> Vec<f64> {
        (0..len).map(|i| ((i * 37) % 19) as f64 - 9.0).collect()
    }

    /// Every way to broadcast three batch axes, transposed operands included, against plain loops.
    #[test]
    fn broadcast_batches_equal_plain_loops() {
        let (batch, [m, n, k]) = ([2, 3, 2], [2, 3, 4]);
        let choose = |bits: usize| -> Vec<usize> {
            (0..3).map(|axis| if bits >> axis & 1 == 1 { batch[axis] } else { 1 }).collect()
        };
        for bits in 0..512 {
            let lead = [bits & 7, bits >> 3 & 7, bits >> 6].map(choose);
            let [la, lb, lc] = &lead;
            let shape = |k: usize, rows, cols| [&lead[k][..], &[rows, cols]].concat();
            let (sa, sb, sc) = (shape(0, m, k), shape(1, n, k), shape(2, m, n));
            let [a, b, c] = [&sa, &sb, &sc].map(|s| numbers(s.iter().product()));
            let at = |s: &[usize], index: [usize; 5]| {
                s.iter().zip(index).fold(0, |at, (&n, i)| at * n + if n == 1 { 0 } else { i })
            };
            for accumulate in [false, true] {
                let mut want = if accumulate { c.clone() } else { vec![0.0; c.len()] };
                for i in 0..batch.iter().product::<usize>() * m * n * k {
                    let (q, j, l) = (i / k, i / k % n, i % k);
                    let (row, q) = (q / n % m, q / n / m);
                    let (x, y, z) = (q / 6, q / 2 % 3, q % 2);
                    want[at(&sc, [x, y, z, row, j])] +=
                        a[at(&sa, [x, y, z, row, l])] * b[at(&sb, [x, y, z, j, l])];
                }
                let mut have = c.clone();
                let left = Stack::rows(&a, la, [m, k], &batch);
                let right = Stack::rows(&b, lb, [n, k], &batch).t();
                let result = StackMut::rows(&mut have, lc, [m, n], &batch);
                multiply(&batch, [m, n, k], &left, &right, result, accumulate);
                assert_eq!(have, want, "{sa:?} {sb:?} {sc:?} {accumulate}");
            }
        }
    }

    #[test]
    fn nothing_to_add_up_is_zero() {
        let mut c = [7.0; 4];
        let (a, b) = (Stack::rows(&[], &[0], [2, 3], &[0]), Stack::rows(&[1.0; 6], &[], [3, 2], &[0]));
        multiply(&[0], [2, 2, 3], &a, &b, StackMut::rows(&mut c, &[], [2, 2], &[0]), true);
        assert_eq!(c, [7.0; 4]);
        multiply(&[0], [2, 2, 3], &a, &b, StackMut::rows(&mut c, &[], [2, 2], &[0]), false);
        assert_eq!(c, [0.0; 4]);
    }
}
