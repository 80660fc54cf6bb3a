//! Cards, arrows and labels as drawing primitives.

use kuva::render::color::Color;
use kuva::render::render::{PathData, Primitive, Scene, TextAnchor, TextSpan};
use kuva::render::render_utils::arrow_head_path;

use super::place::{CARD, Places};
use super::{ComputationGraph, Node, Role};
use crate::plot::{Picture, style};

const MARGIN: f64 = 28.0;
const TITLE: f64 = 44.0;
const KEY: f64 = 34.0;
const ROUNDING: f64 = 7.0;
const HEADER: f64 = 26.0;
const ARROW: f64 = 9.0;

type Point = (f64, f64);

/// Draws `graph` with its cards at `places`.
pub(super) fn draw(graph: &ComputationGraph, places: &Places) -> Picture {
    let bends = places.bends.iter().flatten();
    let low = |pick: fn(&Point) -> f64, half: f64| {
        let cards = places.centres.iter().map(|c| pick(c) - half);
        cards.chain(bends.clone().map(pick)).fold(f64::INFINITY, f64::min)
    };
    let high = |pick: fn(&Point) -> f64, half: f64| {
        let cards = places.centres.iter().map(|c| pick(c) + half);
        cards.chain(bends.clone().map(pick)).fold(f64::NEG_INFINITY, f64::max)
    };
    let (left, top) = (low(|p| p.0, CARD.0 / 2.0), low(|p| p.1, CARD.1 / 2.0));
    let (right, bottom) = (high(|p| p.0, CARD.0 / 2.0), high(|p| p.1, CARD.1 / 2.0));

    let (width, height) = (right - left + 2.0 * MARGIN, bottom - top + MARGIN + TITLE + KEY);
    let shift = |p: &Point| (p.0 - left + MARGIN, p.1 - top + TITLE);
    let centres: Vec<Point> = places.centres.iter().map(shift).collect();
    let mut scene = Scene::new(width, height);
    scene.text_color = Some(style::INK.into());
    scene.font_family = Some("DejaVu Sans, Verdana, Helvetica, Arial, sans-serif".into());

    for (edge, bends) in graph.edges.iter().zip(&places.bends) {
        let way: Vec<Point> = bends.iter().map(shift).collect();
        arrow(&mut scene, centres[edge.from], &way, centres[edge.to], &edge.partial);
    }
    for (node, &centre) in graph.nodes.iter().zip(&centres) {
        card(&mut scene, node, centre);
    }
    text(&mut scene, (width / 2.0, 26.0), &graph.title, 16, TextAnchor::Middle, true, style::INK);
    let key = "Values go from left to right. Each gradient is a sum over the arrows that leave the card: partial × the gradient at its head.";
    text(&mut scene, (width / 2.0, height - 12.0), key, 10, TextAnchor::Middle, false, style::MUTED);
    Picture::new(scene)
}

fn card(scene: &mut Scene, node: &Node, centre: Point) {
    let (border, header) = match node.role {
        Role::Leaf => (style::COLD, "#e3edf8"),
        Role::Step => (style::MUTED, "#eef1f4"),
        Role::Result => (style::WARM, "#fceadd"),
    };
    let (x, y) = (centre.0 - CARD.0 / 2.0, centre.1 - CARD.1 / 2.0);
    shape(scene, rounded(x, y, CARD.0, CARD.1, true), "#ffffff", None);
    shape(scene, rounded(x, y, CARD.0, HEADER, false), header, None);
    shape(scene, rounded(x, y, CARD.0, CARD.1, true), "none", Some((border, 1.4)));

    let heading = match node.formula.as_str() {
        "" => node.name.clone(),
        formula => format!("{} = {formula}", node.name),
    };
    text(scene, (centre.0, y + 18.0), &heading, 13, TextAnchor::Middle, true, style::INK);
    let mut row = |line: f64, label: &str, figure: &str, color: &str| {
        text(scene, (x + 11.0, y + line), label, 11, TextAnchor::Start, false, style::MUTED);
        text(scene, (x + CARD.0 - 11.0, y + line), figure, 13, TextAnchor::End, true, color);
    };
    row(45.0, "value", &node.value, style::INK);
    row(66.0, "gradient", node.gradient.as_deref().unwrap_or("none"), style::GRADIENT);
}

/// An arrow from the right side of one card to the left side of another, with its label halfway.
fn arrow(scene: &mut Scene, from: Point, way: &[Point], to: Point, label: &str) {
    let start = (from.0 + CARD.0 / 2.0, from.1);
    let tip = (to.0 - CARD.0 / 2.0 - 1.5, to.1 + 0.35 * (from.1 - to.1).clamp(-60.0, 60.0));
    let end = (tip.0 - ARROW, tip.1);
    let mut path = format!("M {:.1} {:.1}", start.0, start.1);
    let mut points = vec![start];
    points.extend_from_slice(way);
    points.push(end);
    for leg in points.windows(2) {
        path += &swing(leg[0], leg[1]);
    }
    shape(scene, path, "none", Some((style::MUTED, 1.6)));
    shape(scene, arrow_head_path(tip.0, tip.1, 1.0, 0.0, ARROW, 4.5), style::MUTED, None);

    let leg = &points[(points.len() - 2) / 2..];
    let middle = ((leg[0].0 + leg[1].0) / 2.0, (leg[0].1 + leg[1].1) / 2.0);
    if !label.is_empty() {
        let half = 3.1 * label.chars().count() as f64 + 4.0;
        let patch = rounded(middle.0 - half, middle.1 - 9.0, 2.0 * half, 17.0, true);
        shape(scene, patch, "#ffffff", None);
        text(scene, (middle.0, middle.1 + 4.0), label, 11, TextAnchor::Middle, false, style::GRADIENT);
    }
}

/// A curve that leaves `from` and reaches `to` horizontally, through the middle between them.
///
/// Written as two halves: the renderer takes a curve whose middle lies on its chord for a straight line.
fn swing(from: Point, to: Point) -> String {
    let quarter = (to.0 - from.0) / 4.0;
    let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
    let lean = (to.1 - from.1) / 4.0;
    format!(
        " C {:.2} {:.2} {:.2} {:.2} {:.2} {:.2} C {:.2} {:.2} {:.2} {:.2} {:.2} {:.2}",
        from.0 + quarter,
        from.1,
        middle.0 - quarter / 2.0,
        middle.1 - lean,
        middle.0,
        middle.1,
        middle.0 + quarter / 2.0,
        middle.1 + lean,
        to.0 - quarter,
        to.1,
        to.0,
        to.1
    )
}

/// A rectangle with round corners, the lower ones only `if all`.
fn rounded(x: f64, y: f64, width: f64, height: f64, all: bool) -> String {
    let (right, bottom) = (x + width, y + height);
    let (above, below) = (ROUNDING, if all { ROUNDING } else { 0.0 });
    // Corner by corner: where it is, its radius, and the directions of the edges that enter and leave it.
    let corners = [
        ((right, y), above, (1.0, 0.0), (0.0, 1.0)),
        ((right, bottom), below, (0.0, 1.0), (-1.0, 0.0)),
        ((x, bottom), below, (-1.0, 0.0), (0.0, -1.0)),
        ((x, y), above, (0.0, -1.0), (1.0, 0.0)),
    ];
    /// Distance of a control point from the corner, in radii, for a quarter of a circle.
    const PULL: f64 = 0.4477;
    let mut path = format!("M {:.2} {y:.2}", x + above);
    for ((cx, cy), r, enter, leave) in corners {
        let before = |k: f64| (cx - k * enter.0, cy - k * enter.1);
        let after = |k: f64| (cx + k * leave.0, cy + k * leave.1);
        let (a, b, c, d) = (before(r), before(r * PULL), after(r * PULL), after(r));
        path += &format!(" L {:.2} {:.2}", a.0, a.1);
        path += &format!(" C {:.2} {:.2} {:.2} {:.2} {:.2} {:.2}", b.0, b.1, c.0, c.1, d.0, d.1);
    }
    path + " Z"
}

fn shape(scene: &mut Scene, d: String, fill: &str, stroke: Option<(&str, f64)>) {
    let (stroke, stroke_width) = stroke.unwrap_or(("none", 0.0));
    let fill = (fill != "none").then(|| Color::from(fill));
    let stroke = Color::from(stroke);
    let path = PathData { d, fill, stroke, stroke_width, opacity: None, stroke_dasharray: None };
    scene.add(Primitive::Path(Box::new(path)));
}

fn text(scene: &mut Scene, at: Point, content: &str, size: u32, anchor: TextAnchor, bold: bool, color: &str) {
    let spans = vec![TextSpan { bold, ..TextSpan::plain(content) }];
    let color = Some(Color::from(color));
    scene.add(Primitive::RichText { x: at.0, y: at.1, spans, size, anchor, color });
}
