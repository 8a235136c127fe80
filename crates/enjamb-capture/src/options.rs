//! The limits of reassembly, and which copy of a byte counts.

use std::time::Duration;

/// The rule for copies of a byte that differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// The first copy, as in RFC 9293, section 3.10.7.4.
    #[default]
    First,
    /// The last copy that was captured before its acknowledgement. Nothing is delivered before it
    /// is acknowledged. If no acknowledgement is captured, [`Options::patience_one_sided`] ends the
    /// wait.
    Last,
}

/// The limits of reassembly.
///
/// Set the fields that differ from the default, and take the others from it, since fields may be
/// added:
///
/// ```
/// use enjamb_capture::Options;
///
/// let options = Options { connections: 1_000, ..Options::default() };
/// assert_eq!(options.patience, 256);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The rule for copies of a byte that differ.
    pub overlap: Overlap,
    /// The number of packets of a connection to wait for bytes that were acknowledged but not
    /// captured yet. Default: 256.
    pub patience: u32,
    /// The number of packets of a connection to wait for missing bytes if only one direction is
    /// captured. Default: 1024.
    pub patience_one_sided: u32,
    /// The time to wait for anything, in capture time. Senders retransmit lost bytes within this
    /// time. Default: 60 s.
    pub patience_time: Duration,
    /// The maximum number of bytes held in one stream. It should be at least the number of bytes
    /// that a sender may have in flight. Default: 64 MiB.
    pub held_per_stream: usize,
    /// The maximum number of bytes held in all streams together. Default: 256 MiB.
    pub held_in_all: usize,
    /// The maximum number of connections that are followed at the same time. If there are more, the
    /// one that was silent for longest is given up. Default: 65,536.
    pub connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            overlap: Overlap::First,
            patience: 256,
            patience_one_sided: 1024,
            patience_time: Duration::from_secs(60),
            held_per_stream: 64 << 20,
            held_in_all: 256 << 20,
            connections: 65_536,
        }
    }
}
