//! The sink of a worker.

use std::sync::Arc;

use enjamb_monitor::{CsvWriter, Format, JsonWriter, Output, Record, Rows};

use crate::records::ordered_lines::Lines;
use crate::records::output::RecordForm;
use crate::records::parallel::Drain;
use crate::records::piece::Piece;
use crate::records::selection::Selection;

/// Takes the records that are selected, and formats them into memory. Another thread writes them,
/// after the header.
pub(crate) struct PieceSink {
    selection: Arc<Selection>,
    writer: PieceWriter,
}

enum PieceWriter {
    None,
    Text { format: Format, columns: Option<usize>, lines: Lines },
    Json { lines: Vec<u8>, writer: JsonWriter },
    Csv(Box<CsvWriter<Vec<u8>>>),
    Rows(Box<Rows>),
}

impl PieceSink {
    pub(crate) fn new(form: RecordForm, selection: Arc<Selection>) -> Self {
        let writer = match form {
            RecordForm::None => PieceWriter::None,
            RecordForm::Text(format, columns) => PieceWriter::Text { format, columns, lines: Lines::default() },
            RecordForm::JsonLines => PieceWriter::Json { lines: Vec::new(), writer: JsonWriter::default() },
            RecordForm::Rows => PieceWriter::Rows(Box::default()),
            RecordForm::Csv => match CsvWriter::new(Vec::new()) {
                Ok(mut csv) => {
                    csv.out_mut().clear();
                    PieceWriter::Csv(Box::new(csv))
                }
                Err(error) => panic!("writing to memory failed: {error}"),
            },
        };
        Self { selection, writer }
    }
}

impl Output for PieceSink {
    fn wants(&mut self, record: &Record<'_>) -> bool {
        self.selection.wants(record)
    }

    #[inline]
    fn record(&mut self, record: &Record<'_>) {
        // A summary needs no record.
        if !matches!(self.writer, PieceWriter::None) {
            self.write(record);
        }
    }
}

impl PieceSink {
    #[inline(never)]
    fn write(&mut self, record: &Record<'_>) {
        match &mut self.writer {
            PieceWriter::None => {}
            PieceWriter::Text { format, columns, lines } => {
                lines.push(record.time(), |text| format.write_within(record, *columns, text));
            }
            PieceWriter::Json { lines, writer } => writer.write(record, lines),
            PieceWriter::Csv(csv) => {
                // Writing to memory does not fail.
                let _ = csv.write(record);
            }
            PieceWriter::Rows(rows) => rows.push(record),
        }
    }
}

impl Drain for PieceSink {
    fn size(&self) -> usize {
        match &self.writer {
            PieceWriter::None => 0,
            PieceWriter::Text { lines, .. } => lines.ends.len(),
            PieceWriter::Json { lines, .. } => lines.len(),
            PieceWriter::Csv(csv) => csv.out().len(),
            PieceWriter::Rows(rows) => rows.len(),
        }
    }

    fn drain(&mut self, empty: Piece) -> Piece {
        let bytes = if let Piece::Bytes(bytes) = empty { bytes } else { Vec::new() };
        match &mut self.writer {
            PieceWriter::None => Piece::default(),
            PieceWriter::Text { lines, .. } => Piece::Lines(std::mem::take(lines)),
            PieceWriter::Json { lines, .. } => Piece::Bytes(std::mem::replace(lines, bytes)),
            PieceWriter::Csv(csv) => Piece::Bytes(std::mem::replace(csv.out_mut(), bytes)),
            PieceWriter::Rows(rows) => Piece::Rows(std::mem::take(rows)),
        }
    }
}
