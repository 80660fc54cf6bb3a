//! Derivatives as whole matrices, and gradients sample by sample.

use ndarray::{ArrayD, Axis};

use super::{Inputs, recorded};
use crate::error::{ErrorKind, Refusal, Result};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::ops::moving::assign;
use crate::var::Var;

/// The Jacobian of `f` with respect to each input: entry `[i.., j..]` is the derivative of element `i` of the result to
/// element `j` of the input, so its shape is that of the result followed by that of the input.
///
/// By rows in reverse, or by columns in forward mode where the result has many times the elements of the inputs: a tangent
/// for each of them, recorded and forgotten, costs as much as several rows. Up to 32 rows share a sweep, which computes
/// each partial once for all of them: code in single numbers then takes a tenth of the time of a sweep for each row, arrays
/// of a hundred elements a third. Arrays whose cotangents would leave the cache are swept row by row.
///
/// # Errors
/// As [`Graph::backward_with`] and [`Graph::tangent`].
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// # fn main() -> wengert::Result<()> {
/// let x = array![1.0, 2.0];
/// let j = jacobian(|g: &Graph, x: &[Var]| g.eval(x[0] * x[0]), &[&x])?;
/// assert_eq!(j[0], array![[2.0, 0.0], [0.0, 4.0]].into_dyn());
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn jacobian<T: Engine>(
    f: impl Fn(&Graph<T>, &[Var]) -> Var,
    inputs: &Inputs<'_, T>,
) -> Result<Vec<ArrayD<T>>> {
    let (mut g, x, y) = recorded(f, inputs);
    let wide: usize = x.iter().map(|&x| g.len(x)).sum();
    if g.len(y) > wide.saturating_mul(T::rows_a_column(&g, y)) {
        return by_columns(&mut g, &x, y);
    }
    by_rows(&mut g, &x, y)
}

/// The shape of `y` followed by that of `x`.
fn joint<T: Engine>(g: &Graph<T>, y: Var, x: Var) -> Vec<usize> {
    g.shape(y).iter().chain(&g.shape(x)).copied().collect()
}

/// A sweep for some elements of `y` at a time.
#[track_caller]
fn by_rows<T: Engine>(g: &mut Graph<T>, x: &[Var], y: Var) -> Result<Vec<ArrayD<T>>> {
    let mut rows: Vec<Vec<T>> = x.iter().map(|&x| vec![T::zero(); g.len(y) * g.len(x)]).collect();
    if g.is_differentiable(y) {
        g.enter();
        T::rows(g, "backward_with", y, x, &mut rows)?;
    }
    let shaped = |(row, &x)| ArrayD::from_shape_vec(joint(g, y, x), row).expect("a row for each element");
    Ok(rows.into_iter().zip(x).map(shaped).collect())
}

/// One tangent for each element of each of `x`.
#[track_caller]
fn by_columns<T: Engine>(g: &mut Graph<T>, x: &[Var], y: Var) -> Result<Vec<ArrayD<T>>> {
    let mut found = Vec::with_capacity(x.len());
    for &x in x {
        let (rows, columns) = (g.len(y), g.len(x));
        let mut matrix = ndarray::Array2::zeros((rows, columns));
        let mut x_dot = ArrayD::zeros(&g.shape(x)[..]);
        for k in 0..columns {
            let mark = g.mark();
            set_element(&mut x_dot, k, T::one());
            let along = g.constant(&x_dot);
            set_element(&mut x_dot, k, T::zero());
            let y_dot = g.tangent(y, &[(x, along)])?;
            matrix.column_mut(k).iter_mut().zip(g.value(y_dot)).for_each(|(to, from)| *to = *from);
            g.rewind(mark);
        }
        let shape = joint(g, y, x);
        found.push(matrix.into_shape_with_order(shape).expect("rows and columns in order").into_dyn());
    }
    Ok(found)
}

fn set_element<T: Engine>(array: &mut ArrayD<T>, k: usize, value: T) {
    array.as_slice_mut().expect("made without gaps")[k] = value;
}

/// The Hessian of `f` (one element): block `[i][j]` holds the second derivatives to inputs `i` and `j`, with the shape of
/// input `i` followed by that of input `j`.
///
/// The Jacobian of the recorded gradient, by rows that share sweeps as in [`jacobian`].
///
/// # Errors
/// As [`Graph::gradient`].
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// # fn main() -> wengert::Result<()> {
/// let x = array![1.0, 2.0];
/// let h = hessian(|g: &Graph, x: &[Var]| g.sum(x[0].powi(3)), &[&x])?;
/// assert_eq!(h[0][0], array![[6.0, 0.0], [0.0, 12.0]].into_dyn());
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn hessian<T: Engine>(
    f: impl Fn(&Graph<T>, &[Var]) -> Var,
    inputs: &Inputs<'_, T>,
) -> Result<Vec<Vec<ArrayD<T>>>> {
    let (mut g, x, y) = recorded(f, inputs);
    let gradient = g.gradient(y, &x)?;
    let mut blocks = Vec::with_capacity(x.len());
    for dy in gradient {
        blocks.push(by_rows(&mut g, &x, dy)?);
    }
    Ok(blocks)
}

/// The gradient of `f` with respect to `params`, for each sample alone: an array for each parameter, with an axis for the
/// samples in front.
///
/// `f(g, params, sample)` records the loss (one element) of one sample; `batch` holds the samples along axis 0 of its
/// arrays. One sweep a sample on memory that is used again.
///
/// # Errors
/// If the arrays of the batch have not one length along axis 0, or as [`Graph::backward`].
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// # fn main() -> wengert::Result<()> {
/// let (w, inputs, targets) = (2.0, array![1.0, 2.0, 3.0], array![1.0, 1.0, 1.0]);
/// let loss = |g: &Graph, w: &[Var], xy: &[Var]| g.eval((w[0] * xy[0] - xy[1]).square());
/// let dw = per_sample_gradients(loss, &[&w], &[&inputs.into_dyn(), &targets.into_dyn()])?;
/// assert_eq!(dw[0], array![2.0, 12.0, 30.0].into_dyn());
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn per_sample_gradients<T: Engine>(
    f: impl Fn(&Graph<T>, &[Var], &[Var]) -> Var,
    params: &Inputs<'_, T>,
    batch: &[&ArrayD<T>],
) -> Result<Vec<ArrayD<T>>> {
    let mut g = Graph::default();
    g.enter();
    let mut leaves = Vec::with_capacity(params.len());
    for param in params {
        leaves.push(g.leaf(*param));
    }
    let lengths: Vec<usize> = batch.iter().map(|a| a.shape().first().copied().unwrap_or(0)).collect();
    let count = lengths.first().copied().unwrap_or(0);
    if batch.iter().any(|a| a.ndim() == 0) || lengths.iter().any(|&n| n != count) {
        let rule = format!("the arrays of a batch must have one length along axis 0, not {lengths:?}");
        let refusal = Refusal::new(ErrorKind::ShapeMismatch, rule);
        return Err(g.error(refusal, "per_sample_gradients", &leaves));
    }
    let shape = |v: Var| -> Vec<usize> { [count].into_iter().chain(g.shape(v)).collect() };
    let mut found: Vec<ArrayD<T>> = leaves.iter().map(|&v| ArrayD::zeros(shape(v))).collect();
    let mark = g.mark();
    for k in 0..count {
        let mut sample = Vec::with_capacity(batch.len());
        for array in batch {
            sample.push(g.constant(array.index_axis(Axis(0), k)));
        }
        let y = f(&g, &leaves, &sample);
        g.backward(y)?;
        for (found, &leaf) in found.iter_mut().zip(&leaves) {
            if let Some(gradient) = g.grad(leaf) {
                assign(found.index_axis_mut(Axis(0), k), gradient);
            }
        }
        g.zero_grad();
        g.rewind(mark);
    }
    Ok(found)
}
