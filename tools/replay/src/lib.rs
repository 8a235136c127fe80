//! `enjamb replay`: captures through protocol handlers.
//!
//! Reads packets, puts their TCP streams together, feeds each connection to a session of the protocol, and writes down what it says:
//! one record a message, then what was counted.

mod against;
mod arguments;
mod bounds;
mod comparison;
mod conversations;
mod cuts;
mod html;
mod inputs;
mod listening;
mod live;
mod masks;
mod numbered;
mod output;
mod parallel;
mod progress;
mod recorded;
mod recut;
mod recut_report;
mod report;
mod selection;
mod serve;
mod sources;
pub mod transcripts;
mod trial;
mod verdicts;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use enjamb::{Outcome, Side, Tap};
use enjamb_capture::Options;
use enjamb_monitor::{Captures, DatasetWriter, Format, Opener, Output, Watch};
use enjamb_protocols::Registry;
use serde_json::Value;

pub use crate::arguments::{Colour, Numbers, OutputArguments, OutputFormat, ShowName, SideName};
use crate::bounds::Bounds;
pub use crate::conversations::title;
use crate::cuts::RecutArguments;
use crate::html::Page;
pub use crate::inputs::{Input, Inputs};
use crate::live::LiveArguments;
use crate::numbered::Numbered;
use crate::output::{InPieces, Records, Sink, Stop, beginning};
use crate::parallel::Parallel;
use crate::progress::{Progress, Source};
pub use crate::report::CaptureTotals;
use crate::selection::Selection;
pub use crate::sources::{Spoken, read_each};

/// What `enjamb replay` is told.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Captures to replay: pcap or pcapng, plain or in gzip or zstd; transcripts; directories and patterns of them; `-` is standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,

    /// What the connections speak: a name, `auto`, or a framing spec such as "u32be max=1M".
    #[arg(long, short, default_value = "auto", value_name = "NAME|SPEC")]
    protocol: String,

    /// Only list what would be read, one a line. Exits with 3 if something of it is not there.
    #[arg(long, conflicts_with_all = ["recut", "against", "serve"])]
    list: bool,

    /// Exit with 1 if a message was malformed or incomplete.
    #[arg(long)]
    strict: bool,

    /// How many threads read what connections say; what is written is the same. By default as many as there are cores, 8 at most. With --html it is one.
    #[arg(long, short, value_name = "COUNT")]
    jobs: Option<NonZeroUsize>,

    #[command(flatten)]
    recut: RecutArguments,

    #[command(flatten)]
    live: LiveArguments,

    #[command(flatten)]
    bounds: Bounds,

    #[command(flatten)]
    output: OutputArguments,
}

impl Arguments {
    /// Are sessions fed what may well end the process? That can be tried again only where the captures can be read again.
    #[must_use]
    pub fn is_trying(&self) -> bool {
        self.recut.cuts().is_some() && Inputs::are_files(&self.captures)
    }
}

/// Exit code when what was asked for was found wanting.
const FOUND_WANTING: u8 = 1;

/// Exit code for wrong usage.
const WRONG_USAGE: u8 = 2;

/// Exit code when nothing could be read.
const NOTHING_READ: u8 = 3;

/// Replays captures to standard output.
///
/// # Errors
/// Standard output cannot be written. A capture that cannot be read is told on standard error, and the others go on.
pub fn run(arguments: &Arguments, registry: &Registry) -> anyhow::Result<ExitCode> {
    let protocol = match registry.resolve(&arguments.protocol) {
        Ok(protocol) => protocol,
        Err(error) => return Ok(wrong_usage(format_args!("--protocol: {error}"))),
    };
    let selection = match Selection::new(&arguments.output) {
        Ok(selection) => Arc::new(selection),
        Err(error) => return Ok(wrong_usage(format_args!("--filter: {error}"))),
    };
    let OutputArguments { format, .. } = arguments.output;
    if let Some(contradiction) = arguments
        .live
        .contradiction(format)
        .or_else(|| arguments.recut.contradiction(format))
        .or_else(|| arguments.output.contradiction())
    {
        return Ok(wrong_usage(format_args!("{contradiction}")));
    }
    if arguments.recut.cuts().is_some() && format == OutputFormat::Parquet {
        return Ok(wrong_usage(format_args!("--recut writes a comparison, which is --format text or jsonl")));
    }
    if arguments.list {
        return list(&Inputs::find(&arguments.captures));
    }
    let spoken = Arc::new(Spoken::new(registry.clone(), &arguments.protocol, protocol));
    let done = match (arguments.recut.cuts(), &arguments.live) {
        (Some(recut), _) => recut::run(arguments, &recut, &spoken),
        (None, LiveArguments { against: Some(server), .. }) => against::run(arguments, server, &spoken),
        (None, LiveArguments { serve: Some(address), .. }) => serve::run(arguments, address, &spoken),
        (None, _) => replay(arguments, &selection, &spoken),
    };
    match done {
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        code => code,
    }
}

/// Writes the names of what would be read.
fn list(inputs: &Inputs) -> anyhow::Result<ExitCode> {
    for (name, error) in &inputs.unreadable {
        let _ = writeln!(io::stderr().lock(), "enjamb replay: {name}: {error}");
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let written = inputs.captures.iter().try_for_each(|input| writeln!(out, "{}", input.name()));
    written.and_then(|()| out.flush()).context(CANNOT_WRITE)?;
    Ok(if inputs.unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(NOTHING_READ) })
}

fn replay(arguments: &Arguments, selection: &Arc<Selection>, spoken: &Arc<Spoken>) -> anyhow::Result<ExitCode> {
    let sessions = Arc::clone(spoken);
    let opener: Opener = Arc::new(move |connection| sessions.session(connection));
    let OutputArguments { format, summary, .. } = arguments.output;
    let records = records(&arguments.output);
    // Before the work, so that it is not done in vain.
    let html = arguments.output.html.as_deref().map(create).transpose()?;
    let captures = Captures::default();
    let dataset = match arguments.output.out.as_deref().map(|folder| dataset(folder, &captures)).transpose() {
        Ok(dataset) => dataset,
        Err(Refused::Usage(why)) => return Ok(wrong_usage(format_args!("{why}"))),
        Err(Refused::Failure(error)) => return Err(error),
    };
    let inputs = Inputs::find(&arguments.captures);
    let progress = Progress::new(&inputs.captures, !summary && dataset.is_none());
    let stop = Stop::default();
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let jobs = if html.is_some() { NonZeroUsize::MIN } else { arguments.jobs.unwrap_or_else(parallel::default_jobs) };

    let reading = Reading {
        inputs: &inputs,
        options: arguments.bounds.options(),
        spoken,
        only: selection.numbers.as_ref(),
        captures: &captures,
        progress: &progress,
        stop: &stop,
    };
    let (came, statistics, sink) = if jobs == NonZeroUsize::MIN {
        let sink = match dataset {
            Some(dataset) => Sink::to_dataset(out, dataset, Arc::clone(selection), stop.clone()),
            None => Sink::new(out, &records, Arc::clone(selection), stop.clone()).context(CANNOT_WRITE)?,
        };
        let mut watch = watch(opener, sink.over_time(html.is_some()), arguments, selection);
        let came = reading.read(&mut watch);
        let (statistics, sink) = watch.finish();
        (came, statistics, sink)
    } else {
        let mut sink = match dataset {
            Some(dataset) => Sink::to_dataset(out, dataset, Arc::clone(selection), stop.clone()),
            None => Sink::new(out, &Records::None, Arc::clone(selection), stop.clone()).context(CANNOT_WRITE)?,
        };
        sink.write(&beginning(records).context(CANNOT_WRITE)?);
        let (arguments, shared) = (arguments.clone(), Arc::clone(selection));
        let make = move || {
            let pieces = InPieces::new(records, Arc::clone(&shared));
            watch(Arc::clone(&opener), pieces, &arguments, &shared)
        };
        let mut parallel = Parallel::new(jobs, make, |written| sink.write(written));
        let came = reading.read(&mut parallel);
        let statistics = parallel.finish();
        (came, statistics, sink)
    };
    let Came { totals, names, faults } = came;
    progress.finish();

    let with_captures = |mut record: Value| {
        record["capture"] = totals.to_json();
        if let Some(selected) = selection.to_json() {
            record["selected"] = selected;
        }
        record
    };
    let to_json = || with_captures(statistics.to_json());
    if let (Some((path, file)), Some(timeline)) = (html, sink.timeline()) {
        let page = Page {
            summary: &to_json(),
            timeline,
            captures: &names,
            faults: &faults,
            notes: &CaptureTotals::notes(),
            selected: &selection.to_string(),
        };
        write_report(&file, &page).with_context(|| cannot_write(path))?;
    }
    let complete = sink.complete(|| with_captures(statistics.to_json_with_histograms()));
    let folder = arguments.output.out.as_deref().unwrap_or(Path::new(""));
    let (sink, rows) = complete.with_context(|| cannot_write_dataset(folder))?;
    let written = sink.finish(|out| match format {
        OutputFormat::Jsonl => writeln!(out, "{}", to_json()),
        OutputFormat::Json => writeln!(out, "{:#}", to_json()),
        OutputFormat::Csv => Ok(()),
        // What is wrong was said; a table of nothing helps nobody.
        OutputFormat::Text | OutputFormat::Parquet if totals.nothing_read() => Ok(()),
        OutputFormat::Text | OutputFormat::Parquet => {
            if let Some(rows) = rows {
                writeln!(out, "{rows} records in {}", folder.display())?;
            } else if !summary {
                writeln!(out)?;
            }
            write!(out, "{totals}{selection}{statistics}")
        }
    });
    written.context(CANNOT_WRITE)?;

    let wanting = Side::BOTH
        .iter()
        .any(|side| statistics.outcome(*side, Outcome::Malformed) + statistics.outcome(*side, Outcome::Incomplete) > 0);
    Ok(if totals.nothing_read() {
        ExitCode::from(NOTHING_READ)
    } else if arguments.strict && wanting {
        ExitCode::from(FOUND_WANTING)
    } else {
        ExitCode::SUCCESS
    })
}

/// Why there is no dataset to write to.
enum Refused {
    Usage(String),
    Failure(anyhow::Error),
}

/// Begins a dataset in `folder`.
fn dataset(folder: &Path, captures: &Captures) -> Result<DatasetWriter, Refused> {
    DatasetWriter::create(folder, captures.clone()).map_err(|error| match error.kind() {
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => Refused::Usage(format!(
            "--out {}: {error}; a dataset is written to a new directory, or to one that is empty",
            folder.display()
        )),
        _ => Refused::Failure(anyhow::Error::new(error).context(cannot_write_dataset(folder))),
    })
}

fn cannot_write_dataset(folder: &Path) -> String {
    format!("cannot write the dataset to {}", folder.display())
}

/// The watch of a thread.
fn watch<O: Output>(opener: Opener, output: O, arguments: &Arguments, selection: &Selection) -> Watch<O> {
    let watch = Watch::new(opener, output).showing(arguments.output.shown());
    if selection.selects_records() { watch.selecting() } else { watch }
}

/// What is read, and how.
struct Reading<'a> {
    inputs: &'a Inputs,
    options: Options,
    spoken: &'a Spoken,
    /// The connections that were asked for. `None`: all.
    only: Option<&'a Numbers>,
    captures: &'a Captures,
    progress: &'a Progress,
    stop: &'a Stop,
}

/// What came of reading, but for what the captures hold.
#[derive(Default)]
struct Came {
    totals: CaptureTotals,
    names: Vec<String>,
    faults: Vec<String>,
}

impl Reading<'_> {
    /// Reads all inputs into `tap`. What is wrong with one is said, and the others go on.
    fn read(&self, tap: &mut impl Tap) -> Came {
        let Self { inputs, ref options, spoken, only, captures, progress, stop } = *self;
        let mut came = Came::default();
        let mut base = 0;
        for (name, error) in &inputs.unreadable {
            came.faults.push(format!("{name}: {error}"));
            progress.say(&format!("{name}: {error}"));
            came.totals.unreadable += 1;
        }
        if let Some(line) = inputs.passed_over() {
            progress.say(&line);
        }
        for input in &inputs.captures {
            let name = input.name();
            came.names.push(name.clone());
            captures.begin(&name, base);
            let mut numbered = Numbered { base, highest: base, only, tap };
            let (totals, faults) = (&mut came.totals, &mut came.faults);
            let mut say = |line: String| {
                // That the reading was stopped is no fault of the capture.
                if stop.is_asked() {
                    return;
                }
                progress.say(&line);
                faults.push(line);
            };
            let read = Source::open(input, progress, stop)
                .and_then(|source| sources::read(input, source, options, spoken, &mut numbered, totals, &mut say));
            if let Err(error) = read {
                say(format!("{name}: {error:#}"));
                came.totals.unreadable += 1;
            }
            base = numbered.highest;
            if stop.is_asked() {
                break;
            }
        }
        came
    }
}

/// Opens the file of the report. What is in it stays until there is another one.
fn create(path: &Path) -> anyhow::Result<(&Path, File)> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    file.map(|file| (path, file)).with_context(|| cannot_write(path))
}

fn write_report(file: &File, page: &Page<'_>) -> io::Result<()> {
    // A pipe or a terminal has no length that could be set.
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    let mut out = BufWriter::new(file);
    html::write(page, &mut out)?;
    out.flush()
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write the report to {}", path.display())
}

/// How records are to be written.
fn records(arguments: &OutputArguments) -> Records {
    match arguments.format {
        _ if arguments.summary => Records::None,
        OutputFormat::Text => {
            let terminal = io::stdout().is_terminal().then(|| terminal_size::terminal_size_of(io::stdout())).flatten();
            let columns = terminal.map(|(width, _)| usize::from(width.0));
            Records::Lines(Format::Text { colour: arguments.color.on_stdout() }, columns)
        }
        OutputFormat::Csv => Records::Csv,
        OutputFormat::Parquet => Records::Rows,
        OutputFormat::Jsonl | OutputFormat::Json => Records::Lines(Format::JsonLines, None),
    }
}

const CANNOT_WRITE: &str = "cannot write to standard output";

fn wrong_usage(what: std::fmt::Arguments<'_>) -> ExitCode {
    // Whoever closed standard error does not want to know: `eprintln` would panic.
    let _ = writeln!(io::stderr().lock(), "enjamb replay: {what}");
    ExitCode::from(WRONG_USAGE)
}

/// Did whoever reads the output, `head` perhaps, have enough?
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
