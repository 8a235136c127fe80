//! The pairing of responses with requests.

use enjamb::Side;
use enjamb_protocols::http1::OUTSTANDING_RUNS_MAX;

use crate::play::{Case, Turn, c, case, gap, s, whole};

const GET: &str = "GET / HTTP/1.1\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\n\r\n";
const OK: &str = "HTTP/1.1 204 OK\r\n\r\n";

/// Returns the numbers of the requests that the responses answer.
fn answers(turns: &[Turn]) -> Vec<Option<u64>> {
    whole(turns).into_iter().filter(|message| message.kind == "response").map(|message| message.answers).collect()
}

#[test]
fn responses_come_in_the_order_of_their_requests() {
    assert_eq!(answers(&[c(GET), c(GET), s(OK), c(GET), s(OK), s(OK)]), [Some(0), Some(1), Some(2)]);
}

#[test]
fn a_response_without_a_request_answers_nothing() {
    assert_eq!(answers(&[c(GET), s(OK), s("HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n")]), [Some(0), None]);
}

#[test]
fn an_early_answer_names_a_request_that_is_still_being_sent() {
    let upload = c("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    let seen = answers(&[c(GET), s(OK), upload, s("HTTP/1.1 100 Continue\r\n\r\n"), s(OK), c("abc"), c(GET), s(OK)]);
    assert_eq!(seen, [Some(0), Some(1), Some(1), Some(2)]);
}

#[test]
fn after_a_gap_in_the_requests_only_the_earlier_ones_are_paired() {
    // The client pipelines, so any request may follow the gap.
    let turns = [c(GET), c(GET), gap(Side::Client, 9), c(GET), s(OK), s(OK), s(OK), c(GET), s(OK)];
    assert_eq!(answers(&turns), [Some(0), Some(1), None, None]);
}

#[test]
fn after_a_gap_in_the_requests_a_client_that_waits_is_paired_again() {
    let turns = [c(GET), s(OK), gap(Side::Client, 9), s(OK), c(GET), s(OK), c(GET), s(OK)];
    assert_eq!(answers(&turns), [Some(0), None, Some(1), Some(2)]);
}

#[test]
fn after_a_gap_in_the_responses_only_the_last_request_is_paired() {
    let turns = [c(GET), c(GET), gap(Side::Server, 9), s(OK), s(OK), c(GET), s(OK)];
    assert_eq!(answers(&turns), [None, Some(1), Some(2)]);
}

#[test]
fn after_a_gap_in_the_responses_a_client_that_waited_before_is_paired_again() {
    let turns = [c(GET), s(OK), c(GET), gap(Side::Server, 9), c(GET), s(OK), c(GET), s(OK), c(GET), s(OK)];
    // The gap may hide the answer to the second request, or to both that wait.
    assert_eq!(answers(&turns), [Some(0), None, Some(3), Some(4)]);
}

#[test]
fn after_a_gap_in_the_responses_a_client_that_was_not_seen_to_wait_must_show_it() {
    let mut turns = vec![c(GET), gap(Side::Server, 9), c(GET), s(OK)];
    for _ in 0..6 {
        turns.extend([c(GET), s(OK)]);
    }
    assert_eq!(answers(&turns), [None, None, None, None, Some(5), Some(6), Some(7)]);
}

#[test]
fn a_hole_that_swallows_whole_answers_leaves_later_answers_unpaired_until_the_client_asks_at_rest() {
    // The gap lasts until the server's next bytes, so requests that are fed behind it may have
    // their answers in it.
    for before in [0, 1, 2, 3] {
        let mut turns = vec![c(GET), s(OK), c(GET), s("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nab")];
        turns.extend((0..before).map(|_| c(GET)));
        turns.push(gap(Side::Server, 200));
        turns.extend((before..3).map(|_| c(GET)));
        turns.extend([s(OK), c(GET), s(OK), c(GET), s(OK)]);
        assert_eq!(answers(&turns), [Some(0), Some(1), None, Some(5), Some(6)], "{before} requests before the gap");
    }
}

#[test]
fn a_hole_in_pipelined_answers_costs_the_answers_of_its_turn() {
    let body = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    let turns = [
        c(GET.repeat(4)),
        s(OK.repeat(4)),
        c(GET.repeat(4)),
        s([OK, body].concat()),
        gap(Side::Server, 40),
        s(OK),
        c(GET.repeat(4)),
        s(OK.repeat(4)),
    ];
    let seen: Vec<_> = answers(&turns).into_iter().skip(4).collect();
    let expected = [Some(4), Some(5), None, Some(8), Some(9), Some(10), Some(11)];
    assert_eq!(seen, expected);
}

#[test]
fn a_client_that_asks_while_answers_are_outstanding_is_not_taken_for_one_that_waits() {
    // A window of two requests: each answer is followed by another request.
    let mut turns = vec![c(GET.repeat(2))];
    for _ in 0..8 {
        turns.extend([s(OK), c(GET)]);
    }
    turns.push(gap(Side::Server, 9));
    for _ in 0..30 {
        turns.extend([s(OK), c(GET)]);
    }
    let seen = answers(&turns);
    assert!(seen[..8].iter().copied().eq((0..8).map(Some)), "{seen:?}");
    assert!(seen[8..].iter().all(Option::is_none), "{seen:?}");
}

#[test]
fn answers_that_come_before_their_requests_pair_nothing_until_a_hole_explains_them() {
    // The client's side is delayed.
    let late = [c(GET), s(OK), s(OK), c(GET), s(OK), c(GET), s(OK), c(GET)];
    assert_eq!(answers(&late), [Some(0), None, None, None]);
    let lost = [c(GET), s(OK), c(GET), s(OK), s(OK), s(OK), gap(Side::Client, 9), c(GET), c(GET), s(OK), c(GET), s(OK)];
    assert_eq!(answers(&lost), [Some(0), Some(1), None, None, None, Some(4)]);
}

#[test]
fn a_request_whose_head_is_cut_off_by_a_gap_is_answered_and_those_in_the_gap_are_not() {
    let turns = [c(GET), s(OK), c("GET /x HTTP/1.1\r\nHos"), gap(Side::Client, 9), s(OK), c(GET), s(OK)];
    assert_eq!(answers(&turns), [Some(0), Some(1), Some(2)]);
    let turns = [c(GET), s(OK), c("GET /x HTTP/1.1\r\nHos"), gap(Side::Client, 90), s(OK), s(OK), c(GET), s(OK)];
    assert_eq!(answers(&turns), [Some(0), Some(1), None, Some(2)]);
}

#[test]
fn a_capture_that_joins_a_connection_pairs_from_the_first_request_on() {
    let joined = |side| gap(side, 0);
    let turns = [joined(Side::Client), joined(Side::Server), c(GET), s(OK), c(GET), s(OK)];
    assert_eq!(answers(&turns), [Some(0), Some(1)]);
    let turns = [joined(Side::Server), s("rest of a body"), joined(Side::Client), c(GET), s(OK), c(GET), s(OK)];
    assert_eq!(answers(&turns), [Some(0), Some(1)]);
    let turns = [joined(Side::Server), s(OK), joined(Side::Client), c(GET), s(OK), c(GET), s(OK)];
    assert_eq!(answers(&turns), [None, Some(0), Some(1)]);
}

#[test]
fn any_number_of_requests_with_one_method_is_paired() {
    let seen = answers(&[c(GET.repeat(5000)), s(OK.repeat(5000))]);
    assert!(seen.into_iter().eq((0..5000).map(Some)));
}

#[test]
fn requests_beyond_the_last_run_are_not_paired() {
    let runs = OUTSTANDING_RUNS_MAX;
    let seen = answers(&[c([GET, HEAD].concat().repeat(runs)), s(OK.repeat(2 * runs))]);
    let expected = (0..2 * runs as u64).map(|request| (request < runs as u64).then_some(request));
    assert!(seen.into_iter().eq(expected));
}

/// Conversations for the split law.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case(
            "holes in requests",
            [c(GET), c(GET), gap(Side::Client, 9), c(GET), s(OK), s(OK), s(OK), c(GET), s(OK)],
            [],
        ),
        case(
            "holes in responses",
            [c(GET), c(GET), gap(Side::Server, 9), s(OK), c("GET /x"), s(OK), c(GET), s(OK)],
            [],
        ),
    ]
}
