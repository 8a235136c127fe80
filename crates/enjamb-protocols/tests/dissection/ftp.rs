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
    Case { differs: MULTILINE, ..codes("corpora/ftp/errors.pcap") },
    commands("corpora/ftp/transfers.pcap"),
    Case { differs: &[("211", -2, LINES), ("220", -5, LINES)], ..codes("corpora/ftp/transfers.pcap") },
    Case { differs: PIPELINED, ..commands("corpora/ftp/pipelined.pcap") },
    Case { differs: &[("214", -1, LINES), ("220", -2, LINES)], ..codes("corpora/ftp/pipelined.pcap") },
];

const LINES: &str = "ours: the first and the last line have the code of one reply (RFC 959, section 4.2)";
const MULTILINE: &[(&str, i64, &str)] = &[("220", -5, LINES)];
const BEHIND: &str = "ours: it follows another command in the same segment (RFC 959, section 5.4)";
const PIPELINED: &[(&str, i64, &str)] = &[
    ("HELP", 1, BEHIND),
    ("NOOP", 1, BEHIND),
    ("PASS", 2, BEHIND),
    ("PWD", 1, BEHIND),
    ("QUIT", 2, BEHIND),
    ("SS", -1, "ours: it is the end of PASS, in a segment of its own"),
    ("SYST", 1, BEHIND),
    ("TYPE", 1, BEHIND),
];
