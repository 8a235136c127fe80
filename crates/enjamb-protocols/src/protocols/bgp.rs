//! BGP-4 (RFC 4271, section 4).
//!
//! A message is a marker of sixteen bytes that are 0xff, a length that counts all, and a type.
//! Nothing is answered, except that a message `NOTIFICATION` reports an error and ends the
//! connection.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Bgp)
        .on_ports(&[179])
        .about("BGP-4 (RFC 4271)")
        .with_kinds("the type, such as `UPDATE`")
        .with_attributes(&[Attribute::new("type", AttributeType::Number, "the type of a message")])
        .sniffed_by(sniff)
}

/// The rules of BGP.
#[derive(Debug)]
struct Bgp;

const MARKER: usize = 16;

/// The length of the header: marker, length and type.
const HEADER: u16 = 19;

/// The types, from 1 on. `ROUTE-REFRESH` is that of RFC 2918.
const TYPES: [&str; 5] = ["OPEN", "UPDATE", "NOTIFICATION", "KEEPALIVE", "ROUTE-REFRESH"];

/// The names of errors, from 1 on (RFC 4271, section 4.5; RFC 7313).
const ERRORS: [&str; 7] = [
    "Message Header Error",
    "OPEN Message Error",
    "UPDATE Message Error",
    "Hold Timer Expired",
    "Finite State Machine Error",
    "Cease",
    "ROUTE-REFRESH Message Error",
];

impl Rules for Bgp {
    const NAME: &'static str = "bgp";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        if message.head.is_empty() {
            return Ok(Next::Bytes(HEADER.into()));
        }
        let mut fields = Cursor::new(message.head);
        if fields.take(MARKER)?.iter().any(|byte| *byte != 0xff) {
            return Err(Fault("the marker is not all ones"));
        }
        // RFC 8654 allows all 16 bits.
        match fields.u16()? {
            length @ HEADER.. => Ok(Next::Last((length - HEADER).into())),
            _ => Err(Fault("the length is less than 19")),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let mut fields = Cursor::new(frame.head);
        fields.take(MARKER)?;
        let length = fields.u16()?;
        let Some(name) = kind(fields.u8()?) else { return Err(Fault("the type is unknown")) };
        let report = Report::new(name);
        // The shortest lengths of the types (RFC 4271, section 6.1).
        let least = match name {
            "OPEN" => 29,
            "UPDATE" | "ROUTE-REFRESH" => 23,
            "NOTIFICATION" => 21,
            _ => HEADER,
        };
        if length < least || name == "KEEPALIVE" && length > HEADER {
            return Err(Fault("the length does not fit the type"));
        }
        Ok(match name {
            "OPEN" => {
                let (_version, autonomous_system) = (fields.u8()?, fields.u16()?);
                report.subject(format!("AS{autonomous_system}").into_bytes())
            }
            "NOTIFICATION" => {
                let (code, subcode) = (fields.u8()?, fields.u8()?);
                let name = ERRORS.get(usize::from(code).wrapping_sub(1)).copied().unwrap_or_default();
                report.failed(Cow::Owned(format!("{code}/{subcode}"))).subject(name.as_bytes())
            }
            _ => report,
        })
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        sniff(side, bytes)
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        head.get(18).and_then(|code| kind(*code)).unwrap_or("message")
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, ()>,
        _: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        (name == "type").then(|| frame.head.get(18).map(|kind| AttributeValue::Number((*kind).into()))).flatten()
    }
}

fn kind(code: u8) -> Option<&'static str> {
    TYPES.get(usize::from(code).wrapping_sub(1)).copied()
}

/// Returns whether these bytes begin a message.
fn sniff(_: Side, first: &[u8]) -> Sniff {
    if first.iter().take(MARKER).any(|byte| *byte != 0xff) {
        return Sniff::No;
    }
    match first.get(MARKER..) {
        Some([high, low, code, ..]) => {
            let length = u16::from_be_bytes([*high, *low]);
            if (HEADER..=4096).contains(&length) && kind(*code).is_some() { Sniff::Yes } else { Sniff::No }
        }
        _ => Sniff::More,
    }
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use super::Bgp;
    use crate::kit::Conversation;

    #[test]
    fn messages_are_framed_and_errors_have_codes() {
        let marker = [0xff; 16];
        let keepalive = [&marker[..], b"\0\x13\x04"].concat();
        let notification = [&marker[..], b"\0\x15\x03\x06\x02"].concat();
        let short = [&marker[..], b"\0\x12\x04"].concat();
        let mut session = Conversation::new(Bgp);
        let mut lines = Vec::new();
        for chunk in [&keepalive[..], &short, &notification].concat().chunks(5) {
            session.feed(Side::Server, chunk, &mut |message| lines.push(message.summary.to_string()));
        }
        assert_eq!(lines, ["KEEPALIVE", "KEEPALIVE", "NOTIFICATION 6/2 Cease"]);
    }
}
