//! One direction of a connection: read, write, give the bytes to the taps, and only then wait.
//!
//! A flow at rest holds no buffer. All connections of a thread read into the same one, and only
//! bytes that the other side does not take at once are copied out of it. Nothing is read while
//! bytes wait: that is the back-pressure.
//!
//! A flow may have a [`Shaper`]. Then a read goes to it, and what is passed on comes from it.

use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use enjamb::{Ending, Side, Time};
use socket2::SockRef;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;
use tokio::time::sleep;

use crate::observers::Observers;
use crate::relay::shaper::{Shaped, Shaper};
use crate::scratch::{LONGEST_READ, with_buffer};

/// The maximum number of reads that save bytes which a side sent before its reset.
const SALVAGED_READS_MAX: usize = 256;

/// The direction from one side to the other.
pub(crate) struct Flow<'s> {
    side: Side,
    from: ReadHalf<'s>,
    to: &'s TcpStream,
    /// Bytes that were read and given to the taps. The other side has taken the first `taken` of
    /// them.
    waiting: Vec<u8>,
    taken: usize,
    /// Whether the side has ended its stream.
    input_ended: bool,
    /// Whether that end was passed on.
    ended: bool,
    /// Whether the shaper takes more bytes.
    has_room: bool,
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

impl<'s> Flow<'s> {
    pub(crate) fn new(side: Side, from: ReadHalf<'s>, to: &'s TcpStream) -> Self {
        Self { side, from, to, waiting: Vec::new(), taken: 0, input_ended: false, ended: false, has_room: true }
    }

    /// Returns whether the side has ended its stream and the end was passed on.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Returns whether a read would show a reset by the side.
    pub(crate) fn is_reading(&self) -> bool {
        !self.input_ended && self.waiting.is_empty() && self.has_room
    }

    /// Makes one read and passes its bytes on, or makes one write of bytes that wait.
    pub(crate) fn step(
        &mut self,
        cx: &mut Context<'_>,
        observers: &mut Observers,
        shaping: Option<&mut Shaping>,
    ) -> Progress {
        if self.ended {
            Progress::Waiting
        } else if !self.waiting.is_empty() {
            self.write_waiting(cx)
        } else if let Some(shaping) = shaping {
            self.step_shaped(cx, observers, shaping)
        } else {
            with_buffer(LONGEST_READ, |buffer| self.read(cx, observers, buffer))
        }
    }

    /// Passes on what the shaper delivers. If that is nothing, makes one read for the shaper.
    fn step_shaped(&mut self, cx: &mut Context<'_>, observers: &mut Observers, shaping: &mut Shaping) -> Progress {
        let Shaping { shaper, due } = shaping;
        let now = observers.now();
        match shaper.next(now, self.side) {
            Shaped::Bytes(bytes) => return self.pass(observers, &bytes),
            Shaped::End => {
                self.end(observers);
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
        with_buffer(LONGEST_READ, |buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match Pin::new(&mut self.from).poll_read(cx, &mut buffer) {
                Poll::Pending => Progress::Waiting,
                Poll::Ready(Err(_)) => Progress::Broken(self.side),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                    self.input_ended = true;
                    shaper.end(now, self.side);
                    Progress::Moved
                }
                Poll::Ready(Ok(())) => {
                    shaper.feed(now, self.side, buffer.filled());
                    Progress::Moved
                }
            }
        })
    }

    fn read(&mut self, cx: &mut Context<'_>, observers: &mut Observers, buffer: &mut [u8]) -> Progress {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut self.from).poll_read(cx, &mut buffer) {
            Poll::Pending => Progress::Waiting,
            Poll::Ready(Err(_)) => Progress::Broken(self.side),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                self.end(observers);
                Progress::Moved
            }
            Poll::Ready(Ok(())) => self.pass(observers, buffer.filled()),
        }
    }

    /// Passes bytes on: one attempt to write them, then the taps. Bytes that were not taken wait.
    fn pass(&mut self, observers: &mut Observers, bytes: &[u8]) -> Progress {
        let time = observers.now();
        let taken = self.to.try_write(bytes);
        observers.chunk(time, self.side, bytes);
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
    pub(crate) fn undelivered(&self) -> u64 {
        (self.waiting.len() - self.taken) as u64
    }

    fn write_waiting(&mut self, cx: &mut Context<'_>) -> Progress {
        match self.to.poll_write_ready(cx) {
            Poll::Pending => return Progress::Waiting,
            Poll::Ready(Err(_)) => return Progress::Broken(!self.side),
            Poll::Ready(Ok(())) => {}
        }
        match self.to.try_write(&self.waiting[self.taken..]) {
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

    /// Passes the end of the side's stream on. The other side may continue without a time limit.
    fn end(&mut self, observers: &mut Observers) {
        self.input_ended = true;
        let time = observers.now();
        // It fails on a socket that is broken already, which shows elsewhere.
        let _ = SockRef::from(self.to).shutdown(std::net::Shutdown::Write);
        self.ended = true;
        observers.close(time, self.side, Ending::Closed);
    }

    /// Passes on the bytes that the side sent before its connection broke, as the other side takes
    /// them: a server that refuses a request in the middle of it answers, closes, and resets.
    pub(crate) async fn salvage(&mut self, observers: &mut Observers, mut shaping: Option<&mut Shaping>) {
        for _ in 0..SALVAGED_READS_MAX {
            if !self.write_all_waiting().await {
                return;
            }
            let is_read = match &mut shaping {
                None => self.read_rest(|flow, bytes| flow.pass(observers, bytes) == Progress::Moved),
                Some(Shaping { shaper, .. }) => {
                    let (now, side) = (observers.now(), self.side);
                    shaper.has_room(side)
                        && self.read_rest(|_, bytes| {
                            shaper.feed(now, side, bytes);
                            true
                        })
                }
            };
            if !is_read {
                break;
            }
        }
        while let Some(Shaping { shaper, .. }) = &mut shaping {
            let now = observers.now();
            match shaper.next(now, self.side) {
                Shaped::Bytes(bytes) => {
                    if self.pass(observers, &bytes) != Progress::Moved || !self.write_all_waiting().await {
                        return;
                    }
                }
                Shaped::Wait(Some(due)) => sleep(due.since(now)).await,
                Shaped::Wait(None) | Shaped::End | Shaped::Close | Shaped::Reset => return,
            }
        }
    }

    /// Waits until the other side has taken what waits. Returns whether more can be passed on.
    async fn write_all_waiting(&mut self) -> bool {
        poll_fn(|cx| {
            while !self.waiting.is_empty() {
                match self.write_waiting(cx) {
                    Progress::Waiting => return Poll::Pending,
                    Progress::Moved => {}
                    _ => return Poll::Ready(false),
                }
            }
            Poll::Ready(!self.ended)
        })
        .await
    }

    /// Reads once from a connection that is broken, and gives the bytes to `take`. Returns whether
    /// there were any, and they could be taken.
    fn read_rest(&mut self, take: impl FnOnce(&mut Self, &[u8]) -> bool) -> bool {
        with_buffer(LONGEST_READ, |buffer| {
            // Not through tokio, which may not have noticed yet that there is something to read.
            let read = (&*SockRef::from(self.from.as_ref())).read(buffer);
            match read {
                Ok(0) | Err(_) => false,
                Ok(length) => take(self, &buffer[..length]),
            }
        })
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
