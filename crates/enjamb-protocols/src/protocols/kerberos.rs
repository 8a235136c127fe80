//! Kerberos over TCP (RFC 4120, section 7.2.2).
//!
//! A message is a length of four bytes and an element of BER, whose tag is the type. A client sends
//! a request and waits for its answer.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::ber;
use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Kerberos)
        .alias("krb5")
        .on_ports(&[88])
        .about("Kerberos 5 over TCP (RFC 4120)")
        .with_kinds("the type, such as `AS-REQ`")
        .with_attributes(&[Attribute::new("realm", AttributeType::Text, "the realm of a request or an error")])
        .sniffed_by(sniff)
}

/// The rules of Kerberos.
#[derive(Debug)]
struct Kerberos;

/// The types, by their tag (RFC 4120, section 5.10).
const TYPES: &[(u8, &str)] = &[
    (0x6a, "AS-REQ"),
    (0x6b, "AS-REP"),
    (0x6c, "TGS-REQ"),
    (0x6d, "TGS-REP"),
    (0x6e, "AP-REQ"),
    (0x6f, "AP-REP"),
    (0x74, "KRB-SAFE"),
    (0x75, "KRB-PRIV"),
    (0x76, "KRB-CRED"),
    (0x7e, "KRB-ERROR"),
];

/// The errors that are common, by their number (RFC 4120, section 7.5.9).
const ERRORS: &[(u64, &str)] = &[
    (6, "KDC_ERR_C_PRINCIPAL_UNKNOWN"),
    (7, "KDC_ERR_S_PRINCIPAL_UNKNOWN"),
    (12, "KDC_ERR_POLICY"),
    (13, "KDC_ERR_BADOPTION"),
    (14, "KDC_ERR_ETYPE_NOSUPP"),
    (18, "KDC_ERR_CLIENT_REVOKED"),
    (23, "KDC_ERR_KEY_EXPIRED"),
    (24, "KDC_ERR_PREAUTH_FAILED"),
    (25, "KDC_ERR_PREAUTH_REQUIRED"),
    (31, "KRB_AP_ERR_BAD_INTEGRITY"),
    (32, "KRB_AP_ERR_TKT_EXPIRED"),
    (37, "KRB_AP_ERR_SKEW"),
    (41, "KRB_AP_ERR_MODIFIED"),
    (52, "KRB_ERR_RESPONSE_TOO_BIG"),
    (60, "KRB_ERR_GENERIC"),
    (68, "KDC_ERR_WRONG_REALM"),
];

/// The bit of the length that is reserved. A server without extensions answers with an error.
const RESERVED: u32 = 1 << 31;

impl Rules for Kerberos {
    const NAME: &'static str = "kerberos";
    const ALTERNATES: bool = true;
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        let Some(length) = message.head.first_chunk() else { return Ok(Next::Bytes(4)) };
        match u32::from_be_bytes(*length) {
            length if length & RESERVED != 0 => Err(Fault("the reserved bit of the length is set")),
            length => Ok(Next::Last(length.into())),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let mut fields = Cursor::new(frame.head);
        fields.take(4)?;
        let element = fields.rest();
        let tag = fields.u8()?;
        let Some(name) = name(tag) else { return Err(Fault("the type is unknown")) };
        if ber::total(element).is_some_and(|length| length + 4 != frame.length) {
            return Err(Fault("the length differs from that of its element"));
        }
        let role = match (tag, frame.side) {
            (0x6a | 0x6c | 0x6e, _) => Role::Request,
            (0x6b | 0x6d | 0x6f | 0x7e, _) => Role::Answer { last: true },
            (_, Side::Client) => Role::OneWay,
            (_, Side::Server) => Role::Answer { last: true },
        };
        let report = Report::new(name).role(role);
        let report = match realm(tag, element) {
            Some(realm) => report.subject(realm),
            None => report,
        };
        if tag != 0x7e {
            return Ok(report);
        }
        Ok(match field(element, 0xa6).map(number) {
            None => report.failed("unknown"),
            Some(code) => match ERRORS.iter().find(|(known, _)| *known == code) {
                Some((_, name)) => report.failed(*name),
                None => report.failed(Cow::Owned(code.to_string())),
            },
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        let Some((length, element)) = bytes.split_first_chunk::<4>() else {
            return if matches!(bytes, [] | [0, ..]) { Sniff::More } else { Sniff::No };
        };
        let length = u32::from_be_bytes(*length);
        match element {
            _ if length >> 24 != 0 => Sniff::No,
            [tag, ..] if name(*tag).is_none() => Sniff::No,
            _ => match (ber::total(element), ber::next(element)) {
                (Some(total), _) if total == u64::from(length) => Sniff::Yes,
                (Some(_), _) | (None, Err(_)) => Sniff::No,
                (None, Ok(_)) => Sniff::More,
            },
        }
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        head.get(4).and_then(|tag| name(*tag)).unwrap_or("message")
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        (name == "realm" && !report.subject.is_empty()).then(|| AttributeValue::text(&report.subject))
    }
}

fn name(tag: u8) -> Option<&'static str> {
    TYPES.iter().find(|(known, _)| *known == tag).map(|(_, name)| *name)
}

/// Returns the number in an element.
fn number(value: &[u8]) -> u64 {
    let mut fields = Cursor::new(value);
    ber::expect(&mut fields, ber::INTEGER).map(ber::number).unwrap_or_default()
}

/// Returns the value of a field of a message: a sequence inside its element.
fn field(element: &[u8], tag: u8) -> Option<&[u8]> {
    let mut fields = Cursor::new(element);
    ber::header(&mut fields).ok()?;
    ber::header(&mut fields).ok()?;
    loop {
        let element = ber::element(&mut fields).ok()?;
        if element.tag == tag {
            return Some(element.value);
        }
    }
}

/// Returns the realm: that of the body of a request, or that of an error.
fn realm(tag: u8, element: &[u8]) -> Option<&[u8]> {
    let text = match tag {
        0x6a | 0x6c => {
            let mut body = Cursor::new(field(element, 0xa4)?);
            ber::header(&mut body).ok()?;
            loop {
                let found = ber::element(&mut body).ok()?;
                if found.tag == 0xa2 {
                    break found.value;
                }
            }
        }
        0x7e => field(element, 0xa9)?,
        _ => return None,
    };
    ber::element(&mut Cursor::new(text)).ok().map(|text| text.value)
}

/// Returns whether the first bytes of a connection are Kerberos.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    Kerberos.begins(side, first)
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use super::Kerberos;
    use crate::kit::Conversation;

    #[test]
    fn an_error_answers_a_request() {
        let mut session = Conversation::new(Kerberos);
        let mut lines = Vec::new();
        let chunks: [(Side, &[u8]); 3] = [
            (Side::Client, b"\0\0\0\x04\x6a\x02\x30\0"),
            (Side::Server, b"\0\0\0\x09\x7e\x07\x30\x05\xa6\x03\x02\x01\x19"),
            (Side::Client, b"\0\0\0\x03\x6a\x02\x30\x80\0\0\0"),
        ];
        for (side, bytes) in chunks {
            for chunk in bytes.chunks(3) {
                session.feed(side, chunk, &mut |message| lines.push(message.summary.to_string()));
            }
        }
        assert_eq!(lines, ["AS-REQ", "KRB-ERROR KDC_ERR_PREAUTH_REQUIRED", "AS-REQ", "message"]);
    }
}
