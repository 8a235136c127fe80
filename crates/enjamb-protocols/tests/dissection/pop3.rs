//! POP3: commands and indicators.

use enjamb::{OwnedMessage, Side};

use crate::{Case, is_whole};

fn command(message: &OwnedMessage) -> Vec<String> {
    let value = if message.kind == "command" { message.summary.trim_start_matches("command ") } else { &message.kind };
    let is_command = message.side == Side::Client && message.kind != "authentication" && is_whole(message);
    if is_command { value.split(' ').next().map(str::to_owned).into_iter().collect() } else { Vec::new() }
}

fn indicator(message: &OwnedMessage) -> Vec<String> {
    let is_reply = matches!(message.kind.as_str(), "greeting" | "reply") && is_whole(message);
    if !is_reply {
        return Vec::new();
    }
    let code = if message.outcome == enjamb::Outcome::Failed { Some("-ERR".to_owned()) } else { message.code.clone() };
    code.into_iter().collect()
}

const fn commands(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "pop.request.command", values: command, differs: &[] }
}

const fn indicators(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "pop.response.indicator", values: indicator, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    commands("pop3-pop3.pcap"),
    indicators("pop3-pop3.pcap"),
    commands("protocols/pop3-input.pcap"),
    indicators("protocols/pop3-input.pcap"),
    commands("protocols/pop3-pop3-auth-01-input.pcap"),
    indicators("protocols/pop3-pop3-auth-01-input.pcap"),
    commands("protocols/pop3-pop3-unknown-commands.pcap"),
    indicators("protocols/pop3-pop3-unknown-commands.pcap"),
];
