//! Runs published crates under the laws of framing, and writes `docs/zoo.md`.

mod document;
mod entries;
mod entry;
mod known;
mod outcome;
mod run;
mod subject;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use enjamb_law::Law;

use crate::document::Comparison;
use crate::entry::Entry;

const USAGE: &str = "\
usage: zoo [--only TEXT] [--law LAW] [--list] [--check] [--out FILE]

Tries all laws on all entries, and writes docs/zoo.md.

  --only TEXT  try only the entries whose name contains TEXT; print the results, write nothing
  --law LAW    try only one law; print the results, write nothing
  --list       print the names of the entries
  --check      write nothing; fail when a verdict of the run differs from docs/zoo.md
  --out FILE   write to FILE instead of docs/zoo.md";

#[derive(Default)]
struct Arguments {
    only: Option<String>,
    law: Option<Law>,
    list: bool,
    check: bool,
    out: Option<PathBuf>,
    /// The one entry that this child process tries. It writes the outcomes to the file `into`.
    entry: Option<String>,
    into: Option<PathBuf>,
}

fn parse_arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    let mut rest = std::env::args_os().skip(1);
    while let Some(argument) = rest.next() {
        let argument = argument.to_string_lossy().into_owned();
        let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
        let text = |value: OsString| value.to_string_lossy().into_owned();
        match argument.as_str() {
            "--only" => arguments.only = Some(text(value()?)),
            "--law" => arguments.law = Some(text(value()?).parse().map_err(|error| format!("--law: {error}"))?),
            "--list" => arguments.list = true,
            "--check" => arguments.check = true,
            "--out" => arguments.out = Some(value()?.into()),
            "--entry" => arguments.entry = Some(text(value()?)),
            "--into" => arguments.into = Some(value()?.into()),
            "--help" | "-h" => return Err(USAGE.to_owned()),
            other => return Err(format!("unknown argument {other}\n\n{USAGE}")),
        }
    }
    Ok(arguments)
}

fn main() -> ExitCode {
    match parse_arguments().and_then(|arguments| run_zoo(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run_zoo(arguments: &Arguments) -> Result<bool, String> {
    let entries = entries::all();
    if let Some(name) = &arguments.entry {
        let entry = entries
            .iter()
            .find(|entry| entry.name == name)
            .ok_or_else(|| format!("no entry is named {name}; --list lists them"))?;
        run::in_this_process(entry, arguments.law, arguments.into.as_deref())?;
        return Ok(true);
    }
    let chosen: Vec<&Entry> =
        entries.iter().filter(|entry| arguments.only.as_deref().is_none_or(|text| entry.name.contains(text))).collect();
    if chosen.is_empty() {
        return Err(format!(
            "no entry has a name with {:?} in it; --list lists them",
            arguments.only.as_deref().unwrap_or("")
        ));
    }
    if arguments.list {
        chosen.iter().for_each(|entry| println!("{:44} {} ({})", entry.name, entry.what, entry.shape));
        return Ok(true);
    }
    let all = arguments.only.is_none() && arguments.law.is_none();
    let results = run::all(&chosen, arguments.law)?;
    let mut expected = true;
    for discrepancy in run::unexpected(&results) {
        expected = false;
        eprintln!("unexpected: {discrepancy}");
    }
    if !all {
        for result in &results {
            println!("{}", document::section(result));
        }
        return Ok(expected);
    }
    let text = document::document(&results);
    let path =
        arguments.out.clone().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/zoo.md"));
    if arguments.check {
        let committed = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let Comparison { differs, other_reproducers } = document::compare(&committed, &text);
        if let Some(differs) = &differs {
            eprintln!("the run differs from {}: {differs}", path.display());
        }
        if other_reproducers > 0 {
            eprintln!(
                "{other_reproducers} reproducers differ, which is no failure: how small one gets depends on the machine"
            );
        }
        return Ok(expected && differs.is_none());
    }
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(expected)
}
