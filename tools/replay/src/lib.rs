//! `enjamb replay`: captures through protocol handlers.
//!
//! Reads packets, puts their TCP streams together, feeds each connection to a session of the protocol, and writes down what it says:
//! one record a message, then what was counted.

mod bounds;
mod inputs;
mod recut;
mod report;
mod sources;
pub mod transcripts;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, ValueEnum};
use enjamb::{Connection, Ending, Outcome, Side, Tap, Time};
use enjamb_monitor::{Format, Opener, Record, Watch};
use enjamb_protocols::Registry;

use crate::bounds::Bounds;
pub use crate::inputs::{Input, Inputs};
use crate::recut::RecutArguments;
pub use crate::report::CaptureTotals;
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

    /// How records are written.
    #[arg(long, short, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,

    /// Write no records, only what was counted.
    #[arg(long)]
    summary: bool,

    /// Exit with 1 if a message was malformed or incomplete.
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    recut: RecutArguments,

    #[command(flatten)]
    bounds: Bounds,
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// A line a record, for people.
    Text,
    /// A JSON object a line, for programs.
    Jsonl,
}

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
        Err(error) => {
            eprintln!("enjamb replay: --protocol: {error}");
            return Ok(ExitCode::from(WRONG_USAGE));
        }
    };
    let spoken = Arc::new(Spoken::new(registry.clone(), &arguments.protocol, protocol));
    if let Some(recut) = arguments.recut.cuts() {
        return recut::run(arguments, &recut, &spoken);
    }
    let sessions = Arc::clone(&spoken);
    let opener: Opener = Arc::new(move |connection| sessions.session(connection));
    let stdout = io::stdout();
    let colour = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let format = match arguments.format {
        OutputFormat::Text => Format::Text { colour },
        OutputFormat::Jsonl => Format::JsonLines,
    };

    let mut writer = Writer::new(BufWriter::with_capacity(1 << 16, stdout.lock()), format);
    let quiet = arguments.summary;
    let mut watch = Watch::new(opener, |record: &Record<'_>| {
        if !quiet {
            writer.write(record);
        }
    });
    let inputs = Inputs::find(&arguments.captures);
    let totals = read_all("enjamb replay", &inputs, &arguments.bounds.options(), &spoken, &mut watch);
    let (statistics, _) = watch.finish();
    let written = writer.finish(|out| match arguments.format {
        OutputFormat::Jsonl => {
            let mut record = statistics.to_json();
            record["capture"] = totals.to_json();
            writeln!(out, "{record}")
        }
        // What is wrong was said; a table of nothing helps nobody.
        OutputFormat::Text if totals.nothing_read() => Ok(()),
        OutputFormat::Text => {
            if !quiet {
                writeln!(out)?;
            }
            write!(out, "{totals}{statistics}")
        }
    });
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        written => written.context("cannot write to standard output")?,
    }
    let wanting = Side::BOTH
        .iter()
        .any(|side| statistics.outcome(*side, Outcome::Malformed) + statistics.outcome(*side, Outcome::Incomplete) > 0);
    Ok(if totals.nothing_read() {
        ExitCode::from(NOTHING_READ)
    } else if arguments.strict && wanting {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

/// Records as lines. The first error is kept, and nothing is written after it.
struct Writer<W> {
    out: W,
    format: Format,
    line: String,
    failed: Option<io::Error>,
}

impl<W: Write> Writer<W> {
    fn new(out: W, format: Format) -> Self {
        Self { out, format, line: String::new(), failed: None }
    }

    fn write(&mut self, record: &Record<'_>) {
        if self.failed.is_none() {
            self.line.clear();
            self.format.write(record, &mut self.line);
            self.failed = self.out.write_all(self.line.as_bytes()).err();
        }
    }

    fn finish(mut self, last: impl FnOnce(&mut W) -> io::Result<()>) -> io::Result<()> {
        match self.failed {
            Some(error) => Err(error),
            None => last(&mut self.out).and_then(|()| self.out.flush()),
        }
    }
}

/// Numbers the connections of one capture after those of the ones before it.
struct Numbered<'a, T> {
    base: u64,
    highest: u64,
    tap: &'a mut T,
}

impl<T> Numbered<'_, T> {
    fn numbered(&mut self, connection: &Connection) -> Connection {
        let number = self.base + connection.number;
        self.highest = self.highest.max(number);
        Connection { number, ..*connection }
    }
}

impl<T: Tap> Tap for Numbered<'_, T> {
    fn open(&mut self, connection: &Connection, time: Time) {
        let connection = self.numbered(connection);
        self.tap.open(&connection, time);
    }

    fn chunk(&mut self, connection: &Connection, time: Time, side: Side, bytes: &[u8]) {
        let connection = self.numbered(connection);
        self.tap.chunk(&connection, time, side, bytes);
    }

    fn gap(&mut self, connection: &Connection, time: Time, side: Side, missing: u64) {
        let connection = self.numbered(connection);
        self.tap.gap(&connection, time, side, missing);
    }

    fn close(&mut self, connection: &Connection, time: Time, side: Side, ending: Ending) {
        let connection = self.numbered(connection);
        self.tap.close(&connection, time, side, ending);
    }

    fn done(&mut self, connection: &Connection, time: Time) {
        let connection = self.numbered(connection);
        self.tap.done(&connection, time);
    }
}
