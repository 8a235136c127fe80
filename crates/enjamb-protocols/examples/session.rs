//! A session for a protocol of your own: requests `GET key`, replies `VALUE text` or `ERR reason`,
//! a line each.
//!
//! `docs/sessions.md` explains it, block by block.

use enjamb::{
    AFTER_MALFORMED, BYTES_MISSING, Ending, FrameError, FrameHandler, FrameInfo, Lane, Limit, Message, Outcome,
    Session, Side, Span, Step, Terminator, Transcript, WholeFrames,
};
use enjamb_protocols::{Protocol, Registry};

/// The longest line, in bytes.
const LINE_MAX: u64 = 4096;

/// Reads the lines of one side.
struct LineHandler {
    side: Side,
    /// Whether the line follows a gap. It may then lack its beginning, and is skipped unless it is
    /// a message.
    behind_gap: bool,
}

/// A line of either side.
struct Line {
    kind: &'static str,
    text: String,
}

impl FrameHandler for LineHandler {
    type Event = Line;
    type Error = &'static str;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }

    fn limit(&self) -> Limit {
        Limit::refuse(LINE_MAX)
    }

    fn frame(&mut self, frame: &[u8], _: FrameInfo) -> Result<Step<Line>, &'static str> {
        let text = String::from_utf8_lossy(frame).into_owned();
        let behind_gap = std::mem::take(&mut self.behind_gap);
        let kind = match (self.side, text.split(' ').next()) {
            (Side::Client, Some("GET")) => "GET",
            (Side::Server, Some("VALUE")) => "VALUE",
            (Side::Server, Some("ERR")) => "ERR",
            _ if behind_gap => "unparsed",
            _ => return Err("the line begins with an unknown word"),
        };
        Ok(Step::event(Line { kind, text }))
    }
}

/// A conversation.
struct KeyValue {
    lanes: [Lane<WholeFrames<LineHandler>>; 2],
    /// The number of messages that the client has emitted, and the number of them that were
    /// answered.
    requests: u64,
    answered: u64,
    /// Whether nothing was lost and nothing was malformed. Then the replies answer the requests in
    /// order.
    paired: bool,
}

impl KeyValue {
    fn emit(&mut self, side: Side, span: Span, line: &Line, failure: Option<(Outcome, &str)>, out: Out<'_>) {
        let answers = match (side, line.kind) {
            (Side::Server, "VALUE" | "ERR") if self.paired && self.answered < self.requests => Some(self.answered),
            _ => None,
        };
        let outcome = if line.kind == "ERR" { Outcome::Failed } else { Outcome::Ok };
        let outcome = failure.map_or(outcome, |(outcome, _)| outcome);
        out(&Message {
            outcome,
            reason: failure.map(|(_, reason)| reason),
            answers,
            summary: &line.text,
            ..Message::new("kv", side, line.kind, span)
        });
        self.requests += u64::from(side == Side::Client);
        self.answered += u64::from(answers.is_some());
        self.paired &= failure.is_none();
    }

    /// Emits the bytes that no message has claimed, where the stream ends or has a gap.
    fn emit_rest(&mut self, side: Side, reason: &str, out: Out<'_>) {
        let lane = &mut self.lanes[side.index()];
        let rest = lane.rest();
        let Some(span) = lane.claim_rest() else { return };
        let (kind, reason) = rest.kind().map_or(("line", reason), |kind| (kind, AFTER_MALFORMED));
        self.emit(side, span, &line(kind), Some((Outcome::Incomplete, reason)), out);
    }
}

fn session() -> Box<dyn Session> {
    let lanes = Side::BOTH.map(|side| Lane::new(handler(side, false)));
    Box::new(KeyValue { lanes, requests: 0, answered: 0, paired: true })
}

fn handler(side: Side, behind_gap: bool) -> WholeFrames<LineHandler> {
    WholeFrames::new(LineHandler { side, behind_gap })
}

/// Returns a line whose text is not known.
fn line(kind: &'static str) -> Line {
    Line { kind, text: String::new() }
}

type Out<'o> = &'o mut dyn FnMut(&Message<'_>);

impl Session for KeyValue {
    fn protocol(&self) -> &str {
        "kv"
    }

    fn feed(&mut self, side: Side, mut chunk: &[u8], out: Out<'_>) {
        while let Some(next) = self.lanes[side.index()].next(&mut chunk) {
            let lane = &mut self.lanes[side.index()];
            match next {
                Ok(line) => {
                    let span = lane.claim();
                    let failure = (line.kind == "unparsed").then_some((Outcome::Incomplete, "behind a gap"));
                    self.emit(side, span, &line, failure, out);
                }
                Err(error) => {
                    let span = lane.claim_to(error.end());
                    let reason = match error {
                        FrameError::TooLong { .. } => "the line is too long",
                        FrameError::Handler { error, .. } => error,
                    };
                    self.emit(side, span, &line("line"), Some((Outcome::Malformed, reason)), out);
                }
            }
        }
    }

    fn gap(&mut self, side: Side, missing: u64, out: Out<'_>) {
        self.emit_rest(side, BYTES_MISSING, out);
        self.lanes[side.index()].resume(missing, handler(side, true));
        self.paired = false;
    }

    fn close(&mut self, side: Side, ending: Ending, out: Out<'_>) {
        self.emit_rest(side, ending.reason(), out);
    }

    fn held(&self) -> usize {
        self.lanes.iter().map(Lane::held).sum()
    }
}

fn registry() -> Registry {
    Registry::builtin().with(Protocol::new("kv", session).port(7070).about("Values by key, a line each"))
}

fn main() {
    let conversation = "enjamb transcript 1\n\
        @0 client\n \"GET a\\nGET\"\n\
        @1 client\n \" b\\n\"\n\
        @2 server\n \"VALUE 1\\nERR no b\\n\"\n";
    let mut session = registry().resolve("kv").expect("it was registered").session(None);
    let transcript = Transcript::parse(conversation).expect("a transcript");
    transcript.play(&mut *session, &mut |message| println!("{message:?}"));
}

#[cfg(test)]
mod tests {
    use enjamb_law::{Sessions, laws};

    use super::*;

    laws! {
        mod requests {
            subject: Sessions(session),
            messages: ["GET a\n", "GET \n", "GET two words\n"],
            answers: ["VALUE 1\n", "ERR no key\n", "VALUE 2\n"],
            tokens: ["GET ", "VALUE"],
            limit: 4096,
        }
    }

    #[test]
    fn main_runs() {
        main();
    }

    #[test]
    fn replies_are_numbered_until_bytes_are_lost() {
        let mut session = session();
        let mut answers = Vec::new();
        let mut out = |message: &Message<'_>| answers.push((message.kind.to_owned(), message.answers));
        session.feed(Side::Client, b"GET a\nGET b\nGET c\n", &mut out);
        session.feed(Side::Server, b"VALUE 1\nERR no b\nVAL", &mut out);
        session.gap(Side::Server, 9, &mut out);
        session.feed(Side::Server, b"UE 3\nVALUE 4\n", &mut out);
        let seen: Vec<_> = answers.iter().map(|(kind, answer)| (kind.as_str(), *answer)).collect();
        assert_eq!(
            seen,
            [
                ("GET", None),
                ("GET", None),
                ("GET", None),
                ("VALUE", Some(0)),
                ("ERR", Some(1)),
                ("line", None),
                ("unparsed", None),
                ("VALUE", None),
            ]
        );
    }
}
