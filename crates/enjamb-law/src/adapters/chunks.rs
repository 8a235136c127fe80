//! The connection that async subjects read from.

use std::task::{Context, Poll};

use super::feed::Feed;

/// A connection whose bytes arrive as the law cuts them: an `AsyncRead` and `AsyncBufRead` of tokio
/// (feature `tokio`) and of the futures crates (feature `futures`).
///
/// A read returns bytes of one chunk. Without bytes it is `Pending`. When the next chunk arrives,
/// it wakes the waker that it was last polled with. It is an `AsyncWrite` too, for code that must
/// answer in order to read; written bytes are dropped.
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

    /// Returns the bytes that have arrived, of one chunk, or no bytes when the stream has ended.
    /// Use it to implement the traits of other crates: a read copies some of the bytes and
    /// [consumes](Self::consume) as many.
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

    /// Takes `amount` of the bytes that have arrived, or all of them if there are fewer.
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
            let arrived = ready!(this.poll_fill(cx));
            let read = arrived.len().min(buf.remaining());
            buf.put_slice(&arrived[..read]);
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
            let arrived = ready!(this.poll_fill(cx));
            let read = arrived.len().min(buf.len());
            buf[..read].copy_from_slice(&arrived[..read]);
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
