//! The memory that requests take when a server never answers them.

use enjamb::{Session, Side};
use enjamb_protocols::{Registry, http1, redis};

/// Connections, and requests on each: a million requests in all.
const CONNECTIONS: usize = 1000;
const REQUESTS: usize = 1000;

/// Feeds `requests`, cyclically, to each of many sessions that never receive an answer, and returns
/// the number of bytes that each holds on average.
fn held_each(protocol: &str, requests: &[&[u8]]) -> usize {
    let protocol = Registry::builtin().resolve(protocol).unwrap();
    let sessions: Vec<Box<dyn Session>> = (0..CONNECTIONS)
        .map(|_| {
            let mut session = protocol.session(None);
            for request in requests.iter().cycle().take(REQUESTS) {
                session.feed(Side::Client, request, &mut |_| {});
            }
            session
        })
        .collect();
    sessions.iter().map(|session| session.held()).sum::<usize>() / CONNECTIONS
}

#[test]
fn a_million_unanswered_requests_of_one_kind_take_a_few_bytes_a_connection() {
    assert!(held_each("http1", &[b"GET / HTTP/1.1\r\n\r\n"]) <= 16);
    assert!(held_each("redis", &[b"*1\r\n$4\r\nPING\r\n"]) <= 24);
    assert!(held_each("redis", &[b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n"]) <= 24);
    assert_eq!(held_each("lines", &[b"PING\n"]), 0);
}

#[test]
fn a_million_unanswered_requests_of_many_kinds_take_no_more_than_the_limit() {
    let mixed: [&[u8]; 3] =
        [b"GET / HTTP/1.1\r\n\r\n", b"HEAD / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"];
    let held = held_each("http1", &mixed);
    assert!(held <= http1::OUTSTANDING_RUNS_MAX * 16, "{held} bytes");
    let mixed: [&[u8]; 3] =
        [b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n", b"*1\r\n$7\r\nMONITOR\r\n"];
    let held = held_each("redis", &mixed);
    assert!(held <= redis::OUTSTANDING_RUNS_MAX * 24, "{held} bytes");
}
