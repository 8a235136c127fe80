//! Published crates under the laws of framing: runs them and writes `docs/zoo.md`.

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

  --only TEXT  the entries whose name has TEXT in it; nothing is written
  --law LAW    one law; nothing is written
  --list       the names of the entries
  --check      writes nothing: fails when a verdict of the run is not what docs/zoo.md says
  --out FILE   the document, in place of docs/zoo.md";

#[derive(Default)]
struct Arguments {
    only: Option<String>,
    law: Option<Law>,
    list: bool,
    check: bool,
    out: Option<PathBuf>,
    /// This process is to try one entry, and to leave what came of it in a file.
    entry: Option<String>,
    into: Option<PathBuf>,
}

fn arguments() -> Result<Arguments, String> {
    let mut told = Arguments::default();
    let mut rest = std::env::args_os().skip(1);
    while let Some(argument) = rest.next() {
        let argument = argument.to_string_lossy().into_owned();
        let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
        let text = |value: OsString| value.to_string_lossy().into_owned();
        match argument.as_str() {
            "--only" => told.only = Some(text(value()?)),
            "--law" => told.law = Some(text(value()?).parse().map_err(|error| format!("--law: {error}"))?),
            "--list" => told.list = true,
            "--check" => told.check = true,
            "--out" => told.out = Some(value()?.into()),
            "--entry" => told.entry = Some(text(value()?)),
            "--into" => told.into = Some(value()?.into()),
            "--help" | "-h" => return Err(USAGE.to_owned()),
            other => return Err(format!("{other}: not an argument\n\n{USAGE}")),
        }
    }
    Ok(told)
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| play(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::from(2)
        }
    }
}

fn play(told: &Arguments) -> Result<bool, String> {
    let entries = entries::all();
    if let Some(name) = &told.entry {
        let entry = entries.iter().find(|entry| entry.name == name).ok_or_else(|| format!("{name}: not an entry"))?;
        run::in_this_process(entry, told.law, told.into.as_deref())?;
        return Ok(true);
    }
    let chosen: Vec<&Entry> =
        entries.iter().filter(|entry| told.only.as_deref().is_none_or(|text| entry.name.contains(text))).collect();
    if chosen.is_empty() {
        return Err(format!("no entry has {:?} in its name; --list lists them", told.only.as_deref().unwrap_or("")));
    }
    if told.list {
        chosen.iter().for_each(|entry| println!("{:44} {} ({})", entry.name, entry.what, entry.shape));
        return Ok(true);
    }
    let all = told.only.is_none() && told.law.is_none();
    let results = run::all(&chosen, told.law)?;
    let mut expected = true;
    for what in run::unexpected(&results) {
        expected = false;
        eprintln!("unexpected: {what}");
    }
    if !all {
        for result in &results {
            println!("{}", document::section(result));
        }
        return Ok(expected);
    }
    let text = document::document(&results);
    let path = told.out.clone().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/zoo.md"));
    if told.check {
        let committed = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let Comparison { differs, other_reproducers } = document::compare(&committed, &text);
        if let Some(differs) = &differs {
            eprintln!("the run is not what {} says: {differs}", path.display());
        }
        if other_reproducers > 0 {
            eprintln!(
                "{other_reproducers} of the reproducers are others than there: how small one gets depends on the machine"
            );
        }
        return Ok(expected && differs.is_none());
    }
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(expected)
}
