//! The sink of records: lines on standard output, a dataset, and the timeline of the report.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use enjamb_monitor::{CsvWriter, DatasetWriter, Format, Output, Record};
use enjamb_sources::Stop;
use serde_json::Value;

use crate::records::html::Timeline;
use crate::records::parallel::RoundOutput;
use crate::records::piece::Piece;
use crate::records::selection::Selection;
use crate::records::status::StatusLine;

/// The form in which records are written.
#[derive(Clone, Copy)]
pub(crate) enum RecordForm {
    /// No records are written.
    None,
    /// Lines, cut to this many columns. `None`: not cut.
    Lines(Format, Option<usize>),
    /// Rows of CSV.
    Csv,
    /// Rows of a dataset.
    Rows,
}

/// A sink that writes the selected records.
pub(crate) struct Sink<W: Write> {
    selection: Arc<Selection>,
    writer: Writer<W>,
    timeline: Option<Timeline>,
    status: StatusLine,
    failed: Option<io::Error>,
    stop: Stop,
}

enum Writer<W: Write> {
    None(W),
    Lines {
        out: W,
        format: Format,
        columns: Option<usize>,
        line: String,
    },
    Csv(Box<CsvWriter<W>>),
    /// A dataset that is not complete yet. `W` gets the output after it.
    Dataset(W, Box<DatasetWriter>),
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(out: W, form: &RecordForm, selection: Arc<Selection>, stop: Stop) -> io::Result<Self> {
        let writer = match form {
            // The rows of a dataset come from workers, and go to the sink of the dataset.
            RecordForm::None | RecordForm::Rows => Writer::None(out),
            RecordForm::Lines(format, columns) => {
                Writer::Lines { out, format: *format, columns: *columns, line: String::new() }
            }
            RecordForm::Csv => Writer::Csv(Box::new(CsvWriter::new(out)?)),
        };
        Ok(Self { selection, writer, timeline: None, status: StatusLine::hidden(), failed: None, stop })
    }

    /// Creates a sink that writes records into `dataset`, and only the rest of the output to `out`.
    pub(crate) fn to_dataset(out: W, dataset: DatasetWriter, selection: Arc<Selection>, stop: Stop) -> Self {
        let writer = Writer::Dataset(out, Box::new(dataset));
        Self { selection, writer, timeline: None, status: StatusLine::hidden(), failed: None, stop }
    }

    /// Completes the dataset, if there is one, and returns the number of its records.
    ///
    /// # Errors
    /// The first error of all writing.
    pub(crate) fn complete(self, summary: impl FnOnce() -> Value) -> io::Result<(Self, Option<u64>)> {
        let Self { selection, writer: Writer::Dataset(out, dataset), timeline, status, failed, stop } = self else {
            return Ok((self, None));
        };
        if let Some(error) = failed {
            return Err(error);
        }
        let rows = dataset.rows();
        dataset.finish(&summary())?;
        Ok((Self { selection, writer: Writer::None(out), timeline, status, failed: None, stop }, Some(rows)))
    }

    /// Keeps the times of messages, for the report.
    pub(crate) fn with_timeline(mut self, wanted: bool) -> Self {
        self.timeline = wanted.then(Timeline::default);
        self
    }

    /// Draws a status line while the input pauses.
    pub(crate) fn with_status(mut self, status: StatusLine) -> Self {
        self.status = status;
        self
    }

    /// Returns the times of messages, if they were kept.
    pub(crate) fn timeline(&self) -> Option<&Timeline> {
        self.timeline.as_ref()
    }

    fn note(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.failed = Some(error);
            self.stop.request();
        }
    }

    /// Writes the output that follows the records.
    ///
    /// # Errors
    /// The first error of all writing.
    pub(crate) fn finish(self, last: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        self.status.clear();
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.writer {
            Writer::None(mut out) | Writer::Lines { mut out, .. } | Writer::Dataset(mut out, _) => {
                last(&mut out).and_then(|()| out.flush())
            }
            Writer::Csv(rows) => rows.finish(),
        }
    }
}

impl<W: Write> Writer<W> {
    /// Flushes what can be written before the end. A file of a dataset is written when it is whole.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(out) | Self::Lines { out, .. } => out.flush(),
            Self::Csv(rows) => rows.out_mut().flush(),
            Self::Dataset(..) => Ok(()),
        }
    }

    fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        match self {
            Self::None(_) => Ok(()),
            Self::Lines { out, format, columns, line } => {
                line.clear();
                format.write_within(record, *columns, line);
                out.write_all(line.as_bytes())
            }
            Self::Csv(rows) => rows.write(record),
            Self::Dataset(_, dataset) => dataset.write(record),
        }
    }
}

impl<W: Write> RoundOutput for &mut Sink<W> {
    /// Writes a part of the records that a worker has made. Rows are taken from the front.
    fn write(&mut self, piece: &mut Piece, part: Range<usize>) {
        if self.failed.is_some() {
            return;
        }
        let written = match (&mut self.writer, piece) {
            (Writer::None(out), Piece::Bytes(bytes)) => out.write_all(&bytes[part]),
            (Writer::Dataset(_, dataset), Piece::Rows(rows)) => dataset.write_rows(rows, part.len()),
            _ => return,
        };
        self.note(written);
    }

    fn pause(&mut self) {
        if self.failed.is_none() {
            let flushed = self.writer.flush();
            self.note(flushed);
        }
        self.status.draw();
    }
}

/// The first error is kept, and nothing is written after it.
impl<W: Write> Output for Sink<W> {
    fn wants(&mut self, record: &Record<'_>) -> bool {
        self.selection.wants(record)
    }

    fn record(&mut self, record: &Record<'_>) {
        self.status.count(record);
        if let Some(timeline) = &mut self.timeline {
            timeline.record(record);
        }
        if self.failed.is_none() {
            let written = self.writer.write(record);
            self.note(written);
        }
    }

    fn pause(&mut self) {
        if self.failed.is_none() {
            let flushed = self.writer.flush();
            self.note(flushed);
        }
        self.status.draw();
    }
}

/// Returns the piece that comes before all records.
pub(crate) fn header(form: RecordForm) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    if let RecordForm::Csv = form {
        CsvWriter::new(&mut header)?.finish()?;
    }
    Ok(header)
}
