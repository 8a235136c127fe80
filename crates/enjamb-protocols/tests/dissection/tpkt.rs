//! TPKT: the lengths of packets, the types of COTP, and the types and references of S7.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

fn length(message: &OwnedMessage) -> Vec<String> {
    let is_packet = is_whole(message) && !matches!(message.kind.as_str(), "fast-path" | "packet");
    if is_packet { vec![message.span.length.to_string()] } else { Vec::new() }
}

fn transport(message: &OwnedMessage) -> Vec<String> {
    let kind = match message.kind.as_str() {
        _ if !is_whole(message) => return Vec::new(),
        "CR" => "0x0e",
        "CC" => "0x0d",
        "DR" => "0x08",
        "DT" | "job" | "ack" | "ack_data" | "userdata" => "0x0f",
        _ => return Vec::new(),
    };
    vec![kind.to_owned()]
}

fn s7(message: &OwnedMessage) -> Vec<String> {
    let kind = match message.kind.as_str() {
        _ if !is_whole(message) => return Vec::new(),
        "job" => "1",
        "ack" => "2",
        "ack_data" => "3",
        "userdata" => "7",
        _ => return Vec::new(),
    };
    vec![kind.to_owned()]
}

const fn case(capture: &'static str, field: &'static str, values: fn(&OwnedMessage) -> Vec<String>) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field, values, differs: &[] }
}

/// Segments are missing. Without this tshark waits for them and shows nothing behind them.
const HOLED: &[&str] = &["-o", "tcp.reassemble_out_of_order:FALSE"];

pub(crate) const CASES: &[Case] = &[
    case("protocols/rdp-tpkt-8d7c7db0-9804-012b-b2a6-0016cb8cea27.pcap", "tpkt.length", length),
    case("protocols/rdp-tpkt-8d7c7db0-9804-012b-b2a6-0016cb8cea27.pcap", "cotp.type", transport),
    case("protocols/rdp-tpkt-mmsX.pcap", "cotp.type", transport),
    case("protocols/rdp-tpkt-rdp-invalid-length.pcap", "cotp.type", transport),
    case("protocols/s7comm-s7comm_program_blocklist_onlineview.pcap", "cotp.type", transport),
    case("protocols/s7comm-s7comm_program_blocklist_onlineview.pcap", "s7comm.header.rosctr", s7),
    Case { tshark: HOLED, ..case("protocols/s7comm-step7_s300_download.pcapng", "tpkt.length", length) },
    Case { tshark: HOLED, ..case("protocols/s7comm-step7_s300_download.pcapng", "s7comm.header.rosctr", s7) },
    Case { tshark: HOLED, ..case("protocols/s7comm-tia_s300_downloadOb1.pcapng", "tpkt.length", length) },
    Case { tshark: HOLED, ..case("protocols/s7comm-tia_s300_downloadOb1.pcapng", "s7comm.header.rosctr", s7) },
];
