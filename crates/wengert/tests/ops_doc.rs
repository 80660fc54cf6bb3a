//! `docs/ops.md` says what the sources say: the elementwise part is generated from the table's rows, the other rows are
//! held to the registry of ops, to their attributes and to the recording methods, each of which has one row.

mod methods;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use methods::{block, word};
use wengert::op::{Binary, Compare, Tuned, Unary};

const BEGIN: &str = "<!-- generated: cargo test -p wengert --test ops_doc, with WENGERT_WRITE_DOCS=1 -->\n";
const END: &str = "<!-- end of the generated part -->\n";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// A row of a table of elementwise ops.
struct Row {
    name: String,
    variant: String,
    doc: String,
    partials: Vec<String>,
}

/// The rows of `op/table/{file}`, each with `count` partials behind the primal.
fn rows(file: &str, count: usize) -> Vec<Row> {
    let text = read(&format!("src/op/table/{file}"));
    let (_, body) = text.split_once("$with! {\n").unwrap();
    let (mut rows, mut doc, mut code) = (Vec::new(), Vec::new(), Vec::new());
    for line in body.lines().map(str::trim).take_while(|l| *l != "} };") {
        match line.strip_prefix("/// ") {
            Some(line) => doc.push(line),
            None => code.push(line),
        }
        if !line.starts_with("///") && line.ends_with(';') {
            let row = code.join(" ");
            let [head, _, rest] = row.splitn(3, '|').collect::<Vec<_>>()[..] else { panic!("no row: {row}") };
            let (name, variant) = head.split_once(": ").unwrap();
            let partials = parts(rest).into_iter().skip(1).take(count).map(readable).collect();
            rows.push(Row { name: name.into(), variant: word(variant).unwrap(), doc: doc.join(" "), partials });
            (doc, code) = (Vec::new(), Vec::new());
        }
    }
    rows
}

/// What stands between the commas that no bracket encloses.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// Words with numbers as they are: `x.lit(2.0) * x` is `2.0 * x`.
fn readable(words: &str) -> String {
    let mut text = words.replace("std::f64::consts::", "");
    while let Some(at) = text.find(".lit(") {
        let start = text[..at].rfind(|c: char| !c.is_alphanumeric()).map_or(0, |k| k + 1);
        let open = at + ".lit(".len();
        let mut depth = 1;
        let close = text[open..].find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        let close = open + close.unwrap();
        let number = match &text[open..close] {
            sum if sum.contains(' ') => format!("({sum})"),
            number => number.to_owned(),
        };
        text.replace_range(start..=close, &number);
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The methods that record each op with attributes, with the names of their arguments.
fn tuned_methods() -> BTreeMap<String, Vec<String>> {
    let text = read("src/graph/methods/elementwise.rs");
    let mut methods: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in block(&text, "tuned_methods! {") {
        let (call, rest) = row.trim().split_once(')').unwrap();
        let (name, args) = call.split_once('(').unwrap();
        let args: Vec<_> = args.split(", ").filter_map(word).collect();
        methods.entry(word(rest.trim()).unwrap()).or_default().push(format!("`{name}({})`", args.join(", ")));
    }
    methods
}

/// The part of the document on elementwise ops.
fn elementwise() -> String {
    let mut text = String::new();
    text += "\n### One argument\n\n| op | value and convention | derivative |\n| --- | --- | --- |\n";
    for Row { name, doc, partials, .. } in rows("unary.rs", 1) {
        writeln!(text, "| `{name}` | {} | `{}` |", cell(&doc), cell(&partials[0])).unwrap();
    }
    text += "\n### One argument and attributes `p`\n\n| op | methods | value and convention | derivative |\n| --- | --- | --- | --- |\n";
    let methods = tuned_methods();
    for Row { name, variant, doc, partials } in rows("tuned.rs", 1) {
        let methods = methods.get(&variant).map_or("-".into(), |methods| methods.join(", "));
        writeln!(text, "| `{name}` | {methods} | {} | `{}` |", cell(&doc), cell(&partials[0])).unwrap();
    }
    text += "\n### Two arguments, which broadcast\n\n| op | value and convention | by `a` | by `b` |\n| --- | --- | --- | --- |\n";
    for Row { name, doc, partials, .. } in rows("binary.rs", 2) {
        let [a, b] = [0, 1].map(|k| cell(&partials[k]));
        writeln!(text, "| `{name}` | {} | `{a}` | `{b}` |", cell(&doc)).unwrap();
    }
    text + "\n"
}

/// The document: what stands in front of the generated part, that part, and what follows.
fn document() -> [String; 3] {
    let text = read("../../docs/ops.md");
    let (before, rest) = text.split_once(BEGIN).expect("the mark of the generated part");
    let (generated, after) = rest.split_once(END).expect("the mark behind the generated part");
    [before, generated, after].map(str::to_owned)
}

#[test]
fn elementwise_rows_are_those_of_the_table() {
    let names = |file, count| rows(file, count).into_iter().map(|row| row.name).collect::<Vec<_>>();
    assert_eq!(names("unary.rs", 1), Unary::ALL.iter().map(|op| op.name()).collect::<Vec<_>>());
    assert_eq!(names("tuned.rs", 1), Tuned::ALL.iter().map(|op| op.name()).collect::<Vec<_>>());
    assert_eq!(names("binary.rs", 2), Binary::ALL.iter().map(|op| op.name()).collect::<Vec<_>>());
    let ([before, generated, after], wanted) = (document(), elementwise());
    if std::env::var_os("WENGERT_WRITE_DOCS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ops.md");
        return fs::write(path, [&before, BEGIN, &wanted, END, &after].concat()).unwrap();
    }
    let odd = generated.lines().zip(wanted.lines()).find(|(have, want)| have != want);
    assert!(
        generated == wanted,
        "docs/ops.md is not what the table says; run this test with WENGERT_WRITE_DOCS=1. First difference: {odd:#?}"
    );
}

/// What stands in backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Every op that is no row of the elementwise table, with its attributes: `name (attribute, ..)`.
fn registry() -> Vec<String> {
    let (ops, structs) = (read("src/op/mod.rs"), read("src/op/attributes.rs"));
    let described = |pair: &str| {
        let (variant, name) = pair.split_once(" = \"").unwrap();
        let start = structs.find(&format!("\n    {variant} {{")).unwrap_or_else(|| panic!("no {variant}"));
        let (_, fields) = structs[start..].split_once('{').unwrap();
        let fields = fields.split('}').next().unwrap().split(": ").map(|field| field.rsplit(' ').next().unwrap());
        let mut fields: Vec<&str> = fields.collect();
        fields.pop();
        if fields.is_empty() { name.into() } else { format!("{name} ({})", fields.join(", ")) }
    };
    let text = block(&ops, "op_enum! {").collect::<Vec<_>>().join(" ");
    let pairs = text.split("\" ").map(|pair| pair.trim().trim_end_matches('"')).filter(|pair| !pair.is_empty());
    let structured: Vec<String> = pairs.map(described).collect();
    structured.into_iter().chain(Compare::ALL.iter().map(|op| op.name().into())).collect()
}

/// The rows of the tables that begin with the column `first`, cell by cell; all tables must be even.
fn tables(text: &str, first: &str) -> Vec<Vec<String>> {
    let (mut rows, mut columns, mut is_wanted) = (Vec::new(), 0, false);
    for line in text.lines() {
        let Some(row) = line.strip_prefix("| ") else {
            columns = 0;
            continue;
        };
        let row = row.strip_suffix(" |").unwrap_or_else(|| panic!("no end of {line}"));
        let cells: Vec<String> = row.split(" | ").map(str::to_owned).collect();
        if columns == 0 {
            (columns, is_wanted) = (cells.len(), cells[0] == first);
        } else if !cells[0].starts_with("---") && is_wanted {
            rows.push(cells.clone());
        }
        assert_eq!(cells.len(), columns, "cells of {line}");
        assert!(cells.iter().all(|cell| !cell.trim().is_empty()), "an empty cell of {line}");
    }
    rows
}

/// Holds what has a row to what should have one.
fn same(what: &str, mut have: Vec<String>, mut want: Vec<String>) {
    have.sort_unstable();
    want.sort_unstable();
    let twice: Vec<_> = have.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| &pair[0]).collect();
    let missing: Vec<_> = want.iter().filter(|name| !have.contains(name)).collect();
    let unknown: Vec<_> = have.iter().filter(|name| !want.contains(name)).collect();
    assert!(have == want, "{what} in docs/ops.md: missing {missing:?}, unknown {unknown:?}, twice {twice:?}");
}

/// The ops of a first cell: one with its attributes, or several without.
fn ops_of(cell: &str) -> Vec<String> {
    match cell.split_once("` (") {
        Some(_) => vec![cell.replace('`', "")],
        None => quoted(cell).map(str::to_owned).collect(),
    }
}

#[test]
fn every_op_has_a_row_with_its_attributes() {
    let [_, _, text] = document();
    let have = tables(&text, "op").iter().flat_map(|row| ops_of(&row[0])).collect();
    same("ops", have, registry());
}

#[test]
fn every_method_has_a_row() {
    let [_, _, text] = document();
    let of_ops = tables(&text, "op").into_iter().map(|row| row[1].clone());
    let of_methods = tables(&text, "method").into_iter().map(|row| row[0].clone());
    let cells: Vec<String> = of_ops.chain(of_methods).collect();
    let have = cells.iter().flat_map(|cell| quoted(cell)).map(str::to_owned).collect();
    let mut want = methods::recording();
    Unary::ALL.iter().for_each(|op| assert!(want.remove(op.name())));
    Binary::ALL.iter().for_each(|op| assert!(want.remove(op.name())));
    for method in tuned_methods().values().flatten() {
        assert!(want.remove(&word(&method[1..]).unwrap()));
    }
    same("methods", have, want.into_iter().collect());
}
