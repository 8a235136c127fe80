//! The files of one partition.
//!
//! Rows are gathered by column until a row group is full: Parquet writes a column of it after the other. What is gathered is bounded in rows and in bytes, and
//! so is what a file makes its writer remember for its footer, by the number of its row groups.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, TypePtr};

use super::columns::{COLUMNS, Cell, Kind, Row, schema};

/// What is held of the rows that are not written yet.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// How many rows a row group has at most. Engines share row groups out among their threads.
    pub(super) group_rows: usize,
    /// At how many bytes of values, before they are encoded, it is full.
    pub(super) group_bytes: usize,
    /// How many row groups a file has at most.
    pub(super) file_groups: usize,
    /// How many bytes of values are gathered for all row groups together.
    pub(super) held: usize,
    /// How many files are open at a time.
    pub(super) open: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { group_rows: 122_880, group_bytes: 64 << 20, file_groups: 64, held: 256 << 20, open: 64 }
    }
}

/// What is reckoned for whether a column has a value, and for the value besides the bytes of its text.
const LEVEL_BYTES: usize = 2;
const VALUE_BYTES: usize = 8;

/// The level of zstd: its own default.
const ZSTD_LEVEL: i32 = 3;

/// How the files of a dataset are written.
#[derive(Clone)]
pub(super) struct Form {
    schema: TypePtr,
    properties: WriterPropertiesPtr,
    pub(super) bounds: Bounds,
}

impl Form {
    pub(super) fn new(bounds: Bounds) -> io::Result<Self> {
        let form = || {
            let mut properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
                .set_key_value_metadata(Some(vec![KeyValue::new("enjamb.dataset".to_owned(), "1".to_owned())]));
            // These grow from row to row, so that no value is there twice, and the differences are small.
            for name in ["time", "offset"] {
                let path = || ColumnPath::new(vec![name.to_owned()]);
                properties = properties
                    .set_column_dictionary_enabled(path(), false)
                    .set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED);
            }
            Ok(Self { schema: schema()?, properties: Arc::new(properties.build()), bounds })
        };
        form().map_err(io_error)
    }
}

/// The values of a column that are not written yet.
enum Values {
    Small(Vec<i32>),
    Integer(Vec<i64>),
    /// One text behind the other, and where each ends.
    Text(Vec<u8>, Vec<usize>),
}

struct Gathered {
    values: Values,
    /// Of a column that may lack values: 1 for each row that has one, 0 for each that has none.
    levels: Option<Vec<i16>>,
}

/// A file that is not whole yet.
struct Part {
    file: SerializedFileWriter<File>,
    groups: usize,
}

/// The files of one partition: one after the other, each under another name until all are whole.
pub(super) struct Partition {
    folder: PathBuf,
    gathered: Vec<Gathered>,
    rows: usize,
    bytes: usize,
    part: Option<Part>,
    /// How many files there are.
    parts: usize,
}

impl Partition {
    /// In `folder`, which is there.
    pub(super) fn new(folder: PathBuf) -> Self {
        let mut partition = Self { folder, gathered: Vec::new(), rows: 0, bytes: 0, part: None, parts: 0 };
        partition.clear();
        partition
    }

    /// How many bytes are gathered, by estimate.
    pub(super) fn held(&self) -> usize {
        self.bytes
    }

    /// Is a file open?
    pub(super) fn is_open(&self) -> bool {
        self.part.is_some()
    }

    /// Appends a row. Is a row group full?
    pub(super) fn push(&mut self, row: &Row<'_>, bounds: &Bounds) -> bool {
        for (gathered, cell) in self.gathered.iter_mut().zip(&row.cells) {
            if let Some(levels) = &mut gathered.levels {
                levels.push(i16::from(cell.is_some()));
            }
            self.bytes += LEVEL_BYTES + if cell.is_some() { VALUE_BYTES } else { 0 };
            match (&mut gathered.values, cell) {
                (Values::Small(values), Some(Cell::Number(number))) => {
                    values.push(i32::try_from(*number).unwrap_or(i32::MAX));
                }
                (Values::Integer(values), Some(Cell::Number(number))) => values.push(*number),
                (Values::Text(bytes, ends), Some(Cell::Text(text))) => {
                    bytes.extend_from_slice(text);
                    ends.push(bytes.len());
                    self.bytes += text.len();
                }
                _ => {}
            }
        }
        self.rows += 1;
        self.rows >= bounds.group_rows || self.bytes >= bounds.group_bytes
    }

    /// Writes what is gathered as a row group.
    pub(super) fn write_group(&mut self, form: &Form) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        if self.part.is_none() {
            let file = File::create(self.path(self.parts, true))?;
            self.parts += 1;
            let file = SerializedFileWriter::new(file, Arc::clone(&form.schema), Arc::clone(&form.properties));
            self.part = Some(Part { file: file.map_err(io_error)?, groups: 0 });
        }
        let Some(part) = &mut self.part else { return Ok(()) };
        part.write(std::mem::take(&mut self.gathered)).map_err(io_error)?;
        let full = part.groups >= form.bounds.file_groups;
        self.clear();
        if full { self.close(form) } else { Ok(()) }
    }

    /// Completes the file that is open, with all that is gathered.
    pub(super) fn close(&mut self, form: &Form) -> io::Result<()> {
        self.write_group(form)?;
        let Some(part) = self.part.take() else { return Ok(()) };
        let file = part.file.into_inner().map_err(io_error)?;
        file.sync_all()
    }

    /// Gives the files their names. All of them are whole.
    pub(super) fn publish(&self) -> io::Result<()> {
        (0..self.parts).try_for_each(|part| std::fs::rename(self.path(part, true), self.path(part, false)))
    }

    /// Takes the files away, as far as that can be.
    pub(super) fn discard(&mut self) {
        self.part = None;
        for part in 0..self.parts {
            for unfinished in [true, false] {
                let _ = std::fs::remove_file(self.path(part, unfinished));
            }
        }
        let _ = std::fs::remove_dir(&self.folder);
    }

    /// The name of a file: one that readers pass over, as long as it is `unfinished`.
    fn path(&self, part: usize, unfinished: bool) -> PathBuf {
        let name = format!("part-{part:05}.parquet");
        self.folder.join(if unfinished { format!(".{name}.unfinished") } else { name })
    }

    fn clear(&mut self) {
        (self.rows, self.bytes) = (0, 0);
        let gathered = COLUMNS.iter().map(|column| Gathered {
            values: match column.kind {
                Kind::Small => Values::Small(Vec::new()),
                Kind::Integer | Kind::Timestamp => Values::Integer(Vec::new()),
                Kind::Text => Values::Text(Vec::new(), Vec::new()),
            },
            levels: (!column.required).then(Vec::new),
        });
        self.gathered = gathered.collect();
    }
}

impl Part {
    fn write(&mut self, gathered: Vec<Gathered>) -> ParquetResult<()> {
        let mut group = self.file.next_row_group()?;
        for Gathered { values, levels } in gathered {
            let Some(mut column) = group.next_column()? else { break };
            let levels = levels.as_deref();
            match (column.untyped(), values) {
                (ColumnWriter::Int32ColumnWriter(column), Values::Small(values)) => {
                    column.write_batch(&values, levels, None)?;
                }
                (ColumnWriter::Int64ColumnWriter(column), Values::Integer(values)) => {
                    column.write_batch(&values, levels, None)?;
                }
                (ColumnWriter::ByteArrayColumnWriter(column), Values::Text(bytes, ends)) => {
                    let (bytes, mut start) = (Bytes::from(bytes), 0);
                    let texts = ends.into_iter().map(|end| {
                        let text = bytes.slice(start..end);
                        start = end;
                        ByteArray::from(text)
                    });
                    column.write_batch(&texts.collect::<Vec<_>>(), levels, None)?;
                }
                _ => return Err(ParquetError::General("the columns are not those of the schema".to_owned())),
            }
            column.close()?;
        }
        group.close()?;
        self.groups += 1;
        Ok(())
    }
}

/// The error of the file below, as it is.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}
