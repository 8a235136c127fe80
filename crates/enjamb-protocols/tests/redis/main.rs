//! Redis: the messages of conversations, and that the cuts do not change them.

mod cases;
mod limits;
mod loss;
mod random;
mod sniff;

use std::fmt::Write as _;

use enjamb::{Ending, OwnedMessage, Side};
use enjamb_protocols::redis;

/// The maximum number of bytes that a session may hold: excerpts, lines, the stack and the queue.
const HELD_MAX: usize = 64 << 10;

/// Something that happens on one side.
#[derive(Clone, Debug)]
enum Step {
    Feed(Side, Vec<u8>),
    Gap(Side, u64),
    Close(Side, Ending),
}

fn client(bytes: impl AsRef<[u8]>) -> Step {
    Step::Feed(Side::Client, bytes.as_ref().to_vec())
}

fn server(bytes: impl AsRef<[u8]>) -> Step {
    Step::Feed(Side::Server, bytes.as_ref().to_vec())
}

/// Plays the steps, each chunk cut by `cut`, and checks every trace.
fn trace(steps: &[Step], mut cut: impl FnMut(usize, &[u8]) -> Vec<Vec<u8>>) -> Vec<OwnedMessage> {
    let mut session = redis::session();
    let mut seen = Vec::new();
    let mut fed = [0u64; 2];
    let mut holes: [Vec<(u64, u64)>; 2] = Default::default();
    let mut at = 0;
    for step in steps {
        let mut out = |message: &enjamb::Message<'_>| seen.push(message.to_owned());
        match step {
            Step::Feed(side, bytes) => {
                for piece in cut(at, bytes) {
                    session.feed(*side, &piece, &mut out);
                    assert!(session.held() <= HELD_MAX, "holds {} bytes", session.held());
                }
                at += bytes.len();
                fed[side.index()] += bytes.len() as u64;
            }
            Step::Gap(side, missing) => {
                session.gap(*side, *missing, &mut out);
                holes[side.index()].push((fed[side.index()], *missing));
                fed[side.index()] += missing;
            }
            Step::Close(side, ending) => session.close(*side, *ending, &mut out),
        }
    }
    let mut out = |message: &enjamb::Message<'_>| seen.push(message.to_owned());
    for side in Side::BOTH {
        session.close(side, Ending::Closed, &mut out);
    }
    for side in Side::BOTH {
        assert_tiles(&seen, side, fed[side.index()], &holes[side.index()]);
    }
    for message in &seen {
        if let Some(ordinal) = message.answers {
            let commands = seen.iter().filter(|message| message.side == Side::Client).count() as u64;
            assert!(message.side == Side::Server && ordinal < commands, "answers nobody: {message}");
        }
    }
    seen
}

/// Checks that the messages of a side follow each other, except for gaps.
fn assert_tiles(seen: &[OwnedMessage], side: Side, fed: u64, holes: &[(u64, u64)]) {
    let mut end = 0;
    let over_holes = |mut end: u64, to: u64| {
        for &(at, missing) in holes {
            if at == end && end < to {
                end += missing;
            }
        }
        end
    };
    for message in seen.iter().filter(|message| message.side == side) {
        assert!(message.span.length > 0, "empty: {message}");
        assert_eq!(over_holes(end, message.span.offset), message.span.offset, "does not follow {end}: {message}");
        end = message.span.end();
    }
    assert_eq!(over_holes(end, fed), fed, "bytes of the {side} are left out: {seen:#?}");
}

fn whole(steps: &[Step]) -> Vec<OwnedMessage> {
    trace(steps, |_, bytes| vec![bytes.to_vec()])
}

/// Checks cuts into single bytes, at every place, and at every two places.
fn assert_same_for_every_cut(name: &str, steps: &[Step]) {
    let expected = whole(steps);
    let single = trace(steps, |_, bytes| bytes.chunks(1).map(<[u8]>::to_vec).collect());
    assert_eq!(say(&single), say(&expected), "{name}: byte by byte");
    let total: usize = steps.iter().map(|step| if let Step::Feed(_, bytes) = step { bytes.len() } else { 0 }).sum();
    let two = total <= 220;
    for first in 1..total {
        for second in first..if two { total } else { first + 1 } {
            let cut = trace(steps, |at, bytes| {
                let mut places: Vec<usize> = [first, second]
                    .into_iter()
                    .filter_map(|place| place.checked_sub(at).filter(|&place| place < bytes.len()))
                    .collect();
                places.push(bytes.len());
                let mut from = 0;
                places.into_iter().map(|to| bytes[std::mem::replace(&mut from, to)..to].to_vec()).collect()
            });
            assert_eq!(cut, expected, "{name}: cut at {first} and {second}");
        }
    }
}

/// Writes one line for each message.
fn say(messages: &[OwnedMessage]) -> String {
    let mut text = String::new();
    for message in messages {
        let OwnedMessage { side, kind, span, outcome, code, reason, flags, answers, summary } = message;
        let mark = if *side == Side::Client { '>' } else { '<' };
        write!(text, "{mark} {kind} {}+{}", span.offset, span.length).unwrap();
        if outcome.as_str() != "ok" {
            write!(text, " {outcome}").unwrap();
        }
        if let Some(code) = code {
            write!(text, " {code}").unwrap();
        }
        if let Some(reason) = reason {
            write!(text, " ({reason})").unwrap();
        }
        if !flags.is_empty() {
            write!(text, " [{flags}]").unwrap();
        }
        if let Some(answers) = answers {
            write!(text, " #{answers}").unwrap();
        }
        text.push_str(": ");
        summary.chars().for_each(|c| if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) });
        text.push('\n');
    }
    text
}
