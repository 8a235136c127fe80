//! IMAP: the tags of commands and of their responses.

use enjamb::{OwnedMessage, Side};

use crate::{Case, is_whole};

const CONTINUATIONS: [&str; 4] = ["literal", "authentication", "DONE", "blank"];

fn command(message: &OwnedMessage) -> Vec<String> {
    // Behind STARTTLS come the messages of TLS.
    let is_command = message.side == Side::Client
        && !CONTINUATIONS.contains(&message.kind.as_str())
        && (message.kind == "command" || message.kind.bytes().all(|byte| byte.is_ascii_uppercase()));
    if is_command && is_whole(message) { vec![message.kind.clone()] } else { Vec::new() }
}

/// A client that writes all commands in small letters, but IDLE.
fn small_command(message: &OwnedMessage) -> Vec<String> {
    let small = |kind: String| if kind == "IDLE" { kind } else { kind.to_lowercase() };
    command(message).into_iter().map(small).collect()
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

const LITERAL: &str = "ours: it is a line of a literal (RFC 9051, section 4.3)";
const CONTINUATION: &str = "ours: a continuation has no status (RFC 9051, section 7.6)";

pub(crate) const CASES: &[Case] = &[
    Case { values: small_command, ..commands("imap_fetch.pcap") },
    Case {
        differs: &[
            ("8bit", -2, LITERAL),
            ("attachment;", -1, LITERAL),
            ("back", -1, LITERAL),
            ("text/plain", -1, LITERAL),
            ("text/plain;", -1, LITERAL),
            ("went", -1, LITERAL),
            ("Password", -1, CONTINUATION),
            ("User", -1, CONTINUATION),
            ("Waiting", -3, CONTINUATION),
        ],
        ..statuses("imap_fetch.pcap")
    },
    Case { differs: APPENDED, ..commands("protocols/imap-imap_append.pcap") },
    Case { differs: &[("Ready", -1, CONTINUATION)], ..statuses("protocols/imap-imap_append.pcap") },
    commands("protocols/imap-input.pcap"),
    statuses("protocols/imap-input.pcap"),
    Case {
        differs: &[
            ("WHAT", -1, "ours: one kind for all unknown commands"),
            (
                "command",
                2,
                "ours: the unknown one, and one without a tag, which is malformed (RFC 9051, section 2.2.1)",
            ),
        ],
        ..commands("corpora/imap/errors.pcap")
    },
    statuses("corpora/imap/errors.pcap"),
    Case { differs: &[("up", -1, LITERAL)], ..commands("corpora/imap/idle.pcap") },
    Case { differs: &[("OK", -1, CONTINUATION), ("idling", -1, CONTINUATION)], ..statuses("corpora/imap/idle.pcap") },
    Case { differs: LITERALS, ..commands("corpora/imap/literals.pcap") },
    Case { differs: &[("OK", -4, CONTINUATION), ("end.", -1, LITERAL)], ..statuses("corpora/imap/literals.pcap") },
    commands("corpora/imap/reading.pcap"),
    statuses("corpora/imap/reading.pcap"),
    commands("corpora/imap/starttls.pcap"),
    statuses("corpora/imap/starttls.pcap"),
];

const BEHIND_LITERAL: &str = "ours: it follows a literal in the same segment (RFC 7888, section 4)";
const LITERALS: &[(&str, i64, &str)] = &[
    ("EXAMINE", 1, BEHIND_LITERAL),
    ("FETCH", 2, BEHIND_LITERAL),
    ("LOGOUT", 1, BEHIND_LITERAL),
    ("horse", -1, LITERAL),
    ("up", -1, LITERAL),
    ("x", -1, LITERAL),
    ("{13}", -1, LITERAL),
];

const APPENDED: &[(&str, i64, &str)] = &[
    ("\"sender123@serverdata.com\"", -1, LITERAL),
    ("'Microsoft", -1, LITERAL),
    ("1.0", -1, LITERAL),
    ("10px;", -1, LITERAL),
    ("3", -1, LITERAL),
    ("7F07679F-B77A-44FA-92A6-BC0C7833DD78", -2, LITERAL),
    ("<202207261749087393300@serverdata.com>", -1, LITERAL),
    ("Ffffail", -1, LITERAL),
    ("Tue,", -1, LITERAL),
    ("base64", -1, LITERAL),
    ("color=3D\"#b5c4df\"", -1, LITERAL),
    ("http-equiv=3D\"content-type\"", -1, LITERAL),
    ("is", -1, LITERAL),
    ("multipart/alternative;", -1, LITERAL),
    ("no", -1, LITERAL),
    ("quoted-printable", -1, LITERAL),
    ("sender123", -1, LITERAL),
    ("style=3D\"width:", -1, LITERAL),
    ("test", -1, LITERAL),
    ("text/html;", -1, LITERAL),
    ("text/plain;", -1, LITERAL),
    ("{", -1, LITERAL),
];
