//! A broken law, as a person sees it.

use std::fmt::{self, Debug, Write as _};

use enjamb::Ending;
use enjamb::transcript::Content;

use crate::cutting::{Cutting, payload};
use crate::law::Law;
use crate::run::told;
use crate::subject::Said;

/// The smallest input that was found to break a law, and what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The law that is broken.
    pub law: Law,
    /// What is wrong, in a sentence.
    pub verdict: String,
    /// The input, glued.
    pub input: Cutting,
    /// The messages that the input is made of, for a law that speaks of messages.
    pub messages: Option<Vec<Vec<u8>>>,
    /// Before which bytes of its payload it is cut.
    pub cuts: Vec<usize>,
    /// What was expected, and what was said in its place; none for laws that compare nothing.
    pub traces: Option<[Told; 2]>,
    /// The call that shows it again, in which `subject` is the subject: Rust, with everything of this crate in scope.
    pub call: String,
    /// An expression for the subject, where it is known.
    pub subject: Option<String>,
}

/// What a subject said, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Of what it was said.
    pub of: String,
    /// What was said.
    pub said: Vec<String>,
}

impl Told {
    pub(crate) fn new<E: Debug, F: Debug>(of: impl Into<String>, trace: &[Said<E, F>]) -> Self {
        Self { of: of.into(), said: told(trace) }
    }
}

impl Violation {
    /// Of the [total](crate::total) law, by something that ended the thread or the process which would have said more.
    #[must_use]
    pub fn total(verdict: String, input: Cutting, cuts: Vec<usize>) -> Self {
        Self {
            law: Law::Total,
            verdict,
            call: format!("total(&subject, &{}, &{cuts:?})", input_code(&input)),
            traces: None,
            messages: None,
            input,
            cuts,
            subject: None,
        }
    }

    /// The number of the first thing said differently, from 0.
    #[must_use]
    pub fn first_difference(&self) -> Option<usize> {
        let [expected, said] = self.traces.as_ref()?;
        Some(expected.said.iter().zip(&said.said).take_while(|(expected, said)| expected == said).count())
    }

    /// A test that fails as long as the law is broken, ready to paste.
    #[must_use]
    pub fn as_test(&self) -> String {
        let subject = self.subject.as_deref().unwrap_or("todo!(\"the subject\")");
        let (law, call) = (self.law, &self.call);
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
        let left_out = if turns.len() > DRAWN_TURNS { DRAWN_TURNS / 2..turns.len() - DRAWN_TURNS / 2 } else { 0..0 };
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
        if !self.input.is_empty() {
            writeln!(f, "\nthe stream{}:", if self.cuts.is_empty() { "" } else { ", `|` where it is cut" })?;
            self.draw(f)?;
        }
        if let (Some([expected, said]), Some(difference)) = (&self.traces, self.first_difference()) {
            writeln!(f)?;
            side_by_side(f, expected, said, difference)?;
        }
        writeln!(f, "\nas a test:\n")?;
        self.as_test().lines().try_for_each(|line| writeln!(f, "{}{line}", if line.is_empty() { "" } else { "    " }))
    }
}

impl std::error::Error for Violation {}

/// Lines of a trace that are printed before and after the first difference.
const AROUND: usize = 6;

fn side_by_side(f: &mut fmt::Formatter<'_>, left: &Told, right: &Told, difference: usize) -> fmt::Result {
    let lines = left.said.len().max(right.said.len());
    if lines == 0 {
        return writeln!(f, "  nothing is said either time ({} | {})", left.of, right.of);
    }
    let shown = difference.saturating_sub(AROUND)..lines.min(difference + AROUND + 1);
    let of = |told: &Told, at: usize| told.said.get(at).map_or_else(|| "(nothing)".to_owned(), |said| cut_short(said));
    let width = shown.clone().map(|at| of(left, at).chars().count()).chain([left.of.chars().count()]).max();
    let width = width.unwrap_or(0).clamp(20, 60);
    writeln!(f, "  {:width$} | {}", left.of, right.of)?;
    if shown.start > 0 {
        writeln!(f, "  ({} the same)", shown.start)?;
    }
    for at in shown.clone() {
        let mark = if at == difference { '>' } else { ' ' };
        writeln!(f, "{mark} {:width$} | {}", of(left, at), of(right, at))?;
    }
    if shown.end < lines {
        writeln!(f, "  ({} more)", lines - shown.end)?;
    }
    Ok(())
}

fn cut_short(said: &str) -> String {
    const MOST: usize = 120;
    match said.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", &said[..at]),
        None => said.to_owned(),
    }
}

pub(crate) fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Bytes that are drawn at the most, around the first cut.
const DRAWN: usize = 400;

/// Turns that are drawn at the most, half of them from the beginning and half from the end.
const DRAWN_TURNS: usize = 40;

/// The bytes as a quoted string, with a bar before each byte that is cut off from the one before it.
fn drawn(bytes: &[u8], offset: usize, cuts: &[usize]) -> String {
    let first = cuts.iter().find(|cut| (offset..offset + bytes.len()).contains(cut)).map_or(0, |cut| cut - offset);
    let from = if bytes.len() > DRAWN { first.saturating_sub(DRAWN / 2) } else { 0 };
    let to = bytes.len().min(from + DRAWN);
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

fn escape(byte: u8, text: &mut String) {
    match byte {
        b'\'' => text.push('\''),
        byte => {
            let _ = write!(text, "{}", std::ascii::escape_default(byte));
        }
    }
}

/// Bytes as a Rust expression that is a slice of them; what is repeated many times is written as such.
pub(crate) fn literal(bytes: &[u8]) -> String {
    const MUCH: usize = 64;
    let literal = |bytes: &[u8]| {
        let mut text = String::from("b\"");
        bytes.iter().for_each(|&byte| escape(byte, &mut text));
        text.push('"');
        text
    };
    let repeated = (bytes.len() > MUCH).then(|| repetition(bytes)).flatten();
    let Some((start, unit, times)) = repeated else {
        return literal(bytes);
    };
    let rest = &bytes[start + unit * times..];
    let repeat = format!("{}.repeat({times})", literal(&bytes[start..start + unit]));
    match (start, rest) {
        (0, []) => format!("&{repeat}"),
        (_, []) => format!("&[{}.to_vec(), {repeat}].concat()", literal(&bytes[..start])),
        (0, _) => format!("&[{repeat}, {}.to_vec()].concat()", literal(rest)),
        _ => format!("&[{}.to_vec(), {repeat}, {}.to_vec()].concat()", literal(&bytes[..start]), literal(rest)),
    }
}

/// Where a short unit begins that nearly all of `bytes` repeats, how long it is, and how often it comes.
fn repetition(bytes: &[u8]) -> Option<(usize, usize, usize)> {
    const LONGEST: usize = 32;
    (0..LONGEST).flat_map(|start| (1..LONGEST).map(move |unit| (start, unit))).find_map(|(start, unit)| {
        let first = bytes.get(start..start + unit)?;
        let times = bytes[start..].chunks_exact(unit).take_while(|chunk| *chunk == first).count();
        (times >= 8 && 4 * unit * times >= 3 * bytes.len()).then_some((start, unit, times))
    })
}

/// The input as a Rust expression.
pub(crate) fn input_code(input: &Cutting) -> String {
    if let [(side, Content::Chunk(bytes))] = input.turns()
        && *side == crate::subject::ONLY
    {
        return format!("stream({})", literal(bytes));
    }
    let turns = input.turns().iter().map(|(side, what)| {
        let side = if *side == enjamb::Side::Client { "Client" } else { "Server" };
        let what = match what {
            Content::Chunk(bytes) => format!("enjamb::transcript::Content::Chunk({}.to_vec())", literal(bytes)),
            Content::Gap(missing) => format!("enjamb::transcript::Content::Gap({missing})"),
            Content::Close(ending) => {
                let ending = match ending {
                    Ending::Closed => "Closed",
                    Ending::Reset => "Reset",
                    Ending::Lost => "Lost",
                };
                format!("enjamb::transcript::Content::Close(enjamb::Ending::{ending})")
            }
        };
        format!("(enjamb::Side::{side}, {what})")
    });
    format!("Cutting::of([{}])", turns.collect::<Vec<_>>().join(", "))
}

/// Messages that a violation keeps.
pub(crate) fn kept(messages: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
    Some(messages.iter().map(|message| message.to_vec()).collect())
}

/// Messages as a Rust expression.
pub(crate) fn messages_code(messages: &[&[u8]]) -> String {
    let each = |message: &&[u8]| match literal(message) {
        code if code.starts_with('&') => code,
        code => format!("&{code}[..]"),
    };
    if let [first, rest @ ..] = messages
        && rest.len() > 3
        && rest.iter().all(|message| message == first)
    {
        return format!("&[{}; {}]", each(first), messages.len());
    }
    format!("&[{}]", messages.iter().map(each).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_rust() {
        assert_eq!(literal(b"a\"\r\n'\xff"), r#"b"a\"\r\n'\xff""#);
        let long = [b"x".as_slice(), &b"ab".repeat(300), b"\r\n"].concat();
        assert_eq!(literal(&long), r#"&[b"x".to_vec(), b"ab".repeat(300), b"\r\n".to_vec()].concat()"#);
        assert_eq!(messages_code(&[b"a", b"b"]), "&[&b\"a\"[..], &b\"b\"[..]]");
        assert_eq!(messages_code(&[b"a".as_slice(); 20]), "&[&b\"a\"[..]; 20]");
    }

    #[test]
    fn where_nothing_is_said_there_is_no_table() {
        let told = |of: &str| Told { of: of.to_owned(), said: Vec::new() };
        let mut violation = Violation::total("no".to_owned(), crate::cutting::stream(b"ab"), vec![1]);
        violation.traces = Some([told("whole"), told("cut")]);
        let text = violation.to_string();
        assert!(text.contains("client: \"a|b\"\n\n  nothing is said either time (whole | cut)\n\nas a test"), "{text}");
    }

    #[test]
    fn of_many_turns_those_at_both_ends_are_drawn() {
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
