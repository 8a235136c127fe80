//! Runs entries: each in a process of its own, since some of them print, and some do worse.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use enjamb_law::Law;

use crate::entry::{Entry, FindingKind};
use crate::outcome::Outcome;

/// What came of an entry.
pub struct Tested<'e> {
    pub entry: &'e Entry,
    pub outcomes: Vec<(Law, Outcome)>,
}

impl Tested<'_> {
    pub fn of(&self, law: Law) -> Option<&Outcome> {
        self.outcomes.iter().find(|(of, _)| *of == law).map(|(_, outcome)| outcome)
    }
}

/// Tries an entry, and leaves what came of it in a file. In a child that tries one law, this does not return.
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

/// Tries all `entries`, a few at a time, and tells how it goes.
pub fn all<'e>(entries: &[&'e Entry], law: Option<Law>) -> Result<Vec<Tested<'e>>, String> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let started = std::time::Instant::now();
                    let outcomes = in_a_process(entry, law);
                    let told =
                        outcomes.as_ref().map_or_else(|error| format!("could not be run: {error}"), |all| told(all));
                    eprintln!("{:44} {told} ({:.0?})", entry.name, started.elapsed());
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
            believe(entry, *law, outcome)?;
        }
        in_order.push(Tested { entry, outcomes });
    }
    Ok(in_order)
}

/// How often a law is tried again whose verdict is a surprise.
const AGAIN: usize = 2;

/// Tries a law again whose verdict is not what is known of the entry, now that nothing else runs: some verdicts are by processor time, and
/// by patience. A crate that changed surprises every time.
fn believe(entry: &Entry, law: Law, outcome: &mut Outcome) -> Result<(), String> {
    for _ in 0..AGAIN {
        let Some(surprise) = surprise(entry, law, outcome) else {
            break;
        };
        eprintln!("{surprise}: tried again");
        let again = in_a_process(entry, Some(law)).map_err(|error| format!("{}: {error}", entry.name))?;
        if let Some((_, again)) = again.into_iter().find(|(of, _)| *of == law) {
            *outcome = again;
        }
    }
    Ok(())
}

fn told(outcomes: &[(Law, Outcome)]) -> String {
    let mut holds = 0;
    let mut others = Vec::new();
    for (law, outcome) in outcomes {
        match outcome {
            Outcome::Holds => holds += 1,
            Outcome::NotTried(_) => {}
            Outcome::Fails { .. } => others.push(law.name().to_owned()),
            Outcome::Unfit(what) => others.push(format!("{law} UNFIT: {what}")),
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
    let text = std::fs::read(&into).map_err(|_| format!("its process ended, {status}, and left nothing"))?;
    let outcomes: Vec<(String, Outcome)> = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    outcomes
        .into_iter()
        .map(|(law, outcome)| Ok((law.parse().map_err(|error| format!("{law}: {error}"))?, outcome)))
        .collect()
}

/// What an outcome says that is not known of the entry, in a sentence.
fn surprise(entry: &Entry, law: Law, outcome: &Outcome) -> Option<String> {
    let name = entry.name;
    Some(match (outcome, entry.known(law)) {
        (Outcome::Fails { verdict, .. }, None) => format!("{name} breaks {law}: {verdict}"),
        (Outcome::Holds, Some(FindingKind::Fails)) => format!("{name} keeps {law}, and is said to break it"),
        (Outcome::Holds, Some(FindingKind::Documented)) => {
            format!("{name} keeps {law}, and has an excuse for breaking it")
        }
        (Outcome::NotTried(reason), Some(_)) => {
            format!("{name} was not asked for {law}, which it is said to break: {reason}")
        }
        (Outcome::Unfit(what), _) => format!("{name} cannot be used, for {law}: {what}"),
        _ => return None,
    })
}

/// Where the run and what is known of the entries differ, each in a sentence.
pub fn unexpected(results: &[Tested<'_>]) -> Vec<String> {
    let mut all = Vec::new();
    for result in results {
        let name = result.entry.name;
        for (law, outcome) in &result.outcomes {
            all.extend(surprise(result.entry, *law, outcome));
        }
        if let Some((fixed, laws)) = &result.entry.fixed_in {
            let Some(fixed) = results.iter().find(|other| other.entry.name == *fixed) else {
                if results.len() > 1 {
                    all.push(format!("{name} is fixed in {fixed}, which is no entry of this run"));
                }
                continue;
            };
            for law in laws {
                let broken = matches!(result.of(*law), Some(Outcome::Fails { .. }) | None);
                let kept = matches!(fixed.of(*law), Some(Outcome::Holds) | None);
                if !(broken && kept) {
                    all.push(format!("{name} is said to be fixed in {} for {law}, and is not", fixed.entry.name));
                }
            }
        }
    }
    all
}
