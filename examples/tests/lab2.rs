//! The lab as a user runs it: the program, its pictures, its exit code and its messages.

use std::path::Path;
use std::process::{Command, Output};

use wengert_examples::data::Source;

const FILES: [&str; 5] = ["regression.csv", "circle.csv", "circle_w1.csv", "circle_w2.csv", "expected.json"];

fn lab2(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab2"));
    command.current_dir(folder).args(arguments).output().expect("lab2 starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A folder with copies of the built-in files, one of them changed.
fn data_with(file: &str, change: impl Fn(String) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in FILES {
        let original = Source::BuiltIn.text(name).expect("built in");
        let content = if name == file { change(original) } else { original };
        std::fs::write(folder.path().join(name), content).expect("writable");
    }
    folder
}

#[test]
fn everything_runs_and_every_picture_is_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = lab2(folder.path(), &[]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}\n{}", text(&output.stderr));
    assert!(shown.contains("figures, all as expected") && !shown.contains("WRONG"), "{shown}");

    let pictures: Vec<_> = shown.lines().filter_map(|line| line.trim().strip_prefix("picture ")).collect();
    assert_eq!(pictures.len(), 14, "seven pictures, each named where it is drawn and at the end");
    for picture in pictures {
        let bytes = std::fs::read(folder.path().join(picture)).expect(picture);
        let start: &[u8] = match Path::new(picture).extension().and_then(|e| e.to_str()) {
            Some("png") => b"\x89PNG\r\n\x1a\n",
            Some("svg") => b"<svg",
            _ => b"digraph",
        };
        assert!(bytes.starts_with(start), "{picture}");
    }
}

#[test]
fn sections_run_alone_and_without_pictures() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for section in ["1", "2", "3", "4", "5", "6", "7"] {
        let output = lab2(folder.path(), &["--section", section, "--no-plots"]);
        assert!(output.status.success(), "section {section}: {}", text(&output.stderr));
        assert!(text(&output.stdout).contains(&format!("━━ {section}  ")), "section {section}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0, "nothing was drawn");
}

#[test]
fn a_figure_that_differs_fails_the_run_and_is_named() {
    let data = data_with("expected.json", |json| json.replace("0.86", "0.87"));
    let output = lab2(data.path(), &["--no-plots", "--data", "."]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("figures not as expected: 1\n"), "{said}");
    assert!(
        said.contains("5  A two-layer network: test accuracy: element 0 is 8.6e-1, expected 8.7e-1"),
        "{said}"
    );
}

#[test]
fn a_figure_that_nobody_computes_fails_the_run() {
    let data = data_with("expected.json", |json| json.replacen('{', "{\"forgotten\": 1,", 1));
    let output = lab2(data.path(), &["--no-plots", "--data", "."]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("/forgotten: expected, but not computed"), "{said}");
}

#[test]
fn malformed_data_is_refused_with_file_line_column_and_rule() {
    let data = data_with("regression.csv", |csv| csv.replacen("x,y\n", "x,y\n1.0,oops\n", 1));
    let output = lab2(data.path(), &["--no-plots", "--data", "."]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("regression.csv: line 2, column 2: \"oops\" is not a number"), "{said}");

    let data = data_with("circle_w2.csv", |csv| csv + "0.5\n");
    let output = lab2(data.path(), &["--no-plots", "--data", ".", "--section", "5"]);
    let said = text(&output.stderr);
    assert!(said.contains("circle_w2.csv: the table is [11, 1], not [10, 1]: one row for each"), "{said}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("taken"), "a file").expect("writable");
    let output = lab2(folder.path(), &["--section", "3", "--out", "taken"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("cannot make the folder taken"), "{said}");
}
