//! LDAP (RFC 4511), with StartTLS (section 4.14).
//!
//! A message is a BER sequence: a number, an operation, and controls. A search has several answers.
//! Behind a SASL bind with a security layer, messages are wrapped: a length of four bytes and bytes
//! that are mostly encrypted (RFC 4422, section 3.7). The first byte tells the forms apart.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::ber;
use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Then};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Ldap)
        .on_ports(&[389, 3268])
        .about("LDAP (RFC 4511), with StartTLS and wrapped messages")
        .with_kinds("the operation, such as `searchRequest`, `wrapped`")
        .with_attributes(&[Attribute::new(
            "dn",
            AttributeType::Text,
            "the distinguished name that a request or an entry is about",
        )])
        .sniffed_by(sniff)
}

/// The rules of LDAP.
#[derive(Debug)]
struct Ldap;

/// The tag of a message, and the first byte of a wrapped one of less than 16 MiB.
const SEQUENCE: u8 = 0x30;
const WRAPPED: u8 = 0;

/// The operations, by their tag (RFC 4511, section 4).
const OPERATIONS: &[(u8, &str)] = &[
    (0x60, "bindRequest"),
    (0x61, "bindResponse"),
    (0x42, "unbindRequest"),
    (0x63, "searchRequest"),
    (0x64, "searchResEntry"),
    (0x73, "searchResRef"),
    (0x65, "searchResDone"),
    (0x66, "modifyRequest"),
    (0x67, "modifyResponse"),
    (0x68, "addRequest"),
    (0x69, "addResponse"),
    (0x4a, "delRequest"),
    (0x6b, "delResponse"),
    (0x6c, "modDNRequest"),
    (0x6d, "modDNResponse"),
    (0x6e, "compareRequest"),
    (0x6f, "compareResponse"),
    (0x50, "abandonRequest"),
    (0x77, "extendedReq"),
    (0x78, "extendedResp"),
    (0x79, "intermediateResponse"),
];

/// The name of the operation StartTLS.
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// The detail of a request that is StartTLS.
const TLS: u64 = 1;

/// The results, by their number (RFC 4511, section 4.1.9).
const RESULTS: &[(u64, &str)] = &[
    (1, "operationsError"),
    (2, "protocolError"),
    (3, "timeLimitExceeded"),
    (4, "sizeLimitExceeded"),
    (7, "authMethodNotSupported"),
    (8, "strongerAuthRequired"),
    (11, "adminLimitExceeded"),
    (12, "unavailableCriticalExtension"),
    (13, "confidentialityRequired"),
    (16, "noSuchAttribute"),
    (17, "undefinedAttributeType"),
    (18, "inappropriateMatching"),
    (19, "constraintViolation"),
    (20, "attributeOrValueExists"),
    (21, "invalidAttributeSyntax"),
    (32, "noSuchObject"),
    (33, "aliasProblem"),
    (34, "invalidDNSyntax"),
    (36, "aliasDereferencingProblem"),
    (48, "inappropriateAuthentication"),
    (49, "invalidCredentials"),
    (50, "insufficientAccessRights"),
    (51, "busy"),
    (52, "unavailable"),
    (53, "unwillingToPerform"),
    (54, "loopDetect"),
    (64, "namingViolation"),
    (65, "objectClassViolation"),
    (66, "notAllowedOnNonLeaf"),
    (67, "notAllowedOnRDN"),
    (68, "entryAlreadyExists"),
    (69, "objectClassModsProhibited"),
    (71, "affectsMultipleDSAs"),
    (80, "other"),
];

impl Rules for Ldap {
    const NAME: &'static str = "ldap";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        match *message.head {
            [] => Ok(Next::Bytes(2)),
            [SEQUENCE, ..] => ber::next(message.head),
            [WRAPPED, a, b, c] => match u32::from_be_bytes([0, a, b, c]) {
                0 => Err(Fault("a wrapped message is empty")),
                length => Ok(Next::Last(length.into())),
            },
            [WRAPPED, ..] => Ok(Next::Bytes(4 - message.length)),
            _ => Err(Fault("it is not a sequence of BER")),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        if frame.head[0] == WRAPPED {
            return Ok(Report::new("wrapped"));
        }
        let mut fields = Cursor::new(frame.head);
        ber::header(&mut fields)?;
        let id = ber::number(ber::expect(&mut fields, ber::INTEGER)?);
        // The operation may be longer than what is kept.
        let (tag, length) = ber::header(&mut fields)?;
        let Some(name) = operation(tag) else { return Err(Fault("the operation is unknown")) };
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(fields.rest().len());
        let mut fields = Cursor::new(fields.take(length)?);
        let report = Report::new(name);
        let asks = report.clone().role(Role::RequestWithId(id));
        let answers = |last| report.clone().role(Role::AnswerWithId { id, last });
        Ok(match tag {
            0x60 => {
                ber::expect(&mut fields, ber::INTEGER)?;
                asks.subject(ber::element(&mut fields)?.value)
            }
            0x42 => report,
            0x50 => report.subject(ber::number(fields.rest()).to_string().into_bytes()),
            0x4a => asks.subject(fields.rest()),
            0x63 | 0x66 | 0x68 | 0x6c | 0x6e => asks.subject(ber::element(&mut fields)?.value),
            0x64 => answers(false).subject(ber::element(&mut fields)?.value),
            0x73 | 0x79 => answers(false),
            0x77 => {
                let name = ber::element(&mut fields)?.value;
                match name {
                    START_TLS => asks.subject(b"StartTLS").detail(TLS).then(Then::Await),
                    _ => asks.subject(name),
                }
            }
            // An answer with the number 0 belongs to no request (section 4.4).
            _ => {
                let report = if id == 0 { report } else { answers(true) };
                let code = ber::number(ber::expect(&mut fields, ber::ENUMERATED)?);
                let _matched = ber::element(&mut fields)?;
                let text = ber::element(&mut fields).map(|text| text.value).unwrap_or_default();
                let report = with_result(report.subject(text), code);
                if tag == 0x78 && code == 0 && requests.with_id(id) == Some(TLS) {
                    report.then(Then::Switch("tls"))
                } else {
                    report
                }
            }
        })
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        // A sequence, a number of at most four bytes, and an operation of this side.
        let at = match bytes {
            [] | [SEQUENCE] => return Sniff::More,
            [SEQUENCE, ..=0x7f, ..] => 2,
            [SEQUENCE, length @ 0x81..=0x84, ..] => 2 + usize::from(length & 0x7f),
            _ => return Sniff::No,
        };
        match bytes.get(at..).unwrap_or_default() {
            [] | [ber::INTEGER] => Sniff::More,
            [ber::INTEGER, length @ 1..=4, rest @ ..] => match rest.get(usize::from(*length)) {
                None => Sniff::More,
                Some(0x42) if side == Side::Client => match rest.get(usize::from(*length) + 1) {
                    None => Sniff::More,
                    Some(0) => Sniff::Yes,
                    Some(_) => Sniff::No,
                },
                Some(tag) => match operation(*tag) {
                    Some(name) if is_answer(name) == (side == Side::Server) => Sniff::Yes,
                    _ => Sniff::No,
                },
            },
            _ => Sniff::No,
        }
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        let mut fields = Cursor::new(head);
        if head.first() == Some(&WRAPPED) {
            return "wrapped";
        }
        let tag = ber::header(&mut fields).and_then(|_| ber::element(&mut fields)).and_then(|_| fields.u8());
        tag.ok().and_then(operation).unwrap_or("message")
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let has_dn = !matches!(report.kind, "wrapped" | "extendedReq" | "abandonRequest" | "unbindRequest")
            && (report.kind == "searchResEntry" || !is_answer(report.kind));
        (name == "dn" && has_dn).then(|| AttributeValue::text(&report.subject))
    }
}

fn operation(tag: u8) -> Option<&'static str> {
    OPERATIONS.iter().find(|(known, _)| *known == tag).map(|(_, name)| *name)
}

fn is_answer(name: &str) -> bool {
    name.contains("Res") || name.ends_with("esponse")
}

/// Adds the result of an operation. Referrals, comparisons and a bind that goes on are no failures.
fn with_result(report: Report<'_>, code: u64) -> Report<'_> {
    match code {
        0 => report,
        5 => report.code("compareFalse"),
        6 => report.code("compareTrue"),
        10 => report.code("referral"),
        14 => report.code("saslBindInProgress"),
        _ => match RESULTS.iter().find(|(known, _)| *known == code) {
            Some((_, name)) => report.failed(*name),
            None => report.failed(Cow::Owned(code.to_string())),
        },
    }
}

/// Returns whether the first bytes of a connection are LDAP.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    Ldap.begins(side, first)
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use super::Ldap;
    use crate::kit::Conversation;
    use crate::protocols::testing::summaries;

    #[test]
    fn a_search_has_several_answers_and_a_bind_shows_no_password() {
        let lines = summaries(
            Ldap,
            &[
                (Side::Client, b"\x30\x10\x02\x01\x01\x60\x0b\x02\x01\x03\x04\x01a\x80\x03pwd"),
                (Side::Client, b"\x30\x0c\x02\x01\x02\x63\x84\0\0\0\x03\x04\x01b"),
                (Side::Server, b"\x30\x0a\x02\x01\x02\x64\x05\x04\x01c\x30\0"),
                (Side::Server, b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x31\x04\0\x04\0"),
                (Side::Server, b"\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\0\x04\0\x04\0"),
            ],
        );
        let expected = [
            "bindRequest a",
            "searchRequest b",
            "searchResEntry c #1",
            "bindResponse invalidCredentials #0",
            "searchResDone #1",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn tls_follows_a_start_that_succeeds() {
        let mut start = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16".to_vec();
        start.extend_from_slice(super::START_TLS);
        let mut session = Conversation::new(Ldap);
        let mut kinds = Vec::new();
        let mut feed =
            |side, bytes: &[u8]| session.feed(side, bytes, &mut |message| kinds.push(message.kind.to_owned()));
        feed(Side::Client, &start);
        feed(Side::Server, b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0");
        feed(Side::Client, b"\x16\x03\x01");
        assert_eq!(kinds, ["extendedReq", "extendedResp"]);
    }

    #[test]
    fn wrapped_messages_are_framed() {
        let lines = summaries(Ldap, &[(Side::Client, b"\0\0\0\x02ab\0\0\0\x01c\x30\x05\x02\x01\x07\x42\0")]);
        assert_eq!(lines, ["wrapped", "wrapped", "unbindRequest"]);
    }

    #[test]
    fn hostile_lengths_are_counted_or_malformed() {
        let lines = summaries(
            Ldap,
            &[(Side::Client, b"\x30\x85\xff\xff\xff\xff\xff"), (Side::Server, b"\x30\x03\x04\x7f\x30")],
        );
        assert_eq!(lines, ["message", "message"]);
        let mut session = Conversation::new(Ldap);
        session.feed(Side::Client, b"\x30\x84\xff\xff\xff\xff", &mut |_| {});
        session.feed(Side::Client, &b"\x30\x84\xff\xff\xff\xff".repeat(100_000), &mut |_| {});
        assert!(session.held() < 5000);
    }
}
