//! The messages of a live peer, compared with the recorded ones.

use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use enjamb::transcript::Quoted;
use enjamb::{Ending, Outcome, OwnedMessage, Side};
use serde_json::{Value, json};
use similar::{Algorithm, DiffOp, capture_diff_slices, capture_diff_slices_deadline};

use crate::live::masks::Masks;
use crate::live::parsed_conversation::ParsedConversation;

/// The part of two messages that is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompareBy {
    /// All bytes.
    #[default]
    Payload,
    /// The line in the records: kind, outcome, code and summary.
    Summary,
    /// Kind, outcome and code.
    Kind,
}

/// The maximum time for the alignment of recorded and live messages. After that it is approximate.
const ALIGNMENT_TIME: Duration = Duration::from_secs(5);

/// The maximum number of differences of one connection, and of lines of one message, that are
/// shown.
const DIFFERENCES_SHOWN: usize = 20;
const LINES_SHOWN: usize = 24;

/// The maximum number of lines of one message that are compared. The time for it grows with the
/// square.
const LINES_COMPARED: usize = 2000;

/// The maximum length of a shown line, in bytes.
const LINE_BYTES: usize = 72;

/// The number of equal lines that are shown before and after a different one.
const CONTEXT_LINES: usize = 2;

/// The parts of a message that are compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct ComparedMessage {
    kind: String,
    outcome: Outcome,
    code: Option<String>,
    reason: Option<String>,
    /// The bytes or the summary. `None`: not compared, or not known.
    body: Option<Vec<u8>>,
}

/// One difference from the recording.
pub(crate) enum Difference<'h> {
    /// A message is different.
    Changed { recorded: NumberedMessage<'h>, live: NumberedMessage<'h>, lines: Vec<Line> },
    /// A message is missing.
    Missing(NumberedMessage<'h>),
    /// A message is not in the recording.
    More(NumberedMessage<'h>),
    /// The peer's stream ended in another way.
    Ending { recorded: Ending, live: Option<Ending> },
    /// The conversation could not be played to its end.
    Interrupted(String),
}

/// A message, its number from 1, and the message that it answers.
#[derive(Clone, Copy)]
pub(crate) struct NumberedMessage<'h> {
    number: usize,
    message: &'h OwnedMessage,
    answers: Option<&'h OwnedMessage>,
}

/// A line of a diff.
pub(crate) struct Line {
    mark: char,
    text: String,
}

impl Line {
    /// A line that is in neither message.
    fn note(text: &str) -> Self {
        Self { mark: ' ', text: text.to_owned() }
    }
}

/// The line in place of a difference that is not shown.
const HIDDEN: &str = "(the difference is in a secret: --secrets shows it)";

/// The comparison of one side of two conversations.
#[derive(Default)]
pub(crate) struct Comparison<'h> {
    pub(crate) differences: Vec<Difference<'h>>,
    /// The number of messages in the recording.
    pub(crate) messages: usize,
    /// The number of them that are the same.
    pub(crate) same: usize,
    /// The number of messages with bytes missing in the recording, so that their bytes were not
    /// compared.
    pub(crate) with_gaps: usize,
}

impl<'h> Comparison<'h> {
    /// Compares the messages of `side`. Shows secrets only with `secrets`.
    pub(crate) fn new(
        recorded: &'h ParsedConversation,
        live: &'h ParsedConversation,
        side: Side,
        compare: CompareBy,
        masks: Masks<'_>,
        secrets: bool,
    ) -> Self {
        let mut comparison = Self::default();
        let before = selected(recorded, side, masks);
        let after = selected(live, side, masks);
        let of = |messages: &[NumberedMessage<'_>], parsed: &ParsedConversation| -> Vec<ComparedMessage> {
            messages.iter().map(|message| compared(message, parsed, compare, masks)).collect()
        };
        let (mut old, mut new) = (of(&before, recorded), of(&after, live));
        comparison.messages = old.len();
        comparison.with_gaps = before.iter().filter(|placed| recorded.bytes(placed.message).is_none()).count();
        // If the bytes of one message are not known, those of the other are not compared. Messages
        // with the same number are treated as a pair here, since they are not aligned yet.
        if compare == CompareBy::Payload {
            for (old, new) in old.iter_mut().zip(&mut new) {
                if old.body.is_none() || new.body.is_none() {
                    (old.body, new.body) = (None, None);
                }
            }
        }
        let (old_keys, new_keys) = (keys(&before, &old), keys(&after, &new));
        let masked = |message: NumberedMessage<'_>, parsed: &ParsedConversation, body: &Option<Vec<u8>>| {
            let bytes = parsed.redacted_bytes(message.message).filter(|_| compare == CompareBy::Payload && !secrets);
            let bytes = bytes.map(|bytes| masks.apply(bytes, parsed.protocol.as_deref()).into_owned());
            body.as_ref().map(|body| bytes.unwrap_or_else(|| body.clone()))
        };
        let changed = |old_at: usize, new_at: usize| {
            let (was, is) = (before[old_at], after[new_at]);
            // The lines of two messages show their difference, and the bytes only where the lines
            // are equal.
            let lines_differ = MessageLine(was.message).to_string() != MessageLine(is.message).to_string();
            let lines = match (masked(was, recorded, &old[old_at].body), masked(is, live, &new[new_at].body)) {
                (Some(old), Some(new)) if old == new && !lines_differ => vec![Line::note(HIDDEN)],
                (Some(old), Some(new)) => lines(&old, &new, lines_differ),
                _ => Vec::new(),
            };
            Difference::Changed { recorded: was, live: is, lines }
        };
        let deadline = Some(Instant::now() + ALIGNMENT_TIME);
        for op in capture_diff_slices_deadline(Algorithm::Myers, &old_keys, &new_keys, deadline) {
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
            && !masks.hides_ending()
        {
            self.differences.push(Difference::Ending { recorded, live });
        }
    }

    /// Writes the differences for people, under the title of the connection. `noun` is the word for
    /// a message.
    pub(crate) fn show(&self, title: &str, noun: &str, out: &mut dyn Write) -> io::Result<()> {
        let count = self.differences.len();
        writeln!(out, "{title}: {count} difference{}", if count == 1 { "" } else { "s" })?;
        for difference in self.differences.iter().take(DIFFERENCES_SHOWN) {
            match difference {
                Difference::Changed { recorded, live, lines } => {
                    writeln!(out, "  {noun} {}:", MessageTitle(recorded))?;
                    writeln!(out, "  - {}", MessageLine(recorded.message))?;
                    writeln!(out, "  + {}", MessageLine(live.message))?;
                    for Line { mark, text } in lines.iter().take(LINES_SHOWN) {
                        writeln!(out, "      {mark} {text}")?;
                    }
                    if lines.len() > LINES_SHOWN {
                        writeln!(out, "      ({} more lines)", lines.len() - LINES_SHOWN)?;
                    }
                }
                Difference::Missing(placed) => {
                    writeln!(
                        out,
                        "  {noun} {} is missing:\n  - {}",
                        MessageTitle(placed),
                        MessageLine(placed.message)
                    )?;
                }
                Difference::More(placed) => {
                    writeln!(
                        out,
                        "  {noun} {} is not in the recording:\n  + {}",
                        MessageTitle(placed),
                        MessageLine(placed.message)
                    )?;
                }
                Difference::Ending { recorded, live } => {
                    let live = live.map_or("still open", Ending::as_str);
                    writeln!(out, "  the end of the stream:\n  - {}\n  + {live}", recorded.as_str())?;
                }
                Difference::Interrupted(why) => writeln!(out, "  {why}")?,
            }
        }
        if count > DIFFERENCES_SHOWN {
            writeln!(out, "  ({} more)", count - DIFFERENCES_SHOWN)?;
        }
        Ok(())
    }

    /// Returns the differences as records.
    pub(crate) fn to_json(&self) -> Vec<Value> {
        let message = |placed: &NumberedMessage<'_>| {
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

/// Returns the messages of a side that are compared.
fn selected<'h>(parsed: &'h ParsedConversation, side: Side, masks: Masks<'_>) -> Vec<NumberedMessage<'h>> {
    let requests = &parsed.messages[(!side).index()];
    let messages = parsed.messages[side.index()].iter().enumerate();
    messages
        .filter(|(_, message)| !masks.hides(message))
        .map(|(at, message)| {
            let answers = message.answers.and_then(|number| requests.get(usize::try_from(number).ok()?));
            NumberedMessage { number: at + 1, message, answers }
        })
        .collect()
}

/// The key by which recorded and live messages are aligned: the number of the request they answer,
/// since the requests were the same, or the whole message where it answers none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum AlignmentKey<'c> {
    Answers(u64),
    Message(&'c ComparedMessage),
}

fn keys<'c>(placed: &[NumberedMessage<'_>], compared: &'c [ComparedMessage]) -> Vec<AlignmentKey<'c>> {
    let key = |(placed, compared): (&NumberedMessage<'_>, &'c ComparedMessage)| match placed.message.answers {
        Some(number) => AlignmentKey::Answers(number),
        None => AlignmentKey::Message(compared),
    };
    placed.iter().zip(compared).map(key).collect()
}

fn compared(
    placed: &NumberedMessage<'_>,
    parsed: &ParsedConversation,
    compare: CompareBy,
    masks: Masks<'_>,
) -> ComparedMessage {
    let protocol = parsed.protocol.as_deref();
    let message = placed.message;
    let is_hidden = placed.answers.is_some_and(|request| masks.hides_answer_to(request, protocol));
    let body = match compare {
        _ if is_hidden => None,
        CompareBy::Kind => None,
        CompareBy::Summary => Some(masks.apply(message.summary.as_bytes(), protocol).into_owned()),
        CompareBy::Payload => parsed.bytes(message).map(|bytes| masks.apply(bytes, protocol).into_owned()),
    };
    let OwnedMessage { kind, outcome, code, reason, .. } = message;
    // A hidden answer is still compared in one respect: whether it is an error. The code, which
    // names the error, is content.
    let code = code.clone().filter(|_| !is_hidden);
    ComparedMessage { kind: kind.clone(), outcome: *outcome, code, reason: reason.clone(), body }
}

/// Returns the lines that differ, each as a quoted string, with context. Returns none where two
/// messages have no line in common and their summaries already differ.
fn lines(old: &[u8], new: &[u8], lines_differ: bool) -> Vec<Line> {
    let split = |bytes: &[u8]| -> Vec<String> {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').flat_map(|line| line.chunks(LINE_BYTES));
        lines.map(|line| Quoted(line).to_string()).collect()
    };
    let (old, new) = (split(old), split(new));
    let mut lines = Vec::new();
    // A long message is compared from its first difference on, since no more than that is shown.
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let start = same.saturating_sub(CONTEXT_LINES);
    if start > 0 {
        lines.push(Line::note(&format!("({start} lines the same)")));
    }
    let near = |lines: &[String]| lines[start..lines.len().min(start + LINES_COMPARED)].to_vec();
    let (old, new) = (near(&old), near(&new));
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    if lines_differ && ops.iter().all(|op| !matches!(op, DiffOp::Equal { .. })) {
        return lines;
    }
    for (at, op) in ops.iter().enumerate() {
        if let DiffOp::Equal { old_index, len, .. } = *op {
            let same = &old[old_index..old_index + len];
            let head = if at == 0 { len } else { CONTEXT_LINES.min(len) };
            let tail = if at + 1 == ops.len() { 0 } else { CONTEXT_LINES.min(len - head) };
            lines.extend(same[..head].iter().map(|text| Line { mark: ' ', text: text.clone() }));
            if head + tail < len {
                lines.push(Line::note(&format!("({} lines the same)", len - head - tail)));
            }
            lines.extend(same[len - tail..].iter().map(|text| Line { mark: ' ', text: text.clone() }));
            continue;
        }
        lines.extend(old[op.old_range()].iter().map(|text| Line { mark: '-', text: text.clone() }));
        lines.extend(new[op.new_range()].iter().map(|text| Line { mark: '+', text: text.clone() }));
    }
    lines
}

/// The number of a message and the message it answers, for people.
struct MessageTitle<'a, 'h>(&'a NumberedMessage<'h>);

impl fmt::Display for MessageTitle<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NumberedMessage { number, answers, .. } = self.0;
        write!(f, "{number}")?;
        match answers {
            Some(request) => write!(f, ", to {}", ShortText(&request.summary)),
            None => Ok(()),
        }
    }
}

/// A message in one line.
struct MessageLine<'a>(&'a OwnedMessage);

impl fmt::Display for MessageLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OwnedMessage { kind, outcome, code, reason, summary, .. } = self.0;
        write!(f, "{kind}")?;
        if *outcome != Outcome::Ok {
            write!(f, " {outcome}")?;
        }
        if let Some(reason) = reason.as_ref().or(code.as_ref().filter(|_| *outcome != Outcome::Ok)) {
            write!(f, " ({reason})")?;
        }
        if summary.is_empty() { Ok(()) } else { write!(f, " {}", ShortText(summary)) }
    }
}

/// The beginning of a text from the wire, escaped.
struct ShortText<'a>(&'a str);

impl fmt::Display for ShortText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHARS_MAX: usize = 100;
        for (at, c) in self.0.chars().enumerate() {
            if at == CHARS_MAX {
                return f.write_str("…");
            }
            if c.is_control() { write!(f, "{}", c.escape_debug())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}
