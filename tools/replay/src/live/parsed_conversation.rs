//! A conversation as a session parses it: the messages, their bytes, and the ending of each side.

use std::collections::BTreeMap;

use enjamb::{Ending, Message, OwnedMessage, Session, Side, Span};
use enjamb_protocols::redact;

/// Parses a conversation, recorded or live, and keeps the messages, bytes and endings.
pub(crate) struct ConversationParser {
    session: Box<dyn Session>,
    pub(crate) parsed: ParsedConversation,
}

/// The messages, bytes and endings of a conversation.
#[derive(Debug, Default)]
pub(crate) struct ParsedConversation {
    /// The messages, by side.
    pub(crate) messages: [Vec<OwnedMessage>; 2],
    streams: [Stream; 2],
    /// The bytes of the messages with secrets, with these overwritten, by side and offset.
    redacted: BTreeMap<(Side, u64), Vec<u8>>,
    /// The ending of each side. `None`: it has not ended.
    pub(crate) endings: [Option<Ending>; 2],
    /// The protocol that the messages carry.
    pub(crate) protocol: Option<String>,
}

/// The bytes of one side, without those that are missing.
#[derive(Debug, Default)]
struct Stream {
    bytes: Vec<u8>,
    /// The gaps, where bytes are missing.
    gaps: Vec<Span>,
    /// The number of bytes, the missing ones included.
    length: u64,
}

impl Stream {
    /// Returns the bytes in `span`. `None`: some are missing.
    fn get(&self, span: Span) -> Option<&[u8]> {
        let mut before = 0;
        for gap in &self.gaps {
            if gap.offset >= span.end() {
                break;
            }
            if gap.end() > span.offset {
                return None;
            }
            before += gap.length;
        }
        let start = usize::try_from(span.offset.checked_sub(before)?).ok()?;
        self.bytes.get(start..start.checked_add(usize::try_from(span.length).ok()?)?)
    }
}

impl ParsedConversation {
    fn push(&mut self, message: &Message<'_>) {
        if self.protocol.as_deref() != Some(message.protocol) {
            self.protocol = Some(message.protocol.to_owned());
        }
        let mut copy = Vec::new();
        let bytes = self.streams[message.side.index()].get(message.span);
        if bytes.is_some_and(|bytes| redact(message, bytes, &mut copy)) {
            self.redacted.insert((message.side, message.span.offset), copy);
        }
        self.messages[message.side.index()].push(message.to_owned());
    }

    /// Returns the bytes of a message. `None`: some are missing.
    pub(crate) fn bytes(&self, message: &OwnedMessage) -> Option<&[u8]> {
        self.streams[message.side.index()].get(message.span)
    }

    /// Returns the bytes of a message with its secrets overwritten. `None`: some are missing.
    pub(crate) fn redacted_bytes(&self, message: &OwnedMessage) -> Option<&[u8]> {
        match self.redacted.get(&(message.side, message.span.offset)) {
            Some(redacted) => Some(redacted),
            None => self.bytes(message),
        }
    }

    /// Returns the number of bytes that a side has sent, the missing ones included.
    pub(crate) fn length(&self, side: Side) -> u64 {
        self.streams[side.index()].length
    }

    /// Returns the number of bytes of a side that come after its last message.
    pub(crate) fn beyond(&self, side: Side) -> u64 {
        let end = self.messages[side.index()].last().map_or(0, |last| last.span.end());
        self.length(side).saturating_sub(end)
    }

    /// Returns the offset from which the session does not parse a side into messages. `None`: it
    /// parses everything.
    pub(crate) fn unread_from(&self, side: Side) -> Option<u64> {
        let unread = |message: &&OwnedMessage| matches!(&*message.kind, "opaque" | "unparsed");
        self.messages[side.index()].iter().find(unread).map(|message| message.span.offset)
    }
}

impl ConversationParser {
    pub(crate) fn new(session: Box<dyn Session>) -> Self {
        Self { session, parsed: ParsedConversation::default() }
    }

    pub(crate) fn chunk(&mut self, side: Side, bytes: &[u8]) {
        let stream = &mut self.parsed.streams[side.index()];
        stream.bytes.extend_from_slice(bytes);
        stream.length += bytes.len() as u64;
        let Self { session, parsed } = self;
        session.feed(side, bytes, &mut |message| parsed.push(message));
    }

    pub(crate) fn gap(&mut self, side: Side, missing: u64) {
        let stream = &mut self.parsed.streams[side.index()];
        stream.gaps.push(Span { offset: stream.length, length: missing });
        stream.length = stream.length.saturating_add(missing);
        let Self { session, parsed } = self;
        session.gap(side, missing, &mut |message| parsed.push(message));
    }

    pub(crate) fn close(&mut self, side: Side, ending: Ending) {
        let Self { session, parsed } = self;
        if parsed.endings[side.index()].is_none() {
            parsed.endings[side.index()] = Some(ending);
            session.close(side, ending, &mut |message| parsed.push(message));
        }
    }

    /// Ends both sides, and returns the conversation.
    pub(crate) fn finish(mut self) -> ParsedConversation {
        for side in Side::BOTH {
            self.close(side, Ending::Lost);
        }
        self.parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_returns_spans_that_touch_no_gap() {
        let mut stream = Stream { bytes: b"abcdef".to_vec(), gaps: Vec::new(), length: 16 };
        stream.gaps.push(Span { offset: 2, length: 10 });
        for (span, bytes) in [
            (Span { offset: 0, length: 2 }, Some(&b"ab"[..])),
            (Span { offset: 12, length: 4 }, Some(b"cdef")),
            (Span { offset: 1, length: 2 }, None),
            (Span { offset: 11, length: 2 }, None),
            (Span { offset: 13, length: 4 }, None),
        ] {
            assert_eq!(stream.get(span), bytes, "{span:?}");
        }
    }
}
