//! The sink of records: lines on standard output, a dataset, and the timeline of the report.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use enjamb_monitor::{CsvWriter, DatasetWriter, Format, Output, Record};
use enjamb_sources::Stop;
use serde_json::Value;

use crate::records::html::Timeline;
use crate::records::ordered_lines::OrderedLines;
use crate::records::parallel::RoundOutput;
use crate::records::piece::Piece;
use crate::records::selection::Selection;
use crate::records::status::StatusLine;

/// The form in which records are written.
#[derive(Clone, Copy)]
pub(crate) enum RecordForm {
    /// No records are written.
    None,
    /// Text, in the order of time, and cut to this many columns. `None`: not cut.
    Text(Format, Option<usize>),
    /// JSON lines.
    JsonLines,
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
    /// The number of messages that were wanted so far.
    messages: u64,
}

enum Writer<W: Write> {
    None(W),
    Text {
        out: W,
        format: Format,
        columns: Option<usize>,
        lines: Box<OrderedLines>,
    },
    Json {
        out: W,
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
            RecordForm::Text(format, columns) => Writer::text(out, *format, *columns),
            RecordForm::JsonLines => Writer::Json { out, line: String::new() },
            RecordForm::Csv => Writer::Csv(Box::new(CsvWriter::new(out)?)),
        };
        Ok(Self { selection, writer, timeline: None, status: StatusLine::hidden(), failed: None, stop, messages: 0 })
    }

    /// Creates a sink for the records that workers have made, in the same form.
    pub(crate) fn of_workers(out: W, form: &RecordForm, selection: Arc<Selection>, stop: Stop) -> Self {
        let writer = match form {
            RecordForm::Text(format, columns) => Writer::text(out, *format, *columns),
            RecordForm::None | RecordForm::JsonLines | RecordForm::Csv | RecordForm::Rows => Writer::None(out),
        };
        Self { selection, writer, timeline: None, status: StatusLine::hidden(), failed: None, stop, messages: 0 }
    }

    /// Notes that the records of another input follow.
    pub(crate) fn begin_input(&mut self) {
        if let Writer::Text { lines, .. } = &mut self.writer {
            lines.begin_input();
        }
    }

    /// Creates a sink that writes records into `dataset`, and only the rest of the output to `out`.
    pub(crate) fn to_dataset(out: W, dataset: DatasetWriter, selection: Arc<Selection>, stop: Stop) -> Self {
        let writer = Writer::Dataset(out, Box::new(dataset));
        Self { selection, writer, timeline: None, status: StatusLine::hidden(), failed: None, stop, messages: 0 }
    }

    /// Completes the dataset, if there is one, and returns the number of its records.
    ///
    /// # Errors
    /// The first error of all writing.
    pub(crate) fn complete(self, summary: impl FnOnce() -> Value) -> io::Result<(Self, Option<u64>)> {
        let Self { selection, writer: Writer::Dataset(out, dataset), timeline, status, failed, stop, messages } = self
        else {
            return Ok((self, None));
        };
        if let Some(error) = failed {
            return Err(error);
        }
        let rows = dataset.rows();
        dataset.finish(&summary())?;
        Ok((Self { selection, writer: Writer::None(out), timeline, status, failed: None, stop, messages }, Some(rows)))
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
            Writer::None(mut out) | Writer::Json { mut out, .. } | Writer::Dataset(mut out, _) => {
                last(&mut out).and_then(|()| out.flush())
            }
            Writer::Text { mut out, mut lines, .. } => {
                lines.write_all(&mut out).and_then(|()| last(&mut out)).and_then(|()| out.flush())
            }
            Writer::Csv(rows) => rows.finish(),
        }
    }
}

impl<W: Write> Writer<W> {
    fn text(out: W, format: Format, columns: Option<usize>) -> Self {
        Self::Text { out, format, columns, lines: Box::new(OrderedLines::new(format)) }
    }

    /// Flushes what can be written before the end. A file of a dataset is written when it is whole.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(out) | Self::Json { out, .. } => out.flush(),
            // Nobody waits for a line that has not come yet.
            Self::Text { out, lines, .. } => lines.write_all(out).and_then(|()| out.flush()),
            Self::Csv(rows) => rows.out_mut().flush(),
            Self::Dataset(..) => Ok(()),
        }
    }

    fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        match self {
            Self::None(_) => Ok(()),
            Self::Text { out, format, columns, lines } => {
                lines.push(record.time(), |text| format.write_within(record, *columns, text), out)
            }
            Self::Json { out, line } => {
                line.clear();
                Format::JsonLines.write(record, line);
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
            (Writer::Text { out, lines, .. }, Piece::Lines(piece)) => lines.extend(piece, part, out),
            (Writer::Dataset(_, dataset), Piece::Rows(rows)) => dataset.write_rows(rows, part.len()),
            _ => return,
        };
        self.note(written);
    }

    fn begin_input(&mut self) {
        Sink::begin_input(self);
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
        match self.selection.count {
            None => self.selection.wants(record),
            Some(count) => self.wants_within(count, record),
        }
    }

    fn only_counts(&self) -> bool {
        !self.selection.selects_records() && self.takes_no_records()
    }

    fn record(&mut self, record: &Record<'_>) {
        if !self.takes_no_records() {
            self.pass(record);
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

impl<W: Write> Sink<W> {
    /// Returns whether records are not written: a summary needs none.
    fn takes_no_records(&self) -> bool {
        matches!(self.writer, Writer::None(_)) && self.timeline.is_none() && self.status.is_hidden()
    }

    /// Returns whether a record is selected, and is not beyond the maximum number of messages.
    #[cold]
    fn wants_within(&mut self, count: u64, record: &Record<'_>) -> bool {
        if self.messages >= count || !self.selection.wants(record) {
            return false;
        }
        if let Record::Message { .. } = record {
            self.messages += 1;
            if self.messages == count {
                self.stop.request();
            }
        }
        true
    }

    #[inline(never)]
    fn pass(&mut self, record: &Record<'_>) {
        self.status.count(record);
        if let Some(timeline) = &mut self.timeline {
            timeline.record(record);
        }
        if self.failed.is_none() {
            let written = self.writer.write(record);
            self.note(written);
        }
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
