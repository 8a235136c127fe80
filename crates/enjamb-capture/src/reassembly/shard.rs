//! A part of the connections of a capture, so that several threads can reassemble it.
//!
//! Each shard follows the connections of some endpoints: those with the same
//! [`endpoints_hash`](crate::endpoints_hash) are in one shard. It gets the segments of those
//! connections, and the times of all other segments: deadlines pass by the clock of the whole
//! capture. Everything that a shard reports for a segment is what one [`Reassembler`] of all
//! connections reports for it, in the same order, with one exception: a connection has the number
//! of the segment that opened it. That number is known without the other shards, and connections
//! that are ordered by it are in the order of their real numbers.
//!
//! Some limits cover all connections together: the number of connections, and the bytes that are
//! held. A shard cannot know how near they are. Its owner compares the sum of all shards' loads
//! with the limits while they are far, and then [joins](Shard::join) the shards to one reassembler.

use enjamb::{Tap, Time};

use crate::options::Options;
use crate::reassembly::reassembler::Reassembler;
use crate::segment::Segment;

/// The reassembler of a part of the connections of a capture.
pub struct Shard(Reassembler);

/// The use that shards make of limits that cover all connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardLoad {
    /// The number of connections that are followed.
    pub connections: usize,
    /// The number of bytes that are held because of holes.
    pub held: usize,
}

impl ShardLoad {
    /// Returns whether no limit of `options` can be reached while all shards together process
    /// `segments` more segments with `bytes` bytes of payload.
    #[must_use]
    pub fn has_room_for(self, segments: usize, bytes: usize, options: &Options) -> bool {
        // A segment becomes one held piece for each hole that it fills. A hole is before each
        // piece, and a segment makes two more at most. So the bytes that are held at most double,
        // and grow by the payload and the overhead of a few pieces for each segment.
        let more = bytes.saturating_add(segments.saturating_mul(4 * PIECE_OVERHEAD));
        self.connections.saturating_add(segments) < options.connections
            && self.held.saturating_add(more).saturating_mul(4) < options.held_in_all
    }
}

/// At least the bytes that a held piece costs besides its payload.
const PIECE_OVERHEAD: usize = 128;

impl Shard {
    /// Creates a shard that has seen no segments.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self(Reassembler::of_shard(options))
    }

    /// Advances the clock to the next segment of the capture, whether it belongs to this shard or
    /// to another one, and ends what is due then.
    ///
    /// Reports of several shards for the same segment are in the order of the connections' numbers.
    #[inline]
    pub fn advance(&mut self, time: Time, tap: &mut dyn Tap) {
        self.0.advance(time, tap);
    }

    /// Processes the segment that the clock was advanced to. It belongs to this shard.
    pub fn receive(&mut self, time: Time, segment: &Segment<'_>, tap: &mut dyn Tap) {
        self.0.receive(time, segment, tap);
    }

    /// Pauses as [`Reassembler::pause`] does. Does not pause the tap.
    pub fn pause(&mut self, tap: &mut dyn Tap) {
        self.0.give_up_beginnings(tap);
    }

    /// Ends the capture: see [`Reassembler::finish`].
    pub fn finish(&mut self, tap: &mut dyn Tap) {
        self.0.finish(tap);
    }

    /// Returns the use of limits that cover all connections.
    #[must_use]
    pub fn load(&self) -> ShardLoad {
        ShardLoad { connections: self.0.open_connections(), held: self.0.held() }
    }

    /// Joins all shards of a capture to the reassembler of all its connections. Their clocks must
    /// be at the same segment.
    ///
    /// `number` returns the real number of a connection that had the number of its first segment.
    #[must_use]
    pub fn join(shards: Vec<Self>, options: Options, number: impl FnMut(u64) -> u64) -> Reassembler {
        let mut shards = shards.into_iter();
        let mut all = shards.next().map_or_else(|| Reassembler::new(options), |Self(first)| first);
        shards.for_each(|Self(shard)| all.absorb(shard));
        all.renumber(number);
        all
    }
}
