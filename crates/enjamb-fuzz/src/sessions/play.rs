//! A conversation played to a session, and a digest of what the session emits.
//!
//! A fuzzer plays millions of conversations of which almost all are right. So nothing is kept of a
//! run but a hash. Only when two hashes differ are the messages compared one by one, by the law.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use enjamb::{Ending, Message, Session, Side};
use enjamb_law::{Cutting, Event};
use foldhash::fast::{FixedState, FoldHasher};

/// The ways to cut a conversation.
#[derive(Clone, Copy)]
pub(crate) enum Cuts<'c> {
    /// Each turn in one chunk.
    Whole,
    /// Before each of these bytes.
    At(&'c [usize]),
    /// Each byte in a chunk of its own.
    Everywhere,
}

/// The result of a run: the number of messages and a hash of all their fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) messages: u64,
    hash: u64,
}

/// Receives messages and hashes them.
struct Digester {
    hasher: FoldHasher<'static>,
    messages: u64,
    summary: String,
}

impl Digester {
    fn message(&mut self, message: &Message<'_>) {
        self.messages += 1;
        // A summary may be written in other pieces if its message was cut.
        self.summary.clear();
        let _ = write!(self.summary, "{}", message.summary);
        let Message { side, kind, span, outcome, code, reason, answers, .. } = message;
        (side.index(), kind, span, outcome, code, reason, answers).hash(&mut self.hasher);
        (message.flags.as_str(), self.summary.as_str()).hash(&mut self.hasher);
    }
}

/// Checks that the messages of each side tile its stream.
#[derive(Default)]
pub(crate) struct Tiling {
    /// The offset behind the last message of each side.
    behind: [u64; 2],
    /// The number of bytes of each side, missing ones included.
    fed: [u64; 2],
    /// The gaps: side, offset, length.
    gaps: Vec<(Side, u64, u64)>,
    broken: Option<String>,
}

impl Tiling {
    fn fed(&mut self, side: Side, event: &Event<'_>) {
        match event {
            Event::Chunk(bytes) => self.fed[side.index()] += bytes.len() as u64,
            Event::Gap(missing) => {
                self.gaps.push((side, self.fed[side.index()], *missing));
                self.fed[side.index()] = self.fed[side.index()].saturating_add(*missing);
            }
            Event::Again | Event::Close(_) => {}
        }
    }

    /// Moves `at` behind the gaps that begin there or contain it, up to `end`.
    fn skip_gaps(&self, side: Side, mut at: u64, end: u64) -> u64 {
        while at < end {
            let gap = self
                .gaps
                .iter()
                .find(|(of, from, length)| *of == side && *from <= at && at < from.saturating_add(*length));
            let Some((_, from, length)) = gap else { break };
            at = from.saturating_add(*length).min(end);
        }
        at
    }

    fn message(&mut self, message: &Message<'_>) {
        let (side, span) = (message.side, message.span);
        let at = self.skip_gaps(side, self.behind[side.index()], span.offset);
        if self.broken.is_none() && (at != span.offset || span.length == 0) {
            self.broken = Some(format!("{side}: the message {message:?} does not begin at byte {at}"));
        }
        self.behind[side.index()] = span.end();
    }

    /// Returns what is wrong with the messages of a conversation that has ended.
    pub(crate) fn verdict(mut self) -> Option<String> {
        for side in Side::BOTH {
            let (behind, fed) = (self.behind[side.index()], self.fed[side.index()]);
            let at = self.skip_gaps(side, behind, fed);
            if self.broken.is_none() && at != fed {
                self.broken = Some(format!("{side}: no message has byte {at} of {fed}"));
            }
        }
        self.broken
    }
}

/// Plays a conversation. Sides that it does not close are closed at its end.
pub(crate) fn play(
    session: &mut dyn Session,
    input: &Cutting,
    cuts: Cuts<'_>,
    before: &mut dyn FnMut(Side, &Event<'_>, usize),
    out: &mut dyn FnMut(&Message<'_>),
) {
    let mut open = [true; 2];
    let mut feed = |side: Side, event: Event<'_>| {
        if !open[side.index()] {
            return;
        }
        before(side, &event, session.held());
        match event {
            Event::Chunk(bytes) => session.feed(side, bytes, &mut *out),
            Event::Again => session.feed(side, &[], &mut *out),
            Event::Gap(missing) => session.gap(side, missing, &mut *out),
            Event::Close(ending) => {
                open[side.index()] = false;
                session.close(side, ending, &mut *out);
            }
        }
    };
    match cuts {
        Cuts::Whole => input.cut(&[]).for_each(|(side, event)| feed(side, event)),
        Cuts::At(cuts) => input.cut(cuts).for_each(|(side, event)| feed(side, event)),
        Cuts::Everywhere => {
            for (side, event) in input.cut(&[]) {
                match event {
                    Event::Chunk(bytes) => bytes.chunks(1).for_each(|byte| feed(side, Event::Chunk(byte))),
                    event => feed(side, event),
                }
            }
        }
    }
    for side in Side::BOTH {
        feed(side, Event::Close(Ending::Lost));
    }
}

/// Plays a conversation and returns the digest of the messages.
pub(crate) fn digest(session: &mut dyn Session, input: &Cutting, cuts: Cuts<'_>) -> Digest {
    digest_with(session, input, cuts, &mut |_, _, _| {}, &mut |_| {})
}

/// Plays a conversation. Returns the digest of the messages, what is wrong with their places, and
/// the largest number of bytes that the session held.
pub(crate) fn digest_and_tile(session: &mut dyn Session, input: &Cutting) -> (Digest, Option<String>, usize) {
    let tiling = std::cell::RefCell::new(Tiling::default());
    let mut held_max = 0;
    let digest = digest_with(
        session,
        input,
        Cuts::Whole,
        &mut |side, event, held| {
            held_max = held_max.max(held);
            tiling.borrow_mut().fed(side, event);
        },
        &mut |message| tiling.borrow_mut().message(message),
    );
    (digest, tiling.into_inner().verdict(), held_max)
}

fn digest_with(
    session: &mut dyn Session,
    input: &Cutting,
    cuts: Cuts<'_>,
    before: &mut dyn FnMut(Side, &Event<'_>, usize),
    also: &mut dyn FnMut(&Message<'_>),
) -> Digest {
    let mut digester =
        Digester { hasher: FixedState::default().build_hasher(), messages: 0, summary: String::with_capacity(128) };
    play(session, input, cuts, before, &mut |message| {
        digester.message(message);
        also(message);
    });
    Digest { messages: digester.messages, hash: digester.hasher.finish() }
}
