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
pub struct Body(Feed);

impl Body {
    pub(super) fn new(feed: Feed) -> Self {
        Self(feed)
    }
}

impl Stream for Body {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.0.take_empty_item() {
            return Poll::Ready(Some(Ok(Bytes::new())));
        }
        let mut bytes = Vec::new();
        if !ready!(self.0.poll_take(cx, &mut bytes)) {
            return Poll::Ready(None);
        }
        self.0.read(bytes.len());
        Poll::Ready(Some(Ok(bytes.into())))
    }
}
