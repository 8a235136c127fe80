//! A session that parses nothing: what is left when the protocol is not known.

use enjamb::{Ending, Message, Outcome, Session, Side, Span};

/// What the protocol is called.
const NAME: &str = "opaque";

/// Counts the bytes of both sides. One message of kind `opaque` a side, when it ends.
#[derive(Clone, Debug, Default)]
pub struct Opaque {
    sides: [Span; 2],
}

impl Session for Opaque {
    fn protocol(&self) -> &str {
        NAME
    }

    fn feed(&mut self, side: Side, chunk: &[u8], _: &mut dyn FnMut(&Message<'_>)) {
        let seen = &mut self.sides[side.index()];
        seen.length = seen.length.saturating_add(chunk.len() as u64);
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        self.close(side, Ending::Lost, out);
        let seen = &mut self.sides[side.index()];
        seen.offset = seen.offset.saturating_add(missing);
    }

    fn close(&mut self, side: Side, _: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        let span = self.sides[side.index()];
        if span.length > 0 {
            out(&opaque(NAME, side, span));
        }
        self.sides[side.index()] = Span { offset: span.end(), length: 0 };
    }

    fn held(&self) -> usize {
        0
    }
}

/// The message that stands for bytes that are not parsed.
pub(crate) fn opaque(protocol: &str, side: Side, span: Span) -> Message<'_> {
    Message {
        protocol,
        side,
        kind: "opaque",
        span,
        outcome: Outcome::Ok,
        code: None,
        reason: None,
        answers: None,
        summary: &"not parsed",
    }
}
