//! The group `laws`: segmentations of a short stream per second, and the time of a whole run.
//!
//! There is no peer to compare with, since no other tool tries all cuts. These rows show how long a
//! developer waits for the tests.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use enjamb::{Framer, Handler, Limit, Step, Terminator};
use enjamb_law::{
    Chunks, Comparable, Decoded, Law, Laws, Machines, Parsed, Parsing, Reading, Segmentations, Subject, Verdict,
    split_everywhere, stream,
};
use tokio::io::AsyncBufReadExt as _;
use tokio_util::codec::{LengthDelimitedCodec, LinesCodec};

/// A stream of 40 bytes: five lines and an unfinished one.
const STREAM: &[u8] = b"GET a\r\nhost: b\r\nx: 1\r\n\r\nand so it goes\n!";

/// A handler that emits the length of each line.
struct LineLengths;

impl Handler for LineLengths {
    type Event = u64;
    type Error = std::convert::Infallible;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }
    fn limit(&self) -> Limit {
        Limit::refuse(64)
    }
    fn collect(&mut self, _: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }
    fn found(&mut self, frame: enjamb::FrameInfo) -> Result<Step<u64>, Self::Error> {
        Ok(Step::event(frame.length))
    }
}

/// The names of the rows of a whole run of all laws.
const WHOLE_RUNS: [&str; 5] = [
    "whole run, a handler",
    "whole run, tokio_util LinesCodec",
    "whole run, tokio_util LengthDelimitedCodec",
    "whole run, tokio lines",
    "whole run, httparse",
];

/// The names of the rows.
pub(crate) const ROWS: [&str; 8] = [
    "segmentations, a handler",
    "segmentations, tokio_util LinesCodec",
    "segmentations, tokio lines",
    WHOLE_RUNS[0],
    WHOLE_RUNS[1],
    WHOLE_RUNS[2],
    WHOLE_RUNS[3],
    WHOLE_RUNS[4],
];

/// The maximum number of runs of all laws over a codec: one takes seconds.
const WHOLE_RUNS_MAX: u32 = 10;

/// Measures one row, `rounds` times.
pub(crate) fn measure(row: &str, rounds: u32, out: &mut impl Write) -> anyhow::Result<()> {
    match row {
        "segmentations, a handler" => segmentations(row, &Machines(|| Framer::new(LineLengths)), rounds, out)?,
        "segmentations, tokio_util LinesCodec" => {
            segmentations(row, &Decoded::new(|| LinesCodec::new_with_max_length(64)), rounds, out)?;
        }
        "segmentations, tokio lines" => segmentations(row, &tokio_lines(), rounds, out)?,
        "whole run, a handler" => whole_run(row, rounds, out, || {
            Laws::new("handler", Machines(|| Framer::new(LineLengths))).messages(LINES).limit(64)
        })?,
        "whole run, tokio_util LinesCodec" => whole_run(row, rounds, out, || {
            let codec = Decoded::new(|| LinesCodec::new_with_max_length(64));
            Laws::new("lines", codec).messages(LINES).limit(64)
        })?,
        "whole run, tokio_util LengthDelimitedCodec" => whole_run(row, rounds, out, || {
            let codec = Decoded::new(|| LengthDelimitedCodec::builder().max_frame_length(256).new_codec());
            // The codec takes a length from the buffer, and then a stream may end in silence.
            Laws::new("frames", codec)
                .messages([&b"\0\0\0\x03one"[..], b"\0\0\0\0"])
                .limit(256)
                .without(Law::End, "its default `decode_eof` looks only at the buffer")
        })?,
        "whole run, tokio lines" => whole_run(row, rounds, out, || {
            // A last line needs no end.
            Laws::new("reader", tokio_lines()).messages(LINES).without(Law::End, "an unfinished line counts")
        })?,
        _ => whole_run(row, rounds, out, || {
            Laws::new("requests", Parsing::new(request)).messages([&b"GET / HTTP/1.1\r\n\r\n"[..], HTTP_REQUEST])
        })?,
    }
    Ok(())
}

const LINES: [&str; 4] = ["one\n", "two\r\n", "\n", "and so it goes\n"];

const HTTP_REQUEST: &[u8] = b"GET /a HTTP/1.1\r\nhost: b\r\naccept: */*\r\n\r\n";

/// The lines of tokio, read by an async reader.
fn tokio_lines() -> impl Subject<Event: Comparable, Error: Comparable> + Send + Sync + 'static {
    Reading::with(
        |chunks: Chunks| tokio::io::BufReader::new(chunks).lines(),
        async |lines: &mut tokio::io::Lines<tokio::io::BufReader<Chunks>>| lines.next_line().await,
    )
}

/// The head of an HTTP request, as its method and number of header fields.
fn request(bytes: &[u8]) -> Parsed<(String, usize), httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => {
            Parsed::Done((request.method.unwrap_or_default().to_owned(), request.headers.len()), len)
        }
        Ok(httparse::Status::Partial) => Parsed::Incomplete,
        Err(error) => Parsed::Failed(error),
    }
}

fn segmentations<S>(row: &str, subject: &S, rounds: u32, out: &mut impl Write) -> anyhow::Result<()>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let family = Segmentations::up_to_two_cuts().and_random(1, 4000);
    let input = stream(STREAM);
    let mut rates = Vec::new();
    for _ in 0..=rounds {
        let start = Instant::now();
        let checked = split_everywhere(subject, &input, &family).map_err(|violation| anyhow::anyhow!("{violation}"))?;
        rates.push(checked.segmentations as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    let (median, best) = (rates[rates.len() / 2], rates[rates.len() - 1]);
    writeln!(out, "| {row:<40} | {median:>12.0} | {best:>12.0} | segmentations a second of {} bytes", STREAM.len())?;
    Ok(())
}

fn whole_run<S>(row: &str, rounds: u32, out: &mut impl Write, definition: impl Fn() -> Laws<S>) -> anyhow::Result<()>
where
    S: Subject<Event: Comparable, Error: Comparable> + Send + Sync + 'static,
{
    // Each law runs in a child process, which is this program started for this row.
    let definition = || definition().started_with(["--only", "laws", "--row", row]);
    let mut times: Vec<Duration> = Vec::new();
    let (mut tried, mut runs) = (0, 0);
    for _ in 0..rounds.min(WHOLE_RUNS_MAX) {
        let start = Instant::now();
        let verdicts = definition().check_all();
        times.push(start.elapsed());
        (tried, runs) = (0, 0);
        for (law, verdict) in verdicts {
            match verdict {
                Verdict::Holds(tally) => {
                    tried += 1;
                    runs += tally.runs;
                }
                Verdict::NotTried(_) => {}
                Verdict::Broken(violation) => anyhow::bail!("{violation}"),
                Verdict::Unfit(what) => anyhow::bail!("{law}: {what}"),
            }
        }
    }
    times.sort();
    let seconds = |time: Option<&Duration>| time.map_or(f64::NAN, Duration::as_secs_f64);
    let (median, best) = (seconds(times.get(times.len() / 2)), seconds(times.first()));
    writeln!(
        out,
        "| {row:<40} | {median:>12.3} | {best:>12.3} | seconds for {tried} laws and {runs} runs of the codec"
    )?;
    Ok(())
}

/// Writes the head of the group's table.
pub(crate) fn write_head(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "| {:<40} | {:>12} | {:>12} | unit", "row", "median", "best")?;
    writeln!(out, "|------------------------------------------|-------------:|-------------:|---")
}
