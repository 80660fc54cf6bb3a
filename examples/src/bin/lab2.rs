//! The lab: seven sections from x² to a trained network. `lab2 --help` tells the options.

use std::process::ExitCode;

use clap::Parser;
use wengert_examples::{cli::Options, lab2};

fn main() -> ExitCode {
    match lab2::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nlab2: {error}");
            ExitCode::FAILURE
        }
    }
}
