//! What is kept of a message, for its summary and for pairing: its first few values, and the first few bytes of each.
//!
//! Payloads are not buffered. A value is *begun* when its form and size are known, then given text as it
//! arrives; what passes a limit is counted and dropped, so an excerpt costs the same for a message of any size. Values
//! stand in the order of the wire, each with its depth: the tree of a nested reply, flattened.

use std::fmt::{self, Write as _};

/// How many values of a message are kept.
pub(super) const VALUES_MAX: usize = 8;

/// How many bytes of each are kept.
pub(super) const TEXT_MAX: usize = 80;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Bulk,
    Verbatim,
    BulkError,
    Simple,
    Error,
    Integer,
    Double,
    BigNumber,
    Boolean,
    Null,
    Array,
    Map,
    Set,
    Push,
    /// The header of an RDB snapshot, which is the reply to `SYNC`: a bulk that no CR LF follows.
    Snapshot,
}

impl Form {
    pub(super) fn is_error(self) -> bool {
        matches!(self, Self::Error | Self::BulkError)
    }

    pub(super) fn is_string(self) -> bool {
        matches!(self, Self::Bulk | Self::Simple)
    }
}

impl Value {
    /// It has, or announces, exactly so many elements or bytes.
    pub(super) fn is_of(&self, size: u64) -> bool {
        self.size == Size::Known(size)
    }
}

/// How much of something there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// Bytes of a text; elements of an array, a set or a push; pairs of a map.
    Known(u64),
    /// It ends when it says so.
    Streamed,
}

/// A value that was begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) form: Form,
    /// How many aggregates it is inside of.
    pub(super) depth: usize,
    pub(super) size: Size,
    /// Bytes of its text that were given, kept or not.
    given: u64,
    /// Bytes of its text that the stream has lost.
    lost: u64,
    /// Where its text begins in the excerpt's bytes, and how much of it is there.
    from: usize,
    kept: usize,
}

/// The beginning of a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Excerpt {
    bytes: Vec<u8>,
    values: Vec<Value>,
    /// Values that were begun, kept or not.
    begun: u64,
}

impl Excerpt {
    pub(super) const fn new() -> Self {
        Self { bytes: Vec::new(), values: Vec::new(), begun: 0 }
    }

    /// Forgets the message, and keeps the room.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.values.clear();
        self.begun = 0;
    }

    /// A value begins. Text that is given from now on is its own.
    pub(super) fn begin(&mut self, form: Form, depth: usize, size: Size) {
        self.begun += 1;
        if self.values.len() < VALUES_MAX {
            let from = self.bytes.len();
            self.values.push(Value { form, depth, size, given: 0, lost: 0, from, kept: 0 });
        }
    }

    /// A value that is whole. Of a long text of `length` bytes, `text` is at least the first [`TEXT_MAX`].
    pub(super) fn whole(&mut self, form: Form, depth: usize, text: &[u8], length: u64) {
        self.begun += 1;
        if self.values.len() < VALUES_MAX {
            let text = &text[..text.len().min(TEXT_MAX)];
            let (from, kept) = (self.bytes.len(), text.len());
            self.bytes.extend_from_slice(text);
            self.values.push(Value { form, depth, size: Size::Known(length), given: length, lost: 0, from, kept });
        }
    }

    /// More text of the value begun last.
    pub(super) fn text(&mut self, text: &[u8]) {
        if self.begun as usize > self.values.len() {
            return;
        }
        let Some(value) = self.values.last_mut() else { return };
        value.given += text.len() as u64;
        let room = if value.lost == 0 { TEXT_MAX - value.kept } else { 0 };
        let kept = &text[..text.len().min(room)];
        value.kept += kept.len();
        self.bytes.extend_from_slice(kept);
    }

    /// Text of the value begun last is lost. What is given of it afterwards does not join what was kept before.
    pub(super) fn lose(&mut self, missing: u64) {
        if self.begun as usize == self.values.len()
            && let Some(value) = self.values.last_mut()
        {
            value.lost += missing;
        }
    }

    /// The size of the value begun last is what was given: it is whole.
    pub(super) fn settle(&mut self) {
        if self.begun as usize == self.values.len()
            && let Some(value) = self.values.last_mut()
        {
            value.size = Size::Known(value.given);
        }
    }

    /// How many values were begun, kept or not.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    /// What is kept of a value's text.
    pub(super) fn kept(&self, value: &Value) -> &[u8] {
        &self.bytes[value.from..value.from + value.kept]
    }

    /// All of the text of the value at `index`, where it is short enough to be there.
    pub(super) fn whole_text(&self, index: usize) -> Option<&[u8]> {
        let value = self.values.get(index)?;
        (value.size == Size::Known(value.kept as u64)).then(|| self.kept(value))
    }

    pub(super) fn held(&self) -> usize {
        self.bytes.len() + size_of_val(self.values.as_slice())
    }

    /// Writes a text in quotes, and how much of it is not there.
    pub(super) fn write_text(&self, f: &mut String, value: &Value) -> fmt::Result {
        let kept = self.kept(value);
        let cut = value.size != Size::Known(kept.len() as u64);
        write_quoted(f, kept, cut)?;
        match (cut, value.size) {
            (false, _) => return Ok(()),
            (true, Size::Known(size)) => write!(f, " ({size} bytes")?,
            (true, Size::Streamed) => write!(f, " ({} bytes so far", value.given)?,
        }
        if value.lost > 0 {
            write!(f, ", {} missing", value.lost)?;
        }
        f.write_char(')')
    }
}

/// Quotes as `redis-cli` does, but leaves UTF-8 readable. A text that was `cut` ends in an ellipsis, without the pieces of a
/// character that the cut has broken.
pub(super) fn write_quoted(f: &mut String, text: &[u8], cut: bool) -> fmt::Result {
    f.write_char('"')?;
    if let Ok(text) = std::str::from_utf8(text) {
        write_escaped(f, text)?;
    } else {
        let mut chunks = text.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            write_escaped(f, chunk.valid())?;
            let broken_by_the_cut = cut
                && chunks.peek().is_none()
                && std::str::from_utf8(chunk.invalid()).is_err_and(|e| e.error_len().is_none());
            if !broken_by_the_cut {
                for byte in chunk.invalid() {
                    write!(f, "\\x{byte:02x}")?;
                }
            }
        }
    }
    f.write_str(if cut { "…\"" } else { "\"" })
}

/// Writes what is between quotes: as it is, for the most part.
fn write_escaped(f: &mut String, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte.is_ascii_control() || matches!(byte, b'"' | b'\\')) {
        f.write_str(&rest[..at])?;
        match rest.as_bytes()[at] {
            b'"' => f.write_str("\\\"")?,
            b'\\' => f.write_str("\\\\")?,
            b'\n' => f.write_str("\\n")?,
            b'\r' => f.write_str("\\r")?,
            b'\t' => f.write_str("\\t")?,
            0x07 => f.write_str("\\a")?,
            0x08 => f.write_str("\\b")?,
            byte => write!(f, "\\x{byte:02x}")?,
        }
        rest = &rest[at + 1..];
    }
    f.write_str(rest)
}
