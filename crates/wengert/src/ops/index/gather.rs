//! Single elements picked along an axis, and added along one.

use ndarray::{ArrayBase, ArrayViewD, ArrayViewMutD, Axis, IxDyn, RawData, Slice as Range, Zip};

use super::check;
use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::threads;
use crate::op::{Gather, ScatterAdd};
use crate::ops::moving::{moved, pour};
use crate::rule::*;
use crate::shape::{Shape, axis};
use crate::term::Term;

/// The axis, where indices of shape `index` fit an array of shape `x`: no longer than it but along the axis.
pub(super) fn fit(x: &[usize], index: &[usize], along: isize) -> Result<usize, Refusal> {
    let along = axis(along, x.len())?;
    if index.len() != x.len() {
        let rule = format!("the indices have {} axes, the array has {}", index.len(), x.len());
        return Err(Refusal::new(ErrorKind::RankMismatch, rule));
    }
    match (0..x.len()).find(|&k| k != along && index[k] > x[k]) {
        Some(k) => {
            let rule =
                format!("the indices have length {} along axis {k}, the array only {}", index[k], x[k]);
            Err(Refusal::new(ErrorKind::ShapeMismatch, rule))
        }
        None => Ok(along),
    }
}

/// The part of `table` that indices of `shape` run along.
pub(super) fn beside<S: RawData>(
    mut table: ArrayBase<S, IxDyn>,
    shape: &[usize],
    along: usize,
) -> ArrayBase<S, IxDyn> {
    for k in (0..shape.len()).filter(|&k| k != along) {
        table.slice_axis_inplace(Axis(k), Range::from(..shape[k]));
    }
    table
}

/// Reads `picks[..][k] = table[..][index[..][k]]`, or adds it. The indices are in range.
pub(super) fn pick<T: Functions>(
    table: ArrayViewD<'_, T>,
    index: &ArrayViewD<'_, i64>,
    along: usize,
    mut picks: ArrayViewMutD<'_, T>,
    accumulate: bool,
) {
    let table = beside(table, index.shape(), along);
    match blocks(index, along) {
        Some(count) => {
            let read = index.axis_chunks_iter(Axis(0), count).zip(table.axis_chunks_iter(Axis(0), count));
            let picks = picks.axis_chunks_iter_mut(Axis(0), count);
            threads::each(picks.zip(read), |(picks, (index, table))| {
                pick_lanes(table, index, along, picks, accumulate);
            });
        }
        None => pick_lanes(table, index.view(), along, picks, accumulate),
    }
}

/// How many blocks of axis 0 make a piece of work, where lanes do not run along it and there are enough of them.
fn blocks(index: &ArrayViewD<'_, i64>, along: usize) -> Option<usize> {
    let n = if along == 0 { 1 } else { index.len_of(Axis(0)) };
    threads::units(n, index.len() / n.max(1))
}

/// The lengths of the lanes of table and indices, if those are rows. One behind the other they are worked on without the
/// way through the arrays, which costs as much as some elements of each.
fn rows<T>(table: &ArrayViewD<'_, T>, index: &ArrayViewD<'_, i64>, along: usize) -> Option<[usize; 2]> {
    let are_rows = along + 1 == index.ndim() && !index.is_empty();
    are_rows.then(|| [table.len_of(Axis(along)), index.len_of(Axis(along))])
}

fn pick_lanes<T: Functions>(
    table: ArrayViewD<'_, T>,
    index: ArrayViewD<'_, i64>,
    along: usize,
    mut picks: ArrayViewMutD<'_, T>,
    accumulate: bool,
) {
    if let (Some([n, m]), Some(picks), Some(index), Some(table)) =
        (rows(&table, &index, along), picks.as_slice_mut(), index.as_slice(), table.as_slice())
    {
        let rows = index.chunks_exact(m).zip(table.chunks_exact(n));
        return picks.chunks_exact_mut(m).zip(rows).for_each(|(picks, (index, table))| {
            picks.iter_mut().zip(index).for_each(|(pick, &i)| {
                *pick = if accumulate { *pick + table[i as usize] } else { table[i as usize] };
            });
        });
    }
    let lanes = Zip::from(picks.lanes_mut(Axis(along)));
    lanes.and(index.lanes(Axis(along))).and(table.lanes(Axis(along))).for_each(|picks, index, table| {
        let each = Zip::from(picks).and(index);
        match accumulate {
            true => each.for_each(|pick, &i| *pick += table[i as usize]),
            false => each.for_each(|pick, &i| *pick = table[i as usize]),
        }
    });
}

/// Adds `table[..][index[..][k]] += picks[..][k]`. The indices are in range.
pub(super) fn put<T: Functions>(
    picks: ArrayViewD<'_, T>,
    index: &ArrayViewD<'_, i64>,
    along: usize,
    table: ArrayViewMutD<'_, T>,
) {
    let mut table = beside(table, index.shape(), along);
    match blocks(index, along) {
        Some(count) => {
            let read = index.axis_chunks_iter(Axis(0), count).zip(picks.axis_chunks_iter(Axis(0), count));
            let tables = table.axis_chunks_iter_mut(Axis(0), count);
            threads::each(tables.zip(read), |(table, (index, picks))| put_lanes(picks, index, along, table));
        }
        None => put_lanes(picks, index.view(), along, table),
    }
}

fn put_lanes<T: Functions>(
    picks: ArrayViewD<'_, T>,
    index: ArrayViewD<'_, i64>,
    along: usize,
    mut table: ArrayViewMutD<'_, T>,
) {
    if let (Some([n, m]), Some(table), Some(index), Some(picks)) =
        (rows(&table.view(), &index, along), table.as_slice_mut(), index.as_slice(), picks.as_slice())
    {
        let rows = index.chunks_exact(m).zip(picks.chunks_exact(m));
        return table.chunks_exact_mut(n).zip(rows).for_each(|(table, (index, picks))| {
            index.iter().zip(picks).for_each(|(&i, pick)| table[i as usize] += *pick);
        });
    }
    let lanes = Zip::from(table.lanes_mut(Axis(along)));
    lanes.and(index.lanes(Axis(along))).and(picks.lanes(Axis(along))).for_each(|mut table, index, picks| {
        Zip::from(picks).and(index).for_each(|pick, &i| table[i as usize] += *pick);
    });
}

impl Rule for Gather {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real, Dtype::Index])?;
        fit(shapes[0], shapes[1], self.axis)?;
        moved(Shape::from_slice(shapes[1]), Dtype::Real)
    }
    /// What was picked several times gets the sum.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (x, index) = (call.args[0], call.args[1]);
        let add = |y_bar| x.full(&x.shape(), 0.0).apply(ScatterAdd { axis: self.axis }, &[index, y_bar]);
        [y_bar[0].map(add), None].into_iter().collect()
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for Gather {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (table, index) = (x[0].real(), x[1].index());
        let along = axis(self.axis, table.ndim())?;
        check(&index, table.shape()[along], along)?;
        pick(table, &index, along, y[0].real(), false);
        Ok(())
    }
    fn vjp_kernel(&self, Adjoint { x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
        if !x_bar.accumulate {
            x_bar.slice().fill(T::zero());
        }
        let along = axis(self.axis, y_bar.shape().len()).expect("has passed `infer`");
        put(y_bar.view(), &x[1].index(), along, x_bar.array.view_mut());
        true
    }
}

impl Rule for ScatterAdd {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real, Dtype::Index, Dtype::Real])?;
        fit(shapes[0], shapes[1], self.axis)?;
        if shapes[1] != shapes[2] {
            let rule = "the indices must have the shape of what is added";
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        one(shapes[0].into())
    }
    /// `x_bar = y_bar`, and what was added somewhere gets the cotangent from there.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (index, y_bar) = (call.args[1], y_bar[0].expect("one result"));
        let gathered = call.needs[2].then(|| y_bar.apply(Gather { axis: self.axis }, &[index]));
        [call.needs[0].then_some(y_bar), None, gathered].into_iter().collect()
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for ScatterAdd {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (table, index) = (x[0].real(), x[1].index());
        let along = axis(self.axis, table.ndim())?;
        check(&index, table.shape()[along], along)?;
        pour(y[0].real(), table, false);
        put(x[2].real(), &index, along, y[0].real());
        Ok(())
    }
    fn vjp_kernel(&self, Adjoint { x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let Some(y_bar) = &y_bar[0] else { return false };
        if let Some(x_bar) = &mut x_bar[0] {
            pour(x_bar.array.view_mut(), y_bar.view(), x_bar.accumulate);
        }
        if let Some(added) = &mut x_bar[2] {
            let along = axis(self.axis, y_bar.shape().len()).expect("has passed `infer`");
            pick(y_bar.view(), &x[1].index(), along, added.array.view_mut(), added.accumulate);
        }
        true
    }
}
