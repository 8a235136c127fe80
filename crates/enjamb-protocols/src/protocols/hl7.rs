//! HL7 version 2 over MLLP (HL7 "Transport Specification: MLLP", release 1).
//!
//! A message goes between the byte 0x0B and the bytes 0x1C 0x0D. It has segments, which end with
//! CR. The first one, `MSH`, names the type of the message and numbers it. An acknowledgement has a
//! segment `MSA` with the number of the message that it answers.

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side, Terminator};

use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::{id_of, starts_with_any};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Hl7)
        .alias("mllp")
        .on_ports(&[2575])
        .about("HL7 version 2 over MLLP")
        .with_kinds("the type of message, such as `ADT`; `batch`")
        .with_attributes(&[
            Attribute::new("type", AttributeType::Text, "the type and the event of a message, such as ADT^A01"),
            Attribute::new("control_id", AttributeType::Text, "the number of a message"),
        ])
        .sniffed_by(|_, first| starts_with_any(first, BEGINNINGS))
}

/// The rules of HL7.
#[derive(Debug)]
struct Hl7;

/// The beginnings of messages and batches.
const BEGINNINGS: &[&[u8]] = &[b"\x0bMSH", b"\x0bFHS", b"\x0bBHS"];

/// The types of messages that are common (HL7 table 0076), and their kinds.
const TYPES: &[&str] = &[
    "ACK", "ADT", "BAR", "CRM", "CSU", "DFT", "DOC", "DSR", "EAC", "EAN", "EAR", "MCF", "MDM", "MFK", "MFN", "NMD",
    "OMB", "OMD", "OMG", "OML", "OMN", "OMP", "OMS", "ORB", "ORD", "ORF", "ORG", "ORL", "ORM", "ORN", "ORP", "ORR",
    "ORS", "ORU", "OSQ", "OSR", "OUL", "PEX", "PGL", "PIN", "PMU", "PPG", "PPR", "PPT", "PRR", "PTR", "QBP", "QCK",
    "QCN", "QRY", "QSB", "QSX", "QVR", "RAS", "RCL", "RDE", "RDR", "RDS", "REF", "RGV", "ROL", "RPA", "RQA", "RQC",
    "RRA", "RRD", "RRE", "RRG", "RRI", "RSP", "RTB", "SIU", "SQM", "SQR", "SRM", "SRR", "SSR", "SSU", "SUR", "TBR",
    "UDM", "VXQ", "VXR", "VXU", "VXX",
];

impl Rules for Hl7 {
    const NAME: &'static str = "hl7";
    /// A message may contain a document.
    const LINE_MAX: u64 = 64 << 20;
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        match (message.parts, message.head) {
            (0, _) => Ok(Next::Bytes(1)),
            (1, [0x0b]) => Terminator::delimiter(b"\x1c\r").map(Next::Until).map_err(|_| Fault("a delimiter is empty")),
            // Some senders write line ends between messages.
            (1, [b'\r' | b'\n']) => Ok(Next::End),
            (1, _) => Err(Fault("a message does not begin with the byte 0x0B")),
            _ => Ok(Next::End),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let Some(text) = frame.head.strip_prefix(b"\x0b") else { return Ok(Report::new("blank")) };
        if text.starts_with(b"FHS") || text.starts_with(b"BHS") {
            return Ok(Report::new("batch"));
        }
        let Some(header) = Header::parse(text) else {
            return Err(Fault("a message does not begin with the segment MSH"));
        };
        let kind = header.name();
        let kind = TYPES.iter().find(|known| known.as_bytes() == kind).copied().unwrap_or("message");
        let report = Report::new(kind).subject(header.event());
        let segment = segments(text)
            .find(|segment| segment.strip_prefix(b"MSA").is_some_and(|rest| rest.first() == Some(&header.separator)));
        let Some(segment) = segment else { return Ok(report.role(Role::RequestWithId(id_of(header.control_id)))) };
        let mut fields = segment.split(|byte| *byte == header.separator);
        let code = fields.nth(1).unwrap_or_default();
        let id = id_of(fields.next().unwrap_or_default());
        // An acknowledgement of the application follows one of the transport (section 2.9.2).
        let role = Role::AnswerWithId { id, last: code != b"CA" };
        let report = report.role(role);
        let code = std::str::from_utf8(code).unwrap_or_default();
        Ok(match code {
            "AE" | "AR" | "CE" | "CR" => report.failed(code),
            "" => report.malformed("an acknowledgement has no code"),
            _ => report.code(code),
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        starts_with_any(bytes, BEGINNINGS)
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        let header = head.strip_prefix(b"\x0b").and_then(Header::parse);
        let kind = header.and_then(|header| TYPES.iter().find(|known| known.as_bytes() == header.name()));
        kind.copied().unwrap_or("message")
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, ()>,
        _: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let header = Header::parse(frame.head.strip_prefix(b"\x0b")?)?;
        match name {
            "type" => Some(AttributeValue::text(header.kind)),
            "control_id" => Some(AttributeValue::text(header.control_id)),
            _ => None,
        }
    }
}

/// The fields of a segment `MSH`. The first separator of fields is itself a field.
struct Header<'a> {
    separator: u8,
    component: u8,
    kind: &'a [u8],
    control_id: &'a [u8],
}

impl<'a> Header<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let [b'M', b'S', b'H', separator, component, ..] = *text else { return None };
        let mut fields = segments(text).next()?.split(|byte| *byte == separator);
        let kind = fields.nth(8).unwrap_or_default();
        let control_id = fields.next().unwrap_or_default();
        Some(Self { separator, component, kind, control_id })
    }

    fn name(&self) -> &'a [u8] {
        self.kind.split(|byte| *byte == self.component).next().unwrap_or_default()
    }

    fn event(&self) -> &'a [u8] {
        self.kind.split(|byte| *byte == self.component).nth(1).unwrap_or_default()
    }
}

fn segments(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b'\r' | b'\n' | 0x1c)).filter(|segment| !segment.is_empty())
}
