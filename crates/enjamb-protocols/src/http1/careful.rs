//! The careful parsing of heads: for those that break a rule, and for those that a strict parser
//! refuses although recipients may accept them.
//!
//! Everything that can be read is read, so that the end of the message is known wherever it can be:
//! a header that is no header does not hide the length behind it. The first error is the reason of
//! the message; findings that do not make it malformed are flags.

use enjamb::Side;

use super::flags::{Flag, FlagSet};
use super::framing::Fields;
use super::head::{self, FIELDS_MAX, Head, Parsed, Part, StartLine};
use super::line::{is_blank, is_token, trim, without_cr};
use super::method;
use super::syntax_error::SyntaxError;

/// Parses a head of `side`, including the blank line.
pub(super) fn parse(side: Side, bytes: &[u8]) -> Parsed {
    let (first, rest) = split_line(bytes);
    let mut parsed = Parsed::default();
    parsed.fields.flags.add_if(!first.ends_with(b"\r"), Flag::BareLf);
    let start = start_line(side, without_cr(first), bytes, &mut parsed);
    let mut headers = Headers { side, ..Headers::default() };
    headers.read(rest, &mut parsed);
    parsed.error = parsed.error.or(headers.error);
    parsed.fields.flags.add_if(headers.count > FIELDS_MAX, Flag::ManyHeaders);
    if side == Side::Client {
        parsed.kind = method::kind_of_line(first);
    }
    parsed.head = start.map(|start| {
        let about = match start {
            StartLine::Request { target, minor, .. } => {
                head::host(target.of_buffer(bytes), headers.about, headers.hosts, minor, &mut parsed.fields)
            }
            StartLine::Response { .. } => headers.about.map(head::media_type).unwrap_or_default(),
        };
        Head { start, about: Part::of(about, bytes) }
    });
    parsed
}

/// Returns the error of a start line that is not well-formed.
pub(super) fn start_line_error(side: Side, line: &[u8]) -> Option<SyntaxError> {
    let mut parsed = Parsed::default();
    start_line(side, line, line, &mut parsed);
    parsed.error
}

/// Returns the first line without its LF, and the rest.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'\n', bytes) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

/// Reads a start line without its line end. Where it is malformed, the error is in `parsed`.
fn start_line(side: Side, line: &[u8], bytes: &[u8], parsed: &mut Parsed) -> Option<StartLine> {
    let read = match side {
        Side::Client => request_line(line, bytes, &mut parsed.fields.flags),
        Side::Server => status_line(line, bytes, &mut parsed.fields),
    };
    parsed.fields.flags.add_if(line.contains(&b'\r'), Flag::BareCr);
    match read {
        Ok(start) => Some(start),
        Err(error) => {
            parsed.error = Some(error);
            None
        }
    }
}

/// Reads `METHOD TARGET HTTP/1.x`. RFC 9112, section 3, allows any white space between the parts.
fn request_line(line: &[u8], bytes: &[u8], flags: &mut FlagSet) -> Result<StartLine, SyntaxError> {
    let version = line.iter().rposition(|&byte| is_blank(byte)).ok_or(SyntaxError::RequestLine)?;
    let (before, version) = (&line[..version], &line[version + 1..]);
    let name = before.iter().position(|&byte| is_blank(byte)).ok_or(SyntaxError::RequestLine)?;
    let (method, target) = (&before[..name], trim(&before[name..]));
    let minor = minor_of(version)?;
    if method.is_empty() || !method.iter().all(|&byte| is_token(byte)) {
        return Err(SyntaxError::Method);
    }
    if target.is_empty() {
        return Err(SyntaxError::RequestLine);
    }
    if target.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(SyntaxError::TargetControl);
    }
    if target.iter().any(|&byte| is_blank(byte)) {
        return Err(SyntaxError::TargetSpace);
    }
    flags.add_if(line.len() != method.len() + target.len() + version.len() + 2, Flag::ExtraSpace);
    flags.add_if(line.contains(&b'\t'), Flag::ExtraSpace);
    Ok(StartLine::Request { method: Part::of(method, bytes), target: Part::of(target, bytes), minor })
}

/// Returns the minor number of a version `HTTP/1.x`. Any of them is read as HTTP/1.1, except 0
/// (RFC 9110, section 2.5).
fn minor_of(version: &[u8]) -> Result<u8, SyntaxError> {
    match version {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] if minor.is_ascii_digit() => Ok(minor - b'0'),
        _ if version.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"HTTP/")) => Err(SyntaxError::Version),
        _ => Err(SyntaxError::RequestLine),
    }
}

/// Reads `HTTP/1.x STATUS` and a phrase, which may be absent with its space.
fn status_line(line: &[u8], bytes: &[u8], fields: &mut Fields) -> Result<StartLine, SyntaxError> {
    let end = line.iter().position(|&byte| is_blank(byte)).unwrap_or(line.len());
    let (version, rest) = line.split_at(end);
    let minor = match minor_of(version) {
        Err(SyntaxError::RequestLine) => Err(SyntaxError::StatusLine),
        minor => minor,
    }?;
    let blanks = rest.iter().take_while(|&&byte| is_blank(byte)).count();
    let rest = &rest[blanks..];
    let (digits, phrase) = match rest {
        [a, b, c, phrase @ ..] if [a, b, c].iter().all(|digit| digit.is_ascii_digit()) => ([*a, *b, *c], phrase),
        _ => return Err(SyntaxError::Status),
    };
    if phrase.first().is_some_and(|&byte| !is_blank(byte)) {
        return Err(SyntaxError::Status);
    }
    fields.flags.add_if(blanks != 1 || line.get(end) == Some(&b'\t'), Flag::ExtraSpace);
    fields.flags.add_if(phrase.first() == Some(&b'\t'), Flag::ExtraSpace);
    let phrase = trim(phrase);
    if phrase.iter().any(|byte| matches!(byte, 0 | b'\r')) {
        return Err(SyntaxError::PhraseControl);
    }
    fields.flags.add_if(phrase.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t'), Flag::ControlCharacter);
    let status = digits.iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
    Ok(head::status_line(status, Part::of(phrase, bytes), minor, fields))
}

/// The headers of a head, as they are read.
struct Headers<'b> {
    side: Side,
    count: usize,
    hosts: usize,
    /// The value of the first field that a summary shows.
    about: Option<&'b [u8]>,
    error: Option<SyntaxError>,
}

impl Default for Headers<'_> {
    fn default() -> Self {
        Self { side: Side::Client, count: 0, hosts: 0, about: None, error: None }
    }
}

impl<'b> Headers<'b> {
    /// Reads lines up to the blank one.
    fn read(&mut self, mut rest: &'b [u8], parsed: &mut Parsed) {
        loop {
            let (mut line, mut behind) = split_line(rest);
            parsed.fields.flags.add_if(!line.ends_with(b"\r"), Flag::BareLf);
            if without_cr(line).is_empty() {
                return;
            }
            // A folded header goes on in the lines that begin with a blank (RFC 9112, section 5.2).
            let mut folded = false;
            while behind.first().is_some_and(|&byte| is_blank(byte)) {
                let (more, next) = split_line(behind);
                parsed.fields.flags.add_if(!more.ends_with(b"\r"), Flag::BareLf);
                line = &rest[..line.len() + 1 + more.len()];
                behind = next;
                folded = true;
            }
            self.count += 1;
            self.field(line, folded, &mut parsed.fields);
            rest = behind;
        }
    }

    /// Reads one header, without its last LF.
    fn field(&mut self, line: &'b [u8], folded: bool, fields: &mut Fields) {
        let error = check(self.side, line, folded, self.count == 1, &mut fields.flags);
        self.error = self.error.or(error);
        let Some((name, value)) = name_and_value(line) else { return };
        match (self.side, name.len()) {
            (Side::Client, 4) if name.eq_ignore_ascii_case(b"host") => {
                self.hosts += 1;
                self.about = self.about.or(Some(value));
            }
            (Side::Server, 12) if name.eq_ignore_ascii_case(b"content-type") => {
                self.about = self.about.or(Some(value));
            }
            _ => fields.see(name, value),
        }
    }
}

/// Returns the name and the value of a field, without the blanks around them.
pub(super) fn name_and_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    Some((trim(&line[..colon]), trim(&line[colon + 1..])))
}

/// Judges a header or a trailer without its last LF by RFC 9112, sections 2.2, 5.1 and 5.2, and RFC
/// 9110, section 5.5. `first`: no other field was before it.
pub(super) fn check(side: Side, line: &[u8], folded: bool, first: bool, flags: &mut FlagSet) -> Option<SyntaxError> {
    let line = without_cr(line);
    if line.first().is_some_and(|&byte| is_blank(byte)) {
        flags.add(Flag::ObsFold);
        if first {
            return Some(SyntaxError::SpaceBeforeHeaders);
        }
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Some(SyntaxError::NoColon);
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let spaced = name.last().is_some_and(|&byte| is_blank(byte));
    // Not `trim`: a CR before a name is no blank.
    let begin = name.iter().take_while(|&&byte| is_blank(byte)).count();
    let end = name.iter().rposition(|&byte| !is_blank(byte)).map_or(begin, |last| last + 1);
    let name = &name[begin..end];
    let mut error = None;
    if name.is_empty() {
        error = Some(SyntaxError::NoName);
    } else if !name.iter().all(|&byte| is_token(byte)) {
        error = Some(SyntaxError::NameNotAToken);
    } else if spaced {
        flags.add(Flag::SpaceBeforeColon);
        // Section 5.1: a server refuses such a request; a recipient of a response removes it.
        error = (side == Side::Client).then_some(SyntaxError::SpaceBeforeColon);
    }
    if folded {
        flags.add(Flag::ObsFold);
        // Section 5.2: a server refuses it or unfolds it.
        error = error.or((side == Side::Client).then_some(SyntaxError::Folded));
    }
    error.or(check_value(value, flags))
}

/// Judges a line, without its LF, that continues a field (RFC 9112, section 5.2).
pub(super) fn check_fold(side: Side, line: &[u8], flags: &mut FlagSet) -> Option<SyntaxError> {
    flags.add(Flag::ObsFold);
    // A server refuses it or unfolds it.
    check_value(without_cr(line), flags).or((side == Side::Client).then_some(SyntaxError::Folded))
}

/// Judges a value, which may be folded: it then contains LFs.
fn check_value(value: &[u8], flags: &mut FlagSet) -> Option<SyntaxError> {
    let mut error = None;
    for (at, &byte) in value.iter().enumerate() {
        match byte {
            0 => error = error.or(Some(SyntaxError::ValueNul)),
            // A line end within a folded value.
            b'\n' => {}
            b'\r' if value.get(at + 1) == Some(&b'\n') => {}
            b'\r' => {
                flags.add(Flag::BareCr);
                error = error.or(Some(SyntaxError::ValueCr));
            }
            b'\t' => {}
            _ => flags.add_if(byte.is_ascii_control(), Flag::ControlCharacter),
        }
    }
    error
}
