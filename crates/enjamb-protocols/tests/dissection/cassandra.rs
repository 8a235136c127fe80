//! Cassandra: the operations.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// The operations, by their number.
const OPERATIONS: [&str; 17] = [
    "ERROR",
    "STARTUP",
    "READY",
    "AUTHENTICATE",
    "CREDENTIALS",
    "OPTIONS",
    "SUPPORTED",
    "QUERY",
    "RESULT",
    "PREPARE",
    "EXECUTE",
    "REGISTER",
    "EVENT",
    "BATCH",
    "AUTH_CHALLENGE",
    "AUTH_RESPONSE",
    "AUTH_SUCCESS",
];

fn value(message: &OwnedMessage) -> Vec<String> {
    let known = OPERATIONS.iter().position(|name| *name == message.kind);
    known.filter(|_| is_whole(message)).map(|number| number.to_string()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "cql.opcode", values: value, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    case("cassandra_mixed_frame.pcap"),
    case("protocols/cassandra-cassandra_create_index.pcap"),
    case("protocols/cassandra-cassandra_create_keyspace.pcap"),
    case("protocols/cassandra-cassandra_create_table.pcap"),
];
