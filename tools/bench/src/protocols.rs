//! The group `protocols`: speed of parsing the messages of a conversation.
//!
//! A session parses both sides and pairs replies with requests.

mod conversations;
mod parsers;

use std::rc::Rc;

use enjamb::{Session, Side};
use enjamb_protocols::{Registry, http1, redis};

use self::conversations::{Conversation, Turn};

use crate::measure::{Contestant, Input, Row, Tally};
use crate::scale::Scale;

/// A request head with as many fields as browsers send.
const REQUEST: &[u8] = b"GET /articles/2026/enjambment?page=2 HTTP/1.1\r\n\
    Host: www.example.org\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: https://www.example.org/articles/2026/\r\n\
    Cookie: session=1c9f0b6c5d5e4f3a; theme=dark\r\n\
    Connection: keep-alive\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
    Server: nginx\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 100\r\n\
    Cache-Control: max-age=60\r\n\
    Connection: keep-alive\r\n\r\n";

/// Length of a response's body, in bytes.
const BODY: usize = 100;

const COMMAND: &[u8] = b"*3\r\n$3\r\nSET\r\n$10\r\nkey:000042\r\n$16\r\nabcdefghijklmnop\r\n";
const REPLY: &[u8] = b"+OK\r\n";

/// Messages that each side sends in one write.
const PIPELINE: usize = 16;

/// Makes the rows of the group.
pub(crate) fn rows(scale: Scale) -> Vec<Row> {
    let whole = "a session: messages, pairs, spans";
    let response = [RESPONSE, &[b'x'; BODY]].concat();
    let http = conversation(scale, REQUEST, &response);
    let http_turns = [PIPELINE * REQUEST.len(), PIPELINE * response.len()];
    let redis = conversation(scale, COMMAND, REPLY);
    let redis_turns = [PIPELINE * COMMAND.len(), PIPELINE * REPLY.len()];
    let http_cut = "the same; 100-byte reads, which cut heads";
    let redis_cut = "the same; 20-byte reads, which cut commands";
    let mut rows = vec![
        Row {
            name: "HTTP/1: requests of 430 bytes and their responses, 16 per read".to_owned(),
            contestants: vec![
                session("enjamb", whole, &http, http_turns, usize::MAX, http1::session),
                session("enjamb, small reads", http_cut, &http, http_turns, 100, http1::session),
                httparse(&http, http_turns),
            ],
        },
        Row {
            name: "Redis: commands of 49 bytes and their replies, 16 per read".to_owned(),
            contestants: vec![
                session("enjamb", whole, &redis, redis_turns, usize::MAX, redis::session),
                session("enjamb, small reads", redis_cut, &redis, redis_turns, 20, redis::session),
            ],
        },
    ];
    rows.extend(conversations::all().into_iter().map(|conversation| row(scale, conversation)));
    rows
}

/// Makes the row of a protocol: its session, and the parsers of others that are built.
fn row(scale: Scale, conversation: Conversation) -> Row {
    let name = format!("{}: {}", conversation.protocol, conversation.about);
    let input = repeated(scale, &conversation.exchange);
    let mut contestants = vec![];
    let theirs = parsers::contestants(conversation.protocol, |side| {
        let turns: Vec<_> =
            conversation.exchange.iter().filter(|turn| side.is_none_or(|side| turn.side == side)).cloned().collect();
        repeated(scale, &turns)
    });
    contestants.push(exchanges("enjamb", &input, conversation));
    contestants.extend(theirs);
    Row { name, contestants }
}

/// Makes an input of an exchange, again and again.
fn repeated(scale: Scale, exchange: &[Turn]) -> Rc<Input> {
    let mut input = Input::default();
    while input.bytes.len() < scale.input_bytes {
        for message in exchange.iter().flat_map(|turn| &turn.messages) {
            input.push(&[message], message.len());
        }
    }
    Rc::new(input)
}

/// Makes the contestant that feeds a session with the turns of a conversation.
fn exchanges(name: &'static str, input: &Rc<Input>, conversation: Conversation) -> Contestant {
    let protocol = Registry::builtin().get(conversation.protocol).cloned();
    Contestant::new(name, "a session: kinds, pairs, spans; no summaries", input, move |mut bytes| {
        let mut tally = Tally::default();
        let Some(protocol) = &protocol else { return tally };
        let mut session = protocol.session(None);
        for turn in &conversation.opening {
            session.feed(turn.side, &turn.messages.concat(), &mut |_| {});
        }
        let lengths = conversation.exchange.iter().map(|turn| (turn.side, turn.messages.iter().map(Vec::len).sum()));
        let lengths: Vec<(Side, usize)> = lengths.collect();
        while !bytes.is_empty() {
            for (side, length) in &lengths {
                let (turn, rest) = bytes.split_at(*length);
                session.feed(*side, turn, &mut |message| tally.count(message.span.length));
                bytes = rest;
            }
        }
        tally
    })
}

/// Makes an input of client and server turns, one after the other.
fn conversation(scale: Scale, request: &[u8], response: &[u8]) -> Rc<Input> {
    let mut input = Input::default();
    while input.bytes.len() < scale.input_bytes {
        for message in [request, response] {
            for _ in 0..PIPELINE {
                input.push(&[message], message.len());
            }
        }
    }
    Rc::new(input)
}

/// Splits a conversation into its turns, whose lengths alternate.
fn turns(mut bytes: &[u8], lengths: [usize; 2]) -> impl Iterator<Item = (Side, &[u8])> {
    let mut side = Side::Server;
    std::iter::from_fn(move || {
        side = !side;
        let (turn, rest) = bytes.split_at_checked(lengths[side.index()])?;
        bytes = rest;
        Some((side, turn))
    })
}

/// Makes the contestant that feeds a session, with reads of at most `read` bytes.
fn session(
    name: &'static str,
    work: &'static str,
    input: &Rc<Input>,
    lengths: [usize; 2],
    read: usize,
    open: fn() -> Box<dyn Session>,
) -> Contestant {
    Contestant::new(name, work, input, move |bytes| {
        let mut session = open();
        let mut tally = Tally::default();
        for (side, turn) in turns(bytes, lengths) {
            for chunk in turn.chunks(read) {
                session.feed(side, chunk, &mut |message| tally.count(message.span.length));
            }
        }
        tally
    })
}

/// Makes the contestant that runs only `httparse`, which the session uses too. Every head is whole
/// in memory, and the lengths of the bodies are known in advance.
fn httparse(input: &Rc<Input>, lengths: [usize; 2]) -> Contestant {
    Contestant::new("httparse", "heads only, all of them whole: an upper bound", input, move |bytes| {
        let mut tally = Tally::default();
        for (side, mut turn) in turns(bytes, lengths) {
            while !turn.is_empty() {
                let mut fields = [httparse::EMPTY_HEADER; 32];
                let (parsed, body) = match side {
                    Side::Client => (httparse::Request::new(&mut fields).parse(turn), 0),
                    Side::Server => (httparse::Response::new(&mut fields).parse(turn), BODY),
                };
                let Ok(httparse::Status::Complete(head)) = parsed else { return tally };
                tally.count((head + body) as u64);
                turn = &turn[head + body..];
            }
        }
        tally
    })
}
