//! Conversations, cut into small ones that stand by themselves.
//!
//! A long conversation is cut where it is *idle*: both sides are between two messages, everything asked was answered, and the client speaks next. A piece counts only when a
//! fresh session says of it what the session of the whole conversation said: one that needs what came before (a subscription, a request whose answer
//! follows) does not stand by itself and is left out.

use std::collections::{BTreeSet, VecDeque};
use std::ops::AddAssign;

use enjamb::transcript::{Content, Entry};
use enjamb::{Ending, Message, OwnedMessage, Session, Side, Time, Transcript};
use enjamb_protocols::Registry;

use crate::signature::{Cut, event, kind, step};

/// A conversation that stands by itself.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Its protocol by name, and its times from its first entry on.
    pub(crate) transcript: Transcript,
    pub(crate) steps: Vec<String>,
    /// The kinds of its messages.
    pub(crate) kinds: BTreeSet<String>,
}

/// Why pieces were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// No byte was said.
    pub(crate) silent: u64,
    /// More bytes between two idle moments than a piece may have.
    pub(crate) large: u64,
    /// They say something else without what came before.
    pub(crate) dependent: u64,
    /// Nobody knows what they speak.
    pub(crate) unknown: u64,
}

impl AddAssign for LeftOut {
    fn add_assign(&mut self, more: Self) {
        let Self { silent, large, dependent, unknown } = more;
        self.silent += silent;
        self.large += large;
        self.dependent += dependent;
        self.unknown += unknown;
    }
}

/// What came of a part of a conversation.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) left_out: LeftOut,
    /// The kinds of all messages, also of those that are left out.
    pub(crate) kinds: BTreeSet<String>,
}

/// How many kinds of messages of a conversation are told apart. Where somebody takes random bytes for kinds, there is no end of them.
const MOST_KINDS: usize = 1000;

/// One connection, and the piece that it is at.
pub(crate) struct Talk {
    session: Box<dyn Session>,
    protocol: String,
    /// The most payload of a piece, in bytes.
    most: usize,
    sides: [Stream; 2],
    client_messages: u64,
    /// One more than the number of the last client's message that was answered; `None` where nothing is ever answered.
    answered: Option<u64>,
    piece: Growing,
    /// The piece was too large: nothing is kept until the next idle moment.
    skipping: bool,
    taken: Taken,
}

/// How far one side has come.
#[derive(Clone, Copy, Default)]
struct Stream {
    /// Bytes that came and bytes that are missing.
    offset: u64,
    /// Where the last message ends.
    said: u64,
    closed: bool,
}

/// A piece in the making.
#[derive(Default)]
struct Growing {
    entries: Vec<Entry>,
    payload: usize,
    said: Vec<OwnedMessage>,
    /// How much of the streams, and how many of the client's messages, came before it.
    before: Before,
    /// The last idle moment in it: how many entries and messages, and how much payload lie before it.
    idle: Option<(usize, usize, usize, Before)>,
}

#[derive(Clone, Copy, Default)]
struct Before {
    offsets: [u64; 2],
    messages: u64,
}

impl Growing {
    /// Takes away what lies before the last idle moment; `None` where there is none or nothing lies before it.
    fn split_off(&mut self) -> Option<Self> {
        let (entries, said, payload, before) = self.idle.take().filter(|idle| idle.0 > 0)?;
        let rest = Self {
            entries: self.entries.split_off(entries),
            said: self.said.split_off(said),
            payload: self.payload - payload,
            before,
            idle: None,
        };
        Some(std::mem::replace(self, rest))
    }
}

impl Talk {
    /// Of a protocol by this name, in pieces of so many bytes at the most.
    pub(crate) fn new(session: Box<dyn Session>, protocol: String, most: usize) -> Self {
        Self {
            session,
            protocol,
            most,
            sides: [Stream::default(); 2],
            client_messages: 0,
            answered: None,
            piece: Growing::default(),
            skipping: false,
            taken: Taken::default(),
        }
    }

    /// What has come of it since this was asked last.
    pub(crate) fn taken(&mut self) -> Taken {
        std::mem::take(&mut self.taken)
    }

    /// Does something to the session, and takes down what it says.
    fn hear(&mut self, act: impl FnOnce(&mut dyn Session, &mut dyn FnMut(&Message<'_>))) {
        let Self { session, protocol, sides, client_messages, answered, piece, taken, .. } = self;
        act(session.as_mut(), &mut |message| {
            if protocol != message.protocol {
                message.protocol.clone_into(protocol);
            }
            *client_messages += u64::from(message.side == Side::Client);
            if let Some(number) = message.answers {
                *answered = (*answered).max(Some(number.saturating_add(1)));
            }
            sides[message.side.index()].said = message.span.end();
            let message = message.to_owned();
            if message.kind != OPAQUE && taken.kinds.len() < MOST_KINDS {
                taken.kinds.insert(kind(&message));
            }
            piece.said.push(message);
        });
    }

    fn is_idle(&self) -> bool {
        self.sides.iter().all(|side| side.said == side.offset && !side.closed)
            && self.answered.is_none_or(|answered| answered == self.client_messages)
    }

    fn before(&self) -> Before {
        Before { offsets: [self.sides[0].offset, self.sides[1].offset], messages: self.client_messages }
    }

    /// A piece is whole. `ends`: its conversation ends with it.
    fn whole(&mut self, piece: Growing, registry: &Registry, ends: bool) {
        if piece.payload == 0 {
            return;
        }
        // What is in no protocol exercises none.
        let resolved = registry.resolve(&self.protocol);
        let (Ok(resolved), false) = (resolved, piece.said.iter().all(|message| message.kind == OPAQUE)) else {
            self.taken.left_out.unknown += 1;
            return;
        };
        let start = piece.entries.first().map(|entry| entry.time).unwrap_or_default();
        let mut entries = piece.entries;
        for entry in &mut entries {
            entry.time = Time::from_nanos(entry.time.nanos().saturating_sub(start.nanos()));
        }
        let transcript = Transcript { protocol: Some(self.protocol.clone()), entries };
        let (said, steps) = says(resolved.session(None).as_mut(), &transcript, ends);
        if said != alone(piece.said, piece.before) {
            self.taken.left_out.dependent += 1;
            return;
        }
        let kinds = said.iter().map(kind).collect();
        self.taken.pieces.push(Piece { transcript, steps, kinds });
    }

    /// The next of the conversation.
    pub(crate) fn entry(&mut self, entry: Entry, registry: &Registry) {
        let length = if let Content::Chunk(bytes) = &entry.content { bytes.len() } else { 0 };
        if length > 0 && entry.side == Side::Client && self.is_idle() {
            let before = self.before();
            if std::mem::take(&mut self.skipping) {
                self.piece = Growing { before, ..Growing::default() };
            }
            let piece = &mut self.piece;
            piece.idle = Some((piece.entries.len(), piece.said.len(), piece.payload, before));
        }
        if self.piece.payload + length > self.most && !self.skipping {
            let whole = self.piece.split_off();
            self.skipping = self.piece.payload + length > self.most;
            self.taken.left_out.large += u64::from(self.skipping);
            if let Some(whole) = whole {
                self.whole(whole, registry, false);
            }
        }
        match &entry.content {
            Content::Chunk(bytes) => {
                self.sides[entry.side.index()].offset += length as u64;
                self.hear(|session, out| session.feed(entry.side, bytes, out));
            }
            Content::Gap(missing) => {
                self.hear(|session, out| session.gap(entry.side, *missing, out));
                self.sides[entry.side.index()].offset += missing;
            }
            Content::Close(ending) => {
                self.hear(|session, out| session.close(entry.side, *ending, out));
                self.sides[entry.side.index()].closed = true;
            }
        }
        if self.skipping {
            self.piece = Growing::default();
        } else {
            self.piece.payload += length;
            self.piece.entries.push(entry);
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self, registry: &Registry) {
        self.taken.left_out.silent += u64::from(self.sides.iter().all(|side| side.offset == 0));
        for side in Side::BOTH {
            if !self.sides[side.index()].closed {
                self.hear(|session, out| session.close(side, Ending::Lost, out));
            }
        }
        if !self.skipping {
            let piece = std::mem::take(&mut self.piece);
            self.whole(piece, registry, true);
        }
    }
}

/// The kind of what is bytes and no messages.
const OPAQUE: &str = "opaque";

/// What `session` says of a transcript, and the steps it takes; sides that are open at its end are lost when it `ends`.
pub(crate) fn says(session: &mut dyn Session, transcript: &Transcript, ends: bool) -> (Vec<OwnedMessage>, Vec<String>) {
    let mut said = Vec::new();
    let mut steps = Vec::new();
    let mut lanes = [Lane::default(), Lane::default()];
    let mut open = [true; 2];
    let end = Side::BOTH.map(|side| (side, Content::Close(Ending::Lost)));
    let entries = transcript.entries.iter().map(|entry| (entry.side, &entry.content, true));
    for (side, what, written) in entries.chain(end.iter().filter(|_| ends).map(|(side, what)| (*side, what, false))) {
        let index = side.index();
        if !open[index] {
            continue;
        }
        if let Content::Chunk(bytes) = what {
            lanes[index].chunk(bytes.len());
        }
        let mut out = |message: &Message<'_>| {
            steps.push(step(message, lanes[message.side.index()].message(message)));
            said.push(message.to_owned());
        };
        match what {
            Content::Chunk(bytes) => session.feed(side, bytes, &mut out),
            Content::Gap(missing) => session.gap(side, *missing, &mut out),
            Content::Close(ending) => session.close(side, *ending, &mut out),
        }
        match what {
            Content::Chunk(_) => {}
            Content::Gap(missing) => {
                lanes[index].offset = lanes[index].offset.saturating_add(*missing);
                steps.push(event(side, "gap"));
            }
            Content::Close(ending) => {
                open[index] = false;
                if written {
                    steps.push(event(side, ending.as_str()));
                }
            }
        }
    }
    (said, steps)
}

/// Where the chunks of one side begin.
#[derive(Default)]
struct Lane {
    /// Bytes that came and bytes that are missing.
    offset: u64,
    /// Where chunks begin that no message has reached yet.
    chunks: VecDeque<u64>,
}

impl Lane {
    fn chunk(&mut self, length: usize) {
        self.chunks.push_back(self.offset);
        self.offset = self.offset.saturating_add(length as u64);
    }

    fn message(&mut self, message: &Message<'_>) -> Cut {
        let (start, end) = (message.span.offset, message.span.end());
        let mut cut = Cut { inside: 0, glued: start > 0 };
        while let Some(&chunk) = self.chunks.front()
            && chunk < end
        {
            cut.inside += usize::from(chunk > start);
            cut.glued &= chunk != start;
            self.chunks.pop_front();
        }
        cut
    }
}

/// What was said in the middle of a conversation, as it is said of a conversation that begins there.
fn alone(mut said: Vec<OwnedMessage>, before: Before) -> Vec<OwnedMessage> {
    for message in &mut said {
        message.span.offset = message.span.offset.wrapping_sub(before.offsets[message.side.index()]);
        message.answers = message.answers.map(|number| number.wrapping_sub(before.messages));
    }
    said
}
