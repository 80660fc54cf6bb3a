//! The house rules: who may import whom, how long a file may be, where unsafe code may stand.

use std::path::{Path, PathBuf};

/// The layer of a module, from the path below `src`.
fn layer(path: &str) -> u32 {
    let top = path.split(['/', ':']).next().unwrap().trim_end_matches(".rs");
    match top {
        "shape" | "var" | "error" | "op" | "hash" => 0,
        "memory" | "kernel" | "words" | "rule" | "term" | "broadcast" => 1,
        "ops" | "expr" => 2,
        "graph" if path.starts_with("graph/methods") || path.starts_with("graph::methods") => 4,
        "graph" => 3,
        "functional" => 4,
        "check" | "audit" | "dot" | "prelude" | "lib" => 5,
        // Names that the root exports.
        "Error" | "ErrorKind" | "Result" | "Var" | "Op" => 0,
        "Functions" | "Real" => 1,
        "Expr" | "Formula" => 2,
        "Graph" => 3,
        other => panic!("{other} has no layer: give it one here and in docs/ARCHITECTURE.md"),
    }
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Every file of the engine: its path below `src`, and its text.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        (name, std::fs::read_to_string(path).unwrap())
    };
    found.into_iter().map(read).collect()
}

fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap();
    ["tests.rs", "testing.rs", "speed.rs", "check.rs"].contains(&name) && path.contains('/')
        || path.contains("/tests/")
        || path.starts_with("check/every_op")
}

/// The modules that a text names as `crate::..`, up to its tests.
fn imports(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut found = Vec::new();
    for line in code.lines().filter(|l| !l.trim_start().starts_with("//")) {
        for part in line.split("crate::").skip(1) {
            match part.strip_prefix('{') {
                Some(list) => {
                    let names = list.split('}').next().unwrap().split(',');
                    found.extend(names.map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()));
                }
                None => {
                    let end = part.find(|c: char| !(c.is_alphanumeric() || "_:".contains(c)));
                    found.push(part[..end.unwrap_or(part.len())].to_owned());
                }
            }
        }
    }
    found
}

#[test]
fn no_file_imports_from_a_layer_above_it() {
    let mut bad = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| path != "lib.rs" && !is_test(path)) {
        for import in imports(text) {
            if layer(&import) > layer(path) {
                bad.push(format!(
                    "{path} (layer {}) imports {import} (layer {})",
                    layer(path),
                    layer(&import)
                ));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn rules_do_not_import_other_families() {
    let mut bad = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| path.starts_with("ops/") && !is_test(path)) {
        let family = path["ops/".len()..].split('/').next().unwrap().trim_end_matches(".rs");
        for import in imports(text).iter().filter(|i| i.starts_with("ops::")) {
            let other = import["ops::".len()..].split("::").next().unwrap();
            // What several families share stands in files of its own.
            let shared = ["moving"].contains(&other);
            if other != family && !shared && path != "ops/mod.rs" {
                bad.push(format!("{path} imports {import}"));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut bad = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > 500 {
            bad.push(format!("{path} has {lines} lines: split it"));
        }
        if !text.starts_with("//!") && !is_test(&path) {
            bad.push(format!("{path} does not say what it is"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn unsafe_code_stands_where_it_may() {
    for (path, text) in sources() {
        let places = ["memory/", "kernel/gemm/raw", "kernel/square", "kernel/crew"];
        let allowed = places.iter().any(|place| path.starts_with(place));
        assert!(allowed || !text.contains("allow(unsafe_code)"), "{path} allows unsafe code");
    }
}
