//! `enjamb replay`: captures through protocol handlers.
//!
//! Reads packets, puts their TCP streams together, feeds each connection to a session of the protocol, and writes down what it says:
//! one record a message, then what was counted.

mod against;
mod arguments;
mod bounds;
mod comparison;
mod conversations;
mod html;
mod inputs;
mod listening;
mod live;
mod masks;
mod numbered;
mod output;
mod progress;
mod recorded;
mod recut;
mod report;
mod selection;
mod serve;
mod sources;
pub mod transcripts;
mod verdicts;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use enjamb::{Outcome, Side};
use enjamb_monitor::{Format, Opener, Watch};
use enjamb_protocols::Registry;

pub use crate::arguments::{Colour, Numbers, OutputArguments, OutputFormat, ShowName, SideName};
use crate::bounds::Bounds;
use crate::html::Page;
pub use crate::inputs::{Input, Inputs};
use crate::live::LiveArguments;
use crate::numbered::Numbered;
use crate::output::{Records, Sink, Stop};
use crate::progress::{Progress, Source};
use crate::recut::RecutArguments;
pub use crate::report::CaptureTotals;
use crate::selection::Selection;
pub use crate::sources::{Spoken, read_all};

/// What `enjamb replay` is told.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Captures to replay: pcap or pcapng, plain or in gzip or zstd; transcripts; directories and patterns of them; `-` is standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,

    /// What the connections speak: a name, `auto`, or a framing spec such as "u32be max=1M".
    #[arg(long, short, default_value = "auto", value_name = "NAME|SPEC")]
    protocol: String,

    /// Exit with 1 if a message was malformed or incomplete.
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    recut: RecutArguments,

    #[command(flatten)]
    live: LiveArguments,

    #[command(flatten)]
    bounds: Bounds,

    #[command(flatten)]
    output: OutputArguments,
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
        Ok(selection) => selection,
        Err(error) => return Ok(wrong_usage(format_args!("--filter: {error}"))),
    };
    let OutputArguments { format, .. } = arguments.output;
    if let Some(contradiction) = arguments.live.contradiction(format).or_else(|| arguments.output.contradiction()) {
        return Ok(wrong_usage(format_args!("{contradiction}")));
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

fn replay(arguments: &Arguments, selection: &Selection, spoken: &Arc<Spoken>) -> anyhow::Result<ExitCode> {
    let sessions = Arc::clone(spoken);
    let opener: Opener = Arc::new(move |connection| sessions.session(connection));
    let OutputArguments { format, summary, .. } = arguments.output;
    let records = records(&arguments.output);
    // Before the work, so that it is not done in vain.
    let html = arguments.output.html.as_deref().map(create).transpose()?;
    let inputs = Inputs::find(&arguments.captures);
    let progress = Progress::new(&inputs.captures, !summary);
    let stop = Stop::default();
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let sink = Sink::new(out, &records, selection, stop.clone()).context(CANNOT_WRITE)?.over_time(html.is_some());
    let mut watch = Watch::new(opener, sink).showing(arguments.output.shown());
    if selection.selects_records() {
        watch = watch.selecting();
    }

    let mut totals = CaptureTotals::default();
    let (mut names, mut faults) = (Vec::new(), Vec::new());
    let mut base = 0;
    for (name, error) in &inputs.unreadable {
        faults.push(format!("{name}: {error}"));
        progress.say(&format!("{name}: {error}"));
        totals.unreadable += 1;
    }
    if let Some(line) = inputs.passed_over() {
        progress.say(&line);
    }
    let options = arguments.bounds.options();
    for input in &inputs.captures {
        let name = input.name();
        names.push(name.clone());
        let mut numbered = Numbered { base, highest: base, only: selection.numbers.as_ref(), tap: &mut watch };
        let mut say = |line: String| {
            // That the reading was stopped is no fault of the capture.
            if stop.is_asked() {
                return;
            }
            progress.say(&line);
            faults.push(line);
        };
        let read = Source::open(input, &progress, &stop)
            .and_then(|source| sources::read(input, source, &options, spoken, &mut numbered, &mut totals, &mut say));
        if let Err(error) = read {
            say(format!("{name}: {error:#}"));
            totals.unreadable += 1;
        }
        base = numbered.highest;
        if stop.is_asked() {
            break;
        }
    }
    progress.finish();

    let (statistics, sink) = watch.finish();
    let to_json = || {
        let mut record = statistics.to_json();
        record["capture"] = totals.to_json();
        if let Some(selected) = selection.to_json() {
            record["selected"] = selected;
        }
        record
    };
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
    let written = sink.finish(|out| match format {
        OutputFormat::Jsonl => writeln!(out, "{}", to_json()),
        OutputFormat::Json => writeln!(out, "{:#}", to_json()),
        OutputFormat::Csv => Ok(()),
        // What is wrong was said; a table of nothing helps nobody.
        OutputFormat::Text if totals.nothing_read() => Ok(()),
        OutputFormat::Text => {
            if !summary {
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
