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
];
