//! DOT text, for Graphviz and whatever else reads it.

use std::fmt::Write;

use super::{ComputationGraph, Role};
use crate::plot::style;

/// The graph in the DOT language, drawn from left to right.
pub(super) fn dot(graph: &ComputationGraph) -> String {
    let mut text = String::from("digraph {\n  rankdir=LR;\n");
    let mut put = |line: String| {
        writeln!(text, "  {line}").expect("writing to a String does not fail");
    };
    put(format!("labelloc=t; label={};", quoted(&graph.title)));
    put("node [shape=box, style=rounded, fontname=\"Helvetica\"];".into());
    put(format!("edge [fontname=\"Helvetica\", fontsize=10, fontcolor=\"{}\"];", style::GRADIENT));
    for (id, node) in graph.nodes.iter().enumerate() {
        let formula = if node.formula.is_empty() { String::new() } else { format!(" = {}", node.formula) };
        let gradient = node.gradient.as_ref().map(|g| format!("\ngradient {g}")).unwrap_or_default();
        let label = format!("{}{formula}\nvalue {}{gradient}", node.name, node.value);
        let color = match node.role {
            Role::Leaf => style::COLD,
            Role::Step => style::MUTED,
            Role::Result => style::WARM,
        };
        put(format!("n{id} [label={}, color=\"{color}\"];", quoted(&label)));
    }
    for edge in &graph.edges {
        put(format!("n{} -> n{} [label={}];", edge.from, edge.to, quoted(&edge.partial)));
    }
    text.push_str("}\n");
    text
}

/// A DOT string: quotes and backslashes escaped, line breaks kept.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::super::{Edge, Node};
    use super::*;

    #[test]
    fn text_is_escaped_and_edges_name_their_ends() {
        let node = |name: &str| Node {
            name: name.into(),
            formula: String::new(),
            value: "1".into(),
            gradient: None,
            role: Role::Leaf,
        };
        let graph = ComputationGraph {
            title: "a \"title\"".into(),
            nodes: vec![node("x"), node("y\\z")],
            edges: vec![Edge { from: 0, to: 1, partial: "2".into() }],
        };
        let text = graph.dot();
        assert!(text.contains(r#"label="a \"title\"""#), "{text}");
        assert!(text.contains(r#"n1 [label="y\\z\nvalue 1""#), "{text}");
        assert!(text.contains(r#"n0 -> n1 [label="2"];"#), "{text}");
    }
}
