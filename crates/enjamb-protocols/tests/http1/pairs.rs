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
    assert_eq!(answers(&[s(OK), c(GET), s(OK), s(OK)]), [None, Some(0), None]);
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
fn after_a_gap_in_the_responses_a_client_that_waits_is_paired_again() {
    let turns = [c(GET), gap(Side::Server, 9), c(GET), s(OK), c(GET), s(OK)];
    assert_eq!(answers(&turns), [Some(1), Some(2)]);
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
