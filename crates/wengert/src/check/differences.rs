//! Gradients and Hessians held against central differences.

use std::fmt;

use ndarray::ArrayD;

use crate::functional::Inputs;
use crate::graph::{Graph, Source};
use crate::var::Var;

/// What a check of derivatives against differences has found.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientCheck {
    /// Whether no difference is above the tolerance.
    pub matches: bool,
    /// The largest `|analytic - numeric| / max(1, |analytic|, |numeric|)`: relative for large derivatives, absolute for
    /// small ones; infinite where one of the two is no number.
    pub max_difference: f64,
    /// Where it is: the input and the element (in row-major order) that the derivative is taken with respect to, and for a
    /// second derivative those of the first one in front. `None` where there are no elements.
    pub at: Option<Vec<(usize, usize)>>,
    /// The engine's derivative there.
    pub analytic: f64,
    /// The difference quotient there.
    pub numeric: f64,
}

impl GradientCheck {
    fn new(tolerance: f64, rows: impl Iterator<Item = (Vec<(usize, usize)>, f64, f64)>) -> Self {
        let mut worst =
            GradientCheck { matches: true, max_difference: 0.0, at: None, analytic: 0.0, numeric: 0.0 };
        for (at, analytic, numeric) in rows {
            let scale = 1f64.max(analytic.abs()).max(numeric.abs());
            let difference = match (analytic - numeric).abs() / scale {
                _ if analytic == numeric => 0.0,
                difference if difference.is_nan() => f64::INFINITY,
                difference => difference,
            };
            if worst.at.is_none() || difference > worst.max_difference {
                let matches = worst.matches && difference <= tolerance;
                worst =
                    GradientCheck { matches, max_difference: difference, at: Some(at), analytic, numeric };
            }
        }
        worst
    }
}

impl fmt::Display for GradientCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.matches { "derivatives match" } else { "derivatives DIFFER" };
        write!(f, "{verdict}: largest difference {:.1e}", self.max_difference)?;
        for (k, (input, element)) in self.at.iter().flatten().enumerate() {
            write!(f, "{} input {input}, element {element}", if k == 0 { " at" } else { " and" })?;
        }
        match self.at {
            Some(_) => write!(f, " (engine {}, differences {})", self.analytic, self.numeric),
            None => Ok(()),
        }
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

/// A function of several inputs, and a graph to evaluate it on.
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
    fn gradient(&self, x: &[ArrayD<f64>], v: Option<&[ArrayD<f64>]>) -> Arrays {
        let mut g = Graph::new();
        let mut leaves = Vec::with_capacity(x.len());
        for x in x {
            leaves.push(g.leaf(x));
        }
        let mut y = (self.f)(&g, &leaves);
        if let Some(v) = v.filter(|_| g.is_differentiable(y)) {
            let gradient = g.gradient(y, &leaves).unwrap_or_else(|error| panic!("{error}"));
            y = g.constant(0.0);
            for (dy, v) in gradient.into_iter().zip(v) {
                y = g.eval(y + g.sum(dy * g.constant(v)));
            }
        }
        if g.is_differentiable(y) {
            g.backward(y).unwrap_or_else(|error| panic!("{error}"));
        }
        leaves
            .iter()
            .map(|&x| g.grad(x).map_or_else(|| ArrayD::zeros(&g.shape(x)[..]), |d| d.to_owned()))
            .collect()
    }

    /// Calls `row` with `x` moved by `eps` and by `-eps` for each element of each input.
    fn around(&self, x: &mut Arrays, eps: f64, mut row: impl FnMut(usize, usize, &[Arrays; 2])) {
        for input in 0..x.len() {
            for element in 0..x[input].len() {
                let moved = [eps, -eps].map(|by| {
                    let mut moved = x.clone();
                    moved[input].as_slice_mut().expect("made without gaps")[element] += by;
                    moved
                });
                row(input, element, &moved);
            }
        }
    }

    #[track_caller]
    fn numerical_gradient(&self, x: &mut Arrays, eps: f64) -> Arrays {
        let mut gradient: Arrays = x.iter().map(|x| ArrayD::zeros(x.raw_dim())).collect();
        self.around(x, eps, |input, element, [ahead, behind]| {
            let slope = (self.value(ahead) - self.value(behind)) / (2.0 * eps);
            gradient[input].as_slice_mut().expect("made without gaps")[element] = slope;
        });
        gradient
    }
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
    probe.numerical_gradient(&mut arrays(&[&x]), eps).remove(0)
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
    Probe { f }.numerical_gradient(&mut arrays(inputs), eps)
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
/// assert_eq!(check.at, Some(vec![(0, 1)]));
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
    let (probe, mut x) = (Probe { f }, arrays(inputs));
    let analytic = probe.gradient(&x, None);
    let numeric = probe.numerical_gradient(&mut x, eps);
    GradientCheck::new(tolerance, pairs(&analytic, &numeric).map(|(at, a, n)| (vec![at], a, n)))
}

/// The elements of two lists of arrays, side by side, with input and position.
fn pairs<'a>(
    a: &'a [ArrayD<f64>],
    n: &'a [ArrayD<f64>],
) -> impl Iterator<Item = ((usize, usize), f64, f64)> + 'a {
    let of_input = |(input, (a, n)): (usize, (&'a ArrayD<f64>, &'a ArrayD<f64>))| {
        a.iter().zip(n).enumerate().map(move |(element, (&a, &n))| ((input, element), a, n))
    };
    a.iter().zip(n).enumerate().flat_map(of_input)
}

/// Holds the second derivatives of `f` (one element) at `x` against central differences of its gradient.
///
/// # Panics
/// If the result of `f` has not one element, or its gradient cannot be recorded.
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::prelude::*;
/// use wengert::check::check_second_order;
/// let check = check_second_order(|g, x| g.sum(x.exp() * x), &array![1.0, 2.0], 1e-5, 1e-7);
/// assert!(check.matches, "{check}");
/// ```
#[track_caller]
pub fn check_second_order(
    f: impl Fn(&Graph, Var) -> Var,
    x: impl Source<f64>,
    eps: f64,
    tolerance: f64,
) -> GradientCheck {
    check_second_order_of(|g, x| f(g, x[0]), &[&x], eps, tolerance)
}

/// As [`check_second_order`], with respect to several inputs.
///
/// # Panics
/// If the result of `f` has not one element, or its gradient cannot be recorded.
#[track_caller]
pub fn check_second_order_of(
    f: impl Fn(&Graph, &[Var]) -> Var,
    inputs: &Inputs<'_, f64>,
    eps: f64,
    tolerance: f64,
) -> GradientCheck {
    let (probe, mut x) = (Probe { f }, arrays(inputs));
    let at = x.clone();
    let mut rows = Vec::new();
    probe.around(&mut x, eps, |input, element, [ahead, behind]| {
        let mut v: Arrays = at.iter().map(|x| ArrayD::zeros(x.raw_dim())).collect();
        v[input].as_slice_mut().expect("made without gaps")[element] = 1.0;
        let analytic = probe.gradient(&at, Some(&v));
        let mut numeric = probe.gradient(ahead, None);
        for (ahead, behind) in numeric.iter_mut().zip(probe.gradient(behind, None)) {
            ahead.zip_mut_with(&behind, |a, b| *a = (*a - b) / (2.0 * eps));
        }
        rows.extend(pairs(&analytic, &numeric).map(|(at, a, n)| (vec![(input, element), at], a, n)));
    });
    GradientCheck::new(tolerance, rows.into_iter())
}
