//! Diameter (RFC 6733, section 3).
//!
//! A message is a header of twenty bytes and attributes (AVPs). Both peers send requests. An answer
//! has the hop-by-hop number of its request.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Diameter)
        .on_ports(&[3868])
        .about("Diameter (RFC 6733)")
        .with_kinds("the command, such as `Credit-Control`")
        .with_attributes(&[Attribute::new("command", AttributeType::Number, "the code of the command")])
        .sniffed_by(sniff)
}

/// The rules of Diameter.
#[derive(Debug)]
struct Diameter;

/// The length of a header.
const HEADER: u32 = 20;

/// The flags of a command: it asks; it is an error.
const REQUEST: u8 = 0x80;
const ERROR: u8 = 0x20;

/// The codes of the attributes that are read.
const RESULT_CODE: u32 = 268;
const EXPERIMENTAL_RESULT: u32 = 297;
const EXPERIMENTAL_RESULT_CODE: u32 = 298;
const ORIGIN_HOST: u32 = 264;

/// The commands of RFC 6733, of its applications (RFC 4004, 4005, 4006, 4072, 4740) and of 3GPP
/// (TS 29.229, 29.272, 29.329 and others).
const COMMANDS: &[(u32, &str)] = &[
    (257, "Capabilities-Exchange"),
    (258, "Re-Auth"),
    (260, "AA-Mobile-Node"),
    (262, "Home-Agent-MIP"),
    (265, "AA"),
    (268, "Diameter-EAP"),
    (271, "Accounting"),
    (272, "Credit-Control"),
    (274, "Abort-Session"),
    (275, "Session-Termination"),
    (280, "Device-Watchdog"),
    (282, "Disconnect-Peer"),
    (283, "User-Authorization"),
    (284, "Server-Assignment"),
    (285, "Location-Info"),
    (286, "Multimedia-Auth"),
    (287, "Registration-Termination"),
    (288, "Push-Profile"),
    (300, "3GPP-User-Authorization"),
    (301, "3GPP-Server-Assignment"),
    (302, "3GPP-Location-Info"),
    (303, "3GPP-Multimedia-Auth"),
    (304, "3GPP-Registration-Termination"),
    (305, "3GPP-Push-Profile"),
    (306, "User-Data"),
    (307, "Profile-Update"),
    (308, "Subscribe-Notifications"),
    (309, "Push-Notification"),
    (310, "Boostrapping-Info"),
    (311, "Message-Process"),
    (316, "Update-Location"),
    (317, "Cancel-Location"),
    (318, "Authentication-Information"),
    (319, "Insert-Subscriber-Data"),
    (320, "Delete-Subscriber-Data"),
    (321, "Purge-UE"),
    (322, "Reset"),
    (323, "Notify"),
    (324, "ME-Identity-Check"),
    (8_388_620, "Provide-Location"),
    (8_388_621, "Location-Report"),
    (8_388_622, "LCS-Routing-Info"),
    (8_388_635, "Spending-Limit"),
    (8_388_636, "Spending-Status-Notification"),
    (8_388_645, "MT-Forward-Short-Message"),
    (8_388_647, "Send-Routing-Info-for-SM"),
];

impl Rules for Diameter {
    const NAME: &'static str = "diameter";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        match *message.head {
            [1, a, b, c, ..] => match u32::from_be_bytes([0, a, b, c]) {
                length if length < HEADER => Err(Fault("the length is less than twenty")),
                length if length % 4 != 0 => Err(Fault("the length is no multiple of four")),
                length => Ok(Next::Last(u64::from(length) - 4)),
            },
            [] => Ok(Next::Bytes(4)),
            _ => Err(Fault("the version is not 1")),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let mut fields = Cursor::new(frame.head);
        fields.take(4)?;
        let flags = fields.u8()?;
        let code = command_code(frame.head).ok_or(Fault::SHORT)?;
        fields.take(7)?;
        let id = u64::from(fields.u32()?);
        fields.take(4)?;
        let attributes = Attributes { fields };
        let report = Report::new(name(code).unwrap_or("command"));
        if flags & REQUEST != 0 {
            let mut attributes = attributes;
            let host = attributes.find(|(code, _)| *code == ORIGIN_HOST).map(|(_, value)| value).unwrap_or_default();
            return Ok(report.role(Role::RequestWithId(id)).subject(host));
        }
        let report = report.role(Role::AnswerWithId { id, last: true });
        let number = |value: &[u8]| value.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        let mut result = None;
        for (code, value) in attributes {
            match code {
                RESULT_CODE => result = number(value),
                EXPERIMENTAL_RESULT => {
                    let mut inner = Attributes { fields: Cursor::new(value) };
                    let code = inner.find(|(code, _)| *code == EXPERIMENTAL_RESULT_CODE);
                    result = code.and_then(|(_, value)| number(value)).or(result);
                }
                _ => {}
            }
        }
        // From 3000 on, results are errors (section 7.1).
        Ok(match result {
            Some(code) if code >= 3000 => report.failed(Cow::Owned(code.to_string())),
            Some(code) => report.code(Cow::Owned(code.to_string())),
            None if flags & ERROR != 0 => report.failed("unknown"),
            None => report,
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        match *bytes {
            [1, _, _, low, flags, a, b, c, ..] => {
                let known = name(u32::from_be_bytes([0, a, b, c])).is_some();
                if known && low % 4 == 0 && flags & 0xf == 0 { Sniff::Yes } else { Sniff::No }
            }
            [1, ..] | [] => Sniff::More,
            _ => Sniff::No,
        }
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        command_code(head).and_then(name).unwrap_or("command")
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, ()>,
        _: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        (name == "command").then(|| command_code(frame.head).map(|code| AttributeValue::Number(code.into()))).flatten()
    }
}

fn command_code(head: &[u8]) -> Option<u32> {
    head.get(5..8).map(|code| u32::from_be_bytes([0, code[0], code[1], code[2]]))
}

fn name(code: u32) -> Option<&'static str> {
    COMMANDS.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

/// The attributes of a message, up to the first that is cut off (section 4.1): code and value.
struct Attributes<'a> {
    fields: Cursor<'a>,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let code = self.fields.u32().ok()?;
        let [flags, a, b, c] = self.fields.array().ok()?;
        let mut header = 8;
        if flags & 0x80 != 0 {
            self.fields.u32().ok()?;
            header = 12;
        }
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?.checked_sub(header)?;
        let value = self.fields.take(length).ok()?;
        // Padding to a multiple of four. It may be missing behind the last one.
        let padding = length.wrapping_neg() % 4;
        let padding = padding.min(self.fields.rest().len());
        self.fields.take(padding).ok()?;
        Some((code, value))
    }
}

/// Returns whether the first bytes of a connection are Diameter.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    Diameter.begins(side, first)
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use super::Diameter;
    use crate::kit::Conversation;

    #[test]
    fn both_sides_ask_and_results_are_codes() {
        let watchdog = b"\x01\0\0\x14\x80\0\x01\x18\0\0\0\0\0\0\0\x07\0\0\0\x01";
        let answer = b"\x01\0\0\x20\0\0\x01\x18\0\0\0\0\0\0\0\x07\0\0\0\x01\0\0\x01\x0c\x40\0\0\x0c\0\0\x0b\xbb";
        let mut session = Conversation::new(Diameter);
        let mut lines = Vec::new();
        let chunks: [(Side, &[u8]); 4] = [
            (Side::Server, watchdog),
            (Side::Client, watchdog),
            (Side::Client, answer),
            (Side::Server, b"\x01\0\0\x15"),
        ];
        for (side, bytes) in chunks {
            for chunk in bytes.chunks(3) {
                session.feed(side, chunk, &mut |message| lines.push(message.to_owned().to_string()));
            }
        }
        assert!(lines[2].contains("failed") && lines[2].contains("answers #0: Device-Watchdog 3003"), "{lines:?}");
        assert!(lines[3].contains("multiple of four"), "{lines:?}");
    }
}
