//! FIX 4.0 to 5.0 over TCP (FIX Session Layer; tag=value encoding).
//!
//! A message has fields, which end with the byte 1. The first ones are `8=` with the version and
//! `9=` with the length of the rest without its last field, `10=` with a checksum. A `Heartbeat`
//! answers the `TestRequest` with the same id, and the reports of an order have the order's id.

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side, Terminator};

use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::{id_of, number, starts_with_any};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Fix)
        .about("FIX 4.0 to 5.0, with checksums")
        .with_kinds("the type of message, such as `NewOrderSingle`")
        .with_attributes(&[Attribute::new("type", AttributeType::Text, "the type of a message (field 35)")])
        .sniffed_by(|_, first| starts_with_any(first, BEGINNINGS))
}

/// The rules of FIX.
#[derive(Debug)]
struct Fix;

const BEGINNINGS: &[&[u8]] = &[b"8=FIX.4.", b"8=FIXT.1.", b"8=FIX.5."];

/// The types of messages that are common, and their kinds (field 35).
const TYPES: &[(&str, &str)] = &[
    ("0", "Heartbeat"),
    ("1", "TestRequest"),
    ("2", "ResendRequest"),
    ("3", "Reject"),
    ("4", "SequenceReset"),
    ("5", "Logout"),
    ("6", "IOI"),
    ("7", "Advertisement"),
    ("8", "ExecutionReport"),
    ("9", "OrderCancelReject"),
    ("A", "Logon"),
    ("B", "News"),
    ("C", "Email"),
    ("D", "NewOrderSingle"),
    ("E", "NewOrderList"),
    ("F", "OrderCancelRequest"),
    ("G", "OrderCancelReplaceRequest"),
    ("H", "OrderStatusRequest"),
    ("J", "AllocationInstruction"),
    ("P", "AllocationInstructionAck"),
    ("Q", "DontKnowTrade"),
    ("R", "QuoteRequest"),
    ("S", "Quote"),
    ("V", "MarketDataRequest"),
    ("W", "MarketDataSnapshotFullRefresh"),
    ("X", "MarketDataIncrementalRefresh"),
    ("Y", "MarketDataRequestReject"),
    ("Z", "QuoteCancel"),
    ("a", "QuoteStatusRequest"),
    ("b", "MassQuoteAcknowledgement"),
    ("c", "SecurityDefinitionRequest"),
    ("d", "SecurityDefinition"),
    ("e", "SecurityStatusRequest"),
    ("f", "SecurityStatus"),
    ("g", "TradingSessionStatusRequest"),
    ("h", "TradingSessionStatus"),
    ("i", "MassQuote"),
    ("j", "BusinessMessageReject"),
    ("q", "OrderMassCancelRequest"),
    ("r", "OrderMassCancelReport"),
    ("s", "NewOrderCross"),
    ("x", "SecurityListRequest"),
    ("y", "SecurityList"),
    ("AB", "NewOrderMultileg"),
    ("AD", "TradeCaptureReportRequest"),
    ("AE", "TradeCaptureReport"),
    ("AF", "OrderMassStatusRequest"),
    ("BE", "UserRequest"),
    ("BF", "UserResponse"),
];

/// The byte behind a field.
const SOH: u8 = 1;

/// The longest first field or length, in bytes.
const FIELD_MAX: usize = 24;

/// The last field: `10=123` and the byte behind it.
const TRAILER: usize = 7;

/// The number of a `Logon` among requests: above all texts of up to seven bytes, and no hash.
const LOGON_ID: u64 = 1 << 62;

impl Rules for Fix {
    const NAME: &'static str = "fix";
    const KEPT_MAX: usize = 16 << 10;
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        let field = || Terminator::delimiter([SOH]).map(Next::Until).map_err(|_| Fault("a delimiter is empty"));
        match message.parts {
            0 => Ok(Next::Bytes(5)),
            1 if message.head != b"8=FIX" => Err(Fault("a message does not begin with 8=FIX")),
            1 => field(),
            2 if message.last.len() > FIELD_MAX => Err(Fault("the version is too long")),
            2 => field(),
            3 => {
                let digits = message.last.strip_prefix(b"9=").and_then(|rest| rest.strip_suffix(&[SOH]));
                let length = digits.filter(|digits| digits.len() <= FIELD_MAX).and_then(number);
                match length.ok_or(Fault("the second field is not a length"))? {
                    0 => Err(Fault("the length is 0")),
                    length => Ok(Next::Body(length)),
                }
            }
            4 => Ok(Next::Bytes(TRAILER as u64)),
            _ if message.last.starts_with(b"10=") && message.last.ends_with(&[SOH]) => Ok(Next::End),
            _ => Err(Fault("a message does not end where its length says")),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let head = frame.head;
        let Some(kind) = field(head, b"35") else { return Err(Fault("a message has no type")) };
        let report = Report::new(kind_of(kind));
        let id = |tag| field(head, tag).map(id_of);
        let asks = |report: Report<'a>, id: Option<u64>| match id {
            Some(id) => report.role(Role::RequestWithId(id)),
            None => report,
        };
        let answers = |report: Report<'a>, id: Option<u64>, last: bool| match id {
            Some(id) => report.role(Role::AnswerWithId { id, last }),
            None => report,
        };
        let failed = |report: Report<'a>, tag| {
            let code = field(head, tag).and_then(|code| std::str::from_utf8(code).ok()).unwrap_or_default();
            report.failed(code)
        };
        let symbol = field(head, b"55").unwrap_or_default();
        let report = match report.kind {
            "TestRequest" => asks(report, id(b"112")),
            "Heartbeat" => answers(report, id(b"112"), true),
            "Logon" if frame.side == Side::Client => report.role(Role::RequestWithId(LOGON_ID)),
            "Logon" => report.role(Role::AnswerWithId { id: LOGON_ID, last: true }),
            "Reject" => failed(report, b"373"),
            "BusinessMessageReject" => failed(report, b"380"),
            "NewOrderSingle" | "OrderCancelRequest" | "OrderCancelReplaceRequest" => {
                asks(report, id(b"11")).subject(symbol)
            }
            "OrderCancelReject" => failed(answers(report, id(b"11"), true), b"102"),
            "ExecutionReport" => {
                // Filled, done for the day, cancelled, replaced, rejected and expired orders change
                // no more.
                let last = matches!(field(head, b"39"), Some(b"2" | b"3" | b"4" | b"5" | b"8" | b"C"));
                let report = answers(report, id(b"11"), last).subject(symbol);
                if field(head, b"39") == Some(b"8") { failed(report, b"103") } else { report }
            }
            "MarketDataRequest" => asks(report, id(b"262")),
            "MarketDataSnapshotFullRefresh" => answers(report, id(b"262"), false),
            "MarketDataRequestReject" => failed(answers(report, id(b"262"), true), b"281"),
            "message" => report.subject(kind),
            _ => report,
        };
        Ok(if frame.is_kept() && !is_sum_right(head) { report.malformed("the checksum is wrong") } else { report })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        starts_with_any(bytes, BEGINNINGS)
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        field(head, b"35").map_or("message", kind_of)
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, ()>,
        _: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        if name == "type" { field(frame.head, b"35").map(AttributeValue::text) } else { None }
    }
}

/// Returns the value of the first field with this tag.
fn field<'a>(head: &'a [u8], tag: &[u8]) -> Option<&'a [u8]> {
    // The last piece is behind the last field, or cut off.
    let mut fields = head.split(|byte| *byte == SOH);
    fields.next_back();
    fields.find_map(|field| field.strip_prefix(tag)?.strip_prefix(b"="))
}

fn kind_of(kind: &[u8]) -> &'static str {
    TYPES.iter().find(|(code, _)| code.as_bytes() == kind).map_or("message", |(_, name)| name)
}

/// Returns whether the checksum is the sum of all bytes before its field, modulo 256.
fn is_sum_right(message: &[u8]) -> bool {
    let Some((body, trailer)) = message.len().checked_sub(TRAILER).map(|at| message.split_at(at)) else { return false };
    let sum = body.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    trailer.get(3..6).and_then(number) == Some(sum.into())
}
