//! Triangular systems: substitution on small triangles, products between them.

use super::raw::{Gemm, Solve};
use super::{Place, Spot, Strided, StridedMut, Threads, choose};

/// Which triangle of a matrix is read, and whether its diagonal counts as 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triangle {
    /// Lower, else upper.
    pub lower: bool,
    /// The diagonal is not read and counts as 1.
    pub unit: bool,
}

impl Triangle {
    /// The lower triangle.
    pub const LOWER: Triangle = Triangle { lower: true, unit: false };
    /// The upper triangle.
    pub const UPPER: Triangle = Triangle { lower: false, unit: false };
    /// The lower triangle with ones on the diagonal.
    pub const UNIT_LOWER: Triangle = Triangle { lower: true, unit: true };
    /// The upper triangle with ones on the diagonal.
    pub const UNIT_UPPER: Triangle = Triangle { lower: false, unit: true };
}

/// Rows that substitution handles without a product in between.
const SMALL: usize = 64;
/// The same for a few right sides, where substitution cannot fill a register.
const SMALL_FEW: usize = 12;
/// Rows and right sides up to which a system is solved entry by entry.
const TINY: usize = 4;

/// Solves `l x = b` in place of `b`.
///
/// `l: [n, n]`, of which only the triangle that `shape` names is read (transpose it by [`Strided::t`], which
/// swaps lower and upper), `b: [n, cols]`. A zero on the diagonal gives infinities and NaN. O(n^2 cols).
///
/// # Panics
/// If an operand reaches outside its slice, or elements of `b` overlap.
pub fn solve_triangular<T: Gemm>(
    n: usize,
    cols: usize,
    shape: Triangle,
    l: Strided<'_, T>,
    b: StridedMut<'_, T>,
    threads: Threads,
) {
    run(Solve::new(n, cols, shape, l, b), threads);
}

/// [`solve_triangular`] where `b`, and `l` if so placed, are blocks of the row-major `matrix`.
///
/// # Panics
/// If a block is outside the matrix, or the two overlap.
pub fn solve_within<T: Gemm>(
    matrix: &mut [T],
    width: usize,
    n: usize,
    cols: usize,
    shape: Triangle,
    l: Place<'_, T>,
    b: Spot,
    threads: Threads,
) {
    run(Solve::within(matrix, width, n, cols, shape, l, b), threads);
}

fn run<T: Gemm>(system: Solve<'_, T>, threads: Threads) {
    let [n, cols] = system.size();
    if n == 0 || cols == 0 {
        return;
    }
    if n.max(cols) <= TINY {
        return system.substitute_plainly();
    }
    let few = cols <= 4 || !system.rows_are_contiguous();
    if n > if few { SMALL_FEW } else { SMALL } {
        let (first, product, rest) = system.split((n / 2).next_multiple_of(8).min(n - 1));
        run(first, threads);
        choose::run(product, threads);
        run(rest, threads);
    } else if system.rows_are_contiguous() {
        system.substitute();
    } else {
        system.substitute_each();
    }
}
