//! Taps that reassemble captures themselves.

use enjamb::{Tap, Time};
use enjamb_capture::{Block, Incident, Options, Segment, SegmentSink, Summary};

use crate::connection_numbers::ConnectionNumbers;

/// A set of captures whose segments follow.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SegmentSet {
    /// The limits of reassembly.
    pub options: Options,
    /// The highest connection number of all inputs before the set.
    pub base: u64,
    /// The connections to keep, with their numbers over all inputs. `None`: all.
    pub only: Option<ConnectionNumbers>,
}

/// A tap that also receives the segments of captures, and reassembles them itself.
///
/// For each set of captures the reader calls [`begin_set`](Self::begin_set), then [`segment`] and
/// [`pause_segments`] for all captures of the set, and then [`end_set`](Self::end_set).
///
/// [`segment`]: Self::segment
/// [`pause_segments`]: Self::pause_segments
pub trait SegmentTap: Tap {
    /// Begins a set.
    fn begin_set(&mut self, set: SegmentSet);

    /// Receives the next segment of the set: see [`SegmentSink::segment`].
    fn segment(&mut self, time: Time, segment: &Segment<'_>, block: &Block);

    /// Notes that no segment follows for now, since the traffic is still being captured.
    fn pause_segments(&mut self);

    /// Returns the number of connections of the set so far.
    fn connections(&mut self) -> u64;

    /// Ends all connections of the set, and returns the counts and the incidents of reassembly.
    /// Incidents have the numbers of their connections within the set.
    fn end_set(&mut self) -> (Summary, Vec<Incident>);
}

impl SegmentSink for &mut dyn SegmentTap {
    fn segment(&mut self, time: Time, segment: &Segment<'_>, block: &Block) {
        (**self).segment(time, segment, block);
    }

    fn pause(&mut self) {
        self.pause_segments();
    }
}
