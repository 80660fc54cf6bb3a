//! Whole slices picked along an axis: `index_select`, `embedding` and their adjoint `index_add`.

use ndarray::{ArrayView1, ArrayViewD, ArrayViewMutD, Axis};

use super::check;
use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::threads;
use crate::memory::Dense;
use crate::op::{Embedding, IndexAdd, IndexSelect};
use crate::ops::moving::moved;
use crate::rule::*;
use crate::shape::{Shape, axis};
use crate::term::Term;

/// A row-major array seen as blocks: `outer` times `count` blocks of `width` elements.
struct Blocks {
    outer: usize,
    count: usize,
    width: usize,
}

impl Blocks {
    fn along(shape: &[usize], axis: usize) -> Self {
        let (outer, width) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
        Blocks { outer, count: shape[axis], width }
    }
}

/// Slice `index[k]` of `table` becomes (or is added to) slice `k` of `picks`, along `axis`. The indices are in range.
fn pick<T: Functions>(
    table: ArrayViewD<'_, T>,
    index: ArrayView1<'_, i64>,
    axis: usize,
    picks: &mut [T],
    accumulate: bool,
) {
    let table = table.as_standard_layout();
    let Blocks { outer, count, width } = Blocks::along(table.shape(), axis);
    let table = table.as_slice().expect("standard layout");
    let rows = index.len();
    if width == 1 {
        for (table, picks) in table.chunks_exact(count.max(1)).zip(picks.chunks_exact_mut(rows.max(1))) {
            for (to, &i) in picks.iter_mut().zip(index) {
                *to = if accumulate { *to + table[i as usize] } else { table[i as usize] };
            }
        }
        return;
    }
    if picks.is_empty() {
        return;
    }
    let some = |first: usize, picks: &mut [T]| {
        let (mut o, mut k) = (first / rows, first % rows);
        for to in picks.chunks_exact_mut(width) {
            let from = &table[(o * count + index[k] as usize) * width..][..width];
            (o, k) = if k + 1 == rows { (o + 1, 0) } else { (o, k + 1) };
            match accumulate {
                true => to.iter_mut().zip(from).for_each(|(to, from)| *to += *from),
                false => to.copy_from_slice(from),
            }
        }
    };
    match threads::units(outer * rows, width) {
        Some(n) => threads::each(picks.chunks_mut(n * width).enumerate(), |(k, picks)| some(k * n, picks)),
        None => some(0, picks),
    }
}

/// Parts of a table whose rows are added to by several threads. Each reads all indices.
const PARTS: usize = 8;

/// Adds slice `k` of `picks` to slice `index[k]` of the row-major array `table` of `shape`. The indices are in range.
fn put<T: Functions>(
    picks: ArrayViewD<'_, T>,
    index: ArrayView1<'_, i64>,
    axis: usize,
    mut table: ArrayViewMutD<'_, T>,
) {
    let Blocks { count, width, .. } = Blocks::along(table.shape(), axis);
    let picks = picks.as_standard_layout();
    let picks = picks.as_slice().expect("standard layout");
    let table = table.as_slice_mut().expect("results and cotangents lie row-major without gaps");
    let rows = index.len();
    if width == 1 {
        for (table, picks) in table.chunks_exact_mut(count.max(1)).zip(picks.chunks_exact(rows.max(1))) {
            picks.iter().zip(index).for_each(|(from, &i)| table[i as usize] += *from);
        }
        return;
    }
    if picks.is_empty() || table.is_empty() {
        return;
    }
    let some = |o: usize, first: usize, table: &mut [T]| {
        let own = first as i64..(first + table.len() / width) as i64;
        for (k, &i) in index.iter().enumerate().filter(|(_, i)| own.contains(i)) {
            let to = &mut table[(i as usize - first) * width..][..width];
            let from = &picks[(o * rows + k) * width..][..width];
            to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
        }
    };
    let shared = width >= PARTS && threads::pays(picks.len());
    let each = if shared { count.div_ceil(PARTS) } else { count };
    let tables = table.chunks_mut(count * width).enumerate();
    let parts = tables.flat_map(|(o, table)| {
        table.chunks_mut(each * width).enumerate().map(move |(k, table)| (o, k * each, table))
    });
    threads::each_if(shared, parts, |(o, first, table)| some(o, first, table));
}

/// The kernel adjoint to [`pick`].
fn pick_back<T: Functions>(
    index: ArrayView1<'_, i64>,
    axis: usize,
    y_bar: &[Option<Dense<'_, T>>],
    x_bar: &mut [Option<Cotangent<'_, T>>],
) -> bool {
    let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
    if !x_bar.accumulate {
        x_bar.slice().fill(T::zero());
    }
    put(y_bar.view(), index, axis, x_bar.array.view_mut());
    true
}

fn line(index: ArrayViewD<'_, i64>) -> ArrayView1<'_, i64> {
    index.into_dimensionality().expect("`infer` admits one axis of indices")
}

fn one_axis(index: &[usize]) -> Result<usize, Refusal> {
    match index {
        [n] => Ok(*n),
        _ => {
            let rule = format!("the indices must have one axis, not {}", index.len());
            Err(Refusal::new(ErrorKind::RankMismatch, rule))
        }
    }
}

impl Rule for IndexSelect {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real, Dtype::Index])?;
        let along = axis(self.axis, shapes[0].len())?;
        let mut shape = Shape::from_slice(shapes[0]);
        shape[along] = one_axis(shapes[1])?;
        moved(shape, Dtype::Real)
    }
    /// What was picked several times gets the sum.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let shape = call.args[0].shape();
        let along = axis(self.axis, shape.len()).expect("has passed `infer`");
        let add = IndexAdd { axis: along, len: shape[along] };
        [y_bar[0].map(|y_bar| y_bar.apply(add, &[call.args[1]])), None].into_iter().collect()
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for IndexSelect {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (table, index) = (x[0].real(), x[1].index());
        let along = axis(self.axis, table.ndim())?;
        check(&index, table.shape()[along], along)?;
        pick(table, line(index), along, y[0].slice(), false);
        Ok(())
    }
    fn vjp_kernel(&self, Adjoint { x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let along = axis(self.axis, x[0].real().ndim()).expect("has passed `infer`");
        pick_back(line(x[1].index()), along, y_bar, x_bar)
    }
}

impl Rule for IndexAdd {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real, Dtype::Index])?;
        axis(isize::try_from(self.axis).unwrap_or(isize::MAX), shapes[0].len())?;
        let count = one_axis(shapes[1])?;
        let mut shape = Shape::from_slice(shapes[0]);
        let have = std::mem::replace(&mut shape[self.axis], self.len);
        if have != count {
            let rule = format!("there are {count} indices for {have} slices along axis {}", self.axis);
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        moved(shape, Dtype::Real)
    }
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let select = IndexSelect { axis: self.axis as isize };
        [y_bar[0].map(|y_bar| y_bar.apply(select, &[call.args[1]])), None].into_iter().collect()
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for IndexAdd {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let index = x[1].index();
        check(&index, self.len, self.axis)?;
        y[0].slice().fill(T::zero());
        put(x[0].real(), line(index), self.axis, y[0].real());
        Ok(())
    }
    fn vjp_kernel(&self, Adjoint { x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
        let accumulate = x_bar.accumulate;
        pick(y_bar.view(), line(x[1].index()), self.axis, x_bar.slice(), accumulate);
        true
    }
}

/// Calls `f` on indices of any shape in row-major order.
fn flat<R>(index: ArrayViewD<'_, i64>, f: impl FnOnce(ArrayView1<'_, i64>) -> R) -> R {
    let index = index.as_standard_layout();
    f(ArrayView1::from(index.as_slice().expect("standard layout")))
}

impl Rule for Embedding {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real, Dtype::Index])?;
        let &[_, width] = shapes[0] else {
            let rule = format!("the table must be a matrix, and has {} axes", shapes[0].len());
            return Err(Refusal::new(ErrorKind::RankMismatch, rule));
        };
        let mut shape = Shape::from_slice(shapes[1]);
        shape.push(width);
        moved(shape, Dtype::Real)
    }
    /// The rows of `y_bar` added up where they were taken from.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (table, index) = (call.args[0].shape(), call.args[1]);
        let count = index.shape().iter().product();
        let add = IndexAdd { axis: 0, len: table[0] };
        let rows = |y_bar: Term<'r>| y_bar.reshape(&[count, table[1]]);
        let bar = y_bar[0].map(|y_bar| rows(y_bar).apply(add, &[index.reshape(&[count])]));
        [bar, None].into_iter().collect()
    }
    fn is_linear(&self) -> bool {
        true
    }
}

impl<T: Functions> Kernels<T> for Embedding {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (table, index) = (x[0].real(), x[1].index());
        check(&index, table.len_of(Axis(0)), 0)?;
        flat(index, |index| pick(table, index, 0, y[0].slice(), false));
        Ok(())
    }
    fn vjp_kernel(&self, Adjoint { x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        flat(x[1].index(), |index| pick_back(index, 0, y_bar, x_bar))
    }
}
