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
//!   message was seen. They are a message of kind `unparsed`. Nothing is paired there until the
//!   conversation shows again which commands wait.
//! * A malformed message ends where that is certain, and the next one is read. Otherwise bytes are
//!   skipped as behind a gap.
//! * After a replica has asked for the data (`SYNC`, `PSYNC`), the rest of the server's side is
//!   `opaque`.
//!
//! Sources: the RESP specification at redis.io, the RESP3 specification (github.com/antirez/RESP3),
//! and the behaviour of a Redis 7.0 server where both are silent.

mod attributes;
mod command;
mod doubt;
mod excerpt;
mod glance;
mod inline;
mod key;
mod kinds;
mod limits;
mod line;
mod message_end;
mod name;
mod pairing;
mod payload;
mod plain;
mod relevance;
mod reply;
mod shape;
mod sniff;
mod subscription;
mod summary;
mod summary_text;
mod syntax_error;

use std::fmt;

use enjamb::{
    AFTER_MALFORMED, BYTES_MISSING, Ending, Flags, FrameError, Lane, Message, Outcome, Rest, Session, Side, Span,
};

pub use attributes::ATTRIBUTES;
pub use limits::{
    ARGUMENTS_MAX, BULK_MAX, CODE_MAX, DEPTH_MAX, ELEMENTS_MAX, KEPT_ARGUMENTS_MAX, KEPT_BYTES_MAX, LINE_MAX, NAME_MAX,
};
pub use pairing::OUTSTANDING_RUNS_MAX;
pub use sniff::sniff;
pub use syntax_error::SyntaxError;

pub use crate::opaque::AFTER_GAP;
use crate::opaque::opaque;
use attributes::CommandAttributes;
use command::CommandHandler;
use kinds::NAME;
use message_end::MessageEnd;
use pairing::{Pairing, Verdict};
use reply::ReplyHandler;
use summary::{CommandSummary, ReplySummary};

/// The flag of a reply whose command was not captured.
const REQUEST_MISSING: &str = "request-missing";

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
    /// Emits a command that was read at a glance.
    #[inline(never)]
    fn glanced_command(&mut self, bytes: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        self.command(MessageEnd { found_at: None, glanced: None, fault: None }, Some(bytes), out);
    }

    #[inline(never)]
    fn framed_command(&mut self, end: MessageEnd, out: &mut dyn FnMut(&Message<'_>)) {
        self.command(end, None, out);
    }

    // Inlined into both of the above: most of the questions have one answer for a glanced command.
    #[inline(always)]
    fn command(&mut self, end: MessageEnd, bytes: Option<&[u8]>, out: &mut dyn FnMut(&Message<'_>)) {
        let joined = std::mem::take(&mut self.joined[Side::Client.index()]);
        let mut behind_skipped = false;
        if let Some(at) = end.found_at.filter(|&at| at > self.client.start()) {
            if joined {
                self.pairing.lose_commands();
            }
            behind_skipped = true;
            self.pairing.emitted();
            let reason = skipped(self.client.handler().is_behind_malformed());
            out(&unparsed(Side::Client, self.client.claim_to(at), reason));
        }
        let span = self.client.claim();
        let command = self.client.handler();
        let (outcome, reason) = verdict(end.fault);
        match end.fault {
            // The server accepts any two bytes behind a bulk.
            None | Some(SyntaxError::BulkEnd) => {
                let server = &self.server;
                let server_idle = || server.rest() == Rest::Message && !server.handler().is_begun();
                let proved = self.pairing.command(command, behind_skipped, server_idle);
                if proved && self.server.handler().is_seeking() {
                    self.restart_server(out);
                }
            }
            Some(SyntaxError::Nul) => self.pairing.stalled(),
            Some(_) => self.pairing.malformed(),
        }
        let command = self.client.handler();
        let kind = if end.fault.is_some() { "command" } else { command.kind() };
        let summary = CommandSummary(command, bytes);
        let attributes = &CommandAttributes { command, bytes };
        out(&Message { outcome, reason, attributes, ..message(Side::Client, kind, span, &summary) });
        self.client.handler_mut().clear();
        self.server.handler_mut().expect_snapshot(self.pairing.expects_snapshot());
    }

    /// Reads the server's side from here, where a reply begins for certain.
    fn restart_server(&mut self, out: &mut dyn FnMut(&Message<'_>)) {
        self.rest_of_server(AFTER_GAP, out);
        self.server.resume(0, ReplyHandler::new());
    }

    /// Emits a reply that was read at a glance.
    #[inline(never)]
    fn glanced_reply(&mut self, bytes: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        self.reply(MessageEnd { found_at: None, glanced: None, fault: None }, Some(bytes), out);
    }

    #[inline(never)]
    fn framed_reply(&mut self, end: MessageEnd, out: &mut dyn FnMut(&Message<'_>)) {
        self.reply(end, None, out);
    }

    #[inline(always)]
    fn reply(&mut self, end: MessageEnd, bytes: Option<&[u8]>, out: &mut dyn FnMut(&Message<'_>)) {
        let joined = std::mem::take(&mut self.joined[Side::Server.index()]);
        let asking = self.is_asking();
        if let Some(at) = end.found_at.filter(|&at| at > self.server.start()) {
            if joined {
                self.pairing.lose_replies(Verdict::default(), asking);
            }
            self.pairing.skip();
            let reason = skipped(self.server.handler().is_behind_malformed());
            out(&unparsed(Side::Server, self.server.claim_to(at), reason));
        }
        let span = self.server.claim();
        let reply = self.server.handler();
        let is_cut = end.fault.is_some() && reply.is_seeking();
        let paired = match end.fault {
            Some(SyntaxError::UnknownType) if is_cut && reply.form().is_none() => Verdict::default(),
            _ if is_cut => self.pairing.cut_off(reply),
            _ => self.pairing.reply(reply, asking),
        };
        let failed = reply.form().is_some_and(excerpt::Form::is_error);
        let (outcome, reason) = match end.fault {
            None if failed => (Outcome::Failed, None),
            fault => verdict(fault),
        };
        out(&Message {
            outcome,
            code: if failed { reply.code() } else { None },
            reason,
            flags: if paired.missing { Flags::from_list(REQUEST_MISSING) } else { Flags::NONE },
            answers: paired.answers,
            ..message(Side::Server, kind(paired), span, &ReplySummary(reply, bytes))
        });
        if is_cut {
            self.pairing.lose_replies(paired, asking);
        }
        let handler = self.server.handler_mut();
        handler.clear();
        handler.expect_snapshot(self.pairing.expects_snapshot());
        if paired.opaque {
            self.server.turn_opaque();
        }
    }

    /// Returns whether the client has begun a command that is not complete.
    fn is_asking(&self) -> bool {
        self.client.rest() == Rest::Message && self.client.handler().is_begun()
    }

    /// Handles a stream that the capture joined in the middle. It may begin with a message, but
    /// earlier commands may wait for their replies.
    fn join(&mut self, side: Side) {
        match side {
            Side::Client if self.client.is_new() => self.client.resume(0, self.client.handler().sought()),
            Side::Server if self.server.is_new() => self.server.resume(0, ReplyHandler::seeking()),
            Side::Client | Side::Server => return,
        }
        self.joined[side.index()] = true;
        self.pairing.join();
    }

    fn malformed_command(&mut self, error: &FrameError<SyntaxError>, out: &mut dyn FnMut(&Message<'_>)) {
        let span = self.client.claim_to(error.end());
        let command = self.client.handler();
        self.pairing.malformed();
        out(&Message {
            outcome: Outcome::Malformed,
            reason: Some(reason(error).as_str()),
            attributes: &CommandAttributes { command, bytes: None },
            ..message(Side::Client, "command", span, &CommandSummary(command, None))
        });
        self.client.handler_mut().clear();
    }

    fn malformed_reply(&mut self, error: &FrameError<SyntaxError>, out: &mut dyn FnMut(&Message<'_>)) {
        let span = self.server.claim_to(error.end());
        let reply = self.server.handler();
        let asking = self.is_asking();
        self.pairing.lose_replies(Verdict::default(), asking);
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
            Rest::Message if command.is_seeking() => {
                out(&unparsed(Side::Client, span, skipped(command.is_behind_malformed())));
            }
            Rest::Message if command.is_begun() => out(&Message {
                outcome: Outcome::Incomplete,
                reason: Some(why),
                attributes: &CommandAttributes { command, bytes: None },
                ..message(Side::Client, command.kind(), span, &CommandSummary(command, None))
            }),
            Rest::Message => out(&message(Side::Client, "blank", span, &"blank lines")),
        }
    }

    /// Emits all bytes of the server's side that no message has claimed, where it ends or has a
    /// gap. Returns the verdict on a reply that was cut off.
    fn rest_of_server(&mut self, why: &'static str, out: &mut dyn FnMut(&Message<'_>)) -> Verdict {
        let rest = self.server.rest();
        let mut cut = Verdict::default();
        let Some(span) = self.server.claim_rest() else { return cut };
        let reply = self.server.handler();
        match rest {
            Rest::Opaque => out(&opaque(NAME, Side::Server, span)),
            Rest::Unparsed => out(&unparsed(Side::Server, span, AFTER_MALFORMED)),
            Rest::Message if reply.is_seeking() => {
                out(&unparsed(Side::Server, span, skipped(reply.is_behind_malformed())));
            }
            Rest::Message if reply.is_begun() => {
                cut = self.pairing.cut_off(reply);
                out(&Message {
                    outcome: Outcome::Incomplete,
                    reason: Some(why),
                    answers: cut.answers,
                    ..message(Side::Server, kind(cut), span, &ReplySummary(reply, None))
                });
            }
            Rest::Message => out(&message(Side::Server, "blank", span, &"blank lines")),
        }
        cut
    }
}

impl Session for Redis {
    fn protocol(&self) -> &str {
        NAME
    }

    fn feed(&mut self, side: Side, mut chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        let all = chunk;
        match side {
            Side::Client => loop {
                self.plain_commands(&mut chunk, out);
                let Some(next) = self.client.next(&mut chunk) else { return };
                match next {
                    Ok(end) => match glanced(end, all, chunk) {
                        Some(bytes) => self.glanced_command(bytes, out),
                        None => self.framed_command(end, out),
                    },
                    Err(error) => self.malformed_command(&error, out),
                }
            },
            Side::Server => loop {
                self.plain_replies(&mut chunk, out);
                let Some(next) = self.server.next(&mut chunk) else { return };
                match next {
                    Ok(end) => match glanced(end, all, chunk) {
                        Some(bytes) => self.glanced_reply(bytes, out),
                        None => self.framed_reply(end, out),
                    },
                    Err(error) => self.malformed_reply(&error, out),
                }
            },
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
                    Ok(Some(Ok(end))) => self.framed_command(end, out),
                    Ok(Some(Err(error))) => self.malformed_command(&error, out),
                    Err(_) => {
                        self.rest_of_client(BYTES_MISSING, out);
                        self.client.resume(missing, self.client.handler().sought());
                        self.pairing.lose_some_commands();
                    }
                }
            }
            Side::Server => {
                if self.server.rest() == Rest::Message && self.server.framer().remaining() >= Some(missing) {
                    self.server.handler_mut().lose(missing);
                }
                match self.server.pass(missing) {
                    Ok(None) => {}
                    Ok(Some(Ok(end))) => self.framed_reply(end, out),
                    Ok(Some(Err(error))) => self.malformed_reply(&error, out),
                    Err(_) => {
                        let cut = self.rest_of_server(BYTES_MISSING, out);
                        self.server.resume(missing, ReplyHandler::seeking());
                        let asking = self.is_asking();
                        self.pairing.lose_replies(cut, asking);
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

    fn pause(&mut self) {
        self.pairing.pause();
    }

    fn keep_attributes(&mut self) {
        self.client.handler_mut().keep_arguments();
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

/// Returns the outcome and the reason of a whole message.
fn verdict(fault: Option<SyntaxError>) -> (Outcome, Option<&'static str>) {
    match fault {
        None => (Outcome::Ok, None),
        Some(fault) => (Outcome::Malformed, Some(fault.as_str())),
    }
}

/// Returns the reason of bytes that were skipped.
const fn skipped(behind_malformed: bool) -> &'static str {
    if behind_malformed { AFTER_MALFORMED } else { AFTER_GAP }
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
