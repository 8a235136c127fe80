//! How far reassembly goes: patience, memory, and what counts when copies disagree.

use std::time::Duration;

/// Which copy of a byte counts when several were captured that disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// The first one, as RFC 9293, section 3.10.7.4 has it.
    #[default]
    First,
    /// The last one that was captured before its acknowledgement. Nothing is delivered before it is acknowledged; where no
    /// acknowledgement is captured, [`Options::patience_one_sided`] ends the wait.
    Last,
}

/// How far reassembly goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which copy of a byte counts.
    pub overlap: Overlap,
    /// How many more packets of a connection are waited for bytes that the other side has acknowledged.
    pub patience: u32,
    /// How many more packets of a connection are waited for missing bytes when only one direction is captured.
    pub patience_one_sided: u32,
    /// How long anything is waited for, in the time of the capture. A sender repeats what was lost within this time.
    pub patience_time: Duration,
    /// How many bytes are held in one stream. It must be as much as a sender may have on its way.
    pub held_per_stream: usize,
    /// How many bytes are held in all.
    pub held_in_all: usize,
    /// How many connections are followed at a time. When there are more, the one that was silent for longest is given up.
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
