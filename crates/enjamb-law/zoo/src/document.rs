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
    let asked = asked.filter(|(_, outcome)| !matches!(outcome, Outcome::NotTried(_))).count();
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
standard that it implements, says is meant is not counted as broken; what is broken is shown with the smallest input that some seconds of shrinking come to, and with what
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

/// What a run says that the committed page does not.
pub struct Comparison {
    /// The first line outside the reproducers that differs: a verdict, a count, a cause.
    pub differs: Option<String>,
    /// How many reproducers are others than those of the page. That is no difference in what was found: a reproducer is made smaller
    /// for some seconds, and a machine that does more in them comes further.
    pub other_reproducers: usize,
}

/// Compares a run with the committed page.
pub fn compare(committed: &str, run: &str) -> Comparison {
    let (committed, run) = (Parts::of(committed), Parts::of(run));
    let mut differs = None;
    let (mut there, mut here) = (committed.prose.iter(), run.prose.iter());
    loop {
        let (there, here) = (there.next(), here.next());
        if there.map(|(_, line)| line) != here.map(|(_, line)| line) {
            let told = |line: Option<&(usize, &str)>| {
                line.map_or_else(|| "(no line)".to_owned(), |(_, line)| (*line).to_owned())
            };
            let at = there.or(here).map_or(0, |(number, _)| *number);
            differs = Some(format!("line {at}\n  there: {}\n  run:   {}", told(there), told(here)));
            break;
        }
        if there.is_none() {
            break;
        }
    }
    let common = committed.blocks.iter().zip(&run.blocks).filter(|(there, here)| there != here).count();
    let other_reproducers = common + committed.blocks.len().abs_diff(run.blocks.len());
    Comparison { differs, other_reproducers }
}

/// A page, its fenced blocks apart from the rest.
#[derive(Default)]
struct Parts<'a> {
    /// With the number of the line, from 1. A block stands for one line: where it is, not what is in it.
    prose: Vec<(usize, &'a str)>,
    blocks: Vec<Vec<&'a str>>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let mut parts = Self::default();
        let mut inside = false;
        for (number, line) in (1..).zip(text.lines()) {
            if line.starts_with("```") {
                inside = !inside;
                if inside {
                    parts.blocks.push(Vec::new());
                    parts.prose.push((number, line));
                }
            } else if let (true, Some(block)) = (inside, parts.blocks.last_mut()) {
                block.push(line);
            } else {
                parts.prose.push((number, line));
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "| a | holds |\n\n*split*: cause\n\n```text\nsplit: \"a|b\"\n```\n\nend\n";

    #[test]
    fn a_reproducer_of_another_size_is_the_same_finding() {
        let run = PAGE.replace("a|b", "aa|b\"\n  more");
        let comparison = compare(PAGE, &run);
        assert_eq!((comparison.differs, comparison.other_reproducers), (None, 1));
    }

    #[test]
    fn another_verdict_is_named_with_its_line() {
        let comparison = compare(PAGE, &PAGE.replace("holds", "**fails**"));
        assert_eq!(comparison.differs.unwrap(), "line 1\n  there: | a | holds |\n  run:   | a | **fails** |");
    }

    #[test]
    fn a_reproducer_too_many_or_a_page_that_ends_early_differs() {
        let more = PAGE.replace("end", "```text\nx\n```");
        assert!(compare(PAGE, &more).differs.unwrap().starts_with("line 9"));
        assert!(compare(PAGE, PAGE.trim_end_matches("end\n")).differs.unwrap().contains("(no line)"));
    }

    #[test]
    fn a_page_is_itself() {
        let comparison = compare(PAGE, PAGE);
        assert_eq!((comparison.differs, comparison.other_reproducers), (None, 0));
    }
}
