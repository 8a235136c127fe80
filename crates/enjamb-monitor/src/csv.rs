//! Records as CSV (RFC 4180): a header, then a row a record, all with the same columns.
//!
//! The columns are the fields of [`Field::ALL`], and one that does not apply is empty. Control characters are escaped as in text, so that a row is a
//! line.

use std::io::{self, Write};

use crate::field::Field;
use crate::format::{push_address, push_value};
use crate::record::Record;

/// Writes records as CSV.
pub struct CsvWriter<W: Write> {
    rows: csv::Writer<W>,
    value: String,
}

impl<W: Write> CsvWriter<W> {
    /// Writes the header to `out`.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn new(out: W) -> io::Result<Self> {
        let mut rows = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(out);
        rows.write_record(Field::ALL.map(Field::name)).map_err(io_error)?;
        Ok(Self { rows, value: String::new() })
    }

    /// Writes a row.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        for field in Field::ALL {
            self.value.clear();
            match (field, record.connection()) {
                (Field::Client, Some(connection)) => push_address(&connection.client, &mut self.value),
                (Field::Server, Some(connection)) => push_address(&connection.server, &mut self.value),
                _ => {
                    if let Some(value) = record.get(field) {
                        push_value(value, &mut self.value);
                    }
                }
            }
            self.rows.write_field(&self.value).map_err(io_error)?;
        }
        self.rows.write_record(None::<&[u8]>).map_err(io_error)
    }

    /// What was written up to now is in `out`.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn flush(&mut self) -> io::Result<()> {
        self.rows.flush()
    }

    /// Everything is written.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn finish(mut self) -> io::Result<()> {
        self.rows.flush()
    }
}

/// The error of the writer below, as it is: its kind tells a closed pipe.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
