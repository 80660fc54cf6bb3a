//! [`Custom`]: ops of the user's own.
//!
//! Invariants: closures run while nothing is borrowed, so they may use the graph; what they return is checked before it
//! is believed; one that panics leaves the graph as it was.

use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};
use smallvec::SmallVec;

use crate::error::{Error, ErrorKind, Refusal, Result};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::structured::Vars;
use crate::graph::tape::Operation;
use crate::kernel::functions::Functions;
use crate::rule::{Dtype, Record, dtype_refusal};
use crate::shape::Shape;
use crate::term::Term;
use crate::var::Var;

/// An op on real arrays that is not ours: see [`Graph::apply_custom`].
///
/// The forward computes on bare arrays; the vjp is written in recorded ops, so that derivatives of every order follow.
pub trait Custom<T: Functions>: Send + Sync + 'static {
    /// The name in errors and pictures.
    fn name(&self) -> &'static str;

    /// The result, or why there is none.
    fn forward(&self, x: &[ArrayViewD<'_, T>]) -> Result<ArrayD<T>, String>;

    /// The cotangent of each argument from that of the result, recorded on `g`; `None` where no gradient passes.
    ///
    /// `x` are the arguments, `y` is the result, `y_bar` its cotangent; a cotangent has the shape of its argument. It
    /// must be linear in `y_bar`.
    fn vjp(&self, g: &Graph<T>, x: &[Var], y: Var, y_bar: Var) -> Result<Vec<Option<Var>>>;

    /// The tangent of the result from those of the arguments; `None`: two vjps do instead.
    fn jvp(&self, _g: &Graph<T>, _x: &[Var], _y: Var, _x_dot: &[Option<Var>]) -> Result<Option<Var>> {
        Ok(None)
    }
}

/// An op made of two closures.
pub(crate) struct Pair<F, V> {
    pub name: &'static str,
    pub forward: F,
    pub vjp: V,
}

impl<T, F, V> Custom<T> for Pair<F, V>
where
    T: Engine,
    F: Fn(&[ArrayViewD<'_, T>]) -> Result<ArrayD<T>, String> + Send + Sync + 'static,
    V: Fn(&Graph<T>, &[Var], Var, Var) -> Result<Vec<Option<Var>>> + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }
    fn forward(&self, x: &[ArrayViewD<'_, T>]) -> Result<ArrayD<T>, String> {
        (self.forward)(x)
    }
    fn vjp(&self, g: &Graph<T>, x: &[Var], y: Var, y_bar: Var) -> Result<Vec<Option<Var>>> {
        (self.vjp)(g, x, y, y_bar)
    }
}

/// A function of a number and its derivative, element by element.
pub(crate) struct Elementwise<F, D> {
    pub f: F,
    pub df: Arc<D>,
}

/// The derivative of an [`Elementwise`], which has none of its own.
struct Slope<D>(Arc<D>);

impl<T, F, D> Custom<T> for Elementwise<F, D>
where
    T: Engine,
    F: Fn(T) -> T + Send + Sync + 'static,
    D: Fn(T, T) -> T + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        "map"
    }
    fn forward(&self, x: &[ArrayViewD<'_, T>]) -> Result<ArrayD<T>, String> {
        Ok(x[0].map(|&x| (self.f)(x)))
    }
    fn vjp(&self, g: &Graph<T>, x: &[Var], y: Var, y_bar: Var) -> Result<Vec<Option<Var>>> {
        Ok(vec![Some(self.times_slope(g, x[0], y, y_bar)?)])
    }
    fn jvp(&self, g: &Graph<T>, x: &[Var], y: Var, x_dot: &[Option<Var>]) -> Result<Option<Var>> {
        x_dot[0].map(|x_dot| self.times_slope(g, x[0], y, x_dot)).transpose()
    }
}

impl<F, D> Elementwise<F, D> {
    fn times_slope<T: Engine>(&self, g: &Graph<T>, x: Var, y: Var, bar: Var) -> Result<Var>
    where
        D: Fn(T, T) -> T + Send + Sync + 'static,
    {
        let slope = Arc::new(Slope(self.df.clone()));
        let slope = g.record_custom(slope, &[x, y]).map_err(|refusal| g.error(refusal, "map", &[x]))?;
        Ok((Term::new(g, bar) * Term::new(g, slope)).var())
    }
}

impl<T, D> Custom<T> for Slope<D>
where
    T: Engine,
    D: Fn(T, T) -> T + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        "map"
    }
    fn forward(&self, x: &[ArrayViewD<'_, T>]) -> Result<ArrayD<T>, String> {
        let mut slope = x[0].to_owned();
        slope.zip_mut_with(&x[1], |x, &y| *x = (self.0)(*x, y));
        Ok(slope)
    }
    fn vjp(&self, _g: &Graph<T>, _x: &[Var], _y: Var, _y_bar: Var) -> Result<Vec<Option<Var>>> {
        let rule = "its second derivative is not known: `map` is given the first one only; \
                    use `custom`, whose vjp is made of recorded ops and has derivatives of every order";
        Err(Error::custom(rule))
    }
}

impl<T: Engine> Graph<T> {
    /// Records an op of the user's.
    pub(crate) fn record_custom(&self, op: Arc<dyn Custom<T>>, args: &[Var]) -> Result<Var, Refusal> {
        T::custom(self, op, args)
    }

    pub(super) fn custom_here(&self, op: Arc<dyn Custom<T>>, args: &[Var]) -> Result<Var, Refusal> {
        let ids = self.resolve_all(args)?;
        let dtypes = self.with_tape(|tape| -> SmallVec<[Dtype; 4]> {
            ids.iter().map(|&id| tape.nodes[id].dtype()).collect()
        });
        if let Some(k) = dtypes.iter().position(|&d| d != Dtype::Real) {
            return Err(dtype_refusal(k, Dtype::Real, dtypes[k]));
        }
        let views: SmallVec<[ArrayViewD<'_, T>; 4]> = args.iter().map(|&v| self.value_of(v)).collect();
        let value = op.forward(&views).map_err(|why| Refusal::new(ErrorKind::CustomOp, why))?;
        Ok(self.push_value(Operation::Custom(op), &ids, &value)[0])
    }

    /// Records an op whose one result is at hand.
    pub(crate) fn push_value(&self, op: Operation<T>, ids: &[usize], value: &ArrayD<T>) -> Vars {
        let stored = self.store(value);
        let mut tape = self.tape.borrow_mut();
        let marks = self.marks(ids.iter().any(|&id| tape.nodes[id].is_differentiable()));
        tape.push_call(&self.memory, op, ids, &[stored], true, marks, self.at.get())
    }

    /// The cotangents of the arguments of a user's op, checked.
    pub(crate) fn custom_vjp(
        &self,
        op: &dyn Custom<T>,
        args: &[Var],
        y: Var,
        y_bar: Var,
    ) -> Result<SmallVec<[Option<Var>; 8]>> {
        let at = self.at.get();
        let given = op.vjp(self, args, y, y_bar);
        self.at.set(at);
        let given = given.map_err(|error| self.wrap(op.name(), "vjp", error, args))?;
        if given.len() != args.len() {
            let rule = format!("its vjp gave {} cotangents for {} arguments", given.len(), args.len());
            return Err(self.error(Refusal::new(ErrorKind::CustomOp, rule), op.name(), args));
        }
        for (k, (&arg, v)) in args.iter().zip(&given).enumerate() {
            let Some(v) = *v else { continue };
            self.check_given(v, &self.shape_of(arg), &format!("vjp gave for argument {k}"))
                .map_err(|refusal| self.error(refusal, op.name(), args))?;
        }
        Ok(given.into_iter().collect())
    }

    /// The tangent of the result of a user's op, checked.
    pub(crate) fn custom_jvp(
        &self,
        op: &dyn Custom<T>,
        args: &[Var],
        y: Var,
        x_dot: &[Option<Var>],
    ) -> Result<Option<Var>> {
        let at = self.at.get();
        let given = op.jvp(self, args, y, x_dot);
        self.at.set(at);
        let given = given.map_err(|error| self.wrap(op.name(), "jvp", error, args))?;
        if let Some(v) = given {
            let refused = |refusal| self.error(refusal, op.name(), args);
            self.check_given(v, &self.shape_of(y), "jvp gave").map_err(refused)?;
        }
        Ok(given)
    }

    /// An error from within a user's closure, as the error of its op.
    fn wrap(&self, op: &'static str, what: &str, error: Error, args: &[Var]) -> Error {
        let rule = match error.location() {
            None => error.rule().to_owned(),
            Some(_) => format!("its {what} failed: {error}"),
        };
        self.error(Refusal::new(ErrorKind::CustomOp, rule), op, args)
    }

    /// Whether a node that a user's closure returned is a real one of this graph and shape.
    pub(crate) fn check_given(&self, v: Var, want: &Shape, what: &str) -> Result<(), Refusal> {
        let refused = |why: String| Err(Refusal::new(ErrorKind::CustomOp, format!("what its {what} {why}")));
        match self.resolve_all(&[v]) {
            Err(refusal) => refused(format!("is no handle of this graph: {}", refusal.rule)),
            Ok(ids) if self.node(ids[0]).dtype() != Dtype::Real => {
                refused("is no array of real numbers".into())
            }
            Ok(_) if self.shape_of(v) != *want => {
                let (have, want) = (self.shape_of(v), &want[..]);
                refused(format!("has shape {:?} where {want:?} is due", &have[..]))
            }
            Ok(_) => Ok(()),
        }
    }
}
