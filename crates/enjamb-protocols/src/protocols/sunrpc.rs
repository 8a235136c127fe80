//! ONC RPC over TCP (RFC 5531) with NFS, mount and portmapper by name.
//!
//! A message is a record of one or more fragments (section 11). A reply has the number (xid) of its
//! call. The reply does not name the procedure, so that comes from the call.

mod names;

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use self::names::{nfs_error, procedure_name, program_name};
use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Short};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| SunRpc)
        .alias("nfs")
        .alias("oncrpc")
        .on_ports(&[111, 2049])
        .about("ONC RPC over TCP (RFC 5531): NFS, mount, portmapper")
        .with_kinds("`call`, `reply`")
        .with_attributes(&[
            Attribute::new("xid", AttributeType::Number, "the number of a call and its reply"),
            Attribute::new("program", AttributeType::Number, "the program of a call"),
            Attribute::new("version", AttributeType::Number, "the version of the program of a call"),
            Attribute::new("procedure", AttributeType::Number, "the procedure of a call"),
        ])
        .sniffed_by(sniff)
}

/// The rules of ONC RPC.
#[derive(Debug)]
struct SunRpc;

/// The message in progress.
#[derive(Debug, Default)]
struct Memo {
    fragments: u64,
    is_mark: bool,
    is_last: bool,
}

/// The longest fragment that is taken for one. Servers accept about 1 MiB in all.
const FRAGMENT_MAX: u32 = 64 << 20;

/// The length of a record mark.
const MARK: usize = 4;

const CALL: u32 = 0;
const REPLY: u32 = 1;

/// The program, its version and the procedure of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    program: u32,
    version: u32,
    procedure: u32,
}

impl Target {
    /// Returns it as the detail of a request. Numbers that are too large are cut off.
    fn detail(self) -> u64 {
        u64::from(self.program) << 32 | u64::from(self.version & 0xffff) << 16 | u64::from(self.procedure & 0xffff)
    }

    fn from_detail(detail: u64) -> Self {
        Self {
            program: (detail >> 32) as u32,
            version: (detail >> 16) as u32 & 0xffff,
            procedure: detail as u32 & 0xffff,
        }
    }

    /// Returns its name, such as `NFS3 GETATTR`.
    fn name(self) -> String {
        let program = program_name(self.program);
        let program = program.map_or_else(|| format!("program {} ", self.program), Cow::into_owned);
        match procedure_name(self.program, self.version, self.procedure) {
            Some(procedure) => format!("{program}{} {procedure}", self.version),
            None => format!("{program}{} procedure {}", self.version, self.procedure),
        }
    }
}

impl Rules for SunRpc {
    const NAME: &'static str = "sunrpc";
    type Memo = Memo;

    fn next(&self, message: Progress<'_, Memo>) -> Result<Next, Fault> {
        let memo = message.memo;
        if !memo.is_mark {
            if memo.is_last {
                return Ok(Next::End);
            }
            memo.is_mark = true;
            return Ok(Next::Bytes(MARK as u64));
        }
        let mark = Cursor::new(message.last).u32()?;
        let length = mark & 0x7fff_ffff;
        memo.is_mark = false;
        memo.is_last = mark >> 31 != 0;
        memo.fragments += 1;
        if length > FRAGMENT_MAX {
            return Err(Fault("a fragment is longer than 64 MiB"));
        }
        match (length, memo.is_last) {
            (0, true) => Ok(Next::End),
            (0, false) => {
                memo.is_mark = true;
                Ok(Next::Bytes(MARK as u64))
            }
            (_, true) => Ok(Next::Last(length.into())),
            (_, false) => Ok(Next::Body(length.into())),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, Memo>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let body = body(frame);
        let mut fields = Cursor::new(&body);
        if frame.is_kept() && body.is_empty() {
            return Ok(Report::new("record").malformed("a record is empty"));
        }
        let xid = u64::from(fields.u32()?);
        match fields.u32()? {
            CALL => {
                let version = fields.u32()?;
                let target = target(&mut fields)?;
                let report = Report::new("call").role(Role::RequestWithId(xid)).detail(target.detail());
                let report = report.subject(target.name().into_bytes());
                Ok(if version == 2 { report } else { report.malformed("the version of RPC is not 2") })
            }
            REPLY => {
                let target = requests.with_id(xid).map(Target::from_detail);
                let report = Report::new("reply").role(Role::AnswerWithId { id: xid, last: true });
                let report = match target {
                    Some(target) => report.subject(target.name().into_bytes()),
                    None => report,
                };
                Ok(match error(&mut fields, target)? {
                    Some(error) => report.failed(error),
                    None => report,
                })
            }
            _ => Ok(Report::new("record").malformed("the message is neither a call nor a reply")),
        }
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        begins(bytes)
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        match head.get(8..12) {
            Some([0, 0, 0, 0]) => "call",
            Some([0, 0, 0, 1]) => "reply",
            _ => "record",
        }
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, Memo>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        if name == "xid" {
            let body = body(frame);
            return Cursor::new(&body).u32().ok().map(|xid| AttributeValue::Number(xid.into()));
        }
        if report.kind != "call" {
            return None;
        }
        let target = Target::from_detail(report.detail);
        match name {
            "program" => Some(AttributeValue::Number(target.program.into())),
            "version" => Some(AttributeValue::Number(target.version.into())),
            "procedure" => Some(AttributeValue::Number(target.procedure.into())),
            _ => None,
        }
    }
}

/// Returns the first bytes of a record, without the marks of its fragments.
fn body<'a>(frame: &Frame<'a, Memo>) -> Cow<'a, [u8]> {
    if frame.memo.fragments <= 1 {
        return Cow::Borrowed(frame.head.get(MARK..).unwrap_or_default());
    }
    let mut joined = Vec::new();
    let mut rest = frame.head;
    while let Some((mark, behind)) = rest.split_first_chunk::<MARK>() {
        let length = (u32::from_be_bytes(*mark) & 0x7fff_ffff) as usize;
        let (fragment, behind) = behind.split_at(length.min(behind.len()));
        joined.extend_from_slice(fragment);
        rest = behind;
    }
    Cow::Owned(joined)
}

fn target(fields: &mut Cursor<'_>) -> Result<Target, Short> {
    Ok(Target { program: fields.u32()?, version: fields.u32()?, procedure: fields.u32()? })
}

/// Returns the error in a reply (RFC 5531, section 9).
fn error(fields: &mut Cursor<'_>, target: Option<Target>) -> Result<Option<Cow<'static, str>>, Fault> {
    const ACCEPTED: [&str; 6] =
        ["SUCCESS", "PROG_UNAVAIL", "PROG_MISMATCH", "PROC_UNAVAIL", "GARBAGE_ARGS", "SYSTEM_ERR"];
    const REFUSED: [&str; 15] = [
        "AUTH_OK",
        "AUTH_BADCRED",
        "AUTH_REJECTEDCRED",
        "AUTH_BADVERF",
        "AUTH_REJECTEDVERF",
        "AUTH_TOOWEAK",
        "AUTH_INVALIDRESP",
        "AUTH_FAILED",
        "AUTH_KERB_GENERIC",
        "AUTH_TIMEEXPIRE",
        "AUTH_TKT_FILE",
        "AUTH_DECODE",
        "AUTH_NET_ADDR",
        "RPCSEC_GSS_CREDPROBLEM",
        "RPCSEC_GSS_CTXPROBLEM",
    ];
    let named = |names: &[&'static str], number: u32| match names.get(number as usize) {
        Some(name) => Cow::Borrowed(*name),
        None => Cow::Owned(number.to_string()),
    };
    match fields.u32()? {
        0 => {
            fields.u32()?;
            let length = fields.u32()? as usize;
            // The verifier is padded to a multiple of four bytes.
            fields.take(length.checked_next_multiple_of(4).ok_or(Fault::SHORT)?)?;
            match fields.u32()? {
                0 => Ok(target.and_then(|target| result_error(fields, target))),
                status => Ok(Some(named(&ACCEPTED, status))),
            }
        }
        1 => match fields.u32()? {
            0 => Ok(Some(Cow::Borrowed("RPC_MISMATCH"))),
            1 => Ok(Some(named(&REFUSED, fields.u32()?))),
            _ => Err(Fault("the reason of a refusal is not known")),
        },
        _ => Err(Fault("a reply is neither accepted nor denied")),
    }
}

const PROGRAM_NFS: u32 = 100_003;
const PROGRAM_MOUNT: u32 = 100_005;

/// Returns the error in the result of a procedure whose result begins with a status.
fn result_error(fields: &mut Cursor<'_>, target: Target) -> Option<Cow<'static, str>> {
    let has_status = match target {
        // Not WRITECACHE, ROOT and NULL of version 2.
        Target { program: PROGRAM_NFS, version: 2, procedure } => !matches!(procedure, 0 | 3 | 7),
        Target { program: PROGRAM_NFS, version: 3 | 4, procedure } => procedure != 0,
        Target { program: PROGRAM_MOUNT, procedure: 1, .. } => true,
        _ => false,
    };
    let status = if has_status { fields.u32().ok()? } else { 0 };
    (status != 0).then(|| nfs_error(status))
}

/// Returns whether a record begins with these bytes: its mark, and a call or a reply of RPC.
fn begins(bytes: &[u8]) -> Sniff {
    let mut fields = Cursor::new(bytes);
    let Ok(mark) = fields.u32() else {
        return if bytes.first().is_none_or(|first| matches!(first, 0x80 | 0)) { Sniff::More } else { Sniff::No };
    };
    // The first fragment of a record has at least the numbers of a reply.
    if mark & 0x7fff_ffff < 20 || mark & 0x7fff_ffff > 1 << 24 || (mark >> 31 == 0 && mark < 1 << 8) {
        return Sniff::No;
    }
    let (Ok(_), Ok(kind)) = (fields.u32(), fields.u32()) else { return Sniff::More };
    let rest = fields.rest();
    match kind {
        CALL => match (fields.u32(), fields.u32(), fields.u32(), fields.u32()) {
            // Programs have numbers from 100000 on; those of users from 2^29 on (section 8).
            (Ok(2), Ok(100_000..=0x7fff_ffff), Ok(version), Ok(procedure)) if version <= 64 && procedure <= 1024 => {
                Sniff::Yes
            }
            (Ok(2), Ok(100_000..=0x7fff_ffff), Ok(_), Ok(_)) => Sniff::No,
            (Ok(2), Ok(100_000..=0x7fff_ffff), ..) | (Ok(2), Err(_), ..) => Sniff::More,
            (Ok(_), ..) => Sniff::No,
            (Err(_), ..) if rest.iter().all(|byte| *byte == 0) => Sniff::More,
            _ => Sniff::No,
        },
        REPLY => match (fields.u32(), fields.u32(), fields.u32(), fields.u32()) {
            (Ok(1), Ok(0 | 1), Ok(value), ..) => {
                if value <= 16 {
                    Sniff::Yes
                } else {
                    Sniff::No
                }
            }
            (Ok(0), Ok(0..=8 | 300_000..=400_000), Ok(0..=400), Ok(_)) => Sniff::Yes,
            (Ok(0), Ok(0..=8 | 300_000..=400_000), Ok(0..=400), Err(_)) => Sniff::More,
            (Ok(0 | 1), Err(_), ..) | (Ok(1), Ok(0 | 1), Err(_), _) => Sniff::More,
            (Ok(0), Ok(0..=8 | 300_000..=400_000), Err(_), _) => Sniff::More,
            (Ok(_), ..) => Sniff::No,
            (Err(_), ..) if rest.iter().all(|byte| *byte <= 1) => Sniff::More,
            _ => Sniff::No,
        },
        _ => Sniff::No,
    }
}

/// Returns whether the first bytes of a side are ONC RPC. Either side may call (NFS calls back).
fn sniff(_: Side, first: &[u8]) -> Sniff {
    begins(first)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{C, S, lines, lines_midstream};

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn record(body: &[u8]) -> Vec<u8> {
        [&(0x8000_0000 | u32::try_from(body.len()).unwrap()).to_be_bytes(), body].concat()
    }

    fn fragment(body: &[u8]) -> Vec<u8> {
        [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
    }

    fn call(xid: u32, program: u32, version: u32, procedure: u32) -> Vec<u8> {
        words(&[xid, 0, 2, program, version, procedure, 0, 0, 0, 0])
    }

    fn reply(xid: u32, rest: &[u32]) -> Vec<u8> {
        words(&[&[xid, 1], rest].concat())
    }

    const NFS: u32 = 100_003;

    #[test]
    fn replies_are_named_by_their_calls_and_errors_have_their_names() {
        let turns = [
            (C, [record(&call(1, NFS, 3, 1)), record(&call(2, NFS, 3, 3)), record(&call(3, 200_000, 1, 9))].concat()),
            (S, record(&reply(2, &[0, 0, 0, 0, 2]))),
            (S, record(&reply(1, &[0, 0, 0, 0, 0]))),
            (S, [record(&reply(3, &[0, 0, 0, 3])), record(&reply(9, &[1, 1, 5]))].concat()),
        ];
        let expected = [
            "client call at 0+44 ok: call NFS3 GETATTR",
            "client call at 44+44 ok: call NFS3 LOOKUP",
            "client call at 88+44 ok: call program 200000 1 procedure 9",
            "server reply at 0+32 failed NFSERR_NOENT answers #1: reply NFSERR_NOENT NFS3 LOOKUP",
            "server reply at 32+32 ok answers #0: reply NFS3 GETATTR",
            "server reply at 64+28 failed PROC_UNAVAIL answers #2: reply PROC_UNAVAIL program 200000 1 procedure 9",
            "server reply at 92+24 failed AUTH_TOOWEAK: reply AUTH_TOOWEAK",
        ];
        let seen = lines("sunrpc", &turns);
        assert_eq!(seen.len(), expected.len(), "{seen:?}");
        for (line, expected) in seen.iter().zip(expected) {
            assert_eq!(line, expected);
        }
        assert_eq!(lines("auto", &turns), seen);
    }

    #[test]
    fn a_record_of_several_fragments_is_one_message() {
        let call = call(1, NFS, 3, 1);
        for at in [1, 4, 20, 39] {
            let bytes = [fragment(&call[..at]), fragment(&[]), record(&call[at..])].concat();
            let seen = lines("sunrpc", &[(C, bytes)]);
            assert_eq!(seen, ["client call at 0+52 ok: call NFS3 GETATTR"], "{at}");
        }
    }

    #[test]
    fn records_that_break_the_rules_are_malformed() {
        for (body, reason) in [
            (words(&[1, 2, 3]), "the message is neither a call nor a reply"),
            (words(&[1, 0, 3, NFS, 3, 1, 0, 0]), "the version of RPC is not 2"),
            (words(&[1, 0, 2]), "it ends inside a field"),
            (words(&[1, 1, 0, 0, 0xffff_ffff]), "it ends inside a field"),
            (Vec::new(), "a record is empty"),
        ] {
            let seen = lines("sunrpc", &[(C, [record(&body), record(&call(1, NFS, 3, 1))].concat())]);
            assert!(seen[0].contains(reason), "{seen:?}");
            assert!(seen[1].contains("NFS3 GETATTR"), "{seen:?}");
        }
        let huge = lines("sunrpc", &[(C, b"\xff\xff\xff\xffabcd")]);
        assert!(huge[0].contains("malformed (a fragment is longer than 64 MiB)"), "{huge:?}");
    }

    #[test]
    fn behind_a_loss_the_next_record_is_found() {
        let bytes = [&b"\x80\0\0\x28rest of a record"[..], &record(&call(7, NFS, 4, 1))].concat();
        let seen = lines_midstream("sunrpc", C, &bytes);
        assert!(seen[1].contains("client call at 20+44 ok: call NFS4 COMPOUND"), "{seen:?}");
    }
}
