//! SSH 2 (RFC 4253) up to its encryption.
//!
//! Each side sends its version in a line, and a server may send other lines before it. Packets
//! follow: a length, padding and a payload that begins with its number. Behind `NEWKEYS` a side is
//! encrypted, and opaque.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Seek, Then};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::{starts_with, trim_line};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Ssh::default)
        .on_ports(&[22])
        .about("SSH 2 (RFC 4253): versions and packets up to the encryption")
        .with_kinds("`version`, `line`, and the name of the packet, such as `KEXINIT`")
        .with_attributes(&[Attribute::new("version", AttributeType::Text, "the line with a side's version")])
        .sniffed_by(|_, first| starts_with(first, b"SSH-"))
}

/// The rules of SSH.
#[derive(Debug, Default)]
struct Ssh {
    /// Whether each side has sent its version.
    versions: [bool; 2],
}

/// The longest packet that OpenSSH accepts, in bytes. RFC 4253 (section 6.1) asks for 35000.
const PACKET_MAX: u32 = 256 << 10;

/// The maximum length of a line before the packets, in bytes (RFC 4253, section 4.2, has 255).
const LINE_MAX: u64 = 8 << 10;

const NEWKEYS: u8 = 21;

impl Rules for Ssh {
    const NAME: &'static str = "ssh";
    const SEEK: Seek = Seek::Lines;
    const LINE_MAX: u64 = LINE_MAX;
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        if !self.versions[message.side.index()] {
            return Ok(if message.parts == 0 { Next::Line } else { Next::End });
        }
        match *message.head {
            [a, b, c, d, padding] => {
                let length = u32::from_be_bytes([a, b, c, d]);
                // At least four bytes of padding, and the number of the packet (section 6).
                if length > PACKET_MAX || padding < 4 || length < u32::from(padding) + 2 {
                    return Err(Fault("the length of a packet is impossible"));
                }
                Ok(Next::Last(u64::from(length) - 1))
            }
            _ => Ok(Next::Bytes(5)),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let version = &mut self.versions[frame.side.index()];
        if !*version {
            let line = trim_line(frame.head);
            if !line.starts_with(b"SSH-") {
                return match frame.side {
                    Side::Server => Ok(Report::new("line").subject(line)),
                    Side::Client => Err(Fault("a client does not begin with its version")),
                };
            }
            *version = true;
            let report = Report::new("version").subject(line);
            let is_known = line.starts_with(b"SSH-2.") || line.starts_with(b"SSH-1.99-");
            return Ok(if is_known { report } else { report.then(Then::Opaque) });
        }
        let mut fields = Cursor::new(frame.head);
        fields.take(5)?;
        let number = fields.u8()?;
        let report = Report::new(name(number));
        Ok(match number {
            1 => report.failed(Cow::Owned(fields.u32()?.to_string())),
            NEWKEYS => report.then(Then::Opaque),
            // The key exchanges of Diffie and Hellman, over groups and curves (RFC 4253, section 8;
            // RFC 4419; RFC 5656).
            30 | 32 | 34 if frame.side == Side::Client => report.role(Role::Request),
            31 | 33 if frame.side == Side::Server && requests.oldest().is_some() => {
                report.role(Role::Answer { last: true })
            }
            _ => report,
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        starts_with(bytes, b"SSH-2.0-")
    }

    fn broken_kind(&self, side: Side, head: &[u8]) -> &'static str {
        match (self.versions[side.index()], head) {
            (false, _) => "version",
            (true, [_, _, _, _, _, number, ..]) => name(*number),
            (true, _) => "packet",
        }
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        (name == "version" && report.kind == "version").then(|| AttributeValue::text(&report.subject))
    }

    fn lost(&mut self, side: Side) {
        // Where the packets continue is not known, nor whether they are encrypted.
        self.versions[side.index()] = false;
    }
}

/// Returns the name of a packet (RFC 4250, section 4.1.2).
fn name(number: u8) -> &'static str {
    match number {
        1 => "DISCONNECT",
        2 => "IGNORE",
        3 => "UNIMPLEMENTED",
        4 => "DEBUG",
        5 => "SERVICE_REQUEST",
        6 => "SERVICE_ACCEPT",
        7 => "EXT_INFO",
        20 => "KEXINIT",
        NEWKEYS => "NEWKEYS",
        30 => "KEX_30",
        31 => "KEX_31",
        32 => "KEX_32",
        33 => "KEX_33",
        34 => "KEX_34",
        _ => "packet",
    }
}
