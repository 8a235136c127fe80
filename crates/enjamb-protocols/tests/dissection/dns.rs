//! DNS: queries and responses, by operation and response code.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// Returns whether it is a response.
fn response(message: &OwnedMessage) -> Vec<String> {
    let value = if message.kind == "response" { "1" } else { "0" };
    if is_whole(message) { vec![value.to_owned()] } else { Vec::new() }
}

const fn case(capture: &'static str) -> Case {
    Case {
        capture,
        protocol: "auto",
        tshark: &["-Y", "tcp"],
        field: "dns.flags.response",
        values: response,
        differs: &[],
    }
}

pub(crate) const CASES: &[Case] = &[
    case("dns_tcp_axfr.pcap"),
    case("protocols/dns-tcp-dns-tcp-multirequest-buffer.pcap"),
    case("protocols/dns-tcp-original.pcap_"),
    case("protocols/dns-tcp-tkey.pcap"),
    Case {
        differs: &[("0", -1, "ours: it is shorter than a header, and opaque (RFC 1035, section 4.1.1)")],
        ..case("corpora/dns/errors.pcap")
    },
    case("corpora/dns/pipelined.pcap"),
    case("corpora/dns/queries.pcap"),
    case("corpora/dns/transfers.pcap"),
];
