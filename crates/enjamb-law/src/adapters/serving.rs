//! Servers: whatever answers on a connection.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use enjamb::Machine;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::chunks::Chunks;
use super::feed::Feed;
use super::outgoing::Log;
use super::reading::Reading;

/// The [`Subject`](crate::Subject) of a server: request bytes in, replies out.
///
/// The server is a function that makes the future of one connection: `enjamb_net::run` over a
/// service, or a loop of `read` and `write_all`. Its events are its replies, as a parser cuts them
/// out of the bytes that it wrote. So the laws hold for the whole way through the server: its
/// reading, its parser, its answers, and what it writes.
///
/// ```
/// use std::convert::Infallible;
///
/// use enjamb_law::{Exchange, Segmentations, Serving, split_everywhere, stream};
/// use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
/// # use enjamb::{FrameHandler, FrameInfo, Framer, Step, Terminator};
/// # struct Lines;
/// # impl FrameHandler for Lines {
/// #     type Event = String;
/// #     type Error = Infallible;
/// #     fn start(&self) -> Terminator { Terminator::lf() }
/// #     fn frame(&mut self, line: &[u8], _: FrameInfo) -> Result<Step<String>, Infallible> {
/// #         Ok(Step::event(String::from_utf8_lossy(line).into_owned()))
/// #     }
/// # }
///
/// async fn echo(connection: Exchange) {
///     let mut connection = BufReader::new(connection);
///     let mut line = String::new();
///     while let Ok(1..) = connection.read_line(&mut line).await {
///         connection.write_all(line.as_bytes()).await.unwrap();
///         line.clear();
///     }
/// }
///
/// let echo = Serving::new(echo, || Framer::whole(Lines));
/// split_everywhere(&echo, &stream(b"one\ntwo\n"), &Segmentations::up_to_two_cuts()).unwrap();
/// ```
///
/// It runs as [`Reading`] does, and commits the same breaches. A server that starts tasks or sets
/// timers needs [`in_runtime`](Reading::in_runtime).
#[derive(Clone, Copy, Debug)]
pub struct Serving;

impl Serving {
    /// Makes a subject of a server and of a parser of its replies. Errors of the parser are errors
    /// of the subject.
    pub fn new<M, F, N, P>(
        serve: M,
        replies: N,
    ) -> Reading<impl Fn(Feed) -> Served<F, P>, impl AsyncFn(&mut Served<F, P>) -> Result<Option<P::Event>, P::Error>>
    where
        M: Fn(Exchange) -> F,
        F: Future,
        N: Fn() -> P,
        P: Machine,
    {
        Reading::over(
            move |feed| {
                let written = Log::default();
                let exchange = Exchange { chunks: Chunks::new(feed), written: written.clone() };
                Served {
                    future: Some(Box::pin(serve(exchange))),
                    written,
                    replies: replies(),
                    unread: Vec::new(),
                    at: 0,
                    last: Vec::new().into_iter(),
                }
            },
            async |served: &mut Served<F, P>| poll_fn(|cx| served.poll_reply(cx)).await,
        )
    }
}

/// The connection of a server under a law: an `AsyncRead` and `AsyncWrite` of tokio. Every write is
/// taken whole.
#[derive(Debug)]
pub struct Exchange {
    chunks: Chunks,
    written: Log,
}

/// A server under a law, with the parser of its replies.
pub struct Served<F, P: Machine> {
    /// `None`: it has ended.
    future: Option<Pin<Box<F>>>,
    written: Log,
    replies: P,
    /// Bytes that it wrote; the parser has seen the first `at`.
    unread: Vec<u8>,
    at: usize,
    /// The replies that the end of the stream completed.
    last: std::vec::IntoIter<P::Event>,
}

impl<F: Future, P: Machine> Served<F, P> {
    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<P::Event>, P::Error>> {
        loop {
            let mut rest = &self.unread[self.at..];
            let reply = self.replies.next(&mut rest);
            self.at = self.unread.len() - rest.len();
            if let Some(reply) = reply.transpose() {
                return Poll::Ready(reply.map(Some));
            }
            let Some(future) = &mut self.future else {
                return Poll::Ready(Ok(self.last.next()));
            };
            let has_ended = future.as_mut().poll(cx).is_ready();
            self.unread = std::mem::take(&mut self.written.bytes());
            self.at = 0;
            if has_ended {
                self.future = None;
                let mut last = Vec::new();
                self.replies.feed(&std::mem::take(&mut self.unread), &mut |reply| last.push(reply))?;
                self.replies.close(&mut |reply| last.push(reply))?;
                self.last = last.into_iter();
            } else if self.unread.is_empty() {
                return Poll::Pending;
            }
        }
    }
}

impl AsyncRead for Exchange {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.chunks).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Exchange {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.put(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
