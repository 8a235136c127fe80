//! The laws count the memory and work of the subject, and not those of the adapter.

use std::io::{BufRead, BufReader, Read};

use enjamb_law::{
    Accumulating, Blocking, Body, Bound, Chunks, Comparable, Decoded, Growth, Incoming, Law, Never, Outgoing, Parsed,
    Parsing, Pushing, Reading, Streaming, Subject, Writing, bounded, linear, stream,
};
use eventsource_stream::Eventsource;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::LinesCodec;

/// Asserts that the subject stays within its bound in one chunk and in chunks of 1 KiB, and that
/// its work is linear in chunks of the given sizes.
#[track_caller]
fn assert_cheap<S: Subject<Event: Comparable, Error: Comparable>>(subject: &S, unit: &[u8], chunks: [usize; 2]) {
    let input = stream(&unit.repeat((256 << 10) / unit.len()));
    for chunk in [input.len(), 1 << 10] {
        let cuts: Vec<usize> = (chunk..input.len()).step_by(chunk).collect();
        bounded(subject, &input, &cuts, Bound::of(4 << 10)).unwrap_or_else(|violation| panic!("{violation}"));
    }
    for chunk in chunks {
        let growth = Growth { start: Vec::new(), unit: unit.to_vec(), chunk };
        linear(subject, &growth).unwrap_or_else(|violation| panic!("{violation}"));
    }
}

#[test]
fn the_memory_and_work_of_adapters_are_not_counted() {
    const LINE: &[u8] = b"a line of text\r\n";
    assert_cheap(&Decoded::new(LinesCodec::new), LINE, [1, 1 << 10]);
    assert_cheap(&Blocking::iterator(|incoming| BufReader::new(incoming).lines()), LINE, [1, 1 << 10]);
    let reading =
        Reading::with(|chunks| tokio::io::BufReader::new(chunks).lines(), async |lines| lines.next_line().await);
    assert_cheap(&reading, LINE, [1, 1 << 10]);
    let words = Pushing::new(
        || 0_usize,
        |count, chunk, out: &mut dyn FnMut(Result<usize, Never>)| {
            for byte in chunk {
                *count += 1;
                if *byte == b' ' {
                    out(Ok(std::mem::take(count)));
                }
            }
        },
    );
    assert_cheap(&words, LINE, [1, 1 << 10]);
    let bytes = Accumulating::new(
        || (),
        |(): &mut (), chunk| match chunk {
            [] => (None, chunk),
            [byte, rest @ ..] => (Some(Ok::<_, Never>(*byte)), rest),
        },
    );
    assert_cheap(&bytes, LINE, [1, 1 << 10]);
}

#[test]
fn a_parse_function_takes_linear_time_for_short_messages() {
    let lines = Parsing::new(|bytes| match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => Parsed::<_, Never>::Done(at, at + 1),
        None => Parsed::Incomplete,
    });
    for chunk in [1, 1 << 10] {
        linear(&lines, &Growth { start: Vec::new(), unit: b"a line of text\n".to_vec(), chunk }).unwrap();
    }
}

/// Asserts that a subject which keeps all bytes breaks its bound.
#[track_caller]
fn assert_unbounded<S: Subject<Event: Comparable, Error: Comparable>>(subject: &S) {
    let input = stream(&vec![b'a'; 16 << 10]);
    let cuts: Vec<usize> = (1 << 10..input.len()).step_by(1 << 10).collect();
    let bound = Bound { limit: 1 << 10, beside: 10 << 10 };
    assert_eq!(bounded(subject, &input, &cuts, bound).unwrap_err().law, Law::Bounded);
}

#[test]
fn the_memory_of_subjects_is_counted() {
    assert_unbounded(&Decoded::new(LinesCodec::new));
    assert_unbounded(&Blocking::new(|incoming: &mut Incoming| {
        let mut all = Vec::new();
        incoming.read_to_end(&mut all).map(|read| (read > 0).then_some(read))
    }));
    assert_unbounded(&Reading::new(async |chunks: &mut Chunks| {
        let mut all = Vec::new();
        chunks.read_to_end(&mut all).await.map(|read| (read > 0).then_some(read))
    }));
    assert_unbounded(&Streaming::new(Body::eventsource));
    assert_unbounded(&Parsing::new(|_| Parsed::<(), Never>::Incomplete));
}

#[test]
fn all_adapters_can_run_on_another_thread() {
    fn assert_sendable<S: Subject + Send + Sync + 'static>(_: S) {}
    assert_sendable(Decoded::new(LinesCodec::new));
    assert_sendable(Parsing::new(|_| Parsed::<(), Never>::Incomplete));
    assert_sendable(Pushing::returning(|| (), |(), chunk| Ok::<_, Never>(chunk.to_vec())));
    assert_sendable(Accumulating::new(|| (), |(): &mut (), chunk| (None::<Result<(), Never>>, &chunk[..0])));
    assert_sendable(Blocking::iterator(|incoming| BufReader::new(incoming).lines()));
    assert_sendable(Reading::new(async |chunks: &mut Chunks| chunks.read_u8().await.map(Some)));
    assert_sendable(Streaming::new(Body::eventsource));
    assert_sendable(Writing::new(vec!["a"], async |outgoing: &mut Outgoing, text| {
        outgoing.write_all(text.as_bytes()).await
    }));
}
