//! Arrays that lie row-major without gaps, viewed where a view is asked for: a kernel that takes slices needs none.

use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn};
use smallvec::SmallVec;

/// Elements in row-major order.
pub struct Dense<'a, A> {
    data: &'a [A],
    lead: &'a [usize],
    shape: &'a [usize],
}

impl<'a, A> Dense<'a, A> {
    /// An array whose axes are those of `lead`, then those of `shape`.
    pub fn new(data: &'a [A], lead: &'a [usize], shape: &'a [usize]) -> Self {
        Dense { data, lead, shape }
    }

    pub fn slice(&self) -> &'a [A] {
        self.data
    }

    /// Without the axes in front.
    pub fn shape(&self) -> &'a [usize] {
        self.shape
    }

    pub fn view(&self) -> ArrayViewD<'a, A> {
        ArrayViewD::from_shape(axes(self.lead, self.shape), self.data).expect("as long as its shape says")
    }
}

/// As [`Dense`], to be written.
pub struct DenseMut<'a, A> {
    data: &'a mut [A],
    lead: &'a [usize],
    shape: &'a [usize],
}

impl<'a, A> DenseMut<'a, A> {
    /// As [`Dense::new`].
    pub fn new(data: &'a mut [A], lead: &'a [usize], shape: &'a [usize]) -> Self {
        DenseMut { data, lead, shape }
    }

    pub fn slice(&mut self) -> &mut [A] {
        self.data
    }

    /// Without the axes in front.
    pub fn shape(&self) -> &'a [usize] {
        self.shape
    }

    pub fn view_mut(&mut self) -> ArrayViewMutD<'_, A> {
        ArrayViewMutD::from_shape(axes(self.lead, self.shape), self.data).expect("as long as its shape says")
    }
}

fn axes(lead: &[usize], shape: &[usize]) -> IxDyn {
    match lead {
        [] => IxDyn(shape),
        _ => {
            let mut all: SmallVec<[usize; 6]> = SmallVec::from_slice(lead);
            all.extend_from_slice(shape);
            IxDyn(&all)
        }
    }
}
