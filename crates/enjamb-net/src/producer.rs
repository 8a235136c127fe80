//! Outgoing data that is made while it is written: `asynchat`'s producers.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};

/// A source of outgoing bytes, which is called when there is room to write them: `more()` of
/// `asynchat`. So a file of any size takes the memory of one buffer.
///
/// `Bytes` is a producer: it is written without a copy. [`FromIter`], [`FromReader`] and
/// [`FromStream`] make producers of iterators, files and streams.
pub trait Producer: Send {
    /// Returns the next bytes, or `None` at the end. More than `max` bytes are allowed, but take
    /// more memory than the connection's limits say.
    ///
    /// # Errors
    /// An error aborts the connection: the peer must not take what was written for the whole.
    fn poll_more(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Bytes>>>;
}

impl Producer for Bytes {
    fn poll_more(&mut self, _: &mut Context<'_>, _: usize) -> Poll<io::Result<Option<Bytes>>> {
        let all = std::mem::take(self);
        Poll::Ready(Ok(Some(all).filter(|all| !all.is_empty())))
    }
}

impl Producer for Box<dyn Producer> {
    fn poll_more(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Bytes>>> {
        (**self).poll_more(cx, max)
    }
}

/// A producer of the items of an iterator.
#[derive(Clone, Debug)]
pub struct FromIter<I>(pub I);

impl<I> Producer for FromIter<I>
where
    I: Iterator + Send,
    I::Item: Into<Bytes>,
{
    fn poll_more(&mut self, _: &mut Context<'_>, _: usize) -> Poll<io::Result<Option<Bytes>>> {
        Poll::Ready(Ok(self.0.by_ref().map(Into::into).find(|bytes: &Bytes| !bytes.is_empty())))
    }
}

/// A producer of what a reader reads, a `tokio::fs::File` for example.
pub struct FromReader<R> {
    reader: R,
    buffer: BytesMut,
}

impl<R> FromReader<R> {
    /// Creates a producer of everything that `reader` still contains.
    pub fn new(reader: R) -> Self {
        Self { reader, buffer: BytesMut::new() }
    }
}

impl<R> fmt::Debug for FromReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromReader").finish_non_exhaustive()
    }
}

impl<R: AsyncRead + Send + Unpin> Producer for FromReader<R> {
    fn poll_more(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Bytes>>> {
        self.buffer.resize(max, 0);
        let mut buffer = ReadBuf::new(&mut self.buffer);
        ready!(Pin::new(&mut self.reader).poll_read(cx, &mut buffer))?;
        let length = buffer.filled().len();
        Poll::Ready(Ok((length > 0).then(|| self.buffer.split_to(length).freeze())))
    }
}

/// A producer of the items of an asynchronous stream.
#[derive(Clone, Debug)]
pub struct FromStream<S>(pub S);

impl<S, B> Producer for FromStream<S>
where
    S: Stream<Item = io::Result<B>> + Send + Unpin,
    B: Into<Bytes>,
{
    fn poll_more(&mut self, cx: &mut Context<'_>, _: usize) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            match ready!(Pin::new(&mut self.0).poll_next(cx)) {
                Some(bytes) => {
                    let bytes = bytes?.into();
                    if !bytes.is_empty() {
                        return Poll::Ready(Ok(Some(bytes)));
                    }
                }
                None => return Poll::Ready(Ok(None)),
            }
        }
    }
}
