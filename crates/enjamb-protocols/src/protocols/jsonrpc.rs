//! JSON-RPC 1.0 and 2.0, by lines, and with the headers of the Language Server Protocol (section
//! "Base Protocol").
//!
//! A message begins with a line. If that is JSON, it is the message. Otherwise it is the first
//! header: a blank line and as many bytes as `Content-Length` says follow. Both sides may ask. An
//! answer has the id of its request. Parameters and results are never shown.

pub(super) mod call;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use self::call::{Call, CallKind};
use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Seek};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::trim_line;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| JsonRpc)
        .alias("lsp")
        .alias("mcp")
        .about("JSON-RPC 1.0 and 2.0, by lines and by Content-Length")
        .with_kinds("`request`, `notification`, `response`, `error`, `batch`; `blank`")
        .with_attributes(&[Attribute::new("method", AttributeType::Text, "the method of a request or a notification")])
        .sniffed_by(sniff)
}

/// The rules of JSON-RPC.
#[derive(Debug)]
struct JsonRpc;

/// The message in progress.
#[derive(Debug, Default)]
struct Memo {
    /// Whether it has headers.
    has_headers: bool,
    content_length: Option<u64>,
}

/// The maximum number of headers.
const HEADERS_MAX: u64 = 32;

impl Rules for JsonRpc {
    const NAME: &'static str = "jsonrpc";
    const KEPT_MAX: usize = 256 << 10;
    const LINE_MAX: u64 = 64 << 20;
    const SEEK: Seek = Seek::Lines;
    type Memo = Memo;

    fn next(&self, message: Progress<'_, Memo>) -> Result<Next, Fault> {
        if message.parts == 0 {
            return Ok(Next::Line);
        }
        let line = trim_line(message.last);
        if message.parts == 1 {
            let Some(header) = header(line) else { return Ok(Next::End) };
            message.memo.has_headers = true;
            message.memo.content_length = content_length(header)?;
            return Ok(Next::Line);
        }
        if message.parts > HEADERS_MAX {
            return Err(Fault("there are too many headers"));
        }
        if line.is_empty() {
            let length = message.memo.content_length.ok_or(Fault("there is no Content-Length"))?;
            return Ok(Next::Last(length));
        }
        let header = header(line).ok_or(Fault("a header has no colon"))?;
        match (content_length(header)?, message.memo.content_length) {
            (Some(new), Some(old)) if new != old => return Err(Fault("two values of Content-Length differ")),
            (Some(length), _) => message.memo.content_length = Some(length),
            (None, _) => {}
        }
        Ok(Next::Line)
    }

    fn read<'a>(&mut self, frame: &Frame<'a, Memo>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let text = content(frame);
        let is_kept = frame.lost == 0
            && if frame.memo.has_headers {
                frame.memo.content_length == Some(text.len() as u64)
            } else {
                frame.is_kept()
            };
        if text.iter().all(u8::is_ascii_whitespace) {
            return Ok(if frame.memo.has_headers {
                Report::new("message").malformed("the content is empty")
            } else {
                Report::new("blank")
            });
        }
        let call = match Call::parse(text, is_kept) {
            Ok(call) => call,
            Err(fault) => return Ok(Report::new("message").malformed(fault.0)),
        };
        let kind = call.kind.name();
        let role = match (call.kind, call.id) {
            (CallKind::Request, Some(id)) => Role::RequestWithId(id),
            (CallKind::Response | CallKind::Error, Some(id)) => Role::AnswerWithId { id, last: true },
            (CallKind::Batch { asks: true }, Some(id)) => Role::RequestWithId(id),
            (CallKind::Batch { asks: false }, Some(id)) => Role::AnswerWithId { id, last: true },
            _ => Role::OneWay,
        };
        let report = Report::new(kind).role(role).subject(call.method.to_vec());
        Ok(match call.error {
            Some(code) => report.failed(code),
            None => report,
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        match begins_with(bytes, b"Content-Length:") {
            Sniff::No => match bytes {
                [] | [b'{' | b'['] => Sniff::More,
                [b'{', b'"', ..] | [b'[', b'{', ..] => Sniff::Yes,
                _ => Sniff::No,
            },
            sniff => sniff,
        }
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, Memo>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        (name == "method" && !report.subject.is_empty()).then(|| AttributeValue::text(&report.subject))
    }
}

/// Returns the JSON of a message.
fn content<'a>(frame: &Frame<'a, Memo>) -> &'a [u8] {
    match frame.memo.content_length {
        Some(length) if frame.memo.has_headers && length > 0 => frame.last,
        _ if frame.memo.has_headers => &[],
        _ => trim_line(frame.head),
    }
}

/// Returns the name and the value of a header, if the line is one.
fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_name = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    is_name.then(|| (name, value.trim_ascii()))
}

/// Returns the value of a `Content-Length`; `None` for other headers.
fn content_length((name, value): (&[u8], &[u8])) -> Result<Option<u64>, Fault> {
    if !name.eq_ignore_ascii_case(b"Content-Length") {
        return Ok(None);
    }
    let digits = std::str::from_utf8(value).ok().filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(length) => Ok(Some(length)),
        None => Err(Fault("the Content-Length is no number")),
    }
}

/// Compares the first bytes with some text, in any case.
fn begins_with(bytes: &[u8], text: &[u8]) -> Sniff {
    let common = bytes.len().min(text.len());
    match bytes[..common].eq_ignore_ascii_case(&text[..common]) {
        true if common == text.len() => Sniff::Yes,
        true => Sniff::More,
        false => Sniff::No,
    }
}

/// Returns whether the first bytes of a side are JSON-RPC: `Content-Length`, or an object with one
/// of the members that only JSON-RPC has so early.
fn sniff(_: Side, first: &[u8]) -> Sniff {
    match begins_with(first, b"Content-Length:") {
        Sniff::No => {}
        Sniff::Yes => return begins_head(first),
        sniff => return sniff,
    }
    let rest = first.strip_prefix(b"[").unwrap_or(first);
    let known = |name: &str| rest.windows(name.len()).any(|part| part == name.as_bytes());
    match rest {
        [] => Sniff::More,
        [b'{', ..] if known("\"jsonrpc\"") || known("\"method\"") => Sniff::Yes,
        [b'{'] | [b'{', b'"' | b' ', ..] => Sniff::More,
        _ => Sniff::No,
    }
}

/// Returns whether these bytes are a head of this protocol: only fields that begin with `Content-`,
/// and a JSON value behind it. The end of a head of HTTP may begin like that, too.
fn begins_head(first: &[u8]) -> Sniff {
    let mut rest = first;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, behind) = rest.split_at(end + 1);
        rest = behind;
        if matches!(line, b"\r\n" | b"\n") {
            return match rest {
                [] => Sniff::More,
                [b'{' | b'[', ..] => Sniff::Yes,
                _ => Sniff::No,
            };
        }
        if begins_with(line, b"Content-") != Sniff::Yes {
            return Sniff::No;
        }
    }
    match begins_with(rest, b"Content-") {
        _ if matches!(rest, [] | [b'\r']) => Sniff::More,
        Sniff::Yes => Sniff::More,
        sniff => sniff,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{C, S, lines, lines_midstream};

    fn with_length(text: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{text}", text.len())
    }

    const HELLO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"a":{"id":7,"method":"x"}}}"#;
    const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"error":1}}"#;

    #[test]
    fn the_end_of_a_head_of_http_is_not_taken_for_a_head() {
        assert_eq!(super::sniff(C, b"Content-Length: 7\r\nServer: x\r\n\r\n{"), super::Sniff::No);
        assert_eq!(super::sniff(C, b"Content-Length: 7\r\n\r\n<html>"), super::Sniff::No);
        assert_eq!(super::sniff(C, b"Content-Length: 7\r\nContent-Type: a\r\n\r\n{"), super::Sniff::Yes);
        assert_eq!(super::sniff(C, b"Content-Length: 7\r\nCont"), super::Sniff::More);
    }

    #[test]
    fn both_framings_pair_by_id() {
        let note = r#"{"jsonrpc":"2.0","method":"initialized"}"#;
        let error = r#"{"error":{"code":-32601,"message":"no"},"id":"a","jsonrpc":"2.0"}"#;
        let ask = r#"{"jsonrpc":"2.0","id":"a","method":"workspace/configuration"}"#;
        let kinds = |lines: Vec<String>| -> Vec<String> {
            let short = |line: &String| {
                let (head, tail) = line.split_once(" at ").unwrap();
                format!("{head} {}", tail.split_once(' ').unwrap().1)
            };
            lines.iter().map(short).collect()
        };
        let expected = [
            "client request ok: request initialize",
            "client notification ok: notification initialized",
            "server response ok answers #0: response",
            "server request ok: request workspace/configuration",
            "client error failed -32601 answers #1: error -32601",
        ];
        let by_length = [
            (C, with_length(HELLO) + &with_length(note)),
            (S, with_length(RESULT) + &with_length(ask)),
            (C, format!("Content-Type: application/vscode-jsonrpc\r\n{}", with_length(error))),
        ];
        assert_eq!(kinds(lines("jsonrpc", &by_length)), expected);
        assert_eq!(kinds(lines("auto", &by_length)), expected);
        let by_line =
            [(C, format!("{HELLO}\n{note}\r\n")), (S, format!("{RESULT}\n{ask}\n")), (C, format!("{error}\n"))];
        assert_eq!(kinds(lines("jsonrpc", &by_line)), expected);
        assert_eq!(kinds(lines("auto", &by_line)), expected);
    }

    #[test]
    fn characters_that_a_cut_parts_and_lines_that_come_together_are_read() {
        let line = "{\"method\":\"\u{1f600}\",\"id\":null}\n";
        let seen = lines("jsonrpc", &[(C, format!("{line}{line}"))]);
        assert_eq!(seen[1], format!("client notification at {0}+{0} ok: notification \u{1f600}", line.len()));
    }

    #[test]
    fn a_batch_is_answered_by_the_batch_with_the_same_ids() {
        let ask = r#"[{"id":1,"method":"a"},{"method":"n"},{"id":2,"method":"b"}]"#;
        let other = r#"[{"id":3,"method":"c"}]"#;
        let notes = r#"[{"method":"n"}]"#;
        let answer = r#"[{"id":2,"result":1},{"id":1,"error":{"message":"x","code":-1}}]"#;
        let lines = lines("jsonrpc", &[(C, format!("{ask}\n{other}\n{notes}\n")), (S, format!("{answer}\n"))]);
        assert_eq!(lines[3], format!("server batch at 0+{} failed -1 answers #0: batch -1", answer.len() + 1));
    }

    #[test]
    fn what_is_no_json_rpc_is_malformed() {
        for (text, reason) in [
            ("{\"id\":1,\n", "it is no JSON"),
            ("[1 2]\n", "a batch has an element that is no object"),
            ("{\"id\":1,\"result\":0} x\n", "it is no JSON"),
            ("[]\n", "a batch is empty"),
            ("{\"a\":1}\n", "it is neither a request nor an answer"),
            ("7\n", "it is neither an object nor a batch"),
            ("Content-Length: 0\r\n\r\n", "the content is empty"),
            ("Content-Length: x\r\n\r\n", "the Content-Length is no number"),
            ("Content-Length: 99999999999999999999\r\n\r\n", "the Content-Length is no number"),
            ("Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "two values of Content-Length differ"),
            ("Content-Type: a\r\n\r\n", "there is no Content-Length"),
        ] {
            let behind = format!("{text}{}", with_length(HELLO));
            let lines = lines("jsonrpc", &[(C, behind)]);
            assert!(lines[0].contains(reason), "{lines:?}");
            assert!(lines.last().unwrap().contains("request initialize"), "{lines:?}");
        }
    }

    #[test]
    fn a_huge_length_and_deep_nesting_cost_no_memory() {
        let lines_of_huge = lines("jsonrpc", &[(C, "Content-Length: 18446744073709551615\r\n\r\n{")]);
        assert!(lines_of_huge[0].contains("incomplete"), "{lines_of_huge:?}");
        let deep = format!("{}\n", "[".repeat(1_000_000));
        assert_eq!(lines("jsonrpc", &[(C, deep)]).len(), 1);
    }

    #[test]
    fn a_capture_that_joined_in_the_middle_begins_at_the_next_message() {
        let seen = lines_midstream("jsonrpc", C, format!("\"x\"}}\n{HELLO}\n").as_bytes());
        assert!(seen[1].contains("request initialize"), "{seen:?}");
    }
}
