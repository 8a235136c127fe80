//! The columns of a dataset, and records as rows of them.
//!
//! A row is made in two steps, so that the first can be done by many threads and the second, in order, by the one that writes: [`Rows`] takes the
//! fields of records as plain bytes, [`Row::next`] finds them again.

use std::io;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::errors::Result as ParquetResult;
use parquet::schema::types::{Type, TypePtr};

use crate::field::{Field, FieldType};
use crate::format::push;
use crate::payload::ShowForm;
use crate::record::{Record, Value};

/// A column of the files.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Has every row a value?
    pub(super) required: bool,
    source: Source,
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// UTF-8.
    Text,
    /// A number of up to 63 bits: all that is counted, in bytes or messages or microseconds, is far from that.
    Integer,
    /// A number of up to 31 bits.
    Small,
    /// Microseconds since the beginning of 1970, in UTC.
    Timestamp,
}

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Known to the writer: the capture whose connection it is.
    Capture,
    /// Of the record's time, the microseconds and the nanoseconds beyond them. There are engines that read no timestamps with nanoseconds.
    Micros,
    Nanos,
    ClientAddress,
    ClientPort,
    ServerAddress,
    ServerPort,
    Field(Field),
}

const fn column(name: &'static str, kind: Kind, required: bool, source: Source) -> Column {
    Column { name, kind, required, source }
}

/// A column that is a field of the record.
const fn field(field: Field) -> Column {
    let kind = match field.value_type() {
        FieldType::Text | FieldType::Code | FieldType::Time => Kind::Text,
        FieldType::Count | FieldType::Bytes | FieldType::Micros => Kind::Integer,
    };
    column(field.name(), kind, matches!(field, Field::Type), Source::Field(field))
}

/// How many columns there are.
pub(super) const COLUMNS_COUNT: usize = 31;

/// All columns but `protocol`, which is the partition that a file is in.
pub(super) const COLUMNS: [Column; COLUMNS_COUNT] = [
    column("capture", Kind::Text, false, Source::Capture),
    field(Field::Type),
    column("time", Kind::Timestamp, true, Source::Micros),
    column("time_nanos", Kind::Small, true, Source::Nanos),
    field(Field::Conn),
    column("client_ip", Kind::Text, false, Source::ClientAddress),
    column("client_port", Kind::Small, false, Source::ClientPort),
    column("server_ip", Kind::Text, false, Source::ServerAddress),
    column("server_port", Kind::Small, false, Source::ServerPort),
    field(Field::Event),
    field(Field::DurationUs),
    field(Field::ClientBytes),
    field(Field::ClientMessages),
    field(Field::ClientEnding),
    field(Field::ServerBytes),
    field(Field::ServerMessages),
    field(Field::ServerEnding),
    field(Field::Side),
    field(Field::Kind),
    field(Field::Offset),
    field(Field::Length),
    field(Field::Missing),
    field(Field::Outcome),
    field(Field::Code),
    field(Field::Reason),
    field(Field::LatencyUs),
    field(Field::Cuts),
    field(Field::Summary),
    field(Field::Payload),
    field(Field::PayloadHex),
    field(Field::PayloadMore),
];

/// Where `capture` is, which only the writer can fill in, and `conn`, by which it does.
const CAPTURE: usize = 0;
const CONN: usize = 4;

/// The schema of the files.
pub(super) fn schema() -> ParquetResult<TypePtr> {
    let fields = COLUMNS.iter().map(|column| {
        let (physical, logical) = match column.kind {
            Kind::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Integer => (PhysicalType::INT64, None),
            Kind::Small => (PhysicalType::INT32, None),
            Kind::Timestamp => (PhysicalType::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        };
        let repetition = if column.required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        let field = Type::primitive_type_builder(column.name, physical);
        field.with_logical_type(logical).with_repetition(repetition).build().map(Arc::new)
    });
    let fields = fields.collect::<ParquetResult<Vec<_>>>()?;
    Type::group_type_builder("record").with_fields(fields).build().map(Arc::new)
}

/// Stands before the record's protocol, where other values have the number of their column.
const PROTOCOL: u8 = 0xfe;

/// Stands behind a row.
const END: u8 = 0xff;

/// Records as rows, to be [written](super::DatasetWriter::write) in order.
#[derive(Debug, Default)]
pub struct Rows {
    /// Of each row the values that it has: the number of a column, and a number of eight bytes or the length of a text and that.
    bytes: Vec<u8>,
    text: String,
}

impl Rows {
    /// Appends a row.
    pub fn push(&mut self, record: &Record<'_>) {
        if let Some(protocol) = record.get(Field::Protocol) {
            self.bytes.push(PROTOCOL);
            self.value(protocol);
        }
        for (number, column) in (0..).zip(&COLUMNS) {
            let value = match (column.source, record.connection()) {
                (Source::Micros, _) => Some(Value::Number(record.time().nanos() / 1000)),
                (Source::Nanos, _) => Some(Value::Number(record.time().nanos() % 1000)),
                (Source::Field(field), _) => record.get(field),
                (Source::ClientPort, Some(connection)) => Some(Value::Number(connection.client.port().into())),
                (Source::ServerPort, Some(connection)) => Some(Value::Number(connection.server.port().into())),
                (Source::ClientAddress, Some(connection)) => {
                    self.display(number, &connection.client.ip());
                    None
                }
                (Source::ServerAddress, Some(connection)) => {
                    self.display(number, &connection.server.ip());
                    None
                }
                _ => None,
            };
            if let Some(value) = value {
                self.bytes.push(number);
                self.value(value);
            }
        }
        self.bytes.push(END);
    }

    /// The rows so far, as bytes that may be put behind those of other rows.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// No rows any more.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    fn display(&mut self, number: u8, value: &dyn std::fmt::Display) {
        self.bytes.push(number);
        self.value(Value::Display(value));
    }

    fn value(&mut self, value: Value<'_>) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        match value {
            Value::Number(number) => {
                self.bytes.extend(number.to_le_bytes());
                self.text = text;
                return;
            }
            Value::Text(value) => text.push_str(value),
            Value::Display(value) => push(&mut text, format_args!("{value}")),
            Value::Time(time) => push(&mut text, format_args!("{}", crate::format::Rfc3339(time))),
            Value::Payload(payload) => match payload.form {
                ShowForm::Text => push(&mut text, format_args!("{}", payload.text())),
                ShowForm::Hex => push(&mut text, format_args!("{}", payload.hex())),
            },
        }
        self.bytes.extend((text.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        self.text = text;
    }
}

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    Number(i64),
    Text(&'a [u8]),
}

/// The values of a row, by column.
pub(super) struct Row<'a> {
    pub(super) protocol: Option<&'a str>,
    pub(super) cells: [Option<Cell<'a>>; COLUMNS_COUNT],
}

impl<'a> Row<'a> {
    /// The next row of those that [`Rows`] made, and what is behind it.
    pub(super) fn next(mut bytes: &'a [u8]) -> io::Result<(Self, &'a [u8])> {
        let mut row = Self { protocol: None, cells: [None; COLUMNS_COUNT] };
        loop {
            let (&number, rest) = bytes.split_first().ok_or_else(no_row)?;
            if number == END {
                return Ok((row, rest));
            }
            let (value, rest) = rest.split_first_chunk().ok_or_else(no_row)?;
            let value = u64::from_le_bytes(*value);
            let kind = COLUMNS.get(usize::from(number)).map_or(Kind::Text, |column| column.kind);
            if kind != Kind::Text {
                row.cells[usize::from(number)] = Some(Cell::Number(i64::try_from(value).unwrap_or(i64::MAX)));
                bytes = rest;
                continue;
            }
            let length = usize::try_from(value).map_err(|_| no_row())?;
            let (text, rest) = rest.split_at_checked(length).ok_or_else(no_row)?;
            match row.cells.get_mut(usize::from(number)) {
                Some(cell) => *cell = Some(Cell::Text(text)),
                None => row.protocol = Some(std::str::from_utf8(text).map_err(|_| no_row())?),
            }
            bytes = rest;
        }
    }

    /// The number of the connection, where there is one.
    pub(super) fn connection(&self) -> Option<u64> {
        match self.cells[CONN] {
            Some(Cell::Number(number)) => u64::try_from(number).ok(),
            _ => None,
        }
    }

    /// It is of this capture.
    pub(super) fn of_capture(&mut self, name: &'a str) {
        self.cells[CAPTURE] = Some(Cell::Text(name.as_bytes()));
    }
}

fn no_row() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "these are no rows")
}

#[cfg(test)]
mod tests {
    use super::{CAPTURE, COLUMNS, CONN, Row, schema};
    use crate::field::Field;

    #[test]
    fn every_field_of_a_record_is_a_column_or_in_some() {
        let columns: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        for field in Field::ALL {
            match field {
                Field::Protocol => assert!(!columns.contains(&"protocol"), "it is the partition"),
                Field::Client => assert!(columns.contains(&"client_ip") && columns.contains(&"client_port")),
                Field::Server => assert!(columns.contains(&"server_ip") && columns.contains(&"server_port")),
                field => assert!(columns.contains(&field.name()), "{}", field.name()),
            }
        }
        assert_eq!([COLUMNS[CAPTURE].name, COLUMNS[CONN].name], ["capture", "conn"]);
        assert_eq!(schema().unwrap().get_fields().len(), COLUMNS.len());
    }

    #[test]
    fn bytes_that_are_no_rows_are_refused() {
        for bytes in [&b""[..], b"\x00", b"\x00\x05\0\0\0\0\0\0\0abc", b"\x04\0\0", b"\xfe\x01\0\0\0\0\0\0\0\xff\xff"] {
            assert!(Row::next(bytes).is_err(), "{bytes:?}");
        }
    }
}
