//! Whole conversations, with their place among everything that was captured: for tools that need
//! each conversation more than once.

use std::collections::BTreeMap;
use std::sync::Arc;

use enjamb::transcript::Entry;
use enjamb::{Connection, Event, Tap, Time, Transcript};
use enjamb_protocols::Protocol;

use crate::protocol_choice::ProtocolChoice;
use crate::reader::{SourceReader, SourceReport};
use crate::transcript_file::NO_ADDRESS;

/// The number of bytes of all conversations together that are kept in memory.
const HELD_MAX: usize = 1 << 30;

/// The approximate number of bytes that an entry takes besides its payload.
const ENTRY_BYTES: usize = 64;

/// One connection of an input, from its beginning to its end.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The name of the input.
    pub source: Arc<str>,
    /// The connection. Its number counts continuously over all inputs.
    pub connection: Connection,
    /// The time when the connection was opened.
    pub opened: Time,
    /// The protocol that the user chose, or the one that the transcript names.
    pub protocol: Arc<Protocol>,
    /// The chunks, gaps and endings.
    pub transcript: Transcript,
    /// The place of the opening among all events of all inputs.
    pub opened_place: u64,
    /// The place of each entry of the transcript among all events of all inputs.
    pub entry_places: Vec<u64>,
    /// The number of payload bytes that the conversation had when it was dropped: it was too long,
    /// or there were too many others. The transcript is empty then.
    pub dropped: Option<usize>,
    /// The number of payload bytes that are kept, and the memory that they take.
    payload: usize,
    held: usize,
}

impl Conversation {
    /// Returns a title of the connection for people: its number, its addresses and its input.
    #[must_use]
    pub fn title(&self) -> String {
        connection_title(&self.source, &self.connection)
    }
}

/// Returns a title of a connection for people: its number, its addresses and the input it comes
/// from.
#[must_use]
pub fn connection_title(source: &str, connection: &Connection) -> String {
    let Connection { number, client, server } = connection;
    if (*client, *server) == (NO_ADDRESS, NO_ADDRESS) {
        return format!("#{number} {source}");
    }
    format!("#{number} {client} -> {server} of {source}")
}

/// Reads all conversations of a reader's inputs, in the order in which they were opened.
///
/// A conversation with more than `longest` bytes of payload is [dropped](Conversation::dropped).
pub fn read_conversations(
    reader: &SourceReader<'_>,
    protocols: &ProtocolChoice,
    longest: usize,
) -> (Vec<Conversation>, SourceReport) {
    let mut tap = ConversationTap {
        source: "".into(),
        protocols,
        longest,
        events: 0,
        held: 0,
        open: BTreeMap::new(),
        done: Vec::new(),
    };
    let report = reader.read(&mut tap, |tap, next| tap.source = next.input.to_string().into());
    let ConversationTap { open, mut done, .. } = tap;
    done.extend(open.into_values());
    done.sort_by_key(|conversation| conversation.opened_place);
    (done, report)
}

/// A tap that keeps conversations.
struct ConversationTap<'a> {
    source: Arc<str>,
    protocols: &'a ProtocolChoice,
    longest: usize,
    events: u64,
    held: usize,
    open: BTreeMap<u64, Conversation>,
    done: Vec<Conversation>,
}

impl ConversationTap<'_> {
    fn open(&mut self, connection: &Connection, time: Time) {
        let conversation = Conversation {
            source: Arc::clone(&self.source),
            connection: *connection,
            opened: time,
            protocol: self.protocols.protocol(connection),
            transcript: Transcript::default(),
            opened_place: self.events,
            entry_places: Vec::new(),
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
        let cost = size + ENTRY_BYTES;
        if conversation.payload + size <= self.longest && self.held + cost <= HELD_MAX {
            conversation.transcript.entries.push(entry);
            conversation.entry_places.push(self.events);
            conversation.payload += size;
            conversation.held += cost;
            self.held += cost;
        } else {
            conversation.dropped = Some(conversation.payload + size);
            conversation.transcript.entries = Vec::new();
            conversation.entry_places = Vec::new();
            self.held -= std::mem::take(&mut conversation.held);
        }
    }
}

impl Tap for ConversationTap<'_> {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        if let Some(entry) = Entry::of_event(time, event) {
            self.events += 1;
            self.push(connection, entry);
        } else if event == Event::Open {
            self.events += 1;
            self.open(connection, time);
        } else {
            // Its bytes still count as held: conversations are returned only when all have been
            // read.
            self.done.extend(self.open.remove(&connection.number));
        }
    }
}
