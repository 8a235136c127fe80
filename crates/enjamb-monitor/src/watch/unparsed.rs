//! The session that replaces one that panicked.

use enjamb::{Ending, Message, Outcome, Session, Side, Span};

/// The reason of the messages that represent bytes after a panic.
const REASON: &str = "its session panicked";

/// A session that parses nothing. For each side, the bytes that no message has claimed are one
/// message of kind `unparsed`, up to each gap and to the end of the stream.
pub(super) struct Unparsed {
    protocol: String,
    sides: [Rest; 2],
}

/// The rest of one side's stream.
#[derive(Clone, Copy)]
pub(super) struct Rest {
    /// The end of the last message.
    pub(super) start: u64,
    /// The end of the bytes that were fed.
    pub(super) fed: u64,
}

impl Unparsed {
    /// Continues where a session of the protocol `protocol` stopped.
    pub(super) fn new(protocol: String, sides: [Rest; 2]) -> Self {
        Self { protocol, sides }
    }
}

impl Session for Unparsed {
    fn protocol(&self) -> &str {
        &self.protocol
    }

    fn feed(&mut self, side: Side, chunk: &[u8], _: &mut dyn FnMut(&Message<'_>)) {
        let rest = &mut self.sides[side.index()];
        rest.fed = rest.fed.saturating_add(chunk.len() as u64);
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        self.close(side, Ending::Lost, out);
        let rest = &mut self.sides[side.index()];
        rest.fed = rest.fed.saturating_add(missing);
        rest.start = rest.fed;
    }

    fn close(&mut self, side: Side, _: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        let rest = &mut self.sides[side.index()];
        let span = Span::between(rest.start, rest.fed);
        rest.start = rest.fed;
        if span.length > 0 {
            out(&Message {
                outcome: Outcome::Incomplete,
                reason: Some(REASON),
                summary: &"not parsed",
                ..Message::new(&self.protocol, side, "unparsed", span)
            });
        }
    }

    fn held(&self) -> usize {
        0
    }
}
