//! The connection that async subjects write to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use crate::measure::uncounted;

use super::feed::Feed;

/// A connection that takes as many bytes at a time as the law allows: an `AsyncWrite` of tokio
/// (feature `tokio`) and of the futures crates (feature `futures`).
///
/// Each byte of the input is room for one byte. A write takes at most the room that is left of one
/// chunk. Without room it is `Pending`, until the next chunk arrives and wakes the waker that it
/// was last polled with. After the end of the input it takes every write whole.
#[derive(Debug)]
pub struct Outgoing {
    feed: Feed,
    log: Log,
    /// The chunk that arrived. Only its length matters.
    arrived: Vec<u8>,
    room: usize,
    #[cfg_attr(
        not(any(feature = "tokio", feature = "futures")),
        expect(dead_code, reason = "only their traits use it")
    )]
    vectored: bool,
}

/// All bytes that were written so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(super) fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, bytes: &[u8]) {
        uncounted(|| self.bytes().extend_from_slice(bytes));
    }
}

impl Outgoing {
    pub(super) fn new(feed: Feed, log: Log, vectored: bool) -> Self {
        Self { feed, log, arrived: Vec::new(), room: 0, vectored }
    }

    /// Takes bytes from the front of `bytes` and returns their number. Use it to implement the
    /// traits of other crates.
    pub fn poll_take(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<usize> {
        if bytes.is_empty() {
            return Poll::Ready(0);
        }
        if self.room == 0 {
            if !ready!(self.feed.poll_take(cx, &mut self.arrived)) {
                self.log.put(bytes);
                self.feed.written(bytes.len());
                return Poll::Ready(bytes.len());
            }
            self.room = self.arrived.len();
        }
        let taken = bytes.len().min(self.room);
        self.log.put(&bytes[..taken]);
        self.room -= taken;
        self.feed.read(taken);
        Poll::Ready(taken)
    }

    /// Takes bytes from several buffers as if they were one. Unless it is vectored, it takes from
    /// the first buffer that is not empty.
    #[cfg(any(feature = "tokio", feature = "futures"))]
    fn poll_take_vectored(&mut self, cx: &mut Context<'_>, buffers: &[std::io::IoSlice<'_>]) -> Poll<usize> {
        let mut buffers = buffers.iter().filter(|buffer| !buffer.is_empty());
        let Some(first) = buffers.next() else {
            return Poll::Ready(0);
        };
        let mut taken = ready!(self.poll_take(cx, first));
        if self.vectored && taken == first.len() {
            for buffer in buffers {
                // A write that took some bytes must not be pending.
                if self.room == 0 && !self.feed.ended() {
                    break;
                }
                let Poll::Ready(more) = self.poll_take(cx, buffer) else {
                    break;
                };
                taken += more;
                if more < buffer.len() {
                    break;
                }
            }
        }
        Poll::Ready(taken)
    }
}

#[cfg(feature = "tokio")]
mod tokio_io {
    use std::io::{IoSlice, Result};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::Outgoing;

    impl tokio::io::AsyncWrite for Outgoing {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
            self.get_mut().poll_take(cx, bytes).map(Ok)
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffers: &[IoSlice<'_>],
        ) -> Poll<Result<usize>> {
            self.get_mut().poll_take_vectored(cx, buffers).map(Ok)
        }
        fn is_write_vectored(&self) -> bool {
            self.vectored
        }
    }
}

#[cfg(feature = "futures")]
mod futures_io {
    use std::io::{IoSlice, Result};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::Outgoing;

    impl futures_io::AsyncWrite for Outgoing {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
            self.get_mut().poll_take(cx, bytes).map(Ok)
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffers: &[IoSlice<'_>],
        ) -> Poll<Result<usize>> {
            self.get_mut().poll_take_vectored(cx, buffers).map(Ok)
        }
    }
}
