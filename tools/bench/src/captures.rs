//! How fast whole captures are read: processes, from beginning to end, with their processor time and their memory.
//!
//! enjamb runs as a process like the others: this binary, started again as `replay`, which is `enjamb replay`, or as `reassemble`, which puts streams
//! together and does nothing with them. The captures are [made](mod@generate) once and kept beside the build. Everybody reads them from the
//! page cache: each has run once before it counts.
//!
//! Libraries of others are read by a program of its own workspace, `tools/bench/peers`, if it has been built. It says what it found, and who found
//! something else than was put in is shown with it.

pub(crate) mod generate;
mod talk;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use enjamb::{Connection, Event, Side, Tap, Time};
use wait4::Wait4;

use crate::Scale;
use crate::captures::generate::{Truth, generate};
use crate::captures::talk::{Http, Redis, Talk};
use crate::measure::median;
use crate::report::rate;

pub(crate) const ROWS: [&str; 2] =
    ["HTTP/1.1, 2000 connections that are kept", "Redis, 2000 connections, up to 31 commands in a row"];

/// How often anybody runs, at most: a run takes a second.
const ROUNDS_MAX: u32 = 7;

/// How often the slow ones do, and what part of the capture they get.
const SLOW_ROUNDS: u32 = 2;
const SLOW_PART: u64 = 10;

/// How the captures are made: another number makes them anew.
const GENERATION: u32 = 2;

/// What else this binary is, if its first argument says so.
pub(crate) fn as_another() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next()?.to_str()? {
        "replay" => Some(enjamb_cli::Program::new("enjamb", env!("CARGO_PKG_VERSION")).run()),
        "reassemble" => Some(reassemble(&arguments.next()?)),
        _ => None,
    }
}

/// Adds up what it is told of.
#[derive(Default)]
struct Payload(u64);

impl Tap for Payload {
    fn event(&mut self, _: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Chunk { bytes, .. } => self.0 += bytes.len() as u64,
            Event::Open | Event::Gap { .. } | Event::Close { .. } | Event::Done => {}
        }
    }
}

fn reassemble(capture: &OsString) -> ExitCode {
    let mut payload = Payload::default();
    let report = enjamb_capture::open(capture, &mut payload, &enjamb_capture::Options::default());
    println!(r#"{{"payload":{}}}"#, payload.0);
    if report.fault.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A capture in a file, and what is in it.
struct Capture {
    path: PathBuf,
    truth: Truth,
}

/// Beside the build, where nobody looks for it and `cargo clean` takes it away.
fn folder() -> anyhow::Result<PathBuf> {
    let binary = std::env::current_exe()?;
    let folder = binary.parent().context("a binary is in a folder")?.join("bench-captures");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

impl Capture {
    /// The capture of about `bytes` bytes, made if it is not there.
    fn of(name: &str, talk: &mut dyn Talk, bytes: u64) -> anyhow::Result<Self> {
        let path = folder()?.join(format!("{name}-{bytes}-{GENERATION}.pcap"));
        let truth = path.with_extension("truth");
        if let (Ok(text), Ok(file)) = (fs::read_to_string(&truth), path.metadata())
            && let Some((messages, payload)) = text.trim().split_once(' ')
            && let (Ok(messages), Ok(payload)) = (messages.parse(), payload.parse())
        {
            return Ok(Self { path, truth: Truth { bytes: file.len(), messages, payload } });
        }
        // Not one that is half written, should this be stopped.
        let part = path.with_extension(format!("part-{}", std::process::id()));
        let connections = if bytes < 50_000_000 { 200 } else { 2000 };
        let made = generate(talk, bytes, connections, BufWriter::with_capacity(1 << 16, File::create(&part)?))?;
        fs::rename(&part, &path)?;
        fs::write(truth, format!("{} {}", made.messages, made.payload))?;
        Ok(Self { path, truth: made })
    }
}

/// Who reads a capture.
struct Contestant {
    name: &'static str,
    does: String,
    program: OsString,
    /// `{}` stands for the capture, `{folder}` for one that is empty.
    arguments: Vec<&'static str>,
    slow: bool,
    /// Whether it prints what it found, in JSON.
    says: bool,
}

/// What one run took.
#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    processor: Duration,
    memory: u64,
}

impl Contestant {
    fn ours(name: &'static str, does: &str, arguments: &[&'static str]) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.into();
        Ok(Self { name, does: does.to_owned(), program, arguments: arguments.to_vec(), slow: false, says: false })
    }

    fn other(name: &'static str, does: &str, program: &str, arguments: &[&'static str], slow: bool) -> Self {
        Self { name, does: does.to_owned(), program: program.into(), arguments: arguments.to_vec(), slow, says: false }
    }

    /// A library, read by the program of [`peers`].
    fn peer(name: &'static str, does: &str, program: &Path, arguments: &[&'static str]) -> Self {
        Self {
            name,
            does: does.to_owned(),
            program: program.into(),
            arguments: arguments.to_vec(),
            slow: false,
            says: true,
        }
    }

    /// Is there such a program?
    fn is_there(&self) -> bool {
        let program = Path::new(&self.program);
        let paths = std::env::var_os("PATH").unwrap_or_default();
        program.is_absolute() || std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
    }

    /// How it reads `capture`, within a folder that is `empty`.
    fn command(&self, capture: &Path, empty: &Path) -> Command {
        let mut command = Command::new(&self.program);
        for argument in &self.arguments {
            match *argument {
                "{}" => command.arg(capture),
                "{folder}" => command.arg(empty),
                argument => command.arg(argument),
            };
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir(empty);
        command
    }

    /// What it counts of a capture, in words, if that is something else than was put in.
    fn miscounts(&self, capture: &Capture) -> anyhow::Result<Option<String>> {
        if !self.says {
            return Ok(None);
        }
        let empty = tempfile::tempdir()?;
        let output = self.command(&capture.path, empty.path()).stdout(Stdio::piped()).output()?;
        ensure!(output.status.success(), "{} failed: {}", self.name, output.status);
        let (found, expected, unit) =
            said(&output.stdout, capture).with_context(|| format!("what {} says", self.name))?;
        Ok((found != expected).then(|| format!("it counts {found} {unit} of {expected}")))
    }

    fn run(&self, capture: &Path) -> anyhow::Result<Took> {
        let empty = tempfile::tempdir()?;
        let mut command = self.command(capture, empty.path());
        let begin = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.name))?;
        let used = child.wait4()?;
        let wall = begin.elapsed();
        ensure!(used.status.success(), "{} failed: {}", self.name, used.status);
        Ok(Took { wall, processor: used.rusage.utime + used.rusage.stime, memory: used.rusage.maxrss })
    }
}

/// What was found in a capture, what is in it, and what of: from the JSON of a program that says so.
fn said(json: &[u8], capture: &Capture) -> anyhow::Result<(u64, u64, &'static str)> {
    let said: serde_json::Value = serde_json::from_slice(json)?;
    let count = |what: &str| said[what].as_u64().with_context(|| format!("no {what} in {said}"));
    match count("payload") {
        Ok(payload) => Ok((payload, capture.truth.payload, "bytes of payload")),
        Err(_) => Ok((count("requests")? + count("responses")?, capture.truth.messages, "messages")),
    }
}

/// Libraries of others: a name, what is done, and what their program is told.
const PEERS: [(&str, &str, [&str; 3]); 6] = [
    ("flowscope", "messages, owned; drops what is out of order", ["flowscope", "http", "{}"]),
    ("flowscope, by parts", "messages, owned; its tracker, reassembler, parser", ["flowscope-parts", "http", "{}"]),
    ("protolens", "start lines of messages", ["protolens", "http", "{}"]),
    ("flowscope, streams", "streams, and nothing done with them", ["flowscope-parts", "streams", "{}"]),
    ("protolens, streams", "packets in the order of the stream", ["protolens", "streams", "{}"]),
    ("parse-tcp, streams", "streams, and nothing done with them", ["parse-tcp", "streams", "{}"]),
];

/// The program that reads captures with libraries of others, if it has been built.
fn peers() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let program = std::path::absolute(target.join("release/enjamb-peers")).ok()?;
    program.is_file().then_some(program)
}

fn contestants(row: &str, http: bool) -> anyhow::Result<Vec<Contestant>> {
    let protocol = if http { "http1" } else { "redis" };
    let replay = "sessions, pairs, statistics";
    let fields: &[&str] = if http {
        &["-r", "{}", "-T", "fields", "-e", "http.request.method", "-e", "http.response.code"]
    } else {
        &["-r", "{}", "-T", "fields", "-e", "resp.bulk_string.value", "-e", "resp.error"]
    };
    let mut all = vec![
        Contestant::ours(
            "enjamb replay",
            &format!("{replay}; one thread"),
            &["replay", "--summary", "-j", "1", "--protocol", protocol, "{}"],
        )?,
        Contestant::ours(
            "enjamb replay, auto",
            "finds the protocol out; one thread",
            &["replay", "--summary", "-j", "1", "{}"],
        )?,
        Contestant::ours(
            "enjamb replay -j 2",
            &format!("{replay}; two threads"),
            &["replay", "--summary", "-j", "2", "--protocol", protocol, "{}"],
        )?,
        Contestant::ours(
            "enjamb replay, jsonl",
            "a record a message, written; one thread",
            &["replay", "--format", "jsonl", "-j", "1", "--protocol", protocol, "{}"],
        )?,
        Contestant::ours("enjamb, reassembly", "streams, and nothing done with them", &["reassemble", "{}"])?,
        Contestant::other(
            "cat FILE | wc -c",
            "reads the bytes, and copies them through a pipe",
            "sh",
            &["-c", "cat \"$0\" | wc -c", "{}"],
            false,
        ),
        Contestant::other("tcptrace", "follows connections, no payload", "tcptrace", &["-n", "-q", "{}"], false),
        Contestant::other("tcpflow", "streams, written to files", "tcpflow", &["-r", "{}", "-o", "{folder}"], true),
        Contestant::other(
            "tshark conv,tcp",
            "a table of connections",
            "tshark",
            &["-r", "{}", "-q", "-z", "conv,tcp"],
            true,
        ),
        Contestant::other("tshark fields", "messages of the protocol", "tshark", fields, true),
    ];
    if let Some(program) = peers() {
        for (name, does, arguments) in PEERS {
            if http || arguments[1] != "http" {
                all.push(Contestant::peer(name, does, &program, &arguments));
            }
        }
    } else {
        eprintln!(
            "enjamb-bench: {row}: flowscope, protolens and parse-tcp are not built, and left out: \
             cargo build --release --manifest-path tools/bench/peers/Cargo.toml"
        );
    }
    all.retain(|contestant| {
        let there = contestant.is_there();
        if !there {
            eprintln!("enjamb-bench: {row}: {} is not installed, and left out", contestant.name);
        }
        there
    });
    Ok(all)
}

/// What is counted is what was put in: speed with anything less is none.
fn check(capture: &Capture, protocol: &str) -> anyhow::Result<()> {
    let output = Command::new(std::env::current_exe()?)
        .args(["replay", "--summary", "--format", "jsonl", "--protocol", protocol])
        .arg(&capture.path)
        .output()?;
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let count = |side: Side| summary[side.as_str()]["messages"].as_u64().unwrap_or_default();
    let found = count(Side::Client) + count(Side::Server);
    let expected = capture.truth.messages;
    ensure!(found == expected, "enjamb found {found} messages where there are {expected}");
    let output = Command::new(std::env::current_exe()?).arg("reassemble").arg(&capture.path).output()?;
    let (found, expected, unit) = said(&output.stdout, capture)?;
    ensure!(found == expected, "enjamb found {found} {unit} where there are {expected}");
    Ok(())
}

/// Everybody in turns, and a table of it.
pub(crate) fn measure(row: &str, scale: Scale, rounds: u32, out: &mut impl Write) -> anyhow::Result<()> {
    let http = row == ROWS[0];
    let (name, protocol) = if http { ("http", "http1") } else { ("redis", "redis") };
    let of = |bytes| if http { Capture::of(name, &mut Http, bytes) } else { Capture::of(name, &mut Redis, bytes) };
    let (large, small) = (of(scale.capture)?, of(scale.capture / SLOW_PART)?);
    check(&large, protocol)?;
    let contestants = contestants(row, http)?;
    let mut runs: Vec<Vec<Took>> = contestants.iter().map(|_| Vec::new()).collect();
    let capture = |contestant: &Contestant| if contestant.slow { &small } else { &large };
    let miscounts: Vec<_> =
        contestants.iter().map(|contestant| contestant.miscounts(capture(contestant))).collect::<Result<_, _>>()?;
    for round in 0..=rounds.min(ROUNDS_MAX) {
        for (contestant, runs) in contestants.iter().zip(&mut runs) {
            if contestant.slow && round > SLOW_ROUNDS {
                continue;
            }
            let took = contestant.run(&capture(contestant).path)?;
            // The first one does not count.
            if round > 0 {
                runs.push(took);
            }
        }
    }
    writeln!(out, "### {row}\n\n{} million bytes, {} messages\n", large.truth.bytes / 1_000_000, large.truth.messages)?;
    writeln!(
        out,
        "| {:<20} | {:>9} | {:>14} | {:>9} | {:>11} | {:>11} | what it does",
        "", "MB/s", "MB/s of a core", "peak, MiB", "enjamb is", "by the core"
    )?;
    writeln!(out, "|----------------------|----------:|---------------:|----------:|------------:|------------:|---")?;
    for (((contestant, theirs), miscounts), at) in contestants.iter().zip(&runs).zip(&miscounts).zip(0..) {
        let bytes = capture(contestant).truth.bytes as f64;
        let slower = |of: fn(&Took) -> Duration| {
            let per_byte = |took: &Took, bytes: f64| of(took).as_secs_f64() / bytes;
            let pairs = theirs.iter().zip(&runs[0]);
            median(pairs.map(|(they, we)| per_byte(they, bytes) / per_byte(we, large.truth.bytes as f64)).collect())
        };
        let middle = |of: fn(&Took) -> Duration| median(theirs.iter().map(|took| of(took).as_secs_f64()).collect());
        let (wall, processor) = (|took: &Took| took.wall, |took: &Took| took.processor);
        let ratio = |of| if at == 0 { String::new() } else { format!("{:.2} x", slower(of)) };
        let memory = theirs.iter().map(|took| took.memory).max().unwrap_or_default();
        write!(
            out,
            "| {:<20} | {:>9} | {:>14} | {:>9} | {:>11} | {:>11} | {}",
            contestant.name,
            rate(bytes / 1e6 / middle(wall)),
            rate(bytes / 1e6 / middle(processor)),
            memory.div_ceil(1 << 20),
            ratio(wall),
            ratio(processor),
            contestant.does
        )?;
        if contestant.slow {
            write!(out, "; a capture of {} KB", small.truth.bytes / 1000)?;
        }
        if let Some(miscounts) = miscounts {
            write!(out, "; {miscounts}")?;
        }
        writeln!(out)?;
    }
    writeln!(out)?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_is_held_to_what_is_in_the_capture() {
        let truth = Truth { bytes: 1000, messages: 7, payload: 500 };
        let capture = Capture { path: PathBuf::new(), truth };
        let said = |json: &str| said(json.as_bytes(), &capture);
        assert_eq!(said(r#"{"requests":4,"responses":2}"#).ok(), Some((6, 7, "messages")));
        assert_eq!(said(r#"{"payload":500}"#).ok(), Some((500, 500, "bytes of payload")));
        for wrong in ["", "500", "{}", r#"{"requests":4}"#, r#"{"payload":"500"}"#] {
            assert!(said(wrong).is_err(), "{wrong}");
        }
    }
}
