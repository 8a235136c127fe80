//! `--ignore`: parts of messages that are not compared, because they are different each time.

use std::borrow::Cow;
use std::str::FromStr;

use enjamb::OwnedMessage;
use regex::bytes::Regex;

/// A part of messages that is not compared.
#[derive(Clone, Debug)]
pub(crate) enum Mask {
    /// Header fields with this name, in lower case. With a `*` at its end: all fields whose names
    /// begin with the rest.
    Header(String),
    /// Bytes that match.
    Pattern(Regex),
    /// Messages of this kind.
    Kind(String),
    /// The content of answers to messages of this kind. Whether they came and whether they are
    /// errors is still compared.
    Answer(String),
    /// The endings of streams.
    Ending,
    /// The parts that real servers send differently each time.
    Volatile,
}

/// The HTTP header fields that `volatile` includes.
const VOLATILE_HEADERS: &[&str] = &[
    "age",
    "date",
    "etag",
    "expires",
    "last-modified",
    "server",
    "set-cookie",
    "via",
    "x-cache*",
    "x-request-id",
    "x-runtime",
    "x-served-by",
    "x-timer",
    "x-amz-*",
    "cf-*",
    "traceparent",
];

/// The Redis commands whose answers `volatile` includes. They depend on time, on the process or on
/// chance.
const VOLATILE_ANSWERS: &[&str] = &[
    "ACL",
    "CLIENT",
    "CLUSTER",
    "COMMAND",
    "CONFIG",
    "DEBUG",
    "HELLO",
    "INFO",
    "LASTSAVE",
    "LATENCY",
    "MEMORY",
    "MONITOR",
    "OBJECT",
    "PSYNC",
    "RANDOMKEY",
    "ROLE",
    "SCAN",
    "SLOWLOG",
    "SPOP",
    "SRANDMEMBER",
    "SYNC",
    "TIME",
    "PTTL",
    "TTL",
    "XADD",
    "XINFO",
];

impl FromStr for Mask {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORMS: &str = "header:NAME, kind:NAME, answer:KIND, /REGEX/, ending or volatile";
        if let Some(pattern) = text.strip_prefix('/') {
            let pattern = pattern.strip_suffix('/').ok_or("the regular expression has no / at its end")?;
            if pattern.is_empty() {
                return Err("the regular expression is empty, and would match everywhere".to_owned());
            }
            let pattern = regex::bytes::RegexBuilder::new(pattern).size_limit(1 << 20).build();
            return pattern.map(Self::Pattern).map_err(|error| error.to_string());
        }
        let mask = match text.split_once(':') {
            Some((_, "")) => return Err(format!("there is nothing after the colon: expected {FORMS}")),
            Some(("header", name)) => Self::Header(name.to_ascii_lowercase()),
            Some(("kind", kind)) => Self::Kind(kind.to_owned()),
            Some(("answer", kind)) => Self::Answer(kind.to_owned()),
            None if text == "ending" => Self::Ending,
            None if text == "volatile" => Self::Volatile,
            _ => return Err(format!("expected {FORMS}")),
        };
        Ok(mask)
    }
}

/// Several masks, applied together.
#[derive(Clone, Copy)]
pub(crate) struct Masks<'m>(pub(crate) &'m [Mask]);

impl Masks<'_> {
    /// Returns whether a message is not compared at all.
    pub(crate) fn hides(self, message: &OwnedMessage) -> bool {
        self.0.iter().any(|mask| matches!(mask, Mask::Kind(kind) if *kind == message.kind))
    }

    /// Returns whether the content of answers to this message is not compared.
    pub(crate) fn hides_answer_to(self, request: &OwnedMessage, protocol: Option<&str>) -> bool {
        self.0.iter().any(|mask| match mask {
            Mask::Answer(kind) => *kind == request.kind,
            Mask::Volatile => protocol == Some("redis") && VOLATILE_ANSWERS.contains(&&*request.kind),
            _ => false,
        })
    }

    /// Returns whether the endings of streams are not compared.
    pub(crate) fn hides_ending(self) -> bool {
        self.0.iter().any(|mask| matches!(mask, Mask::Ending))
    }

    /// Returns a message without the parts that are not compared.
    pub(crate) fn apply<'b>(self, bytes: &'b [u8], protocol: Option<&str>) -> Cow<'b, [u8]> {
        let mut bytes = Cow::Borrowed(bytes);
        let is_http = protocol == Some("http1");
        let is_hidden = |name: &[u8]| {
            self.0.iter().any(|mask| match mask {
                Mask::Header(pattern) => is_named(name, pattern),
                Mask::Volatile => is_http && VOLATILE_HEADERS.iter().any(|pattern| is_named(name, pattern)),
                _ => false,
            })
        };
        if let Some(without) = without_fields(&bytes, is_hidden) {
            bytes = Cow::Owned(without);
        }
        for mask in self.0 {
            if let Mask::Pattern(pattern) = mask
                && let Cow::Owned(replaced) = pattern.replace_all(&bytes, regex::bytes::NoExpand(b"*"))
            {
                bytes = Cow::Owned(replaced);
            }
        }
        bytes
    }
}

fn is_named(name: &[u8], pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start.as_bytes())),
        None => name.eq_ignore_ascii_case(pattern.as_bytes()),
    }
}

/// Returns a message without the hidden fields of its head, including their continuation lines.
/// `None`: there are no hidden fields.
fn without_fields(bytes: &[u8], is_hidden: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let mut rest = bytes;
    let mut any = false;
    let mut hiding = false;
    let mut first = true;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, others) = rest.split_at(end);
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        // The first line is the start line, whatever it looks like. A line that begins with a blank
        // continues the field before it (RFC 9112, section 5.2).
        hiding = match line.first() {
            Some(b' ' | b'\t') => hiding,
            _ if first => false,
            _ => line.iter().position(|byte| *byte == b':').is_some_and(|colon| is_hidden(&line[..colon])),
        };
        first = false;
        any |= hiding;
        if !hiding {
            kept.extend_from_slice(line);
        }
        rest = others;
    }
    kept.extend_from_slice(rest);
    any.then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(masks: &[&str], bytes: &str, protocol: &str) -> String {
        let masks: Vec<Mask> = masks.iter().map(|mask| mask.parse().unwrap()).collect();
        String::from_utf8(Masks(&masks).apply(bytes.as_bytes(), Some(protocol)).into_owned()).unwrap()
    }

    #[test]
    fn masked_parts_are_removed() {
        let response = "HTTP/1.1 200 OK\r\nDate: now\r\nX-A: 1\r\n 2\r\nx-b: 3\r\n\r\nDate: in the body\r\n";
        for (masks, protocol, left) in [
            (&["header:DATE"][..], "http1", "HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nx-b: 3\r\n\r\nDate: in the body\r\n"),
            (&["header:x-*", "volatile"], "http1", "HTTP/1.1 200 OK\r\n\r\nDate: in the body\r\n"),
            (&["volatile"], "redis", response),
            (
                &["/[0-9]+/", "header:date"],
                "http1",
                "HTTP/*.* * OK\r\nX-A: *\r\n *\r\nx-b: *\r\n\r\nDate: in the body\r\n",
            ),
        ] {
            assert_eq!(masked(masks, response, protocol), left, "{masks:?}");
        }
        assert_eq!(masked(&["/run_id:[0-9a-f]+/"], "$9\r\nrun_id:a1\r\n", "redis"), "$9\r\n*\r\n");
    }

    #[test]
    fn a_wrong_mask_is_refused_with_the_correct_forms() {
        for (text, says) in [
            ("headr:date", "expected header:NAME"),
            ("header:", "there is nothing after the colon"),
            ("/abc", "no / at its end"),
            ("/(/", "unclosed group"),
            ("//", "empty"),
            ("date", "expected header:NAME"),
        ] {
            let error = text.parse::<Mask>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
