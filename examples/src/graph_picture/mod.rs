//! Draws a small computation graph: each node a card with its value and its gradient, each edge with its local
//! partial, as SVG or PNG.
//!
//! The crate `layout-rs` finds places for the cards and paths for the edges; what is drawn there is ours, so that
//! graph pictures share colours and font with the plots. Meant for graphs of a page, not of a training step;
//! the engine's own `Graph::to_dot` writes a tape of any size for Graphviz.

mod draw;
mod place;

use crate::plot::Picture;

/// What a node is to the person looking at the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An input whose gradient is wanted.
    Leaf,
    /// Computed on the way.
    Step,
    /// Where the backward pass begins.
    Result,
}

/// One card.
#[derive(Debug, Clone)]
pub struct Node {
    /// What the reader calls it, such as `a`.
    pub name: String,
    /// How it came to be, such as `x * y`; empty for a leaf.
    pub formula: String,
    /// Its value, as text.
    pub value: String,
    /// Its gradient, as text, where it has one.
    pub gradient: Option<String>,
    /// Its role, which decides its colour.
    pub role: Role,
}

/// An arrow from an argument to what was computed from it.
#[derive(Debug, Clone)]
pub struct Edge {
    /// Index of the argument's node.
    pub from: usize,
    /// Index of the result's node.
    pub to: usize,
    /// The local partial, such as `da/dx = 3`; may be empty.
    pub partial: String,
}

/// Nodes and edges of a computation, to be drawn.
#[derive(Debug, Clone, Default)]
pub struct ComputationGraph {
    /// Written above the picture.
    pub title: String,
    /// The cards. Those that others depend on come first.
    pub nodes: Vec<Node>,
    /// The arrows.
    pub edges: Vec<Edge>,
}

impl ComputationGraph {
    /// The graph as a picture.
    ///
    /// # Panics
    /// If an edge names a node that does not exist.
    pub fn picture(&self) -> Picture {
        draw::draw(self, &place::place(self))
    }
}
