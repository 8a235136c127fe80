//! EtherNet/IP (the CIP Networks Library, volume 2, chapter 2), with the services of CIP inside.
//!
//! A message is a header of 24 bytes, the least significant byte first, and data. An answer has the
//! command and the sender's context of its request. `SendUnitData` has neither: its answer is found
//! by the number in the data of the connection.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Short};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| EtherNetIp)
        .alias("cip")
        .on_ports(&[44818])
        .about("EtherNet/IP, with the services of CIP")
        .with_kinds("the command, such as `SendRRData`")
        .with_attributes(&[Attribute::new("service", AttributeType::Text, "the service of CIP")])
        .sniffed_by(sniff)
}

/// The rules of EtherNet/IP.
#[derive(Debug)]
struct EtherNetIp;

/// The length of a header.
const HEADER: u64 = 24;

/// The commands (table 2-3.2).
const COMMANDS: &[(u16, &str)] = &[
    (0x00, "NOP"),
    (0x04, "ListServices"),
    (0x63, "ListIdentity"),
    (0x64, "ListInterfaces"),
    (0x65, "RegisterSession"),
    (0x66, "UnRegisterSession"),
    (0x6f, "SendRRData"),
    (0x70, "SendUnitData"),
    (0x72, "IndicateStatus"),
    (0x73, "Cancel"),
];

const NOP: u16 = 0;
const UNREGISTER_SESSION: u16 = 0x66;
const SEND_RR_DATA: u16 = 0x6f;
const SEND_UNIT_DATA: u16 = 0x70;

/// The items with data (table 2-6.3).
const CONNECTED_DATA: u16 = 0xb1;
const UNCONNECTED_DATA: u16 = 0xb2;

/// The maximum number of items that are inspected.
const ITEMS_MAX: u16 = 8;

/// The services (volume 1, appendix A), and those of Logix controllers.
const SERVICES: &[(u8, &str)] = &[
    (0x01, "Get Attributes All"),
    (0x02, "Set Attributes All"),
    (0x03, "Get Attribute List"),
    (0x04, "Set Attribute List"),
    (0x05, "Reset"),
    (0x06, "Start"),
    (0x07, "Stop"),
    (0x08, "Create"),
    (0x09, "Delete"),
    (0x0a, "Multiple Service Packet"),
    (0x0e, "Get Attribute Single"),
    (0x10, "Set Attribute Single"),
    (0x11, "Find Next Object Instance"),
    (0x4c, "Read Tag"),
    (0x4d, "Write Tag"),
    (0x4e, "Forward Close"),
    (0x52, "Unconnected Send"),
    (0x53, "Write Tag Fragmented"),
    (0x54, "Forward Open"),
    (0x55, "Get Instance Attribute List"),
    (0x5b, "Large Forward Open"),
];

/// The bit of a service that marks an answer.
const ANSWER: u8 = 0x80;

/// The status of an answer that is in parts.
const PARTIAL_TRANSFER: u8 = 6;

impl Rules for EtherNetIp {
    const NAME: &'static str = "enip";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        if message.head.is_empty() {
            return Ok(Next::Bytes(HEADER));
        }
        let mut fields = Cursor::new(message.head);
        if name(fields.u16_le()?).is_none() {
            return Err(Fault("the command is unknown"));
        }
        Ok(Next::Last(fields.u16_le()?.into()))
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let mut fields = Cursor::new(frame.head);
        let command = fields.u16_le()?;
        fields.take(6)?;
        let status = fields.u32_le()?;
        let context = fields.u64_le()?;
        fields.u32_le()?;
        let report = Report::new(name(command).unwrap_or("command"));
        let data = match command {
            SEND_RR_DATA | SEND_UNIT_DATA => items(fields).unwrap_or_default(),
            _ => None,
        };
        let id = match (command, data) {
            // Contexts of other commands are rarely so high.
            (SEND_UNIT_DATA, Some((Some(number), _))) => Some(1 << 63 | u64::from(number)),
            (SEND_UNIT_DATA | NOP | UNREGISTER_SESSION, _) => None,
            _ => Some(context),
        };
        let report = match (frame.side, id) {
            (_, None) => report,
            (Side::Client, Some(id)) => report.role(Role::RequestWithId(id)),
            (Side::Server, Some(id)) => report.role(Role::AnswerWithId { id, last: true }),
        };
        let report = match data.and_then(|(_, data)| data.first()) {
            Some(service) => match SERVICES.iter().find(|(known, _)| *known == service & !ANSWER) {
                Some((_, name)) => report.subject(name.as_bytes()),
                None => report.subject(format!("service 0x{:02x}", service & !ANSWER).into_bytes()),
            },
            None => report,
        };
        Ok(match (status, data.map(|(_, data)| data)) {
            (1.., _) => report.failed(Cow::Owned(format!("0x{status:04x}"))),
            // Service, a byte that is reserved, and the status.
            (0, Some([service, _, status, ..]))
                if service & ANSWER != 0 && !matches!(*status, 0 | PARTIAL_TRANSFER) =>
            {
                report.failed(Cow::Owned(format!("CIP 0x{status:02x}")))
            }
            _ => report,
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        match *bytes {
            [] | [_] => {}
            [low, high, ..] if name(u16::from_le_bytes([low, high])).is_none() => return Sniff::No,
            _ => {}
        }
        // The status is one of the few that exist, and the options are 0.
        match bytes.get(8..12) {
            Some([0..=3 | 0x64 | 0x65 | 0x69, 0, 0, 0]) => {}
            Some(_) => return Sniff::No,
            None => return Sniff::More,
        }
        let Some(options) = bytes.get(20..24) else { return Sniff::More };
        let length = u16::from_le_bytes([bytes[2], bytes[3]]);
        let fits = match u16::from_le_bytes([bytes[0], bytes[1]]) {
            NOP => false,
            0x65 => length == 4,
            UNREGISTER_SESSION => length == 0,
            SEND_RR_DATA | SEND_UNIT_DATA => (16..4096).contains(&length),
            _ => length < 1024,
        };
        if fits && options.iter().all(|byte| *byte == 0) { Sniff::Yes } else { Sniff::No }
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        head.first_chunk().and_then(|command| name(u16::from_le_bytes(*command))).unwrap_or("command")
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        (name == "service" && !report.subject.is_empty()).then(|| AttributeValue::text(&report.subject))
    }
}

fn name(command: u16) -> Option<&'static str> {
    COMMANDS.iter().find(|(known, _)| *known == command).map(|(_, name)| *name)
}

/// The number of a message of CIP in its connection, if it has one, and the message.
type Data<'a> = (Option<u16>, &'a [u8]);

/// Returns the number and the message of CIP in the items of a command, if there is one.
fn items(mut fields: Cursor<'_>) -> Result<Option<Data<'_>>, Short> {
    // The handle of the interface, and a time limit.
    fields.take(6)?;
    for _ in 0..fields.u16_le()?.min(ITEMS_MAX) {
        let (kind, length) = (fields.u16_le()?, fields.u16_le()?);
        match kind {
            CONNECTED_DATA => return Ok(Some((Some(fields.u16_le()?), fields.rest()))),
            UNCONNECTED_DATA => return Ok(Some((None, fields.rest()))),
            _ => fields.take(length.into())?,
        };
    }
    Ok(None)
}

/// Returns whether the first bytes of a connection are EtherNet/IP.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    EtherNetIp.begins(side, first)
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use super::EtherNetIp;
    use crate::kit::Conversation;

    fn message(command: u16, context: u8, data: &[u8]) -> Vec<u8> {
        let mut bytes = command.to_le_bytes().to_vec();
        bytes.extend_from_slice(&(data.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&[7, 0, 0, 0, 0, 0, 0, 0, context, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(data);
        bytes
    }

    #[test]
    fn answers_are_found_by_context_or_by_number() {
        let connected = |service: &[u8]| {
            let mut data = b"\0\0\0\0\0\0\x02\0\xa1\0\x04\0\x01\x02\x03\x04\xb1\0\x05\0\x09\0".to_vec();
            data.extend_from_slice(service);
            data
        };
        let unconnected = b"\0\0\0\0\0\0\x02\0\0\0\0\0\xb2\0\x02\0\x4c\x02";
        let mut session = Conversation::new(EtherNetIp);
        let mut lines = Vec::new();
        let chunks = [
            (Side::Client, message(0x70, 0, &connected(b"\x0e\x02"))),
            (Side::Client, message(0x6f, 3, unconnected)),
            (Side::Server, message(0x6f, 3, b"\0\0\0\0\0\0\x02\0\0\0\0\0\xb2\0\x04\0\xcc\0\x05\0")),
            (Side::Server, message(0x70, 0, &connected(b"\x8e\0\0\0"))),
        ];
        for (side, bytes) in chunks {
            for chunk in bytes.chunks(7) {
                session.feed(side, chunk, &mut |message| lines.push((message.summary.to_string(), message.answers)));
            }
        }
        let lines: Vec<_> = lines.iter().map(|(line, answers)| (line.as_str(), *answers)).collect();
        let expected = [
            ("SendUnitData Get Attribute Single", None),
            ("SendRRData Read Tag", None),
            ("SendRRData CIP 0x05 Read Tag", Some(1)),
            ("SendUnitData Get Attribute Single", Some(0)),
        ];
        assert_eq!(lines, expected);
    }
}
