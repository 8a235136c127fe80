//! SMTP: commands and the codes of replies.

use enjamb::{OwnedMessage, Side};

use crate::{Case, is_whole};

fn command(message: &OwnedMessage) -> Vec<String> {
    // Behind STARTTLS come the messages of TLS.
    let is_command = message.side == Side::Client
        && (message.kind == "command" || message.kind.bytes().all(|byte| byte.is_ascii_uppercase()));
    let value = if message.kind == "command" { &message.summary } else { &message.kind };
    if is_command && is_whole(message) { vec![value.clone()] } else { Vec::new() }
}

fn code(message: &OwnedMessage) -> Vec<String> {
    let lines = message.code.clone().filter(|_| message.side == Side::Server && is_whole(message));
    lines.into_iter().collect()
}

const fn commands(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "smtp.req.command", values: command, differs: &[] }
}

const fn codes(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "smtp.response.code", values: code, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    commands("smtp.pcap"),
    codes("smtp.pcap"),
    commands("smtp-rfc3030-bdat-multipart-chunked.pcap"),
    codes("smtp-rfc3030-bdat-multipart-chunked.pcap"),
    commands("protocols/smtp-input.pcap"),
    codes("protocols/smtp-input.pcap"),
    commands("protocols/smtp-rfc3030-bdat-multipart.pcap"),
    codes("protocols/smtp-rfc3030-bdat-multipart.pcap"),
    Case {
        differs: &[("QUIT", 1, "ours: it follows the dot of the mail in the same segment (RFC 5321, section 4.1.1.4)")],
        ..commands("protocols/smtp-smtp-subject-utf8-q.pcap")
    },
    codes("protocols/smtp-smtp-subject-utf8-q.pcap"),
    commands("corpora/smtp/authentication.pcap"),
    codes("corpora/smtp/authentication.pcap"),
    Case { differs: CHUNKS, ..commands("corpora/smtp/chunking.pcap") },
    codes("corpora/smtp/chunking.pcap"),
    codes("corpora/smtp/delivery.pcap"),
    codes("corpora/smtp/errors.pcap"),
    Case { differs: PIPELINED, ..commands("corpora/smtp/pipelined.pcap") },
    codes("corpora/smtp/pipelined.pcap"),
    Case { values: first_four, ..commands("corpora/smtp/starttls.pcap") },
];

/// tshark shows four letters of a command that it does not know well.
fn first_four(message: &OwnedMessage) -> Vec<String> {
    command(message).into_iter().map(|command| command.chars().take(4).collect()).collect()
}

const BEHIND_CHUNK: &str = "ours: it follows a chunk, or a command, in the same segment (RFC 3030, section 2)";
const CHUNKS: &[(&str, i64, &str)] = &[
    ("BDAT", 4, BEHIND_CHUNK),
    ("MAIL", 1, BEHIND_CHUNK),
    ("QUIT", 1, BEHIND_CHUNK),
    ("RCPT", 1, BEHIND_CHUNK),
    ("RSET", 1, BEHIND_CHUNK),
];
const BEHIND_MAIL: &str = "ours: it follows the dot of a mail in the same segment (RFC 2920, section 3.1)";
const PIPELINED: &[(&str, i64, &str)] = &[("NOOP", 1, BEHIND_MAIL), ("QUIT", 3, BEHIND_MAIL), ("RSET", 1, BEHIND_MAIL)];
