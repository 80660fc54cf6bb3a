//! Shapes, strides, axes and NumPy broadcasting.

use smallvec::SmallVec;

use crate::error::{ErrorKind, Refusal};

/// The lengths of an array's axes.
pub type Shape = SmallVec<[usize; 4]>;

/// Axes as a user writes them: negative ones count from the end.
pub type Axes = SmallVec<[isize; 4]>;

/// Where the elements of an array lie: lengths and strides (in elements) of its axes.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// The length of each axis.
    pub shape: Shape,
    /// Elements from one entry of an axis to the next.
    pub strides: SmallVec<[isize; 4]>,
}

impl Clone for Layout {
    /// As a copy of two short slices, which is less than `SmallVec` makes of it.
    fn clone(&self) -> Self {
        Layout { shape: Shape::from_slice(&self.shape), strides: SmallVec::from_slice(&self.strides) }
    }
}

impl Layout {
    /// Row-major without gaps; strides of 0 where there are no elements, as ndarray wants them.
    pub fn contiguous(shape: &[usize]) -> Self {
        if shape.contains(&0) {
            return Layout { shape: Shape::from_slice(shape), strides: SmallVec::from_elem(0, shape.len()) };
        }
        let mut strides: SmallVec<[isize; 4]> = SmallVec::from_elem(1, shape.len());
        for k in (1..shape.len()).rev() {
            strides[k - 1] = strides[k] * shape[k] as isize;
        }
        Layout { shape: Shape::from_slice(shape), strides }
    }

    /// The number of axes.
    pub fn ndim(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the elements lie row-major without gaps (axes of length 1 have no say).
    pub fn is_contiguous(&self) -> bool {
        if self.shape.contains(&0) {
            return true;
        }
        let mut want = 1;
        for (&n, &s) in self.shape.iter().zip(&self.strides).rev() {
            if n != 1 {
                if s != want {
                    return false;
                }
                want *= n as isize;
            }
        }
        true
    }

    /// Whether this is what [`Layout::contiguous`] makes of the shape.
    pub fn is_row_major(&self) -> bool {
        let mut step = isize::from(!self.shape.contains(&0));
        self.shape.iter().zip(&self.strides).rev().all(|(&n, &s)| {
            let own = step;
            step *= n as isize;
            s == own
        })
    }

    /// Smallest and largest offset of an element from the first one, if there are any.
    pub fn extent(&self) -> Option<(isize, isize)> {
        let (mut low, mut high) = (0, 0);
        for (&n, &s) in self.shape.iter().zip(&self.strides) {
            if n == 0 {
                return None;
            }
            let reach = s * (n as isize - 1);
            (low, high) = (low + reach.min(0), high + reach.max(0));
        }
        Some((low, high))
    }

    /// The strides of this layout when it is broadcast to `shape`: 0 along repeated axes.
    pub fn broadcast_strides(&self, shape: &[usize]) -> SmallVec<[isize; 4]> {
        broadcast_strides(&self.shape, &self.strides, shape)
    }
}

/// Whether two shapes are equal. Most of those that are lie in one entry of the tape's layouts, which is seen at once.
#[inline]
pub(crate) fn same(a: &[usize], b: &[usize]) -> bool {
    std::ptr::eq(a, b) || a == b
}

/// `len` zeros, set where they are if they are few.
#[inline]
pub fn zeros<A: Copy + Default>(len: usize) -> SmallVec<[A; 4]> {
    match len {
        0..=4 => SmallVec::from_buf_and_len([A::default(); 4], len),
        _ => SmallVec::from_elem(A::default(), len),
    }
}

/// The strides of axes of lengths `have` when they are broadcast to `shape`: 0 along repeated axes.
pub fn broadcast_strides(have: &[usize], strides: &[isize], shape: &[usize]) -> SmallVec<[isize; 4]> {
    let lead = shape.len() - have.len();
    let mut all = zeros(shape.len());
    for k in 0..have.len() {
        if have[k] != 1 || shape[lead + k] == 1 {
            all[lead + k] = strides[k];
        }
    }
    all
}

/// The shape that all of `shapes` broadcast to, by NumPy's rule.
pub fn broadcast<'a>(shapes: impl IntoIterator<Item = &'a [usize]>) -> Result<Shape, Refusal> {
    let mut all = Shape::new();
    for shape in shapes {
        if shape.len() > all.len() {
            all.insert_many(0, std::iter::repeat_n(1, shape.len() - all.len()));
        }
        let lead = all.len() - shape.len();
        for (k, (have, &n)) in all[lead..].iter_mut().zip(shape).enumerate() {
            if *have == 1 {
                *have = n;
            } else if n != 1 && n != *have {
                let rule = format!("axis {} has lengths {have} and {n}, and neither is 1", lead + k);
                return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
            }
        }
    }
    Ok(all)
}

/// `axis` counted from the front.
pub fn axis(axis: isize, ndim: usize) -> Result<usize, Refusal> {
    let n = ndim as isize;
    if (-n..n).contains(&axis) {
        return Ok(axis.rem_euclid(n) as usize);
    }
    let rule = format!("axis {axis} is out of range for {ndim} axes");
    Err(Refusal::new(ErrorKind::AxisOutOfRange, rule))
}

/// `axes` counted from the front, in ascending order; all of them for `None`.
pub fn axes(axes: Option<&[isize]>, ndim: usize) -> Result<Shape, Refusal> {
    let Some(named) = axes else { return Ok((0..ndim).collect()) };
    let mut out = named.iter().map(|&a| axis(a, ndim)).collect::<Result<Shape, _>>()?;
    out.sort_unstable();
    match out.windows(2).find(|w| w[0] == w[1]) {
        Some(twice) => {
            Err(Refusal::new(ErrorKind::DuplicateAxis, format!("axis {} is named twice", twice[0])))
        }
        None => Ok(out),
    }
}

/// `shape` without `axes` (ascending), or with length 1 there.
pub fn reduced(shape: &[usize], axes: &[usize], keepdims: bool) -> Shape {
    let keep = |(k, &n): (usize, &usize)| match axes.contains(&k) {
        false => Some(n),
        true if keepdims => Some(1),
        true => None,
    };
    shape.iter().enumerate().filter_map(keep).collect()
}

/// Sorts axes so that those of larger steps come first. By insertion: there are few.
pub fn outermost_first(axes: &mut [usize], strides: &[isize]) {
    for end in 1..axes.len() {
        let mut at = end;
        while at > 0 && strides[axes[at - 1]] < strides[axes[at]] {
            axes.swap(at - 1, at);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        let ok = |a: &[usize], b: &[usize]| broadcast([a, b]).unwrap().to_vec();
        assert_eq!(ok(&[3], &[2, 3]), [2, 3]);
        assert_eq!(ok(&[2, 1], &[1, 3]), [2, 3]);
        assert_eq!(ok(&[], &[0, 3]), [0, 3]);
        assert_eq!(ok(&[1, 3], &[0, 3]), [0, 3]);
        assert!(broadcast([&[2, 3][..], &[2, 2]]).is_err());
        assert!(broadcast([&[5][..], &[0]]).is_err());
    }

    #[test]
    fn axes_are_checked() {
        assert_eq!(axis(-1, 3).unwrap(), 2);
        assert_eq!(axis(3, 3).unwrap_err().kind, ErrorKind::AxisOutOfRange);
        assert_eq!(axes(Some(&[1, -1]), 2).unwrap_err().kind, ErrorKind::DuplicateAxis);
        assert_eq!(axis(0, 0).unwrap_err().kind, ErrorKind::AxisOutOfRange);
    }

    #[test]
    fn layouts_know_their_reach() {
        let l = Layout::contiguous(&[2, 3]);
        assert_eq!(&l.strides[..], &[3, 1]);
        assert_eq!(l.extent(), Some((0, 5)));
        assert_eq!(Layout::contiguous(&[2, 0]).extent(), None);
        let t = Layout { shape: [3, 2].into_iter().collect(), strides: [1, 3].into_iter().collect() };
        assert!(l.is_contiguous() && !t.is_contiguous());
        let row = Layout::contiguous(&[3]);
        assert_eq!(&row.broadcast_strides(&[2, 3])[..], &[0, 1]);
    }
}
