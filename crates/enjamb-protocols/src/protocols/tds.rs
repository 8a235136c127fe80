//! TDS of Microsoft SQL Server and Sybase ([MS-TDS], section 2.2.3).
//!
//! A packet is a header of eight bytes and data. A message may have several packets, and each is a
//! message here: the last one has the status `EOM`. The client's last packet asks, the server's
//! packets answer.
//!
//! TLS may begin inside packets, and go on without them, for the login alone or to the end. Its
//! records are messages, too.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Short};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Tds::default)
        .alias("mssql")
        .on_ports(&[1433])
        .about("TDS: Microsoft SQL Server and Sybase")
        .with_kinds("the type of packet, such as `SQL batch` or `response`, `TLS record`")
        .with_attributes(&[Attribute::new(
            "query",
            AttributeType::Text,
            "the beginning of the statement of a SQL batch",
        )])
        .sniffed_by(sniff)
}

/// The rules of TDS. The state is whether the next packet of each side begins a message.
#[derive(Debug)]
struct Tds {
    begins: [bool; 2],
}

impl Default for Tds {
    fn default() -> Self {
        Self { begins: [true; 2] }
    }
}

/// The types of packets (section 2.2.3.1.1). The types from 2 on without a name here are Sybase's.
const TYPES: &[(u8, &str)] = &[
    (1, "SQL batch"),
    (2, "TDS4 login"),
    (3, "RPC"),
    (4, "response"),
    (6, "attention"),
    (7, "bulk load"),
    (8, "federated token"),
    (14, "transaction manager"),
    (15, "TDS5 query"),
    (16, "TDS7 login"),
    (17, "SSPI"),
    (18, "pre-login"),
];

const SQL_BATCH: u8 = 1;
const TDS4_LOGIN: u8 = 2;
const RPC: u8 = 3;
const RESPONSE: u8 = 4;
const ATTENTION: u8 = 6;
const BULK_LOAD: u8 = 7;
const TRANSACTION_MANAGER: u8 = 14;
const TDS5_QUERY: u8 = 15;
const PRE_LOGIN: u8 = 18;

/// The length of a header.
const HEADER: u16 = 8;

/// The status of the last packet of a message.
const EOM: u8 = 1;

/// The first and the last type of a record of TLS.
const TLS_RECORDS: std::ops::RangeInclusive<u8> = 20..=23;

/// The tokens of a response (section 2.2.7).
const TOKEN_ERROR: u8 = 0xaa;
const TOKEN_EED: u8 = 0xe5;
const TOKENS_WITH_LENGTH: [u8; 6] = [0xa9, 0xab, 0xad, 0xe3, 0xed, TOKEN_EED];
const TOKEN_DONE: std::ops::RangeInclusive<u8> = 0xfd..=0xff;

/// The maximum number of tokens in front of an error.
const TOKENS_MAX: usize = 64;

/// Whether the packet is one of TLS.
fn is_tls(head: &[u8]) -> bool {
    matches!(head, [kind, 3, ..] if TLS_RECORDS.contains(kind))
}

impl Rules for Tds {
    const NAME: &'static str = "tds";
    const ALTERNATES: bool = true;
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        match *message.head {
            [] => Ok(Next::Bytes(5)),
            [_, _, _, high, low] if is_tls(message.head) => Ok(Next::Last(u16::from_be_bytes([high, low]).into())),
            [kind, _, high, low, ..] => {
                if name(kind).is_none() {
                    return Err(Fault("the type of packet is unknown"));
                }
                match u16::from_be_bytes([high, low]) {
                    length @ HEADER.. => Ok(Next::Last(u64::from(length) - 5)),
                    _ => Err(Fault("the length is less than eight")),
                }
            }
            _ => Err(Fault::SHORT),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let (kind, status) = (frame.head[0], frame.head[1]);
        if is_tls(frame.head) {
            return Ok(Report::new("TLS record"));
        }
        let whole = status & EOM != 0;
        let begins = std::mem::replace(&mut self.begins[frame.side.index()], whole);
        let report = Report::new(name(kind).unwrap_or("packet"));
        let mut fields = Cursor::new(frame.head);
        fields.take(HEADER.into())?;
        if frame.side == Side::Client {
            let report = match kind {
                // A request may be cancelled while its answer comes. Both get one answer.
                ATTENTION => report,
                _ if !whole => report,
                _ => report.role(Role::Request).detail(kind.into()),
            };
            return Ok(match kind {
                SQL_BATCH if begins => report.subject(batch(fields.rest())),
                _ => report,
            });
        }
        // TLS inside the packets of the login goes back and forth: the requests and answers stay
        // pairs.
        let report = match requests.oldest() {
            None => report,
            Some(_) => report.role(Role::Answer { last: whole }),
        };
        Ok(match error(fields).filter(|_| begins && kind == RESPONSE) {
            Some((code, text)) => report.failed(Cow::Owned(code.to_string())).subject(text),
            None => report,
        })
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        begins(side, bytes)
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        if is_tls(head) {
            return "TLS record";
        }
        head.first().and_then(|kind| name(*kind)).unwrap_or("packet")
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let has_query = report.kind == "SQL batch" && !report.subject.is_empty();
        (name == "query" && has_query).then(|| AttributeValue::text(&report.subject))
    }

    fn lost(&mut self, _: Side) {
        // A response that goes on has no beginning that could be an error.
        self.begins = [false; 2];
    }
}

fn name(kind: u8) -> Option<&'static str> {
    TYPES.iter().find(|(known, _)| *known == kind).map(|(_, name)| *name)
}

/// Returns the beginning of the statement of a batch: UTF-16, behind headers whose length comes
/// first (section 2.2.5.3). Sybase sends bytes.
fn batch(data: &[u8]) -> Vec<u8> {
    let mut fields = Cursor::new(data);
    let headers = fields.u32_le().unwrap_or_default();
    let text = match usize::try_from(headers).ok().filter(|length| (4..=256).contains(length)) {
        Some(length) => data.get(length..).unwrap_or_default(),
        None => data,
    };
    let text = &text[..text.len().min(512)];
    if !matches!(text, [_, 0, ..]) {
        return crate::sql::statement(text).to_vec();
    }
    let units = text.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    crate::sql::statement(text.as_bytes()).to_vec()
}

/// Returns the first error of a response: its number and its text. Tokens of unknown length end the
/// search.
fn error(mut fields: Cursor<'_>) -> Option<(u32, Vec<u8>)> {
    for _ in 0..TOKENS_MAX {
        match fields.u8().ok()? {
            TOKEN_ERROR => {
                let take = |fields: &mut Cursor<'_>| -> Result<_, Short> {
                    fields.u16_le()?;
                    let number = fields.u32_le()?;
                    fields.u16()?;
                    let length = fields.u16_le()?;
                    Ok((number, length))
                };
                let (number, length) = take(&mut fields).ok()?;
                let bytes = fields.rest();
                let text = match bytes {
                    [_, 0, ..] => {
                        let bytes = &bytes[..bytes.len().min(2 * usize::from(length))];
                        let units = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
                        String::from_utf16_lossy(&units.collect::<Vec<_>>()).into_bytes()
                    }
                    _ => bytes[..bytes.len().min(length.into())].to_vec(),
                };
                return Some((number, text));
            }
            token if TOKENS_WITH_LENGTH.contains(&token) => {
                let length = fields.u16_le().ok()?;
                let mut data = Cursor::new(fields.take(length.into()).ok()?);
                // Sybase reports errors in extended tokens: a number, a state and a severity, which
                // is above 10 for errors.
                if token == TOKEN_EED {
                    let number = data.u32_le().ok()?;
                    let (_state, severity) = (data.u8().ok()?, data.u8().ok()?);
                    if severity > 10 {
                        return Some((number, Vec::new()));
                    }
                }
            }
            token if TOKEN_DONE.contains(&token) => {
                // The count of rows has eight bytes from version 7.2 on, four before.
                let length = if fields.rest().len() == 8 { 8 } else { 12 };
                fields.take(length).ok()?;
            }
            _ => return None,
        }
    }
    None
}

/// Returns whether a packet begins here.
fn begins(side: Side, bytes: &[u8]) -> Sniff {
    let possible = |kind: u8| match side {
        Side::Client => name(kind).is_some() && kind != RESPONSE,
        Side::Server => kind == RESPONSE || kind == PRE_LOGIN || kind == TDS5_QUERY,
    };
    match *bytes {
        [] => Sniff::More,
        [kind, ..] if !possible(kind) => Sniff::No,
        [_, 0x20..=0xff, ..] => Sniff::No,
        // The window is always 0. Packets are shorter than 32 KiB.
        [kind, status, high, low, process_high, _, number, 0, ref data @ ..] => {
            let length = u16::from_be_bytes([high, low]);
            let is_plain = status & EOM == 1 || length >= 512;
            if !(HEADER..1 << 15).contains(&length) || !is_plain || process_high > 3 {
                return Sniff::No;
            }
            match (side, kind, data) {
                (_, ATTENTION, _) => {
                    if length == HEADER {
                        Sniff::Yes
                    } else {
                        Sniff::No
                    }
                }
                // The first option of a pre-login: the version, whose offset and length are known.
                (_, PRE_LOGIN, [0, 0, _, 0, 6, ..]) => Sniff::Yes,
                (_, PRE_LOGIN, [0x16, 3, ..]) => Sniff::Yes,
                (_, PRE_LOGIN, _) if data.len() < 5 => Sniff::More,
                (_, PRE_LOGIN, _) => Sniff::No,
                (Side::Server, _, [token, ..]) => {
                    let known = matches!(token, 0x79 | 0x81 | 0xa4 | 0xa5 | 0xa9..=0xae | 0xd1..=0xd3 | 0xe2..=0xe5 | 0xec..=0xee | 0xfd..=0xff | 0x20 | 0x61 | 0x62);
                    if known && number <= 1 { Sniff::Yes } else { Sniff::No }
                }
                (Side::Server, _, []) => Sniff::More,
                (Side::Client, TDS4_LOGIN, _) => {
                    if length >= 512 {
                        Sniff::Yes
                    } else {
                        Sniff::No
                    }
                }
                (Side::Client, SQL_BATCH | RPC | BULK_LOAD | TRANSACTION_MANAGER | 16 | 17 | TDS5_QUERY, _)
                    if number <= 1 =>
                {
                    Sniff::Yes
                }
                _ => Sniff::No,
            }
        }
        [_, _, _, _, _, _, _, _, ..] => Sniff::No,
        _ => Sniff::More,
    }
}

/// Returns whether the first bytes of a connection are TDS: a login.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    match (side, first) {
        (_, []) => Sniff::More,
        (Side::Client, [PRE_LOGIN | 16 | TDS4_LOGIN | SQL_BATCH, ..]) => begins(side, first),
        (Side::Server, [RESPONSE | PRE_LOGIN, ..]) => begins(side, first),
        _ => Sniff::No,
    }
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use super::Tds;
    use crate::kit::Conversation;

    #[test]
    fn the_last_packet_asks_and_all_packets_answer() {
        let error = b"\x04\x01\0\x19\0\x33\x01\0\xaa\x0f\0\x66\0\0\0\x01\x10\x02\0n\0o\0\0\0";
        let chunks: [(Side, &[u8]); 5] = [
            (Side::Client, b"\x01\0\0\x10\0\0\x01\0S\0E\0L\0E\0"),
            (Side::Client, b"\x01\x01\0\x0a\0\0\x02\0C\0"),
            (Side::Server, b"\x04\0\0\x09\0\x33\x01\0\x81"),
            (Side::Server, b"\x04\x01\0\x09\0\x33\x02\0\xaa"),
            (Side::Client, b"\x01\x01\0\x08\0\0\x01\0"),
        ];
        let mut session = Conversation::new(Tds::default());
        let mut lines = Vec::new();
        for (side, bytes) in chunks.into_iter().chain([(Side::Server, &error[..])]) {
            for chunk in bytes.chunks(3) {
                session.feed(side, chunk, &mut |message| lines.push((message.summary.to_string(), message.answers)));
            }
        }
        let lines: Vec<_> = lines.iter().map(|(line, answers)| (line.as_str(), *answers)).collect();
        let expected = [
            ("SQL batch SELE", None),
            ("SQL batch", None),
            ("response", Some(1)),
            ("response", Some(1)),
            ("SQL batch", None),
            ("response 102 no", Some(2)),
        ];
        assert_eq!(lines, expected);
    }
}
