//! Where everything goes: `layout-rs` ranks the cards from left to right, orders them so that few edges cross,
//! and leads long edges around the cards between their ends.

use layout::core::base::Orientation;
use layout::core::format::{ClipHandle, RenderBackend};
use layout::core::geometry::Point;
use layout::core::style::StyleAttr;
use layout::std_shapes::shapes::{Arrow, Element, ShapeKind};
use layout::topo::layout::VisualGraph;

use super::ComputationGraph;

/// Width and height of a card.
pub(super) const CARD: (f64, f64) = (126.0, 78.0);
/// What the layout is told beyond that: wider for the labels of the arrows, and lower, since it leaves 60 between.
const EXTRA: (f64, f64) = (36.0, -26.0);

/// Centres of the cards, and for each edge the points it passes on its way past other ranks.
pub(super) struct Places {
    pub(super) centres: Vec<(f64, f64)>,
    pub(super) bends: Vec<Vec<(f64, f64)>>,
}

/// Finds a place for every node and a way for every edge, in the order of the graph.
pub(super) fn place(graph: &ComputationGraph) -> Places {
    let direction = Orientation::LeftToRight;
    let mut sheet = VisualGraph::new(direction);
    let card = || {
        let size = Point::new(CARD.0 + EXTRA.0, CARD.1 + EXTRA.1);
        Element::create(ShapeKind::new_box(""), StyleAttr::simple(), direction, size)
    };
    let handles: Vec<_> = graph.nodes.iter().map(|_| sheet.add_node(card())).collect();
    for edge in &graph.edges {
        sheet.add_edge(Arrow::simple(""), handles[edge.from], handles[edge.to]);
    }
    let mut paths = Paths { bends: Vec::new() };
    sheet.do_it(false, false, false, &mut paths);
    let centres = handles.iter().map(|&handle| pair(sheet.pos(handle).center())).collect();
    Places { centres, bends: paths.bends }
}

fn pair(point: Point) -> (f64, f64) {
    (point.x, point.y)
}

/// Collects where the arrows bend, and draws nothing.
struct Paths {
    bends: Vec<Vec<(f64, f64)>>,
}

impl RenderBackend for Paths {
    fn draw_rect(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>, _: Option<ClipHandle>) {}

    fn draw_line(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>) {}

    fn draw_circle(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>) {}

    fn draw_text(&mut self, _: Point, _: &str, _: &StyleAttr) {}

    /// `path` holds (point, control point) for the start and (control point, point) for all others.
    fn draw_arrow(
        &mut self,
        path: &[(Point, Point)],
        _: bool,
        _: (bool, bool),
        _: &StyleAttr,
        _: Option<String>,
        _: &str,
    ) {
        let between = &path[1..path.len() - 1];
        self.bends.push(between.iter().map(|step| pair(step.1)).collect());
    }

    fn create_clip(&mut self, _: Point, _: Point, _: usize) -> ClipHandle {
        0
    }
}
