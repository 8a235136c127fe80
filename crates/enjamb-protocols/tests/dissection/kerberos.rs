//! Kerberos: the types of messages.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// The types, by their number.
const KINDS: &[(&str, &str)] = &[
    ("AS-REQ", "10"),
    ("AS-REP", "11"),
    ("TGS-REQ", "12"),
    ("TGS-REP", "13"),
    ("AP-REQ", "14"),
    ("AP-REP", "15"),
    ("KRB-ERROR", "30"),
];

fn value(message: &OwnedMessage) -> Vec<String> {
    let known = KINDS.iter().find(|(name, _)| *name == message.kind);
    known.filter(|_| is_whole(message)).map(|(_, number)| (*number).to_owned()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "kerberos.msg_type", values: value, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    Case {
        differs: &[("14", -1, "ours: this AP-REQ is a field of a TGS-REQ (RFC 4120, section 5.2.7.1)")],
        ..case("protocols/kerberos-tcp-baseline.2.flows.pcap")
    },
    case("protocols/kerberos-tcp-evasion.1.flow.1.segment.pcap"),
    case("protocols/kerberos-tcp-evasion.1.flow.2.segments.pcap"),
];
