//! Stacks of tiny products: as many matrices as there are lanes side by side, each entry a vector over them.
//!
//! What becomes of a product does not depend on its neighbours, nor on how many of them there are.

use super::{Batched, Strided, StridedMut};
use crate::kernel::level::{Kernel, run};
use crate::kernel::real::Real;

/// Entries of either operand, and of a result, up to which this beats one product after the other: 6 x 6, or vectors.
const MOST: usize = 36;
/// Products from which it does.
const STACK: usize = 8;
/// Matrices side by side.
const WIDTH: usize = 16;

type Lanes<T> = [T; WIDTH];
type Entries<T> = [Lanes<T>; MOST];

/// Whether `count` products of this size are for [`multiply`].
pub fn serves(count: usize, size: [usize; 3]) -> bool {
    let [m, n, k] = size;
    let few = |rows: usize, columns: usize| (1..=MOST).contains(&rows.saturating_mul(columns));
    count >= STACK && few(m, k) && few(k, n) && few(m, n)
}

/// `c_i = beta c_i + alpha a_i b_i` for every `i < count`, where matrices of `c` lie `c_stride` apart.
///
/// # Panics
/// If an operand reaches outside its slice.
pub fn multiply<T: Real>(
    count: usize,
    size: [usize; 3],
    alpha: T,
    a: Batched<'_, T>,
    b: Batched<'_, T>,
    beta: T,
    c: StridedMut<'_, T>,
    c_stride: usize,
) {
    run(Multiply { count, size, alpha, a, b, beta, c, c_stride });
}

struct Multiply<'a, T> {
    count: usize,
    size: [usize; 3],
    alpha: T,
    a: Batched<'a, T>,
    b: Batched<'a, T>,
    beta: T,
    c: StridedMut<'a, T>,
    c_stride: usize,
}

impl<T: Real> Kernel for Multiply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let Multiply { count, size: [m, n, k], alpha, a, b, beta, c, c_stride } = self;
        let [mut at, mut bt] = [[[T::zero(); WIDTH]; MOST]; 2];
        for first in (0..count).step_by(WIDTH) {
            // Where there are fewer, the last one stands in all lanes that are left, and is written more than once.
            let lanes = |stride: usize| std::array::from_fn(|q| (first + q).min(count - 1) * stride);
            load(&a, [m, k], &lanes(a.stride), &mut at);
            load(&b, [k, n], &lanes(b.stride), &mut bt);
            let places = lanes(c_stride);
            for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let mut sums = [T::zero(); WIDTH];
                for l in 0..k {
                    let (a, b) = (&at[i * k + l], &bt[l * n + j]);
                    for q in 0..WIDTH {
                        sums[q] += a[q] * b[q];
                    }
                }
                let c = &mut c.data[place(c.offset, [c.row_stride, c.col_stride], [i, j])..];
                sums = sums.map(|sum| alpha * sum);
                if beta != T::zero() {
                    let old: Lanes<T> = std::array::from_fn(|q| c[places[q]]);
                    for q in 0..WIDTH {
                        sums[q] += beta * old[q];
                    }
                }
                for q in 0..WIDTH {
                    c[places[q]] = sums[q];
                }
            }
        }
    }
}

/// The entries of the matrices that start at `lanes`.
#[inline(always)]
fn load<T: Real>(
    from: &Batched<'_, T>,
    [rows, cols]: [usize; 2],
    lanes: &[usize; WIDTH],
    to: &mut Entries<T>,
) {
    let Strided { data, offset, row_stride, col_stride } = from.first;
    for (i, j) in (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j))) {
        let entry = &data[place(offset, [row_stride, col_stride], [i, j])..];
        to[i * cols + j] = std::array::from_fn(|q| entry[lanes[q]]);
    }
}

/// Where an entry of the first matrix lies.
#[inline(always)]
fn place(offset: usize, steps: [isize; 2], [i, j]: [usize; 2]) -> usize {
    offset.wrapping_add_signed(i as isize * steps[0] + j as isize * steps[1])
}
