//! The public corpus, and files that are no corpus.

use std::path::{Path, PathBuf};

use conformance::{Options, load, run};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

#[test]
fn the_public_corpus_agrees() {
    let cases = load(&golden()).unwrap();
    let report = run(&cases, &Options::default());
    println!("{report}");
    assert!(report.missing.is_empty(), "not supported: {:?}", report.missing);
    assert!(report.is_good(), "{}", report.first_failures(20));
}

#[test]
fn the_public_corpus_agrees_in_f32() {
    let cases = load(&golden()).unwrap();
    let report = run(&cases, &Options { single: true, ..Options::default() });
    assert!(report.is_good(), "{}", report.first_failures(20));
}

/// Lines that are no cases are refused with file, line and reason.
#[test]
fn malformed_files_are_named() {
    let good = r#"{"id":"a/b/1","family":"a","op":"exp","flags":[],"inputs":[{"name":"x","shape":[2],"data":[1,"inf"],"requires_grad":true}],"program":[{"out":"t","op":"exp","args":["x"],"attrs":{}}],"output":"t","expected":{"output":{"shape":[2],"data":[2.718281828459045,"inf"]},"cotangent":{"shape":[2],"data":[1,0]},"grads":{"x":{"shape":[2],"data":[2.718281828459045,"nan"]}}},"tol":{"rtol":1e-9,"atol":0}}"#;
    let bad = [
        ("{\"id\":", "not JSON"),
        ("[1]", "the case should be an object"),
        (&good.replace(r#""shape":[2],"data":[1,"#, r#""shape":[3],"data":[1,"#), "`data` has 2 elements"),
        (&good.replace(r#"[1,"inf"]"#, r#"[1,"x"]"#), "`data`[1] should be a number"),
        (&good.replace(r#""args":["x"]"#, r#""args":["y"]"#), "`y` is not defined before it is used"),
        (&good.replace(r#""output":"t""#, r#""output":"u""#), "the output `u` is not defined"),
        (&good.replace(r#""op":"exp","args""#, r#""op":"cumsum","args""#), "attribute `axis` is missing"),
        (&good.replace(r#""rtol":1e-9"#, r#""rtol":"small""#), "`tol.rtol` should be a number"),
        (
            &good.replace(r#""requires_grad":true"#, r#""dtype":"c64","requires_grad":true"#),
            "`dtype` should be",
        ),
        (&good.replace(r#""grads":{"x""#, r#""grads":{"z""#), "`grads` names `z`"),
    ];
    let dir = std::env::temp_dir().join(format!("conformance-malformed-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("cases.jsonl");
    std::fs::write(&file, good).unwrap();
    assert!(run(&load(&dir).unwrap(), &Options::default()).is_good());
    for (line, reason) in bad {
        std::fs::write(&file, format!("{good}\n\n{line}\n")).unwrap();
        let message = load(&dir).unwrap_err();
        assert!(message.contains("cases.jsonl:3: ") && message.contains(reason), "{message}, not {reason}");
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

/// A wrong expectation fails, an unknown op is not supported, and neither touches the other cases.
#[test]
fn wrong_and_unknown_are_told_apart() {
    let case = |op: &str, want: &str| {
        format!(
            r#"{{"id":"{op}","family":"f","op":"{op}","flags":[],"inputs":[{{"name":"x","shape":[],"data":[1],"requires_grad":true}}],"program":[{{"out":"t","op":"{op}","args":["x"],"attrs":{{}}}}],"output":"t","expected":{{"output":{{"shape":[],"data":[{want}]}},"cotangent":null,"grads":{{"x":{{"shape":[],"data":[2]}}}}}},"tol":{{"rtol":1e-9,"atol":0}}}}"#
        )
    };
    let dir = std::env::temp_dir().join(format!("conformance-verdicts-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let lines = [case("square", "1"), case("square", "2"), case("frobnicate", "1"), case("sigmoid", "1e999")];
    std::fs::write(dir.join("a.jsonl"), lines[..3].join("\n")).unwrap();
    let report = run(&load(&dir).unwrap(), &Options::default());
    assert_eq!((report.total.passed, report.total.failed, report.total.not_supported), (1, 1, 1));
    assert_eq!(report.missing["frobnicate"], 1);
    assert_eq!(report.failures[0].1, ["output[0] of 1: want 2.0, got 1.0, allowed 2.0e-9"]);
    assert!(!report.is_good());
    std::fs::write(dir.join("a.jsonl"), &lines[3]).unwrap();
    assert!(load(&dir).unwrap_err().contains("a.jsonl:1: not JSON"));
    std::fs::remove_dir_all(&dir).unwrap();
}
