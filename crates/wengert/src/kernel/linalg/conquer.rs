//! Eigenvalues and eigenvectors of a tridiagonal matrix: cut in two, each half solved, joined again.
//!
//! Without the number that couples them the halves are a diagonal matrix in their eigenvectors; with it, that matrix is changed
//! by one product ([`secular`](super::secular)). What the product does not reach, and all but one vector of an eigenvalue met
//! several times, stay as they are (deflation); the others are multiplied by the eigenvectors of the changed matrix, which is
//! nearly all the work.
//!
//! # References
//! J. Cuppen, A divide and conquer method for the symmetric tridiagonal eigenproblem, Numer. Math. 36 (1981).
//! M. Gu, S. Eisenstat, A divide-and-conquer algorithm for the symmetric tridiagonal eigenproblem, SIAM J. Matrix Anal.
//! Appl. 16 (1995).

use super::eigen::NotConverged;
use super::secular::eigenvectors;
use super::sort;
use super::vectors::{length, rotate, two_rows};
use crate::kernel::gemm::{Gemm, Strided, StridedMut, Threads, gemm};
use crate::kernel::real::Real;

/// Numbers for each row that [`Room::numbers`] holds, and positions in [`Room::places`].
pub const NUMBERS: usize = 7;
pub const PLACES: usize = 3;

/// Which columns of a row are not 0.
const TOP: usize = 0;
const BOTH: usize = 1;
const BOTTOM: usize = 2;

/// What [`conquer`] works with, for a matrix of `n` rows.
pub struct Room<'a, T> {
    /// `n^2`.
    pub rows: &'a mut [T],
    /// `n^2`.
    pub weights: &'a mut [T],
    /// [`NUMBERS`] for each row.
    pub numbers: &'a mut [T],
    /// [`PLACES`] for each row.
    pub places: &'a mut [usize],
}

/// Does a part that is not cut any more.
pub type Small<'a, T> = dyn FnMut(&mut [T], &mut [T], &mut [T], usize) -> Result<(), NotConverged> + 'a;

/// Diagonalises a part that begins at row `low` of a tridiagonal matrix: diagonal `d`, `e[i]` between `i` and `i + 1`.
///
/// Vectors go to the part's rows of the `[n, n]` matrix `z`, the columns of the same numbers, in any order. `small` does a
/// part of up to `leaf` rows, with `z` and `low` as its last arguments.
pub fn conquer<T: Gemm>(
    d: &mut [T],
    e: &mut [T],
    z: &mut [T],
    n: usize,
    low: usize,
    leaf: usize,
    small: &mut Small<'_, T>,
    room: &mut Room<'_, T>,
    threads: Threads,
) -> Result<(), NotConverged> {
    let size = d.len();
    if size <= leaf {
        return small(d, e, z, low);
    }
    let cut = size / 2;
    let coupling = e[cut - 1];
    d[cut - 1] -= coupling.abs();
    d[cut] -= coupling.abs();
    let ((above, below), (e_above, e_below)) = (d.split_at_mut(cut), e.split_at_mut(cut));
    conquer(above, e_above, z, n, low, leaf, small, room, threads)?;
    conquer(below, e_below, z, n, low + cut, leaf, small, room, threads)?;
    join(d, coupling, cut, z, n, low, room, threads);
    Ok(())
}

/// Joins the eigenvectors of two parts, the second of which begins at row `cut`.
fn join<T: Gemm>(
    d: &mut [T],
    coupling: T,
    cut: usize,
    z: &mut [T],
    n: usize,
    low: usize,
    room: &mut Room<'_, T>,
    threads: Threads,
) {
    let size = d.len();
    let (numbers, space) = room.numbers.split_at_mut(5 * n);
    let mut numbers = numbers.chunks_exact_mut(n).map(|part| &mut part[..size]);
    let [u, poles, components, roots, left] = [(); 5].map(|()| numbers.next().expect("numbers for each row"));
    let mut places = room.places.chunks_exact_mut(n).map(|part| &mut part[..size]);
    let [order, kept, kind] = [(); 3].map(|()| places.next().expect("places for each row"));
    // The coupling is 2 |coupling| u u^T in the parts' eigenvectors, u of length 1.
    let scale = T::of(0.5).sqrt();
    for i in 0..size {
        let row = &z[(low + i) * n + low..];
        u[i] = if i < cut { scale * row[cut - 1] } else { scale.copysign(coupling) * row[cut] };
        (kind[i], order[i]) = (if i < cut { TOP } else { BOTTOM }, i);
    }
    let rho = T::of(2.0) * coupling.abs();
    sort(order, &|i, j| d[i].partial_cmp(&d[j]));
    let count = deflate(d, u, rho, [order, kept, kind], &mut |p, q, c, s| {
        let (x, y) = two_rows(z, n, low + p.min(q), low + p.max(q));
        rotate(&mut x[low..][..size], &mut y[low..][..size], c, if p < q { -s } else { s });
    });
    // Rows of one kind side by side, so that each half of the columns is a product without the zeros.
    let mut ends = [0; 3];
    kept[..count].iter().for_each(|&i| ends[kind[i]] += 1);
    let [top, both, _] = ends;
    let mut at = [0, top, top + both];
    for (j, &i) in kept.iter().enumerate() {
        let mut to = j;
        if j < count {
            (poles[j], components[j]) = (d[i], u[i]);
            to = at[kind[i]];
            at[kind[i]] += 1;
        }
        (left[j], order[j]) = (d[i], to);
        room.rows[to * size..][..size].copy_from_slice(&z[(low + i) * n + low..][..size]);
    }
    let weights = &mut room.weights[..count * count];
    eigenvectors(
        &poles[..count],
        &components[..count],
        rho,
        &order[..count],
        &mut roots[..count],
        weights,
        space,
    );
    d[..count].copy_from_slice(&roots[..count]);
    d[count..].copy_from_slice(&left[count..]);
    for (rows, columns) in [(0..top + both, 0..cut), (top..count, cut..size)] {
        let factor = Strided::rows(weights, count).at(0, rows.start);
        let old = Strided::rows(room.rows, size).at(rows.start, columns.start);
        let new = StridedMut::rows(z, n).at(low, low + columns.start);
        gemm([count, columns.len(), rows.len()], T::one(), factor, old, T::zero(), new, threads);
    }
    for (row, old) in
        z.chunks_exact_mut(n).skip(low + count).zip(room.rows[..size * size].chunks_exact(size).skip(count))
    {
        row[low..][..size].copy_from_slice(old);
    }
}

/// Sorts out what the product does not reach. Returns how many rows stay in it; they come first in `kept`, their values in
/// `d` ascending, the others behind them.
///
/// `turn(p, q, c, s)` makes rows `(p, q)` into `(c p + s q, c q - s p)`.
fn deflate<T: Real>(
    d: &mut [T],
    u: &mut [T],
    rho: T,
    [order, kept, kind]: [&mut [usize]; 3],
    turn: &mut dyn FnMut(usize, usize, T, T),
) -> usize {
    let most = |x: &[T]| x.iter().fold(T::zero(), |most, x| most.max(x.abs()));
    let lost = T::of(8.0) * T::epsilon() * most(d).max(most(u));
    let (mut count, mut gone, mut before) = (0, d.len(), None::<usize>);
    for &i in &*order {
        if rho * u[i].abs() <= lost {
            gone -= 1;
            kept[gone] = i;
            continue;
        }
        if let Some(p) = before {
            // Two close values: the vectors are turned so that the product reaches only one of them.
            let both = length(u[p], u[i]);
            let (c, s) = (u[i] / both, -u[p] / both);
            if ((d[i] - d[p]) * c * s).abs() <= lost {
                turn(p, i, c, s);
                u[i] = both;
                if kind[p] != kind[i] {
                    (kind[p], kind[i]) = (BOTH, BOTH);
                }
                (d[p], d[i]) = (d[p] * c * c + d[i] * s * s, d[p] * s * s + d[i] * c * c);
                gone -= 1;
                kept[gone] = p;
            } else {
                kept[count] = p;
                count += 1;
            }
        }
        before = Some(i);
    }
    if let Some(p) = before {
        kept[count] = p;
        count += 1;
    }
    count
}
