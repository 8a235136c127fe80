//! FTP: commands and the codes of replies.

use enjamb::{OwnedMessage, Side};

use crate::{Case, is_whole};

fn command(message: &OwnedMessage) -> Vec<String> {
    let value = if message.kind == "command" { message.summary.trim_start_matches("command ") } else { &message.kind };
    let is_command = message.side == Side::Client && is_whole(message);
    if is_command { value.split(' ').next().map(str::to_owned).into_iter().collect() } else { Vec::new() }
}

fn code(message: &OwnedMessage) -> Vec<String> {
    message.code.clone().filter(|_| message.side == Side::Server && is_whole(message)).into_iter().collect()
}

const fn commands(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "ftp.request.command", values: command, differs: &[] }
}

const fn codes(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "ftp.response.code", values: code, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    commands("ftp-ipv4.pcap"),
    codes("ftp-ipv4.pcap"),
    commands("protocols/ftp-ftp-too-long-command-ftp-too-long-command.pcap"),
    codes("protocols/ftp-ftp-too-long-command-ftp-too-long-command.pcap"),
    commands("protocols/ftp-ftp-too-long-command.pcap"),
    codes("protocols/ftp-ftp-too-long-command.pcap"),
    commands("protocols/ftp-input.pcap"),
    codes("protocols/ftp-input.pcap"),
    Case {
        differs: &[("USER", -1, "ours: a reset cut off its line (RFC 959, section 5.3)")],
        ..commands("corpora/ftp/errors.pcap")
    },
    commands("corpora/ftp/transfers.pcap"),
];
