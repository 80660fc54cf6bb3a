//! Marks and rewinding: a training loop that grows nothing.

use crate::error::{Error, Refusal};
use crate::graph::Graph;
use crate::graph::tape::Lengths;
use crate::kernel::functions::Functions;

/// A state of a graph to return to: see [`Graph::mark`].
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    lengths: Lengths,
    stamp: u64,
}

impl<T: Functions> Graph<T> {
    /// The present state, to return to with [`Graph::rewind`].
    pub fn mark(&self) -> Mark {
        let tape = self.tape.borrow();
        Mark { lengths: tape.lengths(&self.memory), stamp: tape.segments.current() }
    }

    /// Forgets everything recorded since `mark`; its memory is used again. Handles of it are refused from now on.
    ///
    /// # Panics
    /// If `mark` is of another graph, or was itself rewound.
    #[track_caller]
    pub fn rewind(&mut self, mark: Mark) {
        self.enter();
        let at = self.at.get();
        let tape = self.tape.get_mut();
        let Lengths { nodes, inputs, .. } = mark.lengths;
        let refused = |refusal: Refusal| -> ! { panic!("{}", Error::new(refusal, "rewind", [], Some(at))) };
        if nodes > tape.nodes.len() || !tape.segments.holds_mark(nodes, mark.stamp) {
            refused(tape.segments.refusal("the mark", nodes, mark.stamp));
        }
        tape.truncate(&self.memory, &mark.lengths);
        tape.segments.rewind(nodes, at);
        self.sweep.rewind(nodes, inputs);
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
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f(self)));
        self.at.set(at);
        self.rewind(mark);
        result.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    }
}
