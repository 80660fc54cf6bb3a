//! Transposes, tile by tile so that both sides stay in cache.

use crate::kernel::real::Real;
use crate::kernel::square::transpose_lines;

const TILE: usize = 8;

/// `out = a^T` on and above the diagonal of `out`, from the lower triangle of `a`; both `[n, n]`.
///
/// Below the diagonal `out` holds unspecified values.
pub fn lower_to_upper<T: Real>(a: &[T], n: usize, out: &mut [T]) {
    for (i, j) in lower_tiles(n) {
        let tile = turned(a, n, (i, j), (n - i, n - j));
        put(out, n, (j, i), (n - j, n - i), &tile);
    }
}

/// Replaces `a` by the transpose of its upper triangle; what was below the diagonal is lost, what ends up above is 0.
pub fn upper_to_lower<T: Real>(a: &mut [T], n: usize) {
    for (i, j) in lower_tiles(n) {
        let mut tile = turned(a, n, (j, i), (n - j, n - i));
        if i == j {
            for (p, row) in tile.iter_mut().enumerate() {
                row[p + 1..].fill(T::zero());
            }
        } else {
            put(a, n, (j, i), (n - j, n - i), &[[T::zero(); TILE]; TILE]);
        }
        put(a, n, (i, j), (n - i, n - j), &tile);
    }
}

/// `out = a^T`; `a: [rows, cols]`.
pub fn transpose<T: Real>(a: &[T], rows: usize, cols: usize, out: &mut [T]) {
    for i in (0..rows).step_by(TILE) {
        for j in (0..cols).step_by(TILE) {
            let tile = turned(a, cols, (i, j), (rows - i, cols - j));
            put(out, rows, (j, i), (cols - j, rows - i), &tile);
        }
    }
}

/// Replaces the square `a` by its transpose.
pub fn transpose_square<T: Real>(a: &mut [T], n: usize) {
    for (i, j) in lower_tiles(n) {
        let below = turned(a, n, (i, j), (n - i, n - j));
        let above = turned(a, n, (j, i), (n - j, n - i));
        put(a, n, (j, i), (n - j, n - i), &below);
        put(a, n, (i, j), (n - i, n - j), &above);
    }
}

/// First row and column of every tile that meets the lower triangle.
fn lower_tiles(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).step_by(TILE).flat_map(|i| (0..=i).step_by(TILE).map(move |j| (i, j)))
}

/// The tile of `a` at `(i, j)`, transposed; `left` bounds the rows and columns that exist, the rest is 0.
#[inline(always)]
fn turned<T: Real>(a: &[T], width: usize, (i, j): (usize, usize), left: (usize, usize)) -> [[T; TILE]; TILE] {
    let mut tile = [[T::zero(); TILE]; TILE];
    if left.0 >= TILE && left.1 >= TILE {
        let rows: [&[T; TILE]; TILE] =
            std::array::from_fn(|p| a[(i + p) * width + j..].first_chunk().expect("a whole tile"));
        transpose_lines(rows, |q, p, some| *tile[q][p..].first_chunk_mut().expect("within the tile") = some);
    } else {
        for p in 0..left.0.min(TILE) {
            for q in 0..left.1.min(TILE) {
                tile[q][p] = a[(i + p) * width + j + q];
            }
        }
    }
    tile
}

/// Writes what exists of a tile to `(i, j)` of `out`.
#[inline(always)]
fn put<T: Real>(
    out: &mut [T],
    width: usize,
    (i, j): (usize, usize),
    left: (usize, usize),
    tile: &[[T; TILE]; TILE],
) {
    if left.0 >= TILE && left.1 >= TILE {
        for (p, row) in tile.iter().enumerate() {
            *out[(i + p) * width + j..].first_chunk_mut().expect("a whole tile") = *row;
        }
        return;
    }
    let len = left.1.min(TILE);
    for (p, row) in tile.iter().enumerate().take(left.0) {
        out[(i + p) * width + j..][..len].copy_from_slice(&row[..len]);
    }
}
