//! Solutions of equations as ops: differentiated by the implicit function theorem, without a look at how they were found.

use ndarray::{ArrayD, ArrayViewD};
use smallvec::SmallVec;

use crate::error::{Error, Result};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::custom::Custom;
use crate::op::{Op, Solve, SolveTransposed, Stack};
use crate::term::Term;
use crate::var::Var;

/// `x` with `residual(x, params) = 0`, found by `solver`.
pub(crate) struct Implicit<S, R> {
    pub solver: S,
    pub residual: R,
}

/// The residual at the solution, recorded, with its Jacobian to the solution.
struct Linearised {
    /// Nodes from here on were recorded for it.
    first: usize,
    residual: Var,
    /// `[n, n]`
    jacobian: Var,
}

impl<S, R> Implicit<S, R> {
    fn linearise<T>(&self, g: &Graph<T>, params: &[Var], x: Var) -> Result<Linearised>
    where
        T: Engine,
        R: Fn(&Graph<T>, Var, &[Var]) -> Var,
    {
        let first = g.node_count();
        let residual = g.with_grad(|g| (self.residual)(g, x, params));
        let refused =
            |refusal: crate::error::Refusal| Error::custom(format!("its residual: {}", refusal.rule));
        let reads: SmallVec<[usize; 4]> = params.iter().map(|p| p.id).chain([x.id]).collect();
        g.check_part(residual, first, &reads).map_err(refused)?;
        let (n, rows) = (g.len(x), g.len(residual));
        if n != rows {
            return Err(Error::custom(format!("its residual has {rows} elements for {n} unknowns")));
        }
        if residual.id < first || !g.node(residual.id).is_differentiable() {
            return Err(Error::custom("its residual does not depend on the solution"));
        }
        let mut jacobian: SmallVec<[Var; 8]> = SmallVec::new();
        let mut unit = ArrayD::zeros(&g.shape(residual)[..]);
        for k in 0..n {
            unit.as_slice_mut().expect("made without gaps")[k] = T::one();
            let seed = g.push_array(&unit);
            unit.as_slice_mut().expect("made without gaps")[k] = T::zero();
            let row = g.gradient_within(first, residual, seed, &[x.id])?[0];
            jacobian.push(Term::new(g, row).reshape(&[n]).var());
        }
        let jacobian = g.record(&Op::Stack(Stack { axis: 0 }), &jacobian)?[0];
        Ok(Linearised { first, residual, jacobian })
    }
}

impl Linearised {
    /// Refuses a solution that Newton's method would still move: its derivative would be that of another equation.
    fn check_root<T: Engine>(&self, g: &Graph<T>, x: Var) -> Result<()> {
        let step = g.no_grad(|g| -> Result<Var> {
            let residual = Term::new(g, self.residual).reshape(&[g.len(x)]).var();
            Ok(g.record(&Op::Solve(Solve {}), &[self.jacobian, residual])?[0])
        })?;
        let largest =
            |v: Var| g.value(v).iter().fold(T::zero(), |m, v| if v.abs() > m { v.abs() } else { m });
        let (step, size) = (largest(step), largest(x).max(T::one()));
        if step > T::epsilon().sqrt() * T::of(100.0) * size {
            return Err(Error::custom(format!(
                "its solution is no root: Newton's method would move it by {step:e}"
            )));
        }
        Ok(())
    }
}

impl<T, S, R> Custom<T> for Implicit<S, R>
where
    T: Engine,
    S: Fn(&[ArrayViewD<'_, T>]) -> Result<ArrayD<T>, String> + Send + Sync + 'static,
    R: Fn(&Graph<T>, Var, &[Var]) -> Var + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        "implicit_solve"
    }

    fn forward(&self, params: &[ArrayViewD<'_, T>]) -> Result<ArrayD<T>, String> {
        (self.solver)(params)
    }

    /// `params_bar = -(dF/dparams)^T w` where `(dF/dx)^T w = x_bar`.
    fn vjp(&self, g: &Graph<T>, params: &[Var], x: Var, x_bar: Var) -> Result<Vec<Option<Var>>> {
        let at = self.linearise(g, params, x)?;
        at.check_root(g, x)?;
        let x_bar = Term::new(g, x_bar).reshape(&[g.len(x)]).var();
        let w = g.record(&Op::SolveTransposed(SolveTransposed {}), &[at.jacobian, x_bar])?[0];
        let w = (-Term::new(g, w)).reshape(&g.shape(at.residual)).var();
        let first_place = |k: &usize| !params[..*k].contains(&params[*k]);
        let wanted: SmallVec<[usize; 4]> = (0..params.len())
            .filter(first_place)
            .filter(|&k| g.node(params[k].id).is_differentiable())
            .collect();
        let ids: SmallVec<[usize; 4]> = wanted.iter().map(|&k| params[k].id).collect();
        let found = g.gradient_within(at.first, at.residual, w, &ids)?;
        let mut bars = vec![None; params.len()];
        wanted.iter().zip(found).for_each(|(&k, bar)| bars[k] = Some(bar));
        Ok(bars)
    }

    /// `(dF/dx) x_dot = -(dF/dparams) params_dot`.
    fn jvp(&self, g: &Graph<T>, params: &[Var], x: Var, dots: &[Option<Var>]) -> Result<Option<Var>> {
        let at = self.linearise(g, params, x)?;
        at.check_root(g, x)?;
        let along: SmallVec<[(Var, Var); 4]> =
            params.iter().zip(dots).filter_map(|(&p, dot)| Some((p, (*dot)?))).collect();
        let moved = g.tangent_within(at.first, at.residual, &along)?;
        let moved = (-Term::new(g, moved)).reshape(&[g.len(x)]).var();
        let x_dot = g.record(&Op::Solve(Solve {}), &[at.jacobian, moved])?[0];
        Ok(Some(Term::new(g, x_dot).reshape(&g.shape(x)).var()))
    }
}
