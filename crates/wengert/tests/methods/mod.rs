//! The recording methods of a graph, read off the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use wengert::op::{Binary, Compare, Unary};

/// The rows of a block `start` .. `}` of `text`, without their doc lines.
pub fn block<'a>(text: &'a str, start: &str) -> impl Iterator<Item = &'a str> {
    let rows = text.split_once(&format!("\n{start}\n")).map_or("", |(_, rows)| rows);
    rows.lines().take_while(|l| *l != "}").filter(|l| !l.contains("///"))
}

/// The identifier that `text` begins with.
pub fn word(text: &str) -> Option<String> {
    let end = text.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(text.len());
    (end > 0).then(|| text[..end].into())
}

/// The names of all methods that record something.
pub fn recording() -> BTreeSet<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/graph");
    let mut files: Vec<_> =
        fs::read_dir(source.join("methods")).unwrap().map(|f| f.unwrap().path()).collect();
    files.extend(["values.rs", "higher.rs", "tangent.rs", "structured.rs"].map(|f| source.join(f)));
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        names.extend(text.lines().filter_map(|l| word(l.strip_prefix("    pub fn ")?)));
        names.extend(block(&text, "tuned_methods! {").filter_map(|row| word(row.trim())));
        for row in block(&text, "reductions! {") {
            names.extend(row.split_whitespace().take(3).filter_map(word));
        }
        if let Some(rows) = text.lines().find_map(|l| l.strip_prefix("logical_methods! { ")) {
            names.extend(rows.split('"').step_by(2).filter_map(|row| word(row.trim())));
        }
    }
    names.extend(Unary::ALL.iter().map(|op| op.name().into()));
    names.extend(Binary::ALL.iter().map(|op| op.name().into()));
    names.extend(Compare::ALL.iter().map(|op| op.name().into()));
    // What reads or changes the graph and records nothing.
    let others = "value value_i64 value_bool item shape ndim len is_differentiable op line parents node_count nodes bytes \
                  grad retain_grad zero_grad set_value update";
    others.split_whitespace().for_each(|name| assert!(names.remove(name), "{name} is no method any more"));
    let known = ["gelu_tanh", "logsumexp_keepdims", "logical_xor"];
    assert!(names.len() > 150 && known.iter().all(|&name| names.contains(name)));
    names
}
