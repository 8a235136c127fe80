//! S7 communication, the protocol of Siemens controllers. It is not published; the fields are those
//! that Wireshark's dissector `s7comm` knows.

use crate::kit::{Cursor, Report, Role};

/// The first byte of a message.
pub(super) const PROTOCOL: u8 = 0x32;

/// The types of messages.
pub(super) const KINDS: [&str; 4] = ["job", "ack", "ack_data", "userdata"];

const JOB: u8 = 1;
const ACK: u8 = 2;
const ACK_DATA: u8 = 3;
const USERDATA: u8 = 7;

/// The functions that read and write variables.
const READ: u8 = 0x04;
const WRITE: u8 = 0x05;

/// The result of a variable that is fine.
const DONE: u8 = 0xff;

/// A message.
#[derive(Debug)]
pub(super) struct S7<'a> {
    kind: u8,
    pub(super) reference: u16,
    /// The class and the code of an error. Jobs have none.
    error: u16,
    parameters: Option<&'a [u8]>,
    data: &'a [u8],
}

/// Returns the name of a type of message.
pub(super) fn kind_name(kind: u8) -> Option<&'static str> {
    match kind {
        JOB => Some("job"),
        ACK => Some("ack"),
        ACK_DATA => Some("ack_data"),
        USERDATA => Some("userdata"),
        _ => None,
    }
}

impl<'a> S7<'a> {
    /// Parses a message. `None` if its header is not whole.
    pub(super) fn parse(payload: &'a [u8]) -> Option<Self> {
        let mut fields = Cursor::new(payload);
        if fields.u8().ok()? != PROTOCOL {
            return None;
        }
        let kind = fields.u8().ok()?;
        fields.u16().ok()?;
        let reference = fields.u16().ok()?;
        let (parameters, data) = (fields.u16().ok()?, fields.u16().ok()?);
        let error = if matches!(kind, ACK | ACK_DATA) { fields.u16().ok()? } else { 0 };
        let parameters = fields.take(parameters.into()).ok();
        let data = fields.take(data.into()).unwrap_or_default();
        Some(Self { kind, reference, error, parameters, data })
    }

    /// Describes the message. What is not kept is not judged.
    pub(super) fn report(&self, is_kept: bool) -> Report<'a> {
        let Some(kind) = kind_name(self.kind) else {
            return Report::new("DT").malformed("the type of S7 is not known");
        };
        let report = Report::new(kind);
        let id = self.reference.into();
        let Some(parameters) = self.parameters else {
            return if is_kept { report.malformed("the parameters of S7 are longer than the packet") } else { report };
        };
        if self.kind == USERDATA {
            return userdata(report, id, parameters);
        }
        let report = match parameters.first().and_then(|function| function_name(*function)) {
            Some(name) => report.subject(name.as_bytes()),
            None => report,
        };
        if self.kind == JOB {
            return report.role(Role::RequestWithId(id));
        }
        let report = report.role(Role::AnswerWithId { id, last: true });
        match (self.error, self.failed_item(parameters)) {
            (0, Some(code)) => report.failed(format!("0x{code:02x}")),
            (0, None) => report,
            (error, _) => report.failed(format!("0x{error:04x}")),
        }
    }

    /// Returns the result of the first variable that could not be read or written.
    fn failed_item(&self, parameters: &[u8]) -> Option<u8> {
        let &[function @ (READ | WRITE), count, ..] = parameters else { return None };
        let mut fields = Cursor::new(self.data);
        for _ in 0..count {
            let result = fields.u8().ok()?;
            if result != DONE {
                return Some(result);
            }
            if function == WRITE {
                continue;
            }
            let size = fields.u8().ok()?;
            let length = usize::from(fields.u16().ok()?);
            // The types 3 to 5 count bits.
            let length = if matches!(size, 3..=5) { length.div_ceil(8) } else { length };
            fields.take(length).ok()?;
            if length % 2 == 1 {
                // Each variable but the last one is padded.
                let _ = fields.u8();
            }
        }
        None
    }
}

/// Describes userdata: a request, an answer, or an unsolicited message.
fn userdata<'a>(report: Report<'a>, id: u64, parameters: &[u8]) -> Report<'a> {
    // Three bytes of a head, the length, the method, the type and the group, the function, a
    // number.
    let &[_, _, _, _, _, type_and_group, function, _, ref rest @ ..] = parameters else {
        return report.malformed("the parameters of userdata are too short");
    };
    const GROUPS: [&str; 8] = ["mode", "programmer", "cyclic", "block", "cpu", "security", "pbc", "time"];
    let group = GROUPS.get(usize::from(type_and_group & 0xf)).copied().unwrap_or("group");
    let report = report.subject(format!("{group} {function}").into_bytes());
    match type_and_group >> 4 {
        4 => report.role(Role::RequestWithId(id)),
        8 => {
            let report = report.role(Role::AnswerWithId { id, last: true });
            // A number of the data unit, whether another one follows, and an error.
            match rest {
                [_, _, high, low, ..] if (*high, *low) != (0, 0) => report.failed(format!("0x{high:02x}{low:02x}")),
                _ => report,
            }
        }
        _ => report,
    }
}

/// Returns the name of a function.
fn function_name(function: u8) -> Option<&'static str> {
    Some(match function {
        0x00 => "cpu-services",
        READ => "read",
        WRITE => "write",
        0x1a => "request-download",
        0x1b => "download-block",
        0x1c => "download-ended",
        0x1d => "start-upload",
        0x1e => "upload",
        0x1f => "end-upload",
        0x28 => "plc-control",
        0x29 => "plc-stop",
        0xf0 => "setup-communication",
        _ => return None,
    })
}
