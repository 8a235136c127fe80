//! MongoDB: the numbers of the messages that are answered.

use enjamb::{OwnedMessage, Side};

use crate::{Case, is_whole};

fn operation(message: &OwnedMessage) -> Vec<String> {
    // The capture has OP_QUERY, OP_GET_MORE and their replies.
    let code = match (message.side, message.kind.as_str()) {
        (Side::Server, _) => "1",
        (_, "OP_GET_MORE") => "2005",
        (_, "OP_KILL_CURSORS") => "2007",
        (_, "OP_INSERT") => "2002",
        _ => "2004",
    };
    if is_whole(message) { vec![code.to_owned()] } else { Vec::new() }
}

pub(crate) const CASES: &[Case] = &[Case {
    capture: "mongo_3.0_session.pcap",
    protocol: "auto",
    tshark: &["-d", "tcp.port==27017,mongo"],
    field: "mongo.opcode",
    values: operation,
    differs: &[],
}];
