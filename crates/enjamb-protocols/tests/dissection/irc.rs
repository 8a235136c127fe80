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

const CUT: &str = "ours: tshark takes the end of a line in another segment for a line";

pub(crate) const CASES: &[Case] = &[
    requests("irc-basic.pcap"),
    Case {
        differs: &[("372", 1, CUT), ("5799", -1, CUT), ("in.freenode.net", -1, CUT)],
        ..responses("irc-basic.pcap")
    },
    requests("protocols/irc-input.pcap"),
    Case { differs: &[("23", -1, CUT)], ..responses("protocols/irc-input.pcap") },
    Case { differs: &[("ND", -1, CUT)], ..requests("protocols/irc-irc-dcc-state-growth.pcapng") },
    requests("protocols/irc-irc-whitespace.pcap"),
    Case {
        differs: &[("10930", -1, CUT), ("/www.freenode.net", -1, CUT)],
        ..responses("protocols/irc-irc-whitespace.pcap")
    },
];
