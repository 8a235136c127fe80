//! flowscope: flows, sessions, and parsers of its own.
//!
//! Read in two ways. As its documentation begins, a function gives the messages of a capture; below it is the session engine, which looks through all
//! live streams at every packet (`FlowDriver`, in 0.22) and drops segments that are out of order. By parts, its tracker hands every payload to its
//! reassembler that does order them, and that hands on to the same parser: what the tracker's `track_with_payload` is there for.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use flowscope::extract::{FiveTuple, FiveTupleKey};
use flowscope::http::{HttpMessage, HttpParser};
use flowscope::pcap::session_messages;
use flowscope::{
    FlowEvent, FlowSide, FlowTracker, PacketView, Reassembler, SegmentBufferReassembler, SessionParser, Timestamp,
};
use pcap_file::pcap::PcapReader;

use crate::{Found, Result};

/// Counts messages.
#[derive(Default)]
struct Messages {
    requests: u64,
    responses: u64,
}

impl Messages {
    fn count(&mut self, message: &HttpMessage) {
        match message {
            HttpMessage::Request(_) => self.requests += 1,
            HttpMessage::Response(_) => self.responses += 1,
            _ => {}
        }
    }

    fn found(self) -> Found {
        Found::Http { requests: self.requests, responses: self.responses }
    }
}

/// The messages of its own iterator over a capture: of its ways to have them through its sessions the fastest.
pub(crate) fn sessions(capture: &Path) -> Result<Found> {
    let mut messages = Messages::default();
    session_messages::<HttpParser>(capture)?.for_each(|(_, message)| messages.count(&message));
    Ok(messages.found())
}

/// A connection: what waits to be in order on either side, the initiator's first, and what is made of it.
#[derive(Default)]
struct Flow<P> {
    sides: [SegmentBufferReassembler; 2],
    parser: P,
}

/// What a connection says, in order: `None` at its end.
type Said<'a> = Option<(FlowSide, &'a [u8], Timestamp)>;

/// Hands every payload to the reassembler of its stream, and what is in order to `read`.
fn by_parts<P: Default>(capture: &Path, mut read: impl FnMut(&mut P, Said<'_>)) -> Result<()> {
    let mut tracker = FlowTracker::<FiveTuple>::new(FiveTuple::bidirectional());
    let mut flows: HashMap<FiveTupleKey, Flow<P>, ahash::RandomState> = HashMap::default();
    let mut reader = PcapReader::new(File::open(capture)?)?;
    while let Some(packet) = reader.next_packet() {
        let packet = packet?;
        let time = Timestamp::new(packet.timestamp.as_secs() as u32, packet.timestamp.subsec_nanos());
        let events = tracker.track_with_payload(PacketView::new(&packet.data, time), |key, side, sequence, payload| {
            let Flow { sides, parser } = flows.entry(*key).or_default();
            let stream = &mut sides[usize::from(side == FlowSide::Responder)];
            stream.segment(sequence, payload, time);
            let ready = stream.take();
            if !ready.is_empty() {
                read(parser, Some((side, &ready, time)));
            }
        });
        for event in events {
            if let FlowEvent::Ended { key, .. } = event
                && let Some(mut flow) = flows.remove(&key)
            {
                read(&mut flow.parser, None);
            }
        }
    }
    flows.values_mut().for_each(|flow| read(&mut flow.parser, None));
    Ok(())
}

pub(crate) fn http(capture: &Path) -> Result<Found> {
    let mut messages = Messages::default();
    let mut scratch = Vec::new();
    by_parts(capture, |parser: &mut HttpParser, said| {
        match said {
            Some((FlowSide::Initiator, bytes, time)) => parser.feed_initiator(bytes, time, &mut scratch),
            Some((FlowSide::Responder, bytes, time)) => parser.feed_responder(bytes, time, &mut scratch),
            None => {
                parser.fin_initiator(&mut scratch);
                parser.fin_responder(&mut scratch);
            }
        }
        scratch.drain(..).for_each(|message| messages.count(&message));
    })?;
    Ok(messages.found())
}

pub(crate) fn streams(capture: &Path) -> Result<Found> {
    let mut payload = 0;
    by_parts(capture, |_: &mut (), said| payload += said.map_or(0, |(_, bytes, _)| bytes.len() as u64))?;
    Ok(Found::Streams { payload })
}
