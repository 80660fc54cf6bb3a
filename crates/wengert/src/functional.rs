//! Derivatives of closures: give a function and arrays, get arrays.
//!
//! A function is a closure `Fn(&Graph, &[Var]) -> Var` that records on the graph it is given; each helper records it on a
//! graph of its own. Whoever evaluates one function many times keeps an [`Evaluator`], which allocates nothing after the
//! first call.

mod evaluator;
mod matrices;
mod windows;

use ndarray::ArrayD;

use crate::error::{ErrorKind, Refusal, Result};
use crate::graph::Engine;
use crate::graph::{Graph, Source};
use crate::var::Var;

pub use evaluator::Evaluator;
pub use matrices::{hessian, jacobian, per_sample_gradients};
pub use windows::truncated_bptt;

/// An array for each input.
pub type Gradient<T> = Vec<ArrayD<T>>;

/// The arrays that a function is evaluated at, of any rank each.
pub type Inputs<'a, T> = [&'a dyn Source<T>];

/// A graph with `f` recorded at `inputs` as leaves.
#[track_caller]
fn recorded<T: Engine>(
    f: impl Fn(&Graph<T>, &[Var]) -> Var,
    inputs: &Inputs<'_, T>,
) -> (Graph<T>, Vec<Var>, Var) {
    let g = Graph::default();
    let mut x = Vec::with_capacity(inputs.len());
    for input in inputs {
        x.push(g.leaf(*input));
    }
    let y = f(&g, &x);
    (g, x, y)
}

/// What the leaves have been given; zeros where nothing arrived.
pub(crate) fn gradients<T: Engine>(g: &Graph<T>, x: &[Var]) -> Gradient<T> {
    x.iter().map(|&x| g.grad(x).map_or_else(|| ArrayD::zeros(&g.shape(x)[..]), |d| d.to_owned())).collect()
}

/// The tangents `x_dot` as constants of `g`, each beside its leaf.
#[track_caller]
fn tangents<T: Engine>(
    g: &Graph<T>,
    x: &[Var],
    x_dot: &Inputs<'_, T>,
    what: &'static str,
) -> Result<Vec<(Var, Var)>> {
    g.enter();
    if x.len() != x_dot.len() {
        let rule = format!("{} tangents for {} inputs", x_dot.len(), x.len());
        return Err(g.error(Refusal::new(ErrorKind::ShapeMismatch, rule), what, x));
    }
    let mut along = Vec::with_capacity(x.len());
    for (&x, x_dot) in x.iter().zip(x_dot) {
        along.push((x, g.constant(*x_dot)));
    }
    Ok(along)
}

/// The value of `f` (one element) and its gradient with respect to each input.
///
/// # Errors
/// As [`Graph::backward`]: if the result has not one element, or depends on no input.
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// # fn main() -> wengert::Result<()> {
/// let (w, b) = (array![1.0, 2.0], 0.5);
/// let (y, dy) = value_and_grad(|g: &Graph, x: &[Var]| g.sum((x[0] + x[1]).square()), &[&w, &b])?;
/// assert_eq!(y, 1.5 * 1.5 + 2.5 * 2.5);
/// assert_eq!((dy[0].clone(), dy[1][[]]), (array![3.0, 5.0].into_dyn(), 8.0));
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn value_and_grad<T: Engine>(
    f: impl Fn(&Graph<T>, &[Var]) -> Var,
    inputs: &Inputs<'_, T>,
) -> Result<(T, Gradient<T>)> {
    let (mut g, x, y) = recorded(f, inputs);
    g.backward(y)?;
    Ok((g.item(y), gradients(&g, &x)))
}

/// The value of `f`, and the cotangents of its inputs from the cotangent `y_bar` of its result.
///
/// # Errors
/// As [`Graph::backward_with`].
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// # fn main() -> wengert::Result<()> {
/// let x = array![1.0, 2.0];
/// let (y, x_bar) = vjp(|g: &Graph, x: &[Var]| g.square(x[0]), &[&x], &array![1.0, 10.0])?;
/// assert_eq!(y, array![1.0, 4.0].into_dyn());
/// assert_eq!(x_bar[0], array![2.0, 40.0].into_dyn());
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn vjp<T: Engine>(
    f: impl Fn(&Graph<T>, &[Var]) -> Var,
    inputs: &Inputs<'_, T>,
    y_bar: &dyn Source<T>,
) -> Result<(ArrayD<T>, Gradient<T>)> {
    let (mut g, x, y) = recorded(f, inputs);
    g.backward_with(y, y_bar)?;
    Ok((g.value(y).to_owned(), gradients(&g, &x)))
}

/// The value of `f`, and its tangent along the tangents `x_dot` of its inputs: forward mode.
///
/// # Errors
/// As [`Graph::tangent`], and if there is not a tangent for each input.
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// # fn main() -> wengert::Result<()> {
/// let x = array![1.0, 2.0];
/// let (y, y_dot) = jvp(|g: &Graph, x: &[Var]| g.square(x[0]), &[&x], &[&array![1.0, 10.0]])?;
/// assert_eq!((y[1], y_dot), (4.0, array![2.0, 40.0].into_dyn()));
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn jvp<T: Engine>(
    f: impl Fn(&Graph<T>, &[Var]) -> Var,
    inputs: &Inputs<'_, T>,
    x_dot: &Inputs<'_, T>,
) -> Result<(ArrayD<T>, ArrayD<T>)> {
    let (g, x, y) = recorded(f, inputs);
    let along = tangents(&g, &x, x_dot, "jvp")?;
    let y_dot = g.tangent(y, &along)?;
    Ok((g.value(y).to_owned(), g.value(y_dot).to_owned()))
}

/// The gradient of `f` (one element), and its Hessian times `v`: the gradient of a tangent, so the cost is that of a few
/// evaluations whatever the length of the inputs.
///
/// # Errors
/// As [`value_and_grad`] and [`jvp`].
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// # fn main() -> wengert::Result<()> {
/// let x = array![1.0, 2.0];
/// let (dy, hv) = hvp(|g: &Graph, x: &[Var]| g.sum(x[0].powi(3)), &[&x], &[&array![1.0, 10.0]])?;
/// assert_eq!(dy[0], array![3.0, 12.0].into_dyn());
/// assert_eq!(hv[0], array![6.0, 120.0].into_dyn());
/// # Ok(())
/// # }
/// ```
#[track_caller]
#[allow(clippy::type_complexity)]
pub fn hvp<T: Engine>(
    f: impl Fn(&Graph<T>, &[Var]) -> Var,
    inputs: &Inputs<'_, T>,
    v: &Inputs<'_, T>,
) -> Result<(Gradient<T>, Gradient<T>)> {
    let (mut g, x, y) = recorded(f, inputs);
    let along = tangents(&g, &x, v, "hvp")?;
    let y_dot = g.tangent(y, &along)?;
    g.backward(y)?;
    let gradient = gradients(&g, &x);
    g.zero_grad();
    // The tangent of a linear function depends on no input: its Hessian is zero.
    if g.is_differentiable(y_dot) {
        g.backward(y_dot)?;
    }
    Ok((gradient, gradients(&g, &x)))
}
