//! OPC UA over TCP (OPC 10000-6, sections 6.7 and 7.1).
//!
//! A message is a chunk: three letters, a letter that tells whether more chunks follow, and a
//! length. The services of an `MSG` are numbered by the client, and answers have the same number.
//! Where a channel encrypts, services have no names here.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Short};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(OpcUa::default)
        .on_ports(&[4840])
        .about("OPC UA over TCP: chunks, and services by name")
        .with_kinds("the type of chunk, such as `MSG`")
        .with_attributes(&[Attribute::new("service", AttributeType::Text, "the service of an MSG, OPN or CLO")])
        .sniffed_by(sniff)
}

/// The rules of OPC UA. The state is whether the next chunk of each side begins a message.
#[derive(Debug, Default)]
struct OpcUa {
    continues: [bool; 2],
}

/// The types of chunks.
const TYPES: [&str; 7] = ["HEL", "ACK", "ERR", "RHE", "OPN", "CLO", "MSG"];

/// The length of the header of a chunk.
const HEADER: u32 = 8;

/// The services, by the number of the binary encoding of their request (OPC 10000-6, annex A). The
/// answer has the number three above.
const SERVICES: &[(u16, &str)] = &[
    (422, "FindServers"),
    (428, "GetEndpoints"),
    (437, "RegisterServer"),
    (446, "OpenSecureChannel"),
    (452, "CloseSecureChannel"),
    (461, "CreateSession"),
    (467, "ActivateSession"),
    (473, "CloseSession"),
    (479, "Cancel"),
    (488, "AddNodes"),
    (494, "AddReferences"),
    (500, "DeleteNodes"),
    (506, "DeleteReferences"),
    (527, "Browse"),
    (533, "BrowseNext"),
    (554, "TranslateBrowsePathsToNodeIds"),
    (560, "RegisterNodes"),
    (566, "UnregisterNodes"),
    (615, "QueryFirst"),
    (621, "QueryNext"),
    (631, "Read"),
    (664, "HistoryRead"),
    (673, "Write"),
    (700, "HistoryUpdate"),
    (712, "Call"),
    (751, "CreateMonitoredItems"),
    (763, "ModifyMonitoredItems"),
    (769, "SetMonitoringMode"),
    (775, "SetTriggering"),
    (781, "DeleteMonitoredItems"),
    (787, "CreateSubscription"),
    (793, "ModifySubscription"),
    (799, "SetPublishingMode"),
    (826, "Publish"),
    (832, "Republish"),
    (841, "TransferSubscriptions"),
    (847, "DeleteSubscriptions"),
];

/// The number of a `ServiceFault`.
const SERVICE_FAULT: u16 = 397;

/// The id of `HEL`, which has none.
const HELLO: u64 = 1 << 32;

impl Rules for OpcUa {
    const NAME: &'static str = "opcua";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        let Some(head) = message.head.first_chunk::<8>() else { return Ok(Next::Bytes(HEADER.into())) };
        if kind(head).is_none() {
            return Err(Fault("the type of message is unknown"));
        }
        if !matches!(head[3], b'F' | b'C' | b'A') {
            return Err(Fault("the type of chunk is neither F, C nor A"));
        }
        match u32::from_le_bytes([head[4], head[5], head[6], head[7]]) {
            length @ HEADER.. => Ok(Next::Last((length - HEADER).into())),
            _ => Err(Fault("the length is less than eight")),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let name = kind(frame.head).ok_or(Fault("the type of message is unknown"))?;
        let mut fields = Cursor::new(frame.head);
        fields.take(8)?;
        let report = Report::new(name);
        match name {
            "HEL" => {
                fields.take(20)?;
                let length = fields.u32_le()?;
                let length = if length == u32::MAX { 0 } else { usize::try_from(length).map_err(|_| Short)? };
                return Ok(report.role(Role::RequestWithId(HELLO)).subject(fields.take(length)?));
            }
            "ACK" => return Ok(report.role(Role::AnswerWithId { id: HELLO, last: true })),
            "ERR" => {
                let code = fields.u32_le()?;
                let role = match requests.with_id(HELLO) {
                    Some(_) => Role::AnswerWithId { id: HELLO, last: true },
                    None => Role::OneWay,
                };
                return Ok(report.role(role).failed(Cow::Owned(format!("0x{code:08x}"))));
            }
            "RHE" => return Ok(report),
            _ => {}
        }
        let chunk = frame.head[3];
        let continues = std::mem::replace(&mut self.continues[frame.side.index()], chunk == b'C');
        // The channel; then the token of symmetric security, or the policy and the certificates of
        // asymmetric security.
        fields.u32_le()?;
        let plain = if name == "OPN" {
            let policy = string(&mut fields)?;
            string(&mut fields)?;
            string(&mut fields)?;
            policy.ends_with(b"#None")
        } else {
            fields.u32_le()?;
            true
        };
        if !plain {
            return Ok(report);
        }
        fields.u32_le()?;
        let id = u64::from(fields.u32_le()?);
        let last = chunk != b'C';
        let role = match (frame.side, name) {
            (Side::Client, "CLO") => Role::OneWay,
            (Side::Client, _) if continues => Role::OneWay,
            (Side::Client, _) => Role::RequestWithId(id),
            (Side::Server, _) => Role::AnswerWithId { id, last },
        };
        // A server encrypts all ids of a channel, so encrypted answers meet no request.
        let report = report.role(role);
        if continues {
            return Ok(report);
        }
        if chunk == b'A' {
            let code = fields.u32_le()?;
            return Ok(report.failed(Cow::Owned(format!("0x{code:08x}"))));
        }
        let Some(service) = node(&mut fields) else { return Ok(report) };
        let report = match SERVICES.iter().find(|(number, _)| *number == service || number + 3 == service) {
            Some((_, name)) => report.subject(name.as_bytes()),
            None if service == SERVICE_FAULT => report.subject(b"ServiceFault"),
            None => report,
        };
        if frame.side == Side::Client {
            return Ok(report);
        }
        // The header of a response: a time, the handle of the request, the result (OPC 10000-4,
        // section 7.33). Results from 0x80000000 on are bad.
        Ok(match fields.take(12).and_then(|_| fields.u32_le()) {
            Ok(result @ 0x8000_0000..) if !report.subject.is_empty() => {
                report.failed(Cow::Owned(format!("0x{result:08x}")))
            }
            _ => report,
        })
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        sniff(side, bytes)
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        kind(head).unwrap_or("chunk")
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let has_service = report.kind != "HEL" && !report.subject.is_empty();
        (name == "service" && has_service).then(|| AttributeValue::text(&report.subject))
    }

    fn lost(&mut self, side: Side) {
        self.continues[side.index()] = false;
    }
}

fn kind(head: &[u8]) -> Option<&'static str> {
    TYPES.iter().find(|name| head.starts_with(name.as_bytes())).copied()
}

/// Takes a string or bytes with a length of four bytes; -1 means none.
fn string<'a>(fields: &mut Cursor<'a>) -> Result<&'a [u8], Short> {
    let length = fields.i32_le()?;
    fields.take(usize::try_from(length).unwrap_or(0))
}

/// Takes the number of a node in namespace 0.
fn node(fields: &mut Cursor<'_>) -> Option<u16> {
    match fields.u8().ok()? {
        0 => fields.u8().ok().map(u16::from),
        1 if fields.u8().ok()? == 0 => fields.u16_le().ok(),
        2 if fields.u16_le().ok()? == 0 => u16::try_from(fields.u32_le().ok()?).ok(),
        _ => None,
    }
}

/// Returns whether a chunk begins here.
fn sniff(_: Side, first: &[u8]) -> Sniff {
    let name = &first[..first.len().min(3)];
    if !TYPES.iter().any(|known| known.as_bytes().starts_with(name)) {
        return Sniff::No;
    }
    match first {
        [_, _, _, b'F' | b'C' | b'A', a, b, c, d, ..] => {
            // Buffers of chunks are rarely longer than 16 MiB.
            let length = u32::from_le_bytes([*a, *b, *c, *d]);
            if (HEADER..1 << 24).contains(&length) { Sniff::Yes } else { Sniff::No }
        }
        [_, _, _, chunk, ..] if !matches!(chunk, b'F' | b'C' | b'A') => Sniff::No,
        _ => Sniff::More,
    }
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use super::OpcUa;
    use crate::kit::Conversation;

    fn chunk(kind: &[u8], body: &[u8]) -> Vec<u8> {
        [kind, &(8 + body.len() as u32).to_le_bytes(), body].concat()
    }

    #[test]
    fn services_are_paired_by_number_over_chunks() {
        let part = |id: u8, rest: &[u8]| [&[1, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, id, 0, 0, 0], rest].concat();
        let mut session = Conversation::new(OpcUa::default());
        let mut lines = Vec::new();
        let fault = [b"\x01\0\x8d\x01", &[0; 12][..], b"\0\0\x0b\x80"].concat();
        let chunks = [
            (Side::Client, chunk(b"MSGF", &part(5, b"\x01\0\x77\x02"))),
            (Side::Client, chunk(b"MSGF", &part(6, b"\x01\0\x0f\x02"))),
            (Side::Server, chunk(b"MSGC", &part(6, b"\x01\0\x12\x02"))),
            (Side::Server, chunk(b"MSGF", &part(6, b"rest"))),
            (Side::Server, chunk(b"MSGF", &part(5, &fault))),
        ];
        for (side, bytes) in chunks {
            for chunk in bytes.chunks(7) {
                session.feed(side, chunk, &mut |message| lines.push((message.summary.to_string(), message.answers)));
            }
        }
        let lines: Vec<_> = lines.iter().map(|(line, answers)| (line.as_str(), *answers)).collect();
        let expected = [
            ("MSG Read", None),
            ("MSG Browse", None),
            ("MSG Browse", Some(1)),
            ("MSG", Some(1)),
            ("MSG 0x800b0000 ServiceFault", Some(0)),
        ];
        assert_eq!(lines, expected);
    }
}
