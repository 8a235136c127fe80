//! The queue of a connection's outgoing data.
//!
//! Short pieces are copied to the end of one buffer, long ones are kept as they came, and one
//! vectored write takes as many of them as possible. A slot holds the place of a reply that is not
//! there yet, and a producer that of data that is made when its turn comes.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use crate::item::Item;
use crate::shared::Shared;

/// The longest piece that is copied rather than kept.
const COPIED_MAX: usize = 4096;

/// The length at which a buffer is not appended to any more.
const BUFFER_MAX: usize = 64 << 10;

/// The largest capacity of a buffer that a thread keeps for its next connection.
const SPARE_MAX: usize = 256 << 10;

/// The maximum number of pieces of one vectored write.
const SLICES_MAX: usize = 64;

/// The queue of a connection's outgoing data.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Copied bytes before all other entries. The first `taken` of them were written. Most
    /// connections never have more.
    first: Vec<u8>,
    taken: usize,
    items: VecDeque<Item>,
    /// The number of bytes in the queue.
    length: usize,
    /// How many of them are counted as waiting in the shared state.
    counted: usize,
}

/// The error that a producer returned.
#[derive(Debug)]
pub(crate) struct ProducerFailed(pub(crate) io::Error);

impl Output {
    /// Returns the number of bytes in the queue. Producers and replies that are not there yet do
    /// not count.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0 && self.items.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.release_first();
        self.length = 0;
        for item in std::mem::take(&mut self.items) {
            if let Item::Reply(reply) = item {
                self.counted += reply.abandon();
            }
        }
    }

    #[inline]
    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.length += bytes.len();
        if self.items.is_empty() && self.first.len() <= BUFFER_MAX {
            if self.first.capacity() == 0 {
                self.first = SPARE.take();
            }
            self.first.extend_from_slice(bytes);
        } else if let Some(Item::Copied(buffer)) = self.items.back_mut()
            && buffer.len() <= BUFFER_MAX
        {
            buffer.extend_from_slice(bytes);
        } else {
            self.items.push_back(Item::Copied(bytes.to_vec()));
        }
    }

    pub(crate) fn keep(&mut self, bytes: Bytes) {
        if bytes.len() <= COPIED_MAX {
            self.copy(&bytes);
        } else {
            self.length += bytes.len();
            self.items.push_back(Item::Kept(bytes));
        }
    }

    pub(crate) fn push(&mut self, item: Item) {
        match item {
            Item::Copied(bytes) if bytes.len() <= COPIED_MAX => self.copy(&bytes),
            Item::Kept(bytes) => self.keep(bytes),
            item => {
                self.length += item.len();
                self.items.push_back(item);
            }
        }
    }

    /// Queues an item whose bytes are counted in the shared state already.
    pub(crate) fn push_counted(&mut self, item: Item) {
        self.counted += item.len();
        self.push(item);
    }

    /// Returns whether the shared state counts the bytes of the queue.
    pub(crate) fn is_counted(&self) -> bool {
        self.length == self.counted
    }

    /// Counts the bytes of the queue in the shared state.
    pub(crate) fn count_in(&mut self, shared: &Shared) {
        let (now, before) = (self.length, std::mem::replace(&mut self.counted, self.length));
        if now > before {
            shared.add_waiting(now - before);
        } else if now < before {
            shared.remove_waiting(before - now);
        }
    }

    /// Turns replies that are there, and what producers make, into bytes at the front of the queue:
    /// at least `wanted` of them if there are so many.
    pub(crate) fn prepare(&mut self, cx: &mut Context<'_>, wanted: usize) -> Result<(), ProducerFailed> {
        if self.items.is_empty() {
            return Ok(());
        }
        let (mut at, mut length) = (0, self.first.len() - self.taken);
        while length < wanted && at < self.items.len().min(SLICES_MAX) {
            if at == 0 && self.merge_front() {
                length = self.first.len() - self.taken;
                continue;
            }
            match &mut self.items[at] {
                Item::Copied(_) | Item::Kept(_) => {
                    length += self.items[at].len();
                    at += 1;
                }
                Item::Producer(producer) => match producer.poll_more(cx, wanted - length) {
                    Poll::Pending => break,
                    Poll::Ready(Err(error)) => return Err(ProducerFailed(error)),
                    Poll::Ready(Ok(None)) => drop(self.items.remove(at)),
                    Poll::Ready(Ok(Some(bytes))) => {
                        self.length += bytes.len();
                        self.items.insert(at, Item::Kept(bytes));
                    }
                },
                Item::Reply(reply) => {
                    let (items, is_whole) = reply.take();
                    let is_there = is_whole || !items.is_empty();
                    if is_whole {
                        self.items.remove(at);
                    }
                    for item in items.into_iter().rev() {
                        self.length += item.len();
                        self.counted += item.len();
                        self.items.insert(at, item);
                    }
                    if !is_there {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Copies the first item to the bytes before it, if it is short: many short replies are one
    /// piece of a write. Returns whether it did.
    fn merge_front(&mut self) -> bool {
        let Some(bytes) = self.items.front().and_then(Item::bytes) else { return false };
        if bytes.len() > COPIED_MAX || self.first.len() > BUFFER_MAX {
            return false;
        }
        self.first.extend_from_slice(bytes);
        self.items.pop_front();
        true
    }

    /// Writes from the front of the queue, up to the first entry that is not there yet.
    /// `Ready(Ok(0))`: nothing is there.
    pub(crate) fn poll_write<W: AsyncWrite + Unpin>(
        &self,
        cx: &mut Context<'_>,
        to: &mut W,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        let first = Some(&self.first[self.taken..]).filter(|first| !first.is_empty());
        let mut there = first.into_iter().chain(self.items.iter().map_while(Item::bytes));
        let Some(first) = there.next() else { return Poll::Ready(Ok(0)) };
        let written = match there.next() {
            Some(second) if first.len() < max && to.is_write_vectored() => {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let mut room = max;
                let mut count = 0;
                for (slice, bytes) in slices.iter_mut().zip([first, second].into_iter().chain(there)) {
                    let bytes = &bytes[..bytes.len().min(room)];
                    *slice = IoSlice::new(bytes);
                    room -= bytes.len();
                    count += 1;
                    if room == 0 {
                        break;
                    }
                }
                Pin::new(to).poll_write_vectored(cx, &slices[..count])
            }
            _ => Pin::new(to).poll_write(cx, &first[..first.len().min(max)]),
        };
        match written {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => written,
        }
    }

    /// Removes the first `length` bytes, which were written. Shows them to `written`, in pieces.
    pub(crate) fn advance(&mut self, mut length: usize, mut written: impl FnMut(&[u8])) {
        self.length -= length;
        let now = length.min(self.first.len() - self.taken);
        if now > 0 {
            written(&self.first[self.taken..self.taken + now]);
            self.taken += now;
            length -= now;
            if self.taken == self.first.len() {
                self.release_first();
            }
        }
        while length > 0 {
            let Some(first) = self.items.front_mut() else { return };
            let now = length.min(first.len());
            written(&first.bytes().unwrap_or_default()[..now]);
            length -= now;
            match first {
                Item::Copied(bytes) => *first = Item::Kept(Bytes::from(std::mem::take(bytes)).split_off(now)),
                Item::Kept(bytes) => bytes.advance(now),
                Item::Producer(_) | Item::Reply(_) => return,
            }
            if first.len() == 0 {
                self.items.pop_front();
            }
        }
        if self.items.is_empty() {
            // A connection at rest has no memory for its queue.
            self.items = VecDeque::new();
        }
    }

    fn release_first(&mut self) {
        self.taken = 0;
        let mut buffer = std::mem::take(&mut self.first);
        if buffer.capacity() <= SPARE_MAX {
            buffer.clear();
            SPARE.set(buffer);
        }
    }
}

thread_local! {
    /// The buffer of the connection that wrote last.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}
