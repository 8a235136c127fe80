//! Runs the entries, each in a process of its own, since some of them print and some end the
//! process.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use enjamb_law::Law;

use crate::entry::{Entry, FindingKind};
use crate::outcome::Outcome;

/// An entry and the outcomes of its laws.
pub struct EntryReport<'e> {
    pub entry: &'e Entry,
    pub outcomes: Vec<(Law, Outcome)>,
}

impl EntryReport<'_> {
    pub fn of(&self, law: Law) -> Option<&Outcome> {
        self.outcomes.iter().find(|(of, _)| *of == law).map(|(_, outcome)| outcome)
    }
}

/// Tries an entry, and writes the outcomes to a file. In a child that tries one law, this does not
/// return.
pub fn in_this_process(entry: &Entry, law: Option<Law>, into: Option<&Path>) -> Result<(), String> {
    let verdicts = match law {
        Some(law) => vec![(law, entry.laws().check(law))],
        None => entry.laws().check_all(),
    };
    let outcomes: Vec<(String, Outcome)> =
        verdicts.into_iter().map(|(law, verdict)| (law.name().to_owned(), Outcome::of_law(law, verdict))).collect();
    let Some(into) = into else {
        return Ok(());
    };
    let text = serde_json::to_vec(&outcomes).map_err(|error| error.to_string())?;
    std::fs::write(into, text).map_err(|error| format!("{}: {error}", into.display()))
}

/// Tries all `entries`, one for each processor at a time, and prints the progress.
pub fn all<'e>(entries: &[&'e Entry], law: Option<Law>) -> Result<Vec<EntryReport<'e>>, String> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let started = std::time::Instant::now();
                    let outcomes = in_a_process(entry, law);
                    let summary =
                        outcomes.as_ref().map_or_else(|error| format!("could not be run: {error}"), |all| summary(all));
                    eprintln!("{:44} {summary} ({:.0?})", entry.name, started.elapsed());
                    results.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((entry.name, outcomes));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut in_order = Vec::new();
    for entry in entries {
        let Some(at) = results.iter().position(|(name, _)| *name == entry.name) else {
            return Err(format!("{}: no result", entry.name));
        };
        let mut outcomes = results.swap_remove(at).1.map_err(|error| format!("{}: {error}", entry.name))?;
        for (law, outcome) in &mut outcomes {
            confirm(entry, *law, outcome)?;
        }
        in_order.push(EntryReport { entry, outcomes });
    }
    Ok(in_order)
}

/// The number of times that an unexpected verdict is tried again.
const RETRIES: usize = 2;

/// Tries a law again while its verdict differs from the findings of the entry. Some verdicts depend
/// on processor time or patience, and nothing else runs now. A crate that really changed differs
/// every time.
fn confirm(entry: &Entry, law: Law, outcome: &mut Outcome) -> Result<(), String> {
    for _ in 0..RETRIES {
        let Some(discrepancy) = discrepancy(entry, law, outcome) else {
            break;
        };
        eprintln!("{discrepancy}: trying again");
        let again = in_a_process(entry, Some(law)).map_err(|error| format!("{}: {error}", entry.name))?;
        if let Some((_, again)) = again.into_iter().find(|(of, _)| *of == law) {
            *outcome = again;
        }
    }
    Ok(())
}

fn summary(outcomes: &[(Law, Outcome)]) -> String {
    let mut holds = 0;
    let mut others = Vec::new();
    for (law, outcome) in outcomes {
        match outcome {
            Outcome::Holds => holds += 1,
            Outcome::NotTried(_) => {}
            Outcome::Fails { .. } => others.push(law.name().to_owned()),
            Outcome::Unfit(what) => others.push(format!("{law} (unusable definition: {what})")),
        }
    }
    match others.len() {
        0 => format!("{holds} laws hold"),
        _ => format!("{holds} laws hold; broken: {}", others.join(", ")),
    }
}

fn in_a_process(entry: &Entry, law: Option<Law>) -> Result<Vec<(Law, Outcome)>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let into = folder.path().join("outcomes");
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["--entry", entry.name, "--into"]).arg(&into);
    if let Some(law) = law {
        command.args(["--law", law.name()]);
    }
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| error.to_string())?;
    let text = std::fs::read(&into).map_err(|_| format!("its process ended with {status} and wrote no outcomes"))?;
    let outcomes: Vec<(String, Outcome)> = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    outcomes
        .into_iter()
        .map(|(law, outcome)| Ok((law.parse().map_err(|error| format!("{law}: {error}"))?, outcome)))
        .collect()
}

/// Returns the difference between an outcome and the findings of the entry, in a sentence.
fn discrepancy(entry: &Entry, law: Law, outcome: &Outcome) -> Option<String> {
    let name = entry.name;
    Some(match (outcome, entry.finding_kind(law)) {
        (Outcome::Fails { verdict, .. }, None) => format!("{name} breaks {law}: {verdict}"),
        (Outcome::Holds, Some(FindingKind::Fails)) => {
            format!("{law} holds for {name}, which has a finding that it fails")
        }
        (Outcome::Holds, Some(FindingKind::Accepted)) => {
            format!("{law} holds for {name}, which has an accepted failure of it")
        }
        (Outcome::NotTried(reason), Some(_)) => {
            format!("{law} was not tried on {name}, which has a finding that it fails: {reason}")
        }
        (Outcome::Unfit(what), _) => format!("the definition of {name} cannot be used for {law}: {what}"),
        _ => return None,
    })
}

/// Returns the differences between the run and the findings of the entries, each in a sentence.
pub fn unexpected(results: &[EntryReport<'_>]) -> Vec<String> {
    let mut all = Vec::new();
    for result in results {
        let name = result.entry.name;
        for (law, outcome) in &result.outcomes {
            all.extend(discrepancy(result.entry, *law, outcome));
        }
        if let Some((fixed, laws)) = &result.entry.fixed_in {
            let Some(fixed) = results.iter().find(|other| other.entry.name == *fixed) else {
                if results.len() > 1 {
                    all.push(format!("{name} names {fixed} as its fix, which is not an entry of this run"));
                }
                continue;
            };
            for law in laws {
                let broken = matches!(result.of(*law), Some(Outcome::Fails { .. }) | None);
                let kept = matches!(fixed.of(*law), Some(Outcome::Holds) | None);
                if !(broken && kept) {
                    all.push(format!("{name} names {} as its fix for {law}, and it is not", fixed.entry.name));
                }
            }
        }
    }
    all
}
