//! The lab: seven sections, from the derivative of x² to a trained network and the four classic mistakes.
//!
//! Each section is a file, reads from top to bottom, and holds every figure it computes against `expected.json`.

mod basics;
mod chain_rule;
mod computation_graph;
mod gradient_check;
mod linear_regression;
mod network;
pub mod pitfalls;

use std::error::Error;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::Options;
use crate::data::Source;
use crate::expected::Expected;
use crate::plot::Picture;
use crate::report::Report;

/// What a section returns; its errors are those of files and of the engine, not of wrong figures.
type Outcome = Result<(), Box<dyn Error>>;

/// A section's title and what it does.
type Section = (&'static str, fn(&mut Lab) -> Outcome);

const SECTIONS: [Section; 7] = [
    ("1  Basics", basics::run),
    ("2  The chain rule", chain_rule::run),
    ("3  The computation graph", computation_graph::run),
    ("4  Linear regression", linear_regression::run),
    ("5  A two-layer network", network::run),
    ("6  Gradient checking", gradient_check::run),
    ("7  Four pitfalls", pitfalls::run),
];

/// What the sections share: the report, the data, and a place for pictures.
pub struct Lab {
    report: Report,
    source: Source,
    pictures: Option<PathBuf>,
    drawn: Vec<String>,
}

/// Runs the sections that `options` asks for and holds all figures against the expected ones.
pub fn run(options: &Options) -> Outcome {
    let source = options.data.clone().map_or(Source::BuiltIn, Source::Folder);
    let expected = Expected::parse("expected.json", &source.text("expected.json")?)?;
    let pictures = (!options.no_plots).then(|| options.out.clone());
    let mut lab = Lab { report: Report::new(expected), source, pictures, drawn: Vec::new() };

    lab.report.title(
        "Reverse-mode automatic differentiation, from x² to a trained network",
        "every figure is computed by wengert and held against expected.json, to 1e-10 relative",
    );
    let chosen = |index: usize| options.section.is_empty() || options.section.contains(&(index as u8 + 1));
    for (index, (title, section)) in SECTIONS.iter().enumerate() {
        if chosen(index) {
            lab.report.section(title);
            section(&mut lab)?;
        }
    }
    lab.finish((0..SECTIONS.len()).all(chosen))
}

impl Lab {
    /// Writes `picture` as a PNG named `name` and says so; does not even draw it under `--no-plots`.
    fn picture(&mut self, name: &str, draw: impl FnOnce() -> Picture) -> Outcome {
        let Some(path) = self.place(&format!("{name}.png"))? else { return Ok(()) };
        draw().write_png(&path)?;
        self.say_where(path);
        Ok(())
    }

    /// Where to write a picture of that name, in a folder that exists; `None` under `--no-plots`.
    fn place(&self, name: &str) -> Result<Option<PathBuf>, Box<dyn Error>> {
        let Some(folder) = &self.pictures else { return Ok(None) };
        std::fs::create_dir_all(folder)
            .map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
        Ok(Some(folder.join(name)))
    }

    fn say_where(&mut self, path: PathBuf) {
        let path = path.display().to_string();
        self.report.picture(&path);
        self.drawn.push(path);
    }

    /// A progress bar for `epochs` steps of training, on the error stream; hidden where that is no terminal.
    fn progress(&self, epochs: usize) -> ProgressBar {
        let style = ProgressStyle::with_template("      {msg} {bar:40.cyan/dim} {pos}/{len} epochs")
            .expect("the template is well formed");
        ProgressBar::new(epochs as u64).with_style(style).with_message("training")
    }

    fn finish(mut self, complete: bool) -> Outcome {
        self.report.section("Summary");
        self.report.gap();
        for path in &self.drawn {
            self.report.picture(path);
        }
        self.report.verdict(complete)?;
        Ok(())
    }
}
