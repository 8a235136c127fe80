//! HL7: the types of messages.

use enjamb::{Outcome, OwnedMessage};

use crate::{Case, is_whole};

const TYPES: [&str; 3] = ["ACK", "ADT", "ORU"];

fn message_type(message: &OwnedMessage) -> Vec<String> {
    let known = TYPES.contains(&message.kind.as_str()) && is_whole(message) && message.outcome != Outcome::Malformed;
    if known { vec![message.kind.clone()] } else { Vec::new() }
}

pub(crate) const CASES: &[Case] = &[Case {
    capture: "corpora/hl7/messages.pcap",
    protocol: "auto",
    tshark: &[],
    field: "hl7.message.type",
    values: message_type,
    differs: &[],
}];
