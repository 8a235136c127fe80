//! Records as CSV (RFC 4180): a header, then a row for each record, all with the same columns.
//!
//! The columns are the fields of [`Field::ALL`]; a field that does not apply is empty. Control
//! characters are escaped as in the text for people, so that a row is a line.

use std::io::{self, Write};

use crate::escape::{push, push_address, push_number, push_plain, push_plain_display};
use crate::field::Field;
use crate::record::{Record, Value, Visitor};
use crate::time::Rfc3339;

/// Writes records as CSV.
pub struct CsvWriter<W: Write> {
    out: W,
    /// The current row, and the buffer for a value that must be quoted. Their memory is used again
    /// for the next row.
    row: String,
    value: String,
}

impl<W: Write> CsvWriter<W> {
    /// Creates a writer and writes the header to `out`.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn new(mut out: W) -> io::Result<Self> {
        writeln!(out, "{}", Field::ALL.map(Field::name).join(","))?;
        Ok(Self { out, row: String::new(), value: String::new() })
    }

    /// Writes a row.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.row.clear();
        let mut row = Row { column: 0, row: &mut self.row, value: &mut self.value };
        record.visit(&mut row);
        row.finish();
        self.out.write_all(self.row.as_bytes())
    }

    /// Returns the writer below. It has received all rows.
    pub fn out(&self) -> &W {
        &self.out
    }

    /// Returns the writer below. It has received all rows.
    pub fn out_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Flushes `out` and ends the file.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A row that is being written. Its fields arrive in the order of the columns.
struct Row<'a> {
    /// The column that was written last.
    column: usize,
    row: &'a mut String,
    value: &'a mut String,
}

impl Row<'_> {
    /// Goes to the column of `field`, and leaves those before it empty.
    fn reach(&mut self, field: Field) {
        let column = field as usize;
        self.row.extend(std::iter::repeat_n(',', column.saturating_sub(self.column)));
        self.column = column;
    }

    fn finish(self) {
        self.row.extend(std::iter::repeat_n(',', Field::COUNT - 1 - self.column));
        self.row.push('\n');
    }

    /// Quotes the text from `from` on, if it needs quotes. It contains no line feed and no carriage
    /// return.
    fn quote(&mut self, from: usize) {
        if !self.row.as_bytes()[from..].iter().fold(false, |found, byte| found | matches!(byte, b',' | b'"')) {
            return;
        }
        self.value.clear();
        self.value.push_str(&self.row[from..]);
        self.row.truncate(from);
        self.row.push('"');
        let mut parts = self.value.split('"');
        self.row.push_str(parts.next().unwrap_or_default());
        for part in parts {
            self.row.push_str("\"\"");
            self.row.push_str(part);
        }
        self.row.push('"');
    }
}

impl Visitor for Row<'_> {
    fn field(&mut self, field: Field, value: Value<'_>) {
        self.reach(field);
        let from = self.row.len();
        match value {
            Value::Word(word) => self.row.push_str(word),
            Value::Number(number) => push_number(number, self.row),
            Value::Time(time) => self.row.push_str(Rfc3339(time).text().as_str()),
            Value::Address(address) => push_address(address, self.row),
            Value::Text(text) => {
                push_plain(text, self.row);
                self.quote(from);
            }
            Value::Flags(flags) => {
                push_plain(flags.as_str(), self.row);
                self.quote(from);
            }
            Value::Line(line) => {
                push_plain_display(line, self.row);
                self.quote(from);
            }
            Value::Payload(payload) => {
                push(self.row, format_args!("{payload}"));
                self.quote(from);
            }
        }
    }
}
