//! Async and blocking readers, and streams.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use enjamb_law::{Body, Chunks, Reading, Streaming};
use futures_util::Stream;
use tokio::io::AsyncReadExt;

use crate::planted;

/// The bug: one read is one message.
async fn read_message(bug: bool, reader: &mut Chunks) -> io::Result<Option<Vec<u8>>> {
    let mut message = vec![0; 4];
    if bug {
        let read = reader.read(&mut message).await?;
        message.truncate(read);
        return Ok((read > 0).then_some(message));
    }
    match reader.read_exact(&mut message).await {
        Ok(_) => Ok(Some(message)),
        Err(error) => Err(error),
    }
}

/// A stream of lines of a body.
struct BodyLines {
    body: Pin<Box<Body>>,
    buffer: Vec<u8>,
    /// The number of bytes in the buffer that are not a line feed.
    searched: usize,
    bug: Bug,
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    /// After a chunk without a line, it waits without a waker.
    Sleeps,
    /// An empty item ends a line.
    EmptyIsALineEnd,
    /// A line that is not ASCII leaves the rest of its chunk unread.
    ErrorDropsTheChunk,
}

impl Stream for BodyLines {
    type Item = Result<Vec<u8>, &'static str>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let from = std::mem::take(&mut self.searched);
            if let Some(end) = self.buffer[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at) {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                if line.is_ascii() {
                    return Poll::Ready(Some(Ok(line)));
                }
                if self.bug == Bug::ErrorDropsTheChunk {
                    self.buffer.clear();
                }
                return Poll::Ready(Some(Err("not ASCII")));
            }
            self.searched = self.buffer.len();
            if self.ended {
                self.searched = 0;
                let rest = std::mem::take(&mut self.buffer);
                return Poll::Ready((!rest.is_empty()).then_some(Err("unfinished")));
            }
            match ready!(self.body.as_mut().poll_next(cx)) {
                Some(Ok(bytes)) if bytes.is_empty() && self.bug == Bug::EmptyIsALineEnd && !self.buffer.is_empty() => {
                    self.buffer.push(b'\n');
                }
                Some(Ok(bytes)) => {
                    self.buffer.extend_from_slice(&bytes);
                    if self.bug == Bug::Sleeps && !self.buffer.contains(&b'\n') {
                        return Poll::Pending;
                    }
                }
                Some(Err(_)) => return Poll::Ready(Some(Err("body"))),
                None => self.ended = true,
            }
        }
    }
}

fn lines(bug: Bug) -> impl Fn(Body) -> BodyLines {
    move |body| BodyLines { body: Box::pin(body), buffer: Vec::new(), searched: 0, bug, ended: false }
}

planted! {
    one_read_is_one_message: [Split], ["abcd", "efgh"],
        |bug| Reading::new(async move |reader: &mut Chunks| read_message(bug, reader).await);
    waits_without_a_waker: [Awake], ["one\n", "two\n"],
        |bug| Streaming::new(lines(if bug { Bug::Sleeps } else { Bug::None }));
    empty_item_is_a_line_end: [Split], ["one\n", "two\n"],
        |bug| Streaming::new(lines(if bug { Bug::EmptyIsALineEnd } else { Bug::None })).with_empty_items();
    bad_line_drops_its_chunk: [Split], ["one\n", "two\n"],
        |bug| Streaming::new(lines(if bug { Bug::ErrorDropsTheChunk } else { Bug::None }));
}
