//! IMAP: the tags of commands and of their responses.

use enjamb::{OwnedMessage, Side};

use crate::{Case, is_whole};

const CONTINUATIONS: [&str; 4] = ["literal", "authentication", "DONE", "blank"];

fn command(message: &OwnedMessage) -> Vec<String> {
    let is_command = message.side == Side::Client && !CONTINUATIONS.contains(&message.kind.as_str());
    if is_command && is_whole(message) { vec![message.kind.to_lowercase()] } else { Vec::new() }
}

fn status(message: &OwnedMessage) -> Vec<String> {
    let is_response = message.kind == "response" && is_whole(message);
    message.code.clone().filter(|_| is_response).into_iter().collect()
}

const fn commands(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "imap.request.command", values: command, differs: &[] }
}

const fn statuses(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "imap.response.status", values: status, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    commands("imap_fetch.pcap"),
    statuses("imap_fetch.pcap"),
    commands("protocols/imap-imap_append.pcap"),
    statuses("protocols/imap-imap_append.pcap"),
    commands("protocols/imap-input.pcap"),
    statuses("protocols/imap-input.pcap"),
];
