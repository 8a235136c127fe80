//! The run of the default mode.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use enjamb::units::format_count;
use enjamb::{Outcome, Side};
use enjamb_monitor::{Captures, DatasetWriter, Format, Opener, Output, Statistics, Watch};
use enjamb_sources::live::Interrupt;
use enjamb_sources::{
    Exit, Input, Inputs, OutputError, OutputFile, OutputKind, Progress, SourceReader, SourceReport, Stop,
};
use serde_json::Value;

use crate::output_arguments::{Colour, OutputArguments, OutputFormat};
use crate::records::html::{self, Page};
use crate::records::output::{RecordForm, Sink, header};
use crate::records::parallel::{self, Parallel, RoundOutput as _};
use crate::records::piece::Piece;
use crate::records::piece_sink::PieceSink;
use crate::records::selection::Selection;
use crate::records::status::{OutputAboveStatus, StatusLine};
use crate::setup::Setup;

/// Standard output, buffered.
type Out = BufWriter<OutputAboveStatus>;

/// Replays captures, and writes records and statistics to standard output.
pub(crate) fn run(
    setup: &Setup<'_>,
    inputs: &Inputs,
    selection: &Arc<Selection>,
    jobs: Option<NonZeroUsize>,
) -> anyhow::Result<Exit> {
    let Setup { output, protocols, notices, .. } = setup;
    // Outputs are opened before the work, so that a failure costs no work.
    let html = match output.html.as_deref().map(|path| open_report(path, output.force, inputs)).transpose() {
        Ok(html) => html,
        Err(error) => return Ok(setup.refuse("--html: ", &error)),
    };
    let captures = Captures::default();
    let dataset = match output.out.as_deref().map(|folder| create_dataset(folder, &captures)).transpose() {
        Ok(dataset) => dataset,
        Err(DatasetError::Usage(reason)) => {
            notices.notice(reason);
            return Ok(Exit::WrongUsage);
        }
        Err(DatasetError::Io(error)) => return Err(error),
    };
    let is_live = inputs.captures.iter().any(Input::is_live);
    // Standard input may be a file after all, which `cat` passes on as fast as it is read.
    let is_watched = is_live && !inputs.captures.contains(&Input::StandardInput);
    let (progress, status) = if is_watched {
        (Progress::hidden(notices), StatusLine::on_terminal())
    } else {
        (Progress::new(notices, &inputs.captures, !output.summary && dataset.is_none()), StatusLine::hidden())
    };
    let stop = Stop::default();
    let reader = setup.reader(inputs, &progress).only(selection.numbers.as_ref()).stop(stop.clone());
    let reader = if is_live { reader.live(Interrupt::on_signals()?) } else { reader };
    let job = Job {
        output,
        selection,
        opener: {
            let protocols = Arc::clone(protocols);
            let keeps_attributes = selection.names_attributes();
            Arc::new(move |connection| {
                let mut session = protocols.session(connection);
                if keeps_attributes {
                    session.keep_attributes();
                }
                session
            })
        },
        reader,
        captures: &captures,
        stop,
        out: BufWriter::with_capacity(1 << 16, OutputAboveStatus::new(status.clone())),
        status,
        dataset,
    };
    let jobs = jobs.unwrap_or_else(parallel::default_jobs);
    let replayed = if jobs == NonZeroUsize::MIN || output.needs_one_thread() || is_watched {
        job.on_one_thread(html.is_some())?
    } else {
        job.on_threads(jobs)?
    };
    progress.finish();
    let names = inputs.captures.iter().map(ToString::to_string).collect::<Vec<_>>();
    let is_wanting = replayed.is_wanting();
    let is_complete = replayed.report.totals.is_complete();
    Ok(match write_rest(output, selection, replayed, html, &names)? {
        Exit::Done if setup.strict && is_wanting => Exit::FoundWanting,
        Exit::Done if setup.strict && !is_complete => Exit::Unavailable,
        exit => exit,
    })
}

/// Everything that reading needs.
struct Job<'a> {
    output: &'a OutputArguments,
    selection: &'a Arc<Selection>,
    opener: Opener,
    reader: SourceReader<'a>,
    captures: &'a Captures,
    stop: Stop,
    out: Out,
    status: StatusLine,
    dataset: Option<DatasetWriter>,
}

/// The results of reading that are still to be written.
struct Replayed {
    report: SourceReport,
    statistics: Statistics,
    sink: Sink<Out>,
}

impl Replayed {
    /// Returns whether a message was malformed or incomplete, or a session panicked.
    fn is_wanting(&self) -> bool {
        let count = |side, outcome| self.statistics.outcome(side, outcome);
        let is_broken = |side| count(side, Outcome::Malformed) + count(side, Outcome::Incomplete) > 0;
        Side::BOTH.into_iter().any(is_broken) || self.statistics.panicked() > 0
    }
}

impl Job<'_> {
    fn on_one_thread(self, keep_timeline: bool) -> anyhow::Result<Replayed> {
        let Self { output, selection, opener, reader, captures, stop, out, status, dataset } = self;
        let sink = match dataset {
            Some(dataset) => Sink::to_dataset(out, dataset, Arc::clone(selection), stop),
            None => {
                let form = record_form(output);
                Sink::new(out, &form, Arc::clone(selection), stop).context(CANNOT_WRITE)?
            }
        };
        let sink = sink.with_timeline(keep_timeline).with_status(status);
        let mut watch = watch(opener, sink, output, selection);
        let report = reader.read(&mut watch, |watch, next| {
            captures.begin(&next.input.to_string(), next.connections_before);
            if !next.continues_set {
                watch.output_mut().begin_input();
            }
        });
        let (statistics, sink) = watch.finish();
        Ok(Replayed { report, statistics, sink })
    }

    fn on_threads(self, jobs: NonZeroUsize) -> anyhow::Result<Replayed> {
        let Self { output, selection, opener, reader, captures, stop, out, status: _, dataset } = self;
        let form = record_form(output);
        let mut sink = match dataset {
            Some(dataset) => Sink::to_dataset(out, dataset, Arc::clone(selection), stop),
            None => Sink::of_workers(out, &form, Arc::clone(selection), stop),
        };
        let header = header(form).context(CANNOT_WRITE)?;
        let length = header.len();
        (&mut sink).write(&mut Piece::Bytes(header), 0..length);
        let (output, selection) = (output.clone(), Arc::clone(selection));
        let make = move || {
            let pieces = PieceSink::new(form, Arc::clone(&selection));
            watch(Arc::clone(&opener), pieces, &output, &selection)
        };
        let mut parallel = Parallel::new(jobs, make, &mut sink).context("cannot start the threads of --jobs")?;
        let report = reader.read_segments(&mut parallel, |parallel, next| {
            captures.begin(&next.input.to_string(), next.connections_before);
            if !next.continues_set {
                parallel.begin_input();
            }
        });
        let statistics = parallel.finish();
        Ok(Replayed { report, statistics, sink })
    }
}

/// Writes the report and everything else that follows the records.
fn write_rest(
    output: &OutputArguments,
    selection: &Selection,
    replayed: Replayed,
    html: Option<OutputFile>,
    names: &[String],
) -> anyhow::Result<Exit> {
    let Replayed { report: SourceReport { totals, problems }, statistics, sink } = replayed;
    let OutputArguments { format, summary, .. } = *output;
    let with_captures = |mut record: Value| {
        record["capture"] = totals.to_json();
        if let Some(selected) = selection.to_json() {
            record["selected"] = selected;
        }
        record
    };
    let counted = statistics.summary();
    let to_json = || with_captures(counted.to_json());
    if let (Some(html), Some(timeline)) = (html, sink.timeline()) {
        let path = html.path().to_owned();
        let page = Page {
            summary: &counted,
            totals: &totals,
            record: &to_json(),
            timeline,
            captures: names,
            problems: &problems,
            selected: &selection.to_string(),
        };
        write_report(html, &page).with_context(|| format!("--html: cannot write {}", path.display()))?;
    }
    let complete = sink.complete(|| with_captures(statistics.summary_with_histograms().to_json()));
    let folder = output.out.as_deref().unwrap_or(Path::new(""));
    let (sink, rows) = complete.with_context(|| cannot_write_dataset(folder))?;
    let written = sink.finish(|out| match format {
        OutputFormat::Jsonl => writeln!(out, "{}", to_json()),
        OutputFormat::Json => writeln!(out, "{:#}", to_json()),
        OutputFormat::Csv => Ok(()),
        // The problems were written to standard error, and a table of zeros is useless.
        OutputFormat::Text | OutputFormat::Parquet if totals.nothing_read() => Ok(()),
        OutputFormat::Text | OutputFormat::Parquet => {
            if summary {
                return write!(out, "{totals}{selection}{counted}");
            }
            match rows {
                Some(rows) => writeln!(out, "{} records in {}", format_count(rows), folder.display())?,
                None => writeln!(out)?,
            }
            let hint = if rows.is_some() { "" } else { " (all counts: --summary)" };
            writeln!(out, "{}{hint}\n{}", counted.in_brief(), totals.in_brief())?;
            write!(out, "{selection}")
        }
    });
    written.context(CANNOT_WRITE)?;
    Ok(if totals.nothing_read() { Exit::Unavailable } else { Exit::Done })
}

/// The reason why there is no dataset to write to.
enum DatasetError {
    /// The directory cannot be used for a dataset.
    Usage(String),
    /// The directory cannot be written.
    Io(anyhow::Error),
}

/// Begins a dataset in `folder`.
fn create_dataset(folder: &Path, captures: &Captures) -> Result<DatasetWriter, DatasetError> {
    DatasetWriter::create(folder, captures.clone()).map_err(|error| match error.kind() {
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => DatasetError::Usage(format!(
            "--out {}: {error}; a dataset is written to a new directory, or to one that is empty",
            folder.display()
        )),
        _ => DatasetError::Io(anyhow::Error::new(error).context(cannot_write_dataset(folder))),
    })
}

fn cannot_write_dataset(folder: &Path) -> String {
    format!("cannot write the dataset to {}", folder.display())
}

/// Creates the watch of one thread.
fn watch<O: Output>(opener: Opener, output: O, arguments: &OutputArguments, selection: &Selection) -> Watch<O> {
    let watch = Watch::new(opener, output).showing(arguments.shown()).redacting(arguments.redactor());
    if selection.selects_records() { watch.selecting() } else { watch }
}

/// Opens the file of the report. Its old content stays until the new one is written.
fn open_report(path: &Path, force: bool, inputs: &Inputs) -> Result<OutputFile, OutputError> {
    let file = OutputFile::open(path, OutputKind::Report, force)?;
    file.check_inputs(inputs)?;
    Ok(file)
}

fn write_report(file: OutputFile, page: &Page<'_>) -> io::Result<()> {
    let mut out = BufWriter::new(file.replace()?);
    html::write(page, &mut out)?;
    out.flush()
}

/// Chooses the form of records on standard output.
fn record_form(arguments: &OutputArguments) -> RecordForm {
    match arguments.format {
        _ if arguments.summary => RecordForm::None,
        OutputFormat::Text => {
            let terminal = io::stdout().is_terminal().then(|| terminal_size::terminal_size_of(io::stdout())).flatten();
            let columns = terminal.map(|(width, _)| usize::from(width.0));
            RecordForm::Text(Format::Text { colour: arguments.color.unwrap_or(Colour::Auto).on_stdout() }, columns)
        }
        OutputFormat::Csv => RecordForm::Csv,
        OutputFormat::Parquet => RecordForm::Rows,
        OutputFormat::Jsonl | OutputFormat::Json => RecordForm::JsonLines,
    }
}

const CANNOT_WRITE: &str = "cannot write to standard output";
