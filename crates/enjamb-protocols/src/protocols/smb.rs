//! SMB 1, 2 and 3 over TCP (MS-SMB2, MS-CIFS), and the session service of `NetBIOS` (RFC 1002,
//! section 4.3).
//!
//! A message has a type and a length in front. SMB 2 may put several requests into one message
//! (a compound): its kind is the first command, and the summary lists the others. Replies have the
//! number of their request. Encrypted and compressed messages are kinds of their own.

mod names;

use std::borrow::Cow;
use std::fmt;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use self::names::{smb1_command, smb2_command, status_name};
use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Smb)
        .alias("nbss")
        .alias("cifs")
        .on_ports(&[139, 445])
        .about("SMB 1, 2 and 3 over TCP and over NetBIOS sessions")
        .with_kinds("the command: `CREATE`, and `SMB_COM_NEGOTIATE` in version 1; `encrypted`, `compressed`; `session-request`, `session-response`, `keep-alive`, `session-message`")
        .with_attributes(&[
            Attribute::new("command", AttributeType::Text, "the commands of a message, separated by commas"),
            Attribute::new("status", AttributeType::Text, "the status of a reply, such as STATUS_ACCESS_DENIED"),
        ])
        .sniffed_by(sniff)
}

/// The rules of SMB.
#[derive(Debug)]
struct Smb;

/// The types of `NetBIOS` packets.
const SESSION_MESSAGE: u8 = 0x00;
const SESSION_REQUEST: u8 = 0x81;
const POSITIVE_RESPONSE: u8 = 0x82;
const NEGATIVE_RESPONSE: u8 = 0x83;
const RETARGET_RESPONSE: u8 = 0x84;
const KEEP_ALIVE: u8 = 0x85;

/// The length of the header of a `NetBIOS` packet.
const HEADER: usize = 4;

/// The first bytes of a message, by version.
const SMB1: &[u8] = b"\xffSMB";
const SMB2: &[u8] = b"\xfeSMB";
const TRANSFORM: &[u8] = b"\xfdSMB";
const COMPRESSED: &[u8] = b"\xfcSMB";

/// The length of the header of SMB 2 (MS-SMB2, section 2.2.1).
const SMB2_HEADER: usize = 64;

/// The maximum number of requests in a compound that are read.
const COMPOUND_MAX: usize = 64;

const FLAG_REPLY: u32 = 1;
const FLAG_ASYNC: u32 = 2;

/// The number of a message that a server sends without a request.
const UNSOLICITED: u64 = u64::MAX;

/// The number of a negotiation of SMB 1: SMB 2 may answer it.
const NEGOTIATE_ID: u64 = 1 << 62;

/// The number of a request of `NetBIOS`: it is above those of SMB 1, and SMB 2 never comes before
/// it.
const SESSION_ID: u64 = 1 << 63;

const STATUS_PENDING: u32 = 0x0000_0103;
const STATUS_MORE_PROCESSING_REQUIRED: u32 = 0xc000_0016;

impl Rules for Smb {
    const NAME: &'static str = "smb";
    const KEPT_MAX: usize = 8 << 10;
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        match *message.head {
            [] => Ok(Next::Bytes(HEADER as u64)),
            [kind, high, middle, low, ..] if message.parts == 1 => {
                if !matches!(kind, SESSION_MESSAGE | SESSION_REQUEST..=KEEP_ALIVE) {
                    return Err(Fault("the type of the packet is not known"));
                }
                // Direct TCP has a length of 24 bits, and NetBIOS one of 17 (MS-SMB2, section 2.1).
                let length = u32::from_be_bytes([0, high, middle, low]);
                Ok(if length == 0 { Next::End } else { Next::Last(length.into()) })
            }
            _ => Ok(Next::End),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let body = &frame.head[HEADER..];
        match frame.head[0] {
            SESSION_REQUEST => Ok(Report::new("session-request").role(Role::RequestWithId(SESSION_ID))),
            POSITIVE_RESPONSE => Ok(session_response("session-response")),
            RETARGET_RESPONSE => Ok(session_response("session-retarget")),
            NEGATIVE_RESPONSE => {
                let report = session_response("session-response");
                let code = body.first().copied().ok_or(Fault::SHORT)?;
                Ok(report.failed(names::session_error(code)))
            }
            KEEP_ALIVE => Ok(Report::new("keep-alive")),
            _ => match body.get(..4) {
                Some(SMB2) => read_smb2(frame, body, requests),
                Some(SMB1) => read_smb1(body),
                Some(TRANSFORM) => Ok(Report::new("encrypted")),
                Some(COMPRESSED) => Ok(Report::new("compressed")),
                // Other protocols use sessions of NetBIOS, too.
                _ => Ok(Report::new("session-message")),
            },
        }
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        begins(bytes)
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        match head {
            [0, _, _, _, 0xfe, b'S', b'M', b'B', ..] => {
                head.get(HEADER + 12).map_or("session-message", |command| smb2_command((*command).into()))
            }
            [0, _, _, _, 0xff, b'S', b'M', b'B', command, ..] => smb1_command(*command),
            _ => "session-message",
        }
    }

    fn summarize(&self, frame: &Frame<'_, ()>, report: &Report<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(report, f)?;
        for header in Compound::of(frame).skip(1) {
            write!(f, ", {}", smb2_command(header.command))?;
            if header.is_reply() && header.status != 0 {
                write!(f, " {}", status_name(header.status))?;
            }
        }
        Ok(())
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        match name {
            "command" => {
                let mut commands = vec![report.kind];
                commands.extend(Compound::of(frame).skip(1).map(|header| smb2_command(header.command)));
                Some(AttributeValue::Text(Cow::Owned(commands.join(","))))
            }
            "status" => report.code.as_deref().map(|code| AttributeValue::Text(Cow::Borrowed(code))),
            _ => None,
        }
    }
}

fn session_response(kind: &'static str) -> Report<'static> {
    Report::new(kind).role(Role::AnswerWithId { id: SESSION_ID, last: true })
}

/// The fields of a header of SMB 2.
#[derive(Clone, Copy, Debug)]
struct Header2 {
    status: u32,
    command: u16,
    flags: u32,
    next: u32,
    id: u64,
}

impl Header2 {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(bytes.get(..SMB2_HEADER)?);
        fields.take(8).ok()?;
        let status = fields.u32_le().ok()?;
        let command = fields.u16_le().ok()?;
        fields.u16_le().ok()?;
        let (flags, next) = (fields.u32_le().ok()?, fields.u32_le().ok()?);
        Some(Self { status, command, flags, next, id: fields.u64_le().ok()? })
    }

    fn is_reply(self) -> bool {
        self.flags & FLAG_REPLY != 0
    }
}

/// The headers in a message of SMB 2.
#[derive(Debug)]
struct Compound<'a> {
    rest: &'a [u8],
    count: usize,
    /// Whether a header, or the place of the next one, is wrong.
    is_broken: bool,
}

impl<'a> Compound<'a> {
    /// Returns the headers of a message, or none if it is not SMB 2.
    fn of(frame: &Frame<'a, ()>) -> Self {
        let body = frame.head.get(HEADER..).unwrap_or_default();
        let rest = if frame.head.first() == Some(&SESSION_MESSAGE) && body.starts_with(SMB2) { body } else { &[] };
        Self { rest, count: 0, is_broken: false }
    }
}

impl Iterator for Compound<'_> {
    type Item = Header2;

    fn next(&mut self) -> Option<Header2> {
        if self.rest.is_empty() || self.count >= COMPOUND_MAX {
            return None;
        }
        let header = Header2::parse(self.rest).filter(|_| self.rest.starts_with(SMB2));
        let Some(header) = header else {
            self.is_broken = true;
            self.rest = &[];
            return None;
        };
        self.count += 1;
        self.rest = match header.next as usize {
            0 => &[],
            // The next header begins at a multiple of eight bytes.
            next if next < SMB2_HEADER || next % 8 != 0 || next >= self.rest.len() => {
                self.is_broken = true;
                &[]
            }
            next => &self.rest[next..],
        };
        Some(header)
    }
}

fn read_smb2<'a>(frame: &Frame<'a, ()>, body: &'a [u8], requests: Requests<'_>) -> Result<Report<'a>, Fault> {
    let first = Header2::parse(body).ok_or(Fault::SHORT)?;
    let mut compound = Compound::of(frame);
    // One error among the replies is an error of the message.
    let mut error = None;
    for header in compound.by_ref().filter(|header| header.is_reply() && is_error(header.status)) {
        error = error.or(Some(header.status));
    }
    let report = Report::new(smb2_command(first.command));
    let report = match (first.is_reply(), first.id) {
        (_, UNSOLICITED) => report,
        (false, id) if first.command != CANCEL => report.role(Role::RequestWithId(id)),
        (false, _) => report,
        // The answer of version 2 to the offer of a client of version 1.
        (true, 0) if first.command == NEGOTIATE && requests.with_id(NEGOTIATE_ID).is_some() => {
            report.role(Role::AnswerWithId { id: NEGOTIATE_ID, last: true })
        }
        (true, id) => {
            let is_interim = first.status == STATUS_PENDING && first.flags & FLAG_ASYNC != 0;
            report.role(Role::AnswerWithId { id, last: !is_interim })
        }
    };
    let report = match (first.is_reply(), error) {
        (true, Some(status)) => report.failed(status_name(status)),
        (true, None) => report.code(status_name(first.status)),
        (false, _) => report,
    };
    let report = if first.command == TREE_CONNECT && !first.is_reply() { tree(report, body) } else { report };
    // Headers behind the bytes that are kept cannot be judged.
    if compound.is_broken && frame.is_kept() {
        return Ok(report.malformed("the place of the next command is wrong"));
    }
    Ok(report)
}

const NEGOTIATE: u16 = 0;
const CANCEL: u16 = 12;
const TREE_CONNECT: u16 = 3;

/// Returns whether a status is an error. Behind "more processing required" the exchange goes on.
fn is_error(status: u32) -> bool {
    status >> 30 == 3 && status != STATUS_MORE_PROCESSING_REQUIRED
}

/// Adds the path of a share (MS-SMB2, section 2.2.9).
fn tree<'a>(report: Report<'a>, body: &[u8]) -> Report<'a> {
    let place = body.get(SMB2_HEADER + 4..SMB2_HEADER + 8).map(|place| {
        let number = |at: usize| usize::from(u16::from_le_bytes([place[at], place[at + 1]]));
        (number(0), number(2))
    });
    let path = place.and_then(|(offset, length)| body.get(offset..offset + length));
    let Some(path) = path else { return report };
    let units = path.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let path: String = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    report.subject(path.into_bytes())
}

fn read_smb1(body: &[u8]) -> Result<Report<'_>, Fault> {
    // MS-CIFS, section 2.2.3.1.
    let mut fields = Cursor::new(body);
    fields.take(4)?;
    let command = fields.u8()?;
    let status = fields.u32_le()?;
    let flags = fields.u8()?;
    let flags2 = fields.u16_le()?;
    // The upper half of the process, the signature, and the tree.
    fields.take(2 + 8 + 2 + 2)?;
    let process = fields.u16_le()?;
    let _user = fields.u16_le()?;
    let multiplex = fields.u16_le()?;
    let id = if command == NEGOTIATE1 { NEGOTIATE_ID } else { u64::from(process) << 16 | u64::from(multiplex) };
    let report = Report::new(smb1_command(command));
    if flags & 0x80 == 0 {
        // NT_CANCEL has no answer. A lock that breaks has the number of no request.
        return Ok(if command == NT_CANCEL || multiplex == 0xffff {
            report
        } else {
            report.role(Role::RequestWithId(id))
        });
    }
    let report = if multiplex == 0xffff { report } else { report.role(Role::AnswerWithId { id, last: true }) };
    let has_nt_status = flags2 & 0x4000 != 0;
    Ok(match status {
        _ if has_nt_status && is_error(status) => report.failed(status_name(status)),
        _ if has_nt_status => report.code(status_name(status)),
        0 => report.code("0"),
        // A class of one byte, a reserved one, and a code of two bytes.
        _ => report.failed(format!("{}/{}", status & 0xff, status >> 16)),
    })
}

const NEGOTIATE1: u8 = 0x72;
const NT_CANCEL: u8 = 0xa4;

/// Returns whether a packet begins with these bytes.
fn begins(bytes: &[u8]) -> Sniff {
    match bytes {
        [] => Sniff::More,
        [SESSION_MESSAGE] | [SESSION_MESSAGE, _] | [SESSION_MESSAGE, _, _] | [SESSION_MESSAGE, _, _, _] => Sniff::More,
        [SESSION_MESSAGE, _, _, _, 0xfc..=0xff, rest @ ..] => {
            let common = rest.len().min(3);
            match rest[..common] == b"SMB"[..common] {
                true if common == 3 => Sniff::Yes,
                true => Sniff::More,
                false => Sniff::No,
            }
        }
        // Two names of 34 bytes, each with its length in front.
        [SESSION_REQUEST, rest @ ..] => match rest {
            [] | [0] | [0, 0] | [0, 0, 68] => Sniff::More,
            [0, 0, 68, 32, ..] => Sniff::Yes,
            _ => Sniff::No,
        },
        [POSITIVE_RESPONSE | KEEP_ALIVE, rest @ ..] => match rest {
            [0, 0, 0, ..] => Sniff::Yes,
            _ if rest.len() < 3 && rest.iter().all(|byte| *byte == 0) => Sniff::More,
            _ => Sniff::No,
        },
        [NEGATIVE_RESPONSE, rest @ ..] => match rest {
            [0, 0, 1, 0x80..=0x8f, ..] => Sniff::Yes,
            [] | [0] | [0, 0] | [0, 0, 1] => Sniff::More,
            _ => Sniff::No,
        },
        _ => Sniff::No,
    }
}

/// Returns whether the first bytes of a side are SMB, or a session of `NetBIOS`.
fn sniff(_: Side, first: &[u8]) -> Sniff {
    begins(first)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{C, S, lines, lines_midstream};

    fn packet(body: &[u8]) -> Vec<u8> {
        [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
    }

    fn smb2(command: u16, status: u32, flags: u32, next: u32, id: u64) -> Vec<u8> {
        let mut header = b"\xfeSMB\x40\0\0\0".to_vec();
        header.extend_from_slice(&status.to_le_bytes());
        header.extend_from_slice(&command.to_le_bytes());
        header.extend_from_slice(&[1, 0]);
        header.extend_from_slice(&flags.to_le_bytes());
        header.extend_from_slice(&next.to_le_bytes());
        header.extend_from_slice(&id.to_le_bytes());
        header.resize(64, 0);
        header
    }

    fn smb1(command: u8, status: u32, reply: bool, id: u16) -> Vec<u8> {
        let mut header = b"\xffSMB".to_vec();
        header.push(command);
        header.extend_from_slice(&status.to_le_bytes());
        header.extend_from_slice(&[if reply { 0x80 } else { 0 }, 1, 0x40]);
        header.resize(30, 0);
        header.extend_from_slice(&id.to_le_bytes());
        header
    }

    #[test]
    fn replies_are_paired_by_their_number_and_errors_have_their_status() {
        let turns = [
            (C, [packet(&smb2(5, 0, 0, 0, 4)), packet(&smb2(14, 0, 0, 0, 5))].concat()),
            (S, packet(&smb2(14, 0x103, 3, 0, 5))),
            (S, packet(&smb2(5, 0xc000_0022, 1, 0, 4))),
            (S, packet(&smb2(14, 0, 3, 0, 5))),
            (S, packet(&smb2(18, 0, 1, 0, u64::MAX))),
            (S, packet(&smb2(1, 0xc000_0016, 1, 0, 9))),
        ];
        let expected = [
            "client CREATE at 0+68 ok: CREATE",
            "client QUERY_DIRECTORY at 68+68 ok: QUERY_DIRECTORY",
            "server QUERY_DIRECTORY at 0+68 ok STATUS_PENDING answers #1: QUERY_DIRECTORY STATUS_PENDING",
            "server CREATE at 68+68 failed STATUS_ACCESS_DENIED answers #0: CREATE STATUS_ACCESS_DENIED",
            "server QUERY_DIRECTORY at 136+68 ok STATUS_SUCCESS answers #1: QUERY_DIRECTORY STATUS_SUCCESS",
            "server OPLOCK_BREAK at 204+68 ok STATUS_SUCCESS: OPLOCK_BREAK STATUS_SUCCESS",
            "server SESSION_SETUP at 272+68 ok STATUS_MORE_PROCESSING_REQUIRED: SESSION_SETUP STATUS_MORE_PROCESSING_REQUIRED",
        ];
        assert_eq!(lines("smb", &turns), expected);
        assert_eq!(lines("auto", &turns), expected);
    }

    #[test]
    fn a_compound_lists_its_commands_and_fails_with_any_of_them() {
        let ask = [smb2(5, 0, 0, 64, 1), smb2(16, 0, 4, 64, 2), smb2(6, 0, 4, 0, 3)].concat();
        let answer = [smb2(5, 0, 1, 64, 1), smb2(16, 0xc000_0022, 5, 64, 2), smb2(6, 0, 5, 0, 3)].concat();
        let seen = lines("smb", &[(C, packet(&ask)), (S, packet(&answer))]);
        assert_eq!(seen[0], "client CREATE at 0+196 ok: CREATE, QUERY_INFO, CLOSE");
        assert_eq!(
            seen[1],
            "server CREATE at 0+196 failed STATUS_ACCESS_DENIED answers #0: CREATE STATUS_ACCESS_DENIED, QUERY_INFO STATUS_ACCESS_DENIED, CLOSE"
        );
        for next in [8, 65, 1 << 20, u32::MAX] {
            let wrong = [smb2(5, 0, 0, next, 1), smb2(6, 0, 4, 0, 2)].concat();
            let seen = lines("smb", &[(C, packet(&wrong))]);
            assert!(seen[0].contains("malformed (the place of the next command is wrong)"), "{seen:?}");
        }
    }

    #[test]
    fn smb1_and_sessions_of_netbios_are_read() {
        let names = [&[0x20; 1][..], &[b'A'; 32], &[0], &[0x20], &[b'A'; 32], &[0]].concat();
        let turns = [
            (C, [b"\x81\0\0\x44", &names[..]].concat()),
            (S, b"\x82\0\0\0".to_vec()),
            (C, [packet(&smb1(0x72, 0, false, 7)), b"\x85\0\0\0".to_vec(), packet(&smb1(0x73, 0, false, 8))].concat()),
            (S, [packet(&smb1(0x73, 0xc000_006d, true, 8)), packet(&smb1(0x72, 0, true, 7))].concat()),
            (S, b"\x83\0\0\x01\x82".to_vec()),
        ];
        let seen = lines("auto", &turns);
        assert_eq!(seen[1], "server session-response at 0+4 ok answers #0: session-response");
        assert_eq!(seen[3], "client keep-alive at 108+4 ok: keep-alive");
        assert_eq!(
            seen[5],
            "server SMB_COM_SESSION_SETUP_ANDX at 4+36 failed STATUS_LOGON_FAILURE answers #3: SMB_COM_SESSION_SETUP_ANDX STATUS_LOGON_FAILURE"
        );
        assert_eq!(
            seen[6],
            "server SMB_COM_NEGOTIATE at 40+36 ok STATUS_SUCCESS answers #1: SMB_COM_NEGOTIATE STATUS_SUCCESS"
        );
        assert_eq!(
            seen[7],
            "server session-response at 76+5 failed CALLED_NAME_NOT_PRESENT: session-response CALLED_NAME_NOT_PRESENT"
        );
    }

    #[test]
    fn version_2_answers_the_offer_of_version_1() {
        let turns = [
            (C, packet(&smb1(0x72, 0, false, 7))),
            (S, packet(&smb2(0, 0, 1, 0, 0))),
            (C, packet(&smb2(0, 0, 0, 0, 0))),
            (S, packet(&smb2(0, 0, 1, 0, 0))),
        ];
        let seen = lines("smb", &turns);
        assert!(seen[1].contains("answers #0") && seen[3].contains("answers #1"), "{seen:?}");
    }

    #[test]
    fn transforms_are_kinds_and_broken_packets_are_malformed() {
        let bytes = [packet(b"\xfdSMBxxxx"), packet(b"\xfcSMBxxxx"), packet(b"else"), packet(b"\xfeSMBshort")].concat();
        let seen = lines("smb", &[(C, bytes)]);
        let kinds: Vec<&str> = seen.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
        assert_eq!(kinds[..3], ["encrypted", "compressed", "session-message"]);
        assert!(seen[3].contains("malformed (it ends inside a field)"), "{seen:?}");
        assert!(lines("smb", &[(C, b"\x42\0\0\0")])[0].contains("malformed (the type of the packet is not known)"));
        let long = lines("smb", &[(C, b"\0\xff\xff\xff\xfeSMB")]);
        assert!(long[0].contains("incomplete"), "{long:?}");
    }

    #[test]
    fn behind_a_loss_the_next_packet_is_found() {
        let bytes = [&b"\0\0\x10\0rest"[..], &packet(&smb2(8, 0, 0, 0, 4))].concat();
        assert!(lines_midstream("smb", C, &bytes)[1].contains("client READ at 8+68 ok"));
    }
}
