//! IRC: the commands of both sides, and numerics.

use enjamb::{OwnedMessage, Side};

use crate::{Case, is_whole};

fn request(message: &OwnedMessage) -> Vec<String> {
    if message.side == Side::Client && is_whole(message) { vec![message.kind.clone()] } else { Vec::new() }
}

fn response(message: &OwnedMessage) -> Vec<String> {
    if message.side == Side::Client || !is_whole(message) || message.kind == "blank" {
        return Vec::new();
    }
    vec![message.code.clone().filter(|_| message.kind == "numeric").unwrap_or_else(|| message.kind.clone())]
}

const fn requests(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "irc.request.command", values: request, differs: &[] }
}

const fn responses(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "irc.response.command", values: response, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    requests("irc-basic.pcap"),
    responses("irc-basic.pcap"),
    requests("protocols/irc-input.pcap"),
    responses("protocols/irc-input.pcap"),
    requests("protocols/irc-irc-dcc-state-growth.pcapng"),
    requests("protocols/irc-irc-whitespace.pcap"),
    responses("protocols/irc-irc-whitespace.pcap"),
];
