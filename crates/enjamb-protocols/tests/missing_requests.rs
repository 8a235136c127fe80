//! Answers whose request was not captured have the flag `request-missing`, and no other answer has.

use enjamb::{Ending, Session, Side};
use enjamb_protocols::{http1, redis};

const C: Side = Side::Client;
const S: Side = Side::Server;

/// An event of a conversation.
enum Step<'a> {
    Feed(Side, &'a [u8]),
    Gap(Side, u64),
}
use Step::{Feed, Gap};

/// Returns the flags of the answers, and whether each has a request.
fn flags(mut session: Box<dyn Session>, steps: &[Step<'_>]) -> Vec<(String, bool)> {
    let mut flags = Vec::new();
    let mut out = |message: &enjamb::Message<'_>| {
        if message.side == S && ["reply", "response"].contains(&message.kind) {
            flags.push((message.flags.as_str().to_owned(), message.answers.is_some()));
        }
    };
    for step in steps {
        match step {
            Feed(side, bytes) => session.feed(*side, bytes, &mut out),
            Gap(side, missing) => session.gap(*side, *missing, &mut out),
        }
    }
    for side in Side::BOTH {
        session.close(side, Ending::Closed, &mut out);
    }
    flags
}

/// A protocol, with a request and its answer.
struct Exchange {
    open: fn() -> Box<dyn Session>,
    request: &'static [u8],
    answer: &'static [u8],
}

const PROTOCOLS: [Exchange; 2] = [
    Exchange {
        open: http1::session,
        request: b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        answer: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    },
    Exchange { open: redis::session, request: b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", answer: b"$2\r\nok\r\n" },
];

const MISSING: (&str, bool) = ("request-missing", false);
const PAIRED: (&str, bool) = ("", true);
const UNKNOWN: (&str, bool) = ("", false);

/// Checks a conversation of each protocol.
fn check(steps: impl Fn(&'static [u8], &'static [u8]) -> Vec<Step<'static>>, expected: &[(&str, bool)]) {
    for Exchange { open, request, answer } in PROTOCOLS {
        let seen = flags(open(), &steps(request, answer));
        let seen: Vec<_> = seen.iter().map(|(flags, paired)| (flags.as_str(), *paired)).collect();
        assert_eq!(seen, expected, "{}", String::from_utf8_lossy(request));
    }
}

/// Several turns, so that the session knows that the client waits for each answer.
fn turns(request: &'static [u8], answer: &'static [u8]) -> Vec<Step<'static>> {
    (0..5).flat_map(|_| [Feed(C, request), Feed(S, answer)]).collect()
}

#[test]
fn a_request_that_was_not_captured_is_missing_and_those_around_it_are_not() {
    check(
        |request, answer| {
            let mut steps = turns(request, answer);
            steps.extend([Gap(C, request.len() as u64), Feed(S, answer)]);
            steps.extend(turns(request, answer));
            steps
        },
        &[&[PAIRED; 5][..], &[MISSING], &[PAIRED; 5]].concat(),
    );
}

#[test]
fn each_of_several_requests_in_one_hole_is_missing() {
    check(
        |request, answer| {
            let mut steps = turns(request, answer);
            steps.extend([Gap(C, 3 * request.len() as u64), Feed(S, answer), Feed(S, answer), Feed(S, answer)]);
            steps
        },
        &[&[PAIRED; 5][..], &[MISSING; 3]].concat(),
    );
}

#[test]
fn requests_before_the_hole_are_answered_first() {
    check(
        |request, answer| {
            let hole = Gap(C, request.len() as u64);
            vec![Feed(C, request), Feed(C, request), hole, Feed(S, answer), Feed(S, answer), Feed(S, answer)]
        },
        &[PAIRED, PAIRED, MISSING],
    );
}

#[test]
fn an_answer_behind_the_hole_and_another_request_may_belong_to_either() {
    check(
        |request, answer| vec![Gap(C, request.len() as u64), Feed(C, request), Feed(S, answer), Feed(S, answer)],
        &[UNKNOWN, UNKNOWN],
    );
}

#[test]
fn the_first_answer_of_a_capture_that_begins_in_the_middle_has_no_request() {
    check(|_, answer| vec![Gap(C, 0), Gap(S, 0), Feed(S, answer)], &[MISSING]);
}

#[test]
fn lost_answers_do_not_make_requests_missing() {
    for Exchange { open, request, answer } in PROTOCOLS {
        let lost = Gap(S, answer.len() as u64);
        let seen = flags(open(), &[Feed(C, request), Feed(C, request), lost, Feed(S, answer), Feed(S, answer)]);
        assert!(seen.iter().all(|(flags, _)| flags.is_empty()), "{seen:?}");
    }
}

#[test]
fn where_answers_came_before_their_requests_no_request_is_called_missing() {
    for Exchange { open, request, answer } in PROTOCOLS {
        let seen = flags(open(), &[Feed(S, answer), Feed(C, request), Feed(S, answer), Gap(C, 9), Feed(S, answer)]);
        assert!(seen.iter().all(|(flags, _)| flags.is_empty()), "{seen:?}");
    }
}

#[test]
fn the_requests_behind_a_malformed_one_are_not_missing() {
    let malformed: [&[u8]; 2] = [b"\x01\x02\x03 no request\r\n\r\n", b"*1\r\nx\r\n"];
    for (Exchange { open, request, answer }, malformed) in PROTOCOLS.into_iter().zip(malformed) {
        let three = [Feed(S, answer), Feed(S, answer), Feed(S, answer)];
        let seen = flags(open(), &[Feed(C, request), Feed(C, malformed)].into_iter().chain(three).collect::<Vec<_>>());
        assert!(seen.iter().all(|(flags, _)| !flags.contains("request-missing")), "{seen:?}");
    }
}
