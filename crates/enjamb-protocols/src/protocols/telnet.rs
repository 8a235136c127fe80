//! Telnet (RFC 854), with options (RFC 855).
//!
//! A command begins with the byte 255 (IAC) and is a message. The data between commands is cut into
//! messages behind a line feed or a NUL, and before a command. The data of a client may be a
//! password, so it is not shown.

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side, Terminator};

use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::trim_line;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Telnet)
        .on_ports(&[23])
        .about("Telnet (RFC 854), with options")
        .with_kinds("the command, such as `WILL`; `data`")
        .with_attributes(&[Attribute::new("option", AttributeType::Text, "the option that a command is about")])
        .sniffed_by(|_, first| sniff(first))
}

/// The rules of Telnet.
#[derive(Debug)]
struct Telnet;

const IAC: u8 = 255;
const SB: u8 = 250;
const SE: u8 = 240;
const WILL: u8 = 251;
const DONT: u8 = 254;

/// The names of commands, from 236 on (RFC 854; RFC 1184; RFC 885 for EOR).
const COMMANDS: [&str; 19] = [
    "EOF", "SUSP", "ABORT", "EOR", "SE", "NOP", "DM", "BRK", "IP", "AO", "AYT", "EC", "EL", "GA", "SB", "WILL", "WONT",
    "DO", "DONT",
];

/// The names of options (IANA, "Telnet Options").
const OPTIONS: [&str; 50] = [
    "BINARY",
    "ECHO",
    "RECONNECTION",
    "SUPPRESS-GO-AHEAD",
    "MESSAGE-SIZE",
    "STATUS",
    "TIMING-MARK",
    "RCTE",
    "LINE-WIDTH",
    "PAGE-SIZE",
    "CR",
    "HT-STOPS",
    "HT",
    "FF",
    "VT-STOPS",
    "VT",
    "LF",
    "EXTENDED-ASCII",
    "LOGOUT",
    "BYTE-MACRO",
    "DATA-ENTRY-TERMINAL",
    "SUPDUP",
    "SUPDUP-OUTPUT",
    "SEND-LOCATION",
    "TERMINAL-TYPE",
    "END-OF-RECORD",
    "TACACS",
    "OUTPUT-MARKING",
    "TERMINAL-LOCATION",
    "TN3270-REGIME",
    "X3-PAD",
    "NAWS",
    "TERMINAL-SPEED",
    "TOGGLE-FLOW-CONTROL",
    "LINEMODE",
    "X-DISPLAY-LOCATION",
    "ENVIRON",
    "AUTHENTICATION",
    "ENCRYPT",
    "NEW-ENVIRON",
    "TN3270E",
    "XAUTH",
    "CHARSET",
    "REMOTE-SERIAL-PORT",
    "COM-PORT-CONTROL",
    "SUPPRESS-LOCAL-ECHO",
    "START-TLS",
    "KERMIT",
    "SEND-URL",
    "FORWARD-X",
];

/// The ends of data.
const DATA: Next = Next::Run { through: b"\n\0", before: &[IAC] };

impl Rules for Telnet {
    const NAME: &'static str = "telnet";
    /// Whether the last part was the byte behind an IAC in a subnegotiation.
    type Memo = bool;

    fn next(&self, message: Progress<'_, bool>) -> Result<Next, Fault> {
        let until_command = || Terminator::delimiter([IAC]).map(Next::Until).map_err(|_| Fault("a delimiter is empty"));
        match (message.parts, message.head) {
            (0, _) | (1, [IAC]) | (2, [IAC, WILL..=DONT]) => Ok(Next::Bytes(1)),
            (1, [b'\n' | 0]) => Ok(Next::End),
            (1, _) | (2, [IAC, IAC]) => Ok(DATA),
            (2, [IAC, SB]) => until_command(),
            (_, [IAC, SB, ..]) => {
                *message.memo = !*message.memo;
                match (*message.memo, message.last) {
                    (true, _) => Ok(Next::Bytes(1)),
                    // A byte of 255 in the data is doubled.
                    (false, [IAC]) => until_command(),
                    (false, [SE]) => Ok(Next::End),
                    (false, _) => Err(Fault("a command is inside a subnegotiation")),
                }
            }
            _ => Ok(Next::End),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, bool>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let kind = self.broken_kind(frame.side, frame.head);
        let report = Report::new(kind);
        Ok(match frame.head {
            [IAC, SB..=DONT, option, ..] => report.subject(option_name(*option).into_bytes()),
            _ if kind == "data" && frame.side == Side::Server => {
                report.subject(trim_line(frame.head.strip_suffix(b"\0").unwrap_or(frame.head)))
            }
            _ => report,
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        // Data may begin with any byte.
        if bytes.is_empty() { Sniff::More } else { Sniff::Yes }
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        match head {
            [IAC, IAC, ..] => "data",
            [IAC, command, ..] => {
                let index = command.checked_sub(236).map(usize::from);
                index.and_then(|index| COMMANDS.get(index)).copied().unwrap_or("command")
            }
            [IAC] => "command",
            _ => "data",
        }
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, bool>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let has_option = matches!(frame.head, [IAC, SB..=DONT, _, ..]);
        (name == "option" && has_option).then(|| AttributeValue::text(&report.subject))
    }
}

fn option_name(option: u8) -> String {
    OPTIONS.get(usize::from(option)).map_or_else(|| option.to_string(), |name| (*name).to_owned())
}

/// Returns whether the first bytes of a side are Telnet: an offer or a request of a known option.
fn sniff(first: &[u8]) -> Sniff {
    match first {
        [] | [IAC] | [IAC, WILL..=DONT] => Sniff::More,
        [IAC, WILL..=DONT, option, ..] if usize::from(*option) < OPTIONS.len() => Sniff::Yes,
        [IAC, 236..=DONT, ..] => Sniff::Maybe,
        _ => Sniff::No,
    }
}
