//! `--ignore`: what is left out before two messages are compared, because it is another each time.

use std::borrow::Cow;
use std::str::FromStr;

use enjamb::OwnedMessage;
use regex::bytes::Regex;

/// One thing that is not compared.
#[derive(Clone, Debug)]
pub(crate) struct Mask(What);

#[derive(Clone, Debug)]
enum What {
    /// Header fields of this name, in lower case; with a `*` at its end, all that begin so.
    Header(String),
    /// What matches.
    Pattern(Regex),
    /// All of the messages of this kind.
    Kind(String),
    /// What the answers to messages of this kind say, beyond that they came and whether they are errors.
    Answer(String),
    /// How streams end.
    Ending,
    /// What real servers say differently each time.
    Volatile,
}

/// The header fields of HTTP that `volatile` stands for.
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

/// The Redis commands whose answers `volatile` stands for: what they say is of the time, of the process, or by chance.
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
            // What is compared is bytes.
            let pattern = regex::bytes::RegexBuilder::new(pattern).size_limit(1 << 20).build();
            return pattern.map(|pattern| Self(What::Pattern(pattern))).map_err(|error| error.to_string());
        }
        let what = match text.split_once(':') {
            Some((_, "")) => return Err(format!("nothing stands behind the colon: expected {FORMS}")),
            Some(("header", name)) => What::Header(name.to_ascii_lowercase()),
            Some(("kind", kind)) => What::Kind(kind.to_owned()),
            Some(("answer", kind)) => What::Answer(kind.to_owned()),
            None if text == "ending" => What::Ending,
            None if text == "volatile" => What::Volatile,
            _ => return Err(format!("expected {FORMS}")),
        };
        Ok(Self(what))
    }
}

/// Several masks together.
#[derive(Clone, Copy)]
pub(crate) struct Masks<'m>(pub(crate) &'m [Mask]);

impl Masks<'_> {
    /// Are all messages of this kind left out?
    pub(crate) fn leave_out(self, message: &OwnedMessage) -> bool {
        self.0.iter().any(|mask| matches!(&mask.0, What::Kind(kind) if *kind == message.kind))
    }

    /// Is it not compared what the answers to this message say?
    pub(crate) fn any_answer_to(self, request: &OwnedMessage, protocol: Option<&str>) -> bool {
        self.0.iter().any(|mask| match &mask.0 {
            What::Answer(kind) => *kind == request.kind,
            What::Volatile => protocol == Some("redis") && VOLATILE_ANSWERS.contains(&&*request.kind),
            _ => false,
        })
    }

    /// Is it not compared how streams end?
    pub(crate) fn any_ending(self) -> bool {
        self.0.iter().any(|mask| matches!(mask.0, What::Ending))
    }

    /// What is left of a message.
    pub(crate) fn apply<'b>(self, bytes: &'b [u8], protocol: Option<&str>) -> Cow<'b, [u8]> {
        let mut bytes = Cow::Borrowed(bytes);
        let is_http = protocol == Some("http1");
        let left_out = |name: &[u8]| {
            self.0.iter().any(|mask| match &mask.0 {
                What::Header(pattern) => is_named(name, pattern),
                What::Volatile => is_http && VOLATILE_HEADERS.iter().any(|pattern| is_named(name, pattern)),
                _ => false,
            })
        };
        if let Some(without) = without_fields(&bytes, left_out) {
            bytes = Cow::Owned(without);
        }
        for mask in self.0 {
            if let What::Pattern(pattern) = &mask.0
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

/// A message without the fields of its head that are left out, the lines that continue them included. `None`: there are none.
fn without_fields(bytes: &[u8], left_out: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let mut rest = bytes;
    let mut any = false;
    let mut leaving = false;
    let mut first = true;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, others) = rest.split_at(end);
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        // The first line is the start line, whatever it looks like; a blank at the beginning goes on with the field before (RFC 9112, section 5.2).
        leaving = match line.first() {
            Some(b' ' | b'\t') => leaving,
            _ if first => false,
            _ => line.iter().position(|byte| *byte == b':').is_some_and(|colon| left_out(&line[..colon])),
        };
        first = false;
        any |= leaving;
        if !leaving {
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
    fn what_is_masked_is_not_there() {
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
    fn what_is_no_mask_is_refused_with_the_way_out() {
        for (text, says) in [
            ("headr:date", "expected header:NAME"),
            ("header:", "nothing stands behind the colon"),
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
