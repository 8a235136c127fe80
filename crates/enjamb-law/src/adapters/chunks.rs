//! The reader that async subjects read from.

use std::task::{Context, Poll};

use super::feed::Feed;

/// A connection whose bytes arrive as the law cuts them: `tokio::io::AsyncRead` and `AsyncBufRead` with the feature `tokio`, those of
/// `futures::io` with the feature `futures`.
///
/// A read brings bytes of one chunk. With nothing there it is `Pending`, and the waker it was called with is the one that is woken when the next
/// chunk arrives. It is an `AsyncWrite` too, for what must answer in order to read; what is written is lost.
#[derive(Debug)]
pub struct Chunks {
    feed: Feed,
    bytes: Vec<u8>,
    at: usize,
}

impl Chunks {
    pub(super) fn new(feed: Feed) -> Self {
        Self { feed, bytes: Vec::new(), at: 0 }
    }

    /// The bytes that are there, of one chunk; none when the stream has ended. For implementing the traits of crates that this one does not
    /// know: a read copies some of them and [consumes](Self::consume) as many.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<&[u8]> {
        if self.at == self.bytes.len() {
            self.bytes.clear();
            self.at = 0;
            if self.feed.poll_take(cx, &mut self.bytes).is_pending() {
                return Poll::Pending;
            }
        }
        let rest = &self.bytes[self.at..];
        Poll::Ready(&rest[..rest.len().min(self.feed.at_most())])
    }

    /// Takes `amount` of the bytes that are there, or all if there are fewer.
    pub fn consume(&mut self, amount: usize) {
        let amount = amount.min(self.bytes.len() - self.at);
        if amount > 0 {
            self.at += amount;
            self.feed.read(amount);
        }
    }
}

#[cfg(feature = "tokio")]
mod tokio_io {
    use std::io::Result;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

    use super::Chunks;

    impl AsyncRead for Chunks {
        fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
            let this = self.get_mut();
            let there = ready!(this.poll_fill(cx));
            let read = there.len().min(buf.remaining());
            buf.put_slice(&there[..read]);
            this.consume(read);
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncBufRead for Chunks {
        fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&[u8]>> {
            self.get_mut().poll_fill(cx).map(Ok)
        }
        fn consume(self: Pin<&mut Self>, amount: usize) {
            self.get_mut().consume(amount);
        }
    }

    impl AsyncWrite for Chunks {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
}

#[cfg(feature = "futures")]
mod futures_io {
    use std::io::Result;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

    use super::Chunks;

    impl AsyncRead for Chunks {
        fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize>> {
            let this = self.get_mut();
            let there = ready!(this.poll_fill(cx));
            let read = there.len().min(buf.len());
            buf[..read].copy_from_slice(&there[..read]);
            this.consume(read);
            Poll::Ready(Ok(read))
        }
    }

    impl AsyncBufRead for Chunks {
        fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&[u8]>> {
            self.get_mut().poll_fill(cx).map(Ok)
        }
        fn consume(self: Pin<&mut Self>, amount: usize) {
            self.get_mut().consume(amount);
        }
    }

    impl AsyncWrite for Chunks {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
}
