//! Reads whole captures, from their bytes to a tap.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use enjamb::{Tap, Time};

use crate::decode::decoder::Decoder;
use crate::error::{CaptureError, CaptureErrorKind};
use crate::file::capture::Capture;
use crate::ignored::Ignored;
use crate::incident::Incident;
use crate::link_type::LinkType;
use crate::options::Options;
use crate::reassembly::reassembler::Reassembler;
use crate::summary::Summary;

/// The maximum number of link types that are remembered.
const LINKS_MAX: usize = 16;

/// The result of reading a capture.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The counts of everything that was read.
    pub summary: Summary,
    /// The error that ended reading before the end of the capture. `None` if all of it was read.
    pub error: Option<CaptureError>,
    /// The first 16 incidents of each kind: things that were given up or are contradictory.
    pub incidents: Vec<Incident>,
    /// The link types of packets that could not be read: the first 16.
    pub unknown_links: Vec<LinkType>,
    /// The time of the first packet, and the latest time of all packets. `None` if there are no
    /// packets.
    pub span: Option<(Time, Time)>,
}

/// Reads all of a capture from `source`, and reports its connections to `tap`.
///
/// The source may still be captured. If its reader returns
/// [`WouldBlock`](std::io::ErrorKind::WouldBlock), the tap [pauses](Tap::pause), and the reader is
/// called again: it should wait a while before it returns that error.
///
/// After an error, the tap has received everything from the whole packets before it, and all
/// connections have ended.
pub fn read<R: Read>(source: R, tap: &mut dyn Tap, options: &Options) -> Report {
    match Capture::from_read(source) {
        Ok(capture) => read_capture(capture, tap, options),
        Err(error) => Report { error: Some(error), ..Report::default() },
    }
}

/// Reads all of the capture in a file. See [`read()`].
pub fn open(path: impl AsRef<Path>, tap: &mut dyn Tap, options: &Options) -> Report {
    match File::open(path) {
        Ok(file) => read(file, tap, options),
        Err(error) => {
            let error = CaptureError::new(0, CaptureErrorKind::Io(error));
            Report { error: Some(error), ..Report::default() }
        }
    }
}

fn read_capture<R: Read>(capture: Capture<R>, tap: &mut dyn Tap, options: &Options) -> Report {
    let mut set = CaptureSet::new(options.clone());
    let error = set.read_capture(capture, tap);
    Report { error, ..set.finish(tap) }
}

/// The maximum time between the last packet of a capture and the first one of the next in a set.
/// Without packets for that long, addresses and ports may be in use by something else.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// The maximum time by which the first packet of a capture in a set is before the last one of the
/// capture before it: packets of several queues overtake each other.
const OVERLAP_MAX: Duration = Duration::from_millis(100);

/// Reads captures that follow each other, as the files of a rotated set do (`tcpdump -C` or `-G`,
/// `editcap -c`). A connection that goes on in the next file is one connection.
pub struct CaptureSet {
    decoder: Decoder,
    reassembler: Reassembler,
    unknown_links: Vec<LinkType>,
    /// The link types of all packets: the first 16.
    links: Vec<LinkType>,
    span: Option<(Time, Time)>,
}

impl CaptureSet {
    /// Creates a set of which nothing was read.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            decoder: Decoder::new(),
            reassembler: Reassembler::new(options),
            unknown_links: Vec::new(),
            links: Vec::new(),
            span: None,
        }
    }

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

    /// Reads the next capture of the set. Returns the error that ended it, if it was not read as a
    /// whole.
    pub fn read<R: Read>(&mut self, source: R, tap: &mut dyn Tap) -> Option<CaptureError> {
        match Capture::from_read(source) {
            Ok(capture) => self.read_capture(capture, tap),
            Err(error) => Some(error),
        }
    }

    fn read_capture<R: Read>(&mut self, mut capture: Capture<R>, tap: &mut dyn Tap) -> Option<CaptureError> {
        let Self { decoder, reassembler, unknown_links, links, span } = self;
        loop {
            let packet = match capture.next() {
                Ok(Some(packet)) => packet,
                Ok(None) => return None,
                Err(error) if error.is_pause() => {
                    reassembler.pause(tap);
                    continue;
                }
                Err(error) => return Some(error),
            };
            *span = Some(span.map_or((packet.time, packet.time), |(first, last)| (first, last.max(packet.time))));
            let summary = reassembler.summary_mut();
            summary.packets += 1;
            summary.bytes += packet.bytes.len() as u64;
            summary.cut_packets += u64::from(packet.original > packet.bytes.len() as u64);
            summary.dropped_packets = summary.dropped_packets.saturating_add(packet.dropped);
            let link = packet.link;
            if links.last() != Some(&link) && !links.contains(&link) && links.len() < LINKS_MAX {
                links.push(link);
            }
            match decoder.decode(&packet) {
                Ok(segment) => reassembler.push(packet.time, &segment, tap),
                Err(reason) => {
                    summary.ignored[reason.index()] += 1;
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

    /// Ends all connections, and returns the counts of all captures together. The report has no
    /// error.
    pub fn finish(mut self, tap: &mut dyn Tap) -> Report {
        self.reassembler.finish(tap);
        let mut summary = self.reassembler.summary().clone();
        summary.fragments_given_up = self.decoder.given_up();
        let incidents = self.reassembler.incidents().to_vec();
        Report { summary, error: None, incidents, unknown_links: self.unknown_links, span: self.span }
    }
}
