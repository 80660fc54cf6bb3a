//! [`Walk`]: the elements of a strided or broadcast array in row-major order, as runs of equal stride.

use std::ops::Range;

use smallvec::SmallVec;

use crate::kernel::turn::Turned;
use crate::shape::{Layout, zeros};

/// Lengths and strides of an array's axes, outermost first, with axes merged where one step serves both.
#[derive(Clone, Debug)]
pub struct Walk {
    pub(super) axes: SmallVec<[(usize, isize); 4]>,
    rolled: Rolled,
}

/// Axis `axis` is gone round: its first `by` elements come after the others. None is, if `by` is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rolled {
    pub axis: usize,
    pub by: usize,
}

/// Elements of a row up to which a run is too short to be worked on by itself.
pub(super) const SHORT: usize = 128;

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
        Walk { axes, rolled: Rolled::default() }
    }

    /// `len` elements one behind the other.
    pub fn flat(len: usize) -> Self {
        Walk { axes: SmallVec::from_buf_and_len([(len, 1); 4], 1), rolled: Rolled::default() }
    }

    /// An array of `layout`, of which an axis may be gone round, as if broadcast to `shape`.
    pub fn broadcast(layout: &Layout, Rolled { axis, by }: Rolled, shape: &[usize]) -> Self {
        let rolled = Rolled { axis: axis + shape.len() - layout.ndim(), by };
        Walk::rolled(shape, &layout.broadcast_strides(shape), rolled)
    }

    /// As [`Walk::new`] with an axis that may be gone round.
    fn rolled(shape: &[usize], strides: &[isize], Rolled { axis, by }: Rolled) -> Self {
        if by == 0 || shape.contains(&0) {
            return Walk::new(shape, strides);
        }
        let [mut outer, inner] =
            [0..axis, axis..shape.len()].map(|part| Walk::new(&shape[part.clone()], &strides[part]));
        outer.axes.retain(|(n, _)| *n > 1);
        // Axes that have been merged with it turn with it.
        outer.rolled = Rolled { axis: outer.axes.len(), by: by * (inner.axes[0].0 / shape[axis]) };
        outer.axes.extend(inner.axes);
        outer
    }

    /// The axes from the `from`-th one on are left out.
    pub(super) fn outer(&self, from: usize) -> Self {
        debug_assert!(!self.is_rolled());
        Walk { axes: self.axes[..from].into(), rolled: Rolled::default() }
    }

    /// Whether an axis is gone round.
    fn is_rolled(&self) -> bool {
        self.rolled.by != 0
    }

    /// Element `index` along axis `axis`.
    #[inline(always)]
    fn along(&self, axis: usize, index: usize) -> usize {
        if axis != self.rolled.axis || !self.is_rolled() {
            return index;
        }
        let (n, by) = (self.axes[axis].0, self.rolled.by);
        if index < n - by { index + by } else { index + by - n }
    }

    /// Where element `index` in row-major order lies, counted from the first.
    pub fn offset(&self, mut index: usize) -> isize {
        let mut offset = 0;
        for (axis, &(n, step)) in self.axes.iter().enumerate().rev() {
            offset += self.along(axis, index % n) as isize * step;
            index /= n;
        }
        offset
    }

    /// Where the elements `start..start + len` begin, if they lie one behind the other.
    pub fn stretch(&self, start: usize, len: usize) -> Option<isize> {
        let &(inner, 1) = self.axes.last()? else { return None };
        let column = start % inner;
        let fits = column + len <= inner && self.along(self.axes.len() - 1, column) + len <= inner;
        fits.then(|| self.offset(start))
    }

    /// Whether the elements lie one behind the other.
    pub fn is_contiguous(&self) -> bool {
        self.axes.len() == 1 && (self.axes[0].1 == 1 || self.axes[0].0 == 1) && !self.is_rolled()
    }

    /// Whether it is one element over and over.
    pub fn is_uniform(&self) -> bool {
        self.axes.iter().all(|(_, step)| *step == 0)
    }

    /// The two innermost axes, where neighbours in memory lie along the outer one of them.
    pub fn turned(&self) -> Option<Turned> {
        let [.., (rows, down), (inner, along)] = self.axes[..] else { return None };
        if self.is_rolled() {
            return None;
        }
        let nearer = down != 0 && down.abs() < along.abs();
        nearer.then_some(Turned { rows, inner, down, along })
    }

    /// Whether elements that lie one behind the other, or are one over and over, are so many or all.
    pub fn runs_at_least(&self, len: usize) -> bool {
        let (n, step) = self.axes[self.axes.len() - 1];
        step == 0 || (step == 1 && (n >= len || self.axes.len() == 1))
    }

    /// How often a short row is repeated, and its length, if the innermost axes do that.
    pub fn repeated(&self) -> Option<(usize, usize)> {
        let [.., (rows, 0), (inner, 1..)] = self.axes[..] else { return None };
        (inner <= SHORT && !self.is_rolled()).then_some((rows, inner))
    }

    /// How many rows of one element over and over lie side by side, and their length, if the innermost axes are such.
    pub fn summed(&self) -> Option<(usize, usize)> {
        let [.., (rows, 1), (n, 0)] = self.axes[..] else { return None };
        (!self.is_rolled()).then_some((rows, n))
    }

    /// Calls `f(offset, at, range)` for the elements `start..start + len`, taken apart where rows of `n` elements stop lying `side` of
    /// them side by side: the offset of the first row, how much of it comes before the elements, and these, counted from `start`.
    pub fn groups(
        &self,
        (side, n): (usize, usize),
        start: usize,
        len: usize,
        mut f: impl FnMut(isize, usize, Range<usize>),
    ) {
        let mut done = 0;
        while done < len {
            let (row, at) = ((start + done) / n, (start + done) % n);
            let some = (len - done).min((side - row % side) * n - at);
            f(self.offset(start + done), at, done..done + some);
            done += some;
        }
    }

    /// Of the elements in a row that are read from places among each other, how many there are; each such group lies behind
    /// the one before it.
    pub fn period(&self) -> usize {
        self.axes[self.nested()..].iter().map(|&(n, _)| n).product()
    }

    /// How many of the outer axes have steps that lead past all that lies within.
    fn nested(&self) -> usize {
        (0..self.axes.len())
            .find(|&k| {
                self.axes[k].1 <= extent(&self.axes[k + 1..]) || (self.is_rolled() && k == self.rolled.axis)
            })
            .unwrap_or(self.axes.len())
    }

    /// Where the elements `range` lie, counted from the first; steps must not be negative.
    pub fn span(&self, range: Range<usize>) -> Range<usize> {
        let group = self.period();
        let begin =
            if self.is_rolled() { self.rolled.by as isize * self.axes[self.rolled.axis].1 } else { 0 };
        let [first, last] =
            [range.start, range.end.max(1) - 1].map(|k| self.offset(k / group * group) - begin);
        first as usize..(last + extent(&self.axes[self.nested()..])) as usize + 1
    }

    /// The axis along which neighbours in memory lie, if that is not the innermost one.
    pub fn nearest(&self) -> Option<usize> {
        let moving = self.axes.iter().enumerate().filter(|(_, (_, step))| *step != 0);
        let nearest = moving.min_by_key(|(_, (_, step))| step.abs())?.0;
        let turns = nearest + 1 < self.axes.len() && self.axes[self.axes.len() - 1].1 != 0;
        (turns && !self.is_rolled()).then_some(nearest)
    }

    /// Calls `f(offset, stride, range)` for each run of the elements `start..start + len`; ranges count from `start`. Where the innermost axis
    /// is gone round, its rows are two runs each.
    #[inline]
    pub fn runs(&self, start: usize, len: usize, f: impl FnMut(isize, isize, Range<usize>)) {
        match self.is_rolled() {
            false => self.every_run::<false>(start, len, f),
            true => self.rolled_runs(start, len, f),
        }
    }

    /// By a call, so that what is seldom gone round stays out of the way.
    #[inline(never)]
    fn rolled_runs(&self, start: usize, len: usize, f: impl FnMut(isize, isize, Range<usize>)) {
        self.every_run::<true>(start, len, f);
    }

    #[inline(always)]
    fn every_run<const ROLLED: bool>(
        &self,
        start: usize,
        len: usize,
        mut f: impl FnMut(isize, isize, Range<usize>),
    ) {
        let (&(inner, step), outer) = self.axes.split_last().expect("at least one axis");
        if len == 0 {
            return;
        }
        let place = |axis: usize, index: usize| if ROLLED { self.along(axis, index) } else { index };
        let (mut row, mut column) = (start / inner, start % inner);
        let mut at: SmallVec<[usize; 4]> = zeros(outer.len());
        let mut offset = 0;
        for (axis, (&(n, s), at)) in outer.iter().zip(&mut at).enumerate().rev() {
            (row, *at) = (row / n, row % n);
            offset += place(axis, *at) as isize * s;
        }
        let mut done = 0;
        loop {
            let first = place(outer.len(), column);
            let count = (inner - column.max(first)).min(len - done);
            f(offset + first as isize * step, step, done..done + count);
            done += count;
            if done == len {
                return;
            }
            column += count;
            if ROLLED && column < inner {
                continue;
            }
            column = 0;
            for (axis, (&(n, s), at)) in outer.iter().zip(&mut at).enumerate().rev() {
                *at += 1;
                offset += s;
                // From the last element to the first: where an axis ends, or within one that is gone round.
                let end = if ROLLED && axis == self.rolled.axis { n - self.rolled.by } else { n };
                if *at == end {
                    offset -= n as isize * s;
                }
                if *at < n {
                    break;
                }
                *at = 0;
            }
        }
    }
}

/// How far the last element of an array lies behind the first.
fn extent(axes: &[(usize, isize)]) -> isize {
    axes.iter().map(|&(n, step)| (n as isize - 1) * step).sum()
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
    fn an_axis_is_gone_round_from_anywhere_to_anywhere() {
        let cases: [(&[usize], &[isize], usize); 8] = [
            (&[7], &[1], 0),
            (&[4, 5], &[5, 1], 0),
            (&[4, 5], &[5, 1], 1),
            (&[3, 4, 5], &[20, 5, 1], 1),
            (&[3, 4, 1, 5], &[0, 5, 5, 1], 1),
            (&[3, 4, 2], &[1, 3, 0], 1),
            (&[2, 3, 4], &[40, 10, 2], 0),
            (&[2, 3, 4], &[0, 0, 1], 2),
        ];
        for (shape, strides, axis) in cases {
            for by in 1..shape[axis] {
                let walk = Walk::rolled(shape, strides, Rolled { axis, by });
                let place = |mut k: usize| {
                    let mut place = 0;
                    for a in (0..shape.len()).rev() {
                        let i = if a == axis { (k % shape[a] + by) % shape[a] } else { k % shape[a] };
                        place += i as isize * strides[a];
                        k /= shape[a];
                    }
                    place
                };
                assert!(!walk.is_contiguous());
                let len = shape.iter().product();
                for (start, end) in (0..len).flat_map(|start| (start + 1..=len).map(move |end| (start, end)))
                {
                    let mut have = Vec::new();
                    walk.runs(start, end - start, |offset, step, range| {
                        assert_eq!(range.start, have.len());
                        have.extend((0..range.len()).map(|k| offset + k as isize * step));
                    });
                    let want: Vec<isize> = (start..end).map(place).collect();
                    assert_eq!(have, want, "{shape:?} {strides:?} {axis} {by} {start}..{end}");
                    let span = walk.span(start..end);
                    assert!(want.iter().all(|place| span.contains(&(*place as usize))));
                    let side_by_side = want.windows(2).all(|pair| pair[1] == pair[0] + 1);
                    match walk.stretch(start, end - start) {
                        Some(first) => assert!(side_by_side && first == want[0]),
                        None => assert!(!side_by_side || walk.axes.len() > 1 || end - start == 1),
                    }
                }
            }
        }
    }
}
