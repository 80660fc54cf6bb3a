//! Gradients and Hessians held against central differences.

use std::fmt;

use ndarray::ArrayD;

use crate::error::Result;
use crate::functional::{Inputs, gradients};
use crate::graph::{Graph, Source};
use crate::var::Var;

/// What a check of derivatives against differences has found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GradientCheck {
    /// Whether no difference is above the tolerance.
    pub matches: bool,
    /// The largest `|analytic - numeric| / max(1, |analytic|, |numeric|)`: relative for large derivatives, absolute for
    /// small ones; infinite where one of the two is no number.
    pub max_difference: f64,
    /// Where it is: the input, and its element in row-major order, that the derivative is taken with respect to.
    pub at: (usize, usize),
    /// For a second derivative: what the first one is taken with respect to.
    pub first: Option<(usize, usize)>,
    /// The engine's derivative there.
    pub analytic: f64,
    /// The difference quotient there.
    pub numeric: f64,
}

impl GradientCheck {
    fn new() -> Self {
        let (max_difference, at) = (0.0, (0, 0));
        GradientCheck { matches: true, max_difference, at, first: None, analytic: 0.0, numeric: 0.0 }
    }

    /// Takes in derivatives and difference quotients, side by side.
    fn compare(
        &mut self,
        first: Option<(usize, usize)>,
        analytic: &[ArrayD<f64>],
        numeric: &[ArrayD<f64>],
        tolerance: f64,
    ) {
        for (input, (analytic, numeric)) in analytic.iter().zip(numeric).enumerate() {
            for (element, (&analytic, &numeric)) in analytic.iter().zip(numeric).enumerate() {
                let scale = 1f64.max(analytic.abs()).max(numeric.abs());
                let difference = match (analytic - numeric).abs() / scale {
                    _ if analytic == numeric => 0.0,
                    difference if difference.is_nan() => f64::INFINITY,
                    difference => difference,
                };
                if difference > self.max_difference {
                    let matches = self.matches && difference <= tolerance;
                    let at = (input, element);
                    *self =
                        GradientCheck { matches, max_difference: difference, at, first, analytic, numeric };
                }
            }
        }
    }
}

impl fmt::Display for GradientCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.matches { "matches" } else { "differs" };
        let (input, element) = self.at;
        write!(
            f,
            "{verdict}: largest difference {:.1e} at element {element} of input {input}",
            self.max_difference
        )?;
        if let Some((input, element)) = self.first {
            write!(f, ", of the derivative to element {element} of input {input}")?;
        }
        write!(f, " (engine {:e}, numeric {:e})", self.analytic, self.numeric)
    }
}

type Arrays = Vec<ArrayD<f64>>;

fn arrays(inputs: &Inputs<'_, f64>) -> Arrays {
    let array = |x: &&dyn Source<f64>| {
        let mut value = ArrayD::zeros(&x.shape()[..]);
        x.write(value.as_slice_mut().expect("made without gaps"));
        value
    };
    inputs.iter().map(array).collect()
}

/// A function of several inputs.
struct Probe<F> {
    f: F,
}

impl<F: Fn(&Graph, &[Var]) -> Var> Probe<F> {
    #[track_caller]
    fn value(&self, x: &[ArrayD<f64>]) -> f64 {
        let g = Graph::new();
        let mut leaves = Vec::with_capacity(x.len());
        for x in x {
            leaves.push(g.leaf(x));
        }
        g.item((self.f)(&g, &leaves))
    }

    /// The gradient of the function, or that of `<gradient, v>`; zeros where it depends on no input.
    #[track_caller]
    fn gradient(&self, x: &[ArrayD<f64>], v: Option<&[ArrayD<f64>]>) -> Result<Arrays> {
        let mut g = Graph::new();
        let mut leaves = Vec::with_capacity(x.len());
        for x in x {
            leaves.push(g.leaf(x));
        }
        let mut y = (self.f)(&g, &leaves);
        if let Some(v) = v.filter(|_| g.is_differentiable(y)) {
            let gradient = g.gradient(y, &leaves)?;
            y = g.constant(0.0);
            for (dy, v) in gradient.into_iter().zip(v) {
                y = g.eval(y + g.sum(dy * g.constant(v)));
            }
        }
        if g.is_differentiable(y) {
            g.backward(y)?;
        }
        Ok(gradients(&g, &leaves))
    }

    #[track_caller]
    fn numerical_gradient(&self, x: &[ArrayD<f64>], eps: f64) -> Arrays {
        let mut gradient: Arrays = x.iter().map(|x| ArrayD::zeros(x.raw_dim())).collect();
        for input in 0..x.len() {
            for element in 0..x[input].len() {
                let [ahead, behind] = around(x, input, element, eps);
                let slope = (self.value(&ahead) - self.value(&behind)) / (2.0 * eps);
                gradient[input].as_slice_mut().expect("made without gaps")[element] = slope;
            }
        }
        gradient
    }
}

/// `x` with one element moved by `eps`, and by `-eps`.
fn around(x: &[ArrayD<f64>], input: usize, element: usize, eps: f64) -> [Arrays; 2] {
    [eps, -eps].map(|by| {
        let mut moved = x.to_vec();
        moved[input].as_slice_mut().expect("made without gaps")[element] += by;
        moved
    })
}

/// The gradient of `f` (one element) at `x` by central differences of step `eps`: two evaluations for each element.
///
/// Best accuracy, about 1e-10, at a step of about 6e-6; tiny steps drown in rounding.
///
/// # Panics
/// If the result of `f` has not one element.
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// let slope = numerical_gradient(|g, x| g.sum(x.powi(3)), &array![1.0, 2.0], 1e-5);
/// assert!((slope[1] - 12.0).abs() < 1e-8);
/// ```
#[track_caller]
pub fn numerical_gradient(f: impl Fn(&Graph, Var) -> Var, x: impl Source<f64>, eps: f64) -> ArrayD<f64> {
    let probe = Probe { f: |g: &Graph, x: &[Var]| f(g, x[0]) };
    probe.numerical_gradient(&arrays(&[&x]), eps).remove(0)
}

/// As [`numerical_gradient`], with respect to several inputs.
///
/// # Panics
/// If the result of `f` has not one element.
#[track_caller]
pub fn numerical_gradient_of(
    f: impl Fn(&Graph, &[Var]) -> Var,
    inputs: &Inputs<'_, f64>,
    eps: f64,
) -> Vec<ArrayD<f64>> {
    Probe { f }.numerical_gradient(&arrays(inputs), eps)
}

/// Holds the gradient of `f` (one element) at `x` against central differences of step `eps`.
///
/// A function that depends on `x` behind the engine's back (through `detach`, `no_grad`, an op without gradient) differs,
/// too: its gradient counts as 0.
///
/// # Panics
/// If the result of `f` has not one element.
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// let check = check_gradients(|g, x| g.sum(x * x.sin()), &array![1.0, 2.0], 1e-6, 1e-7);
/// assert!(check.matches, "{check}");
/// let check = check_gradients(|g, x| g.sum(x * g.detach(x)), &array![1.0, 2.0], 1e-6, 1e-7);
/// assert!(!check.matches);
/// assert_eq!((check.analytic, check.numeric.round()), (1.0, 2.0));
/// ```
#[track_caller]
pub fn check_gradients(
    f: impl Fn(&Graph, Var) -> Var,
    x: impl Source<f64>,
    eps: f64,
    tolerance: f64,
) -> GradientCheck {
    check_gradients_of(|g, x| f(g, x[0]), &[&x], eps, tolerance)
}

/// As [`check_gradients`], with respect to several inputs.
///
/// # Panics
/// If the result of `f` has not one element.
#[track_caller]
pub fn check_gradients_of(
    f: impl Fn(&Graph, &[Var]) -> Var,
    inputs: &Inputs<'_, f64>,
    eps: f64,
    tolerance: f64,
) -> GradientCheck {
    let (probe, x) = (Probe { f }, arrays(inputs));
    let analytic = probe.gradient(&x, None).unwrap_or_else(|error| panic!("{error}"));
    let numeric = probe.numerical_gradient(&x, eps);
    let mut check = GradientCheck::new();
    check.compare(None, &analytic, &numeric, tolerance);
    check
}

/// Holds the second derivatives of `f` (one element) at `x` against central differences of its gradient.
///
/// # Errors
/// If the result of `f` has not one element, or `f` cannot be differentiated twice.
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// # fn main() -> wengert::Result<()> {
/// let check = check_second_order(|g, x| g.sum(x.exp() * x), &array![1.0, 2.0], 1e-5, 1e-7)?;
/// assert!(check.matches, "{check}");
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn check_second_order(
    f: impl Fn(&Graph, Var) -> Var,
    x: impl Source<f64>,
    eps: f64,
    tolerance: f64,
) -> Result<GradientCheck> {
    check_second_order_of(|g, x| f(g, x[0]), &[&x], eps, tolerance)
}

/// As [`check_second_order`], with respect to several inputs.
///
/// # Errors
/// If the result of `f` has not one element, or `f` cannot be differentiated twice.
#[track_caller]
pub fn check_second_order_of(
    f: impl Fn(&Graph, &[Var]) -> Var,
    inputs: &Inputs<'_, f64>,
    eps: f64,
    tolerance: f64,
) -> Result<GradientCheck> {
    let (probe, x) = (Probe { f }, arrays(inputs));
    let mut check = GradientCheck::new();
    for input in 0..x.len() {
        for element in 0..x[input].len() {
            let mut v: Arrays = x.iter().map(|x| ArrayD::zeros(x.raw_dim())).collect();
            v[input].as_slice_mut().expect("made without gaps")[element] = 1.0;
            let [ahead, behind] = around(&x, input, element, eps);
            let mut numeric = probe.gradient(&ahead, None)?;
            for (ahead, behind) in numeric.iter_mut().zip(probe.gradient(&behind, None)?) {
                ahead.zip_mut_with(&behind, |a, b| *a = (*a - b) / (2.0 * eps));
            }
            check.compare(Some((input, element)), &probe.gradient(&x, Some(&v))?, &numeric, tolerance);
        }
    }
    Ok(check)
}
