//! IEC 60870-5-104.
//!
//! A frame (APDU) is 0x68, a length, four control bytes, and perhaps an ASDU. The control bytes
//! make it a numbered transfer (I), an acknowledgement (S) or a control of the connection (U). A
//! command is confirmed by an ASDU of the same type and addresses whose cause is another.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Iec104)
        .alias("104")
        .on_ports(&[2404])
        .about("IEC 60870-5-104: transfers by type of ASDU, acknowledgements, controls")
        .with_kinds("the type of ASDU, such as `M_SP_NA_1`, `S`, the control, such as `STARTDT act`")
        .with_attributes(&[
            Attribute::new("cause", AttributeType::Number, "the cause of transmission of an ASDU"),
            Attribute::new("address", AttributeType::Number, "the common address of an ASDU"),
        ])
        .sniffed_by(sniff)
}

/// The rules of IEC 60870-5-104.
#[derive(Debug)]
struct Iec104;

const START: u8 = 0x68;

/// The number of control bytes, which is the shortest length of a frame.
const CONTROL: u8 = 4;

/// The types of ASDUs (IEC 60870-5-101, clause 7.2.1; 60870-5-104, clause 8).
const TYPES: &[(u8, &str)] = &[
    (1, "M_SP_NA_1"),
    (2, "M_SP_TA_1"),
    (3, "M_DP_NA_1"),
    (4, "M_DP_TA_1"),
    (5, "M_ST_NA_1"),
    (6, "M_ST_TA_1"),
    (7, "M_BO_NA_1"),
    (8, "M_BO_TA_1"),
    (9, "M_ME_NA_1"),
    (10, "M_ME_TA_1"),
    (11, "M_ME_NB_1"),
    (12, "M_ME_TB_1"),
    (13, "M_ME_NC_1"),
    (14, "M_ME_TC_1"),
    (15, "M_IT_NA_1"),
    (16, "M_IT_TA_1"),
    (17, "M_EP_TA_1"),
    (18, "M_EP_TB_1"),
    (19, "M_EP_TC_1"),
    (20, "M_PS_NA_1"),
    (21, "M_ME_ND_1"),
    (30, "M_SP_TB_1"),
    (31, "M_DP_TB_1"),
    (32, "M_ST_TB_1"),
    (33, "M_BO_TB_1"),
    (34, "M_ME_TD_1"),
    (35, "M_ME_TE_1"),
    (36, "M_ME_TF_1"),
    (37, "M_IT_TB_1"),
    (38, "M_EP_TD_1"),
    (39, "M_EP_TE_1"),
    (40, "M_EP_TF_1"),
    (45, "C_SC_NA_1"),
    (46, "C_DC_NA_1"),
    (47, "C_RC_NA_1"),
    (48, "C_SE_NA_1"),
    (49, "C_SE_NB_1"),
    (50, "C_SE_NC_1"),
    (51, "C_BO_NA_1"),
    (58, "C_SC_TA_1"),
    (59, "C_DC_TA_1"),
    (60, "C_RC_TA_1"),
    (61, "C_SE_TA_1"),
    (62, "C_SE_TB_1"),
    (63, "C_SE_TC_1"),
    (64, "C_BO_TA_1"),
    (70, "M_EI_NA_1"),
    (100, "C_IC_NA_1"),
    (101, "C_CI_NA_1"),
    (102, "C_RD_NA_1"),
    (103, "C_CS_NA_1"),
    (104, "C_TS_NA_1"),
    (105, "C_RP_NA_1"),
    (106, "C_CD_NA_1"),
    (107, "C_TS_TA_1"),
    (110, "P_ME_NA_1"),
    (111, "P_ME_NB_1"),
    (112, "P_ME_NC_1"),
    (113, "P_AC_NA_1"),
    (120, "F_FR_NA_1"),
    (121, "F_SR_NA_1"),
    (122, "F_SC_NA_1"),
    (123, "F_LS_NA_1"),
    (124, "F_AF_NA_1"),
    (125, "F_SG_NA_1"),
    (126, "F_DR_TA_1"),
    (127, "F_SC_NB_1"),
];

/// The controls of the connection: each bit is a request or its confirmation.
const CONTROLS: &[(u8, &str)] = &[
    (0x07, "STARTDT act"),
    (0x0b, "STARTDT con"),
    (0x13, "STOPDT act"),
    (0x23, "STOPDT con"),
    (0x43, "TESTFR act"),
    (0x83, "TESTFR con"),
];

/// The causes of commands and of what confirms them: activation and deactivation.
const ACTIVATION: u8 = 6;
const ACTIVATION_CON: u8 = 7;
const DEACTIVATION: u8 = 8;
const DEACTIVATION_CON: u8 = 9;

/// The negative bit of a cause, and the bits of the cause itself.
const NEGATIVE: u8 = 0x40;
const CAUSE: u8 = 0x3f;

/// The causes that report an unknown type, cause, address or object.
const UNKNOWN: std::ops::RangeInclusive<u8> = 44..=47;

impl Rules for Iec104 {
    const NAME: &'static str = "iec104";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        match *message.head {
            [START, length @ CONTROL..=255, ..] => Ok(Next::Last(length.into())),
            [START, _, ..] => Err(Fault("the length is less than four")),
            [] => Ok(Next::Bytes(2)),
            _ => Err(Fault("a frame does not begin with 0x68")),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let mut fields = Cursor::new(&frame.head[2..]);
        let control = fields.array::<4>()?;
        if control[0] & 1 == 0 {
            return transfer(fields);
        }
        if control[0] & 3 == 1 {
            return Ok(Report::new("S"));
        }
        let Some((_, name)) = CONTROLS.iter().find(|(known, _)| *known == control[0]) else {
            return Err(Fault("a control frame does not have exactly one bit"));
        };
        // A control is above all ids of ASDUs.
        let id = 1 << 63 | u64::from(matches!(control[0], 0x13 | 0x23)) | u64::from(control[0] >> 6 != 0) << 1;
        let is_request = matches!(control[0], 0x07 | 0x13 | 0x43);
        let role = if is_request { Role::RequestWithId(id) } else { Role::AnswerWithId { id, last: true } };
        Ok(Report::new(name).role(role))
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        match *bytes {
            [START, CONTROL, first, 0, 0, 0, ..] if CONTROLS.iter().any(|(known, _)| *known == first) => Sniff::Yes,
            [START, CONTROL, 1, 0, low, _, ..] if low & 1 == 0 => Sniff::Yes,
            [START, CONTROL, _, _, _, _, ..] => Sniff::No,
            // The type, a number of objects, a cause and an originator.
            [START, 14..=253, send, _, receive, _, kind, objects, cause, ..] => {
                let known = TYPES.iter().any(|(known, _)| *known == kind);
                let fits = objects & 0x7f > 0 && (1..=47).contains(&(cause & CAUSE));
                if known && fits && send & 1 == 0 && receive & 1 == 0 { Sniff::Yes } else { Sniff::No }
            }
            [START, CONTROL | 14..=253, ..] | [START] | [] => Sniff::More,
            _ => Sniff::No,
        }
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        match *head {
            [START, _, control, ..] if control & 1 == 0 => "I",
            [START, _, control, ..] if control & 3 == 1 => "S",
            _ => "frame",
        }
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, ()>,
        _: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let [START, _, control, _, _, _, _, _, cause, _, low, high, ..] = *frame.head else { return None };
        match name {
            _ if control & 1 == 1 => None,
            "cause" => Some(AttributeValue::Number((cause & CAUSE).into())),
            "address" => Some(AttributeValue::Number(u16::from_le_bytes([low, high]).into())),
            _ => None,
        }
    }
}

/// Reads the ASDU of a numbered transfer.
fn transfer(mut fields: Cursor<'_>) -> Result<Report<'_>, Fault> {
    let (kind, _objects, cause, _originator) = (fields.u8()?, fields.u8()?, fields.u8()?, fields.u8()?);
    let address = fields.u16_le()?;
    let object = fields.array::<3>().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0])).unwrap_or_default();
    let name = TYPES.iter().find(|(known, _)| *known == kind).map_or("I", |(_, name)| *name);
    let subject = format!("address {address} object {object} cause {}", cause & CAUSE).into_bytes();
    let report = Report::new(name).subject(subject);
    let id = |part: u8| u64::from(part) << 56 | u64::from(kind) << 40 | u64::from(address) << 24 | u64::from(object);
    let answer = |part| Role::AnswerWithId { id: id(part), last: true };
    let report = match cause & CAUSE {
        cause @ (ACTIVATION | DEACTIVATION) => report.role(Role::RequestWithId(id(cause))),
        ACTIVATION_CON => report.role(answer(ACTIVATION)),
        DEACTIVATION_CON => report.role(answer(DEACTIVATION)),
        code if UNKNOWN.contains(&code) => report.role(answer(ACTIVATION)),
        _ => report,
    };
    Ok(match cause {
        code if UNKNOWN.contains(&(code & CAUSE)) => {
            let names = ["unknown type", "unknown cause", "unknown address", "unknown object"];
            report.failed(names[usize::from((code & CAUSE) - UNKNOWN.start())])
        }
        code if code & NEGATIVE != 0 => report.failed(Cow::Borrowed("negative")),
        _ => report,
    })
}

/// Returns whether the first bytes of a connection are IEC 60870-5-104.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    Iec104.begins(side, first)
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use super::Iec104;
    use crate::kit::Conversation;

    #[test]
    fn controls_and_commands_are_confirmed() {
        let mut session = Conversation::new(Iec104);
        let mut lines = Vec::new();
        let command = b"\x68\x0e\0\0\0\0\x64\x01\x06\0\x01\0\0\0\0\x14";
        let confirmation = b"\x68\x0e\0\0\x02\0\x64\x01\x47\0\x01\0\0\0\0\x14";
        let chunks: [(Side, &[u8]); 5] = [
            (Side::Client, b"\x68\x04\x07\0\0\0"),
            (Side::Server, b"\x68\x04\x0b\0\0\0\x68\x04\x43\0\0\0"),
            (Side::Client, b"\x68\x04\x83\0\0\0"),
            (Side::Client, command),
            (Side::Server, confirmation),
        ];
        for (side, bytes) in chunks {
            for chunk in bytes.chunks(3) {
                session.feed(side, chunk, &mut |message| {
                    lines.push((message.summary.to_string(), message.answers));
                });
            }
        }
        let lines: Vec<_> = lines.iter().map(|(line, answers)| (line.as_str(), *answers)).collect();
        let expected = [
            ("STARTDT act", None),
            ("STARTDT con", Some(0)),
            ("TESTFR act", None),
            ("TESTFR con", Some(1)),
            ("C_IC_NA_1 address 1 object 0 cause 6", None),
            ("C_IC_NA_1 negative address 1 object 0 cause 7", Some(2)),
        ];
        assert_eq!(lines, expected);
    }
}
