//! Records as CSV (RFC 4180): a header, then a row a record, all with the same columns.
//!
//! The columns are the fields of [`Field::ALL`], and one that does not apply is empty. Control characters are escaped as in text, so that a row is a
//! line.

use std::io::{self, Write};
use std::net::SocketAddr;

use crate::field::Field;
use crate::format::{push_address, push_value};
use crate::record::{Record, Value, Visitor};

/// Writes records as CSV.
pub struct CsvWriter<W: Write> {
    out: W,
    /// The row in the making, and a value of it that has to be quoted.
    row: String,
    value: String,
}

impl<W: Write> CsvWriter<W> {
    /// Writes the header to `out`.
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

    /// What was written up to now is in `out`, and `out` is flushed.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Everything is written.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A row, whose fields come in the order of the columns.
struct Row<'a> {
    /// The column that is filled next.
    column: usize,
    row: &'a mut String,
    value: &'a mut String,
}

impl Row<'_> {
    /// Leaves the columns before this one empty.
    fn reach(&mut self, name: &str) {
        while let Some(field) = Field::ALL.get(self.column) {
            if self.column > 0 {
                self.row.push(',');
            }
            self.column += 1;
            if field.name() == name {
                break;
            }
        }
    }

    fn finish(self) {
        for _ in self.column..Field::ALL.len() {
            self.row.push(',');
        }
        self.row.push('\n');
    }

    /// Puts what was written from `from` on into quotes, if it has to be. It has no line feed and no carriage return.
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
    fn field(&mut self, name: &'static str, value: Value<'_>) {
        self.reach(name);
        let from = self.row.len();
        push_value(value, self.row);
        match value {
            Value::Number(_) | Value::Time(_) => {}
            Value::Text(_) | Value::Display(_) | Value::Payload(_) => self.quote(from),
        }
    }

    fn address(&mut self, name: &'static str, address: &SocketAddr) {
        self.reach(name);
        push_address(address, self.row);
    }
}
