//! The body that stream transformers read from.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;

use super::feed::Feed;

/// A stream of `Bytes`, such as the body of a response. Its items are the chunks that the law cuts.
/// It never fails.
///
/// Without bytes it is `Pending`. When the next chunk arrives, it wakes the waker that it was last
/// polled with.
#[derive(Debug)]
pub struct Body {
    feed: Feed,
    /// The bytes that arrived last. Items are copies of it, since the subject may keep them.
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
