//! Whole conversations out of inputs, with their place among all that was captured: for what looks at each more than once.

use std::collections::BTreeMap;
use std::sync::Arc;

use enjamb::transcript::Entry;
use enjamb::{Connection, Event, Tap, Time, Transcript};
use enjamb_capture::Options;
use enjamb_protocols::Protocol;

use crate::inputs::Inputs;
use crate::report::CaptureTotals;
use crate::sources::{Spoken, read_each};
use crate::transcripts::NOWHERE;

/// How many bytes of payload of all conversations are kept.
const MOST_HELD: usize = 1 << 30;

/// What an entry takes beside its payload, nearly.
const ENTRY: usize = 64;

/// One connection of an input, from its beginning to its end.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    /// The input, as it is told to people.
    pub(crate) source: Arc<str>,
    /// Its number counts on over all inputs.
    pub(crate) connection: Connection,
    /// When it was opened.
    pub(crate) opened: Time,
    /// What was asked for, or what its input says it speaks.
    pub(crate) protocol: Arc<Protocol>,
    /// What passed.
    pub(crate) transcript: Transcript,
    /// When, among everything in all inputs, it was opened, and when each entry came.
    pub(crate) order: (u64, Vec<u64>),
    /// It was too long, or came among too many others, so that nothing of it is kept: how many bytes it had up to there.
    pub(crate) dropped: Option<usize>,
    /// Bytes of payload that are kept, and what they take in memory.
    payload: usize,
    held: usize,
}

impl Conversation {
    /// The connection for people: its number, its ends, and the input it is of.
    pub(crate) fn title(&self) -> String {
        title(&self.source, &self.connection)
    }
}

/// A connection for people: its number, its ends, and the input it is of.
#[must_use]
pub fn title(source: &str, connection: &Connection) -> String {
    let Connection { number, client, server } = connection;
    if (*client, *server) == (NOWHERE, NOWHERE) {
        return format!("#{number} {source}");
    }
    format!("#{number} {client} -> {server} of {source}")
}

/// Reads all of `inputs`: their conversations, in the order in which they were opened. What goes wrong is told on standard error under the name of
/// `program`. Of a conversation with more than `longest` bytes of payload only that is known.
pub(crate) fn read_conversations(
    program: &str,
    inputs: &Inputs,
    options: &Options,
    spoken: &Spoken,
    longest: usize,
) -> (Vec<Conversation>, CaptureTotals) {
    let mut tap =
        Collecting { source: "".into(), spoken, longest, events: 0, held: 0, open: BTreeMap::new(), done: Vec::new() };
    let totals = read_each(program, inputs, options, spoken, &mut tap, |tap, input| tap.source = input.name().into());
    let Collecting { open, mut done, .. } = tap;
    done.extend(open.into_values());
    done.sort_by_key(|conversation| conversation.order.0);
    (done, totals)
}

struct Collecting<'a> {
    source: Arc<str>,
    spoken: &'a Spoken,
    longest: usize,
    events: u64,
    held: usize,
    open: BTreeMap<u64, Conversation>,
    done: Vec<Conversation>,
}

impl Collecting<'_> {
    fn open(&mut self, connection: &Connection, time: Time) {
        let conversation = Conversation {
            source: Arc::clone(&self.source),
            connection: *connection,
            opened: time,
            protocol: self.spoken.protocol(connection.number).1,
            transcript: Transcript::default(),
            order: (self.events, Vec::new()),
            dropped: None,
            payload: 0,
            held: 0,
        };
        self.open.insert(connection.number, conversation);
    }

    fn push(&mut self, connection: &Connection, entry: Entry) {
        let Some(conversation) = self.open.get_mut(&connection.number) else { return };
        let size = entry.content.payload_len();
        if let Some(dropped) = &mut conversation.dropped {
            *dropped = dropped.saturating_add(size);
            return;
        }
        let cost = size + ENTRY;
        if conversation.payload + size <= self.longest && self.held + cost <= MOST_HELD {
            conversation.transcript.entries.push(entry);
            conversation.order.1.push(self.events);
            conversation.payload += size;
            conversation.held += cost;
            self.held += cost;
        } else {
            conversation.dropped = Some(conversation.payload + size);
            conversation.transcript.entries = Vec::new();
            conversation.order.1 = Vec::new();
            self.held -= std::mem::take(&mut conversation.held);
        }
    }
}

impl Tap for Collecting<'_> {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        if let Some(entry) = Entry::of_event(time, event) {
            self.events += 1;
            self.push(connection, entry);
        } else if event == Event::Open {
            self.events += 1;
            self.open(connection, time);
        } else {
            // What is kept stays kept: all of them are played when all have been read.
            self.done.extend(self.open.remove(&connection.number));
        }
    }
}
