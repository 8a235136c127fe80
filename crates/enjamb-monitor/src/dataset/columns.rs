//! The columns of a dataset, and records as typed values in them.
//!
//! The columns follow from the table of fields. Most fields are one column. A time and an address
//! are two columns each, and the protocol is the partition that a file is in. The first column,
//! `capture`, is not a field: only the writer has its value.

use std::sync::Arc;
use std::sync::LazyLock;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::errors::Result as ParquetResult;
use parquet::schema::types::{Type, TypePtr};

use crate::escape::push;
use crate::field::{Field, FieldType, RecordType};
use crate::record::{Record, Value, Visitor};

/// A column of the files.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Whether every row has a value.
    pub(super) required: bool,
}

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// UTF-8.
    Text,
    /// A number of up to 63 bits. Counts of bytes, messages and microseconds are far from that.
    Integer,
    /// A number of up to 31 bits.
    Small,
    /// Microseconds since the beginning of 1970, in UTC. Some engines read no timestamps with
    /// nanoseconds.
    Timestamp,
}

/// The place of the column `capture`.
const CAPTURE: usize = 0;

/// All columns, and for each field the place of its first one.
struct Layout {
    columns: Vec<Column>,
    places: [usize; Field::COUNT],
}

static LAYOUT: LazyLock<Layout> = LazyLock::new(|| {
    let mut columns = vec![Column { name: "capture".to_owned(), kind: Kind::Text, required: false }];
    let places = Field::ALL.map(|field| {
        let place = columns.len();
        let required = RecordType::ALL.into_iter().all(|record| field.is_always_in(record));
        let mut column = |suffix: &str, kind| {
            columns.push(Column { name: format!("{}{suffix}", field.name()), kind, required });
        };
        match field.value_type() {
            _ if field == Field::Protocol => {}
            FieldType::Word
            | FieldType::Text
            | FieldType::Code
            | FieldType::Flags
            | FieldType::Line
            | FieldType::Payload => {
                column("", Kind::Text);
            }
            FieldType::Count | FieldType::Bytes | FieldType::Micros => column("", Kind::Integer),
            FieldType::Time => {
                column("", Kind::Timestamp);
                column("_nanos", Kind::Small);
            }
            FieldType::Address => {
                column("_ip", Kind::Text);
                column("_port", Kind::Small);
            }
        }
        place
    });
    Layout { columns, places }
});

/// Returns all columns.
pub(super) fn columns() -> &'static [Column] {
    &LAYOUT.columns
}

/// Returns the schema of the files.
pub(super) fn schema() -> ParquetResult<TypePtr> {
    let fields = columns().iter().map(|column| {
        let (physical, logical) = match column.kind {
            Kind::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Integer => (PhysicalType::INT64, None),
            Kind::Small => (PhysicalType::INT32, None),
            Kind::Timestamp => (PhysicalType::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        };
        let repetition = if column.required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        let field = Type::primitive_type_builder(&column.name, physical);
        field.with_logical_type(logical).with_repetition(repetition).build().map(Arc::new)
    });
    let fields = fields.collect::<ParquetResult<Vec<_>>>()?;
    Type::group_type_builder("record").with_fields(fields).build().map(Arc::new)
}

/// The values of a column, without those that are absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Values {
    Small(Vec<i32>),
    Integer(Vec<i64>),
    /// The concatenated texts, and the end of each.
    Text(String, Vec<usize>),
}

/// The cells of a column.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    pub(super) values: Values,
    /// For a column whose values may be absent: 1 for each row that has a value, 0 for each that
    /// has none. These are the definition levels of Parquet.
    pub(super) levels: Option<Vec<i16>>,
}

/// Rows by column.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) cells: Vec<Cells>,
    pub(super) rows: usize,
    /// The estimated size in bytes.
    pub(super) bytes: usize,
}

/// The estimate for the level of a cell, and for a value besides the bytes of its text.
const LEVEL_BYTES: usize = 2;
const VALUE_BYTES: usize = 8;

impl Default for Table {
    fn default() -> Self {
        let cells = columns().iter().map(|column| Cells {
            values: match column.kind {
                Kind::Small => Values::Small(Vec::new()),
                Kind::Integer | Kind::Timestamp => Values::Integer(Vec::new()),
                Kind::Text => Values::Text(String::new(), Vec::new()),
            },
            levels: (!column.required).then(Vec::new),
        });
        Self { cells: cells.collect(), rows: 0, bytes: 0 }
    }
}

impl Table {
    /// Appends a row. `capture` is the name of the capture with the record's connection.
    pub(super) fn push(&mut self, record: &Record<'_>, capture: Option<&str>) {
        let mut row = Row { table: self, column: CAPTURE };
        if let Some(capture) = capture {
            row.text(|text| text.push_str(capture));
        }
        record.visit(&mut row);
        row.skip_to(columns().len());
        self.rows += 1;
    }

    /// Appends the row of `from` at `at`, and moves `at` to the next one. The column `capture` is
    /// set to `capture`.
    pub(super) fn push_row(&mut self, from: &Self, at: &mut Cursor, capture: Option<&str>) {
        let mut row = Row { table: self, column: CAPTURE };
        if let Some(capture) = capture {
            row.text(|text| text.push_str(capture));
        }
        row.skip_to(CAPTURE + 1);
        for (cells, place) in from.cells.iter().zip(&mut at.places).skip(CAPTURE + 1) {
            if cells.levels.as_ref().is_some_and(|levels| levels.get(at.row) != Some(&1)) {
                row.skip_to(row.column + 1);
                continue;
            }
            match &cells.values {
                Values::Small(values) => row.small(values[*place]),
                Values::Integer(values) => row.integer(values[*place]),
                Values::Text(text, ends) => {
                    let start = place.checked_sub(1).map_or(0, |before| ends[before]);
                    row.text(|to| to.push_str(&text[start..ends[*place]]));
                }
            }
            *place += 1;
        }
        at.row += 1;
        self.rows += 1;
    }
}

/// A place in a table that is read row by row.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    pub(super) row: usize,
    /// For each column, the place of its next value.
    places: Vec<usize>,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { row: 0, places: vec![0; columns().len()] }
    }
}

/// A row that is being appended. Its values arrive in the order of the columns.
struct Row<'a> {
    table: &'a mut Table,
    /// The next column.
    column: usize,
}

impl Row<'_> {
    /// Leaves the columns before `column` without a value.
    fn skip_to(&mut self, column: usize) {
        while self.column < column {
            if let Some(levels) = &mut self.table.cells[self.column].levels {
                levels.push(0);
            }
            self.table.bytes += LEVEL_BYTES;
            self.column += 1;
        }
    }

    /// The values of the next column, to which one is added.
    fn next(&mut self) -> &mut Values {
        let cells = &mut self.table.cells[self.column];
        if let Some(levels) = &mut cells.levels {
            levels.push(1);
        }
        self.table.bytes += LEVEL_BYTES + VALUE_BYTES;
        self.column += 1;
        &mut cells.values
    }

    fn small(&mut self, number: i32) {
        if let Values::Small(values) = self.next() {
            values.push(number);
        }
    }

    fn integer(&mut self, number: i64) {
        if let Values::Integer(values) = self.next() {
            values.push(number);
        }
    }

    fn text(&mut self, write: impl FnOnce(&mut String)) {
        let mut length = 0;
        if let Values::Text(text, ends) = self.next() {
            let start = text.len();
            write(text);
            length = text.len() - start;
            ends.push(text.len());
        }
        self.table.bytes += length;
    }
}

impl Visitor for Row<'_> {
    fn field(&mut self, field: Field, value: Value<'_>) {
        if field == Field::Protocol {
            return;
        }
        self.skip_to(LAYOUT.places[field as usize]);
        match value {
            Value::Number(number) => self.integer(integer(number)),
            Value::Time(time) => {
                self.integer(integer(time.nanos() / 1000));
                self.small((time.nanos() % 1000) as i32);
            }
            Value::Address(address) => {
                self.text(|text| push(text, format_args!("{}", address.ip())));
                self.small(address.port().into());
            }
            Value::Word(word) => self.text(|text| text.push_str(word)),
            Value::Text(value) => self.text(|text| text.push_str(value)),
            Value::Flags(flags) => self.text(|text| text.push_str(flags.as_str())),
            Value::Line(line) => self.text(|text| push(text, format_args!("{line}"))),
            Value::Payload(payload) => self.text(|text| push(text, format_args!("{payload}"))),
        }
    }
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use enjamb::{Connection, Side, Time};

    use super::{Cursor, LAYOUT, Table, columns, schema};
    use crate::field::Field;
    use crate::record::Record;

    #[test]
    fn columns_follow_the_fields_in_order() {
        let names: Vec<&str> = columns().iter().map(|column| &*column.name).collect();
        assert_eq!(names[..7], ["capture", "type", "time", "time_nanos", "conn", "client_ip", "client_port"]);
        assert!(!names.contains(&"protocol"), "it is the partition");
        let required: Vec<&str> = columns().iter().filter(|column| column.required).map(|it| &*it.name).collect();
        assert_eq!(required, ["type", "time", "time_nanos"]);
        for field in Field::ALL.into_iter().filter(|field| *field != Field::Protocol) {
            assert!(names[LAYOUT.places[field as usize]].starts_with(field.name()));
        }
        assert_eq!(schema().unwrap().get_fields().len(), columns().len());
    }

    #[test]
    fn rows_that_are_copied_are_those_that_were_pushed() {
        let (client, server) = ("192.0.2.1:40000".parse().unwrap(), "[::1]:80".parse().unwrap());
        let connection = &Connection { number: 7, client, server };
        let time = Time::from_nanos(1_234_567);
        let records = [
            Record::Opened { connection, time },
            Record::Gap { connection, time, side: Side::Client, offset: 5, missing: 6 },
            Record::Error { connection: None, time, reason: "why" },
            Record::Ended {
                connection,
                protocol: "lines",
                time,
                opened: time,
                sides: Default::default(),
                ended_by: None,
            },
        ];
        let (mut pushed, mut batch, mut copied) = (Table::default(), Table::default(), Table::default());
        for record in &records {
            pushed.push(record, record.connection().map(|_| "a.pcap"));
            batch.push(record, None);
        }
        let mut at = Cursor::default();
        for record in &records {
            copied.push_row(&batch, &mut at, record.connection().map(|_| "a.pcap"));
        }
        assert_eq!((copied.rows, copied.bytes), (pushed.rows, pushed.bytes));
        for (copied, pushed) in copied.cells.iter().zip(&pushed.cells) {
            assert_eq!((&copied.values, &copied.levels), (&pushed.values, &pushed.levels));
        }
    }
}
