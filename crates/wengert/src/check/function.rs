//! [`check_function`]: each derivative of a function stated several times, and held against the others.

use std::fmt;

use ndarray::ArrayD;

use crate::error::Result;
use crate::functional::Inputs;
use crate::graph::{Engine, Graph};
use crate::var::Var;

/// What two statements of one number may differ by, relative to the largest number beside it, or to 1: of the digits of
/// the type a part that grows with the roundings between the two.
struct Tolerance {
    /// One rule, run in two ways.
    first: f64,
    /// Two rules, each summed over all elements.
    paired: f64,
    /// Two ways to a second derivative, or two types.
    second: f64,
    /// A difference quotient: the error of the formula, not of rounding.
    difference: f64,
}

impl Tolerance {
    fn of<T: Engine>() -> Self {
        let share = |digits: f64| T::epsilon().as_f64().powf(digits);
        Tolerance { first: share(0.77), paired: share(0.71), second: share(0.65), difference: 1e-7 }
    }
}

/// What a function gives at one point, along one direction, in whatever type it was computed.
#[derive(Default)]
pub(crate) struct Derivatives {
    pub values: Vec<f64>,
    pub gradient: Vec<f64>,
    pub tangent: Vec<f64>,
    pub second: Vec<f64>,
}

impl Derivatives {
    #[cfg(test)]
    fn each(&self) -> [(&'static str, &[f64]); 4] {
        [
            ("values", &self.values),
            ("gradient", &self.gradient),
            ("tangent", &self.tangent),
            ("second order", &self.second),
        ]
    }

    /// Holds numbers computed in `f32` against the same computed in `f64`.
    #[cfg(test)]
    pub fn against_wider(&self, wider: &Derivatives) -> FunctionCheck {
        let mut check = FunctionCheck::default();
        for ((law, have), (_, want)) in self.each().into_iter().zip(wider.each()) {
            check.expect(&format!("{law} in f32 against f64"), have, want, Tolerance::of::<f32>().second);
        }
        check
    }

    /// Whether every number can be represented in `f32`.
    #[cfg(test)]
    pub fn fit_f32(&self) -> bool {
        self.each().iter().all(|(_, x)| x.iter().all(|&x| (x as f32).is_finite()))
    }

    /// Holds the values of two recordings of one function against each other.
    #[cfg(test)]
    pub fn against_alike(&self, other: &Derivatives) -> FunctionCheck {
        let mut check = FunctionCheck::default();
        check.expect("values, otherwise laid out", &self.values, &other.values, Tolerance::of::<f64>().first);
        check
    }
}

/// What [`check_function`] has found: the laws that failed, each with its figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FunctionCheck {
    /// The laws that do not hold; none where all is well.
    pub failures: Vec<String>,
}

impl FunctionCheck {
    /// Whether every law holds.
    pub fn holds(&self) -> bool {
        self.failures.is_empty()
    }

    fn expect(&mut self, law: &str, have: &[f64], want: &[f64], tolerance: f64) {
        let size = have.iter().chain(want).filter(|v| v.is_finite()).fold(1f64, |m, v| m.max(v.abs()));
        let bad = have.iter().zip(want).position(|(&a, &b)| {
            !(a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * size)
        });
        if have.len() != want.len() {
            self.failures.push(format!("{law}: {} elements against {}", have.len(), want.len()));
        } else if let Some(k) = bad {
            self.failures.push(format!("{law}: {} against {} (element {k})", have[k], want[k]));
        }
    }
}

impl fmt::Display for FunctionCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.holds() {
            true => write!(f, "every law holds"),
            false => write!(f, "{}", self.failures.join("; ")),
        }
    }
}

/// A function whose results are joined with cotangents, so that it has one number to differentiate.
struct Subject<T, F> {
    f: F,
    x: Vec<ArrayD<T>>,
}

/// One recording of the subject.
struct Recording<T: Engine> {
    g: Graph<T>,
    x: Vec<Var>,
    /// The real results that depend on `x`.
    ys: Vec<Var>,
    /// Their cotangents, as leaves.
    bars: Vec<Var>,
    /// The sum of the results times their cotangents.
    joined: Var,
}

/// Reproducible numbers between 0.25 and 1 in size, of either sign, the same in both types.
fn direction<T: Engine>(seed: u64, shape: &[usize]) -> ArrayD<T> {
    let mut state = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    ArrayD::from_shape_simple_fn(shape, || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let size = 0.25 + 0.75 * ((state >> 44) as f64 / (1u64 << 20) as f64);
        T::of(if state & 1 == 0 { size } else { -size })
    })
}

fn moved<T: Engine>(x: &[ArrayD<T>], v: &[ArrayD<T>], by: f64) -> Vec<ArrayD<T>> {
    x.iter().zip(v).map(|(x, v)| x + &v.mapv(|v| v * T::of(by))).collect()
}

fn flat<'a, T: Engine>(arrays: impl IntoIterator<Item = &'a ArrayD<T>>) -> Vec<f64> {
    arrays.into_iter().flat_map(|a| a.iter().map(|x| x.as_f64())).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl<T: Engine, F: Fn(&Graph<T>, &[Var]) -> Vec<Var>> Subject<T, F> {
    fn record(&self, x: &[ArrayD<T>]) -> Recording<T> {
        let g = Graph::default();
        let x: Vec<Var> = x.iter().map(|x| g.leaf(x)).collect();
        let ys: Vec<Var> = (self.f)(&g, &x).into_iter().filter(|&y| g.is_differentiable(y)).collect();
        let mut joined = g.constant(ndarray::arr0(T::zero()));
        let mut bars = Vec::new();
        for (k, &y) in ys.iter().enumerate() {
            let bar = g.leaf(direction::<T>(70 + k as u64, &g.shape(y)));
            let part = g.mul(y, bar);
            joined = g.add(joined, g.sum(part));
            bars.push(bar);
        }
        Recording { g, x, ys, bars, joined }
    }

    fn values(&self, x: &[ArrayD<T>]) -> Vec<f64> {
        let r = self.record(x);
        r.read(&r.ys)
    }

    /// The gradient of the joined number, by a sweep.
    fn swept(&self, x: &[ArrayD<T>]) -> Result<Vec<f64>> {
        let mut r = self.record(x);
        r.g.backward(r.joined)?;
        Ok(r.x.iter().flat_map(|&x| r.grad(x)).collect())
    }

    /// A fourth-order central difference of `of` along `v`.
    fn slope(
        &self,
        v: &[ArrayD<T>],
        h: f64,
        of: impl Fn(&[ArrayD<T>]) -> Result<Vec<f64>>,
    ) -> Result<Vec<f64>> {
        let at = |by: f64| of(&moved(&self.x, v, by));
        let (a, b, c, d) = (at(-2.0 * h)?, at(-h)?, at(h)?, at(2.0 * h)?);
        Ok((0..a.len()).map(|k| (a[k] - 8.0 * b[k] + 8.0 * c[k] - d[k]) / (12.0 * h)).collect())
    }
}

impl<T: Engine> Recording<T> {
    fn grad(&self, x: Var) -> Vec<f64> {
        let zeros = || vec![0.0; self.g.len(x)];
        self.g.grad(x).map_or_else(zeros, |d| d.iter().map(|d| d.as_f64()).collect())
    }

    fn read(&self, vars: &[Var]) -> Vec<f64> {
        vars.iter().flat_map(|&v| self.g.value(v).iter().map(|x| x.as_f64()).collect::<Vec<_>>()).collect()
    }

    fn pair(&self, vars: &[Var], v: &[ArrayD<T>]) -> Var {
        let mut sum = self.g.constant(ndarray::arr0(T::zero()));
        for (&x, v) in vars.iter().zip(v) {
            let part = self.g.mul(x, self.g.constant(v));
            sum = self.g.add(sum, self.g.sum(part));
        }
        sum
    }
}

/// Holds the derivatives of a function of real arrays against each other and against fourth-order central differences of
/// step `step`: `backward` equals `gradient`; `<y_bar, tangent> = <cotangent, x_dot>`; tangents equal differences of values;
/// second derivatives equal differences of gradients; the gradient with respect to `y_bar` is the tangent.
///
/// For ops of one's own: `f` applies the op to its arguments and returns its results. A `step` of 0 leaves the differences
/// out: for arguments at a kink, or far out in a tail.
///
/// # Errors
/// If `f` cannot be differentiated.
///
/// # Examples
/// ```
/// use ndarray::array;
/// use wengert::check::check_function;
/// use wengert::prelude::*;
/// # fn main() -> wengert::Result<()> {
/// let x = array![0.5, 2.0];
/// let check = check_function(|g, x| vec![g.eval(x[0].sin() * x[0])], &[&x], 1e-3)?;
/// assert!(check.holds(), "{check}");
/// # Ok(())
/// # }
/// ```
pub fn check_function(
    f: impl Fn(&Graph, &[Var]) -> Vec<Var>,
    inputs: &Inputs<'_, f64>,
    step: f64,
) -> Result<FunctionCheck> {
    let x: Vec<ArrayD<f64>> = inputs
        .iter()
        .map(|x| {
            let mut value = ArrayD::zeros(&x.shape()[..]);
            x.write(value.as_slice_mut().expect("made without gaps"));
            value
        })
        .collect();
    laws(f, x, step).map(|(check, _)| check)
}

/// [`check_function`] in either type; and what it has found the derivatives to be.
pub(crate) fn laws<T: Engine>(
    f: impl Fn(&Graph<T>, &[Var]) -> Vec<Var>,
    x: Vec<ArrayD<T>>,
    step: f64,
) -> Result<(FunctionCheck, Derivatives)> {
    let subject = Subject { f, x };
    let (mut check, mut found) = (FunctionCheck::default(), Derivatives::default());
    let r = subject.record(&subject.x);
    if !r.ys.is_empty() {
        let along = |seed: u64| -> Vec<ArrayD<T>> {
            let parts = subject.x.iter().enumerate();
            parts.map(|(k, x)| direction(seed + k as u64, x.shape())).collect()
        };
        let (v, w) = (along(0), along(30));
        found.values = r.read(&r.ys);
        // Of what is no number there are no differences.
        let step = if found.values.iter().all(|y| y.is_finite()) { step } else { 0.0 };
        first_order(&subject, &r, &v, step, &mut check, &mut found)?;
        second_order(&subject, &r, &v, &w, step, &mut check, &mut found)?;
    }
    Ok((check, found))
}

fn first_order<T: Engine, F: Fn(&Graph<T>, &[Var]) -> Vec<Var>>(
    subject: &Subject<T, F>,
    r: &Recording<T>,
    v: &[ArrayD<T>],
    step: f64,
    check: &mut FunctionCheck,
    found: &mut Derivatives,
) -> Result<()> {
    let tolerance = Tolerance::of::<T>();
    let swept = subject.swept(&subject.x)?;
    let recorded = r.read(&r.g.gradient(r.joined, &r.x)?);
    check.expect("gradient against backward", &recorded, &swept, tolerance.first);
    let along: Vec<(Var, Var)> = r.x.iter().zip(v).map(|(&x, v)| (x, r.g.constant(v))).collect();
    let mut y_dots = Vec::new();
    for &y in &r.ys {
        y_dots.push(r.g.tangent(y, &along)?);
    }
    let y_dot = r.read(&y_dots);
    let y_bar = r.read(&r.bars);
    let (forward, reverse) = (dot(&y_bar, &y_dot), dot(&swept, &flat(v)));
    if (forward.is_finite() || reverse.is_finite()) && found.values.iter().all(|y| !y.is_nan()) {
        let size = y_bar.iter().zip(&y_dot).map(|(a, b)| (a * b).abs()).sum::<f64>().max(1.0);
        let (have, want) = ([forward / size], [reverse / size]);
        check.expect("<y_bar, jvp> against <vjp, x_dot>", &have, &want, tolerance.paired);
    }
    if step > 0.0 {
        let slope = subject.slope(v, step, |x| Ok(subject.values(x)))?;
        check.expect("tangent against differences", &y_dot, &slope, tolerance.difference);
    }
    (found.gradient, found.tangent) = (swept, y_dot);
    Ok(())
}

fn second_order<T: Engine, F: Fn(&Graph<T>, &[Var]) -> Vec<Var>>(
    subject: &Subject<T, F>,
    r: &Recording<T>,
    v: &[ArrayD<T>],
    w: &[ArrayD<T>],
    step: f64,
    check: &mut FunctionCheck,
    found: &mut Derivatives,
) -> Result<()> {
    let tolerance = Tolerance::of::<T>();
    let gradient = r.g.gradient(r.joined, &r.x)?;
    let inner = r.pair(&gradient, w);
    if !r.g.is_differentiable(inner) {
        if r.read(&gradient).iter().any(|&d| d != 0.0) {
            check.failures.push("the gradient does not depend on y_bar".into());
        }
        return Ok(());
    }
    // With respect to y_bar the gradient along w is the tangent along w.
    let along: Vec<(Var, Var)> = r.x.iter().zip(w).map(|(&x, w)| (x, r.g.constant(w))).collect();
    let of_bars = r.read(&r.g.gradient(inner, &r.bars)?);
    let mut y_dots = Vec::new();
    for &y in &r.ys {
        y_dots.push(r.g.tangent(y, &along)?);
    }
    check.expect("derivative to y_bar against tangent", &of_bars, &r.read(&y_dots), tolerance.second);
    // H w, along v, against the difference of gradients along v.
    let hw = r.read(&r.g.gradient(inner, &r.x)?);
    let mut again = subject.record(&subject.x);
    let gradient = again.g.gradient(again.joined, &again.x)?;
    let inner = again.pair(&gradient, w);
    again.g.backward(inner)?;
    let swept: Vec<f64> = again.x.iter().flat_map(|&x| again.grad(x)).collect();
    check.expect("second order, gradient against backward", &hw, &swept, tolerance.second);
    if step > 0.0 {
        let slope = subject.slope(v, step, |x| subject.swept(x))?;
        let (have, want) = (dot(&hw, &flat(v)), dot(&slope, &flat(w)));
        let size = hw.iter().fold(1f64, |m, h| m.max(h.abs())) * flat(v).len().max(1) as f64;
        let (have, want) = ([have / size], [want / size]);
        check.expect("second order against differences", &have, &want, tolerance.difference);
    }
    found.second = hw;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;

    /// `x^3` by a vjp of the test's choosing.
    fn cube(vjp: fn(&Graph, Var, Var) -> Var) -> FunctionCheck {
        let x = ndarray::array![0.7, -1.2];
        let f = move |g: &Graph, x: &[Var]| {
            let forward = |x: &[ndarray::ArrayViewD<'_, f64>]| Ok(x[0].mapv(|x| x * x * x));
            let vjp = move |g: &Graph, x: &[Var], _: Var, bar: Var| -> Result<_> {
                Ok(vec![Some(vjp(g, x[0], bar))])
            };
            vec![g.custom("cube", x, forward, vjp).unwrap()]
        };
        check_function(f, &[&x], 1e-3).unwrap()
    }

    #[test]
    fn wrong_derivatives_are_found_at_either_order() {
        let right = cube(|g, x, bar| g.eval(3 * x * x * bar));
        assert!(right.holds(), "{right}");
        let first = cube(|g, x, bar| g.eval(3.001 * x * x * bar));
        assert!(first.to_string().contains("tangent against differences"), "{first}");
        let second = cube(|g, x, bar| g.eval(3 * x * g.detach(x) * bar));
        assert!(second.failures.iter().all(|law| law.contains("second order")), "{second}");
        assert!(!second.holds());
        let cut = cube(|g, x, bar| g.eval(3 * x * x * g.detach(bar)));
        assert!(cut.to_string().contains("<y_bar, jvp> against <vjp, x_dot>"), "{cut}");
    }
}
