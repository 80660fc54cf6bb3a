//! The command line of `lab2`.

use std::path::PathBuf;

use clap::Parser;

/// A tour of automatic differentiation: from the derivative of x² to a trained network.
///
/// Runs everything without arguments, prints each computed figure beside the expected one, writes the pictures,
/// and fails if a single figure differs by more than 1e-10.
#[derive(Debug, Clone, Parser)]
#[command(name = "lab2", version)]
pub struct Options {
    /// Folder for the pictures; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "out/lab2")]
    pub out: PathBuf,

    /// Run only section N (1 to 7); may be given several times
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=7))]
    pub section: Vec<u8>,

    /// Draw no pictures
    #[arg(long)]
    pub no_plots: bool,

    /// Read the CSV files and expected.json from this folder instead of the copies built in
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
        let options = Options::parse_from(["lab2", "--section", "3", "--section", "5", "--no-plots"]);
        assert_eq!((options.section, options.no_plots), (vec![3, 5], true));
        assert_eq!(options.out, PathBuf::from("out/lab2"));
        assert!(Options::try_parse_from(["lab2", "--section", "8"]).is_err());
    }
}
