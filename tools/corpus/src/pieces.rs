//! Conversations, cut into small ones that stand by themselves.
//!
//! A long conversation is cut where it is *idle*: both sides are between two messages, everything asked was answered, and the client speaks next. A piece counts only when a
//! fresh session says of it what the session of the whole conversation said: one that needs what came before (a subscription, a request whose answer
//! follows) does not stand by itself and is left out.

use std::collections::{HashMap, VecDeque};

use enjamb::transcript::{Entry, What};
use enjamb::{Connection, Ending, Message, OwnedMessage, Session, Side, Tap, Time, Transcript};
use enjamb_protocols::Registry;
use enjamb_replay::Spoken;

use crate::signature::{Cut, event, step};

/// A conversation that stands by itself.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Its protocol by name, and its times from its first entry on.
    pub(crate) transcript: Transcript,
    pub(crate) steps: Vec<String>,
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

/// A tap that gives pieces to `found`.
pub(crate) struct Pieces<'a, F> {
    registry: &'a Registry,
    spoken: &'a Spoken,
    most: usize,
    open: HashMap<u64, Talk>,
    found: F,
    pub(crate) conversations: u64,
    pub(crate) left_out: LeftOut,
}

/// One connection, and the piece that it is at.
struct Talk {
    session: Box<dyn Session>,
    protocol: String,
    sides: [Stream; 2],
    client_messages: u64,
    /// One more than the number of the last client's message that was answered; `None` where nothing is ever answered.
    answered: Option<u64>,
    piece: Growing,
    /// The piece was too large: nothing is kept until the next idle moment.
    skipping: bool,
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

impl Talk {
    fn new(session: Box<dyn Session>, protocol: String) -> Self {
        Self {
            session,
            protocol,
            sides: [Stream::default(); 2],
            client_messages: 0,
            answered: None,
            piece: Growing::default(),
            skipping: false,
        }
    }

    /// Does something to the session, and takes down what it says.
    fn hear(&mut self, act: impl FnOnce(&mut dyn Session, &mut dyn FnMut(&Message<'_>))) {
        let Self { session, protocol, sides, client_messages, answered, piece, .. } = self;
        act(session.as_mut(), &mut |message| {
            if protocol != message.protocol {
                message.protocol.clone_into(protocol);
            }
            *client_messages += u64::from(message.side == Side::Client);
            if let Some(number) = message.answers {
                *answered = (*answered).max(Some(number.saturating_add(1)));
            }
            sides[message.side.index()].said = message.span.end();
            piece.said.push(message.to_owned());
        });
    }

    fn is_idle(&self) -> bool {
        self.sides.iter().all(|side| side.said == side.offset && !side.closed)
            && self.answered.is_none_or(|answered| answered == self.client_messages)
    }

    fn before(&self) -> Before {
        Before { offsets: [self.sides[0].offset, self.sides[1].offset], messages: self.client_messages }
    }
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

impl<'a, F: FnMut(Piece)> Pieces<'a, F> {
    pub(crate) fn new(registry: &'a Registry, spoken: &'a Spoken, most: usize, found: F) -> Self {
        let left_out = LeftOut::default();
        Self { registry, spoken, most, open: HashMap::new(), found, conversations: 0, left_out }
    }

    fn talk(&mut self, connection: &Connection) -> &mut Talk {
        let spoken = self.spoken;
        self.open
            .entry(connection.number)
            .or_insert_with(|| Talk::new(spoken.session(connection), spoken.protocol(connection.number).0))
    }

    /// A piece is whole. `ends`: its conversation ends with it.
    fn whole(&mut self, piece: Growing, protocol: &str, ends: bool) {
        if piece.payload == 0 {
            return;
        }
        // What is in no protocol exercises none.
        let resolved = self.registry.resolve(protocol);
        let (Ok(resolved), false) = (resolved, piece.said.iter().all(|message| message.kind == "opaque")) else {
            self.left_out.unknown += 1;
            return;
        };
        let start = piece.entries.first().map(|entry| entry.time).unwrap_or_default();
        let mut entries = piece.entries;
        for entry in &mut entries {
            entry.time = Time::from_nanos(entry.time.nanos().saturating_sub(start.nanos()));
        }
        let transcript = Transcript { protocol: Some(protocol.to_owned()), entries };
        let (said, steps) = says(resolved.session(None).as_mut(), &transcript, ends);
        if said != alone(piece.said, piece.before) {
            self.left_out.dependent += 1;
            return;
        }
        (self.found)(Piece { transcript, steps });
    }

    fn entry(&mut self, connection: &Connection, entry: Entry) {
        let most = self.most;
        let talk = self.talk(connection);
        let length = if let What::Chunk(bytes) = &entry.what { bytes.len() } else { 0 };
        if length > 0 && entry.side == Side::Client && talk.is_idle() {
            let before = talk.before();
            if std::mem::take(&mut talk.skipping) {
                talk.piece = Growing { before, ..Growing::default() };
            }
            let piece = &mut talk.piece;
            piece.idle = Some((piece.entries.len(), piece.said.len(), piece.payload, before));
        }
        if talk.piece.payload + length > most && !talk.skipping {
            let whole = talk.piece.split_off();
            let protocol = talk.protocol.clone();
            talk.skipping = talk.piece.payload + length > most;
            self.left_out.large += u64::from(self.talk(connection).skipping);
            if let Some(whole) = whole {
                self.whole(whole, &protocol, false);
            }
        }
        let talk = self.talk(connection);
        match &entry.what {
            What::Chunk(bytes) => {
                talk.sides[entry.side.index()].offset += length as u64;
                talk.hear(|session, out| session.feed(entry.side, bytes, out));
            }
            What::Gap(missing) => {
                talk.hear(|session, out| session.gap(entry.side, *missing, out));
                talk.sides[entry.side.index()].offset += missing;
            }
            What::Close(ending) => {
                talk.hear(|session, out| session.close(entry.side, *ending, out));
                talk.sides[entry.side.index()].closed = true;
            }
        }
        if talk.skipping {
            talk.piece = Growing::default();
        } else {
            talk.piece.payload += length;
            talk.piece.entries.push(entry);
        }
    }
}

impl<F: FnMut(Piece)> Tap for Pieces<'_, F> {
    fn open(&mut self, connection: &Connection, _: Time) {
        self.talk(connection);
    }

    fn chunk(&mut self, connection: &Connection, time: Time, side: Side, bytes: &[u8]) {
        self.entry(connection, Entry { time, side, what: What::Chunk(bytes.to_vec()) });
    }

    fn gap(&mut self, connection: &Connection, time: Time, side: Side, missing: u64) {
        self.entry(connection, Entry { time, side, what: What::Gap(missing) });
    }

    fn close(&mut self, connection: &Connection, time: Time, side: Side, ending: Ending) {
        self.entry(connection, Entry { time, side, what: What::Close(ending) });
    }

    fn done(&mut self, connection: &Connection, _: Time) {
        let Some(mut talk) = self.open.remove(&connection.number) else { return };
        self.conversations += 1;
        self.left_out.silent += u64::from(talk.sides.iter().all(|side| side.offset == 0));
        for side in Side::BOTH {
            if !talk.sides[side.index()].closed {
                talk.hear(|session, out| session.close(side, Ending::Lost, out));
            }
        }
        if !talk.skipping {
            self.whole(talk.piece, &talk.protocol, true);
        }
    }
}

/// What `session` says of a transcript, and the steps it takes; sides that are open at its end are lost when it `ends`.
pub(crate) fn says(session: &mut dyn Session, transcript: &Transcript, ends: bool) -> (Vec<OwnedMessage>, Vec<String>) {
    let mut said = Vec::new();
    let mut steps = Vec::new();
    let mut lanes = [Lane::default(), Lane::default()];
    let mut open = [true; 2];
    let end = Side::BOTH.map(|side| (side, What::Close(Ending::Lost)));
    let entries = transcript.entries.iter().map(|entry| (entry.side, &entry.what, true));
    for (side, what, written) in entries.chain(end.iter().filter(|_| ends).map(|(side, what)| (*side, what, false))) {
        let index = side.index();
        if !open[index] {
            continue;
        }
        if let What::Chunk(bytes) = what {
            lanes[index].chunk(bytes.len());
        }
        let mut out = |message: &Message<'_>| {
            steps.push(step(message, lanes[message.side.index()].message(message)));
            said.push(message.to_owned());
        };
        match what {
            What::Chunk(bytes) => session.feed(side, bytes, &mut out),
            What::Gap(missing) => session.gap(side, *missing, &mut out),
            What::Close(ending) => session.close(side, *ending, &mut out),
        }
        match what {
            What::Chunk(_) => {}
            What::Gap(missing) => {
                lanes[index].offset = lanes[index].offset.saturating_add(*missing);
                steps.push(event(side, "gap"));
            }
            What::Close(ending) => {
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
