//! A graph as text: `Display` prints the tape, `to_dot` writes a picture for Graphviz.

use std::fmt::{self, Write};

use crate::graph::Engine;
use crate::graph::Graph;
use crate::rule::Dtype;
use crate::var::Var;

/// Arrays of more elements are shown by their shape alone.
const SHOWN: usize = 6;

impl<T: Engine> Graph<T> {
    /// The graph in the DOT language: what `root` was computed from, or everything for `None`.
    ///
    /// A node shows its id, op, shape, value (where small), gradient (where held), and the line that recorded it.
    ///
    /// # Examples
    /// ```
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let x = g.leaf(3.0);
    /// let y = g.eval(x * x);
    /// assert!(g.to_dot(Some(y)).contains("n0 -> n1"));
    /// ```
    #[track_caller]
    pub fn to_dot(&self, root: Option<Var>) -> String {
        let mut shown = vec![root.is_none(); self.node_count()];
        if let Some(root) = root {
            shown[self.id("to_dot", root)] = true;
            for v in self.nodes().collect::<Vec<_>>().into_iter().rev().filter(|v| v.id <= root.id) {
                if shown[v.id] {
                    self.parents(v).iter().for_each(|p| shown[p.id] = true);
                }
            }
        }
        let mut out =
            String::from("digraph tape {\n  rankdir=LR;\n  node [shape=box, fontname=\"Helvetica\"];\n");
        for v in self.nodes().filter(|v| shown[v.id]) {
            let style = if self.is_differentiable(v) { "solid" } else { "dashed" };
            let label = format!("%{} {}\\n{}", v.id, self.op(v), self.facts(v).join("\\n"));
            let _ = writeln!(out, "  n{} [label=\"{label}\", style={style}];", v.id);
            for p in self.parents(v) {
                let _ = writeln!(out, "  n{} -> n{};", p.id, v.id);
            }
        }
        out + "}\n"
    }

    /// Shape, value, gradient and line of a node, as far as they are there.
    fn facts(&self, v: Var) -> Vec<String> {
        let node = self.node(v.id);
        let at = self.line(v);
        let shape = self.shape(v);
        let mut facts = vec![format!("{:?}", &shape[..])];
        if self.len(v) <= SHOWN {
            facts.push(match node.dtype() {
                Dtype::Real => format!("value {}", self.value(v)).replace('\n', ""),
                Dtype::Index => format!("value {}", self.value_i64(v)).replace('\n', ""),
                Dtype::Mask => format!("value {}", self.value_bool(v)).replace('\n', ""),
            });
            if let Some(grad) = self.held(v) {
                facts.push(format!("gradient {grad}").replace('\n', ""));
            }
        }
        facts.push(format!("{}:{}", at.file(), at.line()));
        facts
    }
}

impl<T: Engine> fmt::Display for Graph<T> {
    /// The tape, a node a line: `%4 = mul(%0, %1) [2, 3] at src/main.rs:7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for v in self.nodes() {
            let parents: Vec<String> = self.parents(v).iter().map(|p| format!("{p:?}")).collect();
            let at = self.line(v);
            let (op, parents, shape) = (self.op(v), parents.join(", "), self.shape(v));
            writeln!(f, "{v:?} = {op}({parents}) {:?} at {}:{}", &shape[..], at.file(), at.line())?;
        }
        Ok(())
    }
}

impl<T: Engine> fmt::Debug for Graph<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
