//! What the lab prints: headings, formulas, and every computed figure beside the expected one.
//!
//! A figure that differs is marked where it stands and remembered; [`Report::verdict`] refuses the whole run at its
//! end, so that a wrong engine cannot print a pretty lab.

mod figures;

use std::fmt;
use std::io::Write;

use console::style;

pub use figures::Figures;
use figures::{number, short};

use crate::data::DataError;
use crate::expected::{Expected, TOLERANCE, relative_difference};

const WIDTH: usize = 96;
const LABEL: usize = 22;
const COLUMN: usize = 32;
const PAIR: usize = 2 * COLUMN;

/// Prints, compares, and keeps the score.
pub struct Report {
    expected: Expected,
    section: String,
    in_table: bool,
    checks: usize,
    largest: f64,
    wrong: Vec<String>,
}

impl Report {
    /// A report that compares with `expected`.
    pub fn new(expected: Expected) -> Self {
        Self { expected, section: String::new(), in_table: false, checks: 0, largest: 0.0, wrong: Vec::new() }
    }

    /// The expected figures; some of them are inputs, such as a learning rate.
    pub fn expected(&self) -> &Expected {
        &self.expected
    }

    /// Prints the name of the whole.
    pub fn title(&mut self, title: &str, subtitle: &str) {
        self.put(format_args!("\n{}\n{}", style(title).bold(), style(subtitle).dim()));
    }

    /// Opens a section.
    pub fn section(&mut self, title: &str) {
        self.section = title.into();
        let rule = "━".repeat(WIDTH.saturating_sub(title.chars().count() + 4));
        self.put(format_args!("\n\n{} {} {}", style("━━").cyan(), style(title).bold(), style(rule).cyan()));
    }

    /// States what is computed next.
    pub fn step(&mut self, formula: &str) {
        self.put(format_args!("\n  {}", style(formula).bold()));
    }

    /// Explains, wrapped to the width of the page.
    pub fn say(&mut self, text: &str) {
        for line in wrap(text, WIDTH - 2) {
            self.put(format_args!("  {line}"));
        }
    }

    /// Repeats what the engine said, word by word.
    pub fn quote(&mut self, speaker: &str, text: &str) {
        self.put(format_args!("\n      {} says", style(speaker).cyan()));
        for line in wrap(text, WIDTH - 8) {
            self.put(format_args!("      {} {}", style("│").red(), style(line).yellow()));
        }
        self.gap();
    }

    /// Leaves a line empty.
    pub fn gap(&mut self) {
        self.put(format_args!(""));
    }

    /// Turns from the mistake to the remedy.
    pub fn done_right(&mut self, how: &str) {
        self.put(format_args!("\n      {} {how}", style("done right:").green()));
    }

    /// Shows lines of code.
    pub fn code(&mut self, code: &str) {
        for line in code.lines() {
            self.put(format_args!("      {}", style(line).cyan()));
        }
    }

    /// Prints one line, indented as code is.
    pub fn line(&mut self, text: &str) {
        self.put(format_args!("      {text}"));
    }

    /// Says where a picture went.
    pub fn picture(&mut self, path: &str) {
        self.put(format_args!("      {} {path}", style("picture").magenta()));
    }

    /// Compares with the expected figures at `pointer`, shape included.
    pub fn check(&mut self, label: &str, computed: impl Figures, pointer: &str) {
        match self.expected.numbers(pointer) {
            Ok(expected) => self.check_against(label, computed, expected),
            Err(error) => self.fail(label, &error.to_string()),
        }
    }

    /// Compares with figures from elsewhere, shape included.
    pub fn check_against(&mut self, label: &str, computed: impl Figures, expected: impl Figures) {
        let (left, right) = (computed.flat(), expected.flat());
        let difference = if computed.lengths() == expected.lengths() {
            relative_difference(left.iter().copied(), right.iter().copied())
        } else {
            f64::INFINITY
        };
        self.checks += left.len();
        self.table();
        let fits = difference <= TOLERANCE;
        self.row(label, &short(&computed), &short(&expected), fits, difference);
        if fits {
            self.largest = self.largest.max(difference);
        } else {
            let place =
                left.iter().zip(&right).position(|(&a, &b)| relative_difference([a], [b]) > TOLERANCE);
            let detail = match place {
                Some(i) => format!("element {i} is {:e}, expected {:e}", left[i], right[i]),
                None => format!("shape {:?}, expected {:?}", computed.lengths(), expected.lengths()),
            };
            self.fail(label, &detail);
        }
    }

    /// Holds a refusal against the sentence at `pointer`: `right` says whether it is the refusal meant there.
    pub fn check_refusal(&mut self, kind: &str, right: bool, pointer: &str) {
        match self.expected.text(pointer).map(str::to_owned) {
            Ok(sentence) => {
                self.checks += 1;
                self.put(format_args!("      {:<LABEL$}{sentence}", "expected"));
                self.put(format_args!("      {:<LABEL$}{kind:<PAIR$}{}", "refused as", mark(right)));
                if !right {
                    self.fail(pointer, &format!("refused as {kind}"));
                }
            }
            Err(error) => self.fail(pointer, &error.to_string()),
        }
    }

    /// Holds a statement, such as a count of rows, against the truth.
    pub fn check_that(&mut self, label: &str, statement: &str, holds: bool) {
        self.checks += 1;
        self.put(format_args!("      {label:<LABEL$}{statement:<PAIR$}{}", mark(holds)));
        if !holds {
            self.fail(label, &format!("{statement} does not hold"));
        }
    }

    /// Begins a table of checks against something else than the expected figures.
    pub fn heads(&mut self, computed: &str, expected: &str) {
        let line = format!("{:LABEL$}{computed:<COLUMN$}{expected}", "");
        self.put(format_args!("\n      {}", style(line).dim()));
        self.in_table = true;
    }

    /// A list of rows follows that is none of [`Report::check`]'s.
    pub fn columns(&mut self, names: [&str; 4]) {
        let line = format!("{:<LABEL$}{:<24}{:<24}{}", names[0], names[1], names[2], names[3]);
        self.put(format_args!("\n      {}", style(line).dim()));
    }

    /// A row of numbers below [`Report::columns`].
    pub fn numbers(&mut self, label: &str, columns: [f64; 3]) {
        let [a, b, c] = columns;
        self.put(format_args!("      {label:<LABEL$}{:<24}{:<24}{c:.1e}", number(a), number(b)));
    }

    /// What went wrong; or how well all went, which is printed. `complete` says that all sections ran, so that a figure that nobody
    /// computed is a failure too.
    pub fn verdict(mut self, complete: bool) -> Result<Verdict, Wrong> {
        if complete {
            for pointer in self.expected.unused() {
                self.wrong.push(format!("{pointer}: expected, but not computed"));
            }
        }
        if self.wrong.is_empty() {
            let verdict = Verdict { checks: self.checks, largest: self.largest };
            self.put(format_args!("\n  {verdict}"));
            Ok(verdict)
        } else {
            Err(Wrong(self.wrong))
        }
    }

    fn table(&mut self) {
        if !self.in_table {
            self.heads("computed", "expected");
        }
    }

    fn row(&mut self, label: &str, computed: &str, expected: &str, fits: bool, difference: f64) {
        let mut verdict = mark(fits);
        if difference > 0.0 {
            verdict += &style(format!("  {difference:.0e}")).dim().to_string();
        }
        writeln_quietly(format_args!("      {label:<LABEL$}{computed:<COLUMN$}{expected:<COLUMN$}{verdict}"));
    }

    fn fail(&mut self, label: &str, detail: &str) {
        self.wrong.push(format!("{}: {label}: {detail}", self.section));
    }

    /// Prints a line and closes the table above it.
    fn put(&mut self, line: fmt::Arguments<'_>) {
        self.in_table = false;
        writeln_quietly(line);
    }
}

/// Breaks `text` at spaces into lines of at most `width` characters; a longer word has a line for itself.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("never empty");
        match line.chars().count() {
            0 => line.push_str(word),
            used if used + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn mark(fits: bool) -> String {
    if fits { style("ok").green().to_string() } else { style("WRONG").red().bold().to_string() }
}

/// Prints a line; a reader who has closed the pipe has seen enough, which is no reason to panic.
fn writeln_quietly(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// How well all went.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    /// Numbers and refusals compared.
    pub checks: usize,
    /// The largest relative difference among them.
    pub largest: f64,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (checks, largest) = (self.checks, self.largest);
        write!(f, "{checks} figures, all as expected; the largest relative difference is {largest:.1e}")
    }
}

/// Figures that are not as expected.
#[derive(Debug)]
pub struct Wrong(Vec<String>);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "figures not as expected: {}", self.0.len())?;
        self.0.iter().try_for_each(|wrong| write!(f, "\n  {wrong}"))
    }
}

impl std::error::Error for Wrong {}

impl From<DataError> for Wrong {
    fn from(error: DataError) -> Self {
        Wrong(vec![error.to_string()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report::new(Expected::parse("e.json", r#"{"a": [1, 2], "b": 3, "c": "no"}"#).expect("JSON"))
    }

    #[test]
    fn a_run_in_which_all_fits_is_accepted() {
        let mut report = report();
        report.check("a", vec![1.0, 2.0 * (1.0 + 1e-11)], "/a");
        report.check("b", 3.0, "/b");
        report.check_refusal("a kind", true, "/c");
        let verdict = report.verdict(true).expect("all fits");
        assert_eq!(verdict.checks, 4);
        assert!(verdict.largest > 1e-12 && verdict.largest < 1e-10);
    }

    #[test]
    fn a_wrong_figure_a_wrong_shape_and_a_forgotten_figure_are_each_refused() {
        let mut report = report();
        report.section("S");
        report.check("value", vec![1.0, 2.0 * (1.0 + 1e-9)], "/a");
        report.check("shape", vec![3.0], "/b");
        report.check("nowhere", 1.0, "/x");
        let message = report.verdict(true).expect_err("wrong").to_string();
        assert!(message.starts_with("figures not as expected: 4\n  S: value: element 1 is 2.0"), "{message}");
        assert!(message.contains("S: shape: shape [1], expected []"), "{message}");
        assert!(message.contains("S: nowhere: e.json: /x is missing"), "{message}");
        assert!(message.contains("/c: expected, but not computed"), "{message}");
    }

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("a bc def ghijk l", 5), ["a bc", "def", "ghijk", "l"]);
    }

    #[test]
    fn a_single_section_may_leave_figures_aside() {
        assert!(report().verdict(false).is_ok());
    }
}
