//! Gradient checks: a program's derivatives against central differences of its values.
//!
//! `f` builds the program on a graph it is given, from its inputs, and returns a number. It is built anew for every
//! evaluation, so it may do whatever a program may do, value-dependent branches included.

use std::fmt;

use ndarray::ArrayD;

use crate::error::Result;
use crate::graph::Graph;
use crate::var::Var;

/// What a check found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GradientCheck {
    /// Whether every element is within the tolerance.
    pub matches: bool,
    /// The largest difference, relative where the derivative is larger than 1. NaN counts as infinite.
    pub max_difference: f64,
    /// The input and the element (row-major) where it is.
    pub at: (usize, usize),
    /// The engine's derivative there.
    pub analytic: f64,
    /// The difference quotient there.
    pub numeric: f64,
}

impl fmt::Display for GradientCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (input, element) = self.at;
        write!(
            f,
            "{}: largest difference {:.3e} at element {element} of input {input} (engine {:e}, numeric {:e})",
            if self.matches { "matches" } else { "differs" },
            self.max_difference,
            self.analytic,
            self.numeric
        )
    }
}

/// The gradient of `f` at `x` by central differences with step `eps`: `(f(x + eps) - f(x - eps)) / 2 eps` an element.
///
/// Takes two evaluations an element; its error is about `eps^2` from the formula and `1e-16 / eps` from rounding.
///
/// # Panics
/// If `f` does not return a node of one element.
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// let slope = numerical_gradient(|g, x| g.sum(x.powi(3)), &array![1.0, 2.0].into_dyn(), 1e-5);
/// assert!((slope[0] - 3.0).abs() < 1e-8 && (slope[1] - 12.0).abs() < 1e-8);
/// ```
pub fn numerical_gradient(f: impl Fn(&Graph, Var) -> Var, x: &ArrayD<f64>, eps: f64) -> ArrayD<f64> {
    let mut g = Graph::new();
    let base = g.mark();
    let mut moved = x.clone();
    let mut slope = x.clone();
    for (k, slot) in slope.iter_mut().enumerate() {
        let at = |g: &mut Graph, moved: &mut ArrayD<f64>, step: f64| {
            let element = moved.iter_mut().nth(k).expect("an element of x");
            let kept = std::mem::replace(element, *element + step);
            let input = g.leaf(moved.view());
            let value = g.item(f(g, input));
            g.rewind(base);
            *moved.iter_mut().nth(k).expect("an element of x") = kept;
            value
        };
        *slot = (at(&mut g, &mut moved, eps) - at(&mut g, &mut moved, -eps)) / (2.0 * eps);
    }
    slope
}

/// Compares the engine's gradient of `f` at `x` with [`numerical_gradient`].
///
/// An element agrees when `|analytic - numeric| <= tol * max(1, |numeric|)`.
///
/// # Panics
/// If `f` does not return a differentiable node of one element.
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// let check = check_gradients(|g, x| g.sum(3 * x.square() + x), &array![1.0, 2.0].into_dyn(), 1e-6, 1e-6);
/// assert!(check.matches, "{check}");
/// ```
#[track_caller]
pub fn check_gradients(f: impl Fn(&Graph, Var) -> Var, x: &ArrayD<f64>, eps: f64, tol: f64) -> GradientCheck {
    check_gradients_of(|g, xs| f(g, xs[0]), &[x], eps, tol)
}

/// As [`check_gradients`] for a program of several inputs.
///
/// # Panics
/// If `f` does not return a differentiable node of one element.
#[track_caller]
pub fn check_gradients_of(
    f: impl Fn(&Graph, &[Var]) -> Var,
    xs: &[&ArrayD<f64>],
    eps: f64,
    tol: f64,
) -> GradientCheck {
    let mut g = Graph::new();
    let leaves: Vec<Var> = xs.iter().map(|x| g.leaf(x.view())).collect();
    let y = f(&g, &leaves);
    g.backward(y).unwrap_or_else(|error| panic!("check_gradients: {error}"));
    let mut found = nothing_found();
    for (k, x) in xs.iter().enumerate() {
        let along = |g: &Graph, v: Var| {
            let inputs: Vec<Var> = xs
                .iter()
                .enumerate()
                .map(|(j, other)| if j == k { v } else { g.constant(other.view()) })
                .collect();
            f(g, &inputs)
        };
        let numeric = numerical_gradient(along, x, eps);
        let analytic = g.grad(leaves[k]).map_or_else(|| ArrayD::zeros(x.raw_dim()), |grad| grad.to_owned());
        compare(&mut found, k, &analytic, &numeric, tol);
    }
    found
}

/// Compares second derivatives: the gradient of `<gradient of f, v>`, `v` fixed, with central differences of it.
///
/// # Errors
/// If `f` cannot be differentiated twice.
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// # fn main() -> wengert::Result<()> {
/// let check = check_second_order(|g, x| g.sum(x.exp() * x), &array![0.3, -0.5].into_dyn(), 1e-5, 1e-6)?;
/// assert!(check.matches, "{check}");
/// # Ok(())
/// # }
/// ```
pub fn check_second_order(
    f: impl Fn(&Graph, Var) -> Var,
    x: &ArrayD<f64>,
    eps: f64,
    tol: f64,
) -> Result<GradientCheck> {
    let mut direction = x.clone();
    direction.iter_mut().enumerate().for_each(|(k, v)| *v = 0.4 + 0.3 * ((k * 7 % 5) as f64));
    let slope_along = |g: &Graph, x: Var| -> Result<Var> {
        let y = f(g, x);
        let slope = g.gradient(y, &[x])?[0];
        Ok(g.sum(slope * g.constant(direction.view())))
    };
    let g = Graph::new();
    let leaf = g.leaf(x.view());
    let inner = slope_along(&g, leaf)?;
    let analytic = if g.is_differentiable(inner) {
        g.value(g.gradient(inner, &[leaf])?[0]).to_owned()
    } else {
        ArrayD::zeros(x.raw_dim())
    };
    let numeric =
        numerical_gradient(|g, x| slope_along(g, x).expect("differentiable, as it was above"), x, eps);
    let mut found = nothing_found();
    compare(&mut found, 0, &analytic, &numeric, tol);
    Ok(found)
}

fn nothing_found() -> GradientCheck {
    GradientCheck { matches: true, max_difference: 0.0, at: (0, 0), analytic: 0.0, numeric: 0.0 }
}

fn compare(found: &mut GradientCheck, input: usize, analytic: &ArrayD<f64>, numeric: &ArrayD<f64>, tol: f64) {
    for (element, (&analytic, &numeric)) in analytic.iter().zip(numeric).enumerate() {
        let difference = (analytic - numeric).abs() / numeric.abs().max(1.0);
        let difference = if difference.is_nan() { f64::INFINITY } else { difference };
        if difference > found.max_difference {
            let matches = found.matches && difference <= tol;
            *found = GradientCheck {
                matches,
                max_difference: difference,
                at: (input, element),
                analytic,
                numeric,
            };
        }
    }
}
