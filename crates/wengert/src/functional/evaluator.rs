//! [`Evaluator`]: one function evaluated many times, for optimisers and samplers.

use crate::error::{ErrorKind, Refusal, Result};
use crate::graph::Engine;
use crate::graph::{Graph, Mark};
use crate::var::Var;

/// A function of a vector with its graph, which is kept from call to call: after the first call of a length nothing is
/// allocated any more.
///
/// # Examples
/// ```
/// use wengert::prelude::*;
/// # fn main() -> wengert::Result<()> {
/// let mut rosenbrock = Evaluator::new(|g: &Graph, x: Var| {
///     let (a, b) = (g.slice(x, 0, 0..1), g.slice(x, 0, 1..2));
///     g.sum((1 - a).square() + 100 * (b - a * a).square())
/// });
/// let mut gradient = [0.0; 2];
/// let y = rosenbrock.value_and_grad_into(&[0.0, 0.0], &mut gradient)?;
/// assert_eq!((y, gradient), (1.0, [-2.0, 0.0]));
/// # Ok(())
/// # }
/// ```
pub struct Evaluator<T: Engine, F> {
    f: F,
    g: Graph<T>,
    x: Option<(Var, Mark, usize)>,
}

impl<T: Engine, F: Fn(&Graph<T>, Var) -> Var> Evaluator<T, F> {
    /// An evaluator of `f`, which records a result of one element.
    #[track_caller]
    pub fn new(f: F) -> Self {
        Evaluator { f, g: Graph::default(), x: None }
    }

    /// The value of the function at `x`; its gradient is written to `gradient`.
    ///
    /// # Errors
    /// If the lengths differ, or as [`Graph::backward`].
    #[track_caller]
    pub fn value_and_grad_into(&mut self, x: &[T], gradient: &mut [T]) -> Result<T> {
        self.g.enter();
        if x.len() != gradient.len() {
            let rule = format!("a gradient of length {} for an argument of {}", gradient.len(), x.len());
            let refusal = Refusal::new(ErrorKind::ShapeMismatch, rule);
            return Err(self.g.error(refusal, "value_and_grad_into", &[]));
        }
        let v = self.set(x)?;
        let y = (self.f)(&self.g, v);
        self.g.backward(y)?;
        match self.g.grad(v) {
            Some(found) => gradient.iter_mut().zip(found).for_each(|(to, from)| *to = *from),
            None => gradient.fill(T::zero()),
        }
        Ok(self.g.item(y))
    }

    /// The value of the function at `x`.
    ///
    /// # Errors
    /// If the graph refuses `x`.
    #[track_caller]
    pub fn value(&mut self, x: &[T]) -> Result<T> {
        let v = self.set(x)?;
        let y = self.g.no_grad(|g| (self.f)(g, v));
        Ok(self.g.item(y))
    }

    /// The argument with the value `x`, in a graph that holds nothing else.
    #[track_caller]
    fn set(&mut self, x: &[T]) -> Result<Var> {
        match self.x {
            Some((v, mark, len)) if len == x.len() => {
                self.g.zero_grad();
                self.g.rewind(mark);
                self.g.set_real("value_and_grad", v, x)?;
                Ok(v)
            }
            _ => {
                self.g = Graph::default();
                let v = self.g.leaf(x);
                self.x = Some((v, self.g.mark(), x.len()));
                Ok(v)
            }
        }
    }
}
