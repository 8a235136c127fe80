//! The bytes of messages, kept as long as they may be shown.
//!
//! A session reports the place of its messages, not their bytes. It may report a message only after
//! more chunks have arrived, once it has detected the protocol. So the bytes of each side that no
//! message has reached yet are kept, up to a limit: the number of bytes that are shown of a
//! message, and at least [`KEPT_MIN`].

use std::fmt;

use enjamb::{Message, Span};

/// The minimum number of kept bytes that no message has reached. `auto` keeps as many before it has
/// detected the protocol, and they may contain several messages.
const KEPT_MIN: usize = 64 << 10;

/// The part of a message's bytes that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Show {
    /// The form in which the bytes are written.
    pub form: ShowForm,
    /// The maximum number of bytes that are shown of each message, from its beginning.
    pub limit: usize,
}

/// Copies the first bytes of a message, with its secrets overwritten, if it has any. Returns whether
/// it has. Only then the copy counts.
pub type Redactor = fn(message: &Message<'_>, bytes: &[u8], copy: &mut Vec<u8>) -> bool;

/// The form in which a message's bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowForm {
    /// Text. Control characters and invalid UTF-8 are escaped.
    Text,
    /// Hexadecimal digits.
    Hex,
}

/// The first bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// The form in which they are to be written.
    pub form: ShowForm,
    /// Their offset in the side's stream.
    pub offset: u64,
    /// The bytes: up to the limit, and to the first gap.
    pub bytes: &'a [u8],
    /// The number of further bytes that the message has.
    pub more: u64,
}

impl<'a> Payload<'a> {
    /// Returns the bytes as text, on one line.
    #[must_use]
    pub fn text(self) -> impl fmt::Display + 'a {
        Escaped(self.bytes)
    }

    /// Returns the bytes as hexadecimal digits, two for each byte.
    #[must_use]
    pub fn hex(self) -> impl fmt::Display + 'a {
        Hex(self.bytes)
    }
}

/// The bytes in the form in which they are to be written.
impl fmt::Display for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            ShowForm::Text => self.text().fmt(f),
            ShowForm::Hex => self.hex().fmt(f),
        }
    }
}

/// Bytes as text from which the bytes can be recovered: `\n`, `\r`, `\t`, `\\`, and `\xNN` for each
/// byte of other control characters and of invalid UTF-8.
struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let hex =
            |f: &mut fmt::Formatter<'_>, bytes: &[u8]| bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"));
        for part in self.0.utf8_chunks() {
            for c in part.valid().chars() {
                match c {
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    '\\' => f.write_str("\\\\")?,
                    c if c.is_control() => hex(f, c.encode_utf8(&mut [0; 4]).as_bytes())?,
                    c => f.write_char(c)?,
                }
            }
            hex(f, part.invalid())?;
        }
        Ok(())
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The bytes of both sides that may be shown.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) show: Show,
    pub(crate) kept: [Kept; 2],
    pub(crate) redactor: Option<Redactor>,
    /// The copy of the bytes of the last message with a secret.
    redacted: Vec<u8>,
}

impl Shown {
    pub(crate) fn new(show: Show, redactor: Option<Redactor>) -> Self {
        let kept = [Kept::new(show.limit), Kept::new(show.limit)];
        Self { show, kept, redactor, redacted: Vec::new() }
    }

    /// Returns the first bytes of the message that the session reported while `fed` was fed to its
    /// side.
    pub(crate) fn payload<'s>(&'s mut self, message: &Message<'_>, fed: Fed<'s>) -> Payload<'s> {
        let Self { show, kept, redactor, redacted } = self;
        let mut bytes = kept[message.side.index()].of(message.span, fed);
        let more = message.span.length.saturating_sub(bytes.len() as u64);
        if redactor.is_some_and(|redact| redact(message, bytes, redacted)) {
            bytes = redacted;
        }
        Payload { form: show.form, offset: message.span.offset, bytes, more }
    }
}

/// The bytes of one side's stream that are kept.
#[derive(Debug)]
pub(crate) struct Kept {
    limit: usize,
    /// The offset of the kept bytes. They have no gap between them.
    offset: u64,
    bytes: Vec<u8>,
    /// The end of the last message. No byte before it is needed.
    reported: u64,
}

/// The chunk that a session is being fed.
#[derive(Clone, Copy)]
pub(crate) struct Fed<'a> {
    pub(crate) offset: u64,
    pub(crate) bytes: &'a [u8],
}

impl Kept {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, offset: 0, bytes: Vec::new(), reported: 0 }
    }

    /// Returns the first bytes of the message that the session reported while `fed` was fed.
    pub(crate) fn of<'s>(&'s mut self, span: Span, fed: Fed<'s>) -> &'s [u8] {
        self.pass(span);
        let limit = usize::try_from(span.length).unwrap_or(usize::MAX).min(self.limit);
        let from = |offset: u64| span.offset.checked_sub(offset).and_then(|from| usize::try_from(from).ok());
        let rest = if let Some(from) = from(fed.offset) {
            fed.bytes.get(from..)
        } else if let Some(from) = from(self.offset) {
            self.extend(fed, from.saturating_add(limit));
            self.bytes.get(from..)
        } else {
            None
        };
        let rest = rest.unwrap_or_default();
        &rest[..rest.len().min(limit)]
    }

    /// Notes that no byte before the end of `span` is needed any more.
    pub(crate) fn pass(&mut self, span: Span) {
        self.reported = self.reported.max(span.end());
    }

    /// Keeps the bytes of `fed`, after the session has been fed them, that a later message may
    /// need.
    pub(crate) fn keep(&mut self, fed: Fed<'_>) {
        if let Some(passed) = self.reported.checked_sub(self.offset) {
            let passed = usize::try_from(passed).unwrap_or(usize::MAX).min(self.bytes.len());
            self.bytes.drain(..passed);
            self.offset += passed as u64;
        }
        if self.bytes.is_empty() {
            self.offset = self.reported.max(fed.offset);
        }
        self.extend(fed, self.limit.max(KEPT_MIN));
    }

    /// Appends the bytes of `fed` that follow the kept ones, up to `length` bytes in all. After a
    /// gap none do.
    fn extend(&mut self, fed: Fed<'_>, length: usize) {
        let end = self.offset + self.bytes.len() as u64;
        let Some(from) = end.checked_sub(fed.offset).and_then(|from| usize::try_from(from).ok()) else { return };
        let rest = fed.bytes.get(from..).unwrap_or_default();
        let more = length.saturating_sub(self.bytes.len()).min(rest.len());
        self.bytes.extend_from_slice(&rest[..more]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes shown of the message `span` that is reported while the chunk at offset `at` is
    /// fed.
    fn shown(kept: &mut Kept, span: (u64, u64), at: u64, bytes: &[u8]) -> Vec<u8> {
        kept.of(Span::between(span.0, span.1), Fed { offset: at, bytes }).to_vec()
    }

    #[test]
    fn a_message_in_several_chunks_is_shown_up_to_the_limit() {
        for (limit, expected) in [(100, "abcdefgh"), (8, "abcdefgh"), (7, "abcdefg"), (4, "abcd"), (0, "")] {
            let mut kept = Kept::new(limit);
            kept.keep(Fed { offset: 0, bytes: b"abc" });
            kept.keep(Fed { offset: 3, bytes: b"de" });
            assert_eq!(shown(&mut kept, (0, 8), 5, b"fghXYZ"), expected.as_bytes(), "{limit}");
            let next = &b"XYZ"[..limit.min(3)];
            assert_eq!(shown(&mut kept, (8, 11), 5, b"fghXYZ"), next);
        }
    }

    #[test]
    fn messages_that_are_reported_late_are_shown_whole() {
        let mut kept = Kept::new(10);
        kept.keep(Fed { offset: 0, bytes: b"one\ntw" });
        assert_eq!(shown(&mut kept, (0, 4), 6, b"o\nthree\n"), b"one\n");
        assert_eq!(shown(&mut kept, (4, 8), 6, b"o\nthree\n"), b"two\n");
        assert_eq!(shown(&mut kept, (8, 14), 6, b"o\nthree\n"), b"three\n");
        kept.keep(Fed { offset: 6, bytes: b"o\nthree\n" });
        assert_eq!(kept.bytes.len(), 0);
    }

    #[test]
    fn bytes_are_shown_up_to_a_gap_and_again_after_it() {
        let mut kept = Kept::new(10);
        kept.keep(Fed { offset: 0, bytes: b"hal" });
        assert_eq!(shown(&mut kept, (0, 103), 103, b""), b"hal");
        kept.keep(Fed { offset: 103, bytes: b"" });
        kept.keep(Fed { offset: 103, bytes: b"re" });
        assert_eq!(shown(&mut kept, (103, 108), 105, b"st\n"), b"rest\n");
    }

    #[test]
    fn kept_bytes_are_bounded() {
        let mut kept = Kept::new(1);
        for at in 0..100 {
            kept.keep(Fed { offset: at * 4096, bytes: &[0; 4096] });
        }
        assert_eq!(kept.bytes.len(), KEPT_MIN);
    }

    #[test]
    fn text_from_which_the_bytes_can_be_recovered() {
        let text = Escaped("a\r\n\t\\é\u{85}\u{1b}\u{7f}".as_bytes()).to_string() + &Escaped(b"\xff\xc3").to_string();
        assert_eq!(text, "a\\r\\n\\t\\\\é\\xc2\\x85\\x1b\\x7f\\xff\\xc3");
    }
}
