//! The document: a table, the pairs of an old version and a fixed one, and what breaks where.

use std::fmt::Write as _;

use enjamb_law::Law;

use crate::entry::FindingKind;
use crate::outcome::Outcome;
use crate::run::Tested;

/// The whole document.
pub fn document(all: &[Tested<'_>]) -> String {
    let mut text = String::from(HEAD);
    let broken = |tested: &&Tested<'_>| fails(tested).next().is_some();
    let failing = all.iter().filter(broken).count();
    let laws: usize = all.iter().map(|tested| fails(tested).count()).sum();
    let asked = all.iter().flat_map(|tested| &tested.outcomes);
    let asked = asked.filter(|(_, outcome)| !matches!(outcome, Outcome::NotAsked(_))).count();
    let _ = writeln!(
        text,
        "{} decoders are in it; {asked} times a law was asked. {laws} times it is broken, by {failing} of the decoders, \
         and nothing says that this is meant.\n",
        all.len(),
    );
    text += &table(all);
    text += &pairs(all);
    text += "\n## What breaks\n";
    for tested in all.iter().filter(broken) {
        text += &section(tested);
    }
    text += DOCUMENTED;
    for tested in all {
        for finding in tested.entry.findings.iter().filter(|finding| finding.kind == FindingKind::Documented) {
            let _ = writeln!(text, "* {}: *{}*: {}", tested.entry.name, listed(&finding.laws), finding.cause);
        }
    }
    text
}

const HEAD: &str = "\
# The zoo

Published crates that decode streams, each at the version named, under [the laws](laws.md). This page is written by a run:
`cargo run --release` in `crates/enjamb-law/zoo`, where an entry is a constructor, an adapter and a few messages. What a crate's documentation, or the
standard that it implements, says is meant is not counted as broken; what is broken is shown with the smallest input that shows it, and with what
in the source of the crate brings it about; for `linear`, whose figures are those of one machine, without an input. The crates are compiled with overflow checks, as in the tests of whoever uses them.

";

const DOCUMENTED: &str = "
## What is meant

These break a law, and it is documented or cannot be otherwise.

";

/// Where nothing says that it is meant.
fn fails<'t>(tested: &'t Tested<'_>) -> impl Iterator<Item = Law> + 't {
    let meant = |law: Law| tested.entry.known(law) == Some(FindingKind::Documented);
    let fails = tested.outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Fails { .. }));
    fails.map(|(law, _)| *law).filter(move |law| !meant(*law))
}

fn table(all: &[Tested<'_>]) -> String {
    let mut text = String::from("| crate | decodes | as |");
    for law in Law::ALL {
        let _ = write!(text, " {} |", law.name().replace('_', " "));
    }
    text += "\n|---|---|---|";
    text += &"---|".repeat(Law::ALL.len());
    text.push('\n');
    for tested in all {
        let entry = tested.entry;
        let broken = fails(tested).next().is_some();
        let name = if broken { format!("[{}](#{})", entry.name, anchor(entry.name)) } else { entry.name.to_owned() };
        let _ = write!(text, "| {name} | {} | {} |", entry.what, entry.shape);
        for law in Law::ALL {
            let cell = match (tested.of(law), entry.known(law)) {
                (Some(Outcome::Holds), _) => "holds",
                (Some(Outcome::Fails { .. }), Some(FindingKind::Documented)) => "meant",
                (Some(Outcome::Fails { .. }), _) => "**fails**",
                _ => "",
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text += "\nAn empty cell: the law was not asked, because no limit is declared, it does not wait, it does not promise to say nothing after an error, there is no \
             encoder, it begins each message anew for every chunk, by what it is, or it ended the process before there was a verdict.\n";
    text
}

/// The anchor of a heading, as mdBook and GitHub make it.
fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .collect::<String>();
    kept.replace(' ', "-")
}

fn pairs(all: &[Tested<'_>]) -> String {
    let mut text =
        String::from("\n## Broken in one version and not in another\n\n| breaks | laws | keeps |\n|---|---|---|\n");
    for tested in all {
        if let Some((fixed, laws)) = &tested.entry.fixed_in {
            let _ = writeln!(text, "| {} | {} | {fixed} |", tested.entry.name, listed(laws));
        }
    }
    text
}

fn listed(laws: &[Law]) -> String {
    laws.iter().map(|law| law.name().replace('_', " ")).collect::<Vec<_>>().join(", ")
}

/// What breaks in one entry.
pub fn section(tested: &Tested<'_>) -> String {
    let entry = tested.entry;
    let mut text = format!("\n### {}\n\n{}; {}.\n", entry.name, entry.what, entry.shape);
    for finding in &entry.findings {
        let meant = if finding.kind == FindingKind::Documented { ", meant" } else { "" };
        let _ = writeln!(text, "\n*{}*{meant}: {}", listed(&finding.laws), finding.cause);
        if finding.kind == FindingKind::Fails {
            for (number, law) in finding.laws.iter().enumerate() {
                text += &if number == 0 { picture(tested, *law) } else { brief(tested, *law) };
            }
        }
    }
    for (law, outcome) in &tested.outcomes {
        if matches!(outcome, Outcome::Fails { .. } | Outcome::Unfit(_)) && entry.known(*law).is_none() {
            let _ = writeln!(text, "\n*{law}*: not known before.");
            text += &picture(tested, *law);
        }
    }
    text
}

fn picture(tested: &Tested<'_>, law: Law) -> String {
    match tested.of(law) {
        // There is nothing to be drawn.
        Some(Outcome::Fails { picture, .. }) if picture.is_empty() => String::new(),
        Some(Outcome::Fails { verdict, picture }) => format!("\n```text\n{verdict}\n{picture}\n```\n"),
        Some(Outcome::Unfit(what)) => format!("\n```text\n{what}\n```\n"),
        _ => String::new(),
    }
}

/// Another law that is broken for the same cause: what breaks it, without what was said of it.
fn brief(tested: &Tested<'_>, law: Law) -> String {
    let Some(Outcome::Fails { verdict, picture }) = tested.of(law).filter(|_| law != Law::Linear) else {
        return String::new();
    };
    let stream: Vec<&str> = picture.lines().filter(|line| line.starts_with("  client:")).collect();
    format!("\n```text\n{law}: {verdict}\n{}\n```\n", stream.join("\n"))
}

/// The first line that differs.
pub fn first_difference(committed: &str, run: &str) -> Option<String> {
    if committed == run {
        return None;
    }
    let (mut committed, mut run) = (committed.lines(), run.lines());
    for line in 1.. {
        let (there, here) = (committed.next(), run.next());
        if there != here {
            let of = |line: Option<&str>| line.map_or_else(|| "(no line)".to_owned(), str::to_owned);
            return Some(format!("line {line}\n  there: {}\n  run:   {}", of(there), of(here)));
        }
        if there.is_none() {
            break;
        }
    }
    Some("they end differently".to_owned())
}
