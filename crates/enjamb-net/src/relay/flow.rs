//! One direction of a connection: read, write, give the bytes to the taps, and only then wait.
//!
//! A flow at rest holds no buffer. All connections of a thread read into the same one, and only
//! bytes that the other side does not take at once are copied out of it. Nothing is read while
//! bytes wait: that is the back-pressure.
//!
//! A flow may have a [`Shaper`]. Then a read goes to it, and what is passed on comes from it.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use enjamb::{Ending, Side, Time};
use tokio::io::ReadBuf;
use tokio::time::sleep;

use crate::closer::Closer;
use crate::error::NetError;
use crate::observers::Observers;
use crate::relay::link::Link;
use crate::relay::shaper::{Shaped, Shaper};
use crate::relay::upgrade::Search;
use crate::scratch::{LONGEST_READ, with_buffer};

/// The maximum number of reads that save bytes which a side sent before its reset.
const SALVAGED_READS_MAX: usize = 256;

/// The direction from one side to the other.
pub(crate) struct Flow {
    side: Side,
    /// Bytes that were read and given to the taps. The other side has taken the first `taken` of
    /// them.
    waiting: Vec<u8>,
    taken: usize,
    /// Whether the side has ended its stream.
    input_ended: bool,
    /// Whether that end is to be passed on, behind records of TLS that wait.
    is_ending: bool,
    /// Whether that end was passed on.
    ended: bool,
    /// Whether the shaper takes more bytes.
    has_room: bool,
}

/// The parts of a connection that its two flows share.
pub(crate) struct Parts<'a, 's> {
    pub(crate) links: &'a mut [Link<'s>; 2],
    pub(crate) observers: &'a mut Observers,
    pub(crate) shaping: Option<Shaping>,
    /// The search for the change to TLS, if there may be one.
    pub(crate) search: Option<Search>,
    /// Ends the connection, if a tap may do that.
    pub(crate) closer: Option<Closer>,
}

impl<'s> Parts<'_, 's> {
    /// The link from which the flow of a side reads.
    #[inline]
    fn from(&mut self, side: Side) -> &mut Link<'s> {
        &mut self.links[side.index()]
    }

    /// The link to which the flow of a side writes.
    #[inline]
    fn to(&mut self, side: Side) -> &mut Link<'s> {
        &mut self.links[(!side).index()]
    }
}

/// The result of one step of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Bytes moved, and more may move.
    Moved,
    /// Nothing can be done before a waker is called.
    Waiting,
    /// This side's connection is broken.
    Broken(Side),
    /// The shaper closes the connection.
    Close,
    /// The shaper resets the connection.
    Reset,
}

/// The shaper of a connection, and the times at which its flows must continue.
pub(crate) struct Shaping {
    pub(crate) shaper: Box<dyn Shaper>,
    pub(crate) due: [Option<Time>; 2],
}

impl Flow {
    pub(crate) fn new(side: Side) -> Self {
        Self { side, waiting: Vec::new(), taken: 0, input_ended: false, is_ending: false, ended: false, has_room: true }
    }

    /// Returns whether the side has ended its stream and the end was passed on.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Returns whether a read would show a reset by the side.
    #[inline]
    pub(crate) fn is_reading(&self, parts: &mut Parts<'_, '_>) -> bool {
        !self.input_ended
            && !self.is_sending(parts)
            && self.has_room
            && !parts.search.as_ref().is_some_and(|search| search.stops(self.side))
    }

    /// Returns whether bytes wait until the other side takes them.
    #[inline]
    pub(crate) fn is_sending(&self, parts: &mut Parts<'_, '_>) -> bool {
        !self.waiting.is_empty() || parts.to(self.side).has_unsent()
    }

    /// Makes one read and passes its bytes on, or makes one write of bytes that wait.
    pub(crate) fn step(&mut self, cx: &mut Context<'_>, parts: &mut Parts<'_, '_>) -> Progress {
        if self.ended {
            Progress::Waiting
        } else if !self.waiting.is_empty() {
            self.write_waiting(cx, parts)
        } else if self.is_ending || parts.to(self.side).has_unsent() {
            self.send(cx, parts)
        } else if parts.shaping.is_some() {
            self.step_shaped(cx, parts)
        } else {
            with_buffer(LONGEST_READ, |buffer| self.read(cx, parts, buffer))
        }
    }

    /// Passes on what the shaper delivers. If that is nothing, makes one read for the shaper.
    fn step_shaped(&mut self, cx: &mut Context<'_>, parts: &mut Parts<'_, '_>) -> Progress {
        let now = parts.observers.now();
        let Some(Shaping { shaper, due }) = &mut parts.shaping else { return Progress::Waiting };
        match shaper.next(now, self.side) {
            Shaped::Bytes(bytes) => return self.pass(parts, &bytes),
            Shaped::End => {
                self.end(parts);
                return Progress::Moved;
            }
            Shaped::Close => return Progress::Close,
            Shaped::Reset => return Progress::Reset,
            Shaped::Wait(until) => due[self.side.index()] = until,
        }
        self.has_room = shaper.has_room(self.side);
        if self.input_ended || !self.has_room {
            return Progress::Waiting;
        }
        with_buffer(LONGEST_READ, |buffer| self.read(cx, parts, buffer))
    }

    #[inline]
    fn read(&mut self, cx: &mut Context<'_>, parts: &mut Parts<'_, '_>, buffer: &mut [u8]) -> Progress {
        let side = self.side;
        if let Some(search) = &mut parts.search {
            if search.stops(side) {
                return Progress::Waiting;
            }
            if let Some(bytes) = search.take_released(side) {
                return self.take(parts, &bytes);
            }
        }
        let mut buffer = ReadBuf::new(buffer);
        match parts.from(side).poll_read(cx, &mut buffer) {
            Poll::Pending => Progress::Waiting,
            Poll::Ready(Err(_)) => Progress::Broken(side),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                if parts.from(side).is_truncated() {
                    parts.observers.error(&NetError::Truncated { side });
                }
                match &mut parts.shaping {
                    None => self.end(parts),
                    Some(Shaping { shaper, .. }) => {
                        self.input_ended = true;
                        shaper.end(parts.observers.now(), side);
                    }
                }
                Progress::Moved
            }
            Poll::Ready(Ok(())) => self.take(parts, buffer.filled()),
        }
    }

    /// Takes bytes that were read.
    #[inline]
    fn take(&mut self, parts: &mut Parts<'_, '_>, mut bytes: &[u8]) -> Progress {
        if let Some(search) = &mut parts.search {
            bytes = &bytes[..search.feed(self.side, bytes)];
            if bytes.is_empty() {
                return Progress::Moved;
            }
        }
        match &mut parts.shaping {
            None => self.pass(parts, bytes),
            Some(Shaping { shaper, .. }) => {
                shaper.feed(parts.observers.now(), self.side, bytes);
                Progress::Moved
            }
        }
    }

    /// Passes bytes on: one attempt to write them, then the taps. Bytes that were not taken wait.
    fn pass(&mut self, parts: &mut Parts<'_, '_>, bytes: &[u8]) -> Progress {
        let time = parts.observers.now();
        let taken = parts.to(self.side).try_write(bytes);
        parts.observers.chunk(time, self.side, bytes);
        match taken {
            Ok(taken) => self.waiting.extend_from_slice(&bytes[taken..]),
            Err(error) if is_temporary(&error) => self.waiting.extend_from_slice(bytes),
            Err(_) => {
                self.waiting.extend_from_slice(bytes);
                return Progress::Broken(!self.side);
            }
        }
        Progress::Moved
    }

    /// Returns the number of bytes that were read and that the other side has not taken.
    pub(crate) fn undelivered(&self, parts: &mut Parts<'_, '_>) -> u64 {
        let held = parts.search.as_ref().map_or(0, |search| search.held(self.side));
        let shaped = parts.shaping.as_ref().map_or(0, |shaping| shaping.shaper.held(self.side) as u64);
        let unsent = parts.to(self.side).unsent_text();
        (self.waiting.len() - self.taken + unsent) as u64 + held + shaped
    }

    fn write_waiting(&mut self, cx: &mut Context<'_>, parts: &mut Parts<'_, '_>) -> Progress {
        let to = parts.to(self.side);
        match to.poll_write_ready(cx) {
            Poll::Pending => return Progress::Waiting,
            Poll::Ready(Err(_)) => return Progress::Broken(!self.side),
            Poll::Ready(Ok(())) => {}
        }
        match to.try_write(&self.waiting[self.taken..]) {
            Ok(0) => return Progress::Broken(!self.side),
            Ok(taken) => self.taken += taken,
            Err(error) if is_temporary(&error) => {}
            Err(_) => return Progress::Broken(!self.side),
        }
        if self.taken == self.waiting.len() {
            // Replaced, not cleared: a flow at rest has no buffer.
            self.waiting = Vec::new();
            self.taken = 0;
        }
        Progress::Moved
    }

    /// Sends the records of TLS that wait, and the end of the stream behind them.
    fn send(&mut self, cx: &mut Context<'_>, parts: &mut Parts<'_, '_>) -> Progress {
        match parts.to(self.side).poll_send(cx) {
            Poll::Pending => return Progress::Waiting,
            Poll::Ready(Err(_)) => return Progress::Broken(!self.side),
            Poll::Ready(Ok(())) => {}
        }
        if self.is_ending {
            parts.to(self.side).writes().shut_down();
            self.is_ending = false;
            self.ended = true;
        }
        Progress::Moved
    }

    /// Passes the end of the side's stream on. The other side may continue without a time limit.
    fn end(&mut self, parts: &mut Parts<'_, '_>) {
        self.input_ended = true;
        let time = parts.observers.now();
        // A stream that may have been cut must not look whole on the other side.
        if !parts.from(self.side).is_truncated() {
            parts.to(self.side).end_text();
        }
        if parts.to(self.side).has_unsent() {
            self.is_ending = true;
        } else {
            parts.to(self.side).writes().shut_down();
            self.ended = true;
        }
        parts.observers.close(time, self.side, Ending::Closed);
    }

    /// Passes on the bytes that the side sent before its connection broke, as the other side takes
    /// them: a server that refuses a request in the middle of it answers, closes, and resets.
    pub(crate) async fn salvage(&mut self, parts: &mut Parts<'_, '_>) {
        for _ in 0..SALVAGED_READS_MAX {
            if !self.write_all_waiting(parts).await {
                return;
            }
            if !self.read_rest(parts) {
                break;
            }
        }
        while let Some(Shaping { shaper, .. }) = &mut parts.shaping {
            let now = parts.observers.now();
            match shaper.next(now, self.side) {
                Shaped::Bytes(bytes) => {
                    if self.pass(parts, &bytes) != Progress::Moved || !self.write_all_waiting(parts).await {
                        return;
                    }
                }
                Shaped::Wait(Some(due)) => sleep(due.since(now)).await,
                Shaped::Wait(None) | Shaped::End | Shaped::Close | Shaped::Reset => return,
            }
        }
    }

    /// Waits until the other side has taken what waits. Returns whether more can be passed on.
    async fn write_all_waiting(&mut self, parts: &mut Parts<'_, '_>) -> bool {
        poll_fn(|cx| {
            while self.is_sending(parts) {
                let progress =
                    if self.waiting.is_empty() { self.send(cx, parts) } else { self.write_waiting(cx, parts) };
                match progress {
                    Progress::Waiting => return Poll::Pending,
                    Progress::Moved => {}
                    _ => return Poll::Ready(false),
                }
            }
            Poll::Ready(!self.ended)
        })
        .await
    }

    /// Reads once from a connection that is broken, and takes the bytes. Returns whether there were
    /// any, and they could be taken.
    fn read_rest(&mut self, parts: &mut Parts<'_, '_>) -> bool {
        let side = self.side;
        let has_room = parts.shaping.as_ref().is_none_or(|shaping| shaping.shaper.has_room(side));
        has_room
            && with_buffer(LONGEST_READ, |buffer| match parts.from(side).read_now(buffer) {
                Ok(0) | Err(_) => false,
                Ok(length) => self.take(parts, &buffer[..length]) == Progress::Moved,
            })
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
