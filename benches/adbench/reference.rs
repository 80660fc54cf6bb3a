//! What other tools say an instance's objective and gradient are.

use serde_json::Value;

/// A file of `data/`.
pub struct Reference(Value);

impl Reference {
    /// The file of an instance.
    pub fn read(name: &str) -> Option<Self> {
        let path = format!("{}/adbench/data/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).ok()?;
        Some(Reference(serde_json::from_str(&text).expect("a reference is JSON")))
    }

    /// Which objective.
    pub fn family(&self) -> &str {
        self.0["family"].as_str().expect("a name")
    }

    /// A whole number that the data are drawn from.
    pub fn arg(&self, key: &str) -> usize {
        self.0["generator_args"][key].as_u64().expect("a whole number") as usize
    }

    /// A number that the data are drawn from.
    pub fn number(&self, key: &str) -> f64 {
        self.0["generator_args"][key].as_f64().expect("a number")
    }

    /// A choice that the data are drawn from.
    pub fn flag(&self, key: &str) -> bool {
        self.0["generator_args"][key].as_bool().expect("true or false")
    }

    /// The objective.
    pub fn objective(&self) -> f64 {
        self.0["objective"].as_f64().expect("a number")
    }

    /// A number that sums up the whole gradient: `size`, `sum`, `l2`, `cosdot` or `maxabs`.
    pub fn gradient(&self, key: &str) -> f64 {
        self.0["gradient"][key].as_f64().expect("a number")
    }

    /// Entries of the gradient with their positions: all of a small one, samples of a large one.
    pub fn entries(&self) -> Vec<(usize, f64)> {
        let number = |v: &Value| v.as_f64().expect("a number");
        match &self.0["gradient"]["full"] {
            Value::Array(full) => full.iter().map(number).enumerate().collect(),
            _ => {
                let samples = self.0["gradient"]["samples"].as_array().expect("samples");
                samples.iter().map(|pair| (number(&pair[0]) as usize, number(&pair[1]))).collect()
            }
        }
    }
}
