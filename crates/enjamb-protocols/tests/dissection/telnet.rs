//! Telnet: commands.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

fn command(message: &OwnedMessage) -> Vec<String> {
    let codes: &[u8] = match message.kind.as_str() {
        "EOR" => &[239],
        "SE" => &[240],
        "NOP" => &[241],
        "DM" => &[242],
        "BRK" => &[243],
        "IP" => &[244],
        "AO" => &[245],
        "AYT" => &[246],
        "EC" => &[247],
        "EL" => &[248],
        "GA" => &[249],
        // tshark counts the end of a subnegotiation as a command.
        "SB" => &[250, 240],
        "WILL" => &[251],
        "WONT" => &[252],
        "DO" => &[253],
        "DONT" => &[254],
        _ => &[],
    };
    if is_whole(message) { codes.iter().map(ToString::to_string).collect() } else { Vec::new() }
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "telnet.cmd", values: command, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    case("protocols/telnet-telnet.pcap"),
    Case {
        differs: &[("250", -1, "ours: the subnegotiation has no end (RFC 855)")],
        ..case("protocols/telnet-telnetCommandAfterData.pcap")
    },
    case("mpls-basic.pcap"),
];
