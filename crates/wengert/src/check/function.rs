//! [`check_function`]: each derivative of a function stated several times, and held against the others.

use std::fmt;

use ndarray::ArrayD;

use crate::error::Result;
use crate::functional::Inputs;
use crate::graph::Graph;
use crate::var::Var;

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
struct Subject<F> {
    f: F,
    x: Vec<ArrayD<f64>>,
}

/// One recording of the subject.
struct Recording {
    g: Graph,
    x: Vec<Var>,
    /// The real results that depend on `x`.
    ys: Vec<Var>,
    /// Their cotangents, as leaves.
    bars: Vec<Var>,
    /// The sum of the results times their cotangents.
    joined: Var,
}

/// Reproducible numbers between 0.25 and 1 in size, of either sign.
fn direction(seed: u64, shape: &[usize]) -> ArrayD<f64> {
    let mut state = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    ArrayD::from_shape_simple_fn(shape, || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let u = (state >> 11) as f64 / (1u64 << 53) as f64;
        if state & 1 == 0 { 0.25 + 0.75 * u } else { -0.25 - 0.75 * u }
    })
}

fn moved(x: &[ArrayD<f64>], v: &[ArrayD<f64>], by: f64) -> Vec<ArrayD<f64>> {
    x.iter().zip(v).map(|(x, v)| x + &(v * by)).collect()
}

fn flat<'a>(arrays: impl IntoIterator<Item = &'a ArrayD<f64>>) -> Vec<f64> {
    arrays.into_iter().flat_map(|a| a.iter().copied()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl<F: Fn(&Graph, &[Var]) -> Vec<Var>> Subject<F> {
    fn record(&self, x: &[ArrayD<f64>]) -> Recording {
        let g = Graph::new();
        let x: Vec<Var> = x.iter().map(|x| g.leaf(x)).collect();
        let ys: Vec<Var> = (self.f)(&g, &x).into_iter().filter(|&y| g.is_differentiable(y)).collect();
        let mut joined = g.constant(0.0);
        let mut bars = Vec::new();
        for (k, &y) in ys.iter().enumerate() {
            let bar = g.leaf(direction(70 + k as u64, &g.shape(y)));
            let part = g.mul(y, bar);
            joined = g.add(joined, g.sum(part));
            bars.push(bar);
        }
        Recording { g, x, ys, bars, joined }
    }

    fn values(&self, x: &[ArrayD<f64>]) -> Vec<f64> {
        let r = self.record(x);
        r.ys.iter().flat_map(|&y| r.g.value(y).iter().copied().collect::<Vec<_>>()).collect()
    }

    /// The gradient of the joined number, by a sweep.
    fn swept(&self, x: &[ArrayD<f64>]) -> Result<Vec<f64>> {
        let mut r = self.record(x);
        r.g.backward(r.joined)?;
        Ok(r.x.iter().flat_map(|&x| r.grad(x)).collect())
    }

    /// A fourth-order central difference of `of` along `v`.
    fn slope(
        &self,
        v: &[ArrayD<f64>],
        h: f64,
        of: impl Fn(&[ArrayD<f64>]) -> Result<Vec<f64>>,
    ) -> Result<Vec<f64>> {
        let at = |by: f64| of(&moved(&self.x, v, by));
        let (a, b, c, d) = (at(-2.0 * h)?, at(-h)?, at(h)?, at(2.0 * h)?);
        Ok((0..a.len()).map(|k| (a[k] - 8.0 * b[k] + 8.0 * c[k] - d[k]) / (12.0 * h)).collect())
    }
}

impl Recording {
    fn grad(&self, x: Var) -> Vec<f64> {
        let zeros = || vec![0.0; self.g.len(x)];
        self.g.grad(x).map_or_else(zeros, |d| d.iter().copied().collect())
    }

    fn read(&self, vars: &[Var]) -> Vec<f64> {
        vars.iter().flat_map(|&v| self.g.value(v).iter().copied().collect::<Vec<_>>()).collect()
    }

    fn pair(&self, vars: &[Var], v: &[ArrayD<f64>]) -> Var {
        let mut sum = self.g.constant(0.0);
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
    let subject = Subject { f, x };
    let mut check = FunctionCheck::default();
    let r = subject.record(&subject.x);
    if r.ys.is_empty() {
        return Ok(check);
    }
    let v: Vec<ArrayD<f64>> =
        subject.x.iter().enumerate().map(|(k, x)| direction(k as u64, x.shape())).collect();
    let w: Vec<ArrayD<f64>> =
        subject.x.iter().enumerate().map(|(k, x)| direction(30 + k as u64, x.shape())).collect();
    first_order(&subject, &r, &v, step, &mut check)?;
    second_order(&subject, &r, &v, &w, step, &mut check)?;
    Ok(check)
}

fn first_order<F: Fn(&Graph, &[Var]) -> Vec<Var>>(
    subject: &Subject<F>,
    r: &Recording,
    v: &[ArrayD<f64>],
    step: f64,
    check: &mut FunctionCheck,
) -> Result<()> {
    let swept = subject.swept(&subject.x)?;
    let recorded = r.read(&r.g.gradient(r.joined, &r.x)?);
    check.expect("gradient against backward", &recorded, &swept, 1e-12);
    let along: Vec<(Var, Var)> = r.x.iter().zip(v).map(|(&x, v)| (x, r.g.constant(v))).collect();
    let mut y_dots = Vec::new();
    for &y in &r.ys {
        y_dots.push(r.g.tangent(y, &along)?);
    }
    let y_dot = r.read(&y_dots);
    let y_bar = r.read(&r.bars);
    let (forward, reverse) = (dot(&y_bar, &y_dot), dot(&swept, &flat(v)));
    if forward.is_finite() || reverse.is_finite() {
        let size = y_bar.iter().zip(&y_dot).map(|(a, b)| (a * b).abs()).sum::<f64>().max(1.0);
        check.expect("<y_bar, jvp> against <vjp, x_dot>", &[forward / size], &[reverse / size], 1e-11);
    }
    if step > 0.0 {
        let slope = subject.slope(v, step, |x| Ok(subject.values(x)))?;
        check.expect("tangent against differences", &y_dot, &slope, 1e-7);
    }
    Ok(())
}

fn second_order<F: Fn(&Graph, &[Var]) -> Vec<Var>>(
    subject: &Subject<F>,
    r: &Recording,
    v: &[ArrayD<f64>],
    w: &[ArrayD<f64>],
    step: f64,
    check: &mut FunctionCheck,
) -> Result<()> {
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
    check.expect("derivative to y_bar against tangent", &of_bars, &r.read(&y_dots), 1e-10);
    // H w, along v, against the difference of gradients along v.
    let hw = r.read(&r.g.gradient(inner, &r.x)?);
    let mut again = subject.record(&subject.x);
    let gradient = again.g.gradient(again.joined, &again.x)?;
    let inner = again.pair(&gradient, w);
    again.g.backward(inner)?;
    let swept: Vec<f64> = again.x.iter().flat_map(|&x| again.grad(x)).collect();
    check.expect("second order, gradient against backward", &hw, &swept, 1e-10);
    if step > 0.0 {
        let slope = subject.slope(v, step, |x| subject.swept(x))?;
        let (have, want) = (dot(&hw, &flat(v)), dot(&slope, &flat(w)));
        let size = hw.iter().fold(1f64, |m, h| m.max(h.abs())) * flat(v).len().max(1) as f64;
        check.expect("second order against differences", &[have / size], &[want / size], 1e-7);
    }
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
