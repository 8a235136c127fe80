//! DNP3 over TCP (IEEE 1815, clauses 9 and 13).
//!
//! A link frame is a header of ten bytes with a checksum, and blocks of up to 16 bytes, each with a
//! checksum of its own. The first frame of a fragment names its function. Answers find their
//! requests by the addresses and the number of the fragment.

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::starts_with;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Dnp3)
        .on_ports(&[20000])
        .about("DNP3 over TCP: link frames, and the functions of the application")
        .with_kinds("the function, such as `READ` or `RESPONSE`, `segment`")
        .with_attributes(&[
            Attribute::new("source", AttributeType::Number, "the address of the sender"),
            Attribute::new("destination", AttributeType::Number, "the address of the receiver"),
        ])
        .sniffed_by(sniff)
        .likely_by(|_, first| starts_with(first, &START))
}

/// The rules of DNP3.
#[derive(Debug)]
struct Dnp3;

/// The first two bytes of a frame.
const START: [u8; 2] = [0x05, 0x64];

/// The length of a header, with its checksum.
const HEADER: usize = 10;

/// The bytes of the header that its length counts.
const COUNTED: u8 = 5;

/// The length of a block of data, without its checksum.
const BLOCK: u64 = 16;

/// The names of the functions of the application (clause 4.2.2.5).
const FUNCTIONS: [&str; 34] = [
    "CONFIRM",
    "READ",
    "WRITE",
    "SELECT",
    "OPERATE",
    "DIRECT_OPERATE",
    "DIRECT_OPERATE_NR",
    "IMMED_FREEZE",
    "IMMED_FREEZE_NR",
    "FREEZE_CLEAR",
    "FREEZE_CLEAR_NR",
    "FREEZE_AT_TIME",
    "FREEZE_AT_TIME_NR",
    "COLD_RESTART",
    "WARM_RESTART",
    "INITIALIZE_DATA",
    "INITIALIZE_APPL",
    "START_APPL",
    "STOP_APPL",
    "SAVE_CONFIG",
    "ENABLE_UNSOLICITED",
    "DISABLE_UNSOLICITED",
    "ASSIGN_CLASS",
    "DELAY_MEASURE",
    "RECORD_CURRENT_TIME",
    "OPEN_FILE",
    "CLOSE_FILE",
    "DELETE_FILE",
    "GET_FILE_INFO",
    "AUTHENTICATE_FILE",
    "ABORT_FILE",
    "ACTIVATE_CONFIG",
    "AUTHENTICATE_REQ",
    "AUTH_REQ_NO_ACK",
];

const CONFIRM: u8 = 0;
const RESPONSE: u8 = 0x81;
const UNSOLICITED_RESPONSE: u8 = 0x82;
const AUTHENTICATE_RESP: u8 = 0x83;

/// The functions that nobody answers.
const UNANSWERED: [u8; 5] = [6, 8, 10, 12, 33];

/// The bits of the control byte of the transport, and of that of the application.
const TRANSPORT_FIRST: u8 = 0x40;
const APPLICATION_FIRST: u8 = 0x80;
const APPLICATION_FINAL: u8 = 0x40;

/// The bits of the internal indications that report an error: no such function, no such object, a
/// bad parameter (clause 4.2.2.6).
const ERRORS: [(u8, &str); 3] = [(1, "NO_FUNC_CODE_SUPPORT"), (2, "OBJECT_UNKNOWN"), (4, "PARAMETER_ERROR")];

impl Rules for Dnp3 {
    const NAME: &'static str = "dnp3";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        let Some(header) = message.head.first_chunk::<HEADER>() else { return Ok(Next::Bytes(HEADER as u64)) };
        if !header.starts_with(&START) {
            return Err(Fault("a frame does not begin with 0x0564"));
        }
        let Some(data) = header[2].checked_sub(COUNTED) else { return Err(Fault("the length is less than 5")) };
        if !checks(header) {
            return Err(Fault("the checksum of the header is wrong"));
        }
        let data = u64::from(data);
        Ok(Next::Last(data + 2 * data.div_ceil(BLOCK)))
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let (header, blocks) = frame.head.split_at_checked(HEADER).ok_or(Fault::SHORT)?;
        if !frame.is_kept() {
            return Ok(Report::new("data"));
        }
        let blocks = || blocks.chunks(BLOCK as usize + 2);
        if !blocks().all(checks) {
            return Err(Fault("the checksum of a block is wrong"));
        }
        let data: Vec<u8> = blocks().flat_map(|block| &block[..block.len().saturating_sub(2)]).copied().collect();
        Ok(application(header, &data))
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        match bytes.first_chunk::<HEADER>() {
            Some(header) => match header.starts_with(&START) && header[2] >= COUNTED && checks(header) {
                true => Sniff::Yes,
                false => Sniff::No,
            },
            None if START.starts_with(&bytes[..bytes.len().min(2)]) => Sniff::More,
            None => Sniff::No,
        }
    }

    fn broken_kind(&self, _: Side, _: &[u8]) -> &'static str {
        "frame"
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, ()>,
        _: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let at = match name {
            "source" => 6,
            "destination" => 4,
            _ => return None,
        };
        let bytes = frame.head.get(at..at + 2)?;
        Some(AttributeValue::Number(u16::from_le_bytes([bytes[0], bytes[1]]).into()))
    }
}

/// Describes a frame by its link header and its data.
fn application<'a>(header: &[u8], data: &[u8]) -> Report<'a> {
    let [transport, control, function, ref rest @ ..] = *data else { return link(header[3]) };
    if transport & TRANSPORT_FIRST == 0 {
        return Report::new("segment");
    }
    let addresses = Cursor::new(&header[4..8]);
    let id = |sent: bool| {
        let mut addresses = addresses;
        let (to, from) = (addresses.u16_le().unwrap_or_default(), addresses.u16_le().unwrap_or_default());
        let (one, other) = if sent { (to, from) } else { (from, to) };
        // Unsolicited responses are numbered on their own.
        let unsolicited = control & 0x10 != 0;
        u64::from(one) << 24 | u64::from(other) << 8 | u64::from(unsolicited) << 4 | u64::from(control & 15)
    };
    let report = match function {
        RESPONSE => Report::new("RESPONSE"),
        UNSOLICITED_RESPONSE => Report::new("UNSOLICITED_RESPONSE"),
        AUTHENTICATE_RESP => Report::new("AUTHENTICATE_RESP"),
        _ => Report::new(FUNCTIONS.get(usize::from(function)).copied().unwrap_or("function")),
    };
    let last = control & APPLICATION_FINAL != 0;
    let first = control & APPLICATION_FIRST != 0;
    match function {
        // A confirmation answers an unsolicited response. Of a response it confirms the receipt.
        CONFIRM if control & 0x10 != 0 => report.role(Role::AnswerWithId { id: id(false), last: true }),
        CONFIRM => report,
        UNSOLICITED_RESPONSE if control & 0x20 != 0 => report.role(Role::RequestWithId(id(true))),
        UNSOLICITED_RESPONSE => report,
        RESPONSE | AUTHENTICATE_RESP => {
            // The fragments behind the first one have other numbers.
            let report = if first { report.role(Role::AnswerWithId { id: id(false), last }) } else { report };
            let indications = rest.get(1).copied().unwrap_or(0);
            match ERRORS.iter().find(|(bit, _)| indications & bit != 0) {
                Some((_, name)) if function == RESPONSE => report.failed(*name),
                _ => report,
            }
        }
        _ if UNANSWERED.contains(&function) => report,
        _ => report.role(Role::RequestWithId(id(true))),
    }
}

/// Describes a frame without data by the function of the link (clause 9.2.4.1.3).
fn link<'a>(control: u8) -> Report<'a> {
    let primary = control & 0x40 != 0;
    Report::new(match (primary, control & 15) {
        (true, 0) => "RESET_LINK_STATES",
        (true, 2) => "TEST_LINK_STATES",
        (true, 9) => "REQUEST_LINK_STATUS",
        (false, 0) => "ACK",
        (false, 1) => "NACK",
        (false, 11) => "LINK_STATUS",
        (false, 15) => "NOT_SUPPORTED",
        _ => "data",
    })
}

/// Returns whether bytes end with the checksum of those before (clause 9.2.4.2).
fn checks(bytes: &[u8]) -> bool {
    let Some((data, checksum)) = bytes.split_last_chunk::<2>() else { return false };
    let mut crc = 0_u16;
    for byte in data {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xa6bc } else { crc >> 1 };
        }
    }
    u16::from_le_bytes(*checksum) == !crc
}

/// Returns whether the first bytes of a connection are DNP3.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    Dnp3.begins(side, first)
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use super::Dnp3;
    use crate::kit::Conversation;
    use crate::registry::Registry;

    /// A header of a reset of the link, from IEEE 1815, and the same with another checksum.
    const RESET: &[u8] = b"\x05\x64\x05\xc0\x01\x00\x00\x04\xe9\x21";

    #[test]
    fn a_frame_needs_its_checksum() {
        let mut session = Conversation::new(Dnp3);
        let mut lines = Vec::new();
        let broken = b"\x05\x64\x05\xc0\x01\x00\x00\x04\xe9\x22";
        for chunk in [RESET, broken, RESET].concat().chunks(3) {
            session.feed(Side::Client, chunk, &mut |message| lines.push(message.summary.to_string()));
        }
        assert_eq!(lines, ["RESET_LINK_STATES", "frame", "RESET_LINK_STATES"]);
    }

    #[test]
    fn a_wrong_checksum_in_the_first_frame_leaves_the_protocol_to_the_port() {
        let mut session = Registry::builtin().resolve("auto").unwrap().session(Some(20000));
        let mut lines = Vec::new();
        for chunk in [b"\x05\x64\x05\xc0\x01\x00\x00\x04\xe9\x22", RESET] {
            session.feed(Side::Client, chunk, &mut |message| lines.push(message.summary.to_string()));
        }
        for side in Side::BOTH {
            let ending = enjamb::Ending::Closed;
            session.close(side, ending, &mut |message| lines.push(message.summary.to_string()));
        }
        assert_eq!(lines, ["frame", "RESET_LINK_STATES"]);
    }
}
