//! Modbus over TCP (MODBUS Messaging on TCP/IP Implementation Guide 1.0b, section 3.1.3).
//!
//! A message is a transaction, a protocol that is 0, a length, a unit, and a function with its
//! data. An answer has the transaction and the unit of its request. The function of an exception
//! has its highest bit set.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol. Its bytes resemble those of others, so it is chosen by its port.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Modbus)
        .on_ports(&[502])
        .about("Modbus over TCP")
        .with_kinds("the function, such as `Read Coils`")
        .with_attributes(&[
            Attribute::new("unit", AttributeType::Number, "the unit behind the server"),
            Attribute::new(
                "function",
                AttributeType::Number,
                "the number of the function, without the bit of exceptions",
            ),
        ])
}

/// The rules of Modbus.
#[derive(Debug)]
struct Modbus;

/// The functions (MODBUS Application Protocol Specification 1.1b3, section 5.1).
const FUNCTIONS: &[(u8, &str)] = &[
    (1, "Read Coils"),
    (2, "Read Discrete Inputs"),
    (3, "Read Holding Registers"),
    (4, "Read Input Registers"),
    (5, "Write Single Coil"),
    (6, "Write Single Register"),
    (7, "Read Exception Status"),
    (8, "Diagnostics"),
    (11, "Get Comm Event Counter"),
    (12, "Get Comm Event Log"),
    (15, "Write Multiple Coils"),
    (16, "Write Multiple Registers"),
    (17, "Report Server ID"),
    (20, "Read File Record"),
    (21, "Write File Record"),
    (22, "Mask Write Register"),
    (23, "Read/Write Multiple Registers"),
    (24, "Read FIFO Queue"),
    (43, "Encapsulated Interface Transport"),
    (90, "Unity (Schneider)"),
];

/// The exceptions (section 7).
const EXCEPTIONS: [&str; 12] = [
    "0",
    "illegal function",
    "illegal data address",
    "illegal data value",
    "server device failure",
    "acknowledge",
    "server device busy",
    "negative acknowledge",
    "memory parity error",
    "9",
    "gateway path unavailable",
    "gateway target device failed to respond",
];

/// The bit of a function that marks an exception.
const EXCEPTION: u8 = 0x80;

/// The longest message, from the unit on: the unit and 253 bytes.
const LENGTH_MAX: u16 = 254;

/// The length of the header.
const HEADER: usize = 7;

impl Rules for Modbus {
    const NAME: &'static str = "modbus";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        let [_, _, protocol_high, protocol_low, high, low, ..] = *message.head else { return Ok(Next::Bytes(6)) };
        if (protocol_high, protocol_low) != (0, 0) {
            return Err(Fault("the protocol is not 0"));
        }
        match u16::from_be_bytes([high, low]) {
            0 => Err(Fault("the length has no unit in it")),
            length => Ok(Next::Last(length.into())),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let mut fields = Cursor::new(frame.head);
        let transaction = fields.u16()?;
        fields.u16()?;
        let length = fields.u16()?;
        if length > LENGTH_MAX {
            return Err(Fault("the length is more than 254"));
        }
        let (unit, function) = (fields.u8()?, fields.u8()?);
        let report = Report::new(name(function));
        let report = match report.kind {
            "function" => report.subject((function & !EXCEPTION).to_string().into_bytes()),
            _ => report,
        };
        let id = u64::from(transaction) << 8 | u64::from(unit);
        if frame.side == Side::Server {
            let report = report.role(Role::AnswerWithId { id, last: true });
            if function & EXCEPTION == 0 {
                return Ok(report);
            }
            let code = fields.u8()?;
            return Ok(match EXCEPTIONS.get(usize::from(code)) {
                Some(name) => report.failed(*name),
                None => report.failed(Cow::Owned(code.to_string())),
            });
        }
        let report = report.role(Role::RequestWithId(id));
        Ok(match function {
            1..=6 | 15 | 16 | 22 | 23 => report.subject(fields.u16()?.to_string().into_bytes()),
            _ => report,
        })
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        match *bytes {
            [_, _, 1..=255, ..] | [_, _, 0, 1..=255, ..] | [_, _, 0, 0, 1..=255, ..] => Sniff::No,
            [_, _, 0, 0, 0, length, _, function, ..] => {
                let known = FUNCTIONS.iter().any(|(known, _)| *known == function & !EXCEPTION);
                let fits = match (side, function) {
                    (_, 0x80..) => side == Side::Server && (3..=5).contains(&length),
                    (Side::Client, 1..=6) => length == 6,
                    (Side::Server, 5 | 6 | 15 | 16) => length == 6,
                    (Side::Server, 1..=4) => length > 3,
                    _ => length >= 2,
                };
                if known && fits && length <= 254 { Sniff::Yes } else { Sniff::No }
            }
            _ => Sniff::More,
        }
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        head.get(HEADER).map_or("function", |function| name(*function))
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, ()>,
        _: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        match name {
            "unit" => Some(AttributeValue::Number((*frame.head.get(HEADER - 1)?).into())),
            "function" => Some(AttributeValue::Number((frame.head.get(HEADER)? & !EXCEPTION).into())),
            _ => None,
        }
    }
}

/// Returns the name of a function.
fn name(function: u8) -> &'static str {
    let known = FUNCTIONS.iter().find(|(known, _)| *known == function & !EXCEPTION);
    known.map_or("function", |(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use enjamb::Side;

    use super::Modbus;
    use crate::protocols::testing::summaries;

    #[test]
    fn answers_and_exceptions_find_their_transaction_and_unit() {
        let lines = summaries(
            Modbus,
            &[
                (Side::Client, b"\0\x01\0\0\0\x06\x01\x03\0\x0a\0\x01\0\x01\0\0\0\x06\x02\x06\0\x0b\0\x01"),
                (Side::Server, b"\0\x01\0\0\0\x03\x02\x86\x02\0\x01\0\0\0\x05\x01\x03\x02\0\0"),
            ],
        );
        let expected = [
            "Read Holding Registers 10",
            "Write Single Register 11",
            "Write Single Register illegal data address #1",
            "Read Holding Registers #0",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn another_protocol_is_malformed_and_the_next_message_is_found() {
        let lines = summaries(Modbus, &[(Side::Client, b"\0\x01\0\x07\0\x06\xff\0\x01\0\0\0\x06\x01\x03\0\x0a\0\x01")]);
        assert_eq!(lines, ["function", "not parsed", "Read Holding Registers 10"]);
    }
}
