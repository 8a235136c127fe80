//! A whole capture, from its bytes to a tap.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use enjamb::{Tap, Time};

use crate::capture::Capture;
use crate::decode::{Decoder, Ignored};
use crate::fault::{Fault, Trouble};
use crate::incident::Incident;
use crate::link::LinkType;
use crate::options::Options;
use crate::reassembler::Reassembler;
use crate::summary::Summary;

/// How many link types that are not known are named.
const LINKS_MAX: usize = 16;

/// How reading a capture went.
#[derive(Debug, Default)]
pub struct Report {
    /// What was read, up to the fault if there was one.
    pub summary: Summary,
    /// Why it was not read to the end.
    pub fault: Option<Fault>,
    /// What was given up or does not add up: the first 16 of each kind.
    pub incidents: Vec<Incident>,
    /// Link types that are not known here, of which there are packets: the first 16.
    pub unknown_links: Vec<LinkType>,
    /// When the first packet was captured, and the latest one.
    pub span: Option<(Time, Time)>,
}

/// Reads all of a capture from `source` and tells `tap` of its connections. After a fault, the tap has been told all that
/// the whole packets before it say, and all connections are done.
pub fn read<R: Read>(source: R, tap: &mut dyn Tap, options: &Options) -> Report {
    match Capture::from_read(source) {
        Ok(capture) => read_capture(capture, tap, options),
        Err(fault) => Report { fault: Some(fault), ..Report::default() },
    }
}

/// Reads all of the capture in a file. See [`read`].
pub fn open(path: impl AsRef<Path>, tap: &mut dyn Tap, options: &Options) -> Report {
    match File::open(path) {
        Ok(file) => read(file, tap, options),
        Err(error) => Report { fault: Some(Fault::new(0, Trouble::Io(error))), ..Report::default() },
    }
}

fn read_capture<R: Read>(mut capture: Capture<R>, tap: &mut dyn Tap, options: &Options) -> Report {
    let mut decoder = Decoder::new();
    let mut reassembler = Reassembler::new(options.clone());
    let mut unknown_links = Vec::new();
    let mut span: Option<(Time, Time)> = None;
    let fault = loop {
        let packet = match capture.next() {
            Ok(Some(packet)) => packet,
            Ok(None) => break None,
            Err(fault) => break Some(fault),
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
    Report { summary, fault, incidents: reassembler.incidents().to_vec(), unknown_links, span }
}
