//! The interface between a relay and what changes its streams on purpose.

use std::task::Waker;

use bytes::Bytes;
use enjamb::{Connection, Side, Time};

/// Changes the streams of one connection: faults on purpose.
///
/// The relay feeds it what a side sends, and delivers what [`next`](Self::next) returns, and when.
/// Taps receive what is delivered. All calls are made by the task of the connection and must return
/// soon. Times never decrease.
pub trait Shaper: Send {
    /// Takes bytes that a side has sent.
    fn feed(&mut self, time: Time, side: Side, bytes: &[u8]);

    /// Takes the end of a side's stream.
    fn end(&mut self, time: Time, side: Side);

    /// Returns the next thing to deliver of what a side sent.
    fn next(&mut self, time: Time, side: Side) -> Shaped;

    /// Returns whether more bytes of a side can be taken. While they cannot, the side is not read.
    fn has_room(&self, side: Side) -> bool;

    /// Returns the number of bytes of a side that were taken and not delivered.
    fn held(&self, side: Side) -> usize;

    /// Wakes a task when something changes from outside. Returns whether that happened already.
    fn watch(&mut self, waker: &Waker) -> bool;
}

/// The next thing that a [`Shaper`] delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shaped {
    /// These bytes, in a write of their own.
    Bytes(Bytes),
    /// The end of the stream.
    End,
    /// The relay ends both streams, and with them the connection.
    Close,
    /// The relay resets both sides.
    Reset,
    /// Nothing before this time, or before more bytes come.
    Wait(Option<Time>),
}

/// Makes the shapers of connections.
pub trait Shapers: Send + Sync {
    /// Returns the shaper of a connection that was opened at `time`. `None`: its bytes are relayed
    /// unchanged.
    fn shaper(&self, connection: &Connection, time: Time) -> Option<Box<dyn Shaper>>;
}
