//! BGP: the types of messages.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// The types, by their number.
const KINDS: &[(&str, &str)] =
    &[("OPEN", "1"), ("UPDATE", "2"), ("NOTIFICATION", "3"), ("KEEPALIVE", "4"), ("ROUTE-REFRESH", "5")];

fn value(message: &OwnedMessage) -> Vec<String> {
    let known = KINDS.iter().find(|(name, _)| *name == message.kind);
    known.filter(|_| is_whole(message)).map(|(_, number)| (*number).to_owned()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "bgp.type", values: value, differs: &[] }
}

const GAP: &str = "ours: behind a gap, for whose bytes tshark waits (reassemble_out_of_order)";

pub(crate) const CASES: &[Case] = &[
    Case { differs: &[("2", 2, GAP)], ..case("protocols/bgp-BgpPackets.pcap") },
    case("protocols/bgp-cloudshark-bgp-md5.pcap"),
    Case {
        differs: &[("2", 1, GAP), ("4", 1, GAP)],
        ..case("protocols/bgp-1eb005b8d62599b6561acf7e778f51603ccbc5ddf948c0b081617668bb56cee4")
    },
];
