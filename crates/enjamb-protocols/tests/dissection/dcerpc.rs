//! DCE/RPC: the types of PDUs.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

const KINDS: [&str; 20] = [
    "request",
    "",
    "response",
    "fault",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "bind",
    "bind_ack",
    "bind_nak",
    "alter_context",
    "alter_context_resp",
    "auth3",
    "shutdown",
    "co_cancel",
    "orphaned",
];

fn kind(message: &OwnedMessage) -> Vec<String> {
    let known = KINDS.iter().position(|kind| *kind == message.kind).filter(|_| is_whole(message));
    known.map(|kind| kind.to_string()).into_iter().collect()
}

pub(crate) const CASES: &[Case] = &[Case {
    capture: "protocols/nbss-dcerpc_synthetic.pcap",
    protocol: "auto",
    tshark: &[],
    field: "dcerpc.pkt_type",
    values: kind,
    // tshark takes port 445 for NetBIOS, although the PDUs are bare, and shows no request of a
    // server.
    differs: &[
        ("0", 7, "ours"),
        ("11", 6, "ours"),
        ("12", 6, "ours"),
        ("17", 1, "ours"),
        ("2", 4, "ours"),
        ("3", 1, "ours"),
    ],
}];
