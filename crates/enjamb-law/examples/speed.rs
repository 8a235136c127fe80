//! Measures segmentations a second, for one adapter after the other.
//!
//! ```sh
//! cargo run --release -p enjamb-law --example speed
//! ```
//!
//! For a second, it runs all single cuts and all pairs of cuts of a stream of 40 bytes, over and
//! over.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use enjamb_law::{
    Accumulating, Blocking, Body, Comparable, Cutting, Decoded, Never, Parsed, Parsing, Pushing, Reading,
    Segmentations, Streaming, Subject, split_everywhere, stream,
};
use eventsource_stream::Eventsource;
use tokio::io::AsyncBufReadExt;
use tokio_util::codec::LinesCodec;

fn main() {
    let lines = stream(b"one\r\ntwo\r\n\r\nthree is a line\r\nfour five\r\n");
    assert_eq!(lines.len(), 40);
    measure("Decoded(LinesCodec)", &Decoded::new(LinesCodec::new), &lines);
    measure("Parsing", &Parsing::new(line), &lines);
    measure("Pushing", &Pushing::returning(Vec::new, feed), &lines);
    measure("Accumulating", &Accumulating::new(String::new, accumulate), &lines);
    measure("Blocking(BufReader)", &Blocking::iterator(|incoming| BufReader::new(incoming).lines()), &lines);
    let reading =
        Reading::with(|chunks| tokio::io::BufReader::new(chunks).lines(), async |lines| lines.next_line().await);
    measure("Reading(BufReader)", &reading, &lines);
    let events = stream(b"id: 1\ndata: one\n\ndata: two\n\ndata: abcd\n\n");
    assert_eq!(events.len(), 40);
    measure("Streaming(Eventsource)", &Streaming::new(Body::eventsource), &events);
}

fn measure<S: Subject<Event: Comparable, Error: Comparable>>(name: &str, subject: &S, input: &Cutting) {
    let start = Instant::now();
    let mut segmentations = 0;
    while start.elapsed() < Duration::from_secs(1) {
        match split_everywhere(subject, input, &Segmentations::up_to_two_cuts()) {
            Ok(checked) => segmentations += checked.segmentations,
            Err(violation) => panic!("{violation}"),
        }
    }
    let each = start.elapsed() / u32::try_from(segmentations).unwrap_or(u32::MAX);
    println!("{name:<24} {:>9.0} segmentations per second, {each:?} each", 1.0 / each.as_secs_f64());
}

/// Parses one line, for [`Parsing`].
fn line(bytes: &[u8]) -> Parsed<String, Never> {
    let Some(at) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Parsed::Incomplete;
    };
    Parsed::Done(String::from_utf8_lossy(&bytes[..at]).into_owned(), at + 1)
}

/// Returns the lines that a chunk completes, for [`Pushing`].
fn feed(line: &mut Vec<u8>, chunk: &[u8]) -> Result<Vec<String>, Never> {
    line.extend_from_slice(chunk);
    let Some(last) = line.iter().rposition(|byte| *byte == b'\n') else {
        return Ok(Vec::new());
    };
    let whole: Vec<u8> = line.drain(..=last).collect();
    Ok(whole[..last].split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).into_owned()).collect())
}

/// Returns the first line that a chunk completes and the rest of the chunk, for [`Accumulating`].
fn accumulate<'c>(line: &mut String, chunk: &'c [u8]) -> (Option<Result<String, Never>>, &'c [u8]) {
    let Some(at) = chunk.iter().position(|byte| *byte == b'\n') else {
        line.push_str(&String::from_utf8_lossy(chunk));
        return (None, &[]);
    };
    line.push_str(&String::from_utf8_lossy(&chunk[..at]));
    (Some(Ok(std::mem::take(line))), &chunk[at + 1..])
}
