//! A conversation as it was heard: the messages, the bytes that they are made of, and how each side ended.

use enjamb::{Ending, Message, OwnedMessage, Session, Side, Span};

/// Hears a conversation, recorded or live.
pub(crate) struct Listening {
    session: Box<dyn Session>,
    pub(crate) heard: Heard,
}

/// What was heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// By side.
    pub(crate) messages: [Vec<OwnedMessage>; 2],
    streams: [Stream; 2],
    /// `None`: it has not ended.
    pub(crate) endings: [Option<Ending>; 2],
    /// What the messages say they are of.
    pub(crate) protocol: Option<String>,
}

/// A side's stream, but for what is missing of it.
#[derive(Debug, Default)]
struct Stream {
    bytes: Vec<u8>,
    /// Where bytes are missing, and how many.
    holes: Vec<Span>,
    /// Bytes that are there and bytes that are missing.
    length: u64,
}

impl Stream {
    /// What is in `span`. `None`: not all of it is there.
    fn of(&self, span: Span) -> Option<&[u8]> {
        let mut before = 0;
        for hole in &self.holes {
            if hole.offset >= span.end() {
                break;
            }
            if hole.end() > span.offset {
                return None;
            }
            before += hole.length;
        }
        let start = usize::try_from(span.offset.checked_sub(before)?).ok()?;
        self.bytes.get(start..start.checked_add(usize::try_from(span.length).ok()?)?)
    }
}

impl Heard {
    fn take(&mut self, message: &Message<'_>) {
        if self.protocol.as_deref() != Some(message.protocol) {
            self.protocol = Some(message.protocol.to_owned());
        }
        self.messages[message.side.index()].push(message.to_owned());
    }

    /// The bytes of a message. `None`: some are missing.
    pub(crate) fn bytes(&self, message: &OwnedMessage) -> Option<&[u8]> {
        self.streams[message.side.index()].of(message.span)
    }

    /// How long the side's stream is, the missing bytes counted.
    pub(crate) fn length(&self, side: Side) -> u64 {
        self.streams[side.index()].length
    }

    /// How many bytes there are behind the last message.
    pub(crate) fn beyond(&self, side: Side) -> u64 {
        let end = self.messages[side.index()].last().map_or(0, |last| last.span.end());
        self.length(side).saturating_sub(end)
    }

    /// Where the side is not messages any more but bytes, which the session does not read. `None`: nowhere.
    pub(crate) fn unread_from(&self, side: Side) -> Option<u64> {
        let unread = |message: &&OwnedMessage| matches!(&*message.kind, "opaque" | "unparsed");
        self.messages[side.index()].iter().find(unread).map(|message| message.span.offset)
    }
}

impl Listening {
    pub(crate) fn new(session: Box<dyn Session>) -> Self {
        Self { session, heard: Heard::default() }
    }

    pub(crate) fn chunk(&mut self, side: Side, bytes: &[u8]) {
        let stream = &mut self.heard.streams[side.index()];
        stream.bytes.extend_from_slice(bytes);
        stream.length += bytes.len() as u64;
        let Self { session, heard } = self;
        session.feed(side, bytes, &mut |message| heard.take(message));
    }

    pub(crate) fn gap(&mut self, side: Side, missing: u64) {
        let stream = &mut self.heard.streams[side.index()];
        stream.holes.push(Span { offset: stream.length, length: missing });
        stream.length = stream.length.saturating_add(missing);
        let Self { session, heard } = self;
        session.gap(side, missing, &mut |message| heard.take(message));
    }

    pub(crate) fn close(&mut self, side: Side, ending: Ending) {
        let Self { session, heard } = self;
        if heard.endings[side.index()].is_none() {
            heard.endings[side.index()] = Some(ending);
            session.close(side, ending, &mut |message| heard.take(message));
        }
    }

    /// Nothing more comes.
    pub(crate) fn finish(mut self) -> Heard {
        for side in Side::BOTH {
            self.close(side, Ending::Lost);
        }
        self.heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_gives_what_lies_beside_its_holes() {
        let mut stream = Stream { bytes: b"abcdef".to_vec(), holes: Vec::new(), length: 16 };
        stream.holes.push(Span { offset: 2, length: 10 });
        for (span, bytes) in [
            (Span { offset: 0, length: 2 }, Some(&b"ab"[..])),
            (Span { offset: 12, length: 4 }, Some(b"cdef")),
            (Span { offset: 1, length: 2 }, None),
            (Span { offset: 11, length: 2 }, None),
            (Span { offset: 13, length: 4 }, None),
        ] {
            assert_eq!(stream.of(span), bytes, "{span:?}");
        }
    }
}
