//! Ops of the user's own, checkpoints, and gates for gradients.

use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};

use crate::error::Result;
use crate::expr::Expr;
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::custom::{Custom, Elementwise, Pair};
use crate::graph::implicit::Implicit;
use crate::op::{ScaleGradient, StraightThrough};
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// A function of a number on every element of `x`; `df(x, y)` is its derivative at `x` with value `y`.
    ///
    /// `[..] -> [..]`. Cotangent: `x_bar = y_bar * df(x, y)`. Its second derivative is not known and asking for it is an
    /// error; an op that needs one is written with [`Graph::custom`].
    ///
    /// # Panics
    /// If `x` belongs to another graph or to a rewound part of this one, or is not real.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, 4.0]);
    /// let y = g.map(x, |x| x.sqrt(), |_, y| 0.5 / y);
    /// let loss = g.sum(y);
    /// g.backward(loss)?;
    /// assert_eq!(g.item(loss), 3.0);
    /// assert_eq!(g.grad(x).unwrap(), array![0.5, 0.25].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn map<F, D>(&self, x: impl Expr, f: F, df: D) -> Var
    where
        F: Fn(T) -> T + Send + Sync + 'static,
        D: Fn(T, T) -> T + Send + Sync + 'static,
    {
        self.enter();
        let x = self.arg(x);
        let op = Arc::new(Elementwise { f, df: Arc::new(df) });
        match self.record_custom(op, &[x]) {
            Ok(y) => y,
            Err(refusal) => panic!("{}", self.error(refusal, "map", &[x])),
        }
    }

    /// An op from two closures: its value on bare arrays, and its vjp in recorded ops.
    ///
    /// `forward` is given the values of `args`. `vjp` is given the graph, the arguments, the result and its cotangent, and
    /// returns a cotangent (or none) for each argument; being recorded, it has derivatives of every order. Closures run
    /// while nothing is borrowed. An op that is used often, or has a jvp of its own, implements [`Custom`] instead.
    ///
    /// # Errors
    /// If `forward` returns one, or `args` are no real nodes of this graph. What `vjp` returns is checked when it is used.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let g = Graph::new();
    /// let x = g.leaf(array![2.0, 3.0]);
    /// let cube = g.custom(
    ///     "cube",
    ///     &[x],
    ///     |x| Ok(x[0].mapv(|x| x * x * x)),
    ///     |g, x, _y, y_bar| Ok(vec![Some(g.eval(3 * x[0].square() * y_bar))]),
    /// )?;
    /// let y = g.sum(cube);
    /// let dy = g.gradient(y, &[x])?[0];
    /// assert_eq!(g.value(dy), array![12.0, 27.0].into_dyn());
    /// let total = g.sum(dy);
    /// let d2y = g.gradient(total, &[x])?[0];
    /// assert_eq!(g.value(d2y), array![12.0, 18.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn custom<F, V>(&self, name: &'static str, args: &[Var], forward: F, vjp: V) -> Result<Var>
    where
        F: Fn(&[ArrayViewD<'_, T>]) -> Result<ArrayD<T>, String> + Send + Sync + 'static,
        V: Fn(&Graph<T>, &[Var], Var, Var) -> Result<Vec<Option<Var>>> + Send + Sync + 'static,
    {
        self.apply_custom(Arc::new(Pair { name, forward, vjp }), args)
    }

    /// An op of the user's, as a type.
    ///
    /// # Errors
    /// As [`Graph::custom`].
    #[track_caller]
    pub fn apply_custom(&self, op: Arc<dyn Custom<T>>, args: &[Var]) -> Result<Var> {
        self.enter();
        let name = op.name();
        self.record_custom(op, args).map_err(|refusal| self.error(refusal, name, args))
    }

    /// `f(inputs)` without its intermediates: they are recorded again when the derivative is wanted.
    ///
    /// Trades time (each derivative runs `f` once more) for memory: of what `f` records only the result is kept. Exact,
    /// at every order. `f` must depend on `inputs` alone and give the same value each time: what it draws at random it
    /// draws from a generator that it seeds itself.
    ///
    /// # Errors
    /// If `inputs` are no nodes of this graph, or `f` reads another differentiable node. That the value is the same again
    /// is checked whenever `f` is recorded again.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![1.0, 2.0]);
    /// let y = g.checkpoint(&[x], |g, x| g.sum((x[0] * x[0]).sin()))?;
    /// assert_eq!(g.node_count(), 2);
    /// g.backward(y)?;
    /// assert_eq!(g.grad(x).unwrap()[1], 4f64.cos() * 4.0);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn checkpoint<F>(&self, inputs: &[Var], f: F) -> Result<Var>
    where
        F: Fn(&Graph<T>, &[Var]) -> Var + Send + Sync + 'static,
    {
        self.enter();
        self.record_checkpoint(Arc::new(f), inputs)
            .map_err(|refusal| self.error(refusal, "checkpoint", inputs))
    }

    /// The solution `x` of `residual(x, params) = 0`, found by `solver` on bare arrays by whatever method.
    ///
    /// Differentiated by the implicit function theorem, at every order: each derivative records the residual once at the
    /// solution and solves a linear system of its Jacobian (dense: `n` sweeps and O(n^3) for `n` unknowns). For a fixed
    /// point of `f` the residual is `x - f(x)`.
    ///
    /// # Errors
    /// If `solver` returns one. What is found when a derivative is taken: a residual that has not as many elements as `x`
    /// or reads a differentiable node other than `params`, a solution that is no root, a singular Jacobian.
    ///
    /// # Examples
    /// ```
    /// use ndarray::ArrayD;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let a = g.leaf(2.0);
    /// let newton = |p: &[ndarray::ArrayViewD<'_, f64>]| {
    ///     let (a, mut x) = (p[0].sum(), 1.0);
    ///     for _ in 0..20 {
    ///         x -= (x * x - a) / (2.0 * x);
    ///     }
    ///     Ok(ArrayD::from_elem(vec![], x))
    /// };
    /// let x = g.implicit_solve(&[a], newton, |g, x, p| g.eval(x * x - p[0]))?;
    /// g.backward(x)?;
    /// assert!((g.grad(a).unwrap()[[]] - 0.5 / 2f64.sqrt()).abs() < 1e-15);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn implicit_solve<S, R>(&self, params: &[Var], solver: S, residual: R) -> Result<Var>
    where
        S: Fn(&[ArrayViewD<'_, T>]) -> Result<ArrayD<T>, String> + Send + Sync + 'static,
        R: Fn(&Graph<T>, Var, &[Var]) -> Var + Send + Sync + 'static,
    {
        self.apply_custom(Arc::new(Implicit { solver, residual }), params)
    }

    /// The value of `value`; its cotangent goes to `x` as it is (the straight-through estimator).
    ///
    /// `[..], [..] -> [..]`. Cotangents: none to `value`, `x_bar = y_bar`.
    ///
    /// # Panics
    /// If the shapes differ, or a handle belongs to another graph or to a rewound part of this one.
    ///
    /// # Examples
    /// ```
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(1.7);
    /// let y = g.straight_through(x.round(), x);
    /// g.backward(y)?;
    /// assert_eq!((g.item(y), g.grad(x).unwrap()[[]]), (2.0, 1.0));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn straight_through(&self, value: impl Expr, x: impl Expr) -> Var {
        self.enter();
        let args = [self.arg(value), self.arg(x)];
        self.must(&StraightThrough {}.into(), &args)
    }

    /// The value of `x`; its cotangent is multiplied by `factor`.
    #[track_caller]
    pub fn scale_gradient(&self, x: impl Expr, factor: f64) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&ScaleGradient { factor }.into(), &[x])
    }

    /// The value of `x`; its cotangent is multiplied by `-strength`, so that what follows is trained against what precedes.
    ///
    /// # Examples
    /// ```
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let x = g.leaf(3.0);
    /// let y = g.eval(g.gradient_reversal(x, 0.5).square());
    /// g.backward(y)?;
    /// assert_eq!((g.item(y), g.grad(x).unwrap()[[]]), (9.0, -3.0));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn gradient_reversal(&self, x: impl Expr, strength: f64) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&ScaleGradient { factor: -strength }.into(), &[x])
    }
}
