//! The session of a framing spec: both sides are cut into frames, independently of each other.

use std::fmt;

use enjamb::transcript::Quoted;
use enjamb::{AFTER_MALFORMED, BYTES_MISSING, Ending, FrameError, Lane, Message, Outcome, Rest, Session, Side, Span};

use crate::framing::Framing;
use crate::framing_error::FramingError;
use crate::framing_handler::{Frame, FramingHandler};
use crate::opaque::opaque;

/// A session that frames each side in its own way. A frame answers nothing, since a framing does
/// not define which request a reply belongs to. The session keeps nothing about requests that wait
/// for a reply.
pub struct Pair {
    name: String,
    framings: [Framing; 2],
    lanes: [Lane<FramingHandler>; 2],
}

impl Pair {
    /// Creates a session of two framings. Its messages have `name` as their protocol.
    #[must_use]
    pub fn new(name: &str, client: &Framing, server: &Framing) -> Self {
        Self {
            name: name.to_owned(),
            framings: [client.clone(), server.clone()],
            lanes: [client, server].map(|framing| Lane::new(framing.handler())),
        }
    }
}

/// The summary of a frame: its first bytes, and the number of the others.
struct Summary<'a> {
    preview: &'a [u8],
    length: u64,
    lost: u64,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Quoted(self.preview))?;
        let more = self.length.saturating_sub(self.lost).saturating_sub(self.preview.len() as u64);
        if more > 0 {
            write!(f, " and {more} bytes more")?;
        }
        if self.lost > 0 {
            write!(f, ", {} bytes lost", self.lost)?;
        }
        Ok(())
    }
}

fn emit(
    protocol: &str,
    lane: &Lane<FramingHandler>,
    (side, span): (Side, Span),
    (outcome, reason): (Outcome, Option<&str>),
    (length, lost): (u64, u64),
    out: &mut dyn FnMut(&Message<'_>),
) {
    let handler = lane.handler();
    out(&Message {
        outcome,
        reason,
        summary: &Summary { preview: handler.preview(), length, lost },
        ..Message::new(protocol, side, handler.kind(), span)
    });
}

/// Emits a frame that is whole, or the error that ends framing.
fn emit_next(
    protocol: &str,
    lane: &mut Lane<FramingHandler>,
    side: Side,
    next: Result<Frame, FrameError<FramingError>>,
    out: &mut dyn FnMut(&Message<'_>),
) {
    match next {
        Ok(frame) => {
            let span = lane.claim();
            emit(protocol, lane, (side, span), (Outcome::Ok, None), (frame.length, frame.lost), out);
        }
        Err(error) => {
            let span = lane.claim_to(error.end());
            let verdict = (Outcome::Malformed, Some(reason(&error, lane.handler())));
            emit(protocol, lane, (side, span), verdict, (lane.handler().preview().len() as u64, 0), out);
        }
    }
}

/// Returns the phrase under which a framing error is counted.
fn reason(error: &FrameError<FramingError>, handler: &FramingHandler) -> &'static str {
    match error {
        FrameError::TooLong { .. } => handler.too_long(),
        FrameError::Handler { error, .. } => error.phrase(),
    }
}

/// Emits all bytes that no message has claimed as one message.
fn emit_rest(
    protocol: &str,
    lane: &mut Lane<FramingHandler>,
    side: Side,
    why: &str,
    out: &mut dyn FnMut(&Message<'_>),
) {
    let rest = lane.rest();
    let Some(span) = lane.claim_rest() else {
        return;
    };
    match rest {
        Rest::Message => emit(protocol, lane, (side, span), (Outcome::Incomplete, Some(why)), (span.length, 0), out),
        Rest::Opaque => out(&opaque(protocol, side, span)),
        Rest::Unparsed => out(&Message {
            kind: "unparsed",
            outcome: Outcome::Incomplete,
            reason: Some(AFTER_MALFORMED),
            ..opaque(protocol, side, span)
        }),
    }
}

impl Session for Pair {
    fn protocol(&self) -> &str {
        &self.name
    }

    fn feed(&mut self, side: Side, mut chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        let lane = &mut self.lanes[side.index()];
        while let Some(next) = lane.next(&mut chunk) {
            emit_next(&self.name, lane, side, next, out);
        }
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        let lane = &mut self.lanes[side.index()];
        match lane.pass(missing) {
            Ok(None) => {}
            Ok(Some(next)) => emit_next(&self.name, lane, side, next, out),
            Err(_) => {
                emit_rest(&self.name, lane, side, BYTES_MISSING, out);
                // A line or a delimiter comes again. For a prefix, the next byte is as good a guess
                // as any other.
                lane.resume(missing, self.framings[side.index()].handler());
            }
        }
    }

    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        let lane = &mut self.lanes[side.index()];
        while let Some(next) = lane.next_at_end() {
            emit_next(&self.name, lane, side, next, out);
        }
        // The end can give nothing more.
        let _ = lane.close(&mut |_| {});
        emit_rest(&self.name, lane, side, ending.reason(), out);
    }

    fn held(&self) -> usize {
        self.lanes.iter().map(Lane::held).sum()
    }
}
