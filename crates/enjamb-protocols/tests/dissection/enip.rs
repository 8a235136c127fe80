//! EtherNet/IP: the commands.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// The commands, by their number.
const KINDS: &[(&str, &str)] = &[
    ("NOP", "0x0000"),
    ("ListServices", "0x0004"),
    ("ListIdentity", "0x0063"),
    ("ListInterfaces", "0x0064"),
    ("RegisterSession", "0x0065"),
    ("UnRegisterSession", "0x0066"),
    ("SendRRData", "0x006f"),
    ("SendUnitData", "0x0070"),
];

fn value(message: &OwnedMessage) -> Vec<String> {
    let known = KINDS.iter().find(|(name, _)| *name == message.kind);
    known.filter(|_| is_whole(message)).map(|(_, number)| (*number).to_owned()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "enip.command", values: value, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    case("protocols/enip-cip-multiple-1.pcap"),
    case("protocols/enip-cip-multiple-2.pcap"),
    case("protocols/enip-enip_test1.pcap"),
];
