//! A session that parses nothing, for protocols that are not known.

use enjamb::{Ending, Message, Session, Side, Span};

/// The name of the protocol.
const NAME: &str = "opaque";

/// The reason of bytes that were skipped before the next message behind a gap.
pub const AFTER_GAP: &str = "skipped after a gap";

/// A session that only counts bytes. It emits one message of kind `opaque` for each side, when the
/// side ends.
#[derive(Clone, Debug, Default)]
pub struct OpaqueSession {
    sides: [Span; 2],
}

impl Session for OpaqueSession {
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

/// Returns a message for bytes that are not parsed.
pub(crate) fn opaque(protocol: &str, side: Side, span: Span) -> Message<'_> {
    Message { summary: &"not parsed", ..Message::new(protocol, side, "opaque", span) }
}
