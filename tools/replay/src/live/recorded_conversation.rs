//! A recorded conversation, prepared for playing: the steps of the played side, and the messages of
//! both sides.
//!
//! Before a step the player waits until the peer has sent everything that the capture shows before
//! that step: a number of messages, or a number of bytes where the peer's bytes are not messages of
//! a known protocol, and the end of the peer's stream. The player does not wait for a message that
//! is not complete yet.

use std::sync::Arc;
use std::time::Duration;

use enjamb::transcript::{Content, Entry};
use enjamb::{Ending, Side, Time};
use enjamb_net::play::{Action, Step};
use enjamb_protocols::Protocol;
use enjamb_sources::{Conversation, ProtocolChoice, SourceReader, read_conversations};

use crate::live::parsed_conversation::{ConversationParser, ParsedConversation};

/// The longest conversation that is played, in bytes of payload. It is kept in memory, and so are
/// the answers.
const LONGEST: usize = 256 << 20;

/// The progress of the peer: seen so far, or required before the next step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cue {
    /// The number of complete messages.
    pub(crate) messages: usize,
    /// The number of bytes after the last message, where the session does not parse them.
    pub(crate) beyond: u64,
    /// Whether the peer has ended its stream.
    pub(crate) ended: bool,
}

/// The conversations that can be played, and the reasons why others cannot.
pub(crate) struct Recording {
    /// The conversations, in the order in which they were opened.
    pub(crate) conversations: Vec<RecordedConversation>,
    /// Titles of the others, each with the reason.
    pub(crate) not_played: Vec<String>,
    /// Whether all inputs were read to their ends.
    pub(crate) is_complete: bool,
}

impl Recording {
    /// Reads all conversations, and prepares `side` of each. Returns `None` if nothing could be
    /// read.
    pub(crate) fn read(reader: &SourceReader<'_>, protocols: &ProtocolChoice, side: Side) -> Option<Self> {
        let (conversations, report) = read_conversations(reader, protocols, LONGEST);
        if report.totals.nothing_read() {
            return None;
        }
        // The times of a capture may run backwards.
        let start = conversations.iter().map(|conversation| conversation.opened).min().unwrap_or_default();
        let is_complete = report.totals.is_complete();
        let mut recording = Self { conversations: Vec::new(), not_played: Vec::new(), is_complete };
        for conversation in conversations {
            match RecordedConversation::new(conversation, protocols, side, start) {
                Ok(ready) => recording.conversations.push(ready),
                Err(reason) => recording.not_played.push(reason),
            }
        }
        number_steps(&mut recording.conversations);
        Some(recording)
    }
}

/// A recorded conversation that can be played.
pub(crate) struct RecordedConversation {
    pub(crate) conversation: Conversation,
    /// The protocol, for the live session too.
    pub(crate) protocol: Arc<Protocol>,
    pub(crate) parsed: ParsedConversation,
    /// The steps in order. Their numbers count over all conversations.
    pub(crate) steps: Vec<Step<Cue>>,
}

impl RecordedConversation {
    /// Prepares `side` of a conversation. Times count from `start`.
    ///
    /// # Errors
    /// The title of the conversation, and the reason why it cannot be played.
    fn new(conversation: Conversation, protocols: &ProtocolChoice, side: Side, start: Time) -> Result<Self, String> {
        if let Some(length) = conversation.dropped {
            return Err(format!(
                "{}: it has {length} bytes or more, which is too long to be kept",
                conversation.title()
            ));
        }
        if let Some(reason) = obstacle(&conversation.transcript.entries, side) {
            return Err(format!("{}: {reason}", conversation.title()));
        }
        let port = conversation.connection.server.port();
        let mut parser = ConversationParser::new(conversation.protocol.session(Some(port)));
        conversation.transcript.entries.iter().for_each(|entry| parse(&mut parser, entry));
        let parsed = parser.finish();
        let protocol = match &parsed.protocol {
            Some(name) => protocols.settled(&conversation.protocol, name),
            None => conversation.protocol.clone(),
        };
        let steps = steps(&conversation, &protocol, &parsed, side, start);
        Ok(Self { conversation, protocol, parsed, steps })
    }

    /// Returns the time from the beginning of the recording to the opening of the connection.
    pub(crate) fn opened_after(&self) -> Duration {
        self.steps.first().map_or(Duration::ZERO, |step| step.at)
    }
}

/// Returns the reason why `side` cannot be played, if there is one.
fn obstacle(entries: &[Entry], side: Side) -> Option<String> {
    let mut offset = 0;
    for entry in entries.iter().filter(|entry| entry.side == side) {
        match &entry.content {
            Content::Chunk(bytes) => offset += bytes.len(),
            Content::Gap(missing) => {
                return Some(format!(
                    "{missing} bytes of the {side} are missing in the recording, after byte {offset}"
                ));
            }
            Content::Close(_) => {}
        }
    }
    let has_data = entries.iter().any(|entry| matches!(entry.content, Content::Chunk(_)));
    (!has_data).then(|| "it carries no data".to_owned())
}

fn parse(parser: &mut ConversationParser, entry: &Entry) {
    match &entry.content {
        Content::Chunk(bytes) => parser.chunk(entry.side, bytes),
        Content::Gap(missing) => parser.gap(entry.side, *missing),
        Content::Close(ending) => parser.close(entry.side, *ending),
    }
}

/// Returns the steps of `side`: to open, to send, to wait for the peer, to end.
fn steps(
    conversation: &Conversation,
    protocol: &Protocol,
    parsed: &ParsedConversation,
    side: Side,
    start: Time,
) -> Vec<Step<Cue>> {
    let Conversation { connection, opened, transcript, opened_place, entry_places, .. } = conversation;
    let unread_from = parsed.unread_from(!side);
    let mut parser = ConversationParser::new(protocol.session(Some(connection.server.port())));
    let mut seen = Cue::default();
    let number = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
    let after = |time: Time| time.since(start);
    let mut steps = vec![Step { number: number(*opened_place), at: after(*opened), action: Action::Open }];
    for (entry, place) in transcript.entries.iter().zip(entry_places) {
        parse(&mut parser, entry);
        let action = if entry.side == side {
            match &entry.content {
                Content::Chunk(bytes) => Action::Send(bytes.clone()),
                Content::Close(Ending::Closed) => Action::Close,
                Content::Close(Ending::Reset) => Action::Reset,
                Content::Close(Ending::Lost) | Content::Gap(_) => continue,
            }
        } else {
            let length = parser.parsed.length(!side);
            // A message that is emitted when the stream ends may be an incomplete one, or bytes
            // that were not parsed. The player waits for the end itself, and for neither of these.
            let ended = matches!(entry.content, Content::Close(Ending::Closed | Ending::Reset));
            let messages = if ended || matches!(entry.content, Content::Close(_)) {
                seen.messages
            } else {
                parser.parsed.messages[(!side).index()].len()
            };
            let beyond = unread_from.map_or(0, |from| length.saturating_sub(from));
            let cue = Cue { messages, beyond, ended: seen.ended || ended };
            if cue == seen {
                continue;
            }
            seen = cue.clone();
            Action::Await(cue)
        };
        steps.push(Step { number: number(*place), at: after(entry.time), action });
    }
    steps
}

/// Numbers the steps of all conversations from 0, without gaps.
fn number_steps(conversations: &mut [RecordedConversation]) {
    let mut steps: Vec<&mut usize> = conversations
        .iter_mut()
        .flat_map(|conversation| conversation.steps.iter_mut().map(|step| &mut step.number))
        .collect();
    steps.sort();
    for (dense, number) in steps.into_iter().enumerate() {
        *number = dense;
    }
}
