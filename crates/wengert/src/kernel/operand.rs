//! [`Operand`]: an array of any strides, read or copied in row-major order.

use ndarray::ArrayViewD;
use smallvec::SmallVec;

use crate::kernel::level::{Kernel, SCALAR, run};
use crate::kernel::real::Real;
use crate::kernel::scratch::{self, Scratch, room};
use crate::kernel::threads::{self, PIECE};
use crate::kernel::turn::{Turned, copy_turned, turn};
use crate::kernel::walk::{SHORT, Walk};
use crate::memory::{Located, Plain, span_of};
use crate::shape::outermost_first;

/// An array to be read in row-major order: memory, the index of the first element in it, and the way through.
pub struct Operand<'a, A> {
    pub data: &'a [A],
    pub first: usize,
    pub walk: Walk,
}

impl<'a, A: Plain> Operand<'a, A> {
    /// A value where it lies.
    pub fn located(x: &Located<'a, A>) -> Self {
        let ((data, first), layout) = (x.span(), x.layout());
        Operand { data, first, walk: Walk::new(&layout.shape, &layout.strides) }
    }

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

impl<A: Plain> Operand<'_, A> {
    /// The elements `start..start + buffer.len()`: borrowed where these lie one behind the other, else copied.
    pub fn load<'b>(&'b self, start: usize, buffer: &'b mut [A]) -> &'b [A] {
        match self.borrow(start, buffer.len()) {
            Some(elements) => elements,
            None => {
                self.gather(start, buffer);
                buffer
            }
        }
    }

    /// Copies the elements `start..start + to.len()`.
    fn copy(&self, start: usize, to: &mut [A]) {
        match self.borrow(start, to.len()) {
            Some(elements) => to.copy_from_slice(elements),
            None => self.gather(start, to),
        }
    }

    /// The elements `start..start + len`, where they lie one behind the other.
    fn borrow(&self, start: usize, len: usize) -> Option<&[A]> {
        let from = match self.walk.is_contiguous() {
            true => self.first + start,
            false => self.first.wrapping_add_signed(self.walk.stretch(start, len)?),
        };
        Some(&self.data[from..][..len])
    }

    /// As [`Operand::copy`], of elements that do not lie one behind the other.
    fn gather(&self, start: usize, buffer: &mut [A]) {
        if let Some(turned) = self.walk.turned().filter(|turned| buffer.len() > turned.inner) {
            return self.load_turned(turned, start, buffer);
        }
        if let Some(rows) = self.walk.summed().filter(|(_, n)| *n <= SHORT && buffer.len() > *n) {
            return self.load_each(rows, start, buffer);
        }
        match self.walk.repeated().filter(|(_, inner)| buffer.len() > *inner) {
            Some(repeated) => self.load_repeated(repeated, start, buffer),
            None => self.load_runs(start, buffer),
        }
    }

    /// As [`Operand::copy`] where one element after the other, `side` of them side by side, makes a short row of `n`.
    fn load_each(&self, (side, n): (usize, usize), start: usize, buffer: &mut [A]) {
        self.walk.groups((side, n), start, buffer.len(), |offset, at, range| {
            let from = self.first.wrapping_add_signed(offset);
            let rows = (at + range.len()).div_ceil(n);
            let (values, part) = (&self.data[from..][..rows], &mut buffer[range]);
            let (first, whole) = part.split_at_mut(part.len().min((n - at) % n));
            first.fill(values[0]);
            run(Each { values: &values[usize::from(at > 0)..], n, to: whole });
        });
    }

    fn load_runs(&self, start: usize, buffer: &mut [A]) {
        self.walk.runs(start, buffer.len(), |offset, step, range| {
            let from = self.first.wrapping_add_signed(offset);
            let to = &mut buffer[range];
            match step {
                0 => fill(to, self.data[from]),
                1 => copy(&self.data[from..][..to.len()], to),
                -1 => pick(self.data[..=from].iter().rev(), to),
                2.. => pick(self.data[from..].iter().step_by(step as usize), to),
                _ => pick(self.data[..=from].iter().rev().step_by(step.unsigned_abs()), to),
            }
        });
    }

    /// As [`Operand::copy`]: a row once, then twice as much at a time of what stands there already.
    fn load_repeated(&self, (rows, inner): (usize, usize), start: usize, buffer: &mut [A]) {
        let mut done = 0;
        while done < buffer.len() {
            let from = (start + done) % (rows * inner);
            let len = (buffer.len() - done).min(rows * inner - from);
            let part = &mut buffer[done..][..len];
            let mut known = inner.min(len);
            self.load_runs(start + done, &mut part[..known]);
            while known < len {
                let more = known.min(len - known);
                part.copy_within(..more, known);
                known += more;
            }
            done += len;
        }
    }

    /// As [`Operand::copy`], tile by tile, so that of each line of memory more than one element is read at a time.
    fn load_turned(&self, turned: Turned, start: usize, buffer: &mut [A]) {
        let each = turned.rows * turned.inner;
        let outer = self.walk.outer(self.walk.axes.len() - 2);
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

impl<A: Plain + Send + Sync> Operand<'_, A> {
    /// All elements, copied to `to`.
    pub fn copy_to(&self, to: &mut [A]) {
        let Some(nearest) = self.walk.nearest() else {
            return threads::pieces(to, |start, to| self.copy(start, to));
        };
        self.in_blocks(to, |first, axes, to| copy_turned(self.data, first, axes, nearest, to));
    }

    /// Cuts `to` along the outermost axis: `f` gets the place of a piece's first element and the piece's axes.
    fn in_blocks(&self, to: &mut [A], f: impl Fn(usize, &[(usize, isize)], &mut [A]) + Sync) {
        let (n, step) = self.walk.axes[0];
        let each = to.len() / n;
        let pays = threads::pays(to.len());
        let count = if pays { (PIECE / each).max(1) } else { n };
        threads::each_if(pays, to.chunks_mut(count * each).enumerate(), |(k, to)| {
            let mut axes = self.walk.axes.clone();
            axes[0].0 = to.len() / each;
            f(self.first.wrapping_add_signed((k * count) as isize * step), &axes, to);
        });
    }
}

impl<T: Real> Operand<'_, T> {
    /// All elements, added to `to`.
    pub fn add_to(&self, to: &mut [T]) {
        if let Some(nearest) = self.walk.nearest() {
            return self.in_blocks(to, |first, axes, to| {
                scratch::with(|Scratch { dense: [copy, ..], .. }| {
                    let copy = room(copy, to.len());
                    copy_turned(self.data, first, axes, nearest, copy);
                    add(to, copy);
                });
            });
        }
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

#[inline(always)]
fn pick<'a, A: Copy + 'a>(from: impl Iterator<Item = &'a A>, to: &mut [A]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

/// Runs from this length on are worth a kernel of their own.
const LONG: usize = 32;

fn fill<A: Copy>(to: &mut [A], value: A) {
    if to.len() < LONG { to.fill(value) } else { run(Fill(to, value)) }
}

struct Fill<'a, A>(&'a mut [A], A);

impl<A: Copy> Kernel for Fill<'_, A> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        self.0.iter_mut().for_each(|to| *to = self.1);
    }
}

/// Fills row after row of `n` elements, the last of which may be cut short, with a value each.
struct Each<'a, A> {
    values: &'a [A],
    n: usize,
    to: &'a mut [A],
}

impl<A: Copy> Kernel for Each<'_, A> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        const LANES: usize = 16;
        let Each { values, n, mut to } = self;
        for &value in values {
            let len = n.min(to.len());
            // A short row is written too far: the next one is written over that.
            match to.first_chunk_mut::<LANES>() {
                Some(lanes) if len <= LANES => *lanes = [value; LANES],
                _ => to[..len].fill(value),
            }
            to = &mut to[len..];
        }
    }
}

/// Elements that are gathered before they are added.
const TILE: usize = 512;

/// `to += from`, element by element.
pub fn add<T: Real>(to: &mut [T], from: &[T]) {
    let add = Add(to, from);
    if add.0.len() < LONG { add.call::<SCALAR>() } else { run(add) }
}

struct Add<'a, T>(&'a mut [T], &'a [T]);

impl<T: Real> Kernel for Add<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        self.0.iter_mut().zip(self.1).for_each(|(to, from)| *to += *from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn rows_over_and_over_are_loaded_from_anywhere_to_anywhere() {
        let data: Vec<f64> = (0..70).map(f64::from).collect();
        for (shape, steps) in [([1, 9, 7], [0, 0, 1]), ([3, 5, 4], [9, 0, 2]), ([2, 40, 3], [30, 0, 1])] {
            let x = Operand { data: &data, first: 2, walk: Walk::new(&shape, &steps) };
            assert!(x.walk.repeated().is_some());
            let [n, m] = [shape[1], shape[2]];
            let place = |k: usize| 2 + k / (n * m) * steps[0] as usize + k % m * steps[2] as usize;
            let want: Vec<f64> = (0..shape.iter().product()).map(|k| data[place(k)]).collect();
            for (start, end) in (0..want.len()).flat_map(|i| [(i, want.len()), (i / 3, i)]) {
                assert_eq!(x.load(start, &mut vec![0.0; end - start]), &want[start..end], "{start} {end}");
            }
        }
    }

    #[test]
    fn elements_that_make_a_row_each_are_loaded_from_anywhere_to_anywhere() {
        let data: Vec<f64> = (0..70).map(f64::from).collect();
        for (shape, steps) in [([1, 9, 7], [0, 1, 0]), ([3, 5, 40], [6, 1, 0]), ([2, 3, 16], [30, 1, 0])] {
            let x = Operand { data: &data, first: 2, walk: Walk::new(&shape, &steps) };
            assert!(x.walk.summed().is_some());
            let [n, m] = [shape[1], shape[2]];
            let place = |k: usize| 2 + k / (n * m) * steps[0] as usize + k / m % n;
            let want: Vec<f64> = (0..shape.iter().product()).map(|k| data[place(k)]).collect();
            for (start, end) in (0..want.len()).flat_map(|i| [(i, want.len()), (i / 3, i)]) {
                assert_eq!(x.load(start, &mut vec![0.0; end - start]), &want[start..end], "{start} {end}");
            }
        }
    }

    #[test]
    fn whole_copies_follow_every_order_of_axes() {
        let lengths = [9, 17, 10];
        let steps = [170isize, 10, 1];
        let data: Vec<f64> = (0..1530).map(f64::from).collect();
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let [shape, strides] = [order.map(|k| lengths[k] as isize), order.map(|k| steps[k])];
            let walk = Walk::new(&shape.map(|n| n as usize), &strides);
            let x = Operand { data: &data, first: 0, walk };
            let want = x.load(0, &mut vec![0.0; data.len()]).to_vec();
            let mut have = vec![0.0; data.len()];
            x.copy_to(&mut have);
            assert_eq!(have, want, "{order:?}");
            x.add_to(&mut have);
            assert!(have.iter().zip(&want).all(|(have, want)| *have == 2.0 * want), "{order:?}");
            let narrow: Vec<f32> = data.iter().map(|x| *x as f32).collect();
            let x = Operand { data: &narrow, first: 0, walk: x.walk };
            let mut have = vec![0.0; data.len()];
            x.copy_to(&mut have);
            assert!(have.iter().zip(&want).all(|(have, want)| f64::from(*have) == *want), "{order:?}");
        }
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
}
