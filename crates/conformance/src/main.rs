//! `conformance DIR [--f32] [--only OP] [--case ID] [--failures N]`

use std::path::PathBuf;
use std::process::ExitCode;

use conformance::{Options, load, run};

const USAGE: &str = "usage: conformance DIR [--f32] [--only OP] [--case ID] [--failures N]
  DIR           a folder of golden .jsonl files
  --f32         graphs of f32; tolerances from the condition of each case
  --only OP     only cases about OP or with such an instruction
  --case ID     only cases whose id holds ID
  --failures N  how many failed cases to print (20)";

struct Command {
    dir: PathBuf,
    options: Options,
    failures: usize,
}

fn command(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let (mut dir, mut options, mut failures) = (None, Options::default(), 20);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} wants a value"));
        match arg.as_str() {
            "--f32" => options.single = true,
            "--only" => options.only = Some(value()?),
            "--case" => options.case = Some(value()?),
            "--failures" => failures = value()?.parse().map_err(|_| "--failures wants a number")?,
            _ if arg.starts_with('-') => return Err(format!("{arg} is no option")),
            _ if dir.is_some() => return Err("one folder at a time".to_string()),
            _ => dir = Some(PathBuf::from(arg)),
        }
    }
    Ok(Command { dir: dir.ok_or("which folder?")?, options, failures })
}

fn main() -> ExitCode {
    let command = match command(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(what) => {
            eprintln!("{what}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let cases = match load(&command.dir) {
        Ok(cases) => cases,
        Err(what) => {
            eprintln!("{what}");
            return ExitCode::from(2);
        }
    };
    if command.options.single {
        println!("{}\n", conformance::SINGLE_RULE);
    }
    let report = run(&cases, &command.options);
    print!("{report}");
    for (id, why) in &report.beyond {
        println!("  beyond f32: {id}: {why}");
    }
    print!("{}", report.first_failures(command.failures));
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
