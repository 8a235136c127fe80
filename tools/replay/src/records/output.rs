//! The sink of records: lines on standard output, a dataset, and the timeline of the report.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;

use enjamb_monitor::{CsvWriter, DatasetWriter, Format, Output, Record, Rows};
use enjamb_sources::Stop;
use serde_json::Value;

use crate::html::Timeline;
use crate::records::parallel::Drain;
use crate::selection::Selection;

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

/// Takes the records that are selected, and writes them.
pub(crate) struct Sink<W: Write> {
    selection: Arc<Selection>,
    writer: Writer<W>,
    timeline: Option<Timeline>,
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
    Rows(W, Rows),
    /// A dataset that is not complete yet. `W` gets what comes after it.
    Dataset(W, Box<DatasetWriter>, Rows),
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(out: W, form: &RecordForm, selection: Arc<Selection>, stop: Stop) -> io::Result<Self> {
        let writer = match form {
            RecordForm::None => Writer::None(out),
            RecordForm::Lines(format, columns) => {
                Writer::Lines { out, format: *format, columns: *columns, line: String::new() }
            }
            RecordForm::Csv => Writer::Csv(Box::new(CsvWriter::new(out)?)),
            RecordForm::Rows => Writer::Rows(out, Rows::default()),
        };
        Ok(Self { selection, writer, timeline: None, failed: None, stop })
    }

    /// Creates a sink that writes records into `dataset`, and to `out` only what comes after them.
    pub(crate) fn to_dataset(out: W, dataset: DatasetWriter, selection: Arc<Selection>, stop: Stop) -> Self {
        let writer = Writer::Dataset(out, Box::new(dataset), Rows::default());
        Self { selection, writer, timeline: None, failed: None, stop }
    }

    /// Completes the dataset, if there is one, and returns the number of its records.
    ///
    /// # Errors
    /// The first error of all writing.
    pub(crate) fn complete(self, summary: impl FnOnce() -> Value) -> io::Result<(Self, Option<u64>)> {
        let Self { selection, writer: Writer::Dataset(out, dataset, _), timeline, failed, stop } = self else {
            return Ok((self, None));
        };
        if let Some(error) = failed {
            return Err(error);
        }
        let rows = dataset.rows();
        dataset.finish(&summary())?;
        Ok((Self { selection, writer: Writer::None(out), timeline, failed: None, stop }, Some(rows)))
    }

    /// Keeps the times of messages, for the report.
    pub(crate) fn with_timeline(mut self, wanted: bool) -> Self {
        self.timeline = wanted.then(Timeline::default);
        self
    }

    /// Returns the times of messages, if they were kept.
    pub(crate) fn timeline(&self) -> Option<&Timeline> {
        self.timeline.as_ref()
    }

    /// Writes records that are formatted already.
    pub(crate) fn write(&mut self, written: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        let written = match &mut self.writer {
            Writer::None(out) => out.write_all(written),
            Writer::Dataset(_, dataset, _) => dataset.write(written),
            _ => return,
        };
        self.note(written);
    }

    fn note(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.failed = Some(error);
            self.stop.request();
        }
    }

    /// Writes what comes after the records.
    ///
    /// # Errors
    /// The first error of all writing.
    pub(crate) fn finish(self, last: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.writer {
            Writer::None(mut out)
            | Writer::Lines { mut out, .. }
            | Writer::Rows(mut out, _)
            | Writer::Dataset(mut out, ..) => last(&mut out).and_then(|()| out.flush()),
            Writer::Csv(rows) => rows.finish(),
        }
    }
}

impl<W: Write> Writer<W> {
    fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        match self {
            Self::None(_) => Ok(()),
            Self::Lines { out, format, columns, line } => {
                line.clear();
                let mut writer = format.writer(line).within(*columns);
                record.visit(&mut writer);
                writer.finish();
                out.write_all(line.as_bytes())
            }
            Self::Csv(rows) => rows.write(record),
            Self::Rows(out, rows) => {
                rows.clear();
                rows.push(record);
                out.write_all(rows.as_bytes())
            }
            Self::Dataset(_, dataset, rows) => {
                rows.clear();
                rows.push(record);
                dataset.write(rows.as_bytes())
            }
        }
    }
}

/// The first error is kept, and nothing is written after it.
impl<W: Write> Output for Sink<W> {
    fn wants(&mut self, record: &Record<'_>) -> bool {
        self.selection.wants(record)
    }

    fn record(&mut self, record: &Record<'_>) {
        if let Some(timeline) = &mut self.timeline {
            timeline.record(record);
        }
        if self.failed.is_none() {
            let written = self.writer.write(record);
            self.note(written);
        }
    }
}

/// Bytes that are written in pieces and taken out after each piece. It belongs to one thread.
#[derive(Clone, Default)]
pub(crate) struct PieceBuffer(Rc<RefCell<Vec<u8>>>);

impl Write for PieceBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Formats records into memory, in pieces that somebody else writes after the [header].
pub(crate) struct PieceSink {
    sink: Sink<PieceBuffer>,
    pieces: PieceBuffer,
}

impl PieceSink {
    pub(crate) fn new(form: RecordForm, selection: Arc<Selection>) -> Self {
        let pieces = PieceBuffer::default();
        let sink = match Sink::new(pieces.clone(), &form, selection, Stop::default()) {
            Ok(sink) => sink,
            Err(error) => panic!("writing to memory failed: {error}"),
        };
        let mut sink = Self { sink, pieces };
        sink.drain(&mut Vec::new());
        sink
    }
}

impl Output for PieceSink {
    fn wants(&mut self, record: &Record<'_>) -> bool {
        self.sink.wants(record)
    }

    fn record(&mut self, record: &Record<'_>) {
        self.sink.record(record);
    }
}

impl Drain for PieceSink {
    fn drain(&mut self, to: &mut Vec<u8>) {
        if let Writer::Csv(rows) = &mut self.sink.writer {
            // Writing to memory does not fail.
            let _ = rows.flush();
        }
        to.append(&mut self.pieces.0.borrow_mut());
    }
}

/// Returns what comes before all records.
pub(crate) fn header(form: RecordForm) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    if let RecordForm::Csv = form {
        CsvWriter::new(&mut begin)?.finish()?;
    }
    Ok(begin)
}
