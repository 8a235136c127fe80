//! Accumulators.

use enjamb_law::{Accumulating, Law, Never, Segmentations, split_everywhere, stream, total};
use postcard::accumulator::{CobsAccumulator, FeedResult};

use crate::laws::{hold_but, output};

type Point = (u8, u32);

fn points<'c, const N: usize>(
    accumulator: &mut CobsAccumulator<N>,
    chunk: &'c [u8],
) -> (Option<Result<Point, &'static str>>, &'c [u8]) {
    match accumulator.feed(chunk) {
        FeedResult::Consumed => (None, &[]),
        FeedResult::OverFull(rest) => (Some(Err("over-full")), rest),
        FeedResult::DeserError(rest) => (Some(Err("no point")), rest),
        FeedResult::Success { data, remaining } => (Some(Ok(data)), remaining),
    }
}

#[test]
fn the_accumulator_of_postcard_obeys_all_laws_but_end() {
    let messages = [(1_u8, 2_u32), (0, 0), (255, 1 << 20)].map(|point| postcard::to_allocvec_cobs(&point).unwrap());
    let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    // It has no call for the end of the stream.
    hold_but(&Accumulating::new(CobsAccumulator::<16>::new, points), &messages, &[Law::End]);
}

#[test]
fn a_frame_that_is_too_long_for_postcard_depends_on_the_cuts() {
    // It drops the bytes that overran its buffer of 4 bytes and continues inside the frame, at a
    // place that depends on the chunks.
    let points = Accumulating::new(CobsAccumulator::<4>::new, points);
    let long = [7, 7, 7, 7, 3, 1, 2, 0];
    let violation = split_everywhere(&points, &stream(&long), &Segmentations::up_to_two_cuts()).unwrap_err();
    assert_eq!(violation.verdict, "the output depends on where the stream is cut");
}

/// An accumulator of lines. `rest` changes the rest that it returns.
#[allow(clippy::type_complexity)]
fn lines(
    rest: impl for<'c> Fn(&'c [u8], &'c [u8]) -> &'c [u8],
) -> Accumulating<fn() -> Vec<u8>, impl for<'c> Fn(&mut Vec<u8>, &'c [u8]) -> (Option<Result<Vec<u8>, Never>>, &'c [u8])>
{
    Accumulating::new(Vec::new as fn() -> Vec<u8>, move |line: &mut Vec<u8>, chunk| {
        match chunk.iter().position(|byte| *byte == b'\n') {
            Some(at) => {
                line.extend_from_slice(&chunk[..at]);
                (Some(Ok(std::mem::take(line))), rest(chunk, &chunk[at + 1..]))
            }
            None => {
                line.extend_from_slice(chunk);
                (None, rest(chunk, &[]))
            }
        }
    })
}

#[test]
fn an_accumulator_that_drops_the_rest_is_caught() {
    hold_but(&lines(|_, rest| rest), &[b"a\n", b"\n", b"bc\n"], &[Law::End]);
    let violation = split_everywhere(&lines(|_, _| &[]), &stream(b"a\nb\n"), &Segmentations::up_to_two_cuts());
    let violation = violation.unwrap_err();
    assert_eq!((violation.input, violation.cuts), (stream(b"\n\n"), vec![1]));
}

#[test]
fn the_returned_rest_is_checked() {
    // A chunk that is returned whole without an event would never be taken.
    let violation =
        total(&lines(|chunk, rest| if rest.is_empty() { chunk } else { rest }), &stream(b"a"), &[]).unwrap_err();
    assert_eq!(violation.verdict, "it left bytes in the chunk and emitted nothing: no call will ever take them");
    let violation = total(&lines(|chunk, _| &chunk[..chunk.len() / 2]), &stream(b"ab\ncd"), &[]).unwrap_err();
    assert_eq!(violation.verdict, "it returns 1 bytes that are not the end of the 2 it was given");
    let violation = total(&lines(|_, _| b"longer than the chunk"), &stream(b"\n"), &[]).unwrap_err();
    assert_eq!(violation.verdict, "it returns 21 bytes that are not the end of the 1 it was given");
    // An event comes with the whole chunk as its rest.
    let violation =
        total(&lines(|chunk, rest| if chunk.starts_with(b"\n") { chunk } else { rest }), &stream(b"\n"), &[])
            .unwrap_err();
    assert_eq!(violation.verdict, "it does not end: it was stopped after 81 outputs from 1 bytes");
}

#[test]
fn an_error_ends_the_run_only_if_it_stops() {
    fn even<'c>((): &mut (), chunk: &'c [u8]) -> (Option<Result<u8, &'static str>>, &'c [u8]) {
        match chunk {
            [] => (None, chunk),
            [byte, rest @ ..] => (Some(if byte % 2 == 0 { Ok(*byte) } else { Err("odd") }), rest),
        }
    }
    assert_eq!(output(Accumulating::new(|| (), even).stops(), &[2, 3, 4], &[]), ["2", "failed: _"]);
    assert_eq!(output(Accumulating::new(|| (), even), &[2, 3, 4], &[]), ["2", "failed: _", "4"]);
}
