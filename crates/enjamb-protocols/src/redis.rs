//! Redis: RESP2, RESP3 and inline commands.
//!
//! Each side is a [`Lane`] over a handler: one for commands on the client's side, one for replies
//! and pushes on the server's. Both keep only the beginning of a message, and no payload: a `SET`
//! of 500 MB takes as much memory as a `SET` of 5 bytes. A third part pairs replies with commands.
//! It has a list of the commands that do not get exactly one reply.
//!
//! The messages of a session:
//!
//! * The kind of a command is its name in capitals, or `command` where that is no name. The
//!   server's kinds are `reply` and `push`.
//! * An error reply is [`Failed`](Outcome::Failed), and its code is its first word. An error inside
//!   an array (the reply to `EXEC`) is an element like any other.
//! * Blank lines between commands, which the server skips, belong to the command that follows. If
//!   none follows before the stream ends or has a gap, they are a message of kind `blank`, with the
//!   outcome `Ok`.
//! * `*0` and `*-1` from a client are commands without arguments, which get no reply.
//! * Behind a gap that does not fit into a payload, bytes are skipped until a whole well-formed
//!   message was seen. They are a message of kind `unparsed`. Pairing ends there, since the lost
//!   messages are unknown.
//! * After a replica has asked for the data (`SYNC`, `PSYNC`), the rest of the server's side is
//!   `opaque`.
//!
//! Sources: the RESP specification at redis.io, the RESP3 specification (github.com/antirez/RESP3),
//! and the behaviour of a Redis 7.0 server where both are silent.

mod command;
mod excerpt;
mod glance;
mod inline;
mod limits;
mod line;
mod message_end;
mod name;
mod pairing;
mod payload;
mod relevance;
mod reply;
mod sniff;
mod summary;
mod syntax_error;

use std::fmt;

use enjamb::{AFTER_MALFORMED, BYTES_MISSING, Ending, FrameError, Lane, Message, Outcome, Rest, Session, Side, Span};

pub use limits::{ARGUMENTS_MAX, BULK_MAX, CODE_MAX, DEPTH_MAX, ELEMENTS_MAX, LINE_MAX, NAME_MAX};
pub use pairing::OUTSTANDING_RUNS_MAX;
pub use sniff::sniff;
pub use syntax_error::SyntaxError;

use crate::opaque::opaque;
use command::CommandHandler;
use message_end::MessageEnd;
use pairing::{Pairing, Verdict};
use reply::ReplyHandler;
use summary::{CommandSummary, ReplySummary};

/// The reason of bytes that were skipped behind a gap.
pub const AFTER_GAP: &str = "skipped after a gap";

/// The name of the protocol.
const NAME: &str = "redis";

/// Opens a session for a conversation from its beginning.
///
/// ```
/// use enjamb::Side;
/// use enjamb_protocols::redis;
///
/// let mut session = redis::session();
/// let mut seen = Vec::new();
/// let mut out = |message: &enjamb::Message<'_>| seen.push(message.to_owned().to_string());
/// session.feed(Side::Client, b"*2\r\n$3\r\nGET\r\n$3\r\nke", &mut out);
/// session.feed(Side::Client, b"y\r\n", &mut out);
/// session.feed(Side::Server, b"$5\r\nvalue\r\n", &mut out);
/// assert_eq!(seen, [
///     "client GET at 0+22 ok: GET key",
///     "server reply at 0+11 ok answers #0: \\\"value\\\"",
/// ]);
/// ```
#[must_use]
pub fn session() -> Box<dyn Session> {
    Box::new(Redis {
        client: Lane::new(CommandHandler::new()),
        server: Lane::new(ReplyHandler::new()),
        pairing: Pairing::default(),
        joined: [false; 2],
    })
}

struct Redis {
    client: Lane<CommandHandler>,
    server: Lane<ReplyHandler>,
    pairing: Pairing,
    /// Whether the capture joined the stream of a side in the middle, and nothing was found in it
    /// yet.
    joined: [bool; 2],
}

impl Redis {
    fn command(&mut self, end: MessageEnd, bytes: Option<&[u8]>, out: &mut dyn FnMut(&Message<'_>)) {
        let joined = std::mem::take(&mut self.joined[Side::Client.index()]);
        if let Some(at) = end.found_at.filter(|&at| at > self.client.start()) {
            if joined {
                self.pairing.lose_commands();
            }
            self.pairing.emitted();
            out(&unparsed(Side::Client, self.client.claim_to(at), AFTER_GAP));
        }
        let span = self.client.claim();
        let command = self.client.handler();
        self.pairing.command(command);
        out(&message(Side::Client, command.kind(), span, &CommandSummary(command, bytes)));
        self.client.handler_mut().clear();
        self.server.handler_mut().expect_snapshot(self.pairing.expects_snapshot());
    }

    fn reply(&mut self, end: MessageEnd, bytes: Option<&[u8]>, out: &mut dyn FnMut(&Message<'_>)) {
        let joined = std::mem::take(&mut self.joined[Side::Server.index()]);
        if let Some(at) = end.found_at.filter(|&at| at > self.server.start()) {
            if joined {
                self.pairing.lose_replies();
            }
            out(&unparsed(Side::Server, self.server.claim_to(at), AFTER_GAP));
        }
        let span = self.server.claim();
        let reply = self.server.handler();
        let asking = self.client.rest() == Rest::Message && self.client.handler().is_begun();
        let verdict = self.pairing.reply(reply, asking);
        let failed = reply.form().is_some_and(excerpt::Form::is_error);
        out(&Message {
            outcome: if failed { Outcome::Failed } else { Outcome::Ok },
            code: reply.code(),
            answers: verdict.answers,
            ..message(Side::Server, kind(verdict), span, &ReplySummary(reply, bytes))
        });
        let handler = self.server.handler_mut();
        handler.clear();
        handler.expect_snapshot(self.pairing.expects_snapshot());
        if verdict.opaque {
            self.server.turn_opaque();
        }
    }

    /// Handles a stream that the capture joined in the middle. It may begin with a message; pairing
    /// is lost only if it does not.
    fn join(&mut self, side: Side) {
        match side {
            Side::Client if self.client.is_new() => self.client.resume(0, CommandHandler::seeking()),
            Side::Server if self.server.is_new() => self.server.resume(0, ReplyHandler::seeking()),
            Side::Client | Side::Server => return,
        }
        self.joined[side.index()] = true;
    }

    fn malformed_command(&mut self, error: &FrameError<SyntaxError>, out: &mut dyn FnMut(&Message<'_>)) {
        let span = self.client.claim_to(error.end());
        let command = self.client.handler();
        self.pairing.malformed();
        out(&Message {
            outcome: Outcome::Malformed,
            reason: Some(reason(error).as_str()),
            ..message(Side::Client, "command", span, &CommandSummary(command, None))
        });
        self.client.handler_mut().clear();
    }

    fn malformed_reply(&mut self, error: &FrameError<SyntaxError>, out: &mut dyn FnMut(&Message<'_>)) {
        let span = self.server.claim_to(error.end());
        let reply = self.server.handler();
        self.pairing.lose_replies();
        out(&Message {
            outcome: Outcome::Malformed,
            reason: Some(reason(error).as_str()),
            ..message(Side::Server, "reply", span, &ReplySummary(reply, None))
        });
        self.server.handler_mut().clear();
    }

    /// Emits all bytes of the client's side that no message has claimed, where it ends or has a
    /// gap.
    fn rest_of_client(&mut self, why: &'static str, out: &mut dyn FnMut(&Message<'_>)) {
        let rest = self.client.rest();
        let Some(span) = self.client.claim_rest() else { return };
        self.pairing.emitted();
        let command = self.client.handler();
        match rest {
            Rest::Opaque => out(&opaque(NAME, Side::Client, span)),
            Rest::Unparsed => out(&unparsed(Side::Client, span, AFTER_MALFORMED)),
            Rest::Message if command.is_seeking() => out(&unparsed(Side::Client, span, AFTER_GAP)),
            Rest::Message if command.is_begun() => out(&Message {
                outcome: Outcome::Incomplete,
                reason: Some(why),
                ..message(Side::Client, command.kind(), span, &CommandSummary(command, None))
            }),
            Rest::Message => out(&message(Side::Client, "blank", span, &"blank lines")),
        }
    }

    /// Emits all bytes of the server's side that no message has claimed, where it ends or has a
    /// gap.
    fn rest_of_server(&mut self, why: &'static str, out: &mut dyn FnMut(&Message<'_>)) {
        let rest = self.server.rest();
        let Some(span) = self.server.claim_rest() else { return };
        let reply = self.server.handler();
        match rest {
            Rest::Opaque => out(&opaque(NAME, Side::Server, span)),
            Rest::Unparsed => out(&unparsed(Side::Server, span, AFTER_MALFORMED)),
            Rest::Message if reply.is_seeking() => out(&unparsed(Side::Server, span, AFTER_GAP)),
            Rest::Message if reply.is_begun() => {
                let verdict = self.pairing.cut_off(reply);
                out(&Message {
                    outcome: Outcome::Incomplete,
                    reason: Some(why),
                    answers: verdict.answers,
                    ..message(Side::Server, kind(verdict), span, &ReplySummary(reply, None))
                });
            }
            Rest::Message => out(&message(Side::Server, "blank", span, &"blank lines")),
        }
    }
}

impl Session for Redis {
    fn protocol(&self) -> &str {
        NAME
    }

    fn feed(&mut self, side: Side, mut chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        let all = chunk;
        match side {
            Side::Client => {
                while let Some(next) = self.client.next(&mut chunk) {
                    match next {
                        Ok(end) => self.command(end, glanced(end, all, chunk), out),
                        Err(error) => self.malformed_command(&error, out),
                    }
                }
            }
            Side::Server => {
                while let Some(next) = self.server.next(&mut chunk) {
                    match next {
                        Ok(end) => self.reply(end, glanced(end, all, chunk), out),
                        Err(error) => self.malformed_reply(&error, out),
                    }
                }
            }
        }
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        if missing == 0 {
            return self.join(side);
        }
        match side {
            Side::Client => {
                if self.client.rest() == Rest::Message && self.client.framer().remaining() >= Some(missing) {
                    self.client.handler_mut().lose(missing);
                }
                match self.client.pass(missing) {
                    Ok(None) => {}
                    Ok(Some(Ok(end))) => self.command(end, None, out),
                    Ok(Some(Err(error))) => self.malformed_command(&error, out),
                    Err(_) => {
                        self.rest_of_client(BYTES_MISSING, out);
                        self.client.resume(missing, CommandHandler::seeking());
                        self.pairing.lose_commands();
                    }
                }
            }
            Side::Server => {
                if self.server.rest() == Rest::Message && self.server.framer().remaining() >= Some(missing) {
                    self.server.handler_mut().lose(missing);
                }
                match self.server.pass(missing) {
                    Ok(None) => {}
                    Ok(Some(Ok(end))) => self.reply(end, None, out),
                    Ok(Some(Err(error))) => self.malformed_reply(&error, out),
                    Err(_) => {
                        self.rest_of_server(BYTES_MISSING, out);
                        self.server.resume(missing, ReplyHandler::seeking());
                        self.pairing.lose_replies();
                    }
                }
            }
        }
        self.server.handler_mut().expect_snapshot(self.pairing.expects_snapshot());
    }

    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        match side {
            Side::Client => {
                if let Err(error) = self.client.close(&mut |_| {}) {
                    self.malformed_command(&error, out);
                    self.client.give_up();
                }
                self.rest_of_client(ending.reason(), out);
            }
            Side::Server => {
                if let Err(error) = self.server.close(&mut |_| {}) {
                    self.malformed_reply(&error, out);
                    self.server.give_up();
                }
                self.rest_of_server(ending.reason(), out);
            }
        }
    }

    fn held(&self) -> usize {
        self.client.held() + self.server.held() + self.pairing.held()
    }
}

/// Returns a message that is whole and well-formed.
fn message<'a>(side: Side, kind: &'a str, span: Span, summary: &'a dyn fmt::Display) -> Message<'a> {
    Message { summary, ..Message::new(NAME, side, kind, span) }
}

fn unparsed(side: Side, span: Span, reason: &'static str) -> Message<'static> {
    Message { kind: "unparsed", outcome: Outcome::Incomplete, reason: Some(reason), ..opaque(NAME, side, span) }
}

/// Returns the bytes of a message that was read at a glance, from a chunk whose remaining bytes are
/// `rest`.
fn glanced<'a>(end: MessageEnd, chunk: &'a [u8], rest: &[u8]) -> Option<&'a [u8]> {
    let to = chunk.len() - rest.len();
    chunk.get(to.checked_sub(end.glanced?.get())?..to)
}

const fn kind(verdict: Verdict) -> &'static str {
    if verdict.push { "push" } else { "reply" }
}

const fn reason(error: &FrameError<SyntaxError>) -> SyntaxError {
    match error {
        FrameError::TooLong { .. } => SyntaxError::LineTooLong,
        FrameError::Handler { error, .. } => *error,
    }
}
