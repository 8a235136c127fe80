//! Stream transformers.

use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use enjamb_law::{Body, Breach, Law, Never, Segmentations, Streaming, awake, split_everywhere, stream};
use eventsource_stream::Eventsource as _;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream as streams};

use crate::laws::{hold, hold_but, output};

#[test]
fn server_sent_events_obey_the_laws() {
    let events = Streaming::new(Body::eventsource);
    let messages: [&[u8]; 3] = [b"data: one\n\n", b"id: 1\ndata: 2\n\n", b"event: x\ndata: y\n\n"];
    // The specification drops an unfinished event at the end of the stream, and lets an id hold for
    // later events.
    hold_but(&events, &messages, &[Law::End, Law::Alone]);
    hold_but(&events.with_empty_items(), &messages, &[Law::End, Law::Alone]);
}

/// Returns the lines of a body, with one bug or none.
fn lines(body: Body, bug: Bug) -> impl Stream<Item = Result<String, Never>> {
    let lines = body.map_ok(|chunk| chunk.to_vec()).map(Result::unwrap_or_default);
    let lines = lines.scan(Vec::new(), move |line: &mut Vec<u8>, chunk: Vec<u8>| {
        if bug == Bug::EndsAtEmptyItem && chunk.is_empty() {
            return std::future::ready(None);
        }
        line.extend(chunk);
        let mut whole = Vec::new();
        while let Some(at) = line.iter().position(|byte| *byte == b'\n') {
            whole.push(String::from_utf8_lossy(&line.drain(..=at).collect::<Vec<_>>()[..at]).into_owned());
        }
        if bug == Bug::LosesTail {
            line.clear();
        }
        std::future::ready(Some(whole))
    });
    lines.flat_map(|whole| streams::iter(whole.into_iter().map(Ok)))
}

#[derive(Clone, Copy, PartialEq)]
enum Bug {
    None,
    LosesTail,
    EndsAtEmptyItem,
}

#[test]
fn a_transformer_that_loses_the_tail_of_a_chunk_is_caught() {
    let messages: [&[u8]; 3] = [b"one\n", b"\n", b"three\n"];
    hold_but(&Streaming::new(|body| lines(body, Bug::None)), &messages, &[Law::End]);
    hold_but(&Streaming::new(|body| lines(body, Bug::None)).with_empty_items(), &messages, &[Law::End]);
    let losing = Streaming::new(|body| lines(body, Bug::LosesTail));
    let violation = split_everywhere(&losing, &stream(b"one\ntwo\n"), &Segmentations::up_to_two_cuts()).unwrap_err();
    assert_eq!((violation.input, violation.cuts), (stream(b"a\n"), vec![1]));
}

#[test]
fn a_transformer_that_takes_an_empty_item_for_the_end_is_caught() {
    let ending = || Streaming::new(|body| lines(body, Bug::EndsAtEmptyItem));
    assert_eq!(output(ending(), b"one\n", &[]), [r#""one""#]);
    assert!(output(ending().with_empty_items(), b"one\n", &[]).is_empty());
}

#[test]
fn a_reader_that_is_not_a_stream_is_read_by_a_function() {
    let fields = Streaming::with(
        |body| (body, Vec::new()),
        async |(body, unread): &mut (Body, Vec<u8>)| {
            loop {
                if let Some(at) = unread.iter().position(|byte| *byte == b',') {
                    return Ok::<_, std::io::Error>(Some(unread.drain(..=at).collect::<Vec<_>>()));
                }
                match body.try_next().await? {
                    Some(chunk) => unread.extend(chunk),
                    None => return Ok(None),
                }
            }
        },
    );
    hold_but(&fields, &[b"a,", b",", b"bc,"], &[Law::End]);
}

#[test]
fn a_transformer_that_leaves_no_waker_is_caught() {
    struct NoopWakerStream(Body);
    impl Stream for NoopWakerStream {
        type Item = Result<usize, Never>;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            let chunk = ready!(self.0.poll_next_unpin(&mut Context::from_waker(Waker::noop())));
            Poll::Ready(chunk.map(|chunk| Ok(chunk.map_or(0, |chunk| chunk.len()))))
        }
    }
    let violation = awake(&Streaming::new(NoopWakerStream), &stream(b"abc"), &[]).unwrap_err();
    assert_eq!(violation.verdict, Breach::Asleep.to_string());
}

#[test]
fn an_error_ends_the_run_only_if_it_stops() {
    let odd = || {
        Streaming::new(|body| {
            body.map(|chunk| if chunk.is_ok_and(|chunk| chunk.len() % 2 == 0) { Ok("even") } else { Err("odd") })
        })
    };
    assert_eq!(output(odd().stops(), b"aabcc", &[2, 3]), [r#""even""#, "failed: _"]);
    assert_eq!(output(odd(), b"aabcc", &[2, 3]), [r#""even""#, "failed: _", r#""even""#]);
    hold(&Streaming::new(|body| body.map_ok(|_| ()).try_filter(|()| std::future::ready(false))), &[]);
}
