//! Limits: refused messages, messages that are just accepted, and bytes that are not stored.

use enjamb::{Outcome, OwnedMessage, Side};
use enjamb_protocols::redis::{
    self, ARGUMENTS_MAX, BULK_MAX, DEPTH_MAX, ELEMENTS_MAX, LINE_MAX, OUTSTANDING_RUNS_MAX, SyntaxError,
};

use crate::{HELD_MAX, Step, assert_same_for_every_cut, client, server, whole};

/// Returns the first message of the step.
fn first(step: Step) -> OwnedMessage {
    whole(&[step]).swap_remove(0)
}

#[test]
fn every_malformed_message_has_its_reason_and_the_next_one_is_read() {
    let nested = b"*1\r\n".repeat(DEPTH_MAX + 1);
    let cases: Vec<(SyntaxError, Step)> = vec![
        (SyntaxError::ArgumentCount, client("*x\r\n")),
        (SyntaxError::ArgumentCount, client("*01\r\n")),
        (SyntaxError::ArgumentCount, client("*+1\r\n")),
        (SyntaxError::ArgumentCount, client("*\r\n")),
        (SyntaxError::ArgumentCount, client("*1\n")),
        (SyntaxError::ArgumentCount, client("*9223372036854775808\r\n")),
        (SyntaxError::ArgumentCount, client(format!("*{}\r\n", ARGUMENTS_MAX + 1))),
        (SyntaxError::NotAnArgument, client("*1\r\n:1\r\n")),
        (SyntaxError::NotAnArgument, client("*1\r\n\r\n")),
        (SyntaxError::BulkLength, client("*1\r\n$-1\r\n")),
        (SyntaxError::BulkLength, client("*1\r\n$1\n")),
        (SyntaxError::BulkLength, client("*1\r\n$010\r\n")),
        (SyntaxError::BulkLength, client(format!("*1\r\n${}\r\n", BULK_MAX + 1))),
        (SyntaxError::BulkEnd, client("*1\r\n$4\r\nPINGxx")),
        (SyntaxError::BulkEnd, client("*2\r\n$4\r\nECHOxx$1\r\na\r\n")),
        (SyntaxError::BulkEnd, client("*1\r\n$4\r\nPING\rx")),
        (SyntaxError::BulkEnd, client("*1\r\n$4\r\nPINGx\n")),
        (SyntaxError::Quotes, client("SET \"a\r\n")),
        (SyntaxError::Quotes, client("SET 'a'b\r\n")),
        (SyntaxError::Nul, client("\0\r\n")),
        (SyntaxError::Nul, client("PING \0 x\n")),
        (SyntaxError::Nul, client("PING \"a\0\r\n")),
        (SyntaxError::CarriageReturn, server("+O\rK\r\n")),
        (SyntaxError::CarriageReturn, server("-ERR \r\r\n")),
        (SyntaxError::CarriageReturn, server(format!("+{}\r{}\r\n", "x".repeat(100), "x".repeat(100)))),
        (SyntaxError::CarriageReturn, server("*2\r\n+a\r\r\n:x\r\n")),
        (SyntaxError::LineEnd, server("+OK\n")),
        (SyntaxError::LineEnd, server("\n")),
        (SyntaxError::UnknownType, server("\r\n")),
        (SyntaxError::UnknownType, server("HTTP/1.1 200 OK\r\n")),
        (SyntaxError::Integer, server(":\r\n")),
        (SyntaxError::Integer, server(":1 \r\n")),
        (SyntaxError::Integer, server(":9223372036854775808\r\n")),
        (SyntaxError::Double, server(",1.2.3\r\n")),
        (SyntaxError::BigNumber, server("(\r\n")),
        (SyntaxError::BigNumber, server("(1.5\r\n")),
        (SyntaxError::BigNumber, server(format!("({}x{}\r\n", "1".repeat(200), "1".repeat(200)))),
        (SyntaxError::Boolean, server("#true\r\n")),
        (SyntaxError::Null, server("_x\r\n")),
        (SyntaxError::BulkLength, server("$-2\r\n")),
        (SyntaxError::BulkLength, server("$+1\r\n")),
        (SyntaxError::BulkLength, server("!-1\r\n")),
        (SyntaxError::BulkLength, server("!?\r\n")),
        (SyntaxError::BulkLength, server(format!("${}\r\n", BULK_MAX + 1))),
        (SyntaxError::BulkEnd, server("$1\r\nabc")),
        (SyntaxError::ElementCount, server("*-2\r\n")),
        (SyntaxError::ElementCount, server("*x\r\n")),
        (SyntaxError::ElementCount, server(">-1\r\n")),
        (SyntaxError::ElementCount, server(">?\r\n")),
        (SyntaxError::ElementCount, server("|-1\r\n")),
        (SyntaxError::ElementCount, server(format!("*{}\r\n", ELEMENTS_MAX + 1))),
        (SyntaxError::ElementCount, server(format!("%{}\r\n", ELEMENTS_MAX / 2 + 1))),
        (SyntaxError::ElementCount, server("%9223372036854775807\r\n")),
        (SyntaxError::Verbatim, server("=3\r\ntxt\r\n")),
        (SyntaxError::Verbatim, server("=5\r\ntxtab\r\n")),
        (SyntaxError::TooDeep, server(nested)),
        (SyntaxError::Chunk, server("$?\r\n;1\r\na\r\n+x\r\n")),
        (SyntaxError::Chunk, server("$?\r\n;-1\r\n")),
        (SyntaxError::BulkEnd, server("$?\r\n;1\r\nabc;0\r\n")),
        (SyntaxError::StreamEnd, server(".\r\n")),
        (SyntaxError::StreamEnd, server("*1\r\n.\r\n")),
        (SyntaxError::StreamEnd, server("*?\r\n.x\r\n")),
        (SyntaxError::StreamEnd, server("%?\r\n+k\r\n.\r\n")),
        (SyntaxError::StreamEnd, server("*?\r\n|1\r\n+k\r\n+v\r\n.\r\n")),
    ];
    for (fault, step) in cases {
        let Step::Feed(side, bytes) = &step else { unreachable!("all of them say something") };
        let name = bytes.escape_ascii().to_string();
        let next = b"*1\r\n$4\r\nPING\r\n";
        let steps = [Step::Feed(*side, [bytes, &next[..]].concat())];
        let messages = whole(&steps);
        let [malformed, next] = &messages[..] else { panic!("{name}: {messages:?}") };
        assert_eq!(
            (malformed.outcome, malformed.reason.as_deref()),
            (Outcome::Malformed, Some(fault.as_str())),
            "{name}"
        );
        let kind = match side {
            Side::Client => "command",
            Side::Server if bytes.starts_with(b">") => "push",
            Side::Server => "reply",
        };
        assert_eq!(malformed.kind, kind, "{name}");
        assert_eq!(malformed.span.length, bytes.len() as u64, "{name}");
        assert_eq!(next.kind, if *side == Side::Client { "PING" } else { "reply" }, "{name}");
        assert_eq!(next.outcome, Outcome::Ok, "{name}");
        assert_same_for_every_cut(&name, &steps);
    }
}

#[test]
fn a_message_just_within_a_limit_is_accepted() {
    let line = LINE_MAX as usize;
    let deep = [b"*1\r\n".repeat(DEPTH_MAX), b":1\r\n".to_vec()].concat();
    let monitored = format!("+{}\r\n", "x".repeat(3 * line));
    let cases: Vec<(Step, Outcome)> = vec![
        (client(["a".repeat(line), "\n".into()].concat()), Outcome::Ok),
        (client(["a".repeat(line - 1), "\r\n".into()].concat()), Outcome::Ok),
        (client(["a".repeat(line), "\r\n".into()].concat()), Outcome::Malformed),
        (client("a".repeat(line + 1)), Outcome::Malformed),
        (client(format!("*{ARGUMENTS_MAX}\r\n")), Outcome::Incomplete),
        (client(format!("*1\r\n${BULK_MAX}\r\n")), Outcome::Incomplete),
        (server(deep), Outcome::Ok),
        (server(monitored), Outcome::Ok),
        (server(format!("({}\r\n", "7".repeat(line - 1))), Outcome::Ok),
        (server(format!("({}\r\n", "7".repeat(line))), Outcome::Malformed),
        (server(format!("${BULK_MAX}\r\n")), Outcome::Incomplete),
        (server(format!("*{ELEMENTS_MAX}\r\n")), Outcome::Incomplete),
        (server(format!("%{}\r\n", ELEMENTS_MAX / 2)), Outcome::Incomplete),
    ];
    for (step, outcome) in cases {
        let Step::Feed(_, bytes) = &step else { unreachable!("all of them say something") };
        let name = bytes[..bytes.len().min(20)].escape_ascii().to_string();
        let message = first(step);
        assert_eq!(message.outcome, outcome, "{name}: {message}");
    }
}

#[test]
fn a_line_that_is_too_long_is_malformed_at_its_limit() {
    let steps = [client("PING\n"), client("a".repeat(LINE_MAX as usize + 7))];
    for size in [1, 1000, 1 << 20] {
        let messages = crate::trace(&steps, |_, bytes| bytes.chunks(size).map(<[u8]>::to_vec).collect());
        assert_eq!(messages[1].reason.as_deref(), Some(SyntaxError::LineTooLong.as_str()));
        assert_eq!((messages[1].span.offset, messages[1].span.length), (5, LINE_MAX));
        assert_eq!(messages[2].span.length, 7);
    }
    // Behind a gap lines of any length are skipped, until a command was found.
    let long = "a".repeat(LINE_MAX as usize + 1);
    let messages = whole(&[
        client("PING\n"),
        Step::Gap(Side::Client, 1),
        client(&long),
        client("\n*1\r\n$4\r\nPING\r\n"),
        client(&long),
    ]);
    let outcomes: Vec<_> = messages.iter().map(|message| (&message.kind[..], message.outcome)).collect();
    assert_eq!(
        outcomes,
        [
            ("PING", Outcome::Ok),
            ("unparsed", Outcome::Incomplete),
            ("PING", Outcome::Ok),
            ("command", Outcome::Malformed),
            ("unparsed", Outcome::Incomplete),
        ]
    );
}

#[test]
fn a_session_holds_little_of_a_large_message() {
    let mut session = redis::session();
    let mut out = |message: &enjamb::Message<'_>| assert_eq!(message.outcome, Outcome::Ok);
    let piece = vec![b'x'; 1 << 16];
    session.feed(Side::Client, b"*1000\r\n", &mut out);
    for _ in 0..999 {
        session.feed(Side::Client, format!("${}\r\n", piece.len()).as_bytes(), &mut out);
        session.feed(Side::Client, &piece, &mut out);
        session.feed(Side::Client, b"\r\n", &mut out);
        assert!(session.held() <= 4096, "holds {}", session.held());
    }
    session.feed(Side::Server, &b"*4000000000\r\n".repeat(DEPTH_MAX), &mut out);
    session.feed(Side::Server, &b":1\r\n".repeat(100_000), &mut out);
    session.feed(Side::Server, b"+", &mut out);
    for _ in 0..100 {
        session.feed(Side::Server, &piece, &mut out);
    }
    assert!(session.held() <= 8192 + DEPTH_MAX * 24, "holds {}", session.held());
}

#[test]
fn a_pipeline_of_any_length_is_paired() {
    let mut session = redis::session();
    let mut answers = Vec::new();
    let mut out = |message: &enjamb::Message<'_>| answers.extend(message.answers);
    for _ in 0..200_000 {
        session.feed(Side::Client, b"*1\r\n$4\r\nPING\r\n", &mut out);
    }
    assert!(session.held() <= 4096);
    for _ in 0..200_000 {
        session.feed(Side::Server, b"+PONG\r\n", &mut out);
    }
    assert!(answers.into_iter().eq(0..200_000));
}

#[test]
fn commands_beyond_the_last_run_are_not_paired() {
    let runs = OUTSTANDING_RUNS_MAX as u64;
    // Each `*0` has no reply: it ends a run of commands.
    let mut steps = vec![client(b"PING\n*0\r\n".repeat(OUTSTANDING_RUNS_MAX + 5))];
    steps.push(server(b"+PONG\r\n".repeat(OUTSTANDING_RUNS_MAX + 5)));
    steps.extend([client("PING\n"), server("+PONG\r\n")]);
    let messages = whole(&steps);
    let answers: Vec<_> = messages.iter().filter(|m| m.side == Side::Server).map(|m| m.answers).collect();
    // The last command is sent behind all replies, so nothing else waits.
    let last = 2 * (runs + 5);
    let expected = (0..runs).map(|run| Some(2 * run)).chain([None; 5]).chain([Some(last)]);
    assert!(answers.into_iter().eq(expected));
    const { assert!(OUTSTANDING_RUNS_MAX * 24 <= HELD_MAX) };
}

#[test]
fn any_number_of_subscriptions_in_a_row_is_paired() {
    let commands = 40 * OUTSTANDING_RUNS_MAX;
    let subscribe = |number| format!("*2\r\n$9\r\nSUBSCRIBE\r\n$6\r\n{number:06}\r\n");
    let confirm = |number| format!("*3\r\n$9\r\nsubscribe\r\n$6\r\n{number:06}\r\n:{}\r\n", number + 1);
    let steps = [
        client((0..commands).map(subscribe).collect::<String>()),
        server((0..commands).map(confirm).collect::<String>()),
    ];
    let messages = whole(&steps);
    let answers = messages.iter().filter(|m| m.side == Side::Server).map(|m| m.answers);
    assert!(answers.eq((0..commands as u64).map(Some)));
}
