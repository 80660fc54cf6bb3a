//! The house rules: who may import whom, how long a file may be, where unsafe code may stand.

use std::fs;
use std::path::{Path, PathBuf};

const LONGEST_FILE: usize = 560;

/// The layer of a module of the crate; a file imports only from layers at or above (numbered no higher than) its own.
fn layer(path: &str) -> Option<usize> {
    let first = path.split("::").next().unwrap_or(path);
    Some(match (first, path) {
        ("error" | "shape" | "var" | "op", _) => 0,
        ("memory" | "kernel" | "words" | "rule" | "term" | "broadcast", _) => 1,
        ("ops" | "expr", _) => 2,
        ("graph", p) if p.starts_with("graph::methods") => 4,
        ("graph", _) => 3,
        ("functional", _) => 4,
        ("check" | "dot" | "prelude", _) => 5,
        _ => return None,
    })
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    found.sort();
    let text = |p: &PathBuf| fs::read_to_string(p).expect("a source file");
    found.iter().map(|p| (p.strip_prefix(&root).expect("below src").display().to_string(), text(p))).collect()
}

/// `graph/methods/mod.rs` is module `graph::methods`.
fn module(file: &str) -> String {
    file.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::")
}

#[test]
fn imports_go_one_way() {
    let mut wrong = Vec::new();
    for (file, text) in all() {
        let Some(own) = layer(&module(&file)) else { continue };
        let code = text.split("#[cfg(test)]").next().expect("a first part");
        let is_test = file.ends_with("tests.rs") || file.contains("/tests/") || file.ends_with("testing.rs");
        for (number, line) in code.lines().enumerate().filter(|_| !is_test) {
            let Some(path) = line.trim_start().trim_start_matches("pub ").strip_prefix("use crate::") else {
                continue;
            };
            if let Some(theirs) = layer(path.trim_end_matches(';')).filter(|theirs| *theirs > own) {
                wrong.push(format!(
                    "{file}:{}: layer {own} imports layer {theirs}: {}",
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_short() {
    let long: Vec<String> = all()
        .into_iter()
        .map(|(file, text)| (file, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(file, lines)| format!("{file}: {lines}"))
        .collect();
    assert!(long.is_empty(), "longer than {LONGEST_FILE} lines: {long:?}");
}

#[test]
fn unsafe_code_stands_where_it_may() {
    for (file, text) in all() {
        let allowed = file.starts_with("memory/") || file.starts_with("kernel/gemm/raw");
        assert!(allowed || !text.contains("allow(unsafe_code)"), "{file} allows unsafe code");
    }
}
