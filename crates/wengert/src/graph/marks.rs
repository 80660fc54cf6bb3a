//! Marks and rewinding: a training loop that grows nothing.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::error::{Error, Result};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::lines::At;
use crate::graph::tape::Lengths;

/// A state of a graph to return to: see [`Graph::mark`].
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    lengths: Lengths,
    stamp: u64,
}

impl<T: Engine> Graph<T> {
    /// The present state, to return to with [`Graph::rewind`].
    pub fn mark(&self) -> Mark {
        let tape = self.tape.borrow();
        Mark { lengths: tape.lengths(&self.memory), stamp: tape.segments.of_mark(tape.nodes.len()) }
    }

    /// Forgets everything recorded since `mark`; its memory is used again. Handles of it are refused from now on.
    ///
    /// # Panics
    /// If `mark` is of another graph, or was itself rewound.
    #[track_caller]
    pub fn rewind(&mut self, mark: Mark) {
        self.enter();
        if let Err(error) = T::rewind(self, mark, self.at.get()) {
            panic!("{error}");
        }
    }

    pub(super) fn rewind_here(&mut self, mark: Mark, at: At) -> Result<()> {
        let tape = self.tape.get_mut();
        let Lengths { nodes, inputs, .. } = mark.lengths;
        if nodes > tape.nodes.len() || !tape.segments.holds_mark(nodes, mark.stamp) {
            let refusal = tape.segments.refusal("the mark", nodes, mark.stamp);
            return Err(Error::new(refusal, "rewind", [], Some(at)));
        }
        tape.truncate(&self.memory, &mark.lengths);
        tape.segments.rewind(nodes, at);
        self.sweep.rewind(nodes, inputs);
        Ok(())
    }

    /// Runs `f`; where it refuses or unwinds, what it has recorded is forgotten, and handles of it are refused.
    ///
    /// Of a part that is forgotten anyway, with its handles, nothing need be forgotten here.
    pub(crate) fn all_or_nothing<R>(&self, f: impl FnOnce(&Self) -> Result<R>) -> Result<R> {
        let (to, at) = (self.with_tape(|tape| tape.lengths(&self.memory)), self.at.get());
        let result = catch_unwind(AssertUnwindSafe(|| f(self)));
        if !matches!(result, Ok(Ok(_))) {
            let mut tape = self.tape.borrow_mut();
            if tape.nodes.len() > to.nodes && !tape.segments.is_temporary() {
                tape.truncate(&self.memory, &to);
                tape.segments.rewind(to.nodes, at);
            }
            self.at.set(at);
        }
        result.unwrap_or_else(|payload| resume_unwind(payload))
    }

    /// Runs `f` between a [`Graph::mark`] and its [`Graph::rewind`]; the rewind happens on unwinding, too.
    ///
    /// # Examples
    /// ```
    /// use wengert::prelude::*;
    /// let mut g = Graph::new();
    /// let x = g.leaf(2.0);
    /// let y = g.scope(|g| {
    ///     let y = g.eval(x * x);
    ///     g.item(y)
    /// });
    /// assert_eq!((y, g.node_count()), (4.0, 1));
    /// ```
    #[track_caller]
    pub fn scope<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let at = std::panic::Location::caller();
        let mark = self.mark();
        let result = catch_unwind(AssertUnwindSafe(|| f(self)));
        self.at.set(at);
        self.rewind(mark);
        result.unwrap_or_else(|payload| resume_unwind(payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::var::Var;

    /// A loop within a loop: a mark taken right behind a rewind can be returned to as often as any other.
    #[test]
    fn marks_last_through_their_own_rewinds() {
        let mut g = Graph::new();
        let empty = g.mark();
        let x = g.leaf(2.0);
        for _ in 0..3 {
            let base = g.mark();
            for _ in 0..3 {
                let y = g.sin(x);
                g.rewind(base);
                assert!(g.node_count() == 1 && g.try_apply(&crate::op::Detach {}.into(), &[y]).is_err());
            }
        }
        for _ in 0..2 {
            g.rewind(empty);
            assert_eq!(g.node_count(), 0);
        }
    }

    #[test]
    fn marks_end_with_the_nodes_that_they_keep() {
        let mut g = Graph::new();
        let x = g.leaf(2.0);
        let early = g.mark();
        let chain = |g: &Graph<f64>, x: Var| g.sin(g.cos(x));
        chain(&g, x);
        let late = g.mark();
        g.rewind(late);
        g.rewind(early);
        chain(&g, x);
        let tape = g.tape.get_mut();
        assert!(!tape.segments.holds_mark(late.lengths.nodes, late.stamp));
        let refusal = tape.segments.refusal("the mark", late.lengths.nodes, late.stamp);
        assert_eq!(refusal.kind, ErrorKind::StaleHandle);
    }

    /// What is refused leaves nothing behind: no formula argument, no half of a derivative.
    #[test]
    fn a_refusal_leaves_the_graph_as_it_was() {
        use std::sync::{Arc, Mutex};

        use ndarray::array;

        let g = Graph::new();
        let a = g.leaf(array![[1.0, 2.0], [2.0, 4.0]]);
        let x = g.leaf(array![1.0, 2.0]);
        let (leaked, from) = (Arc::new(Mutex::new(None)), x);
        let keep = leaked.clone();
        let y = g
            .custom(
                "stuck",
                &[x],
                |x| Ok(x[0].to_owned()),
                move |g, _, _, y_bar| {
                    *keep.lock().unwrap() = Some(g.sin(y_bar * from));
                    Err(Error::custom("stuck"))
                },
            )
            .unwrap();
        let y = g.sum(g.exp(y));
        let x_dot = g.constant(array![1.0, 1.0]);
        let before =
            g.with_tape(|tape| [tape.nodes.len(), tape.arrays.len(), tape.calls.len(), tape.parents.len()]);
        assert_eq!(g.inverse(a * 2.0).unwrap_err().kind(), ErrorKind::SingularMatrix);
        assert_eq!(g.cholesky(a - 9.0).unwrap_err().kind(), ErrorKind::NotPositiveDefinite);
        assert_eq!(g.solve(a * 2.0, x + 1.0).unwrap_err().kind(), ErrorKind::SingularMatrix);
        assert_eq!(g.eigh(x + 1.0).unwrap_err().kind(), ErrorKind::RankMismatch);
        assert_eq!(g.matrix_power(a + 0.0, -2).unwrap_err().kind(), ErrorKind::SingularMatrix);
        assert_eq!(g.gradient(y, &[x]).unwrap_err().kind(), ErrorKind::CustomOp);
        let stale = leaked.lock().unwrap().unwrap();
        assert_eq!(g.tangent(y, &[(x, x_dot)]).unwrap_err().kind(), ErrorKind::CustomOp);
        let after =
            g.with_tape(|tape| [tape.nodes.len(), tape.arrays.len(), tape.calls.len(), tape.parents.len()]);
        assert_eq!(after, before);
        while g.node_count() <= stale.id {
            g.exp(x);
        }
        let error = g.try_apply(&crate::op::Detach {}.into(), &[stale]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StaleHandle);
    }
}
