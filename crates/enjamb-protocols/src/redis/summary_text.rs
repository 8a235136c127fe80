//! The text of a summary while it is written.

use std::fmt::{self, Write as _};

/// The text of a summary. Its bytes are valid UTF-8.
#[derive(Default)]
pub(super) struct SummaryText(Vec<u8>);

impl SummaryText {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    #[inline]
    pub(super) fn push_str(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Writes a text as it is, if it is UTF-8.
    #[inline]
    pub(super) fn push_utf8(&mut self, text: &[u8]) -> bool {
        let is_utf8 = class(text) & HIGH == 0 || std::str::from_utf8(text).is_ok();
        if is_utf8 {
            self.0.extend_from_slice(text);
        }
        is_utf8
    }

    /// Writes a text as it is if it is a word, of printable ASCII characters without quotes. Else
    /// it is quoted.
    #[inline]
    pub(super) fn push_word_or_quoted(&mut self, text: &[u8]) {
        match class(text) {
            WORD if !text.is_empty() => self.0.extend_from_slice(text),
            class => self.push_quoted_as(text, class, false),
        }
    }

    /// Quotes as `redis-cli` does, but leaves UTF-8 readable. A text that was `cut` ends in an
    /// ellipsis, and a character that the cut broke is left out.
    #[inline]
    pub(super) fn push_quoted(&mut self, text: &[u8], cut: bool) {
        self.push_quoted_as(text, class(text), cut);
    }

    #[inline]
    fn push_quoted_as(&mut self, text: &[u8], class: u8, cut: bool) {
        self.0.push(b'"');
        if class & (ESCAPED | HIGH) == 0 {
            self.0.extend_from_slice(text);
        } else if class & HIGH == 0 || std::str::from_utf8(text).is_ok() {
            self.push_escaped(text);
        } else {
            self.push_escaped_bytes(text, cut);
        }
        if cut {
            self.push_str("…");
        }
        self.0.push(b'"');
    }

    fn push_escaped_bytes(&mut self, text: &[u8], cut: bool) {
        let mut chunks = text.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.push_escaped(chunk.valid().as_bytes());
            let broken_by_the_cut = cut
                && chunks.peek().is_none()
                && std::str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_none());
            if !broken_by_the_cut {
                for byte in chunk.invalid() {
                    let _ = write!(self, "\\x{byte:02x}");
                }
            }
        }
    }

    /// Writes valid UTF-8 with the escapes of `redis-cli`.
    fn push_escaped(&mut self, text: &[u8]) {
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| CLASSES[usize::from(*byte)] & ESCAPED != 0) {
            self.0.extend_from_slice(&rest[..at]);
            match rest[at] {
                b'"' => self.0.extend_from_slice(b"\\\""),
                b'\\' => self.0.extend_from_slice(b"\\\\"),
                b'\n' => self.0.extend_from_slice(b"\\n"),
                b'\r' => self.0.extend_from_slice(b"\\r"),
                b'\t' => self.0.extend_from_slice(b"\\t"),
                0x07 => self.0.extend_from_slice(b"\\a"),
                0x08 => self.0.extend_from_slice(b"\\b"),
                byte => {
                    let _ = write!(self, "\\x{byte:02x}");
                }
            }
            rest = &rest[at + 1..];
        }
        self.0.extend_from_slice(rest);
    }
}

impl fmt::Write for SummaryText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

/// The class of a text that is a word.
const WORD: u8 = 0;

/// The class of bytes that no word has.
const QUOTED: u8 = 1;

/// The class of bytes that need an escape between quotes.
const ESCAPED: u8 = 2;

/// The class of bytes that may be a part of a UTF-8 sequence.
const HIGH: u8 = 4;

/// The classes of each byte.
const CLASSES: [u8; 256] = {
    let mut classes = [QUOTED | HIGH; 256];
    let mut byte = 0;
    while byte < 0x80 {
        classes[byte] = match byte as u8 {
            b'"' | b'\\' | 0..b' ' | 0x7f => QUOTED | ESCAPED,
            b' ' | b'\'' => QUOTED,
            _ => WORD,
        };
        byte += 1;
    }
    classes
};

/// Returns the classes of all bytes together.
#[inline]
fn class(text: &[u8]) -> u8 {
    text.iter().fold(WORD, |class, byte| class | CLASSES[usize::from(*byte)])
}
