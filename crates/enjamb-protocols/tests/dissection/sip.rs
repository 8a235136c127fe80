//! SIP: methods and the status of responses.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

fn method(message: &OwnedMessage) -> Vec<String> {
    let is_request = message.code.is_none() && !matches!(message.kind.as_str(), "response" | "keep-alive" | "message");
    if is_request && is_whole(message) { vec![message.kind.clone()] } else { Vec::new() }
}

fn status(message: &OwnedMessage) -> Vec<String> {
    message.code.clone().filter(|_| message.kind == "response" && is_whole(message)).into_iter().collect()
}

const fn methods(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &["-Y", "tcp"], field: "sip.Method", values: method, differs: &[] }
}

const fn statuses(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &["-Y", "tcp"], field: "sip.Status-Code", values: status, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    methods("sip-tcp.pcap"),
    statuses("sip-tcp.pcap"),
    methods("protocols/sip-tcp-sip.pcap"),
    statuses("protocols/sip-tcp-sip.pcap"),
    statuses("protocols/sip-tcp-sip_resp.pcap"),
    Case { tshark: &["-d", "tcp.port==5070,sip"], ..methods("corpora/sip/calls.pcap") },
    Case { tshark: &["-d", "tcp.port==5070,sip"], ..statuses("corpora/sip/calls.pcap") },
    Case {
        differs: &[("INVITE", 2, "ours: a segment begins with the end of another message (RFC 3261, section 18.3)")],
        ..methods("corpora/sip/pipelined.pcap")
    },
    statuses("corpora/sip/pipelined.pcap"),
];
