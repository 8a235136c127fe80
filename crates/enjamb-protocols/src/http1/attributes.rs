//! The attributes of a message. All of them are in its head, which the reader keeps anyway until
//! the message was emitted: at most 64 KiB.

use std::borrow::Cow;

use enjamb::{ArgumentType, Attribute, AttributeArgument, AttributeType, AttributeValue, Attributes};

use super::careful::name_and_value;
use super::head::{Head, StartLine, authority_and_rest};
use super::line::{is_blank, trim, without_cr};
use super::reader::Reader;

/// The attributes of HTTP messages.
pub const ATTRIBUTES: &[Attribute] = &[
    Attribute::new("method", AttributeType::Text, "the method of a request, as it was sent"),
    Attribute::new("target", AttributeType::Text, "the target of a request, as it was sent"),
    Attribute::new("path", AttributeType::Text, "the path of the target, without the query"),
    Attribute::new("query", AttributeType::Text, "the query of the target, without the `?`"),
    Attribute::new("host", AttributeType::Text, "the host and port of the target or, without one there, of `Host`"),
    Attribute::new("status", AttributeType::Number, "the status of a response"),
    Attribute::new("version", AttributeType::Text, "the version, `1.0` or `1.1`"),
    Attribute::new("header", AttributeType::Text, "the value of a header; several values are joined by `, `")
        .with(ArgumentType::Text),
    Attribute::new("body_length", AttributeType::Bytes, "the length of the body, without its framing"),
];

impl Attributes for Reader {
    fn get(&self, name: &str, argument: AttributeArgument<'_>) -> Option<AttributeValue<'_>> {
        let bytes = self.head();
        match (name, argument) {
            ("header", AttributeArgument::Text(name)) => header(bytes, name).map(|value| match value {
                Cow::Borrowed(value) => AttributeValue::text(value),
                Cow::Owned(value) => AttributeValue::text(&value).into_owned(),
            }),
            (_, AttributeArgument::None) => {
                let head = self.message.head.as_ref()?;
                match name {
                    "version" => Some(AttributeValue::Text(Cow::Owned(format!("1.{}", head.start.minor())))),
                    "body_length" => Some(AttributeValue::Number(self.message.body)),
                    _ => of_start_line(head, bytes, name),
                }
            }
            _ => None,
        }
    }
}

/// Returns an attribute that the start line or the host of a request contains.
fn of_start_line<'b>(head: &Head, bytes: &'b [u8], name: &str) -> Option<AttributeValue<'b>> {
    let (method, target) = match head.start {
        StartLine::Response { status, .. } => {
            return (name == "status").then(|| AttributeValue::Number(status.into()));
        }
        StartLine::Request { method, target, .. } => (method.of_buffer(bytes), target.of_buffer(bytes)),
    };
    let text = match name {
        "method" => method,
        "target" => target,
        "path" => path_and_query(target)?.0,
        "query" => path_and_query(target)?.1?,
        "host" => Some(head.about.of_buffer(bytes)).filter(|host| !host.is_empty())?,
        _ => return None,
    };
    Some(AttributeValue::text(text))
}

/// Returns the path and the query of a target in origin form or absolute form (RFC 9112, section
/// 3.2). An absolute target without a path has the path `/` (RFC 9110, section 4.2.3).
fn path_and_query(target: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let rest = match target {
        [b'/', ..] => target,
        _ => authority_and_rest(target)?.1,
    };
    let rest = rest.split(|&byte| byte == b'#').next().unwrap_or_default();
    let (path, query) = match memchr::memchr(b'?', rest) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    Some((if path.is_empty() { b"/" } else { path }, query))
}

/// Returns the value of the header `name` in a head, or the part of the head that has arrived.
/// Several values are one list (RFC 9110, section 5.3).
fn header<'b>(head: &'b [u8], name: &str) -> Option<Cow<'b, [u8]>> {
    let mut rest = &head[memchr::memchr(b'\n', head)? + 1..];
    let mut joined: Option<Cow<'b, [u8]>> = None;
    while let Some((field, behind)) = next_field(rest) {
        rest = behind;
        let Some((field_name, value)) = name_and_value(field) else { continue };
        if !field_name.eq_ignore_ascii_case(name.as_bytes()) {
            continue;
        }
        let value = unfold(value);
        match &mut joined {
            None => joined = Some(value),
            Some(joined) => {
                let joined = joined.to_mut();
                joined.extend_from_slice(b", ");
                joined.extend_from_slice(&value);
            }
        }
    }
    joined
}

/// Returns the first whole field, with the lines that fold it, and the rest behind it. `None` at the
/// end of the head.
fn next_field(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut end = memchr::memchr(b'\n', rest)?;
    if without_cr(&rest[..end]).is_empty() {
        return None;
    }
    while rest.get(end + 1).is_some_and(|&byte| is_blank(byte)) {
        // The rest of the field may be missing, which would change its value.
        end += 1 + memchr::memchr(b'\n', &rest[end + 1..])?;
    }
    Some((&rest[..end], &rest[end + 1..]))
}

/// Replaces each fold by a space (RFC 9112, section 5.2).
fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'\n') {
        return Cow::Borrowed(value);
    }
    let lines: Vec<&[u8]> = value.split(|&byte| byte == b'\n').map(trim).collect();
    Cow::Owned(lines.join(&b' '))
}
