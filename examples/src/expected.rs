//! The figures the lab must reproduce: a JSON file that remembers which of them were asked for.

use std::cell::RefCell;
use std::collections::BTreeSet;

use ndarray::{ArrayD, IxDyn};
use serde_json::Value;

use crate::data::DataError;

/// Relative difference up to which a computed figure counts as equal to the expected one.
pub const TOLERANCE: f64 = 1e-10;

/// The expected figures, addressed by JSON pointers such as `/network/losses`.
#[derive(Debug)]
pub struct Expected {
    file: String,
    root: Value,
    unused: RefCell<BTreeSet<String>>,
}

impl Expected {
    /// Reads the text of `file`.
    pub fn parse(file: &str, text: &str) -> Result<Self, DataError> {
        let root: Value = serde_json::from_str(text)
            .map_err(|e| DataError::new(file, format!("not JSON: {e}")).at(e.line(), Some(e.column())))?;
        let mut unused = BTreeSet::new();
        collect(&root, "", &mut unused);
        Ok(Self { file: file.into(), root, unused: RefCell::new(unused) })
    }

    /// The numbers at `pointer`: a number is 0-d, nested lists are an array.
    pub fn numbers(&self, pointer: &str) -> Result<ArrayD<f64>, DataError> {
        let (mut shape, mut flat) = (Vec::new(), Vec::new());
        let regular = flatten(self.at(pointer)?, 0, &mut shape, &mut flat);
        let array = ArrayD::from_shape_vec(IxDyn(&shape), flat);
        match array {
            Ok(array) if regular => Ok(array),
            _ => Err(self.error(pointer, "is no number and no regular list of numbers")),
        }
    }

    /// The number at `pointer`.
    pub fn number(&self, pointer: &str) -> Result<f64, DataError> {
        self.at(pointer)?.as_f64().ok_or_else(|| self.error(pointer, "is not a number"))
    }

    /// The whole number at `pointer`.
    pub fn count(&self, pointer: &str) -> Result<usize, DataError> {
        let count = self.at(pointer)?.as_u64().and_then(|n| usize::try_from(n).ok());
        count.ok_or_else(|| self.error(pointer, "is not a whole number"))
    }

    /// The text at `pointer`.
    pub fn text(&self, pointer: &str) -> Result<&str, DataError> {
        self.at(pointer)?.as_str().ok_or_else(|| self.error(pointer, "is not a text"))
    }

    /// Pointers of the figures that nobody has asked for so far.
    pub fn unused(&self) -> Vec<String> {
        self.unused.borrow().iter().cloned().collect()
    }

    fn at(&self, pointer: &str) -> Result<&Value, DataError> {
        self.unused.borrow_mut().remove(pointer);
        self.root.pointer(pointer).ok_or_else(|| self.error(pointer, "is missing"))
    }

    fn error(&self, pointer: &str, rule: &str) -> DataError {
        DataError::new(&self.file, format!("{pointer} {rule}"))
    }
}

/// Pointers of all figures below `value`: numbers, texts, and lists as one. Notes are for people.
fn collect(value: &Value, path: &str, pointers: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            for (key, entry) in entries.iter().filter(|(key, _)| *key != "note") {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect(entry, &format!("{path}/{key}"), pointers);
            }
        }
        _ => {
            pointers.insert(path.to_owned());
        }
    }
}

/// Appends the numbers of `value` to `flat` and its lengths to `shape`; false if it is no regular array of numbers.
fn flatten(value: &Value, depth: usize, shape: &mut Vec<usize>, flat: &mut Vec<f64>) -> bool {
    match value {
        Value::Number(number) => {
            flat.extend(number.as_f64());
            depth == shape.len()
        }
        Value::Array(entries) => {
            if depth == shape.len() && flat.is_empty() {
                shape.push(entries.len());
            }
            shape.get(depth) == Some(&entries.len())
                && entries.iter().all(|entry| flatten(entry, depth + 1, shape, flat))
        }
        _ => false,
    }
}

/// The largest relative difference between two lists of equal length: infinite where one is not a number or
/// where exactly 0 was expected and something else came.
pub fn relative_difference(
    computed: impl IntoIterator<Item = f64>,
    expected: impl IntoIterator<Item = f64>,
) -> f64 {
    let difference = |(c, e): (f64, f64)| match (c - e).abs() / e.abs() {
        _ if c == e => 0.0,
        relative if relative.is_nan() => f64::INFINITY,
        relative => relative,
    };
    computed.into_iter().zip(expected).map(difference).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Expected {
        let text = r#"{"a": {"x/y": 2, "m": [[1, 2, 3], [4, 5, 6]], "note": "for people"},
                       "bad": [[1], [2, 3]], "mixed": [1, [2]], "word": "no", "list": [1, "b"]}"#;
        Expected::parse("e.json", text).expect("JSON")
    }

    #[test]
    fn figures_come_with_their_shape() {
        let expected = sample();
        assert_eq!(expected.number("/a/x~1y").expect("there"), 2.0);
        assert_eq!(expected.count("/a/x~1y").expect("there"), 2);
        let matrix = expected.numbers("/a/m").expect("there");
        assert_eq!(matrix.shape(), [2, 3]);
        assert_eq!(matrix[[1, 0]], 4.0);
        assert_eq!(expected.numbers("/a/x~1y").expect("there").shape(), [0usize; 0]);
    }

    #[test]
    fn what_was_not_asked_for_is_remembered() {
        let expected = sample();
        expected.number("/a/x~1y").expect("there");
        assert_eq!(expected.unused(), ["/a/m", "/bad", "/list", "/mixed", "/word"]);
    }

    #[test]
    fn mistakes_name_the_figure() {
        let expected = sample();
        for pointer in ["/bad", "/mixed", "/word", "/list", "/nowhere"] {
            let message = expected.numbers(pointer).expect_err("malformed").to_string();
            assert!(message.starts_with(&format!("e.json: {pointer} is ")), "{message}");
        }
        assert!(expected.number("/bad").is_err() && expected.count("/word").is_err());
        let broken = Expected::parse("e.json", "{\n  \"a\": }").expect_err("no JSON").to_string();
        assert!(broken.starts_with("e.json: line 2, column 8: not JSON"), "{broken}");
    }

    #[test]
    fn differences_are_relative_and_never_hide_a_nan() {
        assert_eq!(relative_difference([2.0, 3.0], [2.0, 3.0]), 0.0);
        assert!((relative_difference([2.0, 3.03], [2.0, 3.0]) - 0.01).abs() < 1e-12);
        assert_eq!(relative_difference([f64::NAN], [1.0]), f64::INFINITY);
        assert_eq!(relative_difference([1e-300], [0.0]), f64::INFINITY);
    }
}
