//! The files of one partition.
//!
//! Rows are gathered by column until a row group is full, since Parquet writes one column of it
//! after the other. A row group is limited in rows and in bytes. A file is limited in row groups,
//! and so is the footer that its writer keeps.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, TypePtr};

use crate::dataset::columns::{Cells, Table, Values, schema};

/// The limits of what is gathered and of a file.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// The rows of a row group. Engines share row groups out among their threads.
    pub(super) group_rows: usize,
    /// The bytes of values, before they are encoded, at which a row group is full.
    pub(super) group_bytes: usize,
    /// The row groups of a file.
    pub(super) file_groups: usize,
    /// The bytes of values that are gathered for all partitions together.
    pub(super) held: usize,
    /// The files that are open at a time.
    pub(super) open: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { group_rows: 122_880, group_bytes: 64 << 20, file_groups: 64, held: 256 << 20, open: 64 }
    }
}

/// The form in which the files of a dataset are written.
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
                .set_compression(Compression::LZ4_RAW)
                .set_key_value_metadata(Some(vec![KeyValue::new("enjamb.dataset".to_owned(), "1".to_owned())]));
            // These grow from row to row: a dictionary would not find a value twice, and the
            // differences are small.
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

/// A file that is not whole yet.
struct Part {
    file: SerializedFileWriter<File>,
    groups: usize,
}

/// The files of one partition, written one after the other. Each has another name until all are
/// whole.
pub(super) struct Partition {
    folder: PathBuf,
    gathered: Table,
    part: Option<Part>,
    /// The number of files.
    parts: usize,
}

impl Partition {
    /// Creates a partition in `folder`, which exists.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, gathered: Table::default(), part: None, parts: 0 }
    }

    /// Returns the estimated size of the gathered rows in bytes.
    pub(super) fn held(&self) -> usize {
        self.gathered.bytes
    }

    /// Returns whether a file is open.
    pub(super) fn is_open(&self) -> bool {
        self.part.is_some()
    }

    /// Appends a row by `push`. Returns whether a row group is full.
    pub(super) fn push(&mut self, bounds: &Bounds, push: impl FnOnce(&mut Table)) -> bool {
        push(&mut self.gathered);
        self.gathered.rows >= bounds.group_rows || self.gathered.bytes >= bounds.group_bytes
    }

    /// Writes the gathered rows as a row group.
    pub(super) fn write_group(&mut self, form: &Form) -> io::Result<()> {
        if self.gathered.rows == 0 {
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
        if part.groups >= form.bounds.file_groups { self.close(form) } else { Ok(()) }
    }

    /// Writes the gathered rows and completes the open file.
    pub(super) fn close(&mut self, form: &Form) -> io::Result<()> {
        self.write_group(form)?;
        let Some(part) = self.part.take() else { return Ok(()) };
        let file = part.file.into_inner().map_err(io_error)?;
        file.sync_all()
    }

    /// Gives the files, which are all whole, their names.
    pub(super) fn publish(&self) -> io::Result<()> {
        (0..self.parts).try_for_each(|part| std::fs::rename(self.path(part, true), self.path(part, false)))
    }

    /// Removes the files, as far as possible.
    pub(super) fn discard(&mut self) {
        self.part = None;
        for part in 0..self.parts {
            for unfinished in [true, false] {
                let _ = std::fs::remove_file(self.path(part, unfinished));
            }
        }
        let _ = std::fs::remove_dir(&self.folder);
    }

    /// Returns the path of a file. Readers skip the name of an `unfinished` one.
    fn path(&self, part: usize, unfinished: bool) -> PathBuf {
        let name = format!("part-{part:05}.parquet");
        self.folder.join(if unfinished { format!(".{name}.unfinished") } else { name })
    }
}

impl Part {
    fn write(&mut self, gathered: Table) -> ParquetResult<()> {
        let mut group = self.file.next_row_group()?;
        for Cells { values, levels } in gathered.cells {
            let Some(mut column) = group.next_column()? else { break };
            let levels = levels.as_deref();
            match (column.untyped(), values) {
                (ColumnWriter::Int32ColumnWriter(column), Values::Small(values)) => {
                    column.write_batch(&values, levels, None)?;
                }
                (ColumnWriter::Int64ColumnWriter(column), Values::Integer(values)) => {
                    column.write_batch(&values, levels, None)?;
                }
                (ColumnWriter::ByteArrayColumnWriter(column), Values::Text(text, ends)) => {
                    let (bytes, mut start) = (Bytes::from(text.into_bytes()), 0);
                    let texts = ends.into_iter().map(|end| {
                        let text = bytes.slice(start..end);
                        start = end;
                        ByteArray::from(text)
                    });
                    column.write_batch(&texts.collect::<Vec<_>>(), levels, None)?;
                }
                _ => return Err(ParquetError::General("a column does not have the type of the schema".to_owned())),
            }
            column.close()?;
        }
        group.close()?;
        self.groups += 1;
        Ok(())
    }
}

/// Returns the error of the file, if there is one inside.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}
