//! A program with a session of its own, which has all commands of enjamb under its own name.
//!
//! ```sh
//! cargo run -p enjamb-cli --example own_session -- replay --protocol words corpora/redis/inline-commands.pcap
//! cargo run -p enjamb-cli --example own_session -- proxy --protocol words --listen 127.0.0.1:7000 --upstream 127.0.0.1:6379
//! ```
//!
//! The protocol "words" takes every line for a message. The first word of a line is the kind of the
//! message, and a line of the server that begins with `-` is an error. The guide's page "Write a
//! session" explains sessions.

use std::process::ExitCode;

use enjamb::{
    BYTES_MISSING, Ending, FrameHandler, FrameInfo, Lane, Limit, Message, Outcome, Session, Side, Span, Step,
    Terminator, WholeFrames,
};
use enjamb_cli::Program;
use enjamb_protocols::Protocol;

/// The longest line, in bytes. The rest of a longer line is not kept.
const LINE_MAX: u64 = 4096;

/// A handler whose events are the texts of the lines.
struct LineHandler;

impl FrameHandler for LineHandler {
    type Event = String;
    type Error = std::convert::Infallible;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }

    fn limit(&self) -> Limit {
        Limit::truncate(LINE_MAX)
    }

    fn frame(&mut self, frame: &[u8], _: FrameInfo) -> Result<Step<String>, Self::Error> {
        Ok(Step::event(String::from_utf8_lossy(frame).trim_end().to_owned()))
    }
}

/// A conversation in lines.
struct Words {
    lanes: [Lane<WholeFrames<LineHandler>>; 2],
}

impl Words {
    fn new() -> Self {
        Self { lanes: Side::BOTH.map(|_| Lane::new(WholeFrames::new(LineHandler))) }
    }

    /// Emits the bytes that are not a line yet, where the stream ends or has a gap.
    fn emit_rest(&mut self, side: Side, reason: &str, out: &mut dyn FnMut(&Message<'_>)) {
        if let Some(span) = self.lanes[side.index()].claim_rest() {
            emit(side, span, "", (Outcome::Incomplete, Some(reason)), out);
        }
    }
}

fn emit(
    side: Side,
    span: Span,
    line: &str,
    (outcome, reason): (Outcome, Option<&str>),
    out: &mut dyn FnMut(&Message<'_>),
) {
    let kind = line.split_whitespace().next().unwrap_or("line");
    out(&Message { outcome, reason, summary: &line, ..Message::new("words", side, kind, span) });
}

impl Session for Words {
    fn protocol(&self) -> &str {
        "words"
    }

    fn feed(&mut self, side: Side, mut chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        let lane = &mut self.lanes[side.index()];
        // A handler without errors and a limit that truncates: there is no `Err` to look at.
        while let Some(Ok(line)) = lane.next(&mut chunk) {
            let is_error = side == Side::Server && line.starts_with('-');
            let outcome = if is_error { Outcome::Failed } else { Outcome::Ok };
            emit(side, lane.claim(), &line, (outcome, None), out);
        }
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        self.emit_rest(side, BYTES_MISSING, out);
        self.lanes[side.index()].resume(missing, WholeFrames::new(LineHandler));
    }

    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        self.emit_rest(side, ending.reason(), out);
    }

    fn held(&self) -> usize {
        self.lanes.iter().map(Lane::held).sum()
    }
}

/// The program: the built-in protocols, and "words". A package of its own passes
/// `env!("CARGO_PKG_NAME")` and `env!("CARGO_PKG_VERSION")`.
pub(crate) fn program() -> Program {
    let words = Protocol::new("words", || Box::new(Words::new())).about("A line is a message, its first word the kind");
    Program::new("own-session", "1.2.3").register(words)
}

fn main() -> ExitCode {
    program().run()
}
