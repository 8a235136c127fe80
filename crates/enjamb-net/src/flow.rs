//! One direction of a connection: read, write, tell, and only then wait.
//!
//! A flow at rest holds no buffer at all: all connections of a thread read into the same one, and only bytes that the other side would not
//! take at once are copied out of it, to wait for it. Nothing is read while any are waiting: that is the back-pressure.

use std::cell::Cell;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use enjamb::{Ending, Side};
use socket2::SockRef;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;

use crate::observers::Observers;

/// How many bytes are read at once at most, and so how many a flow may hold for a side that does not take them. A read of so many, with its headers,
/// still is one IP packet (of at most 65,535 bytes), so that a recording can have it as one.
pub const LONGEST_READ: usize = 61_440;

/// How many reads are made at most to save what a side sent before it was reset.
const MOST_SALVAGED: usize = 256;

/// The direction from one side to the other.
pub(crate) struct Flow<'s> {
    side: Side,
    from: ReadHalf<'s>,
    to: &'s TcpStream,
    /// Read, told, and not taken by the other side yet, from `taken` on.
    waiting: Vec<u8>,
    taken: usize,
    ended: bool,
}

/// What came of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Something was done, and there may be more to do.
    Moved,
    /// There is nothing to do before a waker is called.
    Waiting,
    /// This side's connection is broken.
    Broken(Side),
}

impl<'s> Flow<'s> {
    pub(crate) fn new(side: Side, from: ReadHalf<'s>, to: &'s TcpStream) -> Self {
        Self { side, from, to, waiting: Vec::new(), taken: 0, ended: false }
    }

    /// Did the side end its stream, and was that passed on?
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Would a reset by the side be seen by reading from it?
    pub(crate) fn is_reading(&self) -> bool {
        !self.ended && self.waiting.is_empty()
    }

    /// One read with what belongs to it, or one write of what is waiting.
    pub(crate) fn turn(&mut self, cx: &mut Context<'_>, observers: &mut Observers) -> Turn {
        if self.ended {
            Turn::Waiting
        } else if self.waiting.is_empty() {
            with_buffer(|buffer| self.read(cx, observers, buffer))
        } else {
            self.write_waiting(cx)
        }
    }

    fn read(&mut self, cx: &mut Context<'_>, observers: &mut Observers, buffer: &mut [u8]) -> Turn {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut self.from).poll_read(cx, &mut buffer) {
            Poll::Pending => Turn::Waiting,
            Poll::Ready(Err(_)) => Turn::Broken(self.side),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                self.end(observers);
                Turn::Moved
            }
            Poll::Ready(Ok(())) => self.pass(observers, buffer.filled()),
        }
    }

    /// Bytes first: one attempt to write them, then the taps. What was not taken waits.
    fn pass(&mut self, observers: &mut Observers, bytes: &[u8]) -> Turn {
        let time = observers.now();
        let taken = self.to.try_write(bytes);
        observers.chunk(time, self.side, bytes);
        match taken {
            Ok(taken) => self.waiting.extend_from_slice(&bytes[taken..]),
            Err(error) if is_not_now(&error) => self.waiting.extend_from_slice(bytes),
            Err(_) => return Turn::Broken(!self.side),
        }
        Turn::Moved
    }

    fn write_waiting(&mut self, cx: &mut Context<'_>) -> Turn {
        match self.to.poll_write_ready(cx) {
            Poll::Pending => return Turn::Waiting,
            Poll::Ready(Err(_)) => return Turn::Broken(!self.side),
            Poll::Ready(Ok(())) => {}
        }
        match self.to.try_write(&self.waiting[self.taken..]) {
            Ok(0) => return Turn::Broken(!self.side),
            Ok(taken) => self.taken += taken,
            Err(error) if is_not_now(&error) => {}
            Err(_) => return Turn::Broken(!self.side),
        }
        if self.taken == self.waiting.len() {
            // Not cleared: at rest a flow has no buffer.
            self.waiting = Vec::new();
            self.taken = 0;
        }
        Turn::Moved
    }

    /// The side has no more to send. The other may go on for as long as it likes.
    fn end(&mut self, observers: &mut Observers) {
        let time = observers.now();
        // This fails on a socket that is broken already, which shows elsewhere.
        let _ = SockRef::from(self.to).shutdown(std::net::Shutdown::Write);
        self.ended = true;
        observers.close(time, self.side, Ending::Closed);
    }

    /// The side's connection is broken, and with it the other's will be. What the side sent before that, and what the other side takes at once, still
    /// goes over: a server that refuses a request in the middle of it answers, closes, and resets.
    pub(crate) fn salvage(&mut self, observers: &mut Observers) {
        with_buffer(|buffer| {
            for _ in 0..MOST_SALVAGED {
                if !self.is_reading() {
                    break;
                }
                // Not by way of tokio, which may not know yet that there is something to read.
                match (&*SockRef::from(self.from.as_ref())).read(buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(length) => {
                        if self.pass(observers, &buffer[..length]) != Turn::Moved {
                            break;
                        }
                    }
                }
            }
        });
    }
}

fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Lends the thread's buffer.
fn with_buffer<T>(what: impl FnOnce(&mut [u8]) -> T) -> T {
    thread_local! {
        static BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    }
    // Taken, not borrowed: should a tap ever poll another connection on this thread, that one makes a buffer of its own.
    let mut buffer = BUFFER.take().unwrap_or_else(|| vec![0; LONGEST_READ].into_boxed_slice());
    let result = what(&mut buffer);
    BUFFER.set(Some(buffer));
    result
}
