//! Copies of arrays whose neighbours in memory do not become neighbours: tile by tile, so that a line of memory that was
//! fetched, or is written, serves all its elements.

use std::ops::Range;

use crate::kernel::square::transpose_lines;
use crate::memory::Plain;

/// Matrices `[rows, inner]` with their steps from row to row and from column to column.
#[derive(Clone, Copy)]
pub struct Turned {
    pub rows: usize,
    pub inner: usize,
    pub down: isize,
    pub along: isize,
}

/// Copies the elements `from..` in row-major order of the matrix that starts at `first`.
pub fn turn<A: Plain>(data: &[A], first: usize, turned: Turned, from: usize, out: &mut [A]) {
    let inner = turned.inner;
    let end = from + out.len();
    let ((top, left), (bottom, right)) = ((from / inner, from % inner), (end / inner, end % inner));
    // The first row may begin, and the last one end, in the middle: columns between two of these have the same rows.
    let cuts = [0, left.min(right), left.max(right), inner];
    for columns in cuts.windows(2) {
        let (begin, end) = (columns[0], columns[1]);
        let rows = top + usize::from(begin < left)..bottom + usize::from(begin < right);
        tiles(data, first, turned, (rows, begin..end), inner, from, out);
    }
}

/// Copies an array of these lengths and steps, whose first element is `first`, to `out` in row-major order; along the axis
/// `nearest`, not the last one, its neighbours lie.
pub fn copy_turned<A: Plain>(
    data: &[A],
    first: usize,
    axes: &[(usize, isize)],
    nearest: usize,
    out: &mut [A],
) {
    let (&(inner, along), outer) = axes.split_last().expect("at least two axes");
    let (rows, down) = axes[nearest];
    let turned = Turned { rows, inner, down, along };
    let pitch = inner * outer[nearest + 1..].iter().map(|(n, _)| n).product::<usize>();
    for plane in 0..outer.iter().map(|(n, _)| n).product::<usize>() / rows {
        let (mut rest, mut size) = (plane, inner);
        let (mut at, mut to) = (first, 0);
        for (k, &(n, step)) in outer.iter().enumerate().rev() {
            if k != nearest {
                at = at.wrapping_add_signed((rest % n) as isize * step);
                to += rest % n * size;
                rest /= n;
            }
            size *= n;
        }
        tiles(data, at, turned, (0..rows, 0..inner), pitch, 0, &mut out[to..]);
    }
}

/// Copies a part of a matrix; element `(r, c)` goes to `r * pitch + c - from`.
fn tiles<A: Plain>(
    data: &[A],
    first: usize,
    turned: Turned,
    part: (Range<usize>, Range<usize>),
    pitch: usize,
    from: usize,
    out: &mut [A],
) {
    // As many rows and columns as elements of a line of memory, but for small elements.
    match size_of::<A>() {
        8.. => tiles_of::<A, 8>(data, first, turned, part, pitch, from, out),
        _ => tiles_of::<A, 16>(data, first, turned, part, pitch, from, out),
    }
}

fn tiles_of<A: Plain, const SIDE: usize>(
    data: &[A],
    first: usize,
    Turned { down, along, .. }: Turned,
    (rows, columns): (Range<usize>, Range<usize>),
    pitch: usize,
    from: usize,
    out: &mut [A],
) {
    // What is narrow has no whole tiles: it goes in one piece.
    let down_by = if columns.len() < SIDE { rows.len().max(1) } else { SIDE };
    let along_by = if rows.len() < SIDE { columns.len().max(1) } else { SIDE };
    for column in columns.clone().step_by(along_by) {
        for row in rows.clone().step_by(down_by) {
            let at = first.wrapping_add_signed(row as isize * down + column as isize * along);
            let (n, m) = (down_by.min(rows.end - row), along_by.min(columns.end - column));
            let out = &mut out[row * pitch + column - from..];
            let place = |r: usize, c: usize| at.wrapping_add_signed(r as isize * down + c as isize * along);
            if (n, m, down) == (SIDE, SIDE, 1) {
                let lines: [&[A; SIDE]; SIDE] =
                    std::array::from_fn(|c| data[place(0, c)..].first_chunk().expect("a whole tile"));
                transpose_lines(lines, |r, c, some| {
                    *out[r * pitch + c..].first_chunk_mut().expect("a whole tile") = some;
                });
            } else if n < m {
                for r in 0..n {
                    let row = out[r * pitch..][..m].iter_mut().enumerate();
                    row.for_each(|(c, out)| *out = data[place(r, c)]);
                }
            } else {
                for c in 0..m {
                    (0..n).for_each(|r| out[r * pitch + c] = data[place(r, c)]);
                }
            }
        }
    }
}
