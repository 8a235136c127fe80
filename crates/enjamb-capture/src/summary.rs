//! What a capture held, and what was passed over.

use crate::decode::Ignored;

/// Counts over a capture. Nothing is passed over that is not counted here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Packets in the file.
    pub packets: u64,
    /// Bytes of them that were captured.
    pub bytes: u64,
    /// Packets of which not all bytes were captured.
    pub cut_packets: u64,
    /// Packets that the capturing system says it lost.
    pub dropped_packets: u64,
    /// Packets that gave no TCP segment, by [`Ignored::index`].
    pub ignored: [u64; Ignored::ALL.len()],
    /// Fragmented datagrams that were given up: contradicting fragments, or too many datagrams at a time.
    pub fragments_given_up: u64,
    /// TCP segments.
    pub segments: u64,
    /// Segments with a wrong checksum. They count like all others: where they were sent, the network card puts it in later.
    pub bad_checksums: u64,
    /// Connections.
    pub connections: u64,
    /// Connections that were given up to make room for others.
    pub connections_given_up: u64,
    /// Bytes of payload that were delivered.
    pub payload: u64,
    /// Segments that came before one that belongs in front of them.
    pub out_of_order: u64,
    /// Bytes that had come before, and were dropped.
    pub retransmitted: u64,
    /// Bytes that came after the gap had been told that they would have filled: `patience` was too short for them. Of each stream the last
    /// gaps are remembered.
    pub late_bytes: u64,
    /// Segments that brought other bytes than had come before in the same place. [`Overlap`](crate::Overlap) says which count.
    pub conflicts: u64,
    /// Bytes that were other ones than before. Those delivered long ago are not compared.
    pub conflicting_bytes: u64,
    /// Segments with urgent data. It is delivered in its place, as if it were not urgent (RFC 6093, section 3.1).
    pub urgent: u64,
    /// Keep-alive probes.
    pub keep_alives: u64,
    /// Resets that their receiver would not have taken for real, or that the stream went on behind.
    pub resets_ignored: u64,
    /// Holes in streams.
    pub gaps: u64,
    /// Bytes that are missing in them.
    pub gap_bytes: u64,
    /// Holes that were given up only because too much was held behind them.
    pub gaps_for_memory: u64,
    /// How often bytes were delivered before those of the other side that they acknowledge, which had not been captured.
    pub order_given_up: u64,
    /// How often missing bytes were waited for until the time for it was over.
    pub waits_timed_out: u64,
    /// Segments that bring payload to a connection that is over.
    pub late_segments: u64,
    /// Bytes of payload outside their stream: behind its end, before the place where the capture joined it, or too far ahead.
    pub stray_bytes: u64,
}

impl Summary {
    /// Packets that gave no TCP segment.
    #[must_use]
    pub fn ignored(&self) -> u64 {
        self.ignored.iter().sum()
    }
}
