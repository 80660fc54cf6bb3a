//! [`Walk`]: the elements of a strided or broadcast array in row-major order, as runs of equal stride.

use ndarray::ArrayViewD;
use smallvec::SmallVec;

use crate::kernel::level::{Kernel, run};
use crate::kernel::real::Real;
use crate::kernel::threads;
use crate::memory::{Plain, span_of};
use crate::shape::outermost_first;

/// Lengths and strides of an array's axes, outermost first, with axes merged where one step serves both.
#[derive(Clone, Debug)]
pub struct Walk {
    axes: SmallVec<[(usize, isize); 4]>,
}

/// An array to be read in row-major order: memory, the index of the first element in it, and the way through.
pub struct Operand<'a, A> {
    pub data: &'a [A],
    pub first: usize,
    pub walk: Walk,
}

impl Walk {
    pub fn new(shape: &[usize], strides: &[isize]) -> Self {
        if shape.contains(&0) {
            return Walk::flat(0);
        }
        let mut axes: SmallVec<[(usize, isize); 4]> = SmallVec::new();
        for (&n, &s) in shape.iter().zip(strides) {
            if n == 1 {
                continue;
            }
            match axes.last_mut() {
                Some((outer, step)) if *step == s * n as isize => (*outer, *step) = (*outer * n, s),
                _ => axes.push((n, s)),
            }
        }
        if axes.is_empty() {
            axes.push((1, 0));
        }
        Walk { axes }
    }

    /// `len` elements one behind the other.
    pub fn flat(len: usize) -> Self {
        Walk { axes: SmallVec::from_elem((len, 1), 1) }
    }

    /// Where element `index` in row-major order lies, counted from the first.
    fn offset(&self, mut index: usize) -> isize {
        let mut offset = 0;
        for &(n, step) in self.axes.iter().rev() {
            offset += (index % n) as isize * step;
            index /= n;
        }
        offset
    }

    /// Whether the elements lie one behind the other.
    pub fn is_contiguous(&self) -> bool {
        self.axes.len() == 1 && (self.axes[0].1 == 1 || self.axes[0].0 == 1)
    }

    /// Whether it is one element over and over.
    pub fn is_uniform(&self) -> bool {
        self.axes.iter().all(|(_, step)| *step == 0)
    }

    /// The two innermost axes, where neighbours in memory lie along the outer one of them.
    pub fn turned(&self) -> Option<Turned> {
        let [.., (rows, down), (inner, along)] = self.axes[..] else { return None };
        let nearer = down != 0 && down.abs() < along.abs();
        nearer.then_some(Turned { rows, inner, down, along })
    }

    /// Calls `f(offset, stride, range)` for each run of the elements `start..start + len`; ranges count from `start`.
    #[inline]
    pub fn runs(&self, start: usize, len: usize, mut f: impl FnMut(isize, isize, std::ops::Range<usize>)) {
        let (&(inner, step), outer) = self.axes.split_last().expect("at least one axis");
        if len == 0 {
            return;
        }
        let (mut row, mut column) = (start / inner, start % inner);
        let mut at: SmallVec<[usize; 4]> = SmallVec::from_elem(0, outer.len());
        let mut offset = 0;
        for (&(n, s), at) in outer.iter().zip(&mut at).rev() {
            (row, *at) = (row / n, row % n);
            offset += *at as isize * s;
        }
        let mut done = 0;
        loop {
            let count = (inner - column).min(len - done);
            f(offset + column as isize * step, step, done..done + count);
            done += count;
            if done == len {
                return;
            }
            column = 0;
            for (&(n, s), at) in outer.iter().zip(&mut at).rev() {
                *at += 1;
                offset += s;
                if *at < n {
                    break;
                }
                *at = 0;
                offset -= n as isize * s;
            }
        }
    }
}

/// Matrices `[rows, inner]` with their steps from row to row and from column to column.
#[derive(Clone, Copy)]
pub struct Turned {
    rows: usize,
    inner: usize,
    down: isize,
    along: isize,
}

impl<'a, A: Plain> Operand<'a, A> {
    /// A view of a value.
    pub fn viewed(x: &ArrayViewD<'a, A>) -> Self {
        let (data, first) = span_of(x);
        Operand { data, first, walk: Walk::new(x.shape(), x.strides()) }
    }
}

impl<'a, A: Copy> Operand<'a, A> {
    /// An array without gaps, its axes in whatever order.
    pub fn of(x: &ArrayViewD<'a, A>) -> Option<Self> {
        if x.strides().iter().any(|step| *step < 0) {
            return None;
        }
        // Axes in the order of memory make a slice of an array without gaps.
        let mut order: SmallVec<[usize; 6]> = (0..x.ndim()).collect();
        outermost_first(&mut order, x.strides());
        let data = x.clone().permuted_axes(&order[..]).to_slice()?;
        Some(Operand { data, first: 0, walk: Walk::new(x.shape(), x.strides()) })
    }
}

impl<A: Copy> Operand<'_, A> {
    /// The elements `start..start + buffer.len()`: borrowed where they lie one behind the other, else copied.
    pub fn load<'b>(&'b self, start: usize, buffer: &'b mut [A]) -> &'b [A] {
        if self.walk.is_contiguous() {
            return &self.data[self.first + start..][..buffer.len()];
        }
        if let Some(turned) = self.walk.turned().filter(|turned| buffer.len() > turned.inner) {
            self.load_turned(turned, start, buffer);
            return buffer;
        }
        self.walk.runs(start, buffer.len(), |offset, step, range| {
            let from = self.first.wrapping_add_signed(offset);
            let to = &mut buffer[range];
            match step {
                0 => to.fill(self.data[from]),
                1 => copy(&self.data[from..][..to.len()], to),
                _ => {
                    for (k, slot) in to.iter_mut().enumerate() {
                        *slot = self.data[from.wrapping_add_signed(k as isize * step)];
                    }
                }
            }
        });
        buffer
    }
}

impl<A: Copy> Operand<'_, A> {
    /// As [`Operand::load`], tile by tile, so that of each line of memory more than one element is read at a time.
    fn load_turned(&self, turned: Turned, start: usize, buffer: &mut [A]) {
        let each = turned.rows * turned.inner;
        let outer = Walk { axes: self.walk.axes[..self.walk.axes.len() - 2].into() };
        let mut done = 0;
        while done < buffer.len() {
            let (matrix, from) = ((start + done) / each, (start + done) % each);
            let part = &mut buffer[done..];
            let n = part.len().min(each - from);
            let first = self.first.wrapping_add_signed(outer.offset(matrix));
            turn(self.data, first, turned, from, &mut part[..n]);
            done += n;
        }
    }
}

/// Rows and columns of a tile.
const SIDE: usize = 8;

/// Copies the elements `from..` in row-major order of the matrix that starts at `first`.
fn turn<A: Copy>(data: &[A], first: usize, turned: Turned, from: usize, out: &mut [A]) {
    let Turned { inner, down, along, .. } = turned;
    let end = from + out.len();
    let ((top, left), (bottom, right)) = ((from / inner, from % inner), (end / inner, end % inner));
    // The first row may begin, and the last one end, in the middle: columns between two of these have the same rows.
    let cuts = [0, left.min(right), left.max(right), inner];
    for columns in cuts.windows(2) {
        let (begin, end) = (columns[0], columns[1]);
        let rows = top + usize::from(begin < left)..bottom + usize::from(begin < right);
        for column in (begin..end).step_by(SIDE) {
            for row in rows.clone().step_by(SIDE) {
                let at = first.wrapping_add_signed(row as isize * down + column as isize * along);
                let (n, m) = (SIDE.min(rows.end - row), SIDE.min(end - column));
                let out = &mut out[row * inner + column - from..];
                if (n, m, down) == (SIDE, SIDE, 1) {
                    let lines: [&[A; SIDE]; SIDE] = std::array::from_fn(|c| {
                        data[at.wrapping_add_signed(c as isize * along)..]
                            .first_chunk()
                            .expect("a whole tile")
                    });
                    for r in 0..SIDE {
                        let row = out[r * inner..].first_chunk_mut().expect("a whole tile");
                        *row = std::array::from_fn::<A, SIDE, _>(|c| lines[c][r]);
                    }
                    continue;
                }
                for c in 0..m {
                    for r in 0..n {
                        out[r * inner + c] =
                            data[at.wrapping_add_signed(r as isize * down + c as isize * along)];
                    }
                }
            }
        }
    }
}

impl<A: Copy + Send + Sync> Operand<'_, A> {
    /// All elements, copied to `to`.
    pub fn copy_to(&self, to: &mut [A]) {
        let copy = |start: usize, to: &mut [A]| {
            if self.walk.is_contiguous() {
                return to.copy_from_slice(&self.data[self.first + start..][..to.len()]);
            }
            self.load(start, to);
        };
        threads::pieces(to, copy);
    }
}

impl<T: Real> Operand<'_, T> {
    /// All elements, added to `to`.
    pub fn add_to(&self, to: &mut [T]) {
        let pour = |start: usize, to: &mut [T]| {
            let mut tile = [T::zero(); TILE];
            for (k, to) in to.chunks_mut(TILE).enumerate() {
                let from = self.load(start + k * TILE, &mut tile[..to.len()]);
                add(to, from);
            }
        };
        threads::pieces(to, pour);
    }
}

/// Copies a run; a short one without the call that a copy of unknown length is.
#[inline(always)]
fn copy<A: Copy>(from: &[A], to: &mut [A]) {
    fn few<A: Copy, const N: usize>(from: &[A], to: &mut [A]) {
        if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
            *to = *from;
        }
    }
    match to.len() {
        1 => few::<A, 1>(from, to),
        2 => few::<A, 2>(from, to),
        3 => few::<A, 3>(from, to),
        4 => few::<A, 4>(from, to),
        _ => to.copy_from_slice(from),
    }
}

/// Elements that are gathered before they are added.
const TILE: usize = 512;

/// `to += from`, element by element.
pub fn add<T: Real>(to: &mut [T], from: &[T]) {
    run(Add(to, from));
}

struct Add<'a, T>(&'a mut [T], &'a [T]);

impl<T: Real> Kernel for Add<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        self.0.iter_mut().zip(self.1).for_each(|(to, from)| *to += *from);
    }
}

/// Adds `values`, elements `start..` in the order of `walk`, to where they belong in `data`.
pub fn scatter_add<T: Real>(data: &mut [T], walk: &Walk, start: usize, values: &[T]) {
    walk.runs(start, values.len(), |offset, step, range| {
        let from = offset as usize;
        let values = &values[range];
        match step {
            0 => data[from] += pairwise_sum(values),
            1 => data[from..][..values.len()].iter_mut().zip(values).for_each(|(d, v)| *d += *v),
            _ => values.iter().enumerate().for_each(|(k, v)| data[from + k * step as usize] += *v),
        }
    });
}

/// The sum by halves: its rounding error grows with the logarithm of the length.
pub fn pairwise_sum<T: Real>(values: &[T]) -> T {
    const BLOCK: usize = 512;
    if values.len() > BLOCK {
        let middle = (values.len() / 2).next_multiple_of(BLOCK);
        return pairwise_sum(&values[..middle]) + pairwise_sum(&values[middle..]);
    }
    if values.len() < LANES {
        return values.iter().fold(T::zero(), |sum, v| sum + *v);
    }
    run(LaneSums(values))
}

/// Partial sums of a block; they are joined by halves.
const LANES: usize = 32;

struct LaneSums<'a, T>(&'a [T]);

impl<T: Real> Kernel for LaneSums<'_, T> {
    type Output = T;
    #[inline(always)]
    fn call<const MODE: u8>(self) -> T {
        let mut lanes = [T::zero(); LANES];
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, v) in lanes.iter_mut().zip(chunk) {
                *lane += *v;
            }
        }
        for (lane, v) in lanes.iter_mut().zip(rest) {
            *lane += *v;
        }
        let mut width = LANES;
        while width > 1 {
            width /= 2;
            for k in 0..width {
                lanes[k] += lanes[k + width];
            }
        }
        lanes[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_merge_where_one_step_serves() {
        assert!(Walk::new(&[2, 3, 4], &[12, 4, 1]).is_contiguous());
        assert_eq!(Walk::new(&[2, 3], &[0, 0]).axes.len(), 1);
        assert_eq!(Walk::new(&[2, 3, 4], &[0, 4, 1]).axes.len(), 2);
        assert!(Walk::new(&[], &[]).is_contiguous());
    }

    #[test]
    fn loads_follow_strides() {
        let data: Vec<f64> = (0..6).map(f64::from).collect();
        let transposed = Operand { data: &data, first: 0, walk: Walk::new(&[3, 2], &[1, 3]) };
        let mut buffer = [0.0; 4];
        assert_eq!(transposed.load(1, &mut buffer), [3.0, 1.0, 4.0, 2.0]);
        let row = Operand { data: &data, first: 3, walk: Walk::new(&[2, 3], &[0, 1]) };
        assert_eq!(row.load(2, &mut buffer), [5.0, 3.0, 4.0, 5.0]);
        let flipped = Operand { data: &data, first: 5, walk: Walk::new(&[6], &[-1]) };
        assert_eq!(flipped.load(1, &mut buffer), [4.0, 3.0, 2.0, 1.0]);
    }

    #[test]
    fn turned_matrices_are_loaded_from_anywhere_to_anywhere() {
        for ([b, n, m], down) in [([1, 9, 33], 1), ([3, 16, 8], 1), ([2, 5, 40], 2), ([2, 20, 19], -1isize)] {
            let along = n as isize * down.abs();
            let steps = [m as isize * along, down, along];
            let data: Vec<f32> = (0..b * n * m * 2).map(|k| k as f32).collect();
            let first = if down < 0 { n - 1 } else { 0 };
            let x = Operand { data: &data, first, walk: Walk::new(&[b, n, m], &steps) };
            assert!(x.walk.turned().is_some());
            let want: Vec<f32> = (0..b * n * m)
                .map(|k| {
                    let index = [k / (n * m), k / m % n, k % m].map(|i| i as isize);
                    data[first.wrapping_add_signed((0..3).map(|a| index[a] * steps[a]).sum())]
                })
                .collect();
            for (start, end) in (0..want.len()).step_by(7).flat_map(|i| [(i, want.len()), (i / 3, i)]) {
                assert_eq!(x.load(start, &mut vec![0.0; end - start]), &want[start..end], "{start} {end}");
            }
        }
    }

    #[test]
    fn scatter_is_the_adjoint_of_load() {
        let mut data = [0.0; 3];
        scatter_add(&mut data, &Walk::new(&[2, 3], &[0, 1]), 0, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(data, [5.0, 7.0, 9.0]);
        let mut data = [0.0; 2];
        scatter_add(&mut data, &Walk::new(&[2, 3], &[1, 0]), 0, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(data, [6.0, 15.0]);
    }
}
