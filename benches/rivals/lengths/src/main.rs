//! Draws time against length for a short chain of elementwise ops, from what `run.py --work chain_1,chain_10,..` wrote.
//!
//!     cargo run --release --manifest-path benches/rivals/lengths/Cargo.toml -- lengths.jsonl docs/lengths.svg

use std::collections::BTreeMap;

use kuva::backend::svg::SvgBackend;
use kuva::plot::{LegendPosition, LinePlot};
use kuva::render::layout::Layout;
use kuva::render::plots::Plot;
use kuva::render::render::render_multiple;
use serde_json::Value;

/// Blue, orange, green, purple, grey, red, sky, black, gold: one for each peer, apart from each other for colour-blind readers.
const COLORS: [&str; 9] =
    ["#2f6db3", "#e0702a", "#2e8b57", "#7b4ea3", "#8a97a3", "#b3362c", "#56c1e9", "#222222", "#d9a900"];

/// Each peer's microseconds at each length. Of a length measured twice the later time counts.
fn times(lines: &str) -> BTreeMap<String, BTreeMap<u64, f64>> {
    let mut times: BTreeMap<String, BTreeMap<u64, f64>> = BTreeMap::new();
    for line in lines.lines() {
        let row: Value = serde_json::from_str(line).expect("a row of run.py");
        let length = row["w"].as_str().and_then(|w| w.strip_prefix("chain_")?.parse().ok());
        let (Some(length), Some(peers)) = (length, row["peers"].as_object()) else { continue };
        for (peer, of_peer) in peers {
            if let Some(time) = of_peer["best_med_ns"].as_f64() {
                times.entry(peer.clone()).or_default().insert(length, time / 1e3);
            }
        }
    }
    times
}

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(from), Some(to)) = (args.next(), args.next()) else {
        panic!("usage: lengths RIVALS.JSONL PICTURE.SVG");
    };
    let times = times(&std::fs::read_to_string(&from).expect("a file that run.py wrote"));
    // Ours first, then by the time at the greatest length.
    let last = |of_peer: &BTreeMap<u64, f64>| of_peer.values().last().copied().unwrap_or(f64::MAX);
    let mut peers: Vec<_> = times.iter().collect();
    peers.sort_by(|a, b| {
        (a.0 != "wengert", last(a.1)).partial_cmp(&(b.0 != "wengert", last(b.1))).expect("times")
    });
    let plots: Vec<Plot> = peers
        .iter()
        .zip(COLORS)
        .map(|((name, of_peer), color)| {
            let points = of_peer.iter().map(|(length, time)| (*length as f64, *time));
            let width = if *name == "wengert" { 3.2 } else { 1.8 };
            let line = LinePlot::new().with_data(points).with_color(color).with_stroke_width(width);
            Plot::Line(line.with_legend(name.as_str()))
        })
        .collect();
    let layout = Layout::auto_from_plots(&plots)
        .with_title("Five products and five sums: value and gradients")
        .with_x_label("elements")
        .with_y_label("microseconds, f64, one thread")
        .with_width(720.0)
        .with_height(480.0)
        .with_log_scale()
        .with_legend_position(LegendPosition::InsideTopLeft);
    std::fs::write(&to, SvgBackend::new().render_scene(&render_multiple(plots, layout))).expect("a picture");
}
