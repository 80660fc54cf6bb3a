//! Derivatives as nodes: `gradient` records on the same tape, so that derivatives of every order follow.

use smallvec::SmallVec;

use crate::broadcast::unbroadcast;
use crate::error::{ErrorKind, Refusal, Result};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::stretch::Stretch;
use crate::graph::tape::{Kind, Operation};
use crate::rule::Record;
use crate::term::Term;
use crate::var::Var;
use crate::words::{binary_partial, tuned_partial, unary_partial};

impl<T: Engine> Graph<T> {
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
            let rule = "the root must be a scalar (exactly one element); give a cotangent with gradient_with, or reduce it first";
            return Err(self.error(Refusal::new(ErrorKind::NonScalarBackward, rule), "gradient", &[y]));
        }
        T::gradient(self, "gradient", y, None, xs)
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
        T::gradient(self, "gradient_with", y, Some(y_bar), xs)
    }

    /// The gradient with cotangent `y_bar`, or with ones.
    pub(super) fn gradient_here(
        &self,
        what: &'static str,
        y: Var,
        y_bar: Option<Var>,
        xs: &[Var],
    ) -> Result<Vec<Var>> {
        let ids = self.resolve_all(xs).map_err(|refusal| self.error(refusal, what, &[]))?;
        if let Some(k) = ids.iter().position(|&id| !self.node(id).is_differentiable()) {
            let rule = "gradients exist with respect to differentiable nodes only";
            return Err(self.error(Refusal::new(ErrorKind::NoGradientPath, rule), what, &[xs[k]]));
        }
        self.check_unmodified(what, y, y.id)?;
        let first = ids.iter().copied().min().unwrap_or(y.id).min(y.id);
        self.all_or_nothing(|g| {
            let seed = y_bar.unwrap_or_else(|| g.filled(&g.shape_of(y), 1.0));
            g.gradient_within(first, y, seed, &ids)
        })
    }

    /// The gradient with respect to nodes `ids`, by the nodes from `first` on alone.
    pub(crate) fn gradient_within(&self, first: usize, y: Var, seed: Var, ids: &[usize]) -> Result<Vec<Var>> {
        let mut stretch = self.with_tape(|tape| Stretch::new(tape, first, y.id, ids));
        stretch.set(y.id, Some(seed));
        for id in (first..=y.id).rev() {
            if stretch.leads(id) {
                self.at_line_of(id, |g| g.propagate(id, &mut stretch))?;
            }
        }
        let zero = |id: usize| self.filled(&self.with_tape(|t| t.shape(id).clone()), 0.0);
        Ok(ids.iter().map(|&id| stretch.get(id).unwrap_or_else(|| zero(id))).collect())
    }

    /// Runs `f` with the line of node `id` as the one being served.
    pub(crate) fn at_line_of<R>(&self, id: usize, f: impl FnOnce(&Self) -> R) -> R {
        let at = self.at.replace(self.with_tape(|t| t.line(id)));
        let result = f(self);
        self.at.set(at);
        result
    }

    pub(crate) fn term(&self, id: usize) -> Term<'_> {
        Term::new(self, self.with_tape(|t| t.handle(id)))
    }

    /// Records what the cotangent of node `id` contributes to its parents.
    fn propagate(&self, id: usize, stretch: &mut Stretch) -> Result<()> {
        let node = self.node(id);
        match node.kind {
            Kind::Call => return self.propagate_call(id, stretch),
            Kind::Formula => return self.propagate_formula(id, stretch),
            _ => {}
        }
        let Some(y_bar) = stretch.get(id) else { return Ok(()) };
        let y_bar = Term::new(self, y_bar);
        let add = |parent: usize, partial: Term<'_>, stretch: &mut Stretch| {
            self.contribute(parent, y_bar * partial, stretch);
        };
        match node.kind {
            Kind::Unary(op) => {
                add(node.a as usize, unary_partial(op, self.term(node.a as usize), self.term(id)), stretch)
            }
            Kind::Tuned(op) => {
                let p = self.with_tape(|t| t.params[node.b as usize]);
                add(
                    node.a as usize,
                    tuned_partial(op, p, self.term(node.a as usize), self.term(id)),
                    stretch,
                );
            }
            Kind::Binary(op) => {
                let parents = [node.a as usize, node.b as usize];
                let [a, b] = parents.map(|p| self.term(p));
                for (k, &parent) in parents.iter().enumerate() {
                    if stretch.leads(parent) {
                        add(parent, binary_partial(op, k, a, b, self.term(id)), stretch);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A formula's ops are recorded one by one, so that their derivatives can be differentiated again.
    fn propagate_formula(&self, id: usize, stretch: &mut Stretch) -> Result<()> {
        let Some(y_bar) = stretch.get(id) else { return Ok(()) };
        let first = self.node_count();
        let equal = self.with_grad(|g| g.unfolded(id).var());
        let mut parents: SmallVec<[usize; 8]> = SmallVec::new();
        for parent in self.with_tape(|t| t.parents_of(id)) {
            if stretch.leads(parent) && !parents.contains(&parent) {
                parents.push(parent);
            }
        }
        let bars = self.gradient_within(first, equal, y_bar, &parents)?;
        for (&parent, bar) in parents.iter().zip(bars) {
            self.contribute(parent, Term::new(self, bar), stretch);
        }
        Ok(())
    }

    fn propagate_call(&self, id: usize, stretch: &mut Stretch) -> Result<()> {
        let (operation, parents, results) = self.call(id);
        let y_bars: SmallVec<[Option<Var>; 8]> = results.iter().map(|&r| stretch.get(r)).collect();
        if y_bars.iter().all(Option::is_none) {
            return Ok(());
        }
        let needs: SmallVec<[bool; 8]> = parents.iter().map(|&p| stretch.leads(p)).collect();
        let bars = self.record_vjp(&operation, &parents, &results, &needs, &y_bars)?;
        for (&parent, bar) in parents.iter().zip(bars) {
            if let Some(bar) = bar.filter(|_| stretch.leads(parent)) {
                self.contribute(parent, Term::new(self, bar), stretch);
            }
        }
        Ok(())
    }

    pub(crate) fn call(&self, id: usize) -> (Operation<T>, SmallVec<[usize; 8]>, SmallVec<[usize; 8]>) {
        self.with_tape(|tape| {
            let call = tape.nodes[id].a;
            let parents = tape.call_parents(call).iter().map(|&p| p as usize).collect();
            (tape.calls[call as usize].op.clone(), parents, tape.results_of(id).collect())
        })
    }

    fn contribute(&self, parent: usize, term: Term<'_>, stretch: &mut Stretch) {
        let shape = self.with_tape(|t| t.shape(parent).clone());
        let term = unbroadcast(term, &shape);
        let sum = match stretch.get(parent) {
            Some(held) => (Term::new(self, held) + term).var(),
            None => term.var(),
        };
        stretch.set(parent, Some(sum));
    }
}
