//! [`Graph::audit`]: why a parameter gets no gradient.

use std::fmt;

use crate::graph::{Engine, Graph};
use crate::kernel::program::stopped;
use crate::op::Op;
use crate::var::Var;

/// What keeps a gradient from a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// Nothing that the loss was computed from depends on it.
    Unused,
    /// It is no differentiable node itself.
    Constant,
    /// `detach`.
    Detach,
    /// It was recorded under `no_grad`.
    NoGrad,
    /// An op without a derivative (a comparison, a position), or one whose derivative is 0 everywhere (a rounding).
    NotDifferentiable,
}

/// A parameter without a gradient, and where its path to the loss ends. `Display` says it in words.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The parameter.
    pub parameter: Var,
    /// What ends the path.
    pub cut: Cut,
    /// The node that does: the parameter itself, the loss, or one between them.
    pub at: Var,
    text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<T: Engine> Graph<T> {
    /// Why parameters get no gradient from `loss`: for each that gets none, every node at which a path between the two ends.
    /// Empty where all of them get one.
    ///
    /// # Panics
    /// If a handle belongs to another graph or to a rewound part of this one.
    ///
    /// # Examples
    /// ```
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let (w, b) = (g.leaf(2.0), g.leaf(1.0));
    /// let loss = g.square(g.detach(w) + b);
    /// let found = g.audit(loss, &[w, b]);
    /// assert_eq!(found.len(), 1);
    /// assert_eq!((found[0].parameter, found[0].cut), (w, wengert::Cut::Detach));
    /// assert!(found[0].to_string().contains("gets no gradient: `detach` at"));
    /// ```
    #[track_caller]
    pub fn audit(&self, loss: Var, parameters: &[Var]) -> Vec<Finding> {
        let root = self.id("audit", loss);
        let mut findings = Vec::new();
        for &parameter in parameters {
            let id = self.id("audit", parameter);
            findings
                .extend(self.cuts(id, root).into_iter().map(|(cut, at)| self.finding(parameter, cut, at)));
        }
        findings
    }

    /// The nodes at which paths from node `from` to node `root` end, unless one goes through.
    fn cuts(&self, from: usize, root: usize) -> Vec<(Cut, usize)> {
        let (mut depends, mut carries) = (vec![false; root + 1], vec![false; root + 1]);
        if from > root {
            return vec![(Cut::Unused, root)];
        }
        let mut ends = Vec::new();
        (depends[from], carries[from]) = (true, self.node(from).is_differentiable());
        for id in from + 1..=root {
            let mut cut = None;
            for (position, parent) in self.with_tape(|tape| tape.parents_of(id)).into_iter().enumerate() {
                depends[id] |= depends[parent];
                if carries[parent] {
                    match self.cut_at(id, position) {
                        None => carries[id] = true,
                        end => cut = end,
                    }
                }
            }
            ends.extend(cut.filter(|_| !carries[id]).map(|cut| (cut, id)));
        }
        match (depends[root], carries[root]) {
            (_, true) => return Vec::new(),
            (false, _) => return vec![(Cut::Unused, root)],
            _ if !carries[from] => return vec![(Cut::Constant, from)],
            _ => {}
        }
        let mut leads = vec![false; root + 1];
        leads[root] = true;
        for id in (from..=root).rev().filter(|&id| depends[id]) {
            if leads[id] {
                self.with_tape(|tape| tape.parents_of(id))
                    .into_iter()
                    .for_each(|parent| leads[parent] = true);
            }
        }
        ends.retain(|(_, id)| leads[*id]);
        ends
    }

    /// What ends at node `id` the path through its argument at `position`.
    fn cut_at(&self, id: usize, position: usize) -> Option<Cut> {
        let node = self.node(id);
        if node.is_differentiable() {
            return self.stopped_in(id, position).map(|_| Cut::NotDifferentiable);
        }
        Some(match self.with_tape(|tape| matches!(tape.op(id), Some(Op::Detach(_)))) {
            true => Cut::Detach,
            false if node.is_cut() => Cut::NoGrad,
            false => Cut::NotDifferentiable,
        })
    }

    /// The flat op inside the formula at node `id` that stops what comes from its leaf at `position`.
    fn stopped_in(&self, id: usize, position: usize) -> Option<&'static str> {
        self.with_tape(|tape| Some(stopped(tape.steps(id)?, position as u16)?.name()))
    }

    fn finding(&self, parameter: Var, cut: Cut, at: usize) -> Finding {
        let place = |v: Var| format!("{}:{}", self.line(v).file(), self.line(v).line());
        let at = self.with_tape(|tape| tape.handle(at));
        let inner = (0..self.parents(at).len()).find_map(|k| self.stopped_in(at.id, k));
        let op = format!("`{}` at {}", inner.unwrap_or(self.op(at)), place(at));
        let why = match cut {
            Cut::Unused => format!("{op} does not depend on it"),
            Cut::Constant => "it is not differentiated itself".into(),
            Cut::Detach => format!("{op} cuts it off"),
            Cut::NoGrad => format!("{op} was recorded under no_grad"),
            Cut::NotDifferentiable => format!("{op} has none to pass on"),
        };
        let text = format!(
            "{parameter:?}, `{}` at {}, gets no gradient: {why}",
            self.op(parameter),
            place(parameter)
        );
        Finding { parameter, cut, at, text }
    }
}
