//! [`Report`]: counts by family and op, and what failed.

use std::collections::BTreeMap;
use std::fmt;

use crate::case::Case;
use crate::run::Outcome;

/// Verdicts counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cases in which everything agrees.
    pub passed: usize,
    /// Cases with a disagreement.
    pub failed: usize,
    /// Cases with an op that is not there.
    pub not_supported: usize,
    /// Cases with numbers that `f32` does not have.
    pub beyond: usize,
}

impl Tally {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed(_) => self.failed += 1,
            Outcome::NotSupported(_) => self.not_supported += 1,
            Outcome::Beyond(_) => self.beyond += 1,
        }
    }
}

/// The verdicts on a corpus.
#[derive(Debug, Default)]
pub struct Report {
    /// Of all cases.
    pub total: Tally,
    /// By family.
    pub families: BTreeMap<String, Tally>,
    /// By the op that a case is about.
    pub ops: BTreeMap<String, Tally>,
    /// Ids of failed cases with their disagreements, in the order in which they ran.
    pub failures: Vec<(String, Vec<String>)>,
    /// How many cases each missing op cost.
    pub missing: BTreeMap<String, usize>,
    /// Ids of cases beyond `f32`, with the reason.
    pub beyond: Vec<(String, String)>,
}

impl Report {
    /// Whether nothing failed and there was something to run.
    pub fn is_good(&self) -> bool {
        self.failures.is_empty() && self.total != Tally::default()
    }

    pub(crate) fn add(&mut self, case: &Case, outcome: Outcome) {
        self.total.add(&outcome);
        self.families.entry(case.family.clone()).or_default().add(&outcome);
        self.ops.entry(case.op.clone()).or_default().add(&outcome);
        match outcome {
            Outcome::Passed => {}
            Outcome::Failed(wrong) => self.failures.push((case.id.clone(), wrong)),
            Outcome::NotSupported(op) => *self.missing.entry(op).or_default() += 1,
            Outcome::Beyond(why) => self.beyond.push((case.id.clone(), why)),
        }
    }

    /// The first `count` failures, one disagreement a line.
    pub fn first_failures(&self, count: usize) -> String {
        let mut out = String::new();
        for (id, wrong) in self.failures.iter().take(count) {
            wrong.iter().for_each(|line| out += &format!("  {id}: {line}\n"));
        }
        let more = self.failures.len().saturating_sub(count);
        if more > 0 {
            out += &format!("  and {more} more\n");
        }
        out
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, name: &str, t: &Tally| {
            write!(f, "{name:<32} {:>6} / {:>6} / {:>6}", t.passed, t.failed, t.not_supported)?;
            match t.beyond {
                0 => writeln!(f),
                n => writeln!(f, "   ({n} beyond f32)"),
            }
        };
        for (title, tallies) in [("op", &self.ops), ("family", &self.families)] {
            writeln!(f, "{title:<32} passed / failed / not supported")?;
            tallies.iter().try_for_each(|(name, tally)| line(f, name, tally))?;
            writeln!(f)?;
        }
        line(f, "all", &self.total)?;
        if !self.missing.is_empty() {
            let names: Vec<String> = self.missing.iter().map(|(op, n)| format!("{op} ({n})")).collect();
            writeln!(f, "not supported: {}", names.join(", "))?;
        }
        Ok(())
    }
}
