//! POP3: commands and indicators.

use enjamb::{OwnedMessage, Side};

use crate::{Case, is_whole};

fn command(message: &OwnedMessage) -> Vec<String> {
    let value = if message.kind == "command" { message.summary.trim_start_matches("command ") } else { &message.kind };
    // Behind STLS come the messages of TLS.
    let is_command = message.side == Side::Client
        && (message.kind == "command" || message.kind.bytes().all(|byte| byte.is_ascii_uppercase()))
        && is_whole(message);
    if is_command { value.split(' ').next().map(str::to_owned).into_iter().collect() } else { Vec::new() }
}

fn indicator(message: &OwnedMessage) -> Vec<String> {
    // tshark knows no challenge: `+`.
    let is_reply = matches!(message.kind.as_str(), "greeting" | "reply") && is_whole(message);
    if !is_reply || message.code.as_deref() == Some("+") {
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

const SECRET: &str = "ours: a line behind AUTH is no command (RFC 5034, section 4)";

pub(crate) const CASES: &[Case] = &[
    Case {
        differs: &[
            ("AGRpZ2l0YWxpbnZlc3RpZ2F0b3JAbmV0d29ya3NpbXMuY29tAG5hcGllcg==", -1, SECRET),
            ("AGRpZ2l0YWxpbnZlc3RpZ2F0b3JAbmV0d29ya3NpbXMuY29tAG5hcGllcjEyMw==", -2, SECRET),
        ],
        ..commands("pop3-pop3.pcap")
    },
    indicators("pop3-pop3.pcap"),
    commands("protocols/pop3-input.pcap"),
    indicators("protocols/pop3-input.pcap"),
    Case {
        differs: &[(
            "dXNlcj1qb2Uuc3BlZWRib2F0AWF1dGg9QmVhcmVyIEFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUEBAQ==",
            -1,
            SECRET,
        )],
        ..commands("protocols/pop3-pop3-auth-01-input.pcap")
    },
    indicators("protocols/pop3-pop3-auth-01-input.pcap"),
    commands("protocols/pop3-pop3-unknown-commands.pcap"),
    indicators("protocols/pop3-pop3-unknown-commands.pcap"),
    Case {
        differs: &[
            ("AGFsaWNlAHdyb25nIGhvcnNl", -1, SECRET),
            ("*", -1, SECRET),
            ("YWxpY2U=", -1, SECRET),
            ("USER", -1, "ours: the connection ends inside its line (RFC 1939, section 3)"),
        ],
        ..commands("corpora/pop3/errors.pcap")
    },
    indicators("corpora/pop3/errors.pcap"),
    Case { differs: PIPELINED, ..commands("corpora/pop3/pipelined.pcap") },
    Case {
        differs: &[
            ("+OK", 7, "ours: it follows another reply in the same segment (RFC 2449, section 6.6)"),
            ("-ERR", 2, "ours: it follows another reply in the same segment (RFC 2449, section 6.6)"),
        ],
        ..indicators("corpora/pop3/pipelined.pcap")
    },
    Case { differs: &[("AGFsaWNlAGNvcnJlY3QgaG9yc2U=", -2, SECRET)], ..commands("corpora/pop3/retrieval.pcap") },
    indicators("corpora/pop3/retrieval.pcap"),
    Case {
        differs: &[("QUIT", 1, "ours: it follows another command in the same segment (RFC 2449, section 6.6)")],
        ..commands("corpora/pop3/stls.pcap")
    },
    indicators("corpora/pop3/stls.pcap"),
];

const BEHIND: &str = "ours: it follows another command in the same segment (RFC 2449, section 6.6)";
const PIECE: &str = "ours: it is a piece of a line in a segment of its own";
const PIPELINED: &[(&str, i64, &str)] = &[
    ("DELE", 2, BEHIND),
    ("LI", -1, PIECE),
    ("LIST", 2, BEHIND),
    ("PASS", 1, BEHIND),
    ("QUIT", 2, BEHIND),
    ("RETR", 2, BEHIND),
    ("RSET", 1, BEHIND),
    ("ST", -1, PIECE),
    ("TOP", 1, BEHIND),
];
