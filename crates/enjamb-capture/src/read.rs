//! Reads a whole capture, from its bytes to a tap.

use std::fs::File;
use std::io::Read;
use std::path::Path;

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

/// The maximum number of unknown link types in a report.
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

fn read_capture<R: Read>(mut capture: Capture<R>, tap: &mut dyn Tap, options: &Options) -> Report {
    let mut decoder = Decoder::new();
    let mut reassembler = Reassembler::new(options.clone());
    let mut unknown_links = Vec::new();
    let mut span: Option<(Time, Time)> = None;
    let error = loop {
        let packet = match capture.next() {
            Ok(Some(packet)) => packet,
            Ok(None) => break None,
            Err(error) if error.is_pause() => {
                reassembler.pause(tap);
                continue;
            }
            Err(error) => break Some(error),
        };
        span = Some(span.map_or((packet.time, packet.time), |(first, last)| (first, last.max(packet.time))));
        let summary = reassembler.summary_mut();
        summary.packets += 1;
        summary.bytes += packet.bytes.len() as u64;
        summary.cut_packets += u64::from(packet.original > packet.bytes.len() as u64);
        summary.dropped_packets = summary.dropped_packets.saturating_add(packet.dropped);
        let link = packet.link;
        match decoder.decode(&packet) {
            Ok(segment) => reassembler.push(packet.time, &segment, tap),
            Err(reason) => {
                summary.ignored[reason.index()] += 1;
                if reason == Ignored::UnknownLink && !unknown_links.contains(&link) && unknown_links.len() < LINKS_MAX {
                    unknown_links.push(link);
                }
            }
        }
    };
    reassembler.finish(tap);
    let mut summary = reassembler.summary().clone();
    summary.fragments_given_up = decoder.given_up();
    Report { summary, error, incidents: reassembler.incidents().to_vec(), unknown_links, span }
}
