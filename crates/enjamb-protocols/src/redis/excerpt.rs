//! Excerpts: the first few values of a message, and the first few bytes of each, for its summary
//! and for pairing.
//!
//! Payloads are not buffered. A value *begins* when its form and size are known, and then receives
//! its text as it arrives. Text beyond a limit is counted and dropped, so the excerpt of a message
//! of any size costs the same. Values are in the order of the wire, each with its depth: a nested
//! reply, flattened.

use std::fmt::{self, Write as _};

use super::limits::{KEPT_ARGUMENTS_MAX, KEPT_BYTES_MAX};

/// The maximum number of values of a message that are kept.
pub(super) const VALUES_MAX: usize = 8;

/// The maximum number of bytes of a value that are kept.
pub(super) const TEXT_MAX: usize = 80;

/// The type of a value.
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
    /// The header of an RDB snapshot, the reply to `SYNC`: a bulk without CR LF behind it.
    Snapshot,
}

impl Form {
    /// All forms, in the order of their numbers.
    pub(super) const ALL: [Self; Self::COUNT] = [
        Self::Bulk,
        Self::Verbatim,
        Self::BulkError,
        Self::Simple,
        Self::Error,
        Self::Integer,
        Self::Double,
        Self::BigNumber,
        Self::Boolean,
        Self::Null,
        Self::Array,
        Self::Map,
        Self::Set,
        Self::Push,
        Self::Snapshot,
    ];
    pub(super) const COUNT: usize = 15;

    pub(super) fn is_error(self) -> bool {
        matches!(self, Self::Error | Self::BulkError)
    }

    pub(super) fn is_aggregate(self) -> bool {
        matches!(self, Self::Array | Self::Map | Self::Set)
    }

    pub(super) fn is_string(self) -> bool {
        matches!(self, Self::Bulk | Self::Simple)
    }
}

impl Value {
    /// Returns whether it has, or announces, exactly `size` elements or bytes.
    pub(super) fn is_of(&self, size: u64) -> bool {
        self.size == Size::Known(size)
    }
}

/// The size of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// Bytes of a text; elements of an array, a set or a push; pairs of a map.
    Known(u64),
    /// The size is unknown until the end is announced.
    Streamed,
}

/// A value that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) form: Form,
    /// The number of aggregates that contain it.
    pub(super) depth: usize,
    pub(super) size: Size,
    /// The number of bytes of its text that arrived, kept or not.
    given: u64,
    /// The number of bytes of its text that were lost to gaps.
    lost: u64,
    /// The place at which its text begins in the excerpt's bytes, and the length of the kept part.
    from: usize,
    kept: usize,
}

/// The beginning of a message: at most `VALUES` values, and `TEXT` bytes of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Excerpt<const VALUES: usize = VALUES_MAX, const TEXT: usize = TEXT_MAX> {
    bytes: Vec<u8>,
    values: Vec<Value>,
    /// The number of values that have begun, kept or not.
    begun: u64,
}

/// The arguments of a command that are kept for filters.
pub(super) type KeptArguments = Excerpt<KEPT_ARGUMENTS_MAX, KEPT_BYTES_MAX>;

impl<const VALUES: usize, const TEXT: usize> Excerpt<VALUES, TEXT> {
    pub(super) const fn new() -> Self {
        Self { bytes: Vec::new(), values: Vec::new(), begun: 0 }
    }

    /// Clears the message and keeps the capacity.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.values.clear();
        self.begun = 0;
    }

    /// Begins a value, which gets all text from now on.
    pub(super) fn begin(&mut self, form: Form, depth: usize, size: Size) {
        self.begun += 1;
        if self.values.len() < VALUES {
            let from = self.bytes.len();
            self.values.push(Value { form, depth, size, given: 0, lost: 0, from, kept: 0 });
        }
    }

    /// Adds a whole value. `text` contains at least the first [`TEXT`] of its `length` bytes.
    pub(super) fn whole(&mut self, form: Form, depth: usize, text: &[u8], length: u64) {
        self.begun += 1;
        if self.values.len() < VALUES {
            let text = &text[..text.len().min(TEXT)];
            let (from, kept) = (self.bytes.len(), text.len());
            self.bytes.extend_from_slice(text);
            self.values.push(Value { form, depth, size: Size::Known(length), given: length, lost: 0, from, kept });
        }
    }

    /// Adds text to the value that began last.
    pub(super) fn text(&mut self, text: &[u8]) {
        if self.begun as usize > self.values.len() {
            return;
        }
        let Some(value) = self.values.last_mut() else { return };
        value.given += text.len() as u64;
        let room = if value.lost == 0 { TEXT - value.kept } else { 0 };
        let kept = &text[..text.len().min(room)];
        value.kept += kept.len();
        self.bytes.extend_from_slice(kept);
    }

    /// Counts text of the value that began last as lost. Later text is not kept, since it does not
    /// continue the kept part.
    pub(super) fn lose(&mut self, missing: u64) {
        if self.begun as usize == self.values.len()
            && let Some(value) = self.values.last_mut()
        {
            value.lost += missing;
        }
    }

    /// Ends the value that began last: its size is the length of its text.
    pub(super) fn settle(&mut self) {
        if self.begun as usize == self.values.len()
            && let Some(value) = self.values.last_mut()
        {
            value.size = Size::Known(value.given);
        }
    }

    /// Returns the number of values that have begun, kept or not.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    /// Returns the kept part of a value's text.
    pub(super) fn kept(&self, value: &Value) -> &[u8] {
        &self.bytes[value.from..value.from + value.kept]
    }

    /// Returns the kept part of the text of the value at `index`, and whether that is all of it.
    pub(super) fn text_at(&self, index: usize) -> Option<(&[u8], bool)> {
        let value = self.values.get(index)?;
        Some((self.kept(value), value.size == Size::Known(value.kept as u64)))
    }

    /// Returns the text of the value at `index`, if all of it was kept.
    pub(super) fn whole_text(&self, index: usize) -> Option<&[u8]> {
        self.text_at(index).filter(|(_, is_whole)| *is_whole).map(|(text, _)| text)
    }

    pub(super) fn held(&self) -> usize {
        self.bytes.len() + size_of_val(self.values.as_slice())
    }

    /// Writes a text in quotes, and the size of the part that was not kept.
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

/// Quotes as `redis-cli` does, but leaves UTF-8 readable. A text that was `cut` ends in an
/// ellipsis, and a character that the cut broke is left out.
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

/// Writes the text between quotes. Most text needs no escapes.
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
