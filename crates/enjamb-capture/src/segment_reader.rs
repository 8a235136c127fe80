//! The TCP segments of captures.

use std::io::Read;
use std::time::Duration;

use enjamb::Time;

use crate::decode::decoder::Decoder;
use crate::decode::unread::UnreadProtocol;
use crate::error::CaptureError;
use crate::file::block::Block;
use crate::file::capture::Capture;
use crate::ignored::Ignored;
use crate::incident::Incident;
use crate::link_type::LinkType;
use crate::report::Report;
use crate::segment::Segment;
use crate::summary::Summary;

/// The maximum number of protocols that are counted by name.
const UNREAD_MAX: usize = 64;

/// The maximum number of link types that are remembered.
const LINKS_MAX: usize = 16;

/// The maximum time between the last packet of a capture and the first one of the next in a set.
/// Without packets for that long, addresses and ports may be in use by something else.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// The maximum time by which the first packet of a capture in a set is before the last one of the
/// capture before it: packets of several queues overtake each other.
const OVERLAP_MAX: Duration = Duration::from_millis(100);

/// Receives the segments of captures.
pub trait SegmentSink {
    /// Receives the next segment, and the time at which it was captured. Its payload is a part of
    /// `block`, unless it was put together from fragments.
    fn segment(&mut self, time: Time, segment: &Segment<'_>, block: &Block);

    /// Notes that no segment follows for now, since the traffic is still being captured.
    fn pause(&mut self);
}

/// Reads the segments of captures that follow each other, as the files of a rotated set do.
///
/// A [`CaptureSet`](crate::CaptureSet) reassembles them, too. This is for those who let several
/// [shards](crate::Shard) reassemble them.
#[derive(Default)]
pub struct SegmentReader {
    decoder: Decoder,
    /// The counts of packets.
    summary: Summary,
    unknown_links: Vec<LinkType>,
    /// The protocols that were not read, and the number of their packets.
    unread: Vec<(UnreadProtocol, u64)>,
    /// The link types of all packets: the first 16.
    links: Vec<LinkType>,
    span: Option<(Time, Time)>,
}

impl SegmentReader {
    /// Returns whether the capture in `source` follows those that were read: its first packet comes
    /// at most 10 minutes after the last one, and has a known link type. Reads only the beginning.
    pub fn is_continued_by<R: Read>(&self, source: R) -> bool {
        let Some((first, last)) = self.span else {
            return false;
        };
        let Ok(mut capture) = Capture::from_read(source) else {
            return false;
        };
        let Ok(Some(packet)) = capture.next() else {
            return false;
        };
        let (time, last) = (Duration::from_nanos(packet.time.nanos()), Duration::from_nanos(last.nanos()));
        packet.time > first
            && self.links.contains(&packet.link)
            && time + OVERLAP_MAX >= last
            && time <= last + PAUSE_MAX
    }

    /// Reads the next capture, and gives its segments to `sink`. Returns the error that ended it,
    /// if it was not read as a whole.
    pub fn read<R: Read>(&mut self, source: R, sink: &mut impl SegmentSink) -> Option<CaptureError> {
        match Capture::from_read(source) {
            Ok(capture) => self.read_capture(capture, sink),
            Err(error) => Some(error),
        }
    }

    pub(crate) fn read_capture<R: Read>(
        &mut self,
        mut capture: Capture<R>,
        sink: &mut impl SegmentSink,
    ) -> Option<CaptureError> {
        let Self { decoder, summary, unknown_links, unread, links, span } = self;
        loop {
            let (packet, block) = match capture.next_in_block() {
                Ok(Some(next)) => next,
                Ok(None) => return None,
                Err(error) if error.is_pause() => {
                    sink.pause();
                    continue;
                }
                Err(error) => return Some(error),
            };
            *span = Some(span.map_or((packet.time, packet.time), |(first, last)| (first, last.max(packet.time))));
            summary.packets += 1;
            summary.bytes += packet.bytes.len() as u64;
            summary.cut_packets += u64::from(packet.original > packet.bytes.len() as u64);
            summary.dropped_packets = summary.dropped_packets.saturating_add(packet.dropped);
            let link = packet.link;
            if links.last() != Some(&link) && !links.contains(&link) && links.len() < LINKS_MAX {
                links.push(link);
            }
            match decoder.decode(&packet) {
                Ok(segment) => sink.segment(packet.time, &segment, block),
                Err(reason) => {
                    summary.ignored[reason.index()] += 1;
                    if let Some(protocol) = decoder.unread() {
                        count(protocol, unread);
                    }
                    if reason == Ignored::UnknownLink
                        && !unknown_links.contains(&link)
                        && unknown_links.len() < LINKS_MAX
                    {
                        unknown_links.push(link);
                    }
                }
            }
        }
    }

    /// Returns the report of everything that was read, with the counts and the incidents of the
    /// reassembly. It has no error.
    #[must_use]
    pub fn into_report(self, reassembly: &Summary, incidents: Vec<Incident>) -> Report {
        let mut summary = self.summary;
        summary.fragments_given_up = self.decoder.given_up();
        summary.add(reassembly);
        Report {
            summary,
            error: None,
            incidents,
            unknown_links: self.unknown_links,
            unread: self.unread,
            span: self.span,
        }
    }
}

/// Counts a packet of a protocol that is not read.
fn count(protocol: UnreadProtocol, unread: &mut Vec<(UnreadProtocol, u64)>) {
    let has_room = unread.len() < UNREAD_MAX;
    match unread.iter_mut().find(|(known, _)| *known == protocol) {
        Some((_, count)) => *count += 1,
        None if has_room => unread.push((protocol, 1)),
        None => {}
    }
}
