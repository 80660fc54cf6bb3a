//! The checks that [`Product`](super::Product) and [`Solve`](super::Solve) rest on.

use super::At;
use crate::kernel::gemm::within::Block;
use crate::kernel::gemm::{Place, Strided};

pub(super) fn at<T>(x: Strided<'_, T>) -> At<*const T> {
    At { ptr: x.data.as_ptr().wrapping_add(x.offset), rs: x.row_stride, cs: x.col_stride }
}

/// # Panics
/// If some element of a `rows` by `cols` matrix is outside a slice of length `len`.
pub(super) fn inside(len: usize, offset: usize, rs: isize, cs: isize, rows: usize, cols: usize) {
    if rows == 0 || cols == 0 {
        return;
    }
    let reach = |stride: isize, count: usize| stride.checked_mul(isize::try_from(count - 1).ok()?);
    let fits = || -> Option<bool> {
        let (r, c) = (reach(rs, rows)?, reach(cs, cols)?);
        let first = isize::try_from(offset).ok()?;
        let low = first.checked_add(r.min(0))?.checked_add(c.min(0))?;
        let high = first.checked_add(r.max(0))?.checked_add(c.max(0))?;
        Some(low >= 0 && high < isize::try_from(len).ok()?)
    };
    assert!(
        fits() == Some(true),
        "gemm: a {rows} by {cols} operand reaches outside its slice of {len} elements"
    );
}

/// # Panics
/// If two elements of a `rows` by `cols` matrix with these strides could share memory.
pub(super) fn distinct(rs: isize, cs: isize, rows: usize, cols: usize) {
    let (r, c) = (rs.unsigned_abs(), cs.unsigned_abs());
    let beyond =
        |step: usize, inner: usize, count: usize| step > inner.saturating_mul(count.saturating_sub(1));
    let ok = rows == 0
        || cols == 0
        || ((rows == 1 || r > 0)
            && (cols == 1 || c > 0)
            && (rows == 1 || cols == 1 || beyond(r, c, cols) || beyond(c, r, rows)));
    assert!(ok, "gemm: elements of the result overlap: strides {rs}, {cs} for {rows} by {cols}");
}

/// An operand beside a result that is block `result` of the row-major matrix of this width at `base`.
///
/// # Panics
/// If the operand is out of bounds, or in the same matrix and overlaps the result.
pub(super) fn place<T>(
    base: *mut T,
    len: usize,
    width: usize,
    operand: Place<'_, T>,
    (rows, cols): (usize, usize),
    result: &Block,
) -> At<*const T> {
    match operand {
        Place::Other(x) => {
            inside(x.data.len(), x.offset, x.row_stride, x.col_stride, rows, cols);
            at(x)
        }
        Place::Here(spot) => {
            let block = spot.block(rows, cols);
            block.inside(len, width);
            assert!(!block.meets(result), "gemm: the result overlaps an operand");
            let (offset, rs, cs) = spot.strides(width);
            At { ptr: base.wrapping_add(offset).cast_const(), rs, cs }
        }
    }
}
