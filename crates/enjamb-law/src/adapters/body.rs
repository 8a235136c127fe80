//! The stream of bytes that transformers of streams read from.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;

use super::feed::Feed;

/// The body of a response, say: a stream of `Bytes`, whose items are the chunks that the law cuts. It does not fail.
///
/// With nothing there it is `Pending`, and the waker it was called with is the one that is woken when the next chunk arrives.
#[derive(Debug)]
pub struct Body {
    feed: Feed,
    /// What arrived last: the items are copies, since they are the subject's to keep.
    arrived: Vec<u8>,
}

impl Body {
    pub(super) fn new(feed: Feed) -> Self {
        Self { feed, arrived: Vec::new() }
    }
}

impl Stream for Body {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { feed, arrived } = self.get_mut();
        if feed.take_empty_item() {
            return Poll::Ready(Some(Ok(Bytes::new())));
        }
        if !ready!(feed.poll_take(cx, arrived)) {
            return Poll::Ready(None);
        }
        feed.read(arrived.len());
        Poll::Ready(Some(Ok(Bytes::copy_from_slice(arrived))))
    }
}
