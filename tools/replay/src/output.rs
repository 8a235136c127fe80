//! Where records go: to standard output as lines, into a dataset, and into the report.

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;

use enjamb_monitor::{CsvWriter, DatasetWriter, Format, Output, Record, Rows};
use serde_json::Value;

use crate::html::Timeline;
use crate::parallel::Written;
use crate::selection::Selection;

/// What has been told to stop, because nobody reads what is written any more.
#[derive(Clone, Default)]
pub(crate) struct Stop(Rc<Cell<bool>>);

impl Stop {
    pub(crate) fn is_asked(&self) -> bool {
        self.0.get()
    }
}

/// How records are written, if they are.
#[derive(Clone, Copy)]
pub(crate) enum Records {
    /// They are not.
    None,
    /// As lines, each cut to so many columns if at all.
    Lines(Format, Option<usize>),
    /// As CSV.
    Csv,
    /// As rows, for somebody who has a dataset.
    Rows,
}

/// Takes the records that were selected.
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
    /// Until the dataset is complete.
    Dataset(W, Box<DatasetWriter>, Rows),
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(out: W, records: &Records, selection: Arc<Selection>, stop: Stop) -> io::Result<Self> {
        let writer = match records {
            Records::None => Writer::None(out),
            Records::Lines(format, columns) => {
                Writer::Lines { out, format: *format, columns: *columns, line: String::new() }
            }
            Records::Csv => Writer::Csv(Box::new(CsvWriter::new(out)?)),
            Records::Rows => Writer::Rows(out, Rows::default()),
        };
        Ok(Self { selection, writer, timeline: None, failed: None, stop })
    }

    /// Writes records into `dataset`, and to `out` only what comes behind them.
    pub(crate) fn to_dataset(out: W, dataset: DatasetWriter, selection: Arc<Selection>, stop: Stop) -> Self {
        let writer = Writer::Dataset(out, Box::new(dataset), Rows::default());
        Self { selection, writer, timeline: None, failed: None, stop }
    }

    /// Completes the dataset, if there is one, and says how many records are in it. The error is the first one that there was.
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

    /// Keeps when messages came, for the report.
    pub(crate) fn over_time(mut self, wanted: bool) -> Self {
        self.timeline = wanted.then(Timeline::default);
        self
    }

    /// When messages came.
    pub(crate) fn timeline(&self) -> Option<&Timeline> {
        self.timeline.as_ref()
    }

    /// Writes records that are written already.
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
            self.stop.0.set(true);
        }
    }

    /// Writes what comes behind the records. The error is the first one that there was.
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

/// What is written in pieces, to be taken when a piece is done. It belongs to one thread.
#[derive(Clone, Default)]
pub(crate) struct Pieces(Rc<RefCell<Vec<u8>>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes records in pieces, behind the [beginning] that somebody else writes.
pub(crate) struct InPieces {
    sink: Sink<Pieces>,
    pieces: Pieces,
}

impl InPieces {
    pub(crate) fn new(records: Records, selection: Arc<Selection>) -> Self {
        let pieces = Pieces::default();
        let sink = match Sink::new(pieces.clone(), &records, selection, Stop::default()) {
            Ok(sink) => sink,
            Err(error) => panic!("memory takes what is written: {error}"),
        };
        let mut sink = Self { sink, pieces };
        sink.take(&mut Vec::new());
        sink
    }
}

impl Output for InPieces {
    fn wants(&mut self, record: &Record<'_>) -> bool {
        self.sink.wants(record)
    }

    fn record(&mut self, record: &Record<'_>) {
        self.sink.record(record);
    }
}

impl Written for InPieces {
    fn take(&mut self, to: &mut Vec<u8>) {
        if let Writer::Csv(rows) = &mut self.sink.writer {
            // Into memory: it cannot fail.
            let _ = rows.flush();
        }
        to.append(&mut self.pieces.0.borrow_mut());
    }
}

/// What comes before all records.
pub(crate) fn beginning(records: Records) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    if let Records::Csv = records {
        CsvWriter::new(&mut begin)?.finish()?;
    }
    Ok(begin)
}
