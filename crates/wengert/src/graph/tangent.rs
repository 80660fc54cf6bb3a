//! Forward mode: tangents recorded on the same tape.

use smallvec::SmallVec;

use crate::broadcast::unbroadcast;
use crate::error::{ErrorKind, Refusal, Result};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::stretch::Stretch;
use crate::graph::tape::{Kind, Operation};
use crate::ops;
use crate::rule::{Call, Dtype, Record};
use crate::term::Term;
use crate::var::Var;
use crate::words::{binary_partial, tuned_partial, unary_partial};

impl<T: Engine> Graph<T> {
    /// The tangent of `y` along the tangents `x_dot` of nodes `x`, recorded on this tape: forward mode.
    ///
    /// Each op passes tangents on by its own rule, or by two vjps where that costs no accuracy.
    ///
    /// # Errors
    /// If a handle is not of this graph, or a tangent has not the shape of its primal.
    ///
    /// # Examples
    /// ```
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let g = Graph::new();
    /// let x = g.leaf(2.0);
    /// let y = g.eval(x.powi(3));
    /// let x_dot = g.constant(0.5);
    /// let y_dot = g.tangent(y, &[(x, x_dot)])?;
    /// assert_eq!(g.item(y_dot), 6.0);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn tangent(&self, y: Var, along: &[(Var, Var)]) -> Result<Var> {
        self.enter();
        self.tangent_of("tangent", y, along)
    }

    pub(crate) fn tangent_of(&self, what: &'static str, y: Var, along: &[(Var, Var)]) -> Result<Var> {
        T::tangent(self, what, y, along)
    }

    pub(super) fn tangent_here(&self, what: &'static str, y: Var, along: &[(Var, Var)]) -> Result<Var> {
        let handles: SmallVec<[Var; 8]> =
            along.iter().flat_map(|&(x, x_dot)| [x, x_dot]).chain([y]).collect();
        self.resolve_all(&handles).map_err(|refusal| self.error(refusal, what, &[]))?;
        for &(x, x_dot) in along {
            if self.shape_of(x) != self.shape_of(x_dot) {
                let rule = "a tangent must have the shape of its primal";
                return Err(self.error(Refusal::new(ErrorKind::ShapeMismatch, rule), what, &[x, x_dot]));
            }
        }
        self.check_unmodified("tangent", y, y.id)?;
        let first = along.iter().map(|(x, _)| x.id).min().unwrap_or(y.id).min(y.id);
        self.all_or_nothing(|g| g.tangent_within(first, y, along))
    }

    /// The tangent by the nodes from `first` on alone.
    pub(crate) fn tangent_within(&self, first: usize, y: Var, along: &[(Var, Var)]) -> Result<Var> {
        let ids: SmallVec<[usize; 8]> = along.iter().map(|(x, _)| x.id).collect();
        let mut stretch = self.with_tape(|tape| Stretch::new(tape, first, y.id, &ids));
        along.iter().for_each(|(x, x_dot)| stretch.set(x.id, Some(*x_dot)));
        for id in first..=y.id {
            if stretch.leads(id) && !ids.contains(&id) {
                self.at_line_of(id, |g| g.push_forward(id, &mut stretch))?;
            }
        }
        Ok(stretch.get(y.id).unwrap_or_else(|| self.filled(&self.shape_of(y), 0.0)))
    }

    fn push_forward(&self, id: usize, stretch: &mut Stretch) -> Result<()> {
        let node = self.node(id);
        let dot = |p: u32| stretch.get(p as usize).map(|v| Term::new(self, v));
        let shape = self.with_tape(|t| t.shape_or_empty(id));
        let fit = |term: Term<'_>| Some(term.broadcast_to(&shape).var());
        match node.kind {
            Kind::Unary(op) => {
                let Some(x_dot) = dot(node.a) else { return Ok(()) };
                let y_dot = fit(x_dot * unary_partial(op, self.term(node.a as usize), self.term(id)));
                stretch.set(id, y_dot);
            }
            Kind::Tuned(op) => {
                let Some(x_dot) = dot(node.a) else { return Ok(()) };
                let p = self.with_tape(|t| t.params[node.b as usize]);
                let y_dot = fit(x_dot * tuned_partial(op, p, self.term(node.a as usize), self.term(id)));
                stretch.set(id, y_dot);
            }
            Kind::Binary(op) => {
                let (a, b, y) = (self.term(node.a as usize), self.term(node.b as usize), self.term(id));
                let from_a =
                    dot(node.a).map(|a_dot| (a_dot * binary_partial(op, 0, a, b, y)).broadcast_to(&shape));
                let from_b =
                    dot(node.b).map(|b_dot| (b_dot * binary_partial(op, 1, a, b, y)).broadcast_to(&shape));
                let y_dot = match (from_a, from_b) {
                    (Some(from_a), Some(from_b)) => fit(from_a + from_b),
                    (from_a, from_b) => from_a.or(from_b).map(Term::var),
                };
                stretch.set(id, y_dot);
            }
            Kind::Formula => {
                let parents = self.with_tape(|t| t.parents_of(id));
                let along: SmallVec<[(Var, Var); 4]> = parents
                    .iter()
                    .filter_map(|&p| Some((self.with_tape(|t| t.handle(p)), stretch.get(p)?)))
                    .collect();
                if !along.is_empty() {
                    let first = self.node_count();
                    let equal = self.with_grad(|g| g.unfolded(id).var());
                    stretch.set(id, Some(self.tangent_within(first, equal, &along)?));
                }
            }
            Kind::Call => self.push_forward_call(id, stretch)?,
            Kind::Leaf | Kind::Constant | Kind::Projection => {}
        }
        Ok(())
    }

    fn push_forward_call(&self, id: usize, stretch: &mut Stretch) -> Result<()> {
        let (operation, parents, results) = self.call(id);
        let x_dots: SmallVec<[Option<Var>; 8]> = parents.iter().map(|&p| stretch.get(p)).collect();
        if x_dots.iter().all(Option::is_none) {
            return Ok(());
        }
        let handles = |ids: &[usize]| -> SmallVec<[Var; 8]> {
            self.with_tape(|tape| ids.iter().map(|&id| tape.handle(id)).collect())
        };
        let one = |dot: Option<Var>| dot.map(|dot| SmallVec::from_elem(Some(dot), 1));
        let wanted: SmallVec<[bool; 8]> = results.iter().map(|&r| stretch.leads(r)).collect();
        let tangents_of_results = match &operation {
            Operation::Op(op) => self.rule_jvp(op, &parents, &results, &x_dots, &wanted)?,
            Operation::Custom(op) => {
                one(self.custom_jvp(&**op, &handles(&parents), handles(&results)[0], &x_dots)?)
            }
            Operation::Checkpoint(part) => {
                one(self.checkpoint_jvp(&**part, &handles(&parents), handles(&results)[0], &x_dots)?)
            }
        };
        let dots = match tangents_of_results {
            Some(dots) => dots,
            None => self.double_vjp(&operation, &parents, &results, &x_dots, &wanted)?,
        };
        for (&result, dot) in results.iter().zip(dots) {
            stretch.set(result, dot);
        }
        Ok(())
    }

    /// The tangents of an op's results by its own rule, or by the op itself where it is linear.
    fn rule_jvp(
        &self,
        op: &crate::op::Op,
        parents: &[usize],
        results: &[usize],
        x_dots: &[Option<Var>],
        wanted: &[bool],
    ) -> Result<Option<SmallVec<[Option<Var>; 8]>>> {
        let rule = ops::rule(op);
        if rule.is_linear() {
            let with_dots: SmallVec<[Var; 8]> = parents
                .iter()
                .zip(x_dots)
                .map(|(&p, dot)| match (self.node(p).dtype(), dot) {
                    (Dtype::Real, Some(dot)) => *dot,
                    (Dtype::Real, None) => self.filled(&self.with_tape(|t| t.shape(p).clone()), 0.0),
                    _ => self.with_tape(|t| t.handle(p)),
                })
                .collect();
            return Ok(Some(self.apply(op, &with_dots).into_iter().map(Some).collect()));
        }
        let args: SmallVec<[Term<'_>; 8]> = parents.iter().map(|&p| self.term(p)).collect();
        let ys: SmallVec<[Term<'_>; 8]> = results.iter().map(|&r| self.term(r)).collect();
        let dots: SmallVec<[Option<Term<'_>>; 8]> =
            x_dots.iter().map(|v| v.map(|v| Term::new(self, v))).collect();
        let needs: SmallVec<[bool; 8]> = x_dots.iter().map(Option::is_some).collect();
        let call = Call { args: &args, results: &ys, needs: &needs };
        rule.check_jvp(&call, &dots, wanted).map_err(|refusal| {
            let handles: SmallVec<[Var; 8]> = args.iter().map(|arg| arg.var()).collect();
            self.error(refusal, op.name(), &handles)
        })?;
        let Some(y_dots) = rule.jvp(&call, &dots) else { return Ok(None) };
        let fit =
            |(t, &r): (Term<'_>, &usize)| Some(t.broadcast_to(&self.with_tape(|t| t.shape(r).clone())).var());
        Ok(Some(y_dots.into_iter().zip(results).map(fit).collect()))
    }

    /// The tangents of an op's results by two vjps: `<vjp(u), x_dot>` is linear in `u`, and its gradient is the tangent.
    fn double_vjp(
        &self,
        operation: &Operation<T>,
        parents: &[usize],
        results: &[usize],
        x_dots: &[Option<Var>],
        wanted: &[bool],
    ) -> Result<SmallVec<[Option<Var>; 8]>> {
        let first = self.node_count();
        let seed = |(&r, &wanted): (&usize, &bool)| {
            wanted.then(|| self.push_seed(&self.with_tape(|t| t.shape(r).clone())))
        };
        let seeds: SmallVec<[Option<Var>; 8]> = results.iter().zip(wanted).map(seed).collect();
        let needs: SmallVec<[bool; 8]> = x_dots.iter().map(Option::is_some).collect();
        // Also under no_grad: the seeds are differentiated at once, and what that gives is not differentiable.
        let inner = self.with_grad(|g| -> Result<Option<Term<'_>>> {
            let bars = g.record_vjp(operation, parents, results, &needs, &seeds)?;
            let mut inner: Option<Term<'_>> = None;
            for (bar, x_dot) in bars.iter().zip(x_dots) {
                let (Some(bar), Some(x_dot)) = (bar, x_dot) else { continue };
                let bar = unbroadcast(Term::new(self, *bar), &self.shape_of(*x_dot));
                let part = (bar * Term::new(self, *x_dot)).sum_all();
                inner = Some(inner.map_or(part, |sum| sum + part));
            }
            Ok(inner)
        })?;
        let wanted: SmallVec<[usize; 8]> = seeds.iter().flatten().map(|seed| seed.id).collect();
        let Some(inner) = inner.map(Term::var).filter(|v| self.node(v.id).is_differentiable()) else {
            return Ok(seeds.iter().map(|_| None).collect());
        };
        let seed = self.filled(&[], 1.0);
        let mut found = self.gradient_within(first, inner, seed, &wanted)?.into_iter();
        Ok(seeds.iter().map(|s| s.and_then(|_| found.next())).collect())
    }
}
