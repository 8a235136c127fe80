//! Conversations, cut into small pieces that can be parsed on their own.
//!
//! A long conversation is cut where it is *idle*: both sides are between two messages, every
//! request has been answered, and the client sends next. A piece counts only when a fresh session
//! emits the same messages for it as the session of the whole conversation did. A piece that
//! depends on earlier messages (a subscription, a request whose answer follows) is left out.

use std::collections::BTreeSet;
use std::ops::AddAssign;

use enjamb::transcript::{Content, Entry};
use enjamb::{Ending, Message, OwnedMessage, Session, Side, Time, Transcript};
use enjamb_protocols::Registry;

use crate::parse::{ParsedTranscript, parse};
use crate::signature::kind;

/// The kind of a message that holds bytes of no known protocol.
const OPAQUE: &str = "opaque";

/// The maximum number of kinds of messages of a conversation that are distinguished. If a session
/// treats random bytes as kinds, there is no end of them.
const KINDS_MAX: usize = 1000;

/// A conversation that can be parsed on its own.
#[derive(Debug)]
pub(crate) struct Piece {
    /// The transcript. It names its protocol, and its times count from its first entry.
    pub(crate) transcript: Transcript,
    /// The steps of its signature.
    pub(crate) steps: Vec<String>,
    /// The kinds of its messages.
    pub(crate) kinds: BTreeSet<String>,
}

/// The number of parts of conversations that were left out, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// The number of conversations without a byte.
    pub(crate) silent: u64,
    /// The number of parts with more bytes between two idle moments than a piece may have.
    pub(crate) large: u64,
    /// The number of pieces whose messages depend on earlier ones.
    pub(crate) dependent: u64,
    /// The number of pieces of no known protocol.
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

/// The pieces of a part of a conversation.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) left_out: LeftOut,
    /// The kinds of all messages, including those that are left out.
    pub(crate) kinds: BTreeSet<String>,
}

/// Cuts one conversation into pieces, entry by entry.
pub(crate) struct PieceCutter {
    session: Box<dyn Session>,
    protocol: String,
    /// The maximum number of payload bytes in a piece.
    max: usize,
    sides: [Position; 2],
    client_messages: u64,
    /// One more than the number of the last message of the client that was answered. `None`:
    /// nothing was ever answered.
    answered: Option<u64>,
    piece: OpenPiece,
    /// Whether the piece was too large, so that nothing is kept until the next idle moment.
    skipping: bool,
    done: Pieces,
}

/// The position in the stream of one side.
#[derive(Clone, Copy, Default)]
struct Position {
    /// The number of bytes so far, the missing ones included.
    offset: u64,
    /// The end of the last message.
    parsed: u64,
    closed: bool,
}

/// A piece that is not complete yet.
#[derive(Default)]
struct OpenPiece {
    entries: Vec<Entry>,
    payload: usize,
    messages: Vec<OwnedMessage>,
    start: PieceStart,
    /// The last idle moment in it.
    idle: Option<IdleMoment>,
}

/// The parts of the streams, and the number of the client's messages, before a piece.
#[derive(Clone, Copy, Default)]
struct PieceStart {
    offsets: [u64; 2],
    messages: u64,
}

/// An idle moment: the part of the open piece before it, and the start of a piece that begins
/// there.
#[derive(Clone, Copy)]
struct IdleMoment {
    entries: usize,
    messages: usize,
    payload: usize,
    start: PieceStart,
}

impl OpenPiece {
    /// Splits off the part before the last idle moment, and keeps the rest. `None`: there is no
    /// such part.
    fn split_off(&mut self) -> Option<Self> {
        let idle = self.idle.take().filter(|idle| idle.entries > 0)?;
        let rest = Self {
            entries: self.entries.split_off(idle.entries),
            messages: self.messages.split_off(idle.messages),
            payload: self.payload - idle.payload,
            start: idle.start,
            idle: None,
        };
        Some(std::mem::replace(self, rest))
    }
}

impl PieceCutter {
    /// Creates a cutter for a conversation of `protocol`, in pieces of at most `max` bytes of
    /// payload.
    pub(crate) fn new(session: Box<dyn Session>, protocol: String, max: usize) -> Self {
        Self {
            session,
            protocol,
            max,
            sides: [Position::default(); 2],
            client_messages: 0,
            answered: None,
            piece: OpenPiece::default(),
            skipping: false,
            done: Pieces::default(),
        }
    }

    /// Takes the pieces that were completed since the last call.
    pub(crate) fn take(&mut self) -> Pieces {
        std::mem::take(&mut self.done)
    }

    /// Calls the session, and notes its messages.
    fn feed(&mut self, call: impl FnOnce(&mut dyn Session, &mut dyn FnMut(&Message<'_>))) {
        let Self { session, protocol, sides, client_messages, answered, piece, done, .. } = self;
        call(session.as_mut(), &mut |message| {
            if protocol != message.protocol {
                message.protocol.clone_into(protocol);
            }
            *client_messages += u64::from(message.side == Side::Client);
            if let Some(number) = message.answers {
                *answered = (*answered).max(Some(number.saturating_add(1)));
            }
            sides[message.side.index()].parsed = message.span.end();
            let message = message.to_owned();
            if message.kind != OPAQUE && done.kinds.len() < KINDS_MAX {
                done.kinds.insert(kind(&message));
            }
            piece.messages.push(message);
        });
    }

    fn is_idle(&self) -> bool {
        self.sides.iter().all(|side| side.parsed == side.offset && !side.closed)
            && self.answered.is_none_or(|answered| answered == self.client_messages)
    }

    fn start(&self) -> PieceStart {
        PieceStart { offsets: [self.sides[0].offset, self.sides[1].offset], messages: self.client_messages }
    }

    /// Completes a piece, or leaves it out. `ends`: whether the conversation ends with it.
    fn complete(&mut self, piece: OpenPiece, registry: &Registry, ends: bool) {
        if piece.payload == 0 {
            return;
        }
        // Bytes of no known protocol exercise no parser.
        let resolved = registry.resolve(&self.protocol);
        let (Ok(resolved), false) = (resolved, piece.messages.iter().all(|message| message.kind == OPAQUE)) else {
            self.done.left_out.unknown += 1;
            return;
        };
        let start = piece.entries.first().map(|entry| entry.time).unwrap_or_default();
        let mut entries = piece.entries;
        for entry in &mut entries {
            entry.time = Time::from_nanos(entry.time.nanos().saturating_sub(start.nanos()));
        }
        let transcript = Transcript { protocol: Some(self.protocol.clone()), entries };
        let ParsedTranscript { messages, steps } = parse(resolved.session(None).as_mut(), &transcript, ends);
        if messages != relative(piece.messages, piece.start) {
            self.done.left_out.dependent += 1;
            return;
        }
        let kinds = messages.iter().map(kind).collect();
        self.done.pieces.push(Piece { transcript, steps, kinds });
    }

    /// Adds the next entry of the conversation.
    pub(crate) fn entry(&mut self, entry: Entry, registry: &Registry) {
        let length = if let Content::Chunk(bytes) = &entry.content { bytes.len() } else { 0 };
        if length > 0 && entry.side == Side::Client && self.is_idle() {
            let start = self.start();
            if std::mem::take(&mut self.skipping) {
                self.piece = OpenPiece { start, ..OpenPiece::default() };
            }
            let piece = &mut self.piece;
            piece.idle = Some(IdleMoment {
                entries: piece.entries.len(),
                messages: piece.messages.len(),
                payload: piece.payload,
                start,
            });
        }
        if self.piece.payload + length > self.max && !self.skipping {
            let complete = self.piece.split_off();
            self.skipping = self.piece.payload + length > self.max;
            self.done.left_out.large += u64::from(self.skipping);
            if let Some(piece) = complete {
                self.complete(piece, registry, false);
            }
        }
        match &entry.content {
            Content::Chunk(bytes) => {
                self.sides[entry.side.index()].offset += length as u64;
                self.feed(|session, out| session.feed(entry.side, bytes, out));
            }
            Content::Gap(missing) => {
                self.feed(|session, out| session.gap(entry.side, *missing, out));
                self.sides[entry.side.index()].offset += missing;
            }
            Content::Close(ending) => {
                self.feed(|session, out| session.close(entry.side, *ending, out));
                self.sides[entry.side.index()].closed = true;
            }
        }
        if self.skipping {
            self.piece = OpenPiece::default();
        } else {
            self.piece.payload += length;
            self.piece.entries.push(entry);
        }
    }

    /// Ends the conversation.
    pub(crate) fn end(&mut self, registry: &Registry) {
        self.done.left_out.silent += u64::from(self.sides.iter().all(|side| side.offset == 0));
        for side in Side::BOTH {
            if !self.sides[side.index()].closed {
                self.feed(|session, out| session.close(side, Ending::Lost, out));
            }
        }
        if !self.skipping {
            let piece = std::mem::take(&mut self.piece);
            self.complete(piece, registry, true);
        }
    }
}

/// Returns messages from the middle of a conversation with the numbers that they have in a
/// conversation which begins at `start`.
fn relative(mut messages: Vec<OwnedMessage>, start: PieceStart) -> Vec<OwnedMessage> {
    for message in &mut messages {
        message.span.offset = message.span.offset.wrapping_sub(start.offsets[message.side.index()]);
        message.answers = message.answers.map(|number| number.wrapping_sub(start.messages));
    }
    messages
}
