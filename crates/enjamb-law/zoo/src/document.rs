//! The document: a table, pairs of a broken and a fixed version, and the findings of each entry.

use std::fmt::Write as _;

use enjamb_law::Law;

use crate::entry::FindingKind;
use crate::outcome::Outcome;
use crate::run::EntryReport;

/// Returns the whole document.
pub fn document(all: &[EntryReport<'_>]) -> String {
    let mut text = String::from(HEAD);
    let broken = |report: &&EntryReport<'_>| failed_laws(report).next().is_some();
    let failing = all.iter().filter(broken).count();
    let failures: usize = all.iter().map(|report| failed_laws(report).count()).sum();
    let tried = all.iter().flat_map(|report| &report.outcomes);
    let tried = tried.filter(|(_, outcome)| !matches!(outcome, Outcome::NotTried(_))).count();
    let _ = writeln!(
        text,
        "The zoo has {} decoders with {tried} verdicts. {failures} of these are failures, in {failing} decoders.\n",
        all.len(),
    );
    text += &table(all);
    text += &pairs(all);
    text += "\n## Failures\n";
    for report in all.iter().filter(broken) {
        text += &section(report);
    }
    text += ACCEPTED;
    for report in all {
        for finding in report.entry.findings.iter().filter(|finding| finding.kind == FindingKind::Accepted) {
            let item = format!("* {}: *{}*: {}", report.entry.name, law_list(&finding.laws), finding.cause);
            text += &wrapped(&item, "  ");
        }
    }
    text
}

const HEAD: &str = "\
# The zoo

This page shows how published crates that decode streams do under [the laws](laws.md). A run of
`cargo run --release` in `crates/enjamb-law/zoo` writes it. An entry is a crate at one version with
a constructor, an adapter and a few messages.

A cell of the table is one of these:

* **holds**: no input broke the law.
* **fails**: an input broke the law. The section of the entry shows the smallest input that some
  seconds of shrinking found, and the cause in the source of the crate. For `linear` it shows no
  input, because the figures depend on the machine.
* **accepted**: an input broke the law, but the documentation of the crate or the standard that it
  implements says so, or no code of that shape can avoid it. [The last section](#accepted-failures)
  gives the reasons.
* An empty cell: the law was not tried. It does not apply (no limit is declared, the code does not
  wait for input, there is no encoder, it makes no promise about calls after an error, or it parses
  each message again for every chunk by design), or the entry ended the process before there was a
  verdict.

The crates are compiled with overflow checks, as in the tests of their users.

";

const ACCEPTED: &str = "
## Accepted failures

These failures are documented or cannot be avoided.

";

/// Returns the laws that an entry breaks without an accepted reason.
fn failed_laws<'t>(report: &'t EntryReport<'_>) -> impl Iterator<Item = Law> + 't {
    let accepted = |law: Law| report.entry.finding_kind(law) == Some(FindingKind::Accepted);
    let failed = report.outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Fails { .. }));
    failed.map(|(law, _)| *law).filter(move |law| !accepted(*law))
}

/// The laws of the table: every entry reads one stream.
fn laws() -> impl Iterator<Item = Law> {
    Law::ALL.into_iter().filter(|law| *law != Law::Interleaved)
}

fn table(all: &[EntryReport<'_>]) -> String {
    let mut text = String::from("| crate | decodes | as |");
    for law in laws() {
        let _ = write!(text, " {} |", law.name().replace('_', " "));
    }
    text += "\n|---|---|---|";
    text += &"---|".repeat(laws().count());
    text.push('\n');
    for report in all {
        let entry = report.entry;
        let broken = failed_laws(report).next().is_some();
        let name = if broken { format!("[{}](#{})", entry.name, anchor(entry.name)) } else { entry.name.to_owned() };
        let _ = write!(text, "| {name} | {} | {} |", entry.what, entry.shape);
        for law in laws() {
            let cell = match (report.of(law), entry.finding_kind(law)) {
                (Some(Outcome::Holds), _) => "holds",
                (Some(Outcome::Fails { .. }), Some(FindingKind::Accepted)) => "accepted",
                (Some(Outcome::Fails { .. }), _) => "**fails**",
                _ => "",
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text
}

/// Wraps a paragraph, with `indent` before each line except the first. Inline code stays on one
/// line: a line that begins with `>` or `*` would have another meaning.
fn wrapped(paragraph: &str, indent: &str) -> String {
    const COLUMNS: usize = 100;
    let mut text = String::new();
    let mut column = 0;
    let mut in_code = false;
    let mut words = paragraph.split(' ').peekable();
    while words.peek().is_some() {
        let mut word = String::new();
        for part in words.by_ref() {
            if !word.is_empty() {
                word.push(' ');
            }
            word += part;
            in_code ^= part.matches('`').count() % 2 == 1;
            if !in_code {
                break;
            }
        }
        let len = word.chars().count();
        if column > 0 && column + 1 + len > COLUMNS {
            text.push('\n');
            text += indent;
            column = indent.len();
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        text += &word;
        column += len;
    }
    text.push('\n');
    text
}

/// Returns the anchor of a heading, as mdBook and GitHub make it.
fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .collect::<String>();
    kept.replace(' ', "-")
}

fn pairs(all: &[EntryReport<'_>]) -> String {
    let mut text = String::from("\n## Fixed in another version\n\n| fails | laws | holds |\n|---|---|---|\n");
    for report in all {
        if let Some((fixed, laws)) = &report.entry.fixed_in {
            let _ = writeln!(text, "| {} | {} | {fixed} |", report.entry.name, law_list(laws));
        }
    }
    text
}

fn law_list(laws: &[Law]) -> String {
    laws.iter().map(|law| law.name().replace('_', " ")).collect::<Vec<_>>().join(", ")
}

/// Returns the section of one entry, with its findings.
pub fn section(report: &EntryReport<'_>) -> String {
    let entry = report.entry;
    let mut text = format!("\n### {}\n\n{}; {}.\n", entry.name, entry.what, entry.shape);
    for finding in &entry.findings {
        let accepted = if finding.kind == FindingKind::Accepted { ", accepted" } else { "" };
        text.push('\n');
        text += &wrapped(&format!("*{}*{accepted}: {}", law_list(&finding.laws), finding.cause), "");
        if finding.kind == FindingKind::Fails {
            for (number, law) in finding.laws.iter().enumerate() {
                text += &if number == 0 { picture(report, *law) } else { brief(report, *law) };
            }
        }
    }
    for (law, outcome) in &report.outcomes {
        if matches!(outcome, Outcome::Fails { .. } | Outcome::Unfit(_)) && entry.finding_kind(*law).is_none() {
            let _ = writeln!(text, "\n*{law}*: not among the findings of this entry.");
            text += &picture(report, *law);
        }
    }
    text
}

fn picture(report: &EntryReport<'_>, law: Law) -> String {
    match report.of(law) {
        // A failure of `linear` has no picture.
        Some(Outcome::Fails { picture, .. }) if picture.is_empty() => String::new(),
        Some(Outcome::Fails { verdict, picture }) => format!("\n```text\n{verdict}\n{picture}\n```\n"),
        Some(Outcome::Unfit(what)) => format!("\n```text\n{what}\n```\n"),
        _ => String::new(),
    }
}

/// Returns the input that breaks another law for the same cause, without the traces.
fn brief(report: &EntryReport<'_>, law: Law) -> String {
    let Some(Outcome::Fails { verdict, picture }) = report.of(law).filter(|_| law != Law::Linear) else {
        return String::new();
    };
    let stream: Vec<&str> = picture.lines().filter(|line| line.starts_with("  client:")).collect();
    format!("\n```text\n{law}: {verdict}\n{}\n```\n", stream.join("\n"))
}

/// The differences between a run and the committed page.
pub struct Comparison {
    /// The first line outside the reproducers that differs: a verdict, a count, a cause.
    pub differs: Option<String>,
    /// The number of reproducers that differ from those of the page. They do not count as a
    /// difference: a reproducer is shrunk for some seconds, and a faster machine shrinks it further
    /// in that time.
    /// that time.
    pub other_reproducers: usize,
}

/// Compares a run with the committed page.
pub fn compare(committed: &str, run: &str) -> Comparison {
    let (committed, run) = (PageParts::of(committed), PageParts::of(run));
    let mut differs = None;
    let (mut there, mut here) = (committed.prose.iter(), run.prose.iter());
    loop {
        let (there, here) = (there.next(), here.next());
        if there.map(|(_, line)| line) != here.map(|(_, line)| line) {
            let shown = |line: Option<&(usize, &str)>| {
                line.map_or_else(|| "(no line)".to_owned(), |(_, line)| (*line).to_owned())
            };
            let at = there.or(here).map_or(0, |(number, _)| *number);
            differs = Some(format!("line {at}\n  page: {}\n  run:  {}", shown(there), shown(here)));
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

/// A page, with its fenced blocks separate from the rest.
#[derive(Default)]
struct PageParts<'a> {
    /// The lines outside the blocks, with their numbers from 1. The first line of a block marks its
    /// place.
    prose: Vec<(usize, &'a str)>,
    blocks: Vec<Vec<&'a str>>,
}

impl<'a> PageParts<'a> {
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

    /// Returns the outcomes in the table of a page, without their verdicts and pictures.
    fn outcomes_in_table(page: &str, entry: &str) -> Vec<(Law, Outcome)> {
        let row = page.lines().filter_map(|line| line.strip_prefix("| ")).find(|row| {
            let cell = row.split(" | ").next().unwrap_or(row);
            cell == entry || cell.starts_with(&format!("[{entry}]("))
        });
        let row = row.unwrap_or_else(|| panic!("the table has no row {entry}"));
        let cells = row.trim_end_matches('|').split('|').skip(3).map(str::trim);
        let outcome = |law, cell| match cell {
            "" => Outcome::NotTried(String::new()),
            "holds" => Outcome::Holds,
            _ if law == Law::Linear => Outcome::Fails { verdict: String::new(), picture: String::new() },
            _ => Outcome::Fails { verdict: String::new(), picture: "a picture".to_owned() },
        };
        laws().zip(cells).map(|(law, cell)| (law, outcome(law, cell))).collect()
    }

    /// A change of the generator or of a finding must change the page too. Checking that needs no
    /// run of the laws.
    #[test]
    fn the_committed_page_has_the_text_of_the_generator() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/zoo.md");
        let page = std::fs::read_to_string(path).unwrap();
        let entries = crate::entries::all();
        let reports: Vec<EntryReport<'_>> =
            entries.iter().map(|entry| EntryReport { entry, outcomes: outcomes_in_table(&page, entry.name) }).collect();
        assert_eq!(compare(&page, &document(&reports)).differs, None);
    }

    const PAGE: &str = "| a | holds |\n\n*split*: cause\n\n```text\nsplit: \"a|b\"\n```\n\nend\n";

    #[test]
    fn a_reproducer_of_another_size_is_no_difference() {
        let run = PAGE.replace("a|b", "aa|b\"\n  more");
        let comparison = compare(PAGE, &run);
        assert_eq!((comparison.differs, comparison.other_reproducers), (None, 1));
    }

    #[test]
    fn a_different_verdict_is_reported_with_its_line() {
        let comparison = compare(PAGE, &PAGE.replace("holds", "**fails**"));
        assert_eq!(comparison.differs.unwrap(), "line 1\n  page: | a | holds |\n  run:  | a | **fails** |");
    }

    #[test]
    fn an_extra_reproducer_or_a_missing_line_is_a_difference() {
        let more = PAGE.replace("end", "```text\nx\n```");
        assert!(compare(PAGE, &more).differs.unwrap().starts_with("line 9"));
        assert!(compare(PAGE, PAGE.trim_end_matches("end\n")).differs.unwrap().contains("(no line)"));
    }

    #[test]
    fn a_page_does_not_differ_from_itself() {
        let comparison = compare(PAGE, PAGE);
        assert_eq!((comparison.differs, comparison.other_reproducers), (None, 0));
    }
}
