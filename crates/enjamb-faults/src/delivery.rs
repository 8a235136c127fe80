//! The output of a chain of faults.

use bytes::Bytes;
use enjamb::Time;

/// The next thing to deliver to the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// These bytes, as one segment.
    Bytes(Bytes),
    /// The end of the stream.
    End,
    /// Both streams end.
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing before this time, or before more bytes come.
    Wait(Option<Time>),
}
