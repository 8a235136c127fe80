//! What a live peer said, beside what was recorded of it, message by message.

use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use enjamb::transcript::Quoted;
use enjamb::{Ending, Outcome, OwnedMessage, Side};
use serde_json::{Value, json};
use similar::{Algorithm, DiffOp, capture_diff_slices, capture_diff_slices_deadline};

use crate::listening::Heard;
use crate::masks::Masks;

/// How much of two messages must be the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compare {
    /// All of their bytes.
    #[default]
    Payload,
    /// Their line in the records: kind, outcome, code and summary.
    Summary,
    /// Their kind, outcome and code.
    Kind,
}

/// How long it may take to find out which messages are which.
const ALIGNING: Duration = Duration::from_secs(5);

/// Messages of one connection that are shown, and lines of one message.
const MOST_MESSAGES: usize = 20;
const MOST_LINES: usize = 24;

/// Lines of one message that are compared. The time for it grows with the square.
const MOST_COMPARED: usize = 2000;

/// Bytes of a line that is shown.
const LINE: usize = 72;

/// Lines that are the same, shown before and after one that is not.
const AROUND: usize = 2;

/// What is compared of a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Compared {
    kind: String,
    outcome: Outcome,
    code: Option<String>,
    reason: Option<String>,
    /// `None`: it is not compared, or not known.
    body: Option<Vec<u8>>,
}

/// Something that is not as it was recorded.
pub(crate) enum Difference<'h> {
    /// A message says something else.
    Changed { recorded: Placed<'h>, live: Placed<'h>, lines: Vec<Line> },
    /// A message did not come.
    Missing(Placed<'h>),
    /// A message came that is not in the recording.
    More(Placed<'h>),
    /// The peer's stream ended in another way.
    Ending { recorded: Ending, live: Option<Ending> },
    /// It could not be played to its end.
    Interrupted(String),
}

/// A message, its number from 1, and the message that it answers.
#[derive(Clone, Copy)]
pub(crate) struct Placed<'h> {
    number: usize,
    message: &'h OwnedMessage,
    answers: Option<&'h OwnedMessage>,
}

/// A line of a diff.
pub(crate) struct Line {
    mark: char,
    text: String,
}

/// How what one peer said compares.
#[derive(Default)]
pub(crate) struct Comparison<'h> {
    pub(crate) differences: Vec<Difference<'h>>,
    /// Messages of the recording.
    pub(crate) messages: usize,
    /// Those that are as they were recorded.
    pub(crate) same: usize,
    /// Messages of which bytes are missing in the recording, so that they were not compared.
    pub(crate) holes: usize,
}

impl<'h> Comparison<'h> {
    /// Of what `side` said.
    pub(crate) fn of(recorded: &'h Heard, live: &'h Heard, side: Side, compare: Compare, masks: Masks<'_>) -> Self {
        let mut comparison = Self::default();
        let before = selected(recorded, side, masks);
        let after = selected(live, side, masks);
        let of = |placed: &[Placed<'_>], heard: &Heard| -> Vec<Compared> {
            placed.iter().map(|placed| compared(placed, heard, compare, masks)).collect()
        };
        let (mut old, mut new) = (of(&before, recorded), of(&after, live));
        comparison.messages = old.len();
        comparison.holes = before.iter().filter(|placed| recorded.bytes(placed.message).is_none()).count();
        // What is not known of one is not compared with what is known of the other. That needs their places, which are those of their numbers here.
        if compare == Compare::Payload {
            for (old, new) in old.iter_mut().zip(&mut new) {
                if old.body.is_none() || new.body.is_none() {
                    (old.body, new.body) = (None, None);
                }
            }
        }
        let (old_places, new_places) = (places(&before, &old), places(&after, &new));
        let changed = |recorded: usize, live: usize| {
            let (old, new) = (&old[recorded], &new[live]);
            let (recorded, live) = (before[recorded], after[live]);
            // A message is told by its line, and its bytes only where that says too little.
            let told_apart = Told(recorded.message).to_string() != Told(live.message).to_string();
            Difference::Changed { recorded, live, lines: lines(old, new, told_apart) }
        };
        let deadline = Some(Instant::now() + ALIGNING);
        for op in capture_diff_slices_deadline(Algorithm::Myers, &old_places, &new_places, deadline) {
            let (from, to) = (op.old_range(), op.new_range());
            let both = from.len().min(to.len());
            for (recorded, live) in from.clone().zip(to.clone()) {
                if old[recorded] == new[live] {
                    comparison.same += 1;
                } else {
                    comparison.differences.push(changed(recorded, live));
                }
            }
            comparison.differences.extend(before[from].iter().skip(both).map(|placed| Difference::Missing(*placed)));
            comparison.differences.extend(after[to].iter().skip(both).map(|placed| Difference::More(*placed)));
        }
        comparison.compare_endings(recorded.endings[side.index()], live.endings[side.index()], masks);
        comparison
    }

    fn compare_endings(&mut self, recorded: Option<Ending>, live: Option<Ending>, masks: Masks<'_>) {
        let live = live.filter(|ending| *ending != Ending::Lost);
        if let Some(recorded @ (Ending::Closed | Ending::Reset)) = recorded
            && live != Some(recorded)
            && !masks.any_ending()
        {
            self.differences.push(Difference::Ending { recorded, live });
        }
    }

    /// Writes the differences for people, under the title of the connection. `noun` is what its messages are called.
    pub(crate) fn show(&self, title: &str, noun: &str, out: &mut dyn Write) -> io::Result<()> {
        let count = self.differences.len();
        writeln!(out, "{title}: {count} difference{}", if count == 1 { "" } else { "s" })?;
        for difference in self.differences.iter().take(MOST_MESSAGES) {
            match difference {
                Difference::Changed { recorded, live, lines } => {
                    writeln!(out, "  {noun} {}:", Title(recorded))?;
                    writeln!(out, "  - {}", Told(recorded.message))?;
                    writeln!(out, "  + {}", Told(live.message))?;
                    for Line { mark, text } in lines.iter().take(MOST_LINES) {
                        writeln!(out, "      {mark} {text}")?;
                    }
                    if lines.len() > MOST_LINES {
                        writeln!(out, "      ({} lines more)", lines.len() - MOST_LINES)?;
                    }
                }
                Difference::Missing(placed) => {
                    writeln!(out, "  {noun} {} is missing:\n  - {}", Title(placed), Told(placed.message))?;
                }
                Difference::More(placed) => {
                    writeln!(out, "  {noun} {} is not in the recording:\n  + {}", Title(placed), Told(placed.message))?;
                }
                Difference::Ending { recorded, live } => {
                    let live = live.map_or("still open", Ending::as_str);
                    writeln!(out, "  the end of the stream:\n  - {}\n  + {live}", recorded.as_str())?;
                }
                Difference::Interrupted(why) => writeln!(out, "  {why}")?,
            }
        }
        if count > MOST_MESSAGES {
            writeln!(out, "  ({} more)", count - MOST_MESSAGES)?;
        }
        Ok(())
    }

    /// The differences for programs.
    pub(crate) fn to_json(&self) -> Vec<Value> {
        let message = |placed: &Placed<'_>| {
            let OwnedMessage { kind, outcome, code, summary, .. } = placed.message;
            let answers = placed.answers.map(|answers| &answers.kind);
            json!({ "number": placed.number, "kind": kind, "outcome": outcome.as_str(), "code": code, "summary": summary, "answers": answers })
        };
        let record = |difference: &Difference<'_>| match difference {
            Difference::Changed { recorded, live, lines } => json!({
                "type": "difference", "what": "changed", "recorded": message(recorded), "live": message(live),
                "diff": lines.iter().map(|Line { mark, text }| format!("{mark} {text}")).collect::<Vec<_>>(),
            }),
            Difference::Missing(recorded) => {
                json!({ "type": "difference", "what": "missing", "recorded": message(recorded) })
            }
            Difference::More(live) => json!({ "type": "difference", "what": "more", "live": message(live) }),
            Difference::Ending { recorded, live } => json!({
                "type": "difference", "what": "ending", "recorded": recorded.as_str(), "live": live.map(Ending::as_str),
            }),
            Difference::Interrupted(why) => json!({ "type": "difference", "what": "interrupted", "reason": why }),
        };
        self.differences.iter().map(record).collect()
    }
}

/// The messages of a side that are compared.
fn selected<'h>(heard: &'h Heard, side: Side, masks: Masks<'_>) -> Vec<Placed<'h>> {
    let requests = &heard.messages[(!side).index()];
    let messages = heard.messages[side.index()].iter().enumerate();
    messages
        .filter(|(_, message)| !masks.leave_out(message))
        .map(|(at, message)| {
            let answers = message.answers.and_then(|number| requests.get(usize::try_from(number).ok()?));
            Placed { number: at + 1, message, answers }
        })
        .collect()
}

/// What two messages have in common that are the same one, whatever they say: the request they answer, which was the same; where they answer none, what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Place<'c> {
    Answers(u64),
    Says(&'c Compared),
}

fn places<'c>(placed: &[Placed<'_>], compared: &'c [Compared]) -> Vec<Place<'c>> {
    let place = |(placed, compared): (&Placed<'_>, &'c Compared)| match placed.message.answers {
        Some(number) => Place::Answers(number),
        None => Place::Says(compared),
    };
    placed.iter().zip(compared).map(place).collect()
}

fn compared(placed: &Placed<'_>, heard: &Heard, compare: Compare, masks: Masks<'_>) -> Compared {
    let protocol = heard.protocol.as_deref();
    let message = placed.message;
    let any = placed.answers.is_some_and(|request| masks.any_answer_to(request, protocol));
    let body = match compare {
        _ if any => None,
        Compare::Kind => None,
        Compare::Summary => Some(masks.apply(message.summary.as_bytes(), protocol).into_owned()),
        Compare::Payload => heard.bytes(message).map(|bytes| masks.apply(bytes, protocol).into_owned()),
    };
    let OwnedMessage { kind, outcome, code, reason, .. } = message;
    // Whether an answer that may be any is an error is compared; which error, is what it says.
    let code = code.clone().filter(|_| !any);
    Compared { kind: kind.clone(), outcome: *outcome, code, reason: reason.clone(), body }
}

/// The lines that differ, each as a quoted string, with some around them. None where two messages have nothing in common: their summaries tell that.
fn lines(old: &Compared, new: &Compared, told_apart: bool) -> Vec<Line> {
    let (Some(old), Some(new)) = (&old.body, &new.body) else { return Vec::new() };
    let split = |bytes: &[u8]| -> Vec<String> {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').flat_map(|line| line.chunks(LINE));
        lines.map(|line| Quoted(line).to_string()).collect()
    };
    let (old, new) = (split(old), split(new));
    let mut lines = Vec::new();
    // What is long is compared where the first difference is: that is all of it that is shown.
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let start = same.saturating_sub(AROUND);
    if start > 0 {
        lines.push(Line { mark: ' ', text: format!("({start} lines the same)") });
    }
    let near = |lines: &[String]| lines[start..lines.len().min(start + MOST_COMPARED)].to_vec();
    let (old, new) = (near(&old), near(&new));
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    if told_apart && ops.iter().all(|op| !matches!(op, DiffOp::Equal { .. })) {
        return lines;
    }
    for (at, op) in ops.iter().enumerate() {
        if let DiffOp::Equal { old_index, len, .. } = *op {
            let same = &old[old_index..old_index + len];
            let head = if at == 0 { len } else { AROUND.min(len) };
            let tail = if at + 1 == ops.len() { 0 } else { AROUND.min(len - head) };
            lines.extend(same[..head].iter().map(|text| Line { mark: ' ', text: text.clone() }));
            if head + tail < len {
                lines.push(Line { mark: ' ', text: format!("({} lines the same)", len - head - tail) });
            }
            lines.extend(same[len - tail..].iter().map(|text| Line { mark: ' ', text: text.clone() }));
            continue;
        }
        lines.extend(old[op.old_range()].iter().map(|text| Line { mark: '-', text: text.clone() }));
        lines.extend(new[op.new_range()].iter().map(|text| Line { mark: '+', text: text.clone() }));
    }
    lines
}

/// Its number and what it answers.
struct Title<'a, 'h>(&'a Placed<'h>);

impl fmt::Display for Title<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Placed { number, answers, .. } = self.0;
        write!(f, "{number}")?;
        match answers {
            Some(request) => write!(f, ", to {}", Short(&request.summary)),
            None => Ok(()),
        }
    }
}

/// A message in a line.
struct Told<'a>(&'a OwnedMessage);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OwnedMessage { kind, outcome, code, reason, summary, .. } = self.0;
        write!(f, "{kind}")?;
        if *outcome != Outcome::Ok {
            write!(f, " {outcome}")?;
        }
        if let Some(reason) = reason.as_ref().or(code.as_ref().filter(|_| *outcome != Outcome::Ok)) {
            write!(f, " ({reason})")?;
        }
        if summary.is_empty() { Ok(()) } else { write!(f, " {}", Short(summary)) }
    }
}

/// A text from strangers, at most a line of it, escaped.
struct Short<'a>(&'a str);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 100;
        for (at, c) in self.0.chars().enumerate() {
            if at == MOST {
                return f.write_str("…");
            }
            if c.is_control() { write!(f, "{}", c.escape_debug())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}
