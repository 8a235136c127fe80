//! A broken law, in a form for people.

use std::fmt::{self, Debug, Write as _};

use enjamb::transcript::Content;

use crate::cutting::{Cutting, payload};
use crate::law::Law;
use crate::literal::{cuts_code, escape, input_code};
use crate::output::Output;

/// The smallest input that was found to break a law, and the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The law that is broken.
    pub law: Law,
    /// The verdict, in a sentence.
    pub verdict: String,
    /// The input, with its chunks glued.
    pub input: Cutting,
    /// The messages that the input consists of. `None` for a law that is not about messages.
    pub messages: Option<Vec<Vec<u8>>>,
    /// The cuts: the payload is cut before each byte with one of these numbers.
    pub cuts: Vec<usize>,
    /// The expected trace and the actual one. `None` for a law that compares no traces.
    pub traces: Option<[Trace; 2]>,
    /// The call that reproduces the violation, as Rust code. It needs everything of this crate in
    /// scope, and calls the subject `subject`.
    pub call: String,
    /// A Rust expression for the subject, where it is known.
    pub subject: Option<String>,
}

/// The outputs of one run, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// A short name of the run, such as `whole` or `cut`.
    pub label: String,
    /// The text of each output, in order.
    pub outputs: Vec<String>,
}

impl Trace {
    pub(crate) fn new<E: Debug, F: Debug>(label: impl Into<String>, outputs: &[Output<E, F>]) -> Self {
        Self { label: label.into(), outputs: outputs.iter().map(Output::text).collect() }
    }
}

impl Violation {
    /// Creates a violation of the [total](crate::total) law without traces, for a subject that
    /// ended its thread or its process.
    #[must_use]
    pub fn total(verdict: String, input: Cutting, cuts: Vec<usize>) -> Self {
        Self {
            law: Law::Total,
            verdict,
            call: format!("total(&subject, &{}, &{})", input_code(&input), cuts_code(&cuts)),
            traces: None,
            messages: None,
            input,
            cuts,
            subject: None,
        }
    }

    /// Returns whether a call of the subject did not return.
    #[must_use]
    pub fn hangs(&self) -> bool {
        self.verdict.starts_with(HUNG)
    }

    /// Returns the index of the first output that differs between the two traces.
    #[must_use]
    pub fn first_difference(&self) -> Option<usize> {
        let [expected, actual] = self.traces.as_ref()?;
        Some(expected.outputs.iter().zip(&actual.outputs).take_while(|(expected, actual)| expected == actual).count())
    }

    /// Returns the setting that excuses the behaviour, where it may be intended.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        let after_error = || {
            let [expected, actual] = self.traces.as_ref()?;
            let same = &expected.outputs[..self.first_difference()?.min(expected.outputs.len())];
            let failed = |outputs: &[String]| outputs.iter().any(|output| output.starts_with("failed: "));
            (failed(same) && failed(&actual.outputs))
                .then_some("only behind an error: if your program stops there, append `.stops()` to the adapter")
        };
        match self.law {
            Law::End if self.verdict.contains("lost silently") => {
                Some("if a standard says that an unfinished message is dropped: `drops_unfinished: \"its name\"`")
            }
            Law::Alone if self.messages.is_some() => Some(
                "if a stream has only one message: `one_message: true`; if the protocol keeps something from one \
                 message for the next: `carries: \"its name\"`",
            ),
            Law::Awake if self.verdict.contains("not woken") => {
                Some("there is no runtime: a reader that waits for a timer or a spawned task is not woken by bytes")
            }
            Law::Alone | Law::Split | Law::Quiet | Law::Coalesce => after_error(),
            _ => None,
        }
    }

    /// Returns a test that fails as long as the law is broken, ready to paste.
    ///
    /// A law that is called directly cannot print the constructor of its subject. The test then has
    /// a `todo!` in place of the constructor, for the reader to fill in.
    #[must_use]
    pub fn as_test(&self) -> String {
        let subject = self.subject.as_deref().unwrap_or("todo!(\"the subject\")");
        let (law, call) = (self.law, &self.call);
        if self.hangs() {
            // A test that calls it directly would hang too.
            let (input, cuts) = (input_code(&self.input), cuts_code(&self.cuts));
            return format!(
                "#[test]\nfn {law}_regression() {{\n    use enjamb_law::*;\n    let subject = {subject};\n    \
                 let (input, cuts) = ({input}, {cuts});\n    let patience = std::time::Duration::from_secs(10);\n    \
                 let outcome = watch(\"{law}_regression\", patience, move || total(&subject, &input, &cuts));\n    \
                 if let Err(error) = outcome {{\n        panic!(\"{{error}}\");\n    }}\n}}\n"
            );
        }
        format!(
            "#[test]\nfn {law}_regression() {{\n    use enjamb_law::*;\n    let subject = {subject};\n    if let Err(violation) = {call} {{\n        \
             panic!(\"{{violation}}\");\n    }}\n}}\n"
        )
    }

    fn headline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} law is broken: {}", self.law, counted(self.input.len(), "byte"))?;
        let places: Vec<String> = self.cuts.iter().take(8).map(ToString::to_string).collect();
        match self.cuts.len() {
            0 => writeln!(f, ", not cut"),
            more @ 9.. => writeln!(f, ", {more} cuts (before byte {}, ...)", places.join(", ")),
            few => writeln!(f, ", {} (before byte {})", counted(few, "cut"), places.join(", ")),
        }
    }

    fn draw(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut offset = 0;
        let turns = self.input.turns();
        let left_out =
            if turns.len() > DRAWN_TURNS_MAX { DRAWN_TURNS_MAX / 2..turns.len() - DRAWN_TURNS_MAX / 2 } else { 0..0 };
        for (at, (side, what)) in turns.iter().enumerate() {
            if left_out.contains(&at) {
                if at == left_out.start {
                    writeln!(f, "  ({} turns)", left_out.len())?;
                }
                offset += payload(what).len();
                continue;
            }
            match what {
                Content::Chunk(bytes) => writeln!(f, "  {side}: {}", drawn(bytes, offset, &self.cuts))?,
                Content::Gap(missing) => writeln!(f, "  {side}: ... {missing} bytes missing")?,
                Content::Close(ending) => writeln!(f, "  {side}: {}", ending.as_str())?,
            }
            offset += payload(what).len();
        }
        Ok(())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headline(f)?;
        writeln!(f, "{}", self.verdict)?;
        if let Some(hint) = self.hint() {
            writeln!(f, "({hint})")?;
        }
        if !self.input.is_empty() {
            writeln!(f, "\nthe stream{}:", if self.cuts.is_empty() { "" } else { ", `|` where it is cut" })?;
            self.draw(f)?;
        }
        if let (Some([expected, actual]), Some(difference)) = (&self.traces, self.first_difference()) {
            writeln!(f)?;
            side_by_side(f, expected, actual, difference)?;
        }
        match self.subject {
            Some(_) => writeln!(f, "\nas a test:\n")?,
            None => {
                writeln!(
                    f,
                    "\nas a test (a law that is called directly cannot print your constructor: fill it in):\n"
                )?;
            }
        }
        self.as_test().lines().try_for_each(|line| writeln!(f, "{}{line}", if line.is_empty() { "" } else { "    " }))
    }
}

impl std::error::Error for Violation {}

/// The start of the verdict on a call that does not return.
const HUNG: &str = "a call did not return";

/// The number of lines of a trace that are printed before and after the first difference.
const CONTEXT: usize = 6;

/// The longest common beginning of two differing lines that is printed whole, and the part of a
/// longer one that is printed, in characters.
const COMMON_MAX: usize = 40;
const COMMON_SHOWN: usize = 12;

fn side_by_side(f: &mut fmt::Formatter<'_>, left: &Trace, right: &Trace, difference: usize) -> fmt::Result {
    let lines = left.outputs.len().max(right.outputs.len());
    if lines == 0 {
        return writeln!(f, "  neither run has an output ({} | {})", left.label, right.label);
    }
    let shown = difference.saturating_sub(CONTEXT)..lines.min(difference + CONTEXT + 1);
    // Long lines that begin alike are shown from a little before their difference.
    let common = match (left.outputs.get(difference), right.outputs.get(difference)) {
        (Some(left), Some(right)) => left.chars().zip(right.chars()).take_while(|(left, right)| left == right).count(),
        _ => 0,
    };
    let left_out = if common > COMMON_MAX { common - COMMON_SHOWN } else { 0 };
    let line = |trace: &Trace, at: usize| match trace.outputs.get(at) {
        None => "(nothing)".to_owned(),
        Some(output) if at == difference && left_out > 0 => {
            shortened(&format!("...{}", output.chars().skip(left_out).collect::<String>()))
        }
        Some(output) => shortened(output),
    };
    let width = shown.clone().map(|at| line(left, at).chars().count()).chain([left.label.chars().count()]).max();
    let width = width.unwrap_or(0).clamp(20, 60);
    writeln!(f, "  {:width$} | {}", left.label, right.label)?;
    if shown.start > 0 {
        writeln!(f, "  ({} the same)", shown.start)?;
    }
    for at in shown.clone() {
        let mark = if at == difference { '>' } else { ' ' };
        writeln!(f, "{mark} {:width$} | {}", line(left, at), line(right, at))?;
    }
    if shown.end < lines {
        writeln!(f, "  ({} more)", lines - shown.end)?;
    }
    Ok(())
}

fn shortened(line: &str) -> String {
    const CHARS_MAX: usize = 120;
    match line.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line.to_owned(),
    }
}

/// Returns a number with its noun, in the plural if necessary.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The maximum number of bytes of a chunk that are drawn, around the first cut.
const DRAWN_BYTES_MAX: usize = 400;

/// The maximum number of turns that are drawn, half of them from the beginning and half from the
/// end.
const DRAWN_TURNS_MAX: usize = 40;

/// Returns the bytes as a quoted string, with a bar at each cut.
fn drawn(bytes: &[u8], offset: usize, cuts: &[usize]) -> String {
    let first = cuts.iter().find(|cut| (offset..offset + bytes.len()).contains(cut)).map_or(0, |cut| cut - offset);
    let from = if bytes.len() > DRAWN_BYTES_MAX { first.saturating_sub(DRAWN_BYTES_MAX / 2) } else { 0 };
    let to = bytes.len().min(from + DRAWN_BYTES_MAX);
    let mut text = String::new();
    if from > 0 {
        let _ = write!(text, "({from} bytes) ");
    }
    text.push('"');
    for (at, &byte) in bytes.iter().enumerate().take(to).skip(from) {
        if at > 0 && cuts.binary_search(&(offset + at)).is_ok() {
            text.push('|');
        }
        escape(byte, &mut text);
    }
    text.push('"');
    if to < bytes.len() {
        let _ = write!(text, " ({} bytes)", bytes.len() - to);
    }
    text
}

/// Returns the messages in the form of [`Violation::messages`].
pub(crate) fn kept(messages: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
    Some(messages.iter().map(|message| message.to_vec()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_without_outputs_have_no_table() {
        let trace = |label: &str| Trace { label: label.to_owned(), outputs: Vec::new() };
        let mut violation = Violation::total("no".to_owned(), crate::cutting::stream(b"ab"), vec![1]);
        violation.traces = Some([trace("whole"), trace("cut")]);
        let text = violation.to_string();
        assert!(text.contains("client: \"a|b\"\n\n  neither run has an output (whole | cut)\n\nas a test"), "{text}");
    }

    #[test]
    fn long_lines_are_shown_around_their_difference() {
        let trace = |label: &str, end: &str| Trace {
            label: label.to_owned(),
            outputs: vec![format!("{}{end}", "a".repeat(500))],
        };
        let mut violation = Violation::total("no".to_owned(), crate::cutting::stream(b"ab"), vec![1]);
        violation.traces = Some([trace("whole", "b"), trace("cut", "c")]);
        let text = violation.to_string();
        assert!(text.contains("> ...aaaaaaaaaaaab     | ...aaaaaaaaaaaac"), "{text}");
    }

    #[test]
    fn many_turns_are_drawn_from_both_ends() {
        let turns = (0..100).map(|at| {
            let side = if at % 2 == 0 { enjamb::Side::Client } else { enjamb::Side::Server };
            (side, Content::Chunk(at.to_string().into_bytes()))
        });
        let text = Violation::total("no".to_owned(), Cutting::of(turns), Vec::new()).to_string();
        assert!(text.contains("server: \"19\"\n  (60 turns)\n  client: \"80\"\n"), "{text}");
    }

    #[test]
    fn a_long_stream_is_drawn_around_its_first_cut() {
        let bytes = vec![b'a'; 10_000];
        let text = drawn(&bytes, 0, &[5_000]);
        assert!(
            text.starts_with("(4800 bytes) \"aaa") && text.contains("a|a") && text.ends_with("\" (4800 bytes)"),
            "{text}"
        );
    }
}
