//! TDS: the types of packets.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// The types, by their number.
const KINDS: &[(&str, &str)] = &[
    ("SQL batch", "1"),
    ("TDS4 login", "2"),
    ("RPC", "3"),
    ("response", "4"),
    ("attention", "6"),
    ("TDS5 query", "15"),
    ("TDS7 login", "16"),
    ("pre-login", "18"),
];

fn value(message: &OwnedMessage) -> Vec<String> {
    let known = KINDS.iter().find(|(name, _)| *name == message.kind);
    known.filter(|_| is_whole(message)).map(|(_, number)| (*number).to_owned()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "tds.type", values: value, differs: &[] }
}

const ODD_PORT: &str = "ours: on an odd port tshark dissects only some packets (MS-TDS, section 2.2.3)";

pub(crate) const CASES: &[Case] = &[
    Case { differs: &[("15", 1, ODD_PORT), ("4", 2, ODD_PORT)], ..case("protocols/tds-tds5.pcap") },
    case("protocols/tds-tds7.pcap"),
];
