//! DNS over TCP (RFC 1035, section 4; RFC 7766).
//!
//! A message has a length of two bytes before it. Answers find their queries by number, in any
//! order. A zone transfer has several answers (RFC 5936).

use std::borrow::Cow;
use std::collections::HashMap;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Short};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Dns::default)
        .on_ports(&[53])
        .about("DNS over TCP (RFC 1035, RFC 7766), with zone transfers")
        .with_kinds("the operation, such as `QUERY`; `response`")
        .with_attributes(&[Attribute::new(
            "question",
            AttributeType::Text,
            "the name and the type of the first question",
        )])
        .sniffed_by(sniff)
        .likely_by(|_, first| begins_header(first))
}

/// The rules of DNS. The state is the zone transfers in progress: the serial number of each, by the
/// number of its query.
#[derive(Debug, Default)]
struct Dns {
    transfers: HashMap<u16, u32>,
}

/// The length of a header.
const HEADER: usize = 12;

/// The longest message of 16 bits, with its length.
const MESSAGE_MAX: usize = (64 << 10) + 1;

/// The maximum length of a name in text form, in bytes: 255 bytes, each escaped as four.
const NAME_MAX: usize = 1020;

/// The end of the part of a message that shows it is one, if its name is long.
const NAME_SEEN: usize = 48;

/// The maximum number of pointers in a name. Each points backwards, so names have an end anyhow.
const POINTERS_MAX: usize = 64;

/// The maximum number of zone transfers in progress.
const TRANSFERS_MAX: usize = 1 << 10;

/// The room for a name and a type that are not unusually long.
const QUESTION_USUAL: usize = 48;

const SOA: u16 = 6;
const IXFR: u16 = 251;
const AXFR: u16 = 252;

/// The names of operations, by their number (RFC 8490 for `DSO`).
const OPERATIONS: [&str; 7] = ["QUERY", "IQUERY", "STATUS", "operation", "NOTIFY", "UPDATE", "DSO"];

/// The names of response codes, by their number (RFC 6895, section 2.3).
const CODES: [&str; 12] = [
    "NOERROR",
    "FORMERR",
    "SERVFAIL",
    "NXDOMAIN",
    "NOTIMP",
    "REFUSED",
    "YXDOMAIN",
    "YXRRSET",
    "NXRRSET",
    "NOTAUTH",
    "NOTZONE",
    "DSOTYPENI",
];

/// The names of the common types of records.
const TYPES: &[(u16, &str)] = &[
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (10, "NULL"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (17, "RP"),
    (24, "SIG"),
    (25, "KEY"),
    (28, "AAAA"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (37, "CERT"),
    (39, "DNAME"),
    (41, "OPT"),
    (43, "DS"),
    (44, "SSHFP"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (61, "OPENPGPKEY"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (249, "TKEY"),
    (250, "TSIG"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (256, "URI"),
    (257, "CAA"),
];

impl Rules for Dns {
    const NAME: &'static str = "dns";
    const KEPT_MAX: usize = MESSAGE_MAX;
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        match *message.head {
            [high, low, ..] => Ok(Next::Last(u16::from_be_bytes([high, low]).into())),
            _ => Ok(Next::Bytes(2)),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let message = &frame.head[2..];
        let Some(header) = Header::new(message) else { return Err(Fault("it is shorter than its header")) };
        let mut fields = Cursor::new(&message[12..]);
        let question = if header.questions > 0 { Some(question(message, &mut fields)?) } else { None };
        let kind = question.as_ref().map_or(0, |question| question.1);
        let report = Report::new(if header.is_response() { "response" } else { header.operation() });
        let report = match question {
            Some((mut text, kind, _)) => {
                text.push(' ');
                text.push_str(&type_name(kind));
                report.subject(text.into_bytes())
            }
            None => report,
        };
        let number = u64::from(header.number);
        if !header.is_response() {
            return Ok(report.role(Role::RequestWithId(number)).detail(kind.into()));
        }
        let asked = requests.with_id(number).and_then(|kind| u16::try_from(kind).ok()).unwrap_or(kind);
        let last = match (asked, header.code()) {
            (AXFR | IXFR, 0) => self.ends_transfer(&header, message, fields),
            _ => true,
        };
        let report = report.role(Role::AnswerWithId { id: number, last });
        Ok(match header.code() {
            0 => report,
            code => match CODES.get(usize::from(code)) {
                Some(name) => report.failed(*name),
                None => report.failed(Cow::Owned(format!("RCODE{code}"))),
            },
        })
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        match (side, sniff(side, bytes)) {
            (Side::Server, Sniff::No) => begins_answers(bytes),
            (_, sniffed) => sniffed,
        }
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        (name == "question" && !report.subject.is_empty()).then(|| AttributeValue::text(&report.subject))
    }

    fn lost(&mut self, _: Side) {
        self.transfers.clear();
    }
}

impl Dns {
    /// Returns whether a message is the last one of a zone transfer: its last record is the SOA
    /// record with which the transfer began (RFC 5936, section 2.2). A transfer of one record means
    /// that nothing has changed (RFC 1995, section 4).
    fn ends_transfer(&mut self, header: &Header, message: &[u8], fields: Cursor<'_>) -> bool {
        let mut fields = fields;
        let (mut first, mut last) = (None, None);
        for at in 0..header.answers {
            let Ok(serial) = record(message, &mut fields) else { return false };
            if at == 0 {
                first = serial;
            }
            last = serial;
        }
        let begins = !self.transfers.contains_key(&header.number);
        let serial = *self.transfers.entry(header.number).or_insert(first.unwrap_or(0));
        let unchanged = begins && header.answers == 1 && header.questions > 0 && header.is_unchanged(message);
        let ends = last == Some(serial) && (!begins || header.answers > 1) || unchanged || header.answers == 0;
        if ends || self.transfers.len() > TRANSFERS_MAX {
            self.transfers.remove(&header.number);
        }
        ends
    }
}

struct Header {
    number: u16,
    flags: u16,
    questions: u16,
    answers: u16,
}

impl Header {
    fn new(message: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(message.get(..12)?);
        let mut field = || fields.u16().ok();
        Some(Self { number: field()?, flags: field()?, questions: field()?, answers: field()? })
    }

    fn is_response(&self) -> bool {
        self.flags >> 15 == 1
    }

    fn operation(&self) -> &'static str {
        OPERATIONS.get(usize::from(self.flags >> 11 & 15)).copied().unwrap_or("operation")
    }

    fn code(&self) -> u16 {
        self.flags & 15
    }

    /// Returns whether the question is an incremental transfer.
    fn is_unchanged(&self, message: &[u8]) -> bool {
        let mut fields = Cursor::new(&message[12..]);
        question(message, &mut fields).is_ok_and(|(_, kind, _)| kind == IXFR)
    }
}

/// Takes a question: its name, its type and its class.
fn question<'a>(message: &'a [u8], fields: &mut Cursor<'a>) -> Result<(String, u16, u16), Short> {
    let mut text = String::with_capacity(QUESTION_USUAL);
    name(message, fields, Some(&mut text))?;
    Ok((text, fields.u16()?, fields.u16()?))
}

/// Takes a record. Returns its serial number, if it is an SOA record.
fn record<'a>(message: &'a [u8], fields: &mut Cursor<'a>) -> Result<Option<u32>, Short> {
    name(message, fields, None)?;
    let kind = fields.u16()?;
    fields.take(6)?;
    let length = fields.u16()?;
    let data = fields.take(length.into())?;
    if kind != SOA {
        return Ok(None);
    }
    let mut data = Cursor::new(data);
    name(message, &mut data, None)?;
    name(message, &mut data, None)?;
    data.u32().map(Some)
}

/// Takes a name (RFC 1035, section 4.1.4), and writes it with dots.
fn name<'a>(message: &'a [u8], fields: &mut Cursor<'a>, text: Option<&mut String>) -> Result<(), Short> {
    let mut ignored = String::new();
    let wanted = text.is_some();
    let text = text.unwrap_or(&mut ignored);
    // Behind the first pointer, labels are read elsewhere.
    let mut elsewhere: Option<Cursor<'_>> = None;
    for _ in 0..POINTERS_MAX + NAME_MAX {
        let labels = elsewhere.as_mut().unwrap_or(&mut *fields);
        match labels.u8()? {
            0 => {
                if wanted && text.is_empty() {
                    text.push('.');
                }
                return Ok(());
            }
            length @ 1..=63 => {
                let label = labels.take(length.into())?;
                if wanted && text.len() < NAME_MAX {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    for byte in label {
                        match byte {
                            b'.' | b'\\' => text.extend(['\\', char::from(*byte)]),
                            b'!'..=b'~' => text.push(char::from(*byte)),
                            _ => text.push_str(&format!("\\{byte:03}")),
                        }
                    }
                }
            }
            high @ 0xc0.. => {
                let at = usize::from(high & 0x3f) << 8 | usize::from(labels.u8()?);
                if !wanted {
                    return Ok(());
                }
                elsewhere = Some(Cursor::new(message.get(at..).ok_or(Short)?));
            }
            // The other two forms of labels are not in use (RFC 6891, section 5).
            _ => return Err(Short),
        }
    }
    Err(Short)
}

fn type_name(kind: u16) -> Cow<'static, str> {
    match TYPES.iter().find(|(known, _)| *known == kind) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(format!("TYPE{kind}")),
    }
}

/// Returns whether these bytes begin a message of DNS: one with a single question whose name, type
/// and class are possible.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    let [high, low, message @ ..] = first else { return Sniff::More };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length < 17 {
        return Sniff::No;
    }
    let message = &message[..message.len().min(length)];
    // The opcode, and the number of questions.
    let flags_fit = |flags: u8| matches!(flags >> 3 & 15, 0 | 4 | 5) && (side == Side::Server || flags >> 7 == 0);
    match message {
        [_, _, flags, ..] if !flags_fit(*flags) => return Sniff::No,
        [_, _, _, low, ..] if low & 0x40 != 0 => return Sniff::No,
        [_, _, _, _, 1..=255, ..] | [_, _, _, _, 0, 0 | 2..=255, ..] => return Sniff::No,
        // At most 255 additional records, and as many of an authority.
        [_, _, _, _, _, _, _, _, 1..=255, ..] | [_, _, _, _, _, _, _, _, _, _, 1..=255, ..] => return Sniff::No,
        _ => {}
    }
    let Some(mut rest) = message.get(12..) else { return Sniff::More };
    loop {
        // The limit of detection: the type of a long name is not seen.
        if message.len() - rest.len() >= NAME_SEEN {
            return Sniff::Yes;
        }
        match *rest {
            [] if message.len() < length => return Sniff::More,
            [0, ref end @ ..] => {
                let [_, kind, _, class, ..] = *end else {
                    return if message.len() < length { Sniff::More } else { Sniff::No };
                };
                let possible =
                    end[0] <= 1 && (kind > 0 || end[0] > 0) && end[2] == 0 && matches!(class, 1 | 3 | 4 | 254 | 255);
                return if possible { Sniff::Yes } else { Sniff::No };
            }
            [label @ 1..=63, ref label_and_rest @ ..] => {
                // No byte behind the limit decides.
                let seen = NAME_SEEN.saturating_sub(message.len() - label_and_rest.len());
                let end = label_and_rest.len().min(label.into()).min(seen);
                if !label_and_rest[..end].iter().all(|byte| matches!(byte, b'!'..=b'~')) {
                    return Sniff::No;
                }
                rest = &label_and_rest[end..];
            }
            _ => return Sniff::No,
        }
    }
}

/// Returns whether these bytes begin a message with a possible header. It may have no question, as
/// the answer to one that is broken, and the messages of DSO (RFC 8490, section 5.4).
fn begins_header(first: &[u8]) -> Sniff {
    let Some((&[high, low], message)) = first.split_first_chunk() else { return Sniff::More };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < HEADER || message.get(3).is_some_and(|low| low & 0x40 != 0) {
        return Sniff::No;
    }
    if message.get(2).is_some_and(|flags| usize::from(flags >> 3 & 15) >= OPERATIONS.len()) {
        return Sniff::No;
    }
    let Some(counts) = message.get(4..HEADER) else { return Sniff::More };
    let count = |at: usize| usize::from(u16::from_be_bytes([counts[at], counts[at + 1]]));
    // The shortest question has a name of one byte, and the shortest record another ten.
    let shortest = 5 * count(0) + 11 * (count(2) + count(4) + count(6));
    if shortest <= length - HEADER { Sniff::Yes } else { Sniff::No }
}

/// Returns whether these bytes begin an answer without a question, as the later ones of a zone
/// transfer (RFC 5936, section 2.2.1): the name, the type and the class of the first record are
/// possible.
fn begins_answers(first: &[u8]) -> Sniff {
    match begins_header(first) {
        Sniff::Yes => {}
        other => return other,
    }
    let message = &first[2..];
    let length = usize::from(u16::from_be_bytes([first[0], first[1]]));
    let message = &message[..message.len().min(length)];
    let is_answer = matches!(message, [_, _, 0x80..=0x87, 0 | 0x20 | 0x80 | 0xa0, 0, 0, answers @ ..]
        if !answers.starts_with(&[0, 0]) && answers[2..4] == [0, 0] && answers[4] == 0);
    if !is_answer {
        return Sniff::No;
    }
    let mut rest = &message[HEADER..];
    loop {
        match *rest {
            [0, high, low, 0, class, ..] => {
                let possible = class == 1 && (high, low) != (0, 0) && high <= 1;
                return if possible { Sniff::Yes } else { Sniff::No };
            }
            [label @ 1..=63, ref label_and_rest @ ..] => {
                let end = label_and_rest.len().min(label.into());
                if !label_and_rest[..end].iter().all(|byte| matches!(byte, b'!'..=b'~')) {
                    return Sniff::No;
                }
                rest = &label_and_rest[end..];
            }
            [0xc0..=255, _, ref after @ ..] if after.len() >= 4 => {
                let possible = after[..2] != [0, 0] && after[0] <= 1 && after[2..4] == [0, 1];
                return if possible { Sniff::Yes } else { Sniff::No };
            }
            [64..=0xbf, ..] => return Sniff::No,
            _ if message.len() < length => return Sniff::More,
            _ => return Sniff::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use enjamb::Side;

    use crate::protocols::testing::{lines_midstream, summaries};

    fn message(number: u8, flags: [u8; 2], kind: u8, answers: &[&[u8]]) -> Vec<u8> {
        let mut message = vec![0, number, flags[0], flags[1], 0, 1, 0, answers.len() as u8, 0, 0, 0, 0];
        message.extend_from_slice(b"\x01a\x02bc\0\0");
        message.extend_from_slice(&[kind, 0, 1]);
        message.extend_from_slice(&answers.concat());
        [&(message.len() as u16).to_be_bytes()[..], &message].concat()
    }

    fn messages(chunks: &[(Side, Vec<u8>)]) -> Vec<String> {
        let chunks: Vec<_> = chunks.iter().map(|(side, bytes)| (*side, &bytes[..])).collect();
        summaries(super::Dns::default(), &chunks)
    }

    #[test]
    fn answers_find_their_queries_in_any_order() {
        let lines = messages(&[
            (Side::Client, message(1, [1, 0], 1, &[])),
            (Side::Client, message(2, [1, 0], 28, &[])),
            (Side::Server, message(2, [0x81, 0x83], 28, &[])),
            (Side::Server, message(1, [0x81, 0x80], 1, &[])),
        ]);
        let expected = ["QUERY a.bc A", "QUERY a.bc AAAA", "response NXDOMAIN a.bc AAAA #1", "response a.bc A #0"];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_zone_transfer_has_several_answers() {
        let soa: &[u8] = b"\xc0\x0c\0\x06\0\x01\0\0\0\0\0\x16\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        let record: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04\x01\x02\x03\x04";
        let lines = messages(&[
            (Side::Client, message(1, [0, 0], 252, &[])),
            (Side::Server, message(1, [0x80, 0], 252, &[soa, record])),
            (Side::Server, message(1, [0x80, 0], 252, &[record])),
            (Side::Server, message(1, [0x80, 0], 252, &[record, soa])),
            (Side::Server, message(1, [0x80, 0], 252, &[record, soa])),
        ]);
        assert!(lines[1..4].iter().all(|line| line.ends_with("#0")), "{lines:?}");
        assert_eq!(lines[4], "response a.bc AXFR");
    }

    #[test]
    fn names_that_point_in_circles_end() {
        let mut circle = message(1, [1, 0], 1, &[]);
        circle[14..16].copy_from_slice(b"\xc0\x0c");
        let lines =
            messages(&[(Side::Client, circle), (Side::Client, message(2, [1, 0], 1, &[])), (Side::Client, vec![0, 0])]);
        assert_eq!(lines[1], "QUERY a.bc A");
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn answers_without_a_question_are_found_behind_a_gap() {
        let record = b"\x03www\x02bc\0\0\x01\0\x01\0\0\0\0\0\x04\x01\x02\x03\x04";
        let body = [&b"\0\x07\x84\0\0\0\0\x01\0\0\0\0"[..], record].concat();
        let message = [&(body.len() as u16).to_be_bytes()[..], &body].concat();
        let found = lines_midstream("dns", Side::Server, &[&b"the end"[..], &message].concat());
        assert!(found[1].contains("response at 7+36 ok"), "{found:?}");
    }
}
