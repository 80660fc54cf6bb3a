//! Derivatives as nodes: `gradient` and `tangent` record on the same tape, so that derivatives of every order follow.

use smallvec::SmallVec;

use crate::broadcast::unbroadcast;
use crate::error::{ErrorKind, Refusal, Result};
use crate::graph::Graph;
use crate::graph::tape::{Kind, Operation, Tape};
use crate::kernel::functions::Functions;
use crate::ops;
use crate::rule::{Call, Dtype, Record};
use crate::term::Term;
use crate::var::Var;
use crate::words::{binary_partial, tuned_partial, unary_partial};

impl<T: Functions> Graph<T> {
    /// The gradient of the one-element `y` with respect to each of `xs`, recorded on this tape.
    ///
    /// The results are nodes like any other: differentiate them again for any order. Each of `xs` may be any differentiable
    /// node; one that `y` does not depend on yields a constant zero of its shape. What the leaves hold is untouched.
    ///
    /// # Errors
    /// As [`Graph::backward`], and if one of `xs` is not differentiable.
    ///
    /// # Examples
    /// ```
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let g = Graph::new();
    /// let x = g.leaf(2.0);
    /// let y = g.eval(x.powi(3));
    /// let dy = g.gradient(y, &[x])?[0];
    /// let d2y = g.gradient(dy, &[x])?[0];
    /// assert_eq!((g.item(dy), g.item(d2y)), (12.0, 12.0));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn gradient(&self, y: Var, xs: &[Var]) -> Result<Vec<Var>> {
        self.enter();
        let id = self.check_root("gradient", y)?;
        if self.with_tape(|t| t.entry(id).len) != 1 {
            let rule = "the root must have exactly one element; give a cotangent with gradient_with, or reduce it first";
            return Err(self.error(Refusal::new(ErrorKind::NonScalarBackward, rule), "gradient", &[y]));
        }
        let seed = self.full(&self.shape_of(y), 1.0);
        self.gradient_from("gradient", y, seed, xs)
    }

    /// As [`Graph::gradient`] for a `y` of any shape, with its cotangent: the gradient of `sum(y * y_bar)`.
    ///
    /// # Errors
    /// As [`Graph::gradient`], and if `y_bar` has not the shape of `y`.
    #[track_caller]
    pub fn gradient_with(&self, y: Var, y_bar: Var, xs: &[Var]) -> Result<Vec<Var>> {
        self.enter();
        self.check_root("gradient_with", y)?;
        self.resolve_all(&[y_bar]).map_err(|refusal| self.error(refusal, "gradient_with", &[]))?;
        if self.shape_of(y) != self.shape_of(y_bar) {
            let rule = "the cotangent must have the shape of the root";
            return Err(self.error(
                Refusal::new(ErrorKind::ShapeMismatch, rule),
                "gradient_with",
                &[y, y_bar],
            ));
        }
        self.gradient_from("gradient_with", y, y_bar, xs)
    }

    pub(crate) fn gradient_from(
        &self,
        what: &'static str,
        y: Var,
        seed: Var,
        xs: &[Var],
    ) -> Result<Vec<Var>> {
        let ids = self.resolve_all(xs).map_err(|refusal| self.error(refusal, what, &[]))?;
        if let Some(k) = ids.iter().position(|&id| !self.node(id).is_differentiable()) {
            let rule = "gradients exist with respect to differentiable nodes only";
            return Err(self.error(Refusal::new(ErrorKind::NoGradientPath, rule), what, &[xs[k]]));
        }
        self.check_unmodified(what, y, y.id)?;
        let root = y.id;
        let leads = self.with_tape(|tape| leading_to(tape, root, &ids));
        let mut cotangents: Vec<Option<Var>> = vec![None; root + 1];
        cotangents[root] = Some(seed);
        for id in (0..=root).rev() {
            if leads[id] {
                self.at_line_of(id, |g| g.propagate(id, &leads, &mut cotangents))?;
            }
        }
        let zero = |id: usize| self.full(&self.with_tape(|t| t.shape(id).clone()), 0.0);
        Ok(ids.iter().map(|&id| cotangents.get(id).copied().flatten().unwrap_or_else(|| zero(id))).collect())
    }

    /// Runs `f` with the line of node `id` as the one being served.
    fn at_line_of<R>(&self, id: usize, f: impl FnOnce(&Self) -> R) -> R {
        let at = self.at.replace(self.with_tape(|t| t.line(id)));
        let result = f(self);
        self.at.set(at);
        result
    }

    fn term(&self, id: usize) -> Term<'_, T> {
        Term::new(self, self.with_tape(|t| t.handle(id)))
    }

    /// Records what the cotangent of node `id` contributes to its parents.
    fn propagate(&self, id: usize, leads: &[bool], cotangents: &mut [Option<Var>]) -> Result<()> {
        let node = self.node(id);
        match node.kind {
            Kind::Call => return self.propagate_call(id, leads, cotangents),
            Kind::Formula => return self.propagate_formula(id, leads, cotangents),
            _ => {}
        }
        let Some(y_bar) = cotangents[id] else { return Ok(()) };
        let y_bar = Term::new(self, y_bar);
        let mut add = |parent: usize, partial: Term<'_, T>| {
            self.contribute(parent, y_bar * partial, cotangents);
        };
        match node.kind {
            Kind::Unary(op) => {
                add(node.a as usize, unary_partial(op, self.term(node.a as usize), self.term(id)))
            }
            Kind::Tuned(op) => {
                let p = self.with_tape(|t| t.params[node.b as usize]);
                add(node.a as usize, tuned_partial(op, p, self.term(node.a as usize), self.term(id)));
            }
            Kind::Binary(op) => {
                let parents = [node.a as usize, node.b as usize];
                let [a, b] = parents.map(|p| self.term(p));
                for (k, &parent) in parents.iter().enumerate() {
                    if leads[parent] {
                        add(parent, binary_partial(op, k, a, b, self.term(id)));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A formula's ops are recorded one by one, so that their derivatives can be differentiated again.
    fn propagate_formula(&self, id: usize, leads: &[bool], cotangents: &mut [Option<Var>]) -> Result<()> {
        let Some(y_bar) = cotangents[id] else { return Ok(()) };
        let equal = self.unfolded(id).var();
        let parents: SmallVec<[usize; 4]> =
            self.with_tape(|t| t.parents_of(id)).into_iter().filter(|&p| leads[p]).collect();
        let handles: SmallVec<[Var; 4]> = parents.iter().map(|&p| self.with_tape(|t| t.handle(p))).collect();
        let bars = self.gradient_from("gradient", equal, y_bar, &handles)?;
        for (&parent, bar) in parents.iter().zip(bars) {
            self.contribute(parent, Term::new(self, bar), cotangents);
        }
        Ok(())
    }

    fn propagate_call(&self, id: usize, leads: &[bool], cotangents: &mut [Option<Var>]) -> Result<()> {
        let (operation, parents, results) = self.call(id);
        let y_bars: SmallVec<[Option<Var>; 4]> =
            results.iter().map(|&r| cotangents.get(r).copied().flatten()).collect();
        if y_bars.iter().all(Option::is_none) {
            return Ok(());
        }
        let needs: SmallVec<[bool; 4]> = parents.iter().map(|&p| leads[p]).collect();
        let bars = self.record_vjp(&operation, &parents, &results, &needs, &y_bars)?;
        for (&parent, bar) in parents.iter().zip(bars) {
            if let Some(bar) = bar.filter(|_| leads[parent]) {
                self.contribute(parent, Term::new(self, bar), cotangents);
            }
        }
        Ok(())
    }

    fn call(&self, id: usize) -> (Operation<T>, SmallVec<[usize; 4]>, SmallVec<[usize; 4]>) {
        self.with_tape(|tape| {
            let call = tape.nodes[id].a;
            let parents = tape.call_parents(call).iter().map(|&p| p as usize).collect();
            (tape.calls[call as usize].op.clone(), parents, tape.results_of(id).collect())
        })
    }

    fn contribute(&self, parent: usize, term: Term<'_, T>, cotangents: &mut [Option<Var>]) {
        let shape = self.with_tape(|t| t.shape(parent).clone());
        let term = unbroadcast(term, &shape);
        cotangents[parent] = Some(match cotangents[parent] {
            Some(held) => (Term::new(self, held) + term).var(),
            None => term.var(),
        });
    }

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
        let handles: SmallVec<[Var; 8]> =
            along.iter().flat_map(|&(x, x_dot)| [x, x_dot]).chain([y]).collect();
        self.resolve_all(&handles).map_err(|refusal| self.error(refusal, what, &[]))?;
        for &(x, x_dot) in along {
            if self.shape_of(x) != self.shape_of(x_dot) {
                let rule = "a tangent must have the shape of its primal";
                return Err(self.error(Refusal::new(ErrorKind::ShapeMismatch, rule), what, &[x, x_dot]));
            }
        }
        self.tangent_along(y, along)
    }

    fn tangent_along(&self, y: Var, along: &[(Var, Var)]) -> Result<Var> {
        let root = y.id;
        let ids: SmallVec<[usize; 4]> = along.iter().map(|(x, _)| x.id).collect();
        let dots: SmallVec<[Var; 4]> = along.iter().map(|(_, x_dot)| *x_dot).collect();
        self.check_unmodified("tangent", y, root)?;
        let leads = self.with_tape(|tape| leading_to(tape, root, &ids));
        let mut tangents: Vec<Option<Var>> = vec![None; root + 1];
        for (&id, &x_dot) in ids.iter().zip(&dots).filter(|(id, _)| **id <= root) {
            tangents[id] = Some(x_dot);
        }
        for id in 0..=root {
            if leads[id] && !ids.contains(&id) {
                self.at_line_of(id, |g| g.push_forward(id, &mut tangents))?;
            }
        }
        Ok(tangents[root].unwrap_or_else(|| self.full(&self.shape_of(y), 0.0)))
    }

    fn push_forward(&self, id: usize, tangents: &mut [Option<Var>]) -> Result<()> {
        let node = self.node(id);
        let dot = |p: u32| tangents[p as usize].map(|v| Term::new(self, v));
        let shape = self.with_tape(|t| t.shape_or_empty(id));
        let fit = |term: Term<'_, T>| Some(term.broadcast_to(&shape).var());
        match node.kind {
            Kind::Unary(op) => {
                let Some(x_dot) = dot(node.a) else { return Ok(()) };
                tangents[id] = fit(x_dot * unary_partial(op, self.term(node.a as usize), self.term(id)));
            }
            Kind::Tuned(op) => {
                let Some(x_dot) = dot(node.a) else { return Ok(()) };
                let p = self.with_tape(|t| t.params[node.b as usize]);
                tangents[id] = fit(x_dot * tuned_partial(op, p, self.term(node.a as usize), self.term(id)));
            }
            Kind::Binary(op) => {
                let (a, b, y) = (self.term(node.a as usize), self.term(node.b as usize), self.term(id));
                let from_a =
                    dot(node.a).map(|a_dot| (a_dot * binary_partial(op, 0, a, b, y)).broadcast_to(&shape));
                let from_b =
                    dot(node.b).map(|b_dot| (b_dot * binary_partial(op, 1, a, b, y)).broadcast_to(&shape));
                tangents[id] = match (from_a, from_b) {
                    (Some(from_a), Some(from_b)) => fit(from_a + from_b),
                    (from_a, from_b) => from_a.or(from_b).map(Term::var),
                };
            }
            Kind::Formula => {
                let parents = self.with_tape(|t| t.parents_of(id));
                let along: SmallVec<[(Var, Var); 4]> = parents
                    .iter()
                    .filter_map(|&p| Some((self.with_tape(|t| t.handle(p)), tangents[p]?)))
                    .collect();
                if !along.is_empty() {
                    let equal = self.unfolded(id).var();
                    tangents[id] = Some(self.tangent_along(equal, &along)?);
                }
            }
            Kind::Call => self.push_forward_call(id, tangents)?,
            Kind::Leaf | Kind::Constant | Kind::Projection => {}
        }
        Ok(())
    }

    fn push_forward_call(&self, id: usize, tangents: &mut [Option<Var>]) -> Result<()> {
        let (operation, parents, results) = self.call(id);
        let x_dots: SmallVec<[Option<Var>; 4]> = parents.iter().map(|&p| tangents[p]).collect();
        if x_dots.iter().all(Option::is_none) {
            return Ok(());
        }
        let handles = |ids: &[usize]| -> SmallVec<[Var; 4]> {
            self.with_tape(|tape| ids.iter().map(|&id| tape.handle(id)).collect())
        };
        let one = |dot: Option<Var>| dot.map(|dot| SmallVec::from_elem(Some(dot), 1));
        let tangents_of_results = match &operation {
            Operation::Op(op) => self.rule_jvp(op, &parents, &results, &x_dots),
            Operation::Custom(op) => {
                one(self.custom_jvp(&**op, &handles(&parents), handles(&results)[0], &x_dots)?)
            }
            Operation::Checkpoint(part) => {
                one(self.checkpoint_jvp(&**part, &handles(&parents), handles(&results)[0], &x_dots)?)
            }
        };
        let dots = match tangents_of_results {
            Some(dots) => dots,
            None => self.double_vjp(&operation, &parents, &results, &x_dots)?,
        };
        for (&result, dot) in results.iter().zip(dots) {
            if result < tangents.len() {
                tangents[result] = dot;
            }
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
    ) -> Option<SmallVec<[Option<Var>; 4]>> {
        let rule = ops::rule::<T>(op);
        if rule.is_linear() {
            let with_dots: SmallVec<[Var; 4]> = parents
                .iter()
                .zip(x_dots)
                .map(|(&p, dot)| match (self.node(p).dtype(), dot) {
                    (Dtype::Real, Some(dot)) => *dot,
                    (Dtype::Real, None) => self.full(&self.with_tape(|t| t.shape(p).clone()), 0.0),
                    _ => self.with_tape(|t| t.handle(p)),
                })
                .collect();
            return Some(self.apply(op, &with_dots).into_iter().map(Some).collect());
        }
        let args: SmallVec<[Term<'_, T>; 4]> = parents.iter().map(|&p| self.term(p)).collect();
        let ys: SmallVec<[Term<'_, T>; 4]> = results.iter().map(|&r| self.term(r)).collect();
        let dots: SmallVec<[Option<Term<'_, T>>; 4]> =
            x_dots.iter().map(|v| v.map(|v| Term::new(self, v))).collect();
        let needs: SmallVec<[bool; 4]> = x_dots.iter().map(Option::is_some).collect();
        let call = Call { args: &args, results: &ys, needs: &needs };
        let y_dots = rule.jvp(&call, &dots)?;
        let fit = |(t, &r): (Term<'_, T>, &usize)| {
            Some(t.broadcast_to(&self.with_tape(|t| t.shape(r).clone())).var())
        };
        Some(y_dots.into_iter().zip(results).map(fit).collect())
    }

    /// The tangents of an op's results by two vjps: `<vjp(u), x_dot>` is linear in `u`, and its gradient is the tangent.
    fn double_vjp(
        &self,
        operation: &Operation<T>,
        parents: &[usize],
        results: &[usize],
        x_dots: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 4]>> {
        let differentiable = |&r: &usize| self.node(r).is_differentiable();
        let seeds: SmallVec<[Option<Var>; 4]> = results
            .iter()
            .map(|r| differentiable(r).then(|| self.push_seed(&self.with_tape(|t| t.shape(*r).clone()))))
            .collect();
        let needs: SmallVec<[bool; 4]> = x_dots.iter().map(Option::is_some).collect();
        let bars = self.record_vjp(operation, parents, results, &needs, &seeds)?;
        let mut inner: Option<Term<'_, T>> = None;
        for (bar, x_dot) in bars.iter().zip(x_dots) {
            let (Some(bar), Some(x_dot)) = (bar, x_dot) else { continue };
            let bar = unbroadcast(Term::new(self, *bar), &self.shape_of(*x_dot));
            let part = (bar * Term::new(self, *x_dot)).sum_all();
            inner = Some(inner.map_or(part, |sum| sum + part));
        }
        let wanted: SmallVec<[Var; 4]> = seeds.iter().flatten().copied().collect();
        let Some(inner) = inner.map(Term::var).filter(|v| self.node(v.id).is_differentiable()) else {
            return Ok(seeds.iter().map(|_| None).collect());
        };
        let seed = self.full(&[], 1.0);
        let mut found = self.gradient_from("tangent", inner, seed, &wanted)?.into_iter();
        Ok(seeds.iter().map(|s| s.and_then(|_| found.next())).collect())
    }
}

/// For each node up to `root`: whether it depends on one of `ids` and `root` depends on it.
fn leading_to<T: Functions>(tape: &Tape<T>, root: usize, ids: &[usize]) -> Vec<bool> {
    let low = ids.iter().copied().min().unwrap_or(root + 1);
    let mut depends = vec![false; root + 1];
    for id in low..=root {
        depends[id] = ids.contains(&id)
            || (tape.nodes[id].is_differentiable()
                && tape.parents_of(id).iter().any(|&p| p >= low && depends[p]));
    }
    let mut needed = vec![false; root + 1];
    needed[root] = true;
    for id in (low..=root).rev() {
        if needed[id] {
            tape.parents_of(id).iter().for_each(|&p| needed[p] = true);
        }
    }
    depends.iter().zip(needed).map(|(d, n)| *d && n).collect()
}
