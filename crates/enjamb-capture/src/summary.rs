//! Counts over a capture.

use crate::ignored::Ignored;

/// Counts over a capture. Everything that is skipped or given up is counted here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Packets in the file.
    pub packets: u64,
    /// Bytes of packets that were captured.
    pub bytes: u64,
    /// Packets that the capture truncated.
    pub cut_packets: u64,
    /// Packets that the capturing system reports as lost.
    pub dropped_packets: u64,
    /// Packets that gave no TCP segment, by [`Ignored::index`].
    pub ignored: [u64; Ignored::ALL.len()],
    /// Fragmented datagrams that were given up: contradictory or missing fragments, or too many
    /// datagrams at a time.
    pub fragments_given_up: u64,
    /// TCP segments.
    pub segments: u64,
    /// Segments with a wrong checksum. They are used like all others: if packets are captured at
    /// their sender, the network card inserts the checksum later.
    pub bad_checksums: u64,
    /// Connections.
    pub connections: u64,
    /// Connections that were given up to make room for others.
    pub connections_given_up: u64,
    /// Bytes of payload that were delivered.
    pub payload: u64,
    /// Segments with new bytes that came after a segment that follows them in the stream.
    pub out_of_order: u64,
    /// Bytes that had arrived before, and were dropped.
    pub retransmitted: u64,
    /// Bytes that arrived after they were reported as a gap, because `patience` was too short for
    /// them. Only the last 16 gaps of each stream are remembered.
    pub late_bytes: u64,
    /// Segments with bytes that differ from an earlier copy. [`Overlap`](crate::Overlap) decides
    /// which copy counts.
    pub conflicts: u64,
    /// Bytes that differ from an earlier copy. Bytes that were delivered long ago are not compared.
    pub conflicting_bytes: u64,
    /// Segments with urgent data. It is delivered in its place, like any other data (RFC 6093,
    /// section 3.1).
    pub urgent: u64,
    /// Keep-alive probes.
    pub keep_alives: u64,
    /// Resets that their receiver would not accept, or after which the stream continued.
    pub resets_ignored: u64,
    /// Gaps in streams.
    pub gaps: u64,
    /// Bytes missing in gaps.
    pub gap_bytes: u64,
    /// Gaps that were reported only because too much data was held after them.
    pub gaps_for_memory: u64,
    /// Cases in which bytes were delivered before the bytes of the other side that they
    /// acknowledge, which had not been captured.
    pub order_given_up: u64,
    /// Waits for missing bytes that ended because of their time limit.
    pub waits_timed_out: u64,
    /// Segments with payload of a connection that had ended.
    pub late_segments: u64,
    /// Bytes of payload outside their stream: after its end, before the place where the capture
    /// joined it, or too far ahead.
    pub stray_bytes: u64,
}

impl Summary {
    /// Returns the number of packets that gave no TCP segment.
    #[must_use]
    pub fn ignored(&self) -> u64 {
        self.ignored.iter().sum()
    }

    /// Adds the counts of another part of the same capture.
    pub(crate) fn add(&mut self, more: &Self) {
        let Self {
            packets,
            bytes,
            cut_packets,
            dropped_packets,
            ignored,
            fragments_given_up,
            segments,
            bad_checksums,
            connections,
            connections_given_up,
            payload,
            out_of_order,
            retransmitted,
            late_bytes,
            conflicts,
            conflicting_bytes,
            urgent,
            keep_alives,
            resets_ignored,
            gaps,
            gap_bytes,
            gaps_for_memory,
            order_given_up,
            waits_timed_out,
            late_segments,
            stray_bytes,
        } = self;
        for (count, more) in ignored.iter_mut().zip(more.ignored) {
            *count += more;
        }
        for (count, more) in [
            (packets, more.packets),
            (bytes, more.bytes),
            (cut_packets, more.cut_packets),
            (dropped_packets, more.dropped_packets),
            (fragments_given_up, more.fragments_given_up),
            (segments, more.segments),
            (bad_checksums, more.bad_checksums),
            (connections, more.connections),
            (connections_given_up, more.connections_given_up),
            (payload, more.payload),
            (out_of_order, more.out_of_order),
            (retransmitted, more.retransmitted),
            (late_bytes, more.late_bytes),
            (conflicts, more.conflicts),
            (conflicting_bytes, more.conflicting_bytes),
            (urgent, more.urgent),
            (keep_alives, more.keep_alives),
            (resets_ignored, more.resets_ignored),
            (gaps, more.gaps),
            (gap_bytes, more.gap_bytes),
            (gaps_for_memory, more.gaps_for_memory),
            (order_given_up, more.order_given_up),
            (waits_timed_out, more.waits_timed_out),
            (late_segments, more.late_segments),
            (stray_bytes, more.stray_bytes),
        ] {
            *count = count.saturating_add(more);
        }
    }
}
