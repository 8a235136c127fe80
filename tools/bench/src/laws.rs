//! How fast the laws are tried: segmentations a second of a short stream, and the whole run over a small codec.
//!
//! There is no peer to compare with: nobody else tries all cuts. So these rows say how long somebody waits for their tests.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use enjamb::{Framer, Handler, Limit, Step, Terminator};
use enjamb_law::{
    Chunks, Comparable, Decoded, Law, Laws, Machines, Reading, Segmentations, Subject, Verdict, split_everywhere,
    stream,
};
use tokio::io::AsyncBufReadExt as _;
use tokio_util::codec::LinesCodec;

/// 40 bytes, five lines.
const STREAM: &[u8] = b"GET a\r\nhost: b\r\nx: 1\r\n\r\nand so it goes\n!";

/// Keeps nothing of a line but its length.
struct Lengths;

impl Handler for Lengths {
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
    fn found(&mut self, frame: enjamb::Found) -> Result<Step<u64>, Self::Error> {
        Ok(Step::event(frame.length))
    }
}

/// The rows by name.
pub(crate) const ROWS: [&str; 4] = [
    "segmentations, a handler",
    "segmentations, tokio_util LinesCodec",
    "segmentations, tokio lines",
    "whole run, tokio_util LinesCodec",
];

/// Measures one of them, `rounds` times.
pub(crate) fn measure(row: &str, rounds: u32, out: &mut impl Write) -> anyhow::Result<()> {
    match row {
        "segmentations, a handler" => segmentations(row, &Machines(|| Framer::new(Lengths)), rounds, out)?,
        "segmentations, tokio_util LinesCodec" => {
            segmentations(row, &Decoded::new(|| LinesCodec::new_with_max_length(64)), rounds, out)?;
        }
        "segmentations, tokio lines" => {
            let lines = Reading::with(
                |chunks: Chunks| tokio::io::BufReader::new(chunks).lines(),
                async |lines: &mut tokio::io::Lines<tokio::io::BufReader<Chunks>>| lines.next_line().await,
            );
            segmentations(row, &lines, rounds, out)?;
        }
        _ => whole_run(row, rounds, out)?,
    }
    Ok(())
}

fn segmentations<S>(row: &str, subject: &S, rounds: u32, out: &mut impl Write) -> anyhow::Result<()>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let family = Segmentations::up_to_two_cuts().and_random(1, 4000);
    let input = stream(STREAM);
    let mut rates = Vec::new();
    for _ in 0..=rounds {
        let begin = Instant::now();
        let checked = split_everywhere(subject, &input, &family).map_err(|violation| anyhow::anyhow!("{violation}"))?;
        rates.push(checked.segmentations as f64 / begin.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    let (median, best) = (rates[rates.len() / 2], rates[rates.len() - 1]);
    writeln!(out, "| {row:<40} | {median:>12.0} | {best:>12.0} | segmentations a second, of {} bytes", STREAM.len())?;
    Ok(())
}

fn whole_run(row: &str, rounds: u32, out: &mut impl Write) -> anyhow::Result<()> {
    let definition = || {
        Laws::new("lines", Decoded::new(|| LinesCodec::new_with_max_length(64)))
            .messages(["one\n", "two\r\n", "\n", "and so it goes\n"])
            .limit(64)
            // Each law is tried in a child, which is this program started for this row.
            .started_with(["--only", "laws", "--row", "whole run"])
    };
    let mut times: Vec<Duration> = Vec::new();
    let mut runs = 0;
    for _ in 0..rounds.min(10) {
        let begin = Instant::now();
        let verdicts = definition().check_all();
        times.push(begin.elapsed());
        runs = 0;
        for (law, verdict) in verdicts {
            match verdict {
                Verdict::Holds(tried) => runs += tried.runs,
                Verdict::NotTried(_) => {}
                Verdict::Broken(violation) => anyhow::bail!("{violation}"),
                Verdict::Unfit(what) => anyhow::bail!("{law}: {what}"),
            }
        }
    }
    times.sort();
    let seconds = |time: Option<&Duration>| time.map_or(f64::NAN, Duration::as_secs_f64);
    let (median, best) = (seconds(times.get(times.len() / 2)), seconds(times.first()));
    let laws = Law::ALL.len();
    writeln!(
        out,
        "| {row:<40} | {median:>12.3} | {best:>12.3} | seconds, for {laws} laws and {runs} runs of the codec"
    )?;
    Ok(())
}

pub(crate) fn head(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "| {:<40} | {:>12} | {:>12} | what", "", "median", "best")?;
    writeln!(out, "|------------------------------------------|-------------:|-------------:|---")
}
