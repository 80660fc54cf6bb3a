//! Transposes of square blocks, tile by tile so that both sides stay in cache.

use crate::kernel::real::Real;

const TILE: usize = 8;

/// `out = a^T` on and above the diagonal of `out`, from the lower triangle of `a`; both `[n, n]`.
///
/// Below the diagonal `out` holds unspecified values.
pub fn lower_to_upper<T: Real>(a: &[T], n: usize, out: &mut [T]) {
    for (i0, j0) in tiles(n) {
        let (i1, j1) = (n.min(i0 + TILE), n.min(j0 + TILE));
        for j in j0..j1 {
            for i in i0..i1 {
                out[j * n + i] = a[i * n + j];
            }
        }
    }
}

/// Replaces `a` by the transpose of its upper triangle; what was below the diagonal is lost, what ends up above is 0.
pub fn upper_to_lower<T: Real>(a: &mut [T], n: usize) {
    for (i0, j0) in tiles(n) {
        let (i1, j1) = (n.min(i0 + TILE), n.min(j0 + TILE));
        for i in i0..i1 {
            for j in j0..j1.min(i) {
                a[i * n + j] = a[j * n + i];
            }
        }
        for j in j0..j1 {
            for i in i0.max(j + 1)..i1 {
                a[j * n + i] = T::zero();
            }
        }
    }
}

/// First row and column of every tile that meets the lower triangle.
fn tiles(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).step_by(TILE).flat_map(|i| (0..=i).step_by(TILE).map(move |j| (i, j)))
}

/// `out = a^T`; `a: [rows, cols]`.
pub fn transpose<T: Real>(a: &[T], rows: usize, cols: usize, out: &mut [T]) {
    for i0 in (0..rows).step_by(TILE) {
        for j0 in (0..cols).step_by(TILE) {
            let (i1, j1) = (rows.min(i0 + TILE), cols.min(j0 + TILE));
            for j in j0..j1 {
                for i in i0..i1 {
                    out[j * rows + i] = a[i * cols + j];
                }
            }
        }
    }
}
